"""What an agent does in the own calendar with a client of somebody else: busy time, drags, deletions."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.town import ANA, BRUNO, CARLA, Town, eventually, monday, starts_of
from tests.servers.dav import event

BOTH = pytest.mark.parametrize("agent", [ANA, BRUNO], ids=["radicale", "xandikos"])
CALENDARS = {ANA: "radicale/ana/ana", BRUNO: "xandikos/bruno"}


def hosts_free(town: Town, start: datetime) -> int:
    """Return how many hosts are offered for a start; 0 where it is not offered."""
    until = (start + timedelta(minutes=20)).isoformat()
    query = f"project=casas&event_type=visita&from={start.isoformat()}&to={until}".replace("+", "%2B")
    offered = town.api("GET", f"/api/slots?{query}").json()
    found = offered["items"] if isinstance(offered, dict) else offered
    return next((one["hosts_free"] for one in found if datetime.fromisoformat(one["start"]) == start), 0)


def explained(town: Town, start: datetime, agent: str) -> tuple[str | None, str]:
    """Return the reason why an agent is not free and the details, as the command tells."""
    found = town.json("explain-slot", "casas", start.isoformat())
    (host,) = [one for one in found["hosts"] if one["host"] == agent]
    return host["reason"], " ".join(host["details"])


@BOTH
def test_an_event_of_another_client_takes_the_time_within_one_poll_and_gives_it_back(polled: Town, agent: str) -> None:
    start = monday(9, days=(ANA, BRUNO).index(agent))
    assert hosts_free(polled, start) == 3
    hands, path = polled.hands(agent)
    hands.put(f"{path}dentista.ics", event(start, start + timedelta(hours=1)))
    eventually("the time is not offered with this host", lambda: hosts_free(polled, start) == 2)
    reason, details = explained(polled, start, agent)
    assert reason == "busy"
    assert CALENDARS[agent] in details
    refused = polled.api("POST", "/api/visits", polled.order(start, agent, "X-1"))
    assert refused.status_code == 409
    hands.delete(f"{path}dentista.ics")
    eventually("the time is offered again", lambda: hosts_free(polled, start) == 3)
    assert explained(polled, start, agent)[0] is None


@BOTH
def test_an_entry_that_the_agent_drags_takes_the_visit_along(polled: Town, agent: str) -> None:
    start, unit = monday(11, days=(ANA, BRUNO).index(agent)), f"arrastra-{agent}"
    later = start + timedelta(hours=2)
    visit = polled.booked(start, agent, unit)
    polled.drag(agent, unit, later)
    eventually("the visit moved", lambda: polled.visit(visit["id"])["start"] == later.isoformat())
    assert polled.syncd("sync").code == 0
    assert [starts_of(one) for one in polled.entries(agent, unit)] == [[later.astimezone(UTC)]]
    after = polled.visit(visit["id"])
    assert (after["host"], after["state"]) == (agent, "confirmed")
    history = polled.api("GET", f"/api/visits/{visit['id']}/history").json()["items"]
    assert history[-1]["actor"] == f"agent:{agent}"
    assert polled.syncd("plan").code == 0


@BOTH
def test_an_entry_dragged_onto_another_visit_is_written_back_and_the_agent_told_once(polled: Town, agent: str) -> None:
    start = monday(15, days=(ANA, BRUNO).index(agent))
    taken = start + timedelta(hours=1)
    unit = f"vuelve-{agent}"
    visit = polled.booked(start, agent, unit)
    polled.booked(taken, agent, f"primera-{agent}")
    polled.drag(agent, unit, taken + timedelta(minutes=10))
    eventually("the agent was told", lambda: told(polled, visit["id"]))
    eventually(
        "the entry stands where it was",
        lambda: [starts_of(one) for one in polled.entries(agent, unit)] == [[start.astimezone(UTC)]],
    )
    for _ in range(2):
        assert polled.syncd("sync").code == 0
    assert polled.visit(visit["id"])["start"] == start.isoformat()
    assert len(told(polled, visit["id"])) == 1
    assert polled.syncd("plan").code == 0


def told(town: Town, visit: str) -> list[tuple[str]]:
    """Return what the agent is to be told of a visit's refused drags."""
    sql = "SELECT body FROM notice WHERE kind = 'agent_notice' AND about = ? AND body LIKE '%move_refused%'"
    return town.rows(sql, visit)


def test_an_entry_that_the_agent_deletes_is_asked_about_and_not_written_again(polled: Town) -> None:
    visit = polled.booked(monday(9, days=2), CARLA, "borra-1")
    path, _ = polled.entry_of(CARLA, "borra-1")
    polled.hands(CARLA)[0].delete(path)
    task = eventually(
        "staff is asked", lambda: [one for one in polled.json("tasks", "list") if one["visit"] == visit["id"]]
    )
    assert [(one["kind"], one["agent"], one["state"]) for one in task] == [("entry_deleted", CARLA, "open")]
    for _ in range(2):
        assert polled.syncd("sync").code == 0
    assert not polled.entries(CARLA, "borra-1")
    assert polled.visit(visit["id"])["state"] == "confirmed"
    assert len([one for one in polled.json("tasks", "list") if one["visit"] == visit["id"]]) == 1


def test_a_visit_that_moves_after_its_entry_was_deleted_stands_there_again(polled: Town) -> None:
    start = monday(11, days=2)
    visit = polled.booked(start, CARLA, "borra-2")
    path, _ = polled.entry_of(CARLA, "borra-2")
    polled.hands(CARLA)[0].delete(path)
    eventually("staff is asked", lambda: [x for x in polled.json("tasks", "list") if x["visit"] == visit["id"]])
    later = start + timedelta(hours=1)
    moved = polled.api("POST", f"/api/visits/{visit['id']}/move", {"start": later.isoformat()})
    assert moved.status_code == 200, moved.text
    eventually(
        "it stands at its new time",
        lambda: [starts_of(one) for one in polled.entries(CARLA, "borra-2")] == [[later.astimezone(UTC)]],
    )
