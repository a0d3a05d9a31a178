"""Three durable queues with three meanings: inbox (evidence), work ("look again"), outbox ("say once"); tasks and
alerts for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from syncd.core.ids import AccountId


class WorkKind(StrEnum):
    INGEST = "ingest"  # <account>|<booking id>
    POLL = "poll"  # <account>: ask a home for its marks, or a scheduler for its bookings
    PULL = "pull"  # <calendar>
    RECONCILE = "reconcile"  # <agent>
    PUBLISH = "publish"  # <subject>@<calendar>
    REMIND = "remind"  # <visit>
    RENEW = "renew"  # <account>: push subscriptions
    CANCEL = "cancel"  # <visit>: carry our cancellation to the scheduler


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    kind: WorkKind
    key: str
    due_at: datetime
    generation: int
    group: str = ""  # the account whose login the work uses; "" none
    lease: int = 0  # which claim of this name it is: an overtaken worker's word no longer counts
    attempts: int = 0
    touched_at: datetime | None = None
    error: str = ""


class DeliveryState(StrEnum):
    NEW = "new"
    DONE = "done"
    STALE = "stale"
    CONFLICT = "conflict"
    UNWANTED = "unwanted"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredDelivery:
    id: str
    account: AccountId
    key: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    received_at: datetime
    state: DeliveryState = DeliveryState.NEW
    error: str = ""
    repeats: int = 0
    touches: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to say to somebody once: an outbox row, an alert or a task, told apart by `channel`."""

    key: str  # idempotency key
    channel: str  # alert | task | notice | email | …
    kind: str
    about: str = ""  # visit id, calendar id, account
    to: str = ""
    body: dict[str, Any] | None = None
    due_at: datetime | None = None
    state: str = "scheduled"
    created_at: datetime | None = None


class Queue:
    def inbox_put(self, delivery: StoredDelivery) -> bool:
        """Keep a delivery; False when one with the same account and key is already kept (its repeats are counted)."""
        raise NotImplementedError

    def inbox_get(self, delivery: str) -> StoredDelivery | None:
        raise NotImplementedError

    def inbox_list(self, state: DeliveryState | None = None, limit: int = 100) -> list[StoredDelivery]:
        raise NotImplementedError

    def inbox_state(self, delivery: str, state: DeliveryState, error: str = "") -> None:
        raise NotImplementedError

    def inbox_settle(self, account: AccountId, touch_key: str, state: DeliveryState, error: str = "") -> None:
        """Set the state of every NEW delivery of this account that touched this ingest key."""
        raise NotImplementedError

    def inbox_counts(self) -> dict[DeliveryState, int]:
        """Return how many deliveries are kept in each state; states with none are left out."""
        raise NotImplementedError

    def touch(self, kind: WorkKind, key: str, due_at: datetime, group: str = "") -> None:
        """Ask for another look: coalesces, raises the generation, keeps the earlier due time, resets attempts.

        `group` is the account whose login the work uses.
        """
        raise NotImplementedError

    def touch_many(self, kind: WorkKind, keys: Sequence[str], due_at: datetime, group: str = "") -> None:
        raise NotImplementedError

    def claim(
        self,
        now: datetime,
        lease: timedelta,
        *,
        kinds: Sequence[WorkKind] | None = None,
        skip: Sequence[str] = (),
        limit: int = 1,
    ) -> list[Work]:
        """Lease the earliest due work, one key never to two workers; `skip` leaves out the works of these groups."""
        raise NotImplementedError

    def finish(self, work: Work, next_due: datetime | None = None) -> bool:
        """Remove the work if its generation is still the claimed one, else free its lease; with `next_due` keep it for then.

        Returns False when it had been touched meanwhile (it stays due).
        """
        raise NotImplementedError

    def fail(self, work: Work, due_at: datetime, error: str) -> None:
        """Give the lease back, count the attempt, and try again at `due_at`."""
        raise NotImplementedError

    def bury(self, work: Work, error: str, at: datetime) -> None:
        """Move the work to the dead letters; a later touch of the same name revives it."""
        raise NotImplementedError

    def dead(self) -> list[Work]:
        raise NotImplementedError

    def next_due(self, skip: Sequence[str] = ()) -> datetime | None:
        """Return when the earliest work of a group that is not skipped may be claimed: its due time, or its lease's end."""
        raise NotImplementedError

    def depths(self, now: datetime) -> dict[WorkKind, tuple[int, timedelta]]:
        """Return per kind: how many are due and the age of the oldest."""
        raise NotImplementedError

    def release_leases(self) -> int:
        """Free every lease (at start: we are the only process)."""
        raise NotImplementedError

    def say(self, notice: Notice) -> bool:
        """Put a notice into the outbox; False when its key is already there."""
        raise NotImplementedError

    def notices(
        self, *, channel: str | None = None, about: str | None = None, state: str | None = None, limit: int = 200
    ) -> list[Notice]:
        raise NotImplementedError

    def set_notice(self, key: str, state: str) -> None:
        raise NotImplementedError
