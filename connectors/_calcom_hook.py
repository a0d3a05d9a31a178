"""Verifies one webhook call of Cal.com and names what to look at again. Pure: no clock, no network.

X-Cal-Signature-256 is the hexadecimal HMAC-SHA256 of the raw body: no timestamp, no delivery id, so a repeat is known
by the hash of its bytes, and the booking is read again before anything happens. Source: cal.com/docs, "Webhooks".
"""

import hashlib
from typing import Any

from connectors._calcom_booking import id_of_seat, uid_of
from connectors._calcom_settings import CalcomSettings
from connectors._json import strict_json
from connectors._reading import Json, instant, interval_of, mail_of, obj, rows
from connectors._signature import check_hmac, only_header
from syncd.core.ids import AccountId
from syncd.errors import BadSignature, Unreadable
from syncd.ports import Call, Delivery, Touch

HEADER = "X-Cal-Signature-256"
UNSIGNED = "no-secret-provided"  # what the header says where the webhook was made without a secret
BOOKED = (
    "BOOKING_CREATED",
    "BOOKING_RESCHEDULED",
    "BOOKING_REQUESTED",
    "BOOKING_CANCELLED",
    "BOOKING_REJECTED",
    "BOOKING_PAYMENT_INITIATED",
    "BOOKING_PAID",
)
MARKED = "BOOKING_NO_SHOW_UPDATED"
WANTED = (*BOOKED, MARKED, "OOO_CREATED")  # what a webhook of ours asks for


def hook(account: AccountId, settings: Any, call: Call) -> Delivery:
    """Verify and read one call. Raises BadSignature; a signed body that means nothing is an unreadable Delivery."""
    ours: CalcomSettings = settings
    verify(ours, call)
    whole = f"sha256:{hashlib.sha256(call.body).hexdigest()}"
    try:
        return _read(account, call.body, whole)
    except Unreadable as why:
        return Delivery(key=whole, unreadable=str(why))


def verify(settings: CalcomSettings, call: Call) -> None:
    """Check the signature of one call; raises BadSignature."""
    given = only_header(call.headers, HEADER)
    if given.strip() == UNSIGNED:
        raise BadSignature(f"{HEADER}: a webhook made without a secret; remove it at Cal.com, syncd makes its own")
    check_hmac(settings.keys, call.body, given)


def reopens(body: bytes) -> str | None:
    """Return the uid of a booking that its host cancelled to have another time chosen: its request stays open.

    Only the webhook says so; the booking itself, read again, is just cancelled. Raises Unreadable.
    """
    envelope = _envelope(body)
    payload = obj(envelope.get("payload"))
    asked = envelope["triggerEvent"] == "BOOKING_CANCELLED" and payload.get("requestReschedule") is True
    return uid_of(payload.get("uid")) if asked else None


def _envelope(body: bytes) -> Json:
    envelope = strict_json(body)
    if not isinstance(envelope, dict) or not isinstance(envelope.get("triggerEvent"), str):
        raise Unreadable("not a webhook of Cal.com: no triggerEvent")
    return envelope


def _read(account: AccountId, body: bytes, whole: str) -> Delivery:
    """Name the bookings of one delivery. Absences (OOO_CREATED), forms and flat MEETING_* ones name none."""
    envelope = _envelope(body)
    trigger = envelope["triggerEvent"]
    if trigger == MARKED:
        return Delivery(key=whole, touches=_touches(account, _marked(obj(envelope.get("payload")))))
    if trigger not in BOOKED:
        return Delivery(key=whole, unwanted=True)
    payload = obj(envelope.get("payload"))
    interval_of(instant(payload.get("startTime")), instant(payload.get("endTime")))
    return Delivery(key=whole, touches=_touches(account, _names(payload)), event_type=_event_type(payload))


def _touches(account: AccountId, names: list[str]) -> tuple[Touch, ...]:
    return tuple(Touch(kind="ingest", key=f"{account}|{name}") for name in names)


def _names(payload: Json) -> list[str]:
    """Return the booking first, then the one it takes the place of; of a shared one every seat that is told."""
    found = [uid_of(payload.get("uid"))]
    if payload.get("rescheduleUid") is not None:
        found.append(uid_of(payload["rescheduleUid"]))
    if payload.get("seatsPerTimeSlot") is None:
        return list(dict.fromkeys(found))
    clients = [mail for one in rows(payload.get("attendees")) if (mail := mail_of(obj(one).get("email")))]
    return [id_of_seat(uid, mail) for uid in found for mail in dict.fromkeys(clients)]


def _marked(payload: Json) -> list[str]:
    """Return the booking whose client came or did not; whether it is shared is not told, so its seats are named too."""
    uid = uid_of(payload.get("bookingUid"))
    clients = [mail for one in rows(payload.get("attendees")) if (mail := mail_of(obj(one).get("email")))]
    return [uid, *(id_of_seat(uid, mail) for mail in dict.fromkeys(clients))]


def _event_type(payload: Json) -> str | None:
    """Return the event type's id; cancellations of 2023 do not tell it, and then every one of them is kept."""
    value = payload.get("eventTypeId")
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value).isdigit():
        return None
    return str(value)
