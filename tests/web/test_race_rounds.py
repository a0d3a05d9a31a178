"""Fifty clients at one slot at the same moment, a hundred slots one after the other: one visit for each, every time."""

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from syncd.core.directory import Directory
from syncd.core.ids import AgentId
from syncd.web.brake import POSTS_OF_LINK
from syncd.web.forms import FIELD, FORM_TYPE, new_form
from tests.web.markup import faults
from tests.web.raw import Heard, Wire, ask
from tests.web.stage import TOKEN, Stage, booking, directory, request_body, staged
from tests.world.town import CASAS

CLIENTS, ROUNDS = 50, 100
ANA = AgentId("ana")


def alone() -> Directory:
    """The town, with one agent for Casas: what she cannot take, nobody can."""
    found = directory()
    casas = replace(found.projects[CASAS], team=(ANA,))
    return replace(found, projects={**found.projects, CASAS: casas})


def lines(stage: Stage, doors: ExitStack, count: int = CLIENTS) -> list[Wire]:
    """Open so many connections, each of another client."""
    return [doors.enter_context(Wire(stage.server.address).closing()) for _ in range(count)]


def at_once(wires: list[Wire], asked: list[bytes]) -> list[Heard]:
    """Send everything before anything is read: the server has all of it in hand at the same time."""
    for wire, request in zip(wires, asked, strict=True):
        wire.send(request)
    return [wire.hear() for wire in wires]


def wanted(start: str, name: str) -> bytes:
    body = booking(start, contact={"name": name, "email": f"{name}@example.com"})
    return ask(
        "/api/visits",
        "POST",
        json.dumps(body).encode(),
        Authorization=f"Bearer {TOKEN}",
        Content_Type="application/json",
    )


@pytest.mark.slow
def test_of_fifty_bookings_of_one_slot_one_wins_a_hundred_times_over(tmp_path: Path) -> None:
    with staged(tmp_path, found=alone()) as stage, ExitStack() as doors:
        wires = lines(stage, doors)
        taken: dict[str, str] = {}
        for number in range(ROUNDS):
            start = stage.a_start()
            answers = at_once(wires, [wanted(start, f"c{number}-{one}") for one in range(CLIENTS)])
            codes = Counter(one.status for one in answers)
            assert codes == {201: 1, 409: CLIENTS - 1}, (number, codes)
            for body in (json.loads(one.body) for one in answers if one.status == 409):
                free = {one["start"] for one in body["alternatives"]}
                assert body["type"] == "slot-taken" and 1 <= len(free) <= 5 and start not in free
            (won,) = (json.loads(one.body) for one in answers if one.status == 201)
            taken[won["id"]] = start
        visits = stage.visits()
    assert {one.id: one.interval.start for one in visits} == {
        name: datetime.fromisoformat(start) for name, start in taken.items()
    }
    assert_no_overlap([(one.interval.start, one.interval.end) for one in visits])


def assert_no_overlap(times: list[tuple[datetime, datetime]]) -> None:
    ordered = sorted(times)
    for (_, end), (start, _) in pairwise(ordered):
        assert end + timedelta(minutes=10) <= start, "the buffer after a visit is kept too"


def pressed(stage: Stage, path: str, start: str) -> bytes:
    """Write what a browser sends when the button of a booking page is pressed."""
    fields = {FIELD: new_form(stage.ctx, path), "start": start}
    return ask(path, "POST", urlencode(fields).encode(), Content_Type=FORM_TYPE)


def invitations(stage: Stage, count: int, name: str) -> list[str]:
    """Hand in requests and return the paths of their booking pages."""
    answers = [stage.api.post("/api/requests", request_body(f"{name}-{number}")) for number in range(count)]
    return [urlsplit(one.json()["booking_url"]).path for one in answers]


def test_of_fifty_clients_at_the_booking_page_one_gets_the_time_and_the_others_are_told_of_more(tmp_path: Path) -> None:
    rounds = 4
    with staged(tmp_path, found=alone()) as stage, ExitStack() as doors:
        wires = lines(stage, doors)
        for number in range(rounds):
            start = stage.a_start()
            paths = invitations(stage, CLIENTS, f"R{number}")
            answers = at_once(wires, [pressed(stage, path, start) for path in paths])
            assert Counter(one.status for one in answers) == {303: 1, 409: CLIENTS - 1}
            for page in (one.body.decode() for one in answers if one.status == 409):
                assert faults(page) == []
                assert 1 <= page.count('name="start"') <= 5 and f'value="{start}"' not in page
        assert len(stage.visits()) == rounds


def test_of_fifty_presses_of_one_button_one_books_and_all_lead_to_that_visit(tmp_path: Path) -> None:
    with staged(tmp_path, found=alone()) as stage, ExitStack() as doors:
        (path,) = invitations(stage, 1, "R")
        form = pressed(stage, path, stage.a_start())
        answers = at_once(lines(stage, doors, POSTS_OF_LINK), [form] * POSTS_OF_LINK)
        assert {one.status for one in answers} == {303}
        assert len({one.headers["location"] for one in answers}) == 1
        assert len(stage.visits()) == 1


def test_of_a_page_and_the_api_at_one_moment_one_wins(tmp_path: Path) -> None:
    with staged(tmp_path, found=alone()) as stage, ExitStack() as doors:
        start = stage.a_start()
        paths = invitations(stage, CLIENTS // 2, "R")
        mixed = [pressed(stage, path, start) for path in paths] + [wanted(start, f"c{one}") for one in range(25)]
        codes = Counter(one.status for one in at_once(lines(stage, doors), mixed))
        assert codes[409] == CLIENTS - 1 and codes[303] + codes[201] == 1
        assert len(stage.visits()) == 1
