"""Group commit: callers' functions run one after the other, each in a savepoint, and become durable together.

One connection writes. No caller is let go before the COMMIT of its group has returned.
"""

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from syncd.errors import StoreBusy, StoreError, StoreUnwritable
from syncd.store.sqlite_db import SqliteDb, Trouble, trouble_of, unusable

T = TypeVar("T")

GROUP = 256  # callers in one commit
PATIENCE = 0.25  # of the last commit's time
TRIES = 5  # of a group that met a passing trouble


class Job:
    """One caller's function and what became of it."""

    __slots__ = ("_done", "error", "fn", "result")

    def __init__(self, fn: Callable[[SqliteDb], Any]) -> None:
        self.fn = fn
        self.result: Any = None
        self.error: BaseException | None = None
        self._done = threading.Event()

    def release(self, error: BaseException | None = None) -> None:
        """Let the caller go; once released, a job's outcome no longer changes."""
        if not self._done.is_set():
            self.error = self.error or error
            self._done.set()

    def outcome(self) -> Any:
        """Wait for the commit and return the function's result or raise its error."""
        self._done.wait()
        if self.error is not None:
            try:
                raise self.error
            finally:
                self.error = None  # an exception that holds its own frame is a cycle
        return self.result


class Committer:
    """The writing connection: runs groups of jobs. Not thread-safe; who holds it sees to that."""

    def __init__(self, connection: sqlite3.Connection, epoch: str, committed: Callable[[], None]) -> None:
        self._connection = connection
        self._db = SqliteDb(connection, writable=True)
        self._epoch = epoch
        self._committed = committed
        self._changed = False  # whether any job of the group changed something
        self._running = 0  # ident of the thread that runs jobs now

    def commit(self, jobs: Sequence[Job]) -> StoreError | None:
        """Run a group and commit it. Where that fails nothing is kept: every caller hears why, and so does ours."""
        failure = self._commit(jobs)
        for job in jobs:
            job.release(failure)
        if failure is None and self._changed:
            self._committed()
        return failure

    def _commit(self, jobs: Sequence[Job]) -> StoreError | None:
        for tried in range(1, TRIES + 1):
            try:
                self._run_group(jobs)
            except sqlite3.Error as error:
                self._roll_back()
                if trouble_of(error) is not Trouble.PASSING or tried == TRIES:
                    return unusable(error)
            except StoreBusy as lost:
                self._roll_back()
                return lost
            else:
                return None
        return None

    def _run_group(self, jobs: Sequence[Job]) -> None:
        self._changed = False
        for job in jobs:
            job.error = None  # of an earlier try
        self._connection.execute("BEGIN IMMEDIATE")  # a deferred one fails where it reads before it writes
        self._check_epoch()
        self._running = threading.get_ident()
        try:
            for job in jobs:
                self._run(job)
        finally:
            self._running = 0
        self._connection.execute("COMMIT")

    def _check_epoch(self) -> None:
        """Refuse to commit where another process has opened the store since (F28, F29)."""
        found = self._db.rows("meta_get", name="epoch")
        if not found or found[0]["value"] != self._epoch:
            raise StoreBusy("another process has taken the store over; this one may not write any more")

    def _run(self, job: Job) -> None:
        changes = self._connection.total_changes
        self._connection.execute("SAVEPOINT job")
        try:
            job.result = job.fn(self._db)
        except BaseException as error:  # whatever it is belongs to the caller and is raised there
            if _is_storage(error):
                raise
            job.error = error
        if not self._connection.in_transaction:  # the function hid an error from us
            raise sqlite3.OperationalError("the transaction ended under way, as it does on a full disk") from job.error
        if job.error is not None:
            self._connection.execute("ROLLBACK TO job")
        else:
            self._changed = self._changed or self._connection.total_changes != changes
        self._connection.execute("RELEASE job")

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    @property
    def runs_here(self) -> bool:
        """Tell whether the calling thread is running a job at this moment."""
        return self._running == threading.get_ident()

    def refuse_inside(self) -> None:
        """Raise RuntimeError where the caller is a job: its write could never be let go."""
        if self.runs_here:
            raise RuntimeError("write inside a write: use the transaction that the function was given")

    @contextmanager
    def look(self) -> Iterator[SqliteDb]:
        """Give a job a view of its own transaction through which nothing can be written."""
        yield SqliteDb(self._connection, writable=False)


def _is_storage(error: BaseException) -> bool:
    return isinstance(error, sqlite3.Error) and trouble_of(error) is not Trouble.OURS


class WriterThread:
    """Queues the callers of many threads for one committer, and lets each go when its group is durable.

    Callers that were let go together tend to come back together: the next group waits for as many, but never longer
    than a quarter of what the last commit took. One caller alone waits for nobody.
    """

    def __init__(self, committer: Committer, monotonic: Callable[[], float]) -> None:
        self._committer = committer
        self._monotonic = monotonic
        self._waiting: deque[Job] = deque()
        self._turn = threading.Condition()
        self._wanted = 1  # callers that the thread is waiting for
        self._expected, self._patience = 1, 0.0  # for the next group, as the last one was
        self._ended: StoreError | None = None
        self._thread = threading.Thread(target=self._work, name="store-writer", daemon=True)
        self._thread.start()

    def write(self, fn: Callable[[SqliteDb], T]) -> T:
        """Run `fn` in the next group; returns once that is durable."""
        self._committer.refuse_inside()
        job = Job(fn)
        with self._turn:
            if self._ended is not None:
                raise self._ended
            self._waiting.append(job)
            if len(self._waiting) >= self._wanted:
                self._turn.notify()
        result: T = job.outcome()
        return result

    def close(self) -> None:
        """Commit what is waiting, then end the thread."""
        self._end(StoreUnwritable("the store is closed"))  # _take still gives out what is waiting
        self._thread.join()

    def _end(self, why: StoreError) -> None:
        with self._turn:
            self._ended = self._ended or why
            self._turn.notify()

    def _work(self) -> None:
        jobs: list[Job] = []
        try:
            while jobs := self._take():
                started = self._monotonic()
                if isinstance(failure := self._committer.commit(jobs), StoreBusy):
                    self._end(failure)
                self._expected, self._patience = len(jobs), (self._monotonic() - started) * PATIENCE
        finally:  # nobody waits for a thread that is no more, whatever ended it
            self._end(StoreUnwritable("the writing thread has ended"))
            self._refuse(jobs)

    def _take(self) -> list[Job]:
        """Wait for work; nothing once the store is closed and everything waiting was taken."""
        with self._turn:
            self._wait_for(1, None)
            self._wait_for(self._expected, self._patience)
            self._wanted = 1
            return [self._waiting.popleft() for _ in range(min(GROUP, len(self._waiting)))]

    def _wait_for(self, callers: int, patience: float | None) -> None:
        self._wanted = callers
        self._turn.wait_for(lambda: len(self._waiting) >= callers or self._ended is not None, patience)

    def _refuse(self, taken: list[Job]) -> None:
        with self._turn:
            for job in (*taken, *self._waiting):
                job.release(self._ended)
            self._waiting.clear()
