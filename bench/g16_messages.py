"""G16: 10 000 visits with six messages each are planned within a second, and waiting for all of them costs no scan.

Planned means: the plan of every visit derived anew and each durable in the work queue, as after a reload. A
quiet minute is what the daemon's one looker asks of the store in it, beside the same questions with ten visits waiting.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from bench.agenda import best_of
from bench.ratio import Ratio
from syncd.clock import SystemClock
from syncd.core.event_type import NoShowRule
from syncd.core.ids import AgentId, VisitId
from syncd.core.interval import Interval
from syncd.core.messages import plan_of
from syncd.core.visit import Contact, Source, Visit, VisitState
from syncd.store import Store, Tx, open_store
from syncd.store.queue import WorkKind
from tests.world import town

VISITS, MESSAGES = 10_000, 6
NOW = town.START
KIND = replace(town.VISITA, no_show=NoShowRule(follow_up=timedelta(minutes=5)))
DIRECTORY = town.directory(event_type=KIND)
PROJECT = DIRECTORY.projects[town.CASAS]
LOOKS = 60


def visit(number: int) -> Visit:
    start = NOW + timedelta(days=2, minutes=number % 10_000)
    return Visit(
        id=VisitId(f"{number:032x}"),
        state=VisitState.CONFIRMED,
        project=PROJECT.id,
        event_type=KIND.id,
        host=AgentId(f"agent-{number}"),
        interval=Interval(start, start + KIND.duration),
        guard=Interval(start, start + KIND.duration),
        holds=True,
        contact=Contact(name="Eva", email="eva@example.com"),
        source=Source(account=town.SCHEDULER),
        booked_at=NOW,
        time_zone=town.ZONE,
    )


def plan_all(tx: Tx, visits: list[Visit]) -> int:
    """Plan every visit and have the work queue wake for the first message of all; returns how many messages."""
    planned = [plan_of(one, KIND, PROJECT, ()) for one in visits]
    first = min(one.due_at for plan in planned for one in plan)
    tx.queue.touch_many(WorkKind.REMIND, [one.id for one in visits], first)
    return sum(map(len, planned))


def quiet_minute(store: Store) -> None:
    """Ask what a minute without anything due asks: what is next, and whether any account rests."""
    for _ in range(LOOKS):
        with store.read() as tx:
            assert tx.accounts.resting(NOW) == {}
            due = tx.queue.next_due()
            assert due is not None and due > NOW
            tx.outbox.next(town.HOME, NOW)
            tx.outbox.wake_at(town.HOME)


def with_waiting(number: int, measured: Callable[[Store], float]) -> tuple[float, float]:
    """Return how long planning so many visits took, and what was measured with all of them waiting."""
    visits = [visit(one) for one in range(number)]
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as folder:
        store = open_store(Path(folder) / "store.db", SystemClock())
        try:
            begun = time.perf_counter()
            messages = store.write(lambda tx: plan_all(tx, visits))
            seconds = time.perf_counter() - begun
            assert messages >= number * MESSAGES
            return seconds, measured(store)
        finally:
            store.close()


def run() -> list[Ratio]:
    _, few = with_waiting(10, lambda store: best_of(lambda: quiet_minute(store)))
    seconds, many = with_waiting(VISITS, lambda store: best_of(lambda: quiet_minute(store)))
    print(
        f"  {VISITS} visits planned in {seconds:.2f} s; a quiet minute {many * 1e3:.1f} ms, with ten {few * 1e3:.1f} ms"
    )
    return [
        Ratio("G16 seconds to plan 10 000 visits", seconds, 1.0, at_least=False),
        Ratio("G16 quiet minute, 10 000 / ten waiting", many / few, 1.5, at_least=False),
    ]
