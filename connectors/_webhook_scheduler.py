"""Bookings of a scheduler known by its mapping alone: read again, listed, cancelled, linked, where it says how.

What a booking looked like when it was last read is remembered, because many of these schedulers do not tell when a
booking was changed: the moment at which we noticed stands in for it.
"""

import json
import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from connectors._http import Http
from connectors._reading import rows
from connectors._webhook_parts import Cursor, Poll
from connectors._webhook_path import follow, plain, read_path
from connectors._webhook_reading import answered, booking_in, hosted, id_in, placed
from connectors._webhook_settings import WebhookSettings
from syncd.core import limits
from syncd.core.ids import AccountId
from syncd.core.interval import Interval
from syncd.core.visit import Contact
from syncd.errors import NotFound, Permanent, Unreadable, Unsupported, VersionConflict
from syncd.ports import Environment, RemoteBooking

OVERLAP = timedelta(minutes=10)  # between our clock and theirs
PAGES = 500
REMEMBERED = 50_000


@dataclass(frozen=True, slots=True)
class Noticed:
    """What mattered of a booking when it was read, and since when it is so."""

    facts: tuple[object, ...]
    since: datetime


class Api:
    """One account's way to its scheduler. Shared by every part of the account in this process, see `api_of`."""

    def __init__(self, account: AccountId, settings: WebhookSettings, env: Environment) -> None:
        self.account, self.settings, self.env = account, settings, env
        self.layout = answered(settings)
        self._known: dict[str, Noticed] = {}
        self._lock = threading.Lock()
        self._http = self._way() if settings.base else None

    def _way(self) -> Http:
        auth = self.settings.fetch.auth if self.settings.fetch is not None else None
        headers = {"Accept": "application/json"} | (dict(auth.headers) if auth is not None else {})
        if auth is not None and auth.bearer is not None:
            headers["Authorization"] = f"Bearer {auth.bearer.get_secret_value()}"
        basic = auth.basic if auth is not None else None
        return Http(
            self.env,
            self.settings.base,
            headers=headers,
            auth=(basic.user, basic.password.get_secret_value()) if basic is not None else None,
            allow_http=self.settings.allow_http,
            allow_private=self.settings.allow_private,
            account=self.account,
        )

    def get(self, url: str, query: dict[str, str] | None = None) -> Any:
        """Read strict JSON; redirects are never followed."""
        return self._asking().send("GET", url, query=query, ok=(200,)).json()

    def act(self, method: str, url: str, body: dict[str, Any]) -> None:
        """Do; raises Ambiguous when no answer came, except for a deletion, which may be done again."""
        written = json.dumps(body).encode() if body else None
        headers = {"Content-Type": "application/json"} if written is not None else {}
        again = method == "DELETE"
        self._asking().send(method, url, body=written, headers=headers, idempotent=again, ok=(200, 201, 202, 204))

    def noticed(self, booking: RemoteBooking) -> RemoteBooking:
        """Say when a booking was changed: by the scheduler's word, else since when we see it as it is."""
        if booking.updated_at is not None:
            return booking
        facts: tuple[object, ...] = (booking.active, booking.pending, booking.no_show, booking.interval)
        facts += (booking.event_type, booking.host_id, booking.host_email, booking.replaces, booking.replaced_by)
        with self._lock:
            known = self._known.get(booking.id)
            if known is None or known.facts != facts:
                if len(self._known) >= REMEMBERED:
                    self._known.clear()
                known = self._known[booking.id] = Noticed(facts, self.env.clock.now())
        return replace(booking, updated_at=known.since)

    def _asking(self) -> Http:
        if self._http is None:
            raise Permanent("nothing is configured with which this scheduler could be asked; write [fetch]")
        return self._http


class WebhookScheduler:
    """A scheduler behind a mapping."""

    def __init__(self, api: Api) -> None:
        self.api, self.settings = api, api.settings

    def bookings(
        self, window: Interval, since: datetime | None = None, event_types: Collection[str] | None = None
    ) -> Iterator[RemoteBooking]:
        """Yield the bookings that start in the window, as far as [poll] lists them; without it there is no listing."""
        if self.settings.poll is None:
            return
        for document in self._listed(self.settings.poll, window):
            booking = self._read(document, window)
            if booking.problem is None and not window.start <= booking.interval.start < window.end:
                continue
            if event_types is not None and booking.event_type not in event_types:
                continue
            if since is not None and booking.updated_at is not None and booking.updated_at < since - OVERLAP:
                continue
            yield booking

    def booking(self, booking_id: str) -> RemoteBooking:
        """Read one booking again. Raises NotFound; Unsupported where no [fetch] says how."""
        if self.settings.fetch is None:
            raise Unsupported("bookings of this scheduler cannot be read again; what its calls say is all")
        answer = self.api.get(self.settings.fetch.url.replace("{id}", _segment(booking_id)))
        document = placed(self.settings, answer)
        found = id_in(self.api.layout, document)
        if found is not None and found != booking_id:
            raise Unreadable("the scheduler answered with another booking")
        return self.api.noticed(hosted(self.settings, booking_in(self.api.layout, document, booking_id)))

    def cancel(self, booking_id: str, reason: str) -> None:
        """Cancel where [cancel] says how. After any refusal the booking is read, and one already cancelled is done."""
        if self.settings.cancel is None:
            raise Permanent("this scheduler cannot be told; cancel the booking there by hand")
        if self.settings.fetch is not None and not self.booking(booking_id).active:
            return
        wanted = self.settings.cancel
        body: dict[str, Any] = dict(wanted.body) | ({wanted.reason: reason[: limits.LINE]} if wanted.reason else {})
        try:
            self.api.act(wanted.method, wanted.url.replace("{id}", _segment(booking_id)), body)
        except (Permanent, VersionConflict):
            if self.settings.fetch is None or self.booking(booking_id).active:
                raise

    def link(self, event_type: str, request_token: str, contact: Contact | None = None) -> str:
        """Return the event type's page with our request id, the client's name and address in its query."""
        link = self.settings.link
        page = link.pages.get(event_type)
        if page is None:
            raise Permanent(f'no page is known for event type "{event_type[:60]}"; write it into link.pages')
        asked = {link.request: request_token}
        if contact is not None:
            asked |= {link.name: contact.name} if contact.name and link.name else {}
            asked |= {link.email: contact.email} if contact.email and link.email else {}
        return page + ("&" if urlsplit(page).query else "?") + urlencode(asked)

    def _listed(self, poll: Poll, window: Interval) -> Iterator[Any]:
        """Drain every list before the first booking is used: part of one is none."""
        found = [one for url in poll.urls for one in self._pages(_dated(url, poll, window), poll)]
        for one in found:
            yield placed(self.settings, one, enveloped=False)

    def _pages(self, url: str, poll: Poll) -> Iterator[Any]:
        mark: str | None = None if poll.cursor is None or poll.cursor.path else str(poll.cursor.first)
        seen: set[str | None] = set()
        for _ in range(PAGES):
            query = {poll.cursor.query: mark} if poll.cursor is not None and mark is not None else {}
            answer = self.api.get(url, query)
            page = rows(follow(answer, read_path(poll.items)))
            yield from page
            seen.add(mark)
            mark = _next_mark(poll.cursor, answer, len(page), mark)
            if mark is None:
                return
            if mark in seen:
                raise Unreadable("the pages go round in a circle")
        raise Unreadable(f"no end after {PAGES} pages")

    def _read(self, document: Any, window: Interval) -> RemoteBooking:
        booking_id = id_in(self.api.layout, document)
        if booking_id is None:
            raise Unreadable("a booking in the list has no id where [fetch] or [booking] says it stands")
        try:
            return self.api.noticed(hosted(self.settings, booking_in(self.api.layout, document, booking_id)))
        except Unreadable as why:
            kind = plain(self.api.layout.one(document, "event_type")) or ""
            return RemoteBooking(
                id=booking_id,
                active=True,
                event_type=kind,
                interval=window,
                contact=Contact(name=""),
                problem=str(why),
            )


def _segment(booking_id: str) -> str:
    """Write an id as one segment of a path; what would lead elsewhere is the id of nothing."""
    if not booking_id or booking_id in (".", "..") or len(booking_id) > limits.ID or not booking_id.isprintable():
        raise NotFound("not the id of a booking")
    return quote(booking_id, safe="")


def _dated(url: str, poll: Poll, window: Interval) -> str:
    """Fill in the window; days are taken one wider on either side, because their zone is the scheduler's."""
    first, last = window.start - timedelta(days=1), window.end + timedelta(days=1)
    form = "%Y-%m-%d" if poll.dates == "day" else "%Y-%m-%dT%H:%M:%SZ"
    return url.replace("{from}", first.strftime(form)).replace("{to}", last.strftime(form))


def _next_mark(cursor: Cursor | None, answer: Any, length: int, mark: str | None) -> str | None:
    """Return the mark of the next page: told by the answer, or the next number while pages are full."""
    if cursor is None:
        return None
    if cursor.path:
        return plain(follow(answer, read_path(cursor.path))) or None
    return str(int(mark or cursor.first) + 1) if length >= cursor.size else None


_APIS: dict[tuple[object, ...], Api] = {}
_APIS_LOCK = threading.Lock()


def api_of(account: AccountId, settings: WebhookSettings, env: Environment) -> Api:
    """Return the one Api of this account in this process: what was noticed is noticed by all its parts."""
    key = (account, repr(settings), _secret(settings), env.ca_file, env.proxy, id(env.clock))
    with _APIS_LOCK:
        if key not in _APIS:
            _APIS[key] = Api(account, settings, env)
        return _APIS[key]


def _secret(settings: WebhookSettings) -> str:
    """Return what proves us, for telling two logins apart: a shown secret is always the same row of stars."""
    auth = settings.fetch.auth if settings.fetch is not None else None
    if auth is None:
        return ""
    password = auth.basic.password if auth.basic is not None else auth.bearer
    return password.get_secret_value() if password is not None else ""
