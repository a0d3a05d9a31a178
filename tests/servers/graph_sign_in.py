"""Microsoft's sign-in service as far as msal needs it: it describes itself, and gives tokens to apps and to people.

Stateful: refresh tokens are used up, secrets can be changed, sign-ins revoked. Knows no HTTP; see graph.py.
"""

import base64
import json
import time
from dataclasses import dataclass, field
from itertools import count
from typing import Any

TENANT = "oficina.example"
CLIENT = "11111111-2222-3333-4444-555555555555"
SECRET = "app-secret"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
Reply = tuple[int, dict[str, Any]]


def coded(claims: dict[str, Any]) -> str:
    """Write claims as a token that nobody signed; msal leaves signatures to the audience."""
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts) + ".x"


@dataclass
class SignInDesk:
    """One tenant with one app; people sign in by code."""

    secret: str = SECRET
    roles: list[str] = field(default_factory=list)  # what the app's tokens say of it
    lasts: int = 3600  # seconds of an access token
    busy: int = 0  # answers so many token requests with 503
    live: set[str] = field(default_factory=set)  # access tokens that Graph takes
    refresh: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    codes: dict[str, bool] = field(default_factory=dict)  # device code -> whether the person entered it
    refused: str = ""  # the error word for people's refreshes: invalid_grant, interaction_required …
    asked: list[str] = field(default_factory=list)  # grants, as they came
    numbers: Any = field(default_factory=lambda: count(1))

    def expire_all(self) -> None:
        """Let every access token end now."""
        self.live.clear()

    def approve(self) -> None:
        """Enter every code that waits."""
        self.codes = dict.fromkeys(self.codes, True)

    def answer(self, base: str, path: str, form: dict[str, str]) -> Reply:
        """Answer one call; `base` is the address of this server."""
        tenant = path.strip("/").partition("/")[0]
        if tenant not in (TENANT, "common"):
            return 400, {"error": "invalid_tenant", "error_description": f"AADSTS90002: Tenant '{tenant}' not found."}
        if path.endswith("/.well-known/openid-configuration"):
            return 200, self._about(f"{base}/{tenant}")
        if path.endswith("/devicecode"):
            return self._device(base)
        if path.endswith("/token"):
            return self._token(f"{base}/{tenant}/v2.0", form)
        return 404, {"error": "not_found"}

    @staticmethod
    def _about(tenant: str) -> dict[str, Any]:
        return {
            "issuer": f"{tenant}/v2.0",
            "authorization_endpoint": f"{tenant}/oauth2/v2.0/authorize",
            "token_endpoint": f"{tenant}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{tenant}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{tenant}/discovery/v2.0/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def _device(self, base: str) -> Reply:
        code = f"device-{next(self.numbers)}"
        self.codes[code] = False
        page = f"{base}/devicelogin"
        return 200, {
            "device_code": code,
            "user_code": "ABCD1234",
            "verification_uri": page,
            "expires_in": 900,
            "interval": 0,
            "message": f"To sign in, open {page} and enter the code ABCD1234.",
        }

    def _token(self, issuer: str, form: dict[str, str]) -> Reply:
        grant = form.get("grant_type", "")
        self.asked.append(grant)
        if self.busy:
            self.busy -= 1
            return 503, {"error": "temporarily_unavailable", "error_description": "AADSTS90033"}
        if form.get("client_id") != CLIENT:
            return 400, {"error": "unauthorized_client", "error_description": "AADSTS700016: no such application"}
        if grant == "client_credentials":
            return self._as_app(form)
        if grant == DEVICE:
            return self._by_code(issuer, form)
        if grant == "refresh_token":
            return self._refreshed(issuer, form)
        return 400, {"error": "unsupported_grant_type"}

    def _as_app(self, form: dict[str, str]) -> Reply:
        if form.get("client_secret") != self.secret:
            return 401, {"error": "invalid_client", "error_description": "AADSTS7000222: the secret has expired"}
        if not form.get("scope", "").endswith("/.default"):
            return 400, {"error": "invalid_scope", "error_description": "AADSTS1002012"}
        return 200, {"token_type": "Bearer", "expires_in": self.lasts, "access_token": self._access("app")}

    def _by_code(self, issuer: str, form: dict[str, str]) -> Reply:
        entered = self.codes.get(form.get("device_code", ""))
        if entered is None:
            return 400, {"error": "expired_token", "error_description": "AADSTS70020"}
        if not entered:
            return 400, {"error": "authorization_pending", "error_description": "AADSTS70016"}
        return 200, self._person(issuer)

    def _refreshed(self, issuer: str, form: dict[str, str]) -> Reply:
        given = form.get("refresh_token", "")
        if self.refused:
            return 400, {"error": self.refused, "error_description": "AADSTS50173: the grant was revoked"}
        if given not in self.refresh:
            reason = "used before" if given in self.used else "unknown"
            return 400, {"error": "invalid_grant", "error_description": f"AADSTS70000: refresh token {reason}"}
        self.refresh.discard(given)
        self.used.add(given)
        return 200, self._person(issuer)

    def _person(self, issuer: str) -> dict[str, Any]:
        new = f"refresh-{next(self.numbers)}"
        self.refresh.add(new)
        now = int(time.time())  # noqa: TID251 - msal compares with the machine's clock
        claims = {"iss": issuer, "aud": CLIENT, "sub": "ana", "oid": "ana-oid", "tid": TENANT, "iat": now}
        claims |= {"exp": now + 3600, "preferred_username": "ana@oficina.example", "name": "Ana"}
        whose = base64.urlsafe_b64encode(json.dumps({"uid": "ana-oid", "utid": TENANT}).encode()).decode()
        return {
            "token_type": "Bearer",
            "scope": "https://graph.microsoft.com/Calendars.ReadWrite https://graph.microsoft.com/MailboxSettings.Read",
            "expires_in": self.lasts,
            "access_token": self._access("ana"),
            "refresh_token": new,
            "id_token": coded(claims),
            "client_info": whose,
        }

    def _access(self, whose: str) -> str:
        token = coded({"sub": whose, "roles": self.roles, "n": next(self.numbers)})
        self.live.add(token)
        return token
