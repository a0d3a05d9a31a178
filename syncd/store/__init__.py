"""The visit store: what is kept, and the promises about it. Flows write with `store.write(fn)` and read with
`store.read()`."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

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
