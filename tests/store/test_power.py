"""Losing power is not being killed: what was not synced may vanish or tear (F3). The real engine's file operations are
recorded, and each cut replays them up to some moment with what such a moment may leave on a disk."""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from syncd.core.ids import AgentId
from syncd.store import open_store, sqlite
from syncd.store.sqlite_db import Connect, SqliteDb, connect, prepare, uri_of
from syncd.store.sweep import history_problems, overlaps
from tests.store.values import START, save, visit
from tests.store.vfs import WatchedFiles, library
from tests.world.clock import VirtualClock

pytestmark = pytest.mark.skipif(library() is None, reason="Python's sqlite3 has its library inside")

SEEDS, CUTS = 5, 1_000  # a thousand for each seed
KEPT, TORN = 0.4, 0.2  # of the writes that were not synced when the power went
SECTOR = 512


@dataclass
class Recorder:
    """Writes down what the engine does to its files, and what callers were told, in one order."""

    log: list[tuple[str, str, int, bytes]] = field(default_factory=list)

    def wrote(self, path: str, offset: int, content: bytes) -> None:
        self.log.append(("write", path, offset, content))

    def cut(self, path: str, size: int) -> None:
        self.log.append(("cut", path, size, b""))

    def synced(self, path: str) -> None:
        self.log.append(("sync", path, 0, b""))

    def deleted(self, path: str, synced: bool) -> None:
        self.log.append(("delete", path, 0, b""))
        if synced:
            self.log.append(("sync", path, 0, b""))

    def acknowledged(self, name: str) -> None:
        self.log.append(("told", name, 0, b""))


@dataclass
class Disk:
    """Files as they are after their last sync, and the operations since."""

    safe: dict[str, bytearray] = field(default_factory=dict)
    unsafe: list[tuple[str, str, int, bytes]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def step(self, operation: tuple[str, str, int, bytes]) -> None:
        """Take one operation in: a sync makes everything before it safe for its file."""
        what, path, _, _ = operation
        if what == "told":
            self.told.append(path)
        elif what == "sync":
            for one in [one for one in self.unsafe if one[1] == path]:
                apply(self.safe, one)
            self.unsafe = [one for one in self.unsafe if one[1] != path]
        else:
            self.unsafe.append(operation)

    def after_cut(self, chance: random.Random) -> dict[str, bytearray]:
        """Return the files as the power cut may leave them."""
        files = {path: bytearray(content) for path, content in self.safe.items()}
        for what, path, at, content in self.unsafe:
            luck = chance.random()
            if luck < KEPT:
                apply(files, (what, path, at, content))
            elif luck < KEPT + TORN and what == "write":
                whole = len(content) // SECTOR
                apply(files, (what, path, at, content[: SECTOR * chance.randint(0, whole)]))
        return files


def apply(files: dict[str, bytearray], operation: tuple[str, str, int, bytes]) -> None:
    what, path, at, content = operation
    held = files.setdefault(path, bytearray())
    if what == "write":
        held.extend(b"\0" * (at + len(content) - len(held)))
        held[at : at + len(content)] = content
    elif what == "cut":
        del held[at:]
    else:
        files.pop(path, None)


def record(path: Path, recorder: Recorder, watched: Connect, pragma: str = "") -> None:
    """Work on a store for a while, with checkpoints in between, and note what was acknowledged."""

    store = open_store(path, VirtualClock(START), connect=watched)
    if pragma:
        store._engine._connection.execute(pragma)  # type: ignore[attr-defined]
    recorder.acknowledged("opened")
    for number in range(60):
        host = AgentId(f"agent{number % 3}")
        saved = save(store, visit(f"v{number:03}", number * 60, number * 60 + 20, host=host))
        recorder.acknowledged(saved.id)
        if number % 20 == 19:
            store._engine._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[attr-defined]
    store.close()


def outcomes(log: list[tuple[str, str, int, bytes]], path: Path, cuts: int, seed: int) -> Iterator[str]:
    """Cut the power at random moments and tell what became of the store each time: fine, lost or corrupt."""
    chance = random.Random(seed)
    begun = next(number for number, one in enumerate(log) if one[:2] == ("told", "opened"))
    moments = sorted(chance.randrange(begun + 1, len(log)) for _ in range(cuts))
    disk, at = Disk(), 0
    for moment in moments:
        for one in log[at:moment]:
            disk.step(one)
        at = moment
        yield outcome(path, disk.after_cut(chance), [name for name in disk.told if name != "opened"])


def outcome(path: Path, files: dict[str, bytearray], told: list[str]) -> str:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    for name, content in files.items():
        Path(name).write_bytes(content)
    try:
        with closing(prepare(connect(uri_of(path, "ro")), checkpoints=False)) as connection:
            db = SqliteDb(connection, writable=False)
            wrong = [*sqlite.problems(connection), *overlaps(db), *history_problems(db)]
            kept = {row["id"] for row in db.rows("visit_versions")}
    except sqlite3.DatabaseError:
        return "corrupt"
    return "corrupt" if wrong else "lost" if set(told) - kept else "fine"


@pytest.mark.parametrize("seed", range(SEEDS))
def test_f3_no_power_cut_loses_what_was_acknowledged_or_harms_the_file(tmp_path: Path, seed: int) -> None:
    path, recorder = tmp_path / "syncd.db", Recorder()
    with WatchedFiles("watched", recorder) as files:
        record(path, recorder, files.connect)
    assert sum(one[0] == "sync" for one in recorder.log) > 60
    found = list(outcomes(recorder.log, path, CUTS, seed))
    assert set(found) == {"fine"}, {one: found.count(one) for one in found}
    store = open_store(path, VirtualClock(START))  # the last of them, by the ordinary way in
    assert store.check() == []
    store.close()


@pytest.mark.parametrize(
    ("pragma", "harm"), [("PRAGMA synchronous = NORMAL", "lost"), ("PRAGMA synchronous = OFF", "corrupt")]
)
def test_the_power_cuts_have_teeth(tmp_path: Path, pragma: str, harm: str) -> None:
    """With less syncing the same cuts do lose and do harm: else the test above would prove nothing."""
    path, recorder = tmp_path / "syncd.db", Recorder()
    with WatchedFiles("watched", recorder) as files:
        record(path, recorder, files.connect, pragma)
    found = list(outcomes(recorder.log, path, 100, 1))
    assert found.count(harm) > 10, {one: found.count(one) for one in found}
