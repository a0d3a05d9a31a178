"""RRULE to local times, in a loop of our own that cannot run away: periods are counted, and a rule is judged first.

A rule is a program run for strangers. Common libraries hang on SECONDLY, on INTERVAL=0, on rules that never match and
on COUNT of a billion; here each period costs one step and the steps are capped. Knows no zones and no entries.
"""

import calendar
import functools
import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

STEPS = 50_000  # periods and candidate days looked at for one rule: about a tenth of a second
_WEEKDAYS = {"MO": 0, "TU": 1, "WE": 2, "TH": 3, "FR": 4, "SA": 5, "SU": 6}
_BYDAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_LISTS = {  # part -> bounds of the absolute value, and whether it may be negative
    "BYMONTH": (1, 12, False),
    "BYMONTHDAY": (1, 31, True),
    "BYYEARDAY": (1, 366, True),
    "BYWEEKNO": (1, 53, True),
    "BYSETPOS": (1, 366, True),
    "BYHOUR": (0, 23, False),
    "BYMINUTE": (0, 59, False),
    "BYSECOND": (0, 59, False),
}
_OTHERS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST", "RSCALE", "SKIP"}
Weekday = tuple[int, int]  # which one (0: every; 1: first; -1: last), Monday = 0


class RuleRefused(ValueError):
    """The rule is not expanded; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A recurrence rule that was judged harmless."""

    freq: str  # HOURLY DAILY WEEKLY MONTHLY YEARLY
    interval: int
    count: int | None
    until: str | None  # as written: whoever knows the zone reads it
    weekdays: tuple[Weekday, ...]
    week_start: int
    months: frozenset[int]
    month_days: frozenset[int]
    year_days: frozenset[int]
    weeks: frozenset[int]
    positions: frozenset[int]
    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]


def read_rule(text: str) -> Rule:
    """Return the rule a RRULE value means; raises RuleRefused for what is wrong, endless or not understood."""
    parts = _parts(text)
    lists = {name: _numbers(name, parts.get(name)) for name in _LISTS}
    freq = parts.get("FREQ", "")
    if freq not in ("HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"):
        raise RuleRefused(f"a rule repeats {freq.lower()[:20] or 'without FREQ'}: only hourly and coarser is read")
    if re.fullmatch(r"-[0-9]{1,9}", parts.get("COUNT", "")):
        del parts["COUNT"]  # one wiki writes COUNT=-1 for "no end"
    if "COUNT" in parts and "UNTIL" in parts:
        raise RuleRefused("a rule has both COUNT and UNTIL")
    if parts.get("RSCALE", "GREGORIAN") != "GREGORIAN" or parts.get("SKIP", "OMIT") != "OMIT":
        raise RuleRefused("a rule counts in another calendar than ours (RSCALE, SKIP)")
    rule = Rule(
        freq=freq,
        interval=_number("INTERVAL", parts.get("INTERVAL", "1"), 1000),
        count=_number("COUNT", parts["COUNT"], 2000) if "COUNT" in parts else None,
        until=parts.get("UNTIL"),
        weekdays=_weekdays(parts.get("BYDAY"), freq),
        week_start=_week_start(parts.get("WKST", "MO")),
        months=frozenset(lists["BYMONTH"]),
        month_days=frozenset(lists["BYMONTHDAY"]),
        year_days=frozenset(lists["BYYEARDAY"]),
        weeks=frozenset(lists["BYWEEKNO"]),
        positions=frozenset(lists["BYSETPOS"]),
        hours=tuple(sorted(set(lists["BYHOUR"]))),
        minutes=tuple(sorted(set(lists["BYMINUTE"]))),
        seconds=tuple(sorted(set(lists["BYSECOND"]))),
    )
    _possible(rule)
    return rule


def _parts(text: str) -> dict[str, str]:
    if len(text) > 2000:
        raise RuleRefused("a rule is longer than 2000 characters")
    parts: dict[str, str] = {}
    for part in text.upper().replace(" ", "").split(";"):
        name, equals, value = part.partition("=")
        if not part:
            continue  # a semicolon too many is common and harmless
        if not equals or not value or name in parts or (name not in _LISTS and name not in _OTHERS):
            raise RuleRefused(f"a rule has a part that is not understood ({name[:20]!r})")
        parts[name] = value
    return parts


def _number(name: str, text: str, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,10}", text, re.ASCII) or not 1 <= int(text) <= most:
        raise RuleRefused(f"{name} of a rule is not between 1 and {most}")
    return int(text)


def _numbers(name: str, text: str | None) -> list[int]:
    if text is None:
        return []
    least, most, negative = _LISTS[name]
    items = text.split(",")
    if len(items) > 64:
        raise RuleRefused(f"{name} of a rule lists more than 64 values")
    if not all(re.fullmatch(r"[+-]?[0-9]{1,3}", item, re.ASCII) for item in items):
        raise RuleRefused(f"{name} of a rule is not a list of numbers")
    numbers = [int(item) for item in items]
    if not all(least <= abs(number) <= most and (negative or number >= 0) for number in numbers):
        raise RuleRefused(f"{name} of a rule is out of bounds")
    return numbers


def _weekdays(text: str | None, freq: str) -> tuple[Weekday, ...]:
    """Read BYDAY. An ordinal means something within months and years only; elsewhere the day itself counts."""
    found: list[Weekday] = []
    items = text.split(",") if text is not None else []
    if len(items) > 64:
        raise RuleRefused("BYDAY of a rule lists more than 64 values")
    for item in items:
        match = _BYDAY.fullmatch(item)
        which = int(match[1] or 0) if match else 99
        if match is None or abs(which) > 53 or match[1] in ("0", "00", "+0", "-0"):
            raise RuleRefused("BYDAY of a rule is not a list of weekdays")
        found.append((which if freq in ("MONTHLY", "YEARLY") else 0, _WEEKDAYS[match[2]]))
    return tuple(found)


def _week_start(text: str) -> int:
    if text not in _WEEKDAYS:
        raise RuleRefused("WKST of a rule is not a weekday")
    return _WEEKDAYS[text]


def _possible(rule: Rule) -> None:
    """Refuse what can never match, such as 30 February."""
    if rule.months and rule.month_days:
        longest = max(calendar.monthrange(2024, month)[1] for month in rule.months)
        if all(abs(day) > longest for day in rule.month_days):
            raise RuleRefused("a rule asks for a day that none of its months has")


def occurrences(
    rule: Rule,
    start: datetime,
    low: datetime,
    high: datetime,
    *,
    days_only: bool = False,
    steps: "Steps | None" = None,
) -> Iterator[datetime]:
    """Yield in order the local times of a rule that begins at `start`, none after `high`.

    Those before `low` may be left out. `days_only` ignores BYHOUR and the like (all-day entries). Raises RuleRefused
    when the rule takes more than the `steps` that are left, which several rules may share.
    """
    if days_only and rule.freq == "HOURLY":
        raise RuleRefused("an all-day entry repeats hourly")
    rule = _completed(rule, start, days_only=days_only)
    left = -1 if rule.count is None else rule.count
    low = start if rule.count is not None else max(start, low)
    for times in _periods(rule, start, low, high, steps or Steps()):
        for moment in times:
            if moment < start:
                continue
            if moment > high or left == 0:
                return
            yield moment
            left -= 1


def _completed(rule: Rule, start: datetime, *, days_only: bool) -> Rule:
    """Fill in from `start` what the rule leaves open (RFC 5545, 3.3.10)."""
    open_days = not (rule.weekdays or rule.month_days or rule.year_days or rule.weeks)
    months, month_days, weekdays = rule.months, rule.month_days, rule.weekdays
    if open_days and rule.freq == "YEARLY":
        months, month_days = months or frozenset({start.month}), frozenset({start.day})
    elif open_days and rule.freq == "MONTHLY":
        month_days = frozenset({start.day})
    elif not rule.weekdays and rule.freq == "WEEKLY":
        weekdays = ((0, start.weekday()),) if open_days else tuple((0, day) for day in range(7))
    return replace(
        rule,
        months=months,
        month_days=month_days,
        weekdays=weekdays,
        hours=rule.hours if (rule.hours and not days_only) or rule.freq == "HOURLY" else (start.hour,),
        minutes=rule.minutes if rule.minutes and not days_only else (start.minute,),
        seconds=rule.seconds if rule.seconds and not days_only else (start.second,),
    )


class Steps:
    """What expanding may still cost."""

    def __init__(self, most: int = STEPS) -> None:
        self.left = most

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise RuleRefused("its rules take more steps to expand than any agenda needs")


def _periods(rule: Rule, start: datetime, low: datetime, high: datetime, steps: Steps) -> Iterator[list[datetime]]:
    """Yield the times of each period (BYSETPOS picks among them), the first period being the one that holds `low`."""
    sets = _hours(rule, start, low, high, steps) if rule.freq == "HOURLY" else _clocked(rule, start, low, high, steps)
    for times in sets:
        found = _picked(times, rule.positions) if rule.positions else times
        if rule.positions and rule.freq == "WEEKLY" and times[0] < start:
            # Some count the places of the first week from its first day, some from the start: more busy wins.
            found = sorted({*found, *_picked([one for one in times if one >= start], rule.positions)})
        yield found


def _clocked(rule: Rule, start: datetime, low: datetime, high: datetime, steps: Steps) -> Iterator[list[datetime]]:
    """Yield the times of each period: every clock time on every day. They are paid for before they are made."""
    steps.spend(len(rule.hours) * len(rule.minutes) * len(rule.seconds))
    clock = [time(*one) for one in itertools.product(rule.hours, rule.minutes, rule.seconds)]
    for days in _days(rule, start.date(), low.date(), high.date(), steps):
        if days:
            steps.spend(len(days) * len(clock))
            yield [datetime.combine(day, at) for day in days for at in clock]


def _picked(times: list[datetime], positions: frozenset[int]) -> list[datetime]:
    count = len(times)
    wanted = {one - 1 if one > 0 else count + one for one in positions}
    return [times[index] for index in sorted(wanted) if 0 <= index < count]


def _hours(rule: Rule, start: datetime, low: datetime, high: datetime, steps: Steps) -> Iterator[list[datetime]]:
    fits = _day_test(rule)
    moment = start.replace(minute=0, second=0)
    moment += timedelta(hours=max(0, (low - moment) // timedelta(hours=1) // rule.interval) * rule.interval)
    while moment <= high:
        steps.spend(1)
        ahead = rule.interval
        if fits is not None and not fits(moment.date()):
            ahead = -(-(24 - moment.hour) // rule.interval) * rule.interval  # on to the next day
        elif not rule.hours or moment.hour in rule.hours:
            steps.spend(len(rule.minutes) * len(rule.seconds))
            yield [
                moment.replace(minute=minute, second=second)
                for minute, second in itertools.product(rule.minutes, rule.seconds)
            ]
        moment += timedelta(hours=ahead)


def _days(rule: Rule, start: date, low: date, high: date, steps: Steps) -> Iterator[list[date]]:
    """Yield the days of each period in order. A period is a number: a day, a week's first day, a month, a year."""
    fits = _day_test(rule)
    match rule.freq:
        case "DAILY":
            numbers, days_of = _numbered(start.toordinal(), low.toordinal(), high.toordinal(), rule.interval), _one_day
        case "WEEKLY":
            origin = start.toordinal() - (start.weekday() - rule.week_start) % 7
            offsets = sorted({(day - rule.week_start) % 7 for _, day in rule.weekdays})
            numbers = _numbered(origin, low.toordinal(), high.toordinal(), 7 * rule.interval)
            days_of = functools.partial(_week_days, offsets)
        case "MONTHLY":
            numbers = _numbered(_month_number(start), _month_number(low), _month_number(high), rule.interval)
            days_of = functools.partial(_month_days, rule)
        case _:
            numbers = _numbered(start.year, low.year, high.year, rule.interval)
            days_of = functools.partial(_year_days, rule)
    for number in numbers:
        found = days_of(number)
        steps.spend(1 + len(found))
        yield found if fits is None else [day for day in found if fits(day)]


def _numbered(origin: int, low: int, high: int, step: int) -> range:
    return range(origin + max(0, (low - origin) // step) * step, high + 1, step)


def _one_day(number: int) -> list[date]:
    return [date.fromordinal(number)]


def _week_days(offsets: list[int], number: int) -> list[date]:
    return [date.fromordinal(number + offset) for offset in offsets]


def _month_number(day: date) -> int:
    return day.year * 12 + day.month - 1


def _month_days(rule: Rule, number: int) -> list[date]:
    """List the candidates of one month: by day of the month, else by weekday, else every day."""
    year, month = divmod(number, 12)
    month += 1
    if rule.months and month not in rule.months:
        return []
    first_weekday, length = calendar.monthrange(year, month)
    if rule.month_days:
        numbers = {day if day > 0 else length + 1 + day for day in rule.month_days}
        return [date(year, month, day) for day in sorted(numbers) if 1 <= day <= length]
    if rule.weekdays:
        firsts = {(day - first_weekday) % 7 + 1 for _, day in rule.weekdays}
        return [date(year, month, day) for day in sorted(day for one in firsts for day in range(one, length + 1, 7))]
    return [date(year, month, day) for day in range(1, length + 1)]


def _year_days(rule: Rule, year: int) -> list[date]:
    if (rule.months or rule.month_days) and not (rule.weeks or rule.year_days):
        months = sorted(rule.months) or range(1, 13)
        return [day for month in months for day in _month_days(rule, year * 12 + month - 1)]
    first = date(year, 1, 1).toordinal()
    length = 365 + calendar.isleap(year)
    if rule.year_days:
        numbers = {day if day > 0 else length + 1 + day for day in rule.year_days}
        return [date.fromordinal(first + day - 1) for day in sorted(numbers) if 1 <= day <= length]
    return [date.fromordinal(first + day) for day in range(length)]


def _day_test(rule: Rule) -> Callable[[date], bool] | None:
    """Return one test for all the BY… parts that speak of days, None where every candidate passes."""
    tests: list[Callable[[date], bool]] = []
    if rule.months:
        tests.append(lambda day: day.month in rule.months)
    if rule.month_days:
        tests.append(lambda day: not rule.month_days.isdisjoint((day.day, day.day - 1 - _length_of_month(day))))
    if rule.year_days:
        tests.append(lambda day: not rule.year_days.isdisjoint(_both_ways(_day_of_year(day), _length_of_year(day))))
    if rule.weeks:
        tests.append(lambda day: not rule.weeks.isdisjoint(_week_of(day, rule.week_start)))
    if rule.weekdays and rule.freq != "WEEKLY":  # a week's candidates are these days already
        tests.append(_weekday_test(rule))
    if len(tests) < 2:
        return tests[0] if tests else None
    return lambda day: all(test(day) for test in tests)


def _weekday_test(rule: Rule) -> Callable[[date], bool]:
    if all(which == 0 for which, _ in rule.weekdays):
        plain = frozenset(day for _, day in rule.weekdays)
        return lambda day: day.weekday() in plain
    within_year = rule.freq == "YEARLY" and not rule.months
    return functools.partial(_on_weekday, frozenset(rule.weekdays), within_year)


def _on_weekday(weekdays: frozenset[Weekday], within_year: bool, day: date) -> bool:
    """Tell whether a day is one of the weekdays; plain and counted ones may stand side by side (BYDAY=3MO,WE)."""
    weekday = day.weekday()
    if (0, weekday) in weekdays:
        return True
    place, length = (_day_of_year(day), _length_of_year(day)) if within_year else (day.day, _length_of_month(day))
    return ((place - 1) // 7 + 1, weekday) in weekdays or (-((length - place) // 7 + 1), weekday) in weekdays


def _both_ways(place: int, length: int) -> tuple[int, int]:
    """Return a place counted from the front and from the back."""
    return place, place - 1 - length


def _week_of(day: date, week_start: int) -> tuple[int, int]:
    """Return a day's week number from the front and from the back; week 1 is the first with four days in its year."""
    fourth = date.fromordinal(day.toordinal() - (day.weekday() - week_start) % 7 + 3)
    place = _day_of_year(fourth)
    number = (place - 1) // 7 + 1
    return _both_ways(number, number + (_length_of_year(fourth) - place) // 7)


def _day_of_year(day: date) -> int:
    return day.toordinal() - date(day.year, 1, 1).toordinal() + 1


def _length_of_year(day: date) -> int:
    return 365 + calendar.isleap(day.year)


def _length_of_month(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]
