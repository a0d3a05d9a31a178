"""The edge around everything: headers on every answer, no stack outside, a page that says where to go."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import pytest
import requests

from syncd.errors import StoreUnwritable
from syncd.store import Store, Tx
from syncd.web.headers import CSP, HEADERS
from tests.web.raw import ask, wire
from tests.web.recorder import check_problem
from tests.web.stage import TOKEN, Stage, booking, request_body, staged

PATHS = [
    ("GET", "/"),
    ("GET", "/style.css"),
    ("HEAD", "/"),
    ("GET", "/nothing"),
    ("POST", "/"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/api/openapi.json"),
    ("GET", "/api/visits"),
    ("POST", "/api/visits"),
    ("GET", "/hook/calendly"),
    ("POST", "/hook/calendly"),
    ("GET", "/feeds/x.ics"),
    ("PROPFIND", "/dav/"),
    ("OPTIONS", "/dav/"),
    ("GET", "/.well-known/caldav"),
    ("TRACE", "/"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_every_answer_carries_the_security_headers(stage: Stage, method: str, path: str) -> None:
    answer = requests.request(method, stage.url + path, allow_redirects=False, timeout=20)
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "Server" not in answer.headers, "nobody need know what we run on"
    assert "Strict-Transport-Security" not in answer.headers, "over plain http it means nothing"
    if not path.startswith(("/dav", "/feeds", "/style")):
        assert answer.headers["Cache-Control"] == "no-store"
    if answer.status_code >= 400 and method != "HEAD":
        check_problem(answer)


def test_the_policy_is_the_one_of_the_security_bar() -> None:
    assert {name: value for name, value in HEADERS.items() if name != "Content-Security-Policy"} == {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    assert HEADERS["Content-Security-Policy"] == CSP
    assert CSP == (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' https:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def test_behind_https_the_browser_is_told_to_stay_there(tmp_path: Path) -> None:
    with staged(tmp_path, public_url="https://visitas.example.cl") as own:
        answer = requests.get(own.url, timeout=20)
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


class Page(HTMLParser):
    """Collects what a page refers to and what a policy would forbid."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forbidden: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.links += [named[name] or "" for name in ("href", "src", "action") if name in named]
        if tag in ("style", "script", "iframe", "object", "base") or any(
            name == "style" or name.startswith("on") for name in named
        ):
            self.forbidden.append(tag)


def test_the_first_page_says_where_to_go_and_every_link_leads_there(stage: Stage) -> None:
    answer = requests.get(stage.url, timeout=20)
    page = Page(answer.text)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert not page.forbidden
    assert {"/api/openapi.json", "/healthz", "/readyz", "/metrics", "/style.css"} <= set(page.links)
    for link in page.links:
        assert requests.get(stage.url + link, timeout=20).status_code in (200, 503), link
    assert '<html lang="es">' in answer.text and 'lang="en"' in answer.text
    assert "/dav/" in answer.text


class Broken:
    """A store that fails in a way of its own."""

    def __init__(self, store: Store, error: Exception) -> None:
        self.store, self.error = store, error

    def read(self) -> AbstractContextManager[Tx]:
        raise self.error

    def write(self, fn: Any) -> Any:
        raise self.error


@pytest.fixture
def break_store(running: Stage) -> Iterator[Any]:
    whole = running.ctx.store
    yield lambda error: object.__setattr__(running.ctx, "store", cast(Store, Broken(whole, error)))
    object.__setattr__(running.ctx, "store", whole)


REQUESTS = [
    ("GET", "/api/visits", None),
    ("POST", "/api/visits", booking()),
    ("POST", "/api/requests", request_body()),
    ("POST", "/api/visits/x/cancel", {"by": "staff"}),
    ("GET", "/readyz", None),
    ("GET", "/metrics", None),
    ("GET", "/feeds/x.ics", None),
]


@pytest.mark.parametrize(("method", "path", "body"), REQUESTS)
@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (RuntimeError("Eva Díaz's visit"), 500, "internal"),
        (StoreUnwritable("/var/lib/syncd is full"), 503, "store-unavailable"),
    ],
)
def test_a_failure_of_ours_is_a_problem_with_an_id_and_never_a_stack(
    stage: Stage, break_store: Any, method: str, path: str, body: Any, error: Exception, status: int, kind: str
) -> None:
    break_store(error)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = requests.request(method, stage.url + path, json=body, headers=headers, timeout=20)
    check_problem(answer)
    assert (answer.status_code, answer.json()["type"]) == (status, kind)
    assert re.search(r"error [0-9a-f]{12}$", answer.json()["detail"])
    assert "Eva" not in answer.text and "/var" not in answer.text and "Traceback" not in answer.text
    assert kind == "internal" or answer.headers["Retry-After"] == "5"


def test_the_id_in_the_answer_stands_in_the_log(
    stage: Stage, break_store: Any, caplog: pytest.LogCaptureFixture
) -> None:
    break_store(RuntimeError("x"))
    answer = requests.get(f"{stage.url}/readyz", timeout=20)
    mark = answer.json()["detail"].removeprefix("error ")
    assert [vars(one)["id"] for one in caplog.records if one.getMessage() == "a request failed"] == [mark]


def test_h25_a_nul_in_the_path_is_400(stage: Stage) -> None:
    for path in ("/%00", "/api/visits/%00", "/feeds/%00.ics", "/dav/%00/", "/hook/calendly%00"):
        with wire(stage.server.address, ask(path)) as line:
            assert line.hear().status == 400


def test_a_trailing_slash_is_another_address_and_nothing_redirects(stage: Stage) -> None:
    for path in ("/healthz/", "/api/visits/", "//evil.example/", "/api//visits"):
        answer = requests.get(stage.url + path, allow_redirects=False, timeout=20)
        assert answer.status_code == 404, path
