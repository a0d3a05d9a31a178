"""iCalendar text to the entries it means for an agent's time: one resource of a calendar in, its instances out.

Hostile text is the normal case. Whatever cannot be understood, is larger than any agenda needs, or would take long
makes a `problem`: the calendar then needs attention and its agent is closed, never free.
"""

import functools
import itertools
import operator
from collections.abc import Callable
from datetime import timedelta, tzinfo
from functools import partial

from connectors._lines import Component, Malformed, components, plain, split
from connectors._moments import VALUES, Moment, Period, Span, read_length, read_moment, read_periods, span_between
from connectors._recur import Steps, read_rule
from connectors._series import Entry, Series
from connectors._signals import free_busy_signals, signals_of
from connectors._zones import Zones
from syncd.core.busy import RemoteEvent
from syncd.core.interval import Interval
from syncd.core.limits import LONGEST_WINDOW
from syncd.ports import CalendarUse, Resource

BYTES = 512 * 2**10  # of one resource (H91)
INSTANCES = 5_000  # of one resource
RULES = 16  # of one entry
UID = 1_024  # characters (H62)
_DAY = timedelta(days=1)
_KINDS = frozenset({"VEVENT", "VTIMEZONE", "VTODO", "VJOURNAL", "VALARM"})  # known; all but the first take no time
_RECURRENCE = frozenset({"RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID"})
_MARKS = frozenset({"X-SYNCD-SUBJECT", "X-SYNCD-GENERATION", "X-SYNCD-MIRROR"})
_START = operator.attrgetter("start")
_Make = Callable[..., RemoteEvent]


def read_resource(body: bytes, *, remote_id: str, etag: str, window: Interval, use: CalendarUse) -> Resource:
    """Read one calendar resource: an entry with its overrides, all its instances that overlap the window.

    Several UIDs are all read, the first one names the resource. Raises Unreadable for what is no iCalendar at all
    (a login page); everything else that is wrong becomes the resource's `problem`. The window is 400 days at most.
    """
    if window.length > LONGEST_WINDOW:
        raise ValueError(f"a window of {window.length.days} days is longer than {LONGEST_WINDOW.days}")
    uid = ""
    try:
        if len(body) > BYTES:
            raise Malformed(f"the entry is larger than {BYTES // 1024} KiB")
        found = components(body)
        uid = next((one for one in (component.value("UID") for component in found) if one), "")
        if len(uid) > UID:
            uid = ""
            raise Malformed(f"the UID is longer than {UID} characters")
        return _Reading(found, window, use).resource(remote_id, uid, etag)
    except (ValueError, OverflowError) as error:
        return Resource(remote_id=remote_id, uid=uid, etag=etag, problem=str(error))


class _Reading:
    """One resource while it is read: its zones, its notes, and what its rules may still cost."""

    def __init__(self, found: list[Component], window: Interval, use: CalendarUse) -> None:
        self.found, self.window = found, window
        self.zones = Zones(use.time_zone, found)
        self.notes = self.zones.notes
        self.emails = _lowered(use.emails)
        self.steps = Steps()

    def resource(self, remote_id: str, uid: str, etag: str) -> Resource:
        """Return the whole reading; raises ValueError for what cannot be understood."""
        if all(one.kind == "VTIMEZONE" for one in self.found):
            raise Malformed("the text holds no entry")
        known = partial(RemoteEvent, remote_id=remote_id, etag=etag)
        series = self._series()
        events = [event for one in series for event in self._instances(one, known)]
        for component in self.found:
            if component.kind == "VFREEBUSY":
                events += self._busy_times(component, known)
            elif component.kind not in _KINDS:
                self._note(f"what stands in a {component.kind[:30]!r} is not read")
        if len(events) > INSTANCES:
            raise Malformed(f"it has more than {INSTANCES} instances")
        return Resource(
            remote_id=remote_id,
            uid=uid,
            etag=etag,
            events=tuple(events),
            recurring=any(one.recurring for one in series),
            notes=tuple(self.notes),
        )

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _series(self) -> list[Series]:
        """Group the entries by UID; those without one stand each for itself."""
        groups: dict[str, list[Entry]] = {}
        for number, component in enumerate(self.found):
            if component.kind == "VEVENT":
                groups.setdefault(component.value("UID") or f"\n{number}", []).append(self._entry(component))
        return [Series(entries, self.zones, self.steps) for entries in groups.values()]

    def _entry(self, component: Component) -> Entry:
        start = read_moment(_required(component, "DTSTART"), self.zones)
        signals = signals_of(component, self.emails, self.notes)
        entry = Entry(component=component, start=start, span=Span(), signals=signals)
        if not _RECURRENCE.isdisjoint(component.lines):
            self._recurrence(component, entry)
        entry.start, entry.span = self._extent(component, entry)
        return entry

    def _recurrence(self, component: Component, entry: Entry) -> None:
        """Fill in what makes an entry a series, or a change of one."""
        zone = entry.start.zone
        if len(component.all("RRULE")) > RULES:
            raise Malformed(f"an entry has more than {RULES} rules")
        entry.rules = [read_rule(split(line)[1]) for line in dict.fromkeys(component.all("RRULE")) if len(line) > 1]
        entry.extra = self._listed(component, "RDATE", zone)
        entry.gone = [period.start for period in self._listed(component, "EXDATE", zone)]
        if "EXRULE" in component.lines:
            self._note("EXRULE is not read: the times it would leave out stay busy")
        line = _one(component, "RECURRENCE-ID")
        if line is not None:
            entry.replaces = read_moment(line, self.zones, zone)
            entry.onwards = split(line)[0].get("RANGE", "").upper() == "THISANDFUTURE"
            entry.rules, entry.extra, entry.gone = (), (), ()  # a change of an instance does not recur by itself

    def _listed(self, component: Component, name: str, zone: tzinfo) -> list[Period]:
        periods: list[Period] = []
        for line in component.all(name):
            periods += read_periods(line, self.zones, zone)
            if len(periods) > VALUES:
                raise Malformed(f"an entry lists more than {VALUES} dates")
        return periods

    def _extent(self, component: Component, entry: Entry) -> tuple[Moment, Span]:
        """Return where an entry starts and how long it takes; of DTEND and DURATION, where both stand, the longer."""
        start, spans = entry.start, []
        if (line := _one(component, "DTEND")) is not None:
            end = read_moment(line, self.zones, start.zone)
            if end.is_day and not start.is_day:
                end = Moment(end.local if end.local > start.local else end.local + _DAY, start.zone, False)
            start, end = self._in_order(start, end) if not (entry.rules or entry.extra) else (start, end)
            spans.append(span_between(start, end))
        if (line := _one(component, "DURATION")) is not None:
            spans.append(read_length(split(line)[1]))
        if start.is_day:  # a day at least, as every program shows it
            spans = [span._replace(nominal=max(span.nominal, _DAY)) for span in spans or [Span()]]
        if len(spans) < 2:
            return start, spans[0] if spans else Span()
        return start, max(spans, key=lambda span: span.end(start.local, start.zone, start.instant))

    def _in_order(self, start: Moment, end: Moment) -> tuple[Moment, Moment]:
        """Turn round an entry that ends before it starts. A series is not turned: its instances would move."""
        ordered = end.local >= start.local if start.zone is end.zone else end.instant >= start.instant
        if ordered:
            return start, end
        self._note("an entry ends before it starts: the time between is busy")
        return end, start

    def _instances(self, series: Series, known: _Make) -> list[RemoteEvent]:
        """Turn a series' instances into what the core knows, in order of time."""
        instances = sorted(itertools.islice(series.instances(self.window), INSTANCES + 1), key=_START)
        makers: dict[int, _Make] = {}
        events = []
        for entry, name, start, end in instances:
            make = makers.get(id(entry))
            if make is None:
                make = makers[id(entry)] = _maker(entry, known)
            events.append(make(recurrence_id=name, interval=Interval(start, end) if start < end else None))
        return events

    def _busy_times(self, component: Component, known: _Make) -> list[RemoteEvent]:
        """Read a VFREEBUSY: each of its periods is an instance."""
        uid = component.value("UID") or ""
        events = []
        for line in component.all("FREEBUSY"):
            signals = free_busy_signals(line, self.notes)
            for start, span in read_periods(line, self.zones):
                instant = start.instant
                end = instant if span is None else span.end(start.local, start.zone, instant)
                if max(instant, self.window.start) < min(end, self.window.end):
                    interval = Interval(instant, end)
                    events.append(known(uid=uid, recurrence_id=start.name, interval=interval, signals=signals))
        return events


@functools.lru_cache(maxsize=512)
def _lowered(emails: frozenset[str]) -> frozenset[str]:
    return frozenset(email.lower() for email in emails)


def _maker(entry: Entry, known: _Make) -> _Make:
    """Fix what all instances of an entry have in common."""
    component = entry.component
    make = partial(known, uid=component.value("UID") or "", all_day=entry.start.is_day, signals=entry.signals)
    return make if _MARKS.isdisjoint(component.lines) else partial(make, **_marks(component))


def _marks(component: Component) -> dict[str, str | bool | None]:
    """Return our marks. The texts beside them are kept of our own entries only."""
    marks: dict[str, str | bool | None] = {
        "generation": component.value("X-SYNCD-GENERATION"),
        "copied": "X-SYNCD-MIRROR" in component.lines,
    }
    tag = component.value("X-SYNCD-SUBJECT")
    if tag is not None:
        texts = {"title": component.value("SUMMARY"), "location": component.value("LOCATION")}
        marks |= {"tag": plain(tag)} | {name: plain(text or "") for name, text in texts.items()}
    return marks


def _one(component: Component, name: str) -> str | None:
    """Return the line of a property that may stand once; raises Malformed where it stands twice and differently."""
    lines = component.lines.get(name)
    if lines is None:
        return None
    if len(lines) > 1 and any(line != lines[0] for line in lines):
        raise Malformed(f"{name} stands twice in an entry")
    return lines[0]


def _required(component: Component, name: str) -> str:
    line = _one(component, name)
    if line is None:
        raise Malformed(f"an entry has no {name}")
    return line
