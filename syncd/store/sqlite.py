"""SQLite as the engine of a store: opening, owning, committing, reading, copying. Knows no room."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import TypeVar

from syncd.clock import Clock
from syncd.errors import StoreDamaged, StoreUnwritable
from syncd.store import backup, migrate
from syncd.store.engine import Db
from syncd.store.lock import Lock, NoLock
from syncd.store.readers import Readers, Visitor
from syncd.store.sqlite_db import Connect, SqliteDb, prepare, telling, uri_of
from syncd.store.sweep import overlaps
from syncd.store.writer import Committer, Job, WriterThread

T = TypeVar("T")
Committed = Callable[[], None]

MEMORY = Path(":memory:")


class SqliteEngine:
    """A file that this process owns: one thread writes, every reader has a connection (engine.Engine)."""

    def __init__(self, path: Path, clock: Clock, connect: Connect, committed: Committed) -> None:
        self._connect = connect
        self._lock, self._connection = own(path, clock, connect)
        self._committer = Committer(self._connection, take_over(self._connection), committed)
        self._writer = WriterThread(self._committer, clock.monotonic)
        self._readers = Readers(path, connect)

    def write(self, fn: Callable[[Db], T]) -> T:
        return self._writer.write(fn)

    def read(self) -> AbstractContextManager[Db]:
        return self._committer.look() if self._committer.runs_here else self._readers.read()

    def check(self) -> list[str]:
        connection = self._readers.take()
        try:
            return problems(connection)
        finally:
            self._readers.give_back(connection)

    def backup(self, to: Path) -> None:
        connection = self._readers.take()
        try:
            backup.copy(connection, to, self._connect)
        finally:
            self._readers.give_back(connection)

    def close(self) -> None:
        """Commit what is waiting and close; readers first, so that the writer clears the journal away."""
        self._writer.close()
        self._readers.close()
        self._connection.close()
        self._lock.release()


class InlineEngine:
    """One connection and no thread, in memory or on a file: for a simulation that must be the same every time."""

    def __init__(self, path: Path, clock: Clock, connect: Connect, committed: Committed) -> None:
        self._connect = connect
        self._lock, self._connection = own(path, clock, connect)
        self._committed = committed
        self._committer = Committer(self._connection, take_over(self._connection), committed)

    def write(self, fn: Callable[[Db], T]) -> T:
        self._committer.refuse_inside()
        job = Job(fn)
        self._committer.commit([job])
        result: T = job.outcome()
        return result

    @contextmanager
    def read(self) -> Iterator[Db]:
        with self._committer.look() as db:
            yield db

    def check(self) -> list[str]:
        return problems(self._connection)

    def backup(self, to: Path) -> None:
        backup.copy(self._connection, to, self._connect)

    def snapshot(self) -> bytes:
        return self._connection.serialize()

    def load(self, image: bytes) -> None:
        """Become the image; its owner from now on is this one."""
        self._connection.deserialize(image)
        prepare(self._connection, checkpoints=True)
        self._committer = Committer(self._connection, take_over(self._connection), self._committed)

    def close(self) -> None:
        self._connection.close()
        self._lock.release()


class VisitingEngine:
    """A store that is only read, whoever owns it (engine.Engine)."""

    def __init__(self, path: Path, connect: Connect) -> None:
        self._visitor = Visitor(path, connect)
        self._connect = connect
        with closing(self._visitor.connection()) as connection, telling():
            refuse_damaged(connection)
            if migrate.pending(connection):
                raise StoreDamaged(
                    "the store was made by an older syncd: start this one's daemon once, it brings it up"
                )

    def write(self, fn: Callable[[Db], T]) -> T:
        raise StoreUnwritable("the store was opened for reading only")

    def read(self) -> AbstractContextManager[Db]:
        return self._visitor.read()

    def check(self) -> list[str]:
        with closing(self._visitor.connection()) as connection:
            return problems(connection)

    def backup(self, to: Path) -> None:
        with closing(self._visitor.connection()) as connection:
            backup.copy(connection, to, self._connect)

    def close(self) -> None:
        self._visitor.close()


def make_folder(folder: Path) -> None:
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)


def own(path: Path, clock: Clock, connect: Connect) -> tuple[Lock | NoLock, sqlite3.Connection]:
    """Lock a database file and open it, made first where there is none."""
    if path == MEMORY:
        return NoLock(), open_owned(connect(":memory:"), path, clock, connect)
    make_folder(path.parent)
    lock = Lock(path)
    try:
        if not path.exists():
            backup.create(path)
            backup.sync(path.parent)  # else losing power could take the name of a file with bookings in it
        os.chmod(path, 0o600)
        return lock, open_owned(connect(uri_of(path, "rw")), path, clock, connect)
    except BaseException:
        lock.release()
        raise


def open_owned(connection: sqlite3.Connection, path: Path, clock: Clock, connect: Connect) -> sqlite3.Connection:
    """Make a connection ready to write: checked, brought to this version, swept. Raises StoreDamaged."""
    try:
        with telling():
            prepare(connection, checkpoints=True)
            connection.execute("PRAGMA journal_mode = WAL")
            refuse_damaged(connection)
            bring_up(connection, path, clock, connect)
            refuse_overlaps(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def bring_up(connection: sqlite3.Connection, path: Path, clock: Clock, connect: Connect) -> None:
    """Migrate; a store that holds data is copied beside itself first. A new one gets its name."""

    def copy_first(version: str) -> None:
        backup.copy(connection, path.with_name(f"{path.name}.before-{version}-upgrade"), connect)

    migrate.migrate(connection, copy_first)
    name = {"name": "generation", "value": clock.new_id()}
    connection.execute("INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING", name)


def take_over(connection: sqlite3.Connection) -> str:
    """Begin a new epoch and return it: whoever wrote before may not write any more."""
    taken = connection.execute(
        "INSERT INTO meta (name, value) VALUES ('epoch', '1') "
        "ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) RETURNING value"
    ).fetchall()
    return str(taken[0][0])


def refuse_damaged(connection: sqlite3.Connection) -> None:
    found = backup.integrity(connection)
    if found is not None:
        raise StoreDamaged(f"the database is damaged ({found}); restore a backup")
    if problem := migrate.schema_problem(connection):
        raise StoreDamaged(problem)


def refuse_overlaps(connection: sqlite3.Connection) -> None:
    """The guards are only sound on a table without overlaps."""
    if found := overlaps(SqliteDb(connection, writable=False)):
        raise StoreDamaged("; ".join(found))


def problems(connection: sqlite3.Connection) -> list[str]:
    """List what SQLite finds wrong with the file, and what its schema lacks."""
    found = [row[0] for row in connection.execute("PRAGMA quick_check(20)").fetchall()]
    wrong = [] if found == ["ok"] else found
    wrong += [f"{row[0]} points at a missing {row[2]}" for row in connection.execute("PRAGMA foreign_key_check")]
    problem = migrate.schema_problem(connection)
    return wrong if problem is None else [*wrong, problem]
