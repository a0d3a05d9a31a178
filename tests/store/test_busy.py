"""The time that blocks take, packed: what the blocks say, whatever came and went, and found out when it is not."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.busy import BusyBlock
from syncd.core.ids import CalendarId
from syncd.core.interval import Interval
from syncd.store import Store, open_store
from syncd.store.busy import PERIOD, Span, pack, taken, unpack
from syncd.store.calendars import Entry
from tests.store.values import HOME, OTHER_HOME, START, entry
from tests.world.clock import VirtualClock

EDGE = 827 * PERIOD  # 2024-12-20: where one period ends and the next begins
NAMES = ("a", "b", "c", "d")
HOUR = 3600


@pytest.fixture
def store() -> Iterator[Store]:
    with closing(open_store(":memory:", VirtualClock(START), inline=True)) as found:
        yield found


def put(store: Store, name: str, *spans: Span, calendar: CalendarId = HOME, all_day: bool = False) -> None:
    blocks = tuple(
        BusyBlock(calendar=calendar, remote_id=name, uid=name, interval=Interval.of_epoch(*one), all_day=all_day)
        for one in spans
    )
    one = Entry(remote_id=name, uid=name, etag=str(spans), blocks=blocks)
    store.write(lambda tx: tx.calendars.put_entries(calendar, [one]))


def drop(store: Store, name: str) -> None:
    store.write(lambda tx: tx.calendars.drop_entries(HOME, [name]))


def spans(store: Store, window: Span, *, all_day: bool = True) -> list[Span]:
    with store.read() as tx:
        return tx.calendars.spans([HOME], window, all_day=all_day)[HOME]


# --- laws -----------------------------------------------------------------------------------------------------------

moments = st.integers(-12, 12).map(lambda hours: EDGE + hours * HOUR) | st.integers(EDGE - 3 * PERIOD, EDGE + PERIOD)
lengths = st.integers(1, 4).map(lambda hours: hours * HOUR) | st.integers(1, 3 * PERIOD)
somewhen = st.builds(lambda start, length: (start, start + length), moments, lengths)
changes = st.tuples(st.sampled_from(NAMES), st.lists(somewhen, max_size=3), st.booleans())


def overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def instants(some: list[Span], window: Span) -> list[Span]:
    """Return the same time inside a window in the one way it can be told: sorted, apart."""
    found: list[Span] = []
    for start, end in sorted((max(start, window[0]), min(end, window[1])) for start, end in some):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return found


@given(st.lists(changes, max_size=8), somewhen, st.booleans())
@settings(max_examples=150)
def test_whatever_came_and_went_spans_are_the_time_that_the_blocks_take(
    steps: list[tuple[str, list[Span], bool]], window: Span, with_days: bool
) -> None:
    known: dict[str, tuple[list[Span], bool]] = {}
    with closing(open_store(":memory:", VirtualClock(START), inline=True)) as store:
        for name, some, all_day in steps:
            if some or name not in known:
                put(store, name, *some, all_day=all_day)
                known[name] = (some, all_day)
            else:
                drop(store, name)
                del known[name]
        true = [one for some, all_day in known.values() if with_days or not all_day for one in some]
        found = spans(store, window, all_day=with_days)
        assert found == sorted(found) and all(overlap(one, window) for one in found)
        assert instants(found, window) == instants([one for one in true if overlap(one, window)], window)
        assert store.check() == []


@given(st.lists(somewhen))
def test_what_is_packed_comes_back(some: list[Span]) -> None:
    assert unpack(pack(some)) == some
    assert len(pack(some)) == 16 * len(some)


def test_packed_time_reads_the_same_on_every_machine() -> None:
    assert pack([(1, -2)]).hex() == "0100000000000000" + "feffffffffffffff"


@given(st.lists(st.tuples(moments, lengths, st.integers(0, 1))))
def test_spans_of_a_part_are_apart_and_begin_in_their_period(some: list[tuple[int, int, int]]) -> None:
    blocks = sorted((start, start + length, all_day) for start, length, all_day in some)
    for (period, _), found in taken(blocks).items():
        assert all(start // PERIOD == period for start, _ in found)
        assert all(end < start for (_, end), (start, _) in pairwise(found))


# --- edges ----------------------------------------------------------------------------------------------------------


def test_a_block_that_begins_periods_earlier_reaches_into_the_window(store: Store) -> None:
    put(store, "leave", (EDGE - 5 * PERIOD, EDGE + 10))
    put(store, "short", (EDGE - 5 * PERIOD, EDGE - 5 * PERIOD + 60))
    assert spans(store, (EDGE, EDGE + 60)) == [(EDGE - 5 * PERIOD, EDGE + 10)]
    assert spans(store, (EDGE + 10, EDGE + 60)) == []


def test_a_window_that_ends_where_a_period_begins_asks_nothing_of_it(store: Store) -> None:
    put(store, "before", (EDGE - 60, EDGE))
    put(store, "after", (EDGE, EDGE + 60))
    assert spans(store, (EDGE - 60, EDGE)) == [(EDGE - 60, EDGE)]
    assert spans(store, (EDGE - 60, EDGE + 1)) == [(EDGE - 60, EDGE), (EDGE, EDGE + 60)]


def test_blocks_of_the_last_century_are_kept_as_well(store: Store) -> None:
    put(store, "war", (-5 * PERIOD, -PERIOD - 1))
    assert spans(store, (-2 * PERIOD, -PERIOD)) == [(-5 * PERIOD, -PERIOD - 1)]


def test_an_entry_of_many_periods_leaves_nothing_behind(store: Store) -> None:
    put(store, "weekly", *[(EDGE + week * 7 * 86_400, EDGE + week * 7 * 86_400 + HOUR) for week in range(52)])
    assert len(spans(store, (EDGE, EDGE + 60 * PERIOD))) == 52
    drop(store, "weekly")
    assert spans(store, (EDGE, EDGE + 60 * PERIOD)) == []
    assert rows(store) == []


# --- what a store that was tampered with says -----------------------------------------------------------------------


def rows(store: Store, sql: str = "SELECT * FROM busy") -> list[tuple[object, ...]]:
    """Run a statement on the image of a store, and let the store become what is left."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.deserialize(store.snapshot())
        found = connection.execute(sql).fetchall()
        store.load(connection.serialize())
    return found


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM busy WHERE calendar_id = 1",
        "UPDATE busy SET until = until - 1 WHERE calendar_id = 1",
        "UPDATE busy SET spans = zeroblob(16) WHERE calendar_id = 1",
        "UPDATE busy SET all_day = 1 WHERE calendar_id = 1",
        "INSERT INTO busy VALUES (1, 3, 0, 7, zeroblob(16))",
    ],
)
def test_busy_time_that_is_not_what_the_blocks_say_is_found(store: Store, sql: str) -> None:
    put(store, "a", (EDGE, EDGE + 60))
    put(store, "b", (EDGE, EDGE + 60), calendar=OTHER_HOME)
    assert store.check() == []
    rows(store, sql)
    assert store.check() == [f"busy: what {HOME} takes is not what its blocks say"]
    put(store, "c", (EDGE + 90, EDGE + 120))
    drop(store, "c")
    assert (store.check() == []) == ("INSERT" not in sql)  # the period is worked out anew with the next change of it


def test_a_block_that_did_not_change_its_time_writes_no_busy_time(store: Store) -> None:
    store.write(lambda tx: tx.calendars.put_entries(HOME, [entry("e1", (0, 20))]))
    rows(store, "UPDATE busy SET until = 0")
    store.write(lambda tx: tx.calendars.put_entries(HOME, [entry("e1", (0, 20), etag="2")]))
    assert rows(store, "SELECT until FROM busy") == [(0,)]
