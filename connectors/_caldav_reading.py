"""What changed in one CalDAV calendar: by sync token where the server keeps one, else by its list of etags.

A dead token has many spellings (facts: 403, 412, 507, a full list, an empty echo); all of them end in CursorExpired,
and the caller then lists completely. Bodies are fetched a hundred at a time, and only of what is not known.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors import _caldav_xml as xml
from connectors._caldav_account import LONGEST_TOKEN, Account, Collection, mark_of
from connectors._caldav_href import member
from connectors._http import TooLong
from connectors._ical import read_resource
from syncd.core.interval import Interval
from syncd.errors import AuthFailed, ConnectorError, CursorExpired, Forbidden, NotFound, Permanent, Unreadable
from syncd.ports import CalendarUse, ChangePage, Resource

BATCH = 120  # entries in one multiget; a server was seen refusing ten thousand
PAGES = 1000
GONE = frozenset((404, 410, 418))  # 418: old Nextcloud, Infomaniak
CUT = 507


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Our place in a calendar's changes.

    `size` is how many entries it holds at least: a delta that names half of them and removes none may be the full list
    that some servers send for a token they forgot, without the deletions in between.
    """

    token: str = ""
    ctag: str = ""
    size: int = 0

    def text(self) -> str:
        return json.dumps({"token": self.token, "ctag": self.ctag, "size": self.size})

    @classmethod
    def read(cls, text: str) -> "Cursor":
        """Read a cursor back; raises CursorExpired for what is none of ours."""
        try:
            found = json.loads(text)
            return cls(token=str(found["token"]), ctag=str(found["ctag"]), size=int(found["size"]))
        except (ValueError, TypeError, LookupError):
            raise CursorExpired("the cursor is not one of a CalDAV calendar") from None


@dataclass(slots=True, kw_only=True)
class _Delta:
    """What the pages of a sync-collection said together."""

    token: str
    changed: dict[str, str]  # path -> etag, "" where it was not told
    removed: set[str]


class Reading:
    """One calendar of one account, read."""

    def __init__(self, account: Account, use: CalendarUse) -> None:
        self.account, self.use = account, use

    def changes(self, cursor: str | None, window: Interval, known: Mapping[str, str] | None) -> Iterator[ChangePage]:
        try:
            path = self.account.place(self.use.name)
            if cursor is None:
                yield from self._listing(path, window, known or {})
            else:
                yield from self._since(path, Cursor.read(cursor), window)
        except NotFound:
            self.account.forget(self.use.name)
            raise

    # ------------------------------------------------------------------------------------------- complete

    def _listing(self, path: str, window: Interval, known: Mapping[str, str]) -> Iterator[ChangePage]:
        """List everything. The token is asked first, so that what changes meanwhile is told again next time."""
        about = self.account.collection(path)
        members = self.members(path)
        unchanged = tuple(one for one, etag in members.items() if etag and known.get(one) == etag)
        wanted = {one: etag for one, etag in members.items() if not etag or known.get(one) != etag}
        yield ChangePage(unchanged=unchanged, complete=True)
        for found, _gone in self.bodies(path, wanted, window):
            yield ChangePage(changed=tuple(found), complete=True)
        yield ChangePage(complete=True, cursor=_cursor_of(about, len(members)), mark=about.mark)

    def members(self, path: str) -> dict[str, str]:
        """Return path -> etag of every entry; Unreadable: the list is cut, or lacks the calendar."""
        rows = xml.multistatus(self.account.propfind(path, xml.propfind(xml.ETAG, xml.KIND), 1)).rows
        if any(row.status == CUT for row in rows):
            raise Unreadable("the server cuts the list of entries short")
        paths = [(self._member(row, path), row) for row in rows]
        if all(one is not None for one, _ in paths):
            raise Unreadable("a list of entries without the calendar itself (H110)")
        return {one: etag_of(row) for one, row in paths if one is not None and row.status not in GONE}

    # ------------------------------------------------------------------------------------------- since a cursor

    def _since(self, path: str, cursor: Cursor, window: Interval) -> Iterator[ChangePage]:
        if not cursor.token:
            yield self._unchanged(path, cursor)
            return
        delta = self._delta(path, cursor)
        if not delta.changed and not delta.removed:
            self._confirm(path, delta.token)
        elif not delta.removed and 2 * len(delta.changed) >= cursor.size:
            raise CursorExpired("so much changed that this may be a full list for a forgotten token")
        gone: set[str] = set()
        for found, lost in self.bodies(path, delta.changed, window):
            gone.update(lost)
            yield ChangePage(changed=tuple(found))
        removed = delta.removed | gone
        size = max(len(delta.changed) - len(gone), cursor.size - len(removed), 0)
        yield ChangePage(removed=tuple(sorted(removed)), cursor=_next(delta.token, size), mark=mark_of(delta.token))

    def _unchanged(self, path: str, cursor: Cursor) -> ChangePage:
        """Where a server keeps no tokens, an equal ctag says that nothing changed; anything else asks for the list."""
        if self.account.collection(path).ctag != cursor.ctag:
            raise CursorExpired("the calendar changed, and its server does not tell what")
        return ChangePage(cursor=cursor.text(), mark=mark_of(cursor.ctag))

    def _delta(self, path: str, cursor: Cursor) -> _Delta:
        """Ask page after page until the server says that this was all."""
        delta = _Delta(token=cursor.token, changed={}, removed=set())
        seen = {cursor.token}
        for page in range(PAGES):
            found = self._page(path, delta.token)
            cut = self._gather(path, found, delta)
            delta.token = found.token or ""
            if not delta.token:
                raise Unreadable("an answer to sync-collection without a token")
            if not cut:
                return delta
            if delta.token in seen:
                raise Unreadable(f"the pages go round in a circle after {page + 1}")
            seen.add(delta.token)
        raise Unreadable(f"no end after {PAGES} pages")

    def _page(self, path: str, token: str) -> xml.Multistatus:
        try:
            return self.account.report(path, xml.sync_collection(token), 0)
        except (AuthFailed, Unreadable):
            raise
        except ConnectorError as refused:
            status = refused.answer.status if refused.answer is not None else 0
            if status in (0, 408, 423, 425, 429) or 502 <= status <= 504:
                raise
            raise CursorExpired(f"the server does not know our place any more ({status})") from refused

    def _gather(self, path: str, page: xml.Multistatus, delta: _Delta) -> bool:
        """Note the rows of one page; tell whether it was cut, so that more follows."""
        cut = False
        for row in page.rows:
            if row.status == CUT:
                cut = True
                continue
            one = self._member(row, path)
            if one is None:
                continue
            if row.status in GONE:
                delta.changed.pop(one, None)
                delta.removed.add(one)
            else:
                delta.removed.discard(one)
                delta.changed[one] = etag_of(row)
        return cut

    def _confirm(self, path: str, token: str) -> None:
        """Doubt an empty answer: after a restore, servers echo a token that they never gave (facts, 1)."""
        now = self.account.collection(path).token
        if now is not None and now != token:
            raise CursorExpired("the server says that nothing changed, and names another token")

    # ------------------------------------------------------------------------------------------- bodies

    def bodies(
        self, path: str, wanted: Mapping[str, str], window: Interval
    ) -> Iterator[tuple[list[Resource], list[str]]]:
        """Yield, batch by batch, the entries read and the paths that are gone meanwhile."""
        paths = list(wanted)
        for start in range(0, len(paths), BATCH):
            yield self._batch(path, {one: wanted[one] for one in paths[start : start + BATCH]}, window)

    def _batch(self, path: str, wanted: Mapping[str, str], window: Interval) -> tuple[list[Resource], list[str]]:
        texts = self.texts(path, list(wanted))
        found, gone = [], []
        for one, etag in wanted.items():
            text = texts.get(one)
            resource = self._single(one, window) if text is None else self._read(one, text, etag, window)
            if resource is None:
                gone.append(one)
            else:
                found.append(resource)
        return found, gone

    def texts(self, path: str, paths: Sequence[str]) -> dict[str, tuple[str, str]]:
        """Return path -> (etag, text) as far as multiget tells; what it leaves out is asked one by one."""
        try:
            rows = self.account.report(path, xml.multiget(paths), 1).rows
        except TooLong:
            if len(paths) == 1:
                return {}
            half = len(paths) // 2
            return self.texts(path, paths[:half]) | self.texts(path, paths[half:])
        except (Forbidden, NotFound):
            raise
        except Permanent:
            return {}  # no multiget here
        told = [(self._member(row, path), row) for row in rows]
        return {
            one: (etag_of(row), row.texts[xml.DATA])
            for one, row in told
            if one is not None and row.status in (None, 200) and row.texts.get(xml.DATA, "").strip()
        }

    def _read(self, one: str, text: tuple[str, str], etag: str, window: Interval) -> Resource:
        """Read one body out of many; one that is no iCalendar is that entry's problem, not the others'."""
        try:
            return read_resource(text[1].encode(), remote_id=one, etag=text[0] or etag, window=window, use=self.use)
        except Unreadable as error:
            return Resource(remote_id=one, uid="", etag=text[0] or etag, problem=str(error))

    def _single(self, one: str, window: Interval) -> Resource | None:
        """Fetch one entry by itself; None where it is gone."""
        try:
            answer = self.account.entry(one)
        except NotFound:
            return None
        except Forbidden:
            return Resource(remote_id=one, uid="", etag="", problem="the account may not read this entry")
        except TooLong:
            return Resource(remote_id=one, uid="", etag="", problem="the entry is too large")
        etag = quoted(answer.headers.get("ETag", ""))
        return read_resource(answer.body, remote_id=one, etag=etag, window=window, use=self.use)

    def _member(self, row: xml.Row, path: str) -> str | None:
        return member(row.href, self.account.http.reach, path)


def etag_of(row: xml.Row) -> str:
    return quoted(row.texts.get(xml.ETAG, ""))


def quoted(etag: str) -> str:
    """Return an etag as If-Match wants it: some servers leave the quotes out of XML."""
    etag = etag.strip()
    return etag if not etag or etag.endswith('"') else f'"{etag}"'


def _cursor_of(about: Collection, size: int) -> str | None:
    """Return where to go on after a complete listing; None where only another listing can tell what changed."""
    if about.syncs and about.token is not None:
        return Cursor(token=about.token, size=size).text()
    return Cursor(ctag=about.ctag, size=size).text() if about.ctag is not None else None


def _next(token: str, size: int) -> str | None:
    return Cursor(token=token, size=size).text() if len(token) <= LONGEST_TOKEN else None
