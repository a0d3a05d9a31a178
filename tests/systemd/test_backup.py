"""The nightly backup, as its unit runs it: complete, proved before it counts, and no more of them than wanted."""

import importlib.machinery
import importlib.util
import os
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.office import CONFIG, free_port
from tests.systemd.units import FOLDER

SCRIPT = FOLDER / "syncd-backup"


class Installation:
    """A configuration, a state directory that a first sync filled, and a place for backups."""

    def __init__(self, home: Path) -> None:
        self.config, self.state, self.to = home / "config.toml", home / "state", home / "backups"
        self.config.write_text(CONFIG.format(port=free_port(), poll_every="5m"))
        self.told = {**os.environ, "STATE_DIRECTORY": f"{self.state}:{self.to}", "PYTHONSAFEPATH": "1"}
        done = subprocess.run(
            [sys.executable, "-m", "syncd", "-c", str(self.config), "sync"],
            env={**self.told, "STATE_DIRECTORY": str(self.state)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def back_up(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(SCRIPT), "--config", str(self.config), *words]
        return subprocess.run(command, env=self.told, capture_output=True, text=True, timeout=100, check=False)

    def made(self) -> list[Path]:
        return sorted(self.to.iterdir())


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture(scope="module")
def script() -> Any:
    """The script as a module."""
    loader = importlib.machinery.SourceFileLoader("syncd_backup", str(SCRIPT))
    spec = importlib.util.spec_from_loader("syncd_backup", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = written
    return module


def test_a_backup_holds_what_a_new_machine_needs_and_is_for_nobody_else(installation: Installation) -> None:
    done = installation.back_up()
    assert done.returncode == 0, done.stderr
    (made,) = installation.made()
    assert {one.name for one in made.iterdir()} == {"store.db", "secret", "dav.tar.gz"}
    assert [one for one in [made, *made.iterdir()] if one.stat().st_mode & 0o077] == []
    assert (made / "secret").read_text() == (installation.state / "secret").read_text()
    with tarfile.open(made / "dav.tar.gz") as archive:
        kept = set(archive.getnames())
    assert {f"dav/{one.relative_to(installation.state / 'dav')}" for one in (installation.state / "dav").rglob("*")} < (
        kept
    )
    with closing(sqlite3.connect(f"file:{made / 'store.db'}?mode=ro", uri=True)) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_store_whose_history_was_altered_gives_no_backup_and_no_old_one_goes(installation: Installation) -> None:
    assert installation.back_up().returncode == 0
    before = installation.made()
    with closing(sqlite3.connect(installation.state / "syncd.db")) as store, store:
        store.execute(
            "INSERT INTO history (visit_id, version, at, actor, source, note, after, hash) "
            "VALUES ('a', 1, 0, 'x', 'x', '', '{}', 'not the hash of anything')"
        )
    done = installation.back_up("--keep", "1")
    assert done.returncode == 1
    assert "not whole" in done.stderr
    assert installation.made() == before


def test_without_a_store_it_says_what_failed_and_leaves_nothing(installation: Installation) -> None:
    (installation.state / "syncd.db").unlink()
    done = installation.back_up()
    assert done.returncode == 1 and "`syncd backup` ended with" in done.stderr and "Traceback" not in done.stderr
    assert installation.made() == []


def test_outside_the_unit_it_asks_where(tmp_path: Path) -> None:
    told = {name: value for name, value in os.environ.items() if name != "STATE_DIRECTORY"}
    done = subprocess.run([sys.executable, str(SCRIPT)], env=told, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "--state" in done.stderr


def test_the_newest_are_kept_and_what_a_crash_left_goes(script: Any, tmp_path: Path) -> None:
    names = ["2026-11-20T031500Z", "2026-11-21T031500Z", "2026-11-22T031500Z"]
    for name in [*names, ".2026-11-22T031500Z-abc", "notes"]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "store.db").touch()
    script.forget(tmp_path, 2)
    assert sorted(one.name for one in tmp_path.iterdir()) == [*names[1:], "notes"]
