"""The kinds of values a configuration holds beyond TOML's own: durations, times of day, zones, addresses.

Each reader takes what the file says and returns the value, or raises ValueError saying what to write instead.
"""

import difflib
import functools
import ipaddress
import itertools
import re
from datetime import date, time, timedelta
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from syncd.config.problems import listed, quoted
from syncd.core import limits
from syncd.core.directory import Anchor, MessageTime
from syncd.core.event_type import Window
from syncd.core.hours import Span
from syncd.core.template import VARIABLES

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
DURATION_PATTERN = r"^\d{1,6}[smhdw]$"
_DURATION = re.compile(r"(\d{1,6}) ?([smhdw])", re.ASCII)
_BUSINESS = re.compile(r"(\d{1,3}) business days?", re.ASCII)
_SPAN = re.compile(r"(\d\d:\d\d) ?[-–] ?(\d\d:\d\d)", re.ASCII)
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)", re.ASCII)
_WHEN = re.compile(r"(?P<by>\d{1,6}[smhdw]) (?P<way>before|after) (?P<anchor>booking|start)", re.ASCII)
_HOLE = re.compile(r"\{\{(.*?)\}\}")
_EMAIL = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+\.[^\s@<>,;:\"()\[\]\\]+")
_PHONE = re.compile(r"\+?[0-9 ()./-]{6,40}")
_COLOR = re.compile(r"(#[0-9A-Fa-f]{6})?")
_LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})", re.ASCII)


def text_of(value: Any, example: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"should be text in quotes, for instance {example}")
    return value


def read_duration(value: Any) -> timedelta:
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(text_of(value, '"30m" or "12h"').strip())
    if match is None:
        raise ValueError(f'{quoted(value)} is no duration; write a whole number with s, m, h, d or w: "30m", "12h"')
    length = timedelta(**{UNITS[match[2]]: int(match[1])})
    if length > timedelta(days=3660):
        raise ValueError(f"{quoted(value)} is longer than ten years")
    return length


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError('should be longer than nothing, for instance "20m"')
    return value


def read_window(value: Any) -> Window:
    """Read "15 business days" or a duration; at most 400 days."""
    if isinstance(value, Window):
        return value
    match = _BUSINESS.fullmatch(text_of(value, '"15 business days" or "60d"').strip())
    try:
        window = Window(business_days=int(match[1])) if match else Window(ahead=read_duration(value))
    except ValueError:
        raise ValueError(f'{quoted(value)} is no window; write "15 business days" or a duration: "60d"') from None
    length = window.ahead or timedelta(days=(window.business_days or 0) * 7 / 5)
    if not timedelta(0) < length <= limits.LONGEST_WINDOW:
        raise ValueError(f"{quoted(value)} should be between one day and {limits.LONGEST_WINDOW.days} days")
    return window


def read_clock(text: str) -> time:
    """Read "09:30"; "24:00" is the end of the day."""
    if text == "24:00":
        return time.max
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise ValueError(f'{quoted(text)} is no time of day; write "09:30"')
    return time(int(match[1]), int(match[2]))


def read_span(value: Any) -> Span:
    if isinstance(value, tuple):
        return value
    match = _SPAN.fullmatch(text_of(value, '"09:00-13:00"').strip())
    if match is None:
        raise ValueError(f'{quoted(value)} is no span of a day; write "09:00-13:00"')
    start, end = read_clock(match[1]), read_clock(match[2])
    if end <= start:
        raise ValueError(f'{quoted(value)} ends before it starts; past midnight, write two days: "20:00-24:00"')
    return start, end


def read_spans(value: Any) -> tuple[Span, ...]:
    """Read the spans of one day, in order; overlapping ones are refused."""
    if isinstance(value, tuple):
        return value
    if not isinstance(value, list):
        raise ValueError('should be a list of spans: ["09:00-13:00", "14:00-18:00"]; [] means closed')
    spans = tuple(sorted(read_span(one) for one in value))
    for earlier, later in itertools.pairwise(spans):
        if later[0] < earlier[1]:
            raise ValueError(f"{later[0]:%H:%M} lies inside the span that begins at {earlier[0]:%H:%M}; join them")
    return spans


def read_quiet(value: Any) -> tuple[time, time]:
    """Read "21:00-08:00", which may span midnight."""
    if isinstance(value, tuple):
        return value
    match = _SPAN.fullmatch(text_of(value, '"21:00-08:00"').strip())
    if match is None or match[1] == match[2]:
        raise ValueError(f'{quoted(value)} are no quiet hours; write "21:00-08:00"')
    return read_clock(match[1]), read_clock(match[2])


def read_day(value: Any) -> date:
    """Read a day, in quotes or as TOML's own date."""
    if type(value) is date:
        found = value
    else:
        try:
            found = date.fromisoformat(text_of(value, '"2026-12-24"'))
        except ValueError:
            raise ValueError(f'{quoted(value)} is no day; write "2026-12-24"') from None
    if not limits.is_sane_year(found.year):
        raise ValueError(f"{found} is not between {limits.FIRST_YEAR} and {limits.LAST_YEAR}")
    return found


@functools.cache
def zones() -> frozenset[str]:
    return frozenset(available_timezones())


def read_zone(value: Any) -> str:
    name = text_of(value, '"America/Santiago"')
    if name in zones() and not name.startswith(("posix", "right")):
        ZoneInfo(name)
        return name
    near = difflib.get_close_matches(name, zones(), 1, 0.6) or [
        zone for zone in sorted(zones()) if zone.casefold().endswith("/" + name.casefold().replace(" ", "_"))
    ]
    advice = f"did you mean {quoted(near[0])}?" if near else 'write a name such as "America/Santiago"'
    raise ValueError(f"{quoted(name)} is no time zone; {advice}")


def read_locale(value: Any) -> str:
    text = text_of(value, '"es_CL"')
    if not re.fullmatch(r"(es|it|en|de)(_[A-Z]{2})?", text):
        raise ValueError(
            f'{quoted(text)} is not spoken here; write es, it, en or de, with a country if you like: "es_CL"'
        )
    return text


def read_email(value: Any) -> str:
    text = text_of(value, '"ana@example.cl"').strip()
    if len(text) > limits.EMAIL or not _EMAIL.fullmatch(text):
        raise ValueError(f'{quoted(text)} is no e-mail address; write "ana@example.cl"')
    return text


def read_phone(value: Any) -> str:
    text = text_of(value, '"+56 9 1234 5678"').strip()
    if not _PHONE.fullmatch(text):
        raise ValueError(f'{quoted(text)} is no telephone number; write "+56 9 1234 5678"')
    return text


def read_color(value: Any) -> str:
    text = text_of(value, '"#3366cc"')
    if not _COLOR.fullmatch(text):
        raise ValueError(f'{quoted(text)} is no colour; write "#3366cc"')
    return text


def split_address(text: str) -> SplitResult | None:
    """Split an http(s) address, None for what is none."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    return parts if good and text.isascii() and not re.search(r"[\s\\]", text) else None


def is_near(address: str) -> bool:
    """Tell whether a URL or "host:port" names this very machine."""
    host = urlsplit(address if "://" in address else f"//{address}").hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def read_url(value: Any) -> str:
    """Read an http(s) address without user, query or fragment; the slash at its end is taken off."""
    text = text_of(value, '"https://visitas.example.cl"')
    parts = split_address(text)
    if parts is None:
        raise ValueError(f'{quoted(text)} is no address; write "https://visitas.example.cl"')
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("should be an address without user name, query or fragment")
    return text.rstrip("/")


def read_listen(value: Any) -> str:
    text = text_of(value, '"127.0.0.1:8420"')
    match = _LISTEN.fullmatch(text)
    if match is None or int(match[2]) > 65535:
        raise ValueError(f'{quoted(text)} is no address to listen on; write "127.0.0.1:8420" or "[::1]:8420"')
    return text


def read_network(value: Any) -> str:
    text = text_of(value, '"127.0.0.1" or "10.0.0.0/24"')
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise ValueError(f'{quoted(text)} is no address or network; write "127.0.0.1" or "10.0.0.0/24"') from None
    return text


def read_template(value: Any) -> str:
    """Read a text with `{{ holes }}`; a hole that nothing fills is refused."""
    text = text_of(value, '"Visita {{ proyecto }}"')
    for hole in _HOLE.findall(text):
        name = hole.strip()
        if name not in VARIABLES:
            near = difflib.get_close_matches(name.casefold(), sorted(VARIABLES), 1, 0.6)
            advice = f"did you mean {{{{ {near[0]} }}}}?" if near else f"known: {listed(_variables())}"
            raise ValueError(f"nothing fills {{{{ {name} }}}}; {advice}")
    if re.search(r"\{\{|\}\}", _HOLE.sub("", text)):
        raise ValueError("has a variable that is not closed; write {{ proyecto }}")
    return text


def _variables() -> list[str]:
    return [*sorted(one for one in VARIABLES if not one.startswith("respuesta_")), "respuesta_1", "… respuesta_10"]


def read_message_time(value: Any) -> MessageTime:
    """Read "at booking", "10m after booking", "1d before start", "5m after start" or "08:00 on the day"."""
    if isinstance(value, MessageTime):
        return value
    text = text_of(value, '"1d before start"').strip()
    if text == "at booking":
        return MessageTime(anchor=Anchor.BOOKING)
    if text.endswith(" on the day"):
        return MessageTime(anchor=Anchor.DAY, at=read_clock(text.removesuffix(" on the day")))
    match = _WHEN.fullmatch(text)
    if match is None or (match["way"], match["anchor"]) == ("before", "booking"):
        raise ValueError(
            f'{quoted(text)} is no moment; write "at booking", "10m after booking", "1d before start", '
            '"5m after start" or "08:00 on the day"'
        )
    offset = read_duration(match["by"])
    return MessageTime(anchor=Anchor(match["anchor"]), offset=-offset if match["way"] == "before" else offset)


def _schema(pattern: str | None, *examples: str) -> WithJsonSchema:
    shape: dict[str, Any] = {"type": "string", "examples": list(examples)}
    return WithJsonSchema(shape | ({"pattern": pattern} if pattern else {}))


Duration = Annotated[timedelta, BeforeValidator(read_duration), _schema(DURATION_PATTERN, "30m", "12h")]
Length = Annotated[
    timedelta,
    Field(gt=timedelta(0)),
    BeforeValidator(lambda value: _positive(read_duration(value))),
    _schema(DURATION_PATTERN, "20m"),
]
BookingWindow = Annotated[
    Window,
    BeforeValidator(read_window),
    _schema(r"^\d{1,6}[smhdw]$|^\d{1,3} business days?$", "15 business days", "60d"),
]
Spans = Annotated[
    tuple[Span, ...],
    BeforeValidator(read_spans),
    WithJsonSchema({"type": "array", "items": {"type": "string", "pattern": r"^\d\d:\d\d ?[-–] ?\d\d:\d\d$"}}),
]
QuietHours = Annotated[
    tuple[time, time], BeforeValidator(read_quiet), _schema(r"^\d\d:\d\d ?[-–] ?\d\d:\d\d$", "21:00-08:00")
]
Day = Annotated[date, BeforeValidator(read_day), _schema(r"^\d{4}-\d\d-\d\d$", "2026-12-24")]
Zone = Annotated[str, BeforeValidator(read_zone), _schema(None, "America/Santiago")]
Locale = Annotated[str, BeforeValidator(read_locale), _schema(r"^(es|it|en|de)(_[A-Z]{2})?$", "es_CL")]
Email = Annotated[str, BeforeValidator(read_email), _schema(None, "ana@example.cl")]
Phone = Annotated[str, BeforeValidator(read_phone), _schema(None, "+56 9 1234 5678")]
Color = Annotated[str, BeforeValidator(read_color), _schema(r"^(#[0-9A-Fa-f]{6})?$", "#3366cc")]
Url = Annotated[str, BeforeValidator(read_url), _schema(r"^https?://", "https://visitas.example.cl")]
Listen = Annotated[str, BeforeValidator(read_listen), _schema(None, "127.0.0.1:8420")]
Network = Annotated[str, BeforeValidator(read_network), _schema(None, "127.0.0.1")]
Template = Annotated[str, BeforeValidator(read_template), _schema(None, "Visita {{ proyecto }}")]
When = Annotated[MessageTime, BeforeValidator(read_message_time), _schema(None, "1d before start", "08:00 on the day")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=limits.LINE)]
Text = Annotated[str, StringConstraints(max_length=limits.TEXT)]
