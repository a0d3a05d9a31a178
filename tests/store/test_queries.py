"""The queries: each is used, each is right for SQLite, and the hot ones look at few rows."""

import re
from pathlib import Path

import pytest

from syncd.store import engine
from syncd.store.engine import chunks, queries, with_lists
from tests.store.test_guards import database

STORE = Path(engine.__file__).parent
SCANS = {  # whole tables that are small, or that only start and doctor look through
    "overlaps", "history_all", "visit_versions", "odd_holds", "calendar_all", "account_all", "inbox_counts",
    "notice_list", "claim_number", "work_depths", "work_failing", "blocks_lost",
}  # fmt: skip


def used() -> set[str]:
    """Return the names of queries that the code calls."""
    text = "\n".join(path.read_text() for path in STORE.glob("*.py"))
    return set(re.findall(r'"(\w+)"', text)) & set(queries())


def prepared(name: str) -> tuple[str, dict[str, object]]:
    """Return a query as SQLite sees it, each list three long, each value empty."""
    text = queries()[name]
    lists = {one: ["x", "y", "z"] for one in re.findall(r"\(:(\w+)\)", text) if f"IN (:{one})" in text}
    expanded, _ = with_lists(name, dict(lists))
    return expanded, dict.fromkeys(re.findall(r":(\w+)", expanded))


def test_every_query_is_used() -> None:
    assert set(queries()) == used()


def test_names_of_queries_are_not_taken_twice() -> None:
    texts = [file.read_text() for file in engine.QUERIES.glob("*.sql")]
    names = [name for text in texts for name in re.findall(r"^-- name: (\w+)", text, re.MULTILINE)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", sorted(queries()))
def test_each_query_is_right_for_sqlite_and_scans_no_table(name: str) -> None:
    database_ = database()
    text, values = prepared(name)
    plan = [line["detail"] for line in database_.execute(f"EXPLAIN QUERY PLAN {text}", values)]
    database_.close()
    scans = [line for line in plan if re.match(r"SCAN (?!CONSTANT|\(|holds_in_order)", line)]
    assert bool(scans) == (name in SCANS), plan


def test_a_list_is_spread_over_the_statement_in_few_sizes() -> None:
    text, values = with_lists("turn_counts", {"project": "p", "event_type": "e", "agents": ["a", "b", "c"]})
    assert "IN (:agents_0, :agents_1, :agents_2, :agents_3)" in text
    assert values == {
        "project": "p", "event_type": "e", "agents_0": "a", "agents_1": "b", "agents_2": "c", "agents_3": "c",
    }  # fmt: skip


@pytest.mark.parametrize(("given", "inside", "outside"), [([], 0, 1), (["1"], 1, 0), (["2", "3"], 0, 1)])
def test_an_empty_list_holds_nothing_and_leaves_out_nothing(given: list[str], inside: int, outside: int) -> None:
    queries()["probe_in"] = "SELECT 1 WHERE '1' IN (:given)"
    queries()["probe_out"] = "SELECT 1 WHERE '1' NOT IN (:given)"
    try:
        database_ = database()
        found = [
            len(database_.execute(*with_lists(name, {"given": given})).fetchall()) for name in ("probe_in", "probe_out")
        ]
        database_.close()
    finally:
        del queries()["probe_in"], queries()["probe_out"]
    assert found == [inside, outside]


def test_chunks_are_all_of_it_in_order() -> None:
    assert list(chunks([])) == []
    assert [len(one) for one in chunks(range(1_001))] == [500, 500, 1]
    assert [number for some in chunks(range(1_001)) for number in some] == list(range(1_001))
