"""What the configuration says about a mail relay."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, field_validator, model_validator

from connectors._address import literal_of
from connectors._smtp_mail import read_address

Host = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]{1,253}$")]


class SmtpSettings(BaseModel):
    """One login at a relay that sends for our address, signs with DKIM and keeps what cannot be delivered at once."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    host: Host
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    sender: str = Field(alias="from")
    sender_name: str = Field(default="", alias="from_name", max_length=100)
    reply_to: str | None = None
    allow_private: bool = False

    @field_validator("sender", "reply_to")
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        return None if value is None else read_address(value)

    @model_validator(mode="after")
    def _login(self) -> "SmtpSettings":
        if (self.username is None) != (self.password is None):
            raise ValueError("has only one of username and password; write both, or neither")
        if self.password is not None and self.security == "none" and not self.near:
            raise ValueError('would send the password readable; write security = "starttls" or "tls"')
        return self

    @property
    def near(self) -> bool:
        """Tell whether the relay runs on this very machine."""
        address = literal_of(self.host)
        return self.host == "localhost" or (address is not None and address.is_loopback)
