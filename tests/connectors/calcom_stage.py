"""Cal.com's stand-in on stage: an account of it, its parts, and the people the contract asks for."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.calcom import SPEC, CalcomSettings
from syncd.core.ids import AccountId
from syncd.core.interval import Interval
from syncd.ports import Changes, Environment, Push, RemoteBooking, Scheduler
from tests.servers.calcom import KEY, Stand
from tests.servers.calcom_company import Client
from tests.servers.calendly import MONDAY

ACCOUNT = AccountId("calcom")
SECRET = "a long random text"
WEEK = Interval(MONDAY, MONDAY + timedelta(days=7))
PUBLIC = "https://visitas.example.cl"


def environment(stand: Stand, public: str = PUBLIC) -> Environment:
    return Environment(clock=stand.clock, secret=lambda purpose: purpose.encode(), public_url=public)


def settings_for(stand: Stand, **changes: Any) -> CalcomSettings:
    plain = {"api_key": KEY, "secrets": [SECRET], "api_url": stand.server.url}
    return CalcomSettings.model_validate(plain | changes)


def scheduler_of(stand: Stand, **changes: Any) -> Scheduler:
    assert SPEC.scheduler is not None
    return SPEC.scheduler(ACCOUNT, settings_for(stand, **changes), environment(stand))


def push_of(stand: Stand, public: str = PUBLIC, **changes: Any) -> Push:
    assert SPEC.push is not None
    return SPEC.push(ACCOUNT, settings_for(stand, **changes), environment(stand, public))


def changes_of(stand: Stand, **changes: Any) -> Changes:
    assert SPEC.changes is not None
    return SPEC.changes(ACCOUNT, settings_for(stand, **changes), environment(stand))


def listed(stand: Stand, since: datetime | None = None, **changes: Any) -> list[RemoteBooking]:
    return list(scheduler_of(stand, **changes).bookings(WEEK, since))


def client_of(link: str) -> Client:
    """Return who books through a link: its query fills in the name, the address and the metadata."""
    query = dict(parse_qsl(urlsplit(link).query))
    known = {key[9:-1]: value for key, value in query.items() if key.startswith("metadata[")}
    own = {key: value for key, value in query.items() if key not in ("name", "email") and "[" not in key}
    return Client(query.get("name", "Rosa Díaz"), query.get("email", "rosa@example.com"), known, own)


@dataclass
class CalcomStage:
    """The stand-in and its people, as the contract wants them."""

    stand: Stand

    def __post_init__(self) -> None:
        self.scheduler = scheduler_of(self.stand)
        self.event_type = str(self.stand.visit)
        self.hosts = (str(self.stand.ana), str(self.stand.bruno))
        other = self.stand.company.add_event_type("Otra", 30, (self.stand.ana, self.stand.bruno))
        self.other_event_type = str(other)
        self.length = timedelta(minutes=30)
        self.first = MONDAY + timedelta(hours=10)

    def book(self, start: datetime, *, event_type: str = "", link: str = "", host: str = "") -> str:
        kind = int(event_type or self.event_type)
        return self.stand.company.book(kind, start, client_of(link), host=int(host) if host else None)

    def move(self, booking: str, start: datetime) -> str:
        return self.stand.company.move(booking, start)

    def give_up(self, booking: str) -> None:
        self.stand.company.give_up(booking)

    def hand_over(self, booking: str, host: str) -> None:
        self.stand.company.reassign(booking, int(host))

    def later(self) -> datetime:
        self.stand.clock.advance(timedelta(hours=1))
        return self.stand.clock.now()
