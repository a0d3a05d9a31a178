"""Polling Calendly: whole listings, few requests, one budget, and nothing believed that is no true answer."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from syncd.core.interval import Interval
from syncd.errors import (
    Ambiguous,
    AuthFailed,
    ConnectorError,
    Forbidden,
    Transient,
    Unreadable,
)
from syncd.ports import RemoteBooking
from syncd.practice_calendly import Client, Fault
from tests.connectors.calendly_stage import PUBLIC, WEEK, fill, listed, push_of, scheduler_of
from tests.servers.calendly import MONDAY, TOKEN, Practice, practice


@pytest.fixture
def stand() -> Iterator[Practice]:
    with practice() as running:
        yield running


def test_a_poll_reads_invitees_of_changed_rows_only(stand: Practice) -> None:
    for hour in (9, 11, 13, 15):
        stand.book(hour)
    scheduler = scheduler_of(stand)
    first = [one.id for one in scheduler.bookings(WEEK)]
    stand.server.requests.clear()
    assert [one.id for one in scheduler.bookings(WEEK)] == first
    assert len(stand.server.requests) == 2  # active, canceled
    stand.company.cancel(first[2])
    stand.server.requests.clear()
    assert [one.active for one in scheduler.bookings(WEEK) if one.id == first[2]] == [False]
    assert len(stand.server.requests) == 3


def test_the_memory_of_a_poll_survives_a_new_scheduler_of_the_same_login(stand: Practice) -> None:
    stand.book(9)
    listed(stand)
    stand.server.requests.clear()
    listed(stand)
    assert len(stand.server.requests) == 2


def test_even_unchanged_events_are_read_anew_after_half_a_day(stand: Practice) -> None:
    booking = stand.book(9)
    assert [one.no_show for one in listed(stand)] == [False]
    stand.company.mark_attendance(booking, present=False)  # changes no row of the listing
    stand.clock.advance(timedelta(hours=12, seconds=1))
    assert [one.no_show for one in listed(stand)] == [True]


def test_strangers_meetings_are_not_even_read(stand: Practice) -> None:
    private = stand.company.add_event_type("Privado", 30, [stand.ana])
    stand.company.book(private, MONDAY + timedelta(hours=9), Client("P", "p@example.com"))
    wanted = stand.book(11)
    stand.server.requests.clear()
    some = scheduler_of(stand).bookings(WEEK, event_types={stand.visit})
    assert [one.id for one in some] == [wanted]
    assert len(stand.calls("GET /scheduled_events/")) == 1


def test_a_listing_of_several_pages_is_drained_before_the_first_invitee_is_read(stand: Practice) -> None:
    ids = fill(stand, 130)
    assert {one.id for one in listed(stand)} == set(ids)
    pages = [n for n, one in enumerate(stand.server.requests) if one.startswith("GET /scheduled_events?")]
    invitees = [n for n, one in enumerate(stand.server.requests) if "/invitees" in one]
    assert len(pages) == 3 and max(pages) < min(invitees)


def test_where_calendly_forgets_the_place_the_listing_goes_on_from_the_last_start(stand: Practice) -> None:
    ids = fill(stand, 130)
    stand.server.api.page_life = timedelta(seconds=-1)  # every page token is too old when it comes back
    assert {one.id for one in listed(stand)} == set(ids)


def test_f13_a_page_that_fails_makes_the_whole_reading_fail(stand: Practice) -> None:
    fill(stand, 130)
    scheduler = scheduler_of(stand)
    list(scheduler.bookings(Interval(MONDAY, MONDAY + timedelta(hours=3))))  # who am I, asked before
    stand.server.faults.append(Fault("500", "GET /scheduled_events", skip=1))
    with pytest.raises(Transient):
        next(scheduler.bookings(WEEK))


def test_first_polls_on_a_small_plan_get_on_from_minute_to_minute(stand: Practice) -> None:
    ids = fill(stand, 60)
    stand.server.api.limit = 20
    scheduler = scheduler_of(stand)
    rounds = 0
    found: list[RemoteBooking] = []
    while len(found) < len(ids):
        rounds += 1
        assert rounds < 12
        try:
            found = list(scheduler.bookings(WEEK))
        except Transient as wait:
            pause = wait.retry_after or 0.0
        else:
            break
        assert 0 < pause <= 60
        stand.clock.advance(timedelta(seconds=pause + 0.1))
    assert rounds > 3


def test_f60_a_sweep_leaves_something_for_the_booking_a_client_just_made(stand: Practice) -> None:
    fill(stand, 40)
    stand.server.api.limit = 30
    scheduler = scheduler_of(stand)
    with pytest.raises(Transient):
        list(scheduler.bookings(WEEK))
    sent = len(stand.server.requests)
    assert scheduler.booking(stand.book(10, day=4)).active  # two requests from the reserve
    assert len(stand.server.requests) == sent + 2


def test_f60_with_nothing_left_nothing_is_sent_until_the_reset(stand: Practice) -> None:
    booking = stand.book(10)
    scheduler = scheduler_of(stand)
    stand.server.api.limit = 2
    assert scheduler.booking(booking).active
    with pytest.raises(Transient) as refused:
        scheduler.booking(booking)
    assert refused.value.retry_after is not None and 59 <= refused.value.retry_after <= 60
    assert len(stand.server.requests) == 2
    stand.clock.advance(timedelta(seconds=61))
    assert scheduler.booking(booking).active


def test_f60_the_budget_is_one_for_all_parts_of_the_token(stand: Practice) -> None:
    booking = stand.book(10)
    stand.server.api.limit = 2
    scheduler_of(stand).booking(booking)
    with pytest.raises(Transient):
        push_of(stand).subscriptions()
    assert len(stand.server.requests) == 2


def test_f9_a_429_waits_for_the_reset_that_calendly_names(stand: Practice) -> None:
    booking = stand.book(10)
    stand.server.faults.append(Fault("429", "GET /scheduled_events"))
    with pytest.raises(Transient) as refused:
        scheduler_of(stand).booking(booking)
    assert refused.value.retry_after == 7


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("500", Transient),
        ("503", Transient),
        ("html", Unreadable),
        ("garbage", Unreadable),
        ("cut", ConnectorError),
        ("drop", Transient),
        ("401", AuthFailed),
        ("403", Forbidden),
    ],
)
def test_f12_whatever_is_no_true_answer_is_a_failed_reading(
    stand: Practice, kind: str, error: type[ConnectorError]
) -> None:
    booking = stand.book(10)
    scheduler = scheduler_of(stand)
    assert scheduler.booking(booking).active
    for read in (lambda: scheduler.booking(booking), lambda: list(scheduler.bookings(WEEK))):
        stand.server.faults[:] = [Fault(kind, "GET /scheduled_events", times=2)]
        with pytest.raises(error):
            read()
        stand.server.faults.clear()
    assert len(listed(stand)) == 1


def test_an_expired_token_is_refused_with_401(stand: Practice) -> None:
    booking = stand.book(10)
    del stand.company.tokens[TOKEN]
    with pytest.raises(AuthFailed):
        scheduler_of(stand).booking(booking)


def test_a_403_names_both_explanations_and_what_calendly_says(stand: Practice) -> None:
    stand.server.api.webhooks_need_paid_plan = True
    with pytest.raises(Forbidden) as refused:
        push_of(stand).subscribe(f"{PUBLIC}/hook/calendly/1")
    said = str(refused.value)
    assert "scope" in said and "plan" in said and "Please upgrade to a paid Calendly account." in said


def test_a_token_without_scopes_is_told_from_nothing_but_its_403(stand: Practice) -> None:
    stand.company.add_user("Carla", "carla@example.com", role="admin", token="bare", scopes=())
    with pytest.raises(Forbidden, match="scope"):
        list(scheduler_of(stand, token="bare").bookings(WEEK))


def test_f4_a_cancellation_whose_answer_was_lost_is_ambiguous_and_then_found_done(stand: Practice) -> None:
    booking = stand.book(10)
    stand.server.faults.append(Fault("drop-after", "POST /scheduled_events"))
    with pytest.raises(Ambiguous):
        scheduler_of(stand).cancel(booking, "ill")
    scheduler_of(stand).cancel(booking, "ill")
    assert len(stand.calls("POST /scheduled_events")) == 1


@pytest.mark.parametrize("status", ["400", "403", "404", "409"])
def test_any_refusal_of_a_cancellation_is_settled_by_reading(stand: Practice, status: str) -> None:
    """What Calendly answers for an event already canceled is undocumented."""
    booking = stand.book(10)

    def given_up(request: str) -> None:
        if request.startswith("POST"):
            stand.company.cancel(booking)

    stand.server.meanwhile = given_up
    stand.server.faults.append(Fault(status, "POST"))
    scheduler_of(stand).cancel(booking, "ill")


@pytest.mark.parametrize("status", ["400", "403", "409"])
def test_a_refused_cancellation_of_a_live_booking_is_an_error(stand: Practice, status: str) -> None:
    booking = stand.book(10)
    stand.server.faults.append(Fault(status, "POST /scheduled_events"))
    with pytest.raises(ConnectorError):
        scheduler_of(stand).cancel(booking, "ill")
    assert scheduler_of(stand).booking(booking).active


def test_a_reason_longer_than_calendly_takes_is_cut(stand: Practice) -> None:
    booking = stand.book(10)
    scheduler_of(stand).cancel(booking, "x" * 10_001)
    assert len(stand.company.invitees[booking]["cancellation"]["reason"]) == 10_000
