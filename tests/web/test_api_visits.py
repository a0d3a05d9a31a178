"""Visits booked and read through the API."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.core.visit import VisitState
from tests.web.stage import OTHER_TOKEN, Stage, booking, request_body, staged
from tests.world.town import TUESDAY


def refused(answer: Any, status: int, kind: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["type"]) == (status, kind), body
    return body


def test_a_booked_visit_is_shown_as_the_contract_says(stage: Stage) -> None:
    start = stage.a_start()
    sent = booking(start, property={"id": "C-12", "name": "Casa 12", "address": "Pasaje 1"})
    answer = stage.api.post("/api/visits", sent)
    visit = answer.json()
    assert answer.headers["Location"] == f"/api/visits/{visit['id']}"
    end = (datetime.fromisoformat(start) + timedelta(minutes=20)).isoformat()
    booked_at = visit.pop("booked_at")
    assert datetime.fromisoformat(booked_at) == stage.clock.now()
    assert visit.pop("host") in ("ana", "beto")
    assert visit["contact"].pop("id") == stage.visit(visit["id"]).contact_id
    assert visit == {
        "id": visit["id"],
        "state": "confirmed",
        "project": "casas",
        "event_type": "visita",
        "participants": [],
        "extra_contacts": [],
        "contact": {"name": "Eva Díaz", "email": "eva@example.com", "phone": "+56912345678", "tax_id": "12345678-5"},
        "property": {"id": "C-12", "name": "Casa 12", "address": "Pasaje 1"},
        "request": None,
        "start": start,
        "end": end,
        "time_zone": "America/Santiago",
        "title": "Visita Casas - Casa 12",
        "location": "Av. Siempre Viva 742",
        "answers": [{"question": "Propiedad", "answer": "Casa 12"}],
        "source": {"account": "api", "id": None},
        "client_confirmation": "none",
        "attendance": "unknown",
        "version": 1,
        "marks": [],
    }
    assert stage.api.get(answer.headers["Location"]).json() == answer.json()
    assert answer.json()["contact"]["id"]


def test_a_booking_is_durable_and_wakes_what_writes_calendars(stage: Stage) -> None:
    visit = stage.book(stage.a_start())
    assert ("reconcile", visit["host"]) in stage.take_work()
    assert stage.visit(visit["id"]).holds


def test_a_host_may_be_named_by_id_or_address(stage: Stage) -> None:
    assert stage.book(stage.a_start(), host="beto")["host"] == "beto"
    assert stage.book(stage.a_start(), host="Ana@A.example")["host"] == "ana"


def test_the_second_booking_takes_the_other_host_and_the_third_finds_alternatives(stage: Stage) -> None:
    start = stage.a_start()
    assert {stage.book(start)["host"], stage.book(start)["host"]} == {"ana", "beto"}
    body = refused(stage.api.post("/api/visits", booking(start)), 409, "slot-taken")
    assert 1 <= len(body["alternatives"]) <= 5
    assert start not in [one["start"] for one in body["alternatives"]]
    assert stage.api.post("/api/visits", booking(body["alternatives"][0]["start"])).status_code == 201


def test_a_host_who_is_taken_is_not_replaced_by_another(stage: Stage) -> None:
    start = stage.a_start()
    stage.book(start, host="ana")
    refused(stage.api.post("/api/visits", booking(start, host="ana")), 409, "slot-taken")
    assert stage.book(start, host="beto")["host"] == "beto"


@pytest.mark.parametrize(
    ("changes", "status", "kind"),
    [
        ({"start": "2026-05-19T09:10:00-04:00"}, 409, "not-offered"),
        ({"start": "2026-05-13T07:00:00-04:00"}, 409, "hours"),
        ({"start": "2026-05-04T17:00:00-04:00"}, 409, "notice"),
        ({"start": "2027-05-13T09:00:00-04:00"}, 409, "window"),
        ({"start": "2026-05-01T09:00:00-04:00"}, 409, None),
        ({"project": "nada"}, 404, "not-found"),
        ({"project": "cerrado"}, 409, "project-inactive"),
        ({"event_type": "nada"}, 404, "not-found"),
        ({"host": "nadie"}, 404, "not-found"),
        ({"request": "nada"}, 404, "not-found"),
        ({"project": None}, 422, "invalid"),
        ({"contact": None}, 422, "invalid"),
        ({"start": None}, 422, "invalid"),
        ({"contact": {"name": "Eva"}}, 422, "invalid"),
        ({"contact": {"name": "", "email": "eva@example.com"}}, 422, "invalid"),
        ({"state": "confirmed"}, 422, "invalid"),
        ({"role": "admin"}, 422, "invalid"),
        ({"answers": [{"question": "x", "answer": "y"}] * 61}, 422, "invalid"),
        ({"host": 7}, 422, "invalid"),
    ],
)
def test_what_cannot_be_booked_is_refused_with_the_reason(
    stage: Stage, changes: dict[str, Any], status: int, kind: str | None
) -> None:
    before = len(stage.visits())
    answer = stage.api.post("/api/visits", booking(**changes))
    assert answer.status_code == status
    assert kind is None or answer.json()["type"] == kind, answer.json()
    assert len(stage.visits()) == before


def test_every_problem_of_a_body_is_told_at_once(stage: Stage) -> None:
    sent = booking(start="tomorrow", host=1, contact={"name": 5, "email": "nonsense"}, extra=True)
    body = refused(stage.api.post("/api/visits", sent), 422, "invalid")
    fields = {one["field"] for one in body["errors"]}
    assert fields == {"start", "host", "contact.name", "contact.email", "extra"}


def test_a_visit_for_a_request_takes_what_the_request_says(stage: Stage) -> None:
    sent = request_body("R-visit", property={"id": "C-9", "name": "Casa 9"}, requirements=[{"priority": "urgent"}])
    stage.api.post("/api/requests", sent)
    visit = stage.book(stage.a_start(), request="R-visit", project=None, contact=None)
    assert (visit["project"], visit["event_type"], visit["request"]) == ("casas", "urgente", "R-visit")
    assert (visit["contact"]["name"], visit["property"]["name"]) == ("Eva Díaz", "Casa 9")
    refused(stage.api.post("/api/visits", booking(request="R-visit", project="torre")), 422, "invalid")


# the same key again


def keyed(stage: Stage, key: str, body: dict[str, Any], **options: Any) -> Any:
    return stage.api.post("/api/visits", body, headers={"Idempotency-Key": key}, **options)


def test_the_same_key_and_body_is_the_same_visit(stage: Stage) -> None:
    sent = booking(stage.a_start())
    first = keyed(stage, "k1", sent)
    assert first.status_code == 201
    for same in (sent, dict(reversed(sent.items()))):
        again = keyed(stage, "k1", same)
        assert (again.status_code, again.json()) == (200, first.json())
    cancelled = stage.api.post(f"/api/visits/{first.json()['id']}/cancel", {"by": "staff"}).json()
    assert keyed(stage, "k1", sent).json() == cancelled, "a repeat shows what became of it, and books nothing"


def test_the_same_key_with_another_body_is_refused(stage: Stage) -> None:
    keyed(stage, "k2", booking(stage.a_start()))
    refused(keyed(stage, "k2", booking(stage.a_start())), 409, "key-differs")


def test_two_callers_keys_never_meet(stage: Stage) -> None:
    first = keyed(stage, "k3", booking(stage.a_start()))
    second = keyed(stage, "k3", booking(stage.a_start()), token=OTHER_TOKEN)
    assert second.status_code == 201 and second.json()["id"] != first.json()["id"]


def test_a_key_whose_booking_was_refused_is_free_again(stage: Stage) -> None:
    refused(keyed(stage, "k4", booking("2026-05-13T07:00:00-04:00")), 409, "hours")
    assert keyed(stage, "k4", booking(stage.a_start())).status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb"])
def test_a_key_that_is_none_is_invalid(stage: Stage, key: str) -> None:
    refused(keyed(stage, key, booking(stage.a_start())), 422, "invalid")


# lists


def listed(stage: Stage, **query: Any) -> list[dict[str, Any]]:
    answer = stage.api.get("/api/visits", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_a_list_is_ordered_and_walked_page_by_page(tmp_path: Path) -> None:
    with staged(tmp_path) as own:
        booked = [own.book(own.a_start()) for _ in range(7)]
        assert listed(own) == booked
        walked: list[str] = []
        after: dict[str, str] = {}
        pages = 0
        while pages < 10:
            page = own.api.get("/api/visits", params={"limit": "3", **after}).json()
            walked += [one["id"] for one in page["items"]]
            pages += 1
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert walked == [one["id"] for one in booked] and pages == 3
        whole = own.api.get("/api/visits", params={"limit": "7"}).json()
        assert whole["next"] is None and len(whole["items"]) == 7


def test_a_list_may_be_narrowed(tmp_path: Path) -> None:
    with staged(tmp_path) as own:
        one = own.book(own.a_start(), host="ana")
        other = own.book(own.a_start(), host="beto", event_type="larga")
        own.api.post(f"/api/visits/{one['id']}/cancel", {"by": "client"})
        ids = {one["id"]: "one", other["id"]: "other"}

        def names(**query: Any) -> list[str]:
            return [ids[found["id"]] for found in listed(own, **query)]

        assert names() == ["one", "other"]
        assert names(agent="ana") == names(agent="ANA@a.example") == ["one"]
        assert names(state="pending") == ["other"]
        assert names(state=["pending", "cancelled"]) == names(state="pending,cancelled") == ["one", "other"]
        assert names(project="torre") == []
        assert names(**{"from": one["start"], "to": one["end"]}) == ["one"]
        assert names(**{"from": "2026-05-13", "to": "2026-05-14"}) == ["one", "other"]
        assert names(**{"from": other["start"]}) == ["other"]
        assert names(to=one["end"]) == ["one"]
        assert names(request="nada") == []


def test_done_is_a_confirmed_visit_that_is_over(tmp_path: Path) -> None:
    with staged(tmp_path) as own:
        visit = own.book(TUESDAY)
        assert listed(own, state="confirmed") and not listed(own, state="done")
        own.clock.advance(timedelta(days=9))
        assert [one["id"] for one in listed(own, state="done")] == [visit["id"]]
        assert not listed(own, state="confirmed")
        assert own.visit(visit["id"]).state is VisitState.CONFIRMED


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"state": "sleeping"}, 422),
        ({"limit": "0"}, 422),
        ({"limit": "201"}, 422),
        ({"limit": "many"}, 422),
        ({"after": "nobody"}, 422),
        ({"from": "2026-05-14", "to": "2026-05-13"}, 422),
        ({"from": "yesterday"}, 422),
        ({"project": "nada"}, 404),
        ({"agent": "nadie"}, 404),
        ({"agent": "x" * 300}, 422),
    ],
)
def test_a_list_of_nonsense_is_refused(stage: Stage, query: dict[str, str], status: int) -> None:
    assert stage.api.get("/api/visits", params=query).status_code == status


@pytest.mark.parametrize("path", ["/api/visits/nobody", "/api/visits/nobody/history", "/api/visits/nobody/messages"])
def test_an_unknown_visit_is_404(stage: Stage, path: str) -> None:
    refused(stage.api.get(path), 404, "not-found")


# history


def test_the_history_says_who_changed_what_from_where(stage: Stage) -> None:
    start, later = stage.a_start(), stage.a_start()
    visit = stage.book(start, host="ana")
    stage.clock.advance(timedelta(minutes=5))
    moved = stage.api.post(f"/api/visits/{visit['id']}/move", {"start": later}, token=OTHER_TOKEN).json()
    path = f"/api/visits/{visit['id']}"
    stage.api.post(f"{path}/cancel", {"by": "staff", "reason": "duplicada", "message": "Lo sentimos"})
    rows = stage.api.get(f"{path}/history").json()["items"]
    assert [row["version"] for row in rows] == [1, 2, 3]
    assert [(row["actor"], row["source"], row["delivery"]) for row in rows] == [
        ("api:crm", "api", None),
        ("api:panel", "api", None),
        ("api:crm", "api", None),
    ]
    assert rows[0]["note"].startswith(("new contact: ", f"contact {visit['contact']['id']}: "))
    assert [row["note"] for row in rows[1:]] == ["", "duplicada"]
    assert rows[0]["before"] is None and rows[0]["after"]["host"] == "ana"
    assert datetime.fromisoformat(rows[1]["at"]) - datetime.fromisoformat(rows[0]["at"]) == timedelta(minutes=5)
    assert rows[1]["before"]["start"] == visit["start"] and rows[1]["after"]["start"] == moved["start"]
    assert (rows[2]["before"]["state"], rows[2]["after"]["state"]) == ("confirmed", "cancelled")


def test_what_was_said_of_a_visit_and_will_be_is_listed_by_due_time(stage: Stage) -> None:
    """R037."""
    visit = stage.book(stage.a_start())
    found = stage.api.get(f"/api/visits/{visit['id']}/messages").json()["items"]
    assert [(one["kind"], one["to"], one["state"]) for one in found[:2]] == [
        ("booking_info", "client", "scheduled"),
        ("agent_notice", f"agent:{visit['host']}", "scheduled"),
    ]
    assert {(one["kind"], one["state"]) for one in found[2:]} == {
        ("confirmation_request", "planned"),
        ("reminder", "planned"),
    }
    assert [one["due_at"] for one in found] == sorted(one["due_at"] for one in found)


def test_a_visit_shows_what_the_board_marks_on_it(stage: Stage) -> None:
    visit = stage.book(stage.a_start())
    start = datetime.fromisoformat(visit["start"])
    stage.clock.advance(start - timedelta(hours=2) - stage.clock.now())
    shown = stage.api.get(f"/api/visits/{visit['id']}").json()["marks"]
    since = {one["mark"]: datetime.fromisoformat(one["since"]) for one in shown}
    assert since == {"unconfirmed": start - timedelta(days=1), "overdue": start - timedelta(hours=3)}
    stage.api.post(f"/api/visits/{visit['id']}/confirm", {})
    assert stage.api.get(f"/api/visits/{visit['id']}").json()["marks"] == []
