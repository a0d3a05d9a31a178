"""One account's beat: the cheapest question that tells which of its calendars, or bookings, must be looked at."""

from dataclasses import replace
from datetime import datetime, timedelta

from syncd.core.ids import AccountId, CalendarId
from syncd.core.interval import Interval
from syncd.flows.context import Context
from syncd.flows.keys import booking_key, event_types_at
from syncd.flows.reading import needs_listing
from syncd.ports import RemoteBooking, Scheduler
from syncd.store import Tx
from syncd.store.queue import WorkKind

SYNCD = AccountId("syncd")
BOOKINGS_BACK = timedelta(days=1)


def poll(ctx: Context, key: str, now: datetime) -> datetime | None:
    """Ask an account what changed; a quiet one costs one request for all its calendars of one home."""
    account = AccountId(key)
    parts = ctx.accounts.get(account)
    if parts is None:
        return None
    calendars = sorted({ref.id: ref.name for ref in ctx.directory.calendars_at(account)}.items())
    if calendars and parts.home is not None:
        marks = parts.home().marks()
        found = {calendar: marks.get(name) for calendar, name in calendars}
        ctx.store.write(lambda tx: _compare(ctx, tx, found, now))
    elif calendars:
        keys = [calendar for calendar, _ in calendars]
        ctx.store.write(lambda tx: tx.queue.touch_many(WorkKind.PULL, keys, now, group=account))
    if parts.scheduler is not None:
        poll_bookings(ctx, account, parts.scheduler(), now)
    return None


def _compare(ctx: Context, tx: Tx, marks: dict[CalendarId, str | None], now: datetime) -> None:
    """Calendars with the mark of their last reading are fresh; the others are pulled."""
    quiet = []
    for calendar, mark in marks.items():
        state = tx.calendars.state(calendar)
        if mark is not None and mark == state.mark and not needs_listing(ctx, state, now) and not state.error:
            quiet.append(calendar)
            continue
        if tx.accounts.get(SYNCD, f"mark:{calendar}") != mark:
            tx.accounts.put(SYNCD, f"mark:{calendar}", mark)
        tx.queue.touch(WorkKind.PULL, calendar, now, group=ctx.account_of(calendar))
    tx.calendars.fresh(quiet, now)


def poll_bookings(ctx: Context, account: AccountId, scheduler: Scheduler, now: datetime) -> None:
    """Compare the scheduler's list with our visits and touch what differs; the truth is read again by ingest."""
    wanted = event_types_at(ctx.directory, account)
    window = Interval(now - BOOKINGS_BACK, now + ctx.policy.look_ahead)
    listed = [one for one in scheduler.bookings(window) if one.event_type in wanted]
    with ctx.store.read() as tx:
        changed = [booking_key(account, one.id) for one in listed if _differs(tx, account, one)]
    ctx.store.write(lambda tx: _note_poll(tx, account, changed, now))


def _differs(tx: Tx, account: AccountId, booking: RemoteBooking) -> bool:
    if tx.visits.is_tombstone(account, booking.id):
        return False
    visit = tx.visits.find_by_source(account, booking.id)
    if visit is None:
        return True
    if visit.source.id != booking.id:
        return booking.active  # an older booking of a moved visit
    if booking.active != (visit.cancel_reason is None):
        return True
    return booking.active and (booking.updated_at, booking.event_id) != (visit.remote.updated_at, visit.remote.event_id)


def _note_poll(tx: Tx, account: AccountId, changed: list[str], now: datetime) -> None:
    tx.queue.touch_many(WorkKind.INGEST, changed, now, group=account)
    state = tx.accounts.state(account)
    tx.accounts.save_state(replace(state, last_success=now))
