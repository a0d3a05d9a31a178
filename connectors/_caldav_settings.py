"""What the configuration says about a CalDAV account."""

from pydantic import BaseModel, ConfigDict, SecretStr, field_validator, model_validator


class CaldavSettings(BaseModel):
    """One login at a CalDAV server."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    url: str
    username: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None
    quirks: str | None = None  # a server's name in python-caldav's table of servers: nextcloud, icloud, sogo …
    api_url: str | None = None  # stands in for `url`: a proxy, a test server
    allow_http: bool = False
    allow_private: bool = False

    @field_validator("password", "token")
    @classmethod
    def _filled(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().strip():
            raise ValueError("is empty")
        return value

    @model_validator(mode="after")
    def _one_login(self) -> "CaldavSettings":
        if self.token is not None and self.password is not None:
            raise ValueError("write either `password` or `token`, not both")
        if (self.username is None) != (self.password is None):
            raise ValueError("write `username` and `password` together (or `token` alone)")
        return self

    @property
    def base_url(self) -> str:
        return self.api_url or self.url

    @property
    def login(self) -> tuple[str, str] | None:
        """User name and password in clear, None where a token is used or the server asks for nothing."""
        if self.username is None or self.password is None:
            return None
        return self.username, self.password.get_secret_value()

    @property
    def bearer(self) -> dict[str, str]:
        return {} if self.token is None else {"Authorization": f"Bearer {self.token.get_secret_value()}"}
