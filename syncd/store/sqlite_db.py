"""Transactions on one SQLite connection, and what SQLite's errors mean. Knows no room and no thread."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path
from typing import Any

from syncd.errors import StoreDamaged, StoreError, StoreUnwritable
from syncd.store.engine import Overlap, queries, with_lists

Connect = Callable[[str], sqlite3.Connection]  # takes a URI; a parameter, so that a test can stand in between

BUSY_MS = 2000
REFUSED = "slot taken"  # what the guards of schema/sqlite say


class Trouble(Enum):
    """What an error of SQLite means for a writer."""

    PASSING = auto()  # somebody holds a lock: the same again may work
    UNWRITABLE = auto()  # disk full, read-only, I/O error
    DAMAGED = auto()
    OURS = auto()  # a wrong statement or a broken constraint


TROUBLES = {
    sqlite3.SQLITE_BUSY: Trouble.PASSING,
    sqlite3.SQLITE_LOCKED: Trouble.PASSING,
    sqlite3.SQLITE_PROTOCOL: Trouble.PASSING,
    sqlite3.SQLITE_FULL: Trouble.UNWRITABLE,
    sqlite3.SQLITE_IOERR: Trouble.UNWRITABLE,
    sqlite3.SQLITE_READONLY: Trouble.UNWRITABLE,
    sqlite3.SQLITE_CANTOPEN: Trouble.UNWRITABLE,
    sqlite3.SQLITE_PERM: Trouble.UNWRITABLE,
    sqlite3.SQLITE_NOMEM: Trouble.UNWRITABLE,
    sqlite3.SQLITE_CORRUPT: Trouble.DAMAGED,
    sqlite3.SQLITE_NOTADB: Trouble.DAMAGED,
}


def trouble_of(error: sqlite3.Error) -> Trouble:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return TROUBLES.get(code & 0xFF, Trouble.OURS)  # the low byte is the primary code, sqlite.org/rescode.html


def connect(uri: str) -> sqlite3.Connection:
    """Open a connection that leaves every BEGIN and COMMIT to us."""
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=512)


def uri_of(path: Path, mode: str) -> str:
    return f"{path.absolute().as_uri()}?mode={mode}"


def prepare(connection: sqlite3.Connection, *, checkpoints: bool) -> sqlite3.Connection:
    """Set what every connection needs; only the one that writes checkpoints (the WAL-reset bug before 3.51.3)."""
    connection.row_factory = sqlite3.Row
    for pragma in (
        f"busy_timeout = {BUSY_MS}",
        "foreign_keys = ON",
        "synchronous = EXTRA",  # FULL, and a rollback journal that was deleted (on the way to WAL) stays deleted
        "secure_delete = ON",
        "temp_store = MEMORY",
        "mmap_size = 0",
        f"wal_autocheckpoint = {1000 if checkpoints else 0}",
        f"query_only = {'OFF' if checkpoints else 'ON'}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


@contextmanager
def telling() -> Iterator[None]:
    """Say in the operator's words that a file cannot be read or written; errors of our own stay what they are."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        tell(error)
        raise


def tell(error: sqlite3.DatabaseError) -> None:
    """Raise the operator's sentence; return where the error is our own."""
    if trouble_of(error) is not Trouble.OURS:
        raise unusable(error) from error


class SqliteDb:
    """A transaction on a connection (engine.Db); who made it begins and ends it."""

    def __init__(self, connection: sqlite3.Connection, *, writable: bool) -> None:
        self._connection = connection
        self._depth = 0
        self.writable = writable

    def rows(self, query: str, **values: Any) -> list[sqlite3.Row]:
        return self._fetched(self._connection.cursor(), query, values)

    def tuples(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        cursor = self._connection.cursor()
        cursor.row_factory = None
        return self._fetched(cursor, query, values)

    def _fetched(self, cursor: sqlite3.Cursor, query: str, values: Mapping[str, Any]) -> list[Any]:
        return cursor.execute(*with_lists(query, values)).fetchall()

    def run(self, query: str, **values: Any) -> int:
        self._refuse_unless_writable()
        try:
            return self._connection.execute(*with_lists(query, values)).rowcount
        except sqlite3.IntegrityError as error:
            if str(error) == REFUSED:
                raise Overlap from None
            raise

    def many(self, query: str, values: Iterable[Mapping[str, Any]]) -> None:
        self._refuse_unless_writable()
        self._connection.executemany(queries()[query], values)

    def _refuse_unless_writable(self) -> None:
        if not self.writable:
            raise StoreUnwritable("this transaction only reads; change things with store.write")

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        self._depth += 1
        name = f"inner_{self._depth}"
        self._connection.execute(f"SAVEPOINT {name}")
        try:
            yield
        except BaseException:
            if self._connection.in_transaction:  # a full disk ends the whole transaction
                self._connection.execute(f"ROLLBACK TO {name}")
                self._connection.execute(f"RELEASE {name}")
            raise
        else:
            self._connection.execute(f"RELEASE {name}")
        finally:
            self._depth -= 1


def unusable(error: sqlite3.Error) -> StoreError:
    """Return the operator's sentence for a database that cannot be read or written; nothing was kept."""
    match trouble_of(error):
        case Trouble.DAMAGED:
            return StoreDamaged(f"the database is damaged ({error}); restore a backup")
        case Trouble.PASSING:
            return StoreUnwritable(f"another program keeps the database locked ({error})")
        case _:
            return StoreUnwritable(f"the database cannot be used ({error})")
