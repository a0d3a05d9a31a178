"""Google's sign-in as our server plays it: authorization codes with PKCE, refresh tokens, service accounts.

Assertions are checked with google-auth's own verifier, keys are real.
"""

import base64
import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

Json = dict[str, Any]
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLIENT_ID, CLIENT_SECRET = "123-desk.apps.googleusercontent.com", "GOCSPX-desk"
ROBOT = "syncd@project.iam.gserviceaccount.com"
AUDIENCE = "https://oauth2.googleapis.com/token"
CALENDAR = "https://www.googleapis.com/auth/calendar"
EVENTS, FREE_BUSY, LISTS = f"{CALENDAR}.events", f"{CALENDAR}.freebusy", f"{CALENDAR}.calendarlist.readonly"


class Denied(Exception):
    """A refusal of the token endpoint (RFC 6749, 5.2)."""

    def __init__(self, status: int, error: str, description: str = "") -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, **({"error_description": description} if description else {})}


@dataclass(frozen=True, slots=True)
class Grant:
    """Whose an access token is, and for what."""

    person: str
    scopes: frozenset[str]


@dataclass(slots=True)
class Desk:
    """Everything that gives or refuses tokens."""

    people: set[str] = field(default_factory=lambda: {"ana@example.cl"})
    delegated: set[str] = field(default_factory=lambda: {EVENTS, FREE_BUSY})
    refresh: dict[str, Grant] = field(default_factory=dict)
    codes: dict[str, tuple[Grant, str, str]] = field(default_factory=dict)  # code -> grant, challenge, redirect
    access: dict[str, Grant] = field(default_factory=dict)
    lifetime: int = 3600
    rotates: bool = False
    consents: bool = True  # the person at the consent screen
    granted: set[str] | None = None  # boxes ticked there; None: all
    gives_refresh: bool = True
    asked: list[dict[str, str]] = field(default_factory=list)
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def sign_in(self, person: str, *scopes: str) -> str:
        """Sign a person in without a screen; return the refresh token."""
        token = f"1//refresh-{next(self.numbers)}"
        self.refresh[token] = Grant(person, frozenset(scopes or (EVENTS, FREE_BUSY)))
        return token

    def revoke_access(self) -> None:
        self.access.clear()

    def token(self, form: Mapping[str, str]) -> Json:
        """Answer one request for a token."""
        self.asked.append(dict(form))
        match form.get("grant_type"):
            case "refresh_token":
                return self._refreshed(form)
            case "authorization_code":
                return self._exchanged(form)
            case grant if grant == JWT_BEARER:
                return self._asserted(form["assertion"])
            case other:
                raise Denied(400, "unsupported_grant_type", str(other))

    def _given(self, grant: Grant, **more: Any) -> Json:
        token = f"ya29.{next(self.numbers)}"
        self.access[token] = grant
        scope = " ".join(sorted(grant.scopes))
        return {"access_token": token, "expires_in": self.lifetime, "token_type": "Bearer", "scope": scope, **more}

    def _refreshed(self, form: Mapping[str, str]) -> Json:
        self._client(form)
        grant = self.refresh.get(form["refresh_token"])
        if grant is None:
            raise Denied(400, "invalid_grant", "Token has been expired or revoked.")
        if not self.rotates:
            return self._given(grant)
        del self.refresh[form["refresh_token"]]
        return self._given(grant, refresh_token=self.sign_in(grant.person, *grant.scopes))

    def _client(self, form: Mapping[str, str]) -> None:
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise Denied(401, "invalid_client", "The OAuth client was not found.")

    def _exchanged(self, form: Mapping[str, str]) -> Json:
        self._client(form)
        grant, challenge, redirect = self.codes.pop(form["code"], (None, "", ""))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        fits = base64.urlsafe_b64encode(digest).decode().rstrip("=") == challenge
        if grant is None or not fits or form.get("redirect_uri") != redirect:
            raise Denied(400, "invalid_grant", "Malformed auth code.")
        more = {"refresh_token": self.sign_in(grant.person, *grant.scopes)} if self.gives_refresh else {}
        return self._given(grant, **more)

    def _asserted(self, assertion: str) -> Json:
        from google.auth import jwt
        from google.auth.exceptions import GoogleAuthError

        try:
            claims: Json = jwt.decode(assertion, certs=certificate(), audience=AUDIENCE)  # type: ignore[no-untyped-call]
        except (ValueError, GoogleAuthError):
            raise Denied(400, "invalid_grant", "Invalid JWT Signature.") from None
        scopes = frozenset(str(claims["scope"]).split())
        if claims["iss"] != ROBOT:
            raise Denied(400, "invalid_grant", "Invalid grant: account not found")
        subject = claims.get("sub", ROBOT)
        if subject != ROBOT and subject not in self.people:
            raise Denied(400, "invalid_grant", "Invalid email or User ID")
        if subject != ROBOT and not scopes <= self.delegated:
            raise Denied(
                401, "unauthorized_client", "Client is unauthorized to retrieve access tokens using this method."
            )
        return self._given(Grant(subject, scopes))

    def consent(self, query: str) -> str:
        """Play the consent screen and the person at it; return where the browser is sent."""
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        wanted = {"response_type": "code", "client_id": CLIENT_ID, "access_type": "offline", "prompt": "consent"}
        assert asked.items() >= wanted.items() and asked["code_challenge_method"] == "S256", asked
        redirect = asked["redirect_uri"]
        assert urlsplit(redirect).hostname == "127.0.0.1" and urlsplit(redirect).port, redirect
        assert len(asked["state"]) >= 16 and len(asked["code_challenge"]) == 43
        if not self.consents:
            return f"{redirect}?{urlencode({'error': 'access_denied', 'state': asked['state']})}"
        code = f"4/code-{next(self.numbers)}"
        scopes = frozenset(asked["scope"].split()) & (self.granted or frozenset(asked["scope"].split()))
        self.codes[code] = (Grant("ana@example.cl", scopes), asked["code_challenge"], redirect)
        return f"{redirect}?{urlencode({'code': code, 'state': asked['state'], 'scope': ' '.join(scopes)})}"


@cache
def _key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def certificate() -> bytes:
    """Return the robot's public certificate, as Google publishes it."""
    from datetime import UTC, datetime

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, ROBOT)])
    key = _key("robot")
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
    )
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@cache
def key_file(token_url: str, *, key: str = "robot", email: str = ROBOT) -> str:
    """Return the JSON key file of the service account, as it is downloaded. `key`: another name for a foreign key."""
    private = _key(key).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "project",
            "private_key_id": "abc123",
            "private_key": private.decode(),
            "client_email": email,
            "client_id": "1234567890",
            "token_uri": token_url,
        }
    )


def client_file(url: str) -> str:
    """Return the JSON file of the desktop client, as it is downloaded."""
    held = {
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "auth_uri": f"{url}/auth",
        "token_uri": f"{url}/token",
        "redirect_uris": ["http://localhost"],
    }
    return json.dumps({"installed": held})
