"""A last look at a host's calendars just before a booking is written, where a project asks for it (verify_live).

Where the provider answers free/busy questions it is asked one; elsewhere the calendar is pulled, so that the store
knows.
"""

from datetime import datetime

from syncd.core.directory import Agent, CalendarRef
from syncd.core.interval import Interval
from syncd.errors import ConnectorError
from syncd.flows.context import Context
from syncd.flows.hosts import busy_calendars
from syncd.flows.pull import pull


def look_live(ctx: Context, agent: Agent, guard: Interval, now: datetime) -> str | None:
    """Return why the agent cannot take this time after all, None where nothing speaks against it.

    A calendar that does not answer is unknown, never free. What a pull brings is judged where the visit is saved.
    """
    wanted = set(busy_calendars(agent))
    refs = {ref.id: ref for ref in agent.calendars if ref.id in wanted}
    reasons = (_ask(ctx, ref, guard, now) for ref in refs.values())
    return next((reason for reason in reasons if reason is not None), None)


def _ask(ctx: Context, ref: CalendarRef, guard: Interval, now: datetime) -> str | None:
    parts = ctx.accounts.get(ref.account)
    try:
        if parts is None or parts.free_busy is None:
            pull(ctx, ref.id, now)
            return None
        busy = parts.free_busy(ref).busy([ref.name], guard).get(ref.name)
    except ConnectorError:
        return "unknown"
    if busy is None:
        return "unknown"
    return "busy" if any(one.overlaps(guard) for one in busy) else None
