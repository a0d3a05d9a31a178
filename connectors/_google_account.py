"""One login at Google in this process: requests as the client library composes them, sent by our own transport.

The library knows addresses, parameters and their rules (its bundled discovery document); it opens no socket and
retries nothing. Every request names its user for the quota, and a full minute waits instead of being refused.
"""

import functools
import hashlib
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors._google_errors import meaning_of
from connectors._google_login import Login
from connectors._google_settings import GoogleSettings
from connectors._http import Answer, Http
from syncd.core.ids import AccountId
from syncd.errors import AuthFailed, ConnectorError, Transient, Unreadable
from syncd.ports import Environment

Json = dict[str, Any]
BODY_CAP = 64 * 2**20  # a page of a thousand entries with all their guests
MINUTE = 60.0
DONE = (200, 201, 204)
NONE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Question:
    """A request as the client library composed it: it stands in for the library's own, and is never executed."""

    http: object
    postproc: object
    uri: str
    method: str = "GET"
    body: str | None = None
    headers: Mapping[str, str] | None = None
    methodId: str | None = None  # noqa: N815 (the library's names)
    resumable: object = None


@functools.lru_cache(maxsize=16)
def service_at(endpoint: str) -> Any:
    """Return the client library's description of the Calendar service at an address; made once, without the network."""
    from googleapiclient.discovery import build

    return build(
        "calendar",
        "v3",
        http=object(),  # nothing may ever be sent through it
        requestBuilder=Question,
        static_discovery=True,
        cache_discovery=False,
        client_options={"api_endpoint": endpoint},
    )


class Pace:
    """How many requests a minute one person may make; safe to share between threads."""

    def __init__(self, most: int, monotonic: Callable[[], float]) -> None:
        self.most, self._monotonic = most, monotonic
        self._sent: deque[float] = deque()
        self._lock = threading.Lock()

    def spend(self) -> None:
        """Count one request; raises Transient saying when the minute has room again."""
        with self._lock:
            now = self._monotonic()
            while self._sent and now - self._sent[0] >= MINUTE:
                self._sent.popleft()
            if len(self._sent) >= self.most:
                raise Transient(f"{self.most} requests in a minute are enough", MINUTE - (now - self._sent[0]))
            self._sent.append(now)


class Person:
    """Speaks to the Calendar service as one person: the one signed in, or the agent a service account comes as."""

    def __init__(
        self, account: AccountId, settings: GoogleSettings, env: Environment, https: "Https", subject: str
    ) -> None:
        self.account, self.settings, self.env, self.subject = account, settings, env, subject
        self.http = https.api
        self.login = Login(account, settings, env, https.token, subject)
        self.pace = Pace(settings.quota, env.clock.monotonic)
        self.quota_user = hashlib.blake2b((subject or account).encode(), digest_size=8).hexdigest()
        self.lists: dict[str, str] = {}  # calendar -> the address of its list, composed once
        self._lines: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    @property
    def service(self) -> Any:
        return service_at(self.settings.endpoint)

    def line(self, name: str) -> threading.Lock:
        """Return the one lock of a calendar for writing: quick writes side by side meet a limit of Google's."""
        with self._lock:
            return self._lines.setdefault(name, threading.Lock())

    def ask(self, question: Any, *, only_if: str = "", idempotent: bool | None = None) -> Json:
        """Send what the library composed and return the answer, {} where it has no body. `only_if`: an etag."""
        extra = {**(question.headers or {}), **({"If-Match": only_if} if only_if else {})}
        body = question.body.encode() if isinstance(question.body, str) else question.body
        return self.send(question.method, question.uri, headers=extra, body=body, idempotent=idempotent)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] = NONE,
        body: bytes | None = None,
        idempotent: bool | None = None,
    ) -> Json:
        """Send one request with this person's token; one that is not accepted is replaced once."""
        token = self.login.token()
        try:
            return self._sent(method, url, headers, body, idempotent, token)
        except AuthFailed:
            self.login.refused(token)
        return self._sent(method, url, headers, body, idempotent, self.login.token())

    def _sent(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, idempotent: bool | None, token: str
    ) -> Json:
        self.pace.spend()
        named = {**headers, "Authorization": f"Bearer {token}"}
        try:
            answer = self.http.send(method, url, headers=named, body=body, ok=DONE, idempotent=idempotent)
        except ConnectorError as error:
            raise meaning_of(error, self.env.clock.now()) from None
        return _object(answer)


def _object(answer: Answer) -> Json:
    if answer.status == 204 or not answer.body:
        return {}
    told = answer.json()
    if not isinstance(told, dict):
        raise Unreadable("Google answered with something that is not a JSON object")
    return told


@dataclass(frozen=True, slots=True, kw_only=True)
class Https:
    """The two servers of one login."""

    api: Http
    token: Http


def _https(account: AccountId, settings: GoogleSettings, env: Environment) -> Https:
    def to(url: str, cap: int) -> Http:
        return Http(
            env,
            url,
            headers={"Accept": "application/json"},
            body_cap=cap,
            allow_http=settings.allow_http,
            allow_private=settings.allow_private,
            account=account,
        )

    return Https(api=to(settings.endpoint, BODY_CAP), token=to(settings.token_endpoint, 2**20))


_HTTPS: dict[tuple[object, ...], Https] = {}
_PERSONS: dict[tuple[object, ...], Person] = {}
_LOCK = threading.Lock()


def person_of(account: AccountId, settings: GoogleSettings, env: Environment, subject: str) -> Person:
    """Return the one Person of this login and subject in this process; who signs in by themselves are always one."""
    subject = subject if settings.service_account is not None else ""
    secrets = tuple(one and one.get_secret_value() for one in (settings.service_account, settings.client))
    plain = (settings.endpoint, settings.token_endpoint, settings.allow_http, settings.allow_private, settings.quota)
    around = (env.ca_file, env.proxy, id(env.clock), env.counted, env.tokens)
    key = (account, *secrets, *plain, settings.send_updates, *around)
    with _LOCK:
        if (https := _HTTPS.get(key)) is None:
            https = _HTTPS[key] = _https(account, settings, env)
        if (person := _PERSONS.get((*key, subject))) is None:
            person = _PERSONS[(*key, subject)] = Person(account, settings, env, https, subject)
        return person
