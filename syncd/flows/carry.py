"""Carries what was decided here to the scheduler that made the booking: cancelled, declined, confirmed, moved, handed
over.

Nothing is remembered of what is to be carried: it is the difference between the visit and what its scheduler last said.
"""

from contextlib import suppress
from datetime import datetime

from syncd.core.ids import AccountId, VisitId
from syncd.core.visit import CancelReason, Visit, VisitState
from syncd.errors import NotFound, Permanent, VersionConflict
from syncd.flows.context import AccountParts, Context
from syncd.flows.keys import booking_key
from syncd.ports import Changes
from syncd.store import Tx
from syncd.store.queue import WorkKind

MOVED = "moved by the agency"


def differs(visit: Visit) -> bool:
    """Tell whether the visit is not as its scheduler last said it was."""
    mark = visit.remote
    if visit.state is VisitState.CANCELLED:
        return visit.cancel_reason is not CancelReason.SCHEDULER
    if not visit.holds or mark.interval is None:
        return False
    confirmed = mark.pending and visit.state is VisitState.CONFIRMED
    return confirmed or visit.interval != mark.interval or visit.host != mark.host


def fixed_accounts(ctx: Context) -> set[AccountId]:
    """Return scheduler accounts that name the host, take no change, and were not told to let us change it."""
    parts = ctx.accounts.items()
    schedulers = {account for account, one in parts if one.scheduler is not None and one.changes is None}
    return schedulers - ctx.directory.reassign_locally


def touch_carry(ctx: Context, tx: Tx, visit: Visit, now: datetime) -> None:
    """Have a change made here carried to the scheduler, where there is one that can take it."""
    parts = ctx.accounts.get(visit.source.account)
    if parts is None or parts.scheduler is None or visit.source.id is None or not differs(visit):
        return
    if visit.state is VisitState.CANCELLED or parts.changes is not None:
        tx.queue.touch(WorkKind.CARRY, visit.id, now, group=visit.source.account)


def carry(ctx: Context, key: str, now: datetime) -> datetime | None:
    """Take the one step that is missing at the scheduler; what is done there already is a success."""
    with ctx.store.read() as tx:
        visit = tx.visits.find(VisitId(key))
    parts = ctx.accounts.get(visit.source.account) if visit is not None else None
    if visit is None or parts is None or parts.scheduler is None or visit.source.id is None or not differs(visit):
        return None
    if visit.state is VisitState.CANCELLED:
        _end(parts, visit, visit.source.id)
        return None
    if parts.changes is not None:
        _change(ctx, parts.changes(), visit, visit.source.id, now)
    return None


def _end(parts: AccountParts, visit: Visit, booking: str) -> None:
    if parts.scheduler is None:
        return
    with suppress(NotFound):
        if visit.cancel_reason is CancelReason.REJECTED and visit.remote.pending and parts.changes is not None:
            parts.changes().decline(booking, visit.cancel_message or "declined")
        else:
            parts.scheduler().cancel(booking, visit.cancel_message or "cancelled")


def _change(ctx: Context, scheduler: Changes, visit: Visit, booking: str, now: datetime) -> None:
    """Make one change, then have the booking read again: its scheduler's word is what counts as carried.

    Raises VersionConflict where the booking changed there meanwhile; it is read again before the next try.
    """
    try:
        named = _step(ctx, scheduler, visit, booking)
    except VersionConflict:
        _read_again(ctx, visit, booking, now)
        raise
    _read_again(ctx, visit, named, now)


def _step(ctx: Context, scheduler: Changes, visit: Visit, booking: str) -> str:
    """Return the booking's id from now on."""
    if visit.remote.pending:
        scheduler.confirm(booking)
        return booking
    if visit.interval != visit.remote.interval:
        return scheduler.move(booking, visit.interval.start, MOVED)
    scheduler.reassign(booking, _remote_host(ctx, visit))
    return booking


def _remote_host(ctx: Context, visit: Visit) -> str:
    with ctx.store.read() as tx:
        links = tx.accounts.links(visit.source.account)
    agent = ctx.directory.agents.get(visit.host) if visit.host is not None else None
    named = agent.scheduler_id if agent is not None else None
    found = named or next((remote for remote, (one, _) in links.items() if one == visit.host), None)
    if found is None:
        raise Permanent(f"{visit.host} has no user at {visit.source.account}: set the agent's scheduler_id")
    return found


def _read_again(ctx: Context, visit: Visit, booking: str, now: datetime) -> None:
    account = visit.source.account
    key = booking_key(account, booking)
    ctx.store.write(lambda tx: tx.queue.touch(WorkKind.INGEST, key, now, group=account))
