"""S01 to S06: who gets a slot, and what becomes of a booking however its news arrives."""

import itertools
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.memory import Post
from syncd import runner
from syncd.core.directory import SyncPolicy
from syncd.core.ids import AgentId
from syncd.core.visit import Approve, Move, Refused, Reject, VisitState
from syncd.flows import book
from syncd.store import open_store
from syncd.store.queue import DeliveryState
from tests.scenarios.conftest import MakeStage
from tests.scenarios.play import (
    alerts,
    at,
    booked,
    done,
    kind,
    kinds_told,
    not_done,
    offered,
    only_ana,
    refused,
    span,
    tasks,
    told,
)
from tests.world import town
from tests.world.clock import VirtualClock
from tests.world.stage import Stage

ROUNDS = 20
MANY = 50
DAYS = (1, 2, 3, 4, 7, 8, 9, 10, 11)  # working days from the fixture's Monday


@pytest.fixture
def busy_stage(tmp_path: Path) -> Stage:
    """A stage over a store on disk that many threads use at once."""
    clock = VirtualClock(town.START)
    stage = Stage(only_ana(), store=open_store(tmp_path / "syncd.db", clock), clock=clock)
    stage.cycle()
    stage.cycle()
    return stage


def store_is_sound(stage: Stage) -> None:
    """SI, naively: every two holds of one agent, side by side."""
    held = sorted((one.host or "", one.guard.start, one.guard.end) for one in stage.visits() if one.holds)
    assert all(first[0] != second[0] or first[2] <= second[1] for first, second in itertools.pairwise(held))
    stage.store.close()


def at_once(jobs: list[threading.Thread]) -> None:
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()


def _in_round(number: int) -> timedelta:
    """Return a new free time for each round."""
    return timedelta(days=DAYS[number % len(DAYS)] - 8, minutes=30 * (number // len(DAYS)))


@pytest.mark.slow
def test_s01_first_confirm_wins(busy_stage: Stage) -> None:
    stage = busy_stage
    for number in range(ROUNDS):
        start = at(10) + _in_round(number)
        bookings = [stage.remote(start) for _ in range(MANY)]
        posts, stage.desk.posts = stage.desk.posts[: MANY // 2], []
        hooks = [threading.Thread(target=stage.post, args=(post,)) for post in posts]
        at_once([*hooks, threading.Thread(target=runner.poll_all, args=(stage.ctx, stage.clock.now()))])
        at_once([threading.Thread(target=runner.drain, args=(stage.ctx,)) for _ in range(8)])
        stage.settle()
        visits = [stage.visit_of(one) for one in bookings]
        (won,) = [one for one in visits if one.active]
        lost = [one for one in visits if one.state is VisitState.CONFLICT]
        assert len(lost) == MANY - 1
        assert {one.conflict.reason.value for one in lost if one.conflict} == {"slot_taken"}
        assert all(kinds_told(stage, one.id) == ["rebook_link"] for one in lost)
        assert kinds_told(stage, won.id) == ["booking_info"]
        assert len([one for one in stage.shelf("ana").entries.values() if one.spans[0].start == start]) == 1
    store_is_sound(stage)


@pytest.mark.slow
def test_s01_first_caller_wins(busy_stage: Stage) -> None:
    stage = busy_stage
    for number in range(ROUNDS):
        start = at(10) + _in_round(number)
        answers: list[object] = []

        def ask(start: object = start, answers: list[object] = answers) -> None:
            answers.append(book.book(stage.ctx, stage.booking(start), stage.cause()))  # type: ignore[arg-type]

        at_once([threading.Thread(target=ask) for _ in range(MANY)])
        losers = [one for one in answers if isinstance(one, Refused)]
        assert len(losers) == MANY - 1
        assert all(one.reason == "slot_taken" and one.alternatives for one in losers)
    assert len({one.interval for one in stage.visits() if one.active}) == ROUNDS
    store_is_sound(stage)


def test_s02_overlap_not_equality(make_stage: MakeStage) -> None:
    stage = make_stage(only_ana())
    stage.remote(at(10))
    stage.cycle()
    tried = {minute: stage.remote(at(10) + timedelta(minutes=minute)) for minute in (10, -10, 25, 30)}
    stage.cycle()
    lost = {minute for minute, one in tried.items() if stage.visit_of(one).state is VisitState.CONFLICT}
    assert lost == {10, -10, 25}
    assert stage.visit_of(tried[30]).state is VisitState.CONFIRMED
    for minute in lost:
        visit = stage.visit_of(tried[minute])
        assert visit.conflict is not None and visit.conflict.reason.value == "slot_taken" and not visit.holds
        assert visit.conflict.alternatives and "lost_booking" in tasks(stage, visit.id)
        (todo,) = (one for one in stage.notices("task") if (one.about, one.kind) == (visit.id, "lost_booking"))
        assert todo.due_at == min(stage.clock.now() + timedelta(days=1), visit.interval.start)


def test_s02_touching_is_not_overlapping(make_stage: MakeStage) -> None:
    stage = make_stage(only_ana(kind(buffer_after=timedelta(0), increment=timedelta(minutes=5))))
    stage.remote(at(10))
    touching = stage.remote(at(10, 20))
    stage.cycle()
    assert stage.visit_of(touching).state is VisitState.CONFIRMED


def test_s03_pending_visits_hold_are_approved_once_and_expire(make_stage: MakeStage) -> None:
    stage = make_stage(only_ana(kind(approval=True)))
    visit = booked(stage, at(10))
    assert visit.state is VisitState.PENDING and visit.holds
    assert refused(stage, at(10)) == "slot_taken"
    assert kinds_told(stage, visit.id) == ["request_received"] and tasks(stage, visit.id) == ["approve_visit"]
    once = done(stage, visit.id, Approve())
    assert done(stage, visit.id, Approve()) == once and once.state is VisitState.CONFIRMED
    assert kinds_told(stage, visit.id) == ["request_received", "booking_info"]
    late = booked(stage, at(11))
    stage.pass_time(timedelta(hours=23, minutes=50), timedelta(hours=1))
    assert stage.visit(late.id).state is VisitState.PENDING
    stage.pass_time(timedelta(minutes=20), timedelta(minutes=10))
    ended = stage.visit(late.id)
    assert (ended.state, ended.cancel_reason and ended.cancel_reason.value) == (VisitState.CANCELLED, "expired")
    assert kinds_told(stage, late.id) == ["request_received", "cancellation"]
    assert not_done(stage, late.id, Approve()).reason == "illegal-state"
    assert booked(stage, at(11)).state is VisitState.PENDING
    assert not [one for one in stage.shelf("ana").entries.values() if one.tag == f"visit:{late.id}"]


def test_s03_a_rejected_one_frees_its_slot_and_one_that_does_not_hold_may_lose(make_stage: MakeStage) -> None:
    stage = make_stage(only_ana(kind(approval=True)))
    rejected = done(stage, booked(stage, at(10)).id, Reject(message="no hay llaves"))
    assert rejected.cancel_reason is not None and rejected.cancel_reason.value == "rejected"
    booked(stage, at(10))
    stage = make_stage(only_ana(kind(approval=True, pending_holds=False)))
    first, second = booked(stage, at(10)), booked(stage, at(10))
    assert not first.holds and not second.holds
    assert done(stage, second.id, Approve()).holds
    assert not_done(stage, first.id, Approve()).reason == "slot_taken"
    assert stage.visit(first.id).state is VisitState.PENDING


def test_s04_the_same_booking_many_times(stage: Stage) -> None:
    stage.remote(at(10))
    (post,) = stage.desk.posts
    stage.desk.posts.clear()
    for repeat in range(5):
        stage.post(post)
        if repeat == 3:
            stage.post(post)
        stage.restart()
        stage.settle()
        stage.restart()
    for _ in range(2):
        runner.poll_all(stage.ctx, stage.clock.now())
        stage.settle()
        stage.restart()
    (visit,) = stage.visits()
    assert len(stage.shelf("ana").entries) == 1
    assert kinds_told(stage, visit.id) == ["booking_info"]
    assert [one for _, one in told(stage, "agent:ana")] == ["agent_notice"]
    assert stage.answers == [204] * 6
    with stage.store.read() as tx:
        (kept,) = tx.queue.inbox_list()
    assert kept.state is DeliveryState.DONE and kept.repeats == 5


def _pair(stage: Stage) -> tuple[str, list[Post]]:
    """Move a visit at the scheduler; return its first booking and the two deliveries, each twice."""
    old = stage.remote(at(10))
    stage.cycle()
    stage.desk.move(old, at(11) + timedelta(days=1))
    pair, stage.desk.posts = stage.desk.posts, []
    assert len(pair) == 2
    return old, pair * 2


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
def test_s05_reschedule_in_any_order(make_stage: MakeStage, order: tuple[int, ...]) -> None:
    stage = make_stage()
    old, posts = _pair(stage)
    before = stage.visit_of(old)
    for position, number in enumerate(order):
        stage.post(posts[number])
        stage.settle()
        stage.clock.advance(timedelta(seconds=20 * (position % 2) + 10))
    stage.cycle()
    (after,) = stage.visits()
    assert (after.id, after.interval.start) == (before.id, at(11) + timedelta(days=1))
    assert kinds_told(stage, after.id) == ["booking_info", "update"]
    (moved,) = [one for one in stage.notices("message", "update") if one.to == "client"]
    assert moved.body is not None and moved.body["was"] == at(10).isoformat()
    assert [one.spans[0].start for one in stage.shelf("ana").entries.values()] == [after.interval.start]
    assert any(slot.interval.start == at(10) for slot in offered(stage, span(10)))
    with stage.store.read() as tx:
        assert {one.state for one in tx.queue.inbox_list()} <= {DeliveryState.DONE, DeliveryState.STALE}


def test_s05_a_lone_cancellation_becomes_a_real_one_once(stage: Stage) -> None:
    old, posts = _pair(stage)
    stage.desk.erase(stage.desk.record(old).now.replaced_by or "")
    stage.post(posts[0])
    stage.settle()
    assert stage.visit_of(old).active, "within the wait the twin may still come"
    stage.clock.advance(timedelta(minutes=4))
    stage.cycle()
    assert stage.visit_of(old).active
    stage.pass_time(timedelta(minutes=10))
    visit = stage.visit_of(old)
    assert visit.state is VisitState.CANCELLED
    assert kinds_told(stage, visit.id) == ["booking_info", "cancellation"]
    stage.post(posts[2])
    stage.pass_time(timedelta(minutes=10))
    assert kinds_told(stage, visit.id) == ["booking_info", "cancellation"]


def test_s05_a_lone_cancellation_whose_twin_is_known_moves_the_visit(stage: Stage) -> None:
    old, posts = _pair(stage)
    stage.post(posts[0])
    stage.settle()
    visit = stage.visit_of(old)
    assert visit.active and visit.interval.start == at(11) + timedelta(days=1)
    assert kinds_told(stage, visit.id) == ["booking_info", "update"]


def test_s06_receiver_down(stage: Stage) -> None:
    """Nothing arrives for a day, the provider gives up: polling finds what was missed, late repeats change nothing."""
    made = stage.remote(at(10))
    cancelled = stage.remote(at(11))
    stage.desk.give_up(cancelled)
    missed, stage.desk.posts = stage.desk.posts, []
    stage.desk.disable()
    stage.pass_time(timedelta(minutes=40))
    assert stage.visit_of(made).active
    assert [one for one in stage.desk.subscriptions.values() if one.active], "the subscription is made anew"
    stage.pass_time(timedelta(hours=23), timedelta(hours=1))
    before = stage.visits()
    for post in missed:
        assert stage.post(post) == 204
    stage.cycle()
    assert stage.visits() == before
    later = stage.remote(at(12))
    assert stage.desk.posts, "the new subscription is called"
    stage.post_all()
    stage.settle()
    assert stage.visit_of(later).active


def test_s06_signatures_that_fail(stage: Stage) -> None:
    stage.remote(at(10))
    (post,) = stage.desk.posts
    for _ in range(10):
        assert stage.post(Post(post.callback, post.body + b" "), key="wrong") == 401
    with stage.store.read() as tx:
        assert not tx.queue.inbox_list()
    assert alerts(stage).count("bad_signatures") == 1
    assert stage.post(post) == 204
    stage.settle()
    assert len(stage.visits()) == 1
    assert "bad_signatures" not in alerts(stage)


def test_a_conflict_may_be_moved_to_a_free_time_by_staff(make_stage: MakeStage) -> None:
    stage = make_stage(only_ana(policy=SyncPolicy()))
    stage.remote(at(10))
    stage.cycle()
    lost = stage.remote(at(10))
    stage.cycle()
    moved = done(stage, stage.visit_of(lost).id, Move(start=at(11)))
    assert moved.state is VisitState.CONFIRMED and moved.host == AgentId("ana")
    assert kinds_told(stage, moved.id) == ["rebook_link", "booking_info"]
