"""One entry in one calendar: derive what should stand there, take the one step, remember it.

An intent is durable before the network is used. Where an earlier outcome is unknown, the calendar is asked first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from syncd.core.directory import CalendarRef
from syncd.core.ids import AccountId, CalendarId
from syncd.core.interval import Interval
from syncd.core.publish import (
    Delete,
    EventDraft,
    EventKey,
    Forget,
    HoldOff,
    Presence,
    Published,
    Put,
    Step,
    next_step,
    recent_rewrites,
)
from syncd.errors import NotFound, VersionConflict
from syncd.flows.adoption import is_retired, retired_key, written_as
from syncd.flows.context import Context
from syncd.flows.reconcile import draft_of, is_left, restores
from syncd.flows.say import alert
from syncd.ports import Calendar
from syncd.store import Tx
from syncd.store.queue import WorkKind

SYNCD = AccountId("syncd")
CALENDAR_BACK = timedelta(minutes=15)  # between two tries to write to a calendar that is gone
LOOK_TWICE = timedelta(minutes=1)  # before a write of unknown outcome counts as never done (a replica may lag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One entry as the store has it: what is wanted, what we know, and whether a write has an unknown outcome."""

    draft: EventDraft | None
    known: Published | None
    unsure: bool
    left: bool


def publish(ctx: Context, key_text: str, now: datetime) -> datetime | None:
    """Bring one entry to what is wanted; raises ConnectorError where the calendar does not let it."""
    key = EventKey.parse(key_text)
    refs = ctx.directory.calendar(key.calendar)
    if not refs:
        return None  # dropped from the configuration: nothing remote is deleted (F46)
    try:
        return _publish(ctx, key, refs, now)
    except NotFound as error:
        why = str(error)
        ctx.store.write(lambda tx: _note_missing(tx, key.calendar, why, now))
        return now + CALENDAR_BACK


def _note_missing(tx: Tx, calendar: CalendarId, why: str, now: datetime) -> None:
    """The calendar itself is gone or no longer shared (F17): what is due waits until it is back."""
    alert(tx, "missing", calendar, f"{calendar} is not there to be written: {why}"[:400], now)


def _publish(ctx: Context, key: EventKey, refs: Sequence[CalendarRef], now: datetime) -> datetime | None:
    ctx.crashpoint("C15")
    calendar = ctx.calendar_of(refs[0])
    stands = _load(ctx, key, now)
    if stands.unsure and (stands.draft is not None or stands.known is None):  # deleting twice is harmless
        again = _look(ctx, calendar, refs, key, stands, now)
        if again is not None:
            return again
        stands = _load(ctx, key, now)
    if stands.left:
        return None
    if stands.draft is not None and _was_dragged(stands.known):
        ctx.store.write(lambda tx: _have_heeded(tx, refs, now))
        return None
    step = next_step(stands.draft, stands.known, now, restore=restores(ctx, key))
    _take(ctx, calendar, refs[0], key, step, now)
    return None


def _load(ctx: Context, key: EventKey, now: datetime) -> Standing:
    with ctx.store.read() as tx:
        draft, known = draft_of(ctx, tx, key, now), tx.calendars.published(key)
        left = is_left(ctx, tx, known, draft is not None, now)
        return Standing(draft=draft, known=known, unsure=tx.calendars.intent(key) > 0, left=left)


def _was_dragged(known: Published | None) -> bool:
    """Tell whether a person moved the entry and nobody has judged that yet: it is not written over before."""
    if known is None or not known.key.subject.startswith("visit:"):
        return False
    return known.presence is Presence.CHANGED and known.seen_interval not in (None, known.interval)


def _have_heeded(tx: Tx, refs: Sequence[CalendarRef], now: datetime) -> None:
    tx.queue.touch_many(WorkKind.RECONCILE, sorted({ref.agent for ref in refs}), now)


def _take(ctx: Context, calendar: Calendar, ref: CalendarRef, key: EventKey, step: Step, now: datetime) -> None:
    match step:
        case Put():
            _put(ctx, calendar, ref, step, now)
        case Delete(known=gone):
            _delete(ctx, calendar, ref, gone, now)
        case Forget():
            ctx.store.write(lambda tx: _forget(tx, key))
        case HoldOff(known=left):
            ctx.store.write(lambda tx: _give_up(tx, left, now))
        case None:
            pass


# --- what became of a write without an answer -----------------------------------------------------------------------


def _look(
    ctx: Context, calendar: Calendar, refs: Sequence[CalendarRef], key: EventKey, stands: Standing, now: datetime
) -> datetime | None:
    """Find out what an attempt without an answer did and note it; returns when to look again before it is sure."""
    found = _find(calendar, key, stands.draft, stands.known)
    return ctx.store.write(lambda tx: _note_look(tx, refs, key, stands, found, now))


def _find(calendar: Calendar, key: EventKey, draft: EventDraft | None, known: Published | None) -> Published | None:
    """Look for our entry; one that another took the place of is looked for under the name it was written with."""
    name = written_as(key)
    uid = draft.uid if draft is not None else known.uid if known is not None else _uid_of(name)
    found = calendar.find(name, uid)
    if found is None or (name != key and known is not None and found.remote_id != known.remote_id):
        return None
    return replace(found, key=key)


def _note_look(
    tx: Tx, refs: Sequence[CalendarRef], key: EventKey, stands: Standing, found: Published | None, now: datetime
) -> datetime | None:
    if found is not None and is_retired(key):
        current = tx.calendars.published(written_as(key))
        if current is not None and current.remote_id == found.remote_id:
            found = None  # it stands under its own name again
    if found is not None:
        tx.calendars.remember(_as_found(found, stands.known, _intended(tx, key)))
        tx.calendars.drop_entries(key.calendar, [found.remote_id])
        _have_heeded(tx, refs, now)
        return None
    looked = tx.accounts.get(SYNCD, f"looked:{key}")
    if stands.draft is None and (looked is None or now - datetime.fromisoformat(looked) < LOOK_TWICE):
        tx.accounts.put(SYNCD, f"looked:{key}", looked or now.isoformat())
        return now + LOOK_TWICE
    _forget(tx, key)
    return None


def _as_found(found: Published, known: Published | None, intended: Interval | None) -> Published:
    """Plan on from what stands there; where it is neither the old time nor the intended one, a person moved it."""
    kept = replace(found, content_hash="", rewrites=known.rewrites if known is not None else ())
    expected = {one for one in (intended, known.interval if known is not None else None) if one is not None}
    if not expected or found.interval in expected:
        return kept
    before = intended or found.interval
    return replace(kept, interval=before, presence=Presence.CHANGED, seen_interval=found.interval)


def _uid_of(key: EventKey) -> str:
    return f"{key.subject.replace(':', '-', 1)}@syncd"


def _intend(tx: Tx, key: EventKey, uid: str, draft: EventDraft | None, now: datetime) -> None:
    """Note durably that the network is about to be used for this entry, and which time it is to get."""
    tx.calendars.intend(key, uid, draft.content_hash if draft is not None else "", now)
    tx.accounts.put(SYNCD, f"intended:{key}", "|".join(map(str, draft.interval.epoch)) if draft is not None else None)


def _intended(tx: Tx, key: EventKey) -> Interval | None:
    noted = tx.accounts.get(SYNCD, f"intended:{key}")
    if noted is None:
        return None
    start, _, end = noted.partition("|")
    return Interval.of_epoch(int(start), int(end))


def _forget(tx: Tx, key: EventKey) -> None:
    tx.calendars.forget(key)
    _clear(tx, key)


def _clear(tx: Tx, key: EventKey) -> None:
    for name in ("looked", "intended"):
        tx.accounts.put(SYNCD, f"{name}:{key}", None)


# --- writing --------------------------------------------------------------------------------------------------------


def _put(ctx: Context, calendar: Calendar, ref: CalendarRef, step: Put, now: datetime) -> None:
    draft = step.draft
    ctx.store.write(lambda tx: _intend(tx, draft.key, draft.uid, draft, now))
    ctx.crashpoint("C16")
    ctx.crashpoint("C17")
    try:
        put = calendar.put(draft, step.known)
    except VersionConflict:
        _look_again(ctx, calendar, ref, draft.key, step.known, now)
        raise
    except NotFound:
        _vanished(ctx, calendar, step, now)
        return
    ctx.crashpoint("C19")
    earlier = recent_rewrites(step.known, now) if step.known is not None else _rewrites(ctx, draft.key, now)
    kept = replace(
        put,
        content_hash=draft.content_hash,
        interval=draft.interval,
        title=draft.title,
        location=draft.location,
        presence=Presence.AS_PUT,
        seen_interval=None,
        rewrites=(*earlier, now) if step.rewrite else earlier,
    )
    ctx.store.write(lambda tx: _remember(ctx, tx, kept))


def _rewrites(ctx: Context, key: EventKey, now: datetime) -> tuple[datetime, ...]:
    with ctx.store.read() as tx:
        known = tx.calendars.published(key)
    return recent_rewrites(known, now) if known is not None else ()


def _remember(ctx: Context, tx: Tx, kept: Published) -> None:
    tx.calendars.remember(kept)
    tx.calendars.forget(retired_key(kept.key, kept.remote_id))  # it stands under its own name again
    tx.calendars.drop_entries(kept.key.calendar, [kept.remote_id])  # a reading may have met it first
    _clear(tx, kept.key)
    ctx.crashpoint("C20")


def _look_again(
    ctx: Context, calendar: Calendar, ref: CalendarRef, key: EventKey, known: Published | None, now: datetime
) -> None:
    """The entry is newer than we knew: note what stands there now, so that the next try plans from it."""
    found = None if known is None or known.adopted else _find(calendar, key, None, known)

    def note(tx: Tx) -> None:
        tx.calendars.settle_intent(key)  # refused, so nothing of ours is under way
        if found is not None and known is not None:
            tx.calendars.remember(_as_found(found, known, None))
            _have_heeded(tx, ctx.directory.calendar(key.calendar), now)
        tx.queue.touch(WorkKind.PULL, ref.id, now, group=ref.account)

    ctx.store.write(note)


def _vanished(ctx: Context, calendar: Calendar, step: Put, now: datetime) -> None:
    """The entry to update is gone: a person deleted it, unless the calendar itself is gone, which a look raises."""
    known = step.known
    found = calendar.find(step.draft.key, step.draft.uid)
    if known is None or found is not None:
        raise VersionConflict(f"{step.draft.key.calendar}: the entry came and went")

    def note(tx: Tx) -> None:
        tx.calendars.settle_intent(known.key)
        tx.calendars.remember(replace(known, presence=Presence.GONE, seen_interval=None))
        _have_heeded(tx, ctx.directory.calendar(known.key.calendar), now)

    ctx.store.write(note)


def _delete(ctx: Context, calendar: Calendar, ref: CalendarRef, known: Published, now: datetime) -> None:
    """Delete our entry, or one that a scheduler wrote and left behind; only ours can be looked for afterwards."""
    if not known.adopted:
        ctx.store.write(lambda tx: _intend(tx, known.key, known.uid, None, now))
    ctx.crashpoint("C16")
    ctx.crashpoint("C17")
    try:
        calendar.delete(known)
    except VersionConflict:
        _look_again(ctx, calendar, ref, known.key, known, now)
        raise
    ctx.crashpoint("C19")
    ctx.store.write(lambda tx: _deleted(ctx, tx, known.key))


def _deleted(ctx: Context, tx: Tx, key: EventKey) -> None:
    _forget(tx, key)
    ctx.crashpoint("C20")


def _give_up(tx: Tx, left: Published, now: datetime) -> None:
    text = f"{left.key}: somebody keeps changing this entry; syncd wrote it back three times today and now leaves it"
    alert(tx, "rewrite_fight", str(left.key), text, now)
