"""Which of a stranger's entries take an agent's time, and when so many deletions are suspect."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.busy import BusyBlock, BusyPolicy, Deletions, MassChange, RemoteEvent, Signal, block_of, blocks
from syncd.core.ids import CalendarId
from tests.core.values import NOW, TUESDAY, span

HOME = CalendarId("oficina/ana")
DEFAULTS = BusyPolicy()
TABLE = {  # scenario S14
    Signal.FREE: False,
    Signal.TENTATIVE: True,
    Signal.UNANSWERED: True,
    Signal.DECLINED: False,
    Signal.WORKING_ELSEWHERE: False,
    Signal.OUT_OF_OFFICE: True,
    Signal.PRIVATE: True,
    Signal.ORGANISED: True,
}


def event(*signals: Signal) -> RemoteEvent:
    return RemoteEvent(
        remote_id="/ana/9.ics", uid="9@elsewhere", interval=span(TUESDAY, 60), signals=frozenset(signals)
    )


def inverted(*signals: Signal) -> BusyPolicy:
    return replace(DEFAULTS, **{one.value: not TABLE[one] for one in signals})


def test_an_entry_that_says_nothing_more_than_its_time_blocks() -> None:
    assert blocks(event(), DEFAULTS)


@pytest.mark.parametrize("signal", TABLE)
def test_the_defaults_are_the_table_of_the_scenario_and_each_cell_can_be_inverted(signal: Signal) -> None:
    assert blocks(event(signal), DEFAULTS) == TABLE[signal]
    assert blocks(event(signal), inverted(signal)) != TABLE[signal]


@pytest.mark.parametrize("signal", TABLE)
def test_inverting_one_cell_changes_no_other(signal: Signal) -> None:
    others = [one for one in TABLE if one is not signal]
    assert [blocks(event(one), inverted(signal)) for one in others] == [TABLE[one] for one in others]


def test_a_cancelled_entry_never_blocks_whatever_the_policy_says() -> None:
    everything = BusyPolicy(declined=True, working_elsewhere=True, free=True)
    assert not blocks(event(Signal.CANCELLED), everything)
    assert not blocks(event(Signal.CANCELLED, Signal.OUT_OF_OFFICE, Signal.UNKNOWN), everything)


def test_an_entry_of_zero_length_never_blocks() -> None:
    nothing = replace(event(), interval=None)
    assert not blocks(nothing, DEFAULTS)
    assert block_of(nothing, HOME, DEFAULTS) is None


def test_a_word_that_nobody_knows_blocks_and_does_not_outweigh_one_that_is_known() -> None:
    assert blocks(event(Signal.UNKNOWN), DEFAULTS)
    assert not blocks(event(Signal.UNKNOWN, Signal.DECLINED), DEFAULTS)


@given(st.sets(st.sampled_from(list(TABLE))), st.sets(st.sampled_from(list(TABLE))))
def test_of_several_signals_the_most_free_one_decides(signals: set[Signal], flipped: set[Signal]) -> None:
    policy = inverted(*flipped)
    free = [one for one in signals if TABLE[one] == (one in flipped)]
    assert blocks(event(*signals), policy) == (not free)


def test_a_block_carries_the_time_and_the_name_of_its_entry_and_nothing_else() -> None:
    busy = replace(event(Signal.PRIVATE), title="Dentista", location="Centro", all_day=True, copied=True)
    assert block_of(busy, HOME, DEFAULTS) == BusyBlock(
        calendar=HOME, remote_id="/ana/9.ics", uid="9@elsewhere", interval=span(TUESDAY, 60), all_day=True, copied=True
    )
    assert block_of(event(Signal.FREE), HOME, DEFAULTS) is None


@pytest.mark.parametrize(
    ("deleted", "known", "tripped"),
    [(2, 0, False), (3, 0, True), (3, 10, True), (3, 15, False), (4, 15, True), (20, 100, False), (21, 100, True)],
)
def test_the_brake_trips_above_the_larger_of_count_and_ratio(deleted: int, known: int, tripped: bool) -> None:
    assert MassChange(count=2, ratio=0.2).tripped(deleted, known) is tripped


def test_deletions_of_the_last_minutes_add_up_and_older_ones_are_forgotten() -> None:
    minute = timedelta(minutes=1)
    seen = Deletions().plus([NOW - 20 * minute, NOW - 10 * minute]).plus([NOW])
    assert len(seen.at) == 3
    assert seen.recent(NOW - 10 * minute).at == (NOW - 10 * minute, NOW)
