"""The sign-in of one person: a browser of ours at the consent screen of our server, and the way back to loopback."""

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from connectors._google_sign_in import PATIENCE
from connectors.google import SPEC, GoogleSettings
from syncd.clock import SystemClock
from syncd.core.ids import AccountId
from syncd.errors import AuthFailed, Permanent, Transient
from tests.connectors.google_stage import Kept, environment, settings_for
from tests.servers.google import Google, serving
from tests.servers.google_token import EVENTS, client_file

ACCOUNT = AccountId("ana")


@pytest.fixture
def google() -> Iterator[Google]:
    with serving() as state:
        yield state


class Browser:
    """Opens the address it is told, in a thread of its own, and follows to wherever it is sent."""

    def __init__(self, *, before: Any = None) -> None:
        self.told: list[str] = []
        self.pages: list[str] = []
        self.before = before  # visits that come first
        self._thread: threading.Thread | None = None

    def tell(self, text: str) -> None:
        self.told.append(text)
        if self._thread is None:
            (address,) = re.findall(r"http\S+", text)
            self._thread = threading.Thread(target=self._visit, args=(address,))
            self._thread.start()

    def _visit(self, address: str) -> None:
        with requests.Session() as session:
            session.trust_env = False
            if self.before is not None:
                self.before(session, parse_qs(urlsplit(address).query)["redirect_uri"][0])
            self.pages.append(session.get(address, timeout=10).text)

    def close(self) -> None:
        if self._thread is not None:
            self._thread.join(10)


def sign_in(google: Google, browser: Browser, **changes: Any) -> Kept:
    kept = Kept(None)
    settings = GoogleSettings.model_validate({"client": client_file(google.url), "api_url": google.url})
    assert SPEC.sign_in is not None
    try:
        SPEC.sign_in(ACCOUNT, settings, environment(**({"tokens": lambda _: kept} | changes)), browser.tell)
    finally:
        browser.close()
    return kept


def test_a_person_signs_in_and_the_refresh_token_is_kept(google: Google) -> None:
    browser = Browser()
    kept = sign_in(google, browser)
    (saved,) = kept.saved
    assert json.loads(saved) == {"account": "ana", "refresh_token": next(iter(google.desk.refresh))}
    assert "Listo" in browser.pages[0]
    assert "ssh -L" in browser.told[1]


def test_the_code_is_bound_to_us_by_pkce(google: Google) -> None:
    browser = Browser()
    sign_in(google, browser)
    query = parse_qs(urlsplit(browser.told[0].split("\n")[1]).query)
    (form,) = google.desk.asked
    digest = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
    assert query["code_challenge"] == [digest] and query["code_challenge_method"] == ["S256"]
    assert 43 <= len(form["code_verifier"]) <= 128 and form["code_verifier"] not in browser.told[0]


def test_visitors_without_the_state_are_sent_away_and_the_person_still_gets_in(google: Google) -> None:
    def strangers(session: requests.Session, door: str) -> None:
        for path in (
            "/favicon.ico",
            "/?code=forged",
            "/?code=forged&state=",
            "/?code=forged&state=%C3%B1",
            "/?error=x",
        ):
            assert session.get(f"{door}{path}", timeout=10).status_code == 404
        host = urlsplit(door)
        with socket.create_connection((str(host.hostname), host.port or 0), 5) as line:
            line.sendall(b"\x16\x03\x01 not HTTP at all\r\n\r\n")

    kept = sign_in(google, Browser(before=strangers))
    assert len(kept.saved) == 1 and all(form["code"] != "forged" for form in google.desk.asked)


def test_a_person_who_says_no_is_told_so_and_nothing_is_kept(google: Google) -> None:
    google.desk.consents = False
    browser = Browser()
    with pytest.raises(AuthFailed, match="access_denied"):
        sign_in(google, browser)
    assert "No se concedió" in browser.pages[0] and google.desk.asked == []


def test_a_box_left_empty_at_the_consent_screen_is_named(google: Google) -> None:
    google.desk.granted = {EVENTS}
    with pytest.raises(AuthFailed, match=r"calendar\.freebusy"):
        sign_in(google, Browser())


def test_a_sign_in_without_a_refresh_token_is_none(google: Google) -> None:
    google.desk.gives_refresh = False
    with pytest.raises(AuthFailed, match=r"myaccount\.google\.com"):
        sign_in(google, Browser())


def test_a_refused_code_is_refused(google: Google) -> None:
    google.answer("token", 400, b'{"error": "invalid_grant"}')
    with pytest.raises(AuthFailed, match="invalid_grant"):
        sign_in(google, Browser())


def test_a_token_server_in_trouble_is_no_refusal(google: Google) -> None:
    google.answer("token", 503, b"")
    with pytest.raises(Transient):
        sign_in(google, Browser())


class Hurried(SystemClock):
    """A clock on which more than the whole patience passes between two looks."""

    passed = 0.0

    def monotonic(self) -> float:
        Hurried.passed += PATIENCE
        return Hurried.passed


def test_nobody_coming_back_ends_the_waiting(google: Google) -> None:
    told: list[str] = []
    settings = GoogleSettings.model_validate({"client": client_file(google.url), "api_url": google.url})
    env = environment(tokens=lambda _: Kept(None), clock=Hurried())
    assert SPEC.sign_in is not None
    with pytest.raises(AuthFailed, match="nobody came back"):
        SPEC.sign_in(ACCOUNT, settings, env, told.append)
    assert len(told) == 2


def test_a_service_account_has_nobody_to_sign_in(google: Google) -> None:
    assert SPEC.sign_in is not None
    with pytest.raises(Permanent, match="service account"):
        SPEC.sign_in(ACCOUNT, settings_for(google), environment(tokens=lambda _: Kept(None)), print)


def test_without_a_store_there_is_nothing_to_sign_in_to(google: Google) -> None:
    with pytest.raises(Permanent, match="store"):
        sign_in(google, Browser(), tokens=None)
