"""A client with a browser at the page of a visit: confirms, moves, cancels, takes it back; with and without scripts,
on a telephone and at a desk, by keyboard alone, with two clicks, with the back button, on paper."""

from typing import Any

import pytest

from syncd.core.visit import ClientConfirmation, VisitState
from tests.browser.conftest import Look
from tests.browser.eyes import DESK, PHONE, Eyes
from tests.programs import needs
from tests.web.stage import Stage
from tests.web.test_visit_page import link

pytestmark = needs("chromium")

SIZES = pytest.mark.parametrize(
    ("width", "scripts", "language"),
    [(PHONE, True, "es-CL"), (PHONE, False, "de-DE"), (DESK, True, "it-IT"), (DESK, False, "es-CL")],
)
TEN = "2026-05-12T10:00:00-04:00"


def at_visit(stage: Stage, eyes: Eyes, start: str = TEN, **changes: Any) -> str:
    """Book a visit, open its page, and return its id."""
    visit_id = str(stage.book(start, host="ana", **changes)["id"])
    eyes.page.goto(link(stage, visit_id))
    return visit_id


def versions(stage: Stage, visit_id: str) -> int:
    return stage.visit(visit_id).version


@SIZES
def test_the_whole_life_of_a_visit(stage: Stage, look: Look, width: int, scripts: bool, language: str) -> None:
    with look(width=width, scripts=scripts, language=language) as eyes:
        visit_id = at_visit(stage, eyes, property={"id": "12", "name": "Casa 12 " + "muy" * 40, "address": "x" * 120})
        eyes.look("asked")
        eyes.press("#confirm button")
        eyes.look("confirmed")
        assert stage.visit(visit_id).client_confirmation is ClientConfirmation.YES
        eyes.press("#move")
        eyes.look("move")
        before = stage.visit(visit_id).interval.start
        eyes.page.locator(".times label").last.click()
        eyes.look("chosen")
        eyes.press("#times button")
        eyes.look("moved")
        assert stage.visit(visit_id).interval.start != before
        eyes.press("#cancel")
        eyes.look("why")
        eyes.page.locator("#why input[type=radio]").first.check()
        eyes.page.fill("#words", "Lo siento, <b>no puedo</b> {{7*7}}")
        eyes.press("#why button")
        eyes.look("cancelled")
        assert stage.visit(visit_id).state is VisitState.CANCELLED
        eyes.press("#undo button")
        eyes.look("undone")
        assert stage.visit(visit_id).state is VisitState.CONFIRMED


def test_without_a_choice_nothing_is_cancelled_or_moved(stage: Stage, look: Look) -> None:
    with look(width=PHONE) as eyes:
        visit_id = at_visit(stage, eyes)
        before = versions(stage, visit_id)
        for step, form in (("#cancel", "#why"), ("#move", "#times")):
            eyes.press(step)
            eyes.page.click(f"{form} button")  # the browser asks for a choice and sends nothing
            assert eyes.page.evaluate("one => !document.querySelector(one).checkValidity()", form)
            eyes.press("#back")
        assert versions(stage, visit_id) == before


def test_two_clicks_are_one_act(stage: Stage, look: Look) -> None:
    with look() as eyes:
        visit_id = at_visit(stage, eyes)
        before = versions(stage, visit_id)
        with eyes.page.expect_navigation():
            eyes.page.dblclick("#confirm button")
        eyes.page.wait_for_load_state()
        eyes.page.goto(link(stage, visit_id))
        assert versions(stage, visit_id) == before + 1
        eyes.look("twice")


def test_the_back_button_and_the_same_act_again_show_the_state_reached(stage: Stage, look: Look) -> None:
    with look() as eyes:
        visit_id = at_visit(stage, eyes)
        eyes.press("#cancel")
        eyes.page.locator("#why input[type=radio]").first.check()
        eyes.press("#why button")
        after = versions(stage, visit_id)
        eyes.page.go_back()
        if eyes.page.locator("#why").count():
            eyes.page.locator("#why input[type=radio]").first.check()
            eyes.press("#why button")
        eyes.page.goto(link(stage, visit_id))
        eyes.look("again")
        assert versions(stage, visit_id) == after
        assert stage.visit(visit_id).state is VisitState.CANCELLED


def test_a_time_that_was_lost_meanwhile_is_said_and_another_one_taken(stage: Stage, look: Look) -> None:
    with look(width=PHONE) as eyes:
        visit_id = at_visit(stage, eyes)
        eyes.press("#move")
        wanted = str(eyes.page.locator("#times input[name=start]").last.get_attribute("value"))
        stage.book(wanted, host="ana", contact={"name": "Otra", "email": "otra@example.com"})
        eyes.page.locator(".times label").last.click()
        eyes.press("#times button")
        eyes.look("lost")
        assert eyes.page.locator("#said").count() == 1
        assert wanted not in [one.get_attribute("value") for one in eyes.page.locator("#times input[name=start]").all()]
        eyes.page.locator(".times label").last.click()
        eyes.press("#times button")
        assert stage.visit(visit_id).interval.start.isoformat() != TEN
        eyes.look("moved")


def test_a_visit_is_moved_and_cancelled_by_keyboard_alone(stage: Stage, look: Look) -> None:
    with look() as eyes:
        visit_id = at_visit(stage, eyes)
        keys = eyes.page.keyboard
        eyes.page.keyboard.press("Tab")
        assert eyes.page.evaluate("document.activeElement.className") == "skip", "the first Tab skips to the content"
        eyes.tab_to("#move")
        with eyes.page.expect_navigation():
            keys.press("Enter")
        eyes.tab_to("#times input")
        keys.press("ArrowRight")
        eyes.look("by-keyboard")
        eyes.tab_to("#times button")
        before = stage.visit(visit_id).interval.start
        with eyes.page.expect_navigation():
            keys.press("Enter")
        assert stage.visit(visit_id).interval.start != before
        eyes.tab_to("#cancel")
        with eyes.page.expect_navigation():
            keys.press("Enter")
        eyes.tab_to("#why input")
        keys.press("Space")
        eyes.tab_to("#why button")
        with eyes.page.expect_navigation():
            keys.press("Space")
        assert stage.visit(visit_id).state is VisitState.CANCELLED


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, PHONE, DESK])
def test_contrast_and_width_hold_in_both_schemes(stage: Stage, look: Look, scheme: str, width: int) -> None:
    with look(width=width, color_scheme=scheme) as eyes:
        at_visit(stage, eyes)
        eyes.look(f"{scheme}-{width}")
        for step in ("#move", "#cancel"):
            eyes.press(step)
            eyes.look(f"{scheme}-{width}-{step[1:]}")
            eyes.press("#back")


def test_on_paper_there_is_the_visit_and_nothing_to_press(stage: Stage, look: Look) -> None:
    with look() as eyes:
        at_visit(stage, eyes)
        eyes.page.emulate_media(media="print")
        assert eyes.page.locator("#visit").is_visible()
        assert "10:00" in eyes.text("#visit")
        pressed = eyes.page.locator("button, .button, form, nav").all()
        assert [one.inner_text() for one in pressed if one.is_visible()] == []
        eyes.page.screenshot(path=eyes.shots / "paper.png", full_page=True)


def test_large_letters_do_not_break_the_page(stage: Stage, look: Look) -> None:
    """WCAG 1.4.4: text at twice its size; a telephone's owner may ask for it."""
    with look(width=PHONE, device_scale_factor=1) as eyes:
        at_visit(stage, eyes)
        for step in ("", "#move", "#cancel"):
            if step:
                eyes.press(step)
            eyes.page.evaluate("document.documentElement.style.fontSize = '200%'")
            wide = eyes.page.evaluate("document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth")
            eyes.page.screenshot(path=eyes.shots / f"large{step[1:]}.png", full_page=True)
            assert wide <= 0, f"{step} is {wide} px too wide"
            if step:
                eyes.press("#back")


def test_a_link_that_opens_nothing_is_a_page_like_any_other(stage: Stage, look: Look) -> None:
    with look(width=PHONE) as eyes:
        for letter in "bvp":
            eyes.page.goto(f"{stage.url}/{letter}/nothing")
            eyes.look(f"gone-{letter}")
