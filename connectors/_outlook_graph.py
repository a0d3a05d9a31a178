"""One app registration at Microsoft Graph: its requests, one at a time for each mailbox, and what their refusals mean.

Shared by everything of the account in this process. Every request asks for ids that do not change and times in UTC;
links that an answer brings are followed on the configured server only, because the access token goes with them.
"""

import contextlib
import json
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from connectors._http import Answer, Http
from connectors._outlook_settings import OutlookSettings
from connectors._outlook_sign_in import SignIn
from connectors._zones import zone_named
from syncd.core.ids import AccountId
from syncd.errors import (
    Ambiguous,
    AuthFailed,
    ConnectorError,
    CursorExpired,
    Forbidden,
    NotFound,
    Permanent,
    Unreadable,
    VersionConflict,
)
from syncd.ports import Environment

Json = Mapping[str, Any]
BODY_CAP = 32 * 2**20
PAGE = 250  # entries in one answer
AT_ONCE = 4  # requests of one app in one process (throttling limits, Outlook service)
PAGES = 200
ZONE_LASTS = 12 * 3600.0  # seconds
PREFER = 'IdType="ImmutableId", outlook.timezone="UTC", outlook.body-content-type="text"'
FORGOTTEN = frozenset({"syncstatenotfound", "syncstateinvalid", "resyncrequired", "syncstateexpired"})
UNCONSENTED = frozenset({"authorization_requestdenied", "authorization_identitynotfound", "invalidauthenticationtoken"})
UNKNOWN_MAILBOX = frozenset(
    {
        "errorinvaliduser", "erroruserdoesnotexist", "mailboxnotenabledforrestapi", "mailboxnothostedexchange",
        "mailboxnotsupportedforrestapi", "resourcenotfound", "request_resourcenotfound", "errornonexistentmailbox",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One calendar: whose mailbox, and which of its calendars ("" is the primary one)."""

    mailbox: str
    calendar: str = ""

    @property
    def user(self) -> str:
        return f"users/{quote(self.mailbox, safe='@')}"

    @property
    def path(self) -> str:
        """The calendar's path; what it holds lies below: events, calendarView."""
        return f"{self.user}/calendars/{quote(self.calendar, safe='')}" if self.calendar else self.user

    def event(self, remote_id: str) -> str:
        return f"{self.user}/events/{quote(remote_id, safe='')}"


class Graph:
    """Asks on behalf of one account."""

    def __init__(self, account: AccountId, settings: OutlookSettings, env: Environment) -> None:
        self.account, self.settings, self.env = account, settings, env
        self.login = SignIn(account, settings, env)
        self.http = Http(
            env,
            settings.api_url,
            body_cap=BODY_CAP,
            allow_http=settings.allow_http,
            allow_private=settings.allow_private,
            account=str(account),
        )
        self._origin = f"{self.http.reach.origin}/"
        self.mailboxes: set[str] = set()  # that are in use; see _denied
        self._shut: set[str] = set()
        self._gate = _gate_of(settings)
        self._turns: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()
        self._token: tuple[str | None, float] = (None, 0.0)  # and until when, on the monotonic clock
        self._places: dict[str, Place] = {}
        self._zones: dict[str, tuple[str | None, float]] = {}  # and until when, on the monotonic clock

    # ------------------------------------------------------------------------------------------- requests

    def ask(self, mailbox: str, method: str, url: str, **more: Any) -> Answer:
        """Send one request for a mailbox and return its answer; raises what its refusal means.

        `more`: body (as JSON), query, headers, ok, idempotent; see Http.send.
        """
        try:
            answer = self._turn(mailbox, method, url, **more)
        except ConnectorError as error:
            raise self._meaning(error, mailbox) from error
        self._shut.discard(mailbox)
        return answer

    def read(self, mailbox: str, url: str, query: Mapping[str, str] | None = None, page: int | None = None) -> Json:
        """Read one JSON object."""
        prefer = PREFER if page is None else f"{PREFER}, odata.maxpagesize={page}"
        found = self.ask(mailbox, "GET", _with(url, query), headers={"Prefer": prefer}, ok=(200,)).json()
        if not isinstance(found, dict):
            raise Unreadable("Graph answered with something other than an object")
        return found

    def pages(self, mailbox: str, url: str, query: Mapping[str, str], page: int = PAGE) -> Iterator[list[Json]]:
        """Yield a list page by page; raises Unreadable where it goes round in a circle or does not end."""
        link, seen = _with(url, query), set[str]()
        for _ in range(PAGES):
            seen.add(link)
            found = self.read(mailbox, link, page=page)
            yield items_of(found)
            follow = found.get("@odata.nextLink")
            if follow is None:
                return
            link = self.link(follow)
            if link in seen:
                raise Unreadable("the pages of a list go round in a circle")
        raise Unreadable(f"a list has no end after {PAGES} pages")

    def link(self, url: object) -> str:
        """Return a link of an answer as it came; raises Unreadable where it leads away from the configured server."""
        if not isinstance(url, str) or not url:
            raise Unreadable("a link in the answer is none")
        if url.startswith(self._origin):
            return url  # the quick way of saying the same; the transport looks at every address again
        try:
            self.http.reach.target(url)
        except Permanent as away:
            raise Unreadable(str(away)) from away
        return url

    def _turn(self, mailbox: str, method: str, url: str, **more: Any) -> Answer:
        with self._lock:
            turn = self._turns[mailbox.casefold()]
        with turn, self._gate:
            token = self._live_token() or self._new_token(None)
            try:
                return self._send(token, method, url, **more)
            except AuthFailed:
                return self._send(self._new_token(token), method, url, **more)

    def _live_token(self) -> str | None:
        token, until = self._token
        return token if token is not None and self.env.clock.monotonic() < until else None

    def _new_token(self, refused: str | None) -> str:
        token, seconds = self.login.token(refused)
        self._token = (token, self.env.clock.monotonic() + seconds)
        return token

    def _send(self, token: str, method: str, url: str, *, body: Json | None = None, **more: Any) -> Answer:
        headers = {"Authorization": f"Bearer {token}", "Prefer": PREFER, **more.pop("headers", {})}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        return self.http.send(method, url, headers=headers, body=data, **more)

    # ------------------------------------------------------------------------------------------- refusals

    def _meaning(self, error: ConnectorError, mailbox: str) -> ConnectorError:
        """Return what a refusal means in Graph's own words; the answer hangs on it as before."""
        if error.answer is None:
            return error
        code, said = error_of(error.answer)
        found = self._read_code(error, error.answer.status, code, said, mailbox)
        found.answer = error.answer
        return found

    def _read_code(self, error: ConnectorError, status: int, code: str, said: str, mailbox: str) -> ConnectorError:
        text = f"{error} ({code}: {said})" if code else str(error)
        word = code.lower()
        if status == 410 or (400 <= status < 500 and word in FORGOTTEN):
            return CursorExpired(text)
        if status == 409:
            return Ambiguous(text)
        if status == 403:
            return self._denied(text, word, mailbox)
        if isinstance(error, NotFound):
            return NotFound(f"{mailbox}: {text}")
        return error if isinstance(error, AuthFailed | VersionConflict) or not code else _as_told(error, text)

    def _denied(self, text: str, word: str, mailbox: str) -> ConnectorError:
        """Tell a missing consent from one mailbox outside the app's scope: the others must not stop for that one."""
        self._shut.add(mailbox)
        if word in UNCONSENTED:
            return AuthFailed(f"{text}; an administrator must consent to the app's permissions")
        if self.mailboxes <= self._shut:
            return AuthFailed(f"{text}; no mailbox may be read: consent or the RBAC assignment is missing")
        return Forbidden(f"{mailbox}: {text}; the app's RBAC scope does not hold this mailbox")

    # ------------------------------------------------------------------------------------------- places and zones

    def place(self, name: str) -> Place:
        """Return the calendar that the configuration names; raises Permanent listing the candidates."""
        found = self._places.get(name)
        if found is None:
            mailbox, _, calendar = name.partition("/")
            found = Place(mailbox=mailbox, calendar=self._calendar(mailbox, calendar) if calendar else "")
            self._places[name] = found
        return found

    def forget(self, name: str) -> None:
        """Look for a calendar anew the next time."""
        self._places.pop(name, None)

    def calendars(self, mailbox: str) -> list[Json]:
        """List the calendars of a mailbox."""
        query = {"$select": "id,name,canEdit,isDefaultCalendar", "$top": "100"}
        url = f"{Place(mailbox=mailbox).user}/calendars"
        return [one for page in self.pages(mailbox, url, query) for one in page]

    def _calendar(self, mailbox: str, name: str) -> str:
        listed = self.calendars(mailbox)
        found = [one for one in listed if name in (one.get("name"), one.get("id"))]
        if len(found) != 1:
            told = ", ".join(sorted(repr(str(one.get("name"))) for one in listed)) or "none"
            what = "several calendars are" if found else "no calendar is"
            raise Permanent(f"{mailbox}: {what} called {name!r}; it has: {told}")
        return "" if found[0].get("isDefaultCalendar") is True else str(found[0].get("id"))

    def zone(self, mailbox: str) -> str | None:
        """Return the zone of a mailbox, asked twice a day; None where MailboxSettings.Read is missing."""
        now = self.env.clock.monotonic()
        zone, until = self._zones.get(mailbox, (None, now))
        if now >= until:
            zone = self._asked_zone(mailbox)
            self._zones[mailbox] = (zone, now + ZONE_LASTS)
        return zone

    def _asked_zone(self, mailbox: str) -> str | None:
        try:
            found = self.read(mailbox, Place(mailbox=mailbox).user, {"$select": "mailboxSettings"})
        except (Forbidden, AuthFailed) as refused:
            if refused.answer is None or refused.answer.status != 403:
                raise
            self._shut.discard(mailbox)  # its calendar may well be open
            return None
        settings = found.get("mailboxSettings")
        name = settings.get("timeZone") if isinstance(settings, dict) else None
        zone: ZoneInfo | None = zone_named(name) if isinstance(name, str) else None
        return None if zone is None else zone.key


def items_of(found: Json) -> list[Json]:
    """Return the objects of a page; raises Unreadable for a page that is none."""
    value = found.get("value")
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise Unreadable("Graph answered without the list that was asked for")
    return value


def error_of(answer: Any) -> tuple[str, str]:
    """Return code and message of a refusal, empty where it tells none."""
    with contextlib.suppress(Unreadable, AttributeError, TypeError):
        error = answer.json().get("error")
        return str(error.get("code") or ""), " ".join(str(error.get("message") or "").split())[:200]
    return "", ""


def _as_told(error: ConnectorError, text: str) -> ConnectorError:
    """Return the same refusal in Graph's words."""
    error.args = (text,)
    return error


def _with(url: str, query: Mapping[str, str] | None) -> str:
    """Return an address with its query, as Graph's own clients write it: blanks as %20."""
    return f"{url}?{urlencode(query, safe='$,:@', quote_via=quote)}" if query else url


def _gate_of(settings: OutlookSettings) -> threading.BoundedSemaphore:
    """Return the gate of an app: accounts that share it share the limit."""
    with _GRAPHS_LOCK:
        return _GATES.setdefault((settings.client_id, settings.api_url), threading.BoundedSemaphore(AT_ONCE))


_GATES: dict[tuple[str, str], threading.BoundedSemaphore] = {}
_GRAPHS: dict[tuple[object, ...], Graph] = {}
_GRAPHS_LOCK = threading.Lock()


def graph_of(account: AccountId, settings: OutlookSettings, env: Environment) -> Graph:
    """Return the one Graph of this login in this process."""
    ours = (settings.client_id, settings.tenant, settings.secret, settings.authority, settings.api_url)
    switches = (settings.allow_http, settings.allow_private, env.ca_file, env.proxy, env.public_url)
    key = (account, *ours, *switches, id(env.clock), id(env.counted), id(env.tokens))
    known = _GRAPHS.get(key)
    if known is not None:
        return known
    made = Graph(account, settings, env)
    with _GRAPHS_LOCK:
        return _GRAPHS.setdefault(key, made)
