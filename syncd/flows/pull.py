"""One calendar's changes become busy blocks and a cursor; sudden emptiness and mass deletion are held back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from syncd.core.busy import BusyPolicy, Signal, block_of
from syncd.core.directory import CalendarRef
from syncd.core.ids import AccountId, CalendarId, VisitId
from syncd.core.interval import Interval
from syncd.core.publish import Presence, Published, presence_of
from syncd.errors import ConnectorError, Permanent, Unreadable
from syncd.flows.adoption import adopt, visit_of_entry
from syncd.flows.context import Context
from syncd.flows.keys import booking_key, entry_gone, listed_after
from syncd.flows.reading import Reading, ask_again, read, when
from syncd.flows.recovery import take_back
from syncd.flows.say import alert, recovered
from syncd.ports import Resource
from syncd.store import Tx
from syncd.store.calendars import CalendarState, Entry
from syncd.store.queue import WorkKind

BRAKE_MEMORY = timedelta(minutes=10)  # deletions within this time count together (P5)
LISTED_AGAIN = timedelta(minutes=1)  # after a scheduler's entry vanished: it cannot be asked for by itself
SECOND_LOOK = timedelta(minutes=10)  # `release = "auto"` needs a second complete reading this much later
SYNCD = AccountId("syncd")


def pull(ctx: Context, key: str, now: datetime) -> datetime | None:
    """Read one calendar and apply what changed; a dead cursor leads to a complete listing at once."""
    calendar = CalendarId(key)
    refs = ctx.directory.calendar(calendar)
    if not refs:
        return None  # no longer configured: nothing remote or remembered is deleted because of that (F46)
    with ctx.store.read() as tx:
        state = tx.calendars.state(calendar)
        etags = tx.calendars.etags(calendar)
        gone = {one.remote_id for one in tx.calendars.published_in(calendar) if one.presence is Presence.GONE}
    try:
        reading = read(ctx, refs[0], state, {one: etags[one] for one in etags if one not in gone}, now)
        reading = ask_again(ctx, refs[0], state, reading, now)
    except Permanent as error:
        _note_failure(ctx, calendar, error, now)  # F17: what is known stays, and stays busy; the next beat tries again
        return None
    except ConnectorError as error:
        _note_failure(ctx, calendar, error, now)
        raise
    ctx.crashpoint("C8")
    reading = replace(reading, restored=ctx.store.restored)
    return ctx.store.write(lambda tx: apply(ctx, tx, refs, reading, etags, now))


def _note_failure(ctx: Context, calendar: CalendarId, error: ConnectorError, now: datetime) -> None:
    why = str(error)[:300]

    def note(tx: Tx) -> None:
        state = tx.calendars.state(calendar)
        tx.calendars.save_state(replace(state, error=why, failing_since=state.failing_since or now))
        if isinstance(error, Unreadable | Permanent):
            alert(tx, "unreadable", calendar, f"{calendar} cannot be read: {why}", now)

    ctx.store.write(note)


def apply(
    ctx: Context, tx: Tx, refs: Sequence[CalendarRef], reading: Reading, etags: Mapping[str, str], now: datetime
) -> datetime | None:
    """Apply a whole reading, or hold it back when it would delete too much (P5, F16).

    `etags` are those from before the reading: what we wrote since then is newer than anything it says.
    """
    calendar = refs[0].id
    state = tx.calendars.state(calendar)
    ours = tx.calendars.published_at(calendar, [one.remote_id for one in reading.changed] + sorted(reading.removed))
    gone = _future_losses(tx, calendar, reading, ours, now)
    recent = tuple(moment for moment in state.deletions if now - moment <= BRAKE_MEMORY)
    if _brakes(ctx, tx, state, reading, len(gone), len(recent), now):
        return _suspect(ctx, tx, state, len(gone), now)
    stands = [one for one in ours.values() if one.presence is not Presence.GONE]
    written = {one.remote_id for one in stands if etags.get(one.remote_id) != one.etag}
    moved = _note_ours(ctx, tx, reading, {one: ours[one] for one in ours if one not in written}, now)
    busy = _note_strangers(ctx, tx, calendar, reading, ours, now)
    if any(ours[one].adopted for one in reading.removed if one in ours):
        reading = replace(reading, cursor=None)  # listed completely once more before the loss counts
    _remember_reading(ctx, tx, state, reading, recent + (now,) * len(gone), now)
    if moved or busy:
        tx.queue.touch_many(WorkKind.RECONCILE, sorted({ref.agent for ref in refs}), now)
    return None


def _future_losses(
    tx: Tx, calendar: CalendarId, reading: Reading, ours: Mapping[str, Published], now: datetime
) -> list[str]:
    """List the removed entries, strangers' and ours, that still had time ahead."""
    entries = tx.calendars.entries(calendar, sorted(reading.removed))
    strangers = [one for one in entries.values() if any(block.interval.end > now for block in one.blocks)]
    mine = [ours[one] for one in reading.removed if one in ours and ours[one].interval.end > now]
    return [one.remote_id for one in strangers] + [one.remote_id for one in mine if one.presence is not Presence.GONE]


def _brakes(
    ctx: Context, tx: Tx, state: CalendarState, reading: Reading, gone: int, recent: int, now: datetime
) -> bool:
    """Tell whether to hold everything back: too much went, or everything did, and nobody has released it."""
    if gone == 0:
        return False
    if tx.accounts.get(SYNCD, f"released:{state.calendar}") is not None:
        return False
    known = tx.calendars.count_future(state.calendar, now) + recent
    if not reading.empty and not ctx.policy.mass_change.tripped(gone + recent, known):
        return False
    since = state.suspect_since
    second = reading.complete and since is not None and now - since >= SECOND_LOOK
    return not (ctx.policy.release_auto and second)


def _suspect(ctx: Context, tx: Tx, state: CalendarState, gone: int, now: datetime) -> datetime:
    why = f"{gone} entries vanished at once"
    tx.calendars.save_state(replace(state, suspect_since=state.suspect_since or now, suspect_why=why))
    text = f"{state.calendar}: {why}; nothing was applied. Look there, then: syncd sources release '{state.calendar}'"
    alert(tx, "suspect", state.calendar, text, now)
    return now + SECOND_LOOK


def _note_ours(ctx: Context, tx: Tx, reading: Reading, ours: Mapping[str, Published], now: datetime) -> bool:
    """Note what became of our own entries; tell whether a person changed or deleted one."""
    touched = False
    for resource in reading.changed:
        known = ours.get(resource.remote_id)
        if known is None or resource.problem is not None:
            continue
        after = _seen(known, resource, reading.window)
        if after != known:
            tx.calendars.remember(after)
        if known.adopted and after.interval != known.interval:
            _ask_scheduler(ctx, tx, known, now)
        touched |= after.presence is not Presence.AS_PUT and after.presence is not known.presence
        touched |= after.presence is Presence.CHANGED and after.seen_interval != known.seen_interval
    for remote_id in reading.removed:
        known = ours.get(remote_id)
        if known is not None and known.presence is not Presence.GONE:
            tx.calendars.remember(replace(known, presence=Presence.GONE, seen_interval=None))
            if known.adopted:
                _ask_scheduler(ctx, tx, known, now)
            touched = True
    return touched


def _seen(known: Published, resource: Resource, window: Interval) -> Published:
    """Return our note of an entry after a reading saw it."""
    if not resource.events and not known.interval.overlaps(window):
        return replace(known, etag=resource.etag)  # beyond what the reading looked at: its time is not told
    seen = resource.events[0] if resource.events else None
    interval = seen.interval if seen is not None else None
    presence = presence_of(known, interval, seen.title if seen else None, seen.location if seen else None)
    if seen is not None and Signal.CANCELLED in seen.signals and not known.adopted:
        presence = Presence.GONE
    if resource.recurring and not known.adopted and presence is Presence.AS_PUT:
        presence = Presence.CHANGED  # a person made a series of it: only one visit was agreed
    place = (interval or known.interval) if known.adopted else known.interval
    moved = interval if presence is Presence.CHANGED else None
    return replace(known, etag=resource.etag, presence=presence, seen_interval=moved, interval=place)


def _ask_scheduler(ctx: Context, tx: Tx, known: Published, now: datetime) -> None:
    """The entry a scheduler wrote moved or is gone: by its own hand or a person's, which only the booking tells."""
    visit = tx.visits.find(VisitId(known.key.subject.removeprefix("visit:")))
    if visit is None or visit.source.id is None or visit.source.account not in ctx.accounts:
        return
    tx.accounts.put(visit.source.account, entry_gone(visit.id), now.isoformat())
    tx.accounts.put(SYNCD, listed_after(known.key), now.isoformat())
    tx.queue.touch(WorkKind.PULL, known.key.calendar, now + LISTED_AGAIN, group=ctx.account_of(known.key.calendar))
    key = booking_key(visit.source.account, visit.source.id)
    tx.queue.touch(WorkKind.INGEST, key, now, group=visit.source.account)


def _note_strangers(
    ctx: Context, tx: Tx, calendar: CalendarId, reading: Reading, ours: Mapping[str, Published], now: datetime
) -> bool:
    """Turn strangers' entries into blocks; one that a visit's scheduler wrote is adopted instead."""
    entries, adopted = [], False
    for resource in reading.changed:
        if resource.remote_id in ours or resource.problem is not None:
            continue  # what cannot be understood keeps its last known time
        if reading.restored and take_back(tx, calendar, resource):
            continue
        entry = _entry(tx, calendar, resource, ctx.policy.busy)
        visit = visit_of_entry(ctx, tx, calendar, resource.remote_id, resource.uid)
        if visit is None:
            entries.append(entry)
        else:
            adopt(ctx, tx, visit, entry, calendar, when(resource) or visit.interval, now)
            adopted = True
    kept = tx.calendars.put_entries(calendar, entries)
    dropped = tx.calendars.drop_entries(calendar, [one for one in reading.removed if one not in ours])
    return kept or dropped or adopted


def _entry(tx: Tx, calendar: CalendarId, resource: Resource, policy: BusyPolicy) -> Entry:
    found = [
        block_of(event, calendar, policy) for event in resource.events if not _own_copy(tx, event.tag, event.interval)
    ]
    return Entry(
        remote_id=resource.remote_id,
        uid=resource.uid,
        etag=resource.etag,
        blocks=tuple(block for block in found if block is not None),
        mirrored=not any(event.copied for event in resource.events),
    )


def _own_copy(tx: Tx, tag: str | None, interval: Interval | None) -> bool:
    """An entry with our mark on the time of its visit: a put whose note is still to come, or a person's copy (F57)."""
    if tag is None or not tag.startswith("visit:"):
        return False
    visit = tx.visits.find(VisitId(tag.removeprefix("visit:")))
    return visit is not None and visit.active and visit.interval == interval


def _remember_reading(
    ctx: Context, tx: Tx, state: CalendarState, reading: Reading, deletions: tuple[datetime, ...], now: datetime
) -> None:
    tx.accounts.put(SYNCD, f"released:{state.calendar}", None)  # a release is good for one reading
    problems = _problems(tx, state.calendar, reading)
    attention = "; ".join(f"{one}: {why}" for one, why in sorted(problems.items()))[:300]
    tx.calendars.save_state(
        replace(
            state,
            cursor=reading.cursor,
            mark=reading.mark or tx.accounts.get(SYNCD, f"mark:{state.calendar}"),
            read_at=now,
            listed_at=now if reading.complete and not _proves_nothing(tx, reading, state, now) else state.listed_at,
            expanded_until=reading.window.end if reading.anew else state.expanded_until,
            suspect_since=None,
            suspect_why="",
            attention=attention,
            error="",
            failing_since=None,
            notes="; ".join(dict.fromkeys(reading.notes))[:500] if reading.notes or reading.complete else state.notes,
            deletions=deletions,
        )
    )
    for kind in ("unreadable", "suspect", "missing"):
        recovered(tx, kind, state.calendar, now)
    if attention:
        alert(tx, "attention", state.calendar, f"{state.calendar} needs attention: {attention}", now)
    else:
        recovered(tx, "attention", state.calendar, now)


def _proves_nothing(tx: Tx, reading: Reading, state: CalendarState, now: datetime) -> bool:
    """An answer without a single entry confirms no loss: it may be the very lie that began it."""
    published = tx.calendars.published_in(state.calendar) if reading.empty else []
    return any(one.adopted and one.presence is Presence.GONE and one.interval.end > now for one in published)


def _problems(tx: Tx, calendar: CalendarId, reading: Reading) -> dict[str, str]:
    """Keep which entries cannot be understood until they change or go."""
    name = f"problems:{calendar}"
    stored: dict[str, str] = json.loads(tx.accounts.get(SYNCD, name) or "{}")
    seen = {one.remote_id for one in reading.changed}
    kept = {one: why for one, why in stored.items() if one not in seen and one not in reading.removed}
    problems = kept | {one.remote_id: one.problem for one in reading.changed if one.problem is not None}
    if problems != stored:
        tx.accounts.put(SYNCD, name, json.dumps(problems) if problems else None)
    return problems
