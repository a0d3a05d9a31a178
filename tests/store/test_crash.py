"""Killed, out of disk or doubled: what was acknowledged is there, and one process owns the file."""

import contextlib
import itertools
import os
import sqlite3
from collections import defaultdict
from pathlib import Path

import pytest

from syncd.clock import SystemClock
from syncd.core.ids import VisitId
from syncd.errors import StoreBusy
from syncd.store import Store, open_store
from tests.store.child import child, lines
from tests.store.values import START, save, visit
from tests.world.clock import VirtualClock

CYCLES = 20


def missing(store: Store, path: Path, acknowledged: dict[str, list[str]]) -> list[str]:
    """Return what was acknowledged and is not there."""
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as plain:
        work = {key for (key,) in plain.execute("SELECT key FROM work")}
    with store.read() as tx:
        return [
            *(name for name in acknowledged["visit"] if tx.visits.find(VisitId(name)) is None),
            *(name for name in acknowledged["delivery"] if tx.queue.inbox_get(name) is None),
            *(name for name in acknowledged["work"] if name not in work),
        ]


def test_f1_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    acknowledged: dict[str, list[str]] = defaultdict(list)
    for cycle in range(CYCLES):
        with child("write", path, str(cycle)) as process:
            told = lines(process)
            heard = list(itertools.islice(told, 5 + 37 * (cycle % 5)))
            process.kill()
            heard += told
        assert len(heard) >= 5
        for line in heard:
            what, name = line.split()
            acknowledged[what].append(name)
        store = open_store(path, SystemClock())
        lost, wrong = missing(store, path, acknowledged), store.check()
        store.close()
        assert (lost, wrong) == ([], [])


def test_f24_a_full_disk_is_told_reading_goes_on_and_writing_recovers(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    with child("fill", path, str(1_500_000)) as process:
        full, readable, recovered = list(lines(process))
        assert process.wait(60) == 0
    kept = int(full.split()[1])
    assert kept > 10 and readable == f"readable {kept}" and recovered == "recovered"
    store = open_store(path, SystemClock())
    with store.read() as tx:
        assert len(tx.visits.search(limit=100_000)) == kept + 1
    assert store.check() == []
    store.close()


def test_f28_a_second_process_is_told_who_holds_the_store(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    with child("hold", path) as holder:
        assert next(lines(holder)) == "holding"
        with pytest.raises(StoreBusy, match=str(holder.pid)):
            open_store(path, SystemClock())
        with child("hold", path) as second:
            assert list(lines(second)) == [f"busy {path}: process {holder.pid} holds the store"]
            assert second.wait(10) == 75
        holder.kill()
        holder.wait(10)
    open_store(path, SystemClock()).close()  # the lock went with its process


def test_a_second_store_in_one_process_is_refused_too(tmp_path: Path) -> None:
    store = open_store(tmp_path / "syncd.db", SystemClock())
    with pytest.raises(StoreBusy, match=str(os.getpid())):
        open_store(tmp_path / "syncd.db", SystemClock())
    store.close()


def test_f29_whoever_lost_the_store_can_commit_no_more(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    store = open_store(path, VirtualClock(START))
    save(store, visit("v1", 0, 20))
    (tmp_path / "syncd.db.lock").unlink()  # as where somebody cleared it away, or on a disk without locks
    other = open_store(path, VirtualClock(START))
    for _ in range(2):
        with pytest.raises(StoreBusy, match="taken the store over"):
            save(store, visit("v2", 30, 50))
    save(other, visit("v3", 30, 50))
    with other.read() as tx:
        assert [one.id for one in tx.visits.search()] == ["v1", "v3"]
    store.close()
    other.close()
