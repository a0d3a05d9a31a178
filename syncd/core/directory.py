"""Who and what the configuration names: one frozen snapshot that every decision reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from enum import StrEnum

from syncd.core.busy import BusyPolicy, MassChange
from syncd.core.event_type import EventType
from syncd.core.hours import WorkingHours
from syncd.core.ids import AccountId, AgentId, CalendarId, EventTypeId, HoursId, ProjectId
from syncd.core.routing import Rule


class CalendarRole(StrEnum):
    PUBLISH = "publish"  # visits are written here, and other entries block
    BUSY = "busy"  # read only
    MIRROR = "mirror"  # busy time is copied here


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarRef:
    """One calendar of one agent in one role. The same calendar may serve several agents."""

    id: CalendarId
    account: AccountId
    name: str  # as the configuration writes it
    agent: AgentId
    role: CalendarRole
    fields: frozenset[str] | None = None  # what may be written there; None: everything but tax id and phone


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsRight:
    """What an agent needs beside a mobile number to be sent SMS: an account that bears the costs, and the right."""

    billing: str = ""
    may_send: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    id: AgentId
    name: str
    email: str
    mobile: str | None = None
    hours: HoursId
    calendars: tuple[CalendarRef, ...] = ()
    scheduler_id: str | None = None
    scheduler_email: str | None = None
    sms: SmsRight | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerLink:
    """A project's event types at an outside scheduler: role -> the scheduler's own event type id."""

    account: AccountId
    event_types: Mapping[str, str]


class Activation(StrEnum):
    ON = "on"
    OFF = "off"
    AFTER_PARITY = "after_parity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    id: ProjectId
    name: str
    aliases: tuple[str, ...] = ()
    address: str = ""
    time_zone: str
    team: tuple[AgentId, ...]
    responsible: AgentId | None = None
    activation: Activation = Activation.ON
    event_types: Mapping[str, EventTypeId]  # role -> event type
    scheduler: SchedulerLink | None = None
    public_page: bool = False
    lock_property: bool = True
    verify_live: bool = False
    max_staleness: timedelta | None = None  # None: the policy's
    holidays: str | None = None
    photo_url: str | None = None
    facts: tuple[tuple[str, str], ...] = ()

    def find_event_type(self, named: str) -> EventTypeId | None:
        """Return the event type of the project with this id, else the one that has this role."""
        if named in self.event_types.values():
            return EventTypeId(named)
        return self.event_types.get(named)


class OnAgentMove(StrEnum):
    MOVE = "move"
    RESTORE = "restore"


class OnAgentDelete(StrEnum):
    ASK = "ask"
    CANCEL = "cancel"
    RESTORE = "restore"


class OnConflict(StrEnum):
    REASSIGN = "reassign"
    FLAG = "flag"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPolicy:
    """The [sync] table and its neighbours."""

    poll_every: timedelta = timedelta(minutes=5)
    full_reconcile_every: timedelta = timedelta(hours=12)
    look_ahead: timedelta = timedelta(days=120)
    pairing_wait: timedelta = timedelta(minutes=5)
    release_auto: bool = False
    max_staleness: timedelta = timedelta(minutes=30)
    mass_change: MassChange = field(default_factory=MassChange)
    on_agent_move: OnAgentMove = OnAgentMove.MOVE
    on_agent_delete: OnAgentDelete = OnAgentDelete.ASK
    on_conflict: tuple[OnConflict, ...] = (OnConflict.REASSIGN, OnConflict.FLAG)
    busy: BusyPolicy = field(default_factory=BusyPolicy)


class Anchor(StrEnum):
    BOOKING = "booking"
    START = "start"
    DAY = "day"  # a wall-clock time on the day of the visit


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageTime:
    """When a message is due: so long after (negative: before) its anchor, or at a time on the visit's day."""

    anchor: Anchor
    offset: timedelta = timedelta(0)
    at: time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRule:
    """Replaces the built-in message of its kind, everywhere or for the event types or projects it names."""

    kind: str
    event_types: frozenset[EventTypeId] | None = None
    projects: frozenset[ProjectId] | None = None
    when: MessageTime | None = None  # None: as built in
    to: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()  # in the order in which they are tried
    enabled: bool = True
    subject: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalPolicy:
    """How clients are asked for windows of their own, and how their answers come in."""

    answer_by: tuple[str, ...] = ("mail",)
    text_general: str = ""
    text_visit: str = ""
    expires: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """Agents, projects, teams, event types, hours and rules. Lookups by key never guess."""

    agents: Mapping[AgentId, Agent]
    projects: Mapping[ProjectId, Project]
    event_types: Mapping[EventTypeId, EventType]
    hours: Mapping[HoursId, WorkingHours]
    rules: tuple[Rule, ...] = ()
    policy: SyncPolicy = field(default_factory=SyncPolicy)
    locale: str = "es_CL"
    time_zone: str = "America/Santiago"
    reassign_locally: frozenset[AccountId] = frozenset()  # scheduler accounts whose visits we may hand over ourselves
    business_holidays: Mapping[ProjectId, frozenset[str]] = field(default_factory=dict)  # ISO days, per project
    quiet_hours: tuple[time, time] | None = None  # no message to a client from … until; may span midnight
    link_expires: timedelta = timedelta(days=30)
    travel: Mapping[tuple[ProjectId, ProjectId], timedelta] = field(default_factory=dict)  # both ways are in here
    messages: tuple[MessageRule, ...] = ()
    proposals: ProposalPolicy = field(default_factory=ProposalPolicy)
    _uses: Mapping[CalendarId, tuple[CalendarRef, ...]] = field(init=False, repr=False, compare=False)
    _at: Mapping[AccountId, tuple[CalendarRef, ...]] = field(init=False, repr=False, compare=False)

    _addresses: Mapping[str, tuple[AgentId, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        uses, at = dict[CalendarId, tuple[CalendarRef, ...]](), dict[AccountId, list[CalendarRef]]()
        for ref in self.calendars():
            uses[ref.id] = (*uses.get(ref.id, ()), ref)
            at.setdefault(ref.account, []).append(ref)
        addresses = dict[str, tuple[AgentId, ...]]()
        for agent in self.agents.values():
            address = agent.email.casefold()
            addresses[address] = (*addresses.get(address, ()), agent.id)
        object.__setattr__(self, "_addresses", addresses)
        object.__setattr__(self, "_uses", uses)
        object.__setattr__(self, "_at", {account: tuple(refs) for account, refs in at.items()})

    @property
    def region(self) -> str:
        """Return the country whose numbers and tax ids are read first: the locale's, else the home of its language."""
        language, _, country = self.locale.partition("_")
        return country or {"it": "IT", "de": "DE"}.get(language, "CL")

    def find_agent(self, named: str) -> AgentId | None:
        """Return the agent with this id, else the only one with this address, None where there is none."""
        if named in self.agents:
            return AgentId(named)
        found = self._addresses.get(named.casefold(), ())
        return found[0] if len(found) == 1 else None

    def calendars(self) -> list[CalendarRef]:
        """List every calendar of every agent, in the order of the configuration."""
        return [ref for agent in self.agents.values() for ref in agent.calendars]

    def calendars_at(self, account: AccountId) -> list[CalendarRef]:
        """List the calendars of one account, in the order of the configuration."""
        return list(self._at.get(account, ()))

    def calendar(self, calendar: CalendarId) -> list[CalendarRef]:
        """List the uses of one calendar: usually one, several where agents share it."""
        return list(self._uses.get(calendar, ()))
