"""Strangers' entries of a calendar and the time they take; writes only what changed."""

from collections.abc import Iterable, Sequence

from syncd.core.ids import CalendarId
from syncd.store import rows
from syncd.store.busy import PERIOD, BusyTime
from syncd.store.engine import Db, Row, chunks, first
from syncd.store.entry_names import hash_of, stem_of, stems_of
from syncd.store.records import Entry


class Entries:
    """The entries of one transaction."""

    def __init__(self, db: Db, busy: BusyTime) -> None:
        self._db = db
        self._busy = busy

    def find(self, calendar: CalendarId, remote_ids: Sequence[str]) -> dict[str, Entry]:
        """Return those of these entries that are remembered, by remote id."""
        found = self._rows(self._calendar_id(calendar), remote_ids)
        return {name: self._entry(calendar, row) for name, row in found.items()}

    def find_by_uid(self, calendar: CalendarId, uid: str) -> Entry | None:
        """Return an entry with this UID, the first by remote id; None where there is none."""
        calendar_id = self._calendar_id(calendar)
        hashes = [hash_of(stem) for stem in stems_of(uid)]
        found = [
            *self._db.rows("entry_find", calendar_id=calendar_id, hashes=hashes),
            *self._db.rows("entry_by_uid", calendar_id=calendar_id, hash=hash_of(uid)),
        ]
        entries = [self._entry(calendar, row) for row in sorted(found, key=lambda row: str(row["remote_id"]))]
        return next((entry for entry in entries if entry.uid == uid), None)

    def put(self, calendar: CalendarId, entries: Iterable[Entry]) -> bool:
        """Insert or replace entries; tell whether any busy time changed."""
        wanted = {entry.remote_id: entry for entry in entries}
        if not wanted:
            return False
        self._db.run("calendar_add", name=calendar)
        calendar_id = self._calendar_id(calendar)
        found = self._rows(calendar_id, list(wanted))
        starts = [self._put(calendar, calendar_id, entry, found.get(name)) for name, entry in wanted.items()]
        return self._note(calendar_id, set().union(*starts))

    def _put(self, calendar: CalendarId, calendar_id: int, entry: Entry, row: Row | None) -> set[int]:
        """Write one entry where it differs, and its blocks where they do; return where those begin that do."""
        known = self._entry(calendar, row) if row is not None else None
        if entry == known:
            return set()
        before = {rows.block_key(one) for one in known.blocks} if known is not None else set()
        after = {rows.block_key(one) for one in entry.blocks}
        if row is not None and before != after:
            self._drop_blocks(row)
        entry_id = self._write(calendar_id, entry, row)
        if before == after:
            return set()
        self._db.many("block_insert", [rows.block_values(key, entry_id, calendar_id) for key in sorted(after)])
        return {start for start, *_ in before ^ after}

    def _write(self, calendar_id: int, entry: Entry, row: Row | None) -> int:
        values = rows.entry_values(entry)
        if row is None:
            return int(self._db.rows("entry_insert", calendar_id=calendar_id, **values)[0]["id"])
        del values["remote_id"], values["name_hash"]
        self._db.run("entry_update", id=row["id"], **values)
        return int(row["id"])

    def drop(self, calendar: CalendarId, remote_ids: Iterable[str]) -> bool:
        """Forget entries; tell whether any busy time changed."""
        calendar_id = self._calendar_id(calendar)
        starts: set[int] = set()
        for row in self._rows(calendar_id, list(remote_ids)).values():
            starts |= self._drop_blocks(row)
            self._db.run("entry_delete", id=row["id"])
        return self._note(calendar_id, starts)

    def _drop_blocks(self, row: Row) -> set[int]:
        """Delete the blocks of an entry; return where they begin."""
        if row["first_at"] is None:
            return set()
        return {one["start_at"] for one in self._db.rows("blocks_delete", **rows.place_of(row))}

    def _note(self, calendar_id: int, starts: set[int]) -> bool:
        """Let what is worked out from blocks follow those that changed, given by where they begin."""
        if not starts:
            return False
        self._db.run("calendar_changed", calendar_id=calendar_id)
        self._busy.renew(calendar_id, {start // PERIOD for start in starts})
        return True

    def _calendar_id(self, calendar: CalendarId) -> int:
        """Return the number that stands for a calendar in the tables; 0, which none has, for an unknown one."""
        found = first(self._db.rows("calendar_get", name=calendar))
        return int(found["id"]) if found is not None else 0

    def _rows(self, calendar_id: int, remote_ids: Sequence[str]) -> dict[str, Row]:
        """Return the rows of these entries, by remote id."""
        wanted = set(remote_ids)
        found: dict[str, Row] = {}
        for some in chunks(sorted({hash_of(stem_of(one)) for one in wanted})):
            rows_ = self._db.rows("entry_find", calendar_id=calendar_id, hashes=some)
            found |= {row["remote_id"]: row for row in rows_ if row["remote_id"] in wanted}
        return found

    def _entry(self, calendar: CalendarId, row: Row) -> Entry:
        """Put a row and its blocks together."""
        if row["first_at"] is None:
            return rows.entry_of(row, ())
        found = self._db.rows("blocks_of_entry", **rows.place_of(row))
        blocks = (rows.block_of(one, calendar, row["remote_id"], row["uid"]) for one in found)
        return rows.entry_of(row, tuple(blocks))
