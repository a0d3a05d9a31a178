"""The hot path: verify, store, answer. Looks at nothing outside and applies nothing; that is the ingest flow's work.

It stands before every layer that it does not need, and its writes wait together for one commit (see keeper).
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from syncd.core import limits
from syncd.core.directory import Directory
from syncd.core.ids import AccountId
from syncd.errors import BadSignature
from syncd.flows.context import Context
from syncd.flows.keys import event_types_at, split_booking_key
from syncd.flows.opt_out import note_wish
from syncd.flows.receipts import note_reports
from syncd.flows.say import alert, recovered
from syncd.flows.watch import doubt, live_calendar
from syncd.log import log
from syncd.ports import Call, Delivery
from syncd.store import Tx
from syncd.store.queue import DeliveryState, StoredDelivery, WorkKind
from syncd.web.bodies import read_body
from syncd.web.counts import Counts
from syncd.web.keeper import Keeper
from syncd.web.problems import Problem

ALARM = 10  # refused signatures in a row before somebody is told: it may be our own wrong key
UNKEPT = frozenset({"authorization", "cookie", "proxy-authorization"})
NO_CONTENT = 204
RETRY_AFTER = "5"

Keep = Callable[[Tx], DeliveryState | None]


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be written before a call is answered: the delivery, or, of a refused one, perhaps an alert."""

    account: AccountId
    keep: Keep | None
    refused: bool = False
    delivery: Delivery | None = None  # a handshake, or a call that counts for nothing: there is nothing to write


class Hooks:
    """Takes every provider's webhook calls."""

    def __init__(self, ctx: Callable[[], Context], counts: Counts, body_seconds: float = limits.BODY_SECONDS) -> None:
        self._ctx = ctx
        self._counts = counts
        self._body_seconds = body_seconds
        self._keeper = Keeper(lambda: ctx().store)
        self._seen: Directory | None = None
        self._event_types: dict[AccountId, Collection[str]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 204 once the delivery is durable, 401 for a bad signature, 503 when it could not be stored."""
        ctx = self._ctx()
        account = AccountId(scope["path_params"]["account"])
        if account not in ctx.accounts or ctx.accounts[account].hook is None:
            raise Problem("not-found")
        if scope["method"] != "POST":
            await self._greet(ctx, account, query_of(scope))(scope, receive, send)
            return
        body = await read_body(scope, receive, ctx.accounts[account].hook_body, self._body_seconds)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        query = query_of(scope)
        judged = self._verify(ctx, account, self._call(ctx, account, headers, body, query))
        outcome: DeliveryState | Exception | None = None
        try:
            if judged.keep is not None:
                outcome = await self._keeper.write(judged.keep)
        except Exception as error:  # noqa: BLE001 - whatever kept the row from being durable, the sender must hear it
            outcome = error
        answer = self._answer(ctx, judged, outcome)
        if answer is not None:
            await answer(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": NO_CONTENT, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def judge(self, ctx: Context, account: AccountId, headers: Sequence[tuple[str, str]], body: bytes) -> Response:
        """Verify and store one call that was read whole, in this thread; the answer says whether it is durable."""
        judged = self._verify(ctx, account, self._call(ctx, account, headers, body))
        outcome: DeliveryState | Exception | None = None
        try:
            if judged.keep is not None:
                outcome = ctx.store.write(judged.keep)
        except Exception as error:  # noqa: BLE001 - as above
            outcome = error
        return self._answer(ctx, judged, outcome) or Response(status_code=NO_CONTENT)

    def _greet(self, ctx: Context, account: AccountId, query: str) -> Response:
        """Answer a provider that asks, before it calls, whether this address is ours; nothing is kept."""
        handshake = ctx.accounts[account].handshake
        if handshake is None:
            raise Problem("method-not-allowed", headers={"Allow": "POST"})
        try:
            return PlainTextResponse(handshake(Call(headers=(), body=b"", now=ctx.clock.now(), query=query)))
        except BadSignature:
            self._counts.hook(account, "refused")
            raise Problem("unauthorized", "the question does not prove its sender") from None

    @staticmethod
    def _call(
        ctx: Context, account: AccountId, headers: Sequence[tuple[str, str]], body: bytes, query: str = ""
    ) -> Call:
        def live(subscription: str) -> str | None:
            with ctx.store.read() as tx:
                return live_calendar(tx, account, subscription)

        return Call(headers=headers, body=body, now=ctx.clock.now(), query=query, live=live)

    def _verify(self, ctx: Context, account: AccountId, call: Call) -> Judged:
        ctx.crashpoint("C1")
        hook = ctx.accounts[account].hook
        assert hook is not None  # noqa: S101 - looked at before the body was read
        try:
            delivery = hook(call)
        except BadSignature:
            alarming = self._counts.hook(account, "refused") == ALARM
            return Judged(account, _alarm(account, call.now) if alarming else None, refused=True)
        ctx.crashpoint("C2")
        if delivery.echo is not None or delivery.ignored is not None:
            return Judged(account, None, delivery=delivery)
        stored = _stored(ctx, account, call, delivery)
        look = self._counts.refused_in_a_row(account) >= ALARM or not self._counts.is_proven(account)
        ours = delivery.event_type is None or delivery.event_type in self._event_types_of(ctx, account)
        read = ctx.accounts[account].reports
        reports = read(call) if read is not None else ()

        def keep(tx: Tx) -> DeliveryState:
            state = _keep(ctx, tx, stored, ours=ours, look_for_alarm=look)
            for wish in delivery.wishes:
                note_wish(tx, wish, call.now)
            if reports:
                note_reports(ctx, tx, account, reports, call.now)
            return state

        return Judged(account, keep)

    def _event_types_of(self, ctx: Context, account: AccountId) -> Collection[str]:
        """Return the scheduler's event types that are ours, gathered once for each configuration."""
        if self._seen is not ctx.directory:
            self._event_types = {one: frozenset(event_types_at(ctx.directory, one)) for one in ctx.accounts}
            self._seen = ctx.directory
        return self._event_types.get(account, frozenset())

    def _answer(self, ctx: Context, judged: Judged, outcome: DeliveryState | Exception | None) -> Response | None:
        """Return what is said, None where the delivery is durable and there is nothing to say."""
        if judged.refused:  # that the alert could not be stored changes nothing for the sender
            return Problem("unauthorized", "the delivery does not prove its sender").response()
        if judged.delivery is not None:
            return self._unkept(judged.account, judged.delivery)
        if isinstance(outcome, DeliveryState):
            ctx.crashpoint("C5")
            self._counts.hook(judged.account, outcome.value)
            ctx.crashpoint("C6")
            return None
        return self._unstored(judged, outcome)

    def _unkept(self, account: AccountId, delivery: Delivery) -> Response | None:
        """Answer what leaves no row: a provider's handshake is echoed as text, an unknown channel hears 204."""
        if delivery.echo is not None:
            return PlainTextResponse(delivery.echo)
        self._counts.hook(account, "ignored")
        return None

    def _unstored(self, judged: Judged, outcome: Exception | None) -> Response:
        self._counts.hook(judged.account, "unstored")
        log.error(
            "a delivery could not be stored", exc_info=outcome, extra={"action": "unstored", "account": judged.account}
        )
        headers = {"Retry-After": RETRY_AFTER}
        return Problem("store-unavailable", "the delivery was not stored; send it again", headers=headers).response()


def query_of(scope: Scope) -> str:
    """Return the query of a call as it was sent, not decoded."""
    return str(scope["query_string"].decode("latin-1"))


def _alarm(account: AccountId, now: datetime) -> Keep:
    text = f"{account}: {ALARM} deliveries in a row bore no valid signature. Is ours the provider's signing key?"

    def tell(tx: Tx) -> None:
        alert(tx, "bad_signatures", account, text, now)

    return tell


def _stored(ctx: Context, account: AccountId, call: Call, delivery: Delivery) -> StoredDelivery:
    return StoredDelivery(
        id=ctx.clock.new_id(),
        account=account,
        key=delivery.key,
        headers=tuple((name, value) for name, value in call.headers if name.lower() not in UNKEPT),
        body=call.body,
        received_at=call.now,
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


def _keep(ctx: Context, tx: Tx, stored: StoredDelivery, *, ours: bool, look_for_alarm: bool) -> DeliveryState:
    """Keep the evidence and touch the names, a repeat's too: looking once more is harmless, missing a look is not."""
    ctx.crashpoint("C3")
    account, now = stored.account, stored.received_at
    if not ours and not _is_known(tx, stored):  # a meeting that is none of ours: nothing personal of it is kept
        why = "not one of our event types"
        stored = replace(stored, body=b"", headers=(), touches=(), state=DeliveryState.UNWANTED, error=why)
    if stored.key:
        tx.queue.inbox_put(stored)
    ctx.crashpoint("C4")
    for kind, key in stored.touches:
        tx.queue.touch(WorkKind(kind), key, now, group=account)
        if kind == WorkKind.RENEW:
            doubt(tx, account, key)
    if look_for_alarm:
        recovered(tx, "bad_signatures", account, now)
    if stored.state is DeliveryState.DEAD:
        text = f"{account}: a signed delivery could not be read: {stored.error}"[:400]
        alert(tx, "dead_letter", f"inbox:{account}", text, now)
    return stored.state


def _is_known(tx: Tx, stored: StoredDelivery) -> bool:
    """Tell whether a delivery names a booking that became a visit: it stays ours without its event type."""
    keys = [key for kind, key in stored.touches if kind == WorkKind.INGEST]
    return any(tx.visits.find_by_source(*split_booking_key(key)) for key in keys)
