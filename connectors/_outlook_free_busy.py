"""The last look at calendars just before a write: getSchedule for mailboxes, the calendar itself for the others.

Where anything goes wrong the answer is "unknown", which is never free.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from connectors._outlook_event import Json, Reader, text
from connectors._outlook_graph import Graph, Place, items_of
from connectors._outlook_reading import Reading
from syncd.core.busy import BusyPolicy, blocks
from syncd.core.interval import Interval, merge
from syncd.errors import ConnectorError
from syncd.ports import CalendarUse, FreeBusy

TOGETHER = 20  # schedules in one question
LONGEST = timedelta(days=31)
STEP = 30  # minutes of the availability view, which is not read
FREE = frozenset({"free", "workingelsewhere"})
Busy = Sequence[Interval] | None


class OutlookFreeBusy(FreeBusy):
    """Busy time as Exchange tells it now."""

    def __init__(self, graph: Graph, use: CalendarUse) -> None:
        self.graph, self.use = graph, use

    def busy(self, names: Sequence[str], window: Interval) -> Mapping[str, Busy]:
        plain = [name for name in dict.fromkeys(names) if "/" not in name]
        found: dict[str, Busy] = {}
        for start in range(0, len(plain), TOGETHER):
            found |= self._schedules(plain[start : start + TOGETHER], window)
        return found | {name: self._calendar(name, window) for name in names if "/" in name}

    # ------------------------------------------------------------------------------------------- mailboxes

    def _schedules(self, names: Sequence[str], window: Interval) -> dict[str, Busy]:
        """Ask month by month; one month that is unknown makes the whole window so."""
        months = [self._month(names, one) for one in _months(window)]
        return {name: _together([month.get(name) for month in months]) for name in names}

    def _month(self, names: Sequence[str], window: Interval) -> dict[str, Busy]:
        wanted = {
            "Schedules": list(names),
            "StartTime": _time(window.start),
            "EndTime": _time(window.end),
            "AvailabilityViewInterval": STEP,
        }
        place = Place(mailbox=names[0])
        try:
            answer = self.graph.ask(
                names[0], "POST", f"{place.user}/calendar/getSchedule", body=wanted, ok=(200,), idempotent=True
            )
            items = items_of(answer.json()) if isinstance(answer.json(), dict) else []
        except ConnectorError:
            return {}
        told = {text(one, "scheduleId").casefold(): one for one in items}
        return {name: self._items(told.get(name.casefold()), window) for name in names}

    def _items(self, schedule: Json | None, window: Interval) -> Busy:
        """Return the busy time of one schedule; an error beside it, or no list at all, is unknown."""
        listed = schedule.get("scheduleItems") if schedule is not None else None
        if schedule is None or schedule.get("error") is not None or not isinstance(listed, list):
            return None
        reader = Reader(self.use.time_zone, (), window)
        busy = [one for one in listed if isinstance(one, dict) and text(one, "status").lower() not in FREE]
        times = [reader.interval(one) for one in busy]
        return merge(one for one in times if one is not None and one.overlaps(window))

    # ------------------------------------------------------------------------------------------- other calendars

    def _calendar(self, name: str, window: Interval) -> Busy:
        use = CalendarUse(name=name, time_zone=self.use.time_zone, emails=self.use.emails)
        try:
            pages = list(Reading(self.graph, use).changes(None, window, {}))
        except ConnectorError:
            return None
        read = [one for page in pages for one in page.changed]
        if any(one.problem is not None for one in read):
            return None
        events = [event for one in read for event in one.events if blocks(event, BusyPolicy())]
        return merge(one.interval for one in events if one.interval is not None)


def _months(window: Interval) -> Iterator[Interval]:
    start = window.start
    while start < window.end:
        yield Interval(start, min(start + LONGEST, window.end))
        start += LONGEST


def _together(parts: Sequence[Busy]) -> Busy:
    known = [part for part in parts if part is not None]
    return merge(one for part in known for one in part) if len(known) == len(parts) else None


def _time(moment: datetime) -> dict[str, Any]:
    return {"dateTime": moment.strftime("%Y-%m-%dT%H:%M:%S"), "timeZone": "UTC"}
