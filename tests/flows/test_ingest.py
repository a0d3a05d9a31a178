"""One remote booking becomes one visit: whatever was changed here, whoever cancelled, however its news arrives."""

from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.memory import Fault
from syncd.core.ids import AccountId, AgentId
from syncd.core.visit import Approve, Cancel, CancelReason, Move, Reassign, VisitState
from syncd.store.queue import DeliveryState
from tests.flows.test_pull import next_look, started
from tests.scenarios.play import alerts, at, booked, done, kinds_told, only_ana, span, tasks
from tests.world import town
from tests.world.stage import Stage
from tests.world.swarm import GROUP

MINUTE = timedelta(minutes=1)


@pytest.fixture
def stage() -> Stage:
    return started(Stage())


def deliveries(stage: Stage) -> list[DeliveryState]:
    with stage.store.read() as tx:
        return [one.state for one in tx.queue.inbox_list()]


def test_what_was_changed_here_survives_every_further_reading(stage: Stage) -> None:
    booking = stage.remote(at(10))
    stage.cycle()
    visit = stage.visit_of(booking)
    done(stage, visit.id, Move(start=at(12)))
    done(stage, visit.id, Reassign(host=AgentId("beto")))
    stage.desk.approve(booking)  # any news of the booking has it read again
    stage.cycle()
    after = stage.visit_of(booking)
    assert (after.interval.start, after.host) == (at(12), "beto")


def test_what_the_scheduler_changes_wins_over_what_was_changed_here(stage: Stage) -> None:
    booking = stage.remote(at(10))
    stage.cycle()
    done(stage, stage.visit_of(booking).id, Move(start=at(12)))
    moved = stage.desk.move(booking, at(16))
    stage.cycle()
    assert stage.visit_of(moved).interval.start == at(16)


def test_a_visit_cancelled_here_is_cancelled_there_and_never_comes_back(stage: Stage) -> None:
    booking = stage.remote(at(10))
    stage.cycle()
    visit = stage.visit_of(booking)
    stage.outside.faults.order("sched", "cancel", Fault.SERVER_ERROR, Fault.DROP_BEFORE)
    done(stage, visit.id, Cancel(by=CancelReason.STAFF, message="lluvia"))
    stage.desk.approve(booking)
    stage.post_all()
    stage.settle()
    assert stage.visit(visit.id).state is VisitState.CANCELLED
    stage.pass_time(20 * MINUTE)
    assert not stage.desk.record(booking).now.active
    assert stage.desk.record(booking).now.cancel_message == "lluvia"
    assert kinds_told(stage, visit.id) == ["booking_info", "cancellation"]


def test_what_the_client_books_anew_after_we_cancelled_is_a_new_visit(stage: Stage) -> None:
    """The client moved it at the scheduler while our cancellation was on its way: the new booking is real."""
    booking = stage.remote(at(10))
    stage.cycle()
    old = stage.visit_of(booking)
    stage.outside.faults.order("sched", "cancel", Fault.SERVER_ERROR)
    done(stage, old.id, Cancel(by=CancelReason.STAFF))
    stage.settle()
    moved = stage.desk.move(booking, at(12))
    stage.pass_time(20 * MINUTE)
    new = stage.visit_of(moved)
    assert new.id != old.id and new.active and stage.visit(old.id).state is VisitState.CANCELLED
    assert {*deliveries(stage)} <= {DeliveryState.DONE, DeliveryState.STALE}


def test_a_cancellation_before_the_creation_leaves_no_visit(stage: Stage) -> None:
    booking = stage.remote(at(10))
    stage.desk.give_up(booking)
    created, cancelled = stage.desk.posts
    stage.desk.posts.clear()
    stage.post(cancelled)
    stage.settle()
    stage.post(created)
    stage.outside.faults.order("sched", "booking", Fault.STALE)
    stage.settle()
    assert not [one for one in stage.visits() if one.active]


def test_a_booking_that_vanished_frees_nothing_and_asks_once(stage: Stage) -> None:
    booking = stage.remote(at(10))
    stage.cycle()
    visit = stage.visit_of(booking)
    stage.desk.approve(booking)
    stage.desk.erase(booking)
    stage.cycle()
    stage.cycle()
    assert stage.visit(visit.id).holds and tasks(stage, visit.id) == ["vanished_booking"]
    assert alerts(stage) == ["vanished_booking"]


def test_an_event_type_of_somebody_else_is_none_of_ours(stage: Stage) -> None:
    stage.desk.add_kind("https://api.example/event_types/other", timedelta(minutes=30), "user-ana")
    stage.desk.book("https://api.example/event_types/other", at(10))
    stage.cycle()
    assert not stage.visits() and set(deliveries(stage)) <= {DeliveryState.UNWANTED}


@pytest.mark.parametrize(
    ("hours", "reason"),
    [(timedelta(hours=3), "notice"), (timedelta(hours=-4), None), (timedelta(days=60), "window")],
)
def test_a_remote_booking_that_breaks_a_rule_is_real_and_flagged(
    stage: Stage, hours: timedelta, reason: str | None
) -> None:
    """The client has it already: it is confirmed, holds its time, and says what it breaks."""
    start = stage.clock.now() + hours
    booking = stage.remote(start.replace(hour=15, minute=0) if hours > timedelta(days=1) else start)
    stage.cycle()
    visit = stage.visit_of(booking)
    assert visit.state is VisitState.CONFIRMED and visit.holds
    found = visit.conflict.reason.value if visit.conflict is not None else None
    assert found == reason or (reason == "notice" and found in ("notice", "same_day", "hours"))


def test_a_remote_booking_onto_a_busy_block_is_flagged_and_staff_is_asked(stage: Stage) -> None:
    stage.shelf("ana").add(span(10))
    next_look(stage)
    booking = stage.remote(at(10))
    stage.cycle()
    visit = stage.visit_of(booking)
    assert visit.state is VisitState.CONFIRMED and visit.conflict is not None
    assert visit.conflict.reason.value == "busy" and tasks(stage, visit.id) == ["busy_conflict"]
    stage.shelf("ana").drop(next(iter(stage.shelf("ana").find(lambda one: one.tag is None))).remote_id)
    next_look(stage)
    assert stage.visit(visit.id).conflict is None


def test_seats_of_one_event_share_one_hold_and_hand_it_on() -> None:
    base = only_ana()
    project = base.projects[town.CASAS]
    assert project.scheduler is not None
    link = replace(project.scheduler, event_types={"standard": GROUP})
    stage = started(Stage(replace(base, projects={town.CASAS: replace(project, scheduler=link)})))
    stage.desk.add_kind(GROUP, timedelta(minutes=20), "user-ana", seats=3)
    seats = [stage.desk.book(GROUP, at(10), host="user-ana") for _ in range(3)]
    stage.cycle()
    visits = [stage.visit_of(one) for one in seats]
    assert [one.state for one in visits] == [VisitState.CONFIRMED] * 3
    assert sorted(one.holds for one in visits) == [False, False, True]
    holder = next(one for one in visits if one.holds)
    stage.desk.give_up(holder.source.id or "")
    stage.cycle()
    assert [stage.visit_of(one).holds for one in seats].count(True) == 1
    second = next(one for one in map(stage.visit_of, seats) if one.holds)
    stage.desk.move(second.source.id or "", at(15))
    stage.cycle()
    left = [one for one in stage.visits() if one.active and one.interval.start == at(10)]
    assert [one.holds for one in left] == [True], "the last seat holds the time of its event"


def test_a_pending_booking_that_staff_approved_stays_approved(stage: Stage) -> None:
    booking = stage.desk.book(town.REMOTE_STANDARD, at(10), host="user-ana", pending=True)
    stage.cycle()
    visit = stage.visit_of(booking)
    assert visit.state is VisitState.PENDING and visit.holds
    done(stage, visit.id, Approve())
    stage.desk.hand_over(booking, "user-ana")
    stage.cycle()
    assert stage.visit_of(booking).state is VisitState.CONFIRMED


def test_a_caller_who_asks_twice_gets_the_same_visit(stage: Stage) -> None:
    first = booked(stage, at(10), key="order-1")
    assert booked(stage, at(12), key="order-1").id == first.id
    assert booked(stage, at(12), key="order-1", source=AccountId("other")).id != first.id
