"""The calendar part of Microsoft Graph v1.0 over `graph_mailbox`: what each call answers. Knows no sockets.

Stateful and strict: versions, delta rounds, transaction ids, subscriptions with their handshake. Each known oddity of
the live service is a switch (facts, 10).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode

from syncd.core.interval import Interval
from tests.servers.graph_mailbox import Box, Event, interval_of, public, thin, time_of

Fields = dict[str, Any]
_FILTER = re.compile(
    r"singleValueExtendedProperties/Any\(ep: ep/id eq '((?:[^']|'')*)' and ep/value eq '((?:[^']|'')*)'\)"
)
_numbers = count(1)


class Refused(Exception):
    """An answer that is none of the wanted ones."""

    def __init__(self, status: int, code: str, message: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(code)
        self.status, self.headers = status, headers or {}
        self.body: Fields = {"error": {"code": code, "message": message or code}}


@dataclass(slots=True)
class Question:
    """One call, taken apart."""

    method: str
    path: str  # below /v1.0
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case
    body: Fields

    @property
    def prefer(self) -> str:
        return self.headers.get("prefer", "")

    @property
    def page(self) -> int:
        """How many entries the caller takes at once."""
        asked = re.search(r"odata\.maxpagesize=(\d+)", self.prefer)
        return int(self.query.get("$top") or (asked[1] if asked else 10))


@dataclass(slots=True)
class Round:
    """What a delta link remembers."""

    box: Box
    window: Interval
    seen: dict[str, str]  # id -> changeKey of what was in the window
    outside: dict[str, str]


@dataclass
class Oddities:
    """What the live service was seen doing; each may be switched on."""

    thin: bool = False  # occurrences in a delta bring their times only
    endless: bool = False  # a next link that brings the same page for ever
    circle: bool = False  # a next link that leads to itself
    small_pages: int = 0  # the most entries in a page, whatever was preferred
    empty_pages: int = 0  # before the entries of a round
    twice: bool = False  # an entry comes twice in a round, an old word first
    gossip: bool = False  # @removed for entries outside the window that changed, in a first round too
    edge: timedelta = timedelta(0)  # neighbours of the window come along
    told_patches: bool = False  # 200 with the event instead of 204
    bent_times: int = 0  # creations whose zone is ignored
    forgotten: tuple[int, str] = (410, "syncStateNotFound")  # how a dead token is answered
    page_links_to: str = ""  # another host in next links
    foreign_zone: str = ""  # answers times in this zone, whatever was preferred


@dataclass
class Api:
    """Answers calls for a set of mailboxes."""

    boxes: dict[str, Box] = field(default_factory=dict)
    odd: Oddities = field(default_factory=Oddities)
    denied: dict[str, tuple[int, str]] = field(default_factory=dict)  # mailbox -> refusal
    rounds: dict[str, Round] = field(default_factory=dict)
    pages: dict[str, tuple[list[Event], str]] = field(default_factory=dict)  # skip token -> what is left, delta token
    subscriptions: dict[str, Fields] = field(default_factory=dict)
    schedules_failing: set[str] = field(default_factory=set)
    reachable: Callable[[str, str], str] = lambda _url, token: token  # asks a callback to echo a token
    base: str = ""

    def answer(self, question: Question) -> tuple[int, Any, dict[str, str]]:
        """Return status, body (None: empty) and headers."""
        try:
            return self._route(question)
        except Refused as refused:
            return refused.status, refused.body, refused.headers

    def forget(self) -> None:
        """Lose every delta token."""
        self.rounds.clear()
        self.pages.clear()

    # ------------------------------------------------------------------------------------------- routes

    def _route(self, ask: Question) -> tuple[int, Any, dict[str, str]]:
        parts = [unquote(one) for one in ask.path.strip("/").split("/")]
        if parts[0] == "subscriptions":
            return self._subscription(ask, parts[1:])
        if parts[0] != "users" or len(parts) < 2:
            raise Refused(404, "ResourceNotFound")
        box = self._box(parts[1])
        if len(parts) == 2:
            return 200, {"id": box.address, "mailboxSettings": {"timeZone": box.zone}}, {}
        calendar, rest = _calendar(box, parts[2:])
        return self._inside(ask, box, calendar, rest)

    def _box(self, address: str) -> Box:
        if address in self.denied:
            raise Refused(*self.denied[address])
        if address not in self.boxes:
            raise Refused(404, "ErrorInvalidUser", f"The requested user '{address}' is invalid.")
        return self.boxes[address]

    def _inside(self, ask: Question, box: Box, calendar: str, rest: list[str]) -> tuple[int, Any, dict[str, str]]:
        match (ask.method, *rest):
            case ("GET",):
                return 200, self._about(box, calendar), {}
            case ("GET", "calendars"):
                return 200, {"value": [self._about(box, one) for one in box.calendars]}, {}
            case ("GET", "calendarView"):
                return 200, self._view(ask, box, calendar), {}
            case ("GET", "calendarView", "delta" | "delta()"):
                return 200, self._delta(ask, box), {}
            case ("POST", "getSchedule"):
                return 200, self._schedules(ask), {}
            case (_, "events", *name):
                return self._events(ask, box, calendar, name)
        raise Refused(404, "ResourceNotFound", ask.path)

    @staticmethod
    def _about(box: Box, calendar: str) -> Fields:
        name = box.calendars[calendar]
        return {"id": calendar or "primary", "name": name, "canEdit": True, "isDefaultCalendar": calendar == ""}

    # ------------------------------------------------------------------------------------------- events

    def _events(self, ask: Question, box: Box, calendar: str, name: list[str]) -> tuple[int, Any, dict[str, str]]:
        if not name:
            return (
                self._made(ask, box, calendar) if ask.method == "POST" else (200, self._found(ask, box, calendar), {})
            )
        event = box.look(name[0])
        if event is None:
            raise Refused(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        if ask.method == "GET":
            return 200, self._shown(event), {}
        wanted = ask.headers.get("if-match")
        if wanted is not None and wanted != event["@odata.etag"]:
            raise Refused(412, "ErrorIrresolvableConflict", "The change key passed does not match the current one.")
        if ask.method == "DELETE":
            box.remove(name[0])
            return 204, None, {}
        if "transactionId" in ask.body:
            raise Refused(400, "ErrorInvalidPropertySet", "transactionId cannot be changed")
        event = box.change(name[0], ask.body)
        return (200, self._shown(event), {}) if self.odd.told_patches else (204, None, {})

    def _made(self, ask: Question, box: Box, calendar: str) -> tuple[int, Any, dict[str, str]]:
        body = ask.body
        if time_of(body["end"]) < time_of(body["start"]):
            raise Refused(400, "ErrorPropertyValidationFailure", "it ends before it starts")
        if self.odd.bent_times:
            self.odd.bent_times -= 1
            bent = interval_of(body).shift(timedelta(hours=3))
            body = body | {"start": _at(bent.start), "end": _at(bent.end)}
        return 201, self._shown(box.make(body, calendar)), {}

    def _found(self, ask: Question, box: Box, calendar: str) -> Fields:
        """List single events and masters; the filter looks at extended properties, copies of people included."""
        listed = [one for name, one in box.events.items() if box.places[name] == calendar]
        if "$filter" in ask.query:
            match = _FILTER.fullmatch(ask.query["$filter"])
            if match is None:
                raise Refused(400, "ErrorInvalidUrlQueryFilter", ask.query["$filter"])
            wanted = {"id": match[1].replace("''", "'"), "value": match[2].replace("''", "'")}
            listed = [one for one in listed if wanted in one.get("singleValueExtendedProperties", [])]
        return self._paged(ask, [self._shown(one) for one in listed])

    def _shown(self, event: Event) -> Event:
        shown = public(event)
        if self.odd.foreign_zone and not event.get("isAllDay"):
            for name in ("start", "end"):
                shown[name] = shown[name] | _local(time_of(event[name]), self.odd.foreign_zone)
        return shown

    def _view(self, ask: Question, box: Box, calendar: str) -> Fields:
        found = box.view(_window(ask.query), calendar, self.odd.edge)
        chosen = set(ask.query.get("$select", "").split(",")) - {""}
        shown = [self._shown(one) for one in found]
        kept = [{n: v for n, v in one.items() if not chosen or n in chosen or n.startswith("@")} for one in shown]
        return self._paged(ask, kept)

    def _paged(self, ask: Question, listed: list[Event]) -> Fields:
        start = int(ask.query.get("$skip") or 0)
        page: Fields = {"value": listed[start : start + ask.page]}
        if start + ask.page < len(listed) or self.odd.circle:
            step = 0 if self.odd.circle else ask.page
            page["@odata.nextLink"] = self._link(ask.path, ask.query | {"$skip": str(start + step)})
        return page

    def _link(self, path: str, query: dict[str, str]) -> str:
        return f"{self.odd.page_links_to or self.base}{path}?{urlencode(query, safe='$')}"

    # ------------------------------------------------------------------------------------------- delta

    def _delta(self, ask: Question, box: Box) -> Fields:
        if "$skiptoken" in ask.query:
            if ask.query["$skiptoken"] not in self.pages:
                raise self._forgotten(ask)
            items, token = self.pages[ask.query["$skiptoken"]]
            return self._page(ask, items, token)
        if "$deltatoken" in ask.query:
            before = self.rounds.get(ask.query["$deltatoken"])
            if before is None:
                raise self._forgotten(ask)
        else:
            before = None
        window = before.window if before is not None else _window(ask.query)
        found = box.view(window, "", self.odd.edge)
        token = self._remembered(box, window, found)
        return self._page(ask, self._news(found, before, box, self.rounds[token]), token, first=True)

    def _forgotten(self, ask: Question) -> Refused:
        status, code = self.odd.forgotten
        where = {"Location": self._link(ask.path, {})} if status == 410 else {}
        return Refused(status, code, "The sync state generation is not found.", where)

    def _remembered(self, box: Box, window: Interval, found: list[Event]) -> str:
        token = f"delta{next(_numbers)}"
        seen = {one["id"]: one["changeKey"] for one in found}
        outside = {one["id"]: one["changeKey"] for one in box.shown() if one["id"] not in seen}
        self.rounds[token] = Round(box, window, seen, outside)
        return token

    def _news(self, found: list[Event], before: Round | None, box: Box, now: Round) -> list[Event]:
        known = before.seen if before is not None else {}
        changed = [one for one in found if known.get(one["id"]) != one["changeKey"]]
        items = [self._told(one) for one in changed]
        if self.odd.twice:
            items = [{**one, "subject": "old", **_earlier(one)} for one in items if "showAs" in one] + items
        items += [{"id": one, "@removed": {"reason": "deleted"}} for one in known if one not in now.seen]
        if self.odd.gossip:
            told = before.outside if before is not None else {}
            news = [one for one, key in now.outside.items() if told.get(one) != key]
            items += [{"id": one, "@removed": {"reason": "changed"}} for one in news if one not in known]
        return items

    def _told(self, event: Event) -> Event:
        if self.odd.thin and event.get("type") == "occurrence":
            return thin(event)
        return self._shown(event)

    def _page(self, ask: Question, items: list[Event], token: str, first: bool = False) -> Fields:
        empty = self.odd.empty_pages if first else 0
        if not first and items and items[0].get("@empty"):
            return self._more(ask, [], items[1:], token)
        items = [{"@empty": True}] * empty + items
        if empty:
            return self._more(ask, [], items[1:], token)
        if self.odd.endless and items:
            return self._more(ask, items[:1], items, token)
        size = min(ask.page, self.odd.small_pages or ask.page)
        if len(items) > size:
            return self._more(ask, items[:size], items[size:], token)
        return {"value": items, "@odata.deltaLink": self._link(ask.path, {"$deltatoken": token})}

    def _more(self, ask: Question, now: list[Event], left: list[Event], token: str) -> Fields:
        skip = f"skip{next(_numbers)}"
        self.pages[skip] = (left, token)
        return {"value": now, "@odata.nextLink": self._link(ask.path, {"$skiptoken": skip})}

    # ------------------------------------------------------------------------------------------- free/busy

    def _schedules(self, ask: Question) -> Fields:
        names = ask.body["Schedules"]
        window = Interval(time_of(ask.body["StartTime"]), time_of(ask.body["EndTime"]))
        if len(names) > 20 or window.length > timedelta(days=62):
            raise Refused(400, "ErrorInvalidParameter", "too many schedules, or too long")
        return {"value": [self._schedule(name, window) for name in names]}

    def _schedule(self, name: str, window: Interval) -> Fields:
        box = self.boxes.get(name)
        if box is None or name in self.schedules_failing:
            error = {"message": "Unable to resolve e-mail address", "responseCode": "ErrorMailRecipientNotFound"}
            return {"scheduleId": name, "error": error}
        items = [{"status": one["showAs"], "start": one["start"], "end": one["end"]} for one in box.view(window)]
        return {"scheduleId": name, "availabilityView": "", "scheduleItems": items}

    # ------------------------------------------------------------------------------------------- subscriptions

    def _subscription(self, ask: Question, name: list[str]) -> tuple[int, Any, dict[str, str]]:
        if not name:
            return self._subscribed(ask) if ask.method == "POST" else (200, self._listed(ask), {})
        if name[0] not in self.subscriptions:
            raise Refused(404, "ResourceNotFound", "The object was not found.")
        one = self.subscriptions[name[0]]
        if ask.method == "DELETE":
            del self.subscriptions[name[0]]
            return 204, None, {}
        if ask.method == "PATCH":
            one["expirationDateTime"] = ask.body["expirationDateTime"]
            return (200, one | {"clientState": None}, {}) if self.odd.told_patches else (204, None, {})
        return (204, None, {}) if name[1:] == ["reauthorize"] else (200, one, {})

    def _listed(self, ask: Question) -> Fields:
        """List them; the client states are kept to Graph itself."""
        return self._paged(ask, [one | {"clientState": None} for one in self.subscriptions.values()])

    def _subscribed(self, ask: Question) -> tuple[int, Any, dict[str, str]]:
        body = ask.body
        mailbox = body["resource"].strip("/").split("/")[1]
        self._box(mailbox)
        for name in ("notificationUrl", "lifecycleNotificationUrl"):
            token = f"Validation: Testing client application reachability for subscription Request-Id: {next(_numbers)}"
            if body.get(name) and self.reachable(body[name], token) != token:
                raise Refused(400, "ValidationError", "Subscription validation request failed.")
        one = {"id": f"5522bd62-7c96-4530-85b0-{next(_numbers):012d}", **body}
        self.subscriptions[one["id"]] = one
        return 201, one, {}


def _calendar(box: Box, rest: list[str]) -> tuple[str, list[str]]:
    """Split off which calendar a path names; "" is the primary one."""
    if rest[0] == "calendars" and len(rest) > 1:
        name = "" if rest[1] == "primary" else rest[1]
        if name not in box.calendars:
            raise Refused(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        return name, rest[2:]
    return "", rest[1:] if rest[0] == "calendar" else rest


def _window(query: dict[str, str]) -> Interval:
    start, end = (datetime.fromisoformat(query[name]) for name in ("startDateTime", "endDateTime"))
    return Interval(start, end)


def _at(moment: datetime) -> dict[str, str]:
    return {"dateTime": moment.astimezone(UTC).replace(tzinfo=None).isoformat() + ".0000000", "timeZone": "UTC"}


def _local(moment: datetime, zone: str) -> dict[str, str]:
    from connectors._zones import zone_named

    found = zone_named(zone)
    local = moment.astimezone(found) if found is not None else moment
    return {"dateTime": local.replace(tzinfo=None).isoformat() + ".0000000", "timeZone": zone}


def _earlier(event: Event) -> Fields:
    old = interval_of(event).shift(timedelta(days=-1))
    return {"start": _at(old.start), "end": _at(old.end)}


def query_of(text: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}
