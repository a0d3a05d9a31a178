"""Copies of a database file: made while it is in use, proved before they count, put in its place."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from syncd.errors import StoreDamaged
from syncd.store.sqlite_db import Connect, uri_of


def copy(source: sqlite3.Connection, to: Path, connect: Connect) -> None:
    """Write a consistent copy as one file that appears only when it is whole and durable."""
    write_file(to, lambda part: copy_into(source, part, connect))


def copy_into(source: sqlite3.Connection, part: Path, connect: Connect) -> None:
    with closing(connect(uri_of(part, "rw"))) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")  # one file, with nothing beside it
        if (found := integrity(target)) is not None:
            raise StoreDamaged(f"the copy fails its check: {found}")


def integrity(connection: sqlite3.Connection) -> str | None:
    """Return the first thing that SQLite finds wrong in the whole file, None where nothing is."""
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    return None if found == "ok" else str(found)


def write_file(to: Path, write: Callable[[Path], None], before: Callable[[], None] = lambda: None) -> None:
    """Let `write` fill a new private file beside `to`, then put it in its place, durably, `before` just before that."""
    part = to.with_name(f"{to.name}.part")
    part.unlink(missing_ok=True)
    create(part)
    try:
        write(part)
        sync(part)
        before()
        part.replace(to)
        sync(to.parent)
    finally:
        part.unlink(missing_ok=True)


def create(path: Path) -> None:
    """Make an empty file that only its owner may read; FileExistsError where there is one."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def keep_replaced(store: Path, connect: Connect) -> None:
    """Give a database that is about to be replaced another name, `<name>.replaced`; its journal goes with it."""
    if not store.exists():
        return
    with suppress(sqlite3.DatabaseError), closing(connect(uri_of(store, "rw"))) as old:  # it may be damaged
        old.execute("PRAGMA busy_timeout = 100")
        old.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # leaves a journal only where somebody is reading in it
    aside = store.with_name(f"{store.name}.replaced")
    for suffix in ("", "-wal"):
        aside.with_name(aside.name + suffix).unlink(missing_ok=True)
    os.link(store, aside)
    journal = store.with_name(f"{store.name}-wal")
    if journal.exists():
        journal.replace(aside.with_name(f"{aside.name}-wal"))
    store.with_name(f"{store.name}-shm").unlink(missing_ok=True)
