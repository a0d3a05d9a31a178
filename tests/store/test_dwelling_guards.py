"""The database itself refuses that a dwelling is visited twice at once, whatever statement tries (N02)."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from syncd.store.engine import queries
from syncd.store.migrate import FOLDER, statements
from syncd.store.sqlite_db import SqliteDb, connect, prepare
from syncd.store.sweep import overlaps
from tests.store.test_guards import database

OLD_COLUMNS = "id, version, state, agent_id, start_at, end_at, guard_start, guard_end, holds, source_account, details"
COLUMNS = f"{OLD_COLUMNS}, dwelling_key"
VALUES = ":id, 1, 'confirmed', :id, :start, :end, :start - 5, :end + 5, :holds, 'panel', '{}', :dwelling"
INSERT = f"INTO visit ({COLUMNS}) VALUES ({VALUES})"  # each visit has an agent of its own
TRIGGERS = ("visit_insert_dwelling", "visit_update_dwelling")


def row(name: str, start: int, end: int, *, dwelling: str | None = "p/7", holds: int = 1) -> dict[str, Any]:
    return {"id": name, "start": start, "end": end, "dwelling": dwelling, "holds": holds}


def pairs(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Compare every visit with every other: slow, plain, and with nothing in common with the guards."""
    held = db.execute(
        "SELECT id, dwelling_key, start_at, end_at FROM visit WHERE holds = 1 AND dwelling_key IS NOT NULL"
    ).fetchall()
    return [
        (one[0], other[0])
        for one in held
        for other in held
        if one[0] < other[0] and one[1] == other[1] and one[2] < other[3] and other[2] < one[3]
    ]


# Each is tried on v1 = dwelling 7 [0, 20), v2 = dwelling 7 [100, 120), v3 = dwelling 8 [0, 20), free = 7 [0, 20)
# holding nothing, open = no dwelling [0, 20).
ATTEMPTS = {
    "insert": f"INSERT {INSERT}",
    "insert or ignore": f"INSERT OR IGNORE {INSERT}",
    "insert or replace": f"INSERT OR REPLACE {INSERT}",
    "insert or fail": f"INSERT OR FAIL {INSERT}",
    "insert or rollback": f"INSERT OR ROLLBACK {INSERT}",
    "insert from select": f"INSERT INTO visit ({COLUMNS}) SELECT {VALUES}",
    "insert of many": f"INSERT INTO visit ({COLUMNS}) VALUES ({VALUES.replace(':id', ':id || 1')}), ({VALUES})",
    "upsert of a new row": f"INSERT {INSERT} ON CONFLICT (id) DO UPDATE SET details = 'x'",
    "upsert or nothing": f"INSERT {INSERT} ON CONFLICT DO NOTHING",
    "replace of a row elsewhere": f"REPLACE {INSERT}".replace(":id", "'v2'"),
    "upsert that only moves": (
        f"INSERT INTO visit ({COLUMNS}) VALUES "
        "('v2', 1, 'confirmed', 'z', 900, 920, 900, 920, 1, 'panel', '{}', NULL) "
        "ON CONFLICT (id) DO UPDATE SET start_at = :start, end_at = :end"
    ),
    "lengthen": "UPDATE visit SET start_at = :start WHERE id = 'v2'",
    "move": "UPDATE visit SET start_at = :start, end_at = :end WHERE id = 'v2'",
    "update or replace": "UPDATE OR REPLACE visit SET start_at = :start, end_at = :end WHERE id = 'v2'",
    "update or ignore": "UPDATE OR IGNORE visit SET start_at = :start, end_at = :end WHERE id = 'v2'",
    "change of dwelling": "UPDATE visit SET dwelling_key = 'p/7' WHERE id = 'v3'",
    "first dwelling": "UPDATE visit SET dwelling_key = 'p/7' WHERE id = 'open'",
    "un-cancel": "UPDATE visit SET holds = 1 WHERE id = 'free'",
    "update from": (
        "UPDATE visit SET start_at = w.s, end_at = w.e FROM (SELECT :start AS s, :end AS e) AS w WHERE id = 'v2'"
    ),
    "rename": "UPDATE visit SET id = 'v9', start_at = :start, end_at = :end WHERE id = 'v2'",
}


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    made = database()
    rows = [
        row("v1", 0, 20), row("v2", 100, 120), row("v3", 0, 20, dwelling="p/8"),
        row("free", 0, 20, holds=0), row("open", 0, 20, dwelling=None),
    ]  # fmt: skip
    made.executemany(f"INSERT {INSERT}", rows)
    yield made
    made.close()


@pytest.mark.parametrize("span", [(0, 20), (5, 10), (-5, 1), (19, 40), (-50, 50)])
@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_no_statement_has_a_dwelling_visited_twice_at_once(
    db: sqlite3.Connection, attempt: str, span: tuple[int, int]
) -> None:
    before = db.execute("SELECT * FROM visit ORDER BY id").fetchall()
    with pytest.raises(sqlite3.IntegrityError, match="slot taken"):
        db.execute(attempt, row("new", *span))
    assert pairs(db) == []
    assert db.execute("SELECT * FROM visit ORDER BY id").fetchall() == before


FINE = {
    "touching, though the buffers overlap": (f"INSERT {INSERT}", row("new", 20, 100)),
    "another dwelling": (f"INSERT {INSERT}", row("new", 0, 20, dwelling="q/7")),
    "no dwelling": (f"INSERT {INSERT}", row("new", 0, 20, dwelling=None)),
    "holding nothing": (f"INSERT {INSERT}", row("new", 0, 20, holds=0)),
    "replace of itself": (f"REPLACE {INSERT}", row("v1", 5, 25)),
    "longer buffers": ("UPDATE visit SET guard_end = 200 WHERE id = 'v1'", {}),
    "cancel": ("UPDATE visit SET holds = 0 WHERE id = 'v1'", {}),
}


@pytest.mark.parametrize("case", FINE.values(), ids=FINE)
def test_what_is_no_second_visit_is_let_through(db: sqlite3.Connection, case: tuple[str, dict[str, Any]]) -> None:
    assert db.execute(*case).rowcount == 1


def test_the_guard_looks_at_one_row_of_an_index(db: sqlite3.Connection) -> None:
    named = "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'visit_%_dwelling'"
    triggers = [text for (text,) in db.execute(named)]
    assert len(triggers) == 2
    for trigger in triggers:
        inner = trigger[trigger.index("(SELECT") + 1 : trigger.index("LIMIT 1)") + len("LIMIT 1")]
        for name in ("new.dwelling_key", "new.end_at", "new.id", "old.id"):
            inner = inner.replace(name, "?1")
        plan = " ".join(line[3] for line in db.execute(f"EXPLAIN QUERY PLAN {inner}", ("x",)))
        assert plan == "SEARCH visit USING INDEX visit_of_dwelling (dwelling_key=? AND start_at<?)"


def test_the_sweep_finds_a_dwelling_that_is_visited_twice(db: sqlite3.Connection) -> None:
    assert overlaps(SqliteDb(db, writable=False)) == []
    db.execute("DROP TRIGGER visit_insert_dwelling")
    db.execute(f"INSERT {INSERT}", row("v7", 110, 115))
    assert overlaps(SqliteDb(db, writable=False)) == [
        "overlap: dwelling p/7 is visited twice at 1970-01-01 00:01Z, the second time by v7"
    ]


def test_visits_from_before_there_was_a_lock_get_one_where_they_overlap_nothing() -> None:
    db = prepare(connect(":memory:"), checkpoints=True)
    for name in ("0001_first", "0005_dwelling"):
        if name == "0005_dwelling":
            _write_old_visits(db)
        for statement in statements(Path(FOLDER / f"{name}.sql").read_text()):
            db.execute(statement)
    keys = dict(db.execute("SELECT id, dwelling_key FROM visit").fetchall())
    assert (keys["alone"], keys["gone"]) == ("p/7", "p/7")
    assert keys["nameless"] is keys["empty"] is None
    assert sum(keys[one] == "p/9" for one in ("twice", "thrice")) <= 1  # the two overlap: they stay as they were agreed
    assert pairs(db) == [] == overlaps(SqliteDb(db, writable=False))
    db.close()


def _write_old_visits(db: sqlite3.Connection) -> None:
    columns = f"{OLD_COLUMNS}, project_id"
    values = VALUES.replace("'{}'", ":details").replace(":dwelling", "'p'")
    for name, start, holds, dwelling in (
        ("alone", 0, 1, "7"), ("gone", 0, 0, "7"), ("nameless", 0, 1, None), ("empty", 0, 1, ""),
        ("twice", 50, 1, "9"), ("thrice", 60, 1, "9"),
    ):  # fmt: skip
        details = json.dumps({"dwelling": {"id": dwelling}} if dwelling is not None else {})
        db.execute(
            f"INSERT INTO visit ({columns}) VALUES ({values})",
            row(name, start, start + 20, holds=holds) | {"details": details},
        )


def test_who_held_the_time_before_there_was_a_lock_goes_on_until_it_moves(db: sqlite3.Connection) -> None:
    update = queries()["visit_update"]
    db.row_factory = sqlite3.Row
    kept = dict(db.execute("SELECT * FROM visit WHERE id = 'open'").fetchone()) | {"dwelling_key": "p/7"}
    db.execute(update, kept | {"details": '{"title":"x"}'})  # meets v1, as it always did
    with pytest.raises(sqlite3.IntegrityError, match="slot taken"):
        db.execute(update, kept | {"start_at": 5, "end_at": 25})
    db.execute(update, kept | {"start_at": 40, "end_at": 60})
    assert db.execute("SELECT dwelling_key FROM visit WHERE id = 'open'").fetchone()[0] == "p/7"


class Dwellings(RuleBasedStateMachine):
    """Random statements against the real schema; what should happen is told by the naive checker on a copy."""

    NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
    DWELLINGS = st.sampled_from(["p/7", "p/8", None])
    SPANS = st.tuples(st.integers(0, 30), st.integers(1, 12)).map(lambda one: (one[0], one[0] + one[1]))

    def __init__(self) -> None:
        super().__init__()
        self.db = database()
        self.unguarded = database()
        for trigger in TRIGGERS:
            self.unguarded.execute(f"DROP TRIGGER {trigger}")

    def _try(self, statement: str, values: dict[str, Any]) -> None:
        self.unguarded.execute("SAVEPOINT attempt")
        self.unguarded.execute(statement, values)
        if pairs(self.unguarded):
            self.unguarded.execute("ROLLBACK TO attempt")
            with pytest.raises(sqlite3.IntegrityError, match="slot taken"):
                self.db.execute(statement, values)
        else:
            self.db.execute(statement, values)
        self.unguarded.execute("RELEASE attempt")

    @rule(name=NAMES, dwelling=DWELLINGS, span=SPANS, holds=st.integers(0, 1))
    def replace(self, name: str, dwelling: str | None, span: tuple[int, int], holds: int) -> None:
        self._try(f"REPLACE {INSERT}", row(name, *span, dwelling=dwelling, holds=holds))

    @rule(name=NAMES, span=SPANS)
    def move(self, name: str, span: tuple[int, int]) -> None:
        self._try("UPDATE visit SET start_at = :start, end_at = :end WHERE id = :id", row(name, *span))

    @rule(name=NAMES, dwelling=DWELLINGS)
    def change(self, name: str, dwelling: str | None) -> None:
        self._try("UPDATE visit SET dwelling_key = :dwelling WHERE id = :id", row(name, 0, 1, dwelling=dwelling))

    @rule(name=NAMES, holds=st.integers(0, 1))
    def hold(self, name: str, holds: int) -> None:
        self._try("UPDATE visit SET holds = :holds WHERE id = :id", row(name, 0, 1, holds=holds))

    @invariant()
    def the_two_are_equal_and_legal(self) -> None:
        everything = "SELECT * FROM visit ORDER BY id"
        assert self.db.execute(everything).fetchall() == self.unguarded.execute(everything).fetchall()
        assert overlaps(SqliteDb(self.db, writable=False)) == []

    def teardown(self) -> None:
        self.db.close()
        self.unguarded.close()


TestDwellings = Dwellings.TestCase
TestDwellings.settings = settings(max_examples=80, stateful_step_count=30)
