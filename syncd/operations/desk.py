"""What a command is handed, and how names and times that a person typed are read."""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from syncd.control import Tell
from syncd.core.directory import Agent, Directory, Project
from syncd.core.ids import AgentId
from syncd.core.interval import Interval
from syncd.core.limits import LONGEST_WINDOW, is_sane_year
from syncd.core.routing import name_key
from syncd.errors import SyncdError
from syncd.flows.context import Context
from syncd.store.visits import Cause
from syncd.workers import Workers

Json = dict[str, Any]


class Misused(SyncdError):
    """The command was given something it cannot take; it says what it takes."""


def _no_key() -> bytes:
    raise Misused("there is no secret to make links with")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The same for a command inside the daemon and for one that holds the store itself: then `workers` is None."""

    context: Context
    link_key: Callable[[], bytes] = field(default=_no_key)
    workers: Workers | None = None
    tell: Tell = lambda progress: None
    actor: str = "cli"

    @property
    def directory(self) -> Directory:
        return self.context.directory

    @property
    def now(self) -> datetime:
        return self.context.clock.now()

    def cause(self, note: str = "") -> Cause:
        return Cause(at=self.now, actor=self.actor, source="cli", note=note)


def unknown(what: str, name: str, known: Iterable[str]) -> Misused:
    """Say that a name is none of those known, and which comes nearest."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(names[:20])}" if names else ""
    return Misused(f"no {what} is called {name!r}{hint}")


def agent_named(directory: Directory, name: str) -> Agent:
    """Return the agent with this id, address or name. Raises Misused with the nearest."""
    if name in directory.agents:
        return directory.agents[AgentId(name)]
    wanted = name_key(name)
    found = [agent for agent in directory.agents.values() if wanted in (name_key(agent.email), name_key(agent.name))]
    if len(found) != 1:
        raise unknown("agent", name, [*directory.agents, *(agent.name for agent in directory.agents.values())])
    return found[0]


def project_named(directory: Directory, name: str) -> Project:
    """Return the project with this id, name or alias. Raises Misused with the nearest."""
    wanted = name_key(name)
    found = [
        project
        for project in directory.projects.values()
        if project.id == name or wanted in map(name_key, (project.name, *project.aliases))
    ]
    if len(found) != 1:
        raise unknown("project", name, [*directory.projects, *(one.name for one in directory.projects.values())])
    return found[0]


def read_moment(text: str, zone: str) -> datetime:
    """Read a time: with its offset, or without one on the wall clock of the zone. Raises Misused."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Misused(f"{text!r} is no time; write 2026-12-01T09:00 or 2026-12-01T09:00:00-03:00") from None
    if not is_sane_year(moment.year):
        raise Misused(f"{text!r}: the year is out of range")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
        if moment.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != moment.replace(tzinfo=None):
            raise Misused(f"{text} does not exist in {zone}: the clocks go forward then")
    return moment.astimezone(UTC)


def read_window(start: str | None, end: str | None, zone: str, now: datetime, span: timedelta) -> Interval:
    """Read the edges of a window; without them it begins with today in the zone and lasts `span`. Raises Misused."""
    begin = _edge(start, zone, later=False) if start else midnight(now.astimezone(ZoneInfo(zone)).date(), zone)
    finish = _edge(end, zone, later=True) if end else begin + span
    if finish <= begin:
        raise Misused("the window ends before it begins")
    if finish - begin > LONGEST_WINDOW:
        raise Misused(f"at most {LONGEST_WINDOW.days} days are looked at in one go")
    return Interval(begin, finish)


def _edge(text: str, zone: str, *, later: bool) -> datetime:
    """Read an edge; a day alone counts whole, so as the later edge it means its end."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return read_moment(text, zone)
    if not is_sane_year(day.year):
        raise Misused(f"{text!r}: the year is out of range")
    return midnight(day + timedelta(days=1) if later else day, zone)


def midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def utc(moment: datetime | None) -> str | None:
    """Return a moment as RFC 3339 text in UTC."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
