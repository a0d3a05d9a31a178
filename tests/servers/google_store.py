"""What our Google server keeps: calendars with their entries, revisions and tombstones, as Google tells of them."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

Json = dict[str, Any]
ID = re.compile(r"[a-v0-9]{5,1024}")
_numbers = itertools.count(1)


class Refusal(Exception):
    """An answer with an error in it."""

    def __init__(self, status: int, reason: str, message: str = "", domain: str = "global", **headers: str) -> None:
        super().__init__(reason)
        self.status, self.reason, self.domain, self.headers = status, reason, domain, headers
        self.message = message or reason

    @property
    def body(self) -> Json:
        one = {"domain": self.domain, "reason": self.reason, "message": self.message}
        return {"error": {"errors": [one], "code": self.status, "message": self.message}}


@dataclass(slots=True)
class Shelf:
    """One calendar: its entries by id, deleted ones included, and who may see it."""

    id: str
    zone: str = "America/Santiago"
    title: str = ""
    roles: dict[str, str] = field(default_factory=dict)  # person -> owner, writer, reader, freeBusyReader
    events: dict[str, Json] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)  # id -> revision
    revision: int = 0
    life: int = 0  # sync tokens of an earlier life are dead

    def role(self, person: str) -> str:
        if person not in self.roles:
            raise Refusal(404, "notFound", "Not Found")
        return self.roles[person]

    # ------------------------------------------------------------------------------------------- changing

    def insert(self, body: Mapping[str, Any], person: str) -> Json:
        if "id" in body and "iCalUID" in body:
            raise Refusal(400, "invalid", "only one of id and iCalUID")
        own_id = body.get("id") or f"g{next(_numbers):025d}"
        if not ID.fullmatch(own_id):
            raise Refusal(400, "invalid", "Invalid resource id value.")
        if own_id in self.events:
            raise Refusal(409, "duplicate", "The requested identifier already exists.")
        event: Json = {
            "iCalUID": f"{own_id}@google.com",
            "eventType": "default",
            "status": "confirmed",
            **body,
            "id": own_id,
        }
        event |= {"kind": "calendar#event", "sequence": 0, "reminders": {"useDefault": True}}
        event |= {"creator": {"email": person}, "organizer": {"email": person, "self": True}, **self._organizer(body)}
        self._check(event)
        return self.note(event)

    @staticmethod
    def _organizer(body: Mapping[str, Any]) -> Json:
        return {"organizer": body["organizer"]} if "organizer" in body else {}

    def patch(self, event_id: str, body: Mapping[str, Any], etag: str | None) -> Json:
        event = self.get(event_id)
        self._match(event, etag)
        if event["status"] == "cancelled" and body.get("status") != "confirmed":
            raise Refusal(404, "notFound", "Not Found")
        changed = merged(event, body)
        self._check(changed)
        changed["sequence"] = event.get("sequence", 0) + (changed.get("start") != event.get("start"))
        return self.note(changed)

    def delete(self, event_id: str, etag: str | None = None) -> None:
        event = self.get(event_id)
        if event["status"] == "cancelled":
            raise Refusal(410, "deleted", "Resource has been deleted")
        self._match(event, etag)
        self.note({**event, "status": "cancelled"})
        for one in list(self.events.values()):
            if one.get("recurringEventId") == event_id and one["status"] != "cancelled":
                self.note({**one, "status": "cancelled"})

    def note(self, event: Json) -> Json:
        """Keep an entry as it is now, under a new etag."""
        self.revision += 1
        kept = {**event, "etag": f'"{self.revision}0000"', "updated": "2026-11-25T00:00:00.000Z"}
        self.events[kept["id"]], self.changed[kept["id"]] = kept, self.revision
        return self.told(kept)

    def get(self, event_id: str) -> Json:
        if event_id not in self.events:
            raise Refusal(404, "notFound", "Not Found")
        return self.events[event_id]

    def _match(self, event: Json, etag: str | None) -> None:
        if etag is not None and etag != event["etag"]:
            raise Refusal(412, "conditionNotMet", "Precondition Failed")

    def _check(self, event: Json) -> None:
        start, end = event.get("start", {}), event.get("end", {})
        if len({"date", "dateTime"} & {*start}) != 1 or ("date" in start) is not ("date" in end):
            raise Refusal(400, "invalid", "Invalid start or end time.")
        if self.instant(end) < self.instant(start):
            raise Refusal(400, "timeRangeEmpty", "The specified time range is empty.")
        if event.get("recurrence") and "dateTime" in start and "timeZone" not in start:
            raise Refusal(400, "required", "Missing time zone definition for start time.")

    # ------------------------------------------------------------------------------------------- telling

    def instant(self, told: Mapping[str, Any]) -> datetime:
        if "date" in told:
            return datetime.combine(date.fromisoformat(told["date"]), time(), ZoneInfo(self.zone)).astimezone(UTC)
        moment = datetime.fromisoformat(told["dateTime"])
        zone = ZoneInfo(told.get("timeZone", self.zone))
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)

    def told(self, event: Json) -> Json:
        """Tell an entry as Google does: times with the offset of the calendar's zone."""
        shown = dict(event)
        for name in ("start", "end", "originalStartTime"):
            if "dateTime" in event.get(name, {}):
                local = self.instant(event[name]).astimezone(ZoneInfo(self.zone))
                shown[name] = {
                    **event[name],
                    "dateTime": local.isoformat(),
                    "timeZone": event[name].get("timeZone", self.zone),
                }
        if not shown.get("recurrence"):
            shown.pop("recurrence", None)
        return shown

    def tombstone(self, event: Json) -> Json:
        """Tell a deleted entry with no more than is guaranteed."""
        kept = ("id", "recurringEventId", "originalStartTime")
        bare = {name: value for name, value in self.told(event).items() if name in kept}
        return {"kind": "calendar#event", "etag": event["etag"], "status": "cancelled", **bare}

    # ------------------------------------------------------------------------------------------- the owner's hands

    def add(self, start: datetime, end: datetime, **more: Any) -> str:
        """Make an entry as its owner does; return its id."""
        zone = more.pop("zone", self.zone)
        body = {
            "summary": "Dentista",
            "start": {"dateTime": start.isoformat(), "timeZone": zone},
            "end": {"dateTime": end.isoformat(), "timeZone": zone},
            **more,
        }
        owner = next(iter(self.roles))
        return str(self.insert(body, owner)["id"])

    def add_days(self, first: date, after: date, **more: Any) -> str:
        body = {"summary": "Feriado", "start": {"date": first.isoformat()}, "end": {"date": after.isoformat()}, **more}
        return str(self.insert(body, next(iter(self.roles)))["id"])

    def edit(self, event_id: str, **changes: Any) -> None:
        self.patch(event_id, changes, None)

    def change_instance(self, series: str, original: datetime, **changes: Any) -> str:
        """Change one instance of a series, or cancel it with status="cancelled"; return its id."""
        master = self.get(series)
        one_id = f"{series}_{original.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        zone = master["start"].get("timeZone", self.zone)
        length = self.instant(master["end"]) - self.instant(master["start"])
        plain = {name: value for name, value in master.items() if name not in ("recurrence", "etag")}
        base = self.events.get(one_id) or plain | {
            "id": one_id,
            "recurringEventId": series,
            "originalStartTime": {"dateTime": original.isoformat(), "timeZone": zone},
            "start": {"dateTime": original.isoformat(), "timeZone": zone},
            "end": {"dateTime": (original + length).isoformat(), "timeZone": zone},
        }
        self.note(merged(base, changes))
        return one_id


def merged(event: Mapping[str, Any], body: Mapping[str, Any]) -> Json:
    """Merge a patch: objects go together, lists are replaced, null takes a field away."""
    found = dict(event)
    for name, value in body.items():
        if value is None:
            found.pop(name, None)
        elif isinstance(value, dict) and isinstance(found.get(name), dict):
            found[name] = merged(found[name], value)
        else:
            found[name] = _clean(value)
    return found


def _clean(value: Any) -> Any:
    return {name: one for name, one in value.items() if one is not None} if isinstance(value, dict) else value


def busy_of(shelf: Shelf, low: datetime, high: datetime) -> list[Json]:
    """Tell the busy time of single entries, as free/busy does."""
    found = []
    for event in shelf.events.values():
        if event["status"] == "cancelled" or event.get("transparency") == "transparent" or event.get("recurrence"):
            continue
        start, end = shelf.instant(event["start"]), shelf.instant(event["end"])
        if start < high and end > low:
            found.append({"start": _z(max(start, low)), "end": _z(min(end, high))})
    return sorted(found, key=lambda one: str(one["start"]))


def _z(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
