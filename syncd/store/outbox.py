"""Messages on their way to people: which is next, what became of each, what services report of them. Knows no service
and no wording."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from syncd.core.ids import AccountId
from syncd.core.letter import Report, Sent
from syncd.store import notice_rows, rows
from syncd.store.engine import Db, first
from syncd.store.records import Notice

__all__ = ["FINAL", "Outbox"]

FINAL = frozenset({"sent", "delivered", "read", "failed", "skipped", "unknown"})
RANK = {"unknown": 0, "sent": 1, "delivered": 2, "read": 3, "failed": 4}  # only upwards: reports come in any order
REPORTS_KEPT = timedelta(days=2)


class Outbox:
    """The messages of one transaction."""

    def __init__(self, db: Db) -> None:
        self._db = db

    def find(self, key: str) -> Notice | None:
        found = first(self._db.rows("outbox_get", key=key))
        return notice_rows.notice_of(found) if found is not None else None

    def next(self, account: AccountId, now: datetime, most: int = 1) -> list[Notice]:
        """List what may be sent now over an account, by due time; account "" has what has no way chosen yet."""
        found = self._db.rows("outbox_next", account=account, now=rows.seconds(now), most=most)
        return [notice_rows.notice_of(row) for row in found]

    def wake_at(self, account: AccountId) -> datetime | None:
        """Return when the next message of an account is to be looked at."""
        found = first(self._db.rows("outbox_wake", account=account))
        return rows.moment(found["not_before"]) if found is not None else None

    def save(self, notice: Notice) -> None:
        """Keep what became of a message; what it says never changes."""
        self._db.run("outbox_save", **notice_rows.outcome_values(notice))

    def known(self, keys: Sequence[str]) -> set[str]:
        """Return which of these keys were ever said."""
        return {row["key"] for row in self._db.rows("outbox_known", keys=keys)} if keys else set()

    def report(self, account: AccountId, remote_id: str, state: Sent, at: datetime, reason: str = "") -> Notice | None:
        """Note what a service says of a message; returns it where that is news.

        A report never takes back a later one. One that comes before the answer to the sending was read is kept.
        """
        found = first(self._db.rows("outbox_by_remote", account=account, remote_id=remote_id))
        if found is None:
            values = {"account": account, "remote_id": remote_id, "reported_at": rows.seconds(at)}
            self._db.run("report_early", state=state.value, reason=reason[:300], **values)
            return None
        before = notice_rows.notice_of(found)
        after = reported(before, Report(remote_id=remote_id, state=state, at=at, error=reason))
        if after == before:
            return None
        self.save(after)
        return after

    def sent(self, notice: Notice, remote_id: str, at: datetime) -> Notice:
        """Note that a service took a message, and what it reported before we knew that."""
        after = replace(notice, state="sent", remote_id=remote_id, sent_at=at, reason="")
        for row in self._db.rows("reports_early", account=notice.account, remote_id=remote_id):
            state, moment = Sent(row["state"]), rows.moment(row["reported_at"])
            after = reported(after, Report(remote_id=remote_id, state=state, at=moment, error=row["reason"]))
        before = rows.seconds(at - REPORTS_KEPT)
        self._db.run("reports_used", account=notice.account, remote_id=remote_id, before=before)
        self.save(after)
        return after

    def opt_out(self, address: str, at: datetime, channel: str = "") -> None:
        """Note that somebody wants no messages there, over one channel or any."""
        self._db.run("opt_out_put", address=address.casefold(), channel=channel, since_at=rows.seconds(at))

    def opt_in(self, address: str, channel: str = "") -> None:
        self._db.run("opt_out_drop", address=address.casefold(), channel=channel)

    def is_opted_out(self, address: str, channel: str) -> bool:
        found = {row["channel"] for row in self._db.rows("opt_out_get", address=address.casefold())}
        return bool(found & {"", channel})


def reported(notice: Notice, report: Report) -> Notice:
    """Return the message after a report; the same one where it is known or older news."""
    if RANK.get(notice.state, -1) >= RANK[report.state.value] or notice.state not in RANK:
        return notice
    return replace(notice, state=report.state.value, told_at=report.at, reason=report.error[:300])
