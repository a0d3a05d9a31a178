"""What doctor says of a Microsoft 365 account: each failure with the remedy that helps."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.outlook import SPEC
from syncd.ports import Check
from tests.connectors.outlook_stage import ANA, Desk, KeptTokens, desk, settings_for
from tests.servers.graph import Fault


@pytest.fixture
def one() -> Iterator[Desk]:
    with desk() as running:
        yield running


def lines(one: Desk, *names: str) -> dict[str, Check]:
    return {line.what: line for line in SPEC.check(one.account, one.settings, one.env, names or (ANA,))}


def test_a_sound_account_is_said_to_be_so(one: Desk) -> None:
    found = lines(one)
    assert {what: line.state for what, line in found.items()} == {
        "login": "ok", f"calendar {ANA}": "ok", "push": "ok",
    }  # fmt: skip
    assert '"Calendar"' in found[f"calendar {ANA}"].text and "may be written" in found[f"calendar {ANA}"].text


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"client_secret": "expired"}, "new client secret"),
        ({"client_id": "nobody"}, "copy client_id"),
        ({"tenant": "nadie.example"}, "correct tenant"),
    ],
)
def test_a_login_that_fails_names_what_to_correct(one: Desk, wrong: dict[str, Any], remedy: str) -> None:
    found = lines(replace(one, settings=settings_for(one.graph, **wrong)))
    assert list(found) == ["login"] and found["login"].state == "fail"
    assert remedy in found["login"].remedy and "expired" not in found["login"].text.replace("has expired", "")


def test_a_sign_in_service_that_is_away_is_named(one: Desk) -> None:
    away = settings_for(one.graph, authority="http://127.0.0.1:9/x")
    assert "authority" in lines(replace(one, settings=away))["login"].remedy


@pytest.mark.parametrize(
    ("status", "code", "remedy"),
    [
        (403, "ErrorAccessDenied", "admin consent"),
        (403, "Authorization_RequestDenied", "admin consent"),
        (404, "ErrorInvalidUser", "correct the address"),
        (404, "MailboxNotEnabledForRESTAPI", "licence"),
        (503, "ServiceUnavailable", "look again later"),
    ],
)
def test_a_mailbox_that_cannot_be_read_has_its_remedy(one: Desk, status: int, code: str, remedy: str) -> None:
    one.graph.api.denied[ANA] = (status, code)
    line = lines(one)[f"calendar {ANA}"]
    assert line.state == "fail" and remedy in line.remedy


def test_one_mailbox_outside_the_scope_of_the_role_is_told_apart(one: Desk) -> None:
    one.graph.box("bruno@oficina.example")
    one.graph.api.denied["bruno@oficina.example"] = (403, "ErrorAccessDenied")
    for name in (ANA, "bruno@oficina.example"):
        one.calendar(name)
    found = lines(one, ANA, "bruno@oficina.example")
    assert found[f"calendar {ANA}"].state == "ok"
    assert "management scope" in found["calendar bruno@oficina.example"].remedy


def test_a_name_that_is_none_is_told_with_the_candidates(one: Desk) -> None:
    one.graph.api.boxes[ANA].calendars["x"] = "Visitas"
    assert "'Visitas'" in lines(one, f"{ANA}/Visita")[f"calendar {ANA}/Visita"].text


def test_an_app_that_reaches_every_mailbox_is_warned_of(one: Desk) -> None:
    one.graph.desk.roles = ["Calendars.ReadWrite"]
    found = lines(one)["reach"]
    assert found.state == "warn" and "RBAC" in found.remedy


def test_a_zone_that_is_not_told_is_warned_of(one: Desk) -> None:
    one.graph.faults.append(Fault("mailboxSettings", "403", "ErrorAccessDenied"))
    found = SPEC.check(one.account, one.settings, one.env, (ANA,))
    assert any(line.state == "warn" and "MailboxSettings.Read" in line.remedy for line in found)


def test_an_address_that_microsoft_cannot_call_is_warned_of(one: Desk) -> None:
    found = lines(replace(one, env=replace(one.env, public_url="http://127.0.0.1:8420")))["push"]
    assert found.state == "warn" and "https" in found.remedy


def test_a_person_who_has_not_signed_in_is_told_the_command() -> None:
    with desk(person=True, tokens=KeptTokens()) as one:
        assert lines(one)["login"].remedy == f"run: syncd auth {one.account}"
