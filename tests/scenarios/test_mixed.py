"""One team at Google, Outlook and CalDAV: the same stories, the same ends, whoever's calendar it is."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from syncd.core.directory import OnAgentDelete, SyncPolicy
from syncd.core.ids import AgentId
from syncd.core.interval import Interval
from syncd.core.visit import Cancel, CancelReason, Move, Reassign, Visit, VisitState
from syncd.errors import Ambiguous, Transient, Unreadable
from syncd.flows.manage import undo_once
from tests.scenarios.mixed import HOMES, MONDAY, REVOKED, Mixed, mixed
from tests.scenarios.play import alerts, booked, done, refused, tasks
from tests.world.invariants import Judge

HALF = timedelta(minutes=30)
HOUR, DAY = 2 * HALF, 48 * HALF
VISIT = timedelta(minutes=20)


@pytest.fixture
def team() -> Iterator[Mixed]:
    with mixed() as made:
        yield made
        Judge(made.stage).after_step()


@pytest.fixture(params=sorted(HOMES))
def agent(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def spans(team: Mixed, agent: str) -> list[Interval]:
    return [one.interval for one in team.entries(agent)]


def test_a_visit_stands_once_in_its_hosts_calendar_and_nowhere_else(team: Mixed, agent: str) -> None:
    visit = booked(team.stage, MONDAY + HOUR, host=agent)
    team.later()
    assert {one: spans(team, one) for one in HOMES} == {one: [visit.interval] if one == agent else [] for one in HOMES}
    (entry,) = team.entries(agent)
    assert entry.title == "Visita Casas" and entry.location == "Av. Siempre Viva 742"
    done(team.stage, visit.id, Move(start=MONDAY + 3 * HOUR))
    team.later()
    assert spans(team, agent) == [Interval(MONDAY + 3 * HOUR, MONDAY + 3 * HOUR + VISIT)]
    done(team.stage, visit.id, Cancel(by=CancelReason.STAFF))
    team.later()
    assert spans(team, agent) == []


def test_t10_a_cancellation_that_is_taken_back_stands_in_the_calendar_again(team: Mixed, agent: str) -> None:
    visit = booked(team.stage, MONDAY, host=agent)
    team.later()
    gone = done(team.stage, visit.id, Cancel(by=CancelReason.CLIENT), "client")
    team.later()
    assert spans(team, agent) == []
    back = undo_once(team.stage.ctx, visit.id, gone.version, team.stage.cause("client"))
    assert isinstance(back, Visit) and back.holds
    for _ in range(2):
        team.later()
    assert spans(team, agent) == [visit.interval]


def test_s07_no_echo(team: Mixed) -> None:
    for number in range(30):
        booked(team.stage, MONDAY + (number // 10) * DAY + (number % 10) * HALF)
    team.later()
    before = {one: team.entries(one) for one in HOMES}
    assert Counter(map(len, before.values())) == {10: 3}
    writes = team.writes()
    assert writes == 30
    for _ in range(20):
        team.later()
    for one in HOMES:
        team.homes[one].decorate(team.homes[one].everything()[0], "traer llaves")
    for _ in range(3):
        team.later()
    assert team.writes() == writes
    assert all(len(team.entries(one)) == 10 for one in HOMES)
    assert all(any(entry.decorated for entry in team.entries(one)) for one in HOMES)


def test_s10_a_cursor_lost_with_changes_in_the_gap(team: Mixed, agent: str) -> None:
    home = team.homes[agent]
    base = Interval(MONDAY, MONDAY + HOUR)
    stays, moves, goes = (home.add(base.shift(number * DAY)) for number in range(3))
    team.later()
    assert len(team.blocks(agent)) == 3
    new = base.shift(4 * DAY)
    home.add(new)
    home.drag(moves, base.shift(5 * DAY))
    home.remove(goes)
    home.forget_places()
    writes = team.writes()
    team.later()
    team.later()
    assert team.blocks(agent) == {base, new, base.shift(5 * DAY)} and stays
    assert team.writes() == writes


def test_s17_a_dead_login_fails_closed_and_speaks_once(team: Mixed, agent: str) -> None:
    booked(team.stage, MONDAY, host=agent)
    team.calendars[agent].error = REVOKED
    for _ in range(12):
        team.later()
    others = [one for one in HOMES if one != agent]
    assert not team.bookable(agent) and all(map(team.bookable, others))
    assert refused(team.stage, MONDAY + HOUR, host=agent) == "unknown"
    assert alerts(team.stage).count("sign_in") == 1
    team.calendars[agent].error = None
    for _ in range(5):
        team.later()
    assert team.bookable(agent) and len(team.entries(agent)) == 1
    assert "sign_in" not in alerts(team.stage)


def test_s18_silence_closes_one_host_and_is_told_once(team: Mixed, agent: str) -> None:
    team.calendars[agent].error = Unreadable("an HTML page")
    for _ in range(12):
        team.later()
    assert not team.bookable(agent) and all(team.bookable(one) for one in HOMES if one != agent)
    told = alerts(team.stage)
    assert told and len(told) == len(set(told)) and set(told) <= {"unreadable", "account_down"}, "one per trouble"
    team.calendars[agent].error = None
    for _ in range(5):
        team.later()
    assert team.bookable(agent) and alerts(team.stage) == []


def test_s19_buffers_meet_foreign_events_whoever_keeps_them(team: Mixed, agent: str) -> None:
    team.homes[agent].add(Interval(MONDAY + 2 * HOUR, MONDAY + 3 * HOUR))
    team.later()
    assert refused(team.stage, MONDAY + 2 * HOUR, host=agent) == "busy"
    assert booked(team.stage, MONDAY + 2 * HOUR - HALF, host=agent).host == agent, "20 + 10 minutes touch"
    assert booked(team.stage, MONDAY + 3 * HOUR, host=agent).host == agent


def test_s22_fair_rotation(team: Mixed) -> None:
    hosts = Counter(booked(team.stage, MONDAY + (number // 9) * DAY + (number % 9) * HOUR).host for number in range(36))
    assert set(hosts.values()) == {12}


def test_a_personal_event_hands_the_visit_to_a_colleague_at_another_provider(team: Mixed, agent: str) -> None:
    visit = booked(team.stage, MONDAY, host=agent)
    team.later()
    mine = team.homes[agent].add(visit.interval, "Dentista")
    team.later()
    team.later()
    moved = team.stage.visit(visit.id)
    assert moved.host != agent and moved.state is VisitState.CONFIRMED and moved.conflict is None
    assert spans(team, agent) == [] and spans(team, str(moved.host)) == [visit.interval]
    assert team.homes[agent].look(mine) is not None


@pytest.mark.parametrize("outcome", [Ambiguous("no answer came"), Transient("busy")], ids=["after", "before"])
def test_s23_hand_over_and_back(team: Mixed, outcome: Exception) -> None:
    visit = booked(team.stage, MONDAY, host="ana")
    team.later()
    for host in ("beto", "carla", "ana"):
        for calendar in team.calendars.values():
            calendar.after = outcome
        done(team.stage, visit.id, Reassign(host=AgentId(host)))
        for _ in range(4):
            team.later()
        assert {one: len(team.entries(one)) for one in HOMES} == {one: int(one == host) for one in HOMES}


def test_s25_deleted_in_the_calendar(agent: str) -> None:
    for policy, state, entries in (
        (OnAgentDelete.ASK, VisitState.CONFIRMED, 0),
        (OnAgentDelete.CANCEL, VisitState.CANCELLED, 0),
        (OnAgentDelete.RESTORE, VisitState.CONFIRMED, 1),
    ):
        with mixed(SyncPolicy(on_agent_delete=policy)) as team:
            visit = booked(team.stage, MONDAY, host=agent)
            team.later()
            team.homes[agent].remove(team.remote_of(agent, MONDAY))
            for _ in range(3):
                team.later()
            assert team.stage.visit(visit.id).state is state
            assert len(team.entries(agent)) == entries
            assert ("entry_deleted" in tasks(team.stage, visit.id)) is (policy is OnAgentDelete.ASK)
            Judge(team.stage).after_step()


def test_s25_many_deletions_trip_the_brake(team: Mixed, agent: str) -> None:
    home = team.homes[agent]
    made = [home.add(Interval(MONDAY, MONDAY + HALF).shift(number * HOUR)) for number in range(10)]
    team.later()
    before = team.blocks(agent)
    for one in made[:5]:
        home.remove(one)
    for _ in range(3):
        team.later()
    assert team.blocks(agent) == before and alerts(team.stage).count("suspect") == 1


def test_s26_dragged_in_the_calendar(team: Mixed, agent: str) -> None:
    first, second = (booked(team.stage, MONDAY + number * HOUR, host=agent) for number in range(2))
    team.later()
    home = team.homes[agent]
    mine = team.remote_of(agent, MONDAY)
    free = Interval(MONDAY + 4 * HOUR, MONDAY + 4 * HOUR + VISIT)
    home.drag(mine, free)
    team.later()
    team.later()
    assert team.stage.visit(first.id).interval == free
    home.drag(mine, second.interval)
    for _ in range(3):
        team.later()
    assert team.stage.visit(first.id).interval == free
    assert sorted(spans(team, agent)) == sorted([second.interval, free])


def test_s24_a_move_keeps_what_is_the_agents(team: Mixed, agent: str) -> None:
    visit = booked(team.stage, MONDAY, host=agent)
    team.later()
    team.homes[agent].decorate(team.remote_of(agent, MONDAY), "traer llaves")
    team.later()
    done(team.stage, visit.id, Move(start=MONDAY + HOUR))
    team.later()
    (entry,) = team.entries(agent)
    assert entry.decorated and "traer llaves" in entry.notes
    assert entry.interval.start == MONDAY + HOUR and team.stage.visit(visit.id).host == agent


@pytest.mark.parametrize("lost", ["put", "delete"])
def test_an_answer_that_got_lost_leaves_nothing_lost_and_nothing_doubled(team: Mixed, agent: str, lost: str) -> None:
    visit = booked(team.stage, MONDAY, host=agent)
    if lost == "put":
        team.calendars[agent].after = Ambiguous("no answer came")
    for _ in range(3):
        team.later()
    assert spans(team, agent) == [visit.interval]
    if lost == "delete":
        team.calendars[agent].after = Ambiguous("no answer came")
    done(team.stage, visit.id, Cancel(by=CancelReason.STAFF))
    for _ in range(3):
        team.later()
    assert spans(team, agent) == []


def test_s28_a_throttled_provider_leaves_the_others_their_pace(team: Mixed, agent: str) -> None:
    team.calendars[agent].error = Transient("429", retry_after=600)
    visits = {one: booked(team.stage, MONDAY, host=one) for one in HOMES}
    team.later()
    assert {one: len(team.entries(one)) for one in HOMES} == {one: int(one != agent) for one in HOMES}
    team.calendars[agent].error = None
    for _ in range(6):
        team.later()
    assert all(spans(team, one) == [visits[one].interval] for one in HOMES)


def test_s27_a_restart_at_any_moment_converges(team: Mixed) -> None:
    visits = [booked(team.stage, MONDAY + number * HOUR) for number in range(6)]
    for kill in ("C16", "C19", "C20", "C22"):
        team.stage.ctx = replace(team.stage.ctx, crashpoint=_dies_at(kill))
        with pytest.raises(_Death):
            team.later()
        team.stage.ctx = replace(team.stage.ctx, crashpoint=lambda name: None)
        team.stage.restart()
    for _ in range(4):
        team.later()
    held = Counter(visit.host for visit in visits)
    assert {one: len(team.entries(one)) for one in HOMES} == {one: held[AgentId(one)] for one in HOMES}


class _Death(BaseException):
    """The process is gone."""


def _dies_at(point: str) -> Callable[[str], None]:
    def at(name: str) -> None:
        if name == point:
            raise _Death(name)

    return at
