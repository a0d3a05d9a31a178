"""The client's page for windows over HTTP: what it asks, what it keeps, what it refuses, and what it never does."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.core.directory import ProposalPolicy
from syncd.core.ids import AgentId
from syncd.flows.links import Purpose, proposal_subject, renew_link
from tests.web.stage import Stage, directory, staged
from tests.web.test_api_proposals import PLACE, accept, ask, asking, said, shown
from tests.web.visitor import Page, Visitor
from tests.world import town

CLOSED = "This link is no longer valid"
SHOWN = PLACE | {"photo_url": "https://fotos.example/c12.jpg", "facts": [{"label": "Dormitorios", "value": "3"}]}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    found = directory()
    casas = replace(found.projects[town.CASAS], responsible=AgentId("beto"))
    with staged(tmp_path, found=replace(found, projects={**found.projects, town.CASAS: casas})) as made:
        yield made


@pytest.fixture
def client() -> Iterator[Visitor]:
    found = Visitor()
    yield found
    found.close()


def invited(stage: Stage, **changes: Any) -> tuple[str, str]:
    """Make a proposal; returns its id and the address of its page."""
    made = stage.api.post("/api/proposals", asking(**changes))
    assert made.status_code == 201, made.text
    return made.json()["id"], made.json()["url"].replace(stage.ctx.public_url, stage.url, 1)


def row(number: int, day: str = "2026-05-12", begin: str = "10:00", end: str = "12:00") -> dict[str, str]:
    return {f"date_{number}": day, f"from_{number}": begin, f"until_{number}": end}


def rows(count: int) -> dict[str, str]:
    return {
        name: value for number in range(1, count + 1) for name, value in row(number, f"2026-05-{11 + number}").items()
    }


def opened(client: Visitor, url: str) -> Page:
    page = client.get(url)
    assert page.status == 200 and "propose" in page.forms, page.text
    return page


# --- the two forms --------------------------------------------------------------------------------------------------


def test_without_a_property_the_form_is_a_general_one(stage: Stage, client: Visitor) -> None:
    page = opened(client, invited(stage)[1])
    assert "When would a visit suit you?" in page.text and "Tell us which times suit you" in page.texts["text"]
    assert "place" not in page.texts and "<img" not in page.answer.text
    assert "The visit takes 20 minutes." in page.texts["rules"]
    assert {f"row_{number}" for number in range(1, 6)} <= set(page.texts) and "row_6" not in page.texts


def test_with_a_property_it_is_a_viewing_form_with_picture_and_facts(stage: Stage, client: Visitor) -> None:
    """R052."""
    page = opened(client, invited(stage, property=SHOWN)[1])
    assert "When can you come to see Casa 12?" in page.text
    assert 'src="https://fotos.example/c12.jpg" alt="Picture of Casa 12"' in page.answer.text
    assert "Pasaje Uno 12" in page.texts["place"] and "Dormitorios3" in page.texts["place"]
    plain = invited(stage, property=SHOWN | {"photo_url": "http://fotos.example/c12.jpg"})[1]
    assert "fotos.example" not in opened(client, plain).answer.text, "only what came safely is shown"


def test_each_form_has_words_of_its_own(tmp_path: Path, client: Visitor) -> None:
    """R053."""
    words = ProposalPolicy(text_general="Cuéntenos.", text_visit="Venga a <ver>.", answer_by=("task",))
    with staged(tmp_path, found=replace(directory(), proposals=words)) as stage:
        general, url = invited(stage, answer_by=None)
        assert opened(client, url).texts["text"] == "Cuéntenos."
        assert opened(client, invited(stage, property=PLACE)[1]).texts["text"] == "Venga a <ver>."
        assert shown(stage, general)["answer_by"] == ["task"]


def test_every_field_has_a_label_and_needs_no_script(stage: Stage, client: Visitor) -> None:
    text = opened(client, invited(stage)[1]).answer.text
    for name in row(3):
        assert f'<label for="{name}">' in text and f'id="{name}" name="{name}"' in text
    assert text.count('type="date"') == 5 and text.count('type="time"') == 10
    assert "<script" not in text and "style=" not in text


# --- sending --------------------------------------------------------------------------------------------------------


def test_what_is_sent_is_kept_shown_and_told(stage: Stage, client: Visitor) -> None:
    name, url = invited(stage)
    after = opened(client, url).press("propose", **row(1), **row(4, "2026-05-14", "15:30", "16:00"))
    assert after.status == 200 and after.answer.history[0].status_code == 303, "a reload posts nothing"
    assert "Thank you, we have your times" in after.text
    assert "Tuesday, May 12, 2026, 10:00–12:00" in after.texts["windows"]
    found = shown(stage, name)
    assert found["state"] == "answered"
    assert [(one["start"], one["end"]) for one in found["windows"]] == [
        ("2026-05-12T10:00:00-04:00", "2026-05-12T12:00:00-04:00"),
        ("2026-05-14T15:30:00-04:00", "2026-05-14T16:00:00-04:00"),
    ]
    assert said(stage, name) == [("email", "email:ana@a.example")]
    assert client.get(url).texts["windows"] == after.texts["windows"]
    assert stage.visits() == [], "wishes hold nothing"


def test_five_fit_and_a_sixth_is_refused_while_the_five_stay(stage: Stage, client: Visitor) -> None:
    """T07; R050."""
    name, url = invited(stage)
    form = opened(client, url)
    six = form.press("propose", **rows(6))
    assert six.status == 422 and "At most 5 times fit here" in six.texts["said"]
    assert {one: six.forms["propose"].fields[one] for one in rows(5)} == rows(5)
    assert shown(stage, name)["state"] == "open" and said(stage, name) == []
    assert six.press("propose").texts["windows"].count("2026") == 5
    assert len(shown(stage, name)["windows"]) == 5
    assert form.press("propose", **rows(6)).status == 422
    assert len(shown(stage, name)["windows"]) == 5 and len(said(stage, name)) == 1


def test_the_same_answer_again_says_nothing_and_another_replaces_it(stage: Stage, client: Visitor) -> None:
    """T05: a retry of the same answer sends nothing more."""
    name, url = invited(stage)
    form = opened(client, url)
    form.press("propose", **row(1))
    for again in (row(1), row(3), {**row(1), **row(2)}):
        assert form.press("propose", **again).status == 200
    assert len(said(stage, name)) == 1, "the same windows, on whatever rows"
    change = client.get(url).follow("change")
    assert change.forms["propose"].fields.items() >= row(1).items(), "what was sent stands in the form"
    after = change.press("propose", **row(1, "2026-05-13"))
    assert "May 13" in after.texts["windows"] and "May 12" not in after.texts["windows"]
    assert len(said(stage, name)) == 2
    form.press("propose", **row(1))
    assert len(said(stage, name)) == 3, "the first answer once more is news after the second"


def test_who_has_the_link_cannot_have_staff_told_without_end(stage: Stage, client: Visitor) -> None:
    """Each answer is a message, and an SMS costs its receiver."""
    name, url = invited(stage)
    form = opened(client, url)
    for number in range(10):
        assert form.press("propose", **row(1, f"2026-05-{12 + number}")).status == 200
    stage.clock.advance(timedelta(minutes=1))
    after = form.press("propose", **row(1, "2026-06-01"))
    assert after.status == 409 and "too often" in after.texts["said"] and "May 21" in after.texts["windows"]
    assert form.press("propose", **row(1, "2026-05-21")).status == 200, "the last answer once more is no other one"
    assert len(said(stage, name)) == 10
    assert accept(stage, name, 10).status_code == 200


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({}, "date_1", "at least one time"),
        ({"date_2": "2026-05-12"}, "from_2", "fill this in"),
        (row(1, "12/05/2026"), "date_1", "like 2026-05-12"),
        (row(1, "2026-02-30"), "date_1", "does not exist"),
        (row(1, "9999-12-31"), "date_1", "too far ahead"),
        (row(5, begin="10h"), "from_5", "like 10:30"),
        (row(1, begin="25:00", end="26:00"), "from_1", "like 10:30"),
        (row(1, begin="12:00", end="10:00"), "until_1", "later than the beginning"),
        (row(1, begin="10:00", end="10:00"), "until_1", "later than the beginning"),
        (row(1, "2026-05-04", "07:00", "09:00"), "date_1", "already over"),
        (row(1, "2027-12-01"), "date_1", "too far ahead"),
        (row(1, begin="10:00", end="10:15"), "until_1", "at least 20 minutes"),
        (row(1, begin="<b>", end="12:00"), "from_1", "like 10:30"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_typed_is_lost(
    stage: Stage, client: Visitor, typed: dict[str, str], field: str, words: str
) -> None:
    name, url = invited(stage)
    page = opened(client, url).press("propose", **{**row(3, "2026-05-15"), **typed} if typed else typed)
    assert page.status == 422
    assert words in page.texts[f"{field}-error"] and words in page.texts["errors"]
    assert f'name="{field}"' in page.answer.text
    (tag,) = (one for one in page.answer.text.split("<input") if f'name="{field}"' in one)
    assert 'aria-invalid="true"' in tag and f'aria-describedby="{field}-error"' in tag
    assert page.forms["propose"].fields.items() >= typed.items()
    assert "<b>" not in page.answer.text and "#" + field in page.links
    assert shown(stage, name)["state"] == "open" and said(stage, name) == []


def test_an_hour_that_a_clock_change_leaves_out_is_refused(stage: Stage, client: Visitor) -> None:
    """In Santiago the night to 2026-09-06 has no time between 00:00 and 01:00."""
    _, url = invited(stage, project=None)
    page = opened(client, url).press("propose", **row(1, "2026-09-06", "00:30", "01:20"))
    assert page.status == 422 and "does not exist" in page.texts["from_1-error"]


def test_the_client_is_answered_in_their_language(stage: Stage) -> None:
    name, url = invited(stage, property=PLACE)
    visitor = Visitor("de")
    page = visitor.get(url)
    assert "Wann können Sie Casa 12 besichtigen?" in page.text
    assert "mindestens eine Zeit" in page.press("propose").texts["date_1-error"]
    spanish = visitor.get(url + "?lang=es")
    done = spanish.press("propose", **row(1))
    assert "Gracias, recibimos sus horarios" in done.text and "lang=es" in done.url
    assert "¿Cuándo puede venir" in done.follow("change").text
    with stage.store.read() as tx:
        (mail,) = tx.queue.notices(about=f"proposal:{name}")
    assert "propone estos horarios para visitar Casa 12" in str(mail.body), "staff read the house's own language"
    assert mail.body is not None and mail.body["proposal"] == name and "\n1. " in mail.body["message"]
    visitor.close()


def test_a_form_that_is_too_old_or_none_of_ours_sends_nothing(stage: Stage, client: Visitor) -> None:
    name, url = invited(stage)
    form = opened(client, url)
    stage.clock.advance(timedelta(hours=13))
    old = form.press("propose", **row(1))
    assert old.status == 400 and "nothing was sent" in old.texts["said"]
    assert old.forms["propose"].fields.items() >= row(1).items()
    assert client.post(url, row(1)).status == 400
    assert client.post(url, row(1), Origin="https://evil.example").status == 403
    assert shown(stage, name)["state"] == "open"
    assert old.press("propose").status == 200


# --- what becomes of it ---------------------------------------------------------------------------------------------


def test_the_page_shows_what_became_of_it_and_takes_nothing_more(stage: Stage, client: Visitor) -> None:
    name, url = invited(stage, property=PLACE)
    form = opened(client, url)
    form.press("propose", **row(1))
    late = client.get(url).follow("change")
    assert accept(stage, name).status_code == 200
    page = client.get(url)
    assert "Your visit is booked" in page.text and "10:00–10:20" in page.texts["visit"] and not page.forms
    assert late.press("propose", **row(1, "2026-05-13")).status == 409
    assert client.post(url, row(1)).status == 400
    assert client.get(url + "?change=1").forms == {}
    assert len(shown(stage, name)["windows"]) == 1 and len(said(stage, name)) == 1


def test_a_declined_one_says_so_and_whom_to_write_to(stage: Stage, client: Visitor) -> None:
    name, url = invited(stage)
    opened(client, url).press("propose", **row(1))
    stage.api.post(f"/api/proposals/{name}/decline")
    page = client.get(url)
    assert "None of your times was possible" in page.text and "beto@a.example" in page.texts["contact"]
    assert "change" not in page.links


def test_looking_never_acts(stage: Stage, client: Visitor) -> None:
    name, url = invited(stage)
    for method in ("GET", "HEAD"):
        client.fetch(method, url, params=row(1))
    assert shown(stage, name)["state"] == "open" and said(stage, name) == []


def test_links_that_open_nothing_look_all_alike(stage: Stage, client: Visitor) -> None:
    name, url = invited(stage, expires="2026-05-06T08:00:00-04:00")
    form = opened(client, url)
    token = url.rpartition("/")[2]
    renewed = stage.store.write(
        lambda tx: renew_link(
            stage.ctx, tx, Purpose.PROPOSAL, proposal_subject(name), stage.clock.now() + timedelta(days=2)
        )
    ).replace(stage.ctx.public_url, stage.url)
    opened(client, renewed)
    other = invited(stage)[1]
    gone = [client.get(one) for one in (url, f"{stage.url}/v/{token}", f"{stage.url}/b/{token}", other + "x")]
    gone.append(form.press("propose", **row(1)))
    stage.clock.advance(timedelta(days=2))
    gone.append(client.get(renewed))
    assert [one.status for one in gone] == [404] * 6
    assert all(CLOSED in one.text for one in gone)
    assert ask(stage) and shown(stage, name)["state"] == "expired"
