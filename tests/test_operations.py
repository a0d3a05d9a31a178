"""Operations by name: what is no operation, wrong arguments, and the reading of names and times that people type."""

import inspect
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.control import Answer, Call
from syncd.core.ids import AccountId, ProjectId
from syncd.core.limits import LONGEST_WINDOW
from syncd.errors import StoreBusy, StoreUnwritable
from syncd.flows.context import Context
from syncd.operations import OPERATIONS, Desk, Misused, guarded, perform
from syncd.operations.desk import agent_named, midnight, project_named, read_moment, read_window, utc
from syncd.store import open_store
from tests.world import town
from tests.world.clock import VirtualClock

ZONE = town.ZONE
NOW = town.START
DAYS = st.dates(date(2020, 1, 1), date(2035, 12, 31))
MOMENTS = st.builds(datetime.combine, DAYS, st.times())  # on a wall clock: without a zone


def desk(**changes: Any) -> Desk:
    clock = VirtualClock(NOW)
    directory = replace(town.directory(), **changes) if changes else town.directory()

    def no_calendar(ref: object) -> Any:
        raise AssertionError("no calendar is looked at here")

    store = open_store(":memory:", clock, inline=True)
    return Desk(context=Context(store=store, directory=directory, clock=clock, calendar_of=no_calendar))


# --- by name --------------------------------------------------------------------------------------------------------


def test_what_is_no_operation_is_told_apart_from_what_failed() -> None:
    answer = perform(desk(), Call(name="make-coffee"))
    assert answer.code == 2
    assert "another version" in answer.body["error"]


@pytest.mark.parametrize("args", [{}, {"project": "casas", "colour": 1}])
def test_wrong_arguments_are_refused_before_anything_is_done(args: dict[str, Any]) -> None:
    answer = perform(desk(), Call(name="parity", args=args))
    assert answer.code == 2
    assert answer.body["error"].startswith("parity:")


def test_the_one_who_gives_a_command_is_its_actor() -> None:
    at = desk()
    answer = perform(at, Call(name="activate", args={"project": "casas", "waive": "a test"}, actor="cli:marta"))
    assert answer.code == 0
    with at.context.store.read() as tx:
        note = tx.accounts.get(AccountId("syncd"), "activated:casas")
    assert note is not None and json.loads(note)["by"] == "cli:marta"


@pytest.mark.parametrize(
    ("error", "code"), [(Misused("no"), 2), (StoreBusy("held"), 75), (StoreUnwritable("disk full"), 1)]
)
def test_what_is_expected_to_go_wrong_has_an_exit_code_and_a_sentence(error: Exception, code: int) -> None:
    def fail() -> Answer:
        raise error

    assert guarded(fail) == Answer(code=code, body={"error": str(error)})


def test_a_defect_is_not_hidden() -> None:
    def fail() -> Answer:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        guarded(fail)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_operation_takes_a_desk_and_named_arguments_only(name: str) -> None:
    first, *others = inspect.signature(OPERATIONS[name].run).parameters.values()
    assert first.annotation is Desk
    assert all(one.kind is inspect.Parameter.KEYWORD_ONLY for one in others)


@pytest.mark.parametrize("name", sorted(one for one in OPERATIONS if not OPERATIONS[one].changes))
def test_a_reading_operation_writes_nothing(name: str) -> None:
    """It must work on a store opened for reading: here every write fails the test."""
    given_args = {
        "agent": "ana", "project": "casas", "time": "2026-05-12T10:00", "visit": "abcd", "delivery": "d",
        "kind": "reminder", "contact": "c",
    }  # fmt: skip
    wanted = inspect.signature(OPERATIONS[name].run).parameters
    required = {key for key, one in wanted.items() if one.default is inspect.Parameter.empty and key != "desk"}
    at = desk()
    before = at.context.store.snapshot()
    perform(at, Call(name=name, args={key: given_args[key] for key in required}))
    assert at.context.store.snapshot() == before


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ana", "Ana", "ANA", "ana@a.example"])
def test_an_agent_is_found_by_id_name_or_address(name: str) -> None:
    assert agent_named(town.directory(), name).id == "ana"


def test_an_ambiguous_name_finds_nobody() -> None:
    twins = [replace(town.agent(one), name="Ana Soto") for one in ("ana", "anita")]
    with pytest.raises(Misused, match="no agent is called 'Ana Soto'"):
        agent_named(town.directory(twins), "Ana Soto")


def test_a_name_like_no_other_lists_those_there_are() -> None:
    with pytest.raises(Misused, match="there are: Ana, Beto, ana, beto"):
        agent_named(town.directory(), "zzzzzz")


def test_an_id_comes_before_another_projects_name() -> None:
    directory = town.directory()
    other = replace(directory.projects[town.CASAS], id=ProjectId("otro"), name="casas")
    both = replace(directory, projects={**directory.projects, other.id: other})
    with pytest.raises(Misused):
        project_named(both, "CASAS")
    assert project_named(both, "otro").id == "otro"


# --- times ----------------------------------------------------------------------------------------------------------


@given(MOMENTS, st.sampled_from(["America/Santiago", "Europe/Rome", "Australia/Lord_Howe", "UTC"]))
def test_a_local_time_means_that_wall_clock_or_is_refused_where_it_does_not_exist(moment: datetime, zone: str) -> None:
    text = moment.isoformat(timespec="seconds")
    wall = moment.replace(microsecond=0)
    exists = wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall
    if not exists:
        with pytest.raises(Misused, match="does not exist"):
            read_moment(text, zone)
        return
    assert read_moment(text, zone).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall


@given(MOMENTS, st.integers(-14, 14))
def test_a_time_with_an_offset_is_that_instant_wherever_it_is_read(moment: datetime, hours: int) -> None:
    text = f"{moment.isoformat(timespec='seconds')}{hours:+03d}:00"
    assert read_moment(text, "America/Santiago") == read_moment(text, "UTC")
    assert read_moment(text, "UTC") == datetime.fromisoformat(text)


@pytest.mark.parametrize("text", ["", "mañana", "10:00", "2026-13-01T10:00", "2026-12-01T25:00", "1999-12-31T10:00"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Misused):
        read_moment(text, ZONE)


@given(DAYS)
def test_a_day_counts_whole_as_either_edge(day: date) -> None:
    window = read_window(day.isoformat(), day.isoformat(), ZONE, NOW, timedelta(days=1))
    assert (window.start, window.end) == (midnight(day, ZONE), midnight(day + timedelta(days=1), ZONE))


def test_without_edges_a_window_begins_with_today_in_the_zone() -> None:
    late = datetime(2026, 5, 5, 1, tzinfo=UTC)  # still the fourth in Santiago
    window = read_window(None, None, ZONE, late, timedelta(days=3))
    assert window.start == midnight(date(2026, 5, 4), ZONE)
    assert window.length == timedelta(days=3)


@pytest.mark.parametrize(("start", "end"), [("2026-05-05", "2026-05-03"), ("2026-05-05T10:00", "2026-05-05T10:00")])
def test_a_window_that_ends_before_it_begins_is_refused(start: str, end: str) -> None:
    with pytest.raises(Misused, match="ends before it begins"):
        read_window(start, end, ZONE, NOW, timedelta(days=1))


@pytest.mark.parametrize(("start", "end"), [("9999-12-31", None), (None, "9999-12-31"), ("0001-01-01", "0001-01-02")])
def test_a_day_that_is_in_nobodys_agenda_is_refused(start: str | None, end: str | None) -> None:
    with pytest.raises(Misused, match="out of range"):
        read_window(start, end, ZONE, NOW, timedelta(days=1))


def test_a_window_is_no_longer_than_anybody_may_ask() -> None:
    start = date(2026, 5, 5)
    with pytest.raises(Misused, match="at most"):
        read_window(str(start), str(start + LONGEST_WINDOW), ZONE, NOW, timedelta(days=1))


def test_a_moment_is_written_in_utc() -> None:
    assert utc(datetime(2026, 5, 4, 10, tzinfo=ZoneInfo(ZONE))) == "2026-05-04T14:00:00Z"
    assert utc(None) is None
