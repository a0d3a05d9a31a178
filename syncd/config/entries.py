"""The tables a configuration has many of: agents, hours, event types, projects, rules and messages."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema

from syncd.config.holiday_codes import read_holidays
from syncd.config.tables import Table
from syncd.config.values import (
    BookingWindow,
    Color,
    Day,
    Duration,
    Email,
    Length,
    Line,
    Phone,
    Spans,
    Template,
    Text,
    Url,
    When,
    Zone,
    read_duration,
    read_window,
)
from syncd.core import limits
from syncd.core.directory import Activation

Role = Literal["standard", "urgent", "long", "out_of_warranty"]
Holidays = Annotated[
    str, BeforeValidator(read_holidays), WithJsonSchema({"type": "string", "examples": ["CL", "DE-BY"]})
]
Key = Annotated[str, StringConstraints(min_length=1, max_length=limits.ID)]
MessageKind = Literal[
    "agent_notice", "booking_info", "confirmation_request", "unconfirmed_task", "reminder", "no_show_follow_up",
    "no_show_task", "release_notice", "update", "cancellation", "rebook_link", "call_task", "proposal_answer",
    "request_received",
]  # fmt: skip


def _active(value: object) -> object:
    if value == "after_parity":
        return Activation.AFTER_PARITY
    if isinstance(value, bool):
        return Activation.ON if value else Activation.OFF
    raise ValueError('should be true, false or "after_parity"')


def _several(value: object) -> object:
    """Let one word stand for a list of one."""
    return [value] if isinstance(value, str) else value


Active = Annotated[Activation, BeforeValidator(_active), WithJsonSchema({"enum": [True, False, "after_parity"]})]
Words = Annotated[
    list[Line],
    BeforeValidator(_several),
    Field(min_length=1),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]


class CalendarTable(Table):
    """One calendar of an agent."""

    account: Key
    """Name of an account, or "embedded"."""
    calendar: Key
    """The calendar, as its account names it."""
    role: Literal["publish", "busy", "mirror"]
    """publish: visits are written here and other events block; busy: read only; mirror: busy time is copied here."""
    fields: list[Literal["title", "client", "email", "phone", "tax_id", "answers", "location", "property"]] | None = (
        None
    )
    """What may be written there; without it everything but phone and tax_id."""


class SmsTable(Table):
    """What an agent needs, beside a mobile number, to be sent SMS."""

    billing: Line | None = None
    """Account that bears the costs; the receiver's own."""
    may_send: bool = False
    """Whether the agent has the right to send SMS."""


class AgentTable(Table):
    """A person of yours who attends visits."""

    id: Key
    """Short name, used everywhere else; never changes."""
    name: Line
    """Name that clients read."""
    email: Email
    """Address; it finds the agent at a scheduler, once."""
    mobile: Phone | None = None
    """Telephone number with country code."""
    hours: Key
    """Name of the working hours."""
    calendars: list[CalendarTable] = Field(default=[])
    """The agent's calendars and what each is for."""
    scheduler_id: Key | None = None
    """The agent's own id at the scheduler, where the address does not find it."""
    scheduler_email: Email | None = None
    """The agent's address at the scheduler, where it is another one."""
    sms: SmsTable | None = None
    """What an SMS with a client's answer needs beside the mobile number; one thing missing, and a mail stands in."""


class WeekTable(Table):
    """Spans of each weekday; a day left out is closed."""

    mon: Spans = ()
    """Monday."""
    tue: Spans = ()
    """Tuesday."""
    wed: Spans = ()
    """Wednesday."""
    thu: Spans = ()
    """Thursday."""
    fri: Spans = ()
    """Friday."""
    sat: Spans = ()
    """Saturday."""
    sun: Spans = ()
    """Sunday."""


class ChangeTable(Table):
    """Other weekly hours from a day on."""

    from_: Day = Field(alias="from")
    """First day on which they hold."""
    weekly: WeekTable
    """The whole week from then on."""


class HoursTable(Table):
    """Working hours that agents share by name."""

    weekly: WeekTable
    """Spans of each weekday: mon = ["09:00-13:00", "14:00-18:00"]."""
    time_zone: Zone | None = None
    """Zone of these hours; else the daemon's."""
    holidays: Holidays | None = None
    """Country whose public holidays are closed: "CL"; DE, ES and IT with a region: "DE-BY"."""
    dates: dict[Day, Spans] = Field(default={})
    """Single days with hours of their own, holidays included: "2026-12-24" = ["09:00-12:00"]."""
    changes: list[ChangeTable] = Field(default=[])
    """Other weekly hours from a day on; the old ones hold before it."""


class QuestionTable(Table):
    """A question to the client when booking."""

    text: Line
    """The question."""
    required: bool = False
    """Whether it must be answered."""


class PendingTable(Table):
    """A visit that waits for approval."""

    holds: bool = True
    """Whether it keeps its time meanwhile."""
    expires: Length = read_duration("24h")
    """How long it waits."""


class NoShowTable(Table):
    """What follows when nobody marks the client present, counted from the start."""

    follow_up: Duration | None = None
    """When the client is asked."""
    release: Duration | None = None
    """When the rest of the time is given back."""


class UnconfirmedTable(Table):
    """What follows when the client does not confirm."""

    release: Length
    """So long before the start the visit is given up."""


class EventTypeTable(Table):
    """A kind of visit."""

    name: Template
    """What clients read; may hold variables."""
    duration: Length
    """Length of the visit."""
    buffer_before: Duration = read_duration("0m")
    """Time kept free before it."""
    buffer_after: Duration = read_duration("0m")
    """Time kept free after it."""
    increment: Length | None = None
    """Step between two starts; else buffer_before + duration + buffer_after."""
    minimum_notice: Duration = read_duration("0m")
    """How long before its start a visit can be booked at the latest."""
    same_day: bool = True
    """Whether today can be booked."""
    window: BookingWindow = read_window("60d")
    """How far ahead can be booked: "15 business days" or "60d"."""
    assignment: Literal["round_robin", "collective"] = "round_robin"
    """round_robin: one host of the team; collective: all of them, for teams of one."""
    approval: bool = False
    """Whether staff approves each visit."""
    pending: PendingTable = PendingTable()
    """What a visit does while it waits for approval."""
    daily_cap: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Most visits of this kind per agent and day."""
    all_day: Literal["busy", "ignore"] = "busy"
    """Whether all-day entries block visits of this kind."""
    hours: Key | None = None
    """Working hours for this kind, instead of the agents' own."""
    cancel_notice: Duration = read_duration("24h")
    """Cancelling later is marked late, never blocked."""
    cancel_grace: Duration = read_duration("30m")
    """So long after booking, cancelling is never late."""
    no_show: NoShowTable | None = None
    """What follows when the client does not come."""
    unconfirmed: UnconfirmedTable | None = None
    """What follows when the client does not confirm."""
    title: Template = "{{ proyecto }}"
    """Title of the calendar entry."""
    body: Template = ""
    """Text of the calendar entry; else contact, property and answers, as the calendar's fields allow."""
    location: Template = "{{ direccion }}"
    """Place of the calendar entry."""
    description: Text = ""
    """What the client reads before booking."""
    color: Color = ""
    """Colour on pages: "#3366cc"."""
    questions: list[QuestionTable] = Field(default=[])
    """What the client is asked; answers are {{ respuesta_1 }} and so on."""


class FactTable(Table):
    """A line about the project on its page."""

    label: Line
    """What it is about."""
    value: Line
    """What it says."""


class RolesTable(Table):
    """An event type for each role; the rules say which request has which."""

    standard: Key | None = None
    """The default; an active project needs it."""
    urgent: Key | None = None
    """Some requirement is urgent or critical."""
    long: Key | None = None
    """Many requirements."""
    out_of_warranty: Key | None = None
    """Some requirement without cover."""


class SchedulerTable(RolesTable):
    """The project at an outside scheduler: its own event type for each role."""

    account: Key
    """Name of the scheduler's account."""


class ProjectTable(Table):
    """A building or a set of homes with a team."""

    name: Line
    """Name that clients read."""
    aliases: list[Line] = Field(default=[])
    """Other names under which requests come in."""
    address: Annotated[str, StringConstraints(max_length=limits.LINE)] = ""
    """Place of the visits."""
    team: list[Key] = Field(default=[])
    """Agents who serve it."""
    responsible: Key | None = None
    """Agent who is asked where nobody else is."""
    time_zone: Zone | None = None
    """Zone of the place; else the daemon's."""
    holidays: Holidays | None = None
    """Country whose holidays are no business days; else that of the team's hours where they agree."""
    public_page: bool = False
    """Whether anybody may open its booking page without a link."""
    lock_property: bool = True
    """Whether the property of a request cannot be changed when booking."""
    verify_live: bool = False
    """Whether a host's calendar is asked once more just before a booking is kept."""
    max_staleness: Length | None = None
    """Instead of [sync] max_staleness."""
    photo_url: Url | None = None
    """Picture on its page."""
    facts: list[FactTable] = Field(default=[])
    """Lines about it on its page."""
    active: Active = Activation.ON
    """true, false, or "after_parity": it opens once `syncd activate` has succeeded."""
    event_types: RolesTable
    """Which event type serves which kind of request."""
    scheduler: SchedulerTable | None = None
    """Its event types at an outside scheduler."""


class MessageTable(Table):
    """A message, instead of the built-in one of its kind."""

    kind: MessageKind
    """Which message."""
    event_types: list[Key] | None = None
    """Only for these event types."""
    projects: list[Key] | None = None
    """Only for these projects."""
    when: When | None = None
    """"at booking", "10m after booking", "1d before start", "5m after start" or "08:00 on the day"."""
    to: list[Literal["client", "host", "team", "responsible"]] | None = None
    """Who receives it."""
    channels: list[Literal["email", "whatsapp", "sms", "notice", "task"]] | None = None
    """Ways to the person; the first that can reach them is taken."""
    enabled: bool = True
    """Whether it is sent at all."""
    subject: Line | None = None
    """Subject of the mail."""
    text: Text | None = None
    """Words of the message."""


class AnyRequirementTable(Table):
    """What one and the same requirement of the request must be."""

    priority: Words | None = None
    """One of these priorities."""
    in_warranty: bool | None = None
    """Covered by the warranty or not."""
    category: Words | None = None
    """One of these categories."""


class RuleTable(Table):
    """A condition over requests; the first rule that matches decides."""

    event_type: Role
    """The role in the project that the request gets."""
    any_requirement: AnyRequirementTable | None = None
    """Some requirement is like this."""
    requirements_over: Annotated[int, Field(ge=0, le=10_000)] | None = None
    """The request has more requirements than this."""
    projects: list[Key] | None = None
    """Only for these projects."""
