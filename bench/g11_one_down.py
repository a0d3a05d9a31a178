"""G11: one provider hangs; how long do the calendars of the others wait?

The real scheduler with its 32 threads over a store on disk. Half of the calendars are at a provider whose every call
hangs until its read time-out (here 2 s instead of 10, so that the run is short) and fails; the others answer in 5 ms.
Every calendar is asked for once a second and a half, as by webhooks. The lag is the time from the wish to the reading.
A pool without a cap per provider is run beside it, to show what the cap is for.
"""

import logging
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from datetime import time as clock_time
from functools import partial
from pathlib import Path

from bench.ratio import Ratio
from syncd.clock import SystemClock
from syncd.core.directory import Agent, CalendarRef, CalendarRole, Directory
from syncd.core.hours import WorkingHours
from syncd.core.ids import AccountId, AgentId, CalendarId, HoursId
from syncd.core.interval import Interval
from syncd.errors import Transient
from syncd.flows.context import AccountParts, Context
from syncd.ports import Calendar, ChangePage
from syncd.store import Tx, open_store
from syncd.store.queue import WorkKind
from syncd.workers import THREADS, Workers

ACCOUNTS, CALENDARS = 40, 3  # accounts of each provider, calendars of each account
HANG, ANSWER = 2.0, 0.005  # seconds
EVERY, ROUNDS = 1.5, 10
HOURS = HoursId("office")


@dataclass
class Place:
    """A calendar that answers, or hangs and fails; notes how long the wish waited."""

    hangs: bool
    wished: float = 0.0
    lags: list[float] = field(default_factory=list)

    def changes(
        self, cursor: str | None, window: Interval, known: Mapping[str, str] | None = None
    ) -> Iterator[ChangePage]:
        if self.hangs:
            threading.Event().wait(HANG)
            raise Transient("no answer in time")
        self.lags.append(time.monotonic() - self.wished)
        threading.Event().wait(ANSWER)
        yield ChangePage(cursor="1", complete=cursor is None)

    def find(self, *_: object) -> None:
        raise NotImplementedError

    put = delete = find


def directory() -> Directory:
    week = WorkingHours(id=HOURS, time_zone="UTC", weekly=(((clock_time(9), clock_time(18)),),) * 7)
    agents = {}
    for provider in ("down", "up"):
        for account in range(ACCOUNTS):
            for number in range(CALENDARS):
                name = AgentId(f"{provider}-{account}-{number}")
                login = AccountId(f"{provider}-{account}")
                ref = CalendarRef(
                    id=CalendarId(f"{login}/{number}"), account=login, name=str(number), agent=name,
                    role=CalendarRole.BUSY,
                )  # fmt: skip
                agents[name] = Agent(id=name, name=name, email=f"{name}@x.example", hours=HOURS, calendars=(ref,))
    return Directory(agents=agents, projects={}, event_types={}, hours={HOURS: week}, time_zone="UTC")


def p99(lags: list[float]) -> float:
    return sorted(lags)[int(len(lags) * 0.99)]


def lag(*, capped: bool) -> float:
    """Return the 99th percentile of healthy calendars' lag, in seconds."""
    people = directory()
    places = {ref.id: Place(hangs=ref.account.startswith("down")) for ref in people.calendars()}
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder) / "bench.db", SystemClock())
        parts = {
            ref.account: AccountParts(id=ref.account, kind="same", provider=ref.account.split("-")[0] if capped else "")
            for ref in people.calendars()
        }
        if not capped:  # every account a provider of its own: nothing bounds them together
            parts = {one: AccountParts(id=one, kind=one) for one in parts}

        def calendar_of(ref: CalendarRef) -> Calendar:
            return places[ref.id]  # type: ignore[return-value]

        ctx = Context(store=store, directory=people, clock=SystemClock(), calendar_of=calendar_of, accounts=parts)
        workers = Workers(lambda: ctx, THREADS)
        store.on_commit(workers.wake)
        workers.start()
        for _ in range(ROUNDS):
            wish(ctx, places)
            threading.Event().wait(EVERY)
        workers.stop(HANG * 3)
        store.close()
    return p99([one for place in places.values() for one in place.lags])


def wish(ctx: Context, places: Mapping[CalendarId, Place]) -> None:
    """Ask for every calendar, as a provider's webhooks do."""
    now = datetime.now(UTC)
    for account in ctx.accounts:
        keys = [one for one in places if one.startswith(f"{account}/")]
        ctx.store.write(partial(_touch, keys, now, account))
        for key in keys:
            places[key].wished = time.monotonic()


def _touch(keys: list[CalendarId], now: datetime, account: AccountId, tx: Tx) -> None:
    tx.queue.touch_many(WorkKind.PULL, keys, now, group=account)


def run() -> list[Ratio]:
    logging.getLogger("syncd").setLevel(logging.CRITICAL)
    ours, uncapped = lag(capped=True), lag(capped=False)
    print(f"  healthy calendars' p99 lag: {ours * 1e3:.0f} ms; without a cap per provider {uncapped * 1e3:.0f} ms")
    return [Ratio("G11 p99 lag in seconds", ours, 1.0, at_least=False)]
