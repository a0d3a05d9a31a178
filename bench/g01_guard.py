"""G1: what the guard against overlaps costs a durable insert, and that the cost does not grow with the table.

Both sides are our own schema on a file with FULL sync, one commit per insert; from the peer the guards were dropped.
"""

import itertools
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from bench.ratio import Ratio
from syncd.store.engine import queries
from syncd.store.migrate import migrate
from syncd.store.sqlite_db import connect, prepare, uri_of

AGENTS = 200
SMALL, LARGE = 1_000, 200_000
INSERTS = 600  # measured on each side at each size, by turns
SLOT = 3_600


def run() -> list[Ratio]:
    with tempfile.TemporaryDirectory() as folder:
        guarded, bare = opened(Path(folder) / "guarded.db"), opened(Path(folder) / "bare.db")
        for trigger in ("visit_insert_guard", "visit_update_guard", "visit_insert_dwelling", "visit_update_dwelling"):
            bare.execute(f"DROP TRIGGER {trigger}")
        with closing(guarded), closing(bare):
            rows = visits()
            fill((guarded, bare), rows, SMALL)
            small = measure(guarded, bare, rows)
            fill((guarded, bare), rows, LARGE - SMALL - INSERTS)
            large = measure(guarded, bare, rows)
    growth, peer_growth = large[0] / small[0], large[1] / small[1]
    return [
        Ratio(f"G1 guarded / unguarded insert at {SMALL} visits", small[0] / small[1], 1.10, at_least=False),
        Ratio(f"G1 guarded / unguarded insert at {LARGE} visits", large[0] / large[1], 1.10, at_least=False),
        Ratio("G1 growth guarded / growth unguarded", growth / peer_growth, 1.4, at_least=False),
    ]


def opened(path: Path) -> sqlite3.Connection:
    made = prepare(connect(uri_of(path, "rwc")), checkpoints=True)
    made.execute("PRAGMA journal_mode = WAL")
    migrate(made, lambda version: None)
    return made


def visits() -> Iterator[dict[str, Any]]:
    """Yield visits that never overlap, agents and days in no order, as bookings come in."""
    chance = random.Random(1)
    for block in itertools.count():
        places = [(agent, slot) for agent in range(AGENTS) for slot in range(20)]
        chance.shuffle(places)
        for agent, slot in places:
            yield row(f"{chance.getrandbits(128):032x}", f"agent{agent:03}", (block * 20 + slot) * SLOT)


def row(name: str, agent: str, start: int) -> dict[str, Any]:
    return {
        "id": name,
        "version": 1,
        "state": "confirmed",
        "project_id": "casas",
        "event_type_id": "visita",
        "agent_id": agent,
        "start_at": start,
        "end_at": start + 1_200,
        "guard_start": start,
        "guard_end": start + 1_800,
        "holds": 1,
        "request_id": None,
        "source_account": "calendly",
        "source_id": f"https://api.calendly.com/scheduled_events/{name}",
        "dwelling_key": f"casas/{agent}",
        "details": '{"booked_at":"2026-05-12T14:00:00Z","contact":{"name":"Clara Cliente"},"time_zone":"UTC"}',
    }


def fill(sides: tuple[sqlite3.Connection, ...], rows: Iterator[dict[str, Any]], count: int) -> None:
    some = list(itertools.islice(rows, count))
    for side in sides:
        side.execute("BEGIN IMMEDIATE")
        side.executemany(queries()["visit_insert"], some)
        side.execute("COMMIT")
        side.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def measure(
    guarded: sqlite3.Connection, bare: sqlite3.Connection, rows: Iterator[dict[str, Any]]
) -> tuple[float, float]:
    """Return the median seconds of a durable insert on each side; the sides take turns, first one then the other."""
    times: tuple[list[float], list[float]] = ([], [])
    sides = list(zip((guarded, bare), times, strict=True))
    for number, one in enumerate(itertools.islice(rows, INSERTS)):
        for side, taken in sides if number % 2 else reversed(sides):
            started = time.perf_counter()
            side.execute("BEGIN IMMEDIATE")
            side.execute(queries()["visit_insert"], one)
            side.execute("COMMIT")
            taken.append(time.perf_counter() - started)
    return statistics.median(times[0]), statistics.median(times[1])
