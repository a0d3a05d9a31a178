"""The database itself refuses overlaps, whatever statement tries (G2), and a naive checker agrees with it."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from syncd.store.migrate import migrate
from syncd.store.sqlite_db import SqliteDb, connect, prepare
from syncd.store.sweep import overlaps

COLUMNS = "id, version, state, agent_id, start_at, end_at, guard_start, guard_end, holds, source_account, details"
VALUES = ":id, 1, 'confirmed', :agent, :start, :end, :start, :end, :holds, 'panel', '{}'"
INSERT = f"INTO visit ({COLUMNS}) VALUES ({VALUES})"


def database() -> sqlite3.Connection:
    """Return an empty database with our schema, in memory."""
    made = prepare(connect(":memory:"), checkpoints=True)
    migrate(made, lambda version: None)
    return made


def row(name: str, start: int, end: int, *, agent: str = "ana", holds: int = 1) -> dict[str, Any]:
    return {"id": name, "agent": agent, "start": start, "end": end, "holds": holds}


def overlapping_pairs(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Compare every hold with every other: slow, plain, and with nothing in common with the guards."""
    held = db.execute("SELECT id, agent_id, guard_start, guard_end FROM visit WHERE holds = 1").fetchall()
    return [
        (one[0], other[0])
        for one in held
        for other in held
        if one[0] < other[0] and one[1] == other[1] and one[2] < other[3] and other[2] < one[3]
    ]


# Each is tried on v1 = ana [0, 20), v2 = ana [100, 120), v3 = beto [0, 20), free = ana [0, 20) holding nothing.
ATTEMPTS = {
    "insert": f"INSERT {INSERT}",
    "insert or ignore": f"INSERT OR IGNORE {INSERT}",
    "insert or replace": f"INSERT OR REPLACE {INSERT}",
    "insert or fail": f"INSERT OR FAIL {INSERT}",
    "insert or abort": f"INSERT OR ABORT {INSERT}",
    "insert or rollback": f"INSERT OR ROLLBACK {INSERT}",
    "replace": f"REPLACE {INSERT}",
    "insert from select": f"INSERT INTO visit ({COLUMNS}) SELECT {VALUES}",
    "insert of many": f"INSERT INTO visit ({COLUMNS}) VALUES ({VALUES.replace(':id', ':id || 1')}), ({VALUES})",
    "upsert of a new row": f"INSERT {INSERT} ON CONFLICT (id) DO UPDATE SET title = 'x'".replace("title", "details"),
    "upsert or nothing": f"INSERT {INSERT} ON CONFLICT DO NOTHING",
    "replace of a row elsewhere": f"REPLACE {INSERT}".replace(":id", "'v2'"),
    "upsert of a row elsewhere": (
        f"INSERT {INSERT.replace(':id', chr(39) + 'v2' + chr(39))} "
        "ON CONFLICT (id) DO UPDATE SET guard_start = excluded.guard_start, guard_end = excluded.guard_end"
    ),
    "upsert that only moves": (
        f"INSERT INTO visit ({COLUMNS}) VALUES ('v2', 1, 'confirmed', 'carla', 900, 920, 900, 920, 1, 'panel', '{{}}') "
        "ON CONFLICT (id) DO UPDATE SET guard_start = :start, guard_end = :end"
    ),
    "lengthen": "UPDATE visit SET guard_start = :start WHERE id = 'v2'",
    "move": "UPDATE visit SET guard_start = :start, guard_end = :end WHERE id = 'v2'",
    "update or replace": "UPDATE OR REPLACE visit SET guard_start = :start, guard_end = :end WHERE id = 'v2'",
    "update or ignore": "UPDATE OR IGNORE visit SET guard_start = :start, guard_end = :end WHERE id = 'v2'",
    "change of host": "UPDATE visit SET agent_id = 'ana' WHERE id = 'v3'",
    "un-cancel": "UPDATE visit SET holds = 1 WHERE id = 'free'",
    "update from": (
        "UPDATE visit SET guard_start = w.s, guard_end = w.e FROM (SELECT :start AS s, :end AS e) AS w WHERE id = 'v2'"
    ),
    "rename": "UPDATE visit SET id = 'v9', guard_start = :start, guard_end = :end WHERE id = 'v2'",
}


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    made = database()
    rows = [row("v1", 0, 20), row("v2", 100, 120), row("v3", 0, 20, agent="beto"), row("free", 0, 20, holds=0)]
    made.executemany(f"INSERT {INSERT}", rows)
    yield made
    made.close()


@pytest.mark.parametrize("span", [(0, 20), (5, 10), (-5, 1), (19, 40), (-50, 50)])
@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_g2_no_statement_makes_two_holds_of_one_agent_overlap(
    db: sqlite3.Connection, attempt: str, span: tuple[int, int]
) -> None:
    before = db.execute("SELECT * FROM visit ORDER BY id").fetchall()
    with pytest.raises(sqlite3.IntegrityError, match="slot taken"):
        db.execute(attempt, row("new", *span))
    assert overlapping_pairs(db) == []
    assert db.execute("SELECT * FROM visit ORDER BY id").fetchall() == before


FINE = {
    "insert beside": (f"INSERT {INSERT}", row("new", 20, 100)),
    "insert for another": (f"INSERT {INSERT}", row("new", 0, 20, agent="carla")),
    "insert of what holds nothing": (f"INSERT {INSERT}", row("new", 0, 20, holds=0)),
    "upsert onto itself": (f"INSERT {INSERT} ON CONFLICT (id) DO UPDATE SET details = '{{}}'", row("v1", 0, 20)),
    "replace of itself": (f"REPLACE {INSERT}", row("v1", 5, 25)),
    "lengthen up to the neighbour": ("UPDATE visit SET guard_end = 100 WHERE id = 'v1'", {}),
    "shorten": ("UPDATE visit SET guard_end = 10 WHERE id = 'v1'", {}),
    "cancel": ("UPDATE visit SET holds = 0 WHERE id = 'v1'", {}),
    "retitle": ("UPDATE visit SET details = '{\"title\":\"x\"}' WHERE id = 'v1'", {}),
}


@pytest.mark.parametrize("case", FINE.values(), ids=FINE)
def test_what_overlaps_nothing_is_let_through(db: sqlite3.Connection, case: tuple[str, dict[str, Any]]) -> None:
    assert db.execute(*case).rowcount == 1


def test_the_guard_looks_at_one_row_of_an_index_however_many_there_are(db: sqlite3.Connection) -> None:
    named = "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'visit_%_guard'"
    triggers = [text for (text,) in db.execute(named)]
    assert len(triggers) == 2
    for trigger in triggers:
        inner = trigger[trigger.index("(SELECT") + 1 : trigger.index("LIMIT 1)") + len("LIMIT 1")]
        for name in ("new.agent_id", "new.guard_end", "new.id", "old.id"):
            inner = inner.replace(name, "?1")
        plan = " ".join(line[3] for line in db.execute(f"EXPLAIN QUERY PLAN {inner}", ("x",)))
        assert plan == "SEARCH visit USING INDEX visit_holds (agent_id=? AND guard_start<?)"


def test_the_sweep_finds_what_the_guards_were_not_there_to_prevent(db: sqlite3.Connection) -> None:
    assert overlaps(SqliteDb(db, writable=False)) == []
    db.execute("DROP TRIGGER visit_insert_guard")
    db.executemany(
        f"INSERT {INSERT}", [row("v7", 110, 115), row("v8", 112, 130), row("long", 400, 900), row("in", 899, 950)]
    )
    found = overlaps(SqliteDb(db, writable=False))
    named = [text.rpartition(" by ")[2] for text in found]
    assert named == ["v2, v7", "v2, v7, v8", "long, in"]


class Holds(RuleBasedStateMachine):
    """Random statements against the real schema; what should happen is told by the naive checker on a copy."""

    NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
    AGENTS = st.sampled_from(["ana", "beto"])
    SPANS = st.tuples(st.integers(0, 30), st.integers(1, 12)).map(lambda one: (one[0], one[0] + one[1]))

    def __init__(self) -> None:
        super().__init__()
        self.db = database()
        self.unguarded = database()
        for trigger in ("visit_insert_guard", "visit_update_guard"):
            self.unguarded.execute(f"DROP TRIGGER {trigger}")

    def _try(self, statement: str, values: dict[str, Any]) -> None:
        """A statement is refused exactly when it would make an overlap; otherwise both databases stay equal."""
        self.unguarded.execute("SAVEPOINT attempt")
        self.unguarded.execute(statement, values)
        illegal = bool(overlapping_pairs(self.unguarded))
        if illegal:
            self.unguarded.execute("ROLLBACK TO attempt")
            with pytest.raises(sqlite3.IntegrityError, match="slot taken"):
                self.db.execute(statement, values)
        else:
            self.db.execute(statement, values)
        self.unguarded.execute("RELEASE attempt")

    @rule(name=NAMES, agent=AGENTS, span=SPANS, holds=st.integers(0, 1))
    def replace(self, name: str, agent: str, span: tuple[int, int], holds: int) -> None:
        self._try(f"REPLACE {INSERT}", row(name, *span, agent=agent, holds=holds))

    @rule(name=NAMES, agent=AGENTS, span=SPANS)
    def upsert(self, name: str, agent: str, span: tuple[int, int]) -> None:
        statement = (
            f"INSERT {INSERT} ON CONFLICT (id) DO UPDATE SET agent_id = excluded.agent_id, holds = excluded.holds, "
            "guard_start = excluded.guard_start, guard_end = excluded.guard_end"
        )
        self._try(statement, row(name, *span, agent=agent))

    @rule(name=NAMES, span=SPANS)
    def move(self, name: str, span: tuple[int, int]) -> None:
        self._try("UPDATE visit SET guard_start = :start, guard_end = :end WHERE id = :id", row(name, *span))

    @rule(name=NAMES, agent=AGENTS)
    def reassign(self, name: str, agent: str) -> None:
        self._try("UPDATE visit SET agent_id = :agent WHERE id = :id", row(name, 0, 1, agent=agent))

    @rule(name=NAMES, holds=st.integers(0, 1))
    def hold(self, name: str, holds: int) -> None:
        self._try("UPDATE visit SET holds = :holds WHERE id = :id", row(name, 0, 1, holds=holds))

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        self._try("DELETE FROM visit WHERE id = :id", row(name, 0, 1))

    @invariant()
    def the_two_are_equal_and_legal(self) -> None:
        everything = "SELECT * FROM visit ORDER BY id"
        assert [tuple(one) for one in self.db.execute(everything)] == [
            tuple(one) for one in self.unguarded.execute(everything)
        ]
        assert overlaps(SqliteDb(self.db, writable=False)) == []

    def teardown(self) -> None:
        self.db.close()
        self.unguarded.close()


TestHolds = Holds.TestCase
TestHolds.settings = settings(max_examples=120, stateful_step_count=40)
