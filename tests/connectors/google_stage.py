"""A Google calendar on stage: our server, and the owner's hands in it."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.google import GoogleSettings, calendar
from syncd.clock import SystemClock
from syncd.core.ids import AccountId
from syncd.core.interval import Interval
from syncd.ports import Calendar, CalendarUse, Environment, Home
from tests.contracts.calendar import Shown
from tests.servers.google import Google
from tests.servers.google_token import key_file

FIRST = datetime(2026, 12, 7, 12, tzinfo=UTC)
WINDOW = Interval(FIRST - timedelta(days=5), FIRST + timedelta(days=60))
ANA = "ana@example.cl"
REMINDERS = {"useDefault": False, "overrides": [{"method": "popup", "minutes": 10}]}
_numbers = itertools.count(1)


def environment(**changes: Any) -> Environment:
    plain: dict[str, Any] = {"clock": SystemClock(), "secret": lambda purpose: purpose.encode()}
    return Environment(**(plain | changes))


def settings_for(google: Google, **changes: Any) -> GoogleSettings:
    plain = {"service_account": key_file(f"{google.url}/token"), "api_url": google.url}
    return GoogleSettings.model_validate(plain | changes)


def use_of(name: str, **changes: Any) -> CalendarUse:
    plain = {"name": name, "time_zone": "America/Santiago", "emails": frozenset({ANA}), "subject": ANA}
    return CalendarUse(**(plain | changes))


class GoogleStage:
    """One fresh calendar, as the contract wants it."""

    def __init__(self, google: Google, *, zone: str = "America/Santiago", **changes: Any) -> None:
        number = next(_numbers)
        self.google = google
        self.name = f"visitas{number}@group.calendar.google.com"
        self.shelf = google.make_calendar(self.name, ANA, zone=zone)
        self.account = AccountId(f"google{number}")
        self.settings, self.env = settings_for(google, **changes), environment()
        self.use = use_of(self.name)
        self.calendar: Calendar = calendar(self.account, self.settings, self.env, self.use)
        self.home: Home | None = None
        self.first = FIRST

    def add(self, interval: Interval, title: str = "Dentista") -> str:
        return self.shelf.add(interval.start, interval.end, summary=title)

    def drag(self, remote_id: str, interval: Interval) -> None:
        start, end = ({"dateTime": one.isoformat()} for one in (interval.start, interval.end))
        self.shelf.edit(remote_id, start=start, end=end)

    def decorate(self, remote_id: str, notes: str) -> None:
        old = self.shelf.get(remote_id).get("description", "")
        text = f"{old}\n{notes}" if old else notes
        self.shelf.edit(remote_id, description=text, colorId="11", reminders=REMINDERS)

    def remove(self, remote_id: str) -> None:
        self.shelf.delete(remote_id)

    def look(self, remote_id: str) -> Shown | None:
        event = self.shelf.events.get(remote_id)
        if event is None or event["status"] == "cancelled":
            return None
        return Shown(
            title=event["summary"],
            interval=Interval(self.shelf.instant(event["start"]), self.shelf.instant(event["end"])),
            location=event.get("location", ""),
            notes=event.get("description", ""),
            decorated=event.get("colorId") == "11" and event["reminders"] == REMINDERS,
        )

    def everything(self) -> list[str]:
        return [one for one, event in self.shelf.events.items() if event["status"] != "cancelled"]

    def forget_places(self) -> None:
        self.google.forget()


class Kept:
    """Where a sign-in is kept, in memory."""

    def __init__(self, held: bytes | None) -> None:
        self.held, self.saved = held, list[bytes]()

    def load(self) -> bytes | None:
        return self.held

    def save(self, token: bytes) -> None:
        self.held = token
        self.saved.append(token)
