"""One entry in one calendar: derive what should stand there, take the one step, remember it.

An intent is durable before the network is used. Where an earlier outcome is unknown, the calendar is asked first.
"""

from dataclasses import replace
from datetime import datetime

from syncd.core.directory import CalendarRef
from syncd.core.publish import (
    Delete,
    EventDraft,
    EventKey,
    Forget,
    HoldOff,
    Presence,
    Published,
    Put,
    next_step,
    recent_rewrites,
)
from syncd.errors import NotFound, Transient, VersionConflict
from syncd.flows.context import Context
from syncd.flows.reconcile import draft_of, restores
from syncd.flows.say import alert
from syncd.ports import Calendar
from syncd.store import Tx
from syncd.store.queue import WorkKind


def publish(ctx: Context, key_text: str, now: datetime) -> datetime | None:
    """Bring one entry to what is wanted; raises ConnectorError where the calendar does not let it."""
    key = EventKey.parse(key_text)
    refs = ctx.directory.calendar(key.calendar)
    if not refs:
        return None  # dropped from the configuration: nothing remote is deleted (F46)
    with ctx.store.read() as tx:
        draft = draft_of(ctx, tx, key, now)
        known = tx.calendars.published(key)
        unsure = tx.calendars.intent(key) > 0
    calendar = ctx.calendar_of(refs[0])
    if unsure:
        known = _look(ctx, calendar, key, draft, known, now)
    step = next_step(draft, known, now, restore=restores(ctx, key))
    match step:
        case Put():
            _put(ctx, calendar, refs[0], step, now)
        case Delete(known=gone):
            _delete(ctx, calendar, refs[0], gone, now)
        case Forget(known=gone):
            ctx.store.write(lambda tx: tx.calendars.forget(gone.key))
        case HoldOff(known=left):
            ctx.store.write(lambda tx: _give_up(tx, left, now))
        case None:
            pass
    return None


def _look(
    ctx: Context, calendar: Calendar, key: EventKey, draft: EventDraft | None, known: Published | None, now: datetime
) -> Published | None:
    """Find out what an attempt without an answer did; what is found is ours and planned from there."""
    uid = draft.uid if draft is not None else _uid_of(key)
    found = calendar.find(key, uid)
    if found is None:
        if known is not None:
            gone = replace(known, presence=Presence.GONE)
            ctx.store.write(lambda tx: tx.calendars.forget(key))
            return None if draft is not None else gone
        ctx.store.write(lambda tx: tx.calendars.forget(key))
        return None
    kept = replace(found, content_hash="", rewrites=known.rewrites if known else ())
    ctx.store.write(lambda tx: tx.calendars.remember(kept))
    return kept


def _uid_of(key: EventKey) -> str:
    return f"{key.subject.replace(':', '-', 1)}@syncd"


def _put(ctx: Context, calendar: Calendar, ref: CalendarRef, step: Put, now: datetime) -> None:
    draft = step.draft
    ctx.store.write(lambda tx: tx.calendars.intend(draft.key, draft.uid, draft.content_hash, now))
    ctx.crashpoint("C16")
    try:
        put = calendar.put(draft, step.known)
    except VersionConflict:
        _read_again(ctx, ref, draft.key, now)
        raise Transient(f"{draft.key.calendar}: the entry changed meanwhile; it is read again", retry_after=1) from None
    except NotFound as error:
        _vanished(ctx, step.known, error, now)
        return
    ctx.crashpoint("C19")
    earlier = recent_rewrites(step.known, now) if step.known is not None else _rewrites(ctx, draft.key, now)
    rewrites = (*earlier, now) if step.rewrite else earlier
    kept = replace(
        put,
        content_hash=draft.content_hash,
        interval=draft.interval,
        title=draft.title,
        location=draft.location,
        presence=Presence.AS_PUT,
        seen_interval=None,
        rewrites=rewrites,
    )
    ctx.store.write(lambda tx: _remember(ctx, tx, kept, now))
    ctx.crashpoint("C22")


def _rewrites(ctx: Context, key: EventKey, now: datetime) -> tuple[datetime, ...]:
    with ctx.store.read() as tx:
        known = tx.calendars.published(key)
    return recent_rewrites(known, now) if known is not None else ()


def _remember(ctx: Context, tx: Tx, kept: Published, now: datetime) -> None:
    ctx.crashpoint("C20")
    tx.calendars.remember(kept)
    tx.calendars.drop_entries(kept.key.calendar, [kept.remote_id])  # a reading may have met it first


def _read_again(ctx: Context, ref: CalendarRef, key: EventKey, now: datetime) -> None:
    def touch(tx: Tx) -> None:
        tx.calendars.settle_intent(key)  # refused, so nothing of ours is under way
        tx.queue.touch(WorkKind.PULL, ref.id, now, group=ref.account)

    ctx.store.write(touch)


def _vanished(ctx: Context, known: Published | None, error: NotFound, now: datetime) -> None:
    """The entry to update is gone: a person deleted it. Without one, the calendar itself is gone, which is an error."""
    if known is None:
        raise error

    def note(tx: Tx) -> None:
        tx.calendars.remember(replace(known, presence=Presence.GONE))
        tx.queue.touch_many(
            WorkKind.RECONCILE, sorted({ref.agent for ref in ctx.directory.calendar(known.key.calendar)}), now
        )

    ctx.store.write(note)


def _delete(ctx: Context, calendar: Calendar, ref: CalendarRef, known: Published, now: datetime) -> None:
    ctx.crashpoint("C17")
    try:
        calendar.delete(known)
    except VersionConflict:
        _read_again(ctx, ref, known.key, now)
        raise Transient(f"{known.key.calendar}: the entry changed meanwhile; it is read again", retry_after=1) from None
    except NotFound:
        pass  # already gone is what we wanted
    ctx.store.write(lambda tx: tx.calendars.forget(known.key))
    ctx.crashpoint("C21")


def _give_up(tx: Tx, left: Published, now: datetime) -> None:
    text = f"{left.key}: somebody keeps changing this entry; syncd wrote it back three times today and now leaves it"
    alert(tx, "rewrite_fight", str(left.key), text, now)
