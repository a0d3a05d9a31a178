"""A desk of the memory world as the ports ask for it: scheduler, push subscriptions and signed webhook calls."""

import hashlib
import hmac
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol

from connectors._json import strict_json
from connectors._memory_desk import Desk, link_to
from connectors._memory_faults import Fault
from connectors._memory_world import World
from connectors._signature import check_hmac, only_header
from syncd.core.ids import AccountId
from syncd.core.interval import Interval
from syncd.core.visit import Contact
from syncd.errors import NotFound, Transient, Unreadable
from syncd.ports import Call, Delivery, RemoteBooking, Subscription, Touch

HEADER = "Memory-Signature"


class MemoryScheduler:
    """The bookings of one account."""

    def __init__(self, world: World, account: AccountId) -> None:
        self._world = world
        self._account = account

    @property
    def _desk(self) -> Desk:
        return self._world.desk(self._account)

    def bookings(
        self, window: Interval, since: datetime | None = None, event_types: Collection[str] | None = None
    ) -> Iterator[RemoteBooking]:
        fault = self._world.knock(self._account, "bookings")
        if fault is not None:
            self._world.faults.strike(fault)
        listed = [one for one in self._listed(fault) if _fits(one, window, since, event_types)]
        if fault is Fault.DROP_AFTER:
            raise Transient(f"{self._account}: no answer")
        if fault is Fault.DELAY:
            self._world.meanwhile()
        if fault is Fault.PAGE_TWO:
            yield from listed[: len(listed) // 2]
            raise Transient(f"{self._account}: page 2 is a 500")
        yield from listed
        if fault is Fault.DUPLICATE:
            yield from listed

    def _listed(self, fault: Fault | None) -> list[RemoteBooking]:
        if fault is Fault.EMPTY:
            return []
        with self._world.lock:
            desk = self._desk
            older = {desk.last_changed} if fault is Fault.STALE else set()
            shown = [one.before if name in older else one.now for name, one in desk.records.items()]
        return [one for one in shown if one is not None]

    def booking(self, booking_id: str) -> RemoteBooking:
        return self._world.call(
            self._account,
            "booking",
            lambda: self._desk.record(booking_id).now,
            stale=lambda: self._before(booking_id),
        )

    def _before(self, booking_id: str) -> RemoteBooking:
        before = self._desk.record(booking_id).before
        if before is None:
            raise NotFound(f"{self._account}: no such booking yet")
        return before

    def cancel(self, booking_id: str, reason: str) -> None:
        self._world.call(self._account, "cancel", lambda: self._desk.cancel(booking_id, reason))

    def link(self, event_type: str, request_token: str, contact: Contact | None = None) -> str:
        return link_to(event_type, request_token, contact)


def _fits(one: RemoteBooking, window: Interval, since: datetime | None, event_types: Collection[str] | None) -> bool:
    if event_types is not None and one.event_type not in event_types:
        return False
    if since is not None and one.updated_at is not None and one.updated_at < since:
        return False
    return window.start <= one.interval.start < window.end


class MemoryPush:
    """The subscriptions of one account that lead to our public address."""

    def __init__(self, world: World, account: AccountId, public_url: str) -> None:
        self._world = world
        self._account = account
        self._public_url = public_url

    def subscriptions(self) -> Sequence[Subscription]:
        return self._world.call(self._account, "subscriptions", self._ours, empty=list)

    def _ours(self) -> list[Subscription]:
        desk = self._world.desk(self._account)
        return [one for one in desk.subscriptions.values() if one.callback.startswith(self._public_url)]

    def subscribe(self, callback: str) -> Subscription:
        return self._world.call(self._account, "subscribe", lambda: self._world.desk(self._account).subscribe(callback))

    def unsubscribe(self, subscription: Subscription) -> None:
        self._world.call(
            self._account, "unsubscribe", lambda: self._world.desk(self._account).unsubscribe(subscription.id)
        )


class Keyed(Protocol):
    """Settings that hold the keys of the webhook."""

    @property
    def signing_keys(self) -> Sequence[str]: ...


def signed(key: str, body: bytes) -> list[tuple[str, str]]:
    """Return the headers with which the desk sends a body."""
    return [(HEADER, hmac.new(key.encode(), body, hashlib.sha256).hexdigest())]


def hook(account: AccountId, settings: Any, call: Call) -> Delivery:
    """Verify and read one call. Raises BadSignature; a signed body that means nothing is an unreadable Delivery."""
    keyed: Keyed = settings
    check_hmac(keyed.signing_keys, call.body, only_header(call.headers, HEADER))
    whole = hashlib.sha256(call.body).hexdigest()
    try:
        told = strict_json(call.body)
    except Unreadable as why:
        return Delivery(key=whole, unreadable=str(why))
    if not isinstance(told, dict) or not isinstance(told.get("booking"), str):
        return Delivery(key=whole, unreadable="no booking is named")
    names = [told["booking"], *(one for one in told.get("related") or () if isinstance(one, str))]
    touches = tuple(Touch(kind="ingest", key=f"{account}|{name}") for name in names)
    return Delivery(key=whole, touches=touches, event_type=told.get("event_type"))
