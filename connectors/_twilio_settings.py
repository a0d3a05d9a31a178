"""What the configuration says about a Twilio account; all that the hook knows besides the delivery."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator

Sid = Annotated[str, StringConstraints(pattern=r"^AC[0-9a-fA-F]{32}$")]
Sender = Annotated[str, StringConstraints(pattern=r"^(\+[1-9][0-9]{6,14}|MG[0-9a-fA-F]{32}|[A-Za-z0-9 ]{2,11})$")]


class TwilioSettings(BaseModel):
    """One account and the number, the messaging service (MG…) or the name that its messages come from."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    account_sid: Sid
    auth_token: SecretStr
    sender: Sender = Field(alias="from")
    api_url: str = "https://api.twilio.com"
    allow_http: bool = False
    allow_private: bool = False

    @field_validator("auth_token")
    @classmethod
    def _filled(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().strip():
            raise ValueError("is empty; copy it from the console of Twilio")
        return value

    @field_validator("sender")
    @classmethod
    def _sender(cls, value: str) -> str:
        if value.replace(" ", "").isdigit():
            raise ValueError("is no number with its country; write +56…, a name with letters, or a service MG…")
        return value
