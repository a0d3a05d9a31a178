"""Many clients want one slot at the same moment: one gets it, the others learn what else is free."""

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.web.stage import TOKEN, booking, staged
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
