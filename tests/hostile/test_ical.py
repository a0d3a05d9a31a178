"""iCalendar made to harm, by the numbers of the list of hostile inputs: bounded, and never read as free time.

`within_a_second` is the list's own promise; it counts this thread's seconds on the processor, so that a busy machine
does not fail it.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._ical import BYTES, INSTANCES, UID
from connectors._moments import VALUES
from syncd.core.busy import BusyPolicy, blocks
from syncd.errors import Unreadable
from syncd.ports import Resource
from tests.connectors.ical_texts import YEAR, busy, calendar, event, read, read_event, span, spans

START = "DTSTART:20260512T140000Z"
HOUR = "DURATION:PT1H"
GOOD = calendar(event(START, HOUR, "SUMMARY:Reunión 東京"))


@contextmanager
def within_a_second() -> Iterator[None]:
    began = time.thread_time()
    yield
    assert time.thread_time() - began < 1


def refused(body: bytes, why: str = "") -> Resource:
    """Read what must be refused in bounded time: the calendar needs attention, nothing of it counts."""
    with within_a_second():
        resource = read(body)
    assert resource.problem is not None and why in resource.problem, resource.problem
    assert resource.events == () and len(resource.problem) < 300
    assert read(GOOD).problem is None  # the next good one still works
    return resource


def ruled(rule: str, start: str = START) -> bytes:
    return calendar(event(start, HOUR, f"RRULE:{rule}"))


@pytest.mark.parametrize("freq", ["SECONDLY", "MINUTELY", "secondly", "SECONDLY;INTERVAL=999", "SECONDLY;COUNT=1"])
def test_h83_a_rule_of_seconds_is_refused(freq: str) -> None:
    refused(ruled(f"FREQ={freq}", "DTSTART:19900101T000000Z"), "hourly and coarser")


@pytest.mark.parametrize("interval", ["0", "-1", "1001", "99999999999999999999"])
def test_h84_an_interval_out_of_bounds_is_refused(interval: str) -> None:
    refused(ruled(f"FREQ=DAILY;INTERVAL={interval}"), "INTERVAL")


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=2,4;BYMONTHDAY=31",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-30",
    ],
)
def test_h85_a_rule_that_can_never_match_is_refused(rule: str) -> None:
    refused(ruled(rule), "none of its months")


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYDAY=MO;BYSETPOS=2",
        "FREQ=MONTHLY;BYMONTH=2;BYDAY=5MO;BYMONTHDAY=1",
        "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",
        "FREQ=YEARLY;BYYEARDAY=366;BYMONTH=1",
        "FREQ=HOURLY;INTERVAL=24;BYHOUR=3;BYMONTHDAY=31;BYMONTH=12",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;BYHOUR=1,2,3;BYSETPOS=300",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO;COUNT=2000",
    ],
)
def test_h85_a_rule_that_matches_nothing_is_bounded_and_its_start_counts(rule: str) -> None:
    with within_a_second():
        resource = read(ruled(rule))
        ancient = read(ruled(rule, "DTSTART:16040102T140000Z"))
    assert len(busy(resource)) >= 1
    assert ancient.problem is not None or all(one.interval is not None for one in ancient.events)


@pytest.mark.parametrize("count", ["1000000000", "2001", "0", "9" * 400])
def test_h86_a_count_out_of_bounds_is_refused_never_cut(count: str) -> None:
    refused(ruled(f"FREQ=DAILY;COUNT={count}"), "COUNT")


def test_h87_hours_for_half_a_century_cost_the_window_only() -> None:
    with within_a_second():
        resource = read(ruled("FREQ=HOURLY", "DTSTART:19700101T000000Z"), window=span("2026-05-12", days=30))
    assert len(busy(resource)) == 30 * 24
    refused(ruled("FREQ=HOURLY", "DTSTART:19700101T000000Z"), f"more than {INSTANCES} instances")


@pytest.mark.parametrize("rule", ["FREQ=DAILY;BYSETPOS=-400", "FREQ=YEARLY;BYDAY=MO;BYSETPOS=367"])
def test_h88_a_place_out_of_bounds_is_refused(rule: str) -> None:
    refused(ruled(rule), "BYSETPOS")


def test_h88_a_place_that_no_period_has_is_bounded() -> None:
    with within_a_second():
        assert len(busy(read(ruled("FREQ=YEARLY;BYDAY=MO;BYSETPOS=-366,366")))) == 1


@pytest.mark.parametrize("name", ["EXDATE", "RDATE"])
@pytest.mark.parametrize("how", ["one line", "many lines", "folded"])
def test_h89_a_hundred_thousand_dates_are_refused(name: str, how: str) -> None:
    dates = [
        f"{datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number):%Y%m%dT%H%M%SZ}" for number in range(100_000)
    ]
    joined = {"one line": ",", "many lines": f"\r\n{name}:", "folded": ",\r\n "}[how].join(dates)
    refused(calendar(event(START, HOUR, "RRULE:FREQ=DAILY", f"{name}:{joined}")), "larger than")
    some = {"one line": ",", "many lines": f"\r\n{name}:", "folded": ",\r\n "}[how].join(dates[: VALUES + 1])
    refused(calendar(event(START, HOUR, "RRULE:FREQ=DAILY", f"{name}:{some}")), f"more than {VALUES} dates")


def test_h89_as_many_dates_as_are_allowed_are_read_in_time() -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    dates = ",".join(f"{first + timedelta(minutes=number):%Y%m%dT%H%M%SZ}" for number in range(INSTANCES - 1))
    with within_a_second():
        assert len(busy(read_event(START, HOUR, f"RDATE:{dates}"))) == INSTANCES
        left = read_event(START, HOUR, "RRULE:FREQ=HOURLY", f"EXDATE:{dates}", window=span("2026-01-01", days=200))
    assert left.problem is None


@pytest.mark.parametrize("line", ["X-NOISE", "ATTACH;ENCODING=BASE64;VALUE=BINARY", "DTSTART", "ATTENDEE", "RRULE"])
def test_h91_a_line_of_twenty_megabytes_is_refused_by_size(line: str) -> None:
    refused(calendar(event(START, HOUR, f"{line}:" + "A" * 20 * 2**20)), "larger than")


@pytest.mark.parametrize(
    "line", ["X-NOISE:{}", "DTEND;X={}:20260512T150000Z", 'DTEND;X="{}":20260512T150000Z', "UID:{}"]
)
def test_h91_a_line_just_below_the_cap_is_bounded(line: str) -> None:
    body = calendar(event(START, line.format("A" * (BYTES - 300))))
    with within_a_second():
        resource = read(body)
    assert len(body) <= BYTES and (resource.problem is None or "UID" in line)


@pytest.mark.parametrize(
    "pattern", ["BEGIN:VEVENT\n", "BEGIN:VEVENT\nBEGIN:VALARM\n", "BEGIN:X\n", "begin:vcalendar\n"]
)
def test_h92_twenty_thousand_nested_components_are_refused(pattern: str) -> None:
    refused(b"BEGIN:VCALENDAR\n" + pattern.encode() * 20_000)
    refused(calendar(pattern * 20_000 + "END:VEVENT\n" * 20_000))


def test_h93_thousands_of_small_components_are_bounded() -> None:
    empty = "BEGIN:VALARM\r\nEND:VALARM\r\n" * 15_000
    with within_a_second():
        assert len(busy(read(calendar(event(START, HOUR, empty.strip()))))) == 1
    entries = "".join(f"BEGIN:VEVENT\r\nUID:{number}\r\n{START}\r\n{HOUR}\r\nEND:VEVENT\r\n" for number in range(5_001))
    refused(calendar(entries), "instances")


RECURSIVE = (
    "BEGIN:VTIMEZONE\r\nTZID:Loop\r\nBEGIN:STANDARD\r\nDTSTART;TZID=Loop:19700101T000000\r\nTZOFFSETFROM:+0000\r\n"
    "TZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)
FAR_OFF = RECURSIVE.replace("DTSTART;TZID=Loop:", "DTSTART:").replace("+0100", "+9900")
NESTED = "BEGIN:VTIMEZONE\r\nTZID:Loop\r\nBEGIN:VTIMEZONE\r\nTZID:Loop\r\nEND:VTIMEZONE\r\nEND:VTIMEZONE\r\n"
RUNAWAY = FAR_OFF.replace(
    "+9900", "+0100\r\nRRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=" + ",".join(map(str, range(24)))
)


@pytest.mark.parametrize(
    "definition", [RECURSIVE, FAR_OFF, NESTED, RUNAWAY], ids=["recursive", "far", "nested", "runaway"]
)
def test_h94_a_definition_that_lies_is_not_used(definition: str) -> None:
    with within_a_second():
        resource = read(calendar(definition, event("DTSTART;TZID=Loop:20260512T100000", HOUR)))
    assert spans(resource) == ["2026-05-12 10:00-11:00"]  # the calendar's zone
    assert any("is not used" in note for note in resource.notes)


def test_h94_many_costly_definitions_are_bounded() -> None:
    names = [f"Zone {number}" for number in range(300)]
    texts = [RUNAWAY.replace("Loop", name).replace("+0100", f"+0{number % 9}00") for number, name in enumerate(names)]
    entries = [event(f"DTSTART;TZID={name}:20260512T100000", HOUR, uid=name) for name in names]
    with within_a_second():
        assert len(busy(read(calendar(*texts, *entries)))) == 300


def test_h95_a_thousand_overrides_of_one_instance_have_one_winner_whatever_their_order() -> None:
    changes = [
        event("RECURRENCE-ID:20260513T140000Z", f"DTSTART:20260513T{number % 24:02}{number % 60:02}00Z", HOUR)
        for number in range(1_000)
    ]
    winners = set()
    for seed in range(3):
        random.Random(seed).shuffle(changes)
        with within_a_second():
            resource = read(calendar(event(START, HOUR, "RRULE:FREQ=DAILY;COUNT=2"), *changes))
        assert len(busy(resource)) == 2
        winners.add(busy(resource)[1])
    assert len(winners) == 1


def test_h95_a_large_override_among_many_equal_ones_is_bounded() -> None:
    large = event("RECURRENCE-ID:20260513T140000Z", "DTSTART:20260513T140000Z", "SUMMARY:" + "A" * 300_000)
    small = event("RECURRENCE-ID:20260513T140000Z", "DTSTART:20260513T140000Z", HOUR) * 1_200
    with within_a_second():
        assert read(calendar(large, small)).problem is None


def test_h96_a_thousand_ranges_over_a_thousand_instances_are_bounded() -> None:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    ranges = [
        event(
            f"RECURRENCE-ID;RANGE=THISANDFUTURE:{first + timedelta(hours=number):%Y%m%dT%H%M%SZ}",
            f"DTSTART:{first + timedelta(hours=number, minutes=number % 7):%Y%m%dT%H%M%SZ}", HOUR,
        )
        for number in range(2_000)
    ]  # fmt: skip
    with within_a_second():
        resource = read(calendar(event("DTSTART:20260101T000000Z", HOUR, "RRULE:FREQ=HOURLY"), *ranges),
                        window=span("2026-01-01", days=200))  # fmt: skip
    assert len(busy(resource)) == 200 * 24


@pytest.mark.parametrize(
    "duration", ["-P1D", "P999999W", "P9999999D", "PT9999999999S", "P1D1W", "P1Y", "P" * 9_999, "-PT1S", "P-1D"]
)
def test_h97_a_duration_that_means_nothing_flags_its_entry(duration: str) -> None:
    refused(calendar(event(START, f"DURATION:{duration}")))


@pytest.mark.parametrize("end", ["00010101T000000Z", "99991231T235959Z", "20260230T000000Z", "20260512T250000Z"])
def test_h97_an_end_that_overflows_flags_its_entry(end: str) -> None:
    refused(calendar(event(START, f"DTEND:{end}")))
    refused(calendar(event(f"DTSTART:{end}", HOUR)))
    refused(calendar(event(START, HOUR, f"RDATE:{end}")))


@pytest.mark.parametrize(
    "mangle",
    [
        lambda body: body.replace(b"\r\n", b"\n"),
        lambda body: body.replace(b"\r\n", b"\r"),
        lambda body: b"".join(bytes([byte]) + (b"\r\n " if byte > 127 else b"") for byte in body),
        lambda body: b"\xef\xbb\xbf" + body,
        lambda body: body.replace(b":", b"\r\n :"),
    ],
    ids=["LF", "CR", "folded inside characters", "BOM", "folded before colons"],
)
def test_h98_other_line_ends_and_folds_give_the_same_entry(mangle: Callable[[bytes], bytes]) -> None:
    assert read(mangle(GOOD)) == read(GOOD)


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "http://127.0.0.1:1/", "\\\\host\\share", "data:text/html,x"]
)
def test_h100_nothing_that_is_attached_is_opened(address: str, tmp_path: Path) -> None:
    bait = tmp_path / "bait"
    bait.write_text("x")
    before = bait.stat().st_atime_ns
    lines = [f"{name}:{link}" for name in ("ATTACH", "URL", "IMAGE", "CONFERENCE") for link in (address, bait.as_uri())]
    assert read_event(START, HOUR, *lines) == read(calendar(event(START, HOUR)))
    assert bait.stat().st_atime_ns == before


def test_h101_an_alarm_that_mails_changes_nothing_and_is_copied_nowhere() -> None:
    alarm = "BEGIN:VALARM\r\nACTION:EMAIL\r\nATTENDEE:mailto:victim@example.com\r\nSUMMARY:Win\r\nEND:VALARM"
    quiet, loud = (
        read_event(START, HOUR, "X-SYNCD-SUBJECT:visit:v1"),
        read_event(START, HOUR, "X-SYNCD-SUBJECT:visit:v1", alarm),
    )
    assert loud == quiet and "victim" not in repr(loud)


def test_h62_a_uid_of_ten_kilobytes_is_refused() -> None:
    refused(calendar(event(START, HOUR, uid="u" * 10_000)), "UID")
    assert read(calendar(event(START, HOUR, uid="u" * UID))).uid == "u" * UID


def test_h58_no_zone_name_opens_a_file() -> None:
    for name in ("../../etc/passwd", "/../../etc/passwd", "/etc/localtime", "....//etc/passwd", "\x00UTC"):
        resource = read_event(f"DTSTART;TZID={name}:20260512T100000", HOUR)
        assert spans(resource) == ["2026-05-12 10:00-11:00"] and "unknown time zone" in resource.notes[0]


def test_what_is_noted_of_strange_words_is_short_and_on_one_line() -> None:
    resource = read_event(
        START, HOUR, "STATUS:" + "\x1b[31m" + "x" * 9_000, "TRANSP:a\u202eb", "DTEND;TZID=\x07z:20260512T160000"
    )
    assert all(len(note) < 200 and note.isprintable() for note in resource.notes) and len(resource.notes) == 3


LINES = [
    "DTSTART:20260512T140000Z", "DTSTART;VALUE=DATE:20260512", "DTSTART;TZID=Europe/Rome:20260512T100000",
    "DTEND:20260512T150000Z", "DTEND;VALUE=DATE:20260513", "DURATION:PT1H", "DURATION:P2D", "RRULE:FREQ=DAILY",
    "RRULE:FREQ=WEEKLY;COUNT=5", "RRULE:FREQ=HOURLY;INTERVAL=12", "RRULE:FREQ=YEARLY;BYDAY=1MO",
    "EXDATE:20260513T140000Z", "EXDATE;VALUE=DATE:20260514", "RDATE:20260601T140000Z",
    "RDATE;VALUE=PERIOD:20260601T140000Z/PT3H", "RECURRENCE-ID:20260513T140000Z", "RECURRENCE-ID;VALUE=DATE:20260513",
    "RECURRENCE-ID;RANGE=THISANDFUTURE:20260514T140000Z", "STATUS:CANCELLED", "SEQUENCE:2",
    "DTSTAMP:20260101T000000Z", "UID:u1", "BEGIN:VEVENT", "END:VEVENT", "BEGIN:VALARM", "END:VALARM",
]  # fmt: skip


@given(st.lists(st.lists(st.sampled_from(LINES), max_size=8), max_size=4))
def test_any_mixture_of_lines_is_read_or_refused(entries: list[list[str]]) -> None:
    resource = read(calendar(*(event(*lines) for lines in entries)))
    assert (resource.problem is None) or resource.events == ()
    assert len(resource.events) <= INSTANCES
    for one in resource.events:
        assert one.interval is None or one.interval.overlaps(YEAR)
        blocks(one, BusyPolicy())


@given(st.integers(0, len(GOOD)), st.binary(min_size=0, max_size=12), st.integers(0, 6))
def test_any_damage_to_a_good_entry_is_read_or_refused(place: int, noise: bytes, cut: int) -> None:
    try:
        resource = read(GOOD[:place] + noise + GOOD[place + cut :])
    except Unreadable:
        return
    assert resource.problem is None or resource.events == ()


@given(st.binary(max_size=400))
def test_any_bytes_after_a_first_line_are_read_or_refused(noise: bytes) -> None:
    resource = read(b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n" + noise)
    assert resource.problem is not None
