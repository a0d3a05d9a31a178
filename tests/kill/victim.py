"""The process that is killed: real store on a file, real flows on real threads, the world behind a door.

`python -m tests.kill.victim STORE DOOR` loads everything once and then makes a fresh copy of itself for every line it
reads; the line says where the copy is to kill itself: "C9 2" at the second passing of C9, "- 0" nowhere. It writes the
copy's process id, and a second line once the copy has ended.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from connectors.memory import MemorySettings, hook, signed
from syncd.clock import SystemClock
from syncd.core.event_type import Window
from syncd.core.ids import AccountId, AgentId
from syncd.core.visit import Contact, Visit
from syncd.flows.book import Booking, book
from syncd.flows.context import AccountParts, Context
from syncd.runner import sweep
from syncd.store import Store, open_store
from syncd.store.visits import Cause
from syncd.web.counts import Counts
from syncd.web.hooks import Hooks
from syncd.workers import Workers
from tests.kill.door import PUBLIC, Line
from tests.world import town

API = AccountId("api")
KIND = replace(town.VISITA, minimum_notice=timedelta(0), window=Window(ahead=timedelta(days=110)))
DIRECTORY = town.directory(event_type=KIND)
THREADS = 6
QUIET = 60.0  # seconds until all is quiet, at most
LATER = timedelta(hours=2)  # how far ahead of the clock the last look at everything is


class Ahead(SystemClock):
    """The real clock, so much ahead."""

    def __init__(self, by: timedelta) -> None:
        self._by = by

    def now(self) -> datetime:
        return super().now() + self._by


class Trap:
    """Kills this process where it is told to: no farewell, no flushing."""

    def __init__(self, point: str, nth: int) -> None:
        self._point, self._left = point, nth

    def __call__(self, name: str) -> None:
        if name == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def context(store: Store, clock: SystemClock, line: Line, crashpoint: Callable[[str], None]) -> Context:
    names = sorted({ref.name for ref in DIRECTORY.calendars()})
    home = AccountParts(id=town.HOME, kind="memory", home=lambda: line.part("home", town.HOME, names))
    desk = AccountParts(
        id=town.SCHEDULER,
        kind="memory",
        scheduler=lambda: line.part("scheduler", town.SCHEDULER),
        push=lambda: line.part("push", town.SCHEDULER),
        hook=partial(hook, town.SCHEDULER, MemorySettings()),
    )
    return Context(
        store=store,
        directory=DIRECTORY,
        clock=clock,
        calendar_of=lambda ref: line.part("calendar", ref.account, ref.name),
        accounts={town.HOME: home, town.SCHEDULER: desk},
        generation=store.generation,
        public_url=PUBLIC,
        crashpoint=crashpoint,
    )


def take_deliveries(ctx: Context, line: Line) -> None:
    """Answer webhook calls until there are none, and say of each whether it was acknowledged."""
    hooks = Hooks(lambda: ctx, Counts())
    while (post := line.ask("next_post")) is not None:
        number, body = post
        status = hooks.judge(ctx, town.SCHEDULER, signed("memory", body), body).status_code
        line.ask("answered", number, status)


def take_orders(ctx: Context, line: Line) -> None:
    """Book what integrators ask for until nobody does, and say of each what came of it."""
    while (order := line.ask("next_order")) is not None:
        number, start, host = order
        contact = Contact(name="Eva Díaz", email="eva@example.com")
        booking = Booking(project=town.CASAS, start=start, contact=contact, source=API, host=AgentId(host))
        outcome = book(ctx, booking, Cause(at=ctx.clock.now(), actor="api:crm", source="api"))
        line.ask("booked", number, outcome.id if isinstance(outcome, Visit) else None)


def live(store_path: Path, door: Path, point: str, nth: int) -> None:
    """Do all there is to do, then wait for death; or, told that this is the end, leave in peace."""
    line = Line(door)
    at_the_end: bool = line.ask("is_the_end")
    clock = Ahead(LATER) if at_the_end else SystemClock()
    store = open_store(store_path, clock)
    ctx = context(store, clock, line, Trap(point, nth))
    store.write(lambda tx: tx.queue.release_leases())
    workers = Workers(lambda: ctx, THREADS)
    store.on_commit(workers.wake)
    sweep(ctx, clock.now())
    workers.start()
    takers = [
        threading.Thread(target=take, args=(ctx, line)) for take in (take_deliveries, take_deliveries, take_orders)
    ]
    for one in takers:
        one.start()
    for one in takers:
        one.join()
    soon = timedelta(seconds=20) if at_the_end else timedelta(0)
    quiet = workers.wait_quiet(QUIET, soon=soon)
    sweep(ctx, clock.now())  # finds what the work until now put there
    line.ask("quiet", workers.wait_quiet(QUIET, soon=soon) and quiet)
    if not at_the_end:
        threading.Event().wait()
    workers.stop(10.0)
    store.close()


def tell(number: int) -> None:
    os.write(1, f"{number}\n".encode())


def main(store: str, door: str) -> int:
    for line in sys.stdin:
        point, nth = line.split()
        child = os.fork()
        if child == 0:
            live(Path(store), Path(door), point, int(nth))
            return 0
        tell(child)
        _, status = os.waitpid(child, 0)
        tell(os.waitstatus_to_exitcode(status))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
