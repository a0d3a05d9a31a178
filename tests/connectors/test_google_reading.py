"""Reading a Google calendar page by page: what is asked, what is believed, and how a series stays one resource."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from syncd.core.interval import Interval
from syncd.errors import CursorExpired, Forbidden, NotFound, Permanent, Transient, Unreadable
from syncd.ports import ChangePage
from tests.connectors.google_stage import ANA, FIRST, WINDOW, GoogleStage
from tests.contracts.calendar import Reader
from tests.servers.google import Google, serving

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LIST = "calendar.events.list"


@pytest.fixture
def google() -> Iterator[Google]:
    with serving() as state:
        yield state
    assert state.wrong == []


@pytest.fixture
def stage(google: Google) -> GoogleStage:
    return GoogleStage(google)


@pytest.fixture
def reader(stage: GoogleStage) -> Reader:
    return Reader(stage, WINDOW)


def at(hours: float, length: float = 1) -> Interval:
    return Interval(FIRST + hours * HOUR, FIRST + (hours + length) * HOUR)


def weekly(stage: GoogleStage, **more: Any) -> str:
    """Make a series of ten weeks from the first day on."""
    return stage.shelf.add(FIRST, FIRST + HOUR, recurrence=["RRULE:FREQ=WEEKLY;COUNT=4"], **more)


def weeks(*numbers: int) -> set[Interval]:
    return {at(24 * 7 * number) for number in numbers}


def pages(stage: GoogleStage, cursor: str | None = None) -> list[ChangePage]:
    return list(stage.calendar.changes(cursor, WINDOW))


# ------------------------------------------------------------------------------------------------ what is asked


def test_a_quiet_poll_is_one_request(stage: GoogleStage, reader: Reader) -> None:
    weekly(stage)
    stage.add(at(3))
    reader.read()
    stage.google.calls.clear()
    assert reader.read() == set()
    (call,) = stage.google.calls
    assert call.name == LIST and "syncToken" in call.query


def test_every_request_names_its_user_for_the_quota_without_naming_the_person(
    stage: GoogleStage, reader: Reader
) -> None:
    reader.read()
    users = {call.query["quotaUser"][0] for call in stage.google.calls}
    (user,) = users
    assert len(user) <= 40 and "ana" not in user


def test_a_stranger_s_notes_are_not_even_asked_for(stage: GoogleStage, reader: Reader) -> None:
    reader.read()
    (call,) = stage.google.asked("events.list")
    assert "description" not in call.query["fields"][0]


def test_series_are_asked_for_as_masters_and_exceptions(stage: GoogleStage, reader: Reader) -> None:
    reader.read()
    (call,) = stage.google.asked("events.list")
    assert "singleEvents" not in call.query and "orderBy" not in call.query and "timeMax" not in call.query


def test_a_calendar_whose_name_needs_quoting_is_asked_for_by_its_name(google: Google) -> None:
    stage = GoogleStage(google)
    odd = google.make_calendar("es.cl#holiday@group.v.calendar.google.com", ANA)
    odd.add(FIRST, FIRST + HOUR)
    from connectors.google import calendar
    from tests.connectors.google_stage import use_of

    found = list(calendar(stage.account, stage.settings, stage.env, use_of(odd.id)).changes(None, WINDOW))
    assert len([one for page in found for one in page.changed]) == 1


# ------------------------------------------------------------------------------------------------ series


def test_a_series_is_one_resource_with_all_its_instances(stage: GoogleStage, reader: Reader) -> None:
    series = weekly(stage)
    stage.shelf.change_instance(series, FIRST + 7 * DAY, start=told(FIRST + 8 * DAY), end=told(FIRST + 8 * DAY + HOUR))
    stage.shelf.change_instance(series, FIRST + 14 * DAY, status="cancelled")
    assert reader.read() == {series}
    assert reader.times() == {at(0), at(24 * 8), at(24 * 21)}


def told(moment: datetime) -> dict[str, str]:
    return {"dateTime": moment.isoformat()}


@pytest.mark.parametrize("page", [1, 250])
def test_an_exception_alone_in_an_increment_makes_the_whole_series_anew(
    stage: GoogleStage, reader: Reader, page: int
) -> None:
    stage.google.page = page
    series = weekly(stage)
    stage.shelf.change_instance(series, FIRST + 7 * DAY, status="cancelled")
    other = stage.add(at(3))
    reader.read()
    stage.shelf.change_instance(
        series, FIRST + 14 * DAY, start=told(FIRST + 15 * DAY), end=told(FIRST + 15 * DAY + HOUR)
    )
    assert reader.read() == {series}
    assert reader.times() == {at(0), at(24 * 15), at(24 * 21), at(3)}
    assert set(reader.held) == {series, other} and reader.listings == 1


def test_a_cancelled_instance_with_bare_fields_frees_its_time(stage: GoogleStage, reader: Reader) -> None:
    series = weekly(stage)
    reader.read()
    stage.shelf.change_instance(series, FIRST + 7 * DAY, status="cancelled")
    assert reader.read() == {series}
    assert reader.times() == weeks(0, 2, 3)


def test_a_changed_series_costs_one_request_beside_the_poll(stage: GoogleStage, reader: Reader) -> None:
    series = weekly(stage)
    reader.read()
    stage.google.calls.clear()
    stage.shelf.edit(series, summary="Otra cosa")
    assert reader.read() == {series}
    assert [call.name for call in stage.google.calls] == [LIST, LIST]
    assert reader.times() == weeks(0, 1, 2, 3)


def test_a_tombstone_with_nothing_but_its_id_still_frees_the_instance(stage: GoogleStage, reader: Reader) -> None:
    series = weekly(stage)
    reader.read()
    one = stage.shelf.change_instance(series, FIRST + 7 * DAY, status="cancelled")

    def bare(answer: Any) -> Any:
        return answer | {"items": [{"id": one, "status": "cancelled"}]}

    stage.google.change(LIST, bare)
    assert reader.read() == {series}
    assert reader.times() == weeks(0, 2, 3)


def test_a_deleted_series_takes_all_its_instances_along(stage: GoogleStage, reader: Reader) -> None:
    series = weekly(stage)
    stage.shelf.change_instance(series, FIRST + 7 * DAY, start=told(FIRST + 8 * DAY), end=told(FIRST + 8 * DAY + HOUR))
    kept = stage.add(at(3))
    reader.read()
    stage.remove(series)
    reader.read()
    assert set(reader.held) == {kept} and reader.listings == 1


def test_an_instance_that_outlives_its_series_still_counts(stage: GoogleStage, reader: Reader) -> None:
    """The organiser deletes the series; one meeting of it, which the agent accepted, stays."""
    series = weekly(stage)
    one = stage.shelf.change_instance(series, FIRST + 7 * DAY, summary="La que queda")
    reader.read()
    stage.remove(series)
    stage.shelf.edit(one, status="confirmed")
    reader.read()
    assert reader.times() == weeks(1)
    assert reader.list_all({}) == {series} and reader.times() == weeks(1)


def test_a_single_entry_that_becomes_a_series_and_back_stays_one_resource(stage: GoogleStage, reader: Reader) -> None:
    made = stage.add(at(0))
    reader.read()
    zone = {"timeZone": "America/Santiago"}
    stage.shelf.edit(made, recurrence=["RRULE:FREQ=WEEKLY;COUNT=4"], start=zone, end=zone)
    assert reader.read() == {made} and reader.times() == weeks(0, 1, 2, 3)
    stage.shelf.change_instance(made, FIRST + 7 * DAY, status="cancelled")
    assert reader.read() == {made} and reader.times() == weeks(0, 2, 3)
    stage.shelf.edit(made, recurrence=[])
    assert reader.read() == {made} and reader.times() == weeks(0)
    assert set(reader.held) == {made}


def test_meetings_of_a_series_that_may_not_be_seen_are_one_resource(stage: GoogleStage, reader: Reader) -> None:
    series = weekly(stage)
    one = stage.shelf.change_instance(series, FIRST + 7 * DAY, summary="Invitada a una")
    two = stage.shelf.change_instance(series, FIRST + 14 * DAY, summary="Y a otra")
    del stage.shelf.events[series], stage.shelf.changed[series]
    reader.read()
    assert reader.times() == weeks(1, 2) and set(reader.held) == {series}
    stage.shelf.edit(one, start=told(FIRST + 9 * DAY), end=told(FIRST + 9 * DAY + HOUR))
    assert reader.read() == {series} and reader.times() == {at(24 * 9), at(24 * 14)}
    stage.remove(one)
    assert reader.read() == {series} and reader.times() == weeks(2)
    stage.remove(two)
    reader.read()
    assert reader.held == {}


def test_a_series_that_did_not_change_is_not_told_again_by_a_listing(stage: GoogleStage, reader: Reader) -> None:
    series = weekly(stage)
    stage.shelf.change_instance(series, FIRST + 7 * DAY, status="cancelled")
    reader.read()
    assert reader.list_all() == set()
    stage.shelf.change_instance(series, FIRST + 14 * DAY, status="cancelled")
    assert reader.list_all() == {series}


def test_so_many_changed_series_ask_for_a_listing(stage: GoogleStage, reader: Reader) -> None:
    made = [weekly(stage, summary=str(n)) for n in range(30)]
    reader.read()
    for one in made:
        stage.shelf.edit(one, summary="x")
    stage.google.calls.clear()
    reader.read()
    assert reader.listings == 2 and len(stage.google.calls) == 2
    assert set(reader.held) == set(made)


# ------------------------------------------------------------------------------------------------ zones


def test_days_are_read_anew_when_the_calendar_s_own_zone_changes(stage: GoogleStage, reader: Reader) -> None:
    day = stage.shelf.add_days(date(2026, 12, 8), date(2026, 12, 9))
    plain = stage.add(at(3))
    reader.read()
    before = reader.held[day].events[0].interval
    stage.shelf.zone = "Asia/Tokyo"
    assert reader.read() == {day}
    after = reader.held[day].events[0].interval
    assert before is not None and after is not None
    assert before.start - after.start == timedelta(hours=12)
    assert reader.listings == 2 and plain in reader.held


def test_a_zone_that_nobody_knows_is_read_as_configured(stage: GoogleStage, reader: Reader) -> None:
    day = stage.shelf.add_days(date(2026, 12, 8), date(2026, 12, 9))
    stage.google.change(LIST, lambda answer: answer | {"timeZone": "Mars/Olympus"})
    reader.read()
    interval = reader.held[day].events[0].interval
    assert interval is not None and interval.start == datetime(2026, 12, 8, 3, tzinfo=UTC)


# ------------------------------------------------------------------------------------------------ what is believed


def test_an_entry_that_cannot_be_understood_is_a_problem_of_its_own(stage: GoogleStage, reader: Reader) -> None:
    good = stage.add(at(1))
    bad = stage.shelf.add(FIRST, FIRST + HOUR, recurrence=["RRULE:FREQ=SECONDLY"])
    reader.read()
    assert reader.held[bad].problem and reader.held[good].problem is None
    assert reader.times() == {at(1)}


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Sign in</html>",
        b"",
        b"[]",
        b"{}",
        b'{"items": []}',
        b'{"kind": "calendar#events"}',
        b'{"kind": "calendar#events", "items": {}, "nextSyncToken": "x"}',
        b'{"kind": "calendar#events", "items": [{"status": "confirmed"}], "nextSyncToken": "x"}',
        b'{"kind": "calendar#events", "items": ["x"], "nextSyncToken": "x"}',
        b'{"kind": "calendar#calendarList", "items": [], "nextSyncToken": "x"}',
        b'{"kind": "calendar#events", "items": [], "nextSyncToken": NaN}',
        b'{"kind": "calendar#events", "items": [], "items": [], "nextSyncToken": "x"}',
        b'{"kind": "calendar#events", "items": [' + b"[" * 100_000,
        b'{"kind": "calendar#events", "items": [], "nextSync',
    ],
)
@pytest.mark.parametrize("since", [False, True])
def test_what_is_no_page_of_entries_is_never_an_empty_calendar(
    stage: GoogleStage, reader: Reader, body: bytes, since: bool
) -> None:
    kept = stage.add(at(1))
    reader.read()
    stage.google.answer(LIST, 200, body)
    with pytest.raises(Unreadable):
        pages(stage, reader.cursor if since else None)
    assert reader.read() == set() and set(reader.held) == {kept}


def test_a_server_that_gives_no_token_is_listed_each_time(stage: GoogleStage, reader: Reader) -> None:
    """Seen at another maker's server for this API."""
    stage.google.tells_sync_token = False
    first = stage.add(at(1))
    reader.read()
    assert reader.cursor is None
    second = stage.add(at(3))
    stage.remove(first)
    reader.read()
    assert set(reader.held) == {second} and reader.listings == 2


def test_an_increment_without_an_end_asks_for_a_listing(stage: GoogleStage, reader: Reader) -> None:
    reader.read()
    stage.google.tells_sync_token = False
    with pytest.raises(CursorExpired):
        pages(stage, reader.cursor)


@pytest.mark.parametrize(
    "text",
    [
        '{"version": 0, "token": "x", "zone": "UTC"}',
        '{"version": 1, "token": "", "zone": "UTC"}',
        '{"version": 1, "token": "x"}',
        '{"version": 1, "token": "x", "zone": 3}',
        "[" * 5000,
    ],
)
def test_a_cursor_of_another_version_or_hand_has_expired(stage: GoogleStage, text: str) -> None:
    with pytest.raises(CursorExpired):
        pages(stage, text)
    assert stage.google.calls == []


def test_a_token_that_google_calls_invalid_has_expired(stage: GoogleStage) -> None:
    with pytest.raises(CursorExpired):
        pages(stage, json.dumps({"version": 1, "token": "not of Google", "zone": "America/Santiago"}))


def test_a_calendar_that_is_gone_or_not_shared_is_not_found(stage: GoogleStage, reader: Reader) -> None:
    reader.read()
    del stage.shelf.roles[ANA]
    for cursor in (None, reader.cursor):
        with pytest.raises(NotFound):
            pages(stage, cursor)


@pytest.mark.parametrize(
    ("status", "reason", "domain", "error"),
    [
        (403, "rateLimitExceeded", "usageLimits", Transient),
        (403, "userRateLimitExceeded", "usageLimits", Transient),
        (403, "quotaExceeded", "usageLimits", Transient),
        (403, "dailyLimitExceeded", "usageLimits", Transient),
        (403, "somethingNew", "usageLimits", Transient),
        (429, "rateLimitExceeded", "usageLimits", Transient),
        (500, "backendError", "global", Transient),
        (503, "backendError", "global", Transient),
        (403, "accessNotConfigured", "usageLimits", Forbidden),
        (403, "forbidden", "global", Forbidden),
        (403, "insufficientPermissions", "global", Forbidden),
        (403, "domainPolicy", "global", Forbidden),
        (400, "invalid", "global", Permanent),
        (404, "notFound", "global", NotFound),
    ],
)
def test_a_refusal_means_what_its_reason_says(
    stage: GoogleStage, status: int, reason: str, domain: str, error: type[Exception]
) -> None:
    stage.google.refuse(LIST, status, reason, domain=domain)
    with pytest.raises(error) as caught:
        pages(stage)
    assert type(caught.value) is error


def test_a_refusal_that_is_no_json_means_what_its_status_says(stage: GoogleStage) -> None:
    stage.google.answer(LIST, 403, b"<html>Forbidden</html>")
    with pytest.raises(Forbidden):
        pages(stage)


def test_a_page_of_many_entries_is_one_request(stage: GoogleStage, reader: Reader) -> None:
    stage.google.page = 2500
    made = {stage.add(at(n * 0.5, 0.25)) for n in range(900)}
    assert reader.read() == made
    assert len(stage.google.asked("events.list")) == 1
