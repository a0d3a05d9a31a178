"""A team whose agents live at different providers: Ana at Google, Beto at Outlook, Carla on a CalDAV server.

The flows, the store and the judge are those of the simulation; each calendar is the real connector speaking HTTP to a
server of its provider's kind, which counts what is written there.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from connectors.memory import MemoryCalendar
from syncd.core.directory import CalendarRef, Directory, SyncPolicy
from syncd.core.ids import AccountId, AgentId
from syncd.core.interval import Interval
from syncd.errors import AuthFailed, ConnectorError
from syncd.flows.context import AccountParts
from syncd.ports import Calendar, ChangePage, Home
from tests.connectors.caldav_stage import LiarStage
from tests.connectors.google_stage import GoogleStage
from tests.connectors.outlook_stage import OutlookStage
from tests.contracts.calendar import CalendarStage, Shown
from tests.servers.caldav_liar import lying
from tests.servers.google import serving
from tests.servers.graph import graph_server
from tests.world import town
from tests.world.stage import Stage

START = datetime(2026, 11, 30, 11, 0, tzinfo=UTC)  # a Monday, 08:00 in Santiago
MONDAY = datetime(2026, 12, 7, 12, 0, tzinfo=UTC)  # 09:00, a week later: when the office opens
HOMES = {"ana": "google", "beto": "outlook", "carla": "caldav"}


class Broken:
    """Stands before a calendar and lets calls fail as told, before or after they were done."""

    def __init__(self, inner: Calendar) -> None:
        self.inner = inner
        self.error: Exception | None = None  # raised instead of every call
        self.after: Exception | None = None  # raised once, after the next write was done
        self.writes = 0

    def changes(
        self, cursor: str | None, window: Interval, known: Mapping[str, str] | None = None
    ) -> Iterator[ChangePage]:
        self._check()
        return self.inner.changes(cursor, window, known)

    def find(self, *args: object) -> object:
        self._check()
        return self.inner.find(*args)  # type: ignore[arg-type]

    def put(self, *args: object) -> object:
        return self._write(lambda: self.inner.put(*args))  # type: ignore[arg-type]

    def delete(self, *args: object) -> object:
        return self._write(lambda: self.inner.delete(*args))  # type: ignore[arg-type]

    def _check(self) -> None:
        if self.error is not None:
            raise self.error

    def _write(self, act: Callable[[], object]) -> object:
        self._check()
        self.writes += 1
        found = act()
        after, self.after = self.after, None
        if after is not None:
            raise after
        return found


class BrokenHome:
    """Asks the home, unless the account's calls fail."""

    def __init__(self, inner: Home, calendar: Broken) -> None:
        self.inner, self.calendar = inner, calendar

    def marks(self) -> Mapping[str, str]:
        if self.calendar.error is not None:
            raise self.calendar.error
        return self.inner.marks()


class Mixed:
    """The town with its three homes."""

    def __init__(self, homes: Mapping[str, CalendarStage], policy: SyncPolicy | None = None) -> None:
        self.homes = homes
        self.calendars = {agent: Broken(home.calendar) for agent, home in homes.items()}
        self.stage = Stage(self._directory(policy), start=START)
        parts = dict(self.stage.ctx.accounts)
        for agent, kind in HOMES.items():
            home = homes[agent].home
            broken = BrokenHome(home, self.calendars[agent]) if home is not None else None
            maker = partial(_same, broken) if broken is not None else None
            parts[AccountId(kind)] = AccountParts(id=AccountId(kind), kind=kind, home=maker)
        self.stage.ctx = replace(self.stage.ctx, calendar_of=self._calendar_of, accounts=parts)
        self.later(0)

    def _directory(self, policy: SyncPolicy | None) -> Directory:
        agents = []
        for name, kind in HOMES.items():
            agent = town.agent(name, account=AccountId(kind))
            calendars = tuple(replace(ref, name=self.homes[name].name) for ref in agent.calendars)
            agents.append(replace(agent, calendars=calendars))
        return town.directory(agents, policy=policy)

    def _calendar_of(self, ref: CalendarRef) -> Calendar:
        if ref.agent in self.calendars:
            return self.calendars[ref.agent]  # type: ignore[return-value]
        return MemoryCalendar(self.stage.outside, ref.account, ref.name)

    def later(self, minutes: float = 5) -> None:
        """Let time pass, and do one round of pull, reconcile and publish."""
        self.stage.clock.advance(timedelta(minutes=minutes))
        self.stage.cycle()

    def entries(self, agent: str, containing: str = "Visita") -> list[Shown]:
        """Return what the agent sees of entries with this in their title, by start."""
        home = self.homes[agent]
        seen = [one for one in (home.look(remote) for remote in home.everything()) if one is not None]
        return sorted((one for one in seen if containing in one.title), key=lambda one: one.interval)

    def remote_of(self, agent: str, start: datetime) -> str:
        """Return the remote id of the entry that begins at a time."""
        home = self.homes[agent]
        for remote in home.everything():
            shown = home.look(remote)
            if shown is not None and shown.interval.start == start:
                return remote
        raise AssertionError(f"nothing in {agent}'s calendar begins at {start}")

    def blocks(self, agent: str) -> set[Interval]:
        ref = self.stage.ref(agent)
        with self.stage.store.read() as tx:
            window = Interval(START - timedelta(days=2), START + timedelta(days=100))
            return {one.interval for one in tx.calendars.blocks([ref.id], window)}

    def writes(self) -> int:
        return sum(one.writes for one in self.calendars.values())

    def bookable(self, agent: str) -> bool:
        from syncd.flows.hosts import why_closed

        directory = self.stage.ctx.directory
        with self.stage.store.read() as tx:
            return why_closed(tx, directory, directory.agents[AgentId(agent)], self.stage.clock.now()) is None


@contextmanager
def mixed(policy: SyncPolicy | None = None) -> Iterator[Mixed]:
    with serving() as google, graph_server() as graph, lying() as liar:
        box = graph.box("beto@oficina.example")
        box.now = START
        homes: dict[str, CalendarStage] = {
            "ana": GoogleStage(google),
            "beto": OutlookStage(graph, box),
            "carla": LiarStage(liar),
        }
        yield Mixed(homes, policy)
        assert google.wrong == [], "the discovery document refuses what was sent or answered"


def _same(home: Home) -> Home:
    return home


REVOKED: ConnectorError = AuthFailed("the login is refused")
