"""DATE, DATE-TIME, DURATION and PERIOD values to moments and spans; knows no entries.

A moment keeps its local time beside its zone, because rules repeat local times and only then become instants.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from connectors._lines import Malformed, split
from connectors._zones import Zones
from syncd.core.limits import LAST_YEAR

EARLIEST = 1600  # birthdays without a year are written as 1604; nothing older repeats into anybody's agenda
LONGEST = timedelta(days=36_600)
VALUES = 5_000  # dates listed in one entry (H89)
_LENGTH = re.compile(
    r"([+-]?)P(?:([0-9]{1,7})W)?(?:([0-9]{1,7})D)?(?:T(?:([0-9]{1,7})H)?(?:([0-9]{1,7})M)?(?:([0-9]{1,9})S)?)?",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOCAL_EPOCH = _EPOCH.replace(tzinfo=None)
_DAY = timedelta(days=1)
_ZERO = timedelta(0)


class Moment(NamedTuple):
    """A day (its local midnight) or a time, in a zone."""

    local: datetime  # naive
    zone: tzinfo
    is_day: bool

    @property
    def instant(self) -> datetime:
        """The UTC instant."""
        return instant_of(self.local, self.zone)

    @property
    def name(self) -> str:
        """The one spelling of a RECURRENCE-ID: the day, or the instant in UTC."""
        return self.local.date().isoformat() if self.is_day else self.instant.isoformat()


def instant_of(local: datetime, zone: tzinfo) -> datetime:
    """Return a local time as a UTC instant (gaps and repeated hours: see _zones). The quickest way to say it."""
    return _EPOCH + (local - (zone.utcoffset(local) or _ZERO) - _LOCAL_EPOCH)


class Span(NamedTuple):
    """How long an instance takes: nominal days on the wall clock, then elapsed time; never less than `least`."""

    nominal: timedelta = _ZERO
    elapsed: timedelta = _ZERO
    least: timedelta = _ZERO

    def end(self, local: datetime, zone: tzinfo, instant: datetime) -> datetime:
        """Return the instant at which what starts at a local time (which is `instant`) ends."""
        if not self.nominal:
            return instant + max(self.elapsed, self.least)
        return max(instant_of(local + self.nominal, zone) + self.elapsed, instant + self.least)

    @property
    def longest(self) -> timedelta:
        return max(self.nominal + self.elapsed, self.least) + _DAY


class Period(NamedTuple):
    """A moment and, where it brings its own, its span."""

    start: Moment
    span: Span | None


def read_moment(line: str, zones: Zones, beside: tzinfo | None = None) -> Moment:
    """Read a property's line (from ';' or ':' on). A floating time is read in the zone `beside`, else as at home."""
    parameters, value = split(line)
    return moment_of(value, parameters.get("TZID"), zones, beside, is_day=parameters.get("VALUE", "").upper() == "DATE")


def moment_of(text: str, zone: str | None, zones: Zones, beside: tzinfo | None, *, is_day: bool = False) -> Moment:
    """Read one value; the form decides, and VALUE=DATE on a time asks for its day."""
    text = text.strip().upper()
    if len(text) == 8:
        return Moment(_time(text), beside or zones.home, True)
    if len(text) not in (15, 16) or text[8] != "T":
        raise Malformed(f"{text[:20]!r} is not a date or a time")
    local = _time(text)
    if is_day:
        return Moment(local.replace(hour=0, minute=0, second=0, tzinfo=None), beside or zones.home, True)
    if local.tzinfo is not None:
        return Moment(local.astimezone(UTC).replace(tzinfo=None), UTC, False)
    return Moment(local, zones.of(zone, beside), False)


def _time(text: str) -> datetime:
    if not text[:8].isdigit():
        raise Malformed(f"{text[:20]!r} is not a date or a time")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Malformed(f"{text[:20]!r} is not a date or a time that exists") from error
    if not EARLIEST <= moment.year <= LAST_YEAR:
        raise Malformed(f"the year {moment.year} is not in anybody's agenda")
    return moment


def read_periods(line: str, zones: Zones, beside: tzinfo | None = None) -> list[Period]:
    """Read a line that lists dates, times or periods (RDATE, EXDATE, FREEBUSY); an empty one lists nothing."""
    parameters, value = split(line)
    texts = [text for text in value.split(",", VALUES + 1) if text.strip()]
    if len(texts) > VALUES:
        raise Malformed(f"an entry lists more than {VALUES} dates")
    zone, is_day = parameters.get("TZID"), parameters.get("VALUE", "").upper() == "DATE"
    return [_period(text, zone, zones, beside, is_day=is_day) for text in texts]


def _period(text: str, zone: str | None, zones: Zones, beside: tzinfo | None, *, is_day: bool) -> Period:
    first, slash, second = text.partition("/")
    start = moment_of(first, zone, zones, beside, is_day=is_day)
    if not slash:
        return Period(start, None)
    if second.strip().upper().startswith(("P", "+P", "-P")):
        return Period(start, read_length(second))
    end = moment_of(second, zone, zones, beside)
    return Period(start, span_between(start, end))


def span_between(start: Moment, end: Moment) -> Span:
    """Return the span of an entry with both ends; raises Malformed where the end comes first.

    RFC 5545 gives all instances of a series the same elapsed time, programs show the same end on the wall clock:
    where the two differ (a night in which clocks change), the later end counts. More busy wins.
    """
    if start.is_day and end.is_day:
        if end.local < start.local:
            raise Malformed("an entry ends before it starts")
        return Span(nominal=end.local - start.local)
    elapsed = nominal = end.local - start.local
    if start.zone is not end.zone or start.zone is not UTC:
        instant = end.instant
        elapsed = instant - start.instant
        if start.zone is not end.zone:
            nominal = instant.astimezone(start.zone).replace(tzinfo=None) - start.local
    if elapsed <= _ZERO < nominal:
        elapsed = nominal  # it starts in a gap, which moved it behind its own end
    if elapsed < _ZERO or elapsed > LONGEST:
        raise Malformed("an entry ends before it starts, or lasts for more than a century")
    if start.zone is UTC:
        return Span(elapsed=elapsed)
    return Span(nominal=max(nominal, _ZERO), least=elapsed)


def read_length(text: str) -> Span:
    """Read a DURATION: weeks and days are nominal, the rest is elapsed time (RFC 5545, 3.8.2.5; H97)."""
    match = _LENGTH.fullmatch(text.strip().upper())
    if match is None or not any(match.groups()[1:]):
        raise Malformed(f"{text[:20]!r} is not a duration")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups()[1:])
    nominal = timedelta(weeks=weeks, days=days)
    elapsed = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if nominal + elapsed > LONGEST or (match[1] == "-" and nominal + elapsed > _ZERO):
        raise Malformed(f"a duration of {text.strip()[:20]} is not read")
    return Span(nominal=nominal, elapsed=elapsed)
