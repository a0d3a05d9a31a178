"""S22, fair rotation: three hundred bookings, agents who join, cancelled visits, restarts."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.ids import AgentId
from syncd.core.routing import rank_hosts
from syncd.core.visit import Visit, VisitState
from syncd.store import Store, Tx, open_store
from syncd.store.turns import with_newcomers
from tests.store.values import ANA, BETO, CARLA, CASAS, CAUSE, START, VISITA, visit
from tests.world.clock import VirtualClock

DORA = AgentId("dora")
TEAM = (ANA, BETO, CARLA)


def book(store: Store, number: int, team: tuple[AgentId, ...], free: set[AgentId] | None = None) -> Visit:
    """Give a visit to whoever's turn it is among the free, as booking does."""

    def give(tx: Tx) -> Visit:
        ranked = rank_hosts(team, tx.visits.turns(CASAS, VISITA, team))
        host = next(agent for agent in ranked if free is None or agent in free)
        return tx.visits.save(visit(f"v{number:03}", number * 60, number * 60 + 20, host=host), CAUSE)

    return store.write(give)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "syncd.db"


def opened(path: Path) -> Store:
    return open_store(path, VirtualClock(START), inline=True)


def test_s22_three_agents_who_are_always_free_differ_by_at_most_one_after_every_booking(path: Path) -> None:
    store, counts = opened(path), Counter[AgentId](dict.fromkeys(TEAM, 0))
    for number in range(300):
        counts[book(store, number, TEAM).host or ANA] += 1
        assert max(counts.values()) - min(counts.values()) <= 1
    store.close()


def test_s22_whoever_is_often_busy_gets_what_only_he_can_serve_and_the_rest_evens_out(path: Path) -> None:
    store, counts = opened(path), Counter[AgentId]()
    for number in range(300):
        free = {BETO} if number % 10 == 0 else {ANA, CARLA} if number % 2 else set(TEAM)
        counts[book(store, number, TEAM, free).host or ANA] += 1
    store.close()
    assert max(counts.values()) - min(counts.values()) <= 1


def test_s22_a_fourth_agent_joins_in_the_middle_and_restarts_change_nothing(path: Path) -> None:
    chosen: list[list[AgentId | None]] = []
    for every in (1_000, 20):
        path.unlink(missing_ok=True)
        store, hosts = opened(path), []
        for number in range(300):
            if number % every == every - 1:
                store.close()
                store = opened(path)
            team = TEAM if number < 150 else (*TEAM, DORA)
            hosts.append(book(store, number, team).host)
        store.close()
        chosen.append(hosts)
    assert chosen[0] == chosen[1]
    counts = Counter(chosen[0])
    assert counts[DORA] in (37, 38)  # a fourth of the bookings since, not three of every four to catch up
    assert max(counts[one] for one in TEAM) - min(counts[one] for one in TEAM) <= 1


def test_s22_cancelled_visits_give_their_turns_back(path: Path) -> None:
    store, chance = opened(path), random.Random(22)
    kept: dict[str, Visit] = {}
    for number in range(300):
        made = book(store, number, TEAM)
        kept[made.id] = made
        if chance.random() < 0.3:
            gone = kept.pop(chance.choice(sorted(kept)))
            cancelled = replace(gone, state=VisitState.CANCELLED, holds=False)
            store.write(lambda tx, one=cancelled: tx.visits.save(one, CAUSE))  # type: ignore[misc]
    counts = Counter(one.host for one in kept.values())
    turns = store.write(lambda tx: tx.visits.turns(CASAS, VISITA, TEAM))
    store.close()
    assert turns == counts
    assert max(counts.values()) - min(counts.values()) <= 4


@given(
    st.lists(st.sampled_from([*TEAM, DORA]), unique=True),
    st.dictionaries(st.sampled_from([*TEAM, DORA]), st.integers(0, 9)),
    st.dictionaries(st.sampled_from([*TEAM, DORA]), st.integers(0, 9)),
)
def test_a_newcomer_is_never_below_the_members_and_changes_nobodys_turns(
    agents: list[AgentId], visits: dict[AgentId, int], known: dict[AgentId, int]
) -> None:
    bases = with_newcomers(agents, visits, known)
    turns = {agent: bases[agent] + visits.get(agent, 0) for agent in agents}
    members = [agent for agent in agents if agent in known]
    assert all(bases[agent] == known[agent] for agent in members)
    least = min((turns[agent] for agent in members), default=0)
    for agent in set(agents) - set(members):
        assert turns[agent] == max(least, visits.get(agent, 0))
    assert with_newcomers(agents, visits, bases) == bases
