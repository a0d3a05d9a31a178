"""The bodies that the API takes and shows. Strict: an unknown field, a wrong type, a number for a time is refused."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from syncd.core import limits
from syncd.web.api_values import Day, Email, Id, Line, Moment, Name, Phone, Text


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
    project: Name  # id, name or alias
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


class HandoverIn(Taken):
    giver: Annotated[Id, Field(alias="from", description="id or address; whoever left the configuration by id")]
    taker: Annotated[Id, Field(alias="to", description="id or address of an agent in the project's team")]
    project: Id
    on: Annotated[Day, Field(description="the first day, local to the project")]
    dry_run: Annotated[bool, Field(description="say what would happen, change nothing")] = False


class OptOutIn(Taken):
    email: Email | None = None
    phone: Phone | None = None
    undo: Annotated[bool, Field(description="messages may go there again")] = False


Companion = Id | BookerIn  # an agent's id or address, the address of a further contact, or that contact whole


class ParticipantsIn(Taken):
    add: Annotated[list[Companion], Field(max_length=limits.PARTICIPANTS)] = []
    remove: Annotated[list[Companion], Field(max_length=limits.PARTICIPANTS)] = []


def _only_one(value: Any) -> Any:
    if isinstance(value, list):
        raise ValueError("name exactly one; make a proposal for each")
    return value


class RecipientIn(Taken):
    """Exactly one of them."""

    user: Annotated[Id | None, Field(description="an agent, by id or address")] = None
    contact_person: Annotated[Literal[True] | None, Field(description="the first of the property's")] = None
    email: Email | None = None


class AskingIn(Taken):
    contact: Annotated[BookerIn, BeforeValidator(_only_one)]
    project: Id | None = None
    property: Annotated[Property | None, BeforeValidator(_only_one)] = None
    recipient: RecipientIn
    answer_by: Annotated[
        list[Literal["mail", "task", "sms"]] | None,
        Field(min_length=1, max_length=9, description="without it as configured"),
    ] = None
    expires: Annotated[Moment | None, Field(description="until when the client may answer")] = None


class AcceptIn(Taken):
    window: Annotated[int, Field(ge=1, le=1_000_000, description="its number")]
    host: Id | None = None
    start: Moment | None = None
    project: Annotated[Id | None, Field(description="where the proposal names none")] = None


class DeclineIn(Taken):
    reason: Text = ""


class AttendanceIn(Taken):
    attendance: Literal["present", "no_show"]


class Shown(BaseModel):
    """Anything the API answers; these models document, they never filter."""

    model_config = ConfigDict(extra="forbid")


class SlotOut(Shown):
    start: str
    end: str
    hosts_free: int


class VerdictOut(Shown):
    event_type: str
    matched: bool
    taken: bool
    why: str


class ExplainedHostOut(Shown):
    host: str
    name: str
    free: bool
    reason: Annotated[str | None, Field(description="what a booking would be refused with; null where it is free")]
    type: Annotated[str | None, Field(description="the `type` of that refusal")]
    why: str
    details: Annotated[list[str], Field(description="everything that speaks against it")]


class ExplainedOut(Shown):
    project: str
    event_type: str
    start: str
    end: str
    time_zone: str
    offered: bool
    reason: Annotated[str | None, Field(description="the reason of the refusal; null where the time is offered")]
    type: Annotated[str | None, Field(description="the `type` of that refusal")]
    why: str
    hosts: list[ExplainedHostOut]


class ErrorOut(Shown):
    field: str
    problem: str


class ProblemOut(Shown):
    """RFC 9457; `type` is stable."""

    type: str
    title: str
    status: int
    detail: str
    alternatives: list[SlotOut] = []
    errors: list[ErrorOut] = []
    verdicts: list[VerdictOut] = []


class RequestOut(Shown):
    id: str
    project: str
    event_type: str
    rules: list[VerdictOut]
    booking_url: Annotated[str, Field(description="the outside scheduler's page, or our own; the same one every time")]
    expires_at: Annotated[str, Field(description="until when booking_url is good")]


class ContactOut(Shown):
    name: str
    email: str | None
    phone: str | None
    tax_id: str | None


class BookerOut(ContactOut):
    """Who booked; `id` is the known contact's."""

    id: str | None


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


class MarkOut(Shown):
    mark: Annotated[
        Literal["unconfirmed", "overdue", "late"],
        Field(
            description="asked to confirm; still unconfirmed when the agent should call; begun, attendance not marked"
        ),
    ]
    since: str


class VisitOut(Shown):
    id: str
    state: Literal["pending", "confirmed", "conflict", "cancelled", "done"]
    project: str | None
    event_type: str | None
    host: str | None
    participants: Annotated[list[str], Field(description="ids of agents, then addresses of further contacts")]
    extra_contacts: list[ContactOut]
    contact: BookerOut
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
    cancel_reason: Annotated[str, Field(description="only of a cancelled visit, like the next two")] = ""
    cancel_message: str = ""
    cancelled_late: bool = False
    booked_at: str
    version: int
    marks: Annotated[list[MarkOut], Field(description="what the board shows now, each with since when")]


class MessageOut(Shown):
    kind: str
    to: Annotated[str, Field(description="client, or agent:<id>")]
    channel: Annotated[str | None, Field(description="email whatsapp sms notice; null until a way is chosen")]
    account: str | None
    due_at: str
    state: Literal[
        "planned", "scheduled", "sending", "sent", "delivered", "read", "failed", "skipped", "unknown", "open", "done"
    ]
    reason: str
    sent_at: str | None
    reported_at: str | None


class MessagesOut(Shown):
    items: list[MessageOut]
    next: str | None


class MovedOut(Shown):
    visit: str
    start: str


class LeftOut(MovedOut):
    reason: Annotated[str, Field(description="what a booking would be refused with, or `scheduler`: it names the host")]
    why: str


class HandedOverOut(Shown):
    moved: list[MovedOut]
    left: list[LeftOut]
    dry_run: bool


class KnownContactOut(Shown):
    id: str
    name: str
    emails: list[str]
    phones: list[str]
    tax_ids: list[str]
    owner: Annotated[str | None, Field(description="the agent who looks after the contact")]
    state: Literal["active", "retired"]
    created_at: str


class OptOutOut(Shown):
    address: Annotated[str, Field(description="the address or number in the form in which it is compared")]
    opted_out: bool


class InquiryOut(Shown):
    id: str
    contact: str
    visit: str
    agent: Annotated[str | None, Field(description="to whom it was given; null: staff must choose")]
    state: Literal["worked", "open"]
    why: str
    created_at: str


class InquiriesOut(Shown):
    items: list[InquiryOut]
    next: str | None


class LinkOut(Shown):
    url: str
    expires_at: str


class VisitsOut(Shown):
    items: list[VisitOut]
    next: str | None


class HistoryRowOut(Shown):
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


class ProposalMadeOut(Shown):
    id: str
    url: Annotated[str, Field(description="where the client names windows")]


class WindowOut(Shown):
    window: Annotated[int, Field(description="its number, which no other window of the proposal ever has")]
    start: str
    end: str


class RecipientOut(Shown):
    user: str | None = None
    contact_person: bool | None = None
    email: str | None = None


class ProposalOut(Shown):
    id: str
    state: Literal["open", "answered", "accepted", "declined", "expired"]
    contact: ContactOut
    project: str | None
    property: PropertyOut | None
    recipient: RecipientOut
    answer_by: list[Literal["mail", "task", "sms"]]
    windows: list[WindowOut]
    accepted: Annotated[int | None, Field(description="the number of the window that became the visit")]
    visit: str | None
    reason: Annotated[str, Field(description="why it was declined")]
    created_at: str
    answered_at: str | None
    expires_at: str


class TaskOut(Shown):
    id: str
    kind: str
    visit: str | None
    proposal: str | None
    agent: Annotated[str | None, Field(description="null: nobody in particular")]
    state: Literal["open", "done"]
    due_at: str | None
    created_at: str | None
    details: Annotated[dict[str, Any] | None, Field(description="of an answer: message, contact, property, windows")]


class TasksOut(Shown):
    items: list[TaskOut]
    next: str | None
