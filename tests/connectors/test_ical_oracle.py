"""Our expansion judged by others: recurring-ical-events as a second reader, and counts that its authors published."""

import json
import re
import warnings
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import recurring_ical_events
from hypothesis import assume, given
from hypothesis import strategies as st
from icalendar import Calendar
from recurring_ical_events.errors import BadRuleStringFormat

from syncd.core.interval import Interval
from tests.connectors.ical_texts import CORPUS, body_of, busy, calendar, corpus, event, read

BERLIN = "Europe/Berlin"
UNREAD = {  # not read at all: its calendar needs attention
    "bad_rrule_missing_until_event": "a rule with a part that nobody knows (UNTL) may end or not",
    "issue_201_test_matrix": "BEGIN:VTODO is ended by END:VTOOD",
    "no_events": "a resource without an entry is a failure to read",
}
DIFFERENT = {  # more busy wins, or a value that we read better; the instances of ours beside theirs, per file
    "Germany_Holidays": "DATE with DTEND equal to DTSTART is a day, for them of no length",
    "issue_117_until_before_dtstart": "DTSTART counts though UNTIL lies before it",
    "issue_201_mixed_datetime_and_date": "a day begins at midnight at home, for them in the zone of DTEND",
    "issue_253_additional_recurrence_id": "an override stays though the series has no such instance",
    "issue_28_rrule_with_UTC_endinginZ": "UNTIL in UTC is local midnight of the last day, as Exchange writes it",
    "issue_75_range_parameter": "UNTIL as a day lasts until that day's end",
}
Times = list[tuple[datetime, datetime]]


def theirs(body: bytes, window: Interval, zone: str = BERLIN) -> Times:
    """Return what the second reader finds in a window, days and floating times read in a zone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        query = recurring_ical_events.of(Calendar.from_ical(body))
        margin = timedelta(days=2)
        found = [
            (_instant(one.start, zone), _instant(one.end, zone))
            for one in query.between(window.start - margin, window.end + margin)
        ]
    return sorted((start, end) for start, end in found if start < end and start < window.end and end > window.start)


def _instant(moment: date, zone: str) -> datetime:
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)  # noqa: DTZ001
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def ours(body: bytes, window: Interval, zone: str = BERLIN) -> Times:
    return [(one.start, one.end) for one in busy(read(body, window=window, zone=zone))]


def years(body: bytes) -> list[Interval]:
    """Return the years in which a calendar's entries begin and the one after each."""
    named = {int(year) for year in re.findall(rb"DTSTART[^:\n]*:([0-9]{4})", body)}
    wanted = sorted({year + more for year in named for more in (0, 1)})
    return [Interval(datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)) for year in wanted]


@pytest.mark.parametrize("path", corpus("recurring-ical-events"), ids=lambda path: path.stem)
def test_a_public_calendar_has_the_instances_that_another_reader_finds(path: Path) -> None:
    body = body_of(path)
    if path.stem in UNREAD:
        assert read(body, zone=BERLIN).problem is not None
        return
    different = [window for window in years(body) if ours(body, window) != theirs(body, window)]
    assert bool(different) == (path.stem in DIFFERENT), (path.stem, different[:3])


@pytest.mark.parametrize("path", [one for one in corpus("recurring-ical-events") if one.stem in DIFFERENT], ids=str)
def test_where_readers_differ_ours_is_the_busier(path: Path) -> None:
    body = body_of(path)
    for window in years(body):
        mine = ours(body, window)
        for start, end in theirs(body, window):
            assert any(one[0] <= start and end <= one[1] for one in mine), (start, end)


def published() -> list[Any]:
    path = CORPUS / "recurring-ical-events-counts.json"
    cases = json.loads(path.read_text()) if path.is_file() else [None]
    return [case for case in cases if case is None or "todo" not in case["test"]]  # to-dos take no time


def _moment(value: Any, zone: str) -> datetime:
    """Read an argument of the published queries, in the calendar's time: a year, a list of numbers, a compact date."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=ZoneInfo(zone))  # they compare wall clocks
    numbers = [value] if isinstance(value, int) else value
    year, month, day, *clock = [*numbers, 1, 1][: max(3, len(numbers))]
    return datetime(year, month, day, *clock).replace(tzinfo=ZoneInfo(zone))  # noqa: DTZ001


def _window(op: str, args: list[Any], zone: str) -> tuple[datetime, datetime]:
    start = _moment(args[0], zone)
    if op == "between":
        end = _moment(args[1], zone)
        return start, max(end, start + timedelta(seconds=1))  # a query of no length asks for what starts just then
    numbers = 3 if isinstance(args[0], str) else 1 if isinstance(args[0], int) else len(args[0])
    if numbers == 1:
        return start, start.replace(year=start.year + 1)
    if numbers == 2:
        return start, (start + timedelta(days=31)).replace(day=1)
    return start, start + {3: timedelta(days=1), 4: timedelta(hours=1), 5: timedelta(minutes=1)}[numbers]


def _pieces(start: datetime, end: datetime) -> Iterator[Interval]:
    """Cut what is longer than a reading's window."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    while start < end:
        cut = min(end, start + timedelta(days=366))
        yield Interval(start, cut)
        start = cut


@pytest.mark.parametrize(
    "case", published(), ids=lambda case: case and f"{case['calendar']}-{case['op']}-{case['args']}"
)
def test_the_published_numbers_of_occurrences_are_ours(case: Any) -> None:
    body = body_of(CORPUS / "recurring-ical-events" / f"{case['calendar'] if case else 'absent'}.ics")
    zone = _zone_of(body)
    start, end = _window(case["op"], case["args"], zone)
    found = {
        (one.uid, one.recurrence_id, one.interval, number)
        for piece in _pieces(start, end)
        for number, one in enumerate(read(body, window=piece, zone=zone).events)
    }
    assert len(found) == case["count"]


def _zone_of(body: bytes) -> str:
    """Return the first zone that a calendar names: its authors ask in the calendar's own time."""
    text = body.decode("utf-8", "replace")
    named = text.partition("TZID=")[2].partition(":")[0] or text.partition("\nTZID:")[2].partition("\n")[0].strip()
    return named if "/" in named and not named.startswith("/") else "UTC"


def _some(least: int, most: int, *, size: int = 3, negative: bool = False) -> st.SearchStrategy[str]:
    numbers = st.integers(least, most)
    if negative:
        numbers |= numbers.map(lambda number: -number)
    return st.lists(numbers, min_size=1, max_size=size, unique=True).map(lambda some: ",".join(map(str, some)))


def _weekdays(ordinals: str) -> st.SearchStrategy[str]:
    days = st.lists(st.sampled_from("MO TU WE TH FR SA SU".split()), min_size=1, max_size=3, unique=True)
    return st.tuples(st.sampled_from(ordinals.split(",")), days).map(
        lambda pair: ",".join(f"{pair[0]}{day}" for day in pair[1])
    )


AUTUMN = Interval(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC))  # clocks change in all the zones
PARTS: dict[str, dict[str, st.SearchStrategy[str]]] = {
    "HOURLY": {"BYDAY": _weekdays(""), "BYMONTH": _some(1, 12), "BYHOUR": _some(0, 23, size=4)},
    "DAILY": {"BYDAY": _weekdays(""), "BYMONTH": _some(1, 12), "BYMONTHDAY": _some(1, 31), "BYHOUR": _some(0, 23)},
    "WEEKLY": {"BYDAY": _weekdays(""), "BYMONTH": _some(1, 12), "BYHOUR": _some(0, 23)},
    "MONTHLY": {
        "BYDAY": _weekdays(",1,2,3,4,5,-1,-2"),
        "BYMONTH": _some(1, 12),
        "BYMONTHDAY": _some(1, 31, negative=True),
        "BYSETPOS": _some(1, 3, negative=True),
        "BYMINUTE": _some(0, 59, size=2),
    },
    "YEARLY": {
        "BYDAY": _weekdays(",1,2,-1,4"),
        "BYMONTH": _some(1, 12),
        "BYMONTHDAY": _some(1, 31, negative=True),
        "BYSETPOS": _some(1, 3, negative=True),
        "BYYEARDAY": _some(1, 365, negative=True),
    },
}


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Draw a rule as programs write them: one FREQ, a few parts that may stand with it, an end or none."""
    freq = draw(st.sampled_from(list(PARTS)))
    chosen = draw(st.lists(st.sampled_from(list(PARTS[freq])), max_size=3, unique=True))
    parts = [f"FREQ={freq}"] + [f"{name}={draw(PARTS[freq][name])}" for name in sorted(chosen)]
    parts += draw(st.sampled_from([[], ["INTERVAL=2"], ["INTERVAL=3"], ["INTERVAL=7"]]))
    parts += draw(st.sampled_from([[], ["WKST=SU"], ["WKST=WE"]]))
    parts += draw(
        st.sampled_from([[], ["COUNT=1"], ["COUNT=12"], ["UNTIL=20260420T120000Z"], ["UNTIL=20270101T000000Z"]])
    )
    return ";".join(parts)


@given(
    rule=rules(),
    day=st.dates(date(2025, 9, 1), date(2026, 4, 19)),
    hour=st.integers(4, 23),
    minutes=st.sampled_from([15, 60, 60 * 26]),
    zone=st.sampled_from([BERLIN, "America/Santiago", "UTC", "Australia/Lord_Howe"]),
)
def test_a_drawn_rule_has_the_starts_that_another_reader_finds(
    rule: str, day: date, hour: int, minutes: int, zone: str
) -> None:
    start = datetime(day.year, day.month, day.day, hour, 30)  # noqa: DTZ001
    body = calendar(event(f"DTSTART;TZID={zone}:{start:%Y%m%dT%H%M%S}", f"DURATION:PT{minutes}M", f"RRULE:{rule}"))
    resource = read(body, window=AUTUMN, zone=zone)
    assume(resource.problem is None)  # what is refused has its own tests, and the other reader may not come back
    mine = {one.start for one in busy(resource)}
    try:
        expected = {start for start, _ in theirs(body, AUTUMN, zone)}
    except BadRuleStringFormat:  # a rule of hours that never meets its BYHOUR: for us the start alone
        expected = {start for start in mine if start == datetime.combine(day, time(hour, 30), ZoneInfo(zone))}
    assert expected <= mine, rule
    assert all(_after_a_gap(one, zone) for one in mine - expected), rule


def _after_a_gap(moment: datetime, zone: str) -> bool:
    """A time that the clocks skip begins after the gap; the other reader ends it there too, and it vanishes."""
    before = (moment - timedelta(hours=2)).astimezone(ZoneInfo(zone)).utcoffset()
    after = moment.astimezone(ZoneInfo(zone)).utcoffset()
    return before is not None and after is not None and before < after


@given(
    rule=rules().filter(lambda rule: "HOURLY" not in rule and "BYHOUR" not in rule and "BYMINUTE" not in rule),
    day=st.dates(date(2025, 9, 1), date(2026, 4, 19)),
    days=st.integers(1, 3),
)
def test_a_drawn_rule_of_whole_days_has_the_days_that_another_reader_finds(rule: str, day: date, days: int) -> None:
    rule = rule.replace("T120000Z", "").replace("T000000Z", "")
    body = calendar(event(f"DTSTART;VALUE=DATE:{day:%Y%m%d}", f"DURATION:P{days}D", f"RRULE:{rule}"))
    resource = read(body, window=AUTUMN)
    assume(resource.problem is None)
    assert ours(body, AUTUMN, "America/Santiago") == theirs(body, AUTUMN, "America/Santiago"), rule
