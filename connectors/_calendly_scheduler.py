"""Bookings, cancellations and links of one Calendly account. Knows the account's API and nothing of webhooks."""

import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode, urlsplit

from connectors._calendly_api import Api, PageLost
from connectors._calendly_booking import (
    EVENT_PATH,
    EVENT_TYPE_PATH,
    INVITEE_PATH,
    Json,
    booking_of,
    instant,
    path_of,
    text,
)
from connectors._reading import obj
from syncd.core.interval import Interval
from syncd.core.visit import Contact
from syncd.errors import NotFound, Permanent, Unreadable, VersionConflict
from syncd.ports import RemoteBooking

OVERLAP = timedelta(minutes=10)  # between our clock and Calendly's
READ_AGAIN = 12 * 3600.0  # seconds after which even an unchanged event's invitees are read anew
REASON = 10_000


@dataclass(frozen=True, slots=True)
class Remembered:
    """What one event looked like and what was read of it, so that a poll reads the invitees of changed rows only."""

    mark: bytes
    bookings: tuple[RemoteBooking, ...]
    read_at: float


class CalendlyScheduler:
    """Calendly as a Scheduler."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def bookings(
        self, window: Interval, since: datetime | None = None, event_types: Collection[str] | None = None
    ) -> Iterator[RemoteBooking]:
        """Yield the bookings that start in the window; Calendly cannot filter by change, so all events are listed.

        The listing is drained before the first invitee is read (page tokens do not live long).
        """
        listed = self._events(window)
        self._forget_unlisted(listed)
        for uri, event in listed.items():
            if event_types is not None and event.get("event_type") not in event_types:
                continue
            known: Remembered | None = self.api.memory.get(uri)
            mark = _mark(event)
            if known is None or known.mark != mark or self._now() - known.read_at > READ_AGAIN:
                if since is not None and known is None and _updated_at(event) < since - OVERLAP:
                    continue
                known = Remembered(mark, tuple(self._read(uri, event, window)), self._now())
                self.api.memory[uri] = known
            elif since is not None and _updated_at(event) < since - OVERLAP:
                continue
            yield from known.bookings

    def booking(self, booking_id: str) -> RemoteBooking:
        """Read one invitee and its event again."""
        try:
            path = path_of(booking_id, INVITEE_PATH, self.api.hosts)
        except Unreadable as wrong:
            raise NotFound(str(wrong)) from wrong
        invitee = self.api.resource(path)
        if path_of(invitee.get("uri"), INVITEE_PATH, self.api.hosts) != path:
            raise Unreadable("Calendly answered with another invitee")
        return booking_of(booking_id, self.api.resource(_event_path(path)), invitee)

    def cancel(self, booking_id: str, reason: str) -> None:
        """Cancel the event of this booking. Calendly cancels for all invitees, so a shared one is refused.

        What a repeat answers is undocumented: after any refusal the booking is read and compared.
        """
        if not self.booking(booking_id).active:
            return
        event = _event_path(path_of(booking_id, INVITEE_PATH, self.api.hosts))
        if _others(obj(self.api.resource(event).get("invitees_counter"))):
            raise Permanent(
                "Calendly can only cancel this event for all who booked it; the client's own link gives up one place"
            )
        try:
            self.api.post(f"{event}/cancellation", {"reason": reason[:REASON]})
        except (Permanent, VersionConflict):
            if self.booking(booking_id).active:
                raise

    def link(self, event_type: str, request_token: str, contact: Contact | None = None) -> str:
        """Return a booking link that carries our request; it works once where the account may make such links."""
        try:
            path = path_of(event_type, EVENT_TYPE_PATH, self.api.hosts)
        except Unreadable as wrong:
            raise Permanent(f"{wrong}; write it as https://api.calendly.com/event_types/…") from wrong
        return _with_query(self._single_use(event_type) or self._page(path), request_token, contact)

    def _single_use(self, event_type: str) -> str | None:
        """Return a link for one booking, None where the account may not make any."""
        if not self.api.settings.single_use_links:
            return None
        wanted = {"max_event_count": 1, "owner": event_type, "owner_type": "EventType"}
        try:
            return text(self.api.post("/scheduling_links", wanted), "booking_url")
        except Permanent:  # no scope, no such feature, no such owner: the page itself then tells
            return None

    def _page(self, path: str) -> str:
        return text(self.api.resource(path), "scheduling_url")

    def _events(self, window: Interval) -> dict[str, Json]:
        """List active, then canceled events by their address; one canceled in between counts as canceled."""
        found: dict[str, Json] = {}
        for status in ("active", "canceled"):
            found |= self._events_in(window, status)
        return {uri: one for uri, one in found.items() if _starts_in(one, window)}

    def _events_in(self, window: Interval, status: str) -> dict[str, Json]:
        """Drain one listing; where Calendly loses the place it goes on from the last start that was seen."""
        found: dict[str, Json] = {}
        first = window.start
        while True:
            query = {**self.api.identity().reach, "status": status, "sort": "start_time:asc"}
            query |= {"min_start_time": _written(first - timedelta(seconds=1)), "max_start_time": _written(window.end)}
            try:
                for page in self.api.pages("/scheduled_events", query, sweep=True):
                    found |= {self._address(one): one for one in page}
                return found
            except PageLost as lost:
                last = max(instant(one.get("start_time")) for one in found.values())
                if last <= first:
                    raise Unreadable("/scheduled_events: Calendly loses its place again and again") from lost
                first = last

    def _address(self, event: Json) -> str:
        uri = text(event, "uri")
        path_of(uri, EVENT_PATH, self.api.hosts)
        return uri

    def _read(self, uri: str, event: Json, window: Interval) -> list[RemoteBooking]:
        """Read the invitees of one event; it may have been deleted since it was listed."""
        path = f"{path_of(uri, EVENT_PATH, self.api.hosts)}/invitees"
        try:
            invitees = self.api.listing(path, {}, sweep=True)
        except NotFound:
            return []  # the next listing is without it, and reading it by its id says so
        return [self._booking(one, event, window) for one in invitees]

    def _booking(self, invitee: Json, event: Json, window: Interval) -> RemoteBooking:
        booking_id = text(invitee, "uri")
        path_of(booking_id, INVITEE_PATH, self.api.hosts)
        try:
            return booking_of(booking_id, event, invitee)
        except Unreadable as why:
            return RemoteBooking(
                id=booking_id,
                active=True,
                event_type=text(event, "event_type"),
                interval=window,
                contact=Contact(name=""),
                problem=str(why),
            )

    def _forget_unlisted(self, listed: dict[str, Json]) -> None:
        for uri in [one for one in self.api.memory if one not in listed]:
            self.api.memory.pop(uri, None)

    def _now(self) -> float:
        return self.api.env.clock.monotonic()


def _event_path(invitee_path: str) -> str:
    return invitee_path.partition("/invitees/")[0]


def _mark(event: Json) -> bytes:
    """Digest a whole row: a host handed over inside Calendly need not change `updated_at`."""
    return hashlib.sha256(json.dumps(event, sort_keys=True).encode()).digest()


def _updated_at(event: Json) -> datetime:
    return instant(event.get("updated_at"))


def _starts_in(event: Json, window: Interval) -> bool:
    """An unreadable start stays in: what is wrong with it is told later."""
    try:
        return window.start <= instant(event.get("start_time")) < window.end
    except Unreadable:
        return True


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _others(counter: Json) -> bool:
    active = counter.get("active")
    return isinstance(active, int) and active > 1


def _with_query(address: str, request_token: str, contact: Contact | None) -> str:
    if urlsplit(address).scheme not in ("https", "http"):
        raise Unreadable("Calendly gave no booking address")
    asked = {"utm_source": "syncd", "utm_content": request_token}
    if contact is not None:
        asked |= {"name": contact.name} if contact.name else {}
        asked |= {"email": contact.email} if contact.email else {}
    return address + ("&" if urlsplit(address).query else "?") + urlencode(asked)
