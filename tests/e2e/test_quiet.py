"""A quiet installation asks each account once a beat and has nothing to do; one beat finds what a person changed."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.e2e.conftest import MakeTown
from tests.e2e.town import ANA, BRUNO, CARLA, QUESTION, Json, Servers, Town, monday
from tests.servers.dav import event
from tests.servers.proxy import Passage, between
from tests.servers.xandikos import HOME

Counted = tuple[Town, Passage, Passage]
START = monday(10)
BOOKING = ["--name", "Eva Paz", "--email", "eva@example.com", "--answer", f"{QUESTION}=calma-5"]


@pytest.fixture(scope="module")
def counted(make_town: MakeTown) -> Iterator[tuple[Town, Passage, Passage]]:
    """A town that asks only when told, with a counter in front of each CalDAV server."""
    town = make_town("6h")
    with between(town.servers.radicale) as first, between(town.servers.xandikos) as second:
        town.configure("6h", Servers(first.url, second.url))
        with town.daemon():
            town.await_first_reading()
            yield town, first, second


def forget(*passages: Passage) -> None:
    for one in passages:
        one.requests.clear()


def test_a_quiet_cycle_is_one_request_for_all_calendars_of_a_home(counted: Counted) -> None:
    town, first, second = counted
    town.booked(monday(9), ANA, "calma-1")
    town.booked(monday(9), BRUNO, "calma-2")
    town.booked(monday(9), CARLA, "calma-3")
    for _ in range(2):
        assert town.syncd("sync").code == 0
    for _ in range(3):
        forget(first, second)
        assert town.syncd("sync").code == 0
        assert first.requests == ["PROPFIND /ana/"], "two calendars of one home"
        assert second.requests == [f"PROPFIND {HOME}"]


def test_the_plan_after_a_sync_is_empty_and_makes_no_request(counted: Counted) -> None:
    town, first, second = counted
    town.booked(monday(11), ANA, "calma-4")
    assert town.syncd("sync").code == 0
    forget(first, second)
    plan = town.syncd("plan", "--json")
    assert (plan.code, plan.json) == (0, [])
    assert first.requests == second.requests == []


def test_the_plan_names_what_is_due_and_is_empty_once_it_is_done(make_town: MakeTown) -> None:
    """Without a daemon, so that nothing is done before it is asked for."""
    town = make_town("6h")
    assert town.syncd("sync").code == 0
    booked = town.json("visits", "book", "--project", "casas", "--host", ANA, *BOOKING, "--start", START.isoformat())
    plan = town.syncd("plan", "--json")
    assert plan.code == 3
    assert [(one["calendar"], one["act"], one["title"]) for one in plan.json] == [
        ("radicale/ana/ana", "create", booked["title"])
    ]
    assert town.syncd("sync").code == 0
    assert len(town.entries(ANA, booked["title"])) == 1
    assert (town.syncd("plan", "--json").code, town.syncd("plan", "--json").json) == (0, [])


@pytest.mark.parametrize("agent", [ANA, BRUNO], ids=["radicale", "xandikos"])
def test_one_cycle_is_enough_to_see_what_a_person_put_there(counted: Counted, agent: str) -> None:
    town, first, second = counted
    start = monday(15, days=1)
    hands, path = town.hands(agent)
    assert host(town, agent)["reason"] is None
    hands.put(f"{path}medico.ics", event(start, start + timedelta(hours=1)))
    forget(first, second)
    assert town.syncd("sync").code == 0
    assert host(town, agent)["reason"] == "busy", (first.requests, second.requests)
    asked = first.requests if agent == ANA else second.requests
    assert len(asked) <= 5, asked


def host(town: Town, agent: str) -> Json:
    found = town.json("explain-slot", "casas", monday(15, days=1).isoformat())
    return next(one for one in found["hosts"] if one["host"] == agent)
