"""What may be written about a Google account, and what is said of a mistake."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from connectors import KINDS, load
from connectors.google import SPEC, GoogleSettings
from tests.servers.google_token import client_file, key_file

URL = "http://127.0.0.1:9"


def settings(**changes: Any) -> GoogleSettings:
    return GoogleSettings.model_validate({"service_account": key_file(f"{URL}/token"), **changes})


def test_google_is_a_kind_of_account() -> None:
    assert "google" in KINDS and load("google") is SPEC


@pytest.mark.parametrize(
    ("api_url", "endpoint"),
    [
        (None, "https://www.googleapis.com/calendar/v3/"),
        ("http://127.0.0.1:9", "http://127.0.0.1:9/calendar/v3/"),
        ("http://127.0.0.1:9/", "http://127.0.0.1:9/calendar/v3/"),
        ("http://127.0.0.1:9/calendar/v3", "http://127.0.0.1:9/calendar/v3/"),
        ("https://proxy.example.cl/google/", "https://proxy.example.cl/google/"),
    ],
)
def test_an_address_without_a_path_means_the_path_that_google_has(api_url: str | None, endpoint: str) -> None:
    assert settings(**({"api_url": api_url} if api_url else {})).endpoint == endpoint


def test_tokens_come_from_where_the_configuration_says_else_the_file_else_google() -> None:
    assert settings(token_url="https://proxy.example.cl/token").token_endpoint == "https://proxy.example.cl/token"
    assert settings().token_endpoint == f"{URL}/token"
    held = {name: one for name, one in json.loads(key_file("x")).items() if name != "token_uri"}
    assert settings(service_account=json.dumps(held)).token_endpoint == "https://oauth2.googleapis.com/token"


@pytest.mark.parametrize("address", ["javascript:alert(1)", "http://evil.example.cl/auth", 3])
def test_a_person_is_sent_to_sign_in_over_https_only(address: object) -> None:
    held = json.loads(client_file(URL))
    held["installed"]["auth_uri"] = address
    made = GoogleSettings.model_validate({"client": json.dumps(held)})
    assert made.sign_in_endpoint == "https://accounts.google.com/o/oauth2/v2/auth"


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({}, "write either"),
        ({"service_account": key_file("x"), "client": client_file(URL)}, "write either"),
        ({"service_account": "not JSON"}, "is not JSON"),
        ({"service_account": "[]"}, "is not JSON"),
        ({"service_account": "[" * 100_000}, "is not JSON"),
        ({"service_account": "{}"}, "lacks client_email and private_key"),
        ({"service_account": client_file(URL)}, "lacks client_email"),
        ({"client": key_file("x")}, "lacks client_secret"),
        ({"client": '{"installed": {"client_id": "x"}}'}, "lacks client_secret"),
        ({"client": client_file(URL), "send_updates": "everybody"}, "send_updates"),
        ({"client": client_file(URL), "quota": 0}, "quota"),
        ({"client": client_file(URL), "colour": "red"}, "colour"),
    ],
)
def test_a_mistake_is_told_and_no_secret_with_it(told: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        GoogleSettings.model_validate(told)
    assert words in str(caught.value)
    assert "PRIVATE KEY" not in str(caught.value) and "GOCSPX" not in str(caught.value)


def test_the_files_are_secrets() -> None:
    assert "PRIVATE KEY" not in repr(settings())
