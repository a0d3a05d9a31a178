"""Half-open UTC intervals, the only form in which time is compared."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """Time from `start` up to, not including, `end`; both aware and kept in UTC, `start` < `end`."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("an interval needs aware datetimes")
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        object.__setattr__(self, "end", self.end.astimezone(UTC))
        if self.start >= self.end:
            raise ValueError(f"an interval ends after it starts: {self.start} .. {self.end}")

    @classmethod
    def of_epoch(cls, start: int, end: int) -> "Interval":
        """Make an interval from UTC epoch seconds."""
        return cls(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC))

    @property
    def epoch(self) -> tuple[int, int]:
        """Start and end as whole UTC epoch seconds."""
        return int(self.start.timestamp()), int(self.end.timestamp())

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def overlaps(self, other: "Interval") -> bool:
        """Tell whether the two share an instant; touching is not sharing."""
        return self.start < other.end and other.start < self.end

    def contains(self, other: "Interval") -> bool:
        return self.start <= other.start and other.end <= self.end

    def clip(self, window: "Interval") -> "Interval | None":
        """Return the part inside `window`, None where there is none."""
        start, end = max(self.start, window.start), min(self.end, window.end)
        return Interval(start, end) if start < end else None

    def pad(self, before: timedelta, after: timedelta) -> "Interval":
        return Interval(self.start - before, self.end + after)

    def shift(self, by: timedelta) -> "Interval":
        return Interval(self.start + by, self.end + by)


def merge(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the same instants as sorted intervals that neither overlap nor touch."""
    merged: list[Interval] = []
    for one in sorted(intervals):
        if merged and one.start <= merged[-1].end:
            if one.end > merged[-1].end:
                merged[-1] = Interval(merged[-1].start, one.end)
        else:
            merged.append(one)
    return merged


def subtract(whole: Iterable[Interval], holes: Iterable[Interval]) -> list[Interval]:
    """Return what is left of `whole` without the instants of `holes`, merged and sorted."""
    left: list[Interval] = []
    taken = merge(holes)
    first = 0
    for one in merge(whole):
        start = one.start
        while first < len(taken) and taken[first].end <= start:
            first += 1
        at = first
        while at < len(taken) and taken[at].start < one.end:
            if start < taken[at].start:
                left.append(Interval(start, taken[at].start))
            start = max(start, taken[at].end)
            at += 1
        if start < one.end:
            left.append(Interval(start, one.end))
    return left
