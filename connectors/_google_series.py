"""Google's entries to the instances they mean: single ones, and a series from its master and its exceptions.

Google tells a series as a master with iCalendar rules and as one entry per changed or cancelled instance, each with the
start it had before. They are expanded here by the same code that expands iCalendar, so that providers agree (S12).
"""

import hashlib
import itertools
import operator
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any

from connectors._google_event import Json, extent_of, marks_of, moment_of, signals_of, text_of, uid_of
from connectors._ical import INSTANCES, RULES
from connectors._lines import Component, Malformed, split
from connectors._moments import VALUES, Moment, Period, read_periods
from connectors._recur import Steps, read_rule
from connectors._series import Entry, Instance, Series
from connectors._zones import Zones
from syncd.core.busy import RemoteEvent, Signal
from syncd.core.interval import Interval
from syncd.ports import Resource

LINES = 200  # of `recurrence` in one entry
_LINE = re.compile(r"([A-Za-z]{1,20})([;:].*)", re.DOTALL)
_Make = Callable[..., RemoteEvent]


class Reader:
    """Reads entries of one calendar: its zone, the agent's addresses, the window, and the notes made on the way."""

    def __init__(self, zone: str, emails: Collection[str], window: Interval) -> None:
        self.zone, self.emails, self.window = zone, frozenset(one.lower() for one in emails), window
        self.notes: list[str] = []

    def single(self, event: Json) -> Resource:
        """Read one entry that does not repeat."""
        return self._guarded(text_of(event, "id"), self.etag_of(event), [event], self._single)

    def series(self, series_id: str, parts: Sequence[Json]) -> Resource:
        """Read a series: its master, where we may see it, and its exceptions."""
        return self._guarded(series_id, self.etag_of_series(parts), parts, partial(self._series, series_id))

    def etag_of(self, event: Json) -> str:
        """Return what changes when the reading of a single entry would: for days, the calendar's zone does too."""
        start = event.get("start")
        is_day = isinstance(start, dict) and "date" in start
        return f"{text_of(event, 'etag')}{f' {self.zone}' if is_day else ''}"

    def etag_of_series(self, parts: Sequence[Json]) -> str:
        told = sorted(f"{text_of(one, 'id')} {text_of(one, 'etag')} {text_of(one, 'status')}" for one in parts)
        return f"series {hashlib.sha256('|'.join([self.zone, *told]).encode()).hexdigest()[:32]}"

    def _guarded(
        self,
        remote_id: str,
        etag: str,
        parts: Sequence[Json],
        read: Callable[[Sequence[Json], Zones], Sequence[RemoteEvent]],
    ) -> Resource:
        """Read; what cannot be understood is this entry's problem, and closes its agent, not the whole reading."""
        zones = Zones(self.zone)
        uid = next((uid for one in parts if (uid := uid_of(one))), "")
        made = partial(
            Resource, remote_id=remote_id, uid=uid, etag=etag, recurring=len(parts) > 1 or _repeats(parts[0])
        )
        try:
            events = read(parts, zones)
            if len(events) > INSTANCES:
                raise Malformed(f"it has more than {INSTANCES} instances")
        except (ValueError, OverflowError) as error:
            return made(problem=str(error))
        self.notes += [note for note in zones.notes if note not in self.notes]
        return made(events=tuple(events))

    def _single(self, parts: Sequence[Json], zones: Zones) -> Sequence[RemoteEvent]:
        (event,) = parts
        start, span = extent_of(event, zones)
        begins = start.instant
        ends = span.end(start.local, start.zone, begins)
        if begins >= self.window.end or (ends <= self.window.start and not begins == ends >= self.window.start):
            return ()
        make = self._maker(event, text_of(event, "id"), is_day=start.is_day)
        return (make(interval=Interval(begins, ends) if begins < ends else None),)

    def _maker(self, event: Json, remote_id: str, *, is_day: bool) -> _Make:
        """Fix what all instances of an entry have in common."""
        return partial(
            RemoteEvent,
            remote_id=remote_id,
            uid=uid_of(event),
            etag=text_of(event, "etag"),
            all_day=is_day,
            signals=signals_of(event, self.emails, self.notes),
            **marks_of(event),
        )

    def _series(self, series_id: str, parts: Sequence[Json], zones: Zones) -> Sequence[RemoteEvent]:
        made: dict[int, tuple[Entry, Json]] = {}
        gone: list[Moment] = []
        for event in parts:
            if event.get("status") == "cancelled":
                if "originalStartTime" in event:
                    gone.append(moment_of(event["originalStartTime"], zones, local=True))
                continue
            entry = self._entry(event, zones)
            made[id(entry)] = entry, event
        entries = [entry for entry, _ in made.values()]
        if not entries:
            return ()
        for entry in entries:
            if entry.replaces is None:
                entry.gone = [*entry.gone, *gone]
        found = sorted(self._instances(entries, zones), key=operator.attrgetter("start"))
        makers = {key: self._maker(event, series_id, is_day=entry.start.is_day) for key, (entry, event) in made.items()}
        return [
            makers[id(entry)](recurrence_id=name, interval=Interval(start, end) if start < end else None)
            for entry, name, start, end in found
        ]

    def _instances(self, entries: Sequence[Entry], zones: Zones) -> Iterator[Instance]:
        return itertools.islice(Series(entries, zones, Steps()).instances(self.window), INSTANCES + 1)

    def _entry(self, event: Json, zones: Zones) -> Entry:
        """Turn one part of a series into what the expansion knows."""
        start, span = extent_of(event, zones, local=True)
        component = Component("VEVENT")
        sequence = event.get("sequence")
        component.lines["SEQUENCE"] = [f":{sequence if isinstance(sequence, int) and sequence >= 0 else 0}"]
        signals: frozenset[Signal] = frozenset()  # read by the maker, once for all instances
        entry = Entry(component=component, start=start, span=span, signals=signals)
        if is_exception(event):
            entry.replaces = moment_of(event.get("originalStartTime"), zones, local=True)
        else:
            self._recurrence(event, entry, zones)
        return entry

    def _recurrence(self, event: Json, entry: Entry, zones: Zones) -> None:
        lines = _lines(event)
        rules = dict.fromkeys(split(rest)[1] for name, rest in lines if name == "RRULE")
        if len(rules) > RULES:
            raise Malformed(f"an entry has more than {RULES} rules")
        entry.rules = [read_rule(rule) for rule in rules]
        entry.extra = _listed(lines, "RDATE", zones, entry.start)
        entry.gone = [period.start for period in _listed(lines, "EXDATE", zones, entry.start)]
        if any(name == "EXRULE" for name, _ in lines):
            self._note("EXRULE is not read: the times it would leave out stay busy")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def is_exception(event: Json) -> bool:
    return bool(text_of(event, "recurringEventId"))


def _repeats(event: Json) -> bool:
    return is_exception(event) or bool(event.get("recurrence"))


def _lines(event: Json) -> list[tuple[str, str]]:
    """Return the lines of `recurrence`, each as its name and what follows it."""
    told = event.get("recurrence") or []
    if not isinstance(told, list) or len(told) > LINES or not all(isinstance(one, str) for one in told):
        raise Malformed("the recurrence is not a list of lines")
    found = [_LINE.fullmatch(line) for line in told]
    if not all(found):
        raise Malformed("a line of the recurrence is none of iCalendar")
    lines = [(match[1].upper(), match[2]) for match in found if match is not None]
    if unknown := [name for name, _ in lines if name not in ("RRULE", "RDATE", "EXDATE", "EXRULE")]:
        raise Malformed(f"the recurrence has a line that is not understood ({unknown[0]})")
    return lines


def _listed(lines: Sequence[tuple[str, str]], name: str, zones: Zones, start: Moment) -> list[Period]:
    periods: list[Period] = []
    for _, rest in (line for line in lines if line[0] == name):
        periods += read_periods(rest, zones, start.zone)
        if len(periods) > VALUES:
            raise Malformed(f"an entry lists more than {VALUES} dates")
    return periods


def is_series_part(event: Any) -> bool:
    """Tell whether an entry belongs to a series: its master, or one instance of it."""
    return _repeats(event)
