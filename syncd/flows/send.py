"""Sends what is due, in order, one message after the other for each account; a way is chosen first.

`sending` is durable before a service is called, `sent` after it. What an outcome that nobody knows leads to stands in
one table (ON_UNKNOWN), for each channel.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from syncd.core.ids import AccountId
from syncd.core.letter import Channel, Letter
from syncd.core.retry import next_attempt
from syncd.core.visit import CancelReason, ClientConfirmation
from syncd.errors import Ambiguous, AuthFailed, ConnectorError, Permanent
from syncd.flows.announce import alert_letter, announce, is_alert
from syncd.flows.context import Context
from syncd.flows.health import note_answer
from syncd.flows.reach import MESSAGES, Go, Skip, Wait, carries_messages, outcome, verdict_of, visit_of
from syncd.flows.say import alert, task
from syncd.store import Tx
from syncd.store.queue import UNADDRESSED, Notice, WorkKind
from syncd.store.visits import Cause

AGAIN = frozenset(
    {Channel.EMAIL, Channel.OPERATOR}
)  # may be sent again with the same name when nobody knows whether it went
PACE = {Channel.EMAIL: 5, Channel.WHATSAPP: 10, Channel.SMS: 1, Channel.OPERATOR: 5}  # a second, for one account
MANY = 200  # messages whose way is chosen in one transaction
CRASHES = 3  # a message that crashes us so often is failed: those behind it must go on
RETRY_LONGEST = timedelta(minutes=2)  # of one message; the account's own rest is longer
NO_ACCOUNT = AccountId("")
BEGUN = "begun"


def send(ctx: Context, key: str, now: datetime) -> datetime | None:
    """Choose ways, or send what is due over one account; returns when to look again. Raises what a service raises."""
    if key == UNADDRESSED:
        return ctx.store.write(lambda tx: _address(ctx, tx, now))
    if is_alert(key):
        return ctx.store.write(lambda tx: announce(ctx, tx, key, now))
    return _deliver(ctx, AccountId(key), now)


# --- choosing a way -------------------------------------------------------------------------------------------------


def _address(ctx: Context, tx: Tx, now: datetime) -> datetime | None:
    for notice in tx.outbox.next(NO_ACCOUNT, now, MANY):
        _choose(ctx, tx, notice, now)
    return tx.outbox.wake_at(NO_ACCOUNT)


def _choose(ctx: Context, tx: Tx, notice: Notice, now: datetime) -> None:
    match verdict_of(ctx, tx, notice, now):
        case Wait(until):
            tx.outbox.save(replace(notice, not_before=until))
        case Skip(reason):
            _skip(ctx, tx, notice, reason, now)
        case Go(channel=Channel.TASK) if notice.channel == Channel.TASK:  # a task whose moment has come
            tx.outbox.save(outcome(notice, "open"))
        case Go(channel=Channel.TASK):
            tx.outbox.save(outcome(notice, "skipped", "task", via="task"))
            _task(tx, notice.kind, notice, now)
        case Go(channel=Channel.NOTICE):
            tx.outbox.save(outcome(notice, "sent", via="notice", sent_at=now))
        case Go(channel=channel, account=account):
            tx.outbox.save(replace(notice, via=channel.value, account=account, not_before=None))
            tx.queue.touch(WorkKind.SEND, account, now, group=account)


def _skip(ctx: Context, tx: Tx, notice: Notice, reason: str, now: datetime) -> None:
    """Note why nothing is sent; where somebody should have been told, staff are asked to do it (C4)."""
    if notice.tried:
        tx.outbox.save(outcome(notice, "failed", notice.reason or reason))
    else:
        tx.outbox.save(outcome(notice, "skipped", reason))
    if notice.to == "client" and reason == "no_channel" and not carries_messages(ctx):
        alert(tx, "no_messenger", MESSAGES, NO_MESSENGER, now)
    if notice.kind == "cancellation" and notice.to == "client" and reason in UNTOLD and not _by_client(tx, notice):
        _task(tx, "call_task", notice, now)
    elif reason in UNREACHED and notice.to == "client" and carries_messages(ctx):
        _task(tx, "undelivered", notice, now)


NO_MESSENGER = (
    "no account carries messages, so clients are told nothing: add one, such as smtp, or write enabled = false"
)
UNREACHED = ("no_channel", "opted_out")
UNTOLD = ("off", "too_late", *UNREACHED)


def _by_client(tx: Tx, notice: Notice) -> bool:
    visit = visit_of(tx, notice)
    return visit is None or visit.cancel_reason in (None, CancelReason.CLIENT, CancelReason.SCHEDULER)


def _task(tx: Tx, kind: str, notice: Notice, now: datetime) -> None:
    visit = visit_of(tx, notice)
    if visit is not None:
        task(tx, kind, visit, now, key=notice.key)


# --- sending --------------------------------------------------------------------------------------------------------


def _deliver(ctx: Context, account: AccountId, now: datetime) -> datetime | None:
    parts = ctx.accounts.get(account)
    if parts is None or parts.messenger is None:
        return ctx.store.write(lambda tx: _hand_back(tx, account, now))
    messenger = parts.messenger()
    for _ in range(PACE[messenger.channel]):
        ready = ctx.store.write(lambda tx: _begin(ctx, tx, account, now))
        if ready is None:
            break
        notice, to = ready
        ctx.crashpoint("M1")
        letter = _compose(ctx, notice, to)
        if ctx.store.write(partial(_lock, ctx, notice, letter, now)):
            ctx.crashpoint("M2")
            _call(ctx, notice, lambda letter=letter: messenger.send(letter), now)  # type: ignore[misc]
    with ctx.store.read() as tx:
        wake = tx.outbox.wake_at(account)
    return max(wake, now + timedelta(seconds=1)) if wake is not None else None


def _hand_back(tx: Tx, account: AccountId, now: datetime) -> None:
    """An account left the configuration: what waits for it is given another way."""
    while found := tx.outbox.next(account, now + timedelta(days=366), MANY):
        for one in found:
            state = "unknown" if one.state == "sending" and Channel(one.via) not in AGAIN else "scheduled"
            tx.outbox.save(replace(one, state=state, account=NO_ACCOUNT, via="", not_before=None))
    tx.queue.touch(WorkKind.SEND, UNADDRESSED, now)


def _begin(ctx: Context, tx: Tx, account: AccountId, now: datetime) -> tuple[Notice, Go] | None:
    """Take the next message that may really go now, and note that it was begun; None where nothing is left to do."""
    while found := tx.outbox.next(account, now):
        notice = found[0]
        if notice.state == "sending" and Channel(notice.via) not in AGAIN:
            _lost(tx, notice, "no answer was read", now)
            continue
        if notice.reason == BEGUN and notice.attempts >= CRASHES:
            _give_up(tx, notice, now)
            continue
        match verdict_of(ctx, tx, notice, now):
            case Go(channel=channel, account=chosen) as to if chosen == account and channel.value == notice.via:
                begun = replace(notice, attempts=notice.attempts + 1, reason=BEGUN)
                tx.outbox.save(begun)
                return begun, to
            case _ if notice.state == "sending":  # a mail that may have gone and need not go again
                tx.outbox.save(outcome(notice, "unknown", "no answer was read"))
            case _:
                tx.outbox.save(replace(notice, account=NO_ACCOUNT, via="", not_before=None))
                _choose(ctx, tx, replace(notice, account=NO_ACCOUNT, via=""), now)
                tx.queue.touch(WorkKind.SEND, UNADDRESSED, now)
    return None


def _compose(ctx: Context, notice: Notice, to: Go) -> Letter:
    letter = alert_letter(ctx, notice) if to.channel is Channel.OPERATOR else _words(ctx, notice, to)
    return replace(letter, key=notice.key, channel=to.channel, kind=notice.kind, to=to.address, to_name=to.name)


def _words(ctx: Context, notice: Notice, to: Go) -> Letter:
    with ctx.store.read() as tx:
        visit = visit_of(tx, notice)
    return ctx.compose(ctx, visit, notice.kind, to.channel, notice.to, notice.body)


def _lock(ctx: Context, notice: Notice, letter: Letter, now: datetime, tx: Tx) -> bool:
    """Make `sending` durable, unless the visit changed while the letter was written: then it is written anew."""
    match verdict_of(ctx, tx, notice, now):
        case Go(address=address) if address == letter.to:
            tx.outbox.save(replace(notice, state="sending", sending_at=now))
            return True
        case _:
            tx.outbox.save(replace(notice, reason="", attempts=notice.attempts - 1))
            return False


def _call(ctx: Context, notice: Notice, deliver: Callable[[], str], now: datetime) -> None:
    try:
        remote_id = deliver()
    except Permanent as error:
        why = str(error)
        ctx.store.write(lambda tx: _refused(tx, notice, why, now))
    except Ambiguous as error:
        why = str(error)
        if Channel(notice.via) in AGAIN:
            ctx.store.write(lambda tx: _postpone(ctx, tx, notice, why, now))
            raise
        ctx.store.write(lambda tx: _lost(tx, notice, why, now))
    except (AuthFailed, ConnectorError) as error:
        why = str(error)
        ctx.store.write(lambda tx: _postpone(ctx, tx, notice, why, now))
        raise
    else:
        ctx.crashpoint("M4")
        ctx.store.write(lambda tx: _sent(tx, notice, remote_id, ctx.clock.now()))
        ctx.crashpoint("M5")


def _sent(tx: Tx, notice: Notice, remote_id: str, now: datetime) -> None:
    tx.outbox.sent(notice, remote_id, now)
    note_answer(tx, notice.account, now)
    visit = visit_of(tx, notice)
    if visit is None or notice.kind != "confirmation_request":
        return
    if visit.client_confirmation is ClientConfirmation.NONE and visit.active:
        asked = replace(visit, client_confirmation=ClientConfirmation.ASKED)
        tx.visits.save(asked, Cause(at=now, actor="syncd", source="daemon", note="the client was asked to confirm"))
    tx.queue.touch(WorkKind.REMIND, visit.id, now)


def _postpone(ctx: Context, tx: Tx, notice: Notice, why: str, now: datetime) -> None:
    """Try a message again a little later; the account's own rest is the runner's."""
    again = min(next_attempt(None, notice.attempts, now, ctx.clock.jitter()), now + RETRY_LONGEST)
    tx.outbox.save(outcome(notice, "scheduled", why, not_before=again))


def _refused(tx: Tx, notice: Notice, why: str, now: datetime) -> None:
    """This way is refused for good: the next one is tried."""
    tried = f"{notice.tried} {notice.via}".strip()
    tx.outbox.save(outcome(notice, "scheduled", why, tried=tried, account=NO_ACCOUNT, via="", not_before=now))
    tx.queue.touch(WorkKind.SEND, UNADDRESSED, now)


def _lost(tx: Tx, notice: Notice, why: str, now: datetime) -> None:
    """Nobody knows whether it went, and it may not go twice: people decide."""
    tx.outbox.save(outcome(notice, "unknown", why))
    text = f"nobody knows whether {notice.kind} of {notice.about or notice.key} went over {notice.account}: {why}"
    alert(tx, "message_unknown", str(notice.account), text[:400], now)
    _task(tx, "unknown_message", notice, now)


def _give_up(tx: Tx, notice: Notice, now: datetime) -> None:
    tx.outbox.save(outcome(notice, "failed", "it cannot be written"))
    alert(tx, "message_broken", notice.kind, f"{notice.kind} of {notice.about or notice.key} cannot be written", now)
    _task(tx, "undelivered", notice, now)
