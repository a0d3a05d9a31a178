"""Killed at every point of every story, and again on the way back: the end is the one that no kill would have had."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.world import town
from tests.world.crash import POINTS, Death
from tests.world.invariants import Judge
from tests.world.stage import Stage

LATER = town.TUESDAY + timedelta(days=1)
Story = Callable[[Stage, str], object]

STORIES: dict[str, Story] = {
    "book": lambda stage, known: stage.remote(town.TUESDAY),
    "move": lambda stage, known: stage.desk.move(known, LATER),
    "cancel": lambda stage, known: stage.desk.give_up(known),
}


def staged(story: str) -> tuple[Stage, str]:
    """Return a town with its webhook in place and, where the story needs one, a visit in Ana's calendar."""
    stage = Stage()
    stage.cycle()
    known = "" if story == "book" else stage.remote(town.TUESDAY)
    stage.cycle()
    stage.cycle()
    return stage, known


def live_through(stage: Stage) -> int:
    """Deliver and work until all is quiet, coming back after each death; returns how often it died."""
    deaths = 0
    while True:
        try:
            while stage.desk.posts:
                stage.post(stage.desk.posts[0])
                stage.desk.posts.pop(0)
            stage.settle()
            stage.clock.advance(timedelta(minutes=16))
            stage.cycle()
        except Death:
            deaths += 1
            stage.restart()
        else:
            return deaths


def ending(stage: Stage) -> dict[str, object]:
    """Return what people and providers see at the end; ids differ from life to life and are left out."""
    judge = Judge(stage)
    return {
        "visits": sorted(
            tuple(row)
            for row in judge.rows("SELECT state, agent_id, start_at, end_at, holds, version, source_id FROM visit")
        ),
        "history": sorted(tuple(row) for row in judge.rows("SELECT version, actor, note FROM history")),
        "said": sorted(tuple(row) for row in judge.rows("SELECT channel, kind, addressee, state FROM notice")),
        "inbox": sorted(tuple(row) for row in judge.rows("SELECT key, state FROM inbox")),
        "tombstones": sorted(tuple(row) for row in judge.rows("SELECT source_id FROM tombstone")),
        "calendar": sorted((one.spans, one.title, one.author) for one in stage.shelf("ana").entries.values()),
        "work": sorted(tuple(row) for row in judge.rows("SELECT kind FROM work WHERE buried_at IS NOT NULL")),
    }


def undisturbed(story: str) -> dict[str, object]:
    stage, known = staged(story)
    STORIES[story](stage, known)
    assert live_through(stage) == 0
    return ending(stage)


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("point", POINTS)
def test_a_death_anywhere_changes_nothing_of_the_end(story: str, point: str) -> None:
    stage, known = staged(story)
    STORIES[story](stage, known)
    stage.reaper.at(point)
    assert live_through(stage) == 1, f"{story} never passes {point}"
    Judge(stage).after_step()
    Judge(stage).at_rest()
    assert ending(stage) == undisturbed(story)


@pytest.mark.parametrize("story", STORIES)
@pytest.mark.parametrize("point", POINTS)
def test_a_second_death_while_coming_back_changes_nothing_either(story: str, point: str) -> None:
    stage, known = staged(story)
    STORIES[story](stage, known)
    stage.reaper.at(point)
    stage.reaper.then(nth=3)
    assert live_through(stage) == 2, f"{story} passes nothing after {point}"
    Judge(stage).after_step()
    Judge(stage).at_rest()
    assert ending(stage) == undisturbed(story)
