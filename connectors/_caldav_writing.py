"""Our entries in one CalDAV calendar: made at an address of our own, changed and deleted only as we last saw them.

Nothing is written over or deleted that is not ours (P4) or that somebody changed meanwhile (If-Match).
"""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from connectors import _caldav_xml as xml
from connectors._caldav_account import Account
from connectors._caldav_entry import Entry, created
from connectors._caldav_href import member
from connectors._caldav_reading import BATCH, Reading, etag_of, quoted
from connectors._http import Answer
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, EventKey, Presence, Published
from syncd.errors import (
    AuthFailed,
    ConnectorError,
    NotFound,
    Permanent,
    Transient,
    Unreadable,
    VersionConflict,
)

TEXT = {"Content-Type": "text/calendar; charset=utf-8"}


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What stands at one address now."""

    path: str
    etag: str
    text: bytes

    @cached_property
    def entry(self) -> Entry:
        return Entry(self.text)


class Writing:
    """One calendar of one account, written."""

    def __init__(self, account: Account, reading: Reading) -> None:
        self.account, self.reading = account, reading

    # ------------------------------------------------------------------------------------------- put

    def put(self, draft: EventDraft, known: Published | None) -> Published:
        put = self._create(draft) if known is None else self._update(draft, known)
        return replace(put, content_hash=draft.content_hash)  # of what was wanted; the UID may be another

    def _create(self, draft: EventDraft) -> Published:
        path = self._own_path(draft.key)
        text = created(draft, self._now())
        try:
            answer = self._send_text(path, text, {"If-None-Match": "*"})
        except (VersionConflict, Permanent) as refused:
            return self._meet(draft, refused)
        return self._published(draft, path, self._etag_after(path, answer))

    def _meet(self, draft: EventDraft, refused: ConnectorError) -> Published:
        """Find out why a new entry was refused: it stands there already, or another one has its UID."""
        status = refused.answer.status if refused.answer is not None else 0
        named = xml.conditions(refused.answer) & xml.UID_CONFLICTS
        if status not in (400, 409, 412) and not named:
            raise refused
        found = self._look(draft.key, draft.uid)
        if found is None and named and not _is_local(draft.uid, draft.key) and not self._is_taken(draft.uid):
            return self._create(replace(draft, uid=_local_uid(draft.uid, draft.key)))
        if found is None and isinstance(refused, VersionConflict):
            raise VersionConflict(f"{draft.key}: an entry of somebody else is in the way") from refused
        if found is None:
            raise refused
        kept = replace(draft, uid=found.entry.uid or draft.uid)
        if found.entry.says(kept):
            return self._published(kept, found.path, found.etag)
        return self._write_over(draft, found)

    def _is_taken(self, uid: str) -> bool:
        """Tell whether somebody's entry in this very calendar has a UID; else another calendar of the login has it."""
        return any(one.entry.uid == uid for one in self._candidates(uid))

    def _update(self, draft: EventDraft, known: Published) -> Published:
        found = self._standing(known.remote_id)
        if found is None:
            raise NotFound(f"{known.key}: the entry is gone")
        if not found.entry.is_of(draft.key.subject, known.uid):
            raise Permanent(f"{known.key}: the entry at its address is not ours any more; it is left alone")
        if found.etag != known.etag and not _as_put(found.entry, known):
            raise VersionConflict(f"{known.key}: the entry changed since it was read")
        return self._write_over(draft, found)

    def _write_over(self, draft: EventDraft, found: Standing) -> Published:
        """Write a draft over what stands there, under the UID it has: that may never change (RFC 4791, 5.3.2.1)."""
        draft = replace(draft, uid=found.entry.uid or draft.uid)
        text = found.entry.rewritten(draft, self._now())
        answer = self._only_as(found, lambda only: self._send_text(found.path, text, only))
        return self._published(draft, found.path, self._etag_after(found.path, answer))

    def _only_as(self, found: Standing, send: Callable[[dict[str, str]], Answer]) -> Answer:
        """Change an entry only while it is as just read: by its etag, or by its text where etags never repeat (F58)."""
        try:
            return send(_only_if(found.etag))
        except VersionConflict:
            now = self._standing(found.path)
            if now is None or now.text != found.text or now.etag == found.etag:
                raise
        return send({})

    def _send_text(self, path: str, text: bytes, headers: dict[str, str]) -> Answer:
        with self.account.turn(path):
            return self.account.http.send("PUT", path, headers={**TEXT, **headers}, body=text, ok=(200, 201, 204))

    @staticmethod
    def _published(draft: EventDraft, path: str, etag: str) -> Published:
        return Published(
            key=draft.key,
            uid=draft.uid,
            remote_id=path,
            etag=etag,
            content_hash=draft.content_hash,
            interval=draft.interval,
            title=draft.title,
            location=draft.location,
        )

    def _etag_after(self, path: str, answer: Answer) -> str:
        """Return the etag of what was put; read where the server does not tell it, or only a weak one."""
        etag = quoted(answer.headers.get("ETag", ""))
        if etag and not etag.startswith("W/"):
            return etag
        try:
            rows = xml.multistatus(self.account.propfind(path, xml.propfind(xml.ETAG), 0)).rows
        except ConnectorError:
            return ""  # it was put; the next reading tells the etag
        return etag_of(rows[0]) if rows else ""

    # ------------------------------------------------------------------------------------------- find

    def find(self, key: EventKey, uid: str) -> Published | None:
        found = self._look(key, uid)
        if found is None:
            return None
        now = self._now()
        return Published(
            key=key,
            uid=found.entry.uid or uid,
            remote_id=found.path,
            etag=found.etag,
            content_hash="",
            # A time we cannot read is no time of ours: whatever stands here, the draft differs and is put.
            interval=found.entry.interval or Interval(now, now + timedelta(minutes=1)),
            title=found.entry.title,
            location=found.entry.location,
        )

    def _look(self, key: EventKey, uid: str) -> Standing | None:
        """Return our entry of a subject: at our own address, else by its UID, else by looking through everything."""
        own = self._standing(self._own_path(key))
        if own is not None and any(own.entry.is_of(key.subject, one) for one in (uid, _local_uid(uid, key))):
            return own
        # Elsewhere only the UID counts: a copy that a person made carries our mark too, and is hers (F57).
        same = (one for one in self._candidates(uid) if one.entry.uid == uid)
        return next((one for one in same if one.entry.is_of(key.subject, uid)), None)

    def _candidates(self, uid: str) -> Iterator[Standing]:
        path = self._path()
        try:
            if self.account.library.trusts_uid_search():
                yield from self._standings(self.account.report(path, xml.uid_query(uid), 1), path)
                return
        except (AuthFailed, Transient, Unreadable):
            raise
        except ConnectorError:
            pass  # no such search here
        yield from self._all(path)

    def _all(self, path: str) -> Iterator[Standing]:
        """Look through every entry: for the one hard case at a server that cannot search."""
        paths = list(self.reading.members(path))
        for start in range(0, len(paths), BATCH):
            batch = paths[start : start + BATCH]
            texts = self.reading.texts(path, batch)
            yield from (Standing(path=one, etag=etag, text=text.encode()) for one, (etag, text) in texts.items())
            yield from (found for one in batch if one not in texts and (found := self._standing(one)) is not None)

    def _standings(self, answer: xml.Multistatus, path: str) -> Iterator[Standing]:
        for row in answer.rows:
            one = member(row.href, self.account.http.reach, path)
            text = row.texts.get(xml.DATA, "")
            if one is not None and text.strip():
                yield Standing(path=one, etag=etag_of(row), text=text.encode())

    def _standing(self, path: str) -> Standing | None:
        """Read what stands at one address, None where nothing does."""
        try:
            answer = self.account.entry(path)
        except NotFound:
            return None
        if not answer.body.lstrip(b"\xef\xbb\xbf \r\n")[:15].upper() == b"BEGIN:VCALENDAR":
            raise Unreadable("the entry is no iCalendar text")
        return Standing(path=path, etag=quoted(answer.headers.get("ETag", "")), text=answer.body)

    # ------------------------------------------------------------------------------------------- delete

    def delete(self, known: Published) -> None:
        if not _is_strong(known.etag):
            self._delete_seen(known)
            return
        with suppress(NotFound):  # already gone is what was wanted
            try:
                self._send_delete(known.remote_id, _only_if(known.etag))
            except VersionConflict:
                self._delete_seen(known)

    def _delete_seen(self, known: Published) -> None:
        """Look first; delete if it is ours and still says what we put."""
        found = self._standing(known.remote_id)
        if found is None:
            return
        if not found.entry.is_of(known.key.subject, known.uid):
            raise Permanent(f"{known.key}: the entry at its address is not ours; it is left alone")
        if not _as_put(found.entry, known):
            raise VersionConflict(f"{known.key}: the entry changed since it was read")
        with suppress(NotFound):
            self._only_as(found, lambda only: self._send_delete(found.path, only))

    def _send_delete(self, path: str, headers: dict[str, str]) -> Answer:
        with self.account.turn(path):
            return self.account.http.send("DELETE", path, headers=headers, ok=(200, 202, 204))

    # ------------------------------------------------------------------------------------------- small

    def _own_path(self, key: EventKey) -> str:
        """Return the address of our entry: the same for the same subject, and guessed by nobody.

        So a repeated create meets itself, and a server that ignores If-None-Match overwrites nobody else's entry.
        """
        secret = self.account.env.secret("caldav-href")
        name = hashlib.blake2b(str(key).encode(), key=secret[:64], digest_size=16).hexdigest()
        return f"{self._path()}{name}.ics"

    def _path(self) -> str:
        return self.account.place(self.reading.use.name)

    def _now(self) -> datetime:
        return self.account.env.clock.now()


def _local_uid(uid: str, key: EventKey) -> str:
    """Return the UID of an entry where servers want it once in all calendars of a login (Cyrus, Fastmail).

    A visit that two agents of one login attend, or that changes hands between them, stands in two calendars.
    """
    name, _, host = uid.partition("@")
    return f"{name}.{_local_mark(key)}@{host}"


def _is_local(uid: str, key: EventKey) -> bool:
    return uid.partition("@")[0].endswith(f".{_local_mark(key)}")


def _local_mark(key: EventKey) -> str:
    return hashlib.blake2b(str(key).encode(), digest_size=6).hexdigest()


def _as_put(entry: Entry, known: Published) -> bool:
    """Tell whether an entry says what we put or last saw, whatever its etag: some servers never repeat one (F58)."""
    if known.adopted or known.presence is Presence.CHANGED:
        return entry.interval == (known.seen_interval or known.interval)
    if known.content_hash == "":
        return False
    same_text = (entry.title.split(), entry.location.split()) == (known.title.split(), known.location.split())
    return same_text and entry.interval == known.interval


def _is_strong(etag: str) -> bool:
    return bool(etag) and not etag.startswith("W/")


def _only_if(etag: str) -> dict[str, str]:
    """Return the precondition; none for an etag that can never match (RFC 9110, 13.1.1): what was just read counts."""
    return {"If-Match": etag} if _is_strong(etag) else {}
