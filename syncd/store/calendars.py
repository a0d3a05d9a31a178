"""What calendars look like: busy blocks, our published entries, cursors, suspicion."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from syncd.core.busy import BusyBlock
from syncd.core.ids import AgentId, CalendarId
from syncd.core.interval import Interval
from syncd.core.publish import EventKey, Presence, Published
from syncd.store import rows
from syncd.store.busy import BusyTime
from syncd.store.engine import Db, chunks, first
from syncd.store.entries import Entries
from syncd.store.records import CalendarState, Entry, Glance

__all__ = ["CalendarState", "Calendars", "Entry", "Glance"]


class Calendars:
    """The calendars of one transaction."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self._busy = BusyTime(db)
        self._entries = Entries(db, self._busy)

    def state(self, calendar: CalendarId) -> CalendarState:
        """Return the state; a calendar never read has one with every field empty."""
        found = first(self._db.rows("calendar_get", name=calendar))
        return rows.calendar_of(found) if found is not None else CalendarState(calendar=calendar)

    def states(self) -> list[CalendarState]:
        """List the calendars that were ever spoken of, by name."""
        return [rows.calendar_of(row) for row in self._db.rows("calendar_all")]

    def save_state(self, state: CalendarState) -> None:
        self._db.run("calendar_save", **rows.calendar_values(state))

    def fresh(self, calendars: Iterable[CalendarId], at: datetime) -> None:
        """Note a quiet, successful check of these calendars: read_at = at, error cleared."""
        for some in chunks(calendars):
            self._db.many("calendar_add", [{"name": one} for one in some])
            self._db.run("calendar_fresh", calendars=some, at=rows.seconds(at))

    # strangers' entries

    def etags(self, calendar: CalendarId) -> dict[str, str]:
        """Return remote id -> etag of every remembered entry, strangers' and ours, that is not known to be gone."""
        found = dict(self._db.tuples("entry_etags", calendar=calendar))
        ours = self.published_in(calendar)
        return found | {one.remote_id: one.etag for one in ours if one.presence is not Presence.GONE}

    def entries(self, calendar: CalendarId, remote_ids: Sequence[str]) -> dict[str, Entry]:
        """Return those of these entries that are remembered, by remote id."""
        return self._entries.find(calendar, remote_ids)

    def put_entries(self, calendar: CalendarId, entries: Iterable[Entry]) -> bool:
        """Insert or replace entries and their blocks; tell whether any busy time changed."""
        return self._entries.put(calendar, entries)

    def drop_entries(self, calendar: CalendarId, remote_ids: Iterable[str]) -> bool:
        """Forget entries and their blocks; tell whether any busy time changed."""
        return self._entries.drop(calendar, remote_ids)

    def find_by_uid(self, calendar: CalendarId, uid: str) -> Entry | None:
        return self._entries.find_by_uid(calendar, uid)

    def blocks(self, calendars: Sequence[CalendarId], window: Interval) -> list[BusyBlock]:
        """List the blocks that overlap the window, ordered by start."""
        start, end = rows.span(window)
        found = self._db.rows("blocks_between", calendars=calendars, start_at=start, end_at=end)
        return [rows.block_of(row, CalendarId(row["name"]), row["remote_id"], row["uid"]) for row in found]

    def spans(
        self, calendars: Sequence[CalendarId], window: tuple[int, int], *, all_day: bool = True
    ) -> dict[CalendarId, list[tuple[int, int]]]:
        """Return the time that blocks take as epoch seconds for the slot arithmetic: the hot path, no objects made.

        Blocks that overlap or touch may be one span; `all_day=False` leaves those out. Every calendar asked for has
        its list, ordered by start.
        """
        return self._busy.spans(calendars, window, all_day=all_day)

    def revision(self, calendars: Sequence[CalendarId]) -> tuple[int, ...]:
        """Return numbers that change whenever the blocks of these calendars do (for cached masks)."""
        found: dict[str, int] = dict(self._db.tuples("calendar_revisions", calendars=calendars))
        return tuple(found.get(one, 0) for one in calendars)

    def glances(self, calendars: Sequence[CalendarId]) -> dict[CalendarId, Glance]:
        """Return for each of these calendars, in one question, what decides whether its busy time is known."""
        found = {
            name: Glance(revision, rows.maybe_moment(read_at), attention)
            for name, revision, read_at, attention in self._db.tuples("calendar_glances", calendars=calendars)
        }
        return {one: found.get(one) or Glance(0, None, "") for one in calendars}

    def pulse(self, calendars: Sequence[CalendarId], agents: Sequence[AgentId], since: datetime) -> int | None:
        """Return one number that grows with every change of these calendars' blocks and these agents' visits.

        No calendar is to be named twice. None where the busy time of one of them is not known: not read `since` then,
        or something odd about it (see `glances`).
        """
        wanted = {"calendars": calendars, "agents": agents, "since": math.ceil(since.timestamp())}
        [(known, pulse)] = self._db.tuples("pulse", **wanted)
        return pulse if known == len(calendars) else None

    def count_future(self, calendar: CalendarId, now: datetime) -> int:
        """Count remembered entries (strangers' and ours) with time after `now`; those known to be gone are left out."""
        wanted = {"calendar": calendar, "now": rows.seconds(now)}
        counted = (self._db.rows(query, **wanted)[0]["entries"] for query in ("entry_future", "published_future"))
        return sum(counted)

    # our own entries

    def published(self, key: EventKey) -> Published | None:
        found = first(self._db.rows("published_get", **rows.key_values(key)))
        return rows.published_of(found) if found is not None else None

    def published_of(self, subject: str) -> list[Published]:
        """List the entries of one subject in every calendar."""
        return [rows.published_of(row) for row in self._db.rows("published_of", subject=subject)]

    def published_in(self, calendar: CalendarId) -> list[Published]:
        return [rows.published_of(row) for row in self._db.rows("published_in", calendar=calendar)]

    def published_at(self, calendar: CalendarId, remote_ids: Sequence[str]) -> Mapping[str, Published]:
        """Return our entries among these remote ids."""
        found: dict[str, Published] = {}
        for some in chunks(remote_ids):
            wanted = self._db.rows("published_at", calendar=calendar, remote_ids=some)
            found |= {row["remote_id"]: rows.published_of(row) for row in wanted}
        return found

    def remember(self, published: Published) -> None:
        """Insert or replace, by key; whatever was intended for it is settled."""
        self._db.run("published_put", **rows.published_values(published))
        self.settle_intent(published.key)

    def forget(self, key: EventKey) -> None:
        """Drop our note of an entry and whatever was intended for it."""
        self._db.run("published_drop", **rows.key_values(key))
        self.settle_intent(key)

    def intend(self, key: EventKey, uid: str, content_hash: str, at: datetime) -> int:
        """Note durably, before the network is used, that this entry is about to be written.

        Returns the attempt (1, 2 …) since the last remember or forget.
        """
        values = rows.key_values(key) | {"uid": uid, "content_hash": content_hash, "at": rows.seconds(at)}
        return int(self._db.rows("intent_put", **values)[0]["attempt"])

    def intent(self, key: EventKey) -> int:
        """Return the attempts noted since the last remember or forget.

        Above 0 the outcome is unknown: find before writing.
        """
        found = first(self._db.rows("intent_get", **rows.key_values(key)))
        return int(found["attempt"]) if found is not None else 0

    def settle_intent(self, key: EventKey) -> None:
        """Forget the attempts of this entry: the provider refused, so nothing of ours is under way."""
        self._db.run("intent_drop", **rows.key_values(key))
