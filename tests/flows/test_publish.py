"""One entry in one calendar: written once, looked for after silence, never over a person's head."""

from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.memory import Entry, Fault
from syncd.core.directory import OnAgentDelete, OnAgentMove, SyncPolicy
from syncd.core.ids import AgentId
from syncd.core.visit import Cancel, CancelReason, Move, Reassign
from tests.flows.test_pull import next_look, started
from tests.scenarios.play import alerts, at, booked, done, only_ana, span, tasks
from tests.world.stage import Stage

MINUTE = timedelta(minutes=1)


@pytest.fixture
def stage() -> Stage:
    return started(Stage())


def only(stage: Stage, agent: str = "ana") -> Entry:
    (entry,) = stage.shelf(agent).entries.values()
    return entry


@pytest.mark.parametrize("fault", [Fault.DROP_AFTER, Fault.DROP_BEFORE, Fault.SERVER_ERROR, Fault.DUPLICATE])
def test_silence_after_a_put_leads_to_one_entry(stage: Stage, fault: Fault) -> None:
    stage.outside.faults.order("cal", "put", fault)
    visit = booked(stage, at(10), host=AgentId("ana"))
    stage.pass_time(5 * MINUTE, MINUTE)
    assert only(stage).tag == f"visit:{visit.id}"


def test_silence_after_a_put_of_what_is_cancelled_meanwhile_leaves_nothing(stage: Stage) -> None:
    """Even where the first look comes from a replica that does not know the entry yet."""
    stage.outside.faults.order("cal", "put", Fault.DROP_AFTER)
    visit = booked(stage, at(10), host=AgentId("ana"))
    stage.cycle()
    assert only(stage) is not None
    done(stage, visit.id, Cancel(by=CancelReason.STAFF))
    stage.outside.faults.order("cal", "find", Fault.STALE)
    stage.pass_time(10 * MINUTE, MINUTE)
    assert not stage.shelf("ana").entries


@pytest.mark.parametrize("fault", [Fault.DROP_AFTER, Fault.DROP_BEFORE])
def test_there_and_back_again_with_a_silent_delete(stage: Stage, fault: Fault) -> None:
    """S23: the deletion's outcome is unknown when the visit comes back to the same calendar."""
    visit = booked(stage, at(10), host=AgentId("ana"))
    stage.cycle()
    stage.outside.faults.order("cal", "delete", fault)
    done(stage, visit.id, Reassign(host=AgentId("beto")))
    stage.cycle()
    done(stage, visit.id, Reassign(host=AgentId("ana")))
    stage.pass_time(10 * MINUTE, MINUTE)
    assert only(stage).tag == f"visit:{visit.id}" and not stage.shelf("beto").entries
    assert tasks(stage, visit.id) == []


def test_a_drag_during_silence_is_judged_and_not_written_over(stage: Stage) -> None:
    visit = booked(stage, at(10), host=AgentId("ana"))
    stage.cycle()
    next_look(stage)
    stage.outside.faults.order("cal", "put", Fault.DROP_AFTER)
    done(stage, visit.id, Move(start=at(12)))
    stage.settle()
    stage.shelf("ana").drag(only(stage).remote_id, span(16, minutes=20))
    stage.pass_time(10 * MINUTE, MINUTE)
    assert stage.visit(visit.id).interval == span(16, minutes=20)
    assert only(stage).spans == (span(16, minutes=20),)


def test_a_drag_to_a_free_time_moves_the_visit_and_tells(stage: Stage) -> None:
    visit = booked(stage, at(10), host=AgentId("ana"))
    stage.cycle()
    stage.shelf("ana").drag(only(stage).remote_id, span(12, minutes=20))
    next_look(stage)
    moved = stage.visit(visit.id)
    assert moved.interval == span(12, minutes=20)
    with stage.store.read() as tx:
        assert tx.visits.history(visit.id)[-1].cause.actor == "agent:ana"
    assert [one.kind for one in stage.notices("message") if one.to == "client"] == ["booking_info", "update"]


def test_a_drag_onto_another_visit_goes_back_and_the_agent_is_told_once(stage: Stage) -> None:
    visit = booked(stage, at(10), host=AgentId("ana"))
    booked(stage, at(11), host=AgentId("ana"))
    stage.cycle()
    mine = next(one for one in stage.shelf("ana").entries.values() if one.tag == f"visit:{visit.id}")
    stage.shelf("ana").drag(mine.remote_id, span(11, 10, minutes=20))
    for _ in range(4):
        next_look(stage)
    assert stage.visit(visit.id).interval == visit.interval
    assert stage.shelf("ana").entries[mine.remote_id].spans == (visit.interval,)
    said = [one for one in stage.notices("message") if one.body and one.body.get("about") == "move_refused"]
    assert [one.body and one.body["reason"] for one in said] == ["not_offered"] or len(said) == 1


def test_a_policy_of_restoring_writes_a_drag_back() -> None:
    stage = started(Stage(only_ana(policy=SyncPolicy(on_agent_move=OnAgentMove.RESTORE))))
    visit = booked(stage, at(10))
    stage.cycle()
    stage.shelf("ana").drag(only(stage).remote_id, span(12, minutes=20))
    next_look(stage)
    assert only(stage).spans == (visit.interval,) and stage.visit(visit.id).version == visit.version


def test_a_title_edited_while_the_visit_moves_does_not_move_it_back(stage: Stage) -> None:
    visit = booked(stage, at(10), host=AgentId("ana"))
    stage.cycle()
    stage.shelf("ana").change(only(stage).remote_id, title="Mía")
    stage.outside.faults.order("cal", "put", Fault.SERVER_ERROR)
    done(stage, visit.id, Move(start=at(12)))
    stage.pass_time(10 * MINUTE, MINUTE)
    assert stage.visit(visit.id).interval.start == at(12) and only(stage).spans[0].start == at(12)


def test_a_person_is_never_fought_more_than_three_times_a_day(stage: Stage) -> None:
    booked(stage, at(10), host=AgentId("ana"))
    stage.cycle()
    ours, edits = only(stage), 6
    for number in range(edits):
        stage.shelf("ana").change(ours.remote_id, title=f"Mía {number}")
        next_look(stage)
    assert only(stage).title == "Mía 5" and alerts(stage) == ["rewrite_fight"]
    assert stage.outside.calls["cal", "put"] == 1 + 3
    stage.pass_time(timedelta(days=1), timedelta(hours=1))
    assert only(stage).title == ours.title


@pytest.mark.parametrize(
    ("policy", "there", "tasked"),
    [(OnAgentDelete.ASK, 0, ["entry_deleted"]), (OnAgentDelete.RESTORE, 1, [])],
)
def test_a_deleted_entry_by_policy(policy: OnAgentDelete, there: int, tasked: list[str]) -> None:
    stage = started(Stage(only_ana(policy=SyncPolicy(on_agent_delete=policy))))
    visit = booked(stage, at(10))
    stage.cycle()
    stage.shelf("ana").drop(only(stage).remote_id)
    for _ in range(3):
        next_look(stage)
    assert len(stage.shelf("ana").entries) == there and tasks(stage, visit.id) == tasked
    assert stage.visit(visit.id).active and stage.visit(visit.id).holds


def test_a_visit_that_moves_after_its_entry_was_deleted_stands_at_its_new_time(stage: Stage) -> None:
    visit = booked(stage, at(10), host=AgentId("ana"))
    stage.cycle()
    stage.shelf("ana").drop(only(stage).remote_id)
    next_look(stage)
    assert not stage.shelf("ana").entries
    done(stage, visit.id, Move(start=at(12)))
    next_look(stage)
    assert only(stage).spans[0].start == at(12)


def test_a_copy_of_our_entry_is_left_alone(stage: Stage) -> None:
    visit = booked(stage, at(10), host=AgentId("ana"))
    stage.cycle()
    copy = stage.shelf("ana").copy(only(stage).remote_id, span(14))
    before = stage.shelf("ana").entries[copy]
    done(stage, visit.id, Cancel(by=CancelReason.STAFF))
    next_look(stage)
    assert stage.shelf("ana").entries == {copy: before} and not stage.outside.trespasses()


def test_what_is_over_stays_in_the_calendar(stage: Stage) -> None:
    booked(stage, at(10), host=AgentId("ana"))
    stage.cycle()
    stage.clock.advance(timedelta(days=20))
    writes = stage.outside.writes()
    for _ in range(3):
        next_look(stage)
    assert len(stage.shelf("ana").entries) == 1 and stage.outside.writes() == writes


def test_a_write_to_a_calendar_that_is_gone_waits_and_says_so_once(stage: Stage) -> None:
    stage.shelf("ana").missing = True
    visit = booked(stage, at(10), host=AgentId("ana"))
    stage.pass_time(60 * MINUTE)
    assert sorted(alerts(stage)) == ["missing", "unreadable"] and not stage.dead()
    stage.shelf("ana").missing = False
    stage.pass_time(40 * MINUTE)
    assert only(stage).tag == f"visit:{visit.id}" and alerts(stage) == []


def test_an_entry_is_kept_where_its_calendar_leaves_the_configuration(stage: Stage) -> None:
    booked(stage, at(10), host=AgentId("ana"))
    stage.cycle()
    shelf = stage.shelf("ana")
    agents = stage.ctx.directory.agents
    bare = {**agents, AgentId("ana"): replace(agents[AgentId("ana")], calendars=())}
    stage.reload(replace(stage.ctx.directory, agents=bare))
    stage.pass_time(30 * MINUTE)
    assert len(shelf.entries) == 1
