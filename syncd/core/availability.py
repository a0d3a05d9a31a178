"""What time of a host may be booked: one arithmetic for the page, the API, a booking, a move and a reassignment.

Seconds since the epoch and bytes, because this is the hot path: a host is one byte per candidate start, and how many
hosts are free is one addition of long integers.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import chain, compress
from operator import attrgetter

from syncd.core.event_type import Assignment, EventType
from syncd.core.hours import booking_window_end, day_interval, local_day
from syncd.core.ids import AgentId
from syncd.core.interval import Interval
from syncd.core.visit import Slot

Seconds = tuple[int, int]  # from, to: half-open, UTC epoch seconds

BYTE = 255  # what a byte can count to
ALWAYS = -(1 << 62)  # seconds before everything, and after
NEVER = (1 << 62, 1 << 62)
SECOND = timedelta(seconds=1)
START_OF = attrgetter("interval.start")  # of a slot


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTime:
    """One agent's time around the window that is looked at.

    `open` is sorted and does not overlap: the grid of starts is counted from the beginning of each interval, and a
    visit may run on from one into the next where they touch. `busy` are strangers' blocks, `holds` the guards of
    other visits, both sorted; blocks may overlap one another. `counts` are the agent's visits of the event type per
    local day, for the daily cap.
    """

    agent: AgentId
    open: Sequence[Seconds]
    busy: Sequence[Seconds]
    holds: Sequence[Seconds]
    closed: str | None = None  # why the busy time is not known; such a host is not offered
    counts: Mapping[date, int]


@dataclass(frozen=True, slots=True)
class FreeStarts:
    """The starts on one host's grid, and a byte for each: 1 where it is free, 0 where it is taken.

    It says nothing of notice and window, which depend on the present; so it may be kept for as long as the host's
    hours, blocks, holds and counts stay as they are.
    """

    starts: tuple[int, ...]
    free: bytes


# --- what is listed -------------------------------------------------------------------------------------------------


def slots(
    event_type: EventType,
    hosts: Sequence[HostTime],
    window: Interval,
    now: datetime,
    zone: str,
    holidays: frozenset[str] = frozenset(),
) -> list[Slot]:
    """List the slots that start in the window and may be booked now, by start."""
    free = [free_starts(event_type, host, zone) if host.closed is None else None for host in hosts]
    last = booking_window_end(event_type.window, now, zone, holidays)
    return listed(event_type, free_slots(event_type, free), window, now, zone, last)


def listed(
    event_type: EventType,
    free: Sequence[Slot],
    window: Interval,
    now: datetime,
    zone: str,
    last: datetime,
) -> list[Slot]:
    """Cut free slots, by start, down to those in the window that may be booked now; nothing from `last` on may."""
    first, end = max(window.start, _earliest(event_type, now, zone)), min(window.end, last)
    low = bisect_left(free, first, key=START_OF)
    return list(free[low : bisect_left(free, end, low, key=START_OF)])


def free_slots(event_type: EventType, hosts: Sequence[FreeStarts | None]) -> list[Slot]:
    """List every slot for which hosts are free, by start; None stands for a host who is closed.

    Like the free starts themselves this may be kept: it does not know the present.
    """
    needed = len(hosts) if event_type.assignment is Assignment.COLLECTIVE else 1
    length = _whole(event_type.duration)
    counts = _counted([host for host in hosts if host is not None])
    return [_slot(start, length, free) for start, free in counts if free >= needed]


def _counted(hosts: Sequence[FreeStarts]) -> Iterable[tuple[int, int]]:
    """Return each start that is free with the number of hosts, by start."""
    grids: dict[int, list[FreeStarts]] = {}
    for host in hosts:
        grids.setdefault(id(host.starts), []).append(host)
    parts = [_counted_on_grid(alike[at : at + BYTE]) for alike in grids.values() for at in range(0, len(alike), BYTE)]
    if len(parts) == 1:
        return parts[0]
    counts: Counter[int] = Counter()
    for part in parts:
        counts.update(dict(part))
    return sorted(counts.items())


def _counted_on_grid(hosts: Sequence[FreeStarts]) -> Iterable[tuple[int, int]]:
    """Do it for up to 255 hosts who share a grid: their bytes, read as long integers, are added all at once."""
    starts = hosts[0].starts
    total = sum(int.from_bytes(host.free, "little") for host in hosts)
    counts = total.to_bytes(len(starts), "little")
    return zip(compress(starts, counts), filter(None, counts), strict=True)


def free_starts(event_type: EventType, host: HostTime, zone: str) -> FreeStarts:
    """Work out which starts on a host's grid meet no block, no hold and no full day."""
    grid = _grid_of(event_type, tuple(host.open))
    free = (
        bytearray(len(grid.starts)) if event_type.daily_cap == 0 else _free(grid, sorted(chain(host.busy, host.holds)))
    )
    for day in _full_days(event_type, host.counts):
        low, high = (bisect_left(grid.starts, moment) for moment in day_interval(day, zone).epoch)
        free[low:high] = bytes(high - low)
    return FreeStarts(grid.starts, bytes(free))


def _free(grid: "_Grid", taken: Iterable[Seconds]) -> bytearray:
    """Mark the starts whose visit with its buffers overlaps none of these, given by start; touching is free.

    One walk along both: of all that begins before a guard ends, only the last end can be in the way.
    """
    free: list[bool] = []
    spans = iter(taken)
    begin, end = next(spans, NEVER)
    reach = ALWAYS
    for since, until in grid.guards:
        while begin < until:
            if end > reach:
                reach = end
            begin, end = next(spans, NEVER)
        free.append(reach <= since)
    return bytearray(free)


@dataclass(frozen=True, slots=True)
class _Grid:
    """Candidate starts, and for each what a visit there takes with its buffers."""

    starts: tuple[int, ...]
    guards: tuple[Seconds, ...]


def _grid_of(event_type: EventType, spans: tuple[Seconds, ...]) -> _Grid:
    before, after = _whole(event_type.buffer_before), _whole(event_type.buffer_after)
    return _grid(spans, _whole(event_type.duration), _whole(event_type.increment), before, after)


@lru_cache(maxsize=64)
def _grid(spans: tuple[Seconds, ...], length: int, step: int, before: int, after: int) -> _Grid:
    """List the starts whose visit lies inside open hours: every increment from the beginning of each interval.

    Hosts with the same hours are handed the same one; that is how `_counted` knows them.
    """
    reached = zip(spans, _reaches(spans), strict=True)
    starts = tuple(
        chain.from_iterable(range(begin, min(end, reach - length + 1), step) for (begin, end), reach in reached)
    )
    return _Grid(starts, tuple((start - before, start + length + after) for start in starts))


def _reaches(spans: Sequence[Seconds]) -> list[int]:
    """Return for each open interval where the open time that goes on from it ends."""
    reaches: list[int] = []
    following: Seconds | None = None
    for begin, end in reversed(spans):
        reaches.append(reaches[-1] if following is not None and following[0] == end else end)
        following = (begin, end)
    return reaches[::-1]


def _full_days(event_type: EventType, counts: Mapping[date, int]) -> list[date]:
    return [day for day in counts if _is_full(event_type, counts, day)]


def _is_full(event_type: EventType, counts: Mapping[date, int], day: date) -> bool:
    return event_type.daily_cap is not None and counts.get(day, 0) >= event_type.daily_cap


@lru_cache(maxsize=16384)
def _slot(start: int, length: int, hosts_free: int) -> Slot:
    return Slot(interval=Interval.of_epoch(start, start + length), hosts_free=hosts_free)


# --- what is accepted -----------------------------------------------------------------------------------------------


def bookable(
    event_type: EventType,
    host: HostTime,
    start: datetime,
    now: datetime,
    zone: str,
    holidays: frozenset[str] = frozenset(),
) -> str | None:
    """Say why the host cannot take a visit at this start, None where nothing speaks against it.

    The host's own obstacles are told first: where notice or the grid is the only one, the time itself is free.
    """
    interval = Interval(start, start + event_type.duration)
    if _meets(event_type, interval, host.holds):
        return "slot_taken"
    if _meets(event_type, interval, host.busy):
        return "busy"
    if host.closed is not None:
        return "unknown"
    if _is_full(event_type, host.counts, local_day(start, zone)):
        return "limit"
    if not _is_open(host.open, interval):
        return "hours"
    if not _on_grid(event_type, host.open, start):
        return "not_offered"
    return _too_early_or_late(event_type, start, now, zone, holidays)


def policy_reason(
    event_type: EventType,
    host: HostTime,
    interval: Interval,
    booked_at: datetime,
    zone: str,
    holidays: frozenset[str] = frozenset(),
) -> str | None:
    """Say which rule a booking breaks that a scheduler made, judged by when it was booked; None where it keeps all.

    What a person must act on comes first. The grid is the scheduler's own, and a host whose busy time is not known
    is no fault of the booking.
    """
    if _meets(event_type, interval, host.busy):
        return "busy"
    if _is_full(event_type, host.counts, local_day(interval.start, zone)):
        return "limit"
    if not _is_open(host.open, interval):
        return "hours"
    return _too_early_or_late(event_type, interval.start, booked_at, zone, holidays)


def _too_early_or_late(
    event_type: EventType, start: datetime, now: datetime, zone: str, holidays: frozenset[str]
) -> str | None:
    if start < now + event_type.minimum_notice:
        return "notice"
    if start < _earliest(event_type, now, zone):
        return "same_day"
    if start >= booking_window_end(event_type.window, now, zone, holidays):
        return "window"
    return None


def _earliest(event_type: EventType, now: datetime, zone: str) -> datetime:
    """Return the first moment that keeps the notice and, where the same day is closed, is not today (C7)."""
    notice = now + event_type.minimum_notice
    if event_type.same_day:
        return notice
    return max(notice, day_interval(local_day(now, zone), zone).end)


def _meets(event_type: EventType, interval: Interval, taken: Sequence[Seconds]) -> bool:
    """Tell whether a visit with its buffers overlaps any of these; touching is not overlapping."""
    begin = _round_down(interval.start - event_type.buffer_before)
    end = _round_up(interval.end + event_type.buffer_after)
    return any(begin < until and since < end for since, until in taken)


def _is_open(spans: Sequence[Seconds], interval: Interval) -> bool:
    """Tell whether a visit lies inside open hours; its buffers need not."""
    begin, end = _round_down(interval.start), _round_up(interval.end)
    return any(
        since <= begin < until and end <= reach for (since, until), reach in zip(spans, _reaches(spans), strict=True)
    )


def _on_grid(event_type: EventType, spans: Sequence[Seconds], start: datetime) -> bool:
    moment, step = _round_down(start), _whole(event_type.increment)
    return start.microsecond == 0 and any(
        since <= moment < until and (moment - since) % step == 0 for since, until in spans
    )


def _whole(length: timedelta) -> int:
    return length // SECOND


def _round_down(moment: datetime) -> int:
    return int(moment.replace(microsecond=0).timestamp())


def _round_up(moment: datetime) -> int:
    return _round_down(moment) + (moment.microsecond > 0)
