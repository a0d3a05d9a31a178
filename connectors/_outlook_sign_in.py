"""Access tokens of one Microsoft 365 account, by msal over our own transport; knows nothing of calendars.

msal returns refusals as values and reads clock and cache by itself. A refresh token is replaced when it is used, so
what changed is kept before the access token is given out.
"""

import base64
import contextlib
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from connectors._http import Http
from connectors._loading import loaded
from connectors._outlook_settings import OutlookSettings
from syncd.core.ids import AccountId
from syncd.errors import Ambiguous, AuthFailed, ConnectorError, Transient
from syncd.ports import Environment, Tokens

PASSING = frozenset({"temporarily_unavailable", "server_error", "service_unavailable", "timeout"})
PENDING = frozenset({"authorization_pending", "slow_down"})
PERSONAL = ("Calendars.ReadWrite", "MailboxSettings.Read")
MICROSOFT = ("microsoftonline.com", "microsoftonline.us", "chinacloudapi.cn", "microsoftonline.cn")
ANSWERS = frozenset(range(200, 500)) - {408, 425, 429}  # msal reads refusals itself; our transport, trouble
MARGIN = 300  # seconds before its end from which a token is not used any more
Result = Mapping[str, Any]


class SignInRefused(AuthFailed):
    """The sign-in service refuses the account; `word` is its name for the reason."""

    def __init__(self, why: str, word: str) -> None:
        super().__init__(why)
        self.word = word


class _Reply:
    """An answer as msal wants to see it."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str]) -> None:
        self.status_code, self.text, self.headers = status, text, headers


class _Transport:
    """Looks like a requests session to msal, and speaks to the authority's own server only.

    msal takes https addresses alone; for a stand-in on this very machine they are told in that form.
    """

    def __init__(self, http: Http) -> None:
        self._http = http
        self._real = str(http.reach.origin)
        self._told = "https://" + self._real.partition("://")[2]

    def get(self, url: str, *, params: Mapping[str, str] | None = None, headers: Any = None, **_: Any) -> _Reply:
        return self._send("GET", url + ("?" + urlencode(params) if params else ""), headers, None, harmless=True)

    def post(
        self, url: str, *, params: Any = None, data: Any = None, headers: Any = None, **_: Any
    ) -> _Reply:  # msal puts nothing into `params` of a POST
        body = urlencode(data or {}).encode() if not isinstance(data, str) else data.encode()
        return self._send("POST", url, headers, body, harmless=b"grant_type=client_credentials" in body)

    def close(self) -> None:
        self._http.close()

    def _send(self, method: str, url: str, headers: Any, body: bytes | None, *, harmless: bool) -> _Reply:
        kept = {name: value for name, value in (headers or {}).items() if value is not None}
        if body is not None:
            kept["Content-Type"] = "application/x-www-form-urlencoded"
        place = url.replace(self._told, self._real, 1)
        try:
            answer = self._http.send(method, place, headers=kept, body=body, ok=ANSWERS, idempotent=harmless)
        except Ambiguous as lost:
            raise Transient(str(lost)) from lost
        text = answer.body.decode("utf-8", "replace")
        return _Reply(answer.status, text.replace(self._real, self._told), answer.headers)


class SignIn:
    """Gives out access tokens of one account. Safe to share: one thread at a time speaks to the authority."""

    def __init__(self, account: AccountId, settings: OutlookSettings, env: Environment) -> None:
        self.account, self.settings, self.env = account, settings, env
        self._lock = threading.Lock()
        self._kept: bytes | None = None
        self._app: Any = None
        self._cache: Any = None
        self.scopes = [f"{settings.resource}/{name}" for name in PERSONAL]
        if settings.secret is not None:
            self.scopes = [f"{settings.resource}/.default"]

    def token(self, refused: str | None = None) -> tuple[str, float]:
        """Return an access token, another one than `refused`, and the seconds it may be used.

        What a refreshed sign-in left behind is kept before this returns. Raises AuthFailed, Transient.
        """
        with self._lock:
            result = self._ask(refused)
            lasts = float(result.get("expires_in") or 0)
            return str(result["access_token"]), max(lasts - MARGIN, lasts / 2)

    def sign_in(self, tell: Callable[[str], None]) -> None:
        """Let a person sign in on any device, and keep what comes of it; raises AuthFailed, Transient."""
        with self._lock:
            if self._store() is None:
                raise AuthFailed(f"{self.account}: there is nowhere to keep the sign-in")
            self._forget()
            app = self._open()
            for old in app.get_accounts():
                app.remove_account(old)
            flow = app.initiate_device_flow(scopes=self.scopes)
            if "user_code" not in flow:
                raise _refusal(self.account, flow)
            tell(str(flow.get("message") or f"{flow.get('verification_uri')}  {flow['user_code']}"))
            result = app.acquire_token_by_device_flow(flow)
            if "access_token" not in result:
                raise _refusal(self.account, result)
            self._keep()

    def rights(self) -> frozenset[str]:
        """Return what the token in hand allows by its own words (roles or scopes): advice, never access."""
        return rights_of(self.token()[0])

    # ------------------------------------------------------------------------------------------- inside the lock

    def _ask(self, refused: str | None) -> Result:
        if self.settings.secret is not None:
            return self._as_app(refused)
        try:
            return self._as_person(refused)
        except AuthFailed:
            if not self._renewed_elsewhere():
                raise
        return self._as_person(None)  # somebody ran `syncd auth` meanwhile

    def _as_app(self, refused: str | None) -> Result:
        app = self._open()
        result: Result = app.acquire_token_for_client(scopes=self.scopes)
        if refused is not None and result.get("access_token") == refused:
            app.remove_tokens_for_client()
            result = app.acquire_token_for_client(scopes=self.scopes)
        return self._checked(result)

    def _as_person(self, refused: str | None) -> Result:
        app = self._open()
        known = app.get_accounts()
        if not known:
            raise AuthFailed(f"{self.account}: nobody has signed in yet; run: syncd auth {self.account}")
        result = app.acquire_token_silent_with_error(self.scopes, account=known[0])
        if refused is not None and result and result.get("access_token") == refused:
            result = app.acquire_token_silent_with_error(self.scopes, account=known[0], force_refresh=True)
        self._keep()
        if not result:
            raise AuthFailed(f"{self.account}: the sign-in has ended; run: syncd auth {self.account}")
        return self._checked(result)

    def _checked(self, result: Result) -> Result:
        if "access_token" not in result:
            raise _refusal(self.account, result)
        return result

    def _open(self) -> Any:
        """Return msal's application; the authority describes itself when it is made, so it is made once."""
        if self._app is None:
            self._app = self._made()
        return self._app

    def _made(self) -> Any:
        msal = loaded("msal")  # 0.4 s: only where an account of this kind is used
        http, place = self._authority()
        common: dict[str, Any] = {"http_client": _Transport(http), **place}
        try:
            if self.settings.secret is not None:
                return msal.ConfidentialClientApplication(
                    self.settings.client_id, client_credential=self.settings.secret, **common
                )
            self._cache, self._kept = msal.SerializableTokenCache(), self._load()
            _fill(self._cache, self._kept)
            return msal.PublicClientApplication(self.settings.client_id, token_cache=self._cache, **common)
        except (ValueError, KeyError) as wrong:
            raise SignInRefused(f"{self.account}: {_authority_advice(self.settings)}", "invalid_tenant") from wrong

    def _authority(self) -> tuple[Http, dict[str, str]]:
        """Return who speaks to the authority and how msal is told of it."""
        ours = self.settings
        whole = ours.authority.rstrip("/")
        if not urlsplit(whole).path:
            whole += f"/{ours.tenant}"
        http = Http(
            self.env,
            whole,
            body_cap=2**20,
            allow_http=ours.allow_http,
            allow_private=ours.allow_private,
            account=str(self.account),
        )
        host = http.reach.origin.host
        told = "https://" + whole.partition("://")[2]
        microsoft = any(host == f"login.{one}" or host.endswith(f".{one}") for one in MICROSOFT)
        return http, {"authority" if microsoft else "oidc_authority": told}

    def _store(self) -> Tokens | None:
        return None if self.env.tokens is None else self.env.tokens(self.account)

    def _load(self) -> bytes | None:
        store = self._store()
        return None if store is None else store.load()

    def _keep(self) -> None:
        """Keep the sign-in where it changed; an older copy would hold a refresh token that was used up."""
        store = self._store()
        if self._cache is None or store is None or not self._cache.has_state_changed:
            return
        text = self._cache.serialize().encode()
        try:
            store.save(text)
        except BaseException:
            self._cache.has_state_changed = True  # not kept: the next call tries again
            raise
        self._kept = text

    def _renewed_elsewhere(self) -> bool:
        """Take up a sign-in that another process kept; tell whether there was a newer one."""
        kept = self._load()
        if kept is None or kept == self._kept:
            return False
        self._forget()
        return True

    def _forget(self) -> None:
        self._app = self._cache = self._kept = None


def _fill(cache: Any, kept: bytes | None) -> None:
    """Take up a kept sign-in; one that is damaged is none, and the person is asked again."""
    if kept is not None:
        with contextlib.suppress(ValueError):
            cache.deserialize(kept.decode())


def _refusal(account: AccountId, result: Result) -> ConnectorError:
    """Return what msal's refusal means, by its `error` word alone: numbers and texts change (facts, 8)."""
    word = str(result.get("error") or "unknown_error")
    text = str(result.get("error_description") or "").split("\r\n")[0][:300]
    if word in PASSING:
        return Transient(f"{account}: the sign-in service is busy ({word})")
    if word in PENDING:
        return AuthFailed(f"{account}: nobody entered the code in time; run: syncd auth {account}")
    return SignInRefused(f"{account}: the sign-in is refused ({word}): {text}", word)


def _authority_advice(settings: OutlookSettings) -> str:
    return f"there is no tenant {settings.tenant!r} at {settings.authority}; correct `tenant` or `authority`"


def rights_of(token: str) -> frozenset[str]:
    """Return roles and scopes that a token names; none where it is no JWT."""
    try:
        middle = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        roles = claims.get("roles") or str(claims.get("scp", "")).split()
        return frozenset(str(one) for one in roles)
    except (IndexError, ValueError, AttributeError, TypeError):
        return frozenset()
