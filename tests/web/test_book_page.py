"""The client's booking page over real HTTP: what it offers, what it books once, and what it never does."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar

from syncd.core.directory import Directory, Project
from syncd.core.event_type import EventType, Question
from syncd.core.ids import AgentId, ProjectId, RequestId, VisitId
from syncd.core.visit import Cancel, CancelReason, Visit, VisitState
from syncd.flows.book import act
from syncd.flows.manage import rebook_url
from syncd.store.visits import Cause
from tests.web.stage import Stage, directory, request_body, staged
from tests.web.visitor import Page, Visitor
from tests.world import town

CLOSED = "This link is no longer valid"
UNIT, WHO = "Indique el número de su propiedad", "¿Quién estará presente?"
OPEN = ProjectId("abierto")
TEN = "2026-05-12T10:00:00-04:00"
ANSWERS = {"answer_1": "B-12", "answer_2": ""}


def people(team: int = 2, **kind: Any) -> Directory:
    """The stage's town with two questions, facts and a picture, and a project that is open to everybody."""
    found = directory(team)
    asked = (Question(text=UNIT, required=True), Question(text=WHO))
    visita: EventType = replace(town.VISITA, name="Visita {{ proyecto }}", questions=asked, **kind)
    casas: Project = replace(
        found.projects[town.CASAS],
        responsible=AgentId("beto"),
        photo_url="https://fotos.example/casas.jpg",
        facts=(("Entrega", "2026"),),
    )
    public = replace(casas, id=OPEN, name="Abierto", public_page=True, photo_url="http://fotos.example/no.jpg")
    return replace(
        found,
        projects={**found.projects, town.CASAS: casas, OPEN: public},
        event_types={**found.event_types, visita.id: visita},
    )


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, found=people()) as found:
        yield found


@pytest.fixture
def client() -> Iterator[Visitor]:
    found = Visitor()
    yield found
    found.close()


def here(stage: Stage, url: str) -> str:
    return url.replace(stage.ctx.public_url, stage.url, 1)


def invite(stage: Stage, name: str = "R-1", **changes: Any) -> str:
    """Hand a request in and return its booking page."""
    answer = stage.api.post("/api/requests", request_body(name, **changes))
    assert answer.status_code in (200, 201), answer.text
    return here(stage, answer.json()["booking_url"])


def chosen(stage: Stage, client: Visitor, url: str, start: str = TEN) -> Page:
    """Open the form for one time."""
    page = client.get(url + "?start=" + start)
    assert "book" in page.forms, page.text
    return page


def of_request(stage: Stage, name: str = "R-1") -> list[Visit]:
    with stage.store.read() as tx:
        return tx.visits.search(request=RequestId(name))


def kept(stage: Stage, visit: Visit) -> Visit:
    """Save a visit as something else than a page would."""
    cause = Cause(at=stage.clock.now(), actor="test", source="test")
    return stage.store.write(lambda tx: tx.visits.save(visit, cause))


def cancelled(stage: Stage, visit: VisitId) -> None:
    cause = Cause(at=stage.clock.now(), actor="test", source="test")
    assert isinstance(act(stage.ctx, visit, Cancel(by=CancelReason.STAFF), cause), Visit)


def rebook(stage: Stage, visit: Visit) -> str:
    now = stage.clock.now()
    return here(stage, stage.store.write(lambda tx: rebook_url(stage.ctx, tx, visit, now)))


# --- the road -------------------------------------------------------------------------------------------------------


def test_days_then_times_then_the_form_then_the_visit(stage: Stage, client: Visitor) -> None:
    page = client.get(invite(stage))
    assert page.status == 200
    for words in ("Visita Casas · 20 minutes", "Av. Siempre Viva 742", "Casa 12", "Entrega", "Santiago time"):
        assert words in page.text, words
    assert 'src="https://fotos.example/casas.jpg" alt="Picture of Casas"' in page.answer.text
    day = next(path for path in page.links if "day=2026-05-12" in path)
    page = page.follow(day)
    assert page.texts["times"] == "Tuesday, May 12, 2026"
    time = next(path for path in page.links if "start=2026-05-12T10" in path)
    page = page.follow(time)
    assert "Tuesday, May 12, 2026 10:00–10:20" in page.texts["slot"]
    assert "Eva Díaz" in page.texts["known"] and "name" not in page.forms["book"].fields
    after = page.press("book", answer_1="B-12")
    assert (after.status, after.text.count("Your visit is booked")) == (200, 2)
    assert after.answer.history[0].status_code == 303, "a reload posts nothing"
    assert "B-12" in after.texts["answers"] and {"calendar", "manage"} <= {*after.links}
    (visit,) = of_request(stage)
    assert (visit.state, visit.interval.start) == (VisitState.CONFIRMED, datetime.fromisoformat(TEN))
    assert visit.source.account == "page" and visit.contact.email == "eva@example.com"
    assert after.follow("manage").status == 200
    with stage.store.read() as tx:
        (row,) = tx.visits.history(visit.id)
    assert (row.cause.actor, row.cause.source) == ("client", "page")
    entry = client.fetch("GET", after.url + "/visit.ics")
    (event,) = Calendar.from_ical(entry.content).walk("VEVENT")
    assert event.decoded("DTSTART") == visit.interval.start
