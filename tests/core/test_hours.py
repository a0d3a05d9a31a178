"""Working hours against a plain reading of the wall clock, above all where clocks change."""

import itertools
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.event_type import Window
from syncd.core.hours import (
    Span,
    WorkingHours,
    booking_window_end,
    day_interval,
    days_from,
    local_day,
    open_hours,
    spans_on,
)
from syncd.core.ids import HoursId
from syncd.core.interval import Interval
from syncd.core.limits import LONGEST_WINDOW
from tests.core.oracles import MINUTE, minutes, open_minutes, transitions

SANTIAGO, NEW_YORK, ROME = "America/Santiago", "America/New_York", "Europe/Rome"
ZONES = (
    SANTIAGO, "America/Argentina/Buenos_Aires", ROME, "Europe/Berlin", "Europe/Madrid", "Australia/Lord_Howe",
)  # fmt: skip
DAY = timedelta(days=1)
S16: tuple[Span, ...] = (
    (time(0), time(3)), (time(9), time(13)), (time(13), time(18)), (time(20), time.max),
)  # fmt: skip


def every_day(*spans: Span, zone: str = SANTIAGO) -> WorkingHours:
    return WorkingHours(id=HoursId("h"), time_zone=zone, weekly=(spans,) * 7)


def whole(*days: date, zone: str = SANTIAGO) -> Interval:
    return Interval(day_interval(min(days), zone).start, day_interval(max(days), zone).end)


def covered(intervals: list[Interval], window: Interval, step: timedelta = MINUTE) -> set[datetime]:
    clipped = (one.clip(window) for one in intervals)
    return {moment for one in clipped if one is not None for moment in minutes(one.start, one.end, step)}


def on_the_wall(intervals: list[Interval], zone: str) -> list[str]:
    place = ZoneInfo(zone)
    return [f"{one.start.astimezone(place):%d %H:%M}-{one.end.astimezone(place):%d %H:%M}" for one in intervals]


# --- days -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ZONES)
def test_days_follow_one_another_without_gap_and_hold_exactly_their_own_moments(zone: str) -> None:
    place = ZoneInfo(zone)
    before: Interval | None = None
    for day in days_from(date(2020, 1, 1), date(2035, 12, 31)):
        one = day_interval(day, zone)
        assert before is None or before.end == one.start
        assert one.start.astimezone(place).date() == day == (one.end - timedelta(seconds=1)).astimezone(place).date()
        assert local_day(one.start, zone) == day == local_day(one.end - timedelta(microseconds=1), zone)
        assert (one.start - timedelta(microseconds=1)).astimezone(place).date() == day - DAY
        before = one


@pytest.mark.parametrize(
    ("zone", "lengths"),
    [
        (SANTIAGO, {23.0, 25.0}),
        ("America/Argentina/Buenos_Aires", set()),
        (ROME, {23.0, 25.0}),
        ("Europe/Berlin", {23.0, 25.0}),
        ("Europe/Madrid", {23.0, 25.0}),
        ("Australia/Lord_Howe", {23.5, 24.5}),
    ],
)
def test_only_the_days_on_which_clocks_change_are_longer_or_shorter(zone: str, lengths: set[float]) -> None:
    odd = {
        day: day_interval(day, zone).length / timedelta(hours=1)
        for day in days_from(date(2020, 1, 1), date(2035, 12, 31))
        if day_interval(day, zone).length != DAY
    }
    assert set(odd.values()) == lengths
    assert len(odd) == len(transitions(zone, 2020, 2035)) == (32 if lengths else 0)


def test_the_santiago_day_without_a_midnight_begins_at_one() -> None:
    spring, autumn = day_interval(date(2026, 9, 6), SANTIAGO), day_interval(date(2026, 4, 4), SANTIAGO)
    assert spring == Interval(datetime(2026, 9, 6, 4, tzinfo=UTC), datetime(2026, 9, 7, 3, tzinfo=UTC))
    assert autumn == Interval(datetime(2026, 4, 4, 3, tzinfo=UTC), datetime(2026, 4, 5, 4, tzinfo=UTC))


def test_a_gap_that_begins_before_midnight_still_gives_the_first_moment_of_the_day() -> None:
    """In Toronto, 1919-03-30, the clocks went from 23:30 to 00:30 (tz database)."""
    assert day_interval(date(1919, 3, 31), "America/Toronto").start == datetime(1919, 3, 31, 4, 30, tzinfo=UTC)


def test_a_day_that_a_zone_left_out_is_refused_and_has_no_open_hours() -> None:
    apia, missing = "Pacific/Apia", date(2011, 12, 30)
    with pytest.raises(ValueError, match="ends after it starts"):
        day_interval(missing, apia)
    around = Interval(datetime(2011, 12, 28, tzinfo=UTC), datetime(2012, 1, 2, tzinfo=UTC))
    starts = [
        one.start.astimezone(ZoneInfo(apia)) for one in open_hours(every_day((time(9), time(10)), zone=apia), around)
    ]
    assert missing not in [start.date() for start in starts]
    assert all(start.hour == 9 for start in starts) and [start.day for start in starts] == [28, 29, 31, 1, 2]


# --- open hours -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ZONES)
def test_open_hours_read_like_the_wall_clock_around_every_change(zone: str) -> None:
    odd = ((time(0), time(1, 40)), (time(1, 50), time(2, 10)), (time(2, 20), time(12)), (time(22, 45), time.max))
    for hours in (every_day(*odd, zone=zone), every_day(*S16, zone=zone)):
        for change in transitions(zone, 2020, 2035):
            window = Interval(change - 30 * timedelta(hours=1), change + 30 * timedelta(hours=1))
            expected = open_minutes(window.start, window.end, hours)
            assert covered(open_hours(hours, window), window) == expected, change


walls = st.one_of(st.integers(0, 24 * 12), st.sampled_from([0, 288])).map(
    lambda five: time.max if five == 288 else time(five // 12, five % 12 * 5)
)
day_spans = st.lists(st.tuples(walls, walls).filter(lambda pair: pair[0] < pair[1]), max_size=4).map(tuple)
weeks = st.tuples(day_spans, day_spans).map(lambda pair: (pair * 4)[:7])  # neighbouring days differ
zones = st.sampled_from((*ZONES, NEW_YORK, "Asia/Kathmandu", "Pacific/Apia", "Pacific/Kiritimati"))
days = st.dates(date(2024, 1, 1), date(2028, 12, 31))


@given(zones, days, weeks, weeks, st.dictionaries(st.integers(-2, 2), day_spans, max_size=2), st.integers(-3, 3))
@settings(max_examples=150)
def test_open_hours_are_the_minutes_that_the_rule_of_their_day_names(
    zone: str, day: date, weekly: tuple[tuple[Span, ...], ...], later: tuple[tuple[Span, ...], ...],
    dated: dict[int, tuple[Span, ...]], since: int,
) -> None:  # fmt: skip
    hours = WorkingHours(
        id=HoursId("h"),
        time_zone=zone,
        weekly=weekly,
        changes=((day + since * DAY, later),),
        dates={day + offset * DAY: spans for offset, spans in dated.items()},
        holidays=frozenset({day, day + DAY}),
    )
    window = whole(day - DAY, day + DAY, zone=zone)
    found = open_hours(hours, window)
    assert all(one.epoch[0] % 300 == one.epoch[1] % 300 == 0 for one in found)
    five = 5 * MINUTE
    assert covered(found, window, five) == open_minutes(window.start, window.end, hours, five)
    assert all(one.end <= following.start for one, following in itertools.pairwise(found))
    assert all(one.overlaps(window) for one in found)


@given(zones, days, weeks, st.integers(0, 200), st.integers(1, 100))
@settings(max_examples=150)
def test_where_an_open_interval_begins_does_not_depend_on_the_window(
    zone: str, day: date, weekly: tuple[tuple[Span, ...], ...], first: int, length: int
) -> None:
    hours = WorkingHours(id=HoursId("h"), time_zone=zone, weekly=weekly)
    wide = whole(day - DAY, day + 10 * DAY, zone=zone)
    start = day_interval(day, zone).start + timedelta(hours=first)
    window = Interval(start, start + timedelta(hours=length % 40 + 1))
    assert open_hours(hours, window) == [one for one in open_hours(hours, wide) if one.overlaps(window)]


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        (NEW_YORK, date(2026, 3, 8), ["07 20:00-08 03:00", "08 09:00-08 18:00", "08 20:00-09 03:00"]),
        (
            NEW_YORK,
            date(2026, 11, 1),
            ["31 20:00-01 01:00", "01 02:00-01 03:00", "01 09:00-01 18:00", "01 20:00-02 03:00"],
        ),
        (ROME, date(2026, 3, 29), ["28 20:00-29 03:00", "29 09:00-29 18:00", "29 20:00-30 03:00"]),
        (ROME, date(2026, 10, 25), ["24 20:00-25 02:00", "25 09:00-25 18:00", "25 20:00-26 03:00"]),
        (SANTIAGO, date(2026, 4, 4), ["03 20:00-04 03:00", "04 09:00-04 18:00", "04 20:00-04 23:00"]),
        (SANTIAGO, date(2026, 9, 6), ["05 20:00-06 03:00", "06 09:00-06 18:00", "06 20:00-07 03:00"]),
    ],
)  # fmt: skip
def test_the_days_of_a_clock_change_have_the_hours_of_the_configuration(
    zone: str, day: date, expected: list[str]
) -> None:
    """S16. An end that lies on the change reads as the clock after it: New York's 02:00 is 01:00 the second time."""
    found = open_hours(every_day(*S16, zone=zone), whole(day, zone=zone))
    assert on_the_wall(found, zone) == expected


def test_touching_rules_are_one_interval_across_midnight_too() -> None:
    hours = every_day((time(13), time(18)), (time(9), time(13)), (time(22), time.max), (time(0), time(2)))
    found = open_hours(hours, whole(date(2026, 5, 12)))
    assert on_the_wall(found, SANTIAGO) == ["11 22:00-12 02:00", "12 09:00-12 18:00", "12 22:00-13 02:00"]


def test_an_interval_is_whole_where_the_window_ends_inside_it() -> None:
    hours = every_day((time(22), time.max), (time(0), time(2)))
    night = Interval(datetime(2026, 5, 13, 2, 30, tzinfo=UTC), datetime(2026, 5, 13, 3, 0, tzinfo=UTC))  # 22:30-23:00
    assert on_the_wall(open_hours(hours, night), SANTIAGO) == ["12 22:00-13 02:00"]


def test_a_day_open_throughout_begins_an_interval_of_its_own() -> None:
    found = open_hours(every_day((time(0), time.max)), whole(date(2026, 5, 12), date(2026, 5, 13)))
    assert on_the_wall(found, SANTIAGO) == ["12 00:00-13 00:00", "13 00:00-14 00:00"]


def test_a_dated_day_beats_a_holiday_and_a_holiday_beats_the_week() -> None:
    nine, ten = ((time(9), time(10)),), ((time(10), time(11)),)
    first, second = date(2026, 12, 24), date(2026, 12, 25)
    hours = WorkingHours(
        id=HoursId("h"),
        time_zone=SANTIAGO,
        weekly=(nine,) * 7,
        dates={first: ten},
        holidays=frozenset({first, second}),
    )
    assert [spans_on(hours, day) for day in (first, second, second + DAY)] == [ten, (), nine]


def test_new_hours_start_on_their_day_while_the_old_ones_govern_the_days_before() -> None:
    nine, ten, eleven = ((time(9), time(10)),), ((time(10), time(11)),), ((time(11), time(12)),)
    hours = WorkingHours(
        id=HoursId("h"),
        time_zone=SANTIAGO,
        weekly=(nine,) * 7,
        changes=((date(2027, 3, 1), (ten,) * 7), (date(2027, 4, 1), (eleven,) * 7)),
    )
    days = [date(2027, 2, 28), date(2027, 3, 1), date(2027, 3, 31), date(2027, 4, 1)]
    assert [spans_on(hours, day) for day in days] == [nine, ten, ten, eleven]


# --- how far ahead --------------------------------------------------------------------------------------------------

MONDAY_NOON = datetime(2026, 5, 4, 16, 0, tzinfo=UTC)


def test_a_window_of_days_ends_that_long_after_now() -> None:
    assert booking_window_end(Window(ahead=30 * DAY), MONDAY_NOON, SANTIAGO, frozenset()) == MONDAY_NOON + 30 * DAY


@pytest.mark.parametrize(
    ("count", "holidays", "last"),
    [
        (0, (), date(2026, 5, 4)),
        (1, (), date(2026, 5, 5)),
        (4, (), date(2026, 5, 8)),
        (5, (), date(2026, 5, 11)),
        (15, (), date(2026, 5, 25)),
        (15, ("2026-05-21",), date(2026, 5, 26)),
        (15, ("2026-05-04", "2026-05-09", "2026-05-10"), date(2026, 5, 25)),  # today and a weekend: counted anyway
    ],
)
def test_a_window_of_business_days_ends_with_the_nth_one_after_today(
    count: int, holidays: tuple[str, ...], last: date
) -> None:
    end = booking_window_end(Window(business_days=count), MONDAY_NOON, SANTIAGO, frozenset(holidays))
    assert end == day_interval(last, SANTIAGO).end


def test_today_is_the_day_of_the_zone_and_not_of_utc() -> None:
    late = datetime(2026, 5, 5, 2, 0, tzinfo=UTC)  # Monday 22:00 in Santiago
    assert (
        booking_window_end(Window(business_days=1), late, SANTIAGO, frozenset())
        == day_interval(date(2026, 5, 5), SANTIAGO).end
    )


def test_a_window_without_a_rule_is_the_longest_one_and_of_two_rules_the_nearer_end_counts() -> None:
    assert booking_window_end(Window(), MONDAY_NOON, SANTIAGO, frozenset()) == MONDAY_NOON + LONGEST_WINDOW
    both = Window(ahead=2 * DAY, business_days=15)
    assert booking_window_end(both, MONDAY_NOON, SANTIAGO, frozenset()) == MONDAY_NOON + 2 * DAY


@given(st.integers(0, 40), st.integers(0, 60 * 24 * 30), st.sets(st.integers(0, 60), max_size=8))
def test_between_today_and_the_end_lie_exactly_that_many_business_days(count: int, offset: int, free: set[int]) -> None:
    now = MONDAY_NOON + timedelta(minutes=offset)
    holidays = frozenset((date(2026, 5, 4) + number * DAY).isoformat() for number in free)
    end = booking_window_end(Window(business_days=count), now, SANTIAGO, holidays)
    last = local_day(end - timedelta(seconds=1), SANTIAGO)
    after_today = days_from(local_day(now, SANTIAGO) + DAY, last)
    worked = [day for day in after_today if day.weekday() < 5 and day.isoformat() not in holidays]
    assert len(worked) == count and (count == 0 or worked[-1] == last)
