"""S07 to S12: what is read from calendars, how often something is written to them, and what is never believed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.memory import Author, Fault, Shelf
from syncd import runner
from syncd.core.directory import SyncPolicy
from syncd.core.interval import Interval
from syncd.core.visit import VisitState
from syncd.flows.pull import SYNCD
from tests.scenarios.conftest import MakeStage
from tests.scenarios.play import TUESDAY, alerts, at, booked, only_ana, refused, span, starts, tasks
from tests.world import town
from tests.world.stage import Stage

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def blocks(stage: Stage, agent: str = "ana", role: str = "publish") -> set[Interval]:
    """Return the busy time known of one calendar."""
    window = Interval(stage.clock.now() - 2 * DAY, stage.clock.now() + 400 * DAY)
    with stage.store.read() as tx:
        return {one.interval for one in tx.calendars.blocks([stage.ref(agent, role).id], window)}


def etags(shelf: Shelf) -> dict[str, str]:
    return {one.remote_id: one.etag for one in shelf.entries.values()}


def test_s07_no_echo(make_stage: MakeStage) -> None:
    stage = make_stage(only_ana())
    days = [TUESDAY + number * DAY for number in range(3)]
    for day in days:
        for hour in range(10):
            booked(stage, at(9 + hour // 2, 30 * (hour % 2), day=day))
    stage.cycle()
    shelf, writes = stage.shelf("ana"), stage.outside.writes()
    before = etags(shelf)
    assert len(before) == 30
    for _ in range(20):
        stage.clock.advance(5 * MINUTE)
        stage.pushed("ana")
        stage.cycle()
    assert stage.outside.writes() == writes and etags(shelf) == before
    mine = next(iter(before))
    shelf.change(mine, colour="red", notes="traer llaves")
    for _ in range(3):
        stage.clock.advance(5 * MINUTE)
        stage.cycle()
    assert stage.outside.writes() == writes
    assert shelf.entries[mine].colour == "red" and len(shelf.entries) == 30


@pytest.mark.parametrize("late", [-1, 0, 2, 10], ids=lambda late: f"{late}min")
@pytest.mark.parametrize("removes", [True, False], ids=["removes", "leaves"])
def test_s08_the_schedulers_own_calendar_entry(stage: Stage, late: int, removes: bool) -> None:
    """The entry appears before the hook (-1), with it, or minutes after it; its scheduler removes it, or leaves it."""
    shelf, desk = stage.shelf("ana"), stage.desk
    desk.removes_entries = removes
    desk.add_host("user-ana", "ana@a.example", shelf, late=late > 0)

    def news() -> None:
        """Let the entry and the hook arrive in this order, with the time between them."""
        if late < 0:
            runner.sweep(stage.ctx, stage.clock.now())
            stage.settle()
        stage.pass_time(max(1, late) * MINUTE, MINUTE)
        desk.write_entries()
        stage.pass_time(20 * MINUTE)

    booking = stage.remote(at(10))
    news()
    visit = stage.visit_of(booking)
    assert visit.conflict is None
    assert [one.author for one in shelf.entries.values()] == [Author.SCHEDULER]
    moved = desk.move(booking, at(12))
    news()
    visit = stage.visit_of(moved)
    assert visit.interval.start == at(12) and visit.conflict is None
    (entry,) = shelf.entries.values()
    assert (entry.author, entry.spans[0].start) == (Author.SCHEDULER, at(12))
    deletions = stage.outside.calls["cal", "delete"]
    desk.give_up(moved)
    stage.pass_time(40 * MINUTE)
    assert not shelf.entries
    assert stage.outside.calls["cal", "delete"] - deletions <= 1
    assert not tasks(stage, visit.id).count("entry_deleted")
    assert stage.outside.calls["cal", "put"] == 0, "no second entry is ever written"


def _ten(stage: Stage) -> list[str]:
    shelf = stage.shelf("ana")
    made = [shelf.add(span(9 + number % 8, day=TUESDAY + number // 8 * DAY)) for number in range(10)]
    stage.cycle()
    assert len(blocks(stage)) == 10
    return made


@pytest.mark.parametrize("lost", [10, 3])
def test_s09_large_losses_are_held_back_until_somebody_says_so(make_stage: MakeStage, lost: int) -> None:
    stage = make_stage(only_ana())
    for gone in _ten(stage)[:lost]:
        stage.shelf("ana").drop(gone)
    for _ in range(3):
        stage.clock.advance(6 * MINUTE)
        stage.cycle()
    assert len(blocks(stage)) == 10 and alerts(stage) == ["suspect"]
    assert refused(stage, at(9)) == "busy"
    stage.store.write(lambda tx: tx.accounts.put(SYNCD, f"released:{stage.ref('ana').id}", "carla"))
    stage.cycle()
    assert len(blocks(stage)) == 10 - lost and alerts(stage) == []
    assert [one.kind for one in stage.notices("alert")] == ["suspect", "suspect_recovered"]


def test_s09_two_deletions_are_ordinary_and_a_slow_drain_is_not(make_stage: MakeStage) -> None:
    stage = make_stage(only_ana())
    made = _ten(stage)
    for gone in made[:2]:
        stage.shelf("ana").drop(gone)
    stage.cycle()
    assert len(blocks(stage)) == 8 and not alerts(stage)
    stage.clock.advance(6 * MINUTE)
    stage.shelf("ana").drop(made[2])
    stage.cycle()
    assert len(blocks(stage)) == 8 and alerts(stage) == ["suspect"], "three within ten minutes"


def test_s09_a_released_brake_does_not_stay_open(make_stage: MakeStage) -> None:
    stage = make_stage(only_ana())
    made = _ten(stage)
    stage.store.write(lambda tx: tx.accounts.put(SYNCD, f"released:{stage.ref('ana').id}", "carla"))
    stage.shelf("ana").drop(made[0])
    stage.cycle()
    stage.clock.advance(20 * MINUTE)
    for gone in made[1:6]:
        stage.shelf("ana").drop(gone)
    stage.cycle()
    assert len(blocks(stage)) == 9 and alerts(stage) == ["suspect"]


def test_s09_an_answer_with_nothing_in_it_is_no_empty_calendar(make_stage: MakeStage) -> None:
    """One event only, a lost cursor, and a listing that says there is nothing: not believed (F16)."""
    stage = make_stage(only_ana())
    stage.shelf("ana").add(span(10))
    stage.cycle()
    stage.shelf("ana").expire_cursors()
    stage.outside.faults.order("cal", "changes", None, Fault.EMPTY)
    stage.shelf("ana").add(span(12))
    stage.clock.advance(5 * MINUTE)
    stage.cycle()
    assert blocks(stage) == {span(10)} and alerts(stage) == ["suspect"]
    stage.clock.advance(11 * MINUTE)
    stage.cycle()
    assert blocks(stage) == {span(10), span(12)} and alerts(stage) == []


def test_s09_released_by_a_second_complete_look(make_stage: MakeStage) -> None:
    stage = make_stage(only_ana(policy=SyncPolicy(release_auto=True)))
    visit = booked(stage, at(15))
    made = _ten(stage)
    for gone in made[:5]:
        stage.shelf("ana").drop(gone)
    stage.cycle()
    stage.clock.advance(5 * MINUTE)
    stage.cycle()
    assert len(blocks(stage)) == 10
    stage.clock.advance(6 * MINUTE)
    stage.cycle()
    assert len(blocks(stage)) == 5 and alerts(stage) == []
    assert stage.visit(visit.id).state is VisitState.CONFIRMED


def test_s10_a_cursor_lost_with_changes_in_the_gap(make_stage: MakeStage) -> None:
    stage = make_stage(only_ana())
    visit = booked(stage, at(17, 30))
    made = _ten(stage)
    shelf, writes = stage.shelf("ana"), stage.outside.writes()
    new = Interval(at(11, day=TUESDAY + 3 * DAY), at(12, day=TUESDAY + 3 * DAY))
    shelf.add(new)
    shelf.drag(made[0], new)
    shelf.drop(made[1])
    shelf.expire_cursors()
    stage.outside.faults.order("cal", "changes", None, Fault.PAGE_TWO)
    before = blocks(stage)
    stage.clock.advance(5 * MINUTE)
    stage.cycle()
    assert blocks(stage) == before, "until the new listing is complete the old blocks stay in force"
    stage.clock.advance(5 * MINUTE)
    stage.cycle()
    assert blocks(stage) == (before - {span(9), span(10)}) | {new}
    assert stage.outside.writes() == writes and stage.visit(visit.id).conflict is None
    assert len([one for one in shelf.entries.values() if one.author is Author.SYNCD]) == 1


def test_s11_an_untouched_event_comes_into_the_window(make_stage: MakeStage) -> None:
    stage = make_stage(only_ana(policy=SyncPolicy(look_ahead=90 * DAY)))
    far = Interval(stage.clock.now() + 121 * DAY, stage.clock.now() + 121 * DAY + timedelta(hours=1))
    stage.shelf("ana").add(far)
    stage.cycle()
    assert far not in blocks(stage), "beyond what is looked at"
    stage.pass_time(40 * DAY, DAY)
    assert far in blocks(stage)


def test_s11_an_event_moved_far_away_frees_its_time(make_stage: MakeStage) -> None:
    stage = make_stage(only_ana(policy=SyncPolicy(look_ahead=90 * DAY)))
    near = span(10)
    moved = stage.shelf("ana").add(near)
    stage.cycle()
    assert refused(stage, at(10)) == "busy"
    stage.shelf("ana").drag(moved, near.shift(190 * DAY))
    stage.cycle()
    assert booked(stage, at(10)).host == "ana"


def test_s11_an_event_that_began_yesterday_takes_all_of_today(make_stage: MakeStage) -> None:
    stage = make_stage(only_ana(replace(town.VISITA, same_day=True, minimum_notice=timedelta(0))))
    today = stage.clock.now().date()
    long = Interval(at(22, day=today - DAY), at(10, day=today + DAY))
    stage.shelf("ana").add(long)
    stage.cycle()
    assert starts(stage, today) == set()
    assert "10:00" in starts(stage, today + DAY) and "09:30" not in starts(stage, today + DAY)


def test_s12_a_series_with_exceptions(make_stage: MakeStage) -> None:
    """Every instance blocks where it stands now: one moved, one gone, and the others where the rule puts them."""
    stage = make_stage(only_ana())
    weekly = [span(10).shift(7 * number * DAY) for number in range(6)]
    series = stage.shelf("ana").add(*weekly, title="Reunión")
    stage.cycle()
    assert blocks(stage) == set(weekly)
    moved = weekly[2].shift(timedelta(hours=3))
    stage.shelf("ana").change(series, spans=(*weekly[:2], moved, *weekly[4:]))
    stage.cycle()
    assert blocks(stage) == {*weekly[:2], moved, *weekly[4:]}
    stage.shelf("ana").drop(series)
    stage.cycle()
    assert blocks(stage) == set()
