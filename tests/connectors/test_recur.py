"""Rules to local times: the standard's own examples, each part, and everything that is refused before it runs."""

from datetime import datetime, timedelta

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given
from hypothesis import strategies as st

from connectors._recur import STEPS, RuleRefused, Steps, occurrences, read_rule

NINE = datetime.fromisoformat("1997-09-02T09:00")  # the Tuesday of the standard's examples
FAR = datetime.fromisoformat("2040-01-01T00:00")


def times(rule: str, start: datetime = NINE, low: datetime | None = None, high: datetime = FAR) -> list[datetime]:
    return list(occurrences(read_rule(rule), start, low or start, high, steps=Steps(1_000_000)))


def days(rule: str, start: datetime = NINE, most: int = 6) -> list[str]:
    return [f"{one:%y%m%d}" for one in times(rule, start)[:most]]


@pytest.mark.parametrize(
    ("rule", "found"),
    [  # RFC 5545, 3.8.5.3
        ("FREQ=DAILY;COUNT=3", "970902 970903 970904"),
        ("FREQ=DAILY;INTERVAL=10;COUNT=3", "970902 970912 970922"),
        ("FREQ=WEEKLY;COUNT=3", "970902 970909 970916"),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=SU", "970902 970916 970930 971014 971028 971111"),
        ("FREQ=WEEKLY;COUNT=10;WKST=SU;BYDAY=TU,TH", "970902 970904 970909 970911 970916 970918"),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=MO,WE,FR", "970903 970905 970915 970917 970919 970929"),
        ("FREQ=MONTHLY;COUNT=10;BYDAY=1FR", "970905 971003 971107 971205 980102 980206"),
        ("FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU", "970907 970928 971102 971130 980104 980125"),
        ("FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "970922 971020 971117 971222 980119 980216"),
        ("FREQ=MONTHLY;BYMONTHDAY=-3", "970928 971029 971128 971229 980129 980226"),
        ("FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15", "970902 970915 971002 971015 971102 971115"),
        ("FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1", "970930 971001 971031 971101 971130 971201"),
        ("FREQ=MONTHLY;INTERVAL=18;COUNT=10;BYMONTHDAY=10,11,12,13,14,15", "970910 970911 970912 970913 970914 970915"),
        ("FREQ=MONTHLY;INTERVAL=2;BYDAY=TU", "970902 970909 970916 970923 970930 971104"),
        ("FREQ=YEARLY;INTERVAL=3;COUNT=10;BYYEARDAY=1,100,200", "000101 000409 000718 030101 030410 030719"),
        ("FREQ=YEARLY;BYDAY=20MO", "980518 990517 000515 010514 020520 030519"),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "980511 990517 000515 010514 020513 030512"),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=TH", "980305 980312 980319 980326 990304 990311"),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "980213 980313 981113 990813 001013 010413"),
        ("FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", "970913 971011 971108 971213 980110 980207"),
        (
            "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
            "971104 011106 051108 091103 131105 171107",
        ),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "970904 971007 971106"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "970929 971030 971127 971230 980129 980226"),
        ("FREQ=MONTHLY;BYMONTHDAY=15,30;COUNT=5", "970915 970930 971015 971030 971115"),
        ("FREQ=YEARLY;COUNT=10;BYMONTH=6,7", "980602 980702 990602 990702 000602 000702"),
        # what libraries get wrong, or read differently: more busy wins
        ("FREQ=MONTHLY;BYDAY=3MO,WE;COUNT=6", "970903 970910 970915 970917 970924 971001"),
        ("FREQ=YEARLY;BYMONTHDAY=1;COUNT=4", "971001 971101 971201 980101"),
        ("FREQ=YEARLY;BYWEEKNO=37;COUNT=8", "970908 970909 970910 970911 970912 970913"),
        ("FREQ=YEARLY;BYWEEKNO=1;BYDAY=TU;COUNT=3", "971230 990105 000104"),
        ("FREQ=YEARLY;BYWEEKNO=-1;BYDAY=TU;COUNT=3", "971223 981229 991228"),
        ("FREQ=YEARLY;BYYEARDAY=-1;COUNT=3", "971231 981231 991231"),
        ("FREQ=DAILY;BYDAY=2MO,-1TU;COUNT=3", "970902 970908 970909"),  # ordinals mean nothing within a day
        ("freq=daily;count=2", "970902 970903"),
        ("FREQ=DAILY;;COUNT=2;", "970902 970903"),
        ("FREQ=DAILY; COUNT = 2", "970902 970903"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=2", "000229 040229"),
        ("FREQ=DAILY;COUNT=-1;BYMONTH=9;BYMONTHDAY=3,4", "970903 970904 980903 980904 990903 990904"),
        ("FREQ=DAILY;RSCALE=GREGORIAN;SKIP=OMIT;COUNT=2", "970902 970903"),
    ],
)
def test_a_rule_has_the_days_of_the_standard(rule: str, found: str) -> None:
    assert days(rule) == found.split()


@pytest.mark.parametrize(
    ("start", "rule", "found"),
    [
        ("2026-01-31T09:00", "FREQ=MONTHLY;COUNT=3", "260131 260331 260531"),
        ("2024-02-29T09:00", "FREQ=YEARLY;COUNT=2", "240229 280229"),
        ("2026-05-12T09:00", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO", "260512 260517 260526 260531"),
        ("2026-05-12T09:00", "FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU", "260512 260524 260526 260607"),
    ],
)
def test_months_without_the_day_are_skipped_and_weeks_begin_where_the_rule_says(
    start: str, rule: str, found: str
) -> None:
    assert days(rule, datetime.fromisoformat(start)) == found.split()


def test_places_in_the_first_week_are_counted_both_from_its_first_day_and_from_the_start() -> None:
    rule = "FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS={};COUNT=3"  # the start is a Tuesday
    assert days(rule.format(1)) == ["970903", "970908", "970915"]  # Wednesday is the first from the start on
    assert days(rule.format(2)) == ["970903", "970905", "970910"]  # and the second of its week
    assert days(rule.format(3)) == ["970905", "970912", "970919"]


def test_hours_minutes_and_seconds_multiply() -> None:
    found = times("FREQ=DAILY;BYHOUR=9,10;BYMINUTE=0,30;COUNT=5")
    assert [f"{one:%d %H:%M}" for one in found] == ["02 09:00", "02 09:30", "02 10:00", "02 10:30", "03 09:00"]
    found = times("FREQ=HOURLY;INTERVAL=3;BYMINUTE=0,20;COUNT=4")
    assert [f"{one:%H:%M}" for one in found] == ["09:00", "09:20", "12:00", "12:20"]
    assert [one.second for one in times("FREQ=DAILY;BYSECOND=0,59;COUNT=2")] == [0, 59]


def test_hours_skip_days_that_do_not_fit() -> None:
    found = times("FREQ=HOURLY;INTERVAL=7;BYDAY=TH;COUNT=4")
    assert [f"{one:%d %H}" for one in found] == ["04 03", "04 10", "04 17", "11 03"]


def test_whole_days_have_no_hours() -> None:
    midnight = NINE.replace(hour=0)
    rule = read_rule("FREQ=DAILY;BYHOUR=9,10;COUNT=3")
    assert [one.hour for one in occurrences(rule, midnight, midnight, FAR, days_only=True)] == [0, 0, 0]
    with pytest.raises(RuleRefused):
        list(occurrences(read_rule("FREQ=HOURLY"), midnight, midnight, FAR, days_only=True))


@given(
    rule=st.sampled_from(
        [
            "FREQ=DAILY;INTERVAL=3", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,TU;WKST=WE", "FREQ=MONTHLY;BYDAY=-1FR",
            "FREQ=MONTHLY;INTERVAL=5;BYMONTHDAY=31", "FREQ=YEARLY;INTERVAL=3;BYDAY=2MO", "FREQ=HOURLY;INTERVAL=35",
            "FREQ=YEARLY;BYWEEKNO=1,53", "FREQ=MONTHLY;BYDAY=MO,TU,WE;BYSETPOS=-1,1",
        ]
    ),
    skipped=st.integers(0, 4_000),
)  # fmt: skip
def test_beginning_late_finds_the_same_as_beginning_at_the_start(rule: str, skipped: int) -> None:
    low = NINE + timedelta(days=skipped)
    assert [one for one in times(rule, low=low) if one >= low] == [one for one in times(rule) if one >= low]


@given(low=st.integers(0, 3_000), count=st.integers(1, 60))
def test_count_counts_from_the_start_wherever_one_looks(low: int, count: int) -> None:
    rule = f"FREQ=WEEKLY;BYDAY=TU,TH;COUNT={count}"
    assert times(rule, low=NINE + timedelta(days=low)) == times(rule) and len(times(rule)) == count


def test_nothing_is_yielded_after_the_end() -> None:
    high = NINE + timedelta(days=2)
    assert times("FREQ=DAILY", high=high)[-1] == high
    assert times("FREQ=DAILY", high=high - timedelta(seconds=1))[-1] < high
    assert times("FREQ=DAILY", high=NINE - timedelta(days=1)) == []


@given(st.lists(st.integers(-250, 250).filter(bool), min_size=1, max_size=4, unique=True))
def test_places_in_a_period_are_picked_as_another_library_picks_them(places: list[int]) -> None:
    text = f"FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS={','.join(map(str, places))}"
    theirs = rrulestr(text + ";UNTIL=19990101T000000", dtstart=NINE)
    assert times(text, high=datetime.fromisoformat("1999-01-01T00:00")) == list(theirs)


@pytest.mark.parametrize(
    "rule",
    [
        "", "COUNT=3", "FREQ=SECONDLY", "FREQ=MINUTELY", "FREQ=FORTNIGHTLY", "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=1001", "FREQ=DAILY;INTERVAL=-1", "FREQ=DAILY;INTERVAL=1.5", "FREQ=DAILY;INTERVAL=٣",
        "FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=2001", "FREQ=DAILY;COUNT=1000000000", "FREQ=DAILY;COUNT=1e3",
        "FREQ=DAILY;COUNT=3;UNTIL=20260101", "FREQ=DAILY;FREQ=DAILY", "FREQ=DAILY;UNTL=20260101", "FREQ=DAILY;COUNT",
        "FREQ=DAILY;COUNT=", "FREQ=DAILY;BYEASTER=0", "FREQ=WEEKLY;BYDAY=XX", "FREQ=MONTHLY;BYDAY=0MO",
        "FREQ=MONTHLY;BYDAY=54MO", "FREQ=MONTHLY;BYDAY=MO,", "FREQ=WEEKLY;WKST=XX", "FREQ=YEARLY;BYMONTH=13",
        "FREQ=YEARLY;BYMONTH=0", "FREQ=YEARLY;BYMONTH=-1", "FREQ=MONTHLY;BYMONTHDAY=32", "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=YEARLY;BYYEARDAY=367", "FREQ=YEARLY;BYWEEKNO=54", "FREQ=MONTHLY;BYSETPOS=-400", "FREQ=DAILY;BYHOUR=24",
        "FREQ=DAILY;BYMINUTE=60", "FREQ=DAILY;BYSECOND=60", "FREQ=DAILY;BYHOUR=", "FREQ=DAILY;BYHOUR=1;BYHOUR=2",
        "FREQ=YEARLY;RSCALE=CHINESE", "FREQ=YEARLY;SKIP=FORWARD", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=4,6;BYMONTHDAY=31,-31", "FREQ=MONTHLY;BYMONTHDAY=" + ",".join(["1"] * 65),
        "FREQ=WEEKLY;BYDAY=" + ",".join(["MO"] * 65), "FREQ=DAILY;" + "X" * 2_000,
    ],
)  # fmt: skip
def test_a_rule_that_is_wrong_or_runs_away_is_refused_before_it_runs(rule: str) -> None:
    with pytest.raises(RuleRefused):
        read_rule(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYDAY=MO;BYSETPOS=2",  # matches nothing, and only trying tells
        "FREQ=HOURLY;BYMONTH=1;BYMONTHDAY=-31;BYDAY=MO;BYHOUR=3;BYSETPOS=5",
        "FREQ=YEARLY;BYHOUR=" + ",".join(map(str, range(24))) + ";BYMINUTE=" + ",".join(map(str, range(60)))
        + ";BYSECOND=" + ",".join(map(str, range(60))) + ";BYDAY=MO,TU,WE,TH,FR,SA,SU",
    ],
)  # fmt: skip
def test_a_rule_that_costs_too_many_steps_is_stopped(rule: str) -> None:
    start, high = datetime.fromisoformat("1600-01-01T00:00"), datetime.fromisoformat("2400-01-01T00:00")
    with pytest.raises(RuleRefused):
        list(occurrences(read_rule(rule), start, start, high))


def test_several_rules_share_their_steps() -> None:
    steps = Steps()
    high = NINE + timedelta(days=STEPS // 4)
    assert len(list(occurrences(read_rule("FREQ=DAILY"), NINE, NINE, high, steps=steps))) == STEPS // 4 + 1
    with pytest.raises(RuleRefused):
        list(occurrences(read_rule("FREQ=DAILY"), NINE, NINE, high, steps=steps))
