"""The kinds of value that the API takes: instants with an offset, clean text, addresses. Limits: core.limits."""

import re
from datetime import date, datetime, time
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, StringConstraints, WithJsonSchema

from syncd.core import limits
from syncd.ical import lines, one_line
from syncd.identity import read_email

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.0{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def read_moment(value: object) -> datetime:
    """Read RFC 3339 text with an offset; whole seconds, no leap second, no 24:00 (write the next day's 00:00)."""
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("must be RFC 3339 text in whole seconds with an offset, such as 2026-12-01T09:00:00-03:00")
    moment = datetime.fromisoformat(value.upper().replace(" ", "T"))
    offset = moment.utcoffset()
    if offset is None or abs(offset) > limits.FARTHEST_OFFSET:
        raise ValueError("the offset must be within 14 hours of UTC")
    if not limits.is_sane_year(moment.year):
        raise ValueError(f"the year must lie between {limits.FIRST_YEAR} and {limits.LAST_YEAR}")
    return moment


def read_edge(text: str, zone: str) -> datetime:
    """Read an edge of a window: an instant (its `+` may have become a blank), or a day, which begins at midnight."""
    if not _DAY.fullmatch(text):
        return read_moment(re.sub(r"(?<=\d) (?=\d\d:\d\d$)", "+", text))
    return datetime.combine(read_day(text), time(), ZoneInfo(zone))


def read_day(value: object) -> date:
    """Read a day, such as 2026-12-01."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("must be a day, such as 2026-12-01")
    day = date.fromisoformat(value)
    if not limits.is_sane_year(day.year):
        raise ValueError(f"the year must lie between {limits.FIRST_YEAR} and {limits.LAST_YEAR}")
    return day


def _line(value: str) -> str:
    if _CONTROL.search(value) or "\n" in value or "\r" in value:
        raise ValueError("must be one line without control characters")
    return one_line(value)


def _name(value: str) -> str:
    cleaned = _line(value)
    if not cleaned:
        raise ValueError("must not be empty")
    return cleaned


def _text(value: str) -> str:
    if _CONTROL.search(value):
        raise ValueError("must not hold control characters")
    return lines(value)


def _id(value: str) -> str:
    if value != _line(value):
        raise ValueError("must be one line without blanks at its ends, control or direction marks")
    return value


Moment = Annotated[datetime, BeforeValidator(read_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
Day = Annotated[date, BeforeValidator(read_day), WithJsonSchema({"type": "string", "format": "date"})]
Id = Annotated[str, StringConstraints(min_length=1, max_length=limits.ID), AfterValidator(_id)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=limits.LINE), AfterValidator(_name)]
Line = Annotated[str, StringConstraints(max_length=limits.LINE), AfterValidator(_line)]
Text = Annotated[str, StringConstraints(max_length=limits.TEXT), AfterValidator(_text)]
Email = Annotated[str, StringConstraints(max_length=limits.EMAIL), AfterValidator(read_email)]
Phone = Annotated[str, StringConstraints(max_length=limits.PHONE), AfterValidator(_line)]
