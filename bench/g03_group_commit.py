"""G3: sixteen clients that save visits: our group commit against each client committing on a connection of its own.

The peer waits for its turn with `busy_timeout`, as most programs do. Both sides insert the same row with FULL sync, on
this disk and on one whose fsync takes 2 ms longer (the default file system with a pause in its sync).
"""

import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.g01_guard import SLOT, opened, row
from bench.ratio import Ratio
from syncd.clock import SystemClock
from syncd.store.engine import queries
from syncd.store.sqlite import SqliteEngine
from syncd.store.sqlite_db import Connect, connect, uri_of
from tests.store.vfs import SlowDisk, WatchedFiles

CLIENTS = 16
SECONDS = 5.0
SLOWER = 0.002

Insert = Callable[[dict[str, Any]], None]


@dataclass
class Side:
    """What the clients of one side saw."""

    counts: list[int] = field(default_factory=lambda: [0] * CLIENTS)
    worst: list[float] = field(default_factory=lambda: [0.0] * CLIENTS)

    @property
    def total(self) -> int:
        return sum(self.counts)

    @property
    def fairness(self) -> float:
        return min(self.counts) / max(self.counts)


def run() -> list[Ratio]:
    ours, theirs = on_disk(grouped, connect), on_disk(own_commits, connect)
    with WatchedFiles("slower", SlowDisk(SLOWER, time.sleep)) as files:
        slow_ours, slow_theirs = on_disk(grouped, files.connect), on_disk(own_commits, files.connect)
    print(
        f"  inserts in {SECONDS:g} s: group {ours.total}, own {theirs.total};",
        f"at +2 ms {slow_ours.total}, {slow_theirs.total}",
    )
    print(f"  worst wait: group {max(ours.worst) * 1000:.0f} ms, own {max(theirs.worst) * 1000:.0f} ms")
    return [
        Ratio("G3 group / own commit", ours.total / theirs.total, 1.5, at_least=True),
        Ratio("G3 group / own commit at +2 ms", slow_ours.total / slow_theirs.total, 6, at_least=True),
        Ratio("G3 worst wait own / group", max(theirs.worst) / max(ours.worst), 40, at_least=True),
        Ratio("G3 slowest / fastest client", ours.fairness, 0.8, at_least=True),
    ]


def on_disk(side: Callable[[Path, Connect], Side], connecting: Connect) -> Side:
    with tempfile.TemporaryDirectory() as folder:
        return side(Path(folder) / "bench.db", connecting)


def grouped(path: Path, connecting: Connect) -> Side:
    engine = SqliteEngine(path, SystemClock(), connecting, lambda: None)
    with closing(engine):
        return clients(lambda: lambda values: save(engine, values))


def save(engine: SqliteEngine, values: dict[str, Any]) -> None:
    engine.write(lambda db: db.run("visit_insert", **values))


def own_commits(path: Path, connecting: Connect) -> Side:
    opened(path).close()

    def client() -> Insert:
        connection = connecting(uri_of(path, "rw"))
        connection.execute("PRAGMA busy_timeout = 60000")
        connection.execute("PRAGMA synchronous = FULL")
        return lambda values: insert(connection, values)

    return clients(client)


def insert(connection: sqlite3.Connection, values: dict[str, Any]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(queries()["visit_insert"], values)
    connection.execute("COMMIT")


def clients(make: Callable[[], Insert]) -> Side:
    """Let sixteen threads insert as fast as they can for some seconds, each for an agent of its own."""
    side, ready = Side(), threading.Barrier(CLIENTS)

    def work(client: int) -> None:
        keep = make()
        ready.wait()
        end = time.perf_counter() + SECONDS
        while (started := time.perf_counter()) < end:
            number = side.counts[client]
            keep(row(f"{client}-{number}", f"agent{client}", number * SLOT))
            side.counts[client] += 1
            side.worst[client] = max(side.worst[client], time.perf_counter() - started)

    threads = [threading.Thread(target=work, args=(client,)) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return side
