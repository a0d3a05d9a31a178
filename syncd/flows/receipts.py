"""What services report of messages they took: kept, never backwards; staff hear of those that did not arrive."""

from collections.abc import Sequence
from datetime import datetime

from syncd.core.ids import AccountId
from syncd.core.letter import Report, Sent
from syncd.flows.context import Context
from syncd.flows.reach import visit_of
from syncd.flows.say import task
from syncd.ports import Call
from syncd.store import Tx
from syncd.store.queue import DeliveryState


def receive(ctx: Context, key: str, now: datetime) -> None:
    """Read one kept delivery (`<account>|<delivery key>`) again and note what it says; once more does no harm."""
    account = AccountId(key.partition("|")[0])
    parts = ctx.accounts.get(account)
    with ctx.store.read() as tx:
        kept = tx.queue.inbox_about(account, key, 1)
    calls = (Call(headers=one.headers, body=one.body, now=one.received_at) for one in kept)
    found = [one for call in calls for one in parts.reports(call)] if parts is not None and parts.reports else []

    def note(tx: Tx) -> None:
        note_reports(ctx, tx, account, found, now)
        tx.queue.inbox_settle(account, key, DeliveryState.DONE)

    ctx.store.write(note)


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
