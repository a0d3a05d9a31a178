"""The caldav library at work: who the login is, where its calendars live, and what is known of its server's kind.

The library never opens a socket here: it speaks through our own transport, with our deadline, size cap, origin rule and
credentials, and sees only XML that our reader has accepted. The hot path does without it (docs/decisions/0015).
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.structures import CaseInsensitiveDict

from connectors import _caldav_xml as xml
from connectors._caldav_settings import CaldavSettings
from connectors._http import Http
from connectors._loading import loaded
from syncd.errors import AuthFailed, ConnectorError, Permanent, Transient, Unreadable

WELL_KNOWN = "/.well-known/caldav"
TITLE = "{DAV:}displayname"
Found = TypeVar("Found")
_LEAKS = (SyntaxError, TypeError, AttributeError, LookupError, ValueError, AssertionError)  # on a strange answer


@dataclass(frozen=True, slots=True)
class Candidate:
    """A calendar that the login may see."""

    path: str
    title: str


class Courier:
    """Looks like a requests session to the library, and carries its questions through `Http`."""

    def __init__(self, http: Http) -> None:
        self.http = http

    def request(
        self, method: str, url: str, data: bytes | None = None, headers: Mapping[str, str] | None = None, **_: Any
    ) -> requests.Response:
        """Send; a refusal raises our own error, not the library's. Only reading methods are carried."""
        if method not in ("PROPFIND", "REPORT", "OPTIONS"):
            raise Permanent(f"the caldav library wanted to {method}")
        kept = {name: value for name, value in (headers or {}).items() if name.lower() in ("content-type", "depth")}
        answer = self.http.send(
            method, str(url), headers=kept, body=data or None, ok=(200, 204, 207), redirects="same-origin"
        )
        if answer.status == 207:
            xml.multistatus(answer)
        response = requests.Response()
        response.status_code, response.url = answer.status, answer.url
        response.headers = CaseInsensitiveDict(answer.headers)
        response._content = answer.body  # requests offers no public way to make a response
        response.reason = "Multi-Status" if answer.status == 207 else "OK"
        return response

    def close(self) -> None:
        """The connection is the account's."""


class Library:
    """One account's way to the library; imported only when it is needed."""

    def __init__(self, http: Http, settings: CaldavSettings) -> None:
        self.http, self.settings = http, settings

    def home(self) -> str | None:
        """Return where the server says the user's calendars are; None where it says nothing."""
        client = self._client(self.http.reach.base)
        found = _told(lambda: _home_of(client))
        if found is None and self.http.reach.folder == "/":
            found = _told(lambda: _home_of(self._client(f"{self.http.reach.origin}{WELL_KNOWN}")))
        return found

    def candidates(self) -> list[Candidate]:
        """List every calendar the login may see, for a person to choose from."""
        client = self._client(self.http.reach.base)
        found = _asked(lambda: client.get_calendars(_principal(client)))
        return [Candidate(path=urlsplit(str(one.url)).path, title=one.props.get(TITLE) or "") for one in found]

    def trusts_sync(self) -> bool:
        """Tell whether sync-collection may be relied on at a server of this kind."""
        return self._supports("sync-token")

    def trusts_uid_search(self) -> bool:
        return self._supports("search.text")

    def _supports(self, feature: str) -> bool:
        if self.settings.quirks is None:
            return True
        return bool(features_of(self.settings.quirks).is_supported(feature))

    def _client(self, url: str) -> Any:
        known: Any = self.settings.quirks
        client = _part("davclient").DAVClient(url=url, enable_rfc6764=False, rate_limit_handle=False, features=known)
        client.session.close()
        client.session = Courier(self.http)
        return client


def _home_of(client: Any) -> str | None:
    home = _principal(client).calendar_home_set
    return None if home is None or home.url is None else str(home.url)


def _principal(client: Any) -> Any:
    """Ask who the login is. The library's own class imports an asynchronous HTTP library, to see that none is used."""
    return type("Principal", (_part("collection").Principal,), {"is_async_client": False})(client=client)


def _part(name: str) -> Any:
    """Return a part of the library; each is loaded after what all of them need, and by one thread at a time."""
    return loaded("icalendar", "caldav.davclient", f"caldav.{name}")


def _told(ask: Callable[[], str | None]) -> str | None:
    """Ask, and take the server's refusal for silence; not what we refuse ourselves, as another server's address."""
    try:
        return _asked(ask)
    except (AuthFailed, Transient):
        raise
    except ConnectorError as refused:
        if isinstance(refused, Permanent) and refused.answer is None:
            raise
        return None


def _asked(ask: Callable[[], Found]) -> Found:
    """Let the library ask; whatever it raises becomes one of ours (it leaks TypeError and the like)."""
    refusal = _part("lib.error").DAVError
    try:
        return ask()
    except (refusal, *_LEAKS) as error:
        raise Unreadable(f"the caldav library could not read the answer ({type(error).__name__})") from None


@functools.lru_cache(maxsize=32)
def features_of(quirks: str) -> Any:
    """Return the library's table of a kind of server; raises Permanent for a kind it does not know."""
    try:
        return _part("compatibility_hints").FeatureSet(_part("config").resolve_features(quirks))
    except _LEAKS as error:
        raise Permanent(f"quirks = {quirks!r} is no kind of server that the caldav library knows") from error
