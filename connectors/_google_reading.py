"""What changed in one Google calendar: by sync token, or everything; series whole, each as one resource.

A listing tells masters, exceptions and single entries apart (`singleEvents` is off), page after page until no page
token is left: pages may be short or empty before that. An increment tells only the parts of a series that changed, so
each series it names is asked for once, whole, by its iCalendar UID: one request for a changed series and none for the
rest. (Asking for `instances` would take several pages for a long series; keeping all parts beside the cursor would
store every stranger's series twice.) Where many series changed at once, listing everything is cheaper.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode

from connectors._google_account import Json, Person
from connectors._google_event import text_of
from connectors._google_series import Reader, is_exception, is_series_part
from connectors._zones import zone_named
from syncd.core.interval import Interval
from syncd.errors import ConnectorError, CursorExpired, NotFound, Transient, Unreadable
from syncd.ports import CalendarUse, ChangePage, Resource

VERSION = 1  # of the question: a token is good for the parameters it was made with only
PAGE = 1000
PAGES = 400
SERIES = 25  # changed in one increment; beyond that a listing is cheaper
BACK = timedelta(days=31)  # an instance moved from the window into the past further than this stays busy at both
FIELDS = (
    "kind,timeZone,nextPageToken,nextSyncToken,items(id,status,etag,iCalUID,recurringEventId,originalStartTime,start,end,"
    "recurrence,sequence,eventType,transparency,visibility,attendees(self,email,responseStatus),"
    "attendeesOmitted,organizer(self,email),workingLocationProperties/type,summary,location,extendedProperties/private)"
)  # a stranger's notes never leave Google; titles only because ours stand among them
_INSTANCE = re.compile(r"(.+)_[0-9]{8}(?:T[0-9]{6}Z)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Our place in a calendar's changes, and the zone in which its days were read."""

    token: str
    zone: str

    def text(self) -> str:
        return json.dumps({"version": VERSION, "token": self.token, "zone": self.zone})

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """Read a cursor back; raises CursorExpired for what is none of ours."""
        try:
            found = json.loads(text)
            token, zone, version = found["token"], found["zone"], found["version"]
        except (ValueError, TypeError, LookupError, RecursionError):
            token, zone, version = None, None, None
        if version != VERSION or not isinstance(token, str) or not token or not isinstance(zone, str):
            raise CursorExpired("the cursor is not one of a Google calendar")
        return cls(token=token, zone=zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer of events.list, checked to be one."""

    items: Sequence[Json]
    zone: str | None
    next_page: str | None
    next_sync: str | None

    @classmethod
    def read(cls, told: Json) -> "Page":
        """Read an answer; raises Unreadable for what is no page of entries (a login page, another API)."""
        items = told.get("items", [])
        if told.get("kind") != "calendar#events" or not isinstance(items, list):
            raise Unreadable("Google answered with something that is not a page of entries")
        if not all(isinstance(one, dict) and text_of(one, "id") for one in items):
            raise Unreadable("an entry without an id stands in the page")
        tokens = (text_of(told, "nextPageToken") or None, text_of(told, "nextSyncToken") or None)
        if "items" not in told and tokens == (None, None):
            raise Unreadable("a page of entries with neither entries nor a token is no true answer")
        return cls(items=items, zone=text_of(told, "timeZone") or None, next_page=tokens[0], next_sync=tokens[1])


@dataclass(slots=True)
class Parts:
    """Parts of series, put together over all pages."""

    by_series: dict[str, dict[str, Json]] = field(default_factory=dict)  # series id -> id -> entry, the last one told

    def add(self, event: Json) -> None:
        series = text_of(event, "recurringEventId") or text_of(event, "id")
        self.by_series.setdefault(series, {})[text_of(event, "id")] = event


class Reading:
    """One calendar, read as one person."""

    def __init__(self, person: Person, use: CalendarUse) -> None:
        self.person, self.use = person, use

    def changes(self, cursor: str | None, window: Interval, known: Mapping[str, str] | None) -> Iterator[ChangePage]:
        if cursor is None:
            return self._listing(window, known or {})
        return self._since(Cursor.read(cursor), window)

    # ------------------------------------------------------------------------------------------- complete

    def _listing(self, window: Interval, known: Mapping[str, str]) -> Iterator[ChangePage]:
        """List everything; the parts of a series may stand on different pages, so series come last."""
        parts = Parts()
        reader, page = None, None
        for page in self._pages({"timeMin": stamp(window.start - BACK)}):
            reader = reader or self._reader(page.zone, window)
            singles = [one for one in page.items if not is_series_part(one) and one.get("status") != "cancelled"]
            for one in page.items:
                if is_series_part(one):
                    parts.add(one)
            yield _known_apart(singles, reader, known)
        if reader is None or page is None:
            raise Unreadable("Google answered without a single page")
        yield self._series_listed(reader, parts, known)
        token = page.next_sync
        cursor = Cursor(token=token, zone=reader.zone).text() if token else None
        yield ChangePage(complete=True, cursor=cursor, notes=tuple(reader.notes))

    def _series_listed(self, reader: Reader, parts: Parts, known: Mapping[str, str]) -> ChangePage:
        changed, unchanged = [], []
        for series, told in parts.by_series.items():
            held = list(told.values())
            if not _lives(held):
                continue
            if known.get(series) == reader.etag_of_series(held):
                unchanged.append(series)
            else:
                changed.append(reader.series(series, held))
        return ChangePage(changed=tuple(changed), unchanged=tuple(unchanged), complete=True)

    # ------------------------------------------------------------------------------------------- since a cursor

    def _since(self, cursor: Cursor, window: Interval) -> Iterator[ChangePage]:
        """Tell what changed; every way in which a token may be dead ends in CursorExpired."""
        reader = self._reader(cursor.zone, window)
        parts, token = Parts(), None
        for page in self._pages({"syncToken": cursor.token}):
            if page.zone is not None and self._zone(page.zone) != reader.zone:
                raise CursorExpired(f"the calendar's own zone is now {page.zone}: its days are read anew")
            yield self._page_since(page, parts, reader)
            token = page.next_sync
        if token is None:
            raise CursorExpired("the last page has no token to go on from")
        if len(parts.by_series) > SERIES:
            raise CursorExpired(f"{len(parts.by_series)} series changed at once: a listing is cheaper")
        yield self._series_since(parts, reader)
        yield ChangePage(cursor=Cursor(token=token, zone=reader.zone).text(), notes=tuple(reader.notes))

    @staticmethod
    def _page_since(page: Page, parts: Parts, reader: Reader) -> ChangePage:
        """Read the single entries of a page; a tombstone may have no more than its id."""
        changed, removed = [], []
        for event in page.items:
            if is_exception(event) or (event.get("status") != "cancelled" and is_series_part(event)):
                parts.add(event)
            elif event.get("status") == "cancelled":
                removed.append(text_of(event, "id"))
                _note_instance(event, parts)
            else:
                changed.append(reader.single(event))
        return ChangePage(changed=tuple(changed), removed=tuple(removed))

    def _series_since(self, parts: Parts, reader: Reader) -> ChangePage:
        """Ask for every series that an increment names, whole."""
        changed: list[Resource] = []
        removed: list[str] = []
        for series, told in parts.by_series.items():
            held = self._whole(series, told)
            if not held:
                removed.append(series)
            elif len(held) == 1 and not is_series_part(held[0]):
                changed.append(reader.single(held[0]))  # it was a series before
            else:
                changed.append(reader.series(series, held))
        return ChangePage(changed=tuple(changed), removed=tuple(removed))

    def _whole(self, series: str, told: Mapping[str, Json]) -> list[Json]:
        """Return all parts of a series as they are now; none where nothing of it is left."""
        uid = next((uid for one in told.values() if (uid := text_of(one, "iCalUID"))), "") or self._uid_of(series)
        if not uid:
            raise CursorExpired("single meetings of a series that we may not see changed: only a listing tells which")
        found: dict[str, Json] = {}
        for page in self._pages({"iCalUID": uid}):
            for one in page.items:
                if series in (text_of(one, "id"), text_of(one, "recurringEventId")):
                    found[text_of(one, "id")] = one
        held = list(found.values())
        return held if _lives(held) else []

    def _uid_of(self, series: str) -> str:
        """Ask the master for its UID; "" where there is none that we may see."""
        question = self.person.service.events().get(
            calendarId=self.use.name, eventId=series, fields="id,iCalUID", quotaUser=self.person.quota_user
        )
        try:
            return text_of(self.person.ask(question), "iCalUID")
        except NotFound:
            return ""

    # ------------------------------------------------------------------------------------------- pages

    def _pages(self, query: Mapping[str, str]) -> Iterator[Page]:
        """Ask page after page; a token that comes back is a circle."""
        seen: set[str] = set()
        place: dict[str, str] = {}
        while len(seen) < PAGES:
            page = Page.read(self._page({**query, **place}))
            yield page
            if page.next_page is None:
                return
            if page.next_page in seen:
                raise Unreadable(f"the pages go round in a circle after {len(seen)}")
            seen.add(page.next_page)
            place = {"pageToken": page.next_page}
        raise Unreadable(f"no end after {PAGES} pages")

    def _page(self, query: Mapping[str, str]) -> Json:
        try:
            return self.person.send("GET", f"{self._question()}&{urlencode(query)}")
        except ConnectorError as refused:
            status = refused.answer.status if refused.answer is not None else 0
            if status == 410 or (status == 400 and "syncToken" in query):
                self._expired(query, status)
            raise

    @staticmethod
    def _expired(query: Mapping[str, str], status: int) -> None:
        """410 on a list means a dead token (on a delete it means success); of a listing's own pages it is a hiccup."""
        if "syncToken" in query:
            raise CursorExpired(f"Google does not know our place any more ({status})")
        raise Transient("Google lost the place in the middle of a listing; it is listed again")

    def _question(self) -> str:
        """Return the address of the list with all that never changes, as the library composes it; once per calendar.

        Only the token differs from poll to poll, and composing costs more than the whole rest of a quiet poll.
        """
        if (kept := self.person.lists.get(self.use.name)) is None:
            question = self.person.service.events().list(
                calendarId=self.use.name,
                maxResults=PAGE,
                quotaUser=self.person.quota_user,
                prettyPrint=False,
            )
            # Written as it stands: the library would write each comma with three characters.
            kept = self.person.lists[self.use.name] = f"{question.uri}&fields={FIELDS}"
        return kept

    def _reader(self, zone: str | None, window: Interval) -> Reader:
        return Reader(self._zone(zone), self.use.emails, window)

    def _zone(self, name: str | None) -> str:
        """Return the calendar's own zone; where it is not told or unknown, the one of the configuration."""
        found = zone_named(name) if name is not None else None
        return found.key if found is not None else self.use.time_zone


def _known_apart(told: Sequence[Json], reader: Reader, known: Mapping[str, str]) -> ChangePage:
    """Read what is new or changed; the rest is told to be there still."""
    ids = [text_of(one, "id") for one in told]
    unchanged = [one for one, event in zip(ids, told, strict=True) if known.get(one) == reader.etag_of(event) != ""]
    same = set(unchanged)
    changed = [reader.single(event) for one, event in zip(ids, told, strict=True) if one not in same]
    return ChangePage(changed=tuple(changed), unchanged=tuple(unchanged), complete=True)


def _note_instance(event: Json, parts: Parts) -> None:
    """Where a bare tombstone's id is that of an instance, its series has to be looked at (ids of ours have no "_")."""
    match = _INSTANCE.fullmatch(text_of(event, "id"))
    if match is not None:
        parts.add({**event, "recurringEventId": match[1]})


def _lives(parts: Sequence[Json]) -> bool:
    return any(one.get("status") != "cancelled" for one in parts)


def stamp(moment: datetime) -> str:
    """Write an instant as Google wants it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
