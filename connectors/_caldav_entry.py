"""The text of one entry of ours as it stands in a calendar, and how a newer draft is written into it.

Time, title, place and our marks are ours; reminders, colours, categories and what the agent wrote are hers and survive.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime

from icalendar import Calendar, Event, vDDDTypes

from syncd.core.interval import Interval
from syncd.core.publish import EventDraft
from syncd.ical import event_text

OURS = (
    "uid",
    "dtstamp",
    "dtstart",
    "dtend",
    "summary",
    "location",
    "transp",
    "x-syncd-subject",
    "x-syncd-generation",
    "x-syncd-mirror",
    "x-visit-id",
)
NEVER = ("duration", "rrule", "rdate", "exdate", "exrule", "recurrence-id", "status")  # each would change the time
NOTE = "x-syncd-note"  # tells our lines of the description from the agent's
MARK = "x-syncd-subject"


class Entry:
    """One calendar object, parsed; `event` is None where it holds no single event that we can read."""

    def __init__(self, text: bytes) -> None:
        self.calendar = _parsed(text)
        self.event = _master(self.calendar)

    @property
    def uid(self) -> str:
        return self._text("uid")

    @property
    def subject(self) -> str:
        """Our mark, "" where there is none."""
        return self._text(MARK)

    @property
    def title(self) -> str:
        return self._text("summary")

    @property
    def location(self) -> str:
        return self._text("location")

    @property
    def interval(self) -> Interval | None:
        """The time of a plain entry; None for all-day, floating, empty or unreadable times."""
        start, end = (_moment(self.event, name) for name in ("dtstart", "dtend"))
        return Interval(start, end) if start is not None and end is not None and start < end else None

    def is_of(self, subject: str, uid: str) -> bool:
        """Tell whether it is ours: by our mark, or by our UID where no mark says otherwise (P4; clients drop marks)."""
        return self.subject == subject if self.subject else bool(uid) and self.uid == uid

    def says(self, draft: EventDraft) -> bool:
        """Tell whether everything that is ours already stands as the draft wants it."""
        body = _lines(str(self.event.get("description", ""))) if self.event is not None else []
        wanted = _lines(draft.body)
        held = any(body[at : at + len(wanted)] == wanted for at in range(len(body) - len(wanted) + 1))
        same = (self.uid, self.title, self.location) == (draft.uid, draft.title, draft.location)
        return (
            same and self.interval == draft.interval and held and self._text("x-syncd-generation") == draft.generation
        )

    def rewritten(self, draft: EventDraft, stamp: datetime) -> bytes:
        """Return the text with what is ours as the draft wants it and what is the agent's as it is."""
        fresh = created(draft, stamp)
        if self.calendar is None or self.event is None:
            return fresh
        new = _master(_parsed(fresh))
        if new is None:
            return fresh
        _take_over(self.event, new)
        self.calendar.subcomponents = [
            one for one in self.calendar.subcomponents if one.name != "VEVENT" or one is self.event
        ]
        text: bytes = self.calendar.to_ical()
        return text

    def _text(self, name: str) -> str:
        return "" if self.event is None else str(self.event.get(name, ""))


def created(draft: EventDraft, stamp: datetime) -> bytes:
    """Return the text of a new entry; its description is marked, so that later notes can be told from it."""
    if not draft.body:
        return event_text(draft, stamp=stamp)
    calendar = _parsed(event_text(draft, stamp=stamp))
    event = _master(calendar)
    if calendar is None or event is None:
        return event_text(draft, stamp=stamp)
    event.add(NOTE, _fingerprint(_lines(str(event.get("description", "")))))
    text: bytes = calendar.to_ical()
    return text


def _take_over(event: Event, new: Event) -> None:
    """Put our properties of `new` into an event that stands in a calendar."""
    notes = _notes(str(event.get("description", "")), str(event.get(NOTE, "")), str(new.get("description", "")))
    for name in (*OURS, *NEVER, NOTE, "description"):
        event.pop(name, None)
    for name in (*OURS, NOTE):
        if name in new:
            event[name] = new[name]
    if notes:
        event.add("description", notes)
    event["sequence"] = _sequence(event) + 1


def _notes(stands: str, mark: str, wanted: str) -> str:
    """Replace our lines by the wanted ones; where an agent wrote into them, the text is hers and stays."""
    lines = _lines(stands)
    place = next((place for place in _places(lines, mark)), None)
    if place is None:
        return stands if stands.strip() else wanted
    return "\n".join([*lines[: place[0]], *_lines(wanted), *lines[place[1] :]])


def _places(lines: Sequence[str], mark: str) -> Iterator[tuple[int, int]]:
    """Yield where lines with our fingerprint stand."""
    length, _, _ = mark.partition("-")
    if length.isascii() and length.isdigit() and 0 < int(length) <= len(lines):
        for start in range(len(lines) - int(length) + 1):
            if _fingerprint(lines[start : start + int(length)]) == mark:
                yield start, start + int(length)


def _fingerprint(lines: Sequence[str]) -> str:
    return f"{len(lines)}-{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()[:16]}"


def _lines(text: str) -> list[str]:
    """Split as servers leave it: they trim ends of lines."""
    return [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")] if text else []


def _parsed(text: bytes) -> Calendar | None:
    try:
        found = Calendar.from_ical(text)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None
    return found if isinstance(found, Calendar) else None  # type: ignore[redundant-expr]  # its types promise too much


def _master(calendar: Calendar | None) -> Event | None:
    """Return the event itself, not one of its overrides."""
    if calendar is None:
        return None
    events = [one for one in calendar.subcomponents if isinstance(one, Event)]
    return next((one for one in events if "recurrence-id" not in one), None)


def _moment(event: Event | None, name: str) -> datetime | None:
    """Return an instant, None for a date, a floating time or nonsense."""
    held = event.get(name) if event is not None else None
    value = held.dt if isinstance(held, vDDDTypes) else None
    return value if isinstance(value, datetime) and value.tzinfo is not None else None


def _sequence(event: Event) -> int:
    try:
        return max(0, int(event.get("sequence", 0)))
    except (ValueError, TypeError):
        return 0
