"""What the configuration says about a Microsoft 365 account."""

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr, field_validator, model_validator

GRAPH = "https://graph.microsoft.com/v1.0"
LOGIN = "https://login.microsoftonline.com"
ANYBODY = "common"  # the tenant of a person who signs in: a company's or a personal account


class OutlookSettings(BaseModel):
    """One app registration: as itself for every agent's mailbox (with a secret), or for one person who signs in."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    client_id: str
    tenant: str = ANYBODY
    client_secret: SecretStr | None = None
    authority: str = LOGIN  # another cloud of Microsoft's, or any OpenID provider with its path
    api_url: str = GRAPH
    allow_http: bool = False
    allow_private: bool = False

    @field_validator("client_id", "tenant")
    @classmethod
    def _one_word(cls, value: str) -> str:
        if not value.strip() or set(value) & set("/?#@ \t\n"):
            raise ValueError("is not an id or a domain name; copy it from the app registration's overview")
        return value

    @field_validator("client_secret")
    @classmethod
    def _filled(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().strip():
            raise ValueError("is empty; write the secret's value (not its id), or leave it out to sign in as a person")
        return value

    @model_validator(mode="after")
    def _own_tenant(self) -> "OutlookSettings":
        if self.client_secret is not None and self.tenant in (ANYBODY, "organizations", "consumers"):
            raise ValueError("with `client_secret`, write `tenant` too: the directory's id or its domain")
        return self

    @property
    def secret(self) -> str | None:
        """The client secret in clear; None where a person signs in."""
        return None if self.client_secret is None else self.client_secret.get_secret_value()

    @property
    def resource(self) -> str:
        """What tokens are asked for: the Graph of this cloud, whatever server stands in for it."""
        parts = urlsplit(self.api_url)
        national = (parts.hostname or "").endswith((".microsoft.com", ".microsoft.us", ".chinacloudapi.cn"))
        return f"https://{parts.hostname}" if national else "https://graph.microsoft.com"
