"""What a company keeps at the practice scheduler: people, event types, bookings, each in Calendly's published shape.

Knows nothing of HTTP; whoever listens is told of every change with the body of a webhook.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from syncd.clock import Clock
from syncd.practice_calendly import shapes
from syncd.practice_calendly.shapes import Client, Json, moment_of, stamp

ROOT = "https://api.calendly.com"
SCOPES = frozenset(
    (
        "users:read organizations:read event_types:read availability:read scheduled_events:write "
        "scheduling_links:write webhooks:write"
    ).split()
)
OPENS, CLOSES = 9, 18  # UTC hours in which the practice hosts may be booked


class Refusal(Exception):
    """A request that the real service would answer with an error."""

    def __init__(self, status: int, title: str, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"title": title, "message": message}
        if parameter is not None:
            self.body["details"] = [{"parameter": parameter, "message": message}]


def not_found() -> Refusal:
    return Refusal(404, "Resource Not Found", "The server could not find the requested resource.")


class Scope(frozenset[str]):
    """The scopes of one token; `x:write` implies `x:read`."""

    def allows(self, wanted: str) -> bool:
        return wanted in self or wanted.replace(":read", ":write") in self


@dataclass(slots=True)
class Terms:
    """What an event type knows beyond its published resource."""

    hosts: list[str]
    seats: int
    before: timedelta
    after: timedelta
    place: str


@dataclass(slots=True)
class Company:
    """One organization with everything in it. Every key is the address of the thing, as the service spells it."""

    clock: Clock
    pages: str = "https://calendly.com"
    organization: str = ""
    users: dict[str, Json] = field(default_factory=dict)
    memberships: dict[str, Json] = field(default_factory=dict)  # by user
    event_types: dict[str, Json] = field(default_factory=dict)
    terms: dict[str, Terms] = field(default_factory=dict)  # by event type
    events: dict[str, Json] = field(default_factory=dict)
    invitees: dict[str, Json] = field(default_factory=dict)
    connected: dict[str, str] = field(default_factory=dict)  # user -> kind of calendar the service writes into
    tokens: dict[str, tuple[str, Scope]] = field(default_factory=dict)  # token -> user, scopes
    listeners: list[Callable[[Json], None]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.organization = self.organization or self.uri("organizations")

    def uri(self, *parts: str) -> str:
        """Make a fresh address below these parts."""
        digits = self.clock.new_id()
        return "/".join((ROOT, *parts, "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))))

    def now(self) -> str:
        return stamp(self.clock.now())

    # people and what they offer

    def add_user(
        self,
        name: str,
        email: str,
        *,
        role: str = "user",
        time_zone: str = "America/Santiago",
        token: str | None = None,
        scopes: Iterable[str] = SCOPES,
        calendar: str | None = None,
    ) -> str:
        """Add a member; `token` lets it call the API, `calendar` ("google") is the kind the service writes into."""
        with self.lock:
            uri, at = self.uri("users"), self.now()
            page = f"{self.pages}/{email.partition('@')[0]}"
            self.users[uri] = shapes.user(uri, self.organization, name, email, time_zone, page, at)
            member = self.uri("organization_memberships")
            self.memberships[uri] = shapes.membership(member, self.users[uri], role, at)
            if token is not None:
                self.tokens[token] = (uri, Scope(scopes))
            if calendar is not None:
                self.connected[uri] = calendar
            return uri

    def add_event_type(
        self,
        name: str,
        minutes: int,
        hosts: Iterable[str],
        *,
        pooling: str = "round_robin",
        seats: int = 1,
        before: int = 0,
        after: int = 0,
        place: str = "",
        questions: Iterable[str] = (),
    ) -> str:
        """Add an event type of a team; `before` and `after` are buffers in minutes."""
        with self.lock:
            uri = self.uri("event_types")
            team = {"name": "Visitas", "owner": self.uri("teams"), "type": "Team"}
            page = f"{self.pages}/d/{'-'.join(name.lower().split())}"
            self.event_types[uri] = shapes.event_type(uri, team, name, minutes, page, self.now()) | {
                "custom_questions": shapes.questions(questions),
                "kind": "group" if seats > 1 else "solo",
                "pooling_type": pooling,
            }
            gaps = timedelta(minutes=before), timedelta(minutes=after)
            self.terms[uri] = Terms(list(hosts), seats, *gaps, place)
            return uri

    # what clients and hosts do

    def book(
        self,
        event_type: str,
        start: datetime,
        client: Client,
        *,
        host: str | None = None,
        force: bool = False,
        old_invitee: str | None = None,
    ) -> str:
        """Book and return the invitee's address. Refuses a time without a free host unless forced."""
        with self.lock:
            event = self._seat(event_type, start, host, force)
            at = self.now()
            uri = self.uri("scheduled_events", event["uri"].rsplit("/", 1)[1], "invitees")
            self.invitees[uri] = shapes.invitee(uri, event["uri"], client, old_invitee, self.pages, at)
            event["updated_at"] = at
            event["invitees_counter"]["active"] += 1
            event["invitees_counter"]["total"] += 1
            self._tell("invitee.created", uri)
            return uri

    def reschedule(self, invitee: str, start: datetime, *, host: str | None = None, force: bool = False) -> str:
        """Move one client: a new invitee of another event takes the place of the old one, which is canceled."""
        with self.lock:
            old = self.invitees[invitee]
            if old["status"] != "active":
                raise Refusal(403, "Permission Denied", "Event is already canceled")
            event = self.events[old["event"]]
            event["status"] = "moving"  # its own time is no obstacle to the new one
            try:
                client = _client_of(old)
                new = self.book(event["event_type"], start, client, host=host, force=force, old_invitee=invitee)
            finally:
                event["status"] = "active"
            old |= {"rescheduled": True, "new_invitee": new}
            self._leave(invitee, self._cancellation(old["name"], "invitee", None))
            return new

    def cancel(self, invitee: str, *, reason: str | None = None) -> None:
        """Give up one client's place."""
        with self.lock:
            if self.invitees[invitee]["status"] == "active":
                self._leave(invitee, self._cancellation(self.invitees[invitee]["name"], "invitee", reason))

    def cancel_event(self, event: str, user: str, reason: str | None = None) -> Json:
        """Cancel for every invitee, as a host or the API does; refuses a repeat."""
        with self.lock:
            if self.events[event]["status"] != "active":
                raise Refusal(403, "Permission Denied", "Event is already canceled")
            done = self._cancellation(self.users[user]["name"], "host", reason)
            for invitee in self.active_invitees(event):
                self._leave(invitee, done)
            return done

    def reassign(self, event: str, host: str, *, stamped: bool = True) -> None:
        """Hand an event to another host inside the service: no webhook tells, only a poll sees it."""
        with self.lock:
            one = self.events[event]
            one["event_memberships"] = [self._membership(host, one)]
            if stamped:
                one["updated_at"] = self.now()

    def mark_attendance(self, invitee: str, *, present: bool) -> None:
        """Mark a no-show, or take the mark back."""
        with self.lock:
            mark = {"uri": self.uri("invitee_no_shows"), "created_at": self.now()}
            self.invitees[invitee]["no_show"] = None if present else mark
            self._tell("invitee_no_show.deleted" if present else "invitee_no_show.created", invitee)

    def erase(self, event: str) -> None:
        """Delete an event with its invitees, as a data-protection request does: no webhook, 404 from now on."""
        with self.lock:
            del self.events[event]
            for invitee in [uri for uri, one in self.invitees.items() if one["event"] == event]:
                del self.invitees[invitee]

    # reading

    def active_invitees(self, event: str) -> list[str]:
        return [uri for uri, one in self.invitees.items() if one["event"] == event and one["status"] == "active"]

    def free_hosts(self, event_type: str, start: datetime) -> list[str]:
        """List the hosts free for a start, the least booked first."""
        terms, end = self.terms[event_type], start + self._length(event_type)
        free = [host for host in terms.hosts if not self._busy(host, start - terms.before, end + terms.after)]
        return sorted(free, key=lambda host: (len(self._events_of(host)), terms.hosts.index(host)))

    def open_slots(self, event_type: str, first: datetime, last: datetime) -> list[datetime]:
        """List starts inside [first, last) with a free host, on a grid of the event type's length."""
        length, found = self._length(event_type), []
        day = first.astimezone(UTC).replace(hour=OPENS, minute=0, second=0, microsecond=0)
        while day < last:
            at = day
            while at + length <= day.replace(hour=CLOSES):
                if first <= at < last and self.free_hosts(event_type, at):
                    found.append(at)
                at += length
            day += timedelta(days=1)
        return found

    def envelope(self, name: str, invitee: str) -> Json:
        """Build the webhook body of one invitee as it stands now; deliveries show no buffers and no calendar event."""
        payload = dict(self.invitees[invitee])
        event = {key: value for key, value in self.events[payload["event"]].items() if key != "calendar_event"}
        event["event_memberships"] = [
            {key: value for key, value in one.items() if not key.startswith("buffered")}
            for one in event["event_memberships"]
        ]
        creator = next(iter(self.users))
        payload["scheduled_event"] = event
        return {"created_at": self.now(), "created_by": creator, "event": name, "payload": payload}

    # inside

    def _tell(self, name: str, invitee: str) -> None:
        body = self.envelope(name, invitee)
        for listener in self.listeners:
            listener(body)

    def _length(self, event_type: str) -> timedelta:
        return timedelta(minutes=self.event_types[event_type]["duration"])

    def _seat(self, event_type: str, start: datetime, host: str | None, force: bool) -> Json:
        if event_type not in self.event_types:
            raise not_found()
        shared = self._group_at(event_type, start)
        if shared is not None:
            return shared
        free = self.free_hosts(event_type, start)
        if not force and (host not in free if host else not free):
            raise Refusal(400, "Invalid Argument", "is not available", "start_time")
        everyone = self.event_types[event_type]["pooling_type"] == "collective"
        hosts = self.terms[event_type].hosts if everyone else [host or (free or self.terms[event_type].hosts)[0]]
        return self._new_event(event_type, start, hosts)

    def _group_at(self, event_type: str, start: datetime) -> Json | None:
        for event in self.events.values():
            same = event["event_type"] == event_type and moment_of(event["start_time"]) == start
            if same and event["status"] == "active":
                counter = event["invitees_counter"]
                if counter["limit"] > 1 and counter["active"] < counter["limit"]:
                    return event
        return None

    def _new_event(self, event_type: str, start: datetime, hosts: list[str]) -> Json:
        kind, terms, uri = self.event_types[event_type], self.terms[event_type], self.uri("scheduled_events")
        end = start + self._length(event_type)
        event = shapes.event(uri, kind, start, end, terms.seats, terms.place, self.now())
        event["event_memberships"] = [self._membership(host, event) for host in hosts]
        if hosts[0] in self.connected:
            event["calendar_event"] = {"external_id": self.clock.new_id(), "kind": self.connected[hosts[0]]}
        self.events[uri] = event
        return event

    def _membership(self, host: str, event: Json) -> Json:
        user, terms = self.users[host], self.terms[event["event_type"]]
        return {
            "buffered_end_time": stamp(moment_of(event["end_time"]) + terms.after),
            "buffered_start_time": stamp(moment_of(event["start_time"]) - terms.before),
            "user": host,
            "user_email": user["email"],
            "user_name": user["name"],
        }

    def _cancellation(self, who: str, kind: str, reason: str | None) -> Json:
        return {"canceled_by": who, "canceler_type": kind, "created_at": self.now(), "reason": reason}

    def _leave(self, invitee: str, cancellation: Json) -> None:
        one, at = self.invitees[invitee], self.now()
        one |= {"status": "canceled", "updated_at": at, "cancellation": cancellation}
        event = self.events[one["event"]]
        event["updated_at"] = at
        event["invitees_counter"]["active"] -= 1
        if event["invitees_counter"]["active"] == 0:
            event |= {"status": "canceled", "cancellation": cancellation}
        self._tell("invitee.canceled", invitee)

    def _events_of(self, host: str) -> list[Json]:
        return [
            event
            for event in self.events.values()
            if event["status"] == "active" and any(one["user"] == host for one in event["event_memberships"])
        ]

    def _busy(self, host: str, start: datetime, end: datetime) -> bool:
        for event in self._events_of(host):
            own = next(one for one in event["event_memberships"] if one["user"] == host)
            if moment_of(own["buffered_start_time"]) < end and start < moment_of(own["buffered_end_time"]):
                return True
        return False


def _client_of(invitee: Json) -> Client:
    answers = tuple((one["question"], one["answer"]) for one in invitee["questions_and_answers"])
    return Client(invitee["name"], invitee["email"], answers, invitee["tracking"], invitee["timezone"])
