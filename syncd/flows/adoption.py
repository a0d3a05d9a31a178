"""A scheduler's own calendar entry: recognised as its visit's, awaited for a while, retired when replaced."""

import hashlib
from dataclasses import replace
from datetime import datetime, timedelta

from syncd.core.draft import visit_subject
from syncd.core.ids import AccountId, CalendarId
from syncd.core.interval import Interval
from syncd.core.publish import EventKey, Published
from syncd.core.visit import Visit
from syncd.flows.context import Context
from syncd.flows.keys import awaited_entry
from syncd.store import Tx
from syncd.store.calendars import Entry
from syncd.store.queue import WorkKind

ENTRY = AccountId("calendar-entry")  # aliases of visits by the entry their scheduler wrote
OLD = ":old:"
PATIENCE = timedelta(minutes=15)  # S08 sees entries up to ten minutes apart from the hook


def await_entry(tx: Tx, visit: Visit, now: datetime) -> None:
    """Begin to wait, on our own clock, for the entry that the scheduler says it wrote; once for each entry."""
    account, wanted = visit.source.account, visit.remote.calendar_entry
    noted = tx.accounts.get(account, awaited_entry(visit.id))
    if wanted is not None and (noted is None or noted.rpartition("|")[0] != wanted):
        tx.accounts.put(account, awaited_entry(visit.id), f"{wanted}|{(now + PATIENCE).isoformat()}")


def awaits_entry(tx: Tx, visit: Visit, now: datetime) -> datetime | None:
    """Return until when the entry that the scheduler says it wrote is awaited; None: write our own now."""
    noted = tx.accounts.get(visit.source.account, awaited_entry(visit.id))
    if noted is None or visit.remote.calendar_entry != noted.rpartition("|")[0]:
        return None
    until = datetime.fromisoformat(noted.rpartition("|")[2])
    return until if now < until else None


def visit_of_entry(ctx: Context, tx: Tx, calendar: CalendarId, remote_id: str, uid: str) -> Visit | None:
    """Return the active visit whose scheduler says that it wrote this entry into one of its host's calendars (N05)."""
    names = (uid, uid.partition("@")[0], remote_id)
    visit = next((one for one in (tx.visits.find_by_source(ENTRY, name) for name in names if name) if one), None)
    if visit is None or not visit.active or visit.host not in {ref.agent for ref in ctx.directory.calendar(calendar)}:
        return None
    return visit


def adopt(
    ctx: Context, tx: Tx, visit: Visit, entry: Entry, calendar: CalendarId, interval: Interval, now: datetime
) -> None:
    """Take an entry that a visit's scheduler wrote as that visit's published one.

    Where a write of our own has an unknown outcome, what it may have left is looked for and deleted.
    """
    key = EventKey(visit_subject(visit.id), calendar)
    if tx.calendars.intent(key) > 0:
        stray = retired_key(key, "")
        tx.calendars.intend(stray, "", "", now)
        tx.queue.touch(WorkKind.PUBLISH, str(stray), now, group=ctx.account_of(calendar))
    known = tx.calendars.published(key)
    if known is not None and known.remote_id != entry.remote_id:
        retire(tx, known)
    adopted = Published(
        key=key,
        uid=entry.uid,
        remote_id=entry.remote_id,
        etag=entry.etag,
        content_hash="",
        interval=interval,
        adopted=True,
    )
    tx.calendars.remember(adopted)
    tx.calendars.drop_entries(calendar, [entry.remote_id])


def adopt_known(ctx: Context, tx: Tx, visit: Visit, now: datetime) -> bool:
    """Adopt the scheduler's entry where a reading met it before the booking was known (S08)."""
    agent = ctx.directory.agents.get(visit.host) if visit.host is not None else None
    wanted = visit.remote.calendar_entry
    if agent is None or wanted is None:
        return False
    for ref in agent.calendars:
        entry = _entry_called(tx, ref.id, wanted)
        if entry is not None:
            interval = entry.blocks[0].interval if len(entry.blocks) == 1 else visit.interval
            adopt(ctx, tx, visit, entry, ref.id, interval, now)
            return True
    return False


def _entry_called(tx: Tx, calendar: CalendarId, name: str) -> Entry | None:
    """Look a remembered entry up by what its scheduler calls it: UID, UID before the `@`, or remote id."""
    found = tx.calendars.find_by_uid(calendar, name) or tx.calendars.find_by_uid(calendar, f"{name}@google.com")
    return found or tx.calendars.entries(calendar, [name]).get(name)


def retire_others(tx: Tx, visit: Visit) -> None:
    """Let go of entries that the scheduler wrote for an earlier booking of the visit: another one takes their place."""
    for known in tx.calendars.published_of(visit_subject(visit.id)):
        names = (known.uid, known.uid.partition("@")[0], known.remote_id)
        if known.adopted and visit.remote.calendar_entry not in names:
            retire(tx, known)


def retire(tx: Tx, known: Published) -> None:
    """Keep an entry that another one takes the place of under a subject that nothing wants, so that it is deleted."""
    tx.calendars.forget(known.key)
    tx.calendars.remember(replace(known, key=retired_key(known.key, known.remote_id)))


def retired_key(key: EventKey, remote_id: str) -> EventKey:
    """Return the key under which an entry waits for its deletion."""
    name = hashlib.sha256(remote_id.encode()).hexdigest()[:12]
    return EventKey(f"{key.subject}{OLD}{name}", key.calendar)


def is_retired(key: EventKey) -> bool:
    return OLD in key.subject


def written_as(key: EventKey) -> EventKey:
    """Return the key under which an entry was written: its own, unless it was retired since."""
    return EventKey(key.subject.partition(OLD)[0], key.calendar)
