"""What one calendar resource means for an agent's time: extents, series, their exceptions, what cannot be read."""

from datetime import UTC, datetime, timedelta

import pytest

from syncd.core.interval import Interval
from syncd.core.limits import LONGEST_WINDOW
from syncd.errors import Unreadable
from tests.connectors.ical_texts import YEAR, busy, calendar, event, read, read_event, span, spans, starts, utc

DAILY = ("DTSTART;TZID=America/Santiago:20260504T090000", "DTEND;TZID=America/Santiago:20260504T100000")


def moved(original: str, start: str, end: str, *more: str) -> str:
    """Return an override of one instance, all times in Santiago."""
    zone = "TZID=America/Santiago"
    lines = (f"RECURRENCE-ID;{zone}:{original}", f"DTSTART;{zone}:{start}", f"DTEND;{zone}:{end}")
    return event(*lines, *more)


# --- extents


def test_dtend_is_exclusive_and_kept_in_utc() -> None:
    resource = read_event("DTSTART:20260512T140000Z", "DTEND:20260512T142000Z")
    assert busy(resource) == [span("2026-05-12T14:00", minutes=20)]
    assert (resource.remote_id, resource.uid, resource.etag) == ("/ana/1.ics", "u1", '"1"')
    assert not resource.recurring and resource.notes == ()


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (
            ("DTSTART;VALUE=DATE:20260906",),
            ["20260906T0400Z/20260907T0300Z"],
        ),  # 23 hours: clocks go forward at midnight
        (("DTSTART;VALUE=DATE:20260404",), ["20260404T0300Z/20260405T0400Z"]),  # 25 hours
        (("DTSTART;VALUE=DATE:20260512", "DTEND;VALUE=DATE:20260514"), ["20260512T0400Z/20260514T0400Z"]),
        (("DTSTART;VALUE=DATE:20260512", "DTEND;VALUE=DATE:20260512"), ["20260512T0400Z/20260513T0400Z"]),
        (("DTSTART;VALUE=DATE:20260512", "DURATION:P2D"), ["20260512T0400Z/20260514T0400Z"]),
        (("DTSTART;VALUE=DATE:20260512", "DURATION:PT1H"), ["20260512T0400Z/20260513T0500Z"]),
        (("DTSTART:20260512",), ["20260512T0400Z/20260513T0400Z"]),  # the form decides where VALUE is forgotten
        (("DTSTART;VALUE=DATE:20260512T000000",), ["20260512T0400Z/20260513T0400Z"]),
        (("DTSTART;VALUE=DATE:20260512", "DTEND:20260513T160000Z"), ["20260512T0400Z/20260513T1600Z"]),
        (("DTSTART;TZID=Europe/Rome:20260512T230000", "DTEND;VALUE=DATE:20260513"), ["20260512T2100Z/20260512T2200Z"]),
        (("DTSTART;TZID=Europe/Rome:20260512T230000", "DTEND;VALUE=DATE:20260512"), ["20260512T2100Z/20260512T2200Z"]),
        (("DTSTART:20260512T140000Z", "DURATION:PT20M"), ["20260512T1400Z/20260512T1420Z"]),
        (("DTSTART:20260512T140000Z", "DURATION:+P1DT30M"), ["20260512T1400Z/20260513T1430Z"]),
        (("DTSTART:20260512T140000Z", "DURATION:P1W"), ["20260512T1400Z/20260519T1400Z"]),
        (("DTSTART;TZID=America/Santiago:20260404T120000", "DURATION:P1D"), ["20260404T1500Z/20260405T1600Z"]),
        (("DTSTART;TZID=America/Santiago:20260404T120000", "DURATION:PT24H"), ["20260404T1500Z/20260405T1500Z"]),
        (("DTSTART:20260512T140000Z", "DTEND;TZID=Europe/Rome:20260512T170000"), ["20260512T1400Z/20260512T1500Z"]),
        (
            ("DTSTART:20260512T140000Z", "DTEND:20260512T150000Z", "DURATION:PT3H"),
            ["20260512T1400Z/20260512T1700Z"],  # both, which is forbidden: the longer
        ),
        (
            ("DTSTART;TZID=America/New_York:20260308T023000", "DTEND;TZID=America/New_York:20260308T030000"),
            ["20260308T0730Z/20260308T0800Z"],  # begins in a gap, behind its own end
        ),
    ],
)
def test_an_entry_takes_the_time_it_says(lines: tuple[str, ...], found: list[str]) -> None:
    resource = read_event(*lines)
    assert utc(resource) == found
    assert resource.events[0].all_day == (len(lines[0].rpartition(":")[2]) == 8 or "VALUE=DATE:" in lines[0])


@pytest.mark.parametrize(
    "lines",
    [
        ("DTSTART:20260512T140000Z",),
        ("DTSTART:20260512T140000Z", "DTEND:20260512T140000Z"),
        ("DTSTART:20260512T140000Z", "DURATION:PT0S"),
        ("DTSTART:20260512T140000Z", "DURATION:-PT0S"),
    ],
)
def test_an_entry_of_zero_length_is_there_and_takes_no_time(lines: tuple[str, ...]) -> None:
    [one] = read_event(*lines).events
    assert one.interval is None


def test_an_entry_that_ends_before_it_starts_takes_the_time_between_and_is_noted() -> None:
    resource = read_event("DTSTART:20260512T150000Z", "DTEND:20260512T140000Z")
    assert utc(resource) == ["20260512T1400Z/20260512T1500Z"]
    assert "ends before it starts" in resource.notes[0]


def test_the_order_of_the_ends_is_that_of_instants_not_of_wall_clocks() -> None:
    flight = ("DTSTART;TZID=Europe/Madrid:20260512T120000", "DTEND;TZID=America/Santiago:20260512T080000")
    resource = read_event(*flight)
    assert utc(resource) == ["20260512T1000Z/20260512T1200Z"] and resource.notes == ()


def test_an_entry_outside_the_window_takes_no_time_there() -> None:
    assert read_event("DTSTART:20270512T140000Z", "DTEND:20270512T150000Z").events == ()


@pytest.mark.parametrize(
    ("start", "end", "counts"),
    [
        ("20251231T230000Z", "20260101T000000Z", False),  # touches the window's start
        ("20251231T230000Z", "20260101T000001Z", True),
        ("20261231T235959Z", "20270101T010000Z", True),
        ("20270101T000000Z", "20270101T010000Z", False),
        ("20251201T000000Z", "20270201T000000Z", True),
    ],
)
def test_an_entry_counts_where_it_overlaps_the_window(start: str, end: str, counts: bool) -> None:
    resource = read_event(f"DTSTART:{start}", f"DTEND:{end}")
    assert (len(busy(resource)) == 1) == counts


def test_a_window_longer_than_the_limit_is_our_own_mistake() -> None:
    window = Interval(YEAR.start, YEAR.start + LONGEST_WINDOW + timedelta(seconds=1))
    with pytest.raises(ValueError, match="window"):
        read_event("DTSTART:20260512T140000Z", window=window)


# --- zones, as far as entries see them (more in test_zones)


def test_floating_times_are_read_in_the_agents_zone_and_noted() -> None:
    resource = read_event("DTSTART:20260512T100000", "DTEND:20260512T102000")
    assert utc(resource) == ["20260512T1400Z/20260512T1420Z"]
    assert resource.notes == ("times without a time zone are read in America/Santiago",)


def test_an_unknown_zone_is_read_as_the_agents_and_noted() -> None:
    resource = read_event("DTSTART;TZID=Customized Time Zone:20260512T100000", "DURATION:PT20M")
    assert utc(resource) == ["20260512T1400Z/20260512T1420Z"]
    assert resource.notes == ("unknown time zone 'Customized Time Zone': read as America/Santiago",)


def test_a_floating_end_beside_a_zoned_start_is_of_the_same_zone() -> None:
    resource = read_event("DTSTART;TZID=Europe/Rome:20260512T100000", "DTEND:20260512T110000")
    assert utc(resource) == ["20260512T0800Z/20260512T0900Z"] and resource.notes == ()


# --- series


def test_a_series_keeps_its_wall_time_when_the_clocks_change() -> None:
    resource = read_event("DTSTART;TZID=America/Santiago:20260330T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=3")
    assert utc(resource) == [
        "20260330T1200Z/20260330T1300Z", "20260406T1300Z/20260406T1400Z", "20260413T1300Z/20260413T1400Z"
    ]  # fmt: skip
    assert resource.recurring


def test_a_long_instance_that_began_before_the_window_counts() -> None:
    resource = read_event("DTSTART:20251230T120000Z", "DURATION:P3D", "RRULE:FREQ=WEEKLY;COUNT=1")
    assert utc(resource) == ["20251230T1200Z/20260102T1200Z"]


def test_a_long_instance_of_an_endless_series_reaches_into_the_window() -> None:
    resource = read_event(
        "DTSTART:20240101T000000Z", "DURATION:P20D", "RRULE:FREQ=MONTHLY", window=span("2026-05-15", days=7)
    )
    assert utc(resource) == ["20260501T0000Z/20260521T0000Z"]


def test_a_series_that_began_decades_ago_is_read_where_it_is() -> None:
    resource = read_event("DTSTART;VALUE=DATE:16040512", "RRULE:FREQ=YEARLY")
    assert starts(resource) == ["2026-05-12 00:00"]
    assert resource.events[0].all_day and resource.events[0].recurrence_id == "2026-05-12"


def test_the_start_counts_though_its_rule_leaves_it_out() -> None:
    resource = read_event("DTSTART:20260512T140000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;BYDAY=WE;COUNT=2")
    assert [one[:10] for one in starts(resource)] == ["2026-05-12", "2026-05-13", "2026-05-20"]


def test_several_rules_are_joined_and_a_repeated_one_counts_once() -> None:
    rules = ["RRULE:FREQ=DAILY;COUNT=2", "RRULE:FREQ=DAILY;COUNT=2", "RRULE:FREQ=WEEKLY;COUNT=2"]
    resource = read_event("DTSTART:20260512T140000Z", "DURATION:PT1H", *rules)
    assert [one[8:10] for one in starts(resource)] == ["12", "13", "19"]


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20260514T130000Z", "14"),  # exactly the last instance, in UTC beside a zoned start
        ("20260514T125959Z", "13"),
        ("20260514T090000", "14"),  # floating: on the wall clock
        ("20260514", "14"),  # a day beside times: until its end
        ("99991231T235959Z", "15"),
        ("99991231", "15"),
    ],
)
def test_until_ends_a_series_inclusively(until: str, last: str) -> None:
    resource = read_event(*DAILY, f"RRULE:FREQ=DAILY;UNTIL={until}", window=span("2026-05-01", days=15))
    assert starts(resource)[-1][8:10] == last


@pytest.mark.parametrize("until", ["20260514", "20260514T040000Z", "20260513T235959Z", "20260514T230000"])
def test_until_of_whole_days_takes_the_later_reading(until: str) -> None:
    resource = read_event("DTSTART;VALUE=DATE:20260512", f"RRULE:FREQ=DAILY;UNTIL={until}")
    last = "13" if until == "20260513T235959Z" else "14"
    assert starts(resource)[-1][8:10] == last


def test_until_in_the_repeated_hour_is_an_instant() -> None:
    window = span("2026-11-01", days=1)
    rule = "RRULE:FREQ=HOURLY;UNTIL=20261101T061500Z"  # 01:15 the second time in New York
    resource = read_event("DTSTART;TZID=America/New_York:20261101T003000", "DURATION:PT10M", rule, window=window)
    assert utc(resource) == ["20261101T0430Z/20261101T0440Z", "20261101T0530Z/20261101T0540Z"]


def test_a_night_in_which_the_clocks_change_ends_by_the_later_reading() -> None:
    night = ("DTSTART;TZID=America/New_York:20260306T230000", "DTEND;TZID=America/New_York:20260307T070000")
    spring = read_event(*night, "RRULE:FREQ=DAILY;COUNT=3")
    assert utc(spring)[1] == "20260308T0400Z/20260308T1200Z"  # eight hours as on other days, not until 07:00 (11:00Z)
    night = ("DTSTART;TZID=America/New_York:20261030T230000", "DTEND;TZID=America/New_York:20261031T070000")
    autumn = read_event(*night, "RRULE:FREQ=DAILY;COUNT=3")
    assert utc(autumn)[1] == "20261101T0300Z/20261101T1200Z"  # until 07:00 as on other days, not eight hours


@pytest.mark.parametrize(
    "exdate",
    [
        "EXDATE;TZID=America/Santiago:20260505T090000",
        "EXDATE:20260505T130000Z",
        "EXDATE;TZID=Europe/Rome:20260505T150000",
        "EXDATE:20260505T090000",  # floating, beside a zoned start
        "EXDATE;VALUE=DATE:20260505",
        "EXDATE;TZID=America/Santiago:20260401T090000,20260505T090000",
    ],
)
def test_an_exception_leaves_out_its_instance_however_it_is_written(exdate: str) -> None:
    resource = read_event(*DAILY, "RRULE:FREQ=DAILY;COUNT=3", exdate)
    assert [one[8:10] for one in starts(resource)] == ["04", "06"] and resource.notes == ()


@pytest.mark.parametrize("exdate", ["EXDATE;VALUE=DATE:20260505", "EXDATE:20260505T040000Z", "EXDATE:20260505T000000Z"])
def test_an_exception_of_whole_days_names_a_day(exdate: str) -> None:
    resource = read_event("DTSTART;VALUE=DATE:20260504", "RRULE:FREQ=DAILY;COUNT=3", exdate)
    assert [one[8:10] for one in starts(resource)] == ["04", "06"]


def test_utc_that_is_midnight_at_home_names_the_day_at_home() -> None:
    berlin = "Europe/Berlin"  # as Exchange writes it
    days = ("DTSTART;VALUE=DATE:20260504", "EXDATE:20260504T220000Z", "RRULE:FREQ=DAILY;UNTIL=20260505T220000Z")
    assert [one[8:10] for one in starts(read_event(*days, zone=berlin), berlin)] == ["04", "06"]


def test_the_start_itself_can_be_left_out() -> None:
    resource = read_event(*DAILY, "RRULE:FREQ=DAILY;COUNT=2", "EXDATE;TZID=America/Santiago:20260504T090000")
    assert [one[8:10] for one in starts(resource)] == ["05"]


def test_an_exception_that_fits_nothing_leaves_everything() -> None:
    resource = read_event(*DAILY, "RRULE:FREQ=DAILY;COUNT=2", "EXDATE;TZID=America/Santiago:20260505T093000")
    assert len(busy(resource)) == 2


@pytest.mark.parametrize(
    ("rdate", "added"),
    [
        ("RDATE;TZID=America/Santiago:20260510T120000", "2026-05-10 12:00-13:00"),
        ("RDATE:20260510T160000Z", "2026-05-10 12:00-13:00"),
        ("RDATE;VALUE=PERIOD:20260510T160000Z/20260510T183000Z", "2026-05-10 12:00-14:30"),
        ("RDATE;VALUE=PERIOD:20260510T160000Z/PT15M", "2026-05-10 12:00-12:15"),
        ("RDATE;VALUE=DATE:20260510", "2026-05-10 09:00-10:00"),
    ],
)
def test_a_date_is_added(rdate: str, added: str) -> None:
    resource = read_event(*DAILY, rdate)
    assert spans(resource) == ["2026-05-04 09:00-10:00", added] and resource.recurring


def test_of_two_additions_at_one_time_the_longer_counts() -> None:
    for lengths in (("PT3H", "PT2H"), ("PT2H", "PT3H")):
        periods = ",".join(f"20260504T130000Z/{length}" for length in lengths)
        assert spans(read_event(*DAILY, f"RDATE;VALUE=PERIOD:{periods}")) == ["2026-05-04 09:00-12:00"]


def test_a_rule_for_exceptions_is_not_applied_and_noted() -> None:
    resource = read_event(*DAILY, "RRULE:FREQ=DAILY;COUNT=3", "EXRULE:FREQ=DAILY;COUNT=2")
    assert len(busy(resource)) == 3 and "EXRULE" in resource.notes[0]


def test_an_empty_rule_or_list_means_nothing() -> None:
    resource = read_event(*DAILY, "RRULE:", "RDATE:", "EXDATE:")
    assert len(busy(resource)) == 1 and not resource.recurring


# --- overrides


def test_a_moved_instance_is_where_it_was_moved_and_keeps_its_name() -> None:
    master = event(*DAILY, "RRULE:FREQ=DAILY;COUNT=3")
    resource = read(calendar(master, moved("20260505T090000", "20260505T150000", "20260505T153000")))
    assert spans(resource) == ["2026-05-04 09:00-10:00", "2026-05-05 15:00-15:30", "2026-05-06 09:00-10:00"]
    assert resource.events[1].recurrence_id == "2026-05-05T13:00:00+00:00"


def test_an_instance_moved_into_the_window_counts_and_one_moved_out_of_it_does_not() -> None:
    master = event(*DAILY, "RRULE:FREQ=DAILY;COUNT=5")
    into = moved("20260507T090000", "20260504T150000", "20260504T160000")
    out_of = moved("20260504T090000", "20260620T090000", "20260620T100000")
    resource = read(calendar(master, into, out_of), window=span("2026-05-04T04:00", days=1))
    assert spans(resource) == ["2026-05-04 15:00-16:00"]


@pytest.mark.parametrize(
    "name", ["RECURRENCE-ID:20260505T130000Z", "RECURRENCE-ID:20260505T090000", "RECURRENCE-ID;VALUE=DATE:20260505"]
)
def test_an_override_names_its_instance_in_any_spelling(name: str) -> None:
    master = event(*DAILY, "RRULE:FREQ=DAILY;COUNT=2")
    change = event(name, "DTSTART;TZID=America/Santiago:20260505T200000", "DURATION:PT1H")
    assert spans(read(calendar(master, change))) == ["2026-05-04 09:00-10:00", "2026-05-05 20:00-21:00"]


def test_an_override_alone_without_its_master_counts() -> None:
    resource = read(calendar(moved("20260505T090000", "20260505T150000", "20260505T160000")))
    assert spans(resource) == ["2026-05-05 15:00-16:00"] and resource.recurring


def test_an_override_of_no_instance_stays_busy() -> None:
    master = event(*DAILY, "RRULE:FREQ=DAILY;COUNT=2")
    resource = read(calendar(master, moved("20260601T090000", "20260601T150000", "20260601T160000")))
    assert spans(resource)[-1] == "2026-06-01 15:00-16:00" and len(busy(resource)) == 3


@pytest.mark.parametrize(("sequences", "kept"), [((0, 0), True), ((1, 2), True), ((2, 1), False)])
def test_an_override_that_the_master_leaves_out_stays_unless_the_master_is_newer(
    sequences: tuple[int, int], kept: bool
) -> None:
    exdate = "EXDATE;TZID=America/Santiago:20260505T090000"
    master = event(*DAILY, "RRULE:FREQ=DAILY;COUNT=2", exdate, f"SEQUENCE:{sequences[0]}")
    change = moved("20260505T090000", "20260505T150000", "20260505T160000", f"SEQUENCE:{sequences[1]}")
    assert ("2026-05-05 15:00-16:00" in spans(read(calendar(master, change)))) == kept


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("SEQUENCE:1\r\nDTSTAMP:20260103T000000Z", "SEQUENCE:2\r\nDTSTAMP:20260102T000000Z"),
        ("SEQUENCE:9\r\nDTSTAMP:20260101T000000Z", "SEQUENCE:10\r\nDTSTAMP:20260101T000000Z"),
        ("SEQUENCE:1\r\nDTSTAMP:20260101T000000Z", "SEQUENCE:1\r\nDTSTAMP:20260102T000000Z"),
        ("DTSTAMP:20260101T000000Z", "SEQUENCE:1\r\nDTSTAMP:20260101T000000Z"),
        ("SEQUENCE:many\r\nDTSTAMP:20260101T000000Z", "SEQUENCE:1\r\nDTSTAMP:20260101T000000Z"),
    ],
)
def test_the_newest_of_two_for_one_instance_wins_in_either_order(older: str, newer: str) -> None:
    old = moved("20260505T090000", "20260505T150000", "20260505T160000", older)
    new = moved("20260505T090000", "20260505T180000", "20260505T190000", newer)
    for changes in ((old, new), (new, old)):
        assert spans(read(calendar(*changes))) == ["2026-05-05 18:00-19:00"]
    masters = event(*DAILY, older), event("DTSTART:20260601T140000Z", "DURATION:PT1H", newer)
    for both in (masters, masters[::-1]):
        assert starts(read(calendar(*both))) == ["2026-06-01 10:00"]


def test_this_and_future_shifts_what_follows_on_the_wall_clock() -> None:
    master = event(
        "DTSTART;TZID=America/Santiago:20260330T090000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=4", "TRANSP:OPAQUE"
    )
    change = event(
        "RECURRENCE-ID;RANGE=THISANDFUTURE;TZID=America/Santiago:20260406T090000",
        "DTSTART;TZID=America/Santiago:20260407T113000", "DURATION:PT30M", "TRANSP:TRANSPARENT",
    )  # fmt: skip
    single = moved("20260413T090000", "20260413T200000", "20260413T210000")
    resource = read(calendar(master, change, single))
    assert spans(resource) == [
        "2026-03-30 09:00-10:00", "2026-04-07 11:30-12:00", "2026-04-13 20:00-21:00", "2026-04-21 11:30-12:00"
    ]  # fmt: skip
    assert [bool(one.signals) for one in resource.events] == [False, True, False, True]


def test_this_and_future_reaches_into_the_window_from_far_away() -> None:
    master = event("DTSTART:20260101T120000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY")
    change = event(
        "RECURRENCE-ID;RANGE=THISANDFUTURE:20260108T120000Z", "DTSTART:20260418T120000Z", "DURATION:PT1H"
    )  # a hundred days later
    window = span("2026-05-01", days=14)
    assert [one[5:10] for one in starts(read(calendar(master, change), window=window))] == ["05-02", "05-09"]


def test_the_last_of_several_ranges_before_an_instance_decides() -> None:
    master = event("DTSTART:20260504T120000Z", "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=6")
    first = event("RECURRENCE-ID;RANGE=THISANDFUTURE:20260505T120000Z", "DTSTART:20260505T130000Z", "DURATION:PT1H")
    second = event("RECURRENCE-ID;RANGE=THISANDFUTURE:20260507T120000Z", "DTSTART:20260507T150000Z", "DURATION:PT1H")
    hours = [f"{one.start:%d-%H}" for one in busy(read(calendar(second, master, first)))]
    assert hours == ["04-12", "05-13", "06-13", "07-15", "08-15", "09-15"]


def test_a_series_of_days_can_become_one_of_hours_and_back() -> None:
    days = event("DTSTART;VALUE=DATE:20260504", "RRULE:FREQ=DAILY;COUNT=3")
    hours = event(
        "RECURRENCE-ID;RANGE=THISANDFUTURE;VALUE=DATE:20260505",
        "DTSTART;TZID=America/Santiago:20260505T100000", "DURATION:PT1H",
    )  # fmt: skip
    assert spans(read(calendar(days, hours)))[1:] == ["2026-05-05 10:00-11:00", "2026-05-06 10:00-11:00"]
    timed = event(*DAILY, "RRULE:FREQ=DAILY;COUNT=3")
    whole = event("RECURRENCE-ID;RANGE=THISANDFUTURE:20260505T130000Z", "DTSTART;VALUE=DATE:20260505")
    assert spans(read(calendar(timed, whole)))[1:] == ["2026-05-05 00:00-00:00", "2026-05-06 00:00-00:00"]


def test_a_cancelled_instance_says_so_and_its_neighbours_do_not() -> None:
    master = event(*DAILY, "RRULE:FREQ=DAILY;COUNT=2")
    resource = read(
        calendar(master, moved("20260505T090000", "20260505T090000", "20260505T100000", "STATUS:CANCELLED"))
    )
    assert [sorted(one.signals) for one in resource.events] == [[], ["cancelled"]]


# --- resources


def test_several_uids_are_all_read_and_the_first_names_the_resource() -> None:
    one, two = event(*DAILY, uid="first"), event("DTSTART:20260601T140000Z", "DURATION:PT1H", uid="second")
    resource = read(calendar(one, two))
    assert resource.uid == "first" and [event.uid for event in resource.events] == ["first", "second"]


def test_entries_without_a_uid_stand_each_for_itself() -> None:
    bare = "BEGIN:VEVENT\r\nDTSTART:20260512T140000Z\r\nDURATION:PT1H\r\nEND:VEVENT\r\n"
    assert len(busy(read(calendar(bare, bare)))) == 2


def test_free_busy_objects_give_their_busy_periods() -> None:
    text = (
        "BEGIN:VFREEBUSY\r\nUID:f\r\nDTSTART:20260512T000000Z\r\nDTEND:20260513T000000Z\r\n"
        "FREEBUSY:20260512T100000Z/20260512T110000Z,20260512T120000Z/PT30M\r\n"
        "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20260512T140000Z/PT1H\r\nFREEBUSY;FBTYPE=FREE:20260512T160000Z/PT1H\r\n"
        "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20260512T180000Z/PT1H\r\nFREEBUSY:20250101T000000Z/PT1H\r\nEND:VFREEBUSY\r\n"
    )
    resource = read(calendar(text))
    assert utc(resource)[:2] == ["20260512T1000Z/20260512T1100Z", "20260512T1200Z/20260512T1230Z"]
    assert [sorted(one.signals) for one in resource.events] == [[], [], ["tentative"], ["free"], []]
    assert len({one.recurrence_id for one in resource.events}) == 5 and resource.uid == "f"


def test_an_unknown_kind_of_free_busy_time_is_busy_and_noted() -> None:
    text = "BEGIN:VFREEBUSY\r\nFREEBUSY;FBTYPE=X-MAYBE:20260512T100000Z/PT1H\r\nEND:VFREEBUSY\r\n"
    resource = read(calendar(text))
    assert [sorted(one.signals) for one in resource.events] == [["unknown"]] and "X-MAYBE" in resource.notes[0]


def test_to_dos_and_journals_take_no_time() -> None:
    todo = "BEGIN:VTODO\r\nUID:t\r\nDTSTART:20260512T140000Z\r\nDUE:20260512T150000Z\r\nEND:VTODO\r\n"
    resource = read(calendar(todo, todo.replace("VTODO", "VJOURNAL")))
    assert resource.events == () and resource.problem is None and resource.uid == "t" and resource.notes == ()


def test_what_stands_in_an_unknown_component_is_noted() -> None:
    resource = read(calendar(event(*DAILY), "BEGIN:VAVAILABILITY\r\nUID:a\r\nEND:VAVAILABILITY\r\n"))
    assert len(busy(resource)) == 1 and "VAVAILABILITY" in resource.notes[0]


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ((), "no DTSTART"),
        (("DTSTART:INVALID",), "not a date"),
        (("DTSTART:20260230T100000Z",), "exists"),
        (("DTSTART:20260512T240000Z",), "exists"),
        (("DTSTART:20260512T100060Z",), "exists"),
        (("DTSTART:2026051²T100000Z",), "not a date"),
        (("DTSTART;VALUE=DATE:2026W011",), "not a date"),
        (("DTSTART:00010101T000000Z",), "year 1 "),
        (("DTSTART:99991231T000000Z",), "year 9999"),
        (("DTSTART;VALUE=DATE:15991231",), "year 1599"),
        (("DTSTART:20260512T140000Z", "DTEND:21010101T000000Z"), "year 2101"),
        (("DTSTART:16040101T000000Z", "DTEND:20260101T000000Z"), "century"),
        (("DTSTART:20260512T140000Z", "DURATION:P"), "not a duration"),
        (("DTSTART:20260512T140000Z", "DURATION:PT"), "not a duration"),
        (("DTSTART:20260512T140000Z", "DURATION:1H"), "not a duration"),
        (("DTSTART:20260512T140000Z", "DURATION:-PT1H"), "not read"),
        (("DTSTART:20260512T140000Z", "DTSTART:20260513T140000Z"), "twice"),
        (("DTSTART:20260512T140000Z", "DTEND:20260512T150000Z", "DTEND:20260512T160000Z"), "twice"),
        (("DTSTART:20260512T150000Z", "DTEND:20260512T140000Z", "RRULE:FREQ=DAILY"), "before it starts"),
        (("DTSTART;VALUE=DATE:20260512", "DTEND;VALUE=DATE:20260510", "RRULE:FREQ=DAILY"), "before it starts"),
        (("DTSTART:20260512T140000Z", "RRULE:FREQ=DAILY;UNTIL=SOON"), "not a date"),
        (("DTSTART:20260512T140000Z", "RRULE:FREQ=DAILY;UNTL=20260601"), "UNTL"),
        (("DTSTART:20260512T140000Z", "RDATE:TOMORROW"), "not a date"),
        (("DTSTART:20260512T140000Z", "EXDATE:TOMORROW"), "not a date"),
        (("DTSTART:20260512T140000Z", "RDATE;VALUE=PERIOD:20260512T140000Z/-PT1H"), "not read"),
        (("DTSTART:20260512T140000Z", "RDATE;VALUE=PERIOD:20260512T140000Z/20260512T130000Z"), "before it starts"),
    ],
)
def test_what_cannot_be_understood_is_a_problem_that_says_why(lines: tuple[str, ...], why: str) -> None:
    resource = read_event(*lines)
    assert resource.problem is not None and why in resource.problem
    assert resource.events == () and (resource.remote_id, resource.uid, resource.etag) == ("/ana/1.ics", "u1", '"1"')


def test_the_same_line_twice_is_no_contradiction() -> None:
    assert len(busy(read_event("DTSTART:20260512T140000Z", "DTSTART:20260512T140000Z", "DURATION:PT1H"))) == 1


@pytest.mark.parametrize("body", [calendar(), calendar("BEGIN:VTIMEZONE\r\nTZID:x\r\nEND:VTIMEZONE\r\n")])
def test_a_resource_without_an_entry_is_a_problem_never_emptiness(body: bytes) -> None:
    assert read(body).problem == "the text holds no entry"


@pytest.mark.parametrize(
    "body", [b"", b"<!DOCTYPE html><html><body>Sign in</body></html>", b"{}", b"\xff\xfeB\x00E\x00", b"ok"]
)
def test_what_is_no_icalendar_at_all_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read(body)


def test_a_text_cut_anywhere_is_never_read_as_complete() -> None:
    body = calendar(event(*DAILY, "RRULE:FREQ=DAILY;COUNT=3"))
    for length in range(len(body) - 2):  # the last line's end may be missing
        try:
            assert read(body[:length]).problem is not None, length
        except Unreadable:
            assert length < len("BEGIN:")


def test_instances_come_in_order_of_time() -> None:
    master = event(*DAILY, "RRULE:FREQ=DAILY;COUNT=9", "RDATE:20260401T120000Z")
    resource = read(calendar(master, moved("20260504T090000", "20260520T090000", "20260520T100000")))
    found = [one.interval.start for one in resource.events if one.interval is not None]
    assert found == sorted(found) and len(found) == 10


def test_equal_text_gives_equal_readings() -> None:
    body = calendar(event(*DAILY, "RRULE:FREQ=DAILY;COUNT=9"))
    assert read(body) == read(body)
    assert read(body, window=Interval(datetime(2026, 5, 4, tzinfo=UTC), YEAR.end)) == read(body)
