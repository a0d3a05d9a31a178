"""Carries our cancellation of a visit to the scheduler that made the booking."""

from contextlib import suppress
from datetime import datetime

from syncd.core.ids import VisitId
from syncd.core.visit import CancelReason, VisitState
from syncd.errors import NotFound
from syncd.flows.context import Context

FROM_SCHEDULER = {CancelReason.SCHEDULER}


def carry_cancellation(ctx: Context, key: str, now: datetime) -> datetime | None:
    """Cancel at the scheduler what is cancelled here; one already cancelled or unknown there is done."""
    with ctx.store.read() as tx:
        visit = tx.visits.find(VisitId(key))
    if visit is None or visit.state is not VisitState.CANCELLED or visit.source.id is None:
        return None
    parts = ctx.accounts.get(visit.source.account)
    if parts is None or parts.scheduler is None or visit.cancel_reason in FROM_SCHEDULER:
        return None
    with suppress(NotFound):
        parts.scheduler().cancel(visit.source.id, visit.cancel_message or "cancelled")
    return None
