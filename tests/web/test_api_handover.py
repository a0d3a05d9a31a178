"""A hand-over through the API: what moved, what stays and why, and what is refused."""

from typing import Any

import pytest

from tests.web.recorder import check_problem
from tests.web.stage import Stage


def asked(**changes: Any) -> dict[str, Any]:
    whole = {"from": "ana", "to": "beto", "project": "casas", "on": "2026-05-12"}
    return {name: value for name, value in (whole | changes).items() if value is not None}


def test_visits_move_once_and_what_stays_says_why(stage: Stage) -> None:
    both, free = stage.a_start(), stage.a_start()
    stage.book(both, host="beto")
    stays = stage.book(both, host="ana")
    goes = stage.book(free, host="ana")
    planned = stage.api.post("/api/handovers", asked(dry_run=True))
    assert planned.status_code == 200
    assert stage.visit(goes["id"]).host == "ana"
    done = stage.api.post("/api/handovers", asked())
    body = done.json()
    assert {"visit": goes["id"], "start": goes["start"]} in body["moved"]
    why = "the colleague holds another visit at that time"
    row = {"visit": stays["id"], "start": stays["start"], "reason": "slot_taken", "why": why}
    assert row in body["left"]
    assert planned.json() == body | {"dry_run": True}
    assert stage.visit(goes["id"]).host == "beto" and stage.visit(stays["id"]).host == "ana"
    again = stage.api.post("/api/handovers", asked()).json()
    assert again == {"moved": [], "left": body["left"], "dry_run": False}
    rows = stage.api.get(f"/api/visits/{goes['id']}/history").json()["items"]
    assert (rows[-1]["actor"], rows[-1]["note"]) == ("api:crm", "hand-over")


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"to": "ana"}, 422, "two agents"),
        ({"to": "nobody"}, 404, "nobody"),
        ({"from": "nobody"}, 404, "nobody"),
        ({"project": "nowhere"}, 404, "nowhere"),
        ({"on": "tomorrow"}, 422, "2026-12-01"),
        ({"on": "2026-02-30"}, 422, "on"),
        ({"on": "9999-01-01"}, 422, "year"),
        ({"on": None}, 422, "on"),
        ({"dry_run": "yes"}, 422, "dry_run"),
    ],
)
def test_what_makes_no_sense_is_refused(stage: Stage, changes: dict[str, Any], status: int, word: str) -> None:
    answer = stage.api.post("/api/handovers", asked(**changes))
    check_problem(answer)
    assert answer.status_code == status
    assert word in answer.text
