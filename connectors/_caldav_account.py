"""One login at a CalDAV server: its home, its calendars by the names of the configuration, and the requests to them.

Shared by everything of the account in this process, so that the home is looked for once and asked once a beat.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from connectors import _caldav_xml as xml
from connectors._caldav_href import folder, normal, parent, path_of
from connectors._caldav_library import Library
from connectors._caldav_settings import CaldavSettings
from connectors._http import Answer, Http
from syncd.core.ids import AccountId
from syncd.errors import AuthFailed, ConnectorError, NotFound, Permanent, Transient, Unreadable
from syncd.ports import Environment

BODY_CAP = 64 * 2**20  # decoded
TURN = 5.0  # seconds that a change waits for the one before it
LONGEST_TOKEN = 8192  # H113: a longer one is no token that anybody could mean
ASKED = (xml.KIND, xml.TITLE, xml.TOKEN, xml.CTAG, xml.REPORTS)
Found = TypeVar("Found")
XML = {"Content-Type": "application/xml; charset=utf-8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A calendar as a PROPFIND tells of it."""

    path: str
    title: str
    token: str | None
    ctag: str | None
    syncs: bool  # says that it answers sync-collection, or does not say

    @property
    def mark(self) -> str | None:
        """What changes when the calendar does."""
        word = self.token or self.ctag
        return None if word is None else mark_of(word)

    @property
    def told(self) -> str:
        """The calendar as people look for it."""
        name = self.path.rstrip("/").rpartition("/")[2]
        return f'{name} ("{self.title}")' if self.title and self.title != name else name


def mark_of(word: str) -> str:
    """Return a token or ctag short enough to be kept."""
    return word if len(word) <= 200 else hashlib.sha256(word.encode()).hexdigest()


class Account:
    """Asks; keeps where the home and the named calendars are."""

    def __init__(self, account: AccountId, settings: CaldavSettings, env: Environment) -> None:
        self.account, self.settings, self.env = account, settings, env
        self.http = Http(
            env,
            settings.base_url,
            headers=settings.bearer,
            auth=settings.login,
            body_cap=BODY_CAP,
            allow_http=settings.allow_http,
            allow_private=settings.allow_private,
            account=account,
        )
        self.library = Library(self.http, settings)
        self._home: str | None = None
        self._places: dict[str, str] = {}
        self._lock = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}
        self.patience = TURN

    @contextmanager
    def turn(self, path: str) -> Iterator[None]:
        """Let our threads change the entries of one calendar in turn: Xandikos answers 423 to two changes at once.

        Whoever has waited long goes anyway, so that one change that hangs does not hold up the others.
        """
        with self._lock:
            one = self._turns.setdefault(parent(path), threading.Lock())
        mine = one.acquire(timeout=self.patience)
        try:
            yield
        finally:
            if mine:
                one.release()

    def propfind(self, path: str, body: bytes, depth: int, *, redirects: bool = False) -> Answer:
        return self.http.send(
            "PROPFIND",
            path,
            headers={**XML, "Depth": str(depth)},
            body=body,
            ok=(207,),
            redirects="same-origin" if redirects else "never",
        )

    def report(self, path: str, body: bytes, depth: int) -> xml.Multistatus:
        answer = self.http.send("REPORT", path, headers={**XML, "Depth": str(depth)}, body=body, ok=(207,))
        return xml.multistatus(answer)

    def entry(self, path: str) -> Answer:
        """Read one entry as it is kept; raises NotFound.

        Never packed: Cyrus and nginx make the etag of a packed answer weak and Apache renames it, and what was seen so
        could not be changed under If-Match (RFC 9110, section 8.8.3.3).
        """
        return self.http.send("GET", path, headers={"Accept-Encoding": "identity"}, ok=(200,))

    def collection(self, path: str) -> Collection:
        """Ask one calendar about itself; raises NotFound for what is none."""
        answer = self.propfind(path, xml.propfind(*ASKED), 0)
        found = self._collections(answer, path)
        if not found:
            raise NotFound(f"{path} is not a calendar")
        return found[0]

    def listing(self) -> list[Collection]:
        """List the calendars of the home with one request; the first time the home is looked for."""
        home = self._home
        if home is None:
            return self._discovered()
        try:
            return self._listed(home)
        except NotFound:
            with self._lock:
                self._home = None  # moved; looked for again next time
            raise

    def place(self, name: str) -> str:
        """Return the path of a calendar that the configuration names; raises Permanent listing the candidates."""
        found = self._places.get(name)
        if found is None:
            found = self.find(name, self.listing())
        return found

    def find(self, name: str, listing: Sequence[Collection]) -> str:
        """Resolve a name: by path, by a display name that only one calendar has, by asking what lies elsewhere."""
        found = self._in_listing(name, listing) or self._remembered(name) or self._outside(name)
        if found is None:
            raise Permanent(f"there is no calendar {name!r} in this account; it has: {_told(listing)}")
        with self._lock:
            self._places[name] = found
        return found

    def _in_listing(self, name: str, listing: Sequence[Collection]) -> str | None:
        here = {one.path for one in listing}
        found = next((path for path in self._paths(name) if path in here), None)
        named = [one for one in listing if name and one.title == name]
        if found is None and len(named) > 1:
            raise Permanent(f"several calendars are called {name!r}: {_told(named)}; write the path of the one meant")
        return found or next((one.path for one in named), None)

    def _remembered(self, name: str) -> str | None:
        """Return a place outside the home that was found before; what the home no longer lists is gone."""
        found = self._places.get(name)
        return None if found is None or parent(found) == self.home else found

    def _outside(self, name: str) -> str | None:
        """Ask at the paths that a name may mean; None where there is no calendar at any of them."""
        found = (_or_none(partial(self.collection, path)) for path in self._paths(name))
        return next((one.path for one in found if one is not None), None)

    def at(self, place: str, paths: Sequence[str]) -> list[Collection]:
        """Return calendars outside the home that lie together: with one request where their folder may be listed.

        Those that are gone are left out.
        """
        found = {one.path: one for one in _or_none(lambda: self._listed(place)) or ()} if len(paths) > 1 else {}
        others = (_or_none(partial(self.collection, path)) for path in paths if path not in found)
        return [found[path] for path in paths if path in found] + [one for one in others if one is not None]

    def forget(self, name: str) -> None:
        """Look for a calendar anew the next time."""
        with self._lock:
            self._places.pop(name, None)

    @property
    def home(self) -> str:
        """The path of the home; known once a listing was made."""
        return self._home or self.http.reach.folder

    def _paths(self, name: str) -> list[str]:
        """Return the paths that a configured name may mean, the likeliest first."""
        if "://" in name:
            return [folder(normal(self.http.reach.target(name)))]
        relative = name.strip("/")
        bases = [self.home, self.http.reach.folder, *(["/"] if name.startswith("/") else [])]
        return list(dict.fromkeys(folder(normal(base + relative)) for base in bases))

    def _discovered(self) -> list[Collection]:
        """Look for the home: at the configured address itself, else where the server says the user's calendars are."""
        try:
            answer = self.propfind(self.http.reach.folder, xml.propfind(*ASKED), 1, redirects=True)
        except AuthFailed:
            raise
        except ConnectorError as refused:
            if isinstance(refused, Transient) and not _choked(refused):
                raise
            return self._discovered_by_library(refused)
        base = self._base_of(answer)
        found = self._collections(answer, base)
        if any(one.path == base for one in found):
            base = parent(base)  # the address is a calendar's
        elif not found:
            return self._discovered_by_library(None)
        self._settle(base)
        return found

    def _discovered_by_library(self, refused: ConnectorError | None) -> list[Collection]:
        """`refused`: what the configured address itself said; where it answered, its calendars may be named by path."""
        home = self.library.home()
        try:
            path = None if home is None else folder(path_of(home, self.http.reach, "/"))
            if isinstance(refused, Transient) and not (path or "").startswith(self.http.reach.folder):
                raise refused  # it may have been somebody else's home, whose names mean other calendars
            found = [] if path is None else self._listed(path)
        except NotFound:  # a home that was never made
            path, found = None, []
        if path is None and refused is not None:
            raise refused
        self._settle(path or self.http.reach.folder)
        return found

    def _settle(self, home: str) -> None:
        with self._lock:
            self._home = home

    def _base_of(self, answer: Answer) -> str:
        """Return the path that answered in the end."""
        return folder(normal(self.http.reach.target(answer.url)))

    def _listed(self, path: str) -> list[Collection]:
        answer = self.propfind(path, xml.propfind(*ASKED), 1, redirects=True)
        return self._collections(answer, self._base_of(answer))

    def _collections(self, answer: Answer, base: str) -> list[Collection]:
        """Return the calendars among the rows; raises Unreadable where not even the asked collection is (H110)."""
        rows = xml.multistatus(answer).rows
        if not rows:
            raise Unreadable("a multistatus without a single response")
        calendars = (row for row in rows if row.has(xml.KIND, xml.CALENDAR) and row.status in (None, 200))
        return [self._collection(row, base) for row in calendars]

    def _collection(self, row: xml.Row, base: str) -> Collection:
        token = row.texts.get(xml.TOKEN, "").strip()
        reports = row.parts.get(xml.REPORTS)
        return Collection(
            path=folder(path_of(row.href, self.http.reach, base)),
            title=row.texts.get(xml.TITLE, "").strip(),
            token=token if 0 < len(token) <= LONGEST_TOKEN else None,
            ctag=row.texts.get(xml.CTAG, "").strip()[:LONGEST_TOKEN] or None,
            syncs=(reports is None or xml.SYNC_COLLECTION in reports) and self.library.trusts_sync(),
        )


def _choked(refused: ConnectorError) -> bool:
    """Tell whether a server broke over this very question, as DAViCal does when its root is asked for its members."""
    return refused.answer is not None and refused.answer.status == 500


def _or_none(ask: Callable[[], Found]) -> Found | None:
    """Ask, and take a refusal for an answer; trouble with the server or the login stays trouble."""
    try:
        return ask()
    except (Transient, AuthFailed):
        raise
    except ConnectorError:
        return None


def _told(collections: Sequence[Collection]) -> str:
    return ", ".join(sorted(one.told for one in collections)) or "none"


_ACCOUNTS: dict[tuple[object, ...], Account] = {}
_ACCOUNTS_LOCK = threading.Lock()


def account_of(account: AccountId, settings: CaldavSettings, env: Environment) -> Account:
    """Return the one Account of this login in this process."""
    secrets = tuple(one and one.get_secret_value() for one in (settings.password, settings.token))
    plain = (settings.base_url, settings.username, settings.quirks, settings.allow_http, settings.allow_private)
    served = tuple((mount, id(app)) for mount, app in env.wsgi.items())
    key = (account, *secrets, *plain, env.ca_file, env.proxy, env.public_url, id(env.clock), id(env.counted), served)
    with _ACCOUNTS_LOCK:
        if key not in _ACCOUNTS:
            _ACCOUNTS[key] = Account(account, settings, env)
        return _ACCOUNTS[key]


class CaldavHome:
    """All calendars of one account, asked at once."""

    def __init__(self, account: Account, names: Sequence[str]) -> None:
        self.account, self.names = account, names

    def marks(self) -> Mapping[str, str]:
        """Return calendar name -> mark with one request for all calendars of the home (and one per other place)."""
        listing = self.account.listing()
        known = {one.path: one for one in listing}
        found = {name: path for name in self.names if (path := self._path(name, listing)) is not None}
        known |= {one.path: one for one in self._elsewhere(set(found.values()) - set(known))}
        marks = {name: known[path].mark for name, path in found.items() if path in known}
        return {name: mark for name, mark in marks.items() if mark is not None}

    def _path(self, name: str, listing: Sequence[Collection]) -> str | None:
        """Return where a calendar is; None where the reading had better say what is wrong with it."""
        return _or_none(lambda: self.account.find(name, listing))

    def _elsewhere(self, paths: Iterable[str]) -> list[Collection]:
        """Ask for calendars outside the home: several in one folder with one request."""
        found: list[Collection] = []
        together: dict[str, list[str]] = {}
        for path in sorted(paths):
            together.setdefault(parent(path), []).append(path)
        for place, inside in together.items():
            found += self.account.at(place, inside)
        return found
