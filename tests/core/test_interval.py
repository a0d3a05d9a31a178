"""Laws of intervals, held against sets of minutes."""

import itertools
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.interval import Interval, merge, subtract

ZERO = datetime(2026, 5, 4, tzinfo=UTC)


def at(minute: int) -> datetime:
    return ZERO + timedelta(minutes=minute)


def span(start: int, end: int) -> Interval:
    return Interval(at(start), at(end))


def instants(*intervals: Interval) -> set[int]:
    """Return the minutes that intervals cover."""
    return {
        minute
        for one in intervals
        for minute in range(
            int((one.start - ZERO) / timedelta(minutes=1)), int((one.end - ZERO) / timedelta(minutes=1))
        )
    }


spans = st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda pair: span(pair[0], pair[0] + pair[1]))
many = st.lists(spans, max_size=12)


def test_an_interval_is_kept_in_utc_whatever_zone_it_came_in() -> None:
    santiago = timezone(timedelta(hours=-4))
    one = Interval(datetime(2026, 5, 12, 10, tzinfo=santiago), datetime(2026, 5, 12, 11, tzinfo=santiago))
    assert one.start.tzinfo is UTC and one.start.hour == 14
    assert one == Interval(datetime(2026, 5, 12, 14, tzinfo=UTC), datetime(2026, 5, 12, 15, tzinfo=UTC))


@pytest.mark.parametrize("end", [0, -5])
def test_an_interval_ends_after_it_starts(end: int) -> None:
    with pytest.raises(ValueError, match="ends after it starts"):
        span(0, end)


def test_an_interval_refuses_a_time_without_a_zone() -> None:
    naive = ZERO.replace(tzinfo=None)
    for start, end in ((naive, at(1)), (ZERO, naive + timedelta(hours=1))):
        with pytest.raises(ValueError, match="aware"):
            Interval(start, end)


@given(spans)
def test_an_interval_survives_the_way_through_epoch_seconds(one: Interval) -> None:
    assert Interval.of_epoch(*one.epoch) == one


@given(spans, spans)
def test_intervals_overlap_when_they_share_an_instant(one: Interval, other: Interval) -> None:
    assert one.overlaps(other) == bool(instants(one) & instants(other)) == other.overlaps(one)


def test_touching_intervals_do_not_overlap() -> None:
    assert not span(0, 10).overlaps(span(10, 20))
    assert not span(10, 20).overlaps(span(0, 10))


@given(spans, spans)
def test_an_interval_contains_another_when_it_has_all_its_instants(one: Interval, other: Interval) -> None:
    assert one.contains(other) == (instants(other) <= instants(one))


@given(spans, spans)
def test_clipping_keeps_the_common_instants(one: Interval, window: Interval) -> None:
    clipped = one.clip(window)
    assert (instants(clipped) if clipped else set()) == instants(one) & instants(window)
    assert clipped == window.clip(one)


@given(spans, st.integers(0, 30), st.integers(0, 30))
def test_padding_adds_on_both_sides_and_can_be_taken_back(one: Interval, before: int, after: int) -> None:
    padded = one.pad(timedelta(minutes=before), timedelta(minutes=after))
    assert padded.length == one.length + timedelta(minutes=before + after)
    assert padded.contains(one)
    assert padded.pad(-timedelta(minutes=before), -timedelta(minutes=after)) == one


@given(spans, st.integers(-90, 90))
def test_shifting_keeps_the_length(one: Interval, minutes: int) -> None:
    by = timedelta(minutes=minutes)
    assert one.shift(by).length == one.length
    assert one.shift(by).shift(-by) == one


@given(many)
def test_merging_keeps_every_instant_and_leaves_gaps_between(parts: list[Interval]) -> None:
    merged = merge(parts)
    assert instants(*merged) == instants(*parts)
    assert all(one.end < following.start for one, following in itertools.pairwise(merged))


@given(many)
def test_merging_twice_or_in_another_order_changes_nothing(parts: list[Interval]) -> None:
    assert merge(merge(parts)) == merge(parts) == merge(reversed(parts))


def test_touching_intervals_merge_into_one() -> None:
    assert merge([span(10, 20), span(0, 10)]) == [span(0, 20)]


@given(many, many)
def test_subtracting_leaves_what_the_holes_do_not_cover(whole: list[Interval], holes: list[Interval]) -> None:
    left = subtract(whole, holes)
    assert instants(*left) == instants(*whole) - instants(*holes)
    assert merge(left) == left


@given(many, many)
def test_what_is_left_and_what_was_taken_make_the_whole_again(whole: list[Interval], holes: list[Interval]) -> None:
    left = subtract(whole, holes)
    taken = subtract(whole, left)
    assert merge([*left, *taken]) == merge(whole)
    assert not any(one.overlaps(other) for one in left for other in taken)


@given(many)
def test_nothing_is_left_of_a_whole_without_itself(whole: list[Interval]) -> None:
    assert subtract(whole, whole) == []
    assert subtract(whole, []) == merge(whole)
