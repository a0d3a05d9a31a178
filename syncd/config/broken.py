"""Names in tables that could not be read: a typing error in one key must not hide a wrong name in another.

Works on what the file says, not on models: only where a text stands in the place of a name is it looked up.
"""

from collections.abc import Iterator
from typing import Any

from syncd.config.document import Document
from syncd.config.problems import Path, Problem, nearest, quoted

EMBEDDED = "embedded"


def names_in_broken_tables(document: Document) -> Iterator[Problem]:
    """Yield a problem for every unknown name in a table that has other problems already."""
    for path, name, section, what in _named(document):
        known = document.names(section) + ([EMBEDDED] if section == "accounts" else [])
        if isinstance(name, str) and name not in known:
            yield Problem(path, f"there is no {what} {quoted(name)}; {nearest(name, known)}")


def _named(document: Document) -> Iterator[tuple[Path, Any, str, str]]:
    agents = document.raw.get("agents")
    for number, agent in enumerate(agents if isinstance(agents, list) else []):
        if isinstance(agent, dict) and number not in document.agents:
            yield from _of_agent(("agents", number), agent)
    for name, kind in _tables(document, "event_types"):
        yield (*name, "hours"), kind.get("hours"), "hours", "table of hours"
    for name, project in _tables(document, "projects"):
        yield from _of_project(name, project)


def _tables(document: Document, section: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """List the tables of a section that are tables and could not be read."""
    raw, read = document.raw.get(section), getattr(document, section)
    for name, table in raw.items() if isinstance(raw, dict) else ():
        if isinstance(table, dict) and name not in read:
            yield (section, name), table


def _of_agent(path: Path, agent: dict[str, Any]) -> Iterator[tuple[Path, Any, str, str]]:
    yield (*path, "hours"), agent.get("hours"), "hours", "table of hours"
    calendars = agent.get("calendars")
    for number, one in enumerate(calendars if isinstance(calendars, list) else []):
        if isinstance(one, dict):
            yield (*path, "calendars", number, "account"), one.get("account"), "accounts", "account"


def _of_project(path: Path, project: dict[str, Any]) -> Iterator[tuple[Path, Any, str, str]]:
    team = project.get("team")
    for number, agent in enumerate(team if isinstance(team, list) else []):
        yield (*path, "team", number), agent, "agents", "agent"
    yield (*path, "responsible"), project.get("responsible"), "agents", "agent"
    kinds, scheduler = project.get("event_types"), project.get("scheduler")
    for role, kind in (kinds if isinstance(kinds, dict) else {}).items():
        yield (*path, "event_types", role), kind, "event_types", "event type"
    if isinstance(scheduler, dict):
        yield (*path, "scheduler", "account"), scheduler.get("account"), "accounts", "account"
