"""Parity of a project: each agent's own calendar against the store; activation only when both are equal (R101,
R105)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from syncd.core.directory import Agent
from syncd.core.ids import AccountId, CalendarId, ProjectId
from syncd.core.publish import Presence
from syncd.core.visit import Refused
from syncd.flows.context import Context
from syncd.flows.hosts import why_closed
from syncd.flows.plan import plan
from syncd.store import Tx
from syncd.store.visits import Cause

SHOWN = 20  # differences that are told and kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is not equal: what stands in the store and not in the calendar, or the other way round."""

    agent: str
    calendar: CalendarId
    what: str

    def __str__(self) -> str:
        return f"{self.agent} {self.calendar}: {self.what}" if self.calendar else f"{self.agent}: {self.what}"


def parity(ctx: Context, project: ProjectId, now: datetime) -> list[Difference] | Refused:
    """List every difference between the store and the calendars of the project's agents; empty means equal."""
    found = ctx.directory.projects.get(project)
    if found is None:
        return Refused(reason="not-found", detail=f"no project has the id {project!r}")
    differences: list[Difference] = []
    with ctx.store.read() as tx:
        for agent in (ctx.directory.agents[one] for one in found.team):
            differences += _unknown_time(ctx, tx, agent, now)
            differences += _changed_entries(tx, agent)
    calendars = {ref.id: agent for agent in found.team for ref in ctx.directory.agents[agent].calendars}
    for step in plan(ctx, now):
        if step.key.calendar in calendars:
            text = f"{step.act} due: {step.title} {step.interval.start:%Y-%m-%d %H:%MZ}"
            differences.append(Difference(agent=calendars[step.key.calendar], calendar=step.key.calendar, what=text))
    return differences


def _unknown_time(ctx: Context, tx: Tx, agent: Agent, now: datetime) -> list[Difference]:
    why = why_closed(tx, ctx.directory, agent, now)
    return (
        [] if why is None else [Difference(agent=agent.id, calendar=CalendarId(""), what=f"busy time unknown: {why}")]
    )


def _changed_entries(tx: Tx, agent: Agent) -> list[Difference]:
    return [
        Difference(
            agent=agent.id,
            calendar=ref.id,
            what=f"{one.presence.value}: {one.title} {one.interval.start:%Y-%m-%d %H:%MZ}",
        )
        for ref in agent.calendars
        for one in tx.calendars.published_in(ref.id)
        if one.presence is not Presence.AS_PUT
    ]


def activate(ctx: Context, project: ProjectId, waive: str | None, cause: Cause) -> Refused | list[Difference]:
    """Open a project for bookings; returns the differences that were waived, or why it stays closed."""
    found = ctx.directory.projects.get(project)
    if found is None:
        return Refused(reason="not-found", detail=f"no project has the id {project!r}")
    missing = [
        name
        for name, there in (("a team", found.team), ("a standard event type", "standard" in found.event_types))
        if not there
    ]
    if missing:
        return Refused(reason="incomplete", detail=f"{project} lacks {' and '.join(missing)}")
    differences = parity(ctx, project, cause.at)
    if isinstance(differences, Refused):
        return differences
    if differences and not waive:
        return Refused(reason="no-parity", detail="\n".join(map(str, differences[:SHOWN])))
    note = json.dumps(_note(differences, waive, cause), ensure_ascii=False)
    ctx.store.write(lambda tx: tx.accounts.put(AccountId("syncd"), f"activated:{project}", note))
    return differences


def _note(differences: Sequence[Difference], waive: str | None, cause: Cause) -> dict[str, object]:
    """Return what is kept of an activation: when, by whom, and what was waived for which reason."""
    note: dict[str, object] = {"at": cause.at.isoformat(timespec="seconds"), "by": cause.actor}
    return note | {"waived": waive, "differences": list(map(str, differences[:SHOWN]))} if differences else note
