"""The time that blocks take, packed by period: what a question for slots reads instead of thousands of rows.

Worked out from the blocks in the transaction that changes them, never the other way round.
"""

import struct
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import chain
from operator import itemgetter

from syncd.core.ids import CalendarId
from syncd.store.engine import Db

Span = tuple[int, int]  # from, to: half-open, UTC epoch seconds
Part = tuple[int, int]  # period, and 1 for all-day blocks

PERIOD = 1 << 21  # seconds, some 24 days: a question reads two or three, a change writes one anew


class BusyTime:
    """The busy time of one transaction."""

    def __init__(self, db: Db) -> None:
        self._db = db

    def spans(self, calendars: Sequence[CalendarId], window: Span, *, all_day: bool) -> dict[CalendarId, list[Span]]:
        """Return for each calendar the time that blocks take, as far as it overlaps the window, by start."""
        start, end = window
        wanted = {"start_at": start, "last": (end - 1) // PERIOD, "all_day": int(all_day)}
        found: dict[CalendarId, list[tuple[int, bytes]]] = {one: [] for one in calendars}
        for name, whole_days, packed in self._db.tuples("busy_between", calendars=calendars, **wanted):
            found[name].append((whole_days, packed))
        return {one: _within(_in_order(parts), window) for one, parts in found.items()}

    def renew(self, calendar_id: int, periods: Iterable[int]) -> None:
        """Work out anew what the blocks take that begin in these periods."""
        for period in sorted(periods):
            self._db.run("busy_drop", calendar_id=calendar_id, period=period)
            limits = {"start_at": period * PERIOD, "end_at": (period + 1) * PERIOD}
            blocks = self._db.tuples("blocks_starting", calendar_id=calendar_id, **limits)
            for (_, all_day), spans in taken(blocks).items():
                values = {"until": spans[-1][1], "spans": pack(spans)}
                self._db.run("busy_put", calendar_id=calendar_id, period=period, all_day=all_day, **values)

    def is_true(self, calendar_id: int) -> bool:
        """Tell whether the busy time of a calendar is what its blocks take."""
        kept = self._db.tuples("busy_of", calendar_id=calendar_id)
        blocks = self._db.tuples("blocks_starting", calendar_id=calendar_id, start_at=-(1 << 62), end_at=1 << 62)
        true = {(*part, spans[-1][1], pack(spans)) for part, spans in taken(blocks).items()}
        return set(kept) == true


def taken(blocks: Iterable[tuple[int, int, int]]) -> dict[Part, list[Span]]:
    """Return what blocks take, given as (start, end, all day) by start: in each period spans that are apart."""
    found: dict[Part, list[Span]] = {}
    for start, end, all_day in blocks:
        spans = found.setdefault((start // PERIOD, all_day), [])
        if not spans or start > spans[-1][1]:
            spans.append((start, end))
        elif end > spans[-1][1]:
            spans[-1] = (spans[-1][0], end)
    return found


def pack(spans: Sequence[Span]) -> bytes:
    """Return the spans as eight bytes for each moment, the same on every machine."""
    return struct.pack(f"<{2 * len(spans)}q", *chain.from_iterable(spans))


def unpack(packed: bytes) -> list[Span]:
    moments = iter(struct.unpack(f"<{len(packed) // 8}q", packed))
    return list(zip(moments, moments, strict=True))


def _in_order(parts: Sequence[tuple[int, bytes]]) -> list[Span]:
    """Put periods together, which come in order, those of all-day blocks last."""
    spans = unpack(b"".join(packed for _, packed in parts))
    if any(whole_days for whole_days, _ in parts):
        spans.sort()
    return spans


def _within(spans: list[Span], window: Span) -> list[Span]:
    """Leave out what does not overlap the window; of those that begin before it, some may reach in."""
    low, high = (bisect_left(spans, moment, key=itemgetter(0)) for moment in window)
    return [one for one in spans[:low] if one[1] > window[0]] + spans[low:high]
