"""When an agent works, as rules on the wall clock; the only file that knows daylight saving time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from syncd.core.event_type import Window
from syncd.core.ids import HoursId
from syncd.core.interval import Interval
from syncd.core.limits import LONGEST_WINDOW

Span = tuple[time, time]  # wall clock, end exclusive; 24:00 is written time.max
Week = tuple[tuple[Span, ...], ...]  # seven days, Monday first

ONE_DAY = timedelta(days=1)
DAY = 24 * 60 * 60  # seconds on the wall clock of any day
SATURDAY = 5
DAYS_REMEMBERED = 8192  # (day, zone) pairs: more than a year ahead in twenty zones


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


# --- days -----------------------------------------------------------------------------------------------------------


def local_day(moment: datetime, zone: str) -> date:
    """Return the calendar day of a moment in a zone."""
    return moment.astimezone(ZoneInfo(zone)).date()


@lru_cache(maxsize=DAYS_REMEMBERED)
def day_interval(day: date, zone: str) -> Interval:
    """Return the whole of a calendar day in a zone: 23, 24 or 25 hours as a rule.

    Raises ValueError for a day that a zone left out (Samoa had no 2011-12-30).
    """
    return Interval.of_epoch(_midnight(day, zone), _midnight(day + ONE_DAY, zone))


def days_from(first: date, last: date) -> Iterator[date]:
    """Yield every day from `first` to `last`, both included."""
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


@lru_cache(maxsize=DAYS_REMEMBERED)
def _midnight(day: date, zone: str) -> int:
    """Return the first moment of a day in UTC epoch seconds; it need not read 00:00."""
    place = ZoneInfo(zone)
    wall = datetime.combine(day, time())
    guess = int(wall.replace(tzinfo=place).timestamp())  # fold 0: the first of two midnights
    if _wall(guess, place) == wall:
        return guess
    return _first(lambda moment: _wall(moment, place) >= wall, guess - DAY, guess + DAY)


def _wall(moment: int, place: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(moment, place).replace(tzinfo=None)


def _offset(moment: int, place: ZoneInfo) -> int:
    return int((_wall(moment, place).replace(tzinfo=UTC)).timestamp()) - moment


def _first(true: Callable[[int], bool], low: int, high: int) -> int:
    """Return the first second in (low, high] for which `true` holds; it must not hold at `low` and must at `high`."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if true(middle) else (middle, high)
    return high


# --- the wall clock of one day --------------------------------------------------------------------------------------

Stretch = tuple[int, int, int]  # wall seconds from, to, and what to add to make them UTC epoch seconds


@lru_cache(maxsize=DAYS_REMEMBERED)
def _stretches(day: date, zone: str) -> tuple[Stretch, ...]:
    """Return the wall clock of a day as it runs: a minute that does not exist is in no stretch, a repeated one only
    in the stretch where it comes first (S16). A day has at most one change of the clock; one left out has no stretch.
    """
    place = ZoneInfo(zone)
    begin, end = _midnight(day, zone), _midnight(day + ONE_DAY, zone)
    zero = int(datetime.combine(day, time(), UTC).timestamp())
    before, after = _offset(begin, place), _offset(end - 1, place)
    if before == after:
        return ((begin + before - zero, end + before - zero, zero - before),)
    change = _first(lambda moment: _offset(moment, place) == after, begin, end - 1)
    seen = change + before - zero
    early = (begin + before - zero, seen, zero - before)
    late = (max(seen, change + after - zero), end + after - zero, zero - after)
    return tuple(one for one in (early, late) if one[0] < one[1])


def spans_on(hours: WorkingHours, day: date) -> Sequence[Span]:
    """Return the rule that governs a day: `dates`, then `holidays`, then the weekly hours in force (R079)."""
    if day in hours.dates:
        return hours.dates[day]
    if day in hours.holidays:
        return ()
    week = hours.weekly
    for since, changed in hours.changes:
        if since <= day:
            week = changed
    return week[day.weekday()]


def _seconds(wall: time) -> int:
    return DAY if wall == time.max else wall.hour * 3600 + wall.minute * 60 + wall.second


def _joined(spans: Sequence[Span]) -> list[tuple[int, int]]:
    """Return spans as wall seconds, sorted, those that touch or overlap as one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted((_seconds(start), _seconds(end)) for start, end in spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _pieces(spans: Sequence[tuple[int, int]], stretches: Sequence[Stretch]) -> Iterator[tuple[int, int]]:
    """Yield where wall spans lie in UTC epoch seconds, in order."""
    for low, high in spans:
        for begin, end, shift in stretches:
            start, stop = max(low, begin), min(high, end)
            if start < stop:
                yield start + shift, stop + shift


def open_spans(hours: WorkingHours, window: Interval) -> list[tuple[int, int]]:
    """Return the open intervals that meet the window, whole, in UTC epoch seconds, sorted, none overlapping.

    Rules that touch are one interval, past midnight too; only a day that is open from 0 to 24 h begins one of its
    own. So the beginning of an interval, from which the grid of starts is counted, never depends on the window.
    """
    first, last = local_day(window.start, hours.time_zone), local_day(window.end, hours.time_zone)
    found: list[tuple[int, int]] = []
    for day in days_from(first - ONE_DAY, last + ONE_DAY):
        spans = _joined(spans_on(hours, day))
        begins_anew = spans == [(0, DAY)]
        for start, end in _pieces(spans, _stretches(day, hours.time_zone)):
            if found and found[-1][1] == start and not begins_anew:
                found[-1] = (found[-1][0], end)
            else:
                found.append((start, end))
            begins_anew = False
    since, until = window.start.timestamp(), window.end.timestamp()
    return [one for one in found if one[0] < until and since < one[1]]


def open_hours(hours: WorkingHours, window: Interval) -> list[Interval]:
    """Return the same as intervals; see `open_spans`."""
    return [Interval.of_epoch(start, end) for start, end in open_spans(hours, window)]


# --- how far ahead --------------------------------------------------------------------------------------------------


def booking_window_end(window: Window, now: datetime, zone: str, holidays: frozenset[str]) -> datetime:
    """Return the moment from which on nothing may be booked.

    Business days are Monday to Friday without `holidays` (ISO days); the window ends with the N-th one after today
    in the zone, today not counted (R076).
    """
    ends = [now + (window.ahead if window.ahead is not None else LONGEST_WINDOW)]
    if window.business_days is not None:
        last = _business_day(local_day(now, zone), window.business_days, holidays)
        ends.append(day_interval(last, zone).end)
    return min(ends)


@lru_cache(maxsize=1024)
def _business_day(today: date, number: int, holidays: frozenset[str]) -> date:
    """Return the N-th business day after today; today itself where N is 0."""
    day = today
    while number > 0:
        day += ONE_DAY
        number -= day.weekday() < SATURDAY and day.isoformat() not in holidays
    return day
