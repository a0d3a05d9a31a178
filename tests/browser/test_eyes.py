"""Whoever judges pages in a browser notices what is wrong with one."""

import pytest

from tests.browser.conftest import Look
from tests.programs import needs
from tests.web.stage import Stage

pytestmark = needs("chromium")

GOOD = (
    '<h1>Visita</h1><form method="post"><input type="hidden" name="form" value="x"><label>Nombre <input></label></form>'
)
WRONG = {
    "too wide": ('<div class="wide">x</div>', "body { display: block } .wide { width: 2000px }", "scrolls sideways"),
    "no label": ('<input name="naked">', "", "no label"),
    "faint": ('<p class="faint">text</p>', ".faint { color: #ddd; background: #fff }", "color-contrast"),
    "no alt": ('<img src="data:,">', "", "no alt"),
}


def document(inner: str) -> str:
    return f'<!DOCTYPE html><html lang="es"><head><title>x</title></head><body><main>{inner}</main></body></html>'


def test_a_good_page_is_praised(look: Look) -> None:
    with look() as eyes:
        eyes.page.set_content(document(GOOD))
        assert eyes.look("good").seen == ["good"]


@pytest.mark.parametrize("fault", WRONG)
def test_a_fault_is_seen(look: Look, fault: str) -> None:
    inner, style, told = WRONG[fault]
    with look() as eyes:
        eyes.page.set_content(document(GOOD + inner))
        if style:
            eyes.page.add_style_tag(content=style)
            eyes.touched = True  # the style is ours, and not what is judged
        with pytest.raises(AssertionError, match=told):
            eyes.look("wrong")
        eyes.complaints.clear()


def test_what_the_policy_of_a_page_forbids_is_heard(look: Look, stage: Stage) -> None:
    with look() as eyes:
        eyes.page.goto(f"{stage.url}/v/nothing")
        eyes.page.evaluate("document.body.setAttribute('style', 'color: red')")
        eyes.page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'x = 1'}))")
        eyes.page.wait_for_function("true")
        assert any("Content Security Policy" in one for one in eyes.complaints)
        assert eyes.page.evaluate("typeof x") == "undefined", "the script did not run"
        eyes.complaints.clear()
