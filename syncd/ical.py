"""Writes iCalendar: the entries we put into calendars, and feeds. Must not know where the text goes.

Whatever a client typed is text here, nothing else: one escaper, folded lines, no parameters made of strangers' words.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from icalendar import Calendar, Event, vCalAddress

from syncd.core.publish import EventDraft

PRODID = "-//syncd//syncd//ES"
_BREAK = re.compile(r"\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]")
_UNSEEN = re.compile(
    "[\\x00-\\x08\\x0e-\\x1f\\x7f-\\x9f\\ud800-\\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)


def event_text(draft: EventDraft, *, stamp: datetime) -> bytes:
    """Return a calendar object with one entry; equal input gives equal bytes. `stamp` becomes DTSTAMP."""
    return _text([_event(draft, stamp)])


def own_copy_text(draft: EventDraft, *, stamp: datetime, sequence: int, status: str) -> bytes:
    """Return an entry for a calendar that is not ours to keep: none of our marks, so it is never taken for ours.

    `sequence` grows with every change and `status` is one of RFC 5545 3.8.1.11, so that a later copy replaces it.
    """
    event = _event(draft, stamp)
    for name in _marks(draft):
        del event[name]
    event.add("sequence", sequence)
    event.add("status", status)
    return _text([event])


def feed_text(entries: Iterable[EventDraft], *, name: str, stamp: datetime) -> bytes:
    """Return a read-only feed of entries, in order of time, under a name that people see."""
    ordered = sorted(entries, key=lambda draft: (draft.interval, draft.uid))
    return _text([_event(draft, stamp) for draft in ordered], name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Somebody on an invitation, by name and mail address."""

    name: str
    address: str


def invitation_text(
    draft: EventDraft, *, method: str, sequence: int, stamp: datetime, organizer: Party, attendee: Party
) -> str:
    """Return an iTIP object (RFC 5546) for one entry: REQUEST puts or updates it, CANCEL takes it away.

    The same entry keeps its UID; `sequence` must grow with every change. It bears none of our own marks.
    """
    event = _event(draft, stamp)
    for name in _marks(draft):
        del event[name]
    event.add("sequence", sequence)
    event.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    event.add("organizer", _address(organizer))
    invited = _address(attendee)
    invited.params["ROLE"] = "REQ-PARTICIPANT"
    invited.params["PARTSTAT"] = "NEEDS-ACTION"
    invited.params["RSVP"] = "FALSE"
    event.add("attendee", invited)
    return _text([event], method=method).decode()


def _address(party: Party) -> vCalAddress:
    """Return a mail address with a name that cannot leave its quotes (RFC 5545 3.2)."""
    address = vCalAddress(f"mailto:{one_line(party.address)}")
    name = re.sub(r'["^]', "'", one_line(party.name))
    if name:
        address.params["CN"] = name
    return address


def one_line(text: str) -> str:
    """Return text without line breaks, controls and marks that turn the reading direction (H65, H76)."""
    return " ".join(_UNSEEN.sub("", _BREAK.sub(" ", text)).replace("\t", " ").split())


def visible(text: str) -> str:
    """Return text without controls and marks that turn the reading direction; its lines stay as they are."""
    return _UNSEEN.sub("", text)


def lines(text: str) -> str:
    """Return text of several lines, each cleaned; blank lines at the ends are dropped."""
    return "\n".join(_UNSEEN.sub("", line).replace("\t", " ").rstrip() for line in _BREAK.split(text)).strip("\n")


def _event(draft: EventDraft, stamp: datetime) -> Event:
    event = Event()
    event.add("uid", one_line(draft.uid))
    event.add("dtstamp", stamp.astimezone(UTC).replace(microsecond=0))
    event.add("dtstart", draft.interval.start.replace(microsecond=0))
    event.add("dtend", draft.interval.end.replace(microsecond=0))
    event.add("summary", one_line(draft.title))
    if draft.location:
        event.add("location", one_line(draft.location))
    if draft.body:
        event.add("description", lines(draft.body))
    event.add("transp", "OPAQUE")
    for name, value in _marks(draft).items():
        event.add(name, value)
    return event


def _marks(draft: EventDraft) -> dict[str, str]:
    """Return our marks. No comma or semicolon may stand in them: a server was seen cutting there."""
    subject = draft.key.subject
    marks = {"x-syncd-subject": subject}
    if draft.generation:
        marks["x-syncd-generation"] = draft.generation
    if draft.mirror:
        marks["x-syncd-mirror"] = "1"
    if subject.startswith("visit:"):
        marks["x-visit-id"] = subject.removeprefix("visit:")
    return {name: re.sub(r"[,;\\]", "-", one_line(value)) for name, value in marks.items()}


def _text(events: list[Event], name: str = "", method: str = "") -> bytes:
    calendar = Calendar()
    calendar.add("prodid", PRODID)
    calendar.add("version", "2.0")
    if method:
        calendar.add("calscale", "GREGORIAN")
        calendar.add("method", method)
    if name:
        calendar.add("x-wr-calname", one_line(name))
    for event in events:
        calendar.add_component(event)
    text: bytes = calendar.to_ical()
    return text
