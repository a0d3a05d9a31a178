"""Mailboxes as Exchange keeps them: calendars, events with versions, series shown as their occurrences.

Knows no HTTP and no tokens. Times are kept as instants; days, which have no zone, as midnights that are called UTC.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from syncd.core.interval import Interval

Event = dict[str, Any]
_numbers = count(1)
HIDDEN = ("singleValueExtendedProperties", "recurrence_dates", "exceptions")


def written(moment: datetime) -> str:
    """Write a time as Graph does: seven fraction digits, no offset."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + ".0000000"


def time_of(value: dict[str, str]) -> datetime:
    return datetime.fromisoformat(value["dateTime"][:19]).replace(tzinfo=UTC)


def interval_of(event: Event) -> Interval:
    return Interval(time_of(event["start"]), time_of(event["end"]))


@dataclass
class Box:
    """One mailbox: its primary calendar is "", the others have ids."""

    address: str
    zone: str = "Pacific SA Standard Time"
    calendars: dict[str, str] = field(default_factory=lambda: {"": "Calendar"})  # id -> name
    events: dict[str, Event] = field(default_factory=dict)  # id -> event, masters of series among them
    places: dict[str, str] = field(default_factory=dict)  # event id -> calendar id
    done: dict[str, str] = field(default_factory=dict)  # transactionId -> id of what it made, deleted ones too
    graves: dict[str, Event] = field(default_factory=dict)
    now: datetime = datetime(2026, 11, 24, 12, tzinfo=UTC)

    # ------------------------------------------------------------------------------------------- changing

    def make(self, fields: Event, calendar: str = "") -> Event:
        """Make an event; the same transactionId again returns what it made before (facts, 3)."""
        mark = fields.get("transactionId")
        if mark is not None and mark in self.done:
            name = self.done[mark]
            return self.events.get(name) or self.graves[name]
        name = f"AAMkAD{next(_numbers):06d}-Aa_bB="
        stamp = written(self.now) + "Z"
        event = _defaults(name) | deepcopy(fields) | {"createdDateTime": stamp, "lastModifiedDateTime": stamp}
        self.events[name], self.places[name] = event, calendar
        if mark is not None:
            self.done[mark] = name
        self._touch(event)
        event["lastModifiedDateTime"] = stamp
        return event

    def change(self, name: str, fields: Event) -> Event:
        event = self.events[name]
        event.update(deepcopy(fields))
        self._touch(event)
        return event

    def remove(self, name: str) -> None:
        self.graves[name] = self.events.pop(name)

    def _touch(self, event: Event) -> None:
        event["changeKey"] = f"key{next(_numbers)}"
        event["@odata.etag"] = f'W/"{event["changeKey"]}"'
        event["lastModifiedDateTime"] = written(self.now + timedelta(minutes=1)) + "Z"

    # ------------------------------------------------------------------------------------------- people's hands

    def add(self, interval: Interval, subject: str = "Dentista", calendar: str = "", **fields: Any) -> str:
        times = {"start": moment(interval.start), "end": moment(interval.end)}
        return str(self.make({"subject": subject, **times, **fields}, calendar)["id"])

    def add_days(self, first: str, after: str, calendar: str = "", **fields: Any) -> str:
        """Add whole days: from the first up to, not including, `after`."""
        times = {name: {"dateTime": f"{day}T00:00:00.0000000", "timeZone": "UTC"} for name, day in
                 (("start", first), ("end", after))}  # fmt: skip
        return str(self.make({"subject": "Días", "isAllDay": True, **times, **fields}, calendar)["id"])

    def add_series(self, first: Interval, every: timedelta, times: int, **fields: Any) -> str:
        """Add a series; its occurrences are shown, itself is not."""
        name = self.add(first, "Serie", type="seriesMaster", **fields)
        master = self.events[name]
        master["recurrence_dates"] = [first.shift(every * number) for number in range(times)]
        master["exceptions"] = {}
        return name

    def except_from(self, series: str, number: int, fields: Event | None) -> str:
        """Change one occurrence of a series, or (None) delete it; return its id."""
        master = self.events[series]
        master["exceptions"][number] = None if fields is None else master["exceptions"].get(number, {}) | fields
        master["exceptions_key"] = next(_numbers)
        return f"{series}.{number}"

    # ------------------------------------------------------------------------------------------- showing

    def shown(self, calendar: str = "") -> Iterator[Event]:
        """Yield what takes time in a calendar: single events and each occurrence of a series."""
        for name, event in self.events.items():
            if self.places[name] != calendar:
                continue
            if "recurrence_dates" in event:
                yield from _occurrences(event)
            else:
                yield event

    def view(self, window: Interval, calendar: str = "", edge: timedelta = timedelta(0)) -> list[Event]:
        """List what overlaps a window; `edge` lets neighbours in, as Graph was seen doing."""
        wide = window.pad(edge, edge)
        found = [one for one in self.shown(calendar) if _touches(one, wide)]
        return sorted(found, key=lambda one: (one["start"]["dateTime"], one["id"]))

    def look(self, name: str) -> Event | None:
        """Return one event or occurrence by its id."""
        if name in self.events:
            return self.events[name]
        series = name.rpartition(".")[0]
        master = self.events.get(series)
        return None if master is None else next((one for one in _occurrences(master) if one["id"] == name), None)


def moment(at: datetime) -> dict[str, str]:
    return {"dateTime": written(at), "timeZone": "UTC"}


def public(event: Event) -> Event:
    """Return an event as answers hold it: extended properties only come when they are asked for by name."""
    return {name: deepcopy(value) for name, value in event.items() if name not in HIDDEN and name != "exceptions_key"}


def thin(event: Event) -> Event:
    """Return an occurrence as a delta may tell it: its times and where it belongs."""
    return {name: event[name] for name in ("id", "type", "seriesMasterId", "start", "end")}


def _touches(event: Event, window: Interval) -> bool:
    start, end = time_of(event["start"]), time_of(event["end"])
    slack = timedelta(hours=14) if event.get("isAllDay") else timedelta(0)  # a day begins elsewhere in other zones
    return start - slack < window.end and (end + slack > window.start or start == end >= window.start)


def _occurrences(master: Event) -> Iterator[Event]:
    for number, interval in enumerate(master["recurrence_dates"]):
        changed = master["exceptions"].get(number, {})
        if changed is None:
            continue
        kind = "exception" if changed else "occurrence"
        own = {"id": f"{master['id']}.{number}", "type": kind, "seriesMasterId": master["id"]}
        times = {"start": moment(interval.start), "end": moment(interval.end)}
        version = f"{master['changeKey']}-{number}-{len(str(changed))}"
        about = {"changeKey": version, "@odata.etag": f'W/"{version}"', "originalStart": written(interval.start) + "Z"}
        yield master | own | times | about | changed


def _defaults(name: str) -> Event:
    return {
        "id": name,
        "iCalUId": f"040000008200E0007{name}",
        "type": "singleInstance",
        "subject": "",
        "body": {"contentType": "text", "content": ""},
        "bodyPreview": "",
        "location": {"displayName": "", "locationType": "default", "uniqueIdType": "unknown"},
        "isAllDay": False,
        "isCancelled": False,
        "isOrganizer": True,
        "isOnlineMeeting": False,
        "isReminderOn": True,
        "reminderMinutesBeforeStart": 15,
        "showAs": "busy",
        "sensitivity": "normal",
        "categories": [],
        "attendees": [],
        "responseStatus": {"response": "organizer", "time": "0001-01-01T00:00:00Z"},
        "seriesMasterId": None,
        "transactionId": None,
        "originalStartTimeZone": "UTC",
    }
