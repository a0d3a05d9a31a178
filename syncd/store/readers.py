"""Reading connections: each reader has one to itself, sees one moment, never writes and never checkpoints."""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from syncd.errors import StoreError
from syncd.store.sqlite_db import Connect, SqliteDb, prepare, tell, telling, uri_of

IDLE = 16  # connections kept open for the next readers

WAL_VERSIONS = slice(18, 20)  # of the file header: 2 for a journal in WAL mode, sqlite.org/fileformat2.html
LEGACY = b"\x01\x01"


@contextmanager
def snapshot(connection: sqlite3.Connection, done: Callable[[sqlite3.Connection], None]) -> Iterator[SqliteDb]:
    """Give one moment of the database, from the first question on; `done` gets the connection back in any case."""
    try:
        connection.execute("BEGIN")
        yield SqliteDb(connection, writable=False)
        connection.execute("COMMIT")
    except sqlite3.DatabaseError as error:
        tell(error)
        raise
    finally:
        done(connection)


class Readers:
    """A pool of reading connections on a file that this process owns. Thread-safe."""

    def __init__(self, path: Path, connect: Connect) -> None:
        self._path = path
        self._connect = connect
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False

    def read(self) -> AbstractContextManager[SqliteDb]:
        return snapshot(self.take(), self.give_back)

    def take(self) -> sqlite3.Connection:
        """Lend a connection; the one used last first, whose cache is warm."""
        try:
            return self._idle.pop()
        except IndexError:
            return prepare(self._connect(uri_of(self._path, "rw")), checkpoints=False)

    def give_back(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if self._closed or len(self._idle) >= IDLE:
            connection.close()
        else:
            self._idle.append(connection)

    def close(self) -> None:
        """Close what is idle now; what is lent closes as it comes back."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()


class Visitor:
    """Reads a store that another process may own, or nobody: no lock, no write, and no file left behind.

    Where nobody has it open there is no journal, and opening it would leave one behind; then a copy in memory is read.
    """

    def __init__(self, path: Path, connect: Connect) -> None:
        self._path = path
        self._connect = connect

    def read(self) -> AbstractContextManager[SqliteDb]:
        return snapshot(self.connection(), sqlite3.Connection.close)

    def connection(self) -> sqlite3.Connection:
        """Open the store as it is now."""
        if not self._path.exists():
            raise StoreError(f"there is no store at {self._path} yet: the first `syncd run` makes it")
        image = None if self._in_use() else self._path.read_bytes()
        with telling():
            if image is None or self._in_use():  # somebody opened it while we read
                return prepare(self._connect(uri_of(self._path, "ro")), checkpoints=False)
            connection = self._connect(":memory:")
            connection.deserialize(image[: WAL_VERSIONS.start] + LEGACY + image[WAL_VERSIONS.stop :])
            return prepare(connection, checkpoints=False)

    def _in_use(self) -> bool:
        return self._path.with_name(f"{self._path.name}-wal").exists()

    def close(self) -> None:
        """Nothing stays open between readings."""
