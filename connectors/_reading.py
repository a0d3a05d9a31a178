"""Plain readings of JSON that a stranger wrote: a wrong type or a time that does not exist is Unreadable. Knows no
provider."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from syncd.core import limits
from syncd.core.interval import Interval
from syncd.errors import Unreadable

Json = Mapping[str, Any]

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:?[0-9]{2})")
_ZONE = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}")
_MAIL = re.compile(r"[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f]+@[^\s@<>,;:\"()\[\]\\\x00-\x1f\x7f]+")
_PHONE = re.compile(r"\+?[0-9][0-9 ().-]{5,24}")


def instant(value: object) -> datetime:
    """Read an RFC 3339 instant; its offset is a must (Z, +00:00, +0000), a number is never taken for an epoch."""
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        raise Unreadable(f"not a time: {str(value)[:60]!r}")
    return sane(value)


def sane(value: str) -> datetime:
    """Read ISO 8601 text, with or without an offset; raises Unreadable for a day, hour or year that is none."""
    try:
        read = datetime.fromisoformat(value)
    except ValueError as wrong:
        raise Unreadable(f"no such time: {value[:60]!r}") from wrong
    if not limits.is_sane_year(read.year):
        raise Unreadable(f"a time out of reach: {value[:60]!r}")
    offset = read.utcoffset()
    if offset is not None and abs(offset) > limits.FARTHEST_OFFSET:
        raise Unreadable(f"no place on earth has this offset: {value[:60]!r}")
    return read


def interval_of(start: datetime, end: datetime) -> Interval:
    """Return the time between two aware instants; one that ends when it starts, or lasts for days, is refused."""
    if not timedelta(0) < end - start <= limits.LONGEST_VISIT:
        raise Unreadable(f"a booking from {start.isoformat()} to {end.isoformat()}")
    return Interval(start, end)


def mail_of(value: object) -> str | None:
    """Return an address that mail can be sent to safely, else None."""
    return value if isinstance(value, str) and len(value) <= limits.EMAIL and _MAIL.fullmatch(value) else None


def phone_of(value: object) -> str | None:
    """Return a phone number, None for anything else."""
    return value.strip() if isinstance(value, str) and _PHONE.fullmatch(value.strip()) else None


def zone_of(value: object) -> str | None:
    """Return the name of a zone that exists, else None; no file outside the zones is ever looked at."""
    if not isinstance(value, str) or not _ZONE.fullmatch(value):
        return None
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
    return value


def text(thing: Json, name: str) -> str:
    """Return a text, "" for null or absent. Raises Unreadable for any other type."""
    value = thing.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unreadable(f"{name} is no text")
    return storable(value, name)


def storable(value: str, name: str) -> str:
    """Return the text, which must not hold what no database keeps."""
    if "\0" in value:
        raise Unreadable(f"{name} holds a NUL, which no database keeps")
    return value


def obj(value: object) -> Json:
    """Return an object, an empty one for null. Raises Unreadable for any other type."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unreadable("an object was expected")
    return value


def rows(value: object) -> list[object]:
    """Return a list, an empty one for null. Raises Unreadable for any other type."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unreadable("a list was expected")
    return value
