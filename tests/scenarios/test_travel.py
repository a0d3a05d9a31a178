"""N15: between visits in two projects lies the way from one to the other; what is offered knows it."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.ids import AgentId, ProjectId, VisitId
from syncd.core.interval import Interval
from syncd.core.visit import Cancel, CancelReason, Move, Refused, Visit
from syncd.flows import book
from syncd.flows.explain import explain_start, reason_of
from syncd.flows.hosts import reach
from syncd.store.records import Hold
from tests.scenarios.conftest import MakeStage
from tests.scenarios.play import at
from tests.world import town
from tests.world.stage import Stage

TORRE = ProjectId("torre")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    """Ana alone serves two projects, forty minutes apart one way and twenty-five the other."""
    found = town.directory([town.agent("ana")])
    torre = replace(found.projects[town.CASAS], id=TORRE, name="Torre", aliases=())
    ways = {(town.CASAS, TORRE): 40 * MINUTE, (TORRE, town.CASAS): 25 * MINUTE}
    made = make_stage(replace(found, projects={**found.projects, TORRE: torre}, travel=ways))
    made.cycle()
    return made


def tried(stage: Stage, project: ProjectId, hour: int, minute: int = 0) -> Visit | Refused:
    return book.book(stage.ctx, replace(stage.booking(at(hour, minute)), project=project), stage.cause())


def starts(stage: Stage, project: ProjectId) -> set[datetime]:
    found = book.offer(stage.ctx, project, None, Interval(at(9), at(18)), stage.clock.now())
    assert not isinstance(found, Refused)
    return {one.interval.start for one in found}


def test_the_way_lies_between_two_places_and_not_within_one(stage: Stage) -> None:
    first = tried(stage, town.CASAS, 12)  # until 12:20, with its buffer until 12:30
    assert isinstance(first, Visit)
    near = {at(11), at(11, 30), at(12), at(12, 30), at(13)}
    assert near & starts(stage, town.CASAS) == {at(11), at(11, 30), at(12, 30), at(13)}
    # There by 12:00 over a way of 25 minutes; here from 12:20 on over one of 40.
    assert near & starts(stage, TORRE) == {at(11), at(13)}


@pytest.mark.parametrize(("project", "there"), [(TORRE, town.CASAS), (town.CASAS, TORRE)])
def test_what_is_offered_is_what_is_accepted_and_explained(stage: Stage, project: ProjectId, there: ProjectId) -> None:
    for hour in (10, 12, 15):
        assert isinstance(tried(stage, there, hour), Visit)
    offered = starts(stage, project)
    place = book.place_of(stage.ctx, project, None)
    assert isinstance(place, book.Place)
    for step in range(18):
        start = at(9) + step * 30 * MINUTE
        reason = reason_of(explain_start(stage.ctx, place, start, stage.clock.now()))
        assert (reason is None) == (start in offered), start
        if reason is not None:
            outcome = book.book(stage.ctx, replace(stage.booking(start), project=project), stage.cause())
            assert isinstance(outcome, Refused) and outcome.reason == reason, start
    for start in sorted(offered):
        outcome = book.book(stage.ctx, replace(stage.booking(start), project=project), stage.cause())
        assert isinstance(outcome, Visit), start
        book.act(stage.ctx, outcome.id, Cancel(by=CancelReason.STAFF), stage.cause())


def test_the_explanation_names_the_way(stage: Stage) -> None:
    first = tried(stage, town.CASAS, 12)
    assert isinstance(first, Visit)
    place = book.place_of(stage.ctx, TORRE, None)
    assert isinstance(place, book.Place)
    (ana,) = explain_start(stage.ctx, place, at(12, 30), stage.clock.now())
    assert ana.reason == "slot_taken"
    assert any("40 minutes to travel" in one and first.id in one for one in ana.details)


def test_a_move_needs_the_way_as_well(stage: Stage) -> None:
    first, second = tried(stage, town.CASAS, 12), tried(stage, TORRE, 15)
    assert isinstance(first, Visit) and isinstance(second, Visit)
    refused = book.act(stage.ctx, second.id, Move(start=at(12, 30)), stage.cause())
    assert isinstance(refused, Refused) and refused.reason == "slot_taken"
    assert isinstance(book.act(stage.ctx, second.id, Move(start=at(13)), stage.cause()), Visit)


spans = st.integers(min_value=0, max_value=90)


@settings(max_examples=300)
@given(start=st.integers(-300, 300), before=spans, after=spans, mine=st.tuples(spans, spans), way=spans)
def test_a_visit_fits_exactly_where_guards_are_apart_and_the_way_fits_between_the_visits(
    start: int, before: int, after: int, mine: tuple[int, int], way: int
) -> None:
    """The law in words, against the arithmetic: no guard touches another, and each way takes its time."""
    kind = replace(town.VISITA, buffer_before=mine[0] * MINUTE, buffer_after=mine[1] * MINUTE)
    there = Interval(at(12), at(12, 20))
    hold = Hold(
        visit=VisitId("v"),
        agent=AgentId("ana"),
        interval=there,
        guard=there.pad(before * MINUTE, after * MINUTE),
        project=TORRE,
    )
    here = Interval(at(12) + start * MINUTE, at(12) + start * MINUTE + kind.duration)
    guard = here.pad(kind.buffer_before, kind.buffer_after)
    taken = Interval.of_epoch(*reach(hold, {TORRE: way * MINUTE}, kind))
    apart = here.start - there.end >= way * MINUTE or there.start - here.end >= way * MINUTE
    assert taken.overlaps(guard) == (hold.guard.overlaps(guard) or not apart)
