"""Readings: applied whole or not at all, and what they say of our own entries is looked at twice."""

from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.memory import Author, Fault
from syncd.core.directory import OnAgentDelete, SyncPolicy
from syncd.core.publish import Presence
from syncd.errors import Unreadable
from syncd.flows.reading import _gather
from syncd.ports import ChangePage
from syncd.store.queue import WorkKind
from tests.scenarios.play import alerts, at, booked, only_ana, refused, span, tasks
from tests.world.stage import Stage

MINUTE = timedelta(minutes=1)
CANCELS = SyncPolicy(on_agent_delete=OnAgentDelete.CANCEL)


@pytest.fixture
def stage() -> Stage:
    return started(Stage(only_ana(policy=CANCELS)))


def started(stage: Stage) -> Stage:
    stage.cycle()
    stage.cycle()
    return stage


def next_look(stage: Stage, minutes: int = 5) -> None:
    stage.clock.advance(minutes * MINUTE)
    stage.cycle()


def presence(stage: Stage) -> list[Presence]:
    with stage.store.read() as tx:
        return [one.presence for one in tx.calendars.published_in(stage.ref("ana").id)]


def test_a_reading_without_a_page_is_no_reading() -> None:
    with pytest.raises(Unreadable):
        _gather([], (), {}, span(10))


def test_in_a_complete_listing_what_is_absent_is_gone_and_what_is_unchanged_is_not() -> None:
    page = ChangePage(unchanged=("a",), cursor="1", complete=True)
    assert _gather([page], ("a", "b"), {"a": "1"}, span(10)).removed == {"b"}
    assert _gather([replace(page, complete=False)], ("a", "b"), {}, span(10)).removed == frozenset()


def test_series_are_expanded_anew_only_when_every_body_was_read() -> None:
    page = ChangePage(cursor="1", complete=True)
    assert _gather([page], (), {}, span(10)).anew
    assert not _gather([page], ("a",), {"a": "1"}, span(10)).anew
    assert not _gather([replace(page, complete=False)], (), {}, span(10)).anew


def test_an_old_listing_does_not_cancel_a_visit(stage: Stage) -> None:
    """The listing comes from before our entry was there: a single look finds it."""
    stage.shelf("ana").add(span(15))
    stage.cycle()
    visit = booked(stage, at(10))
    stage.cycle()
    stage.shelf("ana").expire_cursors()
    stage.outside.faults.order("cal", "changes", None, Fault.STALE)
    next_look(stage)
    assert stage.visit(visit.id).active and presence(stage) == [Presence.AS_PUT]


def test_an_old_change_does_not_move_a_visit_back(stage: Stage) -> None:
    """A reading that began before our last put shows the entry where it stood."""
    visit = booked(stage, at(10))
    stage.cycle()
    next_look(stage)
    shelf = stage.shelf("ana")
    (entry,) = shelf.entries.values()
    shelf.drag(entry.remote_id, span(12, minutes=20))
    shelf.drag(entry.remote_id, span(10, minutes=20))
    stage.outside.faults.order("cal", "changes", Fault.STALE)
    next_look(stage)
    assert stage.visit(visit.id).interval == visit.interval


def test_what_was_written_while_a_reading_was_on_its_way_is_newer_than_it(stage: Stage) -> None:
    visit = booked(stage, at(10))
    stage.cycle()
    next_look(stage)
    shelf = stage.shelf("ana")
    (entry,) = shelf.entries.values()
    shelf.change(entry.remote_id, colour="red")

    def written_meanwhile() -> None:
        stage.outside.meanwhile = lambda: None
        with stage.store.read() as tx:
            (known,) = tx.calendars.published_in(stage.ref("ana").id)
        put = shelf.change(entry.remote_id, spans=(span(16, minutes=20),), author=Author.SYNCD)
        newer = replace(known, etag=put.etag, interval=span(16, minutes=20))
        stage.store.write(lambda tx: tx.calendars.remember(newer))

    stage.outside.meanwhile = written_meanwhile
    stage.outside.faults.order("cal", "changes", Fault.DELAY)
    stage.pushed("ana")
    stage.settle()
    with stage.store.read() as tx:
        (after,) = tx.calendars.published_in(stage.ref("ana").id)
    assert (after.presence, after.interval) == (Presence.AS_PUT, span(16, minutes=20))
    assert stage.visit(visit.id).interval == visit.interval


def test_a_deletion_that_is_true_is_heeded(stage: Stage) -> None:
    visit = booked(stage, at(10))
    stage.cycle()
    shelf = stage.shelf("ana")
    shelf.drop(next(iter(shelf.entries)))
    next_look(stage)
    ended = stage.visit(visit.id)
    assert ended.cancel_reason is not None and ended.cancel_reason.value == "agent"
    assert booked(stage, at(10)).active, "the slot is free after the cancellation"


def test_an_entry_that_was_missed_and_is_back_is_seen_again(stage: Stage) -> None:
    asks = replace(stage.ctx.directory, policy=SyncPolicy())
    stage.reload(asks)
    visit = booked(stage, at(10))
    stage.cycle()
    shelf = stage.shelf("ana")
    (entry,) = shelf.entries.values()
    shelf.drop(entry.remote_id)
    next_look(stage)
    assert presence(stage) == [Presence.GONE] and tasks(stage, visit.id) == ["entry_deleted"]
    shelf.store(entry)
    next_look(stage)
    assert presence(stage) == [Presence.AS_PUT]


def test_a_visit_far_beyond_the_window_is_not_taken_for_a_moved_one(stage: Stage) -> None:
    far = at(10) + timedelta(days=300)
    stage.remote(far)
    stage.cycle()
    puts = stage.outside.calls["cal", "put"]
    for _ in range(3):
        next_look(stage)
    assert presence(stage) == [Presence.AS_PUT] and stage.outside.calls["cal", "put"] == puts


def test_an_entry_that_cannot_be_understood_closes_its_agent_and_nothing_else(stage: Stage) -> None:
    shelf = stage.shelf("ana")
    odd = shelf.add(span(10))
    next_look(stage)
    shelf.change(odd, problem="a rule without an end")
    shelf.add(span(12))
    next_look(stage)
    assert alerts(stage) == ["attention"]
    assert refused(stage, at(10)) == "busy" and refused(stage, at(12)) == "busy", "what is known stays in force"
    assert refused(stage, at(15)) == "unknown"
    shelf.change(odd, problem=None)
    next_look(stage)
    assert alerts(stage) == [] and booked(stage, at(15)).active


def test_a_calendar_that_is_no_longer_configured_keeps_what_is_known(stage: Stage) -> None:
    stage.shelf("ana").add(span(10))
    stage.cycle()
    ref = stage.ref("ana")
    stage.reload(replace(stage.ctx.directory, agents={}))
    stage.store.write(lambda tx: tx.queue.touch(WorkKind.PULL, ref.id, stage.clock.now()))
    stage.settle()
    with stage.store.read() as tx:
        assert tx.calendars.etags(ref.id)
