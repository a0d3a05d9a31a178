"""The words of one Google entry: its time, whether it takes time, and our marks on it; knows no series and no requests.

Statuses, transparency, visibility and answers are listed in prose only (no schema catches a new one): what this version
does not know is busy and noted.
"""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors._lines import Malformed
from connectors._moments import EARLIEST, Moment, Span, span_between
from connectors._zones import Zones
from syncd.core.busy import Signal
from syncd.core.limits import LAST_YEAR

Json = Mapping[str, Any]
SUBJECT, GENERATION, MIRROR, UID, OWN_ID, NOTE = (
    "syncdSubject",
    "syncdGeneration",
    "syncdMirror",
    "syncdUid",
    "syncdId",  # the entry's own id: a copy that a person makes carries our marks and another id
    "syncdNote",  # which lines of the description are ours
)
_DAY = timedelta(days=1)
_UNKNOWN = Signal.UNKNOWN
_WORDS: Mapping[str, Mapping[str, Signal | None]] = {
    "status": {"confirmed": None, "tentative": Signal.TENTATIVE, "cancelled": Signal.CANCELLED},
    "visibility": {
        "default": None,
        "public": None,
        "private": Signal.PRIVATE,
        "confidential": Signal.PRIVATE,
    },
}
_TRANSPARENCY: Mapping[str, Signal | None] = {"opaque": None, "transparent": Signal.FREE}
_KINDS: Mapping[str, Signal | None] = {
    "default": None,
    "fromGmail": None,
    "focusTime": None,
    "outOfOffice": Signal.OUT_OF_OFFICE,
}
_ANSWERS: Mapping[str, Signal | None] = {  # the busiest first: of several own answers it counts
    "accepted": None,
    "tentative": Signal.TENTATIVE,
    "needsAction": Signal.UNANSWERED,
    "declined": Signal.DECLINED,
}
_PLACES: Mapping[str, Signal] = {
    "officeLocation": Signal.FREE,
    "homeOffice": Signal.WORKING_ELSEWHERE,
    "customLocation": Signal.WORKING_ELSEWHERE,
}


def signals_of(event: Json, emails: Collection[str], notes: list[str]) -> frozenset[Signal]:
    """Return what an entry says of its time. `emails`: the agent's, lower case."""
    by_kind = _kind(event, notes)
    if by_kind is not None:  # a birthday or a place of work, whatever else it says: the kind decides, not luck
        return frozenset({by_kind, *([Signal.CANCELLED] if event.get("status") == "cancelled" else [])})
    found = {_word(event, name, words, notes) for name, words in _WORDS.items()}
    found.add(_word(event, "transparency", _TRANSPARENCY, notes))
    found.add(_word(event, "eventType", _KINDS, notes))
    found.update(_part(event, emails, notes))
    return frozenset(signal for signal in found if signal is not None)


def _kind(event: Json, notes: list[str]) -> Signal | None:
    """Return what birthdays and places of work mean; None for every other kind of entry."""
    kind = event.get("eventType")
    if kind == "birthday":
        return Signal.FREE
    if kind != "workingLocation":
        return None
    told = event.get("workingLocationProperties")
    place = str(told["type"]) if isinstance(told, dict) and told.get("type") is not None else "homeOffice"
    if place not in _PLACES:
        _note(notes, f"unknown word {place[:40]!r} in workingLocationProperties.type: read as working elsewhere")
    return _PLACES.get(place, Signal.WORKING_ELSEWHERE)


def _word(event: Json, name: str, words: Mapping[str, Signal | None], notes: list[str]) -> Signal | None:
    value = event.get(name)
    if value is None:
        return None
    if isinstance(value, str) and value in words:
        return words[value]
    _note(notes, f"unknown word {str(value)[:40]!r} in {name}: read as busy")
    return _UNKNOWN


def _note(notes: list[str], text: str) -> None:
    if text not in notes:
        notes.append(text)


def _part(event: Json, emails: Collection[str], notes: list[str]) -> set[Signal | None]:
    """Return the agent's own part in a meeting: the answer given, or that it is organised and not attended."""
    listed = event.get("attendees")
    attendees = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    organizer = event.get("organizer")
    organises = isinstance(organizer, dict) and _is_own(organizer, emails)
    own = [one for one in attendees if _is_own(one, emails)]
    if not own:
        # Of a cut list of guests nobody knows whether the agent stands in the rest.
        return {Signal.ORGANISED} if organises and attendees and not event.get("attendeesOmitted") else set()
    found = {_answer(one, organises, notes) for one in own}
    if _UNKNOWN in found:
        return {_UNKNOWN}
    return {next(signal for signal in _ANSWERS.values() if signal in found)}


def _answer(attendee: Json, organises: bool, notes: list[str]) -> Signal | None:
    answer = attendee.get("responseStatus")
    if answer is None or (organises and answer == "needsAction"):  # nobody answers the own invitation
        return None if organises else Signal.UNANSWERED
    return _word(attendee, "responseStatus", _ANSWERS, notes)


def _is_own(person: Json, emails: Collection[str]) -> bool:
    """Tell whether this is the agent: the calendar's own entry, or one of the agent's addresses."""
    email = person.get("email")
    return person.get("self") is True or (isinstance(email, str) and email.lower() in emails)


# --------------------------------------------------------------------------------------------------- time


def moment_of(told: Any, zones: Zones, *, local: bool) -> Moment:
    """Read an EventDateTime; a day is one in the calendar's own zone.

    `local`: a series repeats local times, so its moments keep their zone; otherwise an instant is enough.
    """
    if not isinstance(told, dict):
        raise Malformed("an entry has no start or no end")
    if isinstance(told.get("date"), str):
        return Moment(_read(told["date"], 10), zones.home, True)
    moment = _read(told.get("dateTime"), 64)
    name = told.get("timeZone") if isinstance(told.get("timeZone"), str) else None
    if moment.tzinfo is None:
        return Moment(moment, zones.of(name, zones.home), False)
    if not local:
        return Moment(moment.astimezone(UTC).replace(tzinfo=None), UTC, False)
    zone = zones.of(name, zones.home)
    return Moment(moment.astimezone(zone).replace(tzinfo=None), zone, False)


def _read(text: Any, longest: int) -> datetime:
    if not isinstance(text, str) or not 10 <= len(text) <= longest or not text[:4].isdecimal():
        raise Malformed(f"{str(text)[:20]!r} is not a date or a time")
    try:
        moment = datetime.fromisoformat(text)
        year = moment.astimezone(UTC).year if moment.tzinfo is not None else moment.year
    except (ValueError, OverflowError):
        raise Malformed(f"{text[:20]!r} is not a date or a time that exists") from None
    if not EARLIEST <= year <= LAST_YEAR:
        raise Malformed(f"the year {year} is not in anybody's agenda")
    return moment


def extent_of(event: Json, zones: Zones, *, local: bool = False) -> tuple[Moment, Span]:
    """Return where an entry starts and how long it takes; a whole day at least for days."""
    start, end = (moment_of(event.get(name), zones, local=local) for name in ("start", "end"))
    if start.is_day is not end.is_day:
        raise Malformed("an entry starts with a day and ends with a time, or the other way round")
    span = span_between(start, end)
    return (start, span._replace(nominal=max(span.nominal, _DAY))) if start.is_day else (start, span)


# --------------------------------------------------------------------------------------------------- our marks


def private_of(event: Json) -> dict[str, str]:
    """Return the private properties: this copy's own, seen by nobody else."""
    extended = event.get("extendedProperties")
    private = extended.get("private") if isinstance(extended, dict) else None
    found = private.items() if isinstance(private, dict) else ()
    return {name: value for name, value in found if isinstance(value, str)}


def is_of(event: Json, subject: str, uid: str) -> bool:
    """Tell whether an entry is our own of this subject; a copy of it made by a person is hers (F57)."""
    private = private_of(event)
    return private.get(SUBJECT) == subject and private.get(UID, uid) == uid and private.get(OWN_ID) == event.get("id")


def uid_of(event: Json) -> str:
    """Return the uid that is the same in every calendar: ours of our own entries, else the iCalendar UID."""
    private = private_of(event)
    return private.get(UID, "") if SUBJECT in private else text_of(event, "iCalUID")


def text_of(event: Json, name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""


def marks_of(event: Json) -> dict[str, Any]:
    """Return our marks. The texts beside them are kept of our own entries only."""
    private = private_of(event)
    marks: dict[str, Any] = {"generation": private.get(GENERATION), "copied": MIRROR in private}
    if SUBJECT in private:
        texts = {"title": text_of(event, "summary"), "location": text_of(event, "location")}
        marks |= {"tag": private[SUBJECT], **texts}
    return marks
