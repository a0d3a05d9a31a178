"""What a change of a visit leaves behind: the fields that changed, chained by hashes so that nothing can be altered
or taken out unnoticed. Knows no table."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from syncd.core.visit import Visit
from syncd.store import codec, rows
from syncd.store.engine import Row
from syncd.store.records import Cause, HistoryRow

UNTOLD = frozenset(("id", "version"))
CHAINED = ("visit_id", "version", "at", "actor", "source", "delivery", "note", "before", "after")


def row_of(before: Visit | None, after: Visit, cause: Cause) -> HistoryRow:
    """Describe one change: each changed field as it was and as it is."""
    now = codec.encode_all(after, UNTOLD)
    if before is None:
        return _row(after, cause, None, codec.encode_fields(after, UNTOLD))
    was = codec.encode_all(before, UNTOLD)
    changed = [name for name in now if now[name] != was[name]]
    return _row(after, cause, {name: was[name] for name in changed}, {name: now[name] for name in changed})


def _row(visit: Visit, cause: Cause, before: dict[str, Any] | None, after: dict[str, Any]) -> HistoryRow:
    return HistoryRow(visit=visit.id, version=visit.version, cause=cause, before=before, after=after)


def link(previous: str, values: Mapping[str, Any]) -> str:
    """Return the hash of a row and of the one before it ("" before the first)."""
    chained = rows.text([previous, *(values[name] for name in CHAINED)])
    return hashlib.sha256(chained.encode()).hexdigest()


def broken_links(history: Iterable[Row]) -> list[str]:
    """Return the visits whose history, ordered by visit and version, was altered or has gaps."""
    broken: dict[str, None] = {}
    visit, version, previous = "", 0, ""
    for row in history:
        if row["visit_id"] != visit:
            visit, version, previous = row["visit_id"], 0, ""
        values = {name: row[name] for name in CHAINED}
        if row["version"] != version + 1 or row["hash"] != link(previous, values):
            broken[visit] = None
        version, previous = row["version"], row["hash"]
    return list(broken)
