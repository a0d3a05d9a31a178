"""T05, T06, T07: a client's windows over HTTP, from the link to the visit, and who is told of them on which way."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from syncd.core.directory import SmsRight
from syncd.core.ids import AgentId
from tests.web.stage import Stage, directory, staged
from tests.web.test_api_proposals import EVA
from tests.web.visitor import Visitor

FULL = SmsRight(billing="caja", may_send=True)
RECORD, USER_MAIL, TASK, SMS = "email:primera@example.com", "email:ana@a.example", "agent:ana", "phone:+56912345678"


def installed(folder: Path, mobile: str | None = "+56 9 1234 5678", sms: SmsRight | None = FULL) -> Any:
    found = directory()
    ana = replace(found.agents[AgentId("ana")], mobile=mobile, sms=sms)
    return staged(folder, found=replace(found, agents={**found.agents, ana.id: ana}))


@pytest.fixture
def visitor() -> Iterator[Visitor]:
    found = Visitor()
    yield found
    found.close()


def place(user: str | None, email: str = "primera@example.com") -> dict[str, Any]:
    first = {"name": "Primera", "email": email} | ({"user": user} if user else {})
    return {"id": "C-12", "name": "Casa 12", "contact_persons": [first, {"name": "Otra", "email": "o@example.com"}]}


def told(
    stage: Stage, visitor: Visitor, by: str, recipient: dict[str, Any], dwelling: dict[str, Any] | None = None
) -> list[str]:
    """Have a client answer twice with the same windows; returns to whom what was said, in order."""
    body: dict[str, Any] = {"contact": EVA, "project": "casas", "recipient": recipient, "answer_by": by.split("+")}
    made = stage.api.post("/api/proposals", body | ({"property": dwelling} if dwelling else {})).json()
    form = visitor.get(made["url"].replace(stage.ctx.public_url, stage.url))
    for _ in range(2):
        sent = form.press("propose", date_1="2026-05-12", from_1="10:00", until_1="12:00")
        assert sent.status == 200
    with stage.store.read() as tx:
        return sorted(one.to for one in tx.queue.notices(about=f"proposal:{made['id']}"))


PERSON = {"contact_person": True}


@pytest.mark.parametrize("by", ["mail+sms", "mail+task", "mail+task+sms", "sms+task"])
def test_t05_without_a_user_there_is_one_mail(tmp_path: Path, visitor: Visitor, by: str) -> None:
    with installed(tmp_path) as stage:
        assert told(stage, visitor, by, PERSON, place(None)) == [RECORD]
        assert told(stage, visitor, by, {"email": "x@example.com"}) == ["email:x@example.com"]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("mail+sms", [RECORD, SMS]),
        ("mail+task", [TASK, RECORD]),
        ("mail+task+sms", [TASK, RECORD, SMS]),
        ("sms+task", [TASK, SMS]),
    ],
)
def test_t05_what_is_possible_is_done(tmp_path: Path, visitor: Visitor, by: str, expected: list[str]) -> None:
    with installed(tmp_path) as stage:
        assert told(stage, visitor, by, PERSON, place("ana")) == expected


def test_t05_two_addresses_get_one_each_and_one_address_gets_one(tmp_path: Path, visitor: Visitor) -> None:
    with installed(tmp_path, sms=None) as stage:
        assert told(stage, visitor, "mail+sms", PERSON, place("ana")) == [USER_MAIL, RECORD]
        assert told(stage, visitor, "mail+sms", PERSON, place("ana", "ana@a.example")) == [USER_MAIL]
        assert told(stage, visitor, "mail+sms", {"user": "ana"}) == [USER_MAIL]


@pytest.mark.parametrize(
    ("mobile", "sms"),
    [
        (None, FULL),
        ("+56 9 1234 5678", None),
        ("+56 9 1234 5678", SmsRight(may_send=True)),
        ("+56 9 1234 5678", SmsRight(billing="caja")),
    ],
    ids=["no number", "nothing", "no account", "no right"],
)
def test_t06_an_sms_needs_three_things(
    tmp_path: Path, visitor: Visitor, mobile: str | None, sms: SmsRight | None
) -> None:
    with installed(tmp_path, mobile, sms) as stage:
        assert told(stage, visitor, "sms", {"user": "ana"}) == [USER_MAIL]
        assert told(stage, visitor, "sms", PERSON, place("ana")) == [USER_MAIL]
        assert told(stage, visitor, "sms", PERSON, place(None)) == [RECORD]


def test_t06_with_all_three_it_goes_at_its_receiver_s_cost(tmp_path: Path, visitor: Visitor) -> None:
    with installed(tmp_path) as stage:
        assert told(stage, visitor, "sms", PERSON, place("ana@a.example")) == [SMS]
        with stage.store.read() as tx:
            (sms,) = tx.queue.notices(channel="sms")
    assert sms.body is not None and (sms.body["billed_to"], sms.body["billing"]) == ("ana", "caja")


def test_t07_five_windows_one_visit_and_the_rest_close(tmp_path: Path, visitor: Visitor) -> None:
    with installed(tmp_path) as stage:
        body = {"contact": EVA, "project": "casas", "recipient": PERSON, "property": place(None)}
        made = stage.api.post("/api/proposals", body).json()
        url = made["url"].replace(stage.ctx.public_url, stage.url)
        days = ("12", "13", "14", "15", "18", "19")
        fields = [
            {f"date_{number}": f"2026-05-{day}", f"from_{number}": "10:00", f"until_{number}": "10:20"}
            for number, day in enumerate(days, 1)
        ]
        five = {name: value for one in fields[:5] for name, value in one.items()}
        assert visitor.get(url).press("propose", **five).status == 200
        sixth = visitor.get(url).follow("change").press("propose", **five, **fields[5])
        assert sixth.status == 422 and "At most 5" in sixth.text
        windows = stage.api.get(f"/api/proposals/{made['id']}").json()["windows"]
        assert [one["start"][:10] for one in windows] == [f"2026-05-{day}" for day in days[:5]]
        for day in days[:5]:  # wishes hold no time
            stage.book(f"2026-05-{day}T10:00:00-04:00", host="beto")
        visit = stage.api.post(f"/api/proposals/{made['id']}/accept", {"window": 3}).json()
        assert (visit["start"], visit["host"]) == ("2026-05-14T10:00:00-04:00", "ana")
        assert visit["property"]["id"] == "C-12"
        for day in ("12", "13", "15", "18"):  # the other four closed
            stage.book(f"2026-05-{day}T10:00:00-04:00", host="ana")
        other = stage.api.post(f"/api/proposals/{made['id']}/accept", {"window": 1}).json()
        assert other["type"] == "illegal-state" and visit["id"] in other["detail"]
        assert stage.api.post(f"/api/proposals/{made['id']}/accept", {"window": 3}).json() == visit
        assert len(stage.visits()) == 10


@pytest.mark.parametrize("twice", ["contact", "property"])
def test_t07_one_contact_and_at_most_one_property(tmp_path: Path, twice: str) -> None:
    with installed(tmp_path) as stage:
        body: dict[str, Any] = {"contact": EVA, "property": place(None), "recipient": PERSON}
        answer = stage.api.post("/api/proposals", body | {twice: [body[twice], body[twice]]})
        assert (answer.status_code, answer.json()["type"]) == (422, "invalid")
        assert answer.json()["errors"][0]["field"] == twice
