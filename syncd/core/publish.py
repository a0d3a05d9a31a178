"""What should stand in calendars, what we put there, what is there now; and the one step between them."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from syncd.core.ids import CalendarId
from syncd.core.interval import Interval


@dataclass(frozen=True, slots=True, order=True)
class EventKey:
    """Names one entry of ours: a subject ("visit:<id>" or "mirror:<hash>") in one calendar."""

    subject: str
    calendar: CalendarId

    def __str__(self) -> str:
        return f"{self.subject}@{self.calendar}"

    @classmethod
    def parse(cls, text: str) -> "EventKey":
        subject, _, calendar = text.partition("@")
        return cls(subject, CalendarId(calendar))


@dataclass(frozen=True, slots=True, kw_only=True)
class EventDraft:
    """An entry as we want it. `uid` is the same in every calendar of one subject (RFC 5545 3.8.4.7)."""

    key: EventKey
    uid: str
    interval: Interval
    time_zone: str
    title: str
    location: str = ""
    body: str = ""
    generation: str = ""
    mirror: bool = False

    @property
    def content_hash(self) -> str:
        """Return a digest of everything we own in the entry (not of the generation)."""
        parts = (self.uid, *map(str, self.interval.epoch), self.time_zone, self.title, self.location, self.body)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


class Presence(StrEnum):
    """What the last reading saw of a published entry."""

    AS_PUT = "as_put"
    CHANGED = "changed"  # time or protected fields differ from what we put
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """An entry we last put, and what was last seen of it.

    `adopted` marks an entry that a scheduler wrote: it counts as ours, is never rewritten, and is deleted only
    when the visit is cancelled or leaves the calendar.
    """

    key: EventKey
    uid: str
    remote_id: str
    etag: str
    content_hash: str
    interval: Interval
    title: str = ""
    location: str = ""
    adopted: bool = False
    presence: Presence = Presence.AS_PUT
    seen_interval: Interval | None = None  # where a person moved it, while CHANGED
    rewrites: tuple[datetime, ...] = ()  # when we wrote over a person's change, the last day's


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    draft: EventDraft
    known: Published | None  # None: create
    rewrite: bool = False  # writes over a person's change


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    known: Published


@dataclass(frozen=True, slots=True, kw_only=True)
class Forget:
    """The entry is unwanted and already gone: only our note of it is left to drop."""

    known: Published


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldOff:
    """A person keeps changing the entry; after three rewrites in a day we leave it and flag it."""

    known: Published


Step = Put | Delete | Forget | HoldOff | None


REWRITES_A_DAY = 3  # F34: never a fight with a person


def next_step(draft: EventDraft | None, known: Published | None, now: datetime, *, restore: bool = True) -> Step:
    """Return the one step from what stands to what is wanted; None when nothing is to be done.

    `restore` says whether an entry that a person deleted is put back; one that moves since then stands at its new
    time in any case. An adopted entry is never rewritten.
    """
    if known is None:
        return Put(draft=draft, known=None) if draft is not None else None
    if draft is None:
        return Forget(known=known) if known.presence is Presence.GONE else Delete(known=known)
    if known.adopted:
        return None
    if known.presence is Presence.GONE:
        wanted = restore or known.interval != draft.interval
        return _rewrite(draft, known, now, None) if wanted else None
    if known.presence is Presence.CHANGED:
        return _rewrite(draft, known, now, known)
    return Put(draft=draft, known=known) if known.content_hash != draft.content_hash else None


def _rewrite(draft: EventDraft, known: Published, now: datetime, over: Published | None) -> Step:
    if len(recent_rewrites(known, now)) >= REWRITES_A_DAY and known.content_hash == draft.content_hash:
        return HoldOff(known=known)
    return Put(draft=draft, known=over, rewrite=True)


def recent_rewrites(known: Published, now: datetime) -> tuple[datetime, ...]:
    return tuple(moment for moment in known.rewrites if now - moment < timedelta(days=1))


def presence_of(known: Published, seen: Interval | None, title: str | None, location: str | None) -> Presence:
    """Compare what a reading saw with what we put; notes, colours and reminders are the agent's and do not count."""
    if known.adopted:
        return Presence.AS_PUT
    same = seen == known.interval and _same_text(title, known.title) and _same_text(location, known.location)
    return Presence.AS_PUT if same else Presence.CHANGED


def _same_text(one: str | None, other: str) -> bool:
    """Servers re-fold and trim; only a difference a person can see counts."""
    return one is None or " ".join(one.split()) == " ".join(other.split())
