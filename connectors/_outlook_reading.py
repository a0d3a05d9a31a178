"""What changed in one Outlook calendar: by delta link in the primary one, by complete snapshots in every other.

A delta link holds the window it began with, so the cursor carries that window and a new round begins before it runs
out. Each occurrence of a series is an entry of its own, as Graph tells them. Where the change list of a mailbox does
not end (a defect of 2026), snapshots stand in for a day.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connectors._http import TooLong
from connectors._outlook_event import FIELDS, Json, Reader, is_thin, text
from connectors._outlook_graph import PAGE, PAGES, Graph, Place, items_of
from syncd.core.interval import Interval
from syncd.errors import CursorExpired, NotFound, Transient, Unreadable
from syncd.ports import CalendarUse, ChangePage, Resource

AHEAD = timedelta(days=7)  # a round looks this much further than asked, so that it serves for as long
SNAPSHOTS = timedelta(days=1)  # how long a mailbox is read by snapshots once its change list did not end
AT_A_TIME = 500  # resources in a page of ours
BUSY_TILL_KNOWN: Json = {"showAs": "busy"}
ENDLESS = "Microsoft's list of changes does not end for this mailbox: read by snapshots"
GREAT = "Microsoft's list of changes is too large for this mailbox: read by snapshots"


class Endless(Exception):
    """The change list of a mailbox goes round or does not stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Our place in a mailbox's changes: a delta link with its window, or until when snapshots are taken instead."""

    link: str = ""
    window: Interval | None = None
    snapshots_until: int = 0  # epoch seconds
    why: str = ""

    def text(self) -> str:
        span = list(self.window.epoch) if self.window is not None else []
        return json.dumps({"link": self.link, "window": span, "until": self.snapshots_until, "why": self.why})

    @classmethod
    def read(cls, written: str) -> "Cursor":
        """Read a cursor back; raises CursorExpired for what is none of ours."""
        try:
            found = json.loads(written)
            span = [int(one) for one in found["window"]]
            window = Interval.of_epoch(*span) if span else None
            link, until, why = str(found["link"]), int(found["until"]), str(found["why"])
        except (ValueError, TypeError, LookupError, OverflowError, OSError):
            raise CursorExpired("the cursor is not one of an Outlook calendar") from None
        if (window is None) != (link == "") or (window is None and until == 0):
            raise CursorExpired("the cursor is not one of an Outlook calendar")
        return cls(link=link, window=window, snapshots_until=until, why=why)


@dataclass(slots=True)
class _Round:
    """What the pages of a round said together; of an entry that came twice the last word counts."""

    items: dict[str, Json | None] = field(default_factory=dict)  # None: removed
    masters: dict[str, Json] = field(default_factory=dict)
    link: str = ""

    def take(self, items: list[Json]) -> None:
        for one in items:
            name = text(one, "id")
            if not name:
                raise Unreadable("an event without an id")
            self.items.pop(name, None)
            if one.get("type") == "seriesMaster":
                self.masters[name] = one  # takes no time itself: its occurrences do
            else:
                self.items[name] = None if "@removed" in one else one


class Reading:
    """One calendar of one account, read."""

    def __init__(self, graph: Graph, use: CalendarUse) -> None:
        self.graph, self.use = graph, use

    def changes(self, cursor: str | None, window: Interval, known: Mapping[str, str] | None) -> Iterator[ChangePage]:
        try:
            place = self.graph.place(self.use.name)
            if cursor is None:
                yield from self._complete(place, window, known or {})
            else:
                yield from self._since(place, Cursor.read(cursor), window)
        except NotFound:
            self.graph.forget(self.use.name)
            raise

    # ------------------------------------------------------------------------------------------- complete

    def _complete(self, place: Place, window: Interval, known: Mapping[str, str]) -> Iterator[ChangePage]:
        if place.calendar:
            yield from self._snapshot(place, window, known, None)
            return
        wide = Interval(window.start, window.end + AHEAD)
        try:
            found = self._first_round(place, wide)
        except (Endless, TooLong) as broken:
            yield from self._snapshot(place, window, known, self._instead(broken))
            return
        cursor = Cursor(link=found.link, window=wide)
        yield from self._listed(place, found, wide, known, cursor, "")

    def _first_round(self, place: Place, window: Interval) -> _Round:
        """Begin a round; one that Graph forgets half way (410, maintenance) is begun once more."""
        query = f"startDateTime={_stamp(window.start)}&endDateTime={_stamp(window.end)}"
        link = f"{place.user}/calendarView/delta?{query}"
        try:
            return self._round(place, link)
        except CursorExpired:
            pass
        try:
            return self._round(place, link)
        except CursorExpired as again:
            raise Transient(f"Graph begins new rounds and forgets them at once: {again}") from again

    def _snapshot(
        self, place: Place, window: Interval, known: Mapping[str, str], cursor: Cursor | None
    ) -> Iterator[ChangePage]:
        """List everything in the window by plain pages; raises Unreadable where even these do not end."""
        query = {"startDateTime": _stamp(window.start), "endDateTime": _stamp(window.end)}
        found = _Round()
        for page in self.graph.pages(
            place.mailbox, f"{place.path}/calendarView", {**query, "$select": FIELDS, "$top": str(PAGE)}
        ):
            found.take(page)
        yield from self._listed(place, found, window, known, cursor, cursor.why if cursor is not None else "")

    def _listed(
        self,
        place: Place,
        found: _Round,
        window: Interval,
        known: Mapping[str, str],
        cursor: Cursor | None,
        note: str,
    ) -> Iterator[ChangePage]:
        """Tell of a whole listing; entries with the etag that is known are only named."""
        read, notes = self._resources(place, found, window)
        same = tuple(one.remote_id for one in read if one.etag and known.get(one.remote_id) == one.etag and _plain(one))
        unchanged = frozenset(same)
        yield ChangePage(unchanged=same, complete=True, notes=(*notes, *([note] if note else [])))
        for page in _batches([one for one in read if one.remote_id not in unchanged]):
            yield ChangePage(changed=page, complete=True, notes=_notes(page))
        yield ChangePage(complete=True, cursor=cursor.text() if cursor is not None else None)

    # ------------------------------------------------------------------------------------------- since a cursor

    def _since(self, place: Place, cursor: Cursor, window: Interval) -> Iterator[ChangePage]:
        if place.calendar:
            raise CursorExpired("this calendar is read by snapshots, which have no cursor")
        if cursor.window is None:
            if cursor.snapshots_until <= self._now().timestamp():
                raise CursorExpired("the change list is tried again after a day of snapshots")
            yield from self._snapshot(place, window, {}, cursor)
            return
        if not cursor.window.contains(window):
            raise CursorExpired("the window has moved beyond the one of this round")
        try:
            found = self._round(place, self._own_link(cursor.link))
        except (Endless, TooLong) as broken:
            yield from self._snapshot(place, window, {}, self._instead(broken))
            return
        yield from self._changed(place, found, cursor.window)

    def _changed(self, place: Place, found: _Round, window: Interval) -> Iterator[ChangePage]:
        read, notes = self._resources(place, found, window)
        for page in _batches(read):
            yield ChangePage(changed=page, notes=_notes(page))
        removed = tuple(name for name, item in found.items.items() if item is None)
        yield ChangePage(removed=removed, cursor=Cursor(link=found.link, window=window).text(), notes=notes)

    def _own_link(self, link: str) -> str:
        """Return the link of a cursor; one to another server is of another configuration."""
        try:
            return self.graph.link(link)
        except Unreadable as away:
            raise CursorExpired(str(away)) from away

    # ------------------------------------------------------------------------------------------- pages

    def _round(self, place: Place, link: str) -> _Round:
        """Follow next links until the delta link comes; raises Endless where it does not."""
        found = _Round()
        links, seen = set[str](), set[bytes]()
        for _ in range(PAGES):
            links.add(link)
            page = self.graph.read(place.mailbox, link, page=PAGE)
            items = items_of(page)
            found.take(items)
            if "@odata.deltaLink" in page:
                found.link = self.graph.link(page["@odata.deltaLink"])
                return found
            link = self.graph.link(page.get("@odata.nextLink"))
            digest = _digest(items)
            if link in links or (items and digest in seen):
                raise Endless
            seen.add(digest)
        raise Endless

    def _instead(self, broken: Exception) -> Cursor:
        until = int((self._now() + SNAPSHOTS).timestamp())
        return Cursor(snapshots_until=until, why=GREAT if isinstance(broken, TooLong) else ENDLESS)

    # ------------------------------------------------------------------------------------------- events

    def _resources(self, place: Place, found: _Round, window: Interval) -> tuple[list[Resource], tuple[str, ...]]:
        items = [one for one in found.items.values() if one is not None]
        zone, notes = self._zone(place, items)
        reader = Reader(zone, self.use.emails, window)
        masters = self._masters(place, found, items)
        return [
            reader.resource(one, masters[text(one, "seriesMasterId")] if is_thin(one) else None) for one in items
        ], notes

    def _zone(self, place: Place, items: list[Json]) -> tuple[str, tuple[str, ...]]:
        """Return the zone of days: the mailbox's, asked only where there are any, else the configured one."""
        masters = any(is_thin(one) for one in items)
        if not masters and not any(one.get("isAllDay") is True for one in items):
            return self.use.time_zone, ()
        zone = self.graph.zone(place.mailbox)
        if zone is None:
            return self.use.time_zone, (f"the mailbox does not tell its zone: days are read in {self.use.time_zone}",)
        return zone, ()

    def _masters(self, place: Place, found: _Round, items: list[Json]) -> Mapping[str, Json]:
        """Return the masters of the thin occurrences; what cannot be had counts as busy."""
        wanted = {text(one, "seriesMasterId") for one in items if is_thin(one)}
        return {name: found.masters.get(name) or self._master(place, name) for name in wanted}

    def _master(self, place: Place, name: str) -> Json:
        try:
            return self.graph.read(place.mailbox, place.event(name), {"$select": FIELDS})
        except NotFound:
            return BUSY_TILL_KNOWN

    def _now(self) -> datetime:
        return self.graph.env.clock.now()


def _plain(one: Resource) -> bool:
    """Tell whether a known etag says everything; what has a problem is told again."""
    return one.problem is None


def _batches(found: list[Resource]) -> Iterator[tuple[Resource, ...]]:
    for start in range(0, len(found), AT_A_TIME):
        yield tuple(found[start : start + AT_A_TIME])


def _notes(page: tuple[Resource, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(note for one in page for note in one.notes))


def _digest(items: list[Json]) -> bytes:
    parts: Any = [[one.get("id"), one.get("@odata.etag"), one.get("start"), "@removed" in one] for one in items]
    return hashlib.sha256(json.dumps(parts).encode()).digest()


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
