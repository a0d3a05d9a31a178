"""Files of a store: who may read them, what is refused, what a reader leaves behind, copies and their way back."""

import os
import sqlite3
import stat
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.core.visit import Contact
from syncd.errors import ConfigError, StoreBusy, StoreDamaged, StoreError, StoreUnwritable
from syncd.store import Store, migrate, open_store, restore
from syncd.store.sqlite_db import connect, uri_of
from tests.store.values import BETO, START, save, visit
from tests.world.clock import VirtualClock

CLOCK = VirtualClock(START)


def opened(path: Path) -> Store:
    return open_store(path, CLOCK)


def filled(path: Path, count: int = 3) -> None:
    store = opened(path)
    for number in range(count):
        save(store, visit(f"v{number}", number * 60, number * 60 + 20))
    store.close()


def plain(path: Path, *statements: str) -> None:
    """Do something to the file behind the store's back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def names(store: Store) -> list[str]:
    with store.read() as tx:
        return [one.id for one in tx.visits.search(limit=10_000)]


def test_files_are_private_and_so_is_a_folder_that_is_made(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = opened(tmp_path / "state" / "syncd.db")
        save(store, visit())
        store.backup(tmp_path / "copy.db")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert modes == dict.fromkeys(("syncd.db", "syncd.db-wal", "syncd.db-shm", "syncd.db.lock"), 0o600)
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600


def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    filled(tmp_path / "syncd.db")
    (tmp_path / "syncd.db").chmod(0o644)
    opened(tmp_path / "syncd.db").close()
    assert stat.S_IMODE((tmp_path / "syncd.db").stat().st_mode) == 0o600


def test_closing_leaves_the_database_and_the_lock_alone(tmp_path: Path) -> None:
    filled(tmp_path / "syncd.db")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["syncd.db", "syncd.db.lock"]


def test_what_was_kept_is_there_the_next_time_under_the_same_name(tmp_path: Path) -> None:
    store = opened(tmp_path / "syncd.db")
    generation = store.generation
    saved = save(store, visit())
    store.close()
    again = open_store(f"sqlite:{tmp_path / 'syncd.db'}", CLOCK)
    with again.read() as tx:
        assert tx.visits.get(saved.id) == saved
    assert again.generation == generation and not again.restored
    again.close()


def test_what_is_deleted_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    store = opened(path)
    one = save(store, replace(visit(), contact=Contact(name="Zoraida Secreto")))
    store.close()
    assert b"Zoraida" in path.read_bytes()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA secure_delete").fetchone()[0] in (0, 1, 2)
    store = opened(path)
    store._engine._connection.execute("DELETE FROM history")  # type: ignore[attr-defined]
    store._engine._connection.execute("DELETE FROM visit WHERE id = ?", (one.id,))  # type: ignore[attr-defined]
    store.close()
    assert b"Zoraida" not in path.read_bytes()


def test_after_the_store_is_closed_a_write_is_refused(tmp_path: Path) -> None:
    store = opened(tmp_path / "syncd.db")
    store.close()
    with pytest.raises(StoreUnwritable, match="closed"):
        save(store, visit())


def test_postgresql_is_refused_with_what_to_write_instead() -> None:
    with pytest.raises(ConfigError, match=r"sqlite:syncd\.db"):
        open_store("postgresql://localhost/syncd", CLOCK)


# reading only


def test_a_reader_sees_what_the_owner_commits_and_leaves_no_file_behind(tmp_path: Path) -> None:
    store = opened(tmp_path / "syncd.db")
    save(store, visit("v1", 0, 20))
    reader = open_store(tmp_path / "syncd.db", CLOCK, readonly=True)
    assert names(reader) == ["v1"]
    save(store, visit("v2", 30, 50))
    assert names(reader) == ["v1", "v2"]
    assert reader.generation == store.generation and reader.check() == []
    store.close()
    assert names(reader) == ["v1", "v2"]  # nobody has it open now
    reader.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["syncd.db", "syncd.db.lock"]


def test_a_reader_reads_what_a_killed_owner_left(tmp_path: Path) -> None:
    store = opened(tmp_path / "syncd.db")
    save(store, visit("v1", 0, 20))
    left = tmp_path / "left"
    left.mkdir()
    for suffix in ("", "-wal", "-shm"):
        (left / f"syncd.db{suffix}").write_bytes((tmp_path / f"syncd.db{suffix}").read_bytes())
    store.close()
    reader = open_store(left / "syncd.db", CLOCK, readonly=True)
    assert names(reader) == ["v1"]
    reader.close()


def test_a_reader_can_write_nothing(tmp_path: Path) -> None:
    filled(tmp_path / "syncd.db")
    before = (tmp_path / "syncd.db").read_bytes()
    reader = open_store(tmp_path / "syncd.db", CLOCK, readonly=True)
    with pytest.raises(StoreUnwritable, match="reading only"):
        save(reader, visit("new", 900, 920))
    with pytest.raises(StoreUnwritable, match="reading only"):
        reader.end_recovery()
    reader.backup(tmp_path / "copy.db")
    reader.close()
    assert (tmp_path / "syncd.db").read_bytes() == before
    copy = opened(tmp_path / "copy.db")
    assert len(names(copy)) == 3
    copy.close()


def test_reading_a_store_that_is_not_there_says_how_it_comes_to_be(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="the first `syncd run` makes it"):
        open_store(tmp_path / "syncd.db", CLOCK, readonly=True)
    assert list(tmp_path.iterdir()) == []


# refusals


def test_f25_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    filled(path, 200)
    whole = path.read_bytes()
    for start, junk in ((0, b"no database at all"), (100, b"\xff" * 200), (4096 * 3, b"\xff" * 4096)):
        path.write_bytes(whole[:start] + junk + whole[start + len(junk) :])
        for readonly in (False, True):
            with pytest.raises(StoreDamaged, match=r"damaged|none of syncd's"):
                open_store(path, CLOCK, readonly=readonly)
    path.write_bytes(whole)
    opened(path).close()


def test_a_table_that_overlaps_already_is_refused_and_the_visits_are_named(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    filled(path)
    move = "UPDATE visit SET guard_start = guard_start - 3600, guard_end = guard_end - 3590 WHERE id = 'v2'"
    plain(path, "DROP TRIGGER visit_update_guard", move)
    with pytest.raises(StoreDamaged, match=r"ana is held twice at 2026-05-12 15:00Z by v1, v2"):
        opened(path)
    plain(path, "UPDATE visit SET holds = 0 WHERE id = 'v2'")
    opened(path).close()  # the refusal gave the lock back


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        ("UPDATE visit SET agent_id = NULL WHERE id = 'v1'", "hold: visit v1 holds time as confirmed of None"),
        ("UPDATE visit SET state = 'cancelled' WHERE id = 'v1'", "hold: visit v1 holds time as cancelled of ana"),
        ("UPDATE history SET actor = 'nobody' WHERE visit_id = 'v1'", "history: that of visit v1 was altered"),
        ("DELETE FROM history WHERE visit_id = 'v1'", "history: that of visit v1 was altered"),
        ("UPDATE visit SET version = 7 WHERE id = 'v1'", "history: that of visit v1 was altered"),
        ("INSERT INTO block VALUES (1, 0, 60, 7, 0, 0)", "block: 1 of calendar 1 belong to no entry"),
        ("INSERT INTO visit_source VALUES ('a', 'b', 'nobody')", "visit_source points at a missing visit"),
    ],
)
def test_doctor_is_told_what_is_wrong(tmp_path: Path, harm: str, found: str) -> None:
    path = tmp_path / "syncd.db"
    filled(path)
    plain(path, harm)
    reader = open_store(path, CLOCK, readonly=True)
    [problem] = reader.check()
    assert problem.startswith(found)
    reader.close()


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    plain(tmp_path / "syncd.db", "CREATE TABLE recipes (name TEXT)")
    with pytest.raises(StoreDamaged, match="none of syncd's"):
        opened(tmp_path / "syncd.db")


# migrations


def test_f47_a_newer_schema_is_refused_with_a_text(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    filled(path)
    plain(path, "INSERT INTO _sqlite_migrations VALUES (99, 'syncd', '0099_future', '2030-01-01')")
    for readonly in (False, True):
        with pytest.raises(StoreDamaged, match=r"newer syncd \(0099_future\); install that version"):
            open_store(path, CLOCK, readonly=readonly)


def folder_with(tmp_path: Path, second: str) -> Path:
    """Return a folder of migrations: ours, and one more."""
    folder = tmp_path / "schema"
    folder.mkdir(exist_ok=True)
    for file in migrate.FOLDER.glob("*.sql"):
        (folder / file.name).write_text(file.read_text())
    (folder / "0900_more.sql").write_text(second)
    return folder


def test_f47_a_migration_keeps_the_data_and_a_copy_is_made_first(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    filled(path)
    folder = folder_with(tmp_path, "ALTER TABLE visit ADD COLUMN colour TEXT;\nUPDATE visit SET colour = 'red';\n")
    copied: list[str] = []
    with closing(connect(uri_of(path, "rw"))) as db:
        assert migrate.migrate(db, copied.append, folder)
        assert not migrate.migrate(db, copied.append, folder)
        assert {colour for (colour,) in db.execute("SELECT colour FROM visit")} == {"red"}
    assert copied == [max(file.stem for file in migrate.FOLDER.glob("*.sql"))]


@pytest.mark.parametrize(
    "broken",
    [
        "ALTER TABLE visit ADD COLUMN colour TEXT;\nINSERT INTO nowhere VALUES (1);\n",
        "CREATE TABLE x (a);\nCREATE TABLE y (",
    ],
)
def test_f47_a_migration_that_fails_leaves_everything_as_it_was(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "syncd.db"
    filled(path)
    with closing(connect(uri_of(path, "rw"))) as db:
        before = "\n".join(db.iterdump())
        with pytest.raises((sqlite3.OperationalError, ValueError)):
            migrate.migrate(db, lambda version: None, folder_with(tmp_path, broken))
        assert "\n".join(db.iterdump()) == before
    opened(path).close()


# copies


def test_f54_a_copy_made_under_load_is_consistent_and_can_be_restored(tmp_path: Path) -> None:
    store = opened(tmp_path / "syncd.db")
    stop, written = threading.Event(), threading.Semaphore(0)

    def write() -> None:
        number = 0
        while not stop.is_set():
            save(store, visit(f"a{number:05}", number * 60, number * 60 + 20))
            save(store, visit(f"b{number:05}", number * 60, number * 60 + 20, host=BETO))
            written.release()
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    for number in range(5):
        for _ in range(10):
            assert written.acquire(timeout=30)
        store.backup(tmp_path / f"copy{number}.db")
    stop.set()
    writer.join()
    total = len(names(store))
    store.close()
    counts = []
    for number in range(5):
        restore(tmp_path / f"copy{number}.db", tmp_path / "again.db", CLOCK)
        again = opened(tmp_path / "again.db")
        found = names(again)
        assert again.check() == []
        assert sorted(found) == sorted({*found}) and abs(len([n for n in found if n[0] == "a"]) * 2 - len(found)) <= 1
        counts.append(len(found))
        again.close()
    assert counts == sorted(counts) and counts[0] >= 20 and counts[-1] <= total


def test_a_copy_is_one_file_and_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    store = opened(tmp_path / "syncd.db")
    copies = tmp_path / "copies"
    copies.mkdir()
    for number in range(2):
        save(store, visit(f"v{number}", number * 60, number * 60 + 20))
        store.backup(copies / "syncd.db")
    store.close()
    assert [path.name for path in copies.iterdir()] == ["syncd.db"]
    reader = open_store(copies / "syncd.db", CLOCK, readonly=True)
    assert names(reader) == ["v0", "v1"]


def test_a_copy_that_cannot_be_written_leaves_the_older_one(tmp_path: Path) -> None:
    filled(tmp_path / "syncd.db")
    store = opened(tmp_path / "syncd.db")
    with pytest.raises(OSError, match="No such file"):
        store.backup(tmp_path / "nowhere" / "copy.db")
    store.close()


def test_f26_a_restored_store_has_a_new_name_and_is_in_recovery_until_ended(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    store = opened(path)
    first = store.generation
    save(store, visit("v1", 0, 20))
    store.backup(tmp_path / "copy.db")
    save(store, visit("v2", 30, 50))
    store.close()
    restore(tmp_path / "copy.db", path, CLOCK)
    again = opened(path)
    assert names(again) == ["v1"]
    name = again.generation
    assert name not in ("", first)
    told = [again.restored]
    again.close()
    again = opened(path)
    told.append(again.restored)
    again.end_recovery()
    told.append(again.restored)
    assert again.generation == name
    again.close()
    again = opened(path)
    told.append(again.restored)
    again.close()
    assert told == [True, True, False, False]


def test_what_a_restore_replaces_is_kept_beside_it_whole(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    filled(path, 2)
    store = opened(path)
    store.backup(tmp_path / "copy.db")
    save(store, visit("late", 900, 920))
    store.close()
    restore(tmp_path / "copy.db", path, CLOCK)
    kept = open_store(tmp_path / "syncd.db.replaced", CLOCK, readonly=True)
    assert names(kept) == ["v0", "v1", "late"]


def test_a_running_store_is_not_restored_over(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    store = opened(path)
    save(store, visit())
    store.backup(tmp_path / "copy.db")
    with pytest.raises(StoreBusy):
        restore(tmp_path / "copy.db", path, CLOCK)
    assert not store.restored and names(store) == ["v1"]
    store.close()


def test_a_damaged_store_can_be_restored_over(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    filled(path)
    store = opened(path)
    store.backup(tmp_path / "copy.db")
    store.close()
    path.write_bytes(b"ruined")
    restore(tmp_path / "copy.db", path, CLOCK)
    again = opened(path)
    assert len(names(again)) == 3
    again.close()
    assert (tmp_path / "syncd.db.replaced").read_bytes() == b"ruined"


def test_the_journal_of_a_replaced_store_is_not_read_into_the_restored_one(tmp_path: Path) -> None:
    store = opened(tmp_path / "syncd.db")
    save(store, visit("v1", 0, 20))
    store.backup(tmp_path / "copy.db")
    save(store, visit("v2", 30, 50))
    left = tmp_path / "left"  # as a process that was killed leaves it
    left.mkdir()
    for suffix in ("", "-wal", "-shm"):
        (left / f"syncd.db{suffix}").write_bytes((tmp_path / f"syncd.db{suffix}").read_bytes())
    store.close()
    reader = open_store(left / "syncd.db", CLOCK, readonly=True)
    with reader.read() as tx:
        assert len(tx.visits.search()) == 2  # and while it looks, the journal cannot be emptied
        restore(tmp_path / "copy.db", left / "syncd.db", CLOCK)
    again = opened(left / "syncd.db")
    assert names(again) == ["v1"] and again.restored and again.check() == []
    again.close()
    kept = opened(left / "syncd.db.replaced")
    assert names(kept) == ["v1", "v2"]
    kept.close()


@pytest.mark.parametrize("content", [b"ruined", b"", None])
def test_what_is_no_good_copy_is_not_restored(tmp_path: Path, content: bytes | None) -> None:
    path, copy = tmp_path / "syncd.db", tmp_path / "copy.db"
    filled(path)
    before = path.read_bytes()
    if content is not None:
        copy.write_bytes(content)
    with pytest.raises(StoreDamaged):
        restore(copy, path, CLOCK)
    assert path.read_bytes() == before
    assert {one.name for one in tmp_path.iterdir()} <= {"syncd.db", "syncd.db.lock", "copy.db"}


# inline


def test_a_snapshot_brings_everything_back(tmp_path: Path) -> None:
    store = open_store(":memory:", CLOCK, inline=True)
    save(store, visit("v1", 0, 20))
    image = store.snapshot()
    save(store, visit("v2", 30, 50))
    generation = store.generation
    store.load(image)
    assert names(store) == ["v1"] and store.generation == generation
    save(store, visit("v3", 30, 50))
    other = open_store(":memory:", CLOCK, inline=True)
    other.load(store.snapshot())
    assert names(other) == ["v1", "v3"]
    assert other.check() == []


def test_a_store_with_a_thread_has_no_snapshots(tmp_path: Path) -> None:
    store = opened(tmp_path / "syncd.db")
    with pytest.raises(TypeError, match="inline"):
        store.snapshot()
    store.close()


def test_an_inline_store_on_a_file_keeps_what_it_wrote(tmp_path: Path) -> None:
    store = open_store(tmp_path / "syncd.db", CLOCK, inline=True)
    save(store, visit())
    with pytest.raises(StoreBusy):
        opened(tmp_path / "syncd.db")
    store.close()
    again = opened(tmp_path / "syncd.db")
    assert names(again) == ["v1"]
    again.close()


def test_people_read_visits_in_a_view(tmp_path: Path) -> None:
    path = tmp_path / "syncd.db"
    filled(path, 1)
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        [row] = db.execute("SELECT * FROM visit_readable").fetchall()
    shown = {name: row[name] for name in ("id", "host", "start", "end", "contact", "email", "booked_at")}
    assert shown == {
        "id": "v0",
        "host": "ana",
        "start": "2026-05-12T14:00:00Z",
        "end": "2026-05-12T14:20:00Z",
        "contact": "Clara Cliente",
        "email": "clara@example.cl",
        "booked_at": "2026-05-12T14:00:00Z",
    }
