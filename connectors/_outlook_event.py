"""One event of Microsoft Graph, as an entry that takes or leaves time; and our own mark in it. Asks nobody.

Times carry seven fraction digits and no offset; all-day events are floating days in the mailbox's zone, whatever zone
the answer writes beside them. Sources: the resource pages `event` and `dateTimeTimeZone` of Microsoft Graph v1.0.
"""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors._moments import instant_of
from connectors._zones import Zones
from syncd.core.busy import RemoteEvent, Signal
from syncd.core.interval import Interval
from syncd.core.limits import LAST_YEAR
from syncd.ports import Resource

Json = Mapping[str, Any]
MARK = "syncd"
PROPERTY = "String {6f1d7a0e-3c1b-5f0e-9a52-7d1f4c2b8e11} Name syncd-subject"  # the set is ours alone
FIELDS = (
    "id,iCalUId,changeKey,type,seriesMasterId,originalStart,subject,location,start,end,isAllDay,isCancelled,showAs,"
    "sensitivity,responseStatus,isOrganizer,organizer,attendees,transactionId"
)
EARLIEST = 1600
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d{1,9})?(Z|[+-]\d{2}:\d{2})?", re.ASCII)
_DAY = timedelta(days=1)
_SHOWN: Mapping[str, Signal | None] = {
    "busy": None,
    "free": Signal.FREE,
    "tentative": Signal.TENTATIVE,
    "oof": Signal.OUT_OF_OFFICE,
    "workingelsewhere": Signal.WORKING_ELSEWHERE,
    "unknown": Signal.UNKNOWN,
}
_ANSWERED: Mapping[str, Signal | None] = {
    "none": None,
    "organizer": None,
    "accepted": None,
    "tentativelyaccepted": Signal.TENTATIVE,
    "declined": Signal.DECLINED,
    "notresponded": Signal.UNANSWERED,
}
_KEPT: Mapping[str, Signal | None] = {
    "normal": None,
    "personal": None,
    "private": Signal.PRIVATE,
    "confidential": Signal.PRIVATE,
}


class Strange(ValueError):
    """An event that means nothing to us."""


def mark_of(subject: str, generation: str, salt: str = "") -> str:
    """Return the transactionId of our entry of a subject: it says whose it is, and comes back in every reading."""
    return ";".join((MARK, subject, generation.replace(";", ""), salt))


def ours_in(event: Json) -> tuple[str, str] | None:
    """Return subject and generation of an entry of ours, None for a stranger's."""
    mark = event.get("transactionId")
    parts = mark.split(";") if isinstance(mark, str) else []
    return (parts[1], parts[2]) if len(parts) == 4 and parts[0] == MARK and parts[1] else None


def uid_of(event: Json) -> str:
    """Return the UID of an entry: Exchange gives its own, so that of ours follows from the subject."""
    ours = ours_in(event)
    return f"{ours[0].replace(':', '-', 1)}@syncd" if ours else text(event, "iCalUId")


def text(event: Json, name: str) -> str:
    value = event.get(name)
    return value if isinstance(value, str) else ""


def location_of(event: Json) -> str:
    place = event.get("location")
    return text(place, "displayName") if isinstance(place, dict) else ""


def etag_of(event: Json) -> str:
    """Return the version of an event as If-Match wants it; "" for a thin one."""
    told, key = text(event, "@odata.etag"), text(event, "changeKey")
    return told or (f'W/"{key}"' if key else "")


def is_thin(event: Json) -> bool:
    """Tell whether an occurrence brings its times only: the rest stands in its master."""
    return bool(event.get("seriesMasterId")) and "showAs" not in event


class Reader:
    """Reads events of one mailbox, whose zone is that of days; `emails` are the agent's, in lower case."""

    def __init__(self, zone: str, emails: Collection[str], window: Interval) -> None:
        self.zone, self.emails, self.window = zone, emails, window

    def resource(self, event: Json, master: Json | None = None) -> Resource:
        """Read one event; `master` completes a thin occurrence. What cannot be understood is a problem of its own."""
        whole = {**master, **event} if master is not None else event
        remote_id, uid = text(event, "id"), uid_of(whole)
        try:
            found, notes = self._event(whole, remote_id, uid)
        except Strange as why:
            return Resource(remote_id=remote_id, uid=uid, etag=etag_of(whole), problem=str(why))
        return Resource(
            remote_id=remote_id,
            uid=uid,
            etag=found.etag,
            events=(found,) if self._counts(found) else (),
            recurring=bool(whole.get("seriesMasterId")),
            notes=tuple(notes),
        )

    def interval(self, event: Json) -> Interval | None:
        """Return the time of an event, None for one of no length or without sense."""
        try:
            return self._interval(event, Zones(self.zone))
        except Strange:
            return None

    def _event(self, event: Json, remote_id: str, uid: str) -> tuple[RemoteEvent, list[str]]:
        zones = Zones(self.zone)
        interval = self._interval(event, zones)
        all_day, ours = event.get("isAllDay") is True, ours_in(event)
        signals = self._signals(event, zones.notes)
        found = RemoteEvent(
            remote_id=remote_id,
            uid=uid,
            recurrence_id=text(event, "originalStart") if event.get("seriesMasterId") else "",
            # Days move with the mailbox's zone although Exchange sees no change in them.
            etag=f"{etag_of(event)} {self.zone}" if all_day and etag_of(event) else etag_of(event),
            interval=interval,
            all_day=all_day,
            signals=signals,
            tag=ours[0] if ours else None,
            title=text(event, "subject") if ours else None,
            location=location_of(event) if ours else None,
            generation=ours[1] if ours else None,
            copied=ours is not None and ours[0].startswith("mirror:"),
        )
        return found, zones.notes

    def _counts(self, event: RemoteEvent) -> bool:
        """Tell whether it lies in the window: at its edges Graph also returns neighbours (facts, 1)."""
        return event.interval is None or event.interval.overlaps(self.window)

    # ------------------------------------------------------------------------------------------- times

    def _interval(self, event: Json, zones: Zones) -> Interval | None:
        if event.get("isAllDay") is True:
            start, end = (self._midnight(event, name, zones) for name in ("start", "end"))
        else:
            start, end = (_instant(event, name, zones) for name in ("start", "end"))
        if end < start:
            raise Strange("it ends before it starts")
        return Interval(start, end) if start < end else None

    def _midnight(self, event: Json, name: str, zones: Zones) -> datetime:
        """Return where a floating day begins in the mailbox's zone."""
        local, offset, _ = _parts(event, name)
        if offset is not None or local != local.replace(hour=0, minute=0, second=0):
            moment = _instant(event, name, zones).astimezone(zones.home)  # a server that turned the day into UTC
            local = (moment + _DAY / 2).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
        return instant_of(local, zones.home)

    # ------------------------------------------------------------------------------------------- words

    def _signals(self, event: Json, notes: list[str]) -> frozenset[Signal]:
        answered = event.get("responseStatus")
        found = {
            _word(event, "showAs", _SHOWN, notes),
            _word(event, "sensitivity", _KEPT, notes),
            _word(answered, "response", _ANSWERED, notes) if isinstance(answered, dict) else None,
            Signal.CANCELLED if event.get("isCancelled") is True else None,
            Signal.ORGANISED if self._only_organises(event) else None,
        }
        return frozenset(signal for signal in found if signal is not None)

    def _only_organises(self, event: Json) -> bool:
        """Tell whether the agent calls a meeting of others and is not among those who come."""
        guests = event.get("attendees")
        if event.get("isOrganizer") is not True or not isinstance(guests, list) or not guests:
            return False
        return not any(_address(one) in self.emails for one in guests)


def _address(guest: Any) -> str:
    address = guest.get("emailAddress") if isinstance(guest, dict) else None
    return text(address, "address").strip().lower() if isinstance(address, dict) else ""


def _word(holder: Json, name: str, words: Mapping[str, Signal | None], notes: list[str]) -> Signal | None:
    value = holder.get(name)
    if value is None:
        return None
    word = str(value).lower()
    if word not in words:
        note = f"unknown word {str(value)[:40]!r} in {name}: read as busy"
        notes += [] if note in notes else [note]
        return Signal.UNKNOWN
    return words[word]


def _parts(event: Json, name: str) -> tuple[datetime, str | None, str]:
    """Return local time, offset if one is written, and zone of a dateTimeTimeZone; fractions of seconds are dropped."""
    value = event.get(name)
    match = _TIME.fullmatch(text(value, "dateTime")) if isinstance(value, dict) else None
    if match is None:
        raise Strange(f"its {name} is no time")
    try:
        local = datetime.fromisoformat(match[1])
    except ValueError:
        raise Strange(f"its {name} is no time that exists") from None
    if not EARLIEST <= local.year <= LAST_YEAR:
        raise Strange(f"its {name} lies beyond every agenda")
    return local, match[2], text(value, "timeZone") if isinstance(value, dict) else ""


def _instant(event: Json, name: str, zones: Zones) -> datetime:
    local, offset, zone = _parts(event, name)
    if offset is not None:
        return _shifted(local, offset, name)
    return local.replace(tzinfo=UTC) if zone == "UTC" else instant_of(local, zones.of(zone or None))


def _shifted(local: datetime, offset: str, name: str) -> datetime:
    try:
        return datetime.fromisoformat(f"{local.isoformat()}{offset.replace('Z', '+00:00')}").astimezone(UTC)
    except ValueError:
        raise Strange(f"its {name} has an offset that exists nowhere") from None
