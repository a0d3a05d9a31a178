"""Strangers' entries of a calendar and the time they take; writes only what changed."""

from collections.abc import Iterable, Sequence

from syncd.core.busy import BusyBlock
from syncd.core.ids import CalendarId
from syncd.store import rows
from syncd.store.engine import Db, Row, chunks, first
from syncd.store.records import Entry


class Entries:
    """The entries of one transaction."""

    def __init__(self, db: Db) -> None:
        self._db = db

    def find(self, calendar: CalendarId, remote_ids: Sequence[str]) -> dict[str, Entry]:
        """Return those of these entries that are remembered, by remote id."""
        found = self._rows(self._calendar_id(calendar), remote_ids)
        return {one.remote_id: one for one in self._entries(calendar, list(found.values()))}

    def find_by_uid(self, calendar: CalendarId, uid: str) -> Entry | None:
        found = self._db.rows("entry_by_uid", calendar=calendar, uid=uid)
        return next(iter(self._entries(calendar, found)), None)

    def put(self, calendar: CalendarId, entries: Iterable[Entry]) -> bool:
        """Insert or replace entries; tell whether any busy time changed."""
        wanted = {entry.remote_id: entry for entry in entries}
        if not wanted:
            return False
        self._db.run("calendar_add", name=calendar)
        calendar_id = self._calendar_id(calendar)
        found = self._rows(calendar_id, list(wanted))
        known = {one.remote_id: one for one in self._entries(calendar, list(found.values()))}
        changed = [
            self._put(calendar_id, entry, found.get(name), known.get(name))
            for name, entry in wanted.items()
            if entry != known.get(name)
        ]
        return self._note(calendar_id, changed=any(changed))

    def _put(self, calendar_id: int, entry: Entry, row: Row | None, known: Entry | None) -> bool:
        """Write one entry, and its blocks where they differ; tell whether they do."""
        values = rows.entry_values(entry)
        if row is None:
            entry_id = self._db.rows("entry_insert", calendar_id=calendar_id, **values)[0]["id"]
        else:
            entry_id = row["id"]
            del values["remote_id"]
            self._db.run("entry_update", id=entry_id, **values)
        before = {rows.block_key(one) for one in known.blocks} if known is not None else set()
        after = {rows.block_key(one) for one in entry.blocks}
        if before == after:
            return False
        if before:
            self._db.run("blocks_delete", ids=[entry_id])
        self._db.many("block_insert", [rows.block_values(key, entry_id, calendar_id) for key in sorted(after)])
        return True

    def drop(self, calendar: CalendarId, remote_ids: Iterable[str]) -> bool:
        """Forget entries; tell whether any busy time changed."""
        calendar_id = self._calendar_id(calendar)
        changed = 0
        for some in chunks(remote_ids):
            ids = [row["id"] for row in self._rows(calendar_id, some).values()]
            changed += self._db.run("blocks_delete", ids=ids)
            self._db.run("entry_delete", ids=ids)
        return self._note(calendar_id, changed=changed > 0)

    def _note(self, calendar_id: int, *, changed: bool) -> bool:
        if changed:
            self._db.run("calendar_changed", calendar_id=calendar_id)
        return changed

    def _calendar_id(self, calendar: CalendarId) -> int:
        """Return the number that stands for a calendar in the tables; 0, which none has, for an unknown one."""
        found = first(self._db.rows("calendar_get", name=calendar))
        return int(found["id"]) if found is not None else 0

    def _rows(self, calendar_id: int, remote_ids: Sequence[str]) -> dict[str, Row]:
        found: dict[str, Row] = {}
        for some in chunks(remote_ids):
            wanted = self._db.rows("entry_find", calendar_id=calendar_id, remote_ids=some)
            found |= {row["remote_id"]: row for row in wanted}
        return found

    def _entries(self, calendar: CalendarId, found: Sequence[Row]) -> list[Entry]:
        """Put rows and their blocks together."""
        by_id = {row["id"]: row for row in found}
        blocks: dict[int, list[BusyBlock]] = {entry_id: [] for entry_id in by_id}
        for some in chunks(by_id):
            for one in self._db.rows("blocks_of_entries", ids=some):
                row = by_id[one["entry_id"]]
                blocks[row["id"]].append(rows.block_of(one, calendar, row["remote_id"], row["uid"]))
        return [rows.entry_of(row, tuple(blocks[entry_id])) for entry_id, row in by_id.items()]
