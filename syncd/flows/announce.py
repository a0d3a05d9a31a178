"""Brings alerts, and their ends, to the services that the configuration names: one copy for each, sent as messages are.

A copy that may have gone is sent again: an operator who hears twice is better off than one who does not.
"""

from dataclasses import replace
from datetime import datetime

from syncd.core.ids import AccountId
from syncd.core.letter import Channel, Letter
from syncd.flows.context import Context
from syncd.store import Tx
from syncd.store.queue import Notice

ALERTS = "alerts:"  # built-in accounts "alerts:1", "alerts:2", …, one for each URL
RECOVERED = "_recovered"


def is_alert(key: str) -> bool:
    """Tell whether a piece of work names an alert that is to be brought, not an account that sends."""
    return key.startswith(("alert:", "recovered:"))


def announce(ctx: Context, tx: Tx, key: str, now: datetime) -> None:
    """Make one copy of an alert for each service; once more does no harm. Without services nothing is made."""
    alert = tx.outbox.find(key)
    if alert is None:
        return
    body = {"text": str((alert.body or {}).get("text", alert.about))}
    for account in services(ctx):
        copy = Notice(key=f"{account}:{key}", channel=Channel.OPERATOR.value, kind=alert.kind, to=account, body=body)
        tx.queue.say(replace(copy, due_at=now, created_at=alert.created_at))


def services(ctx: Context) -> list[AccountId]:
    return [account for account in ctx.accounts if account.startswith(ALERTS)]


def alert_letter(ctx: Context, notice: Notice) -> Letter:
    """Return an alert in words: what, since when, and at which installation."""
    is_end = notice.kind.endswith(RECOVERED)
    kind = notice.kind.removesuffix(RECOVERED)
    at = notice.created_at or notice.due_at or ctx.clock.now()
    text = f"{(notice.body or {}).get('text', '')}\n\n{at:%Y-%m-%d %H:%M} UTC · {ctx.public_url}".strip()
    subject = f"syncd: {kind} is over" if is_end else f"syncd: {kind}"
    return Letter(key=notice.key, channel=Channel.OPERATOR, kind=notice.kind, to=notice.to, subject=subject, text=text)
