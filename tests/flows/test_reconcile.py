"""One agent's visits and own time: a colleague takes what can be taken, and the rest is flagged once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from syncd.core.directory import OnConflict, SyncPolicy
from syncd.core.ids import AgentId
from syncd.flows.plan import plan
from tests.flows.test_pull import next_look, started
from tests.scenarios.play import at, booked, kinds_told, span, tasks
from tests.world import town
from tests.world.stage import Stage

FLAG_ONLY = SyncPolicy(on_conflict=(OnConflict.FLAG,))


@pytest.fixture
def stage() -> Stage:
    return started(Stage())


def test_a_personal_event_on_a_visit_hands_it_to_a_free_colleague(stage: Stage) -> None:
    visit = booked(stage, at(10), host=AgentId("ana"))
    stage.cycle()
    stage.shelf("ana").add(span(10))
    next_look(stage)
    after = stage.visit(visit.id)
    assert (after.host, after.interval, after.conflict) == ("beto", visit.interval, None)
    assert len(stage.shelf("beto").entries) == 1
    assert [one for one in stage.shelf("ana").entries.values() if one.tag] == []
    assert kinds_told(stage, visit.id) == ["booking_info", "update"]


def test_where_no_colleague_is_free_it_is_flagged_once(stage: Stage) -> None:
    visit = booked(stage, at(10), host=AgentId("ana"))
    for agent in ("ana", "beto"):
        stage.shelf(agent).add(span(10))
    for _ in range(4):
        next_look(stage)
    after = stage.visit(visit.id)
    assert after.host == "ana" and after.conflict is not None and after.conflict.reason.value == "busy"
    assert tasks(stage, visit.id) == ["busy_conflict"] and after.version == 2


@pytest.mark.parametrize("locally", [False, True])
def test_a_schedulers_visit_is_handed_over_only_where_that_is_said(locally: bool) -> None:
    base = town.directory()
    stage = started(Stage(replace(base, reassign_locally=frozenset({town.SCHEDULER} if locally else ()))))
    booking = stage.remote(at(10))
    stage.cycle()
    stage.shelf("ana").add(span(10))
    next_look(stage)
    after = stage.visit_of(booking)
    assert (after.host == "beto") is locally and (after.conflict is None) is locally


def test_a_policy_of_flagging_hands_nothing_over() -> None:
    stage = started(Stage(town.directory(policy=FLAG_ONLY)))
    visit = booked(stage, at(10), host=AgentId("ana"))
    stage.shelf("ana").add(span(10))
    next_look(stage)
    assert stage.visit(visit.id).host == "ana" and stage.visit(visit.id).conflict is not None


def test_the_plan_is_what_is_then_done(stage: Stage) -> None:
    visit = booked(stage, at(10), host=AgentId("ana"))
    (step,) = plan(stage.ctx, stage.clock.now())
    assert (step.act, step.key.subject, step.interval) == ("create", f"visit:{visit.id}", visit.interval)
    before = stage.outside.writes()
    assert plan(stage.ctx, stage.clock.now()) and stage.outside.writes() == before, "looking writes nothing"
    stage.cycle()
    assert plan(stage.ctx, stage.clock.now()) == []


def test_an_event_that_ends_where_the_visit_begins_is_no_conflict(stage: Stage) -> None:
    visit = booked(stage, at(10), host=AgentId("ana"))
    stage.shelf("ana").add(span(9), title="antes")
    stage.shelf("ana").add(span(10, 30), title="después del margen")
    next_look(stage)
    assert stage.visit(visit.id).conflict is None
    stage.shelf("ana").add(span(10, 25, minutes=5), title="en el margen")
    stage.shelf("beto").add(span(9, minutes=120))
    next_look(stage)
    assert stage.visit(visit.id).conflict is not None
    stage.clock.advance(timedelta(minutes=5))
