"""What the configuration says about a Calendly account; the only thing that the hook knows besides the delivery."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def _duration(value: Any) -> Any:
    """Read "25h" where the configuration has not done it already."""
    match = re.fullmatch(r"(\d{1,6})([smhdw])", value) if isinstance(value, str) else None
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else value


Duration = Annotated[timedelta, BeforeValidator(_duration)]


class Tolerance(BaseModel):
    """How far the timestamp of a signed delivery may lie from our clock."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    past: Duration = timedelta(hours=25)  # Calendly repeats for 24 h; whether with a fresh timestamp is undocumented
    future: Duration = timedelta(minutes=5)


class CalendlySettings(BaseModel):
    """One Calendly login."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    token: SecretStr
    signing_keys: list[SecretStr] = Field(min_length=1)
    organization: str | None = None
    tolerance: Tolerance = Tolerance()
    api_url: str = "https://api.calendly.com"
    allow_http: bool = False
    allow_private: bool = False
    reassign_locally: bool = False
    single_use_links: bool = True

    @field_validator("token")
    @classmethod
    def _token(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().strip():
            raise ValueError("is empty; paste a personal access token (Calendly, Integrations, API and webhooks)")
        return value

    @field_validator("signing_keys", mode="before")
    @classmethod
    def _keys_given(cls, value: Any) -> Any:
        if isinstance(value, list) and not value:
            raise ValueError("is empty; write at least one long random text, with which Calendly signs its webhooks")
        return value

    @field_validator("signing_keys")
    @classmethod
    def _keys_filled(cls, value: list[SecretStr]) -> list[SecretStr]:
        if any(not one.get_secret_value().strip() for one in value):
            raise ValueError("one of them is empty; remove it or write a long random text")
        return value

    @property
    def keys(self) -> list[str]:
        """The signing keys in clear; the first one signs new subscriptions, all of them are accepted."""
        return [one.get_secret_value() for one in self.signing_keys]
