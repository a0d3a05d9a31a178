"""What the configuration says about a Google account: a service account for many agents, or one signed-in person."""

import json
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

API = "https://www.googleapis.com"
SERVICE_PATH = "/calendar/v3/"
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 (an address)
SIGN_IN_URL = "https://accounts.google.com/o/oauth2/v2/auth"

SCOPES = (  # the least that will do: entries to read and write them, freebusy for the last look before a write
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.freebusy",
)

_KEYS = "Google Cloud console, IAM and Admin, Service Accounts, Keys, Add key, JSON"
_CLIENTS = "Google Cloud console, APIs and Services, Credentials, Create OAuth client ID, Desktop app, Download JSON"


class GoogleSettings(BaseModel):
    """One login at Google."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    service_account: SecretStr | None = None  # the whole JSON key file
    client: SecretStr | None = None  # the whole JSON file of an OAuth client of the kind "Desktop app"
    token_url: str | None = None
    api_url: str = API
    allow_http: bool = False
    allow_private: bool = False
    send_updates: Literal["none", "externalOnly", "all"] = "none"
    quota: int = Field(default=600, ge=1, le=100_000)  # requests a minute that the project allows one person

    @field_validator("service_account")
    @classmethod
    def _key_file(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _held(value, ("client_email", "private_key"), f"the JSON key file of a service account ({_KEYS})")
        return value

    @field_validator("client")
    @classmethod
    def _client_file(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            held = _inner(_object(value, f"the JSON file of an OAuth client ({_CLIENTS})"))
            _complete(held, ("client_id", "client_secret"), f"the JSON file of an OAuth client ({_CLIENTS})")
        return value

    @model_validator(mode="after")
    def _one_login(self) -> "GoogleSettings":
        if (self.service_account is None) == (self.client is None):
            raise ValueError(
                "write either `service_account` (a Workspace domain) or `client` (one person), one of them"
            )
        return self

    @property
    def endpoint(self) -> str:
        """The address of the Calendar service; of a bare host, with the path that Google's has."""
        bare = urlsplit(self.api_url).path in ("", "/")
        return self.api_url.rstrip("/") + (SERVICE_PATH if bare else "/")

    @property
    def key_file(self) -> dict[str, Any]:
        """The service account's key file; empty where a person signs in."""
        return {} if self.service_account is None else _object(self.service_account, "")

    @property
    def client_file(self) -> dict[str, Any]:
        """The OAuth client; empty where a service account is used."""
        return {} if self.client is None else _inner(_object(self.client, ""))

    @property
    def token_endpoint(self) -> str:
        """Where tokens come from: as configured, else as the JSON file says, else Google."""
        said = self.key_file.get("token_uri") or self.client_file.get("token_uri")
        return self.token_url or (said if isinstance(said, str) else TOKEN_URL)

    @property
    def sign_in_endpoint(self) -> str:
        said = self.client_file.get("auth_uri")
        return said if isinstance(said, str) and said.startswith(("https://", "http://127.0.0.1")) else SIGN_IN_URL


def _held(value: SecretStr, names: tuple[str, ...], what: str) -> None:
    _complete(_object(value, what), names, what)


def _object(value: SecretStr, what: str) -> dict[str, Any]:
    try:
        held = json.loads(value.get_secret_value())
    except (ValueError, RecursionError):
        held = None
    if not isinstance(held, dict):
        raise ValueError(f"is not JSON; wanted is {what}")
    return held


def _inner(held: dict[str, Any]) -> dict[str, Any]:
    """Return what stands below "installed" (a desktop client); "web" clients have no loopback address by themselves."""
    for kind in ("installed", "web"):
        if isinstance(held.get(kind), dict):
            inner: dict[str, Any] = held[kind]
            return inner
    return held


def _complete(held: dict[str, Any], names: tuple[str, ...], what: str) -> None:
    missing = [name for name in names if not isinstance(held.get(name), str) or not held[name]]
    if missing:
        raise ValueError(f"lacks {' and '.join(missing)}; wanted is {what}")
