"""Requests handed in and the slots offered for them."""

import threading
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import requests

from syncd.core.directory import SchedulerLink
from syncd.core.ids import RequestId
from syncd.core.visit import Contact, ContactPerson, Dwelling
from syncd.flows.context import AccountParts
from syncd.ports import Scheduler
from tests.connectors.calendly_stage import ACCOUNT, scheduler_of
from tests.servers.calendly import practice
from tests.web.stage import CALENDLY, TOKEN, TORRE, Stage, booking, directory, request_body, staged
from tests.world.town import CASAS, START


def test_a_request_is_routed_kept_and_answered(stage: Stage) -> None:
    answer = stage.api.post("/api/requests", request_body("first"))
    assert answer.status_code == 201
    body = answer.json()
    assert {name: body[name] for name in ("id", "project", "event_type")} == {
        "id": "first",
        "project": "casas",
        "event_type": "visita",
    }
    assert body["booking_url"].startswith("http://127.0.0.1/b/"), "where there is no outside scheduler, our own page"
    assert datetime.fromisoformat(body["expires_at"]) == stage.clock.now() + timedelta(days=30)
    with stage.store.read() as tx:
        stored = tx.visits.find_request(RequestId("first"))
    assert stored is not None and stored.booking_url is None, "a link of ours is made anew, never kept"
    assert [rule["event_type"] for rule in body["rules"] if rule["taken"]] == ["standard"]
    assert len(body["rules"]) > 1, "every rule's verdict is shown"


def test_the_same_request_again_is_200_with_the_same_answer(stage: Stage) -> None:
    sent = request_body("again")
    first = stage.api.post("/api/requests", sent)
    for same in (sent, dict(reversed(sent.items()))):
        second = stage.api.post("/api/requests", same)
        assert (second.status_code, second.json()) == (200, first.json())


def test_everything_said_of_a_property_is_kept(stage: Stage) -> None:
    said = {
        "id": "C-3",
        "name": "Casa 3",
        "address": "Pasaje 3",
        "photo_url": "https://example.com/c3.jpg",
        "facts": [{"label": "Dormitorios", "value": "3"}, {"label": "Entrega", "value": "2026"}],
        "agent_in_charge": "ana",
        "producer": "beto@example.com",
        "additional_agent": "nadie@example.com",
        "contact_persons": [{"name": "Pía", "email": "pia@example.com", "user": "u1"}],
    }
    assert stage.api.post("/api/requests", request_body("whole", property=said)).status_code == 201
    with stage.store.read() as tx:
        stored = tx.visits.find_request(RequestId("whole"))
    assert stored is not None
    assert stored.request.dwelling == Dwelling(
        id="C-3",
        name="Casa 3",
        address="Pasaje 3",
        photo_url="https://example.com/c3.jpg",
        facts=(("Dormitorios", "3"), ("Entrega", "2026")),
        agent_in_charge="ana",
        producer="beto@example.com",
        additional_agent="nadie@example.com",
        contact_persons=(ContactPerson(name="Pía", email="pia@example.com", user="u1"),),
    )


def test_a_visit_tells_nobody_who_looks_after_its_property(stage: Stage) -> None:
    persons = [{"name": "Pía", "email": "pia@example.com"}]
    sent = request_body("discreet", property={"id": "C-3", "agent_in_charge": "ana", "contact_persons": persons})
    stage.api.post("/api/requests", sent)
    visit = stage.api.post("/api/visits", {"request": "discreet", "start": stage.a_start()}).json()
    rows = stage.api.get(f"/api/visits/{visit['id']}/history").json()["items"]
    shown = {"id": "C-3", "name": "", "address": ""}
    assert (visit["property"], rows[0]["after"]["property"]) == (shown, shown)
    dwelling = stage.visit(visit["id"]).dwelling
    assert dwelling is not None and dwelling.agent_in_charge == "ana"


def test_another_body_under_the_id_is_refused(stage: Stage) -> None:
    stage.api.post("/api/requests", request_body("differs"))
    answer = stage.api.post("/api/requests", request_body("differs", property="Casa 13"))
    assert (answer.status_code, answer.json()["type"]) == (409, "request-differs")


class Links:
    """A scheduler that gives out addresses only when so many hands have asked for one."""

    def __init__(self, hands: int) -> None:
        self._together = threading.Barrier(hands)

    def link(self, event_type: str, request_token: str, contact: Contact | None = None) -> str:
        self._together.wait(10)
        return f"https://example.com/{request_token}"


def test_one_new_request_given_in_by_many_hands_at_once_is_new_once(tmp_path: Path) -> None:
    hands = 8
    links = cast(Scheduler, Links(hands))
    parts = AccountParts(id=CALENDLY, kind="calendly", scheduler=lambda: links)
    codes: list[int] = []

    def hand_in(url: str) -> None:
        head = {"Authorization": f"Bearer {TOKEN}"}
        body = request_body("hands", project="torre")
        codes.append(requests.post(f"{url}/api/requests", json=body, headers=head, timeout=20).status_code)

    with staged(tmp_path, accounts={CALENDLY: parts}) as own:
        threads = [threading.Thread(target=hand_in, args=(own.url,)) for _ in range(hands)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(codes) == [200] * (hands - 1) + [201]


@pytest.mark.parametrize("named", ["casas", "Casas", "casas  plan", " CASAS PLAN "])
def test_a_project_may_be_named_as_people_name_it(stage: Stage, named: str) -> None:
    answer = stage.api.post("/api/requests", request_body(f"named-{len(named)}-{named.strip()[:2]}", project=named))
    assert (answer.status_code, answer.json()["project"]) == (201, "casas")


@pytest.mark.parametrize(
    ("requirements", "event_type"),
    [
        ([{"id": "1", "priority": "Urgent"}], "urgente"),
        ([{"id": str(n), "priority": "normal"} for n in range(16)], "larga"),
        ([], "visita"),
    ],
)
def test_the_rules_decide_the_event_type(stage: Stage, requirements: list[dict[str, Any]], event_type: str) -> None:
    sent = request_body(f"rules {event_type}", requirements=requirements)
    assert stage.api.post("/api/requests", sent).json()["event_type"] == event_type


def test_an_inactive_project_takes_none(stage: Stage) -> None:
    answer = stage.api.post("/api/requests", request_body("inactive", project="cerrado"))
    assert (answer.status_code, answer.json()["type"]) == (409, "project-inactive")


def test_an_unknown_project_is_unroutable_and_says_why(stage: Stage) -> None:
    answer = stage.api.post("/api/requests", request_body("unroutable", project="Nirgendwo"))
    assert (answer.status_code, answer.json()["type"]) == (422, "unroutable")
    assert "Nirgendwo" in answer.json()["detail"]


def test_no_rule_that_fits_is_unroutable_with_the_verdicts(tmp_path: Path) -> None:
    found = directory()
    casas = replace(found.projects[CASAS], event_types={"urgent": found.projects[CASAS].event_types["urgent"]})
    with staged(tmp_path, found=replace(found, projects={CASAS: casas})) as other:
        answer = other.api.post("/api/requests", request_body())
        assert (answer.status_code, answer.json()["type"]) == (422, "unroutable")
        assert answer.json()["verdicts"]


@pytest.mark.parametrize("named", ["ana", "ana@a.example", "ANA@A.EXAMPLE"])
def test_a_preferred_agent_goes_first(stage: Stage, named: str) -> None:
    name = f"preferred {named}"
    assert stage.api.post("/api/requests", request_body(name, preferred_agent=named)).status_code == 201
    visit = stage.book(stage.a_start(), request=name, contact=None, project=None)
    assert (visit["host"], visit["request"]) == ("ana", name)


def test_an_unknown_preferred_agent_is_invalid(stage: Stage) -> None:
    answer = stage.api.post("/api/requests", request_body("whom", preferred_agent="zoe"))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "preferred_agent")


def test_with_an_outside_scheduler_the_address_is_its_own_and_carries_our_signed_id(tmp_path: Path) -> None:
    with practice() as stand:
        found = directory()
        link = SchedulerLink(account=ACCOUNT, event_types={"standard": stand.visit})
        torre = replace(found.projects[TORRE], scheduler=link)
        parts = AccountParts(id=ACCOUNT, kind="calendly", scheduler=lambda: scheduler_of(stand))
        options: dict[str, Any] = {
            "found": replace(found, projects={**found.projects, TORRE: torre}),
            "accounts": {ACCOUNT: parts},
            "request_token": lambda request: f"{request}.sig",
        }
        with staged(tmp_path, **options) as other:
            answer = other.api.post("/api/requests", request_body("R-7", project="torre"))
            body = answer.json()
            assert answer.status_code == 201
            assert body["booking_url"].startswith("https://calendly.com/d/") and "R-7.sig" in body["booking_url"]
            assert datetime.fromisoformat(body["expires_at"]) == START + timedelta(days=30)
            other.clock.advance(timedelta(days=2))
            again = other.api.post("/api/requests", request_body("R-7", project="torre"))
            assert (again.status_code, again.json()) == (200, body)
            urgent = request_body("R-9", project="torre", requirements=[{"priority": "urgent"}])
            own = other.api.post("/api/requests", urgent).json()["booking_url"]
            assert own.startswith("http://127.0.0.1/b/"), "no such type at Calendly"
        stand.server.stop()
        with staged(tmp_path, **options) as other:
            down = other.api.post("/api/requests", request_body("R-8", project="torre"))
            assert (down.status_code, down.json()["type"]) == (503, "scheduler-unavailable")
            assert not other.api.get(
                "/api/slots", params={"request": "R-8", "from": "2026-05-11", "to": "2026-05-12"}
            ).ok


# slots


def slots(stage: Stage, **query: str) -> Any:
    return stage.api.get("/api/slots", params=query)


def test_slots_are_listed_with_offset_and_free_hosts(stage: Stage) -> None:
    listed = slots(stage, project="casas", **{"from": "2026-05-11", "to": "2026-05-12"}).json()
    assert listed[0] == {
        "start": "2026-05-11T09:00:00-04:00",
        "end": "2026-05-11T09:20:00-04:00",
        "hosts_free": 2,
    }
    assert [one["start"] for one in listed] == sorted(one["start"] for one in listed)
    assert len(listed) == 18


def test_what_is_listed_can_be_booked_and_then_has_a_host_less(stage: Stage) -> None:
    window = {"from": "2026-05-08T09:00:00-04:00", "to": "2026-05-08T09:30:00-04:00"}
    (slot,) = slots(stage, project="casas", **window).json()
    stage.book(slot["start"])
    assert slots(stage, project="casas", **window).json() == [slot | {"hosts_free": 1}]
    stage.book(slot["start"])
    assert slots(stage, project="casas", **window).json() == []


def test_a_request_says_project_and_event_type(stage: Stage) -> None:
    stage.api.post("/api/requests", request_body("slots", requirements=[{"priority": "urgent"}]))
    today = {"from": "2026-05-04", "to": "2026-05-05"}
    assert slots(stage, request="slots", **today).json(), "an urgent visit may be today"
    assert not slots(stage, project="casas", **today).json()
    assert slots(stage, request="slots", project="casas", **today).status_code == 200


@pytest.mark.parametrize(
    ("query", "status", "kind"),
    [
        ({}, 422, "invalid"),
        ({"project": "casas", "from": "2026-05-11"}, 422, "invalid"),
        ({"from": "2026-05-11", "to": "2026-05-12"}, 422, "invalid"),
        ({"project": "casas", "from": "2026-05-12", "to": "2026-05-12"}, 422, "invalid"),
        ({"project": "casas", "from": "2026-05-12", "to": "2026-05-11"}, 422, "invalid"),
        ({"project": "casas", "from": "2026-05-12", "to": "2028-05-11"}, 422, "invalid"),
        ({"project": "casas", "from": "2026-02-30", "to": "2026-05-11"}, 422, "invalid"),
        ({"project": "casas", "from": "2026-05-11T09:00:00", "to": "2026-05-12"}, 422, "invalid"),
        ({"project": "casas", "from": "1778504400", "to": "2026-05-12"}, 422, "invalid"),
        ({"project": "casas", "from": "0001-01-01", "to": "2026-05-12"}, 422, "invalid"),
        ({"project": "casas", "from": "2026-05-11", "to": "9999-12-31"}, 422, "invalid"),
        ({"project": "x", "from": "2026-05-11", "to": "2026-05-12"}, 404, "not-found"),
        ({"project": "casas", "event_type": "x", "from": "2026-05-11", "to": "2026-05-12"}, 404, "not-found"),
        ({"request": "x", "from": "2026-05-11", "to": "2026-05-12"}, 404, "not-found"),
        ({"project": "cerrado", "from": "2026-05-11", "to": "2026-05-12"}, 409, "project-inactive"),
        ({"project": "casas", "from": "2026-05-11", "to": "2026-05-12", "request": "y" * 300}, 422, "invalid"),
    ],
)
def test_a_question_for_slots_that_makes_no_sense_is_refused(
    stage: Stage, query: dict[str, str], status: int, kind: str
) -> None:
    answer = slots(stage, **query)
    assert (answer.status_code, answer.json()["type"]) == (status, kind)


def test_a_plus_that_became_a_blank_is_still_an_offset(stage: Stage) -> None:
    plain = stage.api.get("/api/slots?project=casas&from=2026-05-11T13:00:00+00:00&to=2026-05-11T14:00:00+00:00")
    assert len(plain.json()) == 2


def test_the_window_of_another_project_s_request_is_not_asked(stage: Stage) -> None:
    stage.api.post("/api/requests", request_body("casas only"))
    answer = slots(stage, request="casas only", project="torre", **{"from": "2026-05-11", "to": "2026-05-12"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "project")


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        ("2026-05-12T10:07:00-04:00", "not_offered"),
        ("2026-05-12T22:00:00-04:00", "hours"),
        ("2026-05-04T09:00:00-04:00", "notice"),
        ("2026-12-01T10:00:00-03:00", "window"),
        ("2026-05-12T10:00:00-04:00", None),
    ],
)
def test_the_explanation_gives_the_reason_of_the_refusal(stage: Stage, time: str, reason: str | None) -> None:
    said = stage.api.get("/api/slots/explain", params={"project": "casas", "time": time}).json()
    assert (said["reason"], said["offered"]) == (reason, reason is None)
    assert said["type"] == (reason.replace("_", "-") if reason else None)
    assert [one["host"] for one in said["hosts"]] == ["ana", "beto"]
    booked = stage.api.post("/api/visits", booking(time))
    if reason is None:
        assert booked.status_code == 201
        (ana, beto) = stage.api.get("/api/slots/explain", params={"project": "casas", "time": time}).json()["hosts"]
        assert sorted([ana["reason"] or "", beto["reason"] or ""]) == ["", "slot_taken"]
    else:
        assert (booked.status_code, booked.json()["type"]) == (409, said["type"])
        assert booked.json()["detail"] == said["why"]


def test_an_explanation_may_name_a_request_and_needs_a_time_with_an_offset(stage: Stage) -> None:
    stage.api.post("/api/requests", request_body("why", requirements=[{"priority": "urgent"}]))
    query = {"request": "why", "time": "2026-05-12T10:00:00-04:00"}
    assert stage.api.get("/api/slots/explain", params=query).json()["event_type"] == "urgente"
    assert stage.api.get("/api/slots/explain", params=query | {"time": "2026-05-12T10:00"}).status_code == 422
    assert stage.api.get("/api/slots/explain", params={"time": query["time"]}).status_code == 422
    closed = {"project": "cerrado", "time": query["time"]}
    assert stage.api.get("/api/slots/explain", params=closed).json()["type"] == "project-inactive"
