"""N02: one dwelling is visited by one client at a time, whoever the agents are, and what is offered knows it."""

from dataclasses import replace
from datetime import datetime
from random import Random

import pytest

from syncd.core.ids import RequestId
from syncd.core.interval import Interval
from syncd.core.routing import Request, Route
from syncd.core.visit import (
    Approve,
    Cancel,
    CancelReason,
    ConflictReason,
    Contact,
    Dwelling,
    Move,
    Refused,
    Visit,
    VisitState,
)
from syncd.flows import book
from syncd.flows.dwelling import VISITED
from syncd.flows.explain import explain_start, reason_of
from syncd.flows.manage import times_for
from tests.scenarios.conftest import MakeStage
from tests.scenarios.play import at, booked, done, kind, not_done, tasks
from tests.scenarios.test_time import _random_stage
from tests.world import town
from tests.world.stage import Stage

HOUSE = Dwelling(id="7", name="Casa 7")
OTHER = Dwelling(id="8", name="Casa 8")


@pytest.fixture
def two(make_stage: MakeStage) -> Stage:
    """Two agents, so that only the dwelling can be in the way."""
    stage = make_stage(town.directory())
    stage.cycle()
    return stage


def tried(stage: Stage, hour: int, minute: int = 0, dwelling: Dwelling | None = HOUSE) -> Visit | Refused:
    return book.book(stage.ctx, stage.booking(at(hour, minute), dwelling=dwelling), stage.cause())


def starts_for(stage: Stage, dwelling: Dwelling | None) -> set[datetime]:
    window = Interval(stage.clock.now(), at(18))
    found = book.offer(stage.ctx, town.CASAS, None, window, stage.clock.now(), dwelling)
    assert not isinstance(found, Refused)
    return {one.interval.start for one in found}


def test_a_dwelling_is_not_visited_twice_at_once_though_a_colleague_is_free(two: Stage) -> None:
    first = booked(two, at(10), dwelling=HOUSE)
    lost = tried(two, 10)
    assert isinstance(lost, Refused) and (lost.reason, lost.detail) == ("slot_taken", VISITED)
    assert lost.alternatives and at(10) not in {one.interval.start for one in lost.alternatives}
    other = tried(two, 10, dwelling=OTHER)
    assert isinstance(other, Visit) and other.host != first.host


def test_what_is_offered_for_a_dwelling_leaves_out_its_visits_and_touching_is_fine(two: Stage) -> None:
    first = booked(two, at(10), dwelling=HOUSE)
    assert at(10) in starts_for(two, None) and at(10) in starts_for(two, OTHER)
    offered = starts_for(two, HOUSE)
    assert offered == {
        start
        for start in starts_for(two, None)
        if not Interval(start, start + town.VISITA.duration).overlaps(first.interval)
    }
    assert at(10) not in offered


def test_dwellings_without_an_id_or_in_another_state_lock_nothing(two: Stage) -> None:
    nameless = Dwelling(id="")
    booked(two, at(10), dwelling=nameless)
    assert isinstance(tried(two, 10, dwelling=nameless), Visit)
    first = booked(two, at(11), dwelling=HOUSE)
    done(two, first.id, Cancel(by=CancelReason.STAFF))
    assert isinstance(tried(two, 11), Visit)


def test_the_same_booking_again_is_the_same_visit(two: Stage) -> None:
    first = booked(two, at(10), dwelling=HOUSE, key="k")
    assert booked(two, at(10), dwelling=HOUSE, key="k").id == first.id


def test_a_move_onto_the_dwelling_s_other_visit_is_refused_and_its_own_time_is_no_obstacle(two: Stage) -> None:
    booked(two, at(10), dwelling=HOUSE)
    mine = booked(two, at(12), dwelling=HOUSE)
    said = not_done(two, mine.id, Move(start=at(10)))
    assert (said.reason, said.detail) == ("slot_taken", VISITED)
    assert at(10) not in {one.interval.start for one in said.alternatives}
    free = {one.interval.start for one in times_for(two.ctx, mine, two.clock.now()).slots}
    assert at(10) not in free and at(11) in free
    assert done(two, mine.id, Move(start=at(11))).interval.start == at(11)


def test_a_visit_may_move_to_a_time_that_only_itself_takes(make_stage: MakeStage) -> None:
    stage = make_stage(town.directory(event_type=kind(increment=town.VISITA.duration / 2)))
    stage.cycle()
    mine = booked(stage, at(10), dwelling=HOUSE)
    half = mine.interval.start + town.VISITA.duration / 2
    assert half in {one.interval.start for one in times_for(stage.ctx, mine, stage.clock.now()).slots}
    assert done(stage, mine.id, Move(start=half)).interval.start == half


def test_a_pending_visit_that_holds_nothing_loses_at_approval(make_stage: MakeStage) -> None:
    waiting = kind(approval=True, pending_holds=False)
    stage = make_stage(town.directory(event_type=waiting))
    stage.cycle()
    first, second = (booked(stage, at(10), dwelling=HOUSE) for _ in range(2))
    done(stage, first.id, Approve())
    said = not_done(stage, second.id, Approve())
    assert said.reason == "slot_taken"


def test_a_remote_booking_that_meets_the_dwelling_s_visit_is_kept_as_lost(two: Stage) -> None:
    first = booked(two, at(10), dwelling=HOUSE)
    other = "beto" if first.host == "ana" else "ana"
    contact = Contact(name="Luz", email="luz@example.com")
    request = Request(id=RequestId("r-1"), project=str(town.CASAS), contact=contact, dwelling=HOUSE)
    route = Route(project=town.CASAS, event_type=town.VISITA.id, role="standard", verdicts=())
    two.store.write(lambda tx: tx.visits.put_request(request, "{}", route, None))
    lost = two.desk.book(town.REMOTE_STANDARD, at(10), host=f"user-{other}", link="https://x.example/?token=r-1")
    two.cycle()
    visit = two.visit_of(lost)
    assert visit.state is VisitState.CONFLICT and visit.conflict is not None
    assert (visit.conflict.reason, visit.conflict.detail) == (ConflictReason.SLOT_TAKEN, VISITED)
    assert "lost_booking" in tasks(two, visit.id)


@pytest.mark.parametrize("seed", range(8))
def test_s20_with_a_dwelling_listed_if_and_only_if_accepted_and_explained_alike(
    make_stage: MakeStage, seed: int
) -> None:
    rng = Random(seed)
    stage = _random_stage(rng, make_stage)
    for _ in range(3):
        listed = sorted(starts_for(stage, HOUSE))
        if listed:
            booked(stage, rng.choice(listed), dwelling=HOUSE)
    listed_now, image = starts_for(stage, HOUSE), stage.store.snapshot()
    place = book.place_of(stage.ctx, town.CASAS, None)
    assert isinstance(place, book.Place)
    for start in sorted({*listed_now, *starts_for(stage, None)})[:60]:
        why = reason_of(explain_start(stage.ctx, place, start, stage.clock.now(), HOUSE))
        outcome = book.book(stage.ctx, replace(stage.booking(start), dwelling=HOUSE), stage.cause())
        assert isinstance(outcome, Visit) == (start in listed_now), f"seed {seed}: {start}"
        assert why == (outcome.reason if isinstance(outcome, Refused) else None)
        stage.store.load(image)
