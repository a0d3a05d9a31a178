"""Contacts and inquiries through the API: whom a visit is for, and who looks after those who were new."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from syncd.core import limits
from tests.web.stage import TOKEN, Stage, booking, directory, staged

MANY = 50


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Stage]:
    """A stage whose contacts are nobody else's."""
    with staged(tmp_path) as made:
        yield made


def person(name: str, **changes: Any) -> dict[str, Any]:
    return {"name": name, "email": f"{name.lower()}@example.com"} | changes


def test_a_contact_is_shown_as_the_contract_says(own: Stage) -> None:
    visit = own.book(own.a_start(), host="beto")
    answer = own.api.get(f"/api/contacts/{visit['contact']['id']}")
    assert answer.json() == {
        "id": visit["contact"]["id"],
        "name": "Eva Díaz",
        "emails": ["eva@example.com"],
        "phones": ["+56912345678"],
        "tax_ids": ["123456785"],
        "owner": "beto",
        "state": "active",
        "created_at": visit["booked_at"],
    }


def test_an_inquiry_is_shown_as_the_contract_says(own: Stage) -> None:
    visit = own.book(own.a_start(), host="beto")
    listed = own.api.get("/api/inquiries").json()
    (inquiry,) = listed["items"]
    assert listed["next"] is None
    assert inquiry.pop("id")
    assert inquiry == {
        "contact": visit["contact"]["id"],
        "visit": visit["id"],
        "agent": "beto",
        "state": "worked",
        "why": "nobody known fits; given to beto, who is on the visit",
        "created_at": visit["booked_at"],
    }


def test_inquiries_are_listed_by_agent_and_state_page_by_page(own: Stage) -> None:
    hosts = ["ana", "beto", "ana", "beto", "ana"]
    for number, host in enumerate(hosts):
        own.book(own.a_start(), host=host, contact=person(f"P{number}"))
        own.clock.advance(timedelta(minutes=1))
    everything = own.api.get("/api/inquiries").json()["items"]
    assert [one["agent"] for one in everything] == hosts
    for query, expected in (("agent=beto%40a.example", [1, 3]), ("agent=ana&state=worked", [0, 2, 4])):
        found, after = [], ""
        while True:
            page = own.api.get(f"/api/inquiries?limit=1&{query}{after}").json()
            found += page["items"]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert found == [everything[number] for number in expected]
    assert own.api.get("/api/inquiries?state=open").json() == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("query", "status"), [("state=asleep", 422), ("after=nobody", 422), ("limit=0", 422), ("agent=nobody", 404)]
)
def test_what_cannot_be_listed_is_said(stage: Stage, query: str, status: int) -> None:
    assert stage.api.get(f"/api/inquiries?{query}").status_code == status


def test_a_contact_that_nobody_knows_is_not_found(stage: Stage) -> None:
    assert stage.api.get("/api/contacts/nobody").status_code == 404


def test_the_same_client_is_the_same_contact_by_any_one_of_what_they_gave(own: Stage) -> None:
    first = own.book(own.a_start())["contact"]["id"]
    others = [
        {"name": "Eva", "email": "EVA@example.com"},
        {"name": "Eva", "email": "eva@work.example", "phone": "9 1234 5678"},
        {"name": "Eva", "email": "eva@third.example", "tax_id": "12.345.678-5"},
        {"name": "Eva", "email": "eva@work.example"},
    ]
    assert {own.book(own.a_start(), contact=one)["contact"]["id"] for one in others} == {first}
    contact = own.api.get(f"/api/contacts/{first}").json()
    assert contact["emails"] == ["eva@example.com", "eva@third.example", "eva@work.example"]
    assert len(own.api.get("/api/inquiries").json()["items"]) == 1


def test_what_a_client_gives_later_is_learned_and_another_name_is_only_noted(own: Stage) -> None:
    own.book(own.a_start(), contact=person("Eva"))
    again = own.book(own.a_start(), contact=person("Eva") | {"name": "Evita Paz", "phone": "+56 9 8765 4321"})
    contact = own.api.get(f"/api/contacts/{again['contact']['id']}").json()
    assert (contact["name"], contact["phones"]) == ("Eva", ["+56987654321"])
    assert again["contact"]["name"] == "Evita Paz", "the visit shows what was typed for it"
    (row,) = own.api.get(f"/api/visits/{again['id']}/history").json()["items"]
    assert row["note"] == (
        f"contact {contact['id']}: fits by e-mail; the name given is 'Evita Paz', the contact stays 'Eva'"
    )


def test_what_is_learned_of_one_contact_has_a_bound(own: Stage) -> None:
    numbers = [f"+56 9 8765 43{number}" for number in range(10, 10 + limits.IDENTIFIERS + 2)]
    visits = [own.book(own.a_start(), contact=person("Eva", phone=number)) for number in numbers]
    (contact,) = {one["contact"]["id"] for one in visits}
    shown = own.api.get(f"/api/contacts/{contact}").json()
    assert len(shown["emails"]) + len(shown["phones"]) == limits.IDENTIFIERS


def test_a_number_that_somebody_else_has_is_not_learned_of_another(own: Stage) -> None:
    ana = own.book(own.a_start(), contact=person("Ana", phone="+56 9 1111 2222"))["contact"]["id"]
    bea = own.book(own.a_start(), contact=person("Bea"))["contact"]["id"]
    third = own.book(own.a_start(), contact=person("Bea", phone="+56 9 1111 2222"))
    assert third["contact"]["id"] not in (ana, bea), "two fit, and nobody answers for a property"
    assert own.api.get(f"/api/contacts/{bea}").json()["phones"] == []


@pytest.mark.parametrize("address", ["ana@a.example", "ANA@a.example"])
def test_h80_an_agents_own_address_makes_nobody_one_with_staff_or_with_each_other(own: Stage, address: str) -> None:
    eva = own.book(own.a_start(), host="ana", contact={"name": "Eva", "email": address})
    bob = own.book(own.a_start(), host="ana", contact={"name": "Bob", "email": address})
    assert eva["contact"]["id"] != bob["contact"]["id"]
    assert own.api.get(f"/api/contacts/{bob['contact']['id']}").json()["emails"] == []
    (row,) = own.api.get(f"/api/visits/{bob['id']}/history").json()["items"]
    assert "the address is ana's own, nobody is recognised by it" in row["note"]


def test_h80_the_client_behind_an_agents_address_is_known_by_the_number(own: Stage) -> None:
    sent = {"name": "Eva", "email": "ana@a.example", "phone": "+56 9 5555 1234"}
    assert len({own.book(own.a_start(), contact=sent)["contact"]["id"] for _ in range(2)}) == 1


@pytest.mark.parametrize("other", ["eva@ex\u0430mple.com", "\u0435va@example.com", "eva@xn--exmple-4nf.com"])
def test_h73_an_address_that_looks_alike_is_somebody_else(own: Stage, other: str) -> None:
    first = own.book(own.a_start(), contact=person("Eva"))["contact"]["id"]
    assert own.book(own.a_start(), contact=person("Eva", email=other))["contact"]["id"] != first


def test_a_repeated_booking_makes_no_second_contact(own: Stage) -> None:
    sent, head = booking(own.a_start()), {"Idempotency-Key": "once"}
    answers = [own.api.post("/api/visits", sent, headers=head).json() for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert len(own.api.get("/api/inquiries").json()["items"]) == 1


def test_a_booking_that_is_refused_leaves_no_contact_behind(own: Stage) -> None:
    start = own.a_start()
    own.book(start, host="ana")
    assert own.api.post("/api/visits", booking(start, host="ana", contact=person("Late"))).status_code == 409
    assert len(own.api.get("/api/inquiries").json()["items"]) == 1


@pytest.mark.slow
def test_one_new_client_who_books_fifty_slots_at_once_is_one_contact(tmp_path: Path) -> None:
    first = datetime.fromisoformat("2026-05-12T09:00:00-04:00")
    starts = [first + timedelta(days=number // 18, minutes=30 * (number % 18)) for number in range(MANY)]
    contacts: list[str] = []

    def book(url: str, start: datetime) -> None:
        head = {"Authorization": f"Bearer {TOKEN}"}
        answer = requests.post(f"{url}/api/visits", json=booking(start), headers=head, timeout=60)
        assert answer.status_code == 201, answer.text
        contacts.append(answer.json()["contact"]["id"])

    with staged(tmp_path, found=directory(team=3)) as own:
        threads = [threading.Thread(target=book, args=(own.url, start)) for start in starts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        inquiries = own.api.get("/api/inquiries").json()["items"]
    assert len(contacts) == MANY
    assert len(set(contacts)) == len(inquiries) == 1


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"email": "Eva@Example.com"}, "eva@example.com"),
        ({"phone": "+56 9 1234 5678"}, "+56912345678"),
        ({"phone": "9 1234 5678"}, "+56912345678"),
    ],
)
def test_who_wants_no_messages_is_noted_and_forgotten_again(own: Stage, body: dict[str, Any], key: str) -> None:
    def is_out() -> bool:
        with own.ctx.store.read() as tx:
            return tx.outbox.is_opted_out(key, "email") and tx.outbox.is_opted_out(key, "sms")

    for _ in range(2):
        assert own.api.post("/api/opt-outs", body).json() == {"address": key, "opted_out": True}
        assert is_out()
    assert own.api.post("/api/opt-outs", body | {"undo": True}).json() == {"address": key, "opted_out": False}
    assert not is_out()


@pytest.mark.parametrize(
    "body",
    [{}, {"email": "eva@example.com", "phone": "+56912345678"}, {"email": "eva"}, {"phone": "12"}, {"phone": "12345"}],
)
def test_who_wants_no_messages_is_named_by_one_address_or_number(stage: Stage, body: dict[str, Any]) -> None:
    assert stage.api.post("/api/opt-outs", body).status_code == 422
