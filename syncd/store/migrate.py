"""Brings a database to the schema of this version: numbered files, each applied once, all in one transaction."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from sqlite_utils import Database, Migrations

from syncd.errors import StoreDamaged

FOLDER = Path(__file__).parent / "schema" / "sqlite"
SET = "syncd"


def migrations(folder: Path = FOLDER) -> Migrations:
    """Return the numbered files in order."""
    found = Migrations(SET)
    for file in sorted(folder.glob("*.sql")):
        found(name=file.stem)(_applier(file.read_text()))
    return found


def _applier(script: str) -> Callable[[Database], None]:
    def apply(db: Database) -> None:
        for statement in statements(script):
            db.conn.execute(statement)

    return apply


def statements(script: str) -> Iterator[str]:
    """Cut a script into statements; `executescript` would commit what is under way."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if re.sub(r"--.*", "", statement).strip():
        raise ValueError(f"unfinished statement: {statement.strip()[:80]}")


def wrapped(connection: sqlite3.Connection) -> Database:
    return Database(connection, recursive_triggers=False, execute_plugins=False)


def schema_problem(connection: sqlite3.Connection, folder: Path = FOLDER) -> str | None:
    """Say why this version cannot use the database as it is, None where it can: a migration may still be due."""
    db = wrapped(connection)
    known = {file.stem for file in folder.glob("*.sql")}
    applied = [one.name for one in migrations(folder).applied(db)]
    if not applied and db.table_names():
        return "this database is none of syncd's"
    if newer := sorted(set(applied) - known):
        return f"the store was made by a newer syncd ({newer[-1]}); install that version, or restore an older backup"
    return None


def pending(connection: sqlite3.Connection, folder: Path = FOLDER) -> bool:
    return bool(migrations(folder).pending(wrapped(connection)))


def migrate(connection: sqlite3.Connection, copy_first: Callable[[str], None], folder: Path = FOLDER) -> bool:
    """Apply what is pending; tell whether anything was.

    `copy_first` is called before data is touched, with the version that it is of. Raises StoreDamaged for a schema
    newer than ours.
    """
    if problem := schema_problem(connection, folder):
        raise StoreDamaged(problem)
    db, wanted = wrapped(connection), migrations(folder)
    applied = wanted.applied(db)
    if not wanted.pending(db):
        return False
    if applied:
        copy_first(applied[-1].name)
    connection.execute("BEGIN IMMEDIATE")
    try:
        wanted.apply(db)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return True
