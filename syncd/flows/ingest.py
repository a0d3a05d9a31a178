"""One remote booking, read again at its scheduler, becomes, moves or cancels one visit. What a hook said is never
applied.

Rules of order: one row per booking id; cancelled is terminal (a tombstone even for one never seen); a booking that
replaces another takes over that visit's identity in the same transaction, before any overlap is judged.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from syncd.core.ids import AccountId, RequestId, VisitId
from syncd.core.transition import decide
from syncd.core.visit import (
    Cancel,
    CancelReason,
    Conflict,
    ConflictReason,
    Visit,
    VisitState,
)
from syncd.errors import NotFound, SlotTaken
from syncd.flows.adoption import ENTRY, adopt_known, await_entry, retire_others
from syncd.flows.book import alternatives, announce
from syncd.flows.carry import touch_carry
from syncd.flows.context import Context
from syncd.flows.dwelling import VISITED
from syncd.flows.keys import booking_key, entry_gone, event_types_at, split_booking_key
from syncd.flows.merge import Arrival, Target, as_remote, judged
from syncd.flows.recognise import save_first
from syncd.flows.recollect import Reader
from syncd.flows.say import alert, message, recovered, task
from syncd.ports import RemoteBooking
from syncd.store import Tx
from syncd.store.queue import DeliveryState, WorkKind
from syncd.store.visits import Cause

SETTLED_WITHIN = timedelta(days=1)
CHAIN = 10  # members of a chain of reschedules that are followed at most


def ingest(ctx: Context, key: str, now: datetime) -> datetime | None:
    """Bring one booking's visit to the scheduler's truth; returns when to look again while a twin is awaited."""
    account, booking_id = split_booking_key(key)
    parts = ctx.accounts.get(account)
    if parts is None or parts.scheduler is None:
        return None
    scheduler = Reader(ctx, account, parts, parts.scheduler())
    booking = _find(scheduler, booking_id)
    ctx.crashpoint("C8")
    if booking is None:
        ctx.store.write(lambda tx: _unknown(ctx, tx, account, booking_id, now))
        return None
    last = _end_of_chain(scheduler, booking)
    if last.active:
        _arrived(ctx, account, last, _earlier(ctx, account, scheduler, last, booking), now)
        return None
    if last.rescheduled:
        until = ctx.store.write(lambda tx: _await_twin(ctx, tx, account, last, now))
        if until is not None:
            return until
    earlier = _earlier(ctx, account, scheduler, last, booking)
    ctx.store.write(lambda tx: _cancel(ctx, tx, account, last, earlier, now))
    ctx.crashpoint("C14")
    return None


def _find(scheduler: Reader, booking_id: str) -> RemoteBooking | None:
    try:
        return scheduler.booking(booking_id)
    except NotFound:
        return None


def _unknown(ctx: Context, tx: Tx, account: AccountId, booking_id: str, now: datetime) -> None:
    """The scheduler does not know the booking: time is never freed silently because of that."""
    visit = tx.visits.find_by_source(account, booking_id)
    if visit is not None and visit.active and visit.source.id == booking_id:
        task(tx, "vanished_booking", visit, now)
        alert(tx, "vanished_booking", visit.id, f"{account} no longer knows the booking of visit {visit.id}", now)
    tx.queue.inbox_settle(account, booking_key(account, booking_id), DeliveryState.STALE, "unknown to the scheduler")


def _end_of_chain(scheduler: Reader, booking: RemoteBooking) -> RemoteBooking:
    """Follow a rescheduled booking to the one that stands for it now; a circle ends where it closes (H82)."""
    seen = {booking.id}
    while (
        not booking.active and booking.replaced_by is not None and booking.replaced_by not in seen and len(seen) < CHAIN
    ):
        seen.add(booking.replaced_by)
        later = _find(scheduler, booking.replaced_by)
        if later is None:
            return booking
        booking = later
    return booking


def _earlier(
    ctx: Context, account: AccountId, scheduler: Reader, last: RemoteBooking, asked: RemoteBooking
) -> tuple[str, ...]:
    """List the bookings that `last` took the place of, nearest first, as far back as one of them is known here."""
    ids = [last.replaces] if last.replaces is not None else []
    with ctx.store.read() as tx:
        known = tx.visits.find_by_source(account, last.id) is not None
        while ids and not known and len(ids) < CHAIN and tx.visits.find_by_source(account, ids[-1]) is None:
            before = _find(scheduler, ids[-1])
            if before is None or before.replaces is None or before.replaces in ids:
                break
            ids.append(before.replaces)
    if asked.id != last.id and asked.id not in ids:
        ids.append(asked.id)
    return tuple(ids)


def _await_twin(ctx: Context, tx: Tx, account: AccountId, booking: RemoteBooking, now: datetime) -> datetime | None:
    """Give the twin of a reschedule time to appear; None once the wait is over or nothing waits."""
    visit = tx.visits.find_by_source(account, booking.id)
    if visit is None or visit.source.id != booking.id or not visit.active:
        return None
    name = f"pairing:{booking.id}"
    noted = tx.accounts.get(account, name)
    since = datetime.fromisoformat(noted) if noted is not None else now
    if noted is None:
        tx.accounts.put(account, name, now.isoformat())
    until = since + ctx.policy.pairing_wait
    return until if now < until else None


def _cancel(
    ctx: Context, tx: Tx, account: AccountId, booking: RemoteBooking, earlier: tuple[str, ...], now: datetime
) -> None:
    ctx.crashpoint("C9")
    tx.accounts.put(account, f"pairing:{booking.id}", None)
    visit = _visit_of(tx, account, booking, earlier)
    for one in (booking.id, *earlier):
        tx.visits.tombstone(account, one, now)
    if visit is None or visit.source.id not in (booking.id, *earlier):
        _settle(tx, account, (booking.id, *earlier), DeliveryState.STALE if visit else DeliveryState.DONE)
        return
    by = CancelReason.CLIENT if booking.cancelled_by == "client" else CancelReason.SCHEDULER
    kind = ctx.directory.event_types.get(visit.event_type) if visit.event_type else None
    after = decide(visit, Cancel(by=by, message=booking.cancel_message), kind, now)
    if isinstance(after, Visit) and after != visit:
        marked = replace(after, remote=replace(after.remote, updated_at=booking.updated_at))
        saved = tx.visits.save(marked, _cause(account, booking, now, "cancelled at the scheduler"))
        ctx.crashpoint("C10")
        announce(tx, visit, saved, now)
        _pass_on_hold(tx, saved, now)
        ctx.crashpoint("C11")
    tx.visits.alias(visit.id, account, booking.id)
    _booking_was_read(tx, visit, now)
    ctx.crashpoint("C12")
    _settle(tx, account, (booking.id, *earlier), DeliveryState.DONE)
    ctx.crashpoint("C13")


def _booking_was_read(tx: Tx, visit: Visit, now: datetime) -> None:
    """What waited for a fresh look at the booking may go on (see pull: the scheduler's own entry vanished)."""
    account, name = visit.source.account, entry_gone(visit.id)
    if tx.accounts.get(account, name) is not None:
        tx.accounts.put(account, name, None)
        tx.queue.touch_many(WorkKind.RECONCILE, [visit.host] if visit.host is not None else [], now)


def _pass_on_hold(tx: Tx, gone: Visit, now: datetime) -> None:
    """Another seat of the same event holds the time from now on."""
    seats = tx.visits.search(window=gone.interval, agent=gone.host, states=(VisitState.CONFIRMED,))
    for seat in seats:
        if not seat.holds and seat.remote.event_id == gone.remote.event_id and seat.source.id is not None:
            account = seat.source.account
            tx.queue.touch(WorkKind.INGEST, booking_key(account, seat.source.id), now, group=account)


def _settle(tx: Tx, account: AccountId, ids: tuple[str, ...], state: DeliveryState, why: str = "") -> None:
    for one in ids:
        tx.queue.inbox_settle(account, booking_key(account, one), state, why)


def _cause(account: AccountId, booking: RemoteBooking, now: datetime, note: str) -> Cause:
    return Cause(at=now, actor=f"scheduler:{account}", source=account, delivery=booking.id, note=note)


def _arrived(ctx: Context, account: AccountId, booking: RemoteBooking, earlier: tuple[str, ...], now: datetime) -> None:
    """An active booking: a new visit, or the new truth of one we have."""
    target = _target(ctx, account, booking)
    if target is None:
        why = "not one of our event types"
        ctx.store.write(lambda tx: _settle(tx, account, (booking.id, *earlier), DeliveryState.UNWANTED, why))
        return
    arrival = Arrival(account=account, booking=booking, earlier=earlier, target=target)
    try:
        ctx.store.write(lambda tx: _keep(ctx, tx, arrival, now))
    except SlotTaken as taken:
        _keep_without_time(ctx, arrival, taken, now)
    ctx.crashpoint("C14")


def _keep_without_time(ctx: Context, arrival: Arrival, taken: SlotTaken, now: datetime) -> None:
    """Keep a booking whose time somebody else holds: as one more seat of the same event, else as lost."""
    if _same_event(ctx, arrival.booking, taken):
        ctx.store.write(lambda tx: _keep(ctx, tx, arrival, now, seat=True))
        return
    others = alternatives(ctx, arrival.target.place, arrival.booking.interval.start, now, arrival.target.dwelling)
    detail = VISITED if taken.dwelling else ""
    lost = Conflict(reason=ConflictReason.SLOT_TAKEN, since=now, alternatives=others, detail=detail)
    ctx.store.write(lambda tx: _keep(ctx, tx, arrival, now, lost=lost))


def _same_event(ctx: Context, booking: RemoteBooking, taken: SlotTaken) -> bool:
    """Tell whether the visit in the way is another client's seat in the very same event (group event types)."""
    if taken.visit is None or booking.event_id is None:
        return False
    with ctx.store.read() as tx:
        other = tx.visits.find(VisitId(taken.visit))
    return other is not None and other.remote.event_id == booking.event_id


def _target(ctx: Context, account: AccountId, booking: RemoteBooking) -> Target | None:
    named = event_types_at(ctx.directory, account).get(booking.event_type, [])
    if not named:
        return None
    request_id = ctx.read_request_token(booking.request_token) if booking.request_token else None
    with ctx.store.read() as tx:
        stored = tx.visits.find_request(RequestId(request_id)) if request_id else None
    wanted = stored.route.project if stored is not None and stored.route is not None else None
    project, role = next((one for one in named if one[0].id == wanted), named[0])
    return Target(
        project=project,
        event_type=ctx.directory.event_types[project.event_types[role]],
        holidays=ctx.directory.business_holidays.get(project.id, frozenset()),
        request=stored.request.id if stored is not None else None,
        dwelling=stored.request.dwelling if stored is not None else None,
    )


def _keep(
    ctx: Context, tx: Tx, arrival: Arrival, now: datetime, *, lost: Conflict | None = None, seat: bool = False
) -> None:
    """Save the booking as it is. Raises SlotTaken, undone as a whole; the caller comes back with `lost` or `seat`.

    A `seat` is one more client of an event whose time another seat holds already.
    """
    ctx.crashpoint("C9")
    account, booking, ids = arrival.account, arrival.booking, arrival.ids
    before = _visit_of(tx, account, booking, arrival.earlier)
    if before is not None and before.state is VisitState.CANCELLED:
        if before.source.id == booking.id:
            _insist(tx, before, now)
            _settle(tx, account, ids, DeliveryState.STALE, "cancelled here")
            return
        if before.source.id is None or not tx.visits.is_tombstone(account, before.source.id):
            arrival, before = replace(arrival, earlier=()), None  # cancelled here, booked anew by the client
    if _is_stale(tx, arrival, before):
        _settle(tx, account, ids, DeliveryState.STALE)
        return
    after = judged(ctx, tx, as_remote(ctx, tx, arrival, before, now), before, arrival.target, now, lost)
    after = replace(after, holds=False) if seat else after
    if after != before:
        after = _saved(ctx, tx, before, after, _cause(account, booking, now, "changed at the scheduler"))
        ctx.crashpoint("C10")
        _tell(tx, before, after, now)
        ctx.crashpoint("C11")
    if before is not None and before.holds and (before.guard, before.host) != (after.guard, after.host):
        _pass_on_hold(tx, before, now)
    _link_ids(ctx, tx, arrival, after, now)
    if before is None or before.remote != after.remote:
        touch_carry(ctx, tx, after, now)  # one step was taken there; another may be missing
    ctx.crashpoint("C12")
    settled = DeliveryState.CONFLICT if after.state is VisitState.CONFLICT else DeliveryState.DONE
    _settle(tx, account, ids, settled)
    ctx.crashpoint("C13")


def _saved(ctx: Context, tx: Tx, before: Visit | None, after: Visit, cause: Cause) -> Visit:
    if before is None:
        return save_first(ctx, tx, after, replace(cause, note="booked"))
    return tx.visits.save(after, cause)


def _insist(tx: Tx, visit: Visit, now: datetime) -> None:
    """Cancelled here and still active there: cancelled is final, so the scheduler is told once more."""
    tx.queue.touch(WorkKind.CARRY, visit.id, now, group=visit.source.account)


def _visit_of(tx: Tx, account: AccountId, booking: RemoteBooking, earlier: tuple[str, ...]) -> Visit | None:
    """Find the visit by the booking's own id, else by the ids it took the place of."""
    found = (tx.visits.find_by_source(account, one) for one in (booking.id, *earlier))
    return next((one for one in found if one is not None), None)


def _is_stale(tx: Tx, arrival: Arrival, before: Visit | None) -> bool:
    """Older news: a booking that was replaced or cancelled for good, or a state before the one we have."""
    booking = arrival.booking
    if before is None or before.source.id != booking.id:
        return tx.visits.is_tombstone(arrival.account, booking.id)
    known = before.remote.updated_at
    return known is not None and booking.updated_at is not None and booking.updated_at < known


def _tell(tx: Tx, before: Visit | None, after: Visit, now: datetime) -> None:
    if after.state is VisitState.CONFLICT:
        task(tx, "lost_booking", after, now, key="lost", due_at=_settled_by(after, now))
        message(tx, "rebook_link", after, now, to="client")
        if after.conflict is not None and after.conflict.reason is ConflictReason.NO_HOST:
            alert(
                tx,
                "no_host",
                after.id,
                f"visit {after.id}: its host at {after.source.account} is none of our agents",
                now,
            )
        hosts = [one for one in (after.host, before.host if before else None) if one is not None]
        tx.queue.touch_many(WorkKind.RECONCILE, sorted(set(hosts)), now)
        return
    recovered(tx, "no_host", after.id, now)
    announce(tx, before, after, now)


def _settled_by(lost: Visit, now: datetime) -> datetime:
    """Return until when somebody must have settled a lost booking (N04): a day, but before the client would come."""
    return max(now, min(now + SETTLED_WITHIN, lost.interval.start))


def _link_ids(ctx: Context, tx: Tx, arrival: Arrival, visit: Visit, now: datetime) -> None:
    """Let every id of the booking, and of the entry its scheduler wrote, lead to this visit."""
    _booking_was_read(tx, visit, now)
    recovered(tx, "vanished_booking", visit.id, now)
    retire_others(tx, visit)
    tx.visits.alias(visit.id, arrival.account, arrival.booking.id)
    for one in arrival.earlier:
        tx.visits.alias(visit.id, arrival.account, one)
        tx.visits.tombstone(arrival.account, one, now)
        tx.accounts.put(arrival.account, f"pairing:{one}", None)
    if visit.remote.calendar_entry is not None:
        tx.visits.alias(visit.id, ENTRY, visit.remote.calendar_entry)
        await_entry(tx, visit, now)
        adopt_known(ctx, tx, visit, now)
