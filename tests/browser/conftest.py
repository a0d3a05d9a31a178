"""One Chromium for all tests of pages, and the town's server with something to say about its visits."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.eyes import FLAGS, Eyes, looking
from tests.programs import PROGRAMS
from tests.web.stage import Stage, staged
from tests.web.test_visit_page import people

Look = Callable[..., AbstractContextManager[Eyes]]


@pytest.fixture(scope="module")  # while it lives, a loop runs in this thread, and other tests begin loops of their own
def browser() -> Iterator[Browser]:
    with sync_playwright() as found:
        chromium = found.chromium.launch(executable_path=PROGRAMS["chromium"].path(), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, found=people()) as found:
        yield found


@pytest.fixture
def look(browser: Browser, tmp_path: Path) -> Look:
    """Open a browser for one person: `with look(width=360) as eyes`."""
    return partial(looking, browser, tmp_path)
