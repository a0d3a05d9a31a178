"""What doctor says of a CalDAV account, at real servers and at one that refuses."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.caldav import SPEC, CaldavSettings
from syncd.core.ids import AccountId
from syncd.ports import Check
from tests.connectors.caldav_stage import environment, settings_for
from tests.connectors.test_caldav import radicale_url, xandikos_url
from tests.servers.caldav_liar import NAMES, Flavour, Liar, Shelf, lying
from tests.servers.dav import Hands
from tests.servers.radicale import PASSWORD, USER, hands
from tests.servers.xandikos import HOME

__all__ = ["radicale_url", "xandikos_url"]


@pytest.fixture
def liar() -> Iterator[Liar]:
    with lying() as server:
        server.shelves = {"/cal/ana/visitas/": Shelf("Visitas"), "/cal/ana/otro/": Shelf("")}
        yield server


def check(settings: CaldavSettings, *names: str, account: str = "a", **env: Any) -> dict[str, Check]:
    lines = SPEC.check(AccountId(account), settings, environment(**env), names)
    assert all(line.state in ("ok", "warn", "fail") for line in lines)
    assert all(line.remedy for line in lines if line.state != "ok"), lines
    return {line.what: line for line in lines}


def test_a_good_account_at_radicale_is_told_line_by_line(radicale_url: str) -> None:
    hands(radicale_url).make_calendar("/ana/chequeo/", "Chequeo")
    lines = check(settings_for(radicale_url, USER, PASSWORD), "chequeo", "Chequeo")
    assert {line.state for line in lines.values()} == {"ok"}
    assert lines["login"].text == USER
    assert lines["home"].text.startswith("/ana/, ")
    assert lines["calendar Chequeo"].text == '/ana/chequeo/ "Chequeo", may be written'


def test_a_good_account_at_xandikos_is_told_line_by_line(xandikos_url: str) -> None:
    Hands(xandikos_url).make_calendar(f"{HOME}chequeo/", "Chequeo")
    lines = check(settings_for(xandikos_url), "chequeo")
    assert {line.state for line in lines.values()} == {"ok"}
    assert lines["calendar chequeo"].text == f'{HOME}chequeo/ "Chequeo", may be written'


def test_a_wrong_password_is_the_only_thing_said(radicale_url: str) -> None:
    (line,) = check(settings_for(radicale_url, USER, "wrong-password")).values()
    assert (line.what, line.state) == ("login", "fail")
    assert "app password" in line.remedy
    assert "wrong-password" not in f"{line}"


def test_an_unknown_calendar_comes_with_the_candidates_as_the_library_sees_them(liar: Liar) -> None:
    line = check(settings_for(liar.url), "visitos")["calendar visitos"]
    assert line.state == "fail"
    assert line.remedy == 'write one of: /cal/ana/otro/, /cal/ana/visitas/ ("Visitas")'


def test_a_login_without_calendars_is_told_to_make_one(liar: Liar) -> None:
    liar.shelves.clear()
    assert "make the calendar" in check(settings_for(liar.url), "visitas")["calendar visitas"].remedy


def test_a_calendar_that_may_only_be_read_is_a_warning(liar: Liar) -> None:
    read = "<current-user-privilege-set><privilege><read/></privilege></current-user-privilege-set>"
    ok = "<status>HTTP/1.1 200 OK</status>"
    row = f"<response><href>/cal/ana/visitas/</href><propstat><prop>{read}</prop>{ok}</propstat></response>"
    settings = settings_for(f"{liar.url}cal/ana/")
    liar.next("PROPFIND", 207, f"<multistatus {NAMES}>{row}</multistatus>", skip=2)
    line = check(settings, "visitas")["calendar visitas"]
    assert line.state == "warn" and "read only" in line.text and "role busy" in line.remedy


def test_a_server_that_does_not_tell_rights_is_no_warning(liar: Liar) -> None:
    line = check(settings_for(liar.url), "visitas")["calendar visitas"]
    assert line.state == "ok" and "does not tell" in line.text


def test_a_server_without_sync_collection_is_told_to_cost_more() -> None:
    with lying(Flavour(syncs=False)) as server:
        server.shelves["/cal/ana/visitas/"] = Shelf("")
        lines = SPEC.check(AccountId("a"), settings_for(server.url), environment(), ["visitas"])
    assert [line.state for line in lines if line.what == "calendar visitas"] == ["ok", "warn"]


def test_a_kind_of_server_that_is_known_not_to_sync_well_is_listed_instead(liar: Liar) -> None:
    lines = SPEC.check(AccountId("a"), settings_for(liar.url, quirks="zimbra"), environment(), ["visitas"])
    assert "listed completely" in lines[-1].text
    assert check(settings_for(liar.url, quirks="nextcloud"), "visitas")["calendar visitas"].state == "ok"


def test_an_unknown_kind_of_server_is_refused(liar: Liar) -> None:
    line = check(settings_for(liar.url, quirks="nextclown"))["quirks"]
    assert line.state == "fail" and "nextclown" in line.text
    assert liar.requests == []


def test_a_server_that_wants_digest_is_explained(liar: Liar) -> None:
    liar.next("PROPFIND", 401, WWW_Authenticate='Digest realm="x"')
    assert "Digest" in check(settings_for(liar.url))["login"].text


@pytest.mark.parametrize("status", [403, 404, 500, 200])
def test_a_server_that_is_none_is_told_with_its_address(liar: Liar, status: int) -> None:
    for _ in range(4):
        liar.next("PROPFIND", status, "<html>")
    line = check(settings_for(f"{liar.url}x/"))["server"]
    assert line.state == "fail" and liar.url in line.remedy


def test_plain_http_far_away_is_a_warning_and_needs_a_switch() -> None:
    line = check(settings_for("http://cal.example.cl/"))["server"]
    assert "allow_http" in line.text


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"url": "https://x.example/", "username": "ana"},
        {"url": "https://x.example/", "password": "p"},
        {"url": "https://x.example/", "username": "ana", "password": " "},
        {"url": "https://x.example/", "token": ""},
        {"url": "https://x.example/", "username": "a", "password": "p", "token": "t"},
        {"url": "https://x.example/", "passwort": "x"},
        {"url": 7},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        CaldavSettings.model_validate(wrong)
    assert "'p'" not in str(raised.value)


def test_a_token_travels_as_bearer(liar: Liar) -> None:
    settings = CaldavSettings.model_validate({"url": liar.url, "token": "s3cret"})
    assert settings.bearer == {"Authorization": "Bearer s3cret"} and settings.login is None
    assert check(settings)["login"].state == "ok"
    assert "s3cret" not in repr(settings)


def test_api_url_stands_in_for_the_address(liar: Liar) -> None:
    settings = CaldavSettings.model_validate({"url": "https://cal.example.cl/", "api_url": liar.url})
    assert check(settings)["home"].state == "ok"
