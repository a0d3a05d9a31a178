"""The visit store: what is kept, and the promises about it. Flows write with `store.write(fn)` and read with
`store.read()`."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from syncd.clock import Clock
from syncd.errors import ConfigError, StoreDamaged
from syncd.store import backup as copies
from syncd.store import sqlite, sqlite_db, sweep
from syncd.store.accounts import Accounts
from syncd.store.calendars import Calendars
from syncd.store.engine import Db, Engine
from syncd.store.links import Links
from syncd.store.lock import Lock
from syncd.store.outbox import Outbox
from syncd.store.people import People
from syncd.store.proposals import Proposals
from syncd.store.queue import Queue
from syncd.store.visits import Visits

T = TypeVar("T")


class Tx:
    """One transaction: every room of the store on one connection."""

    def __init__(self, db: Db) -> None:
        self.visits = Visits(db)
        self.calendars = Calendars(db)
        self.accounts = Accounts(db)
        self.queue = Queue(db)
        self.outbox = Outbox(db)
        self.links = Links(db)
        self.people = People(db)
        self.proposals = Proposals(db)


class _Reading:
    """A snapshot with every room of the store on it: what a generator would do, in half the time."""

    __slots__ = ("_snapshot",)

    def __init__(self, snapshot: AbstractContextManager[Db]) -> None:
        self._snapshot = snapshot

    def __enter__(self) -> Tx:
        return Tx(self._snapshot.__enter__())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._snapshot.__exit__(kind, error, trace)


class Store:
    """Opens, migrates, sweeps and guards the database; one per process."""

    def __init__(self, open_engine: Callable[[Callable[[], None]], Engine]) -> None:
        self._listeners: list[Callable[[], None]] = []
        self.loads = 0  # how often another image took the place of what was here: its revisions tell another story
        self._engine = open_engine(self._committed)

    def _committed(self) -> None:
        for tell in self._listeners:
            tell()

    def write(self, fn: Callable[[Tx], T]) -> T:
        """Run `fn` in the current group and return its result once the group is durable (FULL sync).

        `fn` may run again after a transient database error: no I/O in it. Its exception undoes only its own
        changes (savepoint) and is raised here. Raises StoreUnwritable (disk full, read-only): nothing was kept.
        A write inside `fn` is a RuntimeError; a read there sees what `fn` has done so far.
        """
        return self._engine.write(lambda db: fn(Tx(db)))

    def read(self) -> AbstractContextManager[Tx]:
        """Give a consistent snapshot on a reading connection of this thread; writing through it fails."""
        return _Reading(self._engine.read())

    def on_commit(self, fn: Callable[[], None]) -> None:
        """Have `fn` called after each commit that changed something.

        It is called on the writing thread, after the callers were let go: it must be quick and must not raise.
        """
        self._listeners.append(fn)

    @property
    def generation(self) -> str:
        """Name this copy of the store: a random id made at creation, and a new one at each restore."""
        return self._meta("generation")

    @property
    def restored(self) -> bool:
        """Tell whether the store is in recovery mode: restored from a backup, and nobody has ended that yet."""
        return self._meta("restored") == "yes"

    def end_recovery(self) -> None:
        self._engine.write(lambda db: db.run("meta_put", name="restored", value="no"))

    def _meta(self, name: str) -> str:
        with self._engine.read() as db:
            return "".join(row["value"] for row in db.rows("meta_get", name=name))

    def backup(self, to: Path) -> None:
        """Write a consistent copy to a file, while running; the file appears only when it is whole and checked."""
        self._engine.backup(to)

    def check(self) -> list[str]:
        """List what is wrong with the store: integrity, schema, overlaps, holds of nobody, history."""
        found = self._engine.check()
        with self._engine.read() as db:
            return [*found, *(problem for look in sweep.EVERYTHING for problem in look(db))]

    def snapshot(self) -> bytes:
        """Return the whole store as bytes. Only inline."""
        return self._inline().snapshot()

    def load(self, image: bytes) -> None:
        """Become what `snapshot` once returned. Only inline."""
        self._inline().load(image)
        self.loads += 1

    def _inline(self) -> sqlite.InlineEngine:
        if not isinstance(self._engine, sqlite.InlineEngine):
            raise TypeError("only a store that was opened inline has snapshots")
        return self._engine

    def close(self) -> None:
        """Commit what is waiting and close."""
        self._engine.close()


def open_store(
    where: str | Path,
    clock: Clock,
    *,
    readonly: bool = False,
    inline: bool = False,
    connect: sqlite_db.Connect = sqlite_db.connect,
) -> Store:
    """Open a store, and make or migrate it first where needed.

    `where` is a path or "sqlite:<path>". `readonly` takes no lock, writes nothing and leaves no file behind. `inline`
    has no writing thread and one connection, for a simulation; ":memory:" is opened with it. `connect` makes the
    connections: a test of faults stands in between. Raises StoreBusy, StoreDamaged, StoreUnwritable.
    """
    path = path_of(where)
    if readonly:
        return Store(lambda committed: sqlite.VisitingEngine(path, connect))
    if inline:
        return Store(lambda committed: sqlite.InlineEngine(path, clock, connect, committed))
    return Store(lambda committed: sqlite.SqliteEngine(path, clock, connect, committed))


def path_of(where: str | Path) -> Path:
    """Return the file that a store's address names."""
    if isinstance(where, str):
        scheme, _, rest = where.partition(":")
        if scheme.startswith("postgres"):
            raise ConfigError(["store.url: this version keeps visits in SQLite; write sqlite:syncd.db"])
        where = rest if scheme == "sqlite" else where
    return Path(where)


def restore(backup: Path, into: str | Path, clock: Clock, *, connect: sqlite_db.Connect = sqlite_db.connect) -> None:
    """Put a backup in the place of a store that no process holds.

    It gets a new generation and starts in recovery mode; what it replaces stays beside it as `<name>.replaced`. Raises
    StoreBusy, and StoreDamaged for a backup that is damaged, foreign or of a newer version.
    """
    store = path_of(into)
    sqlite.make_folder(store.parent)
    lock = Lock(store)
    try:
        copies.write_file(
            store,
            lambda part: _restored_copy(backup, part, clock, connect),
            before=lambda: copies.keep_replaced(store, connect),
        )
    finally:
        lock.release()


def _restored_copy(backup: Path, part: Path, clock: Clock, connect: sqlite_db.Connect) -> None:
    try:
        with closing(connect(sqlite_db.uri_of(backup, "ro"))) as source:
            sqlite.refuse_damaged(source)
            copies.copy_into(source, part, connect)
        with closing(sqlite_db.prepare(connect(sqlite_db.uri_of(part, "rw")), checkpoints=True)) as copy:
            sqlite.refuse_overlaps(copy)
            marks = [("generation", clock.new_id()), ("restored", "yes")]
            copy.executemany("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", marks)
    except sqlite3.DatabaseError as error:
        raise StoreDamaged(f"{backup} cannot be restored: {error}") from error
