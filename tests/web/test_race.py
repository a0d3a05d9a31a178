"""Many clients want one slot at the same moment: one gets it, the others learn what else is free."""

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.web.stage import TOKEN, booking, directory, staged
from tests.world.town import TUESDAY

THREADS, EACH = 20, 50


@pytest.mark.slow
def test_of_a_thousand_attempts_at_one_slot_exactly_one_succeeds(tmp_path: Path) -> None:
    """Ana is the whole team; every attempt comes over HTTP, from another client."""
    found = directory()
    answers: list[tuple[int, dict[str, Any]]] = []
    barrier = threading.Barrier(THREADS)
    with staged(tmp_path, found=found) as stage:

        def attempt(client: int) -> None:
            with requests.Session() as session:
                session.trust_env = False
                session.headers["Authorization"] = f"Bearer {TOKEN}"
                barrier.wait()
                for number in range(EACH):
                    name = f"c{client}-{number}"
                    body = booking(host="ana", contact={"name": name, "email": f"{name}@example.com"})
                    answer = session.post(f"{stage.url}/api/visits", json=body, timeout=60)
                    answers.append((answer.status_code, answer.json()))

        threads = [threading.Thread(target=attempt, args=(client,)) for client in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        visits = stage.visits()
    codes = Counter(code for code, _ in answers)
    assert codes == {201: 1, 409: THREADS * EACH - 1}
    (won,) = (body for code, body in answers if code == 201)
    assert [visit.id for visit in visits] == [won["id"]]
    assert visits[0].interval.start == TUESDAY
    for body in (body for code, body in answers if code == 409):
        assert body["type"] == "slot-taken"
        assert 1 <= len(body["alternatives"]) <= 5
        assert won["start"] not in {one["start"] for one in body["alternatives"] if one["hosts_free"] == 2}
