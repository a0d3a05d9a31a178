"""What one seed switches on: a random subset of faults, of people's habits and of policies, some of them at zero."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random

from connectors.memory import Fault
from syncd.core.directory import (
    Agent,
    CalendarRole,
    Directory,
    OnAgentDelete,
    OnAgentMove,
    OnConflict,
    SchedulerLink,
    SyncPolicy,
)
from syncd.core.event_type import Window
from syncd.core.ids import AccountId, EventTypeId
from tests.world import town

SECOND = AccountId("cal2")  # has no cheap question: each of its calendars is read at every beat
GROUP = "https://api.example/event_types/group"
LONG = replace(
    town.VISITA,
    id=EventTypeId("larga"),
    duration=timedelta(minutes=60),
    increment=timedelta(minutes=60),
    approval=True,
    window=Window(business_days=15),
)
CONFLICTS: tuple[tuple[OnConflict, ...], ...] = (
    (OnConflict.REASSIGN, OnConflict.FLAG),
    (OnConflict.FLAG,),
)


@dataclass(frozen=True, slots=True)
class Swarm:
    """One seed's world: its directory, its faults and how often they strike, and who does what how often."""

    directory: Directory
    faults: tuple[Fault, ...]
    rate: float  # faults per call
    crash_rate: float  # deaths per step
    loss_rate: float  # webhook calls that never arrive
    habits: dict[str, int]
    diary: bool  # the scheduler writes Beto's bookings into his calendar itself
    late: bool  # … some time later
    removes: bool  # … and takes them away when they end


def draw(rng: Random, habits: Sequence[str], leading: Fault) -> Swarm:
    """Draw a swarm: each fault is in with one chance of two, each habit has a weight of its own, 0 included."""
    faults = tuple(fault for fault in Fault if fault is leading or rng.random() < 0.5)
    return Swarm(
        directory=_directory(rng),
        faults=faults,
        rate=rng.choice((0.0, 0.1, 0.2, 0.3, 0.45)) if faults else 0.0,
        crash_rate=rng.choice((0.0, 0.02, 0.1, 0.3)),
        loss_rate=rng.choice((0.0, 0.0, 0.2, 1.0)),
        habits={habit: rng.choice((0, 1, 2, 4)) for habit in habits},
        diary=rng.random() < 0.5,
        late=rng.random() < 0.5,
        removes=rng.random() < 0.7,
    )


def _directory(rng: Random) -> Directory:
    policy = SyncPolicy(
        on_agent_move=rng.choice(tuple(OnAgentMove)),
        on_agent_delete=rng.choice(tuple(OnAgentDelete)),
        on_conflict=rng.choice(CONFLICTS),
        release_auto=rng.random() < 0.5,
        pairing_wait=timedelta(minutes=rng.choice((1, 5))),
    )
    agents = (_ana(), town.agent("beto"), town.agent("caro"))
    made = town.directory(agents, policy=policy, event_types={"standard": town.VISITA, "long": LONG})
    link = SchedulerLink(account=town.SCHEDULER, event_types={"standard": town.REMOTE_STANDARD, "long": GROUP})
    locally = frozenset({town.SCHEDULER}) if rng.random() < 0.3 else frozenset()
    project = replace(made.projects[town.CASAS], scheduler=link)
    return replace(made, projects={project.id: project}, reassign_locally=locally)


def _ana() -> Agent:
    """Ana has a private calendar at another provider, and a mirror there."""
    private = town.agent("ana", CalendarRole.BUSY, CalendarRole.MIRROR, account=SECOND)
    own = town.agent("ana")
    return replace(own, calendars=(*own.calendars, *private.calendars))
