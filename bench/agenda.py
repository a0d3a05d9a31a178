"""A team with full agendas in a real store: what the measurements of slots ask about."""

import gc
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path

from syncd.clock import SystemClock
from syncd.core.busy import BusyBlock
from syncd.core.directory import Agent, CalendarRef, CalendarRole, Directory, Project
from syncd.core.event_type import EventType, Window
from syncd.core.hours import WorkingHours
from syncd.core.ids import AccountId, AgentId, CalendarId, EventTypeId, HoursId, ProjectId, VisitId
from syncd.core.interval import Interval
from syncd.core.visit import Contact, Source, Visit, VisitState
from syncd.errors import SlotTaken
from syncd.flows.context import Context
from syncd.ports import Calendar
from syncd.store import Tx, open_store
from syncd.store.calendars import CalendarState, Entry
from syncd.store.visits import Cause

ZONE = "America/Santiago"
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)  # a Monday, 08:00 local
PROJECT, KIND, HOURS, ACCOUNT = ProjectId("casas"), EventTypeId("visita"), HoursId("oficina"), AccountId("cal")
AHEAD = Interval(NOW, NOW + timedelta(days=22))  # fifteen business days
VISITA = EventType(
    id=KIND,
    name="Visita",
    duration=timedelta(minutes=20),
    buffer_after=timedelta(minutes=10),
    increment=timedelta(minutes=30),
    minimum_notice=timedelta(hours=12),
    same_day=False,
    window=Window(business_days=15),
)
OFFICE = WorkingHours(id=HOURS, time_zone=ZONE, weekly=(((clock_time(9), clock_time(18)),),) * 5 + ((),) * 2)


def agent(number: int) -> Agent:
    name = AgentId(f"agent{number}")
    ref = CalendarRef(
        id=CalendarId(f"{ACCOUNT}/{name}"), account=ACCOUNT, name=name, agent=name, role=CalendarRole.PUBLISH
    )
    return Agent(id=name, name=name, email=f"{name}@example.cl", hours=HOURS, calendars=(ref,))


def directory(hosts: int) -> Directory:
    team = [agent(number) for number in range(hosts)]
    project = Project(
        id=PROJECT, name="Casas", time_zone=ZONE, team=tuple(one.id for one in team), event_types={"standard": KIND}
    )
    return Directory(
        agents={one.id: one for one in team},
        projects={PROJECT: project},
        event_types={KIND: VISITA},
        hours={HOURS: OFFICE},
        time_zone=ZONE,
    )


def fill(tx: Tx, people: Directory, blocks: int, visits: int, over: timedelta, chance: random.Random) -> None:
    """Give every agent so many blocks and visits at any hour of the days from now on."""
    for one in people.agents.values():
        calendar = one.calendars[0].id
        quarters = int(over / timedelta(minutes=15))
        spans = [
            (begin := NOW + chance.randrange(quarters) * timedelta(minutes=15), begin + chance.choice(LENGTHS))
            for _ in range(blocks)
        ]
        tx.calendars.put_entries(calendar, [entry(calendar, number, *span) for number, span in enumerate(spans)])
        tx.calendars.save_state(CalendarState(calendar=calendar, read_at=NOW))
        for number in range(visits):
            put_visit(tx, one.id, f"{one.id}-{number}", NOW + chance.randrange(quarters) * timedelta(minutes=15))


LENGTHS = (timedelta(minutes=15), timedelta(minutes=30), timedelta(minutes=60))


def entry(calendar: CalendarId, number: int, start: datetime, end: datetime) -> Entry:
    name = f"entry{number}"
    block = BusyBlock(calendar=calendar, remote_id=name, uid=name, interval=Interval(start, end))
    return Entry(remote_id=name, uid=name, etag="1", blocks=(block,))


def put_visit(tx: Tx, host: AgentId, name: str, start: datetime) -> None:
    """Book a visit unless its time is taken."""
    visit = Visit(
        id=VisitId(name),
        state=VisitState.CONFIRMED,
        project=PROJECT,
        event_type=KIND,
        host=host,
        interval=Interval(start, start + VISITA.duration),
        guard=Interval(start, start + VISITA.duration + VISITA.buffer_after),
        holds=True,
        contact=Contact(name="Eva Díaz", email="eva@example.com"),
        source=Source(account=AccountId("api")),
        booked_at=NOW,
        time_zone=ZONE,
    )
    try:
        tx.visits.save(visit, Cause(at=NOW, actor="bench", source="bench"))
    except SlotTaken:
        return


@contextmanager
def installation(hosts: int, blocks: int, visits: int, over: timedelta) -> Iterator[Context]:
    """Open a store on disk, fill it, and hand out the context of a daemon over it."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "bench.db", SystemClock())
        people = directory(hosts)
        chance = random.Random(7)
        store.write(lambda tx: fill(tx, people, blocks, visits, over, chance))
        try:
            yield Context(store=store, directory=people, clock=SystemClock(), calendar_of=_no_calendar)
        finally:
            store.close()


def _no_calendar(ref: CalendarRef) -> Calendar:
    raise LookupError("nothing is asked of the outside here")


def best_of(work: Callable[[], object], seconds: float = 3.0) -> float:
    """Return the shortest of many runs, in seconds: what the work costs when nobody is in the way."""
    shortest, until = float("inf"), time.perf_counter() + seconds
    gc.disable()
    try:
        while time.perf_counter() < until:
            begun = time.perf_counter()
            work()
            shortest = min(shortest, time.perf_counter() - begun)
    finally:
        gc.enable()
    return shortest
