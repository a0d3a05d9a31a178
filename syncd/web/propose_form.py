"""The five rows of the form for windows: what was typed into them, which windows it means, and what is wrong with it,
in the reader's language. Knows no store."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from syncd.core import limits
from syncd.core.interval import Interval
from syncd.core.proposals import MOST_WINDOWS
from syncd.flows.propose import fault_of
from syncd.language import Language
from syncd.web.visit_words import length_of

_FURTHER = re.compile(r"(?:date|from|until)_(\d{1,4})", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"(\d\d):(\d\d)(:00)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One field of a row, as the page shows it."""

    name: str
    label: str
    kind: str  # date | time
    value: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The fields of one window."""

    number: int
    day: Cell
    begin: Cell
    end: Cell

    @property
    def cells(self) -> tuple[Cell, Cell, Cell]:
        return self.day, self.begin, self.end

    @property
    def is_empty(self) -> bool:
        return not any(one.value for one in self.cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a window is judged by."""

    now: datetime
    zone: str
    least: timedelta


def rows_of(windows: Sequence[Interval], zone: str, language: Language) -> list[Row]:
    """Return the rows with the windows that were named before."""
    values: dict[str, str] = {}
    for number, window in enumerate(windows, 1):
        begin, end = (one.astimezone(ZoneInfo(zone)) for one in (window.start, window.end))
        values |= {
            f"date_{number}": begin.date().isoformat(),
            f"from_{number}": f"{begin:%H:%M}",
            f"until_{number}": f"{end:%H:%M}",
        }
    return typed(values, language)


def typed(posted: Mapping[str, str], language: Language) -> list[Row]:
    """Return the rows with what was typed, as it was typed."""

    def cell(name: str, label: str, kind: str) -> Cell:
        return Cell(name=name, label=label, kind=kind, value=posted.get(name, "").strip()[: limits.PHONE])

    return [
        Row(
            number=number,
            day=cell(f"date_{number}", language.text("Day"), "date"),
            begin=cell(f"from_{number}", language.text("From"), "time"),
            end=cell(f"until_{number}", language.text("Until"), "time"),
        )
        for number in range(1, MOST_WINDOWS + 1)
    ]


def too_many(posted: Mapping[str, str]) -> bool:
    """Tell whether a window beyond the fifth was named."""
    found = [(_FURTHER.fullmatch(name), value) for name, value in posted.items()]
    return any(int(one[1]) > MOST_WINDOWS and value.strip() for one, value in found if one is not None)


def judged(rows: Sequence[Row], bounds: Bounds, language: Language) -> tuple[list[Row], list[Interval]]:
    """Return the rows with what is wrong in each, and the windows of those that are right."""
    if all(row.is_empty for row in rows):
        first = replace(rows[0], day=replace(rows[0].day, error=language.text("Please name at least one time.")))
        return [first, *rows[1:]], []
    found = [_judged(row, bounds, language) for row in rows]
    return [row for row, _ in found], [window for _, window in found if window is not None]


def faults(rows: Sequence[Row]) -> Iterator[tuple[Row, Cell]]:
    """Yield every field with something wrong in it."""
    for row in rows:
        for one in row.cells:
            if one.error:
                yield row, one


def _judged(row: Row, bounds: Bounds, language: Language) -> tuple[Row, Interval | None]:
    if row.is_empty:
        return row, None
    day, begin, end = _day(row.day.value), _time(row.begin.value), _time(row.end.value)
    if day is None or begin is None or end is None:
        return _unreadable(row, day, begin, end, language), None
    if end <= begin:
        text = language.text("The end must be later than the beginning.")
        return replace(row, end=replace(row.end, error=text)), None
    start, until = (datetime.combine(day, one, ZoneInfo(bounds.zone)) for one in (begin, end))
    if until.timestamp() <= start.timestamp():  # both in the hour that a clock change leaves out
        return replace(
            row, begin=replace(row.begin, error=language.text("This time does not exist on that day."))
        ), None
    window = Interval.of_epoch(int(start.timestamp()), int(until.timestamp()))
    return _fitting(row, window, bounds, language)


def _unreadable(row: Row, day: date | None, begin: time | None, end: time | None, language: Language) -> Row:
    time_text = language.text("Please write the time like 10:30.")

    def mended(cell: Cell, value: object, text: str) -> Cell:
        empty = language.text("Please fill this in.")
        return cell if value is not None else replace(cell, error=text if cell.value else empty)

    return replace(
        row,
        day=mended(row.day, day, _day_fault(row.day.value, language)),
        begin=mended(row.begin, begin, time_text),
        end=mended(row.end, end, time_text),
    )


def _day_fault(text: str, language: Language) -> str:
    """Say what is wrong with a day that `_day` does not take."""
    if not _DAY.fullmatch(text):
        return language.text("Please write the day like 2026-05-12.")
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return language.text("This day does not exist in the calendar.")
    if found.year < limits.FIRST_YEAR:
        return language.text("This time is already over.")
    return language.text("This day is too far ahead.")


def _fitting(row: Row, window: Interval, bounds: Bounds, language: Language) -> tuple[Row, Interval | None]:
    match fault_of(window, bounds.now, bounds.least):
        case "over":
            text = language.text("This time is already over.")
            return replace(row, day=replace(row.day, error=text)), None
        case "too_far":
            text = language.text("This day is too far ahead.")
            return replace(row, day=replace(row.day, error=text)), None
        case "too_short":
            length = length_of(language, bounds.least)
            text = language.text("Please leave at least %(time)s: so long does the visit take.", time=length)
            return replace(row, end=replace(row.end, error=text)), None
    return row, window


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None
    return found if found is not None and limits.is_sane_year(found.year) else None


def _time(text: str) -> time | None:
    found = _TIME.fullmatch(text)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        return None
    return time(int(found[1]), int(found[2]))
