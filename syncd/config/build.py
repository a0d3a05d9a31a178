"""Makes the frozen snapshot that decisions read out of the checked tables. Nothing can be wrong any more here."""

from datetime import date, timedelta

from syncd.config.document import Document
from syncd.config.entries import (
    AgentTable,
    AnyRequirementTable,
    EventTypeTable,
    HoursTable,
    MessageTable,
    ProjectTable,
    RuleTable,
    SchedulerTable,
    WeekTable,
)
from syncd.config.holiday_codes import days_of
from syncd.config.references import roles_of
from syncd.core.busy import BusyPolicy, MassChange
from syncd.core.directory import (
    Agent,
    CalendarRef,
    CalendarRole,
    Directory,
    MessageRule,
    OnAgentDelete,
    OnAgentMove,
    OnConflict,
    Project,
    ProposalPolicy,
    SchedulerLink,
    SmsRight,
    SyncPolicy,
)
from syncd.core.event_type import Assignment, EventType, NoShowRule, Question
from syncd.core.hours import Week, WorkingHours
from syncd.core.ids import AccountId, AgentId, CalendarId, EventTypeId, HoursId, ProjectId
from syncd.core.routing import Rule


def directory_of(document: Document, today: date) -> Directory:
    """Return the directory; holidays are known for the years around today."""
    daemon = document.daemon
    agents = [_agent(one) for one in document.agents.values()]
    return Directory(
        agents={one.id: one for one in agents},
        projects={ProjectId(name): _project(document, name, one) for name, one in document.projects.items()},
        event_types={EventTypeId(name): _event_type(name, one) for name, one in document.event_types.items()},
        hours={HoursId(name): _hours(document, name, one, today) for name, one in document.hours.items()},
        rules=tuple(_rule(one) for one in document.rules.values()),
        policy=_policy(document),
        locale=daemon.locale,
        time_zone=daemon.time_zone,
        reassign_locally=frozenset(
            AccountId(name)
            for name, one in document.accounts.items()
            if getattr(one.settings, "reassign_locally", False) is True
        ),
        business_holidays={
            ProjectId(name): _business_holidays(document, one, today) for name, one in document.projects.items()
        },
        quiet_hours=daemon.quiet_hours,
        link_expires=daemon.link_expires,
        travel=_travel(document),
        messages=tuple(_message(one) for one in document.messages.values()),
        proposals=_proposals(document),
    )


def calendar_id(account: str, name: str) -> CalendarId:
    return CalendarId(f"{account}/{name}")


def _agent(table: AgentTable) -> Agent:
    agent = AgentId(table.id)
    calendars = tuple(
        CalendarRef(
            id=calendar_id(one.account, one.calendar),
            account=AccountId(one.account),
            name=one.calendar,
            agent=agent,
            role=CalendarRole(one.role),
            fields=None if one.fields is None else frozenset(one.fields),
        )
        for one in table.calendars
    )
    return Agent(
        id=agent,
        name=table.name,
        email=table.email,
        mobile=table.mobile,
        hours=HoursId(table.hours),
        calendars=calendars,
        scheduler_id=table.scheduler_id,
        scheduler_email=table.scheduler_email,
        sms=None if table.sms is None else SmsRight(billing=table.sms.billing or "", may_send=table.sms.may_send),
    )


def _week(table: WeekTable) -> Week:
    return (table.mon, table.tue, table.wed, table.thu, table.fri, table.sat, table.sun)


def _hours(document: Document, name: str, table: HoursTable, today: date) -> WorkingHours:
    return WorkingHours(
        id=HoursId(name),
        time_zone=table.time_zone or document.daemon.time_zone,
        weekly=_week(table.weekly),
        changes=tuple(sorted((one.from_, _week(one.weekly)) for one in table.changes)),
        dates=dict(table.dates),
        holidays=days_of(table.holidays, today.year) if table.holidays else frozenset(),
    )


def _event_type(name: str, table: EventTypeTable) -> EventType:
    no_show = table.no_show
    return EventType(
        id=EventTypeId(name),
        name=table.name,
        duration=table.duration,
        buffer_before=table.buffer_before,
        buffer_after=table.buffer_after,
        increment=table.increment or table.buffer_before + table.duration + table.buffer_after,
        minimum_notice=table.minimum_notice,
        same_day=table.same_day,
        window=table.window,
        assignment=Assignment(table.assignment),
        approval=table.approval,
        pending_holds=table.pending.holds,
        pending_expires=table.pending.expires,
        daily_cap=table.daily_cap,
        all_day_blocks=table.all_day == "busy",
        cancel_notice=table.cancel_notice,
        cancel_grace=table.cancel_grace,
        title=table.title,
        body=table.body,
        location=table.location,
        description=table.description,
        color=table.color,
        questions=tuple(Question(text=one.text, required=one.required) for one in table.questions),
        hours=None if table.hours is None else HoursId(table.hours),
        no_show=NoShowRule() if no_show is None else NoShowRule(follow_up=no_show.follow_up, release=no_show.release),
        unconfirmed_release=None if table.unconfirmed is None else table.unconfirmed.release,
    )


def _project(document: Document, name: str, table: ProjectTable) -> Project:
    return Project(
        id=ProjectId(name),
        name=table.name,
        aliases=tuple(table.aliases),
        address=table.address,
        time_zone=table.time_zone or document.daemon.time_zone,
        team=tuple(AgentId(one) for one in table.team),
        responsible=None if table.responsible is None else AgentId(table.responsible),
        activation=table.active,
        event_types={role: EventTypeId(one) for role, one in roles_of(table.event_types).items()},
        scheduler=None if table.scheduler is None else _scheduler(table.scheduler),
        public_page=table.public_page,
        lock_property=table.lock_property,
        verify_live=table.verify_live,
        max_staleness=table.max_staleness,
        holidays=holidays_of(document, table),
        photo_url=table.photo_url,
        facts=tuple((one.label, one.value) for one in table.facts),
    )


def _scheduler(table: SchedulerTable) -> SchedulerLink:
    return SchedulerLink(account=AccountId(table.account), event_types=roles_of(table))


def holidays_of(document: Document, project: ProjectTable) -> str | None:
    """Return the holiday code of a project: its own, else that of its team's hours where all of them agree."""
    if project.holidays is not None:
        return project.holidays
    team = [agent for agent in document.agents.values() if agent.id in project.team]
    codes = {document.hours[agent.hours].holidays for agent in team}
    return codes.pop() if len(codes) == 1 else None


def _business_holidays(document: Document, project: ProjectTable, today: date) -> frozenset[str]:
    code = holidays_of(document, project)
    return frozenset() if code is None else frozenset(day.isoformat() for day in days_of(code, today.year))


def _rule(table: RuleTable) -> Rule:
    any_of = table.any_requirement or AnyRequirementTable()
    return Rule(
        event_type=table.event_type,
        priorities=_folded(any_of.priority),
        in_warranty=any_of.in_warranty,
        categories=_folded(any_of.category),
        requirements_over=table.requirements_over,
        projects=None if table.projects is None else frozenset(ProjectId(one) for one in table.projects),
    )


def _folded(words: list[str] | None) -> frozenset[str] | None:
    return None if words is None else frozenset(one.casefold() for one in words)


def _policy(document: Document) -> SyncPolicy:
    sync, busy = document.sync, document.busy_policy
    return SyncPolicy(
        poll_every=sync.poll_every,
        full_reconcile_every=sync.full_reconcile_every,
        look_ahead=sync.look_ahead,
        pairing_wait=sync.pairing_wait,
        release_auto=sync.release == "auto",
        max_staleness=sync.max_staleness,
        mass_change=MassChange(count=sync.mass_change.count, ratio=sync.mass_change.ratio),
        on_agent_move=OnAgentMove(sync.on_agent_move),
        on_agent_delete=OnAgentDelete(sync.on_agent_delete),
        on_conflict=tuple(OnConflict(one) for one in sync.on_conflict),
        busy=BusyPolicy(**{name: getattr(busy, name) == "busy" for name in type(busy).model_fields}),
    )


def _travel(document: Document) -> dict[tuple[ProjectId, ProjectId], timedelta]:
    """Return the ways in both directions; a way back that is written down has its own length."""
    ways: dict[tuple[ProjectId, ProjectId], timedelta] = {}
    for start, ends in document.travel.minutes.items():
        for end, minutes in ends.items():
            ways[ProjectId(start), ProjectId(end)] = timedelta(minutes=minutes)
    back = {(end, start): length for (start, end), length in ways.items()}
    return back | ways


def _message(table: MessageTable) -> MessageRule:
    kinds, projects = table.event_types, table.projects
    return MessageRule(
        kind=table.kind,
        event_types=None if kinds is None else frozenset(EventTypeId(one) for one in kinds),
        projects=None if projects is None else frozenset(ProjectId(one) for one in projects),
        when=table.when,
        to=tuple(table.to or ()),
        channels=tuple(table.channels or ()),
        enabled=table.enabled,
        subject=table.subject,
        text=table.text,
    )


def _proposals(document: Document) -> ProposalPolicy:
    table = document.proposals
    return ProposalPolicy(
        answer_by=tuple(table.answer_by),
        text_general=table.texts.general,
        text_visit=table.texts.visit,
        expires=table.expires,
    )
