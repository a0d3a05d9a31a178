"""G15: 10 000 calendars in the steady state: how much of a core, how much memory.

A third of them on CalDAV servers (ten calendars a home, asked in one request), the others at providers whose calendars
are asked one by one. The provider's side answers at once and costs next to nothing, so what is counted is ours: beats,
queue, store, flows. Time is virtual: an hour of it is lived through after the first readings, with every hundredth
calendar changing between two beats, and the processor time of that hour is set against the hour. A day is 24 of them.
"""

import logging
import resource
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from functools import partial

from bench.ratio import Ratio
from syncd import runner
from syncd.clock import SystemClock
from syncd.core.busy import RemoteEvent
from syncd.core.directory import Agent, CalendarRef, CalendarRole, Directory
from syncd.core.hours import WorkingHours
from syncd.core.ids import AccountId, AgentId, CalendarId, HoursId
from syncd.core.interval import Interval
from syncd.errors import CursorExpired
from syncd.flows.context import AccountParts, Context
from syncd.ports import Calendar, ChangePage, Resource
from syncd.store import open_store

CALENDARS, HOME = 10_000, 10
HOMES = CALENDARS // 3 // HOME
ENTRIES = 20  # future entries of a calendar
HOUR, BEAT = timedelta(hours=1), timedelta(minutes=5)
CHANGES = 100  # one calendar in so many changes between two beats
HOURS = HoursId("office")
START = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


class Clock(SystemClock):
    """Moves when told."""

    at = START

    def now(self) -> datetime:
        return self.at


@dataclass(slots=True)
class Place:
    """A calendar at its provider."""

    number: int
    revision: int = 1
    changed: list[Resource] = field(default_factory=list)

    def changes(
        self, cursor: str | None, window: Interval, known: Mapping[str, str] | None = None
    ) -> Iterator[ChangePage]:
        if cursor is not None and not cursor.isdigit():
            raise CursorExpired("not one of ours")
        entries = [self.entry(one) for one in range(ENTRIES)] if cursor is None else self.changed
        if cursor is not None and int(cursor) == self.revision:
            entries = []
        yield ChangePage(changed=tuple(entries), cursor=str(self.revision), complete=cursor is None, mark=self.mark)

    @property
    def mark(self) -> str:
        return str(self.revision)

    def entry(self, number: int, shift: int = 0) -> Resource:
        start = START + timedelta(days=1 + number, minutes=15 * ((self.number + shift) % 30))
        event = RemoteEvent(remote_id=f"e{number}", uid=f"e{number}", interval=Interval(start, start + HOUR))
        return Resource(remote_id=f"e{number}", uid=f"e{number}", etag=f"{self.revision}", events=(event,))

    def change(self) -> None:
        self.revision += 1
        self.changed = [self.entry(self.revision % ENTRIES, self.revision)]

    def find(self, *_: object) -> None:
        raise NotImplementedError

    put = delete = find


@dataclass(slots=True)
class Home:
    places: dict[str, Place]

    def marks(self) -> Mapping[str, str]:
        return {name: place.mark for name, place in self.places.items()}


def world() -> tuple[Directory, dict[CalendarId, Place], dict[AccountId, AccountParts]]:
    week = WorkingHours(id=HOURS, time_zone="UTC", weekly=(((clock_time(9), clock_time(18)),),) * 7)
    agents, places, homes = {}, {}, dict[AccountId, dict[str, Place]]()
    for number in range(CALENDARS):
        home = number // HOME
        account = AccountId(f"dav{home}") if home < HOMES else AccountId("google" if number % 2 else "outlook")
        name = AgentId(f"a{number}")
        ref = CalendarRef(
            id=CalendarId(f"{account}/{number}"), account=account, name=str(number), agent=name, role=CalendarRole.BUSY
        )
        agents[name] = Agent(id=name, name=name, email=f"{name}@x.example", hours=HOURS, calendars=(ref,))
        places[ref.id] = Place(number)
        homes.setdefault(account, {})[ref.name] = places[ref.id]
    parts = {
        account: AccountParts(id=account, kind="x", home=partial(Home, held) if account.startswith("dav") else None)
        for account, held in homes.items()
    }
    people = Directory(agents=agents, projects={}, event_types={}, hours={HOURS: week}, time_zone="UTC")
    return people, places, parts


def memory() -> float:
    """Return the most memory this process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run() -> list[Ratio]:
    logging.getLogger("syncd").setLevel(logging.CRITICAL)
    people, places, parts = world()
    clock, before = Clock(), memory()
    store = open_store(":memory:", clock, inline=True)

    def calendar_of(ref: CalendarRef) -> Calendar:
        return places[ref.id]  # type: ignore[return-value]

    ctx = Context(store=store, directory=people, clock=clock, calendar_of=calendar_of, accounts=parts)
    runner.sweep(ctx, clock.now())
    first = _timed(ctx)
    busy, ran = 0.0, 0
    sample = [*places.values()]
    for beat in range(int(HOUR / BEAT)):
        clock.at += BEAT
        for place in sample[beat::CHANGES]:
            place.change()
        (runner.sweep if beat % 2 else runner.poll_all)(ctx, clock.now())
        seconds, pieces = _timed(ctx)
        busy, ran = busy + seconds, ran + pieces
    store.close()
    print(f"  first readings: {first[1]} pieces of work, {first[0]:.1f} s; one hour: {ran} pieces, {busy:.1f} s of CPU")
    print(f"  memory: {memory():.0f} MiB at most, {before:.0f} of them before, with the store in memory as well")
    return [
        Ratio("G15 share of a core", busy / HOUR.total_seconds(), 0.15, at_least=False),
        Ratio("G15 memory in MiB", memory(), 300, at_least=False),
    ]


def _timed(ctx: Context) -> tuple[float, int]:
    begun = time.process_time()
    pieces = runner.drain(ctx, most=1_000_000)
    return time.process_time() - begun, pieces
