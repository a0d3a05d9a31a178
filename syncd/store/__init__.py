"""The visit store: what is kept, and the promises about it. Flows write with `store.write(fn)` and read with
`store.read()`."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from syncd.clock import Clock
from syncd.store.accounts import Accounts
from syncd.store.calendars import Calendars
from syncd.store.queue import Queue
from syncd.store.visits import Visits

T = TypeVar("T")


class Tx:
    """One transaction: every room of the store on one connection."""

    visits: Visits
    calendars: Calendars
    accounts: Accounts
    queue: Queue


class Store:
    """Opens, migrates, sweeps and guards the database; one per process. (Interface; the engine behind it is engine.py.)"""

    def write(self, fn: Callable[[Tx], T]) -> T:
        """Run `fn` in the current group and return its result once the group is durable (FULL sync).

        `fn` may run again after a transient database error: no I/O in it. Its exception undoes only its own
        changes (savepoint) and is raised here. Raises StoreUnwritable (disk full, read-only): nothing was kept.
        """
        raise NotImplementedError

    def read(self) -> AbstractContextManager[Tx]:
        """Give a consistent snapshot on a reading connection of this thread; writing through it fails."""
        raise NotImplementedError

    def on_commit(self, fn: Callable[[], None]) -> None:
        """Have `fn` called after each commit that changed something, on the writing thread: it must be quick and not raise."""
        raise NotImplementedError

    @property
    def generation(self) -> str:
        """Name this copy of the store: a random id made at creation, and a new one at each restore."""
        raise NotImplementedError

    @property
    def restored(self) -> bool:
        """Tell whether the store is in recovery mode: it was restored from a backup, and nobody has ended that yet."""
        raise NotImplementedError

    def end_recovery(self) -> None:
        raise NotImplementedError

    def backup(self, to: Path) -> None:
        """Write a consistent copy to a file, while running; the file appears only when it is whole."""
        raise NotImplementedError

    def check(self) -> list[str]:
        """List what is wrong with the store: integrity, overlaps, schema, history."""
        raise NotImplementedError

    def snapshot(self) -> bytes:
        """Return the whole store as bytes. Only inline."""
        raise NotImplementedError

    def load(self, image: bytes) -> None:
        """Become what `snapshot` once returned. Only inline."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def open_store(
    where: str | Path,
    clock: Clock,
    *,
    readonly: bool = False,
    inline: bool = False,
) -> Store:
    """Open a store, and make or migrate it first where needed.

    `where` is a path or "sqlite:<path>". `readonly` takes no lock, writes nothing and leaves no file behind. `inline` has no
    writing thread and one connection, for a simulation; ":memory:" works with it. Raises StoreBusy, StoreDamaged.
    """
    raise NotImplementedError


def restore(backup: Path, into: str | Path, clock: Clock) -> None:
    """Put a backup in the place of a store that no process holds; it gets a new generation and starts in recovery mode."""
    raise NotImplementedError
