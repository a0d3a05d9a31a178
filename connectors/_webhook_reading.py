"""Takes a body apart and reads a booking from it along the configured paths. Pure; knows neither signatures nor HTTP.

A value that is missing is nothing; one that is there and cannot be true (a day that is none, an end before the start)
is Unreadable, and so never becomes a visit.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from connectors._json import strict_json
from connectors._reading import interval_of, mail_of, obj, phone_of, rows, sane, storable, zone_of
from connectors._webhook_path import Step, follow, plain, read_path
from connectors._webhook_settings import WebhookSettings
from syncd.core import limits
from syncd.core.interval import Interval
from syncd.core.visit import Answer, Contact
from syncd.errors import Unreadable
from syncd.ports import RemoteBooking

FORM_FIELDS = 200
UNITS = {"s": "seconds", "min": "minutes", "h": "hours"}
LONGEST_ID = limits.ID
Steps = tuple[Step, ...]
_LOCAL = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ](?!24)[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def decoded(settings: WebhookSettings, body: bytes) -> Any:
    """Return what a delivery says: strict JSON, or the fields of a form; of a repeated field the first one counts."""
    if settings.encoding == "json":
        return strict_json(body)
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=FORM_FIELDS,
        )
    except ValueError as wrong:
        raise Unreadable("the body is no form, or one of too many fields") from wrong
    return dict(reversed(pairs))


@dataclass(frozen=True, slots=True)
class Layout:
    """Where every field stands in one kind of document: a delivery, or an answer of the API."""

    settings: WebhookSettings
    paths: Mapping[str, tuple[Steps, ...]]

    def one(self, document: Any, field: str) -> Any:
        """Return the first of a field's candidates that leads anywhere."""
        found = (follow(document, steps) for steps in self.paths[field] if steps)
        return next((one for one in found if one is not None), None)

    def text(self, document: Any, field: str) -> str | None:
        """Return a text, number or truth value as text; None where there is nothing, Unreadable for a structure."""
        value = self.one(document, field)
        if value is None:
            return None
        written = plain(value)
        if written is None:
            raise Unreadable(f"{field} is no text")
        return storable(written, field) or None


def delivered(settings: WebhookSettings) -> Layout:
    """Return where the fields stand in a delivery."""
    return Layout(settings, {field: tuple(map(read_path, paths)) for field, paths in _written(settings).items()})


def answered(settings: WebhookSettings) -> Layout:
    """Return where they stand in an answer: as in a delivery, except where `fetch.paths` says otherwise."""
    written = _written(settings)
    if settings.fetch is not None:
        written |= {field: [path] for field, path in settings.fetch.paths.items()}
    return Layout(settings, {field: tuple(map(read_path, paths)) for field, paths in written.items()})


def _written(settings: WebhookSettings) -> dict[str, list[str]]:
    booking, contact = settings.booking, settings.contact
    single = ("id", "previous_id", "next_id", "start", "end", "duration", "event_type")
    found = {name: [getattr(booking, name)] for name in (*single, "updated_at", "created_at", "location")}
    found |= {"time_zone": [booking.time_zone.path], "host": [booking.host.path if booking.host else ""]}
    found |= {"name": [contact.name] if isinstance(contact.name, str) else contact.name}
    found |= {"email": [contact.email], "phone": [contact.phone], "status": [settings.status.path]}
    return found | {
        "list": [settings.answers.list],
        "map": [settings.answers.map],
        "external_id": booking.external_id,
    }


def placed(settings: WebhookSettings, answer: Any, *, enveloped: bool = True) -> Any:
    """Return a booking of the API as a document: taken out of its envelope, and put where `booking` looks for it."""
    envelope, root = (settings.fetch.envelope, settings.fetch.root) if settings.fetch is not None else ("", "")
    found = follow(answer, read_path(envelope)) if enveloped else answer
    if not isinstance(found, dict):
        raise Unreadable("the answer holds no booking where [fetch] says it does")
    return {**found, root: found} if root else found


def id_in(layout: Layout, document: Any, field: str = "id") -> str | None:
    """Return the id of a booking, None where there is none; one with blanks or control characters is Unreadable."""
    value = layout.text(document, field)
    if value is None:
        return None
    if len(value) > LONGEST_ID or not value.isprintable() or value != value.strip():
        raise Unreadable(f"{field} is too long or holds what no id does")
    return value


def booking_in(layout: Layout, document: Any, booking_id: str, meaning: str = "upsert") -> RemoteBooking:
    """Compose one booking. `meaning` is what the event said, where a delivery tells it; raises Unreadable."""
    state = _state(layout, document, meaning)
    host = layout.text(document, "host")
    interval = time_in(layout, document)
    if interval is None:
        raise Unreadable("the booking tells no start, or no end and no duration")
    return RemoteBooking(
        id=booking_id,
        active=state in ("active", "pending", "no_show"),
        pending=state == "pending",
        no_show=state == "no_show",
        event_type=(layout.text(document, "event_type") or "")[:LONGEST_ID],
        interval=interval,
        time_zone=zone_of(layout.one(document, "time_zone")) or layout.settings.booking.time_zone.fixed,
        host_id=None if host is None else host[:LONGEST_ID],
        host_email=mail_of(host),
        contact=contact_in(layout, document),
        answers=answers_in(layout, document),
        request_token=_external_id(layout, document),
        replaces=id_in(layout, document, "previous_id"),
        replaced_by=id_in(layout, document, "next_id"),
        rescheduled=state == "canceled" and id_in(layout, document, "next_id") is not None,
        event_id=booking_id,
        location=(layout.text(document, "location") or "")[: limits.TEXT],
        created_at=_instant(layout, document, "created_at"),
        updated_at=_instant(layout, document, "updated_at"),
    )


def agent_in(settings: WebhookSettings, host: str | None) -> str | None:
    """Return which agent of ours the account's own table says a host is, None for a stranger: never a guess."""
    link = settings.booking.host.link if settings.booking.host is not None else None
    return settings.links[link].get(host) if link is not None and host is not None else None


def hosted(settings: WebhookSettings, booking: RemoteBooking) -> RemoteBooking:
    """Say which agent of ours the account's own table names for the host."""
    return replace(booking, agent=agent_in(settings, booking.host_id or booking.host_email))


def time_in(layout: Layout, document: Any) -> Interval | None:
    """Return when it is, None where the document does not tell; raises Unreadable for a time that cannot be."""
    start = _instant(layout, document, "start")
    if start is None:
        return None
    end = _instant(layout, document, "end")
    if end is not None:
        return interval_of(start, end)
    length = _length(layout, document)
    return None if length is None else interval_of(start, start + length)


def _state(layout: Layout, document: Any, meaning: str) -> str:
    told = {"canceled": "canceled", "requested": "pending", "no_show": "no_show"}.get(meaning)
    if told is not None:
        return told
    word = layout.text(document, "status")
    return layout.settings.status.map.get(word, "active") if word is not None else "active"


def _length(layout: Layout, document: Any) -> timedelta | None:
    told = layout.text(document, "duration")
    if told is None:
        return None
    if not told.isascii() or not told.isdigit() or len(told) > 6:
        raise Unreadable("the duration is no whole number")
    return timedelta(**{UNITS[layout.settings.booking.duration_unit]: int(told)})


def _instant(layout: Layout, document: Any, field: str) -> datetime | None:
    """Read one time; a number only counts where `times` says that times are numbers."""
    value = layout.one(document, field)
    if value is None or value == "":
        return None
    if layout.settings.booking.times.startswith("epoch") and field in ("start", "end"):
        return _epoch(value, layout.settings.booking.times)
    if not isinstance(value, str):
        raise Unreadable(f"{field} is no time")
    read = sane(_iso(value, field))
    aware = read if read.tzinfo is not None else read.replace(tzinfo=_zone(layout, document))
    return aware.astimezone(UTC)  # lengths are measured between instants, never between readings of a clock


def _iso(value: str, field: str) -> str:
    """Let through `2026-11-30T13:00[:00[.0]]`, with a blank for the T, and with or without an offset; never 24:00."""
    if not _LOCAL.fullmatch(value):
        raise Unreadable(f"{field} is no time: {value[:40]!r}")
    return value.replace(" ", "T")


def _epoch(value: Any, unit: str) -> datetime:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 15:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 10**14:
        raise Unreadable("a time is no number of seconds")
    try:
        read = _EPOCH + timedelta(milliseconds=value if unit == "epoch_ms" else value * 1000)
    except OverflowError:
        raise Unreadable("a time out of reach") from None
    if not limits.is_sane_year(read.year):
        raise Unreadable("a time out of reach")
    return read


def _zone(layout: Layout, document: Any) -> ZoneInfo:
    """Return the zone of a time without an offset: the host's own, the booking's, else the fixed one.

    An hour that comes twice is the first of the two, one that is skipped moves on by the gap.
    """
    zones = layout.settings.booking.time_zone
    host = layout.text(document, "host")
    name = zones.hosts.get(host or "") or zone_of(layout.one(document, "time_zone")) or zones.fixed
    if name is None:
        raise Unreadable("a time without an offset, and booking.time_zone names no zone for it")
    return ZoneInfo(name)


def contact_in(layout: Layout, document: Any) -> Contact:
    """Read who asked; an address or number that is none is left out."""
    email = mail_of(layout.one(document, "email"))
    parts = [plain(follow(document, steps)) or "" for steps in layout.paths["name"] if steps]
    name = storable(" ".join(part for part in parts if part), "name") or email or ""
    return Contact(name=name[: limits.LINE], email=email, phone=phone_of(layout.one(document, "phone")))


def answers_in(layout: Layout, document: Any) -> tuple[Answer, ...]:
    """Read the answers: a list of {question, answer}, or a map of names to values or to {value: …}."""
    found = [*_listed(layout, document), *_mapped(layout, document)][: limits.ANSWERS]
    return tuple(Answer(question=asked[: limits.LINE], answer=said[: limits.TEXT]) for asked, said in found if said)


def _listed(layout: Layout, document: Any) -> list[tuple[str, str]]:
    question, answer = (read_path(getattr(layout.settings.answers, name)) for name in ("question", "answer"))
    listed = [obj(one) for one in rows(layout.one(document, "list"))]
    return [(_said(follow(one, question)), _said(follow(one, answer))) for one in listed]


def _mapped(layout: Layout, document: Any) -> list[tuple[str, str]]:
    return [(str(name), _said(value)) for name, value in obj(layout.one(document, "map")).items()]


def _said(value: Any) -> str:
    """Write an answer as text; several come as lines, and an object counts by its `value`."""
    if isinstance(value, dict):
        value = value.get("value")
    if isinstance(value, list):
        return "\n".join(filter(None, map(_said, value)))
    return storable(plain(value) or "", "an answer")


def _external_id(layout: Layout, document: Any) -> str | None:
    for steps in layout.paths["external_id"]:
        value = follow(document, steps)
        if isinstance(value, str) and value:
            return storable(value, "external_id")[: limits.LINE]
    return None
