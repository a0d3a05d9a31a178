"""What should stand in calendars, what we put there, what is there now; and the one step between them."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
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
