"""Our entries in one Outlook calendar: made once, changed and deleted only as we last saw them, nobody invited.

An entry of ours carries its subject twice: as transactionId, which every reading tells, and as an extended property,
by which it can be looked for. Both are set when it is made and never change.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors._http import Answer
from connectors._outlook_event import PROPERTY, Json, Reader, etag_of, location_of, mark_of, ours_in, text, uid_of
from connectors._outlook_graph import UNKNOWN_MAILBOX, Graph, Place, error_of
from connectors._outlook_notes import rewritten, says
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, EventKey, Published
from syncd.errors import Ambiguous, NotFound, Permanent, Unreadable, VersionConflict
from syncd.ports import CalendarUse

AT_ONCE = timedelta(seconds=5)  # between the making of an entry and its first version
TINY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One entry as it stands in the calendar."""

    event: Json
    interval: Interval | None  # None for all-day, empty or unreadable times

    @property
    def id(self) -> str:
        return text(self.event, "id")

    @property
    def etag(self) -> str:
        return etag_of(self.event)

    @property
    def body(self) -> str:
        body = self.event.get("body")
        return text(body, "content") if isinstance(body, dict) else ""

    @property
    def untouched(self) -> bool:
        """Tell whether nobody has changed it since it was made."""
        made, changed = (_when(text(self.event, name)) for name in ("createdDateTime", "lastModifiedDateTime"))
        return made is not None and changed is not None and abs(changed - made) <= AT_ONCE

    def says(self, draft: EventDraft) -> bool:
        """Tell whether everything that is ours already stands as the draft wants it."""
        same = text(self.event, "subject").strip() == draft.title.strip()
        return same and location_of(self.event).strip() == draft.location.strip() and self._times_and_words(draft)

    def _times_and_words(self, draft: EventDraft) -> bool:
        return self.interval == draft.interval and says(self.body, draft.body)


class Writing:
    """One calendar of one account, written."""

    def __init__(self, graph: Graph, use: CalendarUse) -> None:
        self.graph, self.use = graph, use

    # ------------------------------------------------------------------------------------------- put

    def put(self, draft: EventDraft, known: Published | None) -> Published:
        return self._create(draft) if known is None else self._update(draft, known)

    def _create(self, draft: EventDraft) -> Published:
        found = self._look(draft.key)
        if found is None:
            return self._make(draft)
        return _published(draft, found) if found.says(draft) else self._write_over(draft, found, None)

    def _make(self, draft: EventDraft) -> Published:
        """Make the entry; after a failure that leaves it open, look whether it was made. Raises Ambiguous."""
        made = self._posted(draft, "")
        if made is None:  # the mark of an entry that is gone: Graph repeats its answer to it and makes nothing
            made = self._posted(draft, self.graph.env.clock.new_id()[-12:])
        if made is None:
            raise Ambiguous(f"{draft.key}: Graph says that the entry was made, and does not have it")
        return _published(draft, made) if made.says(draft) else self._write_over(draft, made, None)

    def _posted(self, draft: EventDraft, salt: str) -> Standing | None:
        """Send a new entry and return it as it stands, None where it does not although Graph says so."""
        place = self._place()
        body = _created(draft, salt)
        try:
            answer = self.graph.ask(place.mailbox, "POST", f"{place.path}/events", body=body, ok=(200, 201))
        except Ambiguous:
            found = self._look(draft.key)
            if found is None:
                raise
            return found
        return self._standing(self._read(answer).id)

    def _update(self, draft: EventDraft, known: Published) -> Published:
        found = self._standing(known.remote_id)
        if found is None:
            raise NotFound(f"{known.key}: the entry is gone")
        self._ours(found, draft.key, known.uid)
        if found.etag != known.etag:
            raise VersionConflict(f"{known.key}: the entry changed since it was read")
        return self._write_over(draft, found, known)

    def _write_over(self, draft: EventDraft, found: Standing, known: Published | None) -> Published:
        changes = _changes(draft, found, known)
        written = self._patched(found, changes)
        if written.interval != draft.interval:  # Graph was seen to read times in another zone than was written
            written = self._patched(written, _times(draft))
        if written.interval != draft.interval:
            raise Permanent(f"{draft.key}: Graph keeps another time than the one that was written")
        return _published(draft, written)

    def _patched(self, found: Standing, changes: Json) -> Standing:
        """Change fields of an entry while it is as just read; raises VersionConflict."""
        place = self._place()
        only = {"If-Match": found.etag} if found.etag else {}
        answer = self.graph.ask(
            place.mailbox, "PATCH", place.event(found.id), body=changes, headers=only, ok=(200, 204), idempotent=True
        )
        if answer.status == 200 and answer.body.strip():
            return self._read(answer)
        now = self._standing(found.id)
        if now is None:
            raise VersionConflict("the entry vanished while it was written")
        return now

    # ------------------------------------------------------------------------------------------- find

    def find(self, key: EventKey) -> Published | None:
        found = self._look(key)
        if found is None:
            return None
        now = self.graph.env.clock.now()
        return Published(
            key=key,
            uid=_uid(key),
            remote_id=found.id,
            etag=found.etag,
            content_hash="",
            # A time we cannot read is no time of ours: whatever stands here, the draft differs and is put.
            interval=found.interval or Interval(now, now + TINY),
            title=text(found.event, "subject"),
            location=location_of(found.event),
        )

    def _look(self, key: EventKey) -> Standing | None:
        """Return our entry of a subject, looked for by its property; a person's copy carries that, but no mark."""
        place = self._place()
        condition = f"ep/id eq {_quoted(PROPERTY)} and ep/value eq {_quoted(key.subject)}"
        query = {"$filter": f"singleValueExtendedProperties/Any(ep: {condition})"}
        pages = self.graph.pages(place.mailbox, f"{place.path}/events", query)
        return next((self._stands(one) for one in _all(pages) if (ours_in(one) or ("", ""))[0] == key.subject), None)

    def _standing(self, remote_id: str) -> Standing | None:
        """Read what stands under one id, None where nothing does; raises NotFound where the mailbox itself is gone."""
        place = self._place()
        try:
            return self._stands(self.graph.read(place.mailbox, place.event(remote_id)))
        except NotFound as gone:
            if _is_mailbox(gone):
                raise
            return None

    def _read(self, answer: Answer) -> Standing:
        event = answer.json()
        if not isinstance(event, dict) or not text(event, "id"):
            raise Unreadable("Graph answered without the event")
        return self._stands(event)

    def _stands(self, event: Json) -> Standing:
        if event.get("isAllDay") is True:
            return Standing(event=event, interval=None)
        anything = Interval(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
        return Standing(event=event, interval=Reader(self.use.time_zone, (), anything).interval(event))

    # ------------------------------------------------------------------------------------------- delete

    def delete(self, known: Published) -> None:
        etag = known.etag
        if not etag:  # found by nobody's reading yet: only what is seen to be ours goes
            found = self._standing(known.remote_id)
            if found is None:
                return
            self._ours(found, known.key, known.uid)
            etag = found.etag
        self._delete(known.remote_id, etag)

    def _delete(self, remote_id: str, etag: str) -> None:
        place = self._place()
        only = {"If-Match": etag} if etag else {}
        try:
            self.graph.ask(
                place.mailbox,
                "DELETE",
                place.event(remote_id),
                headers=only,
                ok=(200, 202, 204),
                idempotent=True,
            )
        except NotFound as gone:
            if _is_mailbox(gone):
                raise

    # ------------------------------------------------------------------------------------------- small

    @staticmethod
    def _ours(found: Standing, key: EventKey, uid: str) -> None:
        """Insist that an entry is ours: it bears the mark of its subject."""
        ours = ours_in(found.event)
        if ours is None or (ours[0] != key.subject and uid_of(found.event) != uid):
            raise Permanent(f"{key}: the entry under its id is not ours any more; it is left alone")

    def _place(self) -> Place:
        return self.graph.place(self.use.name)


def _all(pages: Iterator[list[Json]]) -> Iterator[Json]:
    for page in pages:
        yield from page


def _uid(key: EventKey) -> str:
    return f"{key.subject.replace(':', '-', 1)}@syncd"


def _published(draft: EventDraft, found: Standing) -> Published:
    return Published(
        key=draft.key,
        uid=draft.uid,
        remote_id=found.id,
        etag=found.etag,
        content_hash=draft.content_hash,
        interval=draft.interval,
        title=draft.title,
        location=draft.location,
    )


def _created(draft: EventDraft, salt: str) -> Json:
    """Return a new event: no attendees, so that no mail is sent; its time blocks."""
    return {
        **_words(draft),
        **_times(draft),
        "body": _body(draft.body),
        "showAs": "busy",
        "responseRequested": False,
        "transactionId": mark_of(draft.key.subject, draft.generation, salt),
        "singleValueExtendedProperties": [{"id": PROPERTY, "value": draft.key.subject}],
    }


def _changes(draft: EventDraft, found: Standing, known: Published | None) -> Json:
    """Return our fields as the draft wants them; reminder, categories and the agent's own notes are not ours."""
    changes: dict[str, Any] = {**_words(draft), **_times(draft), "showAs": "busy"}
    if found.event.get("isAllDay") is True:
        changes["isAllDay"] = False
    if found.event.get("isOnlineMeeting") is not True:  # the way into the meeting stands in its body
        body = rewritten(found.body, draft, known, untouched=found.untouched)
        if body is not None:
            changes["body"] = _body(body)
    return changes


def _words(draft: EventDraft) -> Json:
    return {"subject": draft.title, "location": {"displayName": draft.location}}


def _times(draft: EventDraft) -> Json:
    """Return start and end in UTC: the one form that Graph and an hour that comes twice cannot bend."""
    return {name: _time(moment) for name, moment in (("start", draft.interval.start), ("end", draft.interval.end))}


def _time(moment: datetime) -> Json:
    return {"dateTime": moment.astimezone(UTC).replace(tzinfo=None).isoformat(), "timeZone": "UTC"}


def _body(words: str) -> Json:
    return {"contentType": "text", "content": words}


def _quoted(words: str) -> str:
    return "'" + words.replace("'", "''") + "'"


def _is_mailbox(gone: NotFound) -> bool:
    """Tell whether it is the whole mailbox that Graph does not know."""
    return gone.answer is not None and error_of(gone.answer)[0].lower() in UNKNOWN_MAILBOX


def _when(written: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
