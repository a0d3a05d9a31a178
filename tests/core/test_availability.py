"""Slots, and that what is listed is exactly what is accepted, against a plain reading of the same rules."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.availability import HostTime, bookable, policy_reason, slots
from syncd.core.event_type import Assignment, EventType, Window
from syncd.core.hours import Span, Week, WorkingHours, day_interval, open_spans
from syncd.core.ids import AgentId, EventTypeId, HoursId
from syncd.core.interval import Interval
from tests.core.oracles import NaiveHost, minutes

SANTIAGO = "America/Santiago"
HERE = ZoneInfo(SANTIAGO)
DAY, FIVE = timedelta(days=1), timedelta(minutes=5)
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)  # Monday 08:00 in Santiago
TUESDAY = date(2026, 5, 12)
NOTHING: frozenset[str] = frozenset()
OFFICE = WorkingHours(id=HoursId("oficina"), time_zone=SANTIAGO, weekly=(((time(9), time(18)),),) * 5 + ((),) * 2)
STANDARD = EventType(
    id=EventTypeId("visita"),
    name="Visita",
    duration=timedelta(minutes=20),
    buffer_after=timedelta(minutes=10),
    increment=timedelta(minutes=30),
    minimum_notice=timedelta(hours=12),
    same_day=False,
    window=Window(business_days=15),
)
EVERY_FIVE = replace(STANDARD, buffer_after=timedelta(0), increment=FIVE)


def at(clock: str, day: date = TUESDAY) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), HERE).astimezone(UTC)


def span(start: str, end: str, day: date = TUESDAY) -> tuple[int, int]:
    return Interval(at(start, day), at(end, day)).epoch


def host(
    *,
    busy: Sequence[tuple[int, int]] = (),
    holds: Sequence[tuple[int, int]] = (),
    hours: WorkingHours = OFFICE,
    around: Interval | None = None,
    closed: str | None = None,
    counts: dict[date, int] | None = None,
    agent: str = "ana",
) -> HostTime:
    window = around or Interval(NOW - DAY, NOW + 40 * DAY)
    return HostTime(
        agent=AgentId(agent),
        open=open_spans(hours, window),
        busy=sorted(busy),
        holds=sorted(holds),
        closed=closed,
        counts=counts or {},
    )


def verdict(event_type: EventType, one: HostTime, start: datetime, now: datetime = NOW) -> str | None:
    return bookable(event_type, one, start, now, SANTIAGO, NOTHING)


def listed(event_type: EventType, *hosts: HostTime, day: date = TUESDAY, now: datetime = NOW) -> list[str]:
    """List the slots of one day as clock times."""
    found = slots(event_type, hosts, day_interval(day, SANTIAGO), now, SANTIAGO, NOTHING)
    return [f"{slot.interval.start.astimezone(HERE):%H:%M}" for slot in found]


# --- S02: overlap, not equality -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clock", "reason"), [("10:10", "slot_taken"), ("09:50", "slot_taken"), ("10:25", "slot_taken"), ("10:30", None)]
)
def test_a_start_whose_guard_overlaps_a_hold_is_taken(clock: str, reason: str | None) -> None:
    ana = host(holds=[span("10:00", "10:30")])
    assert verdict(STANDARD, ana, at(clock)) == reason


def test_touching_visits_do_not_overlap() -> None:
    ana = host(holds=[span("10:00", "10:20")])
    assert [verdict(EVERY_FIVE, ana, at(clock)) for clock in ("09:40", "09:45", "10:15", "10:20")] == [
        None, "slot_taken", "slot_taken", None,
    ]  # fmt: skip


# --- S19: buffers meet foreign events -------------------------------------------------------------------------------

BUFFERED = replace(STANDARD, buffer_before=timedelta(minutes=15), buffer_after=timedelta(minutes=10), increment=FIVE)


@pytest.mark.parametrize(
    ("clock", "reason"),
    [("13:30", None), ("13:35", "busy"), ("13:40", "busy"), ("15:00", "busy"), ("15:10", "busy"), ("15:15", None)],
)
def test_buffers_keep_their_distance_from_a_foreign_event(clock: str, reason: str | None) -> None:
    ana = host(busy=[span("14:00", "15:00")])
    assert verdict(BUFFERED, ana, at(clock)) == reason
    assert (clock in listed(BUFFERED, ana)) == (reason is None)


def test_buffers_may_reach_outside_open_hours_and_the_visit_may_not() -> None:
    offered = listed(BUFFERED, host())
    assert (offered[0], offered[-1]) == ("09:00", "17:40")
    assert verdict(BUFFERED, host(), at("08:55")) == "hours"
    assert verdict(BUFFERED, host(), at("17:45")) == "hours"


# --- S21: minimum notice and same day -------------------------------------------------------------------------------


def test_notice_is_elapsed_time() -> None:
    kind = replace(STANDARD, same_day=True)
    start = at("10:00")
    assert verdict(kind, host(), start, start - timedelta(hours=12)) is None
    assert verdict(kind, host(), start, start - timedelta(hours=12) + timedelta(microseconds=1)) == "notice"
    assert listed(kind, host(), now=start - timedelta(hours=12))[0] == "10:00"
    assert listed(kind, host(), now=start - timedelta(hours=12) + timedelta(microseconds=1))[0] == "10:30"


def test_notice_over_a_clock_change_counts_the_hours_that_pass() -> None:
    kind = replace(STANDARD, same_day=True)
    change = date(2026, 9, 6)
    everyday = WorkingHours(id=HoursId("h"), time_zone=SANTIAGO, weekly=(((time(9), time(18)),),) * 7)
    ana = host(hours=everyday, around=day_interval(change, SANTIAGO))
    assert verdict(kind, ana, at("09:00", change), at("20:00", change - DAY)) is None  # 12 h, though clocks show 13
    assert verdict(kind, ana, at("09:00", change), at("20:01", change - DAY)) == "notice"


def test_the_same_day_is_closed_even_with_enough_notice() -> None:
    just_past_midnight = at("00:30")
    assert verdict(STANDARD, host(), at("17:30"), just_past_midnight) == "same_day"
    assert verdict(replace(STANDARD, same_day=True), host(), at("17:30"), just_past_midnight) is None
    assert listed(STANDARD, host(), now=just_past_midnight) == []


def test_the_day_after_is_open_as_soon_as_the_notice_allows() -> None:
    assert verdict(STANDARD, host(), at("17:30"), at("23:59", TUESDAY - DAY)) is None
    assert listed(STANDARD, host(), now=at("23:59", TUESDAY - DAY))[0] == "12:00"


def test_the_same_day_is_the_calendar_day_of_the_project_and_not_of_utc() -> None:
    kind = replace(STANDARD, minimum_notice=timedelta(0))
    evening = datetime(2026, 5, 12, 1, 0, tzinfo=UTC)  # Monday 21:00 in Santiago
    assert verdict(kind, host(), at("09:00"), evening) is None


def test_a_start_in_the_past_is_refused_for_want_of_notice() -> None:
    kind = replace(STANDARD, minimum_notice=timedelta(0), same_day=True)
    assert verdict(kind, host(), at("10:00"), at("10:01")) == "notice"
    assert listed(kind, host(), now=at("10:01"))[0] == "10:30"


# --- the grid -------------------------------------------------------------------------------------------------------


def test_starts_step_by_the_increment_from_the_beginning_of_open_time() -> None:
    odd = replace(OFFICE, weekly=(((time(9, 10), time(11)),),) * 7)
    assert listed(STANDARD, host(hours=odd)) == ["09:10", "09:40", "10:10", "10:40"]
    assert verdict(STANDARD, host(hours=odd), at("10:00")) == "not_offered"
    assert verdict(STANDARD, host(hours=odd), at("09:10") + timedelta(seconds=1)) == "not_offered"
    assert verdict(STANDARD, host(hours=odd), at("09:10") + timedelta(microseconds=1)) == "not_offered"


def test_a_grid_goes_on_through_rules_that_touch() -> None:
    touching = replace(OFFICE, weekly=(((time(9), time(13)), (time(13), time(18))),) * 7)
    kind = replace(STANDARD, duration=timedelta(minutes=50), increment=timedelta(minutes=50))
    assert listed(kind, host(hours=touching)) == listed(kind, host())
    assert "12:20" in listed(kind, host(hours=touching))


def test_a_grid_goes_on_past_midnight() -> None:
    nightly = replace(OFFICE, weekly=(((time(0), time(1, 10)), (time(23, 10), time.max)),) * 7)
    kind = replace(STANDARD, duration=timedelta(minutes=40), increment=timedelta(minutes=40))
    assert listed(kind, host(hours=nightly)) == ["00:30", "23:10", "23:50"]


def test_an_agent_who_never_closes_has_a_grid_that_begins_at_midnight_and_visits_that_cross_it() -> None:
    always = replace(OFFICE, weekly=(((time(0), time.max),),) * 7)
    kind = replace(STANDARD, duration=timedelta(minutes=50), increment=timedelta(minutes=50))
    ana = host(hours=always)
    offered = listed(kind, ana)
    assert (offered[0], offered[-1], len(offered)) == ("00:00", "23:20", 29)
    assert verdict(kind, ana, at("23:20")) is None
    assert verdict(kind, ana, at("23:50")) == "not_offered"


# --- S16: across clock changes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "change", "missing", "repeated"),
    [
        ("America/New_York", date(2026, 3, 8), {"02:00", "02:30"}, set()),
        ("America/New_York", date(2026, 11, 1), set(), {"01:00", "01:30"}),
        ("Europe/Rome", date(2026, 3, 29), {"02:00", "02:30"}, set()),
        ("Europe/Rome", date(2026, 10, 25), set(), {"02:00", "02:30"}),
        (SANTIAGO, date(2026, 4, 4), set(), {"23:00", "23:30"}),
        (SANTIAGO, date(2026, 9, 6), {"00:00", "00:30"}, set()),
    ],
)
def test_slots_around_a_clock_change_show_each_wall_time_once(
    zone: str, change: date, missing: set[str], repeated: set[str]
) -> None:
    """Each listed slot is accepted as well; the night's two rules and the day's two touching ones are one each."""
    night_and_day: tuple[Span, ...] = (
        (time(0), time(3)), (time(9), time(13)), (time(13), time(18)), (time(20), time.max),
    )  # fmt: skip
    hours = WorkingHours(id=HoursId("h"), time_zone=zone, weekly=(night_and_day,) * 7)
    place, window = (
        ZoneInfo(zone),
        Interval(day_interval(change - DAY, zone).start, day_interval(change + DAY, zone).end),
    )
    ana = host(hours=hours, around=window)
    now = day_interval(change - 3 * DAY, zone).start
    found = [slot.interval.start for slot in slots(STANDARD, [ana], window, now, zone, NOTHING)]
    usual = [
        f"{half // 2:02}:{half % 2 * 30:02}"
        for half in range(48)
        if half not in range(6, 18) and half not in range(36, 40)
    ]
    for day in (change - DAY, change, change + DAY):
        walls = [f"{one.astimezone(place):%H:%M}" for one in found if one.astimezone(place).date() == day]
        assert walls == [wall for wall in usual if day != change or wall not in missing]
    assert all(one.astimezone(place).fold == 0 for one in found)
    assert repeated <= {f"{one.astimezone(place):%H:%M}" for one in found}
    assert {bookable(STANDARD, ana, one, now, zone, NOTHING) for one in found} == {None}


# --- S13: all-day events --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("day", [date(2026, 9, 6), date(2026, 4, 4)])
def test_a_blocked_day_leaves_no_slot_in_it_and_its_neighbours_untouched(day: date) -> None:
    everyday = WorkingHours(id=HoursId("h"), time_zone=SANTIAGO, weekly=(((time(0), time.max),),) * 7)
    around = Interval(day_interval(day - DAY, SANTIAGO).start, day_interval(day + DAY, SANTIAGO).end)
    now = day_interval(day - 3 * DAY, SANTIAGO).start
    kind = replace(STANDARD, window=Window(ahead=30 * DAY), buffer_after=timedelta(0))
    blocked = host(hours=everyday, around=around, busy=[day_interval(day, SANTIAGO).epoch])
    free = host(hours=everyday, around=around)
    assert listed(kind, blocked, day=day, now=now) == []
    assert verdict(kind, blocked, at("12:00", day), now) == "busy"
    for neighbour in (day - DAY, day + DAY):
        assert listed(kind, blocked, day=neighbour, now=now) == listed(kind, free, day=neighbour, now=now) != []


# --- window, cap, closed hosts, several hosts -----------------------------------------------------------------------


def test_the_window_ends_with_the_fifteenth_business_day() -> None:
    last, beyond = date(2026, 5, 25), date(2026, 5, 26)
    assert verdict(STANDARD, host(), at("17:30", last)) is None
    assert verdict(STANDARD, host(), at("09:00", beyond)) == "window"
    assert listed(STANDARD, host(), day=last)[-1] == "17:30"
    assert listed(STANDARD, host(), day=beyond) == []


def test_a_full_day_is_closed_for_that_event_type_and_the_next_one_is_not() -> None:
    kind = replace(STANDARD, daily_cap=2)
    ana = host(counts={TUESDAY: 2, TUESDAY + DAY: 1})
    assert verdict(kind, ana, at("10:00")) == "limit"
    assert listed(kind, ana) == []
    assert listed(kind, ana, day=TUESDAY + DAY) == listed(kind, host(), day=TUESDAY + DAY) != []


def test_a_cap_of_none_is_no_cap_and_a_cap_of_zero_offers_nothing() -> None:
    assert listed(replace(STANDARD, daily_cap=None), host(counts={TUESDAY: 99})) != []
    assert listed(replace(STANDARD, daily_cap=0), host()) == []
    assert verdict(replace(STANDARD, daily_cap=0), host(), at("10:00")) == "limit"


def test_a_host_whose_busy_time_is_unknown_is_not_offered_and_a_colleague_is() -> None:
    ana, beto = host(closed="never read"), host(agent="beto")
    assert verdict(STANDARD, ana, at("10:00")) == "unknown"
    found = slots(STANDARD, [ana, beto], day_interval(TUESDAY, SANTIAGO), NOW, SANTIAGO, NOTHING)
    assert {slot.hosts_free for slot in found} == {1}
    assert listed(STANDARD, ana) == []


def test_slots_say_how_many_hosts_are_free() -> None:
    ana, beto = host(busy=[span("10:00", "10:30")]), host(agent="beto", holds=[span("11:00", "11:30")])
    found = slots(STANDARD, [ana, beto], day_interval(TUESDAY, SANTIAGO), NOW, SANTIAGO, NOTHING)
    free = {f"{slot.interval.start.astimezone(HERE):%H:%M}": slot.hosts_free for slot in found}
    assert [free[clock] for clock in ("09:30", "10:00", "10:30", "11:00", "11:30")] == [2, 1, 2, 1, 2]


def test_hosts_with_other_hours_are_listed_each_on_the_own_grid() -> None:
    odd = replace(OFFICE, weekly=(((time(9, 10), time(10)),),) * 7)
    assert listed(STANDARD, host(hours=odd), host(agent="beto"))[:5] == ["09:00", "09:10", "09:30", "09:40", "10:00"]


def test_more_hosts_are_counted_than_fit_into_a_byte() -> None:
    odd = replace(OFFICE, weekly=(((time(9, 30), time(10)),),) * 7)
    hosts = [host(agent=f"agent{number}") for number in range(600)] + [host(hours=odd)]
    busy = host(busy=[span("10:00", "10:30")], agent="busy")
    found = slots(STANDARD, [*hosts, busy], day_interval(TUESDAY, SANTIAGO), NOW, SANTIAGO, NOTHING)
    assert [slot.hosts_free for slot in found[:4]] == [601, 602, 600, 601]


def test_a_collective_visit_needs_every_host() -> None:
    kind = replace(STANDARD, assignment=Assignment.COLLECTIVE)
    ana, beto = host(busy=[span("10:00", "10:30")]), host(agent="beto")
    both = listed(kind, ana, beto)
    assert "10:00" not in both and "10:30" in both
    assert listed(kind, host(closed="never read"), beto) == []


def test_without_hosts_there_are_no_slots() -> None:
    assert listed(STANDARD) == []
    assert listed(replace(STANDARD, assignment=Assignment.COLLECTIVE)) == []


# --- what a scheduler booked ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "booked_at", "ana", "reason"),
    [
        ("10:00", NOW, host(), None),
        ("10:07", NOW, host(), None),  # the grid is the scheduler's own
        ("10:00", NOW, host(closed="never read"), None),
        ("10:00", at("23:00", TUESDAY - DAY), host(), "notice"),
        ("17:30", at("00:30"), host(), "same_day"),
        ("08:30", NOW, host(), "hours"),
        ("17:50", NOW, host(), "hours"),
        ("10:00", NOW - 40 * DAY, host(), "window"),
        ("10:00", NOW, host(counts={TUESDAY: 8}), "limit"),
        ("10:00", NOW, host(busy=[span("10:25", "10:40")]), "busy"),
        ("10:00", NOW, host(busy=[span("10:30", "10:40")]), None),
        ("10:00", NOW, host(holds=[span("10:00", "10:30")]), None),  # the store refuses that one itself
        ("08:30", NOW, host(busy=[span("08:00", "09:00")]), "busy"),  # what a person must act on comes first
    ],
)
def test_a_schedulers_booking_is_told_the_one_rule_it_breaks(
    start: str, booked_at: datetime, ana: HostTime, reason: str | None
) -> None:
    kind = replace(STANDARD, daily_cap=8)
    interval = Interval(at(start), at(start) + kind.duration)
    assert policy_reason(kind, ana, interval, booked_at, SANTIAGO, NOTHING) == reason


def test_a_schedulers_longer_visit_is_judged_by_its_own_length() -> None:
    long = Interval(at("17:30"), at("18:10"))
    assert policy_reason(STANDARD, host(), long, NOW, SANTIAGO, NOTHING) == "hours"


# --- S20: listed if and only if accepted ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """One random agenda: an event type, some hosts with their hours, a day and a present."""

    event_type: EventType
    hosts: tuple[HostTime, ...]
    hours: tuple[WorkingHours, ...]
    zone: str
    window: Interval
    now: datetime
    holidays: frozenset[str]
    last_day: date | None


ZONES = (SANTIAGO, "Europe/Rome", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
CHANGES = (date(2026, 4, 4), date(2026, 9, 5), date(2026, 3, 28), date(2026, 10, 24), date(2026, 5, 11))


class Dice:
    """Throws one random agenda from a seed: 2 000 of them cost a second, and a failure prints the seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def case(self, place: str | None = None) -> Case:
        upto, one_of = self.chance.randint, self.chance.choice
        zone, day = place or one_of(ZONES), one_of(CHANGES) + upto(0, 2) * DAY
        window = day_interval(day, zone)
        now = window.start + timedelta(hours=upto(-60, 12), minutes=upto(0, 59))
        hours = [self.hours(one_of((zone, zone, one_of(ZONES)))) for _ in range(upto(1, 2))]
        hosts = [self.host(one, window.pad(2 * DAY, 2 * DAY), day, window.epoch[0]) for one in hours]
        holidays = frozenset((day + upto(-2, 2) * DAY).isoformat() for _ in range(upto(0, 2)))
        kind = self.event_type()
        last_day = last_day_of(kind, now, zone, holidays)
        return Case(kind, tuple(hosts), tuple(hours), zone, window, now, holidays, last_day)

    def hours(self, zone: str) -> WorkingHours:
        return WorkingHours(id=HoursId("h"), time_zone=zone, weekly=self.week())

    def wall(self) -> time:
        quarter = self.chance.choice((0, 96, self.chance.randint(0, 96)))
        return time.max if quarter == 96 else time(quarter // 4, quarter % 4 * 15)

    def week(self) -> Week:
        pairs = [sorted((self.wall(), self.wall())) for _ in range(8)]
        spans = [(start, end) for start, end in pairs if start < end]
        return tuple(tuple(self.chance.sample(spans, min(len(spans), self.chance.randint(0, 3)))) for _ in range(7))

    def blocks(self, begin: int) -> list[tuple[int, int]]:
        starts = [begin + self.chance.randint(-6 * 12, 40 * 12) * 300 for _ in range(self.chance.randint(0, 8))]
        return sorted((start, start + self.chance.randint(1, 30) * 300) for start in starts)

    def host(self, hours: WorkingHours, around: Interval, day: date, begin: int) -> HostTime:
        return HostTime(
            agent=AgentId("ana"),
            open=open_spans(hours, around),
            busy=self.blocks(begin),
            holds=self.blocks(begin),
            closed=self.chance.choice([None] * 5 + ["never read"]),
            counts={day + offset * DAY: self.chance.randint(0, 3) for offset in range(-1, 2)},
        )

    def event_type(self) -> EventType:
        upto = self.chance.randint
        windows = (Window(business_days=upto(0, 4)), Window(ahead=upto(0, 5) * DAY))
        return replace(
            STANDARD,
            duration=upto(1, 12) * FIVE,
            buffer_before=upto(0, 12) * FIVE,
            buffer_after=upto(0, 12) * FIVE,
            increment=upto(1, 12) * FIVE,
            minimum_notice=timedelta(hours=upto(0, 30)),
            same_day=self.chance.random() < 0.5,
            daily_cap=self.chance.choice([None, None, 1, 3]),
            window=self.chance.choice(windows),
        )


seeds = st.integers(0, 2**64)


def last_day_of(event_type: EventType, now: datetime, zone: str, holidays: frozenset[str]) -> date | None:
    """Count business days one by one; None where the window is a length of time."""
    if event_type.window.business_days is None:
        return None
    day, left = now.astimezone(ZoneInfo(zone)).date(), event_type.window.business_days
    while left:
        day += DAY
        left -= day.weekday() in range(5) and day.isoformat() not in holidays
    return day


def plain_reasons(case: Case, naive: NaiveHost, start: datetime) -> set[str]:
    found = naive.reasons(start, case.now, case.last_day)
    ahead = case.event_type.window.ahead
    return found | ({"window"} if ahead is not None and start >= case.now + ahead else set())


@pytest.mark.slow
@pytest.mark.parametrize("zone", ZONES)
@given(seed=seeds, offset=st.integers(0, 5))
@settings(max_examples=400)
def test_what_is_listed_is_exactly_what_is_accepted(zone: str, seed: int, offset: int) -> None:
    """S20: every listed start and one every half hour; a plain reading finds the reason of a refusal too."""
    case = Dice(seed).case(zone)
    found = {
        slot.interval.start: slot.hosts_free
        for slot in slots(case.event_type, case.hosts, case.window, case.now, case.zone, case.holidays)
    }
    naive = [
        NaiveHost(case.event_type, one, hours, case.zone) for one, hours in zip(case.hosts, case.hours, strict=True)
    ]
    for start in sorted({*found, *minutes(case.window.start + offset * FIVE, case.window.end, 6 * FIVE)}):
        free = 0
        for one, plain in zip(case.hosts, naive, strict=True):
            reason = bookable(case.event_type, one, start, case.now, case.zone, case.holidays)
            reasons = plain_reasons(case, plain, start)
            assert reason in reasons if reasons else reason is None, (start, reason, reasons)
            free += reason is None
        assert found.get(start, 0) == free, start


@given(seeds, st.integers(1, 299), st.integers(0, 287))
@settings(max_examples=300)
def test_a_start_between_the_five_minutes_is_never_accepted(seed: int, seconds: int, number: int) -> None:
    case = Dice(seed).case()
    start = case.window.start + number * FIVE + timedelta(seconds=seconds)
    for one in case.hosts:
        assert bookable(case.event_type, one, start, case.now, case.zone, case.holidays) is not None


@given(seeds)
@settings(max_examples=300)
def test_a_window_cut_in_two_lists_the_same_slots(seed: int) -> None:
    case = Dice(seed).case()
    middle = case.window.start + case.window.length / 2
    parts = (Interval(case.window.start, middle), Interval(middle, case.window.end))
    whole = slots(case.event_type, case.hosts, case.window, case.now, case.zone, case.holidays)
    assert whole == [
        slot for part in parts for slot in slots(case.event_type, case.hosts, part, case.now, case.zone, case.holidays)
    ]


@given(seeds)
@settings(max_examples=300)
def test_more_busy_time_never_adds_a_slot(seed: int) -> None:
    case = Dice(seed).case()
    busier = [replace(one, busy=sorted([*one.busy, *one.holds, case.window.epoch])) for one in case.hosts[:1]]
    with_more = slots(case.event_type, [*busier, *case.hosts[1:]], case.window, case.now, case.zone, case.holidays)
    before = slots(case.event_type, case.hosts, case.window, case.now, case.zone, case.holidays)
    counts = {slot.interval: slot.hosts_free for slot in before}
    assert all(slot.hosts_free <= counts[slot.interval] for slot in with_more)
