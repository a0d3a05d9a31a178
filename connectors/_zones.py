"""Names of time zones to zones; knows no entries.

Times become instants by RFC 5545, 3.3.5: a local time that does not exist is read with the offset before the gap, one
that exists twice is its first occurrence. What is unknown is read in the calendar's own zone and noted, never in UTC.
"""

import functools
import zoneinfo
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, tzinfo
from itertools import accumulate, pairwise
from zoneinfo import ZoneInfo

from connectors._lines import Component, plain, split
from connectors._loading import loaded
from connectors._recur import Steps, occurrences, read_rule
from syncd.core.limits import FARTHEST_OFFSET, LAST_YEAR

OBSERVANCES = 200  # of one definition
DEFINITIONS = 8  # looked at in one resource
STEPS = 12_000  # to expand one definition: two yearly rules take about 8,000
_FIRST = datetime.fromisoformat("1970-01-01")  # local times have no zone
_LAST = datetime.fromisoformat(f"{LAST_YEAR + 1}-01-01")
_ZERO = timedelta(0)
Change = tuple[datetime, timedelta, timedelta]  # local time of the old offset, old offset, new offset


class _Unsound(ValueError):
    """A VTIMEZONE that is not used."""


@functools.cache
def _names() -> Mapping[str, str]:
    """Return every zone's name by its name in lower case, Windows names and spellings of UTC included."""
    windows_names = loaded("icalendar", "icalendar.timezone.windows_to_olson").WINDOWS_TO_OLSON  # 0.1 s
    names = {name.lower(): name for name in zoneinfo.available_timezones() if name not in ("Factory", "localtime")}
    windows = {name.lower(): zone for name, zone in windows_names.items() if zone.lower() in names}
    return {**windows, **names, "z": "UTC"}


@functools.lru_cache(maxsize=1024)
def zone_named(name: str) -> ZoneInfo | None:
    """Return the zone of an IANA or Windows name, also behind a prefix as /mozilla.org/…/; None where there is none.

    Only names on the list of zones are looked up, so no name opens a file of its choice (H58).
    """
    name = name.strip().strip('"').lower()
    pieces = name.strip("/").split("/") if name.startswith("/") else [name]
    for first in range(min(len(pieces), 6)):
        known = _names().get("/".join(pieces[first:]))
        if known is not None:
            return ZoneInfo(known)
    return None


class Zones:
    """The zones that one resource names: known ones, those it defines itself, else the calendar's."""

    def __init__(self, home: str, components: Iterable[Component] = ()) -> None:
        self.home = ZoneInfo(home)
        self.notes: list[str] = []
        self._components = components
        self._definitions = 0
        self._found: dict[str, tzinfo] = {}

    def of(self, name: str | None, beside: tzinfo | None = None) -> tzinfo:
        """Return the zone of a TZID. None is a floating time: read beside what it belongs to, else as at home."""
        if name is None:
            return beside if beside is not None else self._floating()
        zone = self._found.get(name)
        if zone is None:
            zone = self._found[name] = zone_named(name) or self._defined(name) or self._unknown(name)
        return zone

    def _floating(self) -> tzinfo:
        self._note(f"times without a time zone are read in {self.home.key}")
        return self.home

    def _unknown(self, name: str) -> tzinfo:
        self._note(f"unknown time zone {name[:60]!r}: read as {self.home.key}")
        return self.home

    def _defined(self, name: str) -> tzinfo | None:
        for one in self._components:
            if one.kind != "VTIMEZONE" or plain(one.value("TZID") or "").strip('"') != name:
                continue
            said = zone_named(one.value("X-LIC-LOCATION") or "")
            if said is not None:
                return said
            self._definitions += 1
            if self._definitions > DEFINITIONS:
                break
            try:
                return defined_zone(_definition(one))
            except ValueError as error:
                self._note(f"the definition of time zone {name[:60]!r} is not used: {error}")
        return None

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


Observance = tuple[str, str, str, tuple[str, ...], tuple[str, ...]]  # DTSTART, from, to, RRULEs, RDATEs


def _definition(component: Component) -> tuple[Observance, ...]:
    """Take from a VTIMEZONE what tells its offsets; raises _Unsound where it is more than a list of those."""
    if any(one.kind not in ("STANDARD", "DAYLIGHT") or one.children for one in component.children):
        raise _Unsound("something other than offsets stands in it")
    if not 0 < len(component.children) <= OBSERVANCES:
        raise _Unsound(f"it has no offsets, or more than {OBSERVANCES}")
    return tuple(_observance(one) for one in component.children)


def _observance(part: Component) -> Observance:
    start, before, after = part.value("DTSTART"), part.value("TZOFFSETFROM"), part.value("TZOFFSETTO")
    lines = [*part.all("DTSTART"), *part.all("RDATE")]
    if start is None or before is None or after is None or any("TZID" in split(line)[0] for line in lines):
        raise _Unsound("an offset lacks its start or refers to a time zone")
    rules = tuple(split(line)[1] for line in part.all("RRULE"))
    return start, before, after, rules, tuple(split(line)[1] for line in part.all("RDATE"))


@functools.lru_cache(maxsize=256)
def defined_zone(observances: tuple[Observance, ...]) -> tzinfo:
    """Return the zone that a VTIMEZONE's offsets describe; raises ValueError when they are not sane (H94)."""
    steps = Steps(STEPS)
    return DefinedZone(tuple(change for one in observances for change in _changes(one, steps)))


def _changes(observance: Observance, steps: Steps) -> Iterable[Change]:
    """Yield when an offset begins, as far as anybody's agenda reaches."""
    start, before, after, rules, extra = observance
    first, old, new = _local(start), _offset(before), _offset(after)
    yield first, old, new
    for line in extra:
        for text in line.split(","):
            yield _local(text), old, new
    for text in rules:
        rule = read_rule(text)
        if rule.freq not in ("YEARLY", "MONTHLY"):
            raise _Unsound("an offset changes more often than monthly")
        until = _local(rule.until) + (old if rule.until.endswith("Z") else _ZERO) if rule.until else _LAST
        high = min(until, _LAST)
        for moment in occurrences(rule, first, max(first, _FIRST), high, steps=steps):
            yield moment, old, new


def _local(text: str) -> datetime:
    """Read a local time of a definition; a trailing Z means nothing there."""
    text = text.strip().upper().removesuffix("Z")
    if len(text) not in (8, 15) or not text[:8].isdigit():
        raise _Unsound("a time in it is not one")
    return datetime.fromisoformat(text)


def _offset(text: str) -> timedelta:
    """Read ±HHMM or ±HHMMSS within the offsets that exist on earth."""
    digits = text[1:]
    if text[:1] not in ("+", "-") or len(digits) not in (4, 6) or not (digits.isascii() and digits.isdigit()):
        raise _Unsound("an offset in it is not one")
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), int(digits[4:] or 0)
    size = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if minutes > 59 or seconds > 59 or size > FARTHEST_OFFSET:
        raise _Unsound("an offset in it exists nowhere on earth")
    return -size if text[0] == "-" else size


class DefinedZone(tzinfo):
    """A zone made of the changes that a calendar wrote down; before the first one its old offset holds."""

    def __init__(self, changes: tuple[Change, ...]) -> None:
        ordered = sorted((local - old, old, new) for local, old, new in changes)
        self._offsets = [ordered[0][1], *(new for _, _, new in ordered)]
        self._instants = [instant for instant, _, _ in ordered]  # naive UTC
        sides = list(zip(self._instants, pairwise(self._offsets), strict=True))
        # Local times from which the new offset holds, for first and for second occurrences; kept in order even where
        # somebody wrote two changes within the hours they move.
        self._first = list(accumulate((instant + max(pair) for instant, pair in sides), max))
        self._second = list(accumulate((instant + min(pair) for instant, pair in sides), max))

    def utcoffset(self, moment: datetime | None) -> timedelta:
        if moment is None:
            return self._offsets[-1]
        starts = self._second if moment.fold else self._first
        return self._offsets[bisect_right(starts, moment.replace(tzinfo=None))]

    def dst(self, _moment: datetime | None) -> timedelta:
        return _ZERO

    def tzname(self, _moment: datetime | None) -> str:
        return "defined"

    def fromutc(self, moment: datetime) -> datetime:
        instant = moment.replace(tzinfo=None)
        place = bisect_right(self._instants, instant)
        local = instant + self._offsets[place]
        again = place > 0 and local < self._first[place - 1]
        return local.replace(tzinfo=self, fold=1 if again else 0)
