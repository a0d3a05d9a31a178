"""What services report of messages they took: kept, never backwards; staff hear of those that did not arrive."""

from collections.abc import Sequence
from datetime import datetime

from syncd.core.ids import AccountId
from syncd.core.letter import Report, Sent
from syncd.flows.context import Context
from syncd.flows.reach import visit_of
from syncd.flows.say import task
from syncd.store import Tx


def note_reports(ctx: Context, tx: Tx, account: AccountId, reports: Sequence[Report], now: datetime) -> int:
    """Keep reports in the transaction of the call that brought them; returns how many were news."""
    news = 0
    for one in reports:
        notice = tx.outbox.report(account, one.remote_id, one.state, one.at, one.error)
        if notice is None:
            continue
        news += 1
        visit = visit_of(tx, notice)
        if one.state is Sent.FAILED and visit is not None and notice.to == "client":
            task(tx, "undelivered", visit, now, key=notice.key)
    ctx.crashpoint("M6")
    return news
