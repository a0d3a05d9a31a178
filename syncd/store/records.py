"""The values that the rooms of the store give and take, beside those of the core. Knows no row."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from syncd.core.busy import BusyBlock
from syncd.core.ids import AccountId, AgentId, CalendarId, EventTypeId, ProjectId, VisitId
from syncd.core.interval import Interval
from syncd.core.routing import Request, Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Who changed a visit, from which system, because of which delivery; `note` explains a decision."""

    at: datetime
    actor: str  # "client", "agent:ana", "staff:…", "scheduler:calendly", "syncd", "cli", "api:crm"
    source: str  # account or "api", "cli", "calendar", "page", "daemon"
    delivery: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    visit: VisitId
    version: int
    cause: Cause
    before: dict[str, Any] | None  # only the fields that changed; None: the visit is new
    after: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A visit's claim on an agent's time; `guard` includes the buffers."""

    visit: VisitId
    agent: AgentId
    interval: Interval
    guard: Interval
    event_type: EventTypeId | None = None
    project: ProjectId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    request: Request
    body: str  # canonical JSON of what was posted, to tell a repeat from a different body
    route: Route | None
    booking_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarState:
    """Where we are with one calendar. `read_at` is the last good reading, the age that max_staleness judges."""

    calendar: CalendarId
    cursor: str | None = None
    mark: str | None = None  # of Home.marks, when last pulled
    read_at: datetime | None = None
    listed_at: datetime | None = None  # last complete listing
    expanded_until: datetime | None = None  # recurring entries are expanded up to here
    suspect_since: datetime | None = None
    suspect_why: str = ""
    attention: str = ""  # an entry could not be understood: the agent is closed
    error: str = ""
    failing_since: datetime | None = None
    notes: str = ""
    deletions: tuple[datetime, ...] = ()  # recent ones, for the brake


@dataclass(frozen=True, slots=True)
class Glance:
    """As much of a calendar's state as every question for slots asks."""

    revision: int  # grows whenever a block changes
    read_at: datetime | None
    attention: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A stranger's resource as remembered: a dozen bytes of identity and its blocks."""

    remote_id: str
    uid: str
    etag: str
    blocks: tuple[BusyBlock, ...]
    mirrored: bool = True  # False: carries our mirror mark, never copied again


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    account: AccountId
    parked: str = ""  # AuthFailed: why; polling stops until cleared
    failures: int = 0  # in a row
    failing_since: datetime | None = None
    not_before: datetime | None = None  # the breaker: no call before
    last_success: datetime | None = None
    error: str = ""
    requests: int = 0


class WorkKind(StrEnum):
    INGEST = "ingest"  # <account>|<booking id>
    POLL = "poll"  # <account>: ask a home for its marks, or a scheduler for its bookings
    PULL = "pull"  # <calendar>
    RECONCILE = "reconcile"  # <agent>
    PUBLISH = "publish"  # <subject>@<calendar>
    REMIND = "remind"  # <visit>
    RENEW = "renew"  # <account>: push subscriptions
    CARRY = "carry"  # <visit>: carry what was decided here to the scheduler
    SEND = "send"  # <account>: messages on their way over it; "-": those whose way is not chosen yet
    RECEIPT = "receipt"  # <account>|<delivery key>: what a service says of messages it took


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    kind: WorkKind
    key: str
    due_at: datetime
    generation: int
    group: str = ""  # the account whose login the work uses; "" none
    lease: int = 0  # number of the claim: the word of a worker that was overtaken no longer counts
    attempts: int = 0
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


NO_ACCOUNT = AccountId("")


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
    speaks_of: datetime | None = None  # the start of the visit that it tells; None: it tells none
    not_before: datetime | None = None  # when it is looked at (again); None: when due
    via: str = ""  # the channel chosen, and the account
    account: AccountId = NO_ACCOUNT
    remote_id: str = ""  # the service's own id
    tried: str = ""  # channels that refused it for good, separated by blanks
    attempts: int = 0
    reason: str = ""  # why it was skipped or failed
    sending_at: datetime | None = None
    sent_at: datetime | None = None
    told_at: datetime | None = None  # when the service last reported


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A client's way to one thing; `purpose` and `subject` as in flows.links, good until `expires_at`."""

    purpose: str
    subject: str
    generation: int
    expires_at: datetime
