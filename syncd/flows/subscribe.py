"""Keeps one account's push subscription alive: watched, and recreated at a new address before the old one goes."""

from dataclasses import replace
from datetime import datetime, timedelta

from syncd.core.ids import AccountId
from syncd.errors import Forbidden
from syncd.flows.context import Context
from syncd.flows.say import alert, recovered
from syncd.ports import Push, Subscription
from syncd.store import Tx

WATCH = timedelta(minutes=30)  # how often a healthy subscription is looked at
DENIED = timedelta(days=1)  # 403: poll, and ask again tomorrow


def renew(ctx: Context, key: str, now: datetime) -> datetime | None:
    """Make sure exactly one live subscription calls us; returns when to look again."""
    account = AccountId(key)
    parts = ctx.accounts.get(account)
    if parts is None or parts.push is None or not _reachable(ctx):
        return None
    push = parts.push()
    try:
        ours = [one for one in push.subscriptions() if one.callback.startswith(callback(ctx, account))]
        live = [one for one in ours if one.active and not _ends_soon(one, now)]
        if not live:
            live = [_subscribe(ctx, account, push)]
            for old in ours:
                push.unsubscribe(old)
        for extra in live[:-1]:
            push.unsubscribe(extra)
    except Forbidden as error:
        return _denied(ctx, account, str(error), now)
    ctx.store.write(lambda tx: _live(tx, account, live[-1], now))
    return now + WATCH


def _reachable(ctx: Context) -> bool:
    """A provider on the Internet cannot call a loopback address; local stand-ins can, and take the same path."""
    return bool(ctx.public_url)


def callback(ctx: Context, account: AccountId) -> str:
    return f"{ctx.public_url.rstrip('/')}/hook/{account}"


def _ends_soon(one: Subscription, now: datetime) -> bool:
    return one.expires_at is not None and one.expires_at - now < WATCH * 2


def _subscribe(ctx: Context, account: AccountId, push: Push) -> Subscription:
    """Create at a path with a new generation: the same address again would be refused (409)."""

    def raise_generation(tx: Tx) -> int:
        generation = int(tx.accounts.get(account, "hook_generation") or "0") + 1
        tx.accounts.put(account, "hook_generation", str(generation))
        return generation

    generation = ctx.store.write(raise_generation)
    return push.subscribe(f"{callback(ctx, account)}/{generation}")


def _denied(ctx: Context, account: AccountId, why: str, now: datetime) -> datetime:
    """Webhooks are not allowed to this token or plan: polling carries on alone, and tomorrow we ask again."""

    def note(tx: Tx) -> None:
        tx.accounts.put(account, "push", f"refused: {why}"[:300])
        alert(tx, "push_denied", account, f"{account} does not allow webhooks; bookings are polled: {why}", now)

    ctx.store.write(note)
    return now + DENIED


def _live(tx: Tx, account: AccountId, live: Subscription, now: datetime) -> None:
    tx.accounts.put(account, "push", f"active: {live.callback} {live.note}".strip())
    tx.accounts.put(account, "push_expires", live.expires_at.isoformat() if live.expires_at else None)
    state = tx.accounts.state(account)
    tx.accounts.save_state(replace(state, last_success=now))
    recovered(tx, "push_denied", account, now)
