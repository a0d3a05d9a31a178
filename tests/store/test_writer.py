"""Group commit under faults: who is let go and when, what is kept, and that the writer is well again afterwards."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from syncd.core.ids import VisitId
from syncd.errors import SlotTaken, StoreDamaged, StoreUnwritable
from syncd.store import Store, Tx, open_store, sqlite_db
from syncd.store.queue import WorkKind
from tests.store.values import CAUSE, START, at, save, visit
from tests.world.clock import VirtualClock

Plan = Callable[[str], None]


class Planned(sqlite3.Connection):
    """A connection whose statements go through a plan first, which may let them fail as SQLite would."""

    plan: Plan = staticmethod(lambda statement: None)

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        type(self).plan(statement)
        return super().execute(statement, *values)


def failing(code: int, text: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


@contextmanager
def planned(path: Path) -> Iterator[tuple[Store, type[Planned]]]:
    """Open a store whose writing connection follows a plan that can be changed at any time."""

    class Mine(Planned):
        pass

    def connect(uri: str) -> sqlite3.Connection:
        return sqlite3.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, factory=Mine, cached_statements=128
        )

    store = open_store(path, VirtualClock(START), connect=connect)
    try:
        yield store, Mine
    finally:
        Mine.plan = staticmethod(lambda statement: None)
        store.close()


def fail_times(count: int, on: str, error: sqlite3.OperationalError) -> tuple[Plan, list[str]]:
    """Return a plan that fails the first `count` statements that begin so, and the list of those it saw."""
    seen: list[str] = []

    def plan(statement: str) -> None:
        if statement.startswith(on):
            seen.append(statement)
            if len(seen) <= count:
                raise error

    return plan, seen


def names(store: Store) -> list[str]:
    with store.read() as tx:
        return [one.id for one in tx.visits.search()]


BUSY = failing(sqlite3.SQLITE_BUSY, "database is locked")
FULL = failing(sqlite3.SQLITE_FULL, "database or disk is full")
IOERR = failing(sqlite3.SQLITE_IOERR_WRITE, "disk I/O error")
CORRUPT = failing(sqlite3.SQLITE_CORRUPT, "database disk image is malformed")


@pytest.mark.parametrize("on", ["BEGIN IMMEDIATE", "INSERT INTO visit (", "COMMIT", "SAVEPOINT job"])
def test_a_passing_trouble_makes_the_function_run_again_and_count_once(tmp_path: Path, on: str) -> None:
    with planned(tmp_path / "syncd.db") as (store, connection):
        plan, seen = fail_times(4, on, BUSY)
        connection.plan = staticmethod(plan)
        assert save(store, visit()).version == 1
        assert len(seen) == 5
        assert names(store) == ["v1"]


def test_a_trouble_that_does_not_pass_is_told_and_nothing_is_kept(tmp_path: Path) -> None:
    with planned(tmp_path / "syncd.db") as (store, connection):
        plan, seen = fail_times(99, "COMMIT", BUSY)
        connection.plan = staticmethod(plan)
        with pytest.raises(StoreUnwritable, match="another program keeps the database locked"):
            save(store, visit())
        assert len(seen) == 5
        connection.plan = staticmethod(lambda statement: None)
        assert names(store) == []
        save(store, visit())


def test_a_lock_held_by_another_program_is_waited_for(tmp_path: Path) -> None:
    store = open_store(tmp_path / "syncd.db", VirtualClock(START))
    with closing(sqlite3.connect(tmp_path / "syncd.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(1) as caller:
            waiting = caller.submit(save, store, visit())
            assert names(store) == []  # readers are never in the way
            other.execute("COMMIT")
            assert waiting.result(30).version == 1
    store.close()


@pytest.mark.parametrize("error", [FULL, IOERR, failing(sqlite3.SQLITE_READONLY, "readonly database")])
@pytest.mark.parametrize(
    "on", ["BEGIN IMMEDIATE", "INSERT INTO visit (", "INSERT INTO history", "RELEASE job", "COMMIT"]
)
def test_f24_what_cannot_be_written_is_told_and_the_next_write_works(
    tmp_path: Path, on: str, error: sqlite3.OperationalError
) -> None:
    with planned(tmp_path / "syncd.db") as (store, connection):
        plan, seen = fail_times(1, on, error)
        connection.plan = staticmethod(plan)
        with pytest.raises(StoreUnwritable, match=str(error)):
            save(store, visit("v1", 0, 20))
        assert len(seen) == 1  # not tried again: it would only fill the disk further
        assert names(store) == []
        save(store, visit("v2", 0, 20))
        assert names(store) == ["v2"]


def test_f25_damage_that_shows_itself_while_running_is_called_damage(tmp_path: Path) -> None:
    with planned(tmp_path / "syncd.db") as (store, connection):
        connection.plan = staticmethod(fail_times(1, "COMMIT", CORRUPT)[0])
        with pytest.raises(StoreDamaged, match="restore a backup"):
            save(store, visit())


def test_f24_a_failure_at_any_statement_whatsoever_keeps_all_or_nothing(tmp_path: Path) -> None:
    """The n-th call fails, for every n of a save with history: acknowledged and there, or refused and not there."""
    with planned(tmp_path / "syncd.db") as (store, connection):
        refused = 0
        for number in range(200):
            count = [0]

            def plan(statement: str, count: list[int] = count, number: int = number) -> None:
                count[0] += 1
                if count[0] == number + 1:
                    raise IOERR

            name = f"v{number:03}"
            connection.plan = staticmethod(plan)
            try:
                save(store, visit(name, number * 60, number * 60 + 20))
                kept = True
            except StoreUnwritable:
                kept = False
            connection.plan = staticmethod(lambda statement: None)
            with store.read() as tx:
                assert (tx.visits.find(VisitId(name)) is not None) == kept, number
            refused += not kept
            if count[0] <= number:
                break
        else:
            pytest.fail("a save never got by with fewer statements than were made to fail")
        assert refused > 8
        assert store.check() == []


def test_f24_a_database_that_may_not_grow_is_a_full_disk(tmp_path: Path) -> None:
    """SQLite itself ends the transaction here, under the function that runs in it."""
    store = open_store(tmp_path / "syncd.db", VirtualClock(START))
    engine: Any = store._engine
    pages = engine._connection.execute("PRAGMA page_count").fetchone()[0]
    engine._connection.execute(f"PRAGMA max_page_count = {pages + 3}")
    kept: list[str] = []

    def fill() -> None:
        for number in range(1_000):
            saved = save(store, visit(f"v{number:03}", number * 60, number * 60 + 20))
            kept.append(saved.id)

    with pytest.raises(StoreUnwritable, match="full"):
        fill()
    assert names(store) == kept
    engine._connection.execute(f"PRAGMA max_page_count = {pages + 1_000}")
    save(store, visit("after", -60, -40))
    assert store.check() == []
    store.close()


def swallow(tx: Tx) -> str:
    """A function that hides a full disk from its caller must not make the caller believe it was written."""
    try:
        for number in range(2_000):
            tx.queue.touch(WorkKind.PULL, f"k{number:05}" * 20, START)
    except sqlite3.Error:
        return "hidden"
    return "fitted"


def test_f24_a_function_cannot_hide_a_full_disk(tmp_path: Path) -> None:
    store = open_store(tmp_path / "syncd.db", VirtualClock(START))
    engine: Any = store._engine
    pages = engine._connection.execute("PRAGMA page_count").fetchone()[0]
    engine._connection.execute(f"PRAGMA max_page_count = {pages + 3}")
    with pytest.raises(StoreUnwritable, match="ended under way"):
        store.write(swallow)
    with store.read() as tx:
        assert tx.queue.next_due() is None
    store.close()


class Gate:
    """Holds the writer inside a first job, so that the callers that come meanwhile make one group."""

    def __init__(self, store: Store, pool: ThreadPoolExecutor) -> None:
        self._open = threading.Event()
        entered = threading.Event()

        def wait(tx: Tx) -> None:
            entered.set()
            self._open.wait()

        self._first = pool.submit(store.write, wait)
        entered.wait()

    def release(self) -> None:
        self._open.set()
        self._first.result(30)


def queued(store: Store, count: int) -> None:
    """Wait until so many callers are waiting for the writer."""
    writer = store._engine._writer  # type: ignore[attr-defined]
    with writer._turn:
        while len(writer._waiting) < count:
            writer._turn.wait(0.01)


def test_callers_that_wait_together_share_one_commit_and_none_is_let_go_before_it(tmp_path: Path) -> None:
    with planned(tmp_path / "syncd.db") as (store, connection), ThreadPoolExecutor(21) as pool:
        gate = Gate(store, pool)
        callers: list[Future[Any]] = [
            pool.submit(save, store, visit(f"v{number:02}", number * 60, number * 60 + 20)) for number in range(20)
        ]
        queued(store, 20)
        commits: list[int] = []

        def plan(statement: str) -> None:
            if statement == "COMMIT":
                commits.append(sum(one.done() for one in callers))

        connection.plan = staticmethod(plan)
        gate.release()
        assert {one.result(30).version for one in callers} == {1}
        assert commits == [0, 0]  # the gate's own, then one for all
        assert len(names(store)) == 20


def test_when_the_commit_of_a_group_fails_every_caller_is_told_and_nothing_is_kept(tmp_path: Path) -> None:
    with planned(tmp_path / "syncd.db") as (store, connection), ThreadPoolExecutor(12) as pool:
        save(store, visit("first", -60, -40))
        gate = Gate(store, pool)
        callers = [pool.submit(save, store, visit(f"v{n}", n * 60, n * 60 + 20)) for n in range(9)]
        loser = pool.submit(save, store, visit("lost", -50, -45))
        queued(store, 10)
        commits = [0]

        def plan(statement: str) -> None:
            if statement == "COMMIT":
                commits[0] += 1
                if commits[0] == 2:
                    raise FULL

        connection.plan = staticmethod(plan)
        gate.release()
        assert all(isinstance(one.exception(30), StoreUnwritable) for one in callers)
        assert isinstance(loser.exception(30), SlotTaken)  # its own answer, and true whatever became of the others
        assert names(store) == ["first"]
        save(store, visit("v0", 0, 20))


def test_what_is_waiting_when_the_store_closes_is_still_written(tmp_path: Path) -> None:
    store = open_store(tmp_path / "syncd.db", VirtualClock(START))
    with ThreadPoolExecutor(12) as pool:
        gate = Gate(store, pool)
        callers = [pool.submit(save, store, visit(f"v{n}", n * 60, n * 60 + 20)) for n in range(10)]
        queued(store, 10)
        closing_ = pool.submit(store.close)
        gate.release()
        assert {one.result(30).version for one in callers} == {1}
        closing_.result(30)
    again = open_store(tmp_path / "syncd.db", VirtualClock(START))
    assert len(names(again)) == 10
    again.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_when_the_writing_thread_dies_nobody_waits_for_it(tmp_path: Path) -> None:
    store = open_store(tmp_path / "syncd.db", VirtualClock(START))

    def listener() -> None:
        raise RuntimeError("a listener that breaks its promise")

    store.on_commit(listener)
    assert save(store, visit()).version == 1  # it was durable before the listener was told
    store._engine._writer._thread.join(30)  # type: ignore[attr-defined]
    with pytest.raises(StoreUnwritable, match="writing thread has ended"):
        save(store, visit("v2", 30, 50))
    store.close()


def test_the_same_exception_is_raised_not_one_like_it(tmp_path: Path) -> None:
    store = open_store(tmp_path / "syncd.db", VirtualClock(START))
    mine = ValueError("mine")

    def fail(tx: Tx) -> None:
        raise mine

    with pytest.raises(ValueError, match="mine") as caught:
        store.write(fail)
    assert caught.value is mine
    store.close()


def test_every_connection_is_set_as_the_promises_need(tmp_path: Path) -> None:
    opened: list[sqlite3.Connection] = []

    def connect(uri: str) -> sqlite3.Connection:
        opened.append(sqlite_db.connect(uri))
        return opened[-1]

    store = open_store(tmp_path / "syncd.db", VirtualClock(START), connect=connect)
    with store.read() as tx:
        tx.visits.search()
    writer, reader = opened

    def pragma(connection: sqlite3.Connection, name: str) -> object:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]

    for connection in opened:
        assert pragma(connection, "journal_mode") == "wal"
        assert pragma(connection, "synchronous") in (2, 3)
        assert pragma(connection, "secure_delete") == 1
        assert pragma(connection, "foreign_keys") == 1
    assert pragma(reader, "query_only") == 1 and pragma(reader, "wal_autocheckpoint") == 0
    assert pragma(writer, "query_only") == 0 and pragma(writer, "wal_autocheckpoint") == 1000
    store.close()


def test_readers_close_with_the_store_however_many_there_were(tmp_path: Path) -> None:
    store = open_store(tmp_path / "syncd.db", VirtualClock(START))
    save(store, visit())
    meet = threading.Barrier(24)

    def read(_: int) -> int:
        with store.read() as tx:
            meet.wait(30)
            return len(tx.visits.search())

    with ThreadPoolExecutor(24) as pool:
        assert list(pool.map(read, range(24))) == [1] * 24
    with store.read() as late:
        store.close()
        assert len(late.visits.search()) == 1
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".db") == ["syncd.db"]


def test_a_read_only_error_of_ours_stays_what_it_is(tmp_path: Path) -> None:
    store = open_store(tmp_path / "syncd.db", VirtualClock(START))

    def wrong(tx: Tx) -> None:
        tx.visits.save(visit(), CAUSE)
        tx.visits._db.run("visit_source_put", account="a", source_id="b", visit="nobody")

    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        store.write(wrong)
    assert names(store) == []
    store.write(lambda tx: tx.queue.touch(WorkKind.PULL, "a", at(0)))
    store.close()
