"""A scheduling desk of the memory world: event types, hosts and bookings, the clients' hands on them, and the webhook
calls that follow. Knows nothing of syncd's side."""

import hashlib
import json
import threading
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

from connectors._memory_shelf import Author, Entry, Shelf
from syncd.clock import Clock
from syncd.core.interval import Interval
from syncd.core.visit import Answer, Contact
from syncd.errors import NotFound, Permanent
from syncd.ports import RemoteBooking, Subscription

TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """An event type of the desk; `seats` above 1 is a group event."""

    id: str
    length: timedelta
    hosts: tuple[str, ...]
    seats: int = 1


@dataclass(frozen=True, slots=True)
class Post:
    """One webhook call on its way: where to, and what."""

    callback: str
    body: bytes


@dataclass(slots=True)
class Record:
    """One booking with the state before its last change."""

    now: RemoteBooking
    before: RemoteBooking | None = None


@dataclass(slots=True)
class Diary:
    """The calendar that the desk itself writes a host's bookings into."""

    shelf: Shelf
    late: bool = False  # entries wait until `Desk.write_entries`
    waiting: list[Entry] = field(default_factory=list)


class Desk:
    """What a scheduler keeps. Updated times never repeat, so that order can be told from them."""

    def __init__(self, account: str, clock: Clock, lock: threading.RLock) -> None:
        self.account = account
        self.kinds: dict[str, Kind] = {}
        self.emails: dict[str, str] = {}
        self.records: dict[str, Record] = {}
        self.diaries: dict[str, Diary] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.posts: list[Post] = []
        self.removes_entries = True  # on cancelling, the desk takes its own entry away
        self.skew = timedelta(0)  # how far its clock is ahead of ours
        self.last_changed = ""
        self._clock = clock
        self._lock = lock
        self._made = 0
        self._stamped: datetime | None = None

    # -- set up

    def add_host(self, host: str, email: str, diary: Shelf | None = None, *, late: bool = False) -> None:
        with self._lock:
            self.emails[host] = email
            if diary is not None:
                self.diaries[host] = Diary(diary, late)

    def add_kind(self, kind: str, length: timedelta, *hosts: str, seats: int = 1) -> None:
        with self._lock:
            self.kinds[kind] = Kind(id=kind, length=length, hosts=hosts, seats=seats)

    # -- what clients and hosts do

    def book(
        self,
        kind: str,
        start: datetime,
        *,
        host: str = "",
        link: str = "",
        contact: Contact | None = None,
        answers: tuple[Answer, ...] = (),
        pending: bool = False,
    ) -> str:
        """Book without asking whether anybody is free: that is what makes the hard cases. Returns the id."""
        with self._lock:
            what = self.kinds[kind]
            asked = parse_qs(urlsplit(link).query)
            made = RemoteBooking(
                id=self._id("booking"),
                active=True,
                event_type=kind,
                interval=Interval(start, start + what.length),
                host_id=host or what.hosts[self._made % len(what.hosts)],
                contact=contact or _contact_of(asked, self._made),
                answers=answers,
                request_token=asked.get("token", [None])[0],
                pending=pending,
                created_at=self._stamp(),
            )
            seat = self._seat(what, made)
            return self._open(replace(made, event_id=seat or self._id("event")))

    def _seat(self, kind: Kind, made: RemoteBooking) -> str | None:
        """Return the group event that already stands at this time, None where there is none with a place left."""
        same = [
            one.now.event_id
            for one in self.records.values()
            if one.now.active
            and (one.now.event_type, one.now.interval, one.now.host_id) == (kind.id, made.interval, made.host_id)
        ]
        return same[0] if kind.seats > 1 and 0 < len(same) < kind.seats else None

    def move(self, booking: str, start: datetime, host: str = "") -> str:
        """Reschedule as a client does: the old booking ends, a new one takes its place. Returns the new id."""
        with self._lock:
            old = self.record(booking).now
            new = replace(
                old,
                id=self._id("booking"),
                interval=Interval(start, start + old.interval.length),
                host_id=host or old.host_id,
                event_id=self._id("event"),
                calendar_entry=None,
                replaces=booking,
                created_at=self._stamp(),
            )
            self._close(replace(old, active=False, rescheduled=True, replaced_by=new.id))
            return self._open(new)

    def give_up(self, booking: str, message: str = "") -> None:
        """Cancel as the client does."""
        with self._lock:
            self._close(replace(self.record(booking).now, active=False, cancelled_by="client", cancel_message=message))

    def cancel(self, booking: str, reason: str) -> None:
        """Cancel as a host does; what is cancelled stays as it is."""
        with self._lock:
            now = self.record(booking).now
            if now.active:
                self._close(replace(now, active=False, cancelled_by="agent", cancel_message=reason))

    def hand_over(self, booking: str, host: str) -> None:
        with self._lock:
            now = self.record(booking).now
            self._remove_entry(now)
            self._save(self._with_entry(replace(now, host_id=host)), "booking.updated")

    def approve(self, booking: str) -> None:
        with self._lock:
            self._save(replace(self.record(booking).now, pending=False), "booking.updated")

    def erase(self, booking: str) -> None:
        """Forget a booking as if it had never been."""
        with self._lock:
            del self.records[booking]

    def write_entries(self) -> None:
        """Write the calendar entries that were late."""
        with self._lock:
            for diary in self.diaries.values():
                for entry in diary.waiting:
                    diary.shelf.store(entry)
                diary.waiting.clear()

    # -- records

    def record(self, booking: str) -> Record:
        if booking not in self.records:
            raise NotFound(f"{self.account}: no such booking")
        return self.records[booking]

    def _open(self, made: RemoteBooking) -> str:
        self._save(self._with_entry(made), "booking.created")
        return made.id

    def _close(self, ended: RemoteBooking) -> None:
        self._save(ended, "booking.cancelled")
        if self.removes_entries:
            self._remove_entry(ended)

    def _save(self, booking: RemoteBooking, event: str) -> None:
        known = self.records.get(booking.id)
        stamped = replace(booking, host_email=self.emails.get(booking.host_id or ""), updated_at=self._stamp())
        self.records[booking.id] = Record(stamped, known.now if known is not None else None)
        self.last_changed = booking.id
        self._post(event, stamped)

    def _id(self, what: str) -> str:
        self._made += 1
        return hashlib.sha256(f"{self.account}|{what}|{self._made}".encode()).hexdigest()[:24]

    def _stamp(self) -> datetime:
        """Return the desk's time, later than every time it gave before."""
        now = self._clock.now() + self.skew
        self._stamped = now if self._stamped is None else max(now, self._stamped + TICK)
        return self._stamped

    # -- the desk's own calendar entries

    def _with_entry(self, booking: RemoteBooking) -> RemoteBooking:
        diary = self.diaries.get(booking.host_id or "")
        if diary is None:
            return booking
        name = self._id("entry")
        entry = Entry(
            remote_id=f"{name}.ics",
            uid=name,
            spans=(booking.interval,),
            title=f"Cita {booking.contact.name}",
            author=Author.SCHEDULER,
        )
        if diary.late:
            diary.waiting.append(entry)
        else:
            diary.shelf.store(entry)
        return replace(booking, calendar_entry=name)

    def _remove_entry(self, booking: RemoteBooking) -> None:
        diary = self.diaries.get(booking.host_id or "")
        if diary is None or booking.calendar_entry is None:
            return
        diary.waiting = [one for one in diary.waiting if one.uid != booking.calendar_entry]
        remote_id = f"{booking.calendar_entry}.ics"
        if remote_id in diary.shelf.entries:
            diary.shelf.drop(remote_id)

    # -- webhooks

    def subscribe(self, callback: str) -> Subscription:
        with self._lock:
            if any(one.callback == callback and one.active for one in self.subscriptions.values()):
                raise Permanent(f"{self.account}: 409, {callback} is subscribed already")
            made = Subscription(id=self._id("subscription"), callback=callback)
            self.subscriptions[made.id] = made
            return made

    def unsubscribe(self, subscription: str) -> None:
        with self._lock:
            self.subscriptions.pop(subscription, None)

    def disable(self) -> None:
        """Switch every subscription off, as a provider does after a day of failures."""
        with self._lock:
            self.subscriptions = {name: replace(one, active=False) for name, one in self.subscriptions.items()}

    def _post(self, event: str, booking: RemoteBooking) -> None:
        related = [one for one in (booking.replaces, booking.replaced_by) if one is not None]
        body = json.dumps(
            {
                "event": event,
                "booking": booking.id,
                "related": related,
                "event_type": booking.event_type,
                "updated_at": booking.updated_at.isoformat() if booking.updated_at is not None else "",
            },
            separators=(",", ":"),
        ).encode()
        self.posts += [Post(one.callback, body) for one in self.subscriptions.values() if one.active]


def link_to(event_type: str, token: str, contact: Contact | None) -> str:
    """Return the address of a booking page that carries our request."""
    query = {"token": token}
    if contact is not None:
        query |= {"name": contact.name, "email": contact.email or "", "phone": contact.phone or ""}
    return f"{event_type}?{urlencode(query)}"


def _contact_of(asked: dict[str, list[str]], number: int) -> Contact:
    """Return who books: the person a link names, else one made up."""
    if "name" not in asked:
        return Contact(name=f"Cliente {number}", email=f"cliente{number}@example.com")
    return Contact(name=asked["name"][0], email=asked.get("email", [None])[0], phone=asked.get("phone", [None])[0])
