"""The last look before a write: an error in the answer, or instead of it, is unknown and never free."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from connectors.google import SPEC
from syncd.core.interval import Interval
from tests.connectors.google_stage import ANA, FIRST, GoogleStage
from tests.servers.google import Google, serving

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
QUERY = "calendar.freebusy.query"


@pytest.fixture
def google() -> Iterator[Google]:
    with serving() as state:
        yield state
    assert state.wrong == []


@pytest.fixture
def stage(google: Google) -> GoogleStage:
    return GoogleStage(google)


def at(hours: float, length: float = 1) -> Interval:
    return Interval(FIRST + hours * HOUR, FIRST + (hours + length) * HOUR)


def busy(stage: GoogleStage, names: Sequence[str] = (), window: Interval | None = None) -> list[object]:
    assert SPEC.free_busy is not None
    look = SPEC.free_busy(stage.account, stage.settings, stage.env, stage.use)
    names = names or [stage.name]
    found = look.busy(names, window or at(0, 24))
    assert list(found) == list(names)
    return list(found.values())


def test_busy_time_is_told_and_merged(stage: GoogleStage) -> None:
    stage.add(at(1))
    stage.add(at(1.5))
    stage.add(at(5))
    assert busy(stage) == [[at(1, 1.5), at(5)]]


def test_a_free_calendar_is_free(stage: GoogleStage) -> None:
    assert busy(stage) == [[]]


@pytest.mark.parametrize("reason", ["notFound", "internalError", "groupTooBig", "somethingNew"])
def test_a_calendar_with_an_error_is_unknown_and_the_others_are_not(stage: GoogleStage, reason: str) -> None:
    other = stage.google.make_calendar("bob@example.cl", ANA)
    other.add(at(2).start, at(2).end)
    stage.google.free_busy_errors[stage.name] = reason
    assert busy(stage, [stage.name, other.id]) == [None, [at(2)]]


def test_a_calendar_that_may_not_be_seen_is_unknown(stage: GoogleStage) -> None:
    assert busy(stage, ["nobody@example.cl"]) == [None]


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"<html>",
        b'{"calendars": []}',
        b'{"calendars": {"NAME": {}}}',
        b'{"calendars": {"NAME": {"busy": [{"start": "x", "end": "y"}]}}}',
        b'{"calendars": {"NAME": {"busy": [{}]}}}',
        b'{"calendars": {"NAME": {"busy": ["x"]}}}',
        b'{"calendars": {"NAME": {"busy": [], "errors": [{"reason": "x"}]}}}',
        b'{"calendars": {"other": {"busy": []}}}',
    ],
)
def test_an_answer_that_is_not_understood_is_unknown(stage: GoogleStage, body: bytes) -> None:
    stage.google.answer(QUERY, 200, body.replace(b"NAME", stage.name.encode()))
    assert busy(stage) == [None]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_a_refusal_is_unknown(stage: GoogleStage, status: int) -> None:
    for _ in range(2):
        stage.google.refuse(QUERY, status, "backendError")
    assert busy(stage) == [None]


def test_a_lost_answer_is_asked_again_and_then_unknown(stage: GoogleStage) -> None:
    stage.add(at(1))
    stage.google.hang_up(QUERY)
    assert busy(stage) == [[at(1)]]
    for _ in range(2):
        stage.google.hang_up(QUERY)
    assert busy(stage) == [None]


def test_many_calendars_and_a_long_window_are_asked_in_parts(stage: GoogleStage) -> None:
    names = [stage.google.make_calendar(f"agent{n}@example.cl", ANA).id for n in range(51)]
    first, last = at(3), at(24 * 130)
    for name, when in ((names[0], first), (names[50], last)):
        stage.google.shelves[name].add(when.start, when.end)
    found = busy(stage, names, Interval(FIRST, FIRST + 150 * DAY))
    assert found[0] == [first] and found[50] == [last] and found[1:50] == [[]] * 49
    calls = stage.google.asked("freebusy.query")
    assert len(calls) == 2 * 3 and all(len(call.body["items"]) <= 50 for call in calls)


def test_one_part_that_fails_makes_the_whole_calendar_unknown(stage: GoogleStage) -> None:
    stage.add(at(3))
    stage.google.refuse(QUERY, 500, "backendError", skip=1)
    assert busy(stage, window=Interval(FIRST, FIRST + 100 * DAY)) == [None]
