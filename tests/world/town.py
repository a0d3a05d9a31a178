"""The common fixture of the scenarios: project Casas in Santiago, its team, event type and hours."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from syncd.core.directory import Agent, CalendarRef, CalendarRole, Directory, Project, SchedulerLink, SyncPolicy
from syncd.core.event_type import EventType, Window
from syncd.core.hours import WorkingHours
from syncd.core.ids import AccountId, AgentId, CalendarId, EventTypeId, HoursId, ProjectId

ZONE = "America/Santiago"
START = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)  # Monday 08:00 local
TUESDAY = datetime(2026, 5, 12, 14, 0, tzinfo=UTC)  # 10:00 local: "10:00" of the scenarios
CASAS, STANDARD, OFFICE = ProjectId("casas"), EventTypeId("visita"), HoursId("oficina")
SCHEDULER, HOME = AccountId("sched"), AccountId("cal")
REMOTE_STANDARD = "https://api.example/event_types/standard"

WEEKDAYS = WorkingHours(id=OFFICE, time_zone=ZONE, weekly=tuple([((time(9), time(18)),)] * 5 + [()] * 2))
VISITA = EventType(
    id=STANDARD,
    name="Visita",
    duration=timedelta(minutes=20),
    buffer_after=timedelta(minutes=10),
    increment=timedelta(minutes=30),
    minimum_notice=timedelta(hours=12),
    same_day=False,
    window=Window(business_days=15),
    title="Visita {{ proyecto }} - {{ respuesta_1 }}",
)


def agent(name: str, *roles: CalendarRole, account: AccountId = HOME) -> Agent:
    """Make an agent with one calendar per role, named "<agent>-<role>"."""
    calendars = tuple(
        CalendarRef(
            id=CalendarId(f"{account}/{name}-{role.value}"),
            account=account,
            name=f"{name}-{role.value}",
            agent=AgentId(name),
            role=role,
        )
        for role in roles or (CalendarRole.PUBLISH,)
    )
    return Agent(id=AgentId(name), name=name.capitalize(), email=f"{name}@a.example", hours=OFFICE, calendars=calendars)


def directory(
    agents: Sequence[Agent] = (agent("ana"), agent("beto")),
    *,
    event_type: EventType = VISITA,
    scheduler: bool = True,
    policy: SyncPolicy | None = None,
    event_types: Mapping[str, EventType] | None = None,
    **changes: object,
) -> Directory:
    """Build the directory; `changes` replace fields of the project."""
    kinds = dict(event_types or {"standard": event_type})
    link = SchedulerLink(account=SCHEDULER, event_types={"standard": REMOTE_STANDARD}) if scheduler else None
    project = Project(
        id=CASAS,
        name="Casas",
        address="Av. Siempre Viva 742",
        time_zone=ZONE,
        team=tuple(one.id for one in agents),
        event_types={role: kind.id for role, kind in kinds.items()},
        scheduler=link,
    )
    return Directory(
        agents={one.id: one for one in agents},
        projects={CASAS: replace(project, **changes)},  # type: ignore[arg-type]
        event_types={kind.id: kind for kind in kinds.values()},
        hours={OFFICE: WEEKDAYS},
        policy=policy or SyncPolicy(),
        time_zone=ZONE,
    )
