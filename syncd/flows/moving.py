"""The times to which a visit may move, for pages and for those whose move was refused. Knows neither commands nor
pages."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from syncd.core.availability import slots
from syncd.core.directory import Project
from syncd.core.event_type import EventType
from syncd.core.ids import AgentId
from syncd.core.interval import Interval
from syncd.core.visit import Slot, Visit
from syncd.flows.context import Context
from syncd.flows.dwelling import without_visited
from syncd.flows.hosts import host_time
from syncd.store import Tx


def times_to_move(
    ctx: Context,
    tx: Tx,
    visit: Visit,
    event_type: EventType,
    project: Project,
    hosts: Sequence[AgentId],
    window: Interval,
    now: datetime,
) -> tuple[Slot, ...]:
    """List the free slots of these hosts as if the visit itself were not there; its present time is no move.

    A visit keeps its length when it moves, and where that is more than its type says, all of it must be free.
    """
    kind = replace(event_type, duration=max(event_type.duration, visit.interval.length))
    zone = project.time_zone
    holidays = ctx.directory.business_holidays.get(project.id, frozenset())
    times = [host_time(tx, ctx.directory, one, kind, window, now, project, ignoring=visit.id) for one in hosts]
    found = slots(kind, times, window, now, zone, holidays)
    found = without_visited(tx, found, visit.project, visit.dwelling, visit.id)
    return tuple(one for one in found if not visit.active or one.interval.start != visit.interval.start)
