"""Many clients want one slot at the same moment: one gets it, the others learn what else is free."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from syncd.core.ids import AgentId
from syncd.core.visit import VisitState
from tests.web.stage import APPROVED, TOKEN, booking, directory, staged
from tests.world import town
from tests.world.town import TUESDAY

THREADS, EACH = 20, 50


@pytest.mark.parametrize(("host", "each", "winners"), [("ana", EACH, 1), (None, 5, 2)])
def test_of_a_thousand_attempts_at_one_slot_one_succeeds_per_host(
    tmp_path: Path, host: str | None, each: int, winners: int
) -> None:
    """Every attempt comes over HTTP, from another client; the team is two, of whom one may be asked for."""
    answers: list[tuple[int, dict[str, Any]]] = []
    barrier = threading.Barrier(THREADS)
    with staged(tmp_path) as stage:

        def attempt(client: int) -> None:
            with requests.Session() as session:
                session.trust_env = False
                session.headers["Authorization"] = f"Bearer {TOKEN}"
                barrier.wait()
                for number in range(each):
                    name = f"c{client}-{number}"
                    body = booking(host=host, contact={"name": name, "email": f"{name}@example.com"})
                    answer = session.post(f"{stage.url}/api/visits", json=body, timeout=60)
                    answers.append((answer.status_code, answer.json()))

        threads = [threading.Thread(target=attempt, args=(client,)) for client in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        visits = stage.visits()
    codes = Counter(code for code, _ in answers)
    assert codes == {201: winners, 409: THREADS * each - winners}
    won = [body for code, body in answers if code == 201]
    assert {(visit.id, visit.interval.start) for visit in visits} == {(one["id"], TUESDAY) for one in won}
    assert len({visit.host for visit in visits}) == winners
    for body in (body for code, body in answers if code == 409):
        assert body["type"] == "slot-taken"
        assert 1 <= len(body["alternatives"]) <= 5
        assert won[0]["start"] not in [one["start"] for one in body["alternatives"]] or host is not None


def test_of_twenty_pending_visits_that_hold_nothing_one_approval_wins(tmp_path: Path) -> None:
    """All want one slot of one agent, and staff approves all of them at the same moment (C3)."""
    found = directory(2)
    free = replace(APPROVED, pending_holds=False)
    kinds = {**found.event_types, free.id: free}
    casas = replace(found.projects[town.CASAS], team=(AgentId("ana"),))
    changed = replace(found, event_types=kinds, projects={**found.projects, town.CASAS: casas})
    with staged(tmp_path, found=changed) as stage:
        names = [
            stage.book(TUESDAY, event_type="larga", contact={"name": f"C{n}", "email": f"c{n}@example.com"})["id"]
            for n in range(20)
        ]
        with ThreadPoolExecutor(20) as threads:
            codes = list(threads.map(lambda one: stage.api.post(f"/api/visits/{one}/approve", {}).status_code, names))
        assert Counter(codes) == {200: 1, 409: 19}
        states = Counter(visit.state for visit in stage.visits())
    assert states == {VisitState.CONFIRMED: 1, VisitState.PENDING: 19}
