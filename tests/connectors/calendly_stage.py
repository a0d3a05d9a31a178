"""The practice scheduler on stage: an account of it, its parts, and the people the contract asks for."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.calendly import SPEC, CalendlySettings
from syncd.core.ids import AccountId
from syncd.core.interval import Interval
from syncd.ports import Environment, Push, RemoteBooking, Scheduler
from syncd.practice_calendly import Client
from tests.servers.calendly import MONDAY, TOKEN, Practice

ACCOUNT = AccountId("calendly")
KEY = "a long random text"
WEEK = Interval(MONDAY, MONDAY + timedelta(days=7))
PUBLIC = "https://visitas.example.cl"


def environment(stand: Practice) -> Environment:
    return Environment(clock=stand.clock, secret=lambda purpose: purpose.encode(), public_url=PUBLIC)


def settings_for(stand: Practice, **changes: Any) -> CalendlySettings:
    plain = {"token": TOKEN, "signing_keys": [KEY], "api_url": stand.server.url}
    return CalendlySettings.model_validate(plain | changes)


def scheduler_of(stand: Practice, **changes: Any) -> Scheduler:
    assert SPEC.scheduler is not None
    return SPEC.scheduler(ACCOUNT, settings_for(stand, **changes), environment(stand))


def push_of(stand: Practice, **changes: Any) -> Push:
    assert SPEC.push is not None
    return SPEC.push(ACCOUNT, settings_for(stand, **changes), environment(stand))


def listed(stand: Practice, **changes: Any) -> list[RemoteBooking]:
    return list(scheduler_of(stand, **changes).bookings(WEEK))


@dataclass
class CalendlyStage:
    """The practice scheduler and its people, as the contract wants them."""

    stand: Practice

    def __post_init__(self) -> None:
        self.scheduler = scheduler_of(self.stand)
        self.event_type = self.stand.visit
        self.hosts = (self.stand.ana, self.stand.bruno)
        self.other_event_type = self.stand.company.add_event_type("Otra", 30, self.hosts)
        self.length = timedelta(minutes=30)
        self.first = MONDAY + timedelta(hours=10)

    def book(self, start: datetime, *, event_type: str = "", link: str = "", host: str = "") -> str:
        body = {"event_type": event_type or self.event_type, "start": start.isoformat(), "link": link}
        body |= {} if link else {"name": "Rosa Díaz", "email": "rosa@example.com"}
        body |= {"host": host} if host else {}
        return str(self.stand.server.side_door.act("book", body)["invitee"])

    def move(self, booking: str, start: datetime) -> str:
        return self.stand.company.reschedule(booking, start)

    def give_up(self, booking: str) -> None:
        self.stand.company.cancel(booking)

    def hand_over(self, booking: str, host: str) -> None:
        self.stand.company.reassign(self.stand.event_of(booking), host, stamped=False)

    def later(self) -> datetime:
        self.stand.clock.advance(timedelta(hours=1))
        return self.stand.clock.now()


def fill(stand: Practice, number: int) -> list[str]:
    """Book many visits, one an hour, for two days and more."""
    start = MONDAY + timedelta(hours=1)
    client = Client("Rosa", "rosa@example.com")
    return [
        stand.company.book(stand.visit, start + n * timedelta(hours=1), client, force=True, host=stand.ana)
        for n in range(number)
    ]
