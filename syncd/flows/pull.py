"""One calendar's changes become busy blocks and a cursor; sudden emptiness and mass deletion are held back.

All pages are read before anything is applied, so half a listing never counts.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from syncd.core.busy import BusyPolicy, Signal, block_of
from syncd.core.directory import CalendarRef
from syncd.core.draft import visit_subject
from syncd.core.ids import AccountId, CalendarId, VisitId
from syncd.core.interval import Interval
from syncd.core.publish import EventKey, Presence, Published, presence_of
from syncd.core.visit import Visit
from syncd.errors import AuthFailed, ConnectorError, CursorExpired, Unreadable
from syncd.flows.context import Context
from syncd.flows.say import alert, recovered
from syncd.ports import ChangePage, Resource
from syncd.store import Tx
from syncd.store.calendars import CalendarState, Entry
from syncd.store.queue import WorkKind

LOOK_BACK = timedelta(days=2)
SLACK = timedelta(days=30)  # recurring entries are expanded this far beyond look_ahead
BRAKE_MEMORY = timedelta(minutes=10)  # deletions within this time count together (P5)
SECOND_LOOK = timedelta(minutes=10)  # `release = "auto"` needs a second complete reading this much later
ENTRY = AccountId("calendar-entry")  # aliases of visits by the entry their scheduler wrote


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A whole reading, all pages together."""

    changed: tuple[Resource, ...]
    removed: frozenset[str]
    cursor: str | None
    complete: bool
    notes: tuple[str, ...]
    window: Interval


def pull(ctx: Context, key: str, now: datetime) -> datetime | None:
    """Read one calendar and apply what changed; a dead cursor leads to a complete listing at once."""
    calendar = CalendarId(key)
    refs = ctx.directory.calendar(calendar)
    if not refs:
        return None  # no longer configured: nothing remote or remembered is deleted because of that (F46)
    with ctx.store.read() as tx:
        state = tx.calendars.state(calendar)
        etags = tx.calendars.etags(calendar)
    try:
        reading = read(ctx, refs[0], state, etags, now)
    except ConnectorError as error:
        _note_failure(ctx, calendar, error, now)
        raise
    return ctx.store.write(lambda tx: apply(ctx, tx, refs, reading, now))


def read(ctx: Context, ref: CalendarRef, state: CalendarState, etags: Mapping[str, str], now: datetime) -> Reading:
    """Fetch every page, from the cursor where it serves, else completely."""
    window = Interval(now - LOOK_BACK, now + ctx.policy.look_ahead + SLACK)
    calendar = ctx.calendar_of(ref)
    if state.cursor is not None and not needs_listing(ctx, state, now):
        try:
            return _gather(calendar.changes(state.cursor, window), frozenset(), window)
        except CursorExpired:
            pass
    # Bodies are read anew when the window has moved over the horizon of the expanded series.
    stale = state.expanded_until is None or state.expanded_until < now + ctx.policy.look_ahead
    known = {} if stale else dict(etags)
    try:
        return _gather(calendar.changes(None, window, known), frozenset(etags), window)
    except CursorExpired as error:
        raise Unreadable("the provider called a complete listing expired") from error


def needs_listing(ctx: Context, state: CalendarState, now: datetime) -> bool:
    return (
        state.listed_at is None
        or state.listed_at + ctx.policy.full_reconcile_every <= now
        or state.expanded_until is None
        or state.expanded_until < now + ctx.policy.look_ahead
        or state.suspect_since is not None
    )


def _gather(pages: Iterable[ChangePage], known: frozenset[str], window: Interval) -> Reading:
    changed: dict[str, Resource] = {}
    removed: set[str] = set()
    unchanged: set[str] = set()
    notes: list[str] = []
    cursor, complete = None, False
    for page in pages:
        changed |= {one.remote_id: one for one in page.changed}
        removed |= set(page.removed)
        unchanged |= set(page.unchanged)
        notes += page.notes
        cursor, complete = page.cursor or cursor, page.complete
    if complete:
        removed = set(known) - set(changed) - unchanged
    return Reading(
        changed=tuple(changed.values()),
        removed=frozenset(removed - set(changed)),
        cursor=cursor,
        complete=complete,
        notes=tuple(notes),
        window=window,
    )


def _note_failure(ctx: Context, calendar: CalendarId, error: ConnectorError, now: datetime) -> None:
    why = str(error)[:300]

    def note(tx: Tx) -> None:
        state = tx.calendars.state(calendar)
        tx.calendars.save_state(replace(state, error=why, failing_since=state.failing_since or now))
        if state.failing_since is None and not isinstance(error, AuthFailed):
            alert(tx, "unreadable", calendar, f"{calendar} cannot be read: {why}", now)

    ctx.store.write(note)


def apply(ctx: Context, tx: Tx, refs: Sequence[CalendarRef], reading: Reading, now: datetime) -> datetime | None:
    """Apply a whole reading, or hold it back when it would delete too much (P5, F16)."""
    calendar = refs[0].id
    state = tx.calendars.state(calendar)
    ours = tx.calendars.published_at(calendar, [one.remote_id for one in reading.changed] + sorted(reading.removed))
    gone = _future_losses(tx, calendar, reading, ours, now)
    recent = tuple(moment for moment in state.deletions if now - moment <= BRAKE_MEMORY)
    if _brakes(ctx, tx, state, len(gone), len(recent), now):
        return _suspect(ctx, tx, state, len(gone), now)
    moved = _note_ours(tx, reading, ours)
    busy = _note_strangers(ctx, tx, calendar, reading, ours)
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


def _brakes(ctx: Context, tx: Tx, state: CalendarState, gone: int, recent: int, now: datetime) -> bool:
    if gone == 0:
        return False
    account = AccountId("syncd")
    if tx.accounts.get(account, f"released:{state.calendar}") is not None:
        tx.accounts.put(account, f"released:{state.calendar}", None)
        return False
    known = tx.calendars.count_future(state.calendar, now) + recent
    if not ctx.policy.mass_change.tripped(gone + recent, known):
        return False
    since = state.suspect_since
    return not (ctx.policy.release_auto and since is not None and now - since >= SECOND_LOOK)


def _suspect(ctx: Context, tx: Tx, state: CalendarState, gone: int, now: datetime) -> datetime:
    why = f"{gone} entries vanished at once"
    tx.calendars.save_state(replace(state, suspect_since=state.suspect_since or now, suspect_why=why))
    text = f"{state.calendar}: {why}; nothing was applied. Look there, then: syncd release '{state.calendar}'"
    alert(tx, "suspect", state.calendar, text, now)
    return now + SECOND_LOOK


def _note_ours(tx: Tx, reading: Reading, ours: Mapping[str, Published]) -> bool:
    """Note what became of our own entries; tell whether a person changed or deleted one."""
    touched = False
    for resource in reading.changed:
        known = ours.get(resource.remote_id)
        if known is None or resource.problem is not None:
            continue
        seen = resource.events[0] if resource.events else None
        cancelled = seen is not None and Signal.CANCELLED in seen.signals
        interval = seen.interval if seen is not None else None
        presence = presence_of(known, interval, seen.title if seen else None, seen.location if seen else None)
        presence = Presence.GONE if cancelled and not known.adopted else presence
        place = (interval or known.interval) if known.adopted else known.interval
        after = replace(known, etag=resource.etag, presence=presence, seen_interval=interval, interval=place)
        if after != known:
            tx.calendars.remember(after)
        touched |= presence is not Presence.AS_PUT and presence is not known.presence
        touched |= presence is Presence.CHANGED and interval != known.seen_interval
    for remote_id in reading.removed:
        known = ours.get(remote_id)
        if known is not None and known.presence is not Presence.GONE:
            tx.calendars.remember(replace(known, presence=Presence.GONE, seen_interval=None))
            touched = True
    return touched


def _note_strangers(
    ctx: Context, tx: Tx, calendar: CalendarId, reading: Reading, ours: Mapping[str, Published]
) -> bool:
    """Turn strangers' entries into blocks; one that a visit's scheduler wrote is adopted instead."""
    entries, adopted = [], False
    for resource in reading.changed:
        if resource.remote_id in ours or resource.problem is not None:
            continue  # what cannot be understood keeps its last known time
        if adopt(ctx, tx, calendar, resource.remote_id, resource.uid, resource.etag, _when(resource)):
            adopted = True
            continue
        entries.append(_entry(tx, calendar, resource, ctx.policy.busy))
    kept = tx.calendars.put_entries(calendar, entries)
    dropped = tx.calendars.drop_entries(calendar, [one for one in reading.removed if one not in ours])
    return kept or dropped or adopted


def _when(resource: Resource) -> Interval | None:
    return resource.events[0].interval if len(resource.events) == 1 else None


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


def adopt(
    ctx: Context, tx: Tx, calendar: CalendarId, remote_id: str, uid: str, etag: str, interval: Interval | None
) -> bool:
    """Take an entry that a visit's scheduler wrote as that visit's published one (N05); False where it is none."""
    names = (uid, uid.partition("@")[0], remote_id)
    visit = next((one for one in (tx.visits.find_by_source(ENTRY, name) for name in names if name) if one), None)
    if visit is None or not visit.active or interval is None:
        return False
    if visit.host not in {ref.agent for ref in ctx.directory.calendar(calendar)}:
        return False
    key = EventKey(visit_subject(visit.id), calendar)
    known = tx.calendars.published(key)
    if known is not None and not known.adopted:
        tx.calendars.forget(key)
        _retire(tx, known)
    tx.calendars.remember(
        Published(key=key, uid=uid, remote_id=remote_id, etag=etag, content_hash="", interval=interval, adopted=True)
    )
    tx.calendars.drop_entries(calendar, [remote_id])
    return True


def adopt_known(ctx: Context, tx: Tx, visit: Visit) -> bool:
    """Adopt the scheduler's entry where a reading met it before the booking was known (S08)."""
    agent = ctx.directory.agents.get(visit.host) if visit.host is not None else None
    wanted = visit.remote.calendar_entry
    if agent is None or wanted is None:
        return False
    for ref in agent.calendars:
        entry = tx.calendars.find_by_uid(ref.id, wanted) or tx.calendars.entries(ref.id, [wanted]).get(wanted)
        if entry is not None:
            interval = entry.blocks[0].interval if len(entry.blocks) == 1 else visit.interval
            return adopt(ctx, tx, ref.id, entry.remote_id, entry.uid, entry.etag, interval)
    return False


def _retire(tx: Tx, known: Published) -> None:
    """Keep our own earlier entry under a subject that nothing wants, so that it is deleted."""
    tx.calendars.remember(replace(known, key=EventKey(f"{known.key.subject}:superseded", known.key.calendar)))


def _remember_reading(
    ctx: Context, tx: Tx, state: CalendarState, reading: Reading, deletions: tuple[datetime, ...], now: datetime
) -> None:
    problems = _problems(tx, state.calendar, reading)
    attention = "; ".join(f"{one}: {why}" for one, why in sorted(problems.items()))[:300]
    tx.calendars.save_state(
        replace(
            state,
            cursor=reading.cursor,
            mark=tx.accounts.get(AccountId("syncd"), f"mark:{state.calendar}"),
            read_at=now,
            listed_at=now if reading.complete else state.listed_at,
            expanded_until=reading.window.end if reading.complete else state.expanded_until,
            suspect_since=None,
            suspect_why="",
            attention=attention,
            error="",
            failing_since=None,
            notes="; ".join(dict.fromkeys(reading.notes))[:500] if reading.notes or reading.complete else state.notes,
            deletions=deletions,
        )
    )
    for kind in ("unreadable", "suspect"):
        recovered(tx, kind, state.calendar, now)
    if attention:
        alert(tx, "attention", state.calendar, f"{state.calendar} needs attention: {attention}", now)
    else:
        recovered(tx, "attention", state.calendar, now)


def _problems(tx: Tx, calendar: CalendarId, reading: Reading) -> dict[str, str]:
    """Keep which entries cannot be understood until they change or go."""
    account, name = AccountId("syncd"), f"problems:{calendar}"
    stored: dict[str, str] = json.loads(tx.accounts.get(account, name) or "{}")
    seen = {one.remote_id for one in reading.changed}
    kept = {one: why for one, why in stored.items() if one not in seen and one not in reading.removed}
    problems = kept | {one.remote_id: one.problem for one in reading.changed if one.problem is not None}
    if problems != stored:
        tx.accounts.put(account, name, json.dumps(problems) if problems else None)
    return problems
