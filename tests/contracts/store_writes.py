"""What every engine of the store must do about transactions; inherit, and provide the fixture `store`."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from syncd.core.ids import VisitId
from syncd.core.visit import Visit
from syncd.errors import SlotTaken, StoreUnwritable
from syncd.store import Store, Tx
from syncd.store.queue import WorkKind
from tests.contracts.store_queue import claim, finish, touch
from tests.store.values import ANA, CAUSE, HOME, SCHEDULER, START, at, entry, save, span, visit


class Stop(Exception):
    """What a caller's function may raise."""


class WritingContract:
    def test_a_write_returns_what_its_function_does(self, store: Store) -> None:
        assert store.write(lambda tx: 42) == 42

    def test_an_exception_undoes_all_of_the_function_and_reaches_the_caller(self, store: Store) -> None:
        def half(tx: Tx) -> None:
            tx.visits.save(visit(), CAUSE)
            tx.queue.touch(WorkKind.PULL, "a", START)
            raise Stop

        with pytest.raises(Stop):
            store.write(half)
        with store.read() as tx:
            assert tx.visits.find(VisitId("v1")) is None
            assert tx.queue.next_due() is None
        save(store, visit())

    def test_even_what_is_no_ordinary_exception_undoes_the_function(self, store: Store) -> None:
        def struck(tx: Tx) -> None:
            tx.visits.save(visit(), CAUSE)
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            store.write(struck)
        with store.read() as tx:
            assert tx.visits.find(VisitId("v1")) is None

    def test_a_function_sees_its_own_changes(self, store: Store) -> None:
        def both(tx: Tx) -> Visit | None:
            tx.visits.save(visit(), CAUSE)
            return tx.visits.find(VisitId("v1"))

        assert store.write(both) is not None

    def test_a_write_inside_a_write_is_an_error_that_says_so(self, store: Store) -> None:
        def nested(tx: Tx) -> None:
            tx.queue.touch(WorkKind.PULL, "outer", START)
            store.write(lambda inner: inner.queue.touch(WorkKind.PULL, "inner", START))

        with pytest.raises(RuntimeError, match="write inside a write"):
            store.write(nested)
        with store.read() as tx:
            assert tx.queue.next_due() is None

    def test_a_read_inside_a_write_sees_what_was_done_so_far(self, store: Store) -> None:
        def look(tx: Tx) -> bool:
            tx.visits.save(visit(), CAUSE)
            with store.read() as inner:
                return inner.visits.find(VisitId("v1")) is not None

        assert store.write(look)

    def test_nothing_is_written_through_a_reading(self, store: Store) -> None:
        save(store, visit())
        changes: list[Callable[[Tx], object]] = [
            lambda tx: tx.queue.touch(WorkKind.PULL, "a", START),
            lambda tx: tx.visits.save(visit("v2", 30, 50), CAUSE),
            lambda tx: tx.calendars.put_entries(HOME, [entry("e1", (0, 20))]),
            lambda tx: tx.accounts.put(SCHEDULER, "n", "v"),
        ]
        for change in changes:
            with pytest.raises(StoreUnwritable, match="only reads"), store.read() as tx:
                change(tx)
        with store.read() as tx:
            assert tx.queue.next_due() is None and len(tx.visits.search()) == 1

    def test_readings_stand_inside_each_other(self, store: Store) -> None:
        save(store, visit())
        with store.read() as outer, store.read() as inner:
            assert outer.visits.find(VisitId("v1")) == inner.visits.find(VisitId("v1")) is not None

    def test_commits_that_changed_something_are_told(self, store: Store) -> None:
        told = threading.Semaphore(0)
        store.on_commit(told.release)
        touch(store, "a")
        assert told.acquire(timeout=10)
        store.write(lambda tx: tx.queue.next_due())
        with pytest.raises(Stop):
            store.write(_raises)
        touch(store, "b")
        assert told.acquire(timeout=10)
        assert not told.acquire(blocking=False)

    def test_a_store_has_a_name_and_is_not_restored(self, store: Store) -> None:
        assert len(store.generation) == 32
        assert not store.restored
        assert store.check() == []


class ManyCallersContract:
    """For engines that serve threads."""

    def test_f35_of_a_thousand_saves_at_one_slot_exactly_one_wins(self, store: Store) -> None:
        def book(number: int) -> str | None:
            try:
                return save(store, visit(f"v{number:04}", number % 7, 20 + number % 5)).id
            except SlotTaken as taken:
                return taken.visit

        with ThreadPoolExecutor(50) as callers:
            told = set(callers.map(book, range(1_000)))
        with store.read() as tx:
            [held] = tx.visits.holds([ANA], span(-60, 60))
        assert told == {held.visit}  # the winner hears its own name, and the others hear the winner's
        assert store.check() == []

    def test_no_work_is_given_to_two_workers(self, store: Store) -> None:
        store.write(lambda tx: tx.queue.touch_many(WorkKind.PULL, [f"k{n:03}" for n in range(300)], START))

        def work(_: int) -> list[str]:
            mine = []
            while claimed := claim(store):
                mine.append(claimed[0].key)
                assert finish(store, claimed[0])
            return mine

        with ThreadPoolExecutor(8) as workers:
            done = [key for keys in workers.map(work, range(8)) for key in keys]
        assert sorted(done) == [f"k{n:03}" for n in range(300)]

    def test_a_touch_during_the_work_is_never_lost(self, store: Store) -> None:
        """Counts are raised under a touch and copied by the work; whoever comes last must have seen the last count."""
        rounds, seen = 200, [0]
        wanted = [0]
        done = threading.Event()

        def toucher() -> None:
            for _ in range(rounds):
                wanted[0] += 1
                touch(store, "a")
            done.set()

        def worker() -> None:
            while True:
                last = done.is_set()  # asked before the queue is: nothing is touched after it
                claimed = claim(store)
                for work in claimed:
                    seen[0] = wanted[0]
                    finish(store, work)
                if last and not claimed:
                    return

        _together(toucher, worker)
        assert seen[0] == wanted[0] == rounds

    def test_a_reading_stays_at_its_moment_while_others_write(self, store: Store) -> None:
        save(store, visit("v1", 0, 20))
        with store.read() as tx:
            assert len(tx.visits.search()) == 1
            with ThreadPoolExecutor(1) as other:
                other.submit(save, store, visit("v2", 30, 50)).result()
            assert len(tx.visits.search()) == 1
        with store.read() as tx:
            assert len(tx.visits.search()) == 2

    def test_one_callers_failure_is_not_the_others(self, store: Store) -> None:
        def one(number: int) -> bool:
            def change(tx: Tx) -> None:
                tx.queue.touch(WorkKind.PULL, f"k{number:03}", at(number))
                if number % 3 == 0:
                    raise Stop

            try:
                store.write(change)
            except Stop:
                return False
            return True

        with ThreadPoolExecutor(32) as callers:
            kept = list(callers.map(one, range(200)))
        assert kept == [number % 3 != 0 for number in range(200)]
        assert len(claim(store, at(999), limit=999)) == sum(kept)


def _raises(tx: Tx) -> None:
    tx.queue.touch(WorkKind.PULL, "never", START)
    raise Stop


def _together(*jobs: Callable[[], None]) -> None:
    with ThreadPoolExecutor(len(jobs)) as pool:
        for done in [pool.submit(job) for job in jobs]:
            done.result(timeout=60)
