"""Acuity, SavvyCal and Easy!Appointments on stage: accounts made from the shipped presets, and their people."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl, urlsplit

from connectors.webhook import SPEC, WebhookSettings
from syncd.core.ids import AccountId
from syncd.core.interval import Interval
from syncd.ports import Call, Delivery, Environment, Scheduler
from tests.servers import webhook_acuity as acuity
from tests.servers import webhook_easyappointments as easy
from tests.servers import webhook_savvycal as savvy
from tests.servers.calendly import MONDAY
from tests.servers.webhook_door import Client, Headers, Office

ACCOUNT = AccountId("otra")
WEEK = Interval(MONDAY, MONDAY + timedelta(days=7))
LENGTH = timedelta(minutes=30)
MINUTES = 30
O = TypeVar("O", bound=Office)  # noqa: E741 - an office
Json = dict[str, Any]


def environment(office: Office) -> Environment:
    return Environment(clock=office.clock, secret=lambda purpose: purpose.encode())


def settings_of(table: Json) -> WebhookSettings:
    return WebhookSettings.model_validate(table)


def acuity_table(url: str = "https://acuityscheduling.com/api/v1") -> Json:
    page = "https://app.acuityscheduling.com/schedule.php?owner=1&appointmentType="
    return {
        "preset": "acuity",
        "api_url": url,
        "auth": {"secrets": [acuity.API_KEY]},
        "booking": {"external_id": [f"forms[0].values[?fieldID=={acuity.FIELD}].value"]},
        "fetch": {"auth": {"basic": {"user": acuity.USER, "password": acuity.API_KEY}}},
        "link": {"pages": {"7": f"{page}7", "8": f"{page}8"}, "request": f"field:{acuity.FIELD}"},
    }


def savvycal_table(url: str = "https://api.savvycal.com/v1") -> Json:
    return {
        "preset": "savvycal",
        "api_url": url,
        "auth": {"secrets": [savvy.SECRET]},
        "fetch": {"auth": {"bearer": savvy.TOKEN}},
        "link": {"pages": {"link_1": "https://savvycal.com/visitas/visita"}},
    }


def easyappointments_table(url: str = "https://citas.example.cl") -> Json:
    return {
        "preset": "easyappointments",
        "api_url": url,
        "auth": {"secrets": [easy.HOOK_TOKEN]},
        "booking": {"time_zone": {"fixed": "America/Santiago"}, "external_id": ["payload.notes"]},
        "fetch": {"auth": {"bearer": easy.API_TOKEN}},
        "link": {"pages": {"6": "https://citas.example.cl/index.php?service=6"}, "request": "notes"},
    }


def hook_of(table: Json, headers: Headers, body: bytes, now: datetime = MONDAY) -> Delivery:
    assert SPEC.hook is not None
    return SPEC.hook(ACCOUNT, settings_of(table), Call(headers=headers, body=body, now=now))


def scheduler_of(office: Office, table: Json) -> Scheduler:
    assert SPEC.scheduler is not None
    return SPEC.scheduler(ACCOUNT, settings_of(table), environment(office))


def client_of(link: str, request: str, name: str) -> Client:
    """Return who books through a link."""
    query = dict(parse_qsl(urlsplit(link).query))
    if not link:
        return Client()
    surname = "" if name in query else "Díaz"
    return Client(query.get(name, "Rosa"), surname, query.get("email", "rosa@example.com"), query[request])


@dataclass
class Stage(Generic[O]):
    """What the three have in common: a move keeps the id, and nobody is told who cancelled."""

    office: O
    table: Json

    length = LENGTH
    first = MONDAY + timedelta(hours=13)

    def __post_init__(self) -> None:
        self.scheduler = scheduler_of(self.office, self.table)

    def later(self) -> datetime:
        self.office.clock.advance(timedelta(hours=1))
        return self.office.clock.now()


@dataclass
class AcuityStage(Stage[acuity.Acuity]):
    event_type, other_event_type, hosts = "7", "8", ("27238", "27239")

    def book(self, start: datetime, *, event_type: str = "", link: str = "", host: str = "") -> str:
        client = client_of(link, f"field:{acuity.FIELD}", "firstName")
        return str(self.office.book(int(event_type or "7"), start, MINUTES, int(host or self.hosts[0]), client))

    def move(self, booking: str, start: datetime) -> str:
        self.office.move(int(booking), start)
        return booking

    def give_up(self, booking: str) -> None:
        self.office.cancel(int(booking))

    def hand_over(self, booking: str, host: str) -> None:
        self.office.reassign(int(booking), int(host))


@dataclass
class SavvyCalStage(Stage[savvy.SavvyCal]):
    event_type, other_event_type, hosts = "link_1", "link_2", ("ana@example.com", "bruno@example.com")

    def book(self, start: datetime, *, event_type: str = "", link: str = "", host: str = "") -> str:
        client = client_of(link, "metadata[syncd]", "display_name")
        return self.office.book(event_type or "link_1", start, MINUTES, host or self.hosts[0], client)

    def move(self, booking: str, start: datetime) -> str:
        self.office.move(booking, start)
        return booking

    def give_up(self, booking: str) -> None:
        self.office.cancel(booking)

    def hand_over(self, booking: str, host: str) -> None:
        self.office.reassign(booking, host)


@dataclass
class EasyAppointmentsStage(Stage[easy.EasyAppointments]):
    event_type, other_event_type, hosts = "6", "9", ("2", "3")

    def book(self, start: datetime, *, event_type: str = "", link: str = "", host: str = "") -> str:
        client = client_of(link, "notes", "first_name")
        return str(self.office.book(int(event_type or "6"), start, MINUTES, int(host or "2"), client))

    def move(self, booking: str, start: datetime) -> str:
        self.office.move(int(booking), start, MINUTES)
        return booking

    def give_up(self, booking: str) -> None:
        self.office.delete(int(booking))

    def hand_over(self, booking: str, host: str) -> None:
        self.office.save(int(booking), providerId=int(host))


@contextmanager
def running(office: O) -> Iterator[O]:
    """Run a stand-in on a free loopback port."""
    office.start()
    try:
        yield office
    finally:
        office.stop()


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]
