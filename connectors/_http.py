"""Every HTTP request of every connector: one deadline, one size cap, one origin, and one reading of each refusal.

Must not know any provider; what a body means is the connector's business.
"""

import base64
import email.utils
import logging
import math
import socket
import ssl
import threading
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import requests
import tenacity
import urllib3
from requests.structures import CaseInsensitiveDict

from connectors._address import Reach
from connectors._json import strict_json
from connectors._wire import Call, Dropped, Late, OriginAdapter, Packed, WsgiAdapter
from syncd.errors import (
    Ambiguous,
    AuthFailed,
    ConnectorError,
    Forbidden,
    NotFound,
    Permanent,
    Transient,
    Unreadable,
    VersionConflict,
)
from syncd.ports import Environment

__all__ = ["Answer", "Http", "Reach", "TooLong", "basic", "retry_after_of", "strict_json"]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT"})
REDIRECTED = frozenset({"GET", "HEAD", "PROPFIND"})
MOVED = frozenset({301, 302, 303, 307, 308})
HOPS = 3
CHUNK = 65536
NONE: Mapping[str, str] = MappingProxyType({})

# urllib3 tells whole URLs to its log, query and all: nobody may hear them.
logging.getLogger("urllib3").setLevel(logging.ERROR)

_ONCE_MORE = tenacity.Retrying(
    stop=tenacity.stop_after_attempt(2), retry=tenacity.retry_if_exception_type(Dropped), reraise=True
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: Mapping[str, str]  # names in any case
    body: bytes
    url: str

    def json(self) -> Any:
        """Return the body as strict JSON; raises Unreadable for anything else."""
        return strict_json(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    method: str
    path: str  # with query
    headers: Mapping[str, str]
    body: bytes | None
    harmless: bool  # asking twice does no harm


class Http:
    """Requests to one origin on behalf of one account. Safe to share: each thread has its own session."""

    def __init__(
        self,
        env: Environment,
        base_url: str,
        *,
        headers: Mapping[str, str] = NONE,
        auth: tuple[str, str] | None = None,
        deadline: float = 30.0,
        read_timeout: float = 10.0,
        body_cap: int = 10 * 2**20,
        allow_http: bool = False,
        allow_private: bool = False,
        account: str = "",
    ) -> None:
        self.env, self.deadline, self.read_timeout, self.body_cap = env, deadline, read_timeout, body_cap
        self._mounted = _mounted(env, base_url)
        inside = self._mounted is not None
        self.reach = Reach.of(base_url, allow_http=allow_http or inside, allow_private=allow_private)
        self.headers = {"User-Agent": "syncd", "Accept-Encoding": "gzip, deflate", **headers}
        if auth is not None:
            self.headers["Authorization"] = basic(*auth)
        self.account = account or self.reach.origin.host
        self.requests = 0  # sent so far, hops and second tries included
        self._lock = threading.Lock()
        self._local = threading.local()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        ok: Collection[int] = (200, 201, 202, 204, 207),
        idempotent: bool | None = None,
        redirects: Literal["never", "same-origin"] = "never",
    ) -> Answer:
        """Send one request and return the answer if its status is in `ok`, else raise what the status means.

        `url` is absolute with the same origin, or relative to the base URL. A request that may have been done
        although no answer came raises Ambiguous, unless `idempotent` (default: whether the method only reads).
        The error raised carries the answer where there was one.
        """
        path = self.reach.target(url)
        if query:
            path += ("&" if "?" in path else "?") + urlencode(query)
        harmless = method in SAFE_METHODS if idempotent is None else idempotent
        question = _Question(method=method, path=path, headers=headers or {}, body=body, harmless=harmless)
        call = Call(self.env.clock.monotonic, self.deadline, self.read_timeout)
        answer = self._ask(call, question)
        if redirects == "same-origin" and method in REDIRECTED:
            answer = self._follow(call, question, answer)
        if answer.status in ok:
            return answer
        raise refusal(answer, self._what(method), self.env.clock.now())

    @property
    def inside(self) -> bool:
        """Tell whether the server is an application of this very process."""
        return self._mounted is not None

    def close(self) -> None:
        """Close this thread's connection; other threads' close with them."""
        session = getattr(self._local, "session", None)
        if session is not None:
            session.close()

    def _follow(self, call: Call, question: _Question, answer: Answer) -> Answer:
        for _ in range(HOPS):
            place = answer.headers.get("Location")
            if answer.status not in MOVED or place is None:
                break
            path = self.reach.target(place, answer.url)
            moved = _Question(
                method=question.method, path=path, headers=question.headers, body=question.body, harmless=True
            )
            answer = self._ask(call, moved)
        return answer

    def _ask(self, call: Call, question: _Question) -> Answer:
        """Ask once; where asking twice does no harm, once more at once when the connection dropped."""
        if question.harmless:
            return _ONCE_MORE(self._attempt, call, question)
        return self._attempt(call, question)

    def _attempt(self, call: Call, question: _Question) -> Answer:
        self._counted()
        call.sent = False
        url = f"{self.reach.origin}{question.path}"
        try:
            session = self._session(call)
            headers = {**self.headers, **question.headers}
            request = requests.Request(question.method, url, headers=headers, data=question.body)
            with session.send(
                session.prepare_request(request), stream=True, timeout=call.left(), allow_redirects=False
            ) as response:
                return _whole(response, call, self.body_cap, url)
        except ConnectorError:
            raise
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, zlib.error, ValueError) as error:
            failed = _failure(error, call, self._what(question.method), question.harmless)
        raise failed from None  # the library's own text names the whole URL

    def _session(self, call: Call) -> requests.Session:
        """Return this thread's session, set to the call in hand."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False
            session.headers.clear()
            session.adapters.clear()
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            self._local.session, self._local.adapter = session, self._adapter(call)
            session.mount("http", self._local.adapter)
        self._local.adapter.call = call
        return session

    def _adapter(self, call: Call) -> OriginAdapter | WsgiAdapter:
        if self._mounted is not None:
            app, prefix = self._mounted
            return WsgiAdapter(app, prefix, call)
        return OriginAdapter(self.env, self.reach, call)

    def _counted(self) -> None:
        with self._lock:
            self.requests += 1
        if self.env.counted is not None:
            self.env.counted(self.account)

    def _what(self, method: str) -> str:
        """Name the request without path and query: either may carry a secret."""
        return f"{method} {self.reach.origin}"


def basic(username: str, password: str) -> str:
    """Return the Authorization header of HTTP Basic; sent at once, for servers that never ask for it."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def refusal(answer: Answer, what: str, now: datetime) -> ConnectorError:
    """Return what a status outside the wanted ones means; the answer hangs on it."""
    error = _refusal(answer.status, f"{what}: {answer.status}", retry_after_of(answer.headers.get("Retry-After"), now))
    error.answer = answer
    return error


def _refusal(status: int, text: str, retry_after: float | None) -> ConnectorError:
    if status == 401:
        return AuthFailed(f"{text}, the login is refused")
    if status == 403:
        return Forbidden(f"{text}, the account may not do this")
    if status in (404, 410):
        return NotFound(f"{text}, it is not there")
    if status in (409, 412):
        return VersionConflict(f"{text}, it changed meanwhile")
    if status in (408, 423, 425, 429) or status >= 500:
        return Transient(f"{text}, try again later", retry_after)
    if status >= 400:
        return Permanent(f"{text}, the request is refused")
    return Unreadable(f"{text}, not an answer to this request" + (" (a redirect)" if status in MOVED else ""))


def retry_after_of(text: str | None, now: datetime) -> float | None:
    """Return the seconds a Retry-After header asks for (RFC 9110, 10.2.3), None where it makes no sense.

    The cap is the caller's: see core.retry.
    """
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = _until(text, now)
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _until(date: str, now: datetime) -> float:
    try:
        moment = email.utils.parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return math.nan
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


def _whole(response: requests.Response, call: Call, cap: int, url: str) -> Answer:
    """Read the body up to the cap, unpacked; of a refusal only the beginning, whatever happens to the rest."""
    refused = response.status_code >= 300
    parts: list[bytes] = []
    size = 0
    try:
        for part in _unpacked(response, call):
            parts.append(part)
            size += len(part)
            if size > (CHUNK if refused else cap):
                break
    except (urllib3.exceptions.HTTPError, OSError, zlib.error, ValueError):
        if not refused:
            raise
    if size > cap and not refused:
        raise _TooLong(f"the answer is longer than {cap} bytes")
    headers = CaseInsensitiveDict(response.headers)
    return Answer(status=response.status_code, headers=headers, body=b"".join(parts), url=url)


def _unpacked(response: requests.Response, call: Call) -> Iterator[bytes]:
    packed = Packed(response.headers.get("Content-Encoding", ""))
    for part in response.raw.stream(CHUNK, decode_content=False):
        yield from packed.unpack(part, CHUNK)
        call.left()
    packed.end()


class _TooLong(ValueError):
    """The body is over the cap."""


class TooLong(Unreadable):
    """The answer is larger than the connector allows; a smaller question may have a smaller answer."""


def _failure(error: Exception, call: Call, what: str, harmless: bool) -> ConnectorError:
    """Return what a failed exchange means: nothing was sent, nothing is lost, or nobody knows."""
    roots = _roots(error)
    text = f"{what}: {_reason(roots)}"
    if not call.sent:
        return Transient(text)
    if not harmless:
        return Ambiguous(text)
    if any(isinstance(root, _TooLong) for root in roots):
        return TooLong(text)
    if any(isinstance(root, zlib.error | ValueError) for root in roots):
        return Unreadable(text)
    dropped = any(isinstance(root, ConnectionResetError | BrokenPipeError) for root in roots)
    return Dropped(text) if dropped else Transient(text)


def _roots(error: BaseException) -> list[BaseException]:
    """List an error and all it was made from."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting and len(found) < 20:
        one = waiting.pop()
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found


_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (Late, "no whole answer within the deadline"),
    (_TooLong, "the answer is too long"),
    (ssl.SSLCertVerificationError, "its certificate is not trusted; for a private authority set [daemon] ca_file"),
    (ssl.SSLError, "no TLS connection"),
    (socket.gaierror, "the name cannot be resolved"),
    (ConnectionRefusedError, "nothing listens there"),
    (ConnectionResetError, "the connection was closed without an answer"),
    (BrokenPipeError, "the connection was closed while sending"),
    (urllib3.exceptions.IncompleteRead, "the answer stopped half way"),
    (zlib.error, "the answer's compression is broken"),
    (TimeoutError, "no answer in time"),
    (urllib3.exceptions.TimeoutError, "no answer in time"),
)


def _reason(roots: list[BaseException]) -> str:
    """Say what went wrong in words of our own: a library's text may quote the URL."""
    for kind, reason in _REASONS:
        if any(isinstance(root, kind) for root in roots):
            return reason
    return f"the exchange failed ({type(roots[-1]).__name__})"


def _mounted(env: Environment, base_url: str) -> tuple[Any, str] | None:
    """Return the in-process application that serves a base URL, and the path it is mounted at."""
    for mount, app in env.wsgi.items():
        if base_url == mount or base_url.startswith(mount.rstrip("/") + "/"):
            return app, urlsplit(mount).path
    return None
