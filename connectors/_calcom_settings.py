"""What the configuration says about a Cal.com account, hosted or Cal.diy; all that the hook knows besides the
delivery."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator

Version = Annotated[str, StringConstraints(pattern=r"^20[0-9]{2}-[0-9]{2}-[0-9]{2}$")]

_SLUG = re.compile(r"[A-Za-z0-9_-]{1,40}")


class CalcomSettings(BaseModel):
    """One API key. Without a version header Cal.com silently answers as an older version would: always sent."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    api_key: SecretStr
    secrets: list[SecretStr] = Field(min_length=1)
    api_version: Version = "2024-08-13"  # of bookings
    slots_version: Version = "2024-09-04"
    event_types_version: Version = "2024-06-14"
    organization: int | None = None
    team: int | None = None
    request_field: str | None = None
    pages: dict[str, str] = {}  # event type id -> address of its booking page, where the API does not tell it
    hold: int = Field(default=5, ge=1, le=60)  # minutes
    api_url: str = "https://api.cal.com/v2"
    allow_http: bool = False
    allow_private: bool = False

    @field_validator("api_key")
    @classmethod
    def _key(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().strip():
            raise ValueError("is empty; make a key at Cal.com (Settings, Developer, API keys); it begins with cal_")
        return value

    @field_validator("secrets", mode="before")
    @classmethod
    def _secrets_given(cls, value: Any) -> Any:
        if isinstance(value, list) and not value:
            raise ValueError("is empty; write at least one long random text, with which Cal.com signs its webhooks")
        return value

    @field_validator("secrets")
    @classmethod
    def _secrets_filled(cls, value: list[SecretStr]) -> list[SecretStr]:
        if any(not one.get_secret_value().strip() for one in value):
            raise ValueError("one of them is empty; remove it or write a long random text")
        return value

    @field_validator("request_field")
    @classmethod
    def _field(cls, value: str | None) -> str | None:
        if value is not None and not _SLUG.fullmatch(value):
            raise ValueError("should be the identifier of a booking question at Cal.com, for instance solicitud")
        return value

    @field_validator("pages")
    @classmethod
    def _pages(cls, value: dict[str, str]) -> dict[str, str]:
        for page in value.values():
            if not page.startswith(("https://", "http://")):
                raise ValueError("should map an event type's id to the address of its page: https://cal.com/…")
        return value

    @property
    def keys(self) -> list[str]:
        """The secrets in clear; the first one signs new webhooks, all of them are accepted."""
        return [one.get_secret_value() for one in self.secrets]
