"""A Google Calendar server of our own that keeps real state and behaves badly on command.

Every request and every answer is judged by Google's own discovery document (google_contract); what it finds wrong is
answered with 400 and kept in `wrong`, which the fixture asserts to be empty.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlsplit

import requests
from requests.structures import CaseInsensitiveDict

from tests.servers.google_contract import (
    BASE,
    WITH_TOKEN_NEVER,
    Operation,
    masked,
    operation_of,
    wrong_body,
    wrong_query,
)
from tests.servers.google_store import Json, Refusal, Shelf, busy_of
from tests.servers.google_token import Denied, Desk

Query = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it will travel; None as a reply hangs up without a word."""

    status: int
    body: Any = None  # JSON, or bytes as they stand
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Spoil:
    """What is to become of one answer to one kind of call."""

    call: str  # calendar.events.list
    act: Callable[[Reply], Reply | None]
    instead: bool = False  # without doing what was asked
    skip: int = 0  # so many calls of this kind are answered well before


@dataclass(slots=True)
class Call:
    """One request, as far as a test may want to look at it."""

    name: str
    query: Query
    body: Any
    headers: Mapping[str, str]
    person: str = ""


@dataclass(slots=True)
class Channel:
    """One watch channel."""

    id: str
    address: str
    token: str
    shelf: str
    resource: str
    person: str
    expires_at: datetime
    number: int = 0


class Google:
    """The server's state, and what is to go wrong."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.shelves: dict[str, Shelf] = {}
        self.calls: list[Call] = []
        self.wrong: list[str] = []  # what the discovery document does not allow, of requests and of answers
        self.channels: dict[str, Channel] = {}
        self.url = ""
        self.now: Callable[[], datetime] = lambda: datetime(2026, 11, 25, tzinfo=UTC)
        # switches
        self.page = 250  # entries on one page at most
        self.empty_pages = 0  # before each listing
        self.endless = False  # an empty page after each page, for ever
        self.tells_sync_token = True
        self.ignores_fields = False
        self.free_busy_errors: dict[str, str] = {}  # calendar -> reason
        self.longest_watch = timedelta(days=7)
        self.drops_notices = False
        self._pages: dict[str, tuple[list[Json], str]] = {}  # page token -> what is left, the sync token at its end
        self._notices: list[tuple[Channel, str]] = []
        self._spoils: list[Spoil] = []
        self._lock = threading.RLock()

    # ------------------------------------------------------------------------------------------- commands

    def make_calendar(self, name: str, *people: str, zone: str = "America/Santiago", title: str = "") -> Shelf:
        """Make a calendar; the first person owns it, the others may write."""
        owner, *others = people or ("ana@example.cl",)
        roles = {owner: "owner"} | dict.fromkeys(others, "writer")
        self.shelves[name] = Shelf(name, zone, title or name, roles)
        return self.shelves[name]

    def forget(self) -> None:
        """Forget every sync token and every page."""
        for shelf in self.shelves.values():
            shelf.life += 1
        self._pages.clear()

    def refuse(
        self, call: str, status: int, reason: str, *, domain: str = "global", skip: int = 0, **headers: str
    ) -> None:
        """Answer the next call of a kind with an error, without doing anything."""
        refusal = Refusal(status, reason, domain=domain)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._spoils.append(Spoil(call, lambda _: Reply(status, refusal.body, named), instead=True, skip=skip))

    def answer(self, call: str, status: int, body: bytes, *, skip: int = 0) -> None:
        """Answer the next call of a kind with these bytes."""
        self._spoils.append(Spoil(call, lambda _: Reply(status, body), instead=True, skip=skip))

    def change(self, call: str, change: Callable[[Any], Any], *, skip: int = 0) -> None:
        """Do the next call of a kind, and change its answer."""
        self._spoils.append(Spoil(call, lambda one: Reply(one.status, change(one.body), one.headers), skip=skip))

    def hang_up(self, call: str, *, undone: bool = False) -> None:
        """Do the next call of a kind (or not), and close the connection instead of answering."""
        self._spoils.append(Spoil(call, lambda _: None, instead=undone))

    def relent(self) -> None:
        """Answer well from now on."""
        self._spoils.clear()

    def deliver(self) -> list[int]:
        """Post the notices that wait, and return the statuses; a small share of them Google drops."""
        with self._lock:
            waiting, self._notices = self._notices, []
        return [] if self.drops_notices else [self._post(channel, state) for channel, state in waiting]

    def notice(self, channel: Channel, state: str = "exists") -> dict[str, str]:
        """Return the headers of one notice."""
        channel.number += 3  # grows, not by one
        return {
            "X-Goog-Channel-ID": channel.id,
            "X-Goog-Channel-Token": channel.token,
            "X-Goog-Channel-Expiration": channel.expires_at.strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "X-Goog-Resource-ID": channel.resource,
            "X-Goog-Resource-URI": f"{self.url}{BASE}calendars/{quote(channel.shelf)}/events?alt=json",
            "X-Goog-Resource-State": state,
            "X-Goog-Message-Number": str(channel.number),
        }

    def _post(self, channel: Channel, state: str) -> int:
        with requests.Session() as session:
            session.trust_env = False
            return session.post(channel.address, headers=self.notice(channel, state), timeout=10).status_code

    def asked(self, name: str = "") -> list[Call]:
        """Return the calls of a kind so far."""
        return [one for one in self.calls if one.name.endswith(name)]

    # ------------------------------------------------------------------------------------------- serving

    def serve(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply | None:
        with self._lock:
            parts = urlsplit(target)
            if (method, parts.path) == ("POST", "/token"):
                return self._spoilt("token", lambda: self._token(body))
            if (method, parts.path) == ("GET", "/auth"):
                return Reply(302, b"", {"Location": self.desk.consent(parts.query)})
            found = operation_of(method, parts.path)
            if found is None:
                self.wrong.append(f"no such call: {method} {parts.path}")
                return Reply(404, Refusal(404, "notFound").body)
            operation, names = found
            call = Call(operation.id, parse_qs(parts.query, keep_blank_values=True), _json(body), headers)
            self.calls.append(call)
            return self._spoilt(operation.id, lambda: self._judged(operation, names, call))

    def _spoilt(self, name: str, do: Callable[[], Reply]) -> Reply | None:
        spoil = next((one for one in self._spoils if name.endswith(one.call)), None)
        if spoil is not None and spoil.skip:
            spoil.skip -= 1
            spoil = None
        if spoil is not None:
            self._spoils.remove(spoil)
            return spoil.act(Reply(0) if spoil.instead else do())
        return do()

    def _token(self, body: bytes) -> Reply:
        try:
            return Reply(200, self.desk.token(dict(parse_qsl(body.decode()))))
        except Denied as no:
            return Reply(no.status, no.body)

    def _judged(self, operation: Operation, names: Mapping[str, str], call: Call) -> Reply:
        """Do a call between two judgements."""
        wrong = wrong_query(operation, call.query)
        wrong = wrong or wrong_body(operation.request, call.body, patch=operation.method == "PATCH")
        if wrong:
            self.wrong.append(f"request: {wrong}")
            return Reply(400, Refusal(400, "badRequest", wrong).body)
        try:
            call.person = self._person(operation, call.headers)
            answer = self._do(operation.id, names, call)
        except Refusal as no:
            return Reply(no.status, no.body, no.headers)
        if answer is not None and (told := wrong_body(operation.response, answer)):
            self.wrong.append(f"answer: {told}")
        fields = call.query.get("fields", [""])[0]
        shown = masked(answer, fields) if fields and answer is not None and not self.ignores_fields else answer
        return Reply(204 if shown is None else 200, shown)

    def _person(self, operation: Operation, headers: Mapping[str, str]) -> str:
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        grant = self.desk.access.get(token)
        if grant is None:
            raise Refusal(401, "authError", "Invalid Credentials")
        if not operation.scopes & grant.scopes:
            raise Refusal(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
        return grant.person

    def _do(self, name: str, names: Mapping[str, str], call: Call) -> Json | None:
        if name == "calendar.freebusy.query":
            return self._free_busy(call)
        if name == "calendar.channels.stop":
            return self._stop(call)
        if name == "calendar.calendarList.list":
            return self._lists(call.person)
        shelf = self.shelves.get(names.get("calendarId", ""))
        if shelf is None:
            raise Refusal(404, "notFound", "Not Found")
        role = shelf.role(call.person)
        match name:
            case "calendar.events.list":
                return self._list(shelf, call, role)
            case "calendar.events.get":
                return shelf.told(shelf.get(names["eventId"]))
            case "calendar.events.watch":
                return self._watch(shelf, call)
        if role not in ("owner", "writer"):
            raise Refusal(403, "requiredAccessLevel", "You need to have writer access to this calendar.")
        return self._write(name, shelf, names, call)

    def _write(self, name: str, shelf: Shelf, names: Mapping[str, str], call: Call) -> Json | None:
        etag = call.headers.get("If-Match")
        match name:
            case "calendar.events.insert":
                done: Json | None = shelf.insert(call.body, call.person)
            case "calendar.events.patch":
                done = shelf.patch(names["eventId"], call.body, etag)
            case "calendar.events.delete":
                shelf.delete(names["eventId"], etag)
                done = None
            case _:
                raise Refusal(501, "notImplemented", f"{name} is not played here")
        self.changed(shelf)
        return done

    def changed(self, shelf: Shelf) -> None:
        """Have the channels of a calendar told that something changed there."""
        self._notices += [(one, "exists") for one in self.channels.values() if one.shelf == shelf.id]

    # ------------------------------------------------------------------------------------------- lists

    def _list(self, shelf: Shelf, call: Call, role: str) -> Json:
        query = call.query
        if "pageToken" in query:
            items, sync = self._pages.pop(query["pageToken"][0], ([], ""))
            if not sync:
                raise Refusal(410, "updatedMinTooLongAgo", "The page token is no longer valid.")
        else:
            items, sync = self._first(shelf, query), self._sync_token(shelf, query)
        return self._page(shelf, query, role, items, sync)

    def _first(self, shelf: Shelf, query: Query) -> list[Json]:
        token = query.get("syncToken", [""])[0]
        if token:
            start = self._since(shelf, query, token)
            ids = sorted((one for one, at in shelf.changed.items() if at > start), key=lambda one: shelf.changed[one])
            found = [shelf.events[one] for one in ids]
            return [shelf.told(one) if one["status"] != "cancelled" else shelf.tombstone(one) for one in found]
        return [
            shelf.told(one) if one["status"] != "cancelled" else shelf.tombstone(one)
            for one in shelf.events.values()
            if _listed(shelf, one, query)
        ]

    def _since(self, shelf: Shelf, query: Query, token: str) -> int:
        """Return the revision a sync token stands for; refuse what the discovery document's prose forbids."""
        if bad := WITH_TOKEN_NEVER & query.keys() or query.get("showDeleted") == ["false"]:
            self.wrong.append(f"with a sync token: {bad}")
            raise Refusal(400, "syncTokenWithRequestRestrictions", "Sync token cannot be used with these parameters.")
        parts = token.split(":")
        if len(parts) != 4 or parts[0] != "sync":
            raise Refusal(400, "invalid", "Invalid sync token value.")
        if int(parts[1]) != shelf.life:
            raise Refusal(410, "fullSyncRequired", "Sync token is no longer valid, a full sync is required.")
        if parts[3] != _same(query):
            self.wrong.append("the parameters are not those of the first call")
            raise Refusal(400, "invalid", "undefined behaviour: other parameters than in the initial request")
        return int(parts[2])

    def _sync_token(self, shelf: Shelf, query: Query) -> str:
        return f"sync:{shelf.life}:{shelf.revision}:{_same(query)}"

    def _page(self, shelf: Shelf, query: Query, role: str, items: list[Json], sync: str) -> Json:
        size = min(self.page, int(query.get("maxResults", ["250"])[0]))
        empty = self.endless or (self.empty_pages and "pageToken" not in query)
        now, left = ([], items) if empty else (items[:size], items[size:])
        told: Json = {"kind": "calendar#events", "etag": '"page"', "summary": shelf.title, "timeZone": shelf.zone}
        told |= {"accessRole": role, "updated": "2026-11-25T00:00:00.000Z", "defaultReminders": [], "items": now}
        if left or empty:
            token = f"page-{len(self.calls)}"
            self._pages[token] = left, sync
            return told | {"nextPageToken": token}
        searches = {"iCalUID", "privateExtendedProperty", "q"} & query.keys()
        return told | ({"nextSyncToken": sync} if self.tells_sync_token and not searches else {})

    def _lists(self, person: str) -> Json:
        items = [
            {
                "kind": "calendar#calendarListEntry",
                "id": one.id,
                "summary": one.title,
                "timeZone": one.zone,
                "accessRole": one.roles[person],
            }
            for one in self.shelves.values()
            if person in one.roles
        ]
        return {"kind": "calendar#calendarList", "etag": '"lists"', "items": items, "nextSyncToken": "lists"}

    # ------------------------------------------------------------------------------------------- free/busy, watch

    def _free_busy(self, call: Call) -> Json:
        low, high = (datetime.fromisoformat(call.body[name]) for name in ("timeMin", "timeMax"))
        names = [one["id"] for one in call.body["items"]]
        if len(names) > 50:
            raise Refusal(400, "tooManyCalendarsRequested", "Too many calendars requested.")
        if high - low > timedelta(days=92):
            raise Refusal(400, "timeRangeTooLong", "The requested time range is too long.")
        found = {name: self._busy(name, call.person, low, high) for name in names}
        return {
            "kind": "calendar#freeBusy",
            "timeMin": call.body["timeMin"],
            "timeMax": call.body["timeMax"],
            "calendars": found,
        }

    def _busy(self, name: str, person: str, low: datetime, high: datetime) -> Json:
        shelf = self.shelves.get(name)
        reason = self.free_busy_errors.get(name) or ("" if shelf and person in shelf.roles else "notFound")
        if reason or shelf is None:
            return {"errors": [{"domain": "global", "reason": reason}], "busy": []}
        return {"busy": busy_of(shelf, low, high)}

    def _watch(self, shelf: Shelf, call: Call) -> Json:
        body = call.body
        address = urlsplit(body["address"])
        if body.get("type") != "web_hook" or len(body["id"]) > 64 or len(body.get("token", "")) > 256:
            raise Refusal(400, "invalid", "Invalid channel.")
        if address.scheme != "https" and address.hostname != "127.0.0.1":
            raise Refusal(400, "push.webhookUrlNotHttps", f"WebHook callback must be HTTPS: {body['address']}")
        if body["id"] in self.channels:
            raise Refusal(400, "channelIdNotUnique", f"Channel id {body['id']} not unique")
        ttl = timedelta(seconds=int(body.get("params", {}).get("ttl", "604800")))
        ends = self.now() + min(ttl, self.longest_watch)
        resource = hashlib.sha256(shelf.id.encode()).hexdigest()[:27]
        channel = Channel(body["id"], body["address"], body.get("token", ""), shelf.id, resource, call.person, ends)
        self.channels[channel.id] = channel
        self._notices.append((channel, "sync"))
        return {
            "kind": "api#channel",
            "id": channel.id,
            "resourceId": resource,
            "resourceUri": f"{self.url}{BASE}calendars/{quote(shelf.id)}/events?alt=json",
            "token": channel.token,
            "expiration": str(int(ends.timestamp() * 1000)),
        }

    def _stop(self, call: Call) -> Json | None:
        channel = self.channels.get(call.body["id"])
        if channel is None or channel.resource != call.body["resourceId"] or channel.person != call.person:
            raise Refusal(404, "notFound", f"Channel '{call.body['id']}' not found for project")
        del self.channels[channel.id]
        return None


def _listed(shelf: Shelf, event: Json, query: Query) -> bool:
    """Tell whether an entry stands in a listing without a sync token."""
    if query.get("singleEvents") == ["true"]:
        raise Refusal(501, "notImplemented", "this server does not expand series")
    cancelled, parent = event["status"] == "cancelled", event.get("recurringEventId")
    if cancelled and query.get("showDeleted") != ["true"]:
        master = shelf.events.get(parent) if parent else None
        if master is None or master["status"] == "cancelled":
            return False
    if "iCalUID" in query and query["iCalUID"] != [event["iCalUID"]]:
        return False
    if "privateExtendedProperty" in query:
        private = event.get("extendedProperties", {}).get("private", {})
        if not all(
            private.get(name) == value
            for name, value in (one.split("=", 1) for one in query["privateExtendedProperty"])
        ):
            return False
    if "timeMin" in query and not event.get("recurrence"):
        ends = event["originalStartTime"] if cancelled else event["end"]
        return shelf.instant(ends) > datetime.fromisoformat(query["timeMin"][0])
    return True


def _same(query: Query) -> str:
    """Digest the parameters that must not change from call to call."""
    kept = {name: values for name, values in query.items() if name not in WITH_TOKEN_NEVER | {"syncToken", "pageToken"}}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]


def _json(body: bytes) -> Any:
    return json.loads(body) if body else None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # head and body in one packet, else each answer waits for an acknowledgement
    server: "_Server"

    def _serve(self) -> None:
        headers = CaseInsensitiveDict(self.headers.items())
        length = int(headers.get("Content-Length") or 0)
        reply = self.server.google.serve(self.command, self.path, headers, self.rfile.read(length))
        if reply is None:
            self.close_connection = True
            return
        body = reply.body if isinstance(reply.body, bytes) else b"" if reply.body is None else _wire(reply.body)
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json; charset=UTF-8", **reply.headers}.items():
            self.send_header(name, value)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if reply.status != 204:
            self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_DELETE = _serve

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def _wire(body: Any) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    google: Google


@contextmanager
def serving(google: Google | None = None) -> Iterator[Google]:
    """Serve on a free port of loopback; afterwards nothing may have been wrong."""
    state = google or Google()
    server = _Server(("127.0.0.1", 0), _Handler)
    server.google = state
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
