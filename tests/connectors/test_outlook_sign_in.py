"""Signing in at Microsoft: as an app, as a person by code, and what becomes of a sign-in that ends."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors._outlook_graph import graph_of
from connectors._outlook_sign_in import SignIn, rights_of
from connectors.outlook import SPEC, OutlookSettings
from syncd.core.ids import AccountId
from syncd.errors import AuthFailed, Permanent, Transient
from tests.connectors.outlook_stage import (
    ANA,
    WINDOW,
    Desk,
    KeptTokens,
    desk,
    environment,
    settings_for,
)
from tests.servers.certificates import server_context
from tests.servers.graph import Fault, graph_server
from tests.servers.graph_sign_in import CLIENT, SECRET, TENANT, coded


@pytest.fixture
def app() -> Iterator[Desk]:
    with desk() as running:
        yield running


@pytest.fixture
def person() -> Iterator[Desk]:
    with desk(person=True, tokens=KeptTokens()) as running:
        yield running


def kept(one: Desk) -> KeptTokens:
    assert one.env.tokens is not None
    found = one.env.tokens(one.account)
    assert isinstance(found, KeptTokens)
    return found


def sign_in(one: Desk) -> list[str]:
    """Sign in, entering the code as soon as it is told; return what was told."""
    assert SPEC.sign_in is not None
    told: list[str] = []

    def tell(text: str) -> None:
        told.append(text)
        one.graph.desk.approve()

    SPEC.sign_in(one.account, one.settings, one.env, tell)
    return told


def read(one: Desk) -> None:
    list(one.calendar().changes(None, WINDOW, {}))


# --- as an app ------------------------------------------------------------------------------------------------------


def test_an_app_signs_in_with_its_secret_for_every_permission_it_was_given(app: Desk) -> None:
    assert app.settings.resource == "https://graph.microsoft.com"
    read(app)
    assert app.graph.desk.asked == ["client_credentials"]


def test_a_secret_that_expired_stops_the_account_and_a_new_one_starts_it(app: Desk) -> None:
    app.graph.desk.secret = "the new one"
    with pytest.raises(AuthFailed, match="invalid_client") as told:
        read(app)
    assert SECRET not in str(told.value)
    read(Desk(app.graph, app.env, settings_for(app.graph, client_secret="the new one")))


def test_an_unknown_app_and_an_unknown_tenant_stop_the_account(app: Desk) -> None:
    with pytest.raises(AuthFailed, match="unauthorized_client"):
        read(Desk(app.graph, app.env, settings_for(app.graph, client_id="somebody-else")))
    with pytest.raises(AuthFailed, match=r"no tenant 'nadie.example'"):
        read(Desk(app.graph, app.env, settings_for(app.graph, tenant="nadie.example")))


def test_a_busy_sign_in_service_is_waited_for(app: Desk) -> None:
    app.graph.desk.busy = 1
    with pytest.raises(Transient):
        read(app)


def test_a_sign_in_service_that_is_away_is_waited_for(app: Desk) -> None:
    away = settings_for(app.graph, authority="http://127.0.0.1:9/oficina.example")
    with pytest.raises(Transient, match="nothing listens"):
        read(Desk(app.graph, app.env, away))


def test_many_threads_share_one_token(app: Desk) -> None:
    app.graph.box("bruno@oficina.example")
    calendars = [app.calendar(name) for name in (ANA, "bruno@oficina.example") * 3]
    threads = [
        threading.Thread(target=lambda one: list(one.changes(None, WINDOW, {})), args=(one,)) for one in calendars
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert app.graph.desk.asked == ["client_credentials"]
    assert len(app.graph.took("/delta")) == 6


def test_a_token_is_given_up_before_its_end(app: Desk) -> None:
    app.graph.desk.lasts = 3600
    assert SignIn(app.account, app.settings, app.env).token()[1] == 3300
    app.graph.desk.lasts = 200
    assert SignIn(AccountId("short"), app.settings, app.env).token()[1] == 100


# --- as a person ----------------------------------------------------------------------------------------------------


def test_a_person_signs_in_by_code_and_the_daemon_reads(person: Desk) -> None:
    with pytest.raises(AuthFailed, match="syncd auth"):
        read(person)
    (told,) = sign_in(person)
    assert "ABCD1234" in told and "/devicelogin" in told
    read(person)
    assert person.graph.desk.asked[-1] != "refresh_token", "the access token of the sign-in is used first"


def test_a_sign_in_that_nobody_finishes_ends(person: Desk) -> None:
    assert SPEC.sign_in is not None
    with pytest.raises(AuthFailed):
        SPEC.sign_in(person.account, person.settings, person.env, lambda _text: person.graph.desk.codes.clear())
    assert kept(person).held is None


def test_without_a_place_to_keep_it_nobody_is_asked_to_sign_in(person: Desk) -> None:
    assert SPEC.sign_in is not None
    with pytest.raises(AuthFailed, match="nowhere"):
        SPEC.sign_in(person.account, person.settings, replace(person.env, tokens=None), pytest.fail)


def test_a_rotated_refresh_token_is_kept_before_it_is_used(person: Desk) -> None:
    sign_in(person)
    person.graph.desk.expire_all()
    before = kept(person).held
    order: list[str] = []
    person.graph.meanwhile = lambda _call: order.append(f"saved {len(kept(person).saved)}")
    read(person)
    assert order == ["saved 1", "saved 2"], "the refused call, then the one with the new token"
    assert kept(person).held != before
    (live,) = person.graph.desk.refresh
    held = kept(person).held
    assert held is not None and live.encode() in held and next(iter(person.graph.desk.used)).encode() not in held


def test_a_restarted_daemon_goes_on_from_what_was_kept(person: Desk) -> None:
    sign_in(person)
    for _ in range(3):  # each uses up the refresh token of the one before
        person.graph.desk.expire_all()
        read(person.again())
    assert person.graph.desk.asked.count("refresh_token") == 3


def test_a_token_that_cannot_be_kept_is_not_used(person: Desk) -> None:
    sign_in(person)
    person.graph.desk.expire_all()
    tokens = kept(person)

    class Full(KeptTokens):
        def save(self, token: bytes) -> None:
            raise OSError("disk full")

    broken = Full(tokens.held)
    with pytest.raises(OSError, match="full"):
        read(person.again(tokens=lambda _account: broken))
    assert [call for call in person.graph.calls if "/delta" in call] == person.graph.calls[:1]


@pytest.mark.parametrize("word", ["invalid_grant", "interaction_required", "consent_required"])
def test_a_revoked_sign_in_stops_the_account_until_the_person_signs_in_again(person: Desk, word: str) -> None:
    """S17: parked once; what a later `syncd auth` kept is taken up by the running daemon."""
    sign_in(person)
    read(person)
    person.graph.desk.expire_all()
    person.graph.desk.refused = word
    with pytest.raises(AuthFailed, match=word):
        read(person)
    person.graph.desk.refused = ""
    sign_in(person)  # by another process: the daemon's own copy is the old one
    read(person)


def test_a_sign_in_that_is_damaged_asks_for_a_new_one(person: Desk) -> None:
    kept(person).held = b"not what msal wrote"
    with pytest.raises(AuthFailed):
        read(person)
    sign_in(person)
    read(person.again())


def test_the_answer_to_a_refresh_that_got_lost_is_no_verdict(person: Desk) -> None:
    sign_in(person)
    person.graph.desk.expire_all()
    person.graph.desk.busy = 1
    with pytest.raises(Transient):
        read(person)
    read(person)


# --- where ----------------------------------------------------------------------------------------------------------


def test_over_tls_only_the_configured_authority_of_certificates_counts(tmp_path: Path, monkeypatch: Any) -> None:
    context, authority = server_context(tmp_path, "localhost", "127.0.0.1")
    with graph_server(context) as graph:
        graph.box(ANA)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/else.pem")  # beats `verify` in a plain session
        env = environment(ca_file=str(authority))
        read(Desk(graph, env, settings_for(graph)))
        stranger = tmp_path / "stranger"
        stranger.mkdir()
        _, other = server_context(stranger, "localhost")
        with pytest.raises(Transient, match="not trusted"):
            read(Desk(graph, environment(ca_file=str(other)), settings_for(graph)))


def test_an_openid_provider_is_named_with_its_path(app: Desk) -> None:
    read(Desk(app.graph, app.env, settings_for(app.graph, authority=f"{app.graph.url}/{TENANT}/v2.0")))


def test_a_secret_never_goes_over_plain_http_to_another_machine(app: Desk) -> None:
    far = settings_for(app.graph, authority="http://login.example.org")
    with pytest.raises(Permanent, match="plain http"):
        read(Desk(app.graph, app.env, far))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"client_id": ""}, "client_id"),
        ({"client_id": "a b"}, "client_id"),
        ({"client_secret": " ", "tenant": "t"}, "empty"),
        ({"client_secret": "s"}, "tenant"),
        ({"tenant": "../x"}, "tenant"),
        ({"secret": "s"}, "secret"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_advice(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as told:
        OutlookSettings.model_validate({"client_id": CLIENT} | wrong)
    assert "'s'" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "resource"),
    [
        ("https://graph.microsoft.com/v1.0", "https://graph.microsoft.com"),
        ("https://graph.microsoft.us/v1.0", "https://graph.microsoft.us"),
        ("https://microsoftgraph.chinacloudapi.cn/v1.0", "https://microsoftgraph.chinacloudapi.cn"),
        ("http://127.0.0.1:8080/v1.0", "https://graph.microsoft.com"),
    ],
)
def test_tokens_are_for_the_graph_of_the_same_cloud(url: str, resource: str) -> None:
    assert OutlookSettings(client_id=CLIENT, api_url=url).resource == resource


def test_one_account_is_one_login_in_a_process(app: Desk) -> None:
    assert graph_of(app.account, app.settings, app.env) is graph_of(app.account, app.settings, app.env)
    assert graph_of(AccountId("other"), app.settings, app.env) is not graph_of(app.account, app.settings, app.env)


def test_rights_are_read_for_advice_from_any_token() -> None:
    assert rights_of(coded({"roles": ["Calendars.ReadWrite"]})) == {"Calendars.ReadWrite"}
    assert rights_of(coded({"scp": "a b"})) == {"a", "b"}
    for strange in ("", "opaque", "a.b.c", "a.W10.c", "a.e30.c"):
        assert rights_of(strange) == frozenset()


def test_trouble_at_graph_is_no_trouble_with_the_sign_in(app: Desk) -> None:
    app.graph.faults.append(Fault("/delta", "500"))
    with pytest.raises(Transient):
        read(app)
    read(app)
    assert app.graph.desk.asked == ["client_credentials"]
