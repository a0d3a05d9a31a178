"""A small CalDAV server of our own that keeps real state and behaves badly on command.

`Flavour` says how it behaves all the time, after the servers of docs/connectors.md; `next` and `hang_up` spoil single
answers. That it is a CalDAV server at all is judged by the same contract that Radicale and Xandikos pass.
"""

import gzip
import itertools
import re
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

DAV, CALDAV = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}"
CTAG = "{http://calendarserver.org/ns/}getctag"
NAMES = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:S="http://calendarserver.org/ns/"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavour:
    """How a kind of server behaves."""

    dead_token: int | Literal["full", "echo"] = 403
    names_condition: bool = True  # says valid-sync-token
    syncs: bool = True
    ctag: bool = True
    page: int | None = None  # rows in one answer to sync-collection; more follow after a 507
    put_etag: Literal["strong", "weak", "none"] = "strong"
    read_etag: Literal["strong", "weak", "new"] = "strong"  # new: never the same twice
    packs: Literal["never", "weak", "renamed"] = "never"  # what the etag of a packed GET becomes (Cyrus; Apache)
    if_none_match: bool = True
    uid_conflict: int = 409  # 201: stored twice
    uid_once: Literal["calendar", "home"] = "calendar"  # home: in all calendars of the login together
    multiget: Literal["rows", "omits", "missing"] = "rows"
    searches: bool = True
    href: Literal["path", "absolute", "lower"] = "path"


@dataclass(slots=True)
class Shelf:
    """One calendar."""

    title: str
    entries: dict[str, tuple[str, int]] = field(default_factory=dict)  # name -> text, revision
    log: list[tuple[int, str]] = field(default_factory=list)  # revision, name
    revision: int = 0
    life: int = 0  # tokens of an earlier life are unknown

    def note(self, name: str) -> int:
        self.revision += 1
        self.log.append((self.revision, name))
        return self.revision

    @property
    def token(self) -> str:
        return self.at(self.revision)

    def at(self, revision: int) -> str:
        return f"data:,{self.life}-{revision}"

    def since(self, token: str) -> int | None:
        """Return the revision that a token names; None where it is none of ours."""
        match = re.fullmatch(rf"data:,{self.life}-(\d+)", token)
        return int(match[1]) if match and int(match[1]) <= self.revision else None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it will travel; `cut`: fewer bytes than promised."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


@dataclass(slots=True)
class Spoil:
    """What is to become of one answer; None: hang up without a word."""

    method: str
    act: Callable[[Reply], Reply | None]
    instead: bool = False  # without doing what was asked
    skip: int = 0  # so many requests of this method are answered well before


class Liar:
    """The server's state, and what is to go wrong."""

    home = "/cal/ana/"
    told_home = home  # what the server says the home is

    def __init__(self, flavour: Flavour) -> None:
        self.flavour = flavour
        self.shelves: dict[str, Shelf] = {}
        self.requests: list[str] = []  # METHOD path
        self.bodies: list[bytes] = []
        self.url = ""
        self._spoils: list[Spoil] = []
        self._counter = itertools.count(1)
        self._lock = threading.Lock()

    # ------------------------------------------------------------------------------------------- commands

    def next(self, method: str, status: int, body: bytes | str = b"", *, skip: int = 0, **headers: str) -> None:
        """Answer the next request of a method like this, without doing anything."""
        told = body.encode() if isinstance(body, str) else body
        plain = {"Content-Type": "application/xml; charset=utf-8"}
        named = plain | {name.replace("_", "-"): value for name, value in headers.items()}
        self._spoils.append(Spoil(method, lambda _: Reply(status, told, named), instead=True, skip=skip))

    def change_next(self, method: str, change: Callable[[bytes], bytes], *, skip: int = 0) -> None:
        """Do the next request of a method, and change the body of its answer."""

        def act(reply: Reply) -> Reply:
            return Reply(reply.status, change(reply.body), reply.headers)

        self._spoils.append(Spoil(method, act, skip=skip))

    def hang_up(self, method: str) -> None:
        """Do the next request of a method, and close the connection instead of answering."""
        self._spoils.append(Spoil(method, lambda _: None))

    def cut(self, method: str) -> None:
        """Answer the next request of a method with half of what is promised."""
        self._spoils.append(Spoil(method, lambda reply: Reply(reply.status, reply.body, reply.headers, cut=True)))

    def forget(self) -> None:
        """Forget every token."""
        for shelf in self.shelves.values():
            shelf.life += 1

    # ------------------------------------------------------------------------------------------- serving

    def serve(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply | None:
        with self._lock:
            self.requests.append(f"{method} {path}")
            self.bodies.append(body)
            spoil = self._due(method)
            if spoil is not None and spoil.instead:
                return spoil.act(Reply(0))
            reply = self._do(method, unquote(path), headers, body)
            return reply if spoil is None else spoil.act(reply)

    def _due(self, method: str) -> Spoil | None:
        """Return what spoils this answer: the first that waits for this method, once its patience is used up."""
        spoil = next((one for one in self._spoils if one.method == method), None)
        if spoil is None:
            return None
        if spoil.skip:
            spoil.skip -= 1
            return None
        self._spoils.remove(spoil)
        return spoil

    def _do(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        folder, _, name = path.rpartition("/")
        shelf = self.shelves.get(folder + "/")
        if method == "PROPFIND":
            return self._propfind(path, headers.get("Depth", "0"))
        if method == "MKCALENDAR":
            title = ElementTree.fromstring(body).findtext(f".//{DAV}displayname") or ""
            self.shelves[path] = Shelf(title)
            return Reply(201)
        if shelf is None:
            return Reply(404)
        if method == "REPORT" and not name:
            return self._report(path, shelf, ElementTree.fromstring(body))
        if method == "PUT":
            return self._put(shelf, name, headers, body.decode())
        if name not in shelf.entries:
            return Reply(404)
        if method == "GET":
            return self._get(shelf.entries[name], headers)
        if method == "DELETE":
            return self._delete(shelf, name, headers)
        return Reply(405)

    def _get(self, stands: tuple[str, int], headers: Mapping[str, str]) -> Reply:
        body, etag = stands[0].encode(), self._etag(stands[1], self.flavour.read_etag)
        told = {"Content-Type": "text/calendar", "ETag": etag}
        if self.flavour.packs == "never" or "gzip" not in headers.get("Accept-Encoding", ""):
            return Reply(200, body, told)
        told["ETag"] = f"W/{etag}" if self.flavour.packs == "weak" else f'{etag[:-1]}-gzip"'
        return Reply(200, gzip.compress(body), {**told, "Content-Encoding": "gzip"})

    def _put(self, shelf: Shelf, name: str, headers: Mapping[str, str], text: str) -> Reply:
        stands = shelf.entries.get(name)
        if stands is not None and self.flavour.if_none_match and headers.get("If-None-Match") == "*":
            return Reply(412)
        if not self._matches(headers, stands):
            return Reply(412)
        uid = _uid(text)
        places = [shelf] if self.flavour.uid_once == "calendar" else [*self.shelves.values()]
        held = ((place, one, text) for place in places for one, (text, _) in place.entries.items())
        same = [one for place, one, text in held if (place is not shelf or one != name) and _uid(text) == uid]
        if same and self.flavour.uid_conflict != 201:
            error = f"<error {NAMES}><C:no-uid-conflict><href>{same[0]}</href></C:no-uid-conflict></error>"
            return Reply(self.flavour.uid_conflict, error.encode(), {"Content-Type": "application/xml"})
        revision = shelf.note(name)
        shelf.entries[name] = (text, revision)
        kind = self.flavour.put_etag
        told = {} if kind == "none" else {"ETag": self._etag(revision, "weak" if kind == "weak" else "strong")}
        return Reply(204 if stands else 201, b"", told)

    def _delete(self, shelf: Shelf, name: str, headers: Mapping[str, str]) -> Reply:
        if not self._matches(headers, shelf.entries[name]):
            return Reply(412)
        del shelf.entries[name]
        shelf.note(name)
        return Reply(204)

    def _matches(self, headers: Mapping[str, str], stands: tuple[str, int] | None) -> bool:
        """Judge If-Match as RFC 9110 wants it: a weak etag never matches."""
        wanted = headers.get("If-Match")
        if wanted is None:
            return True
        return stands is not None and self.flavour.read_etag == "strong" and wanted == self._etag(stands[1], "strong")

    def _etag(self, revision: int, kind: str) -> str:
        if kind == "new":
            return f'"{next(self._counter)}-new"'
        return f'W/"r{revision}"' if kind == "weak" else f'"r{revision}"'

    # ------------------------------------------------------------------------------------------- XML

    def _propfind(self, path: str, depth: str) -> Reply:
        if path in self.shelves:
            rows = [self._about(path)] + (self._rows(path) if depth == "1" else [])
        elif path in ("/", "/cal/", self.home):
            inner = [self._about(one) for one in self.shelves if one.startswith(path) and path == self.home]
            rows = [self._row(path, self._principal()), *(inner if depth == "1" else [])]
        elif (shelf := self.shelves.get(path.rpartition("/")[0] + "/")) and path.rpartition("/")[2] in shelf.entries:
            rows = [self._entry_row(path, shelf, path.rpartition("/")[2], body=False)]
        else:
            return Reply(404)
        return _multistatus(rows)

    def _principal(self) -> str:
        who = f"<current-user-principal><href>{self.home}</href></current-user-principal>"
        where = f"<C:calendar-home-set><href>{self.told_home}</href></C:calendar-home-set>"
        return f"<resourcetype><collection/></resourcetype>{who}{where}"

    def _about(self, path: str) -> str:
        shelf, flavour = self.shelves[path], self.flavour
        reports = ["C:calendar-multiget", "C:calendar-query"] + (["sync-collection"] if flavour.syncs else [])
        told = "".join(f"<supported-report><report><{one}/></report></supported-report>" for one in reports)
        token = f"<sync-token>{shelf.token}</sync-token>" if flavour.syncs else ""
        ctag = f"<S:getctag>{shelf.life}.{shelf.revision}</S:getctag>" if flavour.ctag else ""
        kind = "<resourcetype><collection/><C:calendar/></resourcetype>"
        title = f"<displayname>{escape(shelf.title)}</displayname>" if shelf.title else ""
        return self._row(path, f"{kind}{title}{token}{ctag}<supported-report-set>{told}</supported-report-set>")

    def _rows(self, path: str) -> list[str]:
        shelf = self.shelves[path]
        return [self._entry_row(path, shelf, name, body=False) for name in shelf.entries]

    def _entry_row(self, path: str, shelf: Shelf, name: str, *, body: bool) -> str:
        text, revision = shelf.entries[name]
        inner = f"<getetag>{escape(self._etag(revision, self.flavour.read_etag))}</getetag>"
        if body:
            inner += f"<C:calendar-data>{escape(text)}</C:calendar-data>"
        return self._row(path.rpartition("/")[0] + f"/{name}", inner)

    def _row(self, path: str, inner: str) -> str:
        ok = "<status>HTTP/1.1 200 OK</status>"  # before the properties, as Xandikos does
        return f"<response><href>{self._href(path)}</href><propstat>{ok}<prop>{inner}</prop></propstat></response>"

    def _gone(self, path: str, status: str = "404 Not Found") -> str:
        return f"<response><href>{self._href(path)}</href><status>HTTP/1.1 {status}</status></response>"

    def _href(self, path: str) -> str:
        written = quote(path, safe="/@")
        if self.flavour.href == "lower":
            return re.sub("%[0-9A-F]{2}", lambda one: one[0].lower(), written)
        return (self.url.rstrip("/") + written) if self.flavour.href == "absolute" else written

    def _report(self, path: str, shelf: Shelf, asked: ElementTree.Element) -> Reply:
        if asked.tag == f"{DAV}sync-collection" and self.flavour.syncs:
            return self._sync(path, shelf, asked.findtext(f"{DAV}sync-token") or "")
        if asked.tag == f"{CALDAV}calendar-multiget" and self.flavour.multiget != "missing":
            names = [unquote(one.text or "").rpartition("/")[2] for one in asked.findall(f"{DAV}href")]
            if self.flavour.multiget == "omits":
                names = [one for one in names if one in shelf.entries][1:]
            return _multistatus([self._got(path, shelf, name) for name in names])
        if asked.tag == f"{CALDAV}calendar-query" and self.flavour.searches:
            uid = asked.findtext(f".//{CALDAV}text-match") or ""
            return _multistatus(
                [self._got(path, shelf, name) for name, (text, _) in shelf.entries.items() if uid in _uid(text)]
            )
        return Reply(400)

    def _got(self, path: str, shelf: Shelf, name: str) -> str:
        return self._entry_row(path, shelf, name, body=True) if name in shelf.entries else self._gone(path + name)

    def _sync(self, path: str, shelf: Shelf, token: str) -> Reply:
        start = shelf.since(token)
        if start is None:
            return self._dead(path, shelf, token)
        log = [(revision, name) for revision, name in shelf.log if revision > start]
        cut = self.flavour.page is not None and len(log) > self.flavour.page
        told = log[: self.flavour.page] if cut else log
        names = dict.fromkeys(name for _, name in told)
        rows = [
            self._entry_row(path, shelf, name, body=False) if name in shelf.entries else self._gone(path + name)
            for name in names
        ]
        if cut:
            rows.append(self._gone(path, "507 Insufficient Storage"))
        return _multistatus(rows, shelf.at(told[-1][0]) if cut else shelf.token)

    def _dead(self, path: str, shelf: Shelf, token: str) -> Reply:
        how = self.flavour.dead_token
        if how == "full":
            return _multistatus(self._rows(path), shelf.token)
        if how == "echo":
            return _multistatus([], token)
        inner = "<valid-sync-token/>" if self.flavour.names_condition else ""
        return Reply(how, f"<error {NAMES}>{inner}</error>".encode(), {"Content-Type": "application/xml"})


def _multistatus(rows: list[str], token: str = "") -> Reply:
    end = f"<sync-token>{escape(token)}</sync-token>" if token else ""
    body = f'<?xml version="1.0" encoding="utf-8"?><multistatus {NAMES}>{"".join(rows)}{end}</multistatus>'
    return Reply(207, body.encode(), {"Content-Type": "application/xml; charset=utf-8"})


def _uid(text: str) -> str:
    match = re.search(r"^UID:(.*?)\r?$", text, re.MULTILINE)
    return match[1] if match else ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # head and body in one packet, else each answer waits for an acknowledgement
    server: "_Server"

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        reply = self.server.liar.serve(self.command, self.path, dict(self.headers.items()), body)
        if reply is None:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body[: len(reply.body) // 2] if reply.cut else reply.body)
        self.close_connection = self.close_connection or reply.cut

    do_GET = do_PUT = do_DELETE = do_PROPFIND = do_REPORT = do_MKCALENDAR = do_OPTIONS = handle_any

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    liar: Liar


@contextmanager
def lying(flavour: Flavour | None = None) -> Iterator[Liar]:
    """Run a liar on a free loopback port."""
    liar = Liar(flavour or Flavour())
    server = _Server(("127.0.0.1", 0), _Handler)
    server.liar = liar
    liar.url = f"http://127.0.0.1:{server.server_address[1]}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="liar", daemon=True)
    thread.start()
    try:
        yield liar
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
