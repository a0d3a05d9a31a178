"""What calendars look like: busy blocks, our published entries, cursors, suspicion."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from syncd.core.busy import BusyBlock
from syncd.core.ids import CalendarId
from syncd.core.interval import Interval
from syncd.core.publish import EventKey, Published


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarState:
    """Where we are with one calendar. `read_at` is the last good reading, the age that max_staleness judges."""

    calendar: CalendarId
    cursor: str | None = None
    mark: str | None = None  # of Home.marks, when last pulled
    read_at: datetime | None = None
    listed_at: datetime | None = None  # last complete listing
    expanded_until: datetime | None = None  # recurring entries are expanded up to here
    suspect_since: datetime | None = None
    suspect_why: str = ""
    attention: str = ""  # an entry could not be understood: the agent is closed
    error: str = ""
    failing_since: datetime | None = None
    notes: str = ""
    deletions: tuple[datetime, ...] = ()  # recent ones, for the brake


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A stranger's resource as remembered: a dozen bytes of identity and its blocks."""

    remote_id: str
    uid: str
    etag: str
    blocks: tuple[BusyBlock, ...]
    mirrored: bool = True  # False: carries our mirror mark, never copied again


class Calendars:
    def state(self, calendar: CalendarId) -> CalendarState:
        """Return the state; a calendar never read has one with every field empty."""
        raise NotImplementedError

    def states(self) -> list[CalendarState]:
        raise NotImplementedError

    def save_state(self, state: CalendarState) -> None:
        raise NotImplementedError

    def fresh(self, calendars: Iterable[CalendarId], at: datetime) -> None:
        """Note a quiet, successful check of these calendars: read_at = at, error cleared."""
        raise NotImplementedError

    def etags(self, calendar: CalendarId) -> dict[str, str]:
        """Return remote id -> etag of every remembered entry, strangers' and ours."""
        raise NotImplementedError

    def entries(self, calendar: CalendarId, remote_ids: Sequence[str]) -> dict[str, Entry]:
        raise NotImplementedError

    def put_entries(self, calendar: CalendarId, entries: Iterable[Entry]) -> bool:
        """Insert or replace entries and their blocks; tell whether any busy time changed."""
        raise NotImplementedError

    def drop_entries(self, calendar: CalendarId, remote_ids: Iterable[str]) -> bool:
        """Forget entries and their blocks; tell whether any busy time changed."""
        raise NotImplementedError

    def find_by_uid(self, calendar: CalendarId, uid: str) -> Entry | None:
        raise NotImplementedError

    def blocks(self, calendars: Sequence[CalendarId], window: Interval) -> list[BusyBlock]:
        """List the blocks that overlap the window, ordered by start."""
        raise NotImplementedError

    def spans(
        self, calendars: Sequence[CalendarId], window: tuple[int, int], *, all_day: bool = True
    ) -> dict[CalendarId, list[tuple[int, int]]]:
        """Return blocks as epoch seconds for the slot arithmetic: the hot path, no objects made. `all_day=False` leaves those out."""
        raise NotImplementedError

    def revision(self, calendars: Sequence[CalendarId]) -> tuple[int, ...]:
        """Return numbers that change whenever the blocks of these calendars do (for cached masks)."""
        raise NotImplementedError

    def count_future(self, calendar: CalendarId, now: datetime) -> int:
        """Count remembered entries (strangers' and ours) with time at or after `now`."""
        raise NotImplementedError

    def published(self, key: EventKey) -> Published | None:
        raise NotImplementedError

    def published_of(self, subject: str) -> list[Published]:
        """List the entries of one subject in every calendar."""
        raise NotImplementedError

    def published_in(self, calendar: CalendarId) -> list[Published]:
        raise NotImplementedError

    def published_at(self, calendar: CalendarId, remote_ids: Sequence[str]) -> Mapping[str, Published]:
        """Return our entries among these remote ids."""
        raise NotImplementedError

    def remember(self, published: Published) -> None:
        """Insert or replace, by key."""
        raise NotImplementedError

    def forget(self, key: EventKey) -> None:
        raise NotImplementedError

    def intend(self, key: EventKey, uid: str, content_hash: str, at: datetime) -> int:
        """Note durably, before the network is used, that this entry is about to be written; return the attempt (1, 2 …)."""
        raise NotImplementedError

    def intent(self, key: EventKey) -> int:
        """Return the attempts noted since the last remember/forget; above 0 the outcome is unknown: find before writing."""
        raise NotImplementedError

    def settle_intent(self, key: EventKey) -> None:
        """Forget the attempts of this entry: the provider refused, so nothing of ours is under way."""
        raise NotImplementedError
