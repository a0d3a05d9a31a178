"""A thousand ways at one slot at once: one holds, none is lost, everyone else is told other times (F35, S01)."""

import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from tests.e2e.conftest import MakeTown, running
from tests.e2e.town import ANA, QUESTION, Json, Town, eventually, monday

REMOTE, API, SHELLS = 150, 840, 10
THREADS = 20
SLOT = monday(10)


@pytest.fixture(scope="module")
def contested(make_town: MakeTown) -> Iterator[Town]:
    """A town whose scheduler says nothing: half of its bookings are announced by hand, the rest is for a poll."""
    yield from running(make_town("2s"))


def shell(town: Town, number: int) -> subprocess.Popen[str]:
    client = ["--name", f"Shell {number}", "--email", "s@example.com", "--answer", f"{QUESTION}=shell-{number}"]
    words = ["visits", "book", "--project", "casas", "--start", SLOT.isoformat(), "--host", ANA, *client, "--json"]
    return subprocess.Popen(town.command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def at_once(*crowds: Callable[[], None]) -> None:
    """Let several crowds loose together and wait for all."""
    threads = [threading.Thread(target=crowd) for crowd in crowds]
    for one in threads:
        one.start()
    for one in threads:
        one.join()


@pytest.fixture(scope="module")
def race(contested: Town) -> tuple[Town, list[str], list[Any], list[subprocess.CompletedProcess[str]]]:
    """Run it: the bookings at the scheduler, the answers of the API, the ends of the commands."""
    town = contested
    invitees: list[str] = []
    answers: list[Any] = []
    ended: list[subprocess.CompletedProcess[str]] = []
    statuses: list[int] = []
    town.scheduler.courier.switches.drop = REMOTE

    def announced() -> None:
        def one(number: int) -> None:
            invitee = town.book_there(SLOT, ANA, f"remoto-{number:03}")
            invitees.append(invitee)
            if number % 2:
                statuses.append(town.post(town.delivery("invitee.created", invitee)))

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(one, range(REMOTE)))

    def called() -> None:
        with ThreadPoolExecutor(THREADS) as pool:
            orders = [town.order(SLOT, ANA, f"api-{number:03}") for number in range(API)]
            answers.extend(pool.map(lambda order: town.api("POST", "/api/visits", order), orders))

    def typed() -> None:
        for one in [shell(town, number) for number in range(SHELLS)]:
            out, err = one.communicate(timeout=100)
            ended.append(subprocess.CompletedProcess(one.args, one.returncode, out, err))

    at_once(announced, called, typed)
    assert statuses == [204] * (REMOTE // 2)
    eventually("every booking of the scheduler is a visit", lambda: len(at_slot(town, "calendly")) == REMOTE)
    assert town.syncd("sync").code == 0
    return town, invitees, answers, ended


def at_slot(town: Town, source: str | None = None) -> list[Json]:
    found = [one for one in town.visits() if one["start"] == SLOT.isoformat()]
    return [one for one in found if source in (None, one["source"]["account"])]


Race = tuple[Town, list[str], list[Any], list[subprocess.CompletedProcess[str]]]


def test_exactly_one_holds_the_slot(race: Race) -> None:
    town, *_ = race
    assert Counter(one["state"] == "confirmed" for one in at_slot(town))[True] == 1
    taken = town.rows("SELECT count(*) FROM visit WHERE holds = 1 AND agent_id = ? AND start_at = ?", ANA, epoch(SLOT))
    assert taken == [(1,)]


def epoch(moment: datetime) -> int:
    return int(moment.timestamp())


def test_no_booking_of_the_scheduler_is_lost_and_the_losers_have_other_times(race: Race) -> None:
    town, invitees, *_ = race
    remote = {one["source"]["id"]: one for one in at_slot(town, "calendly")}
    assert set(remote) == set(invitees)
    assert len({one["answers"][0]["answer"] for one in remote.values()}) == REMOTE
    lost = [one for one in remote.values() if one["state"] != "confirmed"]
    assert len(lost) >= REMOTE - 1
    for one in lost:
        assert (one["state"], one["conflict"]["reason"]) == ("conflict", "slot_taken")
        assert 0 < len(one["conflict"]["alternatives"]) <= 5
        same = [other for other in one["conflict"]["alternatives"] if other["start"] == SLOT.isoformat()]
        assert all(other["hosts_free"] == 2 for other in same), "Bruno and Carla, but not Ana"
    assert len({one["about"] for one in lost_tasks(town)}) == len(lost), "staff is told of each"


def lost_tasks(town: Town) -> list[Json]:
    return [{"about": row[0]} for row in town.rows("SELECT about FROM notice WHERE kind = 'lost_booking'")]


def test_whoever_lost_over_the_api_is_told_409_and_other_times(race: Race) -> None:
    _, _, answers, _ = race
    assert len(answers) == API
    assert set(Counter(one.status_code for one in answers)) <= {201, 409}
    for one in answers:
        if one.status_code == 409:
            told = one.json()
            assert told["type"].endswith("slot-taken")
            assert 0 < len(told["alternatives"]) <= 5


def test_whoever_lost_in_a_shell_is_told_1_and_other_times(race: Race) -> None:
    _, _, _, ended = race
    assert len(ended) == SHELLS
    for one in ended:
        assert one.returncode in (0, 1), one.stderr
        assert "Traceback" not in one.stderr
        if one.returncode == 1:
            assert '"alternatives"' in one.stdout and "slot_taken" in one.stdout


def test_as_many_were_told_yes_as_hold(race: Race) -> None:
    town, _, answers, ended = race
    said = [one.json()["id"] for one in answers if one.status_code == 201]
    said += [one.stdout for one in ended if one.returncode == 0]
    remote = [one for one in at_slot(town, "calendly") if one["state"] == "confirmed"]
    assert len(said) + len(remote) == 1


def test_the_calendar_has_one_entry_there(race: Race) -> None:
    town, *_ = race
    there = [one for one in town.agenda(ANA).entries() if one.start == SLOT.astimezone(UTC)]
    (holder,) = [one for one in at_slot(town) if one["state"] == "confirmed"]
    assert [one.title for one in there] == [holder["title"]]


def test_no_two_visits_that_hold_overlap(race: Race) -> None:
    town, *_ = race
    held = sorted(
        (one["host"], datetime.fromisoformat(one["start"]), datetime.fromisoformat(one["end"]) + timedelta(minutes=10))
        for one in town.visits()
        if one["state"] in ("pending", "confirmed")
    )
    assert held
    assert all(first[0] != second[0] or first[2] <= second[1] for first, second in pairwise(held))
