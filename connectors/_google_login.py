"""Access tokens for one login at Google: signed for by a service account as each agent, or by one person's sign-in.

google-auth composes and reads the exchange; the request itself travels through our own transport, once and without
retries of its own. A refusal says what an administrator has to do.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors._google_settings import SCOPES, GoogleSettings
from connectors._http import Http, strict_json
from syncd.core.ids import AccountId
from syncd.errors import AuthFailed, ConnectorError, Forbidden, Transient, Unreadable
from syncd.ports import Environment

EARLIER = 120.0  # seconds before its end a token counts as used up
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_AGAIN = frozenset({"internal_failure", "server_error", "temporarily_unavailable", "slow_down"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAnswer:
    """What google-auth wants to see of an answer."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class TokenDoor:
    """Looks like a google-auth transport, and carries its one request through `Http`."""

    def __init__(self, http: Http, url: str) -> None:
        self.http, self.url = http, url
        self.told: dict[str, Any] = {}  # the last answer

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> TokenAnswer:
        """Send; a server in trouble raises Transient here, before the library would sleep and ask again."""
        if method != "POST" or url != self.url:
            raise Unreadable("google-auth wanted something other than a token")
        answer = self.http.send(
            "POST", url, headers={**FORM, **(headers or {})}, body=body, ok=(200, 400, 401, 403), idempotent=True
        )
        told = strict_json(answer.body)
        if not isinstance(told, dict):
            raise Unreadable("the token endpoint did not answer with a JSON object")
        if told.get("error") in _AGAIN:
            raise Transient(f"the token endpoint is not ready: {told['error']}")
        if answer.status == 200 and not isinstance(told.get("access_token"), str):
            raise Unreadable("the token endpoint answered without an access token")
        self.told = told
        return TokenAnswer(status=answer.status, headers=answer.headers, data=answer.body)


class Login:
    """The access token of one person at this login; safe to share between threads."""

    def __init__(
        self, account: AccountId, settings: GoogleSettings, env: Environment, http: Http, subject: str
    ) -> None:
        """`http` reaches the token endpoint; `subject`: as whom a service account comes, "" as itself."""
        self.account, self.settings, self.env, self.subject = account, settings, env, subject
        self._door = TokenDoor(http, settings.token_endpoint)
        self._token, self._ends = "", 0.0
        self._lock = threading.Lock()

    def token(self) -> str:
        """Return a token that is good for a while; raises AuthFailed with what to do."""
        with self._lock:
            if not self._token or self.env.clock.monotonic() >= self._ends:
                self._token = self._fresh(SCOPES)
                self._ends = self.env.clock.monotonic() + max(self._lifetime() - EARLIER, 0.0)
            return self._token

    def refused(self, token: str) -> None:
        """Note that a token was not accepted; the next one is a new one."""
        with self._lock:
            if self._token == token:
                self._token = ""

    def token_for(self, scopes: tuple[str, ...]) -> str:
        """Return a token for other scopes than usual: an examination tries them one by one."""
        with self._lock:
            return self._fresh(scopes)

    def _fresh(self, scopes: tuple[str, ...]) -> str:
        from google.auth.exceptions import GoogleAuthError

        credentials = self._signing(scopes) if self.settings.service_account else self._signed_in(scopes)
        try:
            credentials.refresh(self._door)
        except ConnectorError:
            raise
        except GoogleAuthError as error:
            raise self._refusal(error) from None  # the library's text may quote the answer
        if self.settings.service_account is None:
            self._keep(credentials.refresh_token)
        return str(credentials.token)

    def _lifetime(self) -> float:
        told = self._door.told.get("expires_in")
        return float(told) if isinstance(told, int | float) and 0 < told < 10**6 else 0.0

    def _signing(self, scopes: tuple[str, ...]) -> Any:
        from google.oauth2 import service_account

        held = {**self.settings.key_file, "token_uri": self.settings.token_endpoint}
        try:
            signing: Any = service_account.Credentials.from_service_account_info(held, scopes=list(scopes))  # type: ignore[no-untyped-call]
        except ValueError:
            raise AuthFailed(f"{self.account}: the private key of the service account cannot be read") from None
        return signing.with_subject(self.subject) if self.subject else signing

    def _signed_in(self, scopes: tuple[str, ...]) -> Any:
        from google.oauth2.credentials import Credentials

        client = self.settings.client_file
        person: Any = Credentials(  # type: ignore[no-untyped-call]
            token=None,
            refresh_token=self._kept(),
            token_uri=self.settings.token_endpoint,
            client_id=client["client_id"],
            client_secret=client["client_secret"],
            scopes=list(scopes) if scopes != SCOPES else None,  # None: what the person granted
        )
        return person

    # ------------------------------------------------------------------------------------------- the sign-in kept

    def _kept(self) -> str:
        """Return the refresh token; the account's name stands beside it, so that swapped rows are noticed."""
        tokens = self.env.tokens(self.account) if self.env.tokens is not None else None
        held = tokens.load() if tokens is not None else None
        if held is None:
            raise AuthFailed(f"{self.account} is not signed in at Google; run: syncd auth {self.account}")
        try:
            found = json.loads(held)
            account, token = found["account"], found["refresh_token"]
        except (ValueError, TypeError, KeyError):
            account, token = None, None
        if account != self.account or not isinstance(token, str) or not token:
            raise AuthFailed(
                f"{self.account}: what is kept is no sign-in of this account; run: syncd auth {self.account}"
            )
        return token

    def _keep(self, token: str | None) -> None:
        """Keep a rotated refresh token before anything is done with what came beside it."""
        if token and self.env.tokens is not None and token != self._kept():
            self.env.tokens(self.account).save(sealed(self.account, token))

    def _refusal(self, error: Exception) -> ConnectorError:
        told = self._door.told
        code, words = str(told.get("error", ""))[:60], str(told.get("error_description", ""))[:160]
        if self.settings.service_account is None:
            return AuthFailed(_person_refused(self.account, code, type(error).__name__))
        if code == "invalid_grant" and ("user" in words.lower() or "email" in words.lower()):
            # One agent who left must not park the account of all the others.
            return Forbidden(f"{self.account}: Google knows no such person in this domain ({code}: {words})")
        return AuthFailed(f"{self.account}: {_account_refused(code, words)}")


def sealed(account: AccountId, refresh_token: str) -> bytes:
    """Return a sign-in as it is kept; sealing it is the business of `Tokens`."""
    return json.dumps({"account": account, "refresh_token": refresh_token}).encode()


def _person_refused(account: AccountId, code: str, kind: str) -> str:
    if code == "invalid_grant":
        return (
            f"{account}: the sign-in at Google has ended (invalid_grant); run: syncd auth {account}. If it ends every "
            "seven days, the consent screen is still in testing: publish it"
        )
    if code in ("invalid_client", "unauthorized_client"):
        return f"{account}: Google does not know the OAuth client any more ({code}); download its JSON file anew"
    return f"{account}: Google refuses the sign-in ({code or kind}); run: syncd auth {account}"


def _account_refused(code: str, words: str) -> str:
    if code == "unauthorized_client":
        return (
            "domain-wide delegation is not set for these scopes (unauthorized_client); in the Workspace admin console, "
            "Security, API controls, Domain-wide delegation, add the service account's client id with: "
            f"{','.join(SCOPES)}"
        )
    if code == "invalid_grant" and "signature" in words.lower():
        return "the key of the service account was deleted or replaced (invalid_grant); make a new JSON key"
    if code == "invalid_grant" and ("token must be" in words.lower() or "timeframe" in words.lower()):
        return "this machine's clock is wrong (invalid_grant: the signature lies outside its time); set up NTP"
    if code == "invalid_grant" and "account not found" in words.lower():
        return "the service account was deleted (invalid_grant); make a new one"
    return f"Google refuses the service account ({code or 'no reason given'}: {words})"
