"""One person's sign-in at Google: the browser comes back to a port of this machine (RFC 8252), with PKCE and a state.

Only the refresh token is kept, sealed by `Tokens`; access tokens live in memory.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from connectors._google_login import FORM, sealed
from connectors._google_settings import SCOPES, GoogleSettings
from connectors._http import Http, strict_json
from syncd.clock import Clock
from syncd.core.ids import AccountId
from syncd.errors import AuthFailed, Permanent, Unreadable
from syncd.ports import Environment

PATIENCE = 600.0  # seconds for a person to sign in
ROUND = 0.5  # seconds between two looks at the clock
DONE = "Listo: syncd ya puede usar este calendario de Google. Puede cerrar esta ventana."
NOT_DONE = "No se concedió el acceso. Puede cerrar esta ventana; en la consola está el motivo."
SERVICE = "this account signs in with a service account: there is nobody to ask; `syncd doctor` tries it"


@dataclass(slots=True, kw_only=True)
class _Asked:
    """What the browser was sent to ask, and with what it came back."""

    state: str
    verifier: str
    redirect: str = ""
    code: str = ""
    refusal: str = ""

    @property
    def challenge(self) -> str:
        digest = hashlib.sha256(self.verifier.encode("ascii")).digest()
        return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def sign_in(account: AccountId, settings: Any, env: Environment, tell: Callable[[str], None]) -> None:
    """Sign one person in: tells the address to open, waits for the browser, keeps the refresh token.

    Raises AuthFailed where the person or Google refuses, Permanent where there is nothing to sign in to.
    """
    ours: GoogleSettings = settings
    if ours.service_account is not None:
        raise Permanent(SERVICE)
    if env.tokens is None:
        raise Permanent("there is no store that could keep the sign-in; run this beside the installation")
    tokens = env.tokens(account)
    asked = _Asked(state=env.clock.new_id(), verifier=env.clock.new_id() + env.clock.new_id())
    with _Door(asked) as door:
        asked.redirect = f"http://127.0.0.1:{door.server_port}"
        _invite(ours, asked, door.server_port, tell)
        _wait(door, asked, env.clock)
    if not asked.code:
        raise AuthFailed(f"{account}: Google did not let syncd in ({asked.refusal or 'nobody came back'})")
    tokens.save(sealed(account, _exchanged(account, ours, env, asked)))


def _invite(settings: GoogleSettings, asked: _Asked, port: int, tell: Callable[[str], None]) -> None:
    query = {
        "response_type": "code",
        "client_id": settings.client_file["client_id"],
        "redirect_uri": asked.redirect,
        "scope": " ".join(SCOPES),
        "state": asked.state,
        "code_challenge": asked.challenge,
        "code_challenge_method": "S256",
        "access_type": "offline",
        "prompt": "consent",  # else Google gives no refresh token the second time
    }
    tell(f"Open this address in a browser on this machine and sign in:\n{settings.sign_in_endpoint}?{urlencode(query)}")
    tell(f"From another machine, first: ssh -L {port}:127.0.0.1:{port} this-host")


def _wait(door: "_Door", asked: _Asked, clock: Clock) -> None:
    ends = clock.monotonic() + PATIENCE
    while not asked.code and not asked.refusal and clock.monotonic() < ends:
        door.handle_request()


def _exchanged(account: AccountId, settings: GoogleSettings, env: Environment, asked: _Asked) -> str:
    """Turn the code into a refresh token; raises AuthFailed saying what is missing."""
    url = settings.token_endpoint
    http = Http(env, url, allow_http=settings.allow_http, allow_private=settings.allow_private, account=account)
    form = {
        "grant_type": "authorization_code",
        "code": asked.code,
        "client_id": settings.client_file["client_id"],
        "client_secret": settings.client_file["client_secret"],
        "redirect_uri": asked.redirect,
        "code_verifier": asked.verifier,
    }
    answer = http.send("POST", url, headers=FORM, body=urlencode(form).encode(), ok=(200, 400, 401, 403))
    told = strict_json(answer.body)
    if not isinstance(told, dict):
        raise Unreadable("the token endpoint did not answer with a JSON object")
    if answer.status != 200:
        raise AuthFailed(f"{account}: Google refuses the sign-in ({str(told.get('error'))[:60]})")
    _check_scopes(account, told)
    token = told.get("refresh_token")
    if not isinstance(token, str) or not token:
        why = "gave no refresh token; remove syncd at myaccount.google.com/connections and sign in again"
        raise AuthFailed(f"{account}: Google {why}")
    return token


def _check_scopes(account: AccountId, told: dict[str, Any]) -> None:
    """At the consent screen each permission has a box of its own, which may have been left empty."""
    granted = str(told.get("scope", " ".join(SCOPES))).split()
    missing = [one for one in SCOPES if one not in granted and one.rsplit("/", 1)[0] + "/calendar" not in granted]
    if missing:
        raise AuthFailed(f"{account}: not every box was ticked at Google; missing: {' '.join(missing)}. Sign in again")


class _Door(HTTPServer):
    """Listens on a free port of loopback for one browser; what does not bring the state is sent away."""

    timeout = ROUND
    allow_reuse_address = False

    def __init__(self, asked: _Asked) -> None:
        super().__init__(("127.0.0.1", 0), _Visitor)
        self.asked = asked

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up is nobody's trouble."""


class _Visitor(BaseHTTPRequestHandler):
    """One request of a browser."""

    server: _Door
    timeout = 10

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        state, code, error = (query.get(name, [""])[0] for name in ("state", "code", "error"))
        asked = self.server.asked
        if not hmac.compare_digest(state.encode(), asked.state.encode()):
            self._say(404, "")
        elif code:
            asked.code = code
            self._say(200, DONE)
        else:
            asked.refusal = error[:60] or "no code"
            self._say(200, NOT_DONE)

    def _say(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing: the request holds the code."""
