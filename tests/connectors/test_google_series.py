"""Series as Google tells them: master and exceptions, with the same times that iCalendar gives for the same series."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._google_series import Reader
from connectors._ical import read_resource
from syncd.core.busy import Signal
from syncd.core.interval import Interval
from syncd.ports import CalendarUse, Resource
from tests.connectors.ical_texts import calendar, event
from tests.connectors.test_ical_oracle import rules

SANTIAGO = "America/Santiago"
HOUR = timedelta(hours=1)
SPRING = Interval(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC))  # Chile's clocks change in April


def at(text: str, zone: str = SANTIAGO) -> dict[str, str]:
    """Tell a local time as Google does: with its offset, and its zone beside it."""
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return {"dateTime": local.isoformat(), "timeZone": zone}


def master(
    *recurrence: str, start: str = "2026-03-02T09:00", end: str = "2026-03-02T10:00", **more: Any
) -> dict[str, Any]:
    return {
        "id": "s1",
        "etag": '"1"',
        "iCalUID": "s1@google.com",
        "start": at(start),
        "end": at(end),
        "recurrence": list(recurrence),
        **more,
    }


def changed(original: str, start: str = "", end: str = "", **more: Any) -> dict[str, Any]:
    times = {"start": at(start), "end": at(end)} if start else {}
    return {
        "id": f"s1_{original}",
        "etag": '"2"',
        "iCalUID": "s1@google.com",
        "recurringEventId": "s1",
        "originalStartTime": at(original),
        **times,
        **more,
    }


def cancelled(original: str) -> dict[str, Any]:
    """Tell a cancelled instance with no more than Google guarantees."""
    return {"id": f"s1_{original}", "status": "cancelled", "recurringEventId": "s1", "originalStartTime": at(original)}


def read(*parts: dict[str, Any], window: Interval = SPRING, zone: str = SANTIAGO) -> Resource:
    return Reader(zone, set(), window).series("s1", parts)


def starts(resource: Resource, zone: str = SANTIAGO) -> list[str]:
    assert resource.problem is None
    found = (one.interval for one in resource.events)
    return [f"{one.start.astimezone(ZoneInfo(zone)):%m-%dT%H:%M}" for one in found if one is not None]


def test_a_weekly_series_keeps_its_local_hour_when_the_clocks_change() -> None:
    resource = read(master("RRULE:FREQ=WEEKLY;COUNT=7"))
    assert starts(resource) == [
        f"{day}T09:00" for day in ("03-02", "03-09", "03-16", "03-23", "03-30", "04-06", "04-13")
    ]
    utc = [one.interval.start.hour for one in resource.events if one.interval is not None]
    assert utc == [12, 12, 12, 12, 12, 13, 13]
    assert resource.recurring and resource.uid == "s1@google.com" and resource.remote_id == "s1"


def test_a_moved_instance_stands_at_its_new_time_and_nowhere_else() -> None:
    moved = changed("2026-03-09T09:00", "2026-03-10T15:00", "2026-03-10T16:00")
    assert starts(read(master("RRULE:FREQ=WEEKLY;COUNT=3"), moved)) == ["03-02T09:00", "03-10T15:00", "03-16T09:00"]


def test_a_cancelled_instance_is_free() -> None:
    resource = read(master("RRULE:FREQ=WEEKLY;COUNT=3"), cancelled("2026-03-09T09:00"))
    assert starts(resource) == ["03-02T09:00", "03-16T09:00"]


def test_extra_and_left_out_dates_count() -> None:
    lines = (
        "RRULE:FREQ=WEEKLY;COUNT=3",
        "EXDATE;TZID=America/Santiago:20260309T090000",
        "RDATE;TZID=America/Santiago:20260311T090000",
    )
    assert starts(read(master(*lines))) == ["03-02T09:00", "03-11T09:00", "03-16T09:00"]


def test_an_exception_has_its_own_words() -> None:
    declined = changed("2026-03-09T09:00", "2026-03-09T09:00", "2026-03-09T10:00", transparency="transparent")
    resource = read(master("RRULE:FREQ=WEEKLY;COUNT=2"), declined)
    assert [one.signals for one in resource.events] == [frozenset(), {Signal.FREE}]


def test_exceptions_whose_master_may_not_be_seen_stand_for_themselves() -> None:
    """Somebody was invited to two meetings of a series, not to the series."""
    resource = read(changed("2026-03-09T09:00", "2026-03-09T09:00", "2026-03-09T10:00"), cancelled("2026-03-16T09:00"))
    assert starts(resource) == ["03-09T09:00"]


def test_a_series_of_days_lies_in_the_calendar_s_own_zone() -> None:
    told = master("RRULE:FREQ=WEEKLY;COUNT=2", "EXDATE;VALUE=DATE:20260309")
    told |= {"start": {"date": "2026-03-02"}, "end": {"date": "2026-03-03"}}
    (one,) = read(told, zone="Asia/Tokyo").events
    assert one.all_day and one.interval is not None
    assert one.interval.start.isoformat() == "2026-03-01T15:00:00+00:00"


def test_a_cancelled_day_of_a_series_is_free() -> None:
    told = master("RRULE:FREQ=DAILY;COUNT=3") | {"start": {"date": "2026-03-02"}, "end": {"date": "2026-03-03"}}
    gone = {
        "id": "s1_20260303",
        "status": "cancelled",
        "recurringEventId": "s1",
        "originalStartTime": {"date": "2026-03-03"},
    }
    assert starts(read(told, gone)) == ["03-02T00:00", "03-04T00:00"]


def test_an_instance_moved_into_the_window_from_far_outside_counts() -> None:
    moved = changed("2026-12-07T09:00", "2026-03-05T09:00", "2026-03-05T10:00")
    assert "03-05T09:00" in starts(read(master("RRULE:FREQ=WEEKLY"), moved))


def test_the_etag_of_a_series_changes_with_any_part_and_with_the_calendar_s_zone_only() -> None:
    parts = [master("RRULE:FREQ=WEEKLY"), cancelled("2026-03-09T09:00") | {"etag": '"2"'}]
    etag = read(*parts).etag
    assert read(*reversed(parts)).etag == etag
    assert read(parts[0], parts[1] | {"etag": '"3"'}).etag != etag
    assert read(parts[0]).etag != etag
    assert read(*parts, zone="Europe/Rome").etag != etag


@pytest.mark.parametrize(
    "lines",
    [
        ["RRULE:FREQ=SECONDLY"],
        ["RRULE:FREQ=DAILY;INTERVAL=0"],
        ["RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"],
        ["RRULE:FREQ=DAILY;COUNT=1000000000"],
        ["RRULE:FREQ=HOURLY;BYMINUTE=" + ",".join(map(str, range(60)))],
        ["DTSTART:20260302T090000Z"],
        ["no rule at all"],
        ["RRULE"],
        ["RRULE:FREQ=DAILY"] * 300,
        [f"RRULE:FREQ=DAILY;INTERVAL={n}" for n in range(1, 30)],
        ["EXDATE:" + ",".join(["20260302T090000Z"] * 6000)],
        ["RDATE:20261301T000000Z"],
    ],
)
def test_a_hostile_rule_is_a_problem_and_never_free(lines: list[str]) -> None:
    resource = read(master(*lines))
    assert resource.problem and resource.events == ()


def test_exrule_is_not_read_and_its_times_stay_busy() -> None:
    reader = Reader(SANTIAGO, set(), SPRING)
    resource = reader.series("s1", [master("RRULE:FREQ=WEEKLY;COUNT=2", "EXRULE:FREQ=WEEKLY;COUNT=1")])
    assert len(resource.events) == 2
    assert reader.notes == ["EXRULE is not read: the times it would leave out stay busy"]


class Twins:
    """One series, told by Google and by a CalDAV server."""

    def __init__(self, rule: str, start: datetime, zone: str) -> None:
        end = start + HOUR
        self.rule = rule
        self.told: list[dict[str, Any]] = [
            {"id": "s1", "start": at(start.isoformat(), zone), "end": at(end.isoformat(), zone)}
        ]
        self.told[0]["recurrence"] = [f"RRULE:{rule}"]
        self.lines = [f"DTSTART;TZID={zone}:{start:%Y%m%dT%H%M%S}", f"DTEND;TZID={zone}:{end:%Y%m%dT%H%M%S}"]
        self.more = ""

    def cancel(self, was: datetime) -> None:
        self.lines.append(f"EXDATE:{was:%Y%m%dT%H%M%SZ}")
        self.told.append(self._exception(was) | {"status": "cancelled"})

    def move(self, was: datetime, start: datetime) -> None:
        end = start + HOUR
        times = f"DTSTART:{start:%Y%m%dT%H%M%SZ}", f"DTEND:{end:%Y%m%dT%H%M%SZ}"
        self.more = event(f"RECURRENCE-ID:{was:%Y%m%dT%H%M%SZ}", *times)
        moved = {"start": {"dateTime": start.isoformat()}, "end": {"dateTime": end.isoformat()}}
        self.told.append(self._exception(was) | moved)

    @staticmethod
    def _exception(was: datetime) -> dict[str, Any]:
        original = {"dateTime": was.isoformat()}
        return {"id": f"s1_{was.isoformat()}", "recurringEventId": "s1", "originalStartTime": original}

    def by_icalendar(self) -> Resource:
        text = calendar(event(*self.lines, f"RRULE:{self.rule}"), self.more)
        use = CalendarUse(name="x", time_zone=SANTIAGO)
        return read_resource(text, remote_id="s1", etag="", window=SPRING, use=use)


@given(
    rule=rules(),
    day=st.dates(date(2025, 12, 1), date(2026, 5, 1)),
    hour=st.integers(4, 22),
    zone=st.sampled_from([SANTIAGO, "Europe/Berlin", "Australia/Lord_Howe", "UTC"]),
    places=st.lists(st.integers(0, 4), min_size=2, max_size=2, unique=True),
)
def test_a_series_means_the_same_as_its_twin_in_icalendar(
    rule: str, day: date, hour: int, zone: str, places: list[int]
) -> None:
    """S12: one instance is moved, another one cancelled, where there are so many."""
    twins = Twins(rule, datetime.combine(day, time(hour, 30)), zone)
    times = [one.interval.start for one in twins.by_icalendar().events if one.interval is not None]
    if len(times) > max(places):
        twins.cancel(times[places[0]])
        twins.move(times[places[1]], times[places[1]] + 26 * HOUR)
    theirs, ours = twins.by_icalendar(), read(*twins.told)
    assert (ours.problem is None) is (theirs.problem is None)
    assert {one.interval for one in ours.events} == {one.interval for one in theirs.events}
