"""The client's booking page over real HTTP: what it offers, what it books once, and what it never does."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from icalendar import Calendar

from syncd.core.directory import Activation, Directory, Project
from syncd.core.event_type import EventType, Question
from syncd.core.ids import AccountId, AgentId, ProjectId, RequestId, VisitId
from syncd.core.visit import Answer, Cancel, CancelReason, Conflict, ConflictReason, Visit, VisitState
from syncd.flows.book import act
from syncd.flows.links import Purpose
from syncd.flows.manage import rebook_url, visit_url
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


def take(page: Page, **fields: str) -> Page:
    """Press the form's main button, not one of its days."""
    form = page.forms["book"]
    return page.visitor.post(urljoin(page.url, form.action), form.fields | fields)


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
    assert str(event["SUMMARY"]) == "Visita Casas", "the project is said once"


def test_the_form_of_an_agent_s_own_question_asks_and_keeps(stage: Stage, client: Visitor) -> None:
    page = chosen(stage, client, invite(stage))
    after = page.press("book", answer_1="B-12", answer_2="Mi hija\r\ny yo", phone="9 1234 5678", tax_id="12345678-5")
    assert after.status == 200
    (visit,) = of_request(stage)
    assert visit.answers == (Answer(question=UNIT, answer="B-12"), Answer(question=WHO, answer="Mi hija\ny yo"))
    assert (visit.contact.phone, visit.contact.tax_id) == ("+56912345678", "12345678-5")
    assert visit.dwelling is not None and visit.dwelling.id == "Casa 12"
    assert "tax_id" not in after.forms and "12345678-5" not in after.answer.text


@pytest.mark.parametrize(
    ("language", "words", "booked"),
    [
        ("es", "Elija una hora para su visita", "Su visita está reservada"),
        ("it", "Scelga un orario per la Sua visita", "La Sua visita è prenotata"),
        ("en", "Choose a time for your visit", "Your visit is booked"),
        ("de", "Wählen Sie eine Zeit für Ihren Besuch", "Ihr Besuch ist gebucht"),
    ],
)
def test_every_step_speaks_the_language_that_was_chosen(
    stage: Stage, client: Visitor, language: str, words: str, booked: str
) -> None:
    page = client.get(f"{invite(stage)}?lang={language}")
    assert words in page.text and page.answer.headers["Content-Language"].startswith(language)
    page = page.follow(next(path for path in page.links if "day=2026-05-12" in path))
    page = page.follow(next(path for path in page.links if "start=2026-05-12T10" in path))
    wrong = page.press("book")
    assert wrong.status == 422
    after = wrong.press("book", answer_1="B-12")
    assert booked in after.text and after.url.endswith(f"lang={language}")
    with stage.store.read() as tx:
        (visit,) = tx.visits.search()
    assert visit.language[:2] == language, "the client is written to as they were spoken to"


def test_a_language_that_is_chosen_on_the_way_keeps_the_day_and_the_time(stage: Stage, client: Visitor) -> None:
    page = chosen(stage, client, invite(stage))
    german = page.follow(next(path for path in page.links if "lang=de" in path))
    assert "Dienstag, 12. Mai 2026" in german.texts["slot"]
    assert f'<label for="answer_1" lang="es">{UNIT}' in german.answer.text, "it is read aloud as what it is"
    assert f'<label for="answer_1">{UNIT}' in client.get(page.url + "&lang=es").answer.text
    days = client.get(f"{page.url.partition('?')[0]}?day=2026-05-13")
    assert "13. Mai 2026" in days.follow(next(path for path in days.links if "lang=de" in path)).texts["times"]


# --- what is typed --------------------------------------------------------------------------------------------------


def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(stage: Stage, client: Visitor) -> None:
    page = chosen(stage, client, f"{stage.url}/b/{OPEN}")
    typed = {"name": " ", "email": "eva@", "phone": "*21*5#", "answer_1": "", "answer_2": "yo", "property": "7"}
    wrong = page.press("book", **typed)
    assert wrong.status == 422 and wrong.text.startswith("Please correct")
    text = wrong.answer.text
    for name in ("name", "email", "phone", "answer_1"):
        assert f'href="#{name}"' in text, "the summary leads to the field"
        field = re.search(f'<(input|textarea)[^>]*id="{name}"[^>]*>', text)
        assert field is not None and 'aria-invalid="true"' in field[0]
        assert f'aria-describedby="{name}-error"' in field[0]
        assert wrong.texts[f"{name}-error"]
    fields = wrong.forms["book"].fields
    assert {name: fields[name] for name in typed} == typed
    assert "answer_2-error" not in wrong.texts and "tax_id-error" not in wrong.texts
    assert stage.visits() == []
    right = wrong.press("book", name="Eva Díaz", email="eva@example.com", phone="", answer_1="7")
    assert right.status == 200 and "Your visit is booked" in right.text


@pytest.mark.parametrize("unseen", ["\u200b", "\u200b \u00a0\u2060", "\u3164", "\u2800", "\u0301", "\u00ad\ufe0f"])
def test_what_nobody_can_see_is_no_name_and_no_answer(stage: Stage, client: Visitor, unseen: str) -> None:
    page = chosen(stage, client, f"{stage.url}/b/{OPEN}")
    wrong = page.press("book", name=unseen, email="eva@example.com", answer_1=unseen)
    assert wrong.status == 422 and stage.visits() == []
    assert wrong.texts["name-error"] == wrong.texts["answer_1-error"] == "Please fill this in."
    right = wrong.press("book", name="علی\u200cرضا", answer_1="👩\u200d👧")
    assert right.status == 200
    (visit,) = stage.visits()
    assert visit.contact.name == "علی\u200cرضا", "a joiner between letters is part of the name"


def test_a_tax_number_with_a_wrong_check_digit_is_told_and_none_is_needed(stage: Stage, client: Visitor) -> None:
    page = chosen(stage, client, f"{stage.url}/b/{OPEN}")
    wrong = page.press("book", name="Eva", email="eva@example.com", answer_1="1", tax_id="12.345.678-9")
    assert wrong.status == 422 and "check digit" in wrong.texts["tax_id-error"]
    assert wrong.forms["book"].fields["tax_id"] == "12.345.678-9" and stage.visits() == []
    assert wrong.press("book", tax_id="").status == 200
    assert len(stage.visits()) == 1


def test_an_answer_keeps_the_place_of_its_question(tmp_path: Path, client: Visitor) -> None:
    found = people()
    kind = replace(found.event_types[town.STANDARD], questions=(Question(text=WHO), Question(text=UNIT)))
    kind = replace(kind, title="{{ respuesta_2 }} / {{ respuesta_1 }}")
    with staged(tmp_path, found=replace(found, event_types={**found.event_types, kind.id: kind})) as stage:
        after = chosen(stage, client, invite(stage)).press("book", answer_2="B-12")
        (visit,) = of_request(stage)
        assert visit.title == "B-12" and WHO not in after.texts["answers"]


def test_too_much_is_refused_in_words(stage: Stage, client: Visitor) -> None:
    page = chosen(stage, client, invite(stage))
    wrong = page.press("book", answer_1="x" * 1_001)
    assert wrong.status == 422 and "1000 characters" in wrong.texts["answer_1-error"]
    assert len(wrong.forms["book"].fields["answer_1"]) == 1_001
    assert of_request(stage) == []


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "{{7*7}} ${7*7} %s%n {0.__class__}",
    '"><script>alert(1)</script>',
    "a\u202egnp.exe",
    "Eva\r\nBcc: x@example.com",
    "</textarea><b>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_strangers_type_is_text(stage: Stage, client: Visitor, text: str) -> None:
    page = chosen(stage, client, f"{stage.url}/b/{OPEN}")
    wrong = page.press("book", name=text, email="no", answer_1=text)
    for found in (wrong, wrong.press("book", name=text, email="eva@example.com", answer_1=text, property=text)):
        source = found.answer.text
        assert "<img src=x" not in source and "<script" not in source and "<b>" not in source
        assert "49" not in re.sub(r"[0-9a-f-]{20,}|value=\"[^\"]*\"", "", source)
    (visit,) = stage.visits()
    assert "\u202e" not in visit.contact.name and "\n" not in visit.contact.name


def test_fields_that_nobody_asked_for_change_nothing(stage: Stage, client: Visitor) -> None:
    page = chosen(stage, client, invite(stage))
    page.press("book", answer_1="1", name="Mallory", email="m@example.com", property="Otra", role="admin", host="beto")
    (visit,) = of_request(stage)
    assert (visit.contact.name, visit.contact.email) == ("Eva Díaz", "eva@example.com")
    assert visit.dwelling is not None and visit.dwelling.id == "Casa 12", "the property of a request is locked"


def test_a_property_that_is_not_locked_may_be_corrected(tmp_path: Path, client: Visitor) -> None:
    found = people()
    casas = replace(found.projects[town.CASAS], lock_property=False)
    with staged(tmp_path, found=replace(found, projects={**found.projects, town.CASAS: casas})) as stage:
        page = chosen(stage, client, invite(stage))
        assert page.forms["book"].fields["property"] == "Casa 12"
        page.press("book", answer_1="1", property="Casa 21")
        (visit,) = of_request(stage)
        assert visit.dwelling is not None and visit.dwelling.id == "Casa 21"


# --- one visit ------------------------------------------------------------------------------------------------------


def test_a_double_click_is_one_visit(stage: Stage, client: Visitor) -> None:
    form = chosen(stage, client, invite(stage)).forms["book"]
    fields = form.fields | ANSWERS
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: Visitor().post(stage.url + form.action, fields), range(2)))
    assert [page.status for page in found] == [200, 200]
    assert all("Your visit is booked" in page.text for page in found)
    assert len(of_request(stage)) == 1


def test_two_tabs_and_the_back_button_are_one_visit(stage: Stage, client: Visitor) -> None:
    url = invite(stage)
    first, second = chosen(stage, client, url), chosen(stage, client, url, "2026-05-13T11:00:00-04:00")
    assert "Your visit is booked" in first.press("book", answer_1="B-1").text
    for late in (second, first):
        after = late.press("book", answer_1="B-2")
        assert "Your visit is booked" in after.text and "Tuesday, May 12" in after.text and "B-1" in after.text
    (visit,) = of_request(stage)
    assert visit.version == 1
    assert "Your visit is booked" in client.get(url).text, "the link shows what it led to"


def test_two_tabs_at_the_same_moment_are_one_visit(stage: Stage, client: Visitor) -> None:
    """The page was read before the other tab booked; the transaction looks again."""
    url = invite(stage)
    forms = [chosen(stage, client, url, f"2026-05-1{day}T10:00:00-04:00").forms["book"] for day in (2, 3, 4, 5)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda form: Visitor().post(stage.url + form.action, form.fields | ANSWERS), forms))
    assert {page.status for page in found} == {200}
    assert len(of_request(stage)) == 1


def test_a_double_click_on_a_public_page_is_one_visit_and_two_people_are_two(stage: Stage, client: Visitor) -> None:
    page = chosen(stage, client, f"{stage.url}/b/{OPEN}")
    said = {"name": "Eva", "email": "eva@example.com", "answer_1": "1"}
    first, second = page.press("book", **said), page.press("book", **said)
    assert first.url == second.url and f"/b/{OPEN}" not in first.url, "a page of one's own"
    assert len(stage.visits()) == 1
    other = chosen(stage, client, f"{stage.url}/b/{OPEN}")
    assert other.press("book", **said | {"name": "Luis", "email": "luis@example.com"}).url != first.url
    assert len(stage.visits()) == 2, "both hosts are free"


SAID = {"name": "Eva", "email": "eva@example.com", "phone": "+56 9 1234 5678", "answer_1": "1"}


def test_the_back_button_on_a_public_page_is_one_visit_and_hands_nobody_its_link(stage: Stage, client: Visitor) -> None:
    """The form is loaded anew: nothing but the client says that it is the same one; so could a stranger."""
    url = f"{stage.url}/b/{OPEN}"
    assert "Your visit is booked" in chosen(stage, client, url).press("book", **SAID).text
    again = chosen(stage, client, url).press("book", **SAID | {"email": "EVA@Example.com", "name": "X", "phone": ""})
    assert again.status == 200 and "This visit is booked already" in again.text
    assert "in the mail" in again.texts["already"]
    (visit,) = stage.visits()
    with stage.store.read() as tx:
        links = [tx.links.latest(one, f"visit:{visit.id}") for one in (Purpose.VISIT, Purpose.BOOK)]
    assert all(links), "they were made for the first form"
    assert not any(re.search(r"/v/|/b/(?!abierto)", path) for path in again.links.values())
    assert "Eva" not in again.text and "visit" not in again.texts, "nothing of it that was not typed"


def test_two_tabs_of_a_public_page_at_the_same_moment_are_one_visit(stage: Stage) -> None:
    pages = [chosen(stage, Visitor(), f"{stage.url}/b/{OPEN}") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda page: page.press("book", **SAID), pages))
    assert {page.status for page in found} == {200}
    assert len(stage.visits()) == 1


@pytest.mark.parametrize(
    ("start", "changes"),
    [
        ("2026-05-12T10:10:00-04:00", {}),
        (TEN, {"email": "else@example.com"}),
        ("2026-05-12T09:50:00-04:00", {"email": "else@example.com", "phone": "9 1234 5678"}),
    ],
)
def test_a_client_who_is_busy_with_another_visit_is_told_so_and_nothing_typed_is_lost(
    tmp_path: Path, client: Visitor, start: str, changes: dict[str, str]
) -> None:
    with staged(tmp_path, found=people(increment=timedelta(minutes=10))) as stage:
        url = f"{stage.url}/b/{OPEN}"
        chosen(stage, client, url).press("book", **SAID)
        refused = chosen(stage, client, url, start).press("book", **SAID | changes)
        assert refused.status == 409 and "You already have a visit at that time" in refused.texts["said"]
        fields = refused.forms["book"].fields
        assert {name: fields[name] for name in SAID} == SAID | changes
        assert len(stage.visits()) == 1
        later = take(refused, start="2026-05-12T10:20:00-04:00")
        assert "Your visit is booked" in later.text, "one after the other is no trouble"


def test_a_client_whose_visit_was_cancelled_or_is_no_page_s_may_book_that_time(stage: Stage, client: Visitor) -> None:
    url = f"{stage.url}/b/{OPEN}"
    chosen(stage, client, url).press("book", **SAID)
    (first,) = stage.visits()
    cancelled(stage, first.id)
    assert "Your visit is booked" in chosen(stage, client, url).press("book", **SAID).text
    second = next(one for one in stage.visits() if one.active)
    kept(stage, replace(second, source=replace(second.source, account=AccountId("api"))))
    assert "Your visit is booked" in chosen(stage, client, url).press("book", **SAID).text
    assert len(stage.visits()) == 3


def test_a_visit_that_came_another_way_is_shown_and_managed(stage: Stage, client: Visitor) -> None:
    url = invite(stage)
    stage.api.post(
        "/api/visits", {"request": "R-1", "start": TEN, "contact": {"name": "Eva", "email": "e@example.com"}}
    )
    page = client.get(url)
    assert "Your visit is booked" in page.text and "manage" in page.forms
    after = page.press("manage")
    assert "/v/" in after.url and after.status == 200
    assert "manage" in client.get(url).links, "now there is an address"


def test_fifty_clients_at_one_time_of_one_host_make_one_visit(tmp_path: Path) -> None:
    found = people()
    casas = replace(found.projects[town.CASAS], team=(AgentId("ana"),))
    with staged(tmp_path, found=replace(found, projects={**found.projects, town.CASAS: casas})) as stage:
        forms = [chosen(stage, Visitor(), invite(stage, f"R-{number}")).forms["book"] for number in range(50)]

        def send(number: int) -> Page:
            form = forms[number]
            return Visitor().post(stage.url + form.action, form.fields | {"answer_1": f"B-{number}"})

        with ThreadPoolExecutor(50) as pool:
            pages = list(pool.map(send, range(50)))
        assert sorted(page.status for page in pages) == [200] + [409] * 49
        assert len(stage.visits()) == 1
        for number, page in enumerate(pages):
            if page.status == 409:
                form = page.forms["book"]
                assert len(form.choices["start"]) == 5 and form.fields["answer_1"] == f"B-{number}"


# --- a time that has gone -------------------------------------------------------------------------------------------


def test_a_time_that_has_gone_leads_to_the_nearest_and_keeps_what_was_typed(stage: Stage, client: Visitor) -> None:
    page = chosen(stage, client, f"{stage.url}/b/{OPEN}")
    for host in ("ana", "beto"):
        stage.book(TEN, host=host)
    said = {"name": "Eva Díaz", "email": "eva@example.com", "answer_1": "B-12", "answer_2": "yo"}
    lost = page.press("book", **said)
    assert lost.status == 409 and lost.text.startswith("This time is no longer free")
    form = lost.forms["book"]
    near = [f"2026-05-12T{time}:00-04:00" for time in ("09:00", "09:30", "10:30", "11:00", "11:30")]
    assert form.choices["start"] == near
    assert {name: form.fields[name] for name in said} == said
    none = take(lost)
    assert none.status == 422 and none.texts["said"] == "Please choose one of the times."
    assert none.forms["book"].fields["answer_1"] == "B-12"
    other = none.press("book", day="2026-05-14")
    assert other.status == 200 and other.forms["book"].choices["start"][0] == "2026-05-14T09:00:00-04:00"
    assert {name: other.forms["book"].fields[name] for name in said} == said
    after = take(other, start="2026-05-14T09:00:00-04:00")
    assert after.status == 200 and "Thursday, May 14" in after.text and "B-12" in after.text


@pytest.mark.parametrize(
    "start",
    ["2026-05-04T10:00:00-04:00", "2026-05-12T10:07:00-04:00", "2026-05-17T10:00:00-04:00", "2099-05-12T10:00:00Z"],
)
def test_a_time_that_is_not_offered_is_answered_with_others(stage: Stage, client: Visitor, start: str) -> None:
    url = invite(stage)
    page = client.get(url + "?start=" + start)
    assert page.status == 409 and len(page.forms["book"].choices["start"]) == 5
    right = chosen(stage, client, url)
    assert right.press("book", start=start, answer_1="1").status == 409
    assert of_request(stage) == []


@pytest.mark.parametrize(
    "query", ["?start=x", "?start=2026-05-12T10:00:00", "?day=x", "?day=1999-01-01", "?start=&day="]
)
def test_an_address_that_makes_no_sense_shows_the_times(stage: Stage, client: Visitor, query: str) -> None:
    page = client.get(invite(stage) + query)
    assert page.status == 200 and page.texts["times"]


def test_nothing_free_says_so_and_whom_to_write_to(stage: Stage, client: Visitor) -> None:
    url = invite(stage)
    stage.clock.advance(timedelta(hours=1))  # nobody's calendar was read since: it is not known who is free
    page = client.get(url)
    assert page.status == 200 and "There is no free time" in page.texts["none"]
    assert "beto@a.example" in page.texts["contact"]


# --- lost and cancelled visits --------------------------------------------------------------------------------------


def booked(stage: Stage, **changes: Any) -> Visit:
    return stage.visit(stage.book(TEN, **changes)["id"])


def test_a_lost_booking_moves_to_the_time_that_is_chosen(stage: Stage, client: Visitor) -> None:
    visit = booked(stage, property={"id": "12", "name": "Casa 12"})
    why = Conflict(reason=ConflictReason.SLOT_TAKEN, since=stage.clock.now())
    lost = kept(stage, replace(visit, state=VisitState.CONFLICT, holds=False, conflict=why))
    page = client.get(rebook(stage, lost))
    assert "could not be kept" in page.texts["lost"]
    form = chosen(stage, client, page.url, "2026-05-13T09:00:00-04:00")
    assert set(form.forms["book"].fields) == {"form", "start"}, "everything else is known"
    for _ in range(2):
        assert "Your visit is booked" in form.press("book").text
    now = stage.visit(visit.id)
    assert (now.state, now.holds, now.version) == (VisitState.CONFIRMED, True, lost.version + 1)
    assert now.interval.start == datetime(2026, 5, 13, 13, tzinfo=UTC)
    assert (now.answers, now.contact, now.source) == (visit.answers, visit.contact, visit.source)
    assert len(stage.visits()) == 1


def test_a_cancelled_visit_is_booked_anew_once_with_what_was_known(stage: Stage, client: Visitor) -> None:
    visit = booked(stage, answers=[{"question": UNIT, "answer": "B-12"}])
    cancelled(stage, visit.id)
    url = rebook(stage, visit)
    tabs = [chosen(stage, client, url, f"2026-05-1{day}T10:00:00-04:00") for day in (3, 4)]
    assert tabs[0].forms["book"].fields["answer_1"] == "B-12" and "email" not in tabs[0].forms["book"].fields
    assert [len({page.press("book").url for page in tabs})] == [1]
    new = [one for one in stage.visits() if one.active]
    assert len(new) == 1 and new[0].id != visit.id and new[0].contact == visit.contact
    cancelled(stage, new[0].id)
    again = chosen(stage, client, url, "2026-05-15T10:00:00-04:00").press("book")
    assert "Friday, May 15" in again.text
    assert len([one for one in stage.visits() if one.active]) == 1


# --- approval -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("holds", "words"), [(True, "The time is kept for you until"), (False, "not kept for you")])
def test_a_visit_that_must_be_approved_says_whether_the_time_is_kept(
    tmp_path: Path, client: Visitor, holds: bool, words: str
) -> None:
    with staged(tmp_path, found=people(approval=True, pending_holds=holds)) as stage:
        page = chosen(stage, client, invite(stage))
        assert "24 hours" in page.texts["approval"]
        after = page.press("book", answer_1="1")
        assert "waits for approval" in after.text and words in after.texts["state"]
        (visit,) = of_request(stage)
        assert (visit.state, visit.holds) == (VisitState.PENDING, holds)


def test_a_visit_that_waits_is_approved_once_and_its_page_says_so(tmp_path: Path, client: Visitor) -> None:
    with staged(tmp_path, found=people(approval=True)) as stage:
        url = invite(stage)
        chosen(stage, client, url).press("book", answer_1="1")
        (visit,) = of_request(stage)
        for _ in range(2):
            assert stage.api.post(f"/api/visits/{visit.id}/approve").ok
        assert "Your visit is booked" in client.get(url).text


def test_a_visit_that_was_not_approved_gives_its_time_back_and_the_link_books_again(
    tmp_path: Path, client: Visitor
) -> None:
    with staged(tmp_path, found=people(approval=True)) as stage:
        url = invite(stage)
        chosen(stage, client, url).press("book", answer_1="B-1")
        (visit,) = of_request(stage)
        assert stage.api.post(f"/api/visits/{visit.id}/reject").ok
        again = chosen(stage, client, url)
        assert again.forms["book"].fields["answer_1"] == "B-1", "what was said is still known"
        assert "waits for approval" in again.press("book").text
        assert len(of_request(stage)) == 2


# --- who may come ---------------------------------------------------------------------------------------------------


def test_links_that_open_nothing_look_alike(stage: Stage, client: Visitor) -> None:
    url = invite(stage)
    token = url.rpartition("/")[2]
    visit = booked(stage)
    manage = stage.store.write(lambda tx: visit_url(stage.ctx, tx, visit)).rpartition("/")[2]
    wrong = ["x", token + "x", token[:-1], token.swapcase(), manage, "casas", "torre", "cerrado", "ABIERTO"]
    pages = [client.get(f"{stage.url}/b/{one}") for one in wrong]
    stage.clock.advance(timedelta(days=31))
    pages.append(client.get(url))
    assert {page.status for page in pages} == {404}
    assert len({page.answer.text for page in pages}) == 1 and CLOSED in pages[0].text


def test_the_public_page_is_there_only_where_it_was_opened(stage: Stage, client: Visitor) -> None:
    page = client.get(f"{stage.url}/b/{OPEN}")
    assert page.status == 200 and "<img" not in page.answer.text, "a picture without TLS is not shown"
    assert client.get(f"{stage.url}/b/{town.CASAS}").status == 404


def test_a_project_that_takes_no_bookings_says_so(stage: Stage, client: Visitor) -> None:
    url = invite(stage)
    found = stage.ctx.directory
    shut = {one.id: replace(one, activation=Activation.OFF) for one in found.projects.values()}
    object.__setattr__(stage.ctx, "directory", replace(found, projects=shut))
    for address in (url, f"{stage.url}/b/{OPEN}"):
        page = client.get(address)
        assert page.status == 200 and "No visits can be booked" in page.text and "beto@a.example" in page.text


def test_looking_changes_nothing(stage: Stage, client: Visitor) -> None:
    url = invite(stage)
    stage.take_work()
    for method in ("GET", "HEAD"):
        for query in ("", "?start=" + TEN, "?day=2026-05-12"):
            answer = client.fetch(method, url + query)
            assert answer.status_code == 200 and answer.headers["Referrer-Policy"] == "no-referrer"
            assert answer.headers["Cache-Control"] == "no-store"
    assert client.fetch("GET", url + "/visit.ics").status_code == 404, "there is no visit yet"
    assert stage.visits() == [] and stage.take_work() == set()


def test_a_form_that_is_none_of_ours_books_nothing_and_loses_nothing(stage: Stage, client: Visitor) -> None:
    page = chosen(stage, client, invite(stage))
    form = page.forms["book"]
    again = page
    for token in ("", "x.1.y", form.fields["form"] + "0"):
        again = client.post(stage.url + form.action, form.fields | {"form": token, "answer_1": "B-12"})
        assert again.status == 400 and again.forms["book"].fields["answer_1"] == "B-12"
        assert again.forms["book"].fields["start"] == TEN
    stage.clock.advance(timedelta(minutes=20))
    assert again.press("book").status == 200
    foreign = client.fetch("POST", page.url, data=form.fields, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    for kind in ("application/json", "multipart/form-data; boundary=x", "text/plain"):
        sent = client.fetch("POST", page.url, data=b"{}", headers={"Content-Type": kind})
        assert sent.status_code == 415
    assert len(of_request(stage)) == 1


def test_a_form_left_open_over_night_books_nothing_and_loses_nothing(stage: Stage, client: Visitor) -> None:
    page = chosen(stage, client, invite(stage), "2026-05-13T10:00:00-04:00")
    stage.clock.advance(timedelta(hours=13))
    again = page.press("book", answer_1="B-12")
    assert again.status in (400, 409) and again.forms["book"].fields["answer_1"] == "B-12"
    assert of_request(stage) == []


def test_a_link_that_is_hammered_is_slowed_down(stage: Stage, client: Visitor) -> None:
    page = chosen(stage, client, invite(stage))
    statuses = [page.press("book").status for _ in range(31)]
    assert statuses == [422] * 30 + [429]


# --- clock changes --------------------------------------------------------------------------------------------------


def test_times_follow_the_wall_clock_over_a_change_of_the_clock(tmp_path: Path, client: Visitor) -> None:
    """Chile goes from -04:00 to -03:00 on 2026-09-06: nine o'clock stays nine o'clock."""
    with staged(tmp_path, found=people()) as stage:
        stage.clock.advance(datetime(2026, 9, 3, 12, tzinfo=UTC) - stage.clock.now())
        read = [ref.id for ref in stage.ctx.directory.calendars()]
        stage.store.write(lambda tx: tx.calendars.fresh(read, stage.clock.now()))
        url = invite(stage)
        for day, offset in (("2026-09-04", "-04:00"), ("2026-09-07", "-03:00")):
            page = client.get(f"{url}?day={day}")
            first = next(path for path in page.links if "start=" in path)
            assert first.endswith(f"start={day}T09%3A00%3A00{offset.replace(':', '%3A')}")
            assert page.follow(first).forms["book"].fields["start"] == f"{day}T09:00:00{offset}"
