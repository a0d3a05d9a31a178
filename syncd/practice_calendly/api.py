"""Answers the calls of Calendly's API v2 from a Company: rights, paging, limits and errors as published.

Knows nothing of sockets; `answer` takes a request apart and returns what goes back.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from syncd.practice_calendly import shapes
from syncd.practice_calendly.company import ROOT, Company, Refusal, Scope, not_found
from syncd.practice_calendly.shapes import Client, Json, moment_of, stamp

EVENTS = frozenset(
    (
        "invitee.created invitee.canceled invitee_no_show.created invitee_no_show.deleted "
        "routing_form_submission.created event_type.created event_type.updated event_type.deleted"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request."""

    user: str
    scope: Scope
    path: str
    query: Mapping[str, str]
    body: Json


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def _invalid(parameter: str, message: str) -> Refusal:
    return Refusal(400, "Invalid Argument", message, parameter)


def _denied(message: str = "You do not have permission to access this resource.") -> Refusal:
    return Refusal(403, "Permission Denied", message)


@dataclass(slots=True)
class Api:
    """The API of one company. Everything public here is a switch for tests and the demo."""

    company: Company
    limit: int = 500  # requests a minute and user
    page_life: timedelta = timedelta(minutes=5)
    webhooks_need_paid_plan: bool = False
    subscriptions: dict[str, Json] = field(default_factory=dict)
    keys: dict[str, str | None] = field(default_factory=dict)  # subscription -> signing key, never shown
    spent: dict[str, tuple[float, int]] = field(default_factory=dict)  # user -> start of the minute, requests in it
    parked: dict[str, tuple[datetime, str, int]] = field(default_factory=dict)  # page token -> given at, filters, place

    def answer(self, method: str, path: str, query: Mapping[str, str], token: str, body: bytes) -> Reply:
        """Answer one request; never raises for a bad one."""
        with self.company.lock:
            if token not in self.company.tokens:
                return Reply(401, {"title": "Unauthenticated", "message": "The access token is invalid"})
            user, scope = self.company.tokens[token]
            headers, exhausted = self._meter(user)
            if exhausted:
                return Reply(429, None, headers)
            try:
                status, answer = self._route(method, Call(user, scope, path, query, _json(body)))
            except Refusal as refusal:
                return Reply(refusal.status, refusal.body, headers)
            return Reply(status, answer, headers)

    def _meter(self, user: str) -> tuple[dict[str, str], bool]:
        now = self.company.clock.monotonic()
        start, used = self.spent.get(user, (now, 0))
        if now - start >= 60:
            start, used = now, 0
        self.spent[user] = (start, used + 1)
        left = self.limit - used - 1
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(left, 0)),
            "X-RateLimit-Reset": str(max(1, round(60 - (now - start)))),  # seconds to go, not an epoch
        }
        return headers, left < 0

    def _route(self, method: str, call: Call) -> tuple[int, Json | None]:
        for verb, pattern, scope, function in ROUTES:
            match = re.fullmatch(pattern, call.path)
            if verb == method and match:
                if not call.scope.allows(scope):
                    raise _denied()
                return function(self, call, *match.groups())
        raise not_found()

    # people

    def me(self, call: Call) -> tuple[int, Json]:
        return 200, {"resource": self.company.users[call.user]}

    def user(self, call: Call, uuid: str) -> tuple[int, Json]:
        return 200, {"resource": _get(self.company.users, call.user if uuid == "me" else f"{ROOT}/users/{uuid}")}

    def memberships(self, call: Call) -> tuple[int, Json]:
        everyone = self._reach(call)
        rows = [
            one
            for user, one in self.company.memberships.items()
            if (everyone is None or user == everyone)
            and call.query.get("email") in (None, one["user"]["email"])
            and call.query.get("role") in (None, one["role"])
        ]
        return 200, self._page(call, rows)

    def _reach(self, call: Call) -> str | None:
        """Return whose things a listing may show: None everybody's, else one user's. Raises for what is not allowed."""
        admin = self.company.memberships[call.user]["role"] in ("owner", "admin")
        organization, user = call.query.get("organization"), call.query.get("user")
        if organization is None and user is None:
            raise _invalid("organization", "can't be blank")
        if organization not in (None, self.company.organization) or not (admin or user == call.user):
            raise _denied()
        return user

    # event types

    def list_event_types(self, call: Call) -> tuple[int, Json]:
        user = self._reach(call)
        rows = [
            one
            for uri, one in self.company.event_types.items()
            if user is None or user in self.company.terms[uri].hosts
        ]
        return 200, self._page(call, rows)

    def event_type(self, call: Call, uuid: str) -> tuple[int, Json]:
        return 200, {"resource": _get(self.company.event_types, f"{ROOT}/event_types/{uuid}")}

    def available_times(self, call: Call) -> tuple[int, Json]:
        kind = _get(self.company.event_types, call.query.get("event_type", ""))
        first, last = _time(call.query, "start_time"), _time(call.query, "end_time")
        if first < self.company.clock.now():
            raise _invalid("start_time", "must be in the future")
        if not timedelta(0) < last - first <= timedelta(days=31):
            raise _invalid("end_time", "date range can be no greater than 31 days")
        return 200, {
            "collection": [
                {
                    "invitees_remaining": self.company.terms[kind["uri"]].seats,
                    "scheduling_url": f"{kind['scheduling_url']}/{start:%Y-%m-%dT%H:%M:%SZ}",
                    "start_time": f"{start:%Y-%m-%dT%H:%M:%SZ}",
                    "status": "available",
                }
                for start in self.company.open_slots(kind["uri"], first, last)
            ]
        }

    def scheduling_link(self, call: Call) -> tuple[int, Json]:
        if call.body.get("max_event_count") != 1:
            raise _invalid("max_event_count", "must be equal to 1")
        if call.body.get("owner_type") != "EventType":
            raise _invalid("owner_type", "is invalid")
        owner = _get(self.company.event_types, str(call.body.get("owner")))
        booking = f"{self.company.pages}/d/{self.company.clock.new_id()[-12:]}/{owner['slug']}"
        return 201, {"resource": {"booking_url": booking, "owner": owner["uri"], "owner_type": "EventType"}}

    # bookings

    def list_events(self, call: Call) -> tuple[int, Json]:
        user, query = self._reach(call), call.query
        if query.get("status") not in (None, "active", "canceled"):
            raise _invalid("status", "is invalid")
        rows = [one for one in self.company.events.values() if self._wanted(one, user, query)]
        rows.sort(key=lambda one: (one["start_time"], one["uri"]), reverse=query.get("sort") == "start_time:desc")
        return 200, self._page(call, rows)

    def _wanted(self, event: Json, user: str | None, query: Mapping[str, str]) -> bool:
        start = moment_of(event["start_time"])
        return (
            (user is None or any(one["user"] == user for one in event["event_memberships"]))
            and query.get("status") in (None, event["status"])
            and ("min_start_time" not in query or start >= _time(query, "min_start_time"))
            and ("max_start_time" not in query or start < _time(query, "max_start_time"))
        )

    def event(self, call: Call, uuid: str) -> tuple[int, Json]:
        return 200, {"resource": _get(self.company.events, f"{ROOT}/scheduled_events/{uuid}")}

    def list_invitees(self, call: Call, uuid: str) -> tuple[int, Json]:
        event = _get(self.company.events, f"{ROOT}/scheduled_events/{uuid}")["uri"]
        rows = [
            one
            for one in self.company.invitees.values()
            if one["event"] == event
            and call.query.get("status") in (None, one["status"])
            and call.query.get("email") in (None, one["email"])
        ]
        return 200, self._page(call, rows)

    def invitee(self, call: Call, event: str, uuid: str) -> tuple[int, Json]:
        return 200, {"resource": _get(self.company.invitees, f"{ROOT}/scheduled_events/{event}/invitees/{uuid}")}

    def cancel(self, call: Call, uuid: str) -> tuple[int, Json]:
        event, reason = _get(self.company.events, f"{ROOT}/scheduled_events/{uuid}"), call.body.get("reason")
        if reason is not None and (not isinstance(reason, str) or len(reason) > 10_000):
            raise _invalid("reason", "is too long (maximum is 10000 characters)")
        done = self.company.cancel_event(event["uri"], call.user, reason)
        return 201, {"resource": {key: value for key, value in done.items() if key != "created_at"}}

    # webhooks

    def list_subscriptions(self, call: Call) -> tuple[int, Json]:
        if call.query.get("scope") not in ("organization", "user", "group"):
            raise _invalid("scope", "is invalid")
        self._reach(call)
        rows = [
            one
            for one in self.subscriptions.values()
            if one["scope"] == call.query["scope"] and call.query.get("user") in (None, one["user"])
        ]
        return 200, self._page(call, rows)

    def subscribe(self, call: Call) -> tuple[int, Json]:
        if self.webhooks_need_paid_plan:
            raise _denied("Please upgrade to a paid Calendly account.")
        wanted = call.body
        for name in ("url", "events", "organization", "scope"):
            if not wanted.get(name):
                raise _invalid(name, "can't be blank")
        if not set(wanted["events"]) <= EVENTS:
            raise _invalid("events", "is invalid")
        if wanted["scope"] == "user" and wanted.get("user") is None:
            raise _invalid("user", "can't be blank")
        self._reach(Call(call.user, call.scope, call.path, _texts(wanted), {}))
        if any(one["callback_url"] == wanted["url"] for one in self.subscriptions.values()):
            raise Refusal(409, "Already Exists", "Hook with this url already exists")
        uri = self.company.uri("webhook_subscriptions")
        self.subscriptions[uri] = shapes.subscription(uri, wanted, call.user, self.company.now())
        self.keys[uri] = wanted.get("signing_key")
        return 201, {"resource": self.subscriptions[uri]}

    def subscription(self, call: Call, uuid: str) -> tuple[int, Json]:
        return 200, {"resource": _get(self.subscriptions, f"{ROOT}/webhook_subscriptions/{uuid}")}

    def unsubscribe(self, call: Call, uuid: str) -> tuple[int, None]:
        uri = _get(self.subscriptions, f"{ROOT}/webhook_subscriptions/{uuid}")["uri"]
        del self.subscriptions[uri], self.keys[uri]
        return 204, None

    def sample(self, call: Call) -> tuple[int, Json]:
        if call.query.get("event") not in EVENTS or "scope" not in call.query:
            raise _invalid("event", "is invalid")
        self._reach(call)
        practice = Company(self.company.clock, organization=self.company.organization)
        host = practice.add_user("Host", "host@example.com")
        kind = practice.add_event_type("Sample", 30, [host])
        invitee = practice.book(kind, self.company.clock.now(), Client("John Doe", "john.doe@example.com"), force=True)
        return 200, practice.envelope(call.query["event"], invitee)

    # paging

    def _page(self, call: Call, rows: list[Json]) -> Json:
        count = _count(call.query)
        filters = {key: value for key, value in call.query.items() if key != "page_token"}
        first = self._place(call.query.get("page_token"), urlencode(sorted(filters.items())) + call.path)
        page, more = rows[first : first + count], len(rows) > first + count
        token = self._park(urlencode(sorted(filters.items())) + call.path, first + count) if more else None
        link = f"{ROOT}{call.path}?{urlencode(filters | {'page_token': token})}" if token else None
        numbers = {
            "count": len(page),
            "next_page": link,
            "next_page_token": token,
            "previous_page": None,
            "previous_page_token": None,
        }
        return {"collection": page, "pagination": numbers}

    def _park(self, filters: str, place: int) -> str:
        token = self.company.clock.new_id()
        self.parked[token] = (self.company.clock.now(), filters, place)
        return token

    def _place(self, token: str | None, filters: str) -> int:
        if token is None:
            return 0
        given_at, wanted, place = self.parked.get(token, (None, "", 0))
        if given_at is None or wanted != filters or self.company.clock.now() - given_at > self.page_life:
            raise _invalid("page_token", "is invalid")
        return place


def _json(body: bytes) -> Json:
    if not body:
        return {}
    try:
        read: Any = json.loads(body)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _texts(body: Json) -> dict[str, str]:
    return {key: value for key, value in body.items() if isinstance(value, str)}


def _get(things: dict[str, Json], uri: str) -> Json:
    if uri not in things:
        raise not_found()
    return things[uri]


def _count(query: Mapping[str, str]) -> int:
    text = query.get("count", "20")
    if not text.isdigit() or not 1 <= int(text) <= 100:
        raise _invalid("count", "must be between 1 and 100")
    return int(text)


def _time(query: Mapping[str, str], name: str) -> datetime:
    try:
        return moment_of(query[name])
    except (KeyError, ValueError):
        raise _invalid(name, "is invalid") from None


_ID = "([^/]+)"
ROUTES: list[tuple[str, str, str, Callable[..., tuple[int, Json | None]]]] = [
    ("GET", "/users/me", "users:read", Api.me),
    ("GET", f"/users/{_ID}", "users:read", Api.user),
    ("GET", "/organization_memberships", "organizations:read", Api.memberships),
    ("GET", "/event_types", "event_types:read", Api.list_event_types),
    ("GET", f"/event_types/{_ID}", "event_types:read", Api.event_type),
    ("GET", "/event_type_available_times", "availability:read", Api.available_times),
    ("POST", "/scheduling_links", "scheduling_links:write", Api.scheduling_link),
    ("GET", "/scheduled_events", "scheduled_events:read", Api.list_events),
    ("GET", f"/scheduled_events/{_ID}", "scheduled_events:read", Api.event),
    ("GET", f"/scheduled_events/{_ID}/invitees", "scheduled_events:read", Api.list_invitees),
    ("GET", f"/scheduled_events/{_ID}/invitees/{_ID}", "scheduled_events:read", Api.invitee),
    ("POST", f"/scheduled_events/{_ID}/cancellation", "scheduled_events:write", Api.cancel),
    ("GET", "/webhook_subscriptions", "webhooks:read", Api.list_subscriptions),
    ("POST", "/webhook_subscriptions", "webhooks:write", Api.subscribe),
    ("GET", f"/webhook_subscriptions/{_ID}", "webhooks:read", Api.subscription),
    ("DELETE", f"/webhook_subscriptions/{_ID}", "webhooks:write", Api.unsubscribe),
    ("GET", "/sample_webhook_data", "webhooks:read", Api.sample),
]

__all__ = ["EVENTS", "Api", "Call", "Reply", "stamp"]
