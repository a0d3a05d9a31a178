"""What the configuration says about a WhatsApp Business number; all that the hook knows besides the delivery."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator

Digits = Annotated[str, StringConstraints(pattern=r"^[0-9]{3,30}$")]
Version = Annotated[str, StringConstraints(pattern=r"^v[0-9]{1,3}\.[0-9]{1,2}$")]
TemplateName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,512}$")]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(_[A-Z]{2})?$")]


class Template(BaseModel):
    """One template that Meta has approved. `button` names the link whose last part its address button takes."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    name: TemplateName
    language: Code = "es"
    variables: list[str] = ["client_name", "project", "event_date", "event_time"]
    button: str = ""


class WhatsappSettings(BaseModel):
    """One number of the Cloud API, and the template for each kind of message."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    phone_number_id: Digits
    token: SecretStr
    app_secret: SecretStr
    verify_token: SecretStr
    templates: dict[str, Template] = {}
    version: Version = "v23.0"
    api_url: str = "https://graph.facebook.com"
    allow_http: bool = False
    allow_private: bool = Field(default=False)

    @field_validator("token", "app_secret", "verify_token")
    @classmethod
    def _filled(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().strip():
            raise ValueError("is empty")
        return value
