"""Verifies one webhook call by the declared mapping and names what to look at again. Pure: no clock, no network.

Where [fetch] is configured the body is only a hint. Where it is not, the signed body is all there is: `told` reads the
kept delivery once more when the booking is ingested.
"""

import hashlib
from typing import Any

from connectors._signature import only_header
from connectors._webhook_parts import HeaderName
from connectors._webhook_path import follow, plain, read_path
from connectors._webhook_proof import verify
from connectors._webhook_reading import Layout, booking_in, decoded, delivered, hosted, id_in, time_in
from connectors._webhook_settings import WebhookSettings
from syncd.core import limits
from syncd.core.ids import AccountId
from syncd.errors import BadSignature, Unreadable
from syncd.ports import Call, Delivery, RemoteBooking, Touch


def hook(account: AccountId, settings: Any, call: Call) -> Delivery:
    """Verify and read one call. Raises BadSignature; a signed body that means nothing is an unreadable Delivery."""
    ours: WebhookSettings = settings
    verify(ours.auth, call)
    whole = f"sha256:{hashlib.sha256(call.body).hexdigest()}"
    try:
        return _read(account, ours, call, whole)
    except Unreadable as why:
        return Delivery(key=whole, unreadable=str(why))


def told(account: AccountId, settings: Any, call: Call) -> RemoteBooking | None:
    """Return what a kept delivery itself says of its booking; None where it says nothing that may be believed.

    For bookings that cannot be read again, and for cancellations of ones that are gone. Never for unsigned calls.
    """
    ours: WebhookSettings = settings
    if ours.auth.mode == "none":
        return None
    try:
        verify(ours.auth, call)
        document = decoded(ours, call.body)
        meaning = _meaning(ours, call, document)
        layout = delivered(ours)
        booking_id = id_in(layout, document)
        if meaning in (None, "ignore") or booking_id is None:
            return None
        return hosted(ours, booking_in(layout, document, booking_id, meaning or ""))
    except (BadSignature, Unreadable):
        return None


def _read(account: AccountId, settings: WebhookSettings, call: Call, whole: str) -> Delivery:
    if len(call.body) > settings.max_body:
        raise Unreadable(f"longer than max_body ({settings.max_body} bytes)")
    document = decoded(settings, call.body)
    meaning = _meaning(settings, call, document)
    if meaning is None and settings.event.unknown == "dead_letter":
        raise Unreadable("an event that event.map does not know")
    if meaning is None or meaning == "ignore":
        return Delivery(key=whole, unwanted=True)
    layout = delivered(settings)
    names = _names(layout, document)
    if time_in(layout, document) is None and settings.fetch is None:
        raise Unreadable("the booking tells no start, or no end and no duration")
    return Delivery(
        key=_key(settings, layout, call, document, names[0]) or whole,
        touches=tuple(Touch(kind="ingest", key=f"{account}|{name}") for name in names),
        event_type=layout.text(document, "event_type"),
    )


def _meaning(settings: WebhookSettings, call: Call, document: Any) -> str | None:
    """Return what the event's name means here, None for one that the map does not know."""
    word = _word(settings, call, document)
    if word is None:
        raise Unreadable("no name of an event where event.path or event.header says it stands")
    return settings.event.map.get(word)


def _word(settings: WebhookSettings, call: Call, document: Any) -> str | None:
    if settings.event.header is None:
        value = follow(document, read_path(settings.event.path))
        return value if isinstance(value, str) else None
    try:
        return only_header(call.headers, settings.event.header)
    except BadSignature as wrong:
        raise Unreadable(str(wrong)) from wrong


def _names(layout: Layout, document: Any) -> list[str]:
    """Return the booking first, then the one it takes the place of and the one that took its place."""
    booking = id_in(layout, document)
    if booking is None:
        raise Unreadable("no id of a booking where booking.id says it stands")
    others = (id_in(layout, document, field) for field in ("previous_id", "next_id"))
    return list(dict.fromkeys([booking, *(one for one in others if one is not None)]))


def _key(settings: WebhookSettings, layout: Layout, call: Call, document: Any, booking: str) -> str | None:
    """Return how a repeat is known: by the sender's own id, else by what it is about; None: by its bytes."""
    given = _delivery_id(settings, call, document)
    if given is not None:
        return f"id:{given}"
    updated = layout.text(document, "updated_at")
    return f"{_word(settings, call, document)}|{booking}|{updated}" if updated is not None else None


def _delivery_id(settings: WebhookSettings, call: Call, document: Any) -> str | None:
    place = settings.booking.delivery_id
    if isinstance(place, HeaderName):
        values = [value for name, value in call.headers if name.lower() == place.header.lower()]
        value = values[0] if len(values) == 1 else None
    else:
        value = plain(follow(document, read_path(place))) if place else None
    if value is not None and (len(value) > limits.ID or not value.isprintable()):
        raise Unreadable("the id of the delivery is too long or holds what no id does")
    return value or None
