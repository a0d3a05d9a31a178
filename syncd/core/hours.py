"""When an agent works, as rules on the wall clock; the only file that knows daylight saving time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time

from syncd.core.ids import HoursId

Span = tuple[time, time]  # wall clock, end exclusive; 24:00 is written time.max
Week = tuple[tuple[Span, ...], ...]  # seven days, Monday first


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingHours:
    """Weekly hours in a zone, with dated changes (from that day on), single days and holidays.

    Precedence for one day: `dates`, then `holidays` (closed), then the weekly hours in force on that day.
    """

    id: HoursId
    time_zone: str
    weekly: Week
    changes: tuple[tuple[date, Week], ...] = ()  # sorted by day
    dates: Mapping[date, tuple[Span, ...]] = field(default_factory=dict)
    holidays: frozenset[date] = frozenset()
