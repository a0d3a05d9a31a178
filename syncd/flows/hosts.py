"""Loads what availability needs to know of hosts: open hours, busy spans, holds, and whether their busy time is
known at all."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from syncd.core.availability import HostTime
from syncd.core.directory import Agent, CalendarRole, Directory, Project
from syncd.core.event_type import EventType
from syncd.core.hours import day_interval, local_day, open_hours
from syncd.core.ids import AgentId, CalendarId, EventTypeId, VisitId
from syncd.core.interval import Interval
from syncd.store import Tx
from syncd.store.visits import Hold

MARGIN = timedelta(days=1)  # a guard may reach over the edge of the window


def busy_calendars(agent: Agent) -> list[CalendarId]:
    """List the calendars whose strangers' events block this agent: all but the mirrors."""
    return [ref.id for ref in agent.calendars if ref.role is not CalendarRole.MIRROR]


def why_closed(tx: Tx, directory: Directory, agent: Agent, now: datetime, project: Project | None = None) -> str | None:
    """Say why the agent's busy time is unknown, None where it is known well enough (P7, N08)."""
    limit = (project.max_staleness if project else None) or directory.policy.max_staleness
    for calendar in busy_calendars(agent):
        state = tx.calendars.state(calendar)
        if state.attention:
            return f"{calendar}: {state.attention}"
        if state.read_at is None:
            return f"{calendar} has never been read"
        if now - state.read_at > limit:
            return f"{calendar} was last read at {state.read_at:%Y-%m-%d %H:%MZ}"
    return None


def host_time(
    tx: Tx,
    directory: Directory,
    agent_id: AgentId,
    event_type: EventType,
    window: Interval,
    now: datetime,
    project: Project | None = None,
    ignoring: VisitId | None = None,
) -> HostTime:
    """Return one agent's time around the window; `ignoring` leaves out a visit that is about to move."""
    agent = directory.agents[agent_id]
    wide = window.pad(MARGIN, MARGIN)
    hours = directory.hours[event_type.hours or agent.hours]
    spans = tx.calendars.spans(busy_calendars(agent), wide.epoch, all_day=event_type.all_day_blocks)
    holds = [hold for hold in tx.visits.holds([agent_id], wide) if hold.visit != ignoring]
    zone = project.time_zone if project else directory.time_zone
    return HostTime(
        agent=agent_id,
        open=[one.epoch for one in open_hours(hours, wide)],
        busy=sorted(span for calendar in spans.values() for span in calendar),
        holds=[hold.guard.epoch for hold in holds],
        closed=why_closed(tx, directory, agent, now, project),
        counts=_counts(holds, event_type.id, zone),
    )


def _counts(holds: Sequence[Hold], event_type: EventTypeId, zone: str) -> dict[date, int]:
    counts: dict[date, int] = {}
    for hold in holds:
        if hold.event_type == event_type:
            day = local_day(hold.interval.start, zone)
            counts[day] = counts.get(day, 0) + 1
    return counts


def day_around(moment: datetime, zone: str) -> Interval:
    """Return the local day of a moment: the window in which one start is judged."""
    return day_interval(local_day(moment, zone), zone)
