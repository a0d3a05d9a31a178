"""A client with a browser names the times that suit: five windows, a mistake that costs nothing typed, a change."""

from typing import Any

import pytest

from tests.browser.conftest import Look
from tests.browser.eyes import DESK, PHONE
from tests.browser.test_booking import arrive
from tests.programs import needs
from tests.web.stage import Stage
from tests.web.test_api_proposals import shown
from tests.web.test_propose_page import SHOWN, invited, rows

pytestmark = needs("chromium")


def windows(stage: Stage, name: str) -> list[Any]:
    found: list[Any] = shown(stage, name)["windows"]
    return found


@pytest.mark.parametrize(
    ("width", "scripts", "language"),
    [(PHONE, True, "es-CL"), (PHONE, False, "de-DE"), (DESK, True, "it-IT"), (DESK, False, "es-CL")],
)
def test_five_windows_are_named_and_changed(stage: Stage, look: Look, width: int, scripts: bool, language: str) -> None:
    name, url = invited(stage, property=SHOWN)
    with look(width=width, scripts=scripts, language=language) as eyes:
        arrive(eyes, url).look("asked")
        typed = rows(5)
        for field, value in (typed | {"until_3": "09:00"}).items():
            eyes.page.fill(f"#{field}", value)
        eyes.press("#propose button")
        eyes.look("wrong")
        assert windows(stage, name) == []
        assert eyes.page.input_value("#date_5") == typed["date_5"], "nothing that was typed is lost"
        eyes.page.fill("#until_3", typed["until_3"])
        with eyes.page.expect_navigation():
            eyes.page.dblclick("#propose button")
        eyes.page.wait_for_selector("#windows")
        eyes.look("sent")
        assert len(windows(stage, name)) == 5
        eyes.press("#change")
        eyes.look("change")
        for field in ("date_5", "from_5", "until_5"):
            eyes.page.fill(f"#{field}", "")
        eyes.press("#propose button")
        eyes.look("changed")
    assert len(windows(stage, name)) == 4
