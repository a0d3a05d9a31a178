"""The hot path: verify, store, answer. Looks at nothing outside and applies nothing; that is the ingest flow's work.

The route is a bare Starlette endpoint. The body is read on the event loop, the write waits in a thread of its own pool
(many callers at once make one commit; the API's slow questions must not hold up deliveries).
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from syncd.core import limits
from syncd.core.ids import AccountId
from syncd.errors import BadSignature, StoreError
from syncd.flows.context import Context
from syncd.flows.keys import event_types_at, split_booking_key
from syncd.flows.say import alert, recovered
from syncd.log import log
from syncd.ports import Delivery
from syncd.store import Tx
from syncd.store.queue import DeliveryState, StoredDelivery, WorkKind
from syncd.web.bodies import read_body
from syncd.web.counts import Counts
from syncd.web.problems import Problem

WRITERS = 64  # threads that may wait for one commit together
ALARM = 10  # refused signatures in a row before somebody is told: it may be our own wrong key
UNKEPT = frozenset({"authorization", "cookie", "proxy-authorization"})
NO_CONTENT = 204
RETRY_AFTER = "5"


class Hooks:
    """Takes every provider's webhook calls."""

    def __init__(self, ctx: Callable[[], Context], counts: Counts, body_seconds: float = limits.BODY_SECONDS) -> None:
        self._ctx = ctx
        self._counts = counts
        self._body_seconds = body_seconds
        self._threads = ThreadPoolExecutor(WRITERS, thread_name_prefix="hook")

    async def take(self, request: Request) -> Response:
        """Answer 204 once the delivery is durable, 401 for a bad signature, 503 when it could not be stored."""
        ctx = self._ctx()
        account = AccountId(request.path_params["account"])
        if account not in ctx.accounts or ctx.accounts[account].hook is None:
            raise Problem("not-found")
        body = await read_body(request.scope, request.receive, limits.HOOK_BODY, self._body_seconds)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self.judge, ctx, account, headers, body)

    def judge(self, ctx: Context, account: AccountId, headers: Sequence[tuple[str, str]], body: bytes) -> Response:
        """Verify and store one call that was read whole; the answer says whether it is durable."""
        now = ctx.clock.now()
        ctx.crashpoint("C1")
        hook = ctx.accounts[account].hook
        assert hook is not None  # noqa: S101 - looked at before the body was read
        try:
            delivery = hook(headers, body, now)
        except BadSignature:
            return self._refuse(ctx, account, now)
        ctx.crashpoint("C2")
        stored = _stored(ctx, account, headers, body, delivery, now)
        look = self._counts.refused_in_a_row(account) >= ALARM or not self._counts.is_proven(account)
        try:
            state = ctx.store.write(lambda tx: _keep(ctx, tx, stored, delivery, look_for_alarm=look))
        except Exception as error:  # noqa: BLE001 - whatever kept the row from being durable, the sender must hear it
            return self._unstored(account, error)
        ctx.crashpoint("C5")
        self._counts.hook(account, state.value)
        ctx.crashpoint("C6")
        return Response(status_code=NO_CONTENT)

    def _unstored(self, account: AccountId, error: Exception) -> Response:
        self._counts.hook(account, "unstored")
        log.error("a delivery could not be stored", exc_info=error, extra={"action": "unstored", "account": account})
        headers = {"Retry-After": RETRY_AFTER}
        return Problem("store-unavailable", "the delivery was not stored; send it again", headers=headers).response()

    def _refuse(self, ctx: Context, account: AccountId, now: datetime) -> Response:
        if self._counts.hook(account, "refused") == ALARM:
            text = (
                f"{account}: {ALARM} deliveries in a row bore no valid signature. Is ours the provider's signing key?"
            )
            with suppress(StoreError):  # the next run of refusals raises it; the sender's answer is the same
                ctx.store.write(lambda tx: alert(tx, "bad_signatures", account, text, now))
        return Problem("unauthorized", "the delivery does not prove its sender").response()


def _stored(
    ctx: Context,
    account: AccountId,
    headers: Sequence[tuple[str, str]],
    body: bytes,
    delivery: Delivery,
    now: datetime,
) -> StoredDelivery:
    return StoredDelivery(
        id=ctx.clock.new_id(),
        account=account,
        key=delivery.key,
        headers=tuple((name, value) for name, value in headers if name.lower() not in UNKEPT),
        body=body,
        received_at=now,
        state=_state(delivery),
        error=delivery.unreadable or "",
        touches=tuple((one.kind, one.key) for one in delivery.touches),
    )


def _state(delivery: Delivery) -> DeliveryState:
    if delivery.unreadable is not None:
        return DeliveryState.DEAD
    if delivery.unwanted:
        return DeliveryState.UNWANTED
    return DeliveryState.NEW if delivery.touches else DeliveryState.DONE


def _keep(ctx: Context, tx: Tx, stored: StoredDelivery, delivery: Delivery, *, look_for_alarm: bool) -> DeliveryState:
    """Keep the evidence and touch the names, a repeat's too: looking once more is harmless, missing a look is not."""
    ctx.crashpoint("C3")
    account, now = stored.account, stored.received_at
    if _is_strangers(ctx, tx, account, delivery):
        why = "not one of our event types"
        stored = replace(stored, body=b"", headers=(), touches=(), state=DeliveryState.UNWANTED, error=why)
    tx.queue.inbox_put(stored)
    ctx.crashpoint("C4")
    for kind, key in stored.touches:
        tx.queue.touch(WorkKind(kind), key, now, group=account)
    if look_for_alarm:
        recovered(tx, "bad_signatures", account, now)
    if stored.state is DeliveryState.DEAD:
        text = f"{account}: a signed delivery could not be read: {delivery.unreadable}"[:400]
        alert(tx, "dead_letter", f"inbox:{account}", text, now)
    return stored.state


def _is_strangers(ctx: Context, tx: Tx, account: AccountId, delivery: Delivery) -> bool:
    """Tell whether a delivery is about a meeting that is none of ours: of such a one nothing personal is kept.

    A booking that became a visit stays ours, though its event type is no longer configured.
    """
    if delivery.event_type is None or delivery.event_type in event_types_at(ctx.directory, account):
        return False
    keys = [one.key for one in delivery.touches if one.kind == WorkKind.INGEST]
    return not any(tx.visits.find_by_source(*split_booking_key(key)) for key in keys)
