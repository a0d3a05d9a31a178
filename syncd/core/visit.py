"""The visit: the only record that holds an agent's time, its states, and what may be done to it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from syncd.core.ids import AccountId, AgentId, ContactId, EventTypeId, ProjectId, RequestId, VisitId
from syncd.core.interval import Interval


class VisitState(StrEnum):
    PENDING = "pending"  # waits for approval
    CONFIRMED = "confirmed"
    CONFLICT = "conflict"  # kept, holds no time, staff must act
    CANCELLED = "cancelled"
    DONE = "done"  # shown once a confirmed visit has ended; never stored


class ClientConfirmation(StrEnum):
    NONE = "none"
    ASKED = "asked"
    YES = "yes"
    NO = "no"


class Attendance(StrEnum):
    UNKNOWN = "unknown"
    PRESENT = "present"
    NO_SHOW = "no_show"


class CancelReason(StrEnum):
    CLIENT = "client"
    AGENT = "agent"
    STAFF = "staff"
    SCHEDULER = "scheduler"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNCONFIRMED = "unconfirmed"
    NO_SHOW = "no_show"


class ConflictReason(StrEnum):
    SLOT_TAKEN = "slot_taken"
    BUSY = "busy"
    HOURS = "hours"
    NOTICE = "notice"
    SAME_DAY = "same_day"
    WINDOW = "window"
    LIMIT = "limit"
    NO_HOST = "no_host"
    UNROUTABLE = "unroutable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Who asked for the visit."""

    name: str
    email: str | None = None
    phone: str | None = None
    tax_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    question: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPerson:
    """Whom one may ask about a dwelling; `user` is their id in the sender's system."""

    name: str
    email: str
    user: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dwelling:
    """The dwelling that is visited, and who looks after it: agents as the sender names them, by id or address."""

    id: str
    name: str = ""
    address: str = ""
    photo_url: str | None = None
    facts: tuple[tuple[str, str], ...] = ()  # label and value, in the sender's order
    agent_in_charge: str | None = None
    producer: str | None = None
    additional_agent: str | None = None
    contact_persons: tuple[ContactPerson, ...] = ()


def dwelling_key(project: ProjectId | None, dwelling: Dwelling | None) -> str | None:
    """Name a dwelling among those of all projects, None where nothing tells it from another: it has no lock then."""
    return f"{project}/{dwelling.id}" if project is not None and dwelling is not None and dwelling.id else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a visit came from: an account and the provider's own id, or "page", "api", "cli", "panel", "calendar"."""

    account: AccountId
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A bookable interval and how many hosts are free in it."""

    interval: Interval
    hosts_free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Why staff must look at a visit: a flag on a confirmed one; in state `conflict` the visit holds nothing."""

    reason: ConflictReason
    since: datetime
    alternatives: tuple[Slot, ...] = ()  # at most five
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteMark:
    """What the scheduler last told us about a booking, so that older news never undoes newer."""

    updated_at: datetime | None = None
    event_id: str | None = None  # the scheduler's event (time); the booking is Source.id (person)
    calendar_entry: str | None = None  # id of the entry the scheduler itself wrote into the host's calendar
    interval: Interval | None = None  # when the scheduler says it is; the visit's own may have been changed here
    host: AgentId | None = None  # whom the scheduler says, likewise
    pending: bool = False  # it waits for approval there


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One visit. `guard` is the time it holds when `holds`: the interval and its buffers."""

    id: VisitId
    state: VisitState
    project: ProjectId | None
    event_type: EventTypeId | None
    host: AgentId | None
    interval: Interval
    guard: Interval
    holds: bool
    contact: Contact
    source: Source
    booked_at: datetime
    time_zone: str
    language: str = ""  # the locale that the client is written to in; "" is the installation's
    title: str = ""
    location: str = ""
    answers: tuple[Answer, ...] = ()
    dwelling: Dwelling | None = None
    request: RequestId | None = None
    participants: tuple[AgentId, ...] = ()
    extra_contacts: tuple[Contact, ...] = ()
    contact_id: ContactId | None = None  # whom of the known contacts `contact` was recognised as, when first saved
    client_confirmation: ClientConfirmation = ClientConfirmation.NONE
    attendance: Attendance = Attendance.UNKNOWN
    conflict: Conflict | None = None
    cancel_reason: CancelReason | None = None
    cancel_message: str = ""
    cancelled_late: bool = False
    pending_expires_at: datetime | None = None
    remote: RemoteMark = field(default_factory=RemoteMark)
    version: int = 0  # 0: never saved; the store gives 1, 2, 3 …

    @property
    def active(self) -> bool:
        return self.state in (VisitState.PENDING, VisitState.CONFIRMED)

    def state_at(self, now: datetime) -> VisitState:
        """Return the state people see: a confirmed visit is done from its end on."""
        if self.state is VisitState.CONFIRMED and self.interval.end <= now:
            return VisitState.DONE
        return self.state


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An expected no: a stable reason (a ConflictReason value, "not_offered", "protected-field", "illegal-state" …)."""

    reason: str
    detail: str = ""
    alternatives: tuple[Slot, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm:
    """The client said yes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    """`message`, `rebook_link` and `channel` are wishes about what the client is told; `reason` are the words of
    whoever cancels, kept with the visit where there is no message."""

    by: CancelReason
    message: str = ""
    reason: str = ""
    rebook_link: bool = False
    channel: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reinstate:
    """The client takes a cancellation back, soon enough. What the visit was before, the history says."""

    cancelled_at: datetime
    state: VisitState
    client_confirmation: ClientConfirmation = ClientConfirmation.NONE
    pending_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A new time, perhaps with a new host; the length stays."""

    start: datetime
    host: AgentId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassign:
    host: AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class Participants:
    """Agents by id; further contacts are added whole and removed by address."""

    add: tuple[AgentId, ...] = ()
    remove: tuple[AgentId, ...] = ()
    add_contacts: tuple[Contact, ...] = ()
    remove_contacts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attend:
    attendance: Attendance


Command = Approve | Reject | Confirm | Cancel | Reinstate | Move | Reassign | Participants | Attend
