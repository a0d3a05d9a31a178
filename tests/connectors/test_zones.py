"""Time zones by name and by definition; gaps and repeated hours; what is not believed."""

import re
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._lines import components
from connectors._moments import instant_of
from connectors._zones import DEFINITIONS, OBSERVANCES, Zones, zone_named
from syncd.core.interval import Interval
from tests.connectors.ical_texts import CORPUS, SANTIAGO, body_of, busy, calendar, event, read

LIVED_IN = [
    "America/Santiago", "America/New_York", "America/Sao_Paulo", "America/Havana", "Europe/Rome", "Europe/London",
    "Europe/Dublin", "Africa/Casablanca", "Asia/Kathmandu", "Asia/Gaza", "Australia/Lord_Howe", "Pacific/Apia",
]  # fmt: skip
CUSTOM = (  # as Outlook writes a zone that it changed a little: New York
    "BEGIN:VTIMEZONE\r\nTZID:{name}\r\n"
    "BEGIN:STANDARD\r\nDTSTART:16010101T020000\r\nTZOFFSETFROM:-0400\r\nTZOFFSETTO:-0500\r\n"
    "RRULE:FREQ=YEARLY;BYDAY=1SU;BYMONTH=11\r\nEND:STANDARD\r\n"
    "BEGIN:DAYLIGHT\r\nDTSTART:16010101T020000\r\nTZOFFSETFROM:-0500\r\nTZOFFSETTO:-0400\r\n"
    "RRULE:FREQ=YEARLY;BYDAY=2SU;BYMONTH=3\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n"
)


def at_ten(name: str, *definitions: str) -> tuple[str, tuple[str, ...]]:
    """Return the UTC time of 10:00 on 12 May in a zone, and what was noted."""
    entry = event(f'DTSTART;TZID="{name}":20260512T100000', "DURATION:PT1H")
    resource = read(calendar(*definitions, entry))
    return f"{busy(resource)[0].start:%H:%M}", resource.notes


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("Europe/Rome", "08:00"),
        ("europe/rome", "08:00"),
        ("America/Buenos_Aires", "13:00"),
        ("UTC", "10:00"),
        ("GMT", "10:00"),
        ("Etc/GMT+3", "13:00"),
        ("EST5EDT", "14:00"),
        ("W. Europe Standard Time", "08:00"),
        ("Pacific SA Standard Time", "14:00"),
        ("pacific sa standard time", "14:00"),
        ("/mozilla.org/20050126_1/Europe/Rome", "08:00"),
        ("/freeassociation.sourceforge.net/Tzfile/Europe/Rome", "08:00"),
        ("/citadel.org/20211207_1/America/Argentina/Salta", "13:00"),
        ("/Europe/Rome", "08:00"),
    ],
)
def test_a_known_name_is_its_zone(name: str, time: str) -> None:
    assert at_ten(name) == (time, ())


@pytest.mark.parametrize(
    "name",
    [
        "Customized Time Zone", "(UTC+01:00) Brussels, Copenhagen, Madrid, Paris", "Mars/Olympus", "Etc/GMT+99", "Rome",
        "../../etc/passwd", "/../../etc/passwd", "Europe", "Europe/", "localtime", "Factory", "posixrules", "x" * 9_000,
    ],
)  # fmt: skip
def test_an_unknown_name_is_read_as_the_agents_zone_and_noted(name: str) -> None:
    time, notes = at_ten(name)
    assert time == "14:00"  # Santiago: never UTC
    assert len(notes) == 1 and notes[0].startswith(f"unknown time zone {name[:60]!r}") and len(notes[0]) < 200


def test_an_empty_name_is_no_name() -> None:
    entry = event("DTSTART;TZID=:20260512T100000", "DURATION:PT1H")
    assert f"{busy(read(calendar(entry)))[0].start:%H:%M}" == "14:00"


def test_a_definition_is_used_where_the_name_is_unknown() -> None:
    assert at_ten("Customized Time Zone", CUSTOM.format(name="Customized Time Zone")) == ("14:00", ())
    entry = event("DTSTART;TZID=My Zone:20260112T100000", "DURATION:PT1H")
    assert f"{busy(read(calendar(CUSTOM.format(name='My Zone'), entry)))[0].start:%H:%M}" == "15:00"


def test_a_definition_may_come_after_its_entry_and_have_a_name_with_commas() -> None:
    entry = event('DTSTART;TZID="Eastern, US & Canada":20260512T120000', "DURATION:PT1H")
    resource = read(calendar(entry, CUSTOM.format(name="Eastern\\, US & Canada")))
    assert f"{busy(resource)[0].start:%H:%M}" == "16:00" and resource.notes == ()


def test_a_known_name_prevails_over_its_definition() -> None:
    assert at_ten("Europe/Rome", CUSTOM.format(name="Europe/Rome")) == ("08:00", ())


def test_a_definition_that_names_a_known_place_is_that_place() -> None:
    named = CUSTOM.format(name="Mine").replace("TZID:Mine\r\n", "TZID:Mine\r\nX-LIC-LOCATION:Europe/Rome\r\n")
    assert at_ten("Mine", named) == ("08:00", ())


@pytest.mark.parametrize(
    "fault",
    [
        ("TZOFFSETTO:-0400", "TZOFFSETTO:+9900"),
        ("TZOFFSETTO:-0400", "TZOFFSETTO:+1401"),
        ("TZOFFSETTO:-0400", "TZOFFSETTO:-0460"),
        ("TZOFFSETTO:-0400", "TZOFFSETTO:4"),
        ("TZOFFSETTO:-0400", "TZOFFSETTO:-٠٤٠٠"),
        ("TZOFFSETTO:-0400\r\n", ""),
        ("DTSTART:16010101T020000", "DTSTART;TZID=Mine:16010101T020000"),  # recursive
        ("DTSTART:16010101T020000", "DTSTART:soon"),
        ("DTSTART:16010101T020000\r\n", ""),
        ("FREQ=YEARLY", "FREQ=DAILY"),
        ("FREQ=YEARLY", "FREQ=SECONDLY"),
        ("BYMONTH=3", "BYMONTH=3;UNTIL=never"),
        ("BEGIN:DAYLIGHT", "BEGIN:STANDARD\r\nBEGIN:DAYLIGHT\r\nEND:DAYLIGHT\r\nEND:STANDARD\r\nBEGIN:DAYLIGHT"),
        ("END:DAYLIGHT", "BEGIN:STANDARD\r\nEND:STANDARD\r\nEND:DAYLIGHT"),
        ("BEGIN:DAYLIGHT", "BEGIN:VTODO\r\nEND:VTODO\r\nBEGIN:DAYLIGHT"),
        ("BEGIN:DAYLIGHT", "BEGIN:DAYLIGHT\r\nEND:DAYLIGHT\r\n" * OBSERVANCES + "BEGIN:DAYLIGHT"),
    ],
)
def test_a_definition_that_is_not_sane_is_not_used_and_noted(fault: tuple[str, str]) -> None:
    text = CUSTOM.format(name="Mine").replace(*fault)
    assert text != CUSTOM.format(name="Mine")
    time, notes = at_ten("Mine", text)
    assert time == "14:00" and "is not used" in notes[0] and "unknown time zone 'Mine'" in notes[1]


def test_a_definition_without_any_offset_is_not_used() -> None:
    time, notes = at_ten("Mine", "BEGIN:VTIMEZONE\r\nTZID:Mine\r\nEND:VTIMEZONE\r\n")
    assert time == "14:00" and len(notes) == 2


def test_the_last_change_of_a_definition_may_be_told_in_utc() -> None:
    rule = "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU;UNTIL=20260329T010000Z"  # 02:00 on the wall clock of before
    text = (
        f"BEGIN:VTIMEZONE\r\nTZID:Mine\r\nBEGIN:DAYLIGHT\r\nDTSTART:20200329T020000\r\n{rule}\r\n"
        "TZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nEND:DAYLIGHT\r\nBEGIN:STANDARD\r\nDTSTART:20201025T030000\r\n"
        "RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\n"
        "END:VTIMEZONE\r\n"
    )
    assert at_ten("Mine", text) == ("08:00", ())


def test_only_so_many_definitions_are_looked_at() -> None:
    names = [f"Zone {number}" for number in range(DEFINITIONS + 1)]
    body = calendar(
        *(CUSTOM.format(name=name) for name in names),
        *(event(f"DTSTART;TZID={name}:20260512T100000", "DURATION:PT1H", uid=name) for name in names),
    )
    assert [note[:25] for note in read(body, zone="UTC").notes] == [f"unknown time zone '{names[-1]}'"[:25]]


def changes_of(name: str) -> Iterator[datetime]:
    """Yield when a zone's offset changes from 2018 to 2036, to the half hour."""
    zone, moment = ZoneInfo(name), datetime(2018, 1, 1, tzinfo=UTC)
    while moment.year < 2037:
        later = moment + timedelta(days=2)
        if later.astimezone(zone).utcoffset() != moment.astimezone(zone).utcoffset():
            steps = [moment + timedelta(minutes=30 * step) for step in range(97)]
            yield next(one for one in steps if one.astimezone(zone).utcoffset() != moment.astimezone(zone).utcoffset())
        moment = later


def definition_of(name: str) -> str:
    """Write out a zone as a VTIMEZONE, one part a change, whose time is that of the old offset (RFC 5545)."""
    zone, parts = ZoneInfo(name), ""
    for change in [datetime(2018, 1, 1, tzinfo=UTC), *changes_of(name)]:
        old, new = (change - timedelta(minutes=30)).astimezone(zone), change.astimezone(zone)
        onset = old + timedelta(minutes=30)  # on the wall clock of before
        parts += (
            f"BEGIN:STANDARD\r\nDTSTART:{onset:%Y%m%dT%H%M%S}\r\nTZOFFSETFROM:{old:%z}\r\n"
            f"TZOFFSETTO:{new:%z}\r\nEND:STANDARD\r\n"
        )
    return f"BEGIN:VTIMEZONE\r\nTZID:Mine\r\n{parts}END:VTIMEZONE\r\n"


def defined(text: str) -> tzinfo:
    zones = Zones(SANTIAGO, components(calendar(text)))
    zone = zones.of("Mine")
    assert zones.notes == []
    return zone


@pytest.mark.parametrize("name", LIVED_IN)
def test_a_written_out_zone_tells_the_same_times_as_the_zone(name: str) -> None:
    mine, real = defined(definition_of(name)), ZoneInfo(name)
    near = [change + timedelta(minutes=15 * step) for change in changes_of(name) for step in range(-12, 13)]
    for moment in [datetime(2018, 1, 2, tzinfo=UTC) + timedelta(hours=31 * step) for step in range(5_000)] + near:
        local = moment.astimezone(real).replace(tzinfo=None)
        assert moment.astimezone(mine).replace(tzinfo=None) == local, moment
        assert moment.astimezone(mine).astimezone(UTC) == moment
        assert instant_of(local, mine) == instant_of(local, real), local


@given(
    name=st.sampled_from(LIVED_IN),
    local=st.datetimes(datetime(2000, 1, 1), datetime(2037, 12, 31)),  # noqa: DTZ001
)
def test_the_quick_way_to_an_instant_is_the_librarys(name: str, local: datetime) -> None:
    zone = ZoneInfo(name)
    assert instant_of(local, zone) == local.replace(tzinfo=zone).astimezone(UTC)


@pytest.mark.parametrize(
    ("zone", "local", "instant"),
    [
        ("America/New_York", "2026-03-08T02:30", "2026-03-08T07:30"),  # missing: with the offset before the gap
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30"),  # twice: the first
        ("America/Santiago", "2026-09-06T00:00", "2026-09-06T04:00"),
        ("America/Santiago", "2026-04-04T23:30", "2026-04-05T02:30"),
        ("Europe/Rome", "2026-03-29T02:30", "2026-03-29T01:30"),
        ("Europe/Rome", "2026-10-25T02:30", "2026-10-25T00:30"),
    ],
)
def test_missing_and_repeated_times_follow_the_standard(zone: str, local: str, instant: str) -> None:
    expected = datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert instant_of(datetime.fromisoformat(local), ZoneInfo(zone)) == expected
    assert instant_of(datetime.fromisoformat(local), defined(definition_of(zone))) == expected


def test_every_zone_of_the_machine_is_known_by_its_name() -> None:
    names = zoneinfo.available_timezones() - {"Factory", "localtime"}
    assert all(zone_named(name) == ZoneInfo(name) for name in names)


def test_no_name_opens_a_file_of_its_choice(tmp_path: Path) -> None:
    bait = tmp_path / "zone"
    bait.write_bytes(Path(__file__).read_bytes())
    assert zone_named(f"../../../..{bait}") is None and zone_named(str(bait)) is None


def test_a_series_in_a_defined_zone_follows_its_changes() -> None:
    entry = event("DTSTART;TZID=Mine:20260301T100000", "DURATION:PT1H", "RRULE:FREQ=WEEKLY;COUNT=2")
    window = Interval(datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
    found = busy(read(calendar(CUSTOM.format(name="Mine"), entry), window=window))
    assert [f"{one.start:%d %H}" for one in found] == ["01 15", "08 14"]


def test_a_definition_by_rules_tells_the_same_times_as_the_zone() -> None:
    text = body_of(CORPUS / "icalendar" / "america_new_york.ics").decode().replace("\r", "")
    found = text[text.index("BEGIN:VTIMEZONE") : text.index("END:VTIMEZONE") + len("END:VTIMEZONE\n")]
    found = re.sub(r"(X-LIC-LOCATION|TZID):.*\n", "", found).replace("BEGIN:VTIMEZONE", "BEGIN:VTIMEZONE\nTZID:Mine")
    mine, real = defined(found), ZoneInfo("America/New_York")
    moment = datetime(1975, 1, 1, tzinfo=UTC)
    while moment.year < 2100:
        assert moment.astimezone(mine).utcoffset() == moment.astimezone(real).utcoffset(), moment
        moment += timedelta(hours=31)
