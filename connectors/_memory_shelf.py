"""One calendar of the memory world: its entries, etags and cursors, and the hands of the people who use it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from syncd.clock import Clock
from syncd.core.busy import RemoteEvent, Signal
from syncd.core.interval import Interval
from syncd.errors import CursorExpired, NotFound, VersionConflict
from syncd.ports import Resource

KEPT = 2_000  # changes that are remembered; an older cursor is dead


class Author(StrEnum):
    """Who wrote an entry first: what only its author may overwrite or delete."""

    PERSON = "person"
    SCHEDULER = "scheduler"
    SYNCD = "syncd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry with its instances. `notes` and `colour` are the agent's own."""

    remote_id: str
    uid: str
    etag: str = ""
    spans: tuple[Interval, ...]
    title: str = ""
    location: str = ""
    body: str = ""
    author: Author = Author.PERSON
    tag: str | None = None
    generation: str = ""
    copied: bool = False
    all_day: bool = False
    signals: frozenset[Signal] = frozenset()
    notes: str = ""
    colour: str = ""
    attendees: tuple[str, ...] = ()
    problem: str | None = None

    def resource(self, window: Interval) -> Resource:
        """Show the entry as a reading of this window does."""
        return Resource(
            remote_id=self.remote_id,
            uid=self.uid,
            etag=self.etag,
            events=tuple(self._event(span) for span in self.spans if span.overlaps(window)),
            recurring=len(self.spans) > 1,
            problem=self.problem,
        )

    def _event(self, span: Interval) -> RemoteEvent:
        return RemoteEvent(
            remote_id=self.remote_id,
            uid=self.uid,
            recurrence_id=span.start.isoformat() if len(self.spans) > 1 else "",
            etag=self.etag,
            interval=span,
            all_day=self.all_day,
            signals=self.signals,
            tag=self.tag,
            title=self.title if self.tag is not None else None,
            location=self.location if self.tag is not None else None,
            generation=self.generation or None,
            copied=self.copied,
        )


@dataclass(frozen=True, slots=True)
class Change:
    """One step of a calendar's history; `before` None: created, `after` None: deleted."""

    remote_id: str
    before: Entry | None
    after: Entry | None


class Shelf:
    """Keeps entries with etags that are never used twice, and a history that cursors point into."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.changed_at: datetime | None = None
        self._clock = clock
        self.entries: dict[str, Entry] = {}
        self.missing = False  # deleted, or no longer shared with us
        self.trespasses: list[str] = []  # writes and deletions of what is not syncd's to touch
        self._history: list[Change] = []
        self._first = 0  # number of the oldest change still kept
        self._era = 0

    # -- cursors

    @property
    def last(self) -> int:
        return self._first + len(self._history)

    def cursor(self, back: int = 0) -> str:
        """Return the present place in the history, or that of `back` changes ago."""
        return f"{self._era}:{max(self._first, self.last - back)}"

    def expire_cursors(self) -> None:
        self._era += 1

    def since(self, cursor: str, back: int = 0) -> tuple[list[str], str]:
        """Return the remote ids that changed since, oldest first, and the next cursor; raises CursorExpired."""
        era, _, number = cursor.partition(":")
        if era != str(self._era) or not number.isdecimal() or not self._first <= int(number) <= self.last:
            raise CursorExpired(f"{self.name}: unknown cursor")
        end = max(int(number), self.last - back)
        steps = self._history[int(number) - self._first : end - self._first]
        return list(dict.fromkeys(step.remote_id for step in steps)), f"{self._era}:{end}"

    def as_of(self, back: int) -> dict[str, Entry]:
        """Return the entries as they were `back` changes ago."""
        entries = dict(self.entries)
        for step in reversed(self._history[max(0, len(self._history) - back) :] if back else []):
            if step.before is None:
                del entries[step.remote_id]
            else:
                entries[step.remote_id] = step.before
        return entries

    # -- what everybody does

    def find(self, fits: Callable[[Entry], bool]) -> list[Entry]:
        return [one for one in self.entries.values() if fits(one)]

    def store(self, entry: Entry) -> Entry:
        """Keep an entry under a new etag."""
        kept = replace(entry, etag=f'"{self.last + 1}"')
        self._step(Change(entry.remote_id, self.entries.get(entry.remote_id), kept))
        self.entries[entry.remote_id] = kept
        return kept

    def drop(self, remote_id: str) -> None:
        self._step(Change(remote_id, self.entries.pop(remote_id), None))

    def _step(self, change: Change) -> None:
        self.changed_at = self._clock.now()
        self._history.append(change)
        if len(self._history) > KEPT:
            self._first += len(self._history) - KEPT
            del self._history[:-KEPT]

    # -- what syncd does: conditional, and judged

    def put(self, entry: Entry, if_match: str | None) -> Entry:
        """Write an entry of ours: `if_match` None creates and refuses an id in use, "" overwrites what is there."""
        known = self.entries.get(entry.remote_id)
        if if_match is None and known is not None:
            raise VersionConflict(f"{self.name}: {entry.remote_id} exists already")
        if if_match is not None and known is None:
            raise NotFound(f"{self.name}: {entry.remote_id} is gone")
        if known is not None and if_match not in ("", known.etag):
            raise VersionConflict(f"{self.name}: {entry.remote_id} is newer")
        if known is not None and known.author is not Author.SYNCD:
            self.trespasses.append(f"wrote over {known.author.value}'s {known.remote_id}")
        return self.store(entry if known is None else replace(entry, notes=known.notes, colour=known.colour))

    def delete(self, remote_id: str, if_match: str, *, adopted: bool) -> None:
        """Delete for syncd; what is gone already is a success."""
        known = self.entries.get(remote_id)
        if known is None:
            return
        if if_match not in ("", known.etag):
            raise VersionConflict(f"{self.name}: {remote_id} is newer")
        allowed = {Author.SYNCD, Author.SCHEDULER} if adopted else {Author.SYNCD}
        if known.author not in allowed:
            self.trespasses.append(f"deleted {known.author.value}'s {remote_id}")
        self.drop(remote_id)

    # -- what people do

    def add(self, *spans: Interval, title: str = "", **traits: object) -> str:
        """Put in an event of the calendar's owner; returns its remote id."""
        name = hashlib.sha256(f"{self.name}|{self.last}".encode()).hexdigest()[:16]
        made = Entry(remote_id=f"{name}.ics", uid=f"{name}@person", spans=spans, title=title)
        return self.store(replace(made, **traits)).remote_id  # type: ignore[arg-type]

    def change(self, remote_id: str, **traits: object) -> Entry:
        """Edit an entry by hand, whoever wrote it: `spans`, `title`, `colour`, `notes` …"""
        return self.store(replace(self.entries[remote_id], **traits))  # type: ignore[arg-type]

    def drag(self, remote_id: str, to: Interval) -> Entry:
        return self.change(remote_id, spans=(to,))

    def copy(self, remote_id: str, to: Interval) -> str:
        """Duplicate an entry as a calendar application does: its private marks come along, the id does not (F57)."""
        made = self.entries[remote_id]
        return self.add(to, title=made.title, tag=made.tag, generation=made.generation, location=made.location)
