"""Three durable queues with three meanings: inbox (evidence), work ("look again"), outbox ("say once"); tasks and
alerts for people."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from syncd.core.ids import AccountId
from syncd.store import notice_rows, rows
from syncd.store.engine import Db, first
from syncd.store.records import DeliveryState, Notice, StoredDelivery, Work, WorkKind

__all__ = ["DeliveryState", "Notice", "Queue", "StoredDelivery", "Work", "WorkKind"]

NEVER = 1 << 62  # later than any due time
NAMED = frozenset({WorkKind.INGEST, WorkKind.RECEIPT})  # work that finds its deliveries again
UNADDRESSED = "-"  # the work that chooses a way for what was said


class Queue:
    """The queues of one transaction."""

    def __init__(self, db: Db) -> None:
        self._db = db

    # inbox

    def inbox_put(self, delivery: StoredDelivery) -> bool:
        """Keep a delivery; False when one with the same account and key is already kept (its repeats are counted)."""
        if not self._db.run("inbox_insert", **rows.delivery_values(delivery)):
            self._db.run("inbox_repeated", account=delivery.account, key=delivery.key)
            return False
        names = [key for kind, key in delivery.touches if kind in NAMED]
        values = [{"account": delivery.account, "touch_key": name, "inbox_id": delivery.id} for name in names]
        self._db.many("inbox_touch_insert", values)
        return True

    def inbox_get(self, delivery: str) -> StoredDelivery | None:
        found = first(self._db.rows("inbox_get", id=delivery))
        return rows.delivery_of(found) if found is not None else None

    def inbox_list(self, state: DeliveryState | None = None, limit: int = 100) -> list[StoredDelivery]:
        """List deliveries, the latest first."""
        states = list(DeliveryState) if state is None else [state]
        found = self._db.rows("inbox_list", states=[one.value for one in states], most=limit)
        return [rows.delivery_of(row) for row in found]

    def inbox_state(self, delivery: str, state: DeliveryState, error: str = "") -> None:
        self._db.run("inbox_state", id=delivery, state=state.value, error=error)

    def inbox_settle(self, account: AccountId, touch_key: str, state: DeliveryState, error: str = "") -> None:
        """Set the state of every NEW delivery of this account that touched this ingest key."""
        self._db.run("inbox_settle", account=account, touch_key=touch_key, state=state.value, error=error)

    def inbox_about(self, account: AccountId, touch_key: str, most: int) -> list[StoredDelivery]:
        """List the kept deliveries of an account that touched this ingest key, the newest first."""
        found = self._db.rows("inbox_about", account=account, touch_key=touch_key, most=most)
        return [rows.delivery_of(row) for row in found]

    def inbox_counts(self) -> dict[DeliveryState, int]:
        """Return how many deliveries are kept in each state; states with none are left out."""
        return {DeliveryState(row["state"]): row["deliveries"] for row in self._db.rows("inbox_counts")}

    # work

    def touch(self, kind: WorkKind, key: str, due_at: datetime, group: str = "") -> None:
        """Ask for another look: coalesces, raises the generation, keeps the earlier due time, resets attempts.

        `group` is the account whose login the work uses. What is leased at the moment becomes due again once it is
        given back; what was buried lives again.
        """
        self.touch_many(kind, (key,), due_at, group)

    def touch_many(self, kind: WorkKind, keys: Sequence[str], due_at: datetime, group: str = "") -> None:
        due = {"kind": kind.value, "due_at": rows.seconds(due_at), "group": group}
        self._db.many("work_touch", [due | {"key": key} for key in keys])

    def claim(
        self,
        now: datetime,
        lease: timedelta,
        *,
        kinds: Sequence[WorkKind] | None = None,
        skip: Sequence[str] = (),
        limit: int = 1,
    ) -> list[Work]:
        """Lease the earliest due work, one key never to two workers; `skip` leaves out the works of these groups.

        Work whose lease has ended is due again.
        """
        due = self.next_due(skip)
        if due is None or due > now:
            return []
        number = self._db.rows("claim_number")[0]["last"]
        claimed = self._db.rows(
            "work_claim",
            now=rows.seconds(now),
            until=rows.seconds_up(now + lease),
            lease=number,
            kinds=[one.value for one in (WorkKind if kinds is None else kinds)],
            skip=skip,
            most=limit,
        )
        return sorted((rows.work_of(row) for row in claimed), key=lambda work: (work.due_at, work.kind, work.key))

    def finish(self, work: Work, next_due: datetime | None = None) -> bool:
        """Remove the work if its generation is still the claimed one; with `next_due` keep it for then.

        Returns False when it had been touched meanwhile: it stays due, only its lease ends. The word of a worker
        whose lease was taken over changes nothing.
        """
        claimed = rows.claim_of(work)
        if next_due is None:
            done = self._db.run("work_remove", generation=work.generation, **claimed)
        else:
            done = self._db.run("work_again", generation=work.generation, due_at=rows.seconds_up(next_due), **claimed)
        return bool(done) or self._free(work, next_due)

    def fail(self, work: Work, due_at: datetime, error: str) -> None:
        """Give the lease back, count the attempt, and try again at `due_at`, or when a touch meanwhile says."""
        values = {"due_at": rows.seconds_up(due_at), "error": error, "generation": work.generation}
        if not self._db.run("work_fail", **values, **rows.claim_of(work)):
            self._free(work, due_at)

    def bury(self, work: Work, error: str, at: datetime) -> None:
        """Move the work to the dead letters; a touch of the same name, meanwhile or later, revives it."""
        values = {"at": rows.seconds(at), "error": error, "generation": work.generation}
        if not self._db.run("work_bury", **values, **rows.claim_of(work)):
            self._free(work, None)

    def _free(self, work: Work, due_at: datetime | None) -> bool:
        """End the lease of work that was touched meanwhile, which is due when the touch says or earlier; False."""
        due = NEVER if due_at is None else rows.seconds_up(due_at)
        self._db.run("work_free", due_at=due, **rows.claim_of(work))
        return False

    def dead(self) -> list[Work]:
        """List the dead letters, the oldest first."""
        return [rows.work_of(row) for row in self._db.rows("work_dead")]

    def failing(self) -> list[Work]:
        """List the work that failed when last tried and will be tried again, by its due time."""
        return [rows.work_of(row) for row in self._db.rows("work_failing")]

    def next_due(self, skip: Sequence[str] = ()) -> datetime | None:
        """Return when the earliest work of a group that is not skipped may be claimed.

        That is its due time, or the end of its lease.
        """
        found = first(self._db.rows("work_next", skip=skip))
        return rows.moment(found["ready_at"]) if found is not None else None

    def depths(self, now: datetime) -> dict[WorkKind, tuple[int, timedelta]]:
        """Return per kind: how many are due and the age of the oldest."""
        at = rows.seconds(now)
        found = self._db.rows("work_depths", now=at)
        return {WorkKind(row["kind"]): (row["works"], timedelta(seconds=max(0, at - row["oldest"]))) for row in found}

    def release_leases(self) -> int:
        """Free every lease (at start: we are the only process); what was leased is due at once."""
        return self._db.run("work_release")

    # outbox

    def say(self, notice: Notice) -> bool:
        """Put a notice into the outbox; False when its key is already there. What is scheduled is sent when due."""
        said = bool(self._db.run("notice_say", **notice_rows.notice_values(notice)))
        if said and notice.state == "scheduled" and notice.due_at is not None:
            self.touch(WorkKind.SEND, UNADDRESSED, notice.due_at)
        return said

    def notices(
        self, *, channel: str | None = None, about: str | None = None, state: str | None = None, limit: int = 200
    ) -> list[Notice]:
        """List notices in the order in which they were said."""
        wanted = {"any_channel": int(channel is None), "channel": channel, "any_state": int(state is None)}
        wanted |= {"state": state, "most": limit}
        if about is None:
            return [notice_rows.notice_of(row) for row in self._db.rows("notice_list", **wanted)]
        return [notice_rows.notice_of(row) for row in self._db.rows("notice_about", about=about, **wanted)]

    def set_notice(self, key: str, state: str) -> None:
        self._db.run("notice_state", key=key, state=state)
