"""One remote booking, read again at its scheduler, becomes, moves or cancels one visit. What a hook said is never applied.

Rules of order: one row per booking id; cancelled is terminal (a tombstone even for a booking never seen); a booking that
replaces another takes over that visit's identity in the same transaction, before any overlap is judged.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from syncd.core.directory import Project
from syncd.core.draft import variables
from syncd.core.event_type import EventType
from syncd.core.ids import AccountId, RequestId, VisitId
from syncd.core.template import fill
from syncd.core.transition import decide, guard_of
from syncd.core.visit import (
    Cancel,
    CancelReason,
    ClientConfirmation,
    Conflict,
    ConflictReason,
    RemoteMark,
    Source,
    Visit,
    VisitState,
)
from syncd.errors import NotFound, SlotTaken
from syncd.flows.book import Place, alternatives, announce
from syncd.flows.context import Context
from syncd.flows.keys import booking_key, event_types_at, split_booking_key
from syncd.flows.link import host_of
from syncd.flows.remote_policy import flag_of
from syncd.flows.say import alert, message, recovered, task
from syncd.flows.pull import ENTRY, adopt_known
from syncd.ports import RemoteBooking, Scheduler
from syncd.store import Tx
from syncd.store.queue import DeliveryState, WorkKind
from syncd.store.visits import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a remote booking belongs: the project, role and event type its scheduler's event type stands for."""

    project: Project
    event_type: EventType
    holidays: frozenset[str]
    request: RequestId | None

    @property
    def place(self) -> Place:
        return Place(project=self.project, event_type=self.event_type, holidays=self.holidays)


def ingest(ctx: Context, key: str, now: datetime) -> datetime | None:
    """Bring one booking's visit to the scheduler's truth; returns when to look again while a twin is awaited."""
    account, booking_id = split_booking_key(key)
    parts = ctx.accounts.get(account)
    if parts is None or parts.scheduler is None:
        return None
    booking = _find(parts.scheduler(), booking_id)
    ctx.crashpoint("C8")
    if booking is None:
        ctx.store.write(lambda tx: _unknown(ctx, tx, account, booking_id, now))
        return None
    if booking.active:
        return _arrived(ctx, account, booking, now)
    return _ended(ctx, account, booking, parts.scheduler(), now)


def _find(scheduler: Scheduler, booking_id: str) -> RemoteBooking | None:
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


def _ended(
    ctx: Context, account: AccountId, booking: RemoteBooking, scheduler: Scheduler, now: datetime
) -> datetime | None:
    """A cancelled booking: the end of its visit, unless it was moved; then its twin is read, or awaited for a while."""
    if booking.rescheduled or booking.replaced_by is not None:
        twin = _find(scheduler, booking.replaced_by) if booking.replaced_by is not None else None
        if twin is not None:
            ctx.store.write(lambda tx: tx.queue.touch(WorkKind.INGEST, booking_key(account, twin.id), now, group=account))
            twin_of = replace(twin, replaces=twin.replaces or booking.id)
            return _arrived(ctx, account, twin_of, now) if twin.active else _ended_twin(ctx, account, booking, twin, now)
        until = ctx.store.write(lambda tx: _await_twin(ctx, tx, account, booking, now))
        if until is not None:
            return until
    ctx.store.write(lambda tx: _cancel(ctx, tx, account, booking, now))
    return None


def _ended_twin(
    ctx: Context, account: AccountId, old: RemoteBooking, twin: RemoteBooking, now: datetime
) -> datetime | None:
    """Moved, and the new one is cancelled too: the visit follows the chain to its end, which is ingested by itself."""

    def follow(tx: Tx) -> None:
        visit = tx.visits.find_by_source(account, old.id)
        if visit is not None and visit.source.id == old.id:
            moved = replace(visit, source=Source(account=account, id=twin.id))
            tx.visits.alias(visit.id, account, twin.id)
            tx.visits.save(moved, _cause(account, twin, now, "followed a reschedule"))
        elif visit is None:
            tx.visits.tombstone(account, old.id, now)

    ctx.store.write(follow)
    return None


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


def _cancel(ctx: Context, tx: Tx, account: AccountId, booking: RemoteBooking, now: datetime) -> None:
    ctx.crashpoint("C9")
    tx.accounts.put(account, f"pairing:{booking.id}", None)
    key = booking_key(account, booking.id)
    visit = tx.visits.find_by_source(account, booking.id)
    if visit is None or visit.source.id != booking.id:
        tx.visits.tombstone(account, booking.id, now)
        tx.queue.inbox_settle(account, key, DeliveryState.STALE if visit else DeliveryState.DONE)
        return
    by = CancelReason.CLIENT if booking.cancelled_by == "client" else CancelReason.SCHEDULER
    kind = ctx.directory.event_types.get(visit.event_type) if visit.event_type else None
    after = decide(visit, Cancel(by=by, message=booking.cancel_message), kind, now)
    if isinstance(after, Visit) and after != visit:
        marked = replace(after, remote=replace(after.remote, updated_at=booking.updated_at))
        saved = tx.visits.save(marked, _cause(account, booking, now, "cancelled at the scheduler"))
        ctx.crashpoint("C10")
        announce(tx, visit, saved, now)
    tx.visits.tombstone(account, booking.id, now)
    tx.queue.inbox_settle(account, key, DeliveryState.DONE)
    ctx.crashpoint("C13")


def _cause(account: AccountId, booking: RemoteBooking, now: datetime, note: str) -> Cause:
    return Cause(at=now, actor=f"scheduler:{account}", source=account, delivery=booking.id, note=note)


def _arrived(ctx: Context, account: AccountId, booking: RemoteBooking, now: datetime) -> datetime | None:
    """An active booking: a new visit, or the new truth of one we have."""
    target = _target(ctx, account, booking)
    if target is None:
        key = booking_key(account, booking.id)
        ctx.store.write(lambda tx: tx.queue.inbox_settle(account, key, DeliveryState.UNWANTED, "not one of our event types"))
        return None
    try:
        ctx.store.write(lambda tx: _keep(ctx, tx, account, booking, target, now))
    except SlotTaken:
        others = alternatives(ctx, target.place, booking.interval.start, now)
        lost = Conflict(reason=ConflictReason.SLOT_TAKEN, since=now, alternatives=others)
        ctx.store.write(lambda tx: _keep(ctx, tx, account, booking, target, now, lost=lost))
    return None


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
    )


def _keep(
    ctx: Context,
    tx: Tx,
    account: AccountId,
    booking: RemoteBooking,
    target: Target,
    now: datetime,
    lost: Conflict | None = None,
) -> None:
    """Save the booking as it is. Raises SlotTaken, undone as a whole; the caller comes back with `lost`."""
    ctx.crashpoint("C9")
    before = _visit_of(tx, account, booking)
    key = booking_key(account, booking.id)
    if before is not None and _is_stale(before, booking, tx, account):
        tx.queue.inbox_settle(account, key, DeliveryState.STALE)
        return
    if before is None and tx.visits.is_tombstone(account, booking.id):
        tx.queue.inbox_settle(account, key, DeliveryState.STALE)
        return
    after = _as_remote(ctx, tx, account, booking, target, before, now)
    after = _judged(ctx, tx, after, before, target, now, lost)
    if before is None or replace(after, version=before.version) != before:
        note = "booked" if before is None else "changed at the scheduler"
        after = tx.visits.save(after, _cause(account, booking, now, note))
        ctx.crashpoint("C10")
        _tell(tx, before, after, now)
        ctx.crashpoint("C11")
    _link_ids(ctx, tx, account, booking, after)
    settled = DeliveryState.CONFLICT if after.state is VisitState.CONFLICT else DeliveryState.DONE
    tx.queue.inbox_settle(account, key, settled)
    ctx.crashpoint("C13")


def _visit_of(tx: Tx, account: AccountId, booking: RemoteBooking) -> Visit | None:
    """Find the visit by the booking's own id, else by the one it replaces."""
    own = tx.visits.find_by_source(account, booking.id)
    if own is not None or booking.replaces is None:
        return own
    return tx.visits.find_by_source(account, booking.replaces)


def _is_stale(before: Visit, booking: RemoteBooking, tx: Tx, account: AccountId) -> bool:
    """Older news: a booking that was replaced, or a state before the one we have."""
    if before.source.id != booking.id and tx.visits.is_tombstone(account, booking.id):
        return True
    if before.source.id == booking.id:
        known = before.remote.updated_at
        return known is not None and booking.updated_at is not None and booking.updated_at < known
    return booking.replaces is None  # an earlier member of the chain, still listed


def _as_remote(
    ctx: Context,
    tx: Tx,
    account: AccountId,
    booking: RemoteBooking,
    target: Target,
    before: Visit | None,
    now: datetime,
) -> Visit:
    """Compose the visit from the scheduler's truth; identity, confirmation and history stay those of `before`."""
    host = host_of(ctx, tx, account, booking)
    made = Visit(
        id=VisitId(ctx.clock.new_id()),
        state=VisitState.PENDING if booking.pending else VisitState.CONFIRMED,
        project=target.project.id,
        event_type=target.event_type.id,
        host=host,
        interval=booking.interval,
        guard=guard_of(booking.interval, target.event_type),
        holds=True,
        contact=booking.contact,
        source=Source(account=account, id=booking.id),
        booked_at=booking.created_at or now,
        time_zone=target.project.time_zone,
        location=booking.location or target.project.address,
        answers=booking.answers,
        request=target.request,
        remote=RemoteMark(
            updated_at=booking.updated_at, event_id=booking.event_id, calendar_entry=booking.calendar_entry
        ),
    )
    made = replace(made, title=fill(target.event_type.title, variables(made, ctx.directory)))
    return made if before is None else _carried_over(ctx, made, before, account)


def _carried_over(ctx: Context, made: Visit, before: Visit, account: AccountId) -> Visit:
    moved = made.interval != before.interval
    local = account in ctx.directory.reassign_locally and not moved and before.host is not None
    return replace(
        made,
        id=before.id,
        version=before.version,
        booked_at=before.booked_at,
        host=before.host if local else made.host,
        request=made.request or before.request,
        dwelling=before.dwelling,
        participants=before.participants,
        extra_contacts=before.extra_contacts,
        client_confirmation=ClientConfirmation.NONE if moved else before.client_confirmation,
        attendance=before.attendance,
        conflict=None if moved or made.host != before.host else before.conflict,
        holds=before.holds if before.state is VisitState.CONFLICT and not moved else made.holds,
        state=before.state if before.state is VisitState.CONFLICT and not moved else made.state,
    )


def _judged(
    ctx: Context, tx: Tx, after: Visit, before: Visit | None, target: Target, now: datetime, lost: Conflict | None
) -> Visit:
    """Decide whether the booking holds: a lost or hostless one is kept as `conflict`; a broken policy is only flagged."""
    if lost is not None:
        return replace(after, state=VisitState.CONFLICT, holds=False, conflict=lost)
    if after.host is None:
        reason = Conflict(reason=ConflictReason.NO_HOST, since=now, detail="the scheduler's host is none of our agents")
        return replace(after, state=VisitState.CONFLICT, holds=False, conflict=reason)
    if after.state is VisitState.CONFLICT:
        return replace(after, state=VisitState.CONFIRMED, holds=True, conflict=None)  # tried again; may be free by now
    if before is not None and (before.interval, before.host) == (after.interval, after.host):
        return after
    return replace(after, conflict=flag_of(ctx, tx, after, target.place, now))


def _tell(tx: Tx, before: Visit | None, after: Visit, now: datetime) -> None:
    if after.state is VisitState.CONFLICT:
        task(tx, "lost_booking", after, now, key="lost")
        message(tx, "rebook_link", after, now, to="client")
        if after.conflict is not None and after.conflict.reason is ConflictReason.NO_HOST:
            alert(tx, "no_host", after.id, f"visit {after.id}: its host at {after.source.account} is none of our agents", now)
        hosts = [one for one in (after.host, before.host if before else None) if one is not None]
        tx.queue.touch_many(WorkKind.RECONCILE, sorted(set(hosts)), now)
        return
    recovered(tx, "no_host", after.id, now)
    announce(tx, before, after, now)


def _link_ids(ctx: Context, tx: Tx, account: AccountId, booking: RemoteBooking, visit: Visit) -> None:
    """Let every id of the booking, and of the entry its scheduler wrote, lead to this visit."""
    tx.visits.alias(visit.id, account, booking.id)
    if booking.replaces is not None:
        tx.visits.alias(visit.id, account, booking.replaces)
        tx.visits.tombstone(account, booking.replaces, ctx.clock.now())
        tx.accounts.put(account, f"pairing:{booking.replaces}", None)
    if booking.calendar_entry is not None:
        tx.visits.alias(visit.id, ENTRY, booking.calendar_entry)
        adopt_known(ctx, tx, visit)
