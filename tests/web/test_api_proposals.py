"""Proposals and tasks through the API: made once, answered, accepted once, declined; what is refused says why."""

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from syncd.core.directory import SmsRight
from syncd.core.ids import AgentId, ProposalId, VisitId
from syncd.core.interval import Interval
from syncd.core.proposals import Proposal
from syncd.core.visit import Cancel, CancelReason, Visit
from syncd.flows.book import act
from syncd.flows.propose import answer, proposal_link
from syncd.store.visits import Cause
from tests.web.stage import TOKEN, Stage, directory, staged

EVA = {"name": "Eva Díaz", "email": "eva@example.com", "phone": "+56 9 8765 4321"}
PLACE = {
    "id": "C-12",
    "name": "Casa 12",
    "address": "Pasaje Uno 12",
    "contact_persons": [{"name": "Primera", "email": "primera@example.com", "user": "ana"}],
}
TEN = datetime.fromisoformat("2026-05-12T10:00:00-04:00")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    found = directory()
    ana = replace(found.agents[AgentId("ana")], mobile="+56 9 1234 5678", sms=SmsRight(billing="caja", may_send=True))
    with staged(tmp_path, found=replace(found, agents={**found.agents, ana.id: ana})) as made:
        yield made


def asking(**changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {"contact": EVA, "project": "casas", "recipient": {"user": "ana"}, "answer_by": ["mail"]}
    return {name: value for name, value in (whole | changes).items() if value is not None}


def ask(stage: Stage, **changes: Any) -> str:
    made = stage.api.post("/api/proposals", asking(**changes))
    assert made.status_code == 201, made.text
    name: str = made.json()["id"]
    return name


def hours(*starts: datetime, minutes: int = 120) -> list[Interval]:
    return [Interval(one, one + timedelta(minutes=minutes)) for one in starts]


def answered(stage: Stage, name: str, *windows: Interval) -> Proposal:
    found = answer(stage.ctx, ProposalId(name), windows, stage.clock.now())
    assert isinstance(found, Proposal), found
    return found


def shown(stage: Stage, name: str) -> dict[str, Any]:
    found: dict[str, Any] = stage.api.get(f"/api/proposals/{name}").json()
    return found


def accept(stage: Stage, name: str, window: int = 1, **more: Any) -> requests.Response:
    return stage.api.post(f"/api/proposals/{name}/accept", {"window": window, **more})


def said(stage: Stage, name: str) -> list[tuple[str, str]]:
    with stage.store.read() as tx:
        return [(one.channel, one.to) for one in tx.queue.notices(about=f"proposal:{name}")]


# --- made -----------------------------------------------------------------------------------------------------------


def test_a_proposal_is_made_and_shown_as_the_contract_says(stage: Stage) -> None:
    made = stage.api.post("/api/proposals", asking(property=PLACE))
    assert made.status_code == 201 and set(made.json()) == {"id", "url"}
    assert made.headers["Location"] == f"/api/proposals/{made.json()['id']}"
    assert made.json()["url"].startswith(f"{stage.ctx.public_url}/p/")
    found = shown(stage, made.json()["id"])
    assert found.pop("created_at") == "2026-05-04T08:00:00-04:00"
    assert found.pop("expires_at") == "2026-06-03T08:00:00-04:00", "[daemon] link_expires"
    assert found == {
        "id": made.json()["id"],
        "state": "open",
        "contact": {"name": "Eva Díaz", "email": "eva@example.com", "phone": "+56987654321", "tax_id": None},
        "project": "casas",
        "property": {"id": "C-12", "name": "Casa 12", "address": "Pasaje Uno 12"},
        "recipient": {"user": "ana"},
        "answer_by": ["mail"],
        "windows": [],
        "accepted": None,
        "visit": None,
        "reason": "",
        "answered_at": None,
    }


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"contact": [EVA, EVA]}, "contact", "exactly one"),
        ({"contact": None}, "contact", "required"),
        ({"property": [PLACE, PLACE]}, "property", "exactly one"),
        ({"recipient": {}}, "recipient", "exactly one"),
        ({"recipient": {"user": "ana", "email": "x@example.com"}}, "recipient", "exactly one"),
        ({"recipient": {"contact_person": True}}, "recipient", "contact person"),
        ({"recipient": {"contact_person": False}}, "recipient.contact_person", "True"),
        ({"answer_by": ["fax"]}, "answer_by.0", "'mail'"),
        ({"answer_by": []}, "answer_by", "at least 1"),
        ({"expires": "2026-05-01T09:00:00-04:00"}, "expires", "must lie in the future"),
        ({"expires": "3d"}, "expires", "RFC 3339"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_reason(
    stage: Stage, changes: dict[str, Any], field: str, words: str
) -> None:
    """T07: two contacts and two properties are refused (R054)."""
    answer_ = stage.api.post("/api/proposals", asking(**changes))
    assert (answer_.status_code, answer_.json()["type"]) == (422, "invalid")
    assert [one["field"] for one in answer_.json()["errors"]] == [field]
    assert field in answer_.json()["detail"] and words in answer_.json()["detail"], answer_.json()["detail"]


@pytest.mark.parametrize(
    ("changes", "status", "kind"),
    [
        ({"recipient": {"user": "nobody"}}, 404, "not-found"),
        ({"project": "nowhere"}, 404, "not-found"),
        ({"project": "cerrado"}, 409, "project-inactive"),
    ],
)
def test_who_and_what_is_named_must_be_there(stage: Stage, changes: dict[str, Any], status: int, kind: str) -> None:
    answer_ = stage.api.post("/api/proposals", asking(**changes))
    assert (answer_.status_code, answer_.json()["type"]) == (status, kind)


def test_an_idempotency_key_makes_one_proposal(stage: Stage) -> None:
    def post(key: str, body: dict[str, Any]) -> requests.Response:
        return stage.api.post("/api/proposals", body, headers={"Idempotency-Key": key})

    first, again = post("k1", asking()), post("k1", asking())
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert post("k1", asking(answer_by=["sms"])).json()["type"] == "key-differs"
    assert post("k2", asking()).json()["id"] != first.json()["id"]
    assert post("k3", asking(project="cerrado")).status_code == 409
    assert post("k3", asking()).status_code == 201, "a refused key may be used for something else"


# --- accepted, declined ---------------------------------------------------------------------------------------------


def test_a_window_becomes_a_visit_in_the_property_and_the_others_close(stage: Stage) -> None:
    """T07; R055."""
    name = ask(stage, property=PLACE)
    answered(stage, name, *hours(TEN, TEN + timedelta(days=1), TEN + timedelta(days=2)))
    visit = accept(stage, name, 2)
    assert visit.status_code == 200, visit.text
    found = visit.json()
    assert found["start"] == "2026-05-13T10:00:00-04:00" and found["property"]["id"] == "C-12"
    assert found["source"] == {"account": "page", "id": f"proposal:{name}"}
    assert found["contact"]["email"] == "eva@example.com"
    after = shown(stage, name)
    assert (after["state"], after["accepted"], after["visit"]) == ("accepted", 2, found["id"])
    assert accept(stage, name, 2).json() == found, "accepting twice is the same visit"
    same = {"host": found["host"], "start": found["start"], "project": "casas"}
    assert accept(stage, name, 2, **same).json() == found
    later = (TEN + timedelta(days=1, minutes=30)).isoformat()
    other = "beto" if found["host"] == "ana" else "ana"
    for window, more in ((1, {}), (2, {"host": other}), (2, {"start": later}), (2, {"project": "torre"})):
        answer_ = accept(stage, name, window, **more)
        assert (answer_.status_code, answer_.json()["type"]) == (409, "illegal-state"), "the others closed"
        assert found["id"] in answer_.json()["detail"]
    assert len(stage.visits()) == 1


def test_wishes_hold_no_time_and_the_first_start_that_is_free_is_taken(stage: Stage) -> None:
    name = ask(stage)
    answered(stage, name, *hours(TEN))
    for host in ("ana", "beto"):
        stage.book(TEN, host=host)
    found = accept(stage, name).json()
    assert found["start"] == "2026-05-12T10:30:00-04:00"


def test_a_property_that_somebody_visits_is_passed_over_to_a_later_start(stage: Stage) -> None:
    for host in (None, "ana"):
        name = ask(stage, property=PLACE)
        answered(stage, name, *hours(TEN))
        stage.book(TEN if host is None else TEN + timedelta(minutes=60), host="beto", property=PLACE)
        found = accept(stage, name, 1, **(dict[str, Any](host=host) if host else {})).json()
        assert found["start"] == f"2026-05-12T{'10:30' if host is None else '11:30'}:00-04:00"


def test_a_start_inside_the_window_may_be_chosen_and_a_host(stage: Stage) -> None:
    name = ask(stage)
    answered(stage, name, *hours(TEN))
    for start in (TEN - timedelta(minutes=30), TEN + timedelta(minutes=120), TEN + timedelta(minutes=110)):
        answer_ = accept(stage, name, start=start.isoformat())
        assert (answer_.status_code, answer_.json()["type"]) == (409, "not-offered")
    found = accept(stage, name, start=(TEN + timedelta(minutes=60)).isoformat(), host="beto").json()
    assert (found["start"], found["host"]) == ("2026-05-12T11:00:00-04:00", "beto")


def test_a_busy_host_is_passed_over_to_a_later_start(stage: Stage) -> None:
    name = ask(stage)
    answered(stage, name, *hours(TEN))
    stage.book(TEN, host="beto")
    found = accept(stage, name, host="beto").json()
    assert (found["start"], found["host"]) == ("2026-05-12T10:30:00-04:00", "beto")


def test_a_window_that_is_taken_is_refused_with_alternatives_and_stays(stage: Stage) -> None:
    name = ask(stage)
    answered(stage, name, *hours(TEN, minutes=20))
    for host in ("ana", "beto"):
        stage.book(TEN, host=host)
    answer_ = accept(stage, name)
    assert (answer_.status_code, answer_.json()["type"]) == (409, "slot-taken")
    assert 1 <= len(answer_.json()["alternatives"]) <= 5
    assert shown(stage, name)["state"] == "answered"


def test_without_a_project_one_must_be_named(stage: Stage) -> None:
    name = ask(stage, project=None)
    answered(stage, name, *hours(TEN, minutes=10), *hours(TEN + timedelta(days=1)))
    answer_ = accept(stage, name, 2)
    assert (answer_.status_code, answer_.json()["type"]) == (422, "invalid")
    assert "project" in answer_.json()["detail"]
    short = accept(stage, name, 1, project="casas")
    assert (short.status_code, short.json()["type"]) == (409, "not-offered"), "the visit does not fit into it"
    assert accept(stage, name, 2, project="cerrado").json()["type"] == "project-inactive"
    assert accept(stage, name, 2, project="casas").json()["project"] == "casas"
    other = ask(stage)
    answered(stage, other, *hours(TEN))
    assert accept(stage, other, project="torre").status_code == 422


def test_a_number_of_an_earlier_answer_books_nothing(stage: Stage) -> None:
    name = ask(stage)
    answered(stage, name, *hours(TEN))
    answered(stage, name, *hours(TEN + timedelta(days=1)))
    assert [one["window"] for one in shown(stage, name)["windows"]] == [2]
    answer_ = accept(stage, name, 1)
    assert (answer_.status_code, answer_.json()["type"]) == (409, "stale")
    assert accept(stage, name, 2).json()["start"] == "2026-05-13T10:00:00-04:00"


def test_declining_closes_everything_and_what_is_a_visit_is_not_declined(stage: Stage) -> None:
    name = ask(stage, answer_by=["task"])
    assert accept(stage, name).json()["type"] == "illegal-state", "nobody answered yet"
    answered(stage, name, *hours(TEN))
    assert len(stage.api.get("/api/tasks?agent=ana").json()["items"]) == 1
    for _ in range(2):
        answer_ = stage.api.post(f"/api/proposals/{name}/decline", {"reason": "Casa vendida"})
        assert (answer_.json()["state"], answer_.json()["reason"]) == ("declined", "Casa vendida")
    assert stage.api.get("/api/tasks?agent=ana").json()["items"] == []
    assert accept(stage, name).json()["type"] == "illegal-state"
    other = ask(stage)
    answered(stage, other, *hours(TEN))
    assert accept(stage, other).status_code == 200
    assert stage.api.post(f"/api/proposals/{other}/decline").json()["type"] == "illegal-state"
    for path in ("", "/accept", "/decline"):
        options: dict[str, Any] = {"json": {"window": 1}} if path == "/accept" else {"json": {}}
        answer_ = stage.api("POST" if path else "GET", f"/api/proposals/nobody{path}", **(options if path else {}))
        assert answer_.status_code == 404


def test_a_visit_that_was_cancelled_later_is_still_the_answer(stage: Stage) -> None:
    name = ask(stage)
    answered(stage, name, *hours(TEN))
    visit = accept(stage, name).json()["id"]
    cause = Cause(at=stage.clock.now(), actor="test", source="test")
    assert isinstance(act(stage.ctx, VisitId(visit), Cancel(by=CancelReason.STAFF), cause), Visit)
    assert accept(stage, name).json()["state"] == "cancelled"


def test_nobody_answers_what_is_expired(stage: Stage) -> None:
    name = ask(stage, expires="2026-05-05T09:00:00-04:00")
    stage.clock.advance(timedelta(days=2))
    assert shown(stage, name)["state"] == "expired"
    late = answer(stage.ctx, ProposalId(name), hours(TEN), stage.clock.now())
    assert not isinstance(late, Proposal) and late.reason == "illegal-state"
    assert accept(stage, name).json()["detail"] == "the proposal is expired"


def test_two_proposals_for_one_slot_have_one_winner(stage: Stage) -> None:
    """C17: whoever accepts first; over HTTP, at the same moment, in many rounds."""
    rounds = 8
    for number in range(rounds):
        start = TEN + timedelta(days=number // 4, minutes=30 * (number % 4))
        names = [ask(stage) for _ in range(4)]
        for name in names:
            answered(stage, name, *hours(start, minutes=20))
        barrier, codes = threading.Barrier(len(names)), Counter[int]()

        def attempt(name: str, barrier: threading.Barrier = barrier, codes: Counter[int] = codes) -> None:
            head = {"Authorization": f"Bearer {TOKEN}"}
            barrier.wait()
            url = f"{stage.url}/api/proposals/{name}/accept"
            codes[requests.post(url, json={"window": 1, "host": "ana"}, headers=head, timeout=30).status_code] += 1

        threads = [threading.Thread(target=attempt, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert codes == {200: 1, 409: 3}
        assert Counter(shown(stage, name)["state"] for name in names) == {"accepted": 1, "answered": 3}
    assert len(stage.visits()) == rounds


def test_one_proposal_accepted_from_many_sides_is_one_visit(stage: Stage) -> None:
    name = ask(stage)
    answered(stage, name, *hours(TEN, TEN + timedelta(days=1)))
    found: set[str] = set()

    def attempt(window: int) -> None:
        head = {"Authorization": f"Bearer {TOKEN}"}
        url = f"{stage.url}/api/proposals/{name}/accept"
        answer_ = requests.post(url, json={"window": window}, headers=head, timeout=30).json()
        found.add(answer_["id"] if "id" in answer_ else answer_["type"])

    threads = [threading.Thread(target=attempt, args=(1 + number % 2,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stage.visits()) == 1
    assert shown(stage, name)["visit"] in found and len(found - {"illegal-state", "stale"}) == 1


# --- tasks ----------------------------------------------------------------------------------------------------------


def test_an_answer_is_a_task_that_is_read_and_ticked_off(stage: Stage) -> None:
    name = ask(stage, answer_by=["task"], property=PLACE)
    answered(stage, name, *hours(TEN))
    (task,) = stage.api.get("/api/tasks?agent=ana%40a.example").json()["items"]
    assert (task["kind"], task["proposal"], task["visit"], task["agent"]) == ("proposal_answer", name, None, "ana")
    assert task["details"]["windows"] == [
        {"window": 1, "start": "2026-05-12T10:00:00-04:00", "end": "2026-05-12T12:00:00-04:00"}
    ]
    assert "Casa 12" in task["details"]["message"] and "10:00" in task["details"]["message"]
    assert stage.api.get("/api/tasks?agent=beto").json() == {"items": [], "next": None}
    for _ in range(2):
        assert stage.api.post(f"/api/tasks/{task['id']}/done").json() == task | {"state": "done"}
    assert stage.api.get("/api/tasks").json()["items"] == []
    assert stage.api.get("/api/tasks?state=done").json()["items"] == [task | {"state": "done"}]
    assert stage.api.get("/api/tasks?state=all").json()["items"] == [task | {"state": "done"}]


def test_only_tasks_can_be_ticked_off(stage: Stage) -> None:
    name = ask(stage)
    answered(stage, name, *hours(TEN))
    with stage.store.read() as tx:
        (mail,) = tx.queue.notices(about=f"proposal:{name}")
    for key in (mail.key, "nobody"):
        assert stage.api.post(f"/api/tasks/{key}/done").status_code == 404
    assert stage.api.get("/api/tasks?state=asleep").status_code == 422


def test_another_answer_takes_the_place_of_the_task_before(stage: Stage) -> None:
    name = ask(stage, answer_by=["task"])
    answered(stage, name, *hours(TEN))
    answered(stage, name, *hours(TEN + timedelta(days=1)))
    (task,) = stage.api.get("/api/tasks").json()["items"]
    assert [one["window"] for one in task["details"]["windows"]] == [2]


# --- the link in a message ------------------------------------------------------------------------------------------


def test_a_message_s_link_is_the_same_proposal_every_time(stage: Stage) -> None:
    """R051."""
    visit_id = VisitId(stage.book(TEN, host="beto", property=PLACE)["id"])
    now = stage.clock.now()
    links = {stage.store.write(lambda tx: proposal_link(stage.ctx, tx, tx.visits.get(visit_id), now)) for _ in range(3)}
    assert len(links) == 1 and next(iter(links)).startswith(f"{stage.ctx.public_url}/p/")
    with stage.store.read() as tx:
        found = tx.proposals.named(f"visit:{visit_id}")
    assert found is not None and found.recipient.user == "beto" and found.dwelling is not None
    assert said(stage, found.id) == []
