"""A client with a browser at the booking page: chooses, loses the time, keeps what was typed, books once; and the same
without scripts, on a telephone, by keyboard alone, with two clicks and with the back button."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from syncd.core.ids import AgentId
from syncd.core.visit import VisitState
from tests.browser.conftest import Look
from tests.browser.eyes import DESK, PHONE, Eyes
from tests.programs import needs
from tests.web.stage import Stage, booking, staged
from tests.web.test_book_page import OPEN, TEN, invite, of_request, people
from tests.world import town

pytestmark = needs("chromium")

SIZES = pytest.mark.parametrize(
    ("width", "scripts", "language"),
    [(PHONE, True, "es-CL"), (PHONE, False, "it-IT"), (DESK, True, "de-DE"), (DESK, False, "es-CL")],
)
PICTURE = "<svg xmlns='http://www.w3.org/2000/svg' width='1600' height='900'><rect width='1600' height='900'/></svg>"
CONTACT = {"name": "Eva Díaz Ñuñoa", "email": "eva@example.com", "phone": "+56 9 1234 5678", "tax_id": "12.345.678-5"}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """One agent alone, so that a time which is taken is taken."""
    found = people()
    projects = {
        name: replace(one, team=(AgentId("ana"),)) if name in (town.CASAS, OPEN) else one
        for name, one in found.projects.items()
    }
    with staged(tmp_path, found=replace(found, projects=projects)) as opened:
        yield opened


def arrive(eyes: Eyes, url: str) -> Eyes:
    """Open a page; the pictures it shows come from a stand-in of their server."""
    eyes.page.route("https://fotos.example/**", lambda one: one.fulfill(body=PICTURE, content_type="image/svg+xml"))
    eyes.page.goto(url)
    return eyes


def fill(eyes: Eyes, **typed: str) -> None:
    for name, value in (CONTACT | typed).items():
        if eyes.page.locator(f"#{name}").count():
            eyes.page.fill(f"#{name}", value)


def to_form(eyes: Eyes, time: str = "2026-05-12T10") -> None:
    """Go by clicks from the days to the form."""
    day = time[:10]
    eyes.press(f".days a[href*='day={day}']")
    eyes.press(f".times a[href*='{time}']")


@SIZES
def test_a_client_books_through_the_link_of_a_request(
    stage: Stage, look: Look, width: int, scripts: bool, language: str
) -> None:
    with look(width=width, scripts=scripts, language=language) as eyes:
        arrive(eyes, invite(stage, property="Casa " + "larga" * 30)).look("days")
        eyes.press(".days a[href*='day=2026-05-12']")
        eyes.look("times")
        eyes.press(".times a[href*='2026-05-12T10']")
        eyes.look("form")
        fill(eyes, answer_1="B-12, portón 'azul' & <b>")
        eyes.press("#book button")
        eyes.look("booked")
        (visit,) = of_request(stage)
        assert visit.state is VisitState.CONFIRMED
        assert visit.answers[0].answer == "B-12, portón 'azul' & <b>"
        eyes.press("#manage")
        eyes.look("managed")


@SIZES
def test_a_time_that_was_lost_costs_nothing_that_was_typed(
    stage: Stage, look: Look, width: int, scripts: bool, language: str
) -> None:
    with look(width=width, scripts=scripts, language=language) as eyes:
        arrive(eyes, f"{stage.url}/b/abierto").look("public")
        to_form(eyes)
        fill(eyes, answer_1="B-12\nsegunda línea", property="Casa 7")
        stage.book(TEN, contact={"name": "Otra", "email": "otra@example.com"})
        eyes.press("#book button:not(.chip)")
        eyes.look("lost")
        assert eyes.page.locator("#said[role=alert]").count() == 1
        for name, value in CONTACT.items():
            assert eyes.page.input_value(f"#{name}") == value
        assert eyes.page.input_value("#answer_1") == "B-12\nsegunda línea"
        assert eyes.page.input_value("#property") == "Casa 7"
        eyes.press("#days button >> nth=2")
        eyes.look("another-day")
        assert eyes.page.input_value("#name") == CONTACT["name"]
        eyes.page.locator("#choices input").first.check()
        eyes.press("#book button:not(.chip)")
        eyes.look("booked")
    (mine,) = [one for one in stage.visits() if one.contact.name == CONTACT["name"]]
    assert mine.state is VisitState.CONFIRMED and mine.answers[0].answer == "B-12\nsegunda línea"


@pytest.mark.parametrize("scripts", [True, False])
def test_what_is_wrong_is_said_at_the_field_and_above_the_form(stage: Stage, look: Look, scripts: bool) -> None:
    with look(width=PHONE, scripts=scripts) as eyes:
        arrive(eyes, f"{stage.url}/b/abierto?start={TEN}")
        eyes.page.eval_on_selector("#book", "one => { one.noValidate = true }")
        fill(eyes, name=" ", email="nadie@@example", phone="+56 1", answer_1="")
        eyes.press("#book button:not(.chip)")
        eyes.look("wrong")
        assert {one.get_attribute("id") for one in eyes.page.locator("[aria-invalid=true]").all()} >= {"name", "email"}
        assert eyes.page.evaluate("document.activeElement.id") == "errors", "who cannot see hears it at once"
        assert eyes.page.input_value("#email") == "nadie@@example"
        fill(eyes, answer_1="B-12")
        eyes.press("#book button:not(.chip)")
        eyes.look("booked")
    assert len(stage.visits()) == 1


@pytest.mark.parametrize("place", ["request", "public"])
def test_two_clicks_book_once(stage: Stage, look: Look, place: str) -> None:
    with look() as eyes:
        arrive(eyes, invite(stage) if place == "request" else f"{stage.url}/b/abierto")
        to_form(eyes)
        fill(eyes, answer_1="B-12")
        eyes.page.dblclick("#book button:not(.chip)")  # the second click ends the navigation of the first
        eyes.page.wait_for_selector("#state")
        eyes.look("booked")
    assert len(stage.visits()) == 1


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("place", ["request", "public"])
def test_back_and_the_same_again_books_nothing_more(stage: Stage, look: Look, place: str, scripts: bool) -> None:
    with look(scripts=scripts) as eyes:
        arrive(eyes, invite(stage) if place == "request" else f"{stage.url}/b/abierto")
        to_form(eyes)
        fill(eyes, answer_1="B-12")
        eyes.press("#book button:not(.chip)")
        eyes.page.go_back()
        if eyes.page.locator("#book input[type=hidden][name=start]").count():
            fill(eyes, answer_1="B-12")
            eyes.press("#book button:not(.chip)")
        eyes.look("again")
        eyes.page.reload()
        eyes.look("reloaded")
    assert len(stage.visits()) == 1


def test_two_tabs_of_one_request_end_at_one_visit(stage: Stage, look: Look) -> None:
    url = invite(stage)
    with look() as one, look(width=PHONE) as other:
        for eyes, time in ((one, "2026-05-12T10"), (other, "2026-05-13T11")):
            arrive(eyes, url)
            to_form(eyes, time)
            fill(eyes, answer_1="B-12")
        one.press("#book button:not(.chip)")
        other.press("#book button:not(.chip)")
        other.look("second")
        assert "10:00" in other.text("#visit")
    assert len(stage.visits()) == 1


def test_a_visit_is_booked_by_keyboard_alone(stage: Stage, look: Look) -> None:
    with look() as eyes:
        arrive(eyes, f"{stage.url}/b/abierto")
        keys = eyes.page.keyboard
        for target in (".days a[href*='day=2026-05-12']", ".times a[href*='2026-05-12T10']"):
            eyes.tab_to(target)
            with eyes.page.expect_navigation():
                keys.press("Enter")
        for name in ("name", "email", "phone", "property", "answer_1"):
            eyes.tab_to(f"#{name}")
            keys.type({"property": "Casa 7", "answer_1": "B-12"}.get(name) or CONTACT[name])
        eyes.tab_to("#book button:not(.chip)")
        with eyes.page.expect_navigation():
            keys.press("Space")
        eyes.look("booked")
    (visit,) = stage.visits()
    assert (visit.contact.name, visit.contact.email) == (CONTACT["name"], CONTACT["email"])


def test_nothing_free_and_nothing_open_are_said_in_words(tmp_path: Path, look: Look) -> None:
    found = people(window=replace(town.VISITA.window, business_days=0))
    with staged(tmp_path / "full", found=found) as full, look(width=PHONE) as eyes:
        arrive(eyes, f"{full.url}/b/abierto").look("none")
        assert eyes.page.locator("#none").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, DESK])
def test_contrast_and_width_hold_in_both_schemes(stage: Stage, look: Look, scheme: str, width: int) -> None:
    with look(width=width, color_scheme=scheme) as eyes:
        arrive(eyes, f"{stage.url}/b/abierto").look(f"days-{scheme}")
        to_form(eyes)
        eyes.look(f"form-{scheme}")
        fill(eyes, answer_1="B-12")
        stage.api.post("/api/visits", booking(TEN))
        eyes.press("#book button:not(.chip)")
        eyes.look(f"lost-{scheme}")
