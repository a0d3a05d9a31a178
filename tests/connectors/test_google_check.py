"""doctor and check-config --online on a Google account: each failure with its remedy."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from connectors._google_login import sealed
from connectors.google import SPEC, GoogleSettings
from syncd.core.ids import AccountId
from syncd.ports import Check, Environment
from tests.connectors.google_stage import ANA, Kept, environment, settings_for
from tests.servers.google import Google, serving
from tests.servers.google_token import EVENTS, FREE_BUSY, LISTS, client_file, key_file

LIST, NAME = "calendar.events.list", ANA


@pytest.fixture
def google() -> Iterator[Google]:
    with serving() as state:
        state.make_calendar(NAME, ANA, title="Ana")
        yield state
    assert state.wrong == []


def checked(settings: GoogleSettings, env: Environment, names: Sequence[str] = (NAME,)) -> dict[str, Check]:
    return {one.what: one for one in SPEC.check(AccountId("gmail"), settings, env, names)}


def robot(google: Google, names: Sequence[str] = (NAME,), **changes: Any) -> dict[str, Check]:
    return checked(settings_for(google, **changes), environment(), names)


def person(google: Google, *, scopes: Sequence[str] = (EVENTS, FREE_BUSY), signed_in: bool = True) -> dict[str, Check]:
    settings = GoogleSettings.model_validate({"client": client_file(google.url), "api_url": google.url})
    kept = Kept(sealed(AccountId("gmail"), google.desk.sign_in(ANA, *scopes)) if signed_in else None)
    return checked(settings, environment(tokens=lambda _: kept))


def test_all_is_well(google: Google) -> None:
    for lines in (robot(google), person(google)):
        assert {one.state for one in lines.values()} == {"ok"}
        assert list(lines) == ["transport", "login", f"calendar {NAME}", "free/busy"]
        assert "America/Santiago, owner" in lines[f"calendar {NAME}"].text


def test_a_calendar_that_may_only_be_read_is_a_warning(google: Google) -> None:
    google.shelves[NAME].roles[ANA] = "reader"
    line = robot(google)[f"calendar {NAME}"]
    assert line.state == "warn" and "share" in line.remedy


def test_delegation_that_lacks_one_scope_names_that_scope(google: Google) -> None:
    google.desk.delegated = {EVENTS}
    line = robot(google)["login"]
    assert line.state == "fail" and f"missing there: {FREE_BUSY}. " in line.remedy
    assert "Domain-wide delegation" in line.remedy


def test_delegation_that_is_not_there_names_all_scopes(google: Google) -> None:
    google.desk.delegated = set()
    line = robot(google)["login"]
    assert line.state == "fail" and "missing there" not in line.remedy and f"{EVENTS},{FREE_BUSY}" in line.remedy


def test_a_deleted_key_asks_for_a_new_one(google: Google) -> None:
    line = robot(google, service_account=key_file(f"{google.url}/token", key="foreign"))["login"]
    assert line.state == "fail" and "new JSON key" in line.remedy


def test_an_address_outside_the_domain_asks_for_the_right_one(google: Google) -> None:
    line = robot(google, names=["nobody@example.cl"])["login"]
    assert line.state == "fail" and "e-mail address" in line.remedy


def test_a_consent_screen_in_testing_is_named_where_a_sign_in_ended(google: Google) -> None:
    google.desk.sign_in(ANA)
    settings = GoogleSettings.model_validate({"client": client_file(google.url), "api_url": google.url})
    kept = Kept(sealed(AccountId("gmail"), "1//ended"))
    line = checked(settings, environment(tokens=lambda _: kept))["login"]
    assert line.state == "fail" and "syncd auth gmail" in line.remedy and "Publish app" in line.remedy


def test_nobody_signed_in_yet_says_what_to_run(google: Google) -> None:
    line = person(google, signed_in=False)["login"]
    assert line.state == "fail" and "syncd auth gmail" in line.remedy


def test_a_scope_not_granted_is_named_where_it_is_missed(google: Google) -> None:
    lines = person(google, scopes=[EVENTS])
    assert lines[f"calendar {NAME}"].state == "ok"
    assert lines["free/busy"].state == "fail" and "tick every box" in lines["free/busy"].remedy


def test_a_token_server_that_is_not_reached_is_no_wrong_login(google: Google) -> None:
    for _ in range(2):
        google.answer("token", 503, b"")
    line = robot(google)["login"]
    assert line.state == "fail" and "reach" in line.remedy and google.url in line.remedy


@pytest.mark.parametrize(
    ("status", "reason", "remedy"),
    [
        (403, "accessNotConfigured", "Google Calendar API, Enable"),
        (403, "insufficientPermissions", "lacks a scope"),
        (403, "domainPolicy", "administrator"),
        (403, "forbidden", "share it"),
        (404, "notFound", f"share it with {ANA}"),
        (429, "rateLimitExceeded", "quota"),
        (503, "backendError", "try again"),
    ],
)
def test_each_refusal_of_a_calendar_has_its_remedy(google: Google, status: int, reason: str, remedy: str) -> None:
    google.refuse(LIST, status, reason)
    line = robot(google)[f"calendar {NAME}"]
    assert line.state == "fail" and remedy in line.remedy


def test_a_wrong_name_is_answered_with_the_calendars_there_are(google: Google) -> None:
    google.desk.delegated |= {LISTS}
    names = [NAME, "typo@group.calendar.google.com"]
    lines = robot(google, names=names)
    assert lines[f"calendar {NAME}"].state == "ok"
    wrong = lines[f"calendar {names[1]}"]
    assert wrong.state == "fail" and f"this login sees: {NAME}" in wrong.remedy


def test_a_wrong_name_has_a_remedy_also_where_calendars_may_not_be_listed(google: Google) -> None:
    wrong = robot(google, names=[NAME, "typo@group.calendar.google.com"])["calendar typo@group.calendar.google.com"]
    assert wrong.state == "fail" and "Integrate calendar" in wrong.remedy and "this login sees" not in wrong.remedy


def test_an_account_without_calendars_is_tried_as_itself(google: Google) -> None:
    lines = robot(google, names=[])
    assert lines["login"].state == "ok" and "itself" in lines["login"].text and "free/busy" not in lines


def test_no_secret_is_told(google: Google) -> None:
    google.desk.delegated = set()
    told = str(robot(google)) + str(person(google, signed_in=False))
    assert "PRIVATE KEY" not in told and "GOCSPX" not in told
