"""Calendars of the memory world as the ports ask for them: conditional writes, cursors that die, pages."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors._memory_faults import Fault
from connectors._memory_shelf import Author, Entry, Shelf
from connectors._memory_world import World
from syncd.core.ids import AccountId
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, EventKey, Published
from syncd.errors import NotFound, Transient, VersionConflict
from syncd.ports import ChangePage

PAGE = 4  # small, so that tests have listings of several pages


class MemoryHome:
    """All calendars of one account."""

    def __init__(self, world: World, account: AccountId, names: Sequence[str]) -> None:
        self._world = world
        self._account = account
        self._names = names

    def marks(self) -> Mapping[str, str]:
        return self._world.call(self._account, "marks", self._marks, stale=lambda: self._marks(stale=True), empty=dict)

    def _marks(self, *, stale: bool = False) -> dict[str, str]:
        shelves = self._world.shelves(self._account)
        there = {name: shelves[name] for name in self._names if name in shelves}
        return {
            name: shelf.cursor(self._world.behind(shelf) if stale else 0)
            for name, shelf in there.items()
            if not shelf.missing
        }


@dataclass(frozen=True, slots=True)
class Listing:
    """What one reading will yield: its pages and where it goes on next time."""

    changed: list[Entry]
    removed: list[str]
    unchanged: list[str]
    cursor: str
    complete: bool

    def pages(self, window: Interval) -> Iterator[ChangePage]:
        """Yield pages of a few entries; the cursor comes with the last one."""
        for at in range(0, max(len(self.changed), 1), PAGE):
            last = at + PAGE >= len(self.changed)
            yield ChangePage(
                changed=tuple(one.resource(window) for one in self.changed[at : at + PAGE]),
                removed=tuple(self.removed) if last else (),
                unchanged=tuple(self.unchanged) if last else (),
                cursor=self.cursor if last else None,
                mark=self.cursor if last else None,
                complete=self.complete,
            )


class MemoryCalendar:
    """One calendar."""

    def __init__(self, world: World, account: AccountId, name: str) -> None:
        self._world = world
        self._account = account
        self._name = name

    @property
    def _shelf(self) -> Shelf:
        shelf = self._world.shelf(self._account, self._name)
        if shelf.missing:
            raise NotFound(f"{self._account}: there is no calendar {self._name}")
        return shelf

    # -- reading

    def changes(
        self, cursor: str | None, window: Interval, known: Mapping[str, str] | None = None
    ) -> Iterator[ChangePage]:
        fault = self._world.knock(self._account, "changes")
        yield from self._pages(fault, cursor, window, known or {})

    def _pages(
        self, fault: Fault | None, cursor: str | None, window: Interval, known: Mapping[str, str]
    ) -> Iterator[ChangePage]:
        if fault is not None and (fault is not Fault.CURSOR or cursor is not None):
            self._world.faults.strike(fault)
        if fault is Fault.CURSOR:
            self._shelf.expire_cursors()
        with self._world.lock:
            listing = self._listing(fault, cursor, known)
            pages = list(listing.pages(window))
        if fault is Fault.DROP_AFTER:
            raise Transient(f"{self._account}: no answer")
        if fault is Fault.DELAY:
            self._world.meanwhile()
        for number, page in enumerate(pages):
            if fault is Fault.PAGE_TWO and number == len(pages) - 1:
                raise Transient(f"{self._account}: the last page is a 500")
            yield page
            if fault is Fault.DUPLICATE:
                yield page

    def _listing(self, fault: Fault | None, cursor: str | None, known: Mapping[str, str]) -> Listing:
        shelf = self._shelf
        back = self._world.behind(shelf) if fault is Fault.STALE else 0
        if cursor is not None:
            names, following = shelf.since(cursor, back)
            if fault is Fault.EMPTY:
                names, following = [], cursor
            entries = shelf.as_of(back)
            changed = [entries[name] for name in names if name in entries]
            return Listing(changed, [name for name in names if name not in entries], [], following, complete=False)
        there = {} if fault is Fault.EMPTY else shelf.as_of(back)
        same = [one.remote_id for one in there.values() if known.get(one.remote_id) == one.etag]
        changed = [one for one in there.values() if known.get(one.remote_id) != one.etag]
        return Listing(changed, [], same, shelf.cursor(back), complete=True)

    def find(self, key: EventKey, uid: str) -> Published | None:
        return self._world.call(
            self._account, "find", lambda: self._find(key, uid), stale=lambda: self._find(key, uid, stale=True)
        )

    def _find(self, key: EventKey, uid: str, *, stale: bool = False) -> Published | None:
        entries = self._shelf.as_of(self._world.behind(self._shelf) if stale else 0)
        own = entries.get(_remote_id(key))
        entry = own or next((one for one in entries.values() if one.uid == uid and one.tag == key.subject), None)
        return None if entry is None else _published(key, entry)

    # -- writing

    def put(self, draft: EventDraft, known: Published | None) -> Published:
        remote_id = _remote_id(draft.key) if known is None else known.remote_id
        entry = _entry(draft, remote_id)
        try:
            made = self._put(entry, None if known is None else known.etag)
        except VersionConflict:
            if known is not None:
                raise
            made = self._put(entry, self._own_etag(draft))
        return _published(draft.key, made)

    def _put(self, entry: Entry, if_match: str | None) -> Entry:
        return self._world.call(self._account, "put", lambda: self._shelf.put(entry, if_match))

    def _own_etag(self, draft: EventDraft) -> str:
        """A create that meets an entry under its id goes on from there if it is ours, and is refused if not (F4)."""
        found = self.find(draft.key, draft.uid)
        if found is None:
            raise VersionConflict(f"{self._name}: the entry came and went")
        return found.etag

    def delete(self, known: Published) -> None:
        self._world.call(
            self._account,
            "delete",
            lambda: self._shelf.delete(known.remote_id, known.etag, adopted=known.adopted),
        )


def _remote_id(key: EventKey) -> str:
    """Return the id under which an entry of ours always stands, so that a repeated create meets itself."""
    return f"syncd-{hashlib.sha256(str(key).encode()).hexdigest()[:24]}.ics"


def _entry(draft: EventDraft, remote_id: str) -> Entry:
    return Entry(
        remote_id=remote_id,
        uid=draft.uid,
        spans=(draft.interval,),
        title=draft.title,
        location=draft.location,
        body=draft.body,
        author=Author.SYNCD,
        tag=draft.key.subject,
        generation=draft.generation,
        copied=draft.mirror,
    )


def _published(key: EventKey, entry: Entry) -> Published:
    return Published(
        key=key,
        uid=entry.uid,
        remote_id=entry.remote_id,
        etag=entry.etag,
        content_hash="",
        interval=entry.spans[0],
        title=entry.title,
        location=entry.location,
    )
