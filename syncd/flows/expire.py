"""A pending visit that nobody approved in time ends and frees its slot (C3)."""

from dataclasses import replace
from datetime import datetime

from syncd.core.ids import VisitId
from syncd.core.visit import CancelReason, VisitState
from syncd.flows.book import announce
from syncd.flows.context import Context
from syncd.store import Tx
from syncd.store.visits import Cause


def expire(ctx: Context, key: str, now: datetime) -> datetime | None:
    """End one pending visit whose time is up; returns when to look again while it is not."""
    return ctx.store.write(lambda tx: _expire(tx, VisitId(key), now))


def _expire(tx: Tx, visit_id: VisitId, now: datetime) -> datetime | None:
    visit = tx.visits.find(visit_id)
    if visit is None or visit.state is not VisitState.PENDING or visit.pending_expires_at is None:
        return None
    if now < visit.pending_expires_at:
        return visit.pending_expires_at
    ended = replace(
        visit, state=VisitState.CANCELLED, holds=False, cancel_reason=CancelReason.EXPIRED, pending_expires_at=None
    )
    saved = tx.visits.save(ended, Cause(at=now, actor="syncd", source="daemon", note="nobody approved it in time"))
    announce(tx, visit, saved, now)
    return None
