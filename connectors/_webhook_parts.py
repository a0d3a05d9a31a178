"""The tables inside a webhook account's configuration: how a call proves itself, and where its fields stand."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from connectors._webhook_path import read_path

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_SIZES = {"KiB": 2**10, "MiB": 2**20}
LARGEST = 2**20
FIELDS = (
    "id previous_id next_id start end duration time_zone event_type host updated_at created_at location status "
    "name email phone list map external_id"
).split()


def _duration(value: Any) -> Any:
    match = re.fullmatch(r"([0-9]{1,6})([smhdw])", value) if isinstance(value, str) else None
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else value


def _size(value: Any) -> Any:
    match = re.fullmatch(r"([0-9]{1,6}) ?(KiB|MiB)", value) if isinstance(value, str) else None
    if match is None:
        return value
    return int(match[1]) * _SIZES[match[2]]


def _path(value: str) -> str:
    read_path(value)
    return value


def _zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(f'"{value[:40]}" is no time zone; write one such as "America/Santiago"')
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Size = Annotated[int, BeforeValidator(_size), Field(ge=1024, le=LARGEST)]
Zone = Annotated[str, AfterValidator(_zone)]
Header = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,80}$")]
PathText = Annotated[str, StringConstraints(max_length=300), AfterValidator(_path)]
Meaning = Literal["created", "rescheduled", "upsert", "canceled", "requested", "no_show", "ignore"]
State = Literal["active", "pending", "canceled", "rejected", "no_show"]


class Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Stamp(Table):
    """Where the time of signing stands: a header, or a part of one that reads `k=v,k=v`."""

    header: Header
    part: str = ""


class Signature(Table):
    part: str = ""


class Auth(Table):
    """What proves the sender."""

    mode: Literal["hmac", "token", "none"]
    header: Header | None = None
    secrets: list[SecretStr] = []
    digest: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    signed: str = "{body}"
    timestamp: Stamp | None = None
    signature: Signature = Signature()
    tolerance: Duration | None = None
    allow_unsigned: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.mode == "none":
            if not self.allow_unsigned:
                raise ValueError(
                    'mode = "none" lets anybody call; write allow_unsigned = true beside it if that is meant'
                )
            return self
        if self.header is None:
            raise ValueError("has no header; write the name of the header that proves the sender")
        if not self.secrets or any(not one.get_secret_value().strip() for one in self.secrets):
            raise ValueError("needs secrets, none of them empty: what the sender signs with, or its token")
        return self._signing()

    def _signing(self) -> Self:
        if self.signed.count("{body}") != 1 or set(re.findall(r"\{[^}]*\}", self.signed)) - {"{body}", "{t}"}:
            raise ValueError('signed should hold {body} once, and {t} where the time is signed: "{t}.{body}"')
        if ("{t}" in self.signed) != (self.timestamp is not None):
            raise ValueError("signed names {t} just when timestamp says where it stands")
        if self.tolerance is not None and self.timestamp is None:
            raise ValueError("tolerance needs a timestamp that is signed")
        return self

    @property
    def keys(self) -> list[str]:
        """The secrets in clear; all of them are accepted."""
        return [one.get_secret_value() for one in self.secrets]


class Event(Table):
    """Where the kind of call stands, and what the sender's words mean."""

    path: PathText = ""
    header: Header | None = None
    unknown: Literal["ack", "dead_letter"] = "ack"
    map: dict[str, Meaning] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.path) == (self.header is not None):
            raise ValueError("should say either path or header: where the name of the event stands")
        return self


class TimeZone(Table):
    """The zone of times without an offset: one for all, one told by the booking, or one for each host."""

    fixed: Zone | None = None
    path: PathText = ""
    hosts: dict[str, Zone] = {}


class Host(Table):
    """Who holds the visit: an id or an address, and the link table that says which agent that is."""

    path: PathText
    link: str | None = None


class HeaderName(Table):
    header: Header


class Booking(Table):
    """Paths into a delivery."""

    id: Annotated[PathText, Field(min_length=1)]
    previous_id: PathText = ""
    next_id: PathText = ""
    start: PathText = ""
    end: PathText = ""
    duration: PathText = ""
    duration_unit: Literal["s", "min", "h"] = "min"
    times: Literal["iso", "local", "epoch", "epoch_ms"] = "iso"
    time_zone: TimeZone = TimeZone()
    event_type: PathText = ""
    host: Host | None = None
    updated_at: PathText = ""
    created_at: PathText = ""
    location: PathText = ""
    delivery_id: PathText | HeaderName = ""
    external_id: list[PathText] = []

    @model_validator(mode="after")
    def _zoned(self) -> Self:
        zone = self.time_zone
        if self.times == "local" and not (zone.fixed or zone.path or zone.hosts):
            raise ValueError('tells times without an offset: write time_zone = { fixed = "America/Santiago" }')
        return self


class Status(Table):
    """Where the state of a booking stands, and what the sender's words mean; others are active."""

    path: PathText = ""
    map: dict[str, State] = {}


class ContactPaths(Table):
    """Who asked; several paths of a name are joined by a blank."""

    name: PathText | list[PathText] = ""
    email: PathText = ""
    phone: PathText = ""


class Answers(Table):
    """What was asked: a list of questions with answers, or a map of them."""

    list: PathText = ""
    question: PathText = "question"
    answer: PathText = "answer"
    map: PathText = ""


class Basic(Table):
    user: str
    password: SecretStr


class FetchAuth(Table):
    """How we prove ourselves when we ask."""

    bearer: SecretStr | None = None
    basic: Basic | None = None
    headers: dict[str, str] = {}

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.bearer is not None and self.basic is not None:
            raise ValueError("should say bearer or basic, not both")
        return self


class Fetch(Table):
    """Reading one booking again. `envelope`: where it stands in the answer; `root`: what it stands for in `booking`."""

    url: str
    auth: FetchAuth = FetchAuth()
    envelope: PathText = ""
    root: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{0,60}$")] = ""
    paths: dict[str, PathText] = {}

    @model_validator(mode="after")
    def _names(self) -> Self:
        if self.url.count("{id}") != 1 or "{" in self.url.replace("{id}", ""):
            raise ValueError("url should hold {id} once, where the booking's id belongs")
        wrong = sorted(set(self.paths) - set(FIELDS))
        if wrong:
            raise ValueError(f'paths: "{wrong[0]}" is no field; there are {", ".join(FIELDS)}')
        return self


class Cursor(Table):
    """How pages follow each other: the next one's mark stands at `path` and is asked as `query`; without a path the
    pages are counted from `first`, and a short one is the last."""

    query: str
    path: PathText = ""
    first: int = 1
    size: int = Field(default=100, ge=1, le=1000)


class Poll(Table):
    """Lists of all bookings: the only thing that makes up for a lost call where the sender does not repeat."""

    urls: list[str] = Field(min_length=1)
    items: PathText = ""
    dates: Literal["day", "instant"] = "day"
    cursor: Cursor | None = None


class Cancel(Table):
    """How a booking is cancelled at the scheduler."""

    method: Literal["POST", "PUT", "PATCH", "DELETE"] = "POST"
    url: str
    reason: str = ""
    body: dict[str, str | bool | int] = {}

    @model_validator(mode="after")
    def _id(self) -> Self:
        if self.url.count("{id}") != 1 or "{" in self.url.replace("{id}", ""):
            raise ValueError("url should hold {id} once, where the booking's id belongs")
        return self


class Link(Table):
    """Booking pages, and the names of the query fields that carry our request, the client's name and address."""

    pages: dict[str, str] = {}
    request: str = "utm_content"
    name: str = "name"
    email: str = "email"
