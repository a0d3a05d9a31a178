"""Keeps the push subscription of one calendar alive: renewed in time, or a new one started before the old one ends.

What we hold is remembered here, because not every provider can list it; a call that names anything else is ignored.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from syncd.core.directory import CalendarRef
from syncd.core.ids import AccountId, CalendarId
from syncd.errors import Ambiguous, Permanent
from syncd.flows.context import Context
from syncd.flows.say import alert, recovered
from syncd.flows.subscribe import DENIED, WATCH, callback, renew
from syncd.ports import Subscription, Watch
from syncd.store import Tx
from syncd.store.queue import WorkKind

LIFE = 0.6  # of its life is used before a subscription is renewed (F30: between half and 70 %)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A subscription as we hold it, and since when."""

    subscription: Subscription
    since: datetime

    def due(self, now: datetime) -> datetime:
        """Return when it is to be renewed; one without an end is only looked at now and then."""
        end = self.subscription.expires_at
        return now + WATCH if end is None else self.since + (end - self.since) * LIFE

    def is_over(self, now: datetime) -> bool:
        return self.subscription.expires_at is not None and self.subscription.expires_at <= now


def watch(ctx: Context, calendar: CalendarId, now: datetime) -> datetime | None:
    """Make sure one live subscription tells of this calendar; returns when to look again."""
    ref = next(iter(ctx.directory.calendar(calendar)), None)
    maker = ctx.accounts[ref.account].watch if ref is not None and ref.account in ctx.accounts else None
    if ref is None or maker is None or not ctx.public_url:
        return None
    with ctx.store.read() as tx:
        held = held_of(tx, ref.account, calendar)
        doubted = tx.accounts.get(ref.account, f"doubt:{calendar}") is not None
    try:
        return _keep_alive(ctx, ref, maker(ref), held, now, doubted=doubted)
    except Permanent as error:
        return _denied(ctx, ref, str(error), now)


def keep_called(ctx: Context, key: str, now: datetime) -> datetime | None:
    """Keep alive what lets a provider call us: of a whole account, or of one calendar, as the key says."""
    calendar = CalendarId(key)
    return watch(ctx, calendar, now) if ctx.directory.calendar(calendar) else renew(ctx, key, now)


def _keep_alive(
    ctx: Context, ref: CalendarRef, provider: Watch, held: Sequence[Held], now: datetime, *, doubted: bool
) -> datetime:
    live = [one for one in held if not one.is_over(now)]
    newest = live[-1] if live else None
    fresh = newest is not None and newest.due(now) > now and not doubted
    if newest is not None and fresh and len(held) == 1:
        return newest.due(now)  # nothing to do, and nothing asked: a look costs no request
    if newest is None or not fresh:
        newest = Held(subscription=_next(ctx, ref, provider, newest), since=now)
        # Remembered before the old one ends: its first call may come before ours is answered.
        ctx.store.write(lambda tx: _remember(tx, ref, [*held, newest], now))
    _clean(ctx, ref, provider, [one for one in held if one.subscription.id != newest.subscription.id], newest, now)
    return newest.due(now)


def _next(ctx: Context, ref: CalendarRef, provider: Watch, newest: Held | None) -> Subscription:
    renewed = provider.renew(newest.subscription) if newest is not None else None
    if renewed is not None:
        return renewed
    try:
        return provider.start(callback(ctx, ref.account))
    except Ambiguous:
        known = {newest.subscription.id} if newest is not None else set()
        for stray in provider.strays(known):  # perhaps it was made: nobody remembers it, so it must go
            provider.stop(stray)
        raise


def _clean(ctx: Context, ref: CalendarRef, provider: Watch, old: Sequence[Held], newest: Held, now: datetime) -> None:
    """End the ones before it, and those at the provider that nobody remembers."""
    for one in old:
        provider.stop(one.subscription)
    for stray in provider.strays({newest.subscription.id}):
        provider.stop(stray)
    ctx.store.write(lambda tx: _settled(tx, ref, old, newest, now))


def _settled(tx: Tx, ref: CalendarRef, old: Sequence[Held], newest: Held, now: datetime) -> None:
    for one in old:
        tx.accounts.put(ref.account, f"channel:{one.subscription.id}", None)
    tx.accounts.put(ref.account, f"doubt:{ref.id}", None)
    _remember(tx, ref, [newest], now)
    tx.queue.touch(WorkKind.PULL, ref.id, now, group=ref.account)  # what was told before we could hear it
    recovered(tx, "push_denied", ref.id, now)


def _denied(ctx: Context, ref: CalendarRef, why: str, now: datetime) -> datetime:
    """The provider lets nobody watch this calendar: polling carries on alone, and tomorrow we ask again."""

    def note(tx: Tx) -> None:
        alert(tx, "push_denied", ref.id, f"{ref.id} cannot be watched and is polled instead: {why}"[:400], now)

    ctx.store.write(note)
    return now + DENIED


# --- what is remembered ---------------------------------------------------------------------------------------------


def live_calendar(tx: Tx, account: AccountId, subscription: str) -> str | None:
    """Return the calendar that a subscription of ours tells of, None for one we do not hold."""
    return tx.accounts.get(account, f"channel:{subscription}")


def doubt(tx: Tx, account: AccountId, calendar: str) -> None:
    """Note that a subscription may be gone or about to go, as its provider says: the next look does not trust it."""
    tx.accounts.put(account, f"doubt:{calendar}", "1")


def held_of(tx: Tx, account: AccountId, calendar: CalendarId) -> list[Held]:
    """List what we hold for a calendar, the newest last."""
    return [_read(one) for one in json.loads(tx.accounts.get(account, f"watch:{calendar}") or "[]")]


def _remember(tx: Tx, ref: CalendarRef, held: Sequence[Held], now: datetime) -> None:
    kept = {one.subscription.id: one for one in held if not one.is_over(now)}
    tx.accounts.put(ref.account, f"watch:{ref.id}", json.dumps([_written(one) for one in kept.values()]))
    for name in kept:
        tx.accounts.put(ref.account, f"channel:{name}", ref.id)


def _written(held: Held) -> dict[str, Any]:
    one = held.subscription
    end = one.expires_at.isoformat() if one.expires_at is not None else None
    return {"id": one.id, "callback": one.callback, "memo": one.memo, "end": end, "since": held.since.isoformat()}


def _read(row: dict[str, Any]) -> Held:
    end = datetime.fromisoformat(row["end"]) if row["end"] is not None else None
    made = Subscription(id=row["id"], callback=row["callback"], expires_at=end, memo=row["memo"])
    return Held(subscription=made, since=datetime.fromisoformat(row["since"]))
