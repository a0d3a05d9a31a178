"""A client with a browser names windows: with and without scripts, on a telephone and at a desk, by keyboard alone."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.browser.conftest import Look
from tests.browser.eyes import DESK, PHONE, Eyes
from tests.programs import needs
from tests.web.stage import Stage
from tests.web.test_api_proposals import PLACE, accept, asking, shown

pytestmark = needs("chromium")

FACTS = [{"label": "Superficie construida", "value": "120 m²"}, {"label": "muy" * 30, "value": "largo" * 40}]
RIGHT = {"date_1": "2026-05-12", "from_1": "10:00", "until_1": "12:00"}
WRONG = RIGHT | {"until_1": "09:00", "date_3": "2026-05-04", "from_3": "01:00", "until_3": "02:00"}


def at_proposal(stage: Stage, eyes: Eyes, **changes: Any) -> str:
    """Make a proposal, open its page, and return its id."""
    made = stage.api.post("/api/proposals", asking(**changes)).json()
    eyes.page.goto(made["url"].replace(stage.ctx.public_url, stage.url))
    name: str = made["id"]
    return name


def fill(eyes: Eyes, fields: Mapping[str, str]) -> None:
    for name, value in fields.items():
        eyes.page.fill(f"#{name}", value)


@pytest.mark.parametrize(
    ("width", "scripts", "language"), [(PHONE, True, "es-CL"), (PHONE, False, "de-DE"), (DESK, True, "it-IT")]
)
def test_from_the_form_to_the_visit(stage: Stage, look: Look, width: int, scripts: bool, language: str) -> None:
    with look(width=width, scripts=scripts, language=language) as eyes:
        name = at_proposal(stage, eyes, property=PLACE | {"facts": FACTS})
        eyes.look("asked")
        fill(eyes, WRONG)
        eyes.press("#propose button")
        eyes.look("faults")
        assert eyes.page.input_value("#until_1") == "09:00" and eyes.page.input_value("#date_3") == "2026-05-04"
        assert eyes.page.get_attribute("#until_1", "aria-describedby") == "until_1-error"
        fill(eyes, RIGHT | {"date_3": "", "from_3": "", "until_3": ""})
        eyes.press("#propose button")
        eyes.look("sent")
        assert len(shown(stage, name)["windows"]) == 1
        eyes.press("#change")
        eyes.look("change")
        fill(eyes, {"date_5": "2026-05-13", "from_5": "10:00", "until_5": "12:00"})
        eyes.press("#propose button")
        assert len(shown(stage, name)["windows"]) == 2
        assert accept(stage, name, 3).status_code == 200
        eyes.page.reload()
        eyes.look("booked")


def test_the_keyboard_is_enough(stage: Stage, look: Look) -> None:
    with look(width=PHONE, language="en") as eyes:
        name = at_proposal(stage, eyes)
        eyes.tab_to("#date_1")
        eyes.page.keyboard.type("05122026")
        eyes.tab_to("#from_1")
        eyes.page.keyboard.type("1000AM")
        eyes.tab_to("#until_1")
        eyes.page.keyboard.type("1100AM")
        eyes.tab_to("#propose button")
        with eyes.page.expect_navigation():
            eyes.page.keyboard.press("Enter")
        eyes.look("sent")
        (window,) = shown(stage, name)["windows"]
        assert window["start"] == "2026-05-12T10:00:00-04:00"


def test_two_clicks_are_one_answer(stage: Stage, look: Look) -> None:
    with look(width=PHONE) as eyes:
        name = at_proposal(stage, eyes)
        fill(eyes, RIGHT)
        with eyes.page.expect_navigation():
            eyes.page.dblclick("#propose button")
        eyes.page.wait_for_selector("#windows")
        with stage.store.read() as tx:
            assert len(tx.queue.notices(about=f"proposal:{name}")) == 1
