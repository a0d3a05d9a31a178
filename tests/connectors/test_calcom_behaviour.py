"""Cal.com's own ways: moving pages, versions, an allowance, seats, changes written back, webhooks watched."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from connectors._calcom_booking import bookings_of, id_of_seat
from connectors.calcom import SPEC
from syncd.core.interval import Interval
from syncd.errors import Ambiguous, AuthFailed, NotFound, Transient, Unreadable, VersionConflict
from syncd.practice_calendly import Fault
from tests.connectors.calcom_stage import (
    ACCOUNT,
    PUBLIC,
    SECRET,
    WEEK,
    changes_of,
    environment,
    listed,
    push_of,
    scheduler_of,
    settings_for,
)
from tests.connectors.shared import published
from tests.servers.calcom import Stand, calcom
from tests.servers.calcom_company import Client
from tests.servers.calendly import MONDAY

TEN = MONDAY + timedelta(hours=10)


@pytest.fixture
def stand() -> Iterator[Stand]:
    with calcom() as running:
        yield running


def fill(stand: Stand, number: int) -> set[str]:
    return {stand.company.book(stand.visit, MONDAY + n * timedelta(minutes=30)) for n in range(number)}


# reading


def test_every_call_carries_the_version_of_its_resource_and_another_shape_is_no_answer(stand: Stand) -> None:
    uid = stand.book(10)
    scheduler_of(stand).booking(uid)
    assert stand.server.versions == ["2024-08-13"]
    with pytest.raises(Unreadable, match="api_version"):
        listed(stand, api_version="2024-04-15")


def test_a_long_listing_is_drained(stand: Stand) -> None:
    assert {one.id for one in listed(stand)} == set()
    assert {one.id for one in listed(stand)} | fill(stand, 230) == {one.id for one in listed(stand)}


def test_rows_that_move_while_changes_are_listed_are_not_lost(stand: Stand) -> None:
    ids = sorted(fill(stand, 150))
    stand.clock.advance(timedelta(minutes=1))

    def meanwhile(request: str) -> None:
        if len(stand.calls("GET /v2/bookings?")) == 2:  # between the first page and the second
            for uid in ids[:5]:
                stand.company.bookings[uid]["updatedAt"] = "2026-11-24T13:00:00Z"

    stand.server.meanwhile = meanwhile
    since = stand.clock.now() - timedelta(hours=1)
    assert {one.id for one in scheduler_of(stand).bookings(WEEK, since)} == set(ids)


def test_a_torn_seam_is_a_failed_reading(stand: Stand) -> None:
    ids = sorted(fill(stand, 150))

    def meanwhile(request: str) -> None:
        if len(stand.calls("GET /v2/bookings?")) == 2:
            for uid in ids[:60]:
                stand.company.bookings[uid]["updatedAt"] = "2026-11-24T13:00:00Z"

    stand.server.meanwhile = meanwhile
    with pytest.raises(Transient, match="faster"):
        list(scheduler_of(stand).bookings(WEEK, stand.clock.now() - timedelta(hours=1)))


@pytest.mark.parametrize("moment", [True, False])
def test_f60_the_allowance_is_kept_whether_reset_is_a_moment_or_seconds_to_go(stand: Stand, moment: bool) -> None:
    stand.server.behaviour.limit, stand.server.behaviour.reset_is_a_moment = 2, moment
    uid, scheduler = stand.book(10), scheduler_of(stand)
    scheduler.booking(uid)
    scheduler.booking(uid)
    with pytest.raises(Transient) as refused:
        scheduler.booking(uid)
    assert refused.value.retry_after is not None and 59 <= refused.value.retry_after <= 60
    assert len(stand.server.requests) == 2
    stand.clock.advance(timedelta(seconds=61))
    assert scheduler.booking(uid).active


@pytest.mark.parametrize(
    ("kind", "error"), [("500", Transient), ("429", Transient), ("html", Unreadable), ("401", AuthFailed)]
)
def test_f12_what_is_no_true_answer_is_a_failed_reading(stand: Stand, kind: str, error: type[Exception]) -> None:
    stand.book(10)
    stand.server.faults.append(Fault(kind, "GET /v2/bookings", times=2))
    with pytest.raises(error):
        listed(stand)


def test_one_damaged_booking_leaves_the_rest_readable(stand: Stand) -> None:
    sound, damaged = stand.book(10), stand.book(12)
    stand.company.bookings[damaged]["hosts"] = "ana"
    found = {one.id: one.problem for one in listed(stand)}
    assert found[sound] is None and found[damaged]


def test_our_request_is_found_though_a_move_lost_the_metadata(stand: Stand) -> None:
    stand.company.switches.metadata_survives = False
    old = stand.book(10, client=Client(metadata={"syncd": "R7.ab"}))
    assert scheduler_of(stand).booking(stand.company.move(old, TEN + timedelta(hours=2))).request_token == "R7.ab"


def test_a_requested_move_is_a_pending_booking_that_replaces_the_old_one(stand: Stand) -> None:
    kind = stand.company.add_event_type("Con permiso", 30, [stand.ana], confirm=True)
    old = stand.book(10, kind=kind)
    new = stand.company.move(old, TEN + timedelta(hours=3))
    read = scheduler_of(stand).booking(new)
    assert read.pending and read.active and read.replaces == old
    assert scheduler_of(stand).booking(old).rescheduled


def test_each_seat_is_a_booking_and_one_given_up_is_cancelled_for_its_client_alone(stand: Stand) -> None:
    tour = stand.company.add_event_type("Visita guiada", 60, [stand.ana], seats=3)
    mails = ("a@example.com", "b@example.com")
    uid, _ = [stand.book(11, kind=tour, client=Client("C", mail)) for mail in mails]
    seats = [id_of_seat(uid, mail) for mail in mails]
    assert {one.id: one.active for one in listed(stand)} == dict.fromkeys(seats, True)
    scheduler_of(stand).cancel(seats[0], "ill")
    assert {one.id: one.active for one in listed(stand)} == {seats[0]: False, seats[1]: True}
    assert scheduler_of(stand).booking(seats[1]).active and not scheduler_of(stand).booking(seats[0]).active
    with pytest.raises(NotFound):
        scheduler_of(stand).booking(uid)


def test_the_published_booking_is_read() -> None:
    (read,) = bookings_of(published("calcom/calcom_api_bookings_list_prism.json")["data"][0])
    assert (read.replaces, read.replaced_by, read.event_type, read.host_id) == (
        "previous_uid_123",
        "new_uid_456",
        "1",
        "1",
    )


# writing back


def test_confirming_and_declining_twice_is_a_success_and_the_other_way_a_conflict(stand: Stand) -> None:
    kind = stand.company.add_event_type("Con permiso", 30, [stand.ana], confirm=True)
    yes, no = stand.book(10, kind=kind), stand.book(12, kind=kind)
    changes = changes_of(stand)
    for _ in range(2):
        changes.confirm(yes)
        changes.decline(no, "full")
    assert (stand.company.bookings[yes]["status"], stand.company.bookings[no]["status"]) == ("accepted", "rejected")
    with pytest.raises(VersionConflict):
        changes.confirm(no)
    with pytest.raises(VersionConflict):
        changes.decline(yes, "why")


def test_f4_a_move_whose_answer_was_lost_is_found_done(stand: Stand) -> None:
    old, later = stand.book(10), TEN + timedelta(hours=3)
    stand.server.faults.append(Fault("drop-after", "POST /v2/bookings"))
    with pytest.raises(Ambiguous):
        changes_of(stand).move(old, later, "rain")
    new = changes_of(stand).move(old, later, "rain")
    assert scheduler_of(stand).booking(new).interval.start == later
    assert len(stand.company.bookings) == 2
    with pytest.raises(VersionConflict):
        changes_of(stand).move(old, later + timedelta(hours=1), "rain")


def test_a_new_host_is_written_back_once(stand: Stand) -> None:
    uid = stand.company.book(stand.visit, TEN, host=stand.ana)
    for _ in range(2):
        changes_of(stand).reassign(uid, str(stand.bruno))
    assert scheduler_of(stand).booking(uid).host_id == str(stand.bruno)
    assert len(stand.calls("POST")) == 1


def test_a_slot_is_held_once_and_free_again_when_the_hold_is_over(stand: Stand) -> None:
    slot, kind = Interval(TEN, TEN + timedelta(minutes=30)), str(stand.visit)
    assert changes_of(stand).hold(kind, slot)
    assert changes_of(stand).hold(kind, slot) is None
    stand.clock.advance(timedelta(minutes=6))
    assert changes_of(stand).hold(kind, slot)
    with pytest.raises(NotFound):
        changes_of(stand).hold("999999", slot)


# webhooks and the check


def test_webhooks_are_made_with_a_secret_and_without_a_template(stand: Stand) -> None:
    push = push_of(stand)
    made = push.subscribe(f"{PUBLIC}/hook/calcom/1")
    kept = stand.server.webhooks[made.id]
    assert kept["secret"] == SECRET and kept["payloadTemplate"] is None
    with pytest.raises(VersionConflict):
        push.subscribe(f"{PUBLIC}/hook/calcom/1")
    new = push.subscribe(f"{PUBLIC}/hook/calcom/2")
    push.subscribe(f"{PUBLIC}.evil.example/hook/calcom/1")
    assert list(push.subscriptions()) == [made, new]
    push.unsubscribe(made)
    push.unsubscribe(made)
    assert list(push.subscriptions()) == [new]


@pytest.mark.parametrize("change", [{"active": False}, {"secret": None}, {"payloadTemplate": "x"}, {"triggers": []}])
def test_f30_a_webhook_that_somebody_changed_is_no_longer_live(stand: Stand, change: dict[str, object]) -> None:
    made = push_of(stand).subscribe(f"{PUBLIC}/hook/calcom/1")
    stand.server.webhooks[made.id] |= change
    (seen,) = push_of(stand).subscriptions()
    assert not seen.active and seen.note


def test_check_gives_a_remedy_for_the_key_the_version_and_missing_teams(stand: Stand) -> None:
    stand.book(10)
    good = SPEC.check(ACCOUNT, settings_for(stand), environment(stand), [str(stand.visit)])
    assert {one.state for one in good} == {"ok"}
    (key,) = SPEC.check(ACCOUNT, settings_for(stand, api_key="cal_old"), environment(stand), [])
    assert key.state == "fail" and "cal_" in key.remedy
    stand.server.behaviour.has_teams = False
    old = settings_for(stand, api_version="2024-04-15")
    lines = {one.what: one for one in SPEC.check(ACCOUNT, old, environment(stand), ["visita"])}
    assert lines["version"].state == "fail" and "api_version" in lines["version"].remedy
    assert lines["teams"].state == "warn" and "Cal.diy" in lines["teams"].remedy
    assert lines["event type visita"].state == "fail"
