"""After a restore the world is ahead of the store: what carries our mark is taken back as ours, and nothing is written
until an operator ends the mode."""

from syncd.core.draft import visit_subject
from syncd.core.ids import CalendarId, VisitId
from syncd.core.interval import Interval
from syncd.core.publish import EventKey, Published
from syncd.ports import Resource
from syncd.store import Tx

VISIT = visit_subject("")


def take_back(tx: Tx, calendar: CalendarId, resource: Resource) -> bool:
    """Remember as ours an entry with our mark and UID that the restored store has no row of; tell whether its time is
    that of a visit.

    A person's copy has a UID of its own and stays a stranger's (F57). An entry whose visit the store has forgotten
    becomes ours too, so that a plan can show it, but False: its time must stay busy until somebody has decided.
    """
    event = resource.events[0] if len(resource.events) == 1 else None
    if event is None or event.tag is None or event.interval is None or resource.uid != uid_of(event.tag):
        return False
    key = EventKey(event.tag, calendar)
    if tx.calendars.published(key) is not None:
        return False
    tx.calendars.remember(_published(key, resource, event.interval, event.title or "", event.location or ""))
    if not _has_subject(tx, event.tag):
        return False
    tx.calendars.drop_entries(calendar, [resource.remote_id])
    return True


def uid_of(subject: str) -> str:
    """Return the UID that our own entries of a subject carry."""
    return f"{subject.replace(':', '-', 1)}@syncd"


def _published(key: EventKey, resource: Resource, interval: Interval, title: str, location: str) -> Published:
    return Published(
        key=key,
        uid=resource.uid,
        remote_id=resource.remote_id,
        etag=resource.etag,
        content_hash="",
        interval=interval,
        title=title,
        location=location,
    )


def _has_subject(tx: Tx, subject: str) -> bool:
    """Tell whether the store knows what an entry stands for: a visit of it, or a copy of busy time."""
    return not subject.startswith(VISIT) or tx.visits.find(VisitId(subject.removeprefix(VISIT))) is not None
