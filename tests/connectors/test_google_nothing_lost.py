"""An expired token or channel, an endless delta, a 410 in the middle, 429s, a moved window, a lost response.

Each leaves nothing lost, nothing doubled and nothing deleted.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.google import SPEC
from syncd.core.interval import Interval
from syncd.errors import Ambiguous, AuthFailed, CursorExpired, Transient, Unreadable
from syncd.ports import Call, Watch
from tests.connectors.google_stage import FIRST, WINDOW, GoogleStage
from tests.contracts.calendar import CalendarContract, Reader
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


def at(hours: float) -> Interval:
    return Interval(FIRST + hours * HOUR, FIRST + (hours + 1) * HOUR)


def change_all(stage: GoogleStage, made: list[str]) -> set[Interval]:
    """Move one entry, delete one, make one: what a gap may hold. Returns the times that stand afterwards."""
    stage.drag(made[0], at(50))
    stage.remove(made[1])
    stage.add(at(60))
    return {at(50), at(60)} | {at(2 * n) for n in range(2, len(made))}


# ------------------------------------------------------------------------------------------------ expired token


@pytest.mark.parametrize("reason", ["fullSyncRequired", "updatedMinTooLongAgo"])
def test_an_expired_sync_token_leaves_nothing_lost_doubled_or_deleted(
    stage: GoogleStage, reader: Reader, reason: str
) -> None:
    made = [stage.add(at(2 * n)) for n in range(6)]
    reader.read()
    wanted = change_all(stage, made)
    stage.google.refuse(LIST, 410, reason)
    reader.read()
    assert reader.times() == wanted and len(reader.held) == len(wanted) == len(stage.everything())
    assert reader.listings == 2 and stage.google.asked("delete") == stage.google.asked("insert") == []


def test_an_expired_access_token_is_replaced_once_and_the_poll_goes_on(stage: GoogleStage, reader: Reader) -> None:
    made = stage.add(at(1))
    reader.read()
    stage.google.desk.revoke_access()
    stage.drag(made, at(5))
    assert reader.read() == {made} and reader.times() == {at(5)}
    assert len(stage.google.desk.asked) == 2


def test_a_login_that_stays_refused_is_asked_twice_and_no_more(stage: GoogleStage, reader: Reader) -> None:
    reader.read()
    for _ in range(2):
        stage.google.refuse(LIST, 401, "authError")
    with pytest.raises(AuthFailed):
        list(stage.calendar.changes(reader.cursor, WINDOW))
    assert len(stage.google.asked("events.list")) == 3


# ------------------------------------------------------------------------------------------------ expired channel


def watch_of(stage: GoogleStage) -> Watch:
    assert SPEC.watch is not None
    return SPEC.watch(stage.account, stage.settings, stage.env, stage.use)


def test_an_expired_channel_is_answered_counted_and_changes_nothing(stage: GoogleStage, reader: Reader) -> None:
    made = stage.add(at(1))
    reader.read()
    subscription = watch_of(stage).start("http://127.0.0.1:9/hook/x")
    (channel,) = stage.google.channels.values()
    call = Call(
        headers=list(stage.google.notice(channel).items()),
        body=b"",
        now=datetime(2027, 1, 1, tzinfo=UTC),
        live=lambda _: None,  # dropped from what we hold when it ended
        secret=stage.env.secret,
    )
    assert SPEC.hook is not None
    delivery = SPEC.hook(stage.account, stage.settings, call)
    assert delivery.ignored and delivery.touches == () and subscription.expires_at is not None
    stage.drag(made, at(4))
    assert reader.read() == {made}, "the poll sees what no channel told"


# ------------------------------------------------------------------------------------------------ endless delta


def test_pages_that_go_round_in_a_circle_end_and_apply_nothing(stage: GoogleStage, reader: Reader) -> None:
    made = stage.add(at(1))
    reader.read()
    stage.drag(made, at(5))
    for _ in range(3):
        stage.google.answer(LIST, 200, b'{"kind": "calendar#events", "items": [], "nextPageToken": "round"}')
    with pytest.raises(Unreadable, match="circle"):
        list(stage.calendar.changes(reader.cursor, WINDOW))
    assert len(stage.google.asked("events.list")) == 3
    stage.google.relent()
    assert reader.read() == {made} and reader.times() == {at(5)}


def test_a_delta_without_an_end_ends(stage: GoogleStage, reader: Reader) -> None:
    made = stage.add(at(1))
    reader.read()
    stage.google.endless = True
    with pytest.raises(Unreadable, match="no end after 400 pages"):
        list(stage.calendar.changes(reader.cursor, WINDOW))
    stage.google.endless = False
    assert reader.read() == set() and set(reader.held) == {made}


# ------------------------------------------------------------------------------------------------ 410 in the middle


def test_a_410_in_the_middle_of_an_increment_leads_to_a_complete_listing(stage: GoogleStage, reader: Reader) -> None:
    stage.google.page = 2
    made = [stage.add(at(2 * n)) for n in range(6)]
    reader.read()
    for one in made[2:]:
        stage.shelf.edit(one, summary="x")
    wanted = change_all(stage, made)
    stage.google.refuse(LIST, 410, "fullSyncRequired", skip=1)
    reader.read()
    assert reader.times() == wanted and len(reader.held) == len(wanted)


def test_a_410_in_the_middle_of_a_listing_is_no_empty_half(stage: GoogleStage, reader: Reader) -> None:
    stage.google.page = 2
    made = [stage.add(at(2 * n)) for n in range(6)]
    reader.read()
    stage.google.refuse(LIST, 410, "updatedMinTooLongAgo", skip=1)
    with pytest.raises(Transient):
        reader.list_all()
    assert set(reader.held) == set(made)
    wanted = change_all(stage, made)
    reader.list_all()
    assert reader.times() == wanted


@pytest.mark.parametrize(
    ("status", "reason"), [(500, "backendError"), (503, "backendError"), (429, "rateLimitExceeded")]
)
def test_trouble_on_the_third_page_applies_no_part_of_a_listing(
    stage: GoogleStage, reader: Reader, status: int, reason: str
) -> None:
    stage.google.page = 1
    made = [stage.add(at(2 * n)) for n in range(5)]
    reader.read()
    stage.google.refuse(LIST, status, reason, skip=2)
    with pytest.raises(Transient):
        reader.list_all()
    assert set(reader.held) == set(made) and reader.list_all() == set()


# ------------------------------------------------------------------------------------------------ 429s


@pytest.mark.parametrize(
    ("status", "reason", "headers", "wait"),
    [
        (429, "rateLimitExceeded", {"Retry_After": "7"}, 7.0),
        (429, "rateLimitExceeded", {}, None),
        (403, "userRateLimitExceeded", {"Retry_After": "11"}, 11.0),
        (403, "rateLimitExceeded", {}, None),
    ],
)
def test_many_429s_wait_as_told_and_lose_nothing(
    stage: GoogleStage, reader: Reader, status: int, reason: str, headers: dict[str, Any], wait: float | None
) -> None:
    made = [stage.add(at(2 * n)) for n in range(4)]
    reader.read()
    wanted = change_all(stage, made)
    for _ in range(3):
        stage.google.refuse(LIST, status, reason, domain="usageLimits", **headers)
        with pytest.raises(Transient) as caught:
            list(stage.calendar.changes(reader.cursor, WINDOW))
        assert caught.value.retry_after == wait
    reader.read()
    assert reader.times() == wanted and reader.listings == 1


def test_a_429_on_a_write_is_no_second_entry(stage: GoogleStage) -> None:
    draft = CalendarContract.draft(stage)
    stage.google.refuse("events.insert", 429, "rateLimitExceeded", Retry_After="7")
    with pytest.raises(Transient):
        stage.calendar.put(draft, None)
    put = stage.calendar.put(draft, None)
    assert stage.everything() == [put.remote_id]


# ------------------------------------------------------------------------------------------------ moved window


def test_a_moved_window_brings_what_was_beyond_it_without_a_change_at_google(stage: GoogleStage) -> None:
    near, far = stage.add(at(1)), stage.add(at(24 * 120))
    series = stage.shelf.add(FIRST + 2 * HOUR, FIRST + 3 * HOUR, recurrence=["RRULE:FREQ=WEEKLY"])
    reader = Reader(stage, Interval(FIRST - DAY, FIRST + 90 * DAY))
    reader.read()
    assert reader.times() >= {at(1), at(2)} and at(24 * 120) not in reader.times()
    reader.window = Interval(FIRST + 39 * DAY, FIRST + 130 * DAY)
    reader.list_all({})  # what the pull flow does when the window has moved over the horizon
    assert at(24 * 120) in reader.times() and at(24 * 7 * 10 + 2) in reader.times()
    assert set(reader.held) >= {far, series} and near not in {one for one in reader.held if reader.held[one].events}


def test_an_entry_moved_far_out_of_the_window_frees_its_time_and_comes_back(stage: GoogleStage, reader: Reader) -> None:
    made = stage.add(at(1))
    reader.read()
    stage.drag(made, at(24 * 200))
    reader.read()
    assert reader.times() == set() and made in reader.held
    stage.drag(made, at(3))
    reader.read()
    assert reader.times() == {at(3)}


def test_an_increment_may_hold_what_lies_outside_the_window(stage: GoogleStage, reader: Reader) -> None:
    kept = stage.add(at(1))
    reader.read()
    old = stage.add(Interval(FIRST - 400 * DAY, FIRST - 400 * DAY + HOUR))
    assert reader.read() == {old} and reader.times() == {at(1)}
    assert reader.held[old].events == () and set(reader.held) == {kept, old}


# ------------------------------------------------------------------------------------------------ lost response


def test_a_lost_response_to_an_insert_is_found_and_not_made_twice(stage: GoogleStage) -> None:
    draft = CalendarContract.draft(stage)
    stage.google.hang_up("events.insert")
    with pytest.raises(Ambiguous):
        stage.calendar.put(draft, None)
    found = stage.calendar.find(draft.key, draft.uid)
    assert found is not None and stage.everything() == [found.remote_id]
    assert stage.calendar.put(draft, None).remote_id == found.remote_id
    assert stage.everything() == [found.remote_id]


def test_a_lost_request_to_insert_is_not_found_and_made_once(stage: GoogleStage) -> None:
    draft = CalendarContract.draft(stage)
    stage.google.hang_up("events.insert", undone=True)
    with pytest.raises(Ambiguous):
        stage.calendar.put(draft, None)
    assert stage.calendar.find(draft.key, draft.uid) is None
    put = stage.calendar.put(draft, None)
    assert stage.everything() == [put.remote_id]


@pytest.mark.parametrize("undone", [False, True])
def test_a_lost_response_to_a_change_is_found_as_it_stands(stage: GoogleStage, undone: bool) -> None:
    draft, later = CalendarContract.draft(stage), CalendarContract.draft(stage, 6)
    put = CalendarContract.remembered(stage.calendar.put(draft, None), draft)
    stage.google.hang_up("events.patch", undone=undone)
    with pytest.raises(Ambiguous):
        stage.calendar.put(later, put)
    found = stage.calendar.find(draft.key, draft.uid)
    assert found is not None and found.interval == (draft if undone else later).interval
    stage.calendar.put(later, found)
    shown = stage.look(put.remote_id)
    assert shown is not None and shown.interval == later.interval and len(stage.everything()) == 1


@pytest.mark.parametrize("undone", [False, True])
def test_a_lost_response_to_a_deletion_deletes_nothing_else(stage: GoogleStage, undone: bool) -> None:
    other = stage.add(at(9))
    draft = CalendarContract.draft(stage)
    put = CalendarContract.remembered(stage.calendar.put(draft, None), draft)
    stage.google.hang_up("events.delete", undone=undone)
    with pytest.raises(Ambiguous):
        stage.calendar.delete(put)
    stage.calendar.delete(put)
    assert stage.everything() == [other]


def test_a_lost_response_to_a_poll_is_asked_again_at_once(stage: GoogleStage, reader: Reader) -> None:
    made = stage.add(at(1))
    reader.read()
    stage.drag(made, at(4))
    stage.google.hang_up(LIST)
    assert reader.read() == {made} and reader.times() == {at(4)}


def test_half_a_page_is_no_page(stage: GoogleStage, reader: Reader) -> None:
    made = stage.add(at(1))
    reader.read()
    whole: Any = b'{"kind": "calendar#events", "items": [], "nextSyncToken": "x"'
    stage.google.answer(LIST, 200, whole)
    with pytest.raises(Unreadable):
        list(stage.calendar.changes(None, WINDOW))
    with pytest.raises(CursorExpired):
        list(stage.calendar.changes("x", WINDOW))
    assert set(reader.held) == {made}
