"""How long a scheduler's own calendar entry is waited for before we write ours."""

from datetime import datetime, timedelta

from syncd.core.visit import Visit
from syncd.flows.context import Context

PATIENCE = timedelta(minutes=15)  # S08 sees entries up to ten minutes apart from the hook


def awaits_entry(ctx: Context, visit: Visit, now: datetime) -> datetime | None:
    """Return until when the entry that the scheduler says it wrote is awaited; None: write our own now."""
    if visit.remote.calendar_entry is None or visit.source.account not in ctx.accounts:
        return None
    until = (visit.remote.updated_at or visit.booked_at) + PATIENCE
    return until if now < until else None
