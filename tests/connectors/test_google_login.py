"""Signing in at Google: service accounts as each agent, one person's refresh token, and what each refusal means."""

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from connectors._google_account import person_of
from connectors._google_login import sealed
from connectors.google import GoogleSettings, calendar
from syncd.core.ids import AccountId
from syncd.errors import AuthFailed, Forbidden, Transient, Unreadable
from syncd.ports import Environment
from tests.connectors.google_stage import ANA, WINDOW, Kept, environment, settings_for, use_of
from tests.servers.google import Google, serving
from tests.servers.google_token import EVENTS, FREE_BUSY, JWT_BEARER, client_file, key_file

NAME = "visitas@group.calendar.google.com"


@pytest.fixture
def google() -> Iterator[Google]:
    with serving() as state:
        state.make_calendar(NAME, ANA, "bob@example.cl")
        yield state
    assert state.wrong == []


def robot(google: Google, **changes: Any) -> GoogleSettings:
    return settings_for(google, **changes)


def desktop(google: Google, **changes: Any) -> GoogleSettings:
    return GoogleSettings.model_validate({"client": client_file(google.url), "api_url": google.url, **changes})


def signed_in(google: Google, account: str = "ana", *scopes: str) -> tuple[Environment, Kept]:
    kept = Kept(sealed(AccountId(account), google.desk.sign_in(ANA, *scopes)))
    return environment(tokens=lambda _: kept), kept


def poll(account: str, settings: GoogleSettings, env: Environment, subject: str = ANA) -> None:
    list(calendar(AccountId(account), settings, env, use_of(NAME, subject=subject)).changes(None, WINDOW))


# ------------------------------------------------------------------------------------------------ service account


def test_a_service_account_comes_as_each_agent_in_turn(google: Google) -> None:
    google.desk.people.add("bob@example.cl")
    settings, env = robot(google), environment()
    for who in (ANA, "bob@example.cl", ANA):
        poll("robot", settings, env, who)
    assert [call.person for call in google.calls] == [ANA, "bob@example.cl", ANA]
    assert [form["grant_type"] for form in google.desk.asked] == [JWT_BEARER] * 2


def test_it_asks_for_the_least_scopes(google: Google) -> None:
    poll("robot", robot(google), environment())
    assert {scope for grant in google.desk.access.values() for scope in grant.scopes} == {EVENTS, FREE_BUSY}


def test_one_token_serves_many_polls_and_threads(google: Google) -> None:
    settings, env = robot(google), environment()
    threads = [threading.Thread(target=poll, args=("robot", settings, env)) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(google.calls) == 8 and len(google.desk.asked) == 1


def test_a_token_near_its_end_is_replaced_before_it_is_refused(google: Google) -> None:
    google.desk.lifetime = 60  # less than the two minutes by which we are early
    settings, env = robot(google), environment()
    poll("robot", settings, env)
    poll("robot", settings, env)
    assert len(google.desk.asked) == 2 and len(google.calls) == 2


def test_one_agent_who_left_does_not_park_the_account_of_the_others(google: Google) -> None:
    settings, env = robot(google), environment()
    with pytest.raises(Forbidden, match="no such person"):
        poll("robot", settings, env, "gone@example.cl")
    poll("robot", settings, env)


def test_delegation_that_is_not_set_says_what_to_click_and_which_scopes(google: Google) -> None:
    google.desk.delegated = {EVENTS}
    with pytest.raises(AuthFailed, match="Domain-wide delegation") as caught:
        poll("robot", robot(google), environment())
    assert EVENTS in str(caught.value) and FREE_BUSY in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"key": "foreign"}, "make a new JSON key"), ({"email": "gone@x.iam"}, "account was deleted")],
)
def test_a_key_that_is_not_valid_any_more_says_so(google: Google, changes: dict[str, str], words: str) -> None:
    settings = robot(google, service_account=key_file(f"{google.url}/token", **changes))
    with pytest.raises(AuthFailed, match=words):
        poll("robot", settings, environment())


def test_a_wrong_clock_is_named(google: Google) -> None:
    words = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
    told = {"error": "invalid_grant", "error_description": words}
    google.answer("token", 400, json.dumps(told).encode())
    with pytest.raises(AuthFailed, match="clock is wrong"):
        poll("robot", robot(google), environment())


def test_a_private_key_that_is_none_is_refused_without_a_request(google: Google) -> None:
    held = json.loads(key_file(f"{google.url}/token")) | {"private_key": "-----BEGIN PRIVATE KEY-----\nx\n"}
    with pytest.raises(AuthFailed, match="private key"):
        poll("robot", robot(google, service_account=json.dumps(held)), environment())
    assert google.desk.asked == [] and google.calls == []


# ------------------------------------------------------------------------------------------------ one person


def test_a_person_s_sign_in_is_used_and_kept_as_it_is(google: Google) -> None:
    env, kept = signed_in(google)
    poll("ana", desktop(google), env, subject="")
    assert [call.person for call in google.calls] == [ANA] and kept.saved == []


def test_a_rotated_refresh_token_is_kept_before_it_is_used(google: Google) -> None:
    google.desk.rotates = True
    env, kept = signed_in(google)
    settings = desktop(google)
    poll("ana", settings, env, subject="")
    google.desk.revoke_access()
    poll("ana", settings, env, subject="")
    assert len(kept.saved) == 2 and len(google.desk.refresh) == 1
    assert json.loads(kept.saved[-1])["refresh_token"] in google.desk.refresh


def test_an_ended_sign_in_stops_the_account_says_what_to_run_and_comes_back(google: Google) -> None:
    """S17: the login dies, then the person signs in again; the daemon need not be started anew."""
    env, kept = signed_in(google)
    settings = desktop(google)
    google.desk.refresh.clear()
    with pytest.raises(AuthFailed, match="syncd auth ana") as caught:
        poll("ana", settings, env, subject="")
    assert "seven days" in str(caught.value) and "1//refresh" not in str(caught.value)
    assert len(google.desk.asked) == 1, "asked once, not in a circle"
    kept.held = sealed(AccountId("ana"), google.desk.sign_in(ANA))
    poll("ana", settings, env, subject="")


def test_an_account_that_nobody_signed_in_says_what_to_run(google: Google) -> None:
    for env in (environment(tokens=lambda _: Kept(None)), environment()):
        with pytest.raises(AuthFailed, match="syncd auth ana"):
            poll("ana", desktop(google), env, subject="")
    assert google.desk.asked == []


@pytest.mark.parametrize(
    "held",
    [b"", b"{}", b"null", b'{"account": "bob", "refresh_token": "x"}', b'{"account": "ana", "refresh_token": ""}'],
)
def test_what_is_kept_for_another_account_opens_nothing(google: Google, held: bytes) -> None:
    with pytest.raises(AuthFailed, match="no sign-in of this account"):
        poll("ana", desktop(google), environment(tokens=lambda _: Kept(held)), subject="")
    assert google.desk.asked == []


def test_an_unknown_client_says_so(google: Google) -> None:
    env, _ = signed_in(google)
    held = json.loads(client_file(google.url))
    held["installed"]["client_secret"] = "other"
    with pytest.raises(AuthFailed, match="does not know the OAuth client"):
        poll("ana", desktop(google, client=json.dumps(held)), env, subject="")


# ------------------------------------------------------------------------------------------------ the token's server


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (500, b"oops", Transient),
        (503, b"", Transient),
        (429, b"{}", Transient),
        (400, b'{"error": "temporarily_unavailable"}', Transient),
        (400, b'{"error": "internal_failure"}', Transient),
        (200, b"<html>Sign in</html>", Unreadable),
        (200, b"{}", Unreadable),
        (200, b"[]", Unreadable),
        (200, b'{"access_token": 7}', Unreadable),
        (302, b"", Unreadable),
    ],
)
def test_a_token_server_in_trouble_parks_nobody(
    google: Google, status: int, body: bytes, error: type[Exception]
) -> None:
    for settings, account in ((robot(google), "robot"), (desktop(google), "ana")):
        env, _ = signed_in(google)
        google.answer("token", status, body)
        with pytest.raises(error):
            poll(account, settings, env)
        poll(account, settings, env)


def test_a_token_request_whose_answer_is_lost_is_asked_once_more(google: Google) -> None:
    google.hang_up("token")
    poll("robot", robot(google), environment())
    assert len(google.calls) == 1


def test_no_secret_reaches_log_or_error(google: Google, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    env, _ = signed_in(google)
    settings = desktop(google)
    poll("ana", settings, env, subject="")
    google.refuse("calendar.events.list", 403, "forbidden")
    with pytest.raises(Forbidden) as caught:
        poll("ana", settings, env, subject="")
    told = f"{caught.value} {caplog.text} {settings!r} {person_of(AccountId('ana'), settings, env, '')!r}"
    for secret in ("1//refresh", "ya29", "GOCSPX", NAME):
        assert secret not in told
