"""Reads Cal.com's bookings (API v2) as RemoteBookings, one per seat where several clients share one. Pure; no HTTP.

Status words are folded (REST writes lower case, webhooks upper case); an unknown one is active, never a cancellation.
"""

import hashlib
import re
from dataclasses import replace
from typing import Any

from connectors._reading import Json, instant, interval_of, mail_of, obj, phone_of, rows, storable, text, zone_of
from syncd.core import limits
from syncd.core.interval import Interval
from syncd.core.visit import Answer, Contact
from syncd.errors import Unreadable
from syncd.ports import RemoteBooking

REQUEST = "syncd"  # the key of our signed request id in a booking's metadata (keys ≤ 40, values ≤ 500 characters)

_UID = re.compile(r"[A-Za-z0-9_-]{3,100}")
_BOOKING = re.compile(rf"({_UID.pattern})(?:~([0-9a-f]{{16}}))?")
_GONE = ("cancelled", "canceled", "rejected")
_ASKED_ANYWAY = frozenset(("name", "email", "attendeePhoneNumber", "guests", "rescheduleReason", "title"))


def uid_of(value: object) -> str:
    """Return the uid of a booking as Cal.com makes them; raises Unreadable for anything else."""
    if not isinstance(value, str) or not _UID.fullmatch(value):
        raise Unreadable(f"not the uid of a booking: {str(value)[:60]!r}")
    return value


def split_id(booking_id: str) -> tuple[str, str | None]:
    """Take our id of a booking apart: its uid, and the mark of one seat; raises Unreadable."""
    match = _BOOKING.fullmatch(booking_id)
    if match is None:
        raise Unreadable("not the id of a booking at Cal.com")
    return match[1], match[2]


def seat_mark(email: str) -> str:
    """Mark one client of a shared booking: seats are known by (uid, attendee); addresses do not belong into ids."""
    return hashlib.sha256(email.strip().casefold().encode()).hexdigest()[:16]


def id_of_seat(uid: str, email: str) -> str:
    return f"{uid}~{seat_mark(email)}"


def is_shared(booking: Json) -> bool:
    """Tell whether the booking is one of an event type with seats: its attendees then have seats of their own."""
    return any("seatUid" in obj(one) for one in rows(booking.get("attendees")))


def bookings_of(booking: Json) -> list[RemoteBooking]:
    """Return what one row of Cal.com amounts to: one booking, or one for each seat taken. Raises Unreadable."""
    uid = uid_of(booking.get("uid"))
    attendees = [obj(one) for one in rows(booking.get("attendees"))]
    if not is_shared(booking):
        return [booking_of(uid, booking, attendees)]
    return [booking_of(id_of_seat(uid, text(one, "email")), booking, [one]) for one in attendees]


def booking_of(booking_id: str, booking: Json, attendees: list[Json]) -> RemoteBooking:
    """Compose one booking; the first of the attendees is the client, the rest come along."""
    client = attendees[0] if attendees else {}
    hosts = [obj(one) for one in rows(booking.get("hosts"))]
    answers = obj(client.get("bookingFieldsResponses")) or obj(booking.get("bookingFieldsResponses"))
    status = text(booking, "status").casefold()
    moved_to = text(booking, "rescheduledToUid") or None
    return RemoteBooking(
        id=booking_id,
        active=status not in _GONE,
        pending=status == "pending",
        event_type=event_type_of(booking),
        interval=interval_of(instant(booking.get("start")), instant(booking.get("end"))),
        time_zone=zone_of(client.get("timeZone")),
        host_id=_number(hosts[0].get("id")) if hosts else None,
        host_email=mail_of(hosts[0].get("email")) if hosts else None,
        co_hosts=tuple(_number(one.get("id")) for one in hosts[1:]),
        contact=contact_of(client),
        guests=_guests(booking, attendees),
        answers=answers_of(answers),
        replaces=text(booking, "rescheduledFromUid") or None,
        replaced_by=moved_to,
        rescheduled=status in _GONE and moved_to is not None,
        cancelled_by=_canceller(booking, attendees, status),
        cancel_message=text(booking, "cancellationReason")[: limits.TEXT],
        event_id=text(booking, "uid"),
        location=_place(booking),
        created_at=instant(booking.get("createdAt")),
        updated_at=instant(booking.get("updatedAt") or booking.get("createdAt")),
        no_show=client.get("absent") is True,
        request_token=text(obj(client.get("metadata")), REQUEST) or text(obj(booking.get("metadata")), REQUEST) or None,
    )


def token_in(booking: RemoteBooking, field: str | None) -> str | None:
    """Return our request id: from the metadata, else from the answer to the hidden question, where one is set up."""
    asked = [one.answer for one in booking.answers if field is not None and one.question == field]
    return booking.request_token or (asked[0] if asked else None)


def gone_seat(booking_id: str, booking: Json) -> RemoteBooking:
    """A seat that is no longer among the attendees was given up by its client: cancelling one takes it off the list."""
    whole = booking_of(booking_id, booking, [])
    return replace(whole, active=False, pending=False, cancelled_by=whole.cancelled_by or "client")


def unreadable_row(booking: Json, window: Interval, why: str) -> RemoteBooking:
    """Stand in for a row of a listing that cannot be understood; reading it by its id says why again."""
    return RemoteBooking(
        id=uid_of(booking.get("uid")),
        active=True,
        event_type=event_type_of(booking),
        interval=window,
        contact=Contact(name=""),
        problem=why,
    )


def event_type_of(booking: Json) -> str:
    """Return the event type's id; Cal.com deprecates `eventTypeId` in favour of the object beside it."""
    kind = booking.get("eventType")
    found = kind.get("id") if isinstance(kind, dict) and kind.get("id") is not None else booking.get("eventTypeId")
    return "" if found is None else _number(found)


def contact_of(client: Json) -> Contact:
    """Read who booked. An address that no mail could be sent to safely is left out, the booking stands."""
    email = mail_of(client.get("email"))
    name = text(client, "name") or email or ""
    return Contact(name=name[: limits.LINE], email=email, phone=phone_of(client.get("phoneNumber")))


def answers_of(responses: Json) -> tuple[Answer, ...]:
    """Read the answers to questions; what every booking asks (name, e-mail …) is read elsewhere."""
    found = [(slug, _said(value)) for slug, value in responses.items() if slug not in _ASKED_ANYWAY]
    kept = [Answer(question=slug[: limits.LINE], answer=said[: limits.TEXT]) for slug, said in found if said]
    return tuple(kept[: limits.ANSWERS])


def _said(value: Any) -> str:
    """Write an answer as text: several ticked boxes as lines, an object by its value."""
    if isinstance(value, dict):
        return _said(value.get("value", value.get("optionValue")))
    if isinstance(value, list):
        return "\n".join(_said(one) for one in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else storable(str(value), "an answer")


def _guests(booking: Json, attendees: list[Json]) -> tuple[str, ...]:
    said = [one.get("email") for one in attendees[1:]] if not is_shared(booking) else []
    told = [] if is_shared(booking) else rows(booking.get("guests"))
    found = [mail for one in (*said, *told) if (mail := mail_of(one))]
    return tuple(dict.fromkeys(found))[: limits.PARTICIPANTS]


def _canceller(booking: Json, attendees: list[Json], status: str) -> str | None:
    """Tell who cancelled: one of the attendees, else somebody on our side of the counter."""
    if status == "rejected":
        return "agent"
    by = text(booking, "cancelledByEmail").casefold()
    if status not in _GONE or not by:
        return None
    clients = {text(one, "email").casefold() for one in attendees}
    return "client" if by in clients else "agent"


def _place(booking: Json) -> str:
    """Return where it happens; `integrations:…` names an app, not a place, and the address to join stands beside it."""
    place = booking.get("location")
    said = _said(place) if isinstance(place, dict) else text(booking, "location")
    return (text(booking, "meetingUrl") if said.startswith("integrations:") or not said else said)[: limits.TEXT]


def _number(value: object) -> str:
    """Write a numeric id as text; bool is no number here."""
    if isinstance(value, bool) or not isinstance(value, int | str) or len(str(value)) > limits.ID:
        raise Unreadable("an id is no number")
    return storable(str(value), "an id")
