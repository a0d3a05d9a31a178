"""Runs one piece of work and says what its outcome means for the queue, the account and the operator. No threads
in here."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from syncd.core.ids import AccountId
from syncd.core.retry import next_attempt
from syncd.errors import (
    Ambiguous,
    AuthFailed,
    ConnectorError,
    Permanent,
    StoreError,
    Transient,
    Unreadable,
)
from syncd.flows.carry import carry
from syncd.flows.context import Context
from syncd.flows.health import note_answer
from syncd.flows.ingest import ingest
from syncd.flows.keys import split_booking_key
from syncd.flows.poll import poll
from syncd.flows.publish import publish
from syncd.flows.pull import pull
from syncd.flows.reach import MESSAGES, carries_messages
from syncd.flows.receipts import receive
from syncd.flows.reconcile import agents_ahead, reconcile, visits_ahead
from syncd.flows.remind import remind
from syncd.flows.say import alert, recovered
from syncd.flows.send import send
from syncd.flows.watch import keep_called
from syncd.log import bound, log
from syncd.store import Tx
from syncd.store.queue import UNADDRESSED, DeliveryState, Work, WorkKind
from syncd.store.records import NO_ACCOUNT

Handler = Callable[[Context, str, datetime], datetime | None]

HANDLERS: dict[WorkKind, Handler] = {
    WorkKind.INGEST: ingest,
    WorkKind.POLL: poll,
    WorkKind.PULL: pull,
    WorkKind.RECONCILE: reconcile,
    WorkKind.PUBLISH: publish,
    WorkKind.REMIND: remind,
    WorkKind.RENEW: keep_called,
    WorkKind.CARRY: carry,
    WorkKind.SEND: send,
    WorkKind.RECEIPT: receive,
}

# After a restore (docs/operations.md, Recovery): what writes outside, speaks or judges by what was written waits.
HELD = frozenset({WorkKind.RECONCILE, WorkKind.PUBLISH, WorkKind.CARRY, WorkKind.REMIND, WorkKind.RENEW, WorkKind.SEND})
HOLD = timedelta(minutes=10)

LEASE = timedelta(minutes=2)  # longer than the total deadline of any call
POISON = 5  # attempts of something that crashes before it is a dead letter (F37)
BREAKER = 3  # failures in a row before an account rests
REST_LONGEST = timedelta(minutes=15)


def account_of(work: Work) -> AccountId | None:
    """Return the account whose login this work uses, None where it uses none."""
    return AccountId(work.group) if work.group else None


def run_one(ctx: Context, work: Work) -> None:
    """Run one leased piece of work to one of its ends: finished, again later, or buried. Raises StoreError only."""
    with bound(kind=work.kind, key=work.key, account=work.group or None):
        _run(ctx, work)


def _run(ctx: Context, work: Work) -> None:
    ctx.crashpoint("C7")
    if work.kind in HELD and ctx.store.restored:
        ctx.store.write(lambda tx: tx.queue.finish(work, ctx.clock.now() + HOLD))
        return
    try:
        due = HANDLERS[work.kind](ctx, work.key, ctx.clock.now())
    except StoreError:
        raise
    except ConnectorError as error:
        _failed(ctx, work, error)
    except Exception as error:  # noqa: BLE001 - the one place where a defect of ours must not stop everything else
        _crashed(ctx, work, error)
    else:
        ctx.store.write(lambda tx: _done(ctx, tx, work, due, ctx.clock.now()))
        ctx.crashpoint("C22")


def _done(ctx: Context, tx: Tx, work: Work, due: datetime | None, now: datetime) -> None:
    tx.queue.finish(work, due)
    ctx.crashpoint("C21")
    account = account_of(work)
    if account is None or not _has_answered(ctx, work):
        return
    note_answer(tx, account, now)


def _has_answered(ctx: Context, work: Work) -> bool:
    """Tell whether work that went well proves that its account answers: some kinds may need no call at all."""
    if work.kind is WorkKind.POLL:
        parts = ctx.accounts.get(AccountId(work.key))
        return parts is not None and (parts.home is not None or parts.scheduler is not None)
    return work.kind in (WorkKind.PULL, WorkKind.INGEST)


def _failed(ctx: Context, work: Work, error: ConnectorError) -> None:
    log.warning("work failed", extra={"action": "work_failed", "kind": work.kind, "error": type(error).__name__})
    now, jitter = ctx.clock.now(), ctx.clock.jitter()
    again = next_attempt(getattr(error, "retry_after", None), work.attempts + 1, now, jitter)

    def note(tx: Tx) -> None:
        if isinstance(error, AuthFailed):
            _park(tx, work, error, now)
            tx.queue.fail(work, now + REST_LONGEST, str(error))
        elif isinstance(error, Permanent):
            _bury(tx, work, error, now)
        else:
            tx.queue.fail(work, again, str(error))
            if isinstance(error, Transient | Ambiguous | Unreadable):
                _count(tx, work, error, again, now)

    ctx.store.write(note)


def _park(tx: Tx, work: Work, error: AuthFailed, now: datetime) -> None:
    """A refused login stops the account until somebody signs in; one alert, and the queue is kept (F19)."""
    account = account_of(work)
    if account is None:
        return
    state = tx.accounts.state(account)
    tx.accounts.save_state(
        replace(
            state,
            parked=str(error)[:300] or "login refused",
            failing_since=state.failing_since or now,
            not_before=now + REST_LONGEST,
        )
    )
    remedy = f"Sign in again (syncd auth {account}), or put the right secret in place and reload"
    text = f"{account}: the login is refused. {remedy}; a changed systemd credential needs a restart."
    alert(tx, "sign_in", account, text, now)


def _bury(tx: Tx, work: Work, error: Exception, now: datetime) -> None:
    tx.queue.bury(work, str(error)[:300], now)
    if work.kind is WorkKind.INGEST:
        account, _ = split_booking_key(work.key)
        tx.queue.inbox_settle(account, work.key, DeliveryState.DEAD, str(error)[:300])
    alert(tx, "dead_letter", f"{work.kind}:{work.key}", f"{work.kind} {work.key} is a dead letter: {error}"[:400], now)


def _count(tx: Tx, work: Work, error: ConnectorError, again: datetime, now: datetime) -> None:
    """Count failures in a row; after a few the whole account rests, so that others are not held up (breaker)."""
    account = account_of(work)
    if account is None:
        return
    state = tx.accounts.state(account)
    failures = state.failures + 1
    asked = getattr(error, "retry_after", None)
    rest = again if asked else min(again, now + REST_LONGEST) if failures >= BREAKER else None
    tx.accounts.save_state(
        replace(
            state, failures=failures, failing_since=state.failing_since or now, not_before=rest, error=str(error)[:300]
        )
    )
    if failures == BREAKER and not (
        work.kind is WorkKind.PULL and isinstance(error, Unreadable)
    ):  # pull says it better
        alert(tx, "account_down", account, f"{account} does not answer as it should: {error}"[:400], now)


def _crashed(ctx: Context, work: Work, error: Exception) -> None:
    """A defect of ours or a poisonous input: tried again a few times, then a dead letter (F37)."""
    log.error("work crashed", exc_info=error, extra={"action": "work_crashed", "kind": work.kind})
    now, jitter = ctx.clock.now(), ctx.clock.jitter()

    def note(tx: Tx) -> None:
        if work.attempts + 1 >= POISON:
            _bury(tx, work, error, now)
        else:
            tx.queue.fail(work, next_attempt(None, work.attempts + 1, now, jitter), repr(error)[:300])

    ctx.store.write(note)


def rests(ctx: Context, now: datetime) -> dict[str, datetime]:
    """Return the accounts that must not be called now, parked or resting behind their breaker, and until when."""
    with ctx.store.read() as tx:
        return {str(account): until for account, until in tx.accounts.resting(now).items()}


def try_logins_again(ctx: Context) -> None:
    """Let accounts whose login was refused be tried now: somebody may have put the right secret in place (F19)."""

    def lift(tx: Tx) -> None:
        for state in tx.accounts.states():
            if state.parked:
                tx.accounts.save_state(replace(state, not_before=None))

    ctx.store.write(lift)


def drain(ctx: Context, *, most: int = 100_000, progress: Callable[[Work], None] | None = None) -> int:
    """Run everything that is due in this thread until nothing is; returns how many pieces were run."""
    for count in range(most):
        work = claim(ctx, [*rests(ctx, ctx.clock.now())])
        if work is None:
            return count
        if progress is not None:
            progress(work)
        run_one(ctx, work)
    return most


def claim(ctx: Context, skip: Sequence[str]) -> Work | None:
    """Lease the next due work of an account that is not skipped."""
    now = ctx.clock.now()
    return ctx.store.write(lambda tx: claim_in(tx, now, skip))


def claim_in(tx: Tx, now: datetime, skip: Sequence[str]) -> Work | None:
    """Do the same inside a transaction that is already open."""
    return next(iter(tx.queue.claim(now, LEASE, skip=skip)), None)


def poll_all(ctx: Context, now: datetime) -> None:
    """Touch every account: the beat of `poll_every`."""
    ctx.store.write(lambda tx: _touch_polls(ctx, tx, now))


def sweep(ctx: Context, now: datetime) -> None:
    """Touch every name: what makes up for any wake-up that was lost."""

    def touch(tx: Tx) -> None:
        _touch_polls(ctx, tx, now)
        for account, parts in ctx.accounts.items():
            watched = {ref.id for ref in ctx.directory.calendars_at(account)} if parts.watch else set()
            keys = [*([account] if parts.push is not None else []), *sorted(watched)]
            tx.queue.touch_many(WorkKind.RENEW, keys, now, group=account)
        tx.queue.touch_many(WorkKind.RECONCILE, agents_ahead(ctx, tx, now), now)
        tx.queue.touch_many(WorkKind.REMIND, visits_ahead(tx, now), now)
        for account in (NO_ACCOUNT, *ctx.accounts):
            if (wake := tx.outbox.wake_at(account)) is not None:
                tx.queue.touch(WorkKind.SEND, account or UNADDRESSED, wake, group=account)
        if carries_messages(ctx):
            recovered(tx, "no_messenger", MESSAGES, now)

    ctx.store.write(touch)


def _touch_polls(ctx: Context, tx: Tx, now: datetime) -> None:
    for account in ctx.accounts:
        tx.queue.touch(WorkKind.POLL, account, now, group=account)
