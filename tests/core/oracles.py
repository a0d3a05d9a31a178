"""Slow, plain answers to what the core computes fast, minute by minute; they share no code with it."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from syncd.core.availability import HostTime
from syncd.core.event_type import EventType
from syncd.core.hours import WorkingHours

MINUTE = timedelta(minutes=1)
Rule = Callable[[date], Sequence[tuple[time, time]]]


def minutes(start: datetime, end: datetime, step: timedelta = MINUTE) -> Iterator[datetime]:
    moment = start
    while moment < end:
        yield moment
        moment += step


def rule_of(hours: WorkingHours) -> Rule:
    """Read working hours the way a person would: a dated day, else a holiday, else the newest week in force."""

    @lru_cache
    def rule(day: date) -> Sequence[tuple[time, time]]:
        if day in hours.dates:
            return hours.dates[day]
        if day in hours.holidays:
            return ()
        weeks = [(date.min, hours.weekly), *hours.changes]
        return max(((since, week) for since, week in weeks if since <= day), key=lambda one: one[0])[1][day.weekday()]

    return rule


def reads_open(moment: datetime, zone: ZoneInfo, rule: Rule) -> bool:
    """Look at the wall clock: is it within the day's rule, and does it show this minute for the first time?"""
    wall = moment.astimezone(zone)
    return wall.fold == 0 and any(
        start <= wall.time() and (end == time.max or wall.time() < end) for start, end in rule(wall.date())
    )


def open_minutes(start: datetime, end: datetime, hours: WorkingHours, step: timedelta = MINUTE) -> set[datetime]:
    zone, rule = ZoneInfo(hours.time_zone), rule_of(hours)
    return {moment for moment in minutes(start, end, step) if reads_open(moment, zone, rule)}


def transitions(zone_name: str, first_year: int, last_year: int) -> list[datetime]:
    """Return the hours in which the clocks of a zone change, found by looking at every hour."""
    zone = ZoneInfo(zone_name)
    hour = timedelta(hours=1)
    days = minutes(datetime(first_year, 1, 1, tzinfo=UTC), datetime(last_year + 1, 1, 1, tzinfo=UTC), 24 * hour)
    changing = [
        day for day in days if day.astimezone(zone).utcoffset() != (day + 24 * hour).astimezone(zone).utcoffset()
    ]
    return [
        moment
        for day in changing
        for moment in minutes(day, day + 24 * hour, hour)
        if moment.astimezone(zone).utcoffset() != (moment + hour).astimezone(zone).utcoffset()
    ]


def fives(spans: Sequence[tuple[int, int]]) -> set[int]:
    """Return every fifth minute of these spans, in epoch seconds."""
    return {second for begin, end in spans for second in range(begin, end, 300)}


class NaiveHost:
    """Judges one start of one host by looking at every five minutes of it."""

    STEP = timedelta(minutes=5)

    def __init__(self, event_type: EventType, host: HostTime, hours: WorkingHours, zone: str) -> None:
        self.event_type, self.host, self.hours, self.zone = event_type, host, hours, ZoneInfo(zone)
        self.rule, self.place = rule_of(hours), ZoneInfo(hours.time_zone)
        self.known: dict[datetime, bool] = {}
        self.began: dict[datetime, datetime] = {}
        self.held, self.busy = fives(host.holds), fives(host.busy)

    def is_open(self, moment: datetime) -> bool:
        if moment not in self.known:
            self.known[moment] = reads_open(moment, self.place, self.rule)
        return self.known[moment]

    def whole_day(self, day: date) -> bool:
        begin = datetime.combine(day, time(), UTC)
        marks = [(begin + number * self.STEP).time() for number in range(288)]
        return all(any(a <= mark and (b == time.max or mark < b) for a, b in self.rule(day)) for mark in marks)

    def begins(self, moment: datetime) -> bool:
        """A grid begins where open time begins, and at the first moment of a day that is open throughout."""
        if not self.is_open(moment - self.STEP):
            return True
        today = moment.astimezone(self.place).date()
        return (moment - self.STEP).astimezone(self.place).date() != today and self.whole_day(today)

    def grid_began(self, start: datetime) -> datetime:
        """Walk back to where the grid of a start begins; what was found on the way is remembered."""
        passed = []
        moment = start
        while moment not in self.began and not self.begins(moment):
            passed.append(moment)
            moment -= self.STEP
        began = self.began.get(moment, moment)
        self.began.update(dict.fromkeys([moment, *passed], began))
        return began

    def overlaps(self, start: datetime, taken: set[int]) -> bool:
        kind = self.event_type
        guard = range(
            int((start - kind.buffer_before).timestamp()),
            int((start + kind.duration + kind.buffer_after).timestamp()),
            300,
        )
        return not taken.isdisjoint(guard)

    def reasons(self, start: datetime, now: datetime, last_day: date | None) -> set[str]:
        """Return everything that speaks against a start."""
        kind, host = self.event_type, self.host
        today, day = now.astimezone(self.zone).date(), start.astimezone(self.zone).date()
        inside = all(self.is_open(one) for one in minutes(start, start + kind.duration, self.STEP))
        verdicts = {
            "slot_taken": self.overlaps(start, self.held),
            "busy": self.overlaps(start, self.busy),
            "unknown": host.closed is not None,
            "limit": kind.daily_cap is not None and host.counts.get(day, 0) >= kind.daily_cap,
            "hours": not inside,
            "not_offered": inside and (start - self.grid_began(start)) % kind.increment != timedelta(0),
            "notice": start - now < kind.minimum_notice,
            "same_day": not kind.same_day and day <= today,
            "window": last_day is not None and day > last_day,
        }
        return {reason for reason, holds in verdicts.items() if holds}
