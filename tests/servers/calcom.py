"""Cal.com's API v2 on a loopback port: versions, envelopes, pages, an allowance, webhooks that are sent once.

Every switch is a behaviour that a real installation has; tests/connectors/test_calcom_judged.py holds the shapes
against what is published.
"""

import hashlib
import hmac
import http.client
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from syncd.practice_calendly.control import Fault
from tests.servers.calcom_company import Client, Company, Json, Refusal, parsed
from tests.servers.calendly import MONDAY, HandClock

KEY = "cal_test_key"
VERSIONS = {"bookings": "2024-08-13", "slots": "2024-09-04", "event-types": "2024-06-14"}
STATES = "upcoming recurring past cancelled unconfirmed".split()
PAGE = b"<!doctype html><title>Sign in</title>"


@dataclass
class Behaviour:
    limit: int = 120  # calls a minute and key
    reset_is_a_moment: bool = True  # else seconds to go; both have been seen
    suffix: str = "-Default"
    has_teams: bool = True
    tells_pages: bool = True  # event types carry bookingUrl
    states_by_default: tuple[str, ...] = ("upcoming",)  # what a listing without a filter holds is not written down


@dataclass
class CalcomServer:
    """One company behind one address."""

    company: Company
    owner: int
    team: int = 7
    port: int = 0
    behaviour: Behaviour = field(default_factory=Behaviour)
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    versions: list[str | None] = field(default_factory=list)
    meanwhile: Callable[[str], None] = lambda request: None
    keys: set[str] = field(default_factory=lambda: {KEY})
    webhooks: dict[str, Json] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)  # what subscribers answered; nobody looks at them
    spent: tuple[float, int] = (-1e9, 0)
    _http: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v2"

    def start(self) -> None:
        door = type("Door", (_Door,), {"server_of": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), door)
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        self.company.told.append(self.deliver)

    def stop(self) -> None:
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()

    def deliver(self, trigger: str, payload: Json) -> None:
        """Post once to every subscriber; an answer of 4xx or 5xx is not even looked at."""
        now = self.company.clock.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")
        body = json.dumps({"triggerEvent": trigger, "createdAt": now, "payload": payload}).encode()
        for one in list(self.webhooks.values()):
            if one["active"] and trigger in one["triggers"]:
                self.statuses.append(_post(one["subscriberUrl"], body, one.get("secret")))

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: Any, body: bytes
    ) -> tuple[int, Json, Json]:
        """Return status, headers and body."""
        if (headers.get("Authorization") or "").removeprefix("Bearer ") not in self.keys:
            return 401, {}, _error("UNAUTHORIZED", "Invalid API Key")
        metered, exhausted = self._meter()
        if exhausted:
            return 429, metered, _error("CustomThrottlerException", "Too many requests")
        try:
            asked = json.loads(body) if body else {}
            with self.company.lock:
                status, data = self._route(method, path.removeprefix("/v2/"), query, headers, asked)
        except Refusal as refused:
            return refused.status, metered, _error("BadRequestException", refused.message)
        return status, metered, data

    def _meter(self) -> tuple[Json, bool]:
        now = self.company.clock.monotonic()
        begun, used = self.spent
        if now - begun >= 60:
            begun, used = now, 0
        self.spent = (begun, used + 1)
        to_go = 60 - (now - begun)
        moment = int(self.company.clock.now().timestamp() + to_go)
        named = self.behaviour.suffix
        told = {f"X-RateLimit-Limit{named}": self.behaviour.limit}
        told |= {f"X-RateLimit-Remaining{named}": max(self.behaviour.limit - used - 1, 0)}
        told |= {f"X-RateLimit-Reset{named}": moment if self.behaviour.reset_is_a_moment else int(to_go)}
        return told, used >= self.behaviour.limit

    def _route(self, method: str, path: str, query: dict[str, str], headers: Any, body: Json) -> tuple[int, Json]:
        for verb, pattern, function in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and verb == method:
                wanted = VERSIONS.get(path.partition("/")[0])
                given = headers.get("cal-api-version")
                self.versions.append(given)
                if wanted is not None and given != wanted:
                    return 200, {"status": "success", "data": {"bookings": [], "totalCount": 0}}  # an older version
                return function(self, query, body, *match.groups())
        raise Refusal(404, f"Cannot {method} /v2/{path}")

    # bookings

    def bookings(self, query: dict[str, str], body: Json) -> tuple[int, Json]:
        allowed = {"status", "afterStart", "beforeEnd", "afterUpdatedAt", "sortCreated", "sortUpdatedAt"}
        allowed |= {"take", "skip", "eventTypeIds", "teamId"}
        if set(query) - allowed or any(one not in STATES for one in query.get("status", "upcoming").split(",")):
            raise Refusal(400, f"property {sorted(set(query) - allowed)} should not exist")
        rows = [one for one in self.company.bookings.values() if self._is_asked(one, query)]
        if "sortUpdatedAt" in query:
            rows.sort(key=lambda one: parsed(one["updatedAt"]))
        return 200, _paged(rows, query)

    def _is_asked(self, row: Json, query: dict[str, str]) -> bool:
        start, end, updated = (parsed(row[name]) for name in ("start", "end", "updatedAt"))
        given = query.get("status")
        wanted = given.split(",") if given is not None else self.behaviour.states_by_default
        kinds = query.get("eventTypeIds")
        return (
            self._state(row) in wanted
            and ("afterStart" not in query or start > parsed(query["afterStart"]))
            and ("beforeEnd" not in query or end < parsed(query["beforeEnd"]))
            and ("afterUpdatedAt" not in query or updated > parsed(query["afterUpdatedAt"]))
            and (kinds is None or str(row["eventType"]["id"]) in kinds.split(","))
        )

    def _state(self, row: Json) -> str:
        if row["status"] in ("cancelled", "rejected"):
            return "cancelled"
        if row["status"] == "pending":
            return "unconfirmed"
        return "upcoming" if parsed(row["end"]) > self.company.clock.now() else "past"

    def booking(self, query: dict[str, str], body: Json, uid: str) -> tuple[int, Json]:
        return 200, _success(self._found(uid))

    def cancel(self, query: dict[str, str], body: Json, uid: str) -> tuple[int, Json]:
        row = self._found(uid)
        if "seatUid" in body:
            self.company.give_up(uid, reason=body.get("cancellationReason", ""), seat=body["seatUid"])
        else:
            self.company.cancel(uid, self.owner, body.get("cancellationReason", ""))
        return 200, _success(row)

    def confirm(self, query: dict[str, str], body: Json, uid: str) -> tuple[int, Json]:
        self.company.confirm(uid)
        return 200, _success(self._found(uid))

    def decline(self, query: dict[str, str], body: Json, uid: str) -> tuple[int, Json]:
        self.company.decline(uid, body.get("reason", ""))
        return 200, _success(self._found(uid))

    def reschedule(self, query: dict[str, str], body: Json, uid: str) -> tuple[int, Json]:
        self._found(uid)
        by = self.company.users[self.owner]["email"]
        reason, seat = body.get("reschedulingReason", ""), body.get("seatUid")
        made = self.company.move(uid, parsed(body["start"]), reason=reason, by=by, seat=seat)
        return 201, _success(self._found(made))

    def reassign(self, query: dict[str, str], body: Json, uid: str, host: str) -> tuple[int, Json]:
        self._found(uid)
        self.company.reassign(uid, int(host))
        to = self.company.users[int(host)]
        return 200, _success({"bookingUid": uid, "reassignedTo": {key: to[key] for key in ("id", "name", "email")}})

    def _found(self, uid: str) -> Json:
        if uid not in self.company.bookings:
            raise Refusal(404, f"Booking with uid={uid} was not found in the database")
        return self.company.bookings[uid]

    # the rest

    def me(self, query: dict[str, str], body: Json) -> tuple[int, Json]:
        user = self.company.users[self.owner]
        mine = {"id": user["id"], "username": user["username"], "email": user["email"], "name": user["name"]}
        return 200, _success(mine | {"timeZone": "America/Santiago", "organizationId": None, "weekStart": "Monday"})

    def teams(self, query: dict[str, str], body: Json) -> tuple[int, Json]:
        if not self.behaviour.has_teams:
            raise Refusal(404, "Cannot GET /v2/teams")
        return 200, _success([{"id": self.team, "name": "Visitas", "slug": "visitas"}])

    def event_type(self, query: dict[str, str], body: Json, number: str) -> tuple[int, Json]:
        return self._event_type(number, None)

    def team_event_type(self, query: dict[str, str], body: Json, team: str, number: str) -> tuple[int, Json]:
        return self._event_type(number, int(team))

    def _event_type(self, number: str, team: int | None) -> tuple[int, Json]:
        kind = self.company.event_types.get(int(number))
        if kind is None or kind["team"] != team:
            raise Refusal(404, f"Event type with id {number} not found")
        shown = {"id": kind["id"], "title": kind["title"], "slug": kind["slug"], "lengthInMinutes": kind["minutes"]}
        shown |= {} if kind["lengths"] is None else {"lengthInMinutesOptions": kind["lengths"]}
        shown |= {} if kind["scheduling"] is None else {"schedulingType": kind["scheduling"]}
        shown |= {"bookingUrl": f"https://cal.com/visitas/{kind['slug']}"} if self.behaviour.tells_pages else {}
        return 200, _success(shown)

    def reserve(self, query: dict[str, str], body: Json) -> tuple[int, Json]:
        start, length = parsed(body["slotStart"]), body.get("slotDuration")
        made = self.company.reserve(body["eventTypeId"], start, length, body.get("reservationDuration", 5))
        return 201, _success(made)

    def list_webhooks(self, query: dict[str, str], body: Json) -> tuple[int, Json]:
        take, skip = int(query.get("take", 250)), int(query.get("skip", 0))
        return 200, _success(list(self.webhooks.values())[skip : skip + take])

    def make_webhook(self, query: dict[str, str], body: Json) -> tuple[int, Json]:
        if any(one["subscriberUrl"] == body["subscriberUrl"] for one in self.webhooks.values()):
            raise Refusal(409, "Webhook with this subscriberUrl already exists for this user")
        number = f"00000000-0000-4000-8000-{len(self.requests):012d}"
        made = {"payloadTemplate": None, "userId": self.owner, "secret": None} | body | {"id": number}
        self.webhooks[number] = made
        return 201, _success(made)

    def drop_webhook(self, query: dict[str, str], body: Json, number: str) -> tuple[int, Json]:
        if number not in self.webhooks:
            raise Refusal(404, "Webhook not found")
        return 200, _success(self.webhooks.pop(number))


ROUTES: list[tuple[str, str, Callable[..., tuple[int, Json]]]] = [
    ("GET", r"bookings", CalcomServer.bookings),
    ("GET", r"bookings/([^/]+)", CalcomServer.booking),
    ("POST", r"bookings/([^/]+)/cancel", CalcomServer.cancel),
    ("POST", r"bookings/([^/]+)/confirm", CalcomServer.confirm),
    ("POST", r"bookings/([^/]+)/decline", CalcomServer.decline),
    ("POST", r"bookings/([^/]+)/reschedule", CalcomServer.reschedule),
    ("POST", r"bookings/([^/]+)/reassign/(\d+)", CalcomServer.reassign),
    ("GET", r"me", CalcomServer.me),
    ("GET", r"teams", CalcomServer.teams),
    ("GET", r"event-types/(\d+)", CalcomServer.event_type),
    ("GET", r"teams/(\d+)/event-types/(\d+)", CalcomServer.team_event_type),
    ("POST", r"slots/reservations", CalcomServer.reserve),
    ("GET", r"(?:organizations/\d+/)?webhooks", CalcomServer.list_webhooks),
    ("POST", r"(?:organizations/\d+/)?webhooks", CalcomServer.make_webhook),
    ("DELETE", r"(?:organizations/\d+/)?webhooks/([^/]+)", CalcomServer.drop_webhook),
]


def _success(data: Any) -> Json:
    return {"status": "success", "data": data}


def _error(code: str, message: str) -> Json:
    return {"status": "error", "error": {"code": code, "message": message}}


def _paged(rows: list[Json], query: dict[str, str]) -> Json:
    take, skip = int(query.get("take", 100)), int(query.get("skip", 0))
    page, left = rows[skip : skip + take], max(len(rows) - skip - take, 0)
    pagination = {
        "totalItems": len(rows),
        "remainingItems": left,
        "returnedItems": len(page),
        "itemsPerPage": take,
        "currentPage": skip // take + 1,
        "totalPages": -(-len(rows) // take),
        "hasNextPage": left > 0,
        "hasPreviousPage": skip > 0,
    }
    return _success(page) | {"pagination": pagination}


def signed(body: bytes, secret: str | None) -> str:
    """What stands in X-Cal-Signature-256."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() if secret else "no-secret-provided"


def _post(url: str, body: bytes, secret: str | None) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    headers = {"Content-Type": "application/json", "X-Cal-Signature-256": signed(body, secret)}
    try:
        connection.request("POST", parts.path, body, headers | {"X-Cal-Webhook-Version": "2021-10-20"})
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server_of: CalcomServer

    def answer(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server, request = self.server_of, f"{self.command} {parts.path}"
        server.requests.append(f"{self.command} {self.path}")
        server.meanwhile(request)
        fault = next((one for one in server.faults if one.strikes(request)), None)

        def call() -> tuple[int, Json, Json]:
            return server.answer(self.command, parts.path, dict(parse_qsl(parts.query)), self.headers, body)

        if fault is None:
            status, headers, answer = call()
            self.write(status, json.dumps(answer).encode(), headers)
        else:
            self.misbehave(fault.kind, call)

    do_GET = do_POST = do_DELETE = answer

    def misbehave(self, kind: str, call: Callable[[], tuple[int, Json, Json]]) -> None:
        if kind == "html":
            self.write(200, PAGE, {"Content-Type": "text/html"})
        elif kind in ("cut", "garbage"):
            whole = json.dumps(call()[2]).encode()
            length = {"Content-Length": len(whole)} if kind == "cut" else {}
            self.write(200, whole[: len(whole) // 2], length)
            self.close_connection = True
        elif kind in ("drop", "drop-after"):
            if kind == "drop-after":
                call()
            self.close_connection = True
        else:
            self.write(int(kind), json.dumps(_error("Fault", f"fault {kind}")).encode(), {})

    def write(self, status: int, body: bytes, headers: Json) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json", "Content-Length": len(body)} | headers).items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Silent."""


@dataclass
class Stand:
    """A running server with an owner, two hosts and one round-robin event type of 30 minutes."""

    server: CalcomServer
    clock: HandClock
    owner: int
    ana: int
    bruno: int
    visit: int

    @property
    def company(self) -> Company:
        return self.server.company

    def book(self, hour: int, *, day: int = 0, kind: int | None = None, client: Client | None = None) -> str:
        """Book a visit of Monday (or `day` days later) at this UTC hour and return its uid."""
        return self.company.book(kind or self.visit, MONDAY + timedelta(days=day, hours=hour), client)

    def calls(self, prefix: str = "") -> list[str]:
        return [one for one in self.server.requests if one.startswith(prefix)]


@contextmanager
def calcom() -> Iterator[Stand]:
    """Run Cal.com's stand-in on a free loopback port."""
    clock = HandClock()
    company = Company(clock)
    owner = company.add_user("Oficina", "oficina@example.com")
    ana, bruno = company.add_user("Ana Soto", "ana@example.com"), company.add_user("Bruno Paz", "bruno@example.com")
    visit = company.add_event_type("Visita", 30, [ana, bruno])
    server = CalcomServer(company, owner)
    server.start()
    try:
        yield Stand(server, clock, owner, ana, bruno, visit)
    finally:
        server.stop()
