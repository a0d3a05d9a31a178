"""What check-config says of a Calendly account, and the settings it refuses."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.calendly import SPEC, CalendlySettings
from tests.connectors.calendly_stage import ACCOUNT, KEY, environment, settings_for
from tests.servers.calendly import Practice, practice


@pytest.fixture
def stand() -> Iterator[Practice]:
    with practice() as running:
        yield running


def test_check_tells_what_the_account_may_do(stand: Practice) -> None:
    lines = {one.what: one for one in SPEC.check(ACCOUNT, settings_for(stand), environment(stand), [stand.visit])}
    assert {one.state for one in lines.values()} == {"ok"}
    assert lines["role"].text == "owner"
    assert "Visita, 30 min, round_robin" in lines[f"event type {stand.visit}"].text


def test_check_of_a_refused_token_says_what_to_do(stand: Practice) -> None:
    (line,) = SPEC.check(ACCOUNT, settings_for(stand, token="expired"), environment(stand), [])
    assert line.state == "fail" and "personal access token" in line.remedy


def test_check_names_an_event_type_that_is_missing_or_switched_off(stand: Practice) -> None:
    off = stand.company.add_event_type("Vieja", 30, [stand.ana])
    stand.company.event_types[off]["active"] = False
    asked = [off, "https://api.calendly.com/event_types/none", "visita"]
    lines = {one.what: one for one in SPEC.check(ACCOUNT, settings_for(stand), environment(stand), asked)}
    assert [lines[f"event type {name}"].state for name in asked] == ["fail", "fail", "fail"]
    assert "switched off" in lines[f"event type {off}"].text


def test_check_warns_of_a_member_and_of_missing_scopes(stand: Practice) -> None:
    scopes = "users:read organizations:read event_types:read scheduled_events:write".split()
    stand.company.add_user("Carla", "carla@example.com", token="few", scopes=scopes)
    lines = {one.what: one for one in SPEC.check(ACCOUNT, settings_for(stand, token="few"), environment(stand), [])}
    assert lines["role"].state == "warn" and "one user" in lines["role"].text
    assert lines["webhooks"].state == "warn" and "webhooks:write" in lines["webhooks"].remedy


@pytest.mark.parametrize(
    "wrong",
    [
        {"signing_keys": []},
        {"signing_keys": [" "]},
        {"signing_keys": "key"},
        {"token": ""},
        {"token": 7},
        {"tolerance": {"past": "a while"}},
        {"tolerance": {"before": "1h"}},
        {"unknown": True},
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CalendlySettings.model_validate({"token": "t", "signing_keys": [KEY]} | wrong)


def test_settings_do_not_show_their_secrets() -> None:
    shown = CalendlySettings.model_validate({"token": "canary-token", "signing_keys": ["canary-key"]})
    assert "canary" not in repr(shown) + str(shown) + shown.model_dump_json()
