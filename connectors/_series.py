"""One series: a master entry and what changes single instances of it; yields the instances that touch a window.

Where the truths disagree, more busy wins: DTSTART counts though its rule leaves it out, UNTIL as a day lasts until
that day's end, an instance that an override moves to where the series has none stays, and so does an override that
EXDATE names, unless the master is the newer revision.
"""

import operator
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from connectors._lines import Component, Malformed
from connectors._moments import Moment, Period, Span, instant_of, moment_of
from connectors._recur import Rule, Steps, occurrences
from connectors._zones import Zones
from syncd.core.busy import Signal
from syncd.core.interval import Interval

_DAY = timedelta(days=1)
_ZERO = timedelta(0)
_ORIGINAL = operator.attrgetter("original")
_BEGINNING = datetime.fromisoformat("1600-01-01")  # a local time has no zone


@dataclass(slots=True, kw_only=True)
class Entry:
    """One VEVENT, read."""

    component: Component
    start: Moment
    span: Span
    signals: frozenset[Signal]
    rules: Sequence[Rule] = ()
    extra: Sequence[Period] = ()  # RDATE
    gone: Sequence[Moment] = ()  # EXDATE
    replaces: Moment | None = None  # RECURRENCE-ID
    onwards: bool = False  # RANGE=THISANDFUTURE

    @property
    def sequence(self) -> int:
        """SEQUENCE; what is not a number counts as the first revision."""
        text = self.component.value("SEQUENCE") or "0"
        return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else 0

    def revision(self) -> tuple[int, str, str]:
        """Return what tells the newer of two that stand for the same; the text decides between equals (H95)."""
        return self.sequence, self.component.value("DTSTAMP") or "", repr(sorted(self.component.lines.items()))


class Move(NamedTuple):
    """What a RANGE=THISANDFUTURE does: from an original start on, instances are shifted and look like its entry."""

    original: datetime
    shift: timedelta  # on the wall clock
    entry: Entry


class Instance(NamedTuple):
    """One time an entry takes."""

    entry: Entry
    name: str  # where the series had it, "" where there is none
    start: datetime
    end: datetime


@dataclass(slots=True)
class Originals:
    """A set of original starts, in every spelling they come in: instants, and days for all-day or careless ones."""

    home: tzinfo
    instants: set[datetime] = field(default_factory=set)
    days: set[date] = field(default_factory=set)

    def add(self, moment: Moment, *, all_day: bool) -> None:
        if moment.is_day or all_day:
            self.days.add(_day(moment, self.home))
        else:
            self.instants.add(moment.instant)

    def has(self, moment: Moment) -> bool:
        return moment.local.date() in self.days or moment.instant in self.instants


class Series:
    """The entries of one UID."""

    def __init__(self, entries: Sequence[Entry], zones: Zones, steps: Steps) -> None:
        self._zones, self._steps = zones, steps
        self._overrides: list[Entry] = []
        self._onwards: list[Move] = []
        self._master: Entry | None = entries[0]
        if len(entries) > 1 or entries[0].replaces is not None:
            self._sort_out(entries)

    def _sort_out(self, entries: Sequence[Entry]) -> None:
        """Tell the master from its overrides, and the newest of each."""
        masters = [entry for entry in entries if entry.replaces is None]
        self._master = _newest(masters) if masters else None
        self._overrides = self._current([entry for entry in entries if entry.replaces is not None])
        self._onwards = sorted(self._moves(), key=_ORIGINAL)

    @property
    def recurring(self) -> bool:
        master = self._master
        return bool(self._overrides) or (master is not None and bool(master.rules or master.extra))

    def _current(self, overrides: Sequence[Entry]) -> list[Entry]:
        """Keep the newest override of each original start; drop what a newer master has deleted."""
        by_original: dict[tuple[datetime, bool], list[Entry]] = {}
        for entry in overrides:
            by_original.setdefault((_replaced(entry).instant, _replaced(entry).is_day), []).append(entry)
        newest, master = [_newest(same) for same in by_original.values()], self._master
        if master is None or not master.gone:
            return newest
        gone = self._excluded(master)
        return [entry for entry in newest if entry.sequence >= master.sequence or not gone.has(_replaced(entry))]

    def _moves(self) -> Iterator[Move]:
        """Yield what each RANGE=THISANDFUTURE does to the instances after it."""
        if self._master is None:
            return
        start = self._master.start
        for entry in self._overrides:
            if entry.onwards:
                original = _like(start, _replaced(entry))
                moved = _local(entry.start, start.zone)
                yield Move(instant_of(original, start.zone), moved - original, entry)

    def _excluded(self, master: Entry) -> Originals:
        gone = Originals(self._zones.home)
        for moment in master.gone:
            gone.add(moment, all_day=master.start.is_day)
        return gone

    def instances(self, window: Interval) -> Iterator[Instance]:
        """Yield the instances that overlap the window, those of zero length that start in it too. In no order."""
        for entry in self._overrides:
            yield from _single(entry, _replaced(entry).name, window)
        if self._master is not None:
            yield from self._repeated(self._master, window) if self.recurring else _single(self._master, "", window)

    def _repeated(self, master: Entry, window: Interval) -> Iterator[Instance]:
        """Expand the master. Of two instances with one original start (an RDATE with a period) the longer counts."""
        gone = self._excluded(master)
        for entry in self._overrides:
            gone.add(_replaced(entry), all_day=master.start.is_day)
        found: dict[datetime, tuple[Entry, datetime, datetime]] = {}
        for local, span in self._originals(master, window):
            original = instant_of(local, master.start.zone)
            if original in gone.instants or (gone.days and local.date() in gone.days):
                continue
            one = self._placed(master, local, original, span)
            if original not in found or found[original][2] < one[2]:
                found[original] = one
        low, high, is_day = window.start, window.end, master.start.is_day
        for original, (entry, start, end) in found.items():
            if start < high and (end > low or start == end >= low):
                local_name = original.astimezone(master.start.zone).date() if is_day else original
                yield Instance(entry, local_name.isoformat(), start, end)

    def _placed(
        self, master: Entry, local: datetime, original: datetime, span: Span | None
    ) -> tuple[Entry, datetime, datetime]:
        """Return where an original start takes place, with what a RANGE=THISANDFUTURE before it changed."""
        entry, zone, start = master, master.start.zone, original
        place = bisect_right(self._onwards, original, key=_ORIGINAL)
        if place:
            _, shift, entry = self._onwards[place - 1]
            local += shift
            start = instant_of(local, zone)
        return entry, start, (span or entry.span).end(local, zone, start)

    def _originals(self, master: Entry, window: Interval) -> Iterator[tuple[datetime, Span | None]]:
        """Yield the local original starts from which an instance may reach the window, each with a span of its own."""
        start, zone = master.start, master.start.zone
        for period in master.extra:
            yield _like(start, period.start), period.span
        yield start.local, None
        low, high = self._bounds(master, window)
        for rule in master.rules:
            until, last = _until(rule, start, self._zones)
            end = high if until is None else min(high, until)
            for local in occurrences(rule, start.local, low, end, days_only=start.is_day, steps=self._steps):
                if last is None or instant_of(local, zone) <= last:
                    yield local, None

    def _bounds(self, master: Entry, window: Interval) -> tuple[datetime, datetime]:
        """Return between which local times an instance starts that overlaps the window, shifts considered."""
        zone = master.start.zone
        shifts = [_ZERO, *(move.shift for move in self._onwards)]
        longest = max(entry.span.longest for entry in (master, *(move.entry for move in self._onwards)))
        low = window.start.astimezone(zone).replace(tzinfo=None) - longest - max(shifts) - _DAY
        high = window.end.astimezone(zone).replace(tzinfo=None) - min(shifts) + _DAY
        return max(low, _BEGINNING), high


def _newest(entries: Sequence[Entry]) -> Entry:
    return max(entries, key=Entry.revision) if len(entries) > 1 else entries[0]


def _replaced(entry: Entry) -> Moment:
    if entry.replaces is None:
        raise Malformed("an override names no instance")
    return entry.replaces


def _single(entry: Entry, name: str, window: Interval) -> Iterator[Instance]:
    """Yield the one instance of an entry that does not repeat, where it overlaps the window."""
    start = entry.start.instant
    end = entry.span.end(entry.start.local, entry.start.zone, start)
    if start < window.end and (end > window.start or start == end >= window.start):
        yield Instance(entry, name, start, end)


def _local(moment: Moment, zone: tzinfo) -> datetime:
    if moment.is_day or moment.zone is zone:
        return moment.local
    return moment.instant.astimezone(zone).replace(tzinfo=None)


def _like(start: Moment, moment: Moment) -> datetime:
    """Return a moment's local time as DTSTART has it: a day takes the time of day of DTSTART, a time its day."""
    if start.is_day:
        return datetime.combine(_day(moment, start.zone), time())
    if moment.is_day:
        return datetime.combine(moment.local.date(), start.local.time())
    return _local(moment, start.zone)


def _day(moment: Moment, home: tzinfo) -> date:
    """Return the day as written; UTC that is midnight at home means the day at home."""
    if moment.zone is UTC:
        local = moment.instant.astimezone(home)
        if (local.hour, local.minute) == (0, 0):
            return local.date()
    return moment.local.date()


def _until(rule: Rule, start: Moment, zones: Zones) -> tuple[datetime | None, datetime | None]:
    """Return a rule's last local time, a day more where the zone could matter, and then also its last instant."""
    if rule.until is None:
        return None, None
    if re.fullmatch(r"9999[0-9]{4}(T[0-9]{6}Z?)?", rule.until):  # how some write "for ever"
        return None, None
    until = moment_of(rule.until, None, zones, start.zone)
    if start.is_day:
        days = [until.local, until.instant.astimezone(start.zone).replace(tzinfo=None)]
        return max(day.replace(hour=0, minute=0, second=0) for day in days), None
    if until.is_day:
        return until.local + _DAY - timedelta(seconds=1), None
    return until.instant.astimezone(start.zone).replace(tzinfo=None) + _DAY, until.instant
