"""Judges a booking that the client already holds: it is real whatever our rules say, so a broken rule is a flag."""

from datetime import datetime

from syncd.core.availability import policy_reason
from syncd.core.visit import Conflict, ConflictReason, Visit
from syncd.flows.book import Place
from syncd.flows.context import Context
from syncd.flows.hosts import day_around, host_time
from syncd.store import Tx

FLAGS = {one.value for one in ConflictReason}


def flag_of(ctx: Context, tx: Tx, visit: Visit, place: Place, now: datetime) -> Conflict | None:
    """Return the flag for a remote booking that breaks notice, same day, hours, window, cap or meets a busy block."""
    if visit.host is None or visit.interval.start <= now:
        return None
    if visit.host not in ctx.directory.agents:
        return Conflict(reason=ConflictReason.NO_HOST, since=now, detail=f"{visit.host} is no agent any more")
    window = day_around(visit.interval.start, place.project.time_zone)
    host = host_time(tx, ctx.directory, visit.host, place.event_type, window, now, place.project, ignoring=visit.id)
    booked_at = min(visit.booked_at, now)
    reason = policy_reason(place.event_type, host, visit.interval, booked_at, place.project.time_zone, place.holidays)
    if reason is None or reason not in FLAGS:
        return None
    return Conflict(reason=ConflictReason(reason), since=now)
