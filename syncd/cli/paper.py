"""Puts rows of text on the screen: a table with colours on a terminal, aligned plain text anywhere else."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from syncd.cli.session import plain

GOOD = {"ok", "yes", "active", "free", "equal", "confirmed", "create", "done", "published"}
BAD = {"fail", "login refused", "suspect", "attention", "stale", "never read", "dead", "delete", "conflict", "given up"}
ODD = {"warn", "failing", "resting", "no", "pending", "update", "missing", "after_parity", "off"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """A heading, the names of columns, and rows. An empty one is shown by its `nothing`, if it has any."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    nothing: str = ""


def text(value: Any) -> str:
    """Return what a cell shows; whatever of it steers a terminal is written out."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(map(text, value))
        case _:
            return plain(str(value))


def row(values: Iterable[Any]) -> list[str]:
    return [text(one) for one in values]


def lasting(seconds: float | None) -> str:
    """Return a length of time in the two largest units: 45s, 12m 3s, 5h 20m, 3d 4h."""
    if seconds is None:
        return ""
    days, rest = divmod(int(seconds), 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, left = divmod(rest, 60)
    units = [(days, "d"), (hours, "h"), (minutes, "m"), (left, "s")]
    first = next((at for at, (count, _) in enumerate(units) if count), 3)
    return " ".join(f"{count}{unit}" for count, unit in units[first : first + 2] if count) or "0s"


def duration(length: timedelta) -> str:
    return lasting(length.total_seconds())


def put(sheets: Sequence[Sheet]) -> None:
    """Print sheets one after the other."""
    shown = [one for one in sheets if one.rows or one.nothing]
    if sys.stdout.isatty():
        _put_rich(shown)
    else:
        _put_plain(shown)


def _put_plain(sheets: Sequence[Sheet]) -> None:
    for number, sheet in enumerate(sheets):
        if number:
            print()
        if not sheet.rows:
            print(sheet.nothing)
            continue
        if sheet.title:
            print(sheet.title)
        lines = [list(sheet.columns), *map(list, sheet.rows)]
        widths = [max(len(line[at]) for line in lines) for at in range(len(sheet.columns))]
        for line in lines:
            print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _put_rich(sheets: Sequence[Sheet]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for sheet in sheets:
        if not sheet.rows:
            console.print(Text(sheet.nothing))
            continue
        table = Table(title=sheet.title or None, box=SIMPLE_HEAD, title_justify="left", title_style="bold")
        for column in sheet.columns:
            table.add_column(column, overflow="fold")
        for line in sheet.rows:
            table.add_row(*(Text(cell, style=_colour(cell)) for cell in line))
        console.print(table)


def _colour(cell: str) -> str:
    if cell in GOOD:
        return "green"
    if cell in BAD:
        return "red"
    return "yellow" if cell in ODD else ""
