"""Backup, restore, and the mode after a restore in which nothing is written until an operator ends it."""

import sqlite3
import stat
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from tests.cli.office import Office, next_monday

MONDAY = next_monday()


def calendar(office: Office, agent: str = "ana") -> set[str]:
    """Return the entries that stand in an agent's calendar, straight from the server's files."""
    files = (office.home / "state" / "dav").rglob(f"{agent}/visits/*.ics")
    return {file.read_text().split("UID:")[1].split()[0].removeprefix("visit-").split("@")[0] for file in files}


def planned(office: Office) -> Sequence[tuple[str, str]]:
    return [(one["act"], one["subject"].removeprefix("visit:")) for one in office.json("plan")]


def test_a_backup_is_a_whole_store_that_only_its_owner_may_read(opened: Office) -> None:
    visit = opened.book(MONDAY)
    copy = opened.home / "copy.db"
    done = opened.syncd("backup", str(copy))
    assert done.code == 0
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT id FROM visit").fetchall() == [(visit["id"],)]


def test_a_backup_is_made_while_the_daemon_runs(office: Office) -> None:
    with office.daemon():
        assert office.syncd("sync").code == 0
        office.book(MONDAY)
        assert office.syncd("backup", "copy.db").code == 0
    assert office.syncd("restore", "copy.db").code == 0
    assert len(office.json("visits", "list")) == 1


def test_a_backup_overwrites_nothing(opened: Office) -> None:
    (opened.home / "copy.db").write_text("mine")
    done = opened.syncd("backup", "copy.db")
    assert done.code == 1
    assert "is there already" in done.err
    assert (opened.home / "copy.db").read_text() == "mine"


def test_a_restore_is_refused_while_a_daemon_owns_the_store(office: Office) -> None:
    with office.daemon():
        assert office.syncd("sync").code == 0
        office.syncd("backup", "copy.db")
        done = office.syncd("restore", "copy.db")
        assert done.code == 75
        assert "stop the daemon first" in done.err
        assert office.book(MONDAY)["state"] == "confirmed"


def test_what_is_no_backup_is_refused_and_the_store_stays(opened: Office) -> None:
    visit = opened.book(MONDAY)
    Path("junk").write_bytes(b"no database" * 1000)
    for name in ("junk", "nowhere"):
        done = opened.syncd("restore", name)
        assert done.code == 1
        assert "Traceback" not in done.err
    assert [one["id"] for one in opened.json("visits", "list")] == [visit["id"]]


def test_on_a_new_machine_a_restore_makes_the_state_directory(opened: Office) -> None:
    visit = opened.book(MONDAY)
    opened.syncd("backup", "copy.db")
    (opened.home / "state").rename(opened.home / "old")
    assert opened.syncd("restore", "copy.db").code == 0
    assert opened.json("visits", "show", visit["id"])["id"] == visit["id"]
    assert stat.S_IMODE((opened.home / "state").stat().st_mode) == 0o700


def behind(office: Office) -> tuple[str, str, str]:
    """Make a store older than the world: one visit it knows, one it has forgotten, one that it thinks still stands."""
    known = office.book(MONDAY, "--host", "ana")["id"]
    gone = office.book(MONDAY + timedelta(hours=2), "--host", "ana")["id"]
    assert office.syncd("sync").code == 0
    assert office.syncd("backup", "copy.db").code == 0
    forgotten = office.book(MONDAY + timedelta(hours=4), "--host", "ana")["id"]
    office.json("visits", "cancel", gone)
    assert office.syncd("sync").code == 0
    assert calendar(office) == {known, forgotten}
    assert office.syncd("restore", "copy.db").code == 0
    return known, forgotten, gone


def test_after_a_restore_everything_is_read_and_nothing_written(opened: Office) -> None:
    known, forgotten, _ = behind(opened)
    for _ in range(2):
        opened.syncd("sync")
        assert calendar(opened) == {known, forgotten}
    body = opened.json("status")
    assert body["recovery"] is True
    assert all(one["state"] == "ok" for one in body["sources"])
    assert "RECOVERY" in opened.syncd("status").out


def test_an_entry_without_a_visit_is_shown_in_the_plan_and_its_time_stays_busy(opened: Office) -> None:
    _, forgotten, _ = behind(opened)
    opened.syncd("sync")
    assert ("delete", forgotten) in planned(opened)
    client = "--name Eva --email e@b.example --host ana --start".split()
    done = opened.syncd("visits", "book", "--project", "casas", *client, (MONDAY + timedelta(hours=4)).isoformat())
    assert (done.code, done.err) == (1, "syncd: The agent has something else at that time\n")


def test_what_is_changed_in_the_meantime_waits_for_the_end_of_the_recovery(opened: Office) -> None:
    known, forgotten, _ = behind(opened)
    opened.syncd("sync")
    opened.json("visits", "cancel", known)
    opened.syncd("sync")
    assert calendar(opened) == {known, forgotten}
    done = opened.syncd("recover", "--finish")
    assert done.code == 0
    assert opened.syncd("sync").code == 0
    assert calendar(opened) == set()
    assert opened.json("status")["recovery"] is False
    assert opened.json("plan") == []


def test_nobody_is_told_a_second_time_what_was_told_before_the_restore(opened: Office) -> None:
    known, _, _ = behind(opened)
    opened.json("visits", "cancel", known)
    assert opened.syncd("sync").code == 0  # held: nothing leaves while the store is in recovery
    body = opened.json("recover", "--finish")
    assert body["suppressed_messages"] == 2
    assert opened.syncd("sync").code == 0
    with opened.installed() as installed, installed.context.store.read() as tx:
        said = [one for one in tx.queue.notices(channel="message", about=known) if one.reason == "restored"]
    assert sorted((one.to, one.state) for one in said) == [("agent:ana", "skipped"), ("client", "skipped")]


def test_recover_alone_shows_the_plan_and_ends_nothing(opened: Office) -> None:
    behind(opened)
    opened.syncd("sync")
    assert opened.syncd("recover").code == 3
    assert opened.json("status")["recovery"] is True


def test_there_is_no_recovery_to_finish_without_a_restore(opened: Office) -> None:
    done = opened.syncd("recover", "--finish")
    assert done.code == 1
    assert "not in recovery" in done.err


def test_the_daemon_says_that_it_is_in_recovery_and_a_command_ends_it(opened: Office) -> None:
    known, forgotten, _ = behind(opened)
    with opened.daemon() as daemon:
        assert "recovery" in daemon.heard[-1]
        opened.syncd("sync")
        assert calendar(opened) == {known, forgotten}
        assert opened.syncd("recover", "--finish").code == 0
        opened.syncd("sync")
        assert forgotten not in calendar(opened)
