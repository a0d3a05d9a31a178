"""Reads one calendar whole: from its cursor where that serves, else completely, and looks again at what is doubtful.

All pages are together before anything counts. What a reading says a person did to an entry of ours is asked again,
entry by entry: a listing may be old or empty, a single look less so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from syncd.core.busy import RemoteEvent
from syncd.core.directory import CalendarRef
from syncd.core.interval import Interval
from syncd.core.publish import Presence, Published
from syncd.errors import CursorExpired, Unreadable
from syncd.flows.context import Context
from syncd.ports import ChangePage, Resource
from syncd.store.calendars import CalendarState

LOOK_BACK = timedelta(days=2)
SLACK = timedelta(days=30)  # recurring entries are expanded this far beyond look_ahead
MANY_DOUBTS = 10  # entries of ours that are looked at one by one after a reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A whole reading, all pages together."""

    changed: tuple[Resource, ...]
    removed: frozenset[str]
    cursor: str | None
    complete: bool
    notes: tuple[str, ...]
    window: Interval
    mark: str | None = None
    anew: bool = False  # complete, and every body was read: series are expanded to the end of the window
    empty: bool = False  # complete, and nothing at all is there
    restored: bool = False  # into a store older than the world: what carries our mark is taken back


def read(ctx: Context, ref: CalendarRef, state: CalendarState, etags: Mapping[str, str], now: datetime) -> Reading:
    """Fetch every page, from the cursor where it serves, else completely; `etags` are the entries known to stand."""
    window = Interval(now - LOOK_BACK, now + ctx.policy.look_ahead + SLACK)
    calendar = ctx.calendar_of(ref)
    if state.cursor is not None and not needs_listing(ctx, state, now):
        try:
            return _gather(calendar.changes(state.cursor, window), etags, {}, window)
        except CursorExpired:
            pass
    # Bodies are read anew when the window has moved over the horizon of the expanded series.
    stale = state.expanded_until is None or state.expanded_until < now + ctx.policy.look_ahead
    skipped = {} if stale else dict(etags)
    try:
        return _gather(calendar.changes(None, window, skipped), etags, skipped, window)
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


def _gather(pages: Iterable[ChangePage], known: Iterable[str], skipped: Mapping[str, str], window: Interval) -> Reading:
    """Put all pages together; in a complete listing what is `known` and not there was removed."""
    read = list(pages)
    if not read:
        raise Unreadable("the provider answered without a single page")
    last = read[-1]
    changed = {one.remote_id: one for page in read for one in page.changed}
    removed = {one for page in read for one in page.removed}
    unchanged = {one for page in read for one in page.unchanged}
    if last.complete:
        removed = set(known) - unchanged
    return Reading(
        changed=tuple(changed.values()),
        removed=frozenset(removed - set(changed)),
        cursor=last.cursor,
        complete=last.complete,
        notes=tuple(note for page in read for note in page.notes),
        window=window,
        mark=last.mark,
        anew=last.complete and not skipped,
        empty=last.complete and not changed and not unchanged,
    )


def ask_again(ctx: Context, ref: CalendarRef, state: CalendarState, reading: Reading, now: datetime) -> Reading:
    """Ask for each entry of ours that seems deleted or dragged, and go by what a single look says."""
    names = [one.remote_id for one in reading.changed] + sorted(reading.removed)
    with ctx.store.read() as tx:
        ours = tx.calendars.published_at(ref.id, names)
    doubtful = [known for known in ours.values() if _is_doubtful(known, reading, now)]
    releasing = ctx.policy.release_auto and state.suspect_since is not None
    if not doubtful or (len(doubtful) > MANY_DOUBTS and not releasing):
        return reading  # so many at once meet the brake
    calendar = ctx.calendar_of(ref)
    for known in doubtful:
        found = calendar.find(known.key, known.uid)
        reading = _corrected(reading, known, found if found and found.remote_id == known.remote_id else None)
    return reading


def _is_doubtful(known: Published, reading: Reading, now: datetime) -> bool:
    if known.presence is Presence.GONE or known.adopted or known.interval.end <= now:
        return False
    if known.remote_id in reading.removed:
        return True
    seen = next(one for one in reading.changed if one.remote_id == known.remote_id)
    return seen.problem is None and when(seen) != known.interval


def _corrected(reading: Reading, known: Published, found: Published | None) -> Reading:
    """Put what a single look found in the place of what the listing said."""
    changed = tuple(one for one in reading.changed if one.remote_id != known.remote_id)
    series = any(one.recurring for one in reading.changed if one.remote_id == known.remote_id)
    if found is None:
        return replace(reading, changed=changed, removed=reading.removed | {known.remote_id})
    event = RemoteEvent(
        remote_id=found.remote_id,
        uid=found.uid,
        etag=found.etag,
        interval=found.interval,
        tag=known.key.subject,
        title=found.title,
        location=found.location,
    )
    seen = Resource(remote_id=found.remote_id, uid=found.uid, etag=found.etag, events=(event,), recurring=series)
    return replace(reading, changed=(*changed, seen), removed=reading.removed - {known.remote_id})


def when(resource: Resource) -> Interval | None:
    return resource.events[0].interval if len(resource.events) == 1 else None
