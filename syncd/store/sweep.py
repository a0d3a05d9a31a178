"""Looks through a whole store for what must never be; shares nothing with the guards that should prevent it."""

from syncd.store.busy import BusyTime
from syncd.store.engine import Db
from syncd.store.history import broken_links
from syncd.store.rows import moment


def overlaps(db: Db) -> list[str]:
    """Name the visits of one agent whose holds overlap, and the dwellings that are visited twice at once."""
    found: list[str] = []
    for row in db.rows("overlaps"):
        wanted = {"agent": row["agent_id"], "guard_start": row["guard_start"], "guard_end": row["guard_start"] + 1}
        visits = ", ".join(one["id"] for one in db.rows("holders", **wanted))
        found.append(
            f"overlap: {row['agent_id']} is held twice at {moment(row['guard_start']):%Y-%m-%d %H:%MZ} by {visits}"
        )
    return found + [
        f"overlap: dwelling {row['dwelling_key']} is visited twice at {moment(row['start_at']):%Y-%m-%d %H:%MZ}, "
        f"the second time by {row['id']}"
        for row in db.rows("dwelling_overlaps")
    ]


def history_problems(db: Db) -> list[str]:
    """Name the visits whose history is altered, has gaps, or ends before the version they are at."""
    history = db.rows("history_all")
    last = {row["visit_id"]: row["version"] for row in history}
    short = [row["id"] for row in db.rows("visit_versions") if last.get(row["id"]) != row["version"]]
    wrong = dict.fromkeys([*broken_links(history), *short])
    return [f"history: that of visit {visit} was altered or has gaps" for visit in wrong]


def block_problems(db: Db) -> list[str]:
    """Count busy time that belongs to no entry: it would close its agent for ever."""
    return [
        f"block: {row['blocks']} of calendar {row['calendar_id']} belong to no entry" for row in db.rows("blocks_lost")
    ]


def busy_problems(db: Db) -> list[str]:
    """Name the calendars whose busy time, as slots see it, is not what their blocks take."""
    busy = BusyTime(db)
    return [
        f"busy: what {row['name']} takes is not what its blocks say"
        for row in db.rows("calendar_all")
        if not busy.is_true(row["id"])
    ]


def hold_problems(db: Db) -> list[str]:
    """Name visits that hold nobody's time, or hold it in a state that holds nothing."""
    return [
        f"hold: visit {row['id']} holds time as {row['state']} of {row['agent_id']}" for row in db.rows("odd_holds")
    ]


EVERYTHING = (overlaps, hold_problems, block_problems, busy_problems, history_problems)
