"""A real Chromium that looks at our pages: what it complains of, what it shows at which width, and whether people with
a keyboard or a screen reader can use it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response

from tests.web.markup import faults

PHONE, DESK = 360, 1280
SEVERE = ("serious", "critical")
SQUEEZED = """[...document.querySelectorAll("dd, p, li label, button")]
    .filter(one => one.offsetWidth && one.offsetWidth < 40 + 4 * Math.min(one.innerText.length, 20))
    .map(one => `${one.tagName} of ${one.offsetWidth} px: ${one.innerText}`)"""
PATIENCE = 10_000  # milliseconds for anything to appear
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--metrics-recording-only",
    "--no-first-run",
    "--no-proxy-server",
]


@dataclass
class Eyes:
    """One person's browser; `seen` names the pages that were judged."""

    browser: Browser
    context: BrowserContext
    page: Page
    shots: Path
    scripts: bool
    complaints: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    touched: bool = False  # pictures and axe leave marks in a document; its markup is judged before them

    def look(self, name: str) -> "Eyes":
        """Judge the page as it stands now: markup, width, access, and keep a picture of it."""
        wide = self.page.evaluate("[document.scrollingElement.scrollWidth, document.scrollingElement.clientWidth]")
        assert wide[0] <= wide[1], f"{name} scrolls sideways: {wide[0]} of {wide[1]} px"
        _none(name, self.page.evaluate(SQUEEZED))
        if not self.touched:
            text = self.page.content().replace("<!DOCTYPE html>", "<!doctype html>\n", 1)
            _none(name, faults(text))
        self.touched = True
        self.page.screenshot(path=self.shots / f"{name}.png", full_page=True)
        if self.scripts:
            _none(name, self.barriers())
        _none(name, self.complaints)
        self.seen.append(name)
        return self

    def barriers(self) -> list[str]:
        """Return the serious and critical violations that axe finds, each with the element."""
        found: list[dict[str, Any]] = Axe().run(self.page).response["violations"]
        return [
            f"{one['id']} ({one['impact']}): {node['html'][:160]}"
            for one in found
            if one["impact"] in SEVERE
            for node in one["nodes"]
        ]

    def press(self, selector: str) -> None:
        """Click something that leads to another page, and wait for it."""
        with self.page.expect_navigation(timeout=PATIENCE):
            self.page.click(selector, timeout=PATIENCE)

    def text(self, selector: str = "main") -> str:
        return self.page.inner_text(selector, timeout=PATIENCE)

    def heading(self) -> str:
        return self.text("h1")

    def tab_to(self, selector: str, most: int = 80) -> None:
        """Press Tab until the focus is on what fits the selector, and see that the focus shows."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            if self.page.evaluate("one => document.activeElement.matches(one)", selector):
                return
        raise AssertionError(f"no Tab leads to {selector}")

    # what the browser complains of

    def listen(self) -> None:
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._answered)
        self.page.on("domcontentloaded", self._arrived)

    def _said(self, message: ConsoleMessage) -> None:
        # an answer of 4xx is a complaint of the console too; which ones are right is judged in _answered
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.complaints.append(f"console: {message.text}")

    def _arrived(self, _page: Page) -> None:
        self.touched = False

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # a second click stops what the first one began
            self.complaints.append(f"{request.url} failed: {request.failure}")

    def _answered(self, answer: Response) -> None:
        if answer.status >= 500 or (answer.status >= 400 and not answer.request.is_navigation_request()):
            self.complaints.append(f"{answer.url} answered {answer.status}")


def _none(name: str, found: list[str]) -> None:
    assert not found, f"{name}: {found}"


@contextmanager
def looking(
    browser: Browser, shots: Path, *, width: int = DESK, language: str = "es-CL", scripts: bool = True, **more: Any
) -> Iterator[Eyes]:
    """Open a browser of one person's own, of this width and language."""
    context = browser.new_context(
        viewport={"width": width, "height": 800}, locale=language, java_script_enabled=scripts, **more
    )
    eyes = Eyes(browser, context, context.new_page(), shots, scripts)
    eyes.page.set_default_timeout(PATIENCE)
    eyes.listen()
    try:
        yield eyes
        _none("at the end", eyes.complaints)
    finally:
        context.close()
