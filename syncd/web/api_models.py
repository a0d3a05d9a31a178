"""The bodies that the API takes and shows. Strict: an unknown field, a wrong type, a number for a time is refused."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from syncd.core import limits
from syncd.web.api_values import Email, Id, Line, Moment, Name, Phone, Text


class Taken(BaseModel):
    """Anything a caller sends."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ContactIn(Taken):
    name: Name
    email: Email | None = None
    phone: Phone | None = None
    tax_id: Line | None = None


class BookerIn(ContactIn):
    """A contact who can be written to."""

    email: Email


class FactIn(Taken):
    label: Name
    value: Line


class ContactPersonIn(Taken):
    name: Name
    email: Email
    user: Id | None = None


def _by_id(value: Any) -> Any:
    return {"id": value} if isinstance(value, str) else value


class PropertyIn(Taken):
    id: Id
    name: Line = ""
    address: Line = ""
    photo_url: Line | None = None
    facts: Annotated[list[FactIn], Field(max_length=limits.FACTS)] = []
    agent_in_charge: Id | None = None
    producer: Id | None = None
    additional_agent: Id | None = None
    contact_persons: Annotated[list[ContactPersonIn], Field(max_length=limits.PARTICIPANTS)] = []


Property = Annotated[PropertyIn, BeforeValidator(_by_id)]


class RequirementIn(Taken):
    id: Line = ""
    priority: Line = "normal"
    in_warranty: bool | None = None
    category: Line = ""
    text: Text = ""


class RequestIn(Taken):
    id: Id
    project: Id
    contact: ContactIn
    property: Property | None = None
    requirements: Annotated[list[RequirementIn], Field(max_length=limits.REQUIREMENTS)] = []
    preferred_agent: Id | None = None


class AnswerIn(Taken):
    question: Line
    answer: Text


class BookingIn(Taken):
    """Either `request` or `project` says what is visited; with a request its contact and property are the default."""

    request: Id | None = None
    project: Id | None = None
    event_type: Id | None = None
    property: Property | None = None
    start: Moment
    host: Id | None = None
    contact: BookerIn | None = None
    answers: Annotated[list[AnswerIn], Field(max_length=limits.ANSWERS)] = []


class NothingIn(Taken):
    """An empty object."""


class RejectIn(Taken):
    reason: Text = ""


class CancelIn(Taken):
    by: Literal["client", "agent", "staff"]
    reason: Text = ""
    message: Text = ""
    rebook_link: bool = False
    channel: Literal["email", "whatsapp", "sms"] | None = None


class MoveIn(Taken):
    start: Moment
    host: Id | None = None


class ReassignIn(Taken):
    host: Id


class ParticipantsIn(Taken):
    add: Annotated[list[Id], Field(max_length=limits.PARTICIPANTS)] = []
    remove: Annotated[list[Id], Field(max_length=limits.PARTICIPANTS)] = []


class AttendanceIn(Taken):
    attendance: Literal["present", "no_show"]


class Shown(BaseModel):
    """Anything the API answers; these models document, they never filter."""

    model_config = ConfigDict(extra="forbid")


class SlotOut(Shown):
    start: str
    end: str
    hosts_free: int


class ProblemOut(BaseModel):
    type: str
    title: str
    status: int
    detail: str
    alternatives: list[SlotOut] = []
    errors: list[dict[str, str]] = []
    verdicts: list[dict[str, Any]] = []


class VerdictOut(Shown):
    event_type: str
    matched: bool
    taken: bool
    why: str


class RequestOut(Shown):
    id: str
    project: str
    event_type: str
    rules: list[VerdictOut]
    booking_url: str | None
    expires_at: str | None


class ContactOut(Shown):
    name: str
    email: str | None
    phone: str | None
    tax_id: str | None


class PropertyOut(Shown):
    id: str
    name: str
    address: str


class SourceOut(Shown):
    account: str
    id: str | None


class AnswerOut(Shown):
    question: str
    answer: str


class ConflictOut(Shown):
    reason: str
    since: str
    detail: str
    alternatives: list[SlotOut]


class VisitOut(BaseModel):
    id: str
    state: Literal["pending", "confirmed", "conflict", "cancelled", "done"]
    project: str | None
    event_type: str | None
    host: str | None
    participants: list[str]
    contact: ContactOut
    property: PropertyOut | None
    request: str | None
    start: str
    end: str
    time_zone: str
    title: str
    location: str
    answers: list[AnswerOut]
    source: SourceOut
    client_confirmation: Literal["none", "asked", "yes", "no"]
    attendance: Literal["unknown", "present", "no_show"]
    conflict: ConflictOut | None = None
    cancel_reason: str | None = None
    cancelled_late: bool | None = None
    booked_at: str
    version: int


class VisitsOut(Shown):
    items: list[VisitOut]
    next: str | None


class HistoryRowOut(BaseModel):
    version: int
    at: str
    actor: str
    source: str
    delivery: str | None
    note: str
    before: dict[str, Any] | None
    after: dict[str, Any]


class HistoryOut(Shown):
    items: list[HistoryRowOut]
    next: str | None
