"""Outlook calendars on stage: the stand-in for Graph, and the hands of the person who owns a mailbox."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.outlook import SPEC, OutlookSettings
from syncd.clock import SystemClock
from syncd.core.ids import AccountId
from syncd.core.interval import Interval
from syncd.ports import Calendar, CalendarUse, Environment, FreeBusy, Home, Watch
from tests.contracts.calendar import Shown
from tests.servers.calendly import HandClock
from tests.servers.graph import GraphServer, graph_server
from tests.servers.graph_mailbox import Box, Event, interval_of, moment
from tests.servers.graph_sign_in import CLIENT, SECRET, TENANT

FIRST = datetime(2026, 12, 7, 12, tzinfo=UTC)
WINDOW = Interval(FIRST - timedelta(days=5), FIRST + timedelta(days=60))
ANA = "ana@oficina.example"
ZONE = "America/Santiago"
PUBLIC = "https://visitas.example.cl"
_numbers = itertools.count(1)


@dataclass
class KeptTokens:
    """Where a sign-in is kept, as the store does it; remembers how often."""

    held: bytes | None = None
    saved: list[bytes] = field(default_factory=list)

    def load(self) -> bytes | None:
        return self.held

    def save(self, token: bytes) -> None:
        self.held = token
        self.saved.append(token)


def environment(tokens: KeptTokens | None = None, **changes: Any) -> Environment:
    plain: dict[str, Any] = {"clock": SystemClock(), "secret": lambda purpose: purpose.encode(), "public_url": PUBLIC}
    if tokens is not None:
        plain["tokens"] = lambda _account: tokens
    return Environment(**(plain | changes))


def settings_for(graph: GraphServer, *, person: bool = False, **changes: Any) -> OutlookSettings:
    """Return the settings of an app of its own, or of a person who signs in."""
    login: dict[str, Any] = {} if person else {"tenant": TENANT, "client_secret": SECRET}
    plain = {"client_id": CLIENT, "authority": graph.url, "api_url": f"{graph.url}/v1.0"}
    return OutlookSettings.model_validate(plain | login | changes)


def account_id() -> AccountId:
    return AccountId(f"outlook{next(_numbers)}")


def use_of(name: str = ANA, zone: str = ZONE) -> CalendarUse:
    return CalendarUse(name=name, time_zone=zone, emails=frozenset({ANA}))


@dataclass
class Desk:
    """One account at one stand-in, with everything that the connector plays."""

    graph: GraphServer
    env: Environment
    settings: OutlookSettings
    account: AccountId = field(default_factory=account_id)

    def calendar(self, name: str = ANA, zone: str = ZONE) -> Calendar:
        assert SPEC.calendar is not None
        return SPEC.calendar(self.account, self.settings, self.env, use_of(name, zone))

    def watch(self, name: str = ANA) -> Watch:
        assert SPEC.watch is not None
        return SPEC.watch(self.account, self.settings, self.env, use_of(name))

    def free_busy(self, name: str = ANA) -> FreeBusy:
        assert SPEC.free_busy is not None
        return SPEC.free_busy(self.account, self.settings, self.env, use_of(name))

    def again(self, **changes: Any) -> "Desk":
        """Return the same account as another process sees it."""
        return replace(self, env=replace(self.env, clock=SystemClock(), **changes))


@contextmanager
def desk(*, person: bool = False, tokens: KeptTokens | None = None, **changes: Any) -> Iterator[Desk]:
    """Run the stand-in with Ana's mailbox and an account at it."""
    with graph_server() as graph:
        graph.box(ANA)
        yield Desk(graph, environment(tokens, **changes), settings_for(graph, person=person))


class OutlookStage:
    """One fresh calendar, as the contract wants it."""

    home: Home | None = None
    first = FIRST

    def __init__(self, graph: GraphServer, box: Box, calendar: str = "") -> None:
        """`calendar`: the id of another calendar than the primary one."""
        self.graph, self.box, self.inside = graph, box, calendar
        self.name = f"{box.address}/{box.calendars[calendar]}" if calendar else box.address
        self.desk = Desk(graph, environment(clock=HandClock(at=box.now)), settings_for(graph))
        self.calendar = self.desk.calendar(self.name)

    def add(self, interval: Interval, title: str = "Dentista") -> str:
        return self.box.add(interval, title, self.inside)

    def drag(self, remote_id: str, interval: Interval) -> None:
        self.box.change(remote_id, {"start": moment(interval.start), "end": moment(interval.end)})

    def decorate(self, remote_id: str, notes: str) -> None:
        old = self.box.events[remote_id]["body"]["content"]
        body = {"contentType": "text", "content": f"{old}\r\n{notes}" if old else notes}
        self.box.change(remote_id, {"body": body, "reminderMinutesBeforeStart": 10, "categories": ["tomato"]})

    def remove(self, remote_id: str) -> None:
        self.box.remove(remote_id)

    def look(self, remote_id: str) -> Shown | None:
        event = self.box.events.get(remote_id)
        return None if event is None else shown(event)

    def everything(self) -> list[str]:
        return [one for one in self.box.events if self.box.places[one] == self.inside]

    def forget_places(self) -> None:
        self.graph.api.forget()


def shown(event: Event) -> Shown:
    """Return an event as its owner sees it."""
    return Shown(
        title=event["subject"],
        interval=interval_of(event),
        location=event["location"]["displayName"],
        notes=event["body"]["content"].replace("\r\n", "\n"),
        decorated=event["reminderMinutesBeforeStart"] == 10 and event["categories"] == ["tomato"],
    )
