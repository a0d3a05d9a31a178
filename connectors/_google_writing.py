"""Our entries in one Google calendar: made under ids of our own, changed and deleted only as we last saw them.

Nothing is written over or deleted that is not ours (P4) or that somebody changed meanwhile (If-Match). Only our own
fields are sent, so that notes, colours, reminders and guests stay the agent's. One write at a time in each calendar.
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, timedelta
from typing import Any

from connectors import _google_notes as notes
from connectors._google_account import Json, Person
from connectors._google_event import (
    GENERATION,
    MIRROR,
    NOTE,
    OWN_ID,
    SUBJECT,
    UID,
    extent_of,
    is_of,
    private_of,
    text_of,
    uid_of,
)
from connectors._google_reading import stamp
from connectors._zones import Zones
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, EventKey, Presence, Published
from syncd.errors import NotFound, Permanent, Transient, Unreadable, VersionConflict
from syncd.ports import CalendarUse

SALTS = 8  # ids of one subject that are tried one after the other: each deletion burns one
WAIT = 25.0  # seconds for another write to the same calendar


class Writing:
    """One calendar, written as one person."""

    def __init__(self, person: Person, use: CalendarUse) -> None:
        self.person, self.use = person, use

    # ------------------------------------------------------------------------------------------- put

    def put(self, draft: EventDraft, known: Published | None) -> Published:
        with self._alone():
            return self._create(draft) if known is None else self._update(draft, known)

    def _create(self, draft: EventDraft) -> Published:
        """Insert under an id of our own; an id is burnt for ever once its entry was deleted, and the next is taken."""
        for salt in range(SALTS):
            own_id = self._own_id(draft.key, str(salt))
            try:
                return self._published(draft, self._insert(draft, own_id))
            except VersionConflict as taken:  # 409
                stands = self._standing(own_id)
                if stands is None:
                    continue
                if not is_of(stands, draft.key.subject, draft.uid):
                    raise VersionConflict(f"{draft.key}: an entry of somebody else is in the way") from taken
                return self._meet(draft, stands)
        return self._create_afresh(draft)

    def _create_afresh(self, draft: EventDraft) -> Published:
        """Where an entry was deleted many times, look for it by its mark, else take an id that never was."""
        stands = self._found(draft.key, draft.uid)
        if stands is not None:
            return self._meet(draft, stands)
        fresh = self._own_id(draft.key, self.person.env.clock.new_id())
        return self._published(draft, self._insert(draft, fresh))

    def _meet(self, draft: EventDraft, stands: Json) -> Published:
        """Take an entry of ours that stands there already for the one just made."""
        return self._published(draft, stands) if _says(stands, draft) else self._write_over(draft, stands)

    def _insert(self, draft: EventDraft, own_id: str) -> Json:
        body = {"id": own_id, **_body(draft, own_id), "description": draft.body, "eventType": "default"}
        return self.person.ask(self._events().insert(calendarId=self.use.name, body=body, **self._quiet()))

    def _update(self, draft: EventDraft, known: Published) -> Published:
        found = self._standing(known.remote_id)
        if found is None:
            raise NotFound(f"{known.key}: the entry is gone")
        if not is_of(found, draft.key.subject, known.uid):
            raise Permanent(f"{known.key}: the entry under its id is not ours any more; it is left alone")
        if text_of(found, "etag") != known.etag and not _as_put(found, known):
            raise VersionConflict(f"{known.key}: the entry changed since it was read")
        return self._write_over(draft, found)

    def _write_over(self, draft: EventDraft, found: Json) -> Published:
        """Change only what is ours, and only while the entry is as just read."""
        body = _body(draft, text_of(found, "id"))
        body["description"] = notes.merged(text_of(found, "description"), private_of(found).get(NOTE, ""), draft.body)
        for name in ("start", "end"):
            if "date" in (found.get(name) or {}):
                body[name]["date"] = None  # an agent made it a whole day; null takes a field away
        if found.get("recurrence"):
            body["recurrence"] = []
        question = self._events().patch(
            calendarId=self.use.name, eventId=text_of(found, "id"), body=body, **self._quiet()
        )
        return self._published(draft, self.person.ask(question, only_if=text_of(found, "etag")))

    @staticmethod
    def _published(draft: EventDraft, answer: Json) -> Published:
        """Return what was put; raises Permanent where Google keeps another time than the one sent."""
        if interval_of(answer) != draft.interval:
            raise Permanent(f"{draft.key}: Google stored another time than the one it was sent")
        return Published(
            key=draft.key,
            uid=draft.uid,
            remote_id=text_of(answer, "id"),
            etag=text_of(answer, "etag"),
            content_hash=draft.content_hash,
            interval=draft.interval,
            title=draft.title,
            location=draft.location,
        )

    # ------------------------------------------------------------------------------------------- find

    def find(self, key: EventKey, uid: str) -> Published | None:
        found = self._look(key, uid)
        if found is None:
            return None
        now = self.person.env.clock.now()
        return Published(
            key=key,
            uid=uid_of(found) or uid,
            remote_id=text_of(found, "id"),
            etag=text_of(found, "etag"),
            content_hash="",
            # A time we cannot read is no time of ours: whatever stands here, the draft differs and is put.
            interval=interval_of(found) or Interval(now, now + timedelta(minutes=1)),
            title=text_of(found, "summary"),
            location=text_of(found, "location"),
        )

    def _look(self, key: EventKey, uid: str) -> Json | None:
        """Return our entry of a subject: under our first id, else by our mark (a later id, or another secret's)."""
        own = self._standing(self._own_id(key, "0"))
        return own if own is not None and is_of(own, key.subject, uid) else self._found(key, uid)

    def _found(self, key: EventKey, uid: str) -> Json | None:
        return next((one for one in self._marked(key) if is_of(one, key.subject, uid)), None)

    def _marked(self, key: EventKey) -> Iterator[Json]:
        place: Mapping[str, str] = {}
        for _ in range(20):
            question = self._events().list(
                calendarId=self.use.name,
                privateExtendedProperty=f"{SUBJECT}={key.subject}",
                quotaUser=self.person.quota_user,
                **place,
            )
            told = self.person.ask(question)
            items = told.get("items", [])
            if told.get("kind") != "calendar#events" or not isinstance(items, list):
                raise Unreadable("Google answered with something that is not a page of entries")
            yield from (one for one in items if isinstance(one, dict) and one.get("status") != "cancelled")
            if not text_of(told, "nextPageToken"):
                return
            place = {"pageToken": text_of(told, "nextPageToken")}
        raise Unreadable("no end of the entries with one mark")

    def _standing(self, event_id: str) -> Json | None:
        """Read one entry, None where it is gone: Google still shows what was deleted, as cancelled."""
        question = self._events().get(calendarId=self.use.name, eventId=event_id, quotaUser=self.person.quota_user)
        try:
            found = self.person.ask(question)
        except NotFound:
            return None
        if found.get("kind", "calendar#event") != "calendar#event" or text_of(found, "id") != event_id:
            raise Unreadable("Google answered with something that is not the entry asked for")
        return None if found.get("status") == "cancelled" else found

    # ------------------------------------------------------------------------------------------- delete

    def delete(self, known: Published) -> None:
        with self._alone(), suppress(NotFound):  # 404 and 410: already gone is what was wanted
            try:
                self._delete(known.remote_id, known.etag)
            except VersionConflict:
                self._delete_seen(known)

    def _delete_seen(self, known: Published) -> None:
        """Look at an entry whose etag differs: one that still says what we put is deleted as it is now."""
        found = self._standing(known.remote_id)
        if found is None:
            return
        if not known.adopted and not is_of(found, known.key.subject, known.uid):
            raise Permanent(f"{known.key}: the entry under its id is not ours; it is left alone")
        if not _as_put(found, known):
            raise VersionConflict(f"{known.key}: the entry changed since it was read")
        self._delete(known.remote_id, text_of(found, "etag"))

    def _delete(self, event_id: str, etag: str) -> None:
        question = self._events().delete(calendarId=self.use.name, eventId=event_id, **self._quiet())
        self.person.ask(question, only_if=etag)

    # ------------------------------------------------------------------------------------------- small

    def _events(self) -> Any:
        return self.person.service.events()

    def _quiet(self) -> dict[str, str]:
        return {"sendUpdates": self.person.settings.send_updates, "quotaUser": self.person.quota_user}

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Be the only one who writes to this calendar."""
        line = self.person.line(self.use.name)
        if not line.acquire(timeout=WAIT):
            raise Transient(f"another write to {self.use.name!r} takes its time")
        try:
            yield
        finally:
            line.release()

    def _own_id(self, key: EventKey, salt: str) -> str:
        """Return an id of our entry (a-v, 0-9): the same for the same subject, and guessed by nobody.

        So a repeated create meets itself (409) instead of making a second entry.
        """
        secret = self.person.env.secret("google-id")
        digest = hashlib.blake2b(f"{key}#{salt}".encode(), key=secret[:64], digest_size=16).digest()
        return "v" + base64.b32hexencode(digest).decode().rstrip("=").lower()


def _body(draft: EventDraft, own_id: str) -> dict[str, Any]:
    """Return everything that is ours in an entry, but for the description."""
    marks = {
        SUBJECT: draft.key.subject,
        UID: draft.uid,
        GENERATION: draft.generation,
        OWN_ID: own_id,
        NOTE: notes.mark_of(draft.body),
        **({MIRROR: "1"} if draft.mirror else {}),
    }
    start, end = draft.interval.start, draft.interval.end
    return {
        "summary": draft.title,
        "location": draft.location,
        "start": {"dateTime": stamp(start.astimezone(UTC)), "timeZone": draft.time_zone},
        "end": {"dateTime": stamp(end.astimezone(UTC)), "timeZone": draft.time_zone},
        "status": "confirmed",
        "transparency": "opaque",
        "extendedProperties": {"private": marks},
    }


def interval_of(event: Json) -> Interval | None:
    """Return the time of a plain entry; None for days, series and unreadable times."""
    if event.get("recurrence"):
        return None
    try:
        start, span = extent_of(event, Zones("UTC"))
    except (ValueError, OverflowError):
        return None
    end = span.end(start.local, start.zone, start.instant)
    return Interval(start.instant, end) if not start.is_day and start.instant < end else None


def _says(event: Json, draft: EventDraft) -> bool:
    """Tell whether everything that is ours already stands as the draft wants it."""
    same = (text_of(event, "summary"), text_of(event, "location")) == (draft.title, draft.location)
    held = notes.says(text_of(event, "description"), draft.body)
    return (
        same and held and interval_of(event) == draft.interval and private_of(event).get(GENERATION) == draft.generation
    )


def _as_put(event: Json, known: Published) -> bool:
    """Tell whether an entry says what we put or last saw, whatever its etag: a colour changes that too."""
    found = interval_of(event)
    if known.adopted or known.presence is Presence.CHANGED:
        return found == (known.seen_interval or known.interval)
    if known.content_hash == "":
        return False
    texts = (text_of(event, "summary").split(), text_of(event, "location").split())
    return texts == (known.title.split(), known.location.split()) and found == known.interval
