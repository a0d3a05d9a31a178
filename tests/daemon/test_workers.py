"""The pool over a real store: who is woken and when, how many at once, what is waited for, and how it ends."""

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from syncd.clock import SystemClock
from syncd.core.directory import CalendarRef
from syncd.core.ids import AccountId
from syncd.core.interval import Interval
from syncd.core.visit import Contact
from syncd.errors import AuthFailed, NotFound, StoreBusy, Transient
from syncd.flows.context import AccountParts, Context
from syncd.ports import Calendar, RemoteBooking
from syncd.runner import try_logins_again
from syncd.store import Store, Tx, open_store
from syncd.store.queue import WorkKind
from syncd.workers import Workers
from tests.world import town

PATIENCE = 10.0  # seconds that nothing here should ever take


class Desk:
    """A scheduler without bookings; whoever asks it meets `asked` first."""

    def __init__(self, asked: Callable[[], None]) -> None:
        self._asked = asked

    def bookings(
        self, window: Interval, since: datetime | None = None, event_types: Collection[str] | None = None
    ) -> Iterator[RemoteBooking]:
        self._asked()
        return iter(())

    def booking(self, booking_id: str) -> RemoteBooking:
        raise NotFound(booking_id)

    def cancel(self, booking_id: str, reason: str) -> None:
        raise NotFound(booking_id)

    def link(self, event_type: str, request_token: str, contact: Contact | None = None) -> str:
        return ""


def _no_calendar(ref: CalendarRef) -> Calendar:
    raise AssertionError("no calendar is looked at here")


class Bench:
    """Accounts of several providers, each asked through `asked(account)`, over one store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = SystemClock()
        self.asked: Callable[[str], None] = lambda account: None
        self.ctx = Context(
            store=store, directory=town.directory(scheduler=False), clock=self.clock, calendar_of=_no_calendar
        )

    def add(self, account: str, kind: str = "kind", provider: str = "") -> None:
        parts = AccountParts(
            id=AccountId(account), kind=kind, provider=provider, scheduler=lambda: Desk(lambda: self.asked(account))
        )
        self.ctx.accounts[AccountId(account)] = parts

    def touch(self, *accounts: str, later: float = 0.0) -> None:
        due = self.clock.now() + timedelta(seconds=later)

        def each(tx: Tx) -> None:
            for one in accounts:
                tx.queue.touch(WorkKind.POLL, one, due, group=one)

        self.store.write(each)

    def pool(self, threads: int = 8, on_broken: Callable[[], None] = lambda: None) -> Workers:
        workers = Workers(lambda: self.ctx, threads, on_broken)
        self.store.on_commit(workers.wake)
        return workers


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    store = open_store(tmp_path / "syncd.db", SystemClock())
    yield Bench(store)
    store.close()


@pytest.fixture
def pools() -> Iterator[list[Workers]]:
    """End every pool that a test made, also one that a failed assertion left behind."""
    made: list[Workers] = []
    yield made
    for one in made:
        assert one.stop(PATIENCE)


class Gate:
    """Counts who came in and lets them on when opened."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._state = threading.Condition()
        self.inside: Counter[str] = Counter()
        self.most = 0

    def __call__(self, name: str) -> None:
        with self._state:
            self.inside[name] += 1
            self.most = max(self.most, self.inside.total())
            self._state.notify_all()
        assert self._open.wait(PATIENCE)
        with self._state:
            self.inside[name] -= 1

    def await_inside(self, count: int) -> None:
        with self._state:
            assert self._state.wait_for(lambda: self.inside.total() >= count, PATIENCE), self.inside

    def open(self) -> None:
        self._open.set()


def test_a_commit_wakes_an_idle_pool(bench: Bench, pools: list[Workers]) -> None:
    bench.add("one")
    done = threading.Event()
    bench.asked = lambda account: done.set()
    pools.append(bench.pool())
    pools[0].start()
    assert pools[0].wait_quiet(PATIENCE)
    bench.touch("one")
    assert done.wait(PATIENCE)


def test_work_that_falls_due_later_is_done_then_though_nobody_commits(bench: Bench, pools: list[Workers]) -> None:
    """The sleeper must hear of an earlier due time than the one it sleeps until."""
    bench.add("one")
    done = threading.Event()
    bench.asked = lambda account: done.set()
    bench.touch("one", later=3600)
    pools.append(bench.pool())
    pools[0].start()
    assert pools[0].wait_quiet(PATIENCE)
    bench.touch("one", later=0.4)
    assert done.wait(PATIENCE)


def test_what_fails_is_tried_again_at_its_time(bench: Bench, pools: list[Workers]) -> None:
    bench.add("one")
    asked = threading.Semaphore(0)

    def fail(account: str) -> None:
        asked.release()
        raise Transient("busy", retry_after=1)

    bench.asked = fail
    bench.touch("one")
    pools.append(bench.pool())
    pools[0].start()
    for _ in range(2):
        assert asked.acquire(timeout=PATIENCE)


def test_one_provider_takes_at_most_half_of_the_threads(bench: Bench, pools: list[Workers]) -> None:
    gate, healthy = Gate(), threading.Event()
    slow = [f"slow{number}" for number in range(10)]
    for name in slow:
        bench.add(name, kind="slow")
    bench.add("good", kind="good")
    bench.asked = lambda account: healthy.set() if account == "good" else gate(account)
    bench.touch(*slow)
    pools.append(bench.pool(threads=8))
    pools[0].start()
    gate.await_inside(4)
    bench.touch("good")
    assert healthy.wait(PATIENCE), "a healthy provider waits behind a slow one"
    assert gate.most == 4
    gate.open()
    assert pools[0].wait_quiet(PATIENCE)
    assert gate.most == 4


def test_a_server_that_hangs_holds_up_no_other_of_the_same_kind(bench: Bench, pools: list[Workers]) -> None:
    gate, healthy = Gate(), threading.Event()
    slow = [f"slow{number}" for number in range(6)]
    for name in slow:
        bench.add(name, kind="caldav", provider="far.example")
    bench.add("good", kind="caldav", provider="near.example")
    bench.asked = lambda account: healthy.set() if account == "good" else gate(account)
    bench.touch(*slow)
    pools.append(bench.pool(threads=8))
    pools[0].start()
    gate.await_inside(4)
    bench.touch("good")
    assert healthy.wait(PATIENCE)
    gate.open()


def test_nothing_is_lost_and_nothing_done_twice_at_once(bench: Bench, pools: list[Workers]) -> None:
    names = [f"a{number}" for number in range(60)]
    at_once: Counter[str] = Counter()
    twice: list[str] = []
    seen: Counter[str] = Counter()
    lock = threading.Lock()

    def asked(account: str) -> None:
        with lock:
            at_once[account] += 1
            seen[account] += 1
            twice.extend([account] if at_once[account] > 1 else [])
        with lock:
            at_once[account] -= 1

    for number, name in enumerate(names):
        bench.add(name, kind=f"kind{number % 3}")
    bench.asked = asked
    pools.append(bench.pool())
    pools[0].start()
    for _ in range(5):
        bench.touch(*names)
    assert pools[0].wait_quiet(PATIENCE)
    assert set(seen) == set(names)
    assert not twice


def test_work_whose_lease_runs_out_under_a_slow_thread_is_not_begun_a_second_time(
    bench: Bench, pools: list[Workers], tmp_path: Path
) -> None:
    gate, other = Gate(), threading.Event()
    bench.add("slow")
    bench.add("other")
    bench.asked = lambda account: gate(account) if account == "slow" else other.set()
    bench.touch("slow")
    pools.append(bench.pool())
    pools[0].start()
    gate.await_inside(1)
    with closing(sqlite3.connect(tmp_path / "syncd.db")) as lease, lease:
        assert lease.execute("UPDATE work SET ready_at = 0").rowcount == 1
    bench.touch("other")
    assert other.wait(PATIENCE)
    assert not pools[0].wait_quiet(0.2)
    assert gate.most == 1
    gate.open()


def test_what_is_touched_while_it_runs_is_run_again(bench: Bench, pools: list[Workers]) -> None:
    gate, count = Gate(), Counter[str]()

    def asked(account: str) -> None:
        count[account] += 1
        if count[account] == 1:
            gate(account)

    bench.add("one")
    bench.asked = asked
    bench.touch("one")
    pools.append(bench.pool())
    pools[0].start()
    gate.await_inside(1)
    bench.touch("one")
    gate.open()
    assert pools[0].wait_quiet(PATIENCE)
    assert count["one"] == 2


def test_what_is_claimed_again_before_its_worker_put_it_down_is_run_again(
    bench: Bench, pools: list[Workers], tmp_path: Path
) -> None:
    running, finished = Gate(), Gate()
    count: Counter[str] = Counter()

    def asked(account: str) -> None:
        count[account] += 1
        if count[account] == 1:
            running(account)

    def leased() -> bool:
        with closing(sqlite3.connect(tmp_path / "syncd.db")) as look:
            return look.execute("SELECT leased FROM work").fetchall() == [(1,)]

    bench.add("one")
    bench.asked = asked
    # C22 is passed when the worker has given its lease back and still has the work in hand.
    bench.ctx = replace(bench.ctx, crashpoint=lambda name: finished(name) if name == "C22" else None)
    bench.touch("one")
    pools.append(bench.pool())
    pools[0].start()
    running.await_inside(1)
    bench.touch("one")
    running.open()
    finished.await_inside(1)
    until = bench.clock.monotonic() + PATIENCE
    while not leased():
        assert bench.clock.monotonic() < until
    finished.open()
    assert pools[0].wait_quiet(PATIENCE)
    assert count["one"] == 2


def test_an_account_whose_login_is_refused_rests_and_the_others_go_on(bench: Bench, pools: list[Workers]) -> None:
    count: Counter[str] = Counter()

    def asked(account: str) -> None:
        count[account] += 1
        if account == "refused":
            raise AuthFailed("401")

    bench.add("refused")
    bench.add("good")
    bench.asked = asked
    pools.append(bench.pool())
    pools[0].start()
    bench.touch("refused", "good")
    assert pools[0].wait_quiet(PATIENCE)
    bench.touch("refused", "good")
    assert pools[0].wait_quiet(PATIENCE)
    assert count == {"refused": 1, "good": 2}


def test_quiet_means_what_came_of_the_work_is_done_too(bench: Bench, pools: list[Workers]) -> None:
    names = [f"a{number}" for number in range(20)]
    done: set[str] = set()

    def asked(account: str) -> None:
        following = int(account[1:]) + 1
        if following < len(names):
            bench.touch(names[following])
        done.add(account)

    for name in names:
        bench.add(name)
    bench.asked = asked
    pools.append(bench.pool(threads=2))
    pools[0].start()
    bench.touch(names[0])
    assert pools[0].wait_quiet(PATIENCE)
    assert done == set(names)


def test_waiting_tells_what_is_left_and_gives_up_when_time_is_up(bench: Bench, pools: list[Workers]) -> None:
    gate = Gate()
    bench.add("one")
    bench.asked = gate
    bench.touch("one")
    pools.append(bench.pool())
    pools[0].start()
    gate.await_inside(1)
    told: list[int] = []
    assert not pools[0].wait_quiet(0.05, told.append)
    assert set(told) == {1}
    gate.open()
    assert pools[0].wait_quiet(PATIENCE, told.append)
    assert told[-1] == 0


def test_stopping_waits_for_what_is_in_hand_and_begins_nothing_new(bench: Bench) -> None:
    gate = Gate()
    for name in ("one", "two"):
        bench.add(name)
    bench.asked = gate
    bench.touch("one")
    workers = bench.pool(threads=1)
    workers.start()
    gate.await_inside(1)
    bench.touch("two")
    assert not workers.stop(0.05), "something is still in hand"
    gate.open()
    assert workers.stop(PATIENCE)
    assert not workers.running()
    with bench.store.read() as tx:
        assert tx.queue.next_due() is not None, "what was not begun is still there"


def test_a_pool_that_never_started_stops_at_once(bench: Bench) -> None:
    assert bench.pool().stop(PATIENCE)


def test_a_crashing_handler_takes_no_thread_with_it(bench: Bench, pools: list[Workers]) -> None:
    def asked(account: str) -> None:
        raise ZeroDivisionError

    for number in range(10):
        bench.add(f"a{number}")
    bench.asked = asked
    bench.touch(*(f"a{number}" for number in range(10)))
    pools.append(bench.pool(threads=2))
    pools[0].start()
    assert pools[0].wait_quiet(PATIENCE)
    done = threading.Event()
    bench.asked = lambda account: done.set()
    bench.add("good")
    bench.touch("good")
    assert done.wait(PATIENCE)


def test_a_store_that_another_process_took_ends_the_pool_and_says_so(bench: Bench, tmp_path: Path) -> None:
    broken = threading.Event()
    bench.add("one")
    workers = bench.pool(on_broken=broken.set)
    workers.start()
    assert workers.wait_quiet(PATIENCE)
    bench.touch("one", later=3600)
    with closing(sqlite3.connect(tmp_path / "syncd.db")) as other, other:
        assert other.execute("UPDATE meta SET value = 'another' WHERE name = 'epoch'").rowcount == 1
        assert other.execute("UPDATE work SET due_at = 0, ready_at = 0").rowcount == 1
    workers.wake()
    assert broken.wait(PATIENCE)
    assert isinstance(workers.broken, StoreBusy)
    assert not workers.alive()
    assert workers.stop(PATIENCE)


def test_the_beat_goes_on_while_one_thread_is_free_and_stops_when_all_hang(bench: Bench, pools: list[Workers]) -> None:
    gate = Gate()
    for name in ("one", "two", "three"):
        bench.add(name, kind=name)
    bench.asked = gate
    bench.touch("one")
    pools.append(bench.pool(threads=2))
    pools[0].start()
    gate.await_inside(1)
    before = pools[0].beat
    bench.touch("two")
    gate.await_inside(2)
    assert pools[0].beat > before
    stuck = pools[0].beat
    for _ in range(20):
        bench.touch("three")
    assert pools[0].beat == stuck
    gate.open()


def test_a_login_that_was_refused_is_tried_again_when_somebody_says_so(bench: Bench, pools: list[Workers]) -> None:
    refuse = True
    count: Counter[str] = Counter()

    def asked(account: str) -> None:
        count[account] += 1
        if refuse:
            raise AuthFailed("401")

    bench.add("one")
    bench.asked = asked
    bench.touch("one")
    pools.append(bench.pool())
    pools[0].start()
    assert pools[0].wait_quiet(PATIENCE)
    refuse = False
    try_logins_again(bench.ctx)
    bench.touch("one")
    assert pools[0].wait_quiet(PATIENCE)
    assert count["one"] == 2
    with bench.store.read() as tx:
        assert tx.accounts.state(AccountId("one")).parked == ""
        assert not tx.queue.notices(channel="alert", state="open")
