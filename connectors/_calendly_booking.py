"""Reads Calendly's resources: an event and one of its invitees become a RemoteBooking. Pure; knows no HTTP and no hook.

Unknown words are accepted everywhere (the published enums drift); a wrong type, or a time that does not exist, is not.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors._reading import obj, rows
from syncd.core import limits
from syncd.core.interval import Interval
from syncd.core.visit import Answer, Contact
from syncd.errors import Unreadable
from syncd.ports import RemoteBooking

Json = Mapping[str, Any]

HOST = "api.calendly.com"

_ID = r"[A-Za-z0-9_-]{1,128}"
EVENT_PATH = re.compile(rf"/scheduled_events/({_ID})")
INVITEE_PATH = re.compile(rf"/scheduled_events/({_ID})/invitees/({_ID})")
EVENT_TYPE_PATH = re.compile(rf"/event_types/({_ID})")
SUBSCRIPTION_PATH = re.compile(rf"/webhook_subscriptions/({_ID})")

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")
_MAIL = re.compile(r"[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f]+@[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f]+")
_PHONE = re.compile(r"\+?[0-9][0-9 ().-]{5,24}")
_PHONE_QUESTION = re.compile(r"phone|tel[eé]f|telef|celular|m[oó]vil|mobile|whats\s?app|cellulare|handy", re.IGNORECASE)


def path_of(uri: object, pattern: re.Pattern[str], hosts: frozenset[str]) -> str:
    """Return the path of one of Calendly's addresses. Raises Unreadable for any other host or form.

    Only the path is ever used, on the configured address: what a delivery names cannot lead a request elsewhere.
    """
    if not isinstance(uri, str) or len(uri) > limits.ID or not uri.isascii():
        raise Unreadable("an address is missing or is no text")
    try:
        parts = urlsplit(uri)
    except ValueError as wrong:
        raise Unreadable("an address cannot be read") from wrong
    plain = parts.scheme in ("https", "http") and parts.netloc in hosts and not parts.query and not parts.fragment
    if not plain or not pattern.fullmatch(parts.path) or uri != f"{parts.scheme}://{parts.netloc}{parts.path}":
        raise Unreadable(f"not an address of Calendly: {uri[:120]!r}")
    return parts.path


def instant(value: object) -> datetime:
    """Read an RFC 3339 instant with its offset; a number is never taken for an epoch."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise Unreadable(f"not a time: {str(value)[:60]!r}")
    try:
        read = datetime.fromisoformat(value)
    except ValueError as wrong:
        raise Unreadable(f"no such time: {value!r}") from wrong
    if not limits.is_sane_year(read.year):
        raise Unreadable(f"a time out of reach: {value!r}")
    return read


def interval_of(event: Json) -> Interval:
    """Read the time of an event; one that ends when it starts, or lasts for days, is refused."""
    start, end = instant(event.get("start_time")), instant(event.get("end_time"))
    if not timedelta(0) < end - start <= limits.LONGEST_VISIT:
        raise Unreadable(f"an event from {start.isoformat()} to {end.isoformat()}")
    return Interval(start, end)


def booking_of(booking_id: str, event: Json, invitee: Json) -> RemoteBooking:
    """Compose what one invitee of one event amounts to; `booking_id` is the invitee's address. Raises Unreadable."""
    cancellation = obj(invitee.get("cancellation") or event.get("cancellation"))
    hosts = [obj(one) for one in rows(event.get("event_memberships"))]
    first = hosts[0] if hosts else {}
    return RemoteBooking(
        id=booking_id,
        active="canceled" not in (text(invitee, "status"), text(event, "status")),
        event_type=text(event, "event_type"),
        interval=interval_of(event),
        time_zone=zone_of(invitee.get("timezone")),
        host_id=text(first, "user") or None,
        host_email=text(first, "user_email") or None,
        co_hosts=tuple(text(one, "user") for one in hosts[1:]),
        contact=contact_of(invitee, event),
        answers=answers_of(invitee),
        guests=tuple(mail for one in rows(event.get("event_guests")) if (mail := mail_of(obj(one).get("email")))),
        request_token=text(obj(invitee.get("tracking")), "utm_content") or None,
        replaces=text(invitee, "old_invitee") or None,
        replaced_by=text(invitee, "new_invitee") or None,
        rescheduled=invitee.get("rescheduled") is True,
        cancelled_by={"host": "agent", "invitee": "client"}.get(text(cancellation, "canceler_type")),
        cancel_message=text(cancellation, "reason")[: limits.TEXT],
        no_show=invitee.get("no_show") is not None,
        event_id=text(event, "uri") or None,
        calendar_entry=text(obj(event.get("calendar_event")), "external_id") or None,
        location=place_of(obj(event.get("location"))),
        guard=guard_of(event),
        created_at=instant(invitee.get("created_at")),
        updated_at=max(instant(invitee.get("updated_at")), instant(event.get("updated_at"))),
        manage_url=text(invitee, "reschedule_url") or None,
    )


def guard_of(event: Json) -> Interval | None:
    """Return the time with Calendly's own buffers, which only single events tell."""
    for one in rows(event.get("event_memberships")):
        start, end = obj(one).get("buffered_start_time"), obj(one).get("buffered_end_time")
        if start is not None and end is not None:
            return interval_of({"start_time": start, "end_time": end})
    return None


def contact_of(invitee: Json, event: Json) -> Contact:
    """Read who booked. An address that no mail could be sent to safely is left out, the booking stands."""
    parts = (text(invitee, "first_name"), text(invitee, "last_name"))
    name = text(invitee, "name") or " ".join(part for part in parts if part) or text(invitee, "email")
    return Contact(name=name[: limits.LINE], email=mail_of(invitee.get("email")), phone=phone_of(invitee, event))


def mail_of(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) <= limits.EMAIL and _MAIL.fullmatch(value) else None


def phone_of(invitee: Json, event: Json) -> str | None:
    """Find a phone number: the reminder's, that of a call to the client, else the answer to a question for one."""
    place = obj(event.get("location"))
    asked = [one.answer for one in answers_of(invitee) if _PHONE_QUESTION.search(one.question)]
    called = [text(place, "location")] if text(place, "type") == "outbound_call" else []
    for value in (text(invitee, "text_reminder_number"), *called, *asked):
        if _PHONE.fullmatch(value.strip()):
            return value.strip()
    return None


def answers_of(invitee: Json) -> tuple[Answer, ...]:
    """Read the answers in the order of their positions; several ticked boxes come as lines of one text."""
    read = [obj(one) for one in rows(invitee.get("questions_and_answers"))][: limits.ANSWERS]
    read.sort(key=lambda one: one["position"] if isinstance(one.get("position"), int) else len(read))
    return tuple(
        Answer(question=text(one, "question")[: limits.LINE], answer=text(one, "answer")[: limits.TEXT]) for one in read
    )


def place_of(location: Json) -> str:
    """Return where it happens: an address, else where to join. `type` is what payloads say, whatever its word."""
    return (text(location, "location") or text(location, "join_url"))[: limits.TEXT]


def zone_of(value: object) -> str | None:
    """Return a known zone name (published samples hold "America/New York"), None for an unknown one."""
    if not isinstance(value, str):
        return None
    name = value.strip().replace(" ", "_")
    if not _ZONE.fullmatch(name):
        return None
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
    return name


def text(thing: Json, name: str) -> str:
    """Return a text, "" for null or absent. Raises Unreadable for any other type."""
    value = thing.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unreadable(f"{name} is no text")
    if "\0" in value:
        raise Unreadable(f"{name} holds a NUL, which no database keeps")
    return value
