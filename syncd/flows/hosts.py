"""Loads what availability needs to know of hosts: open hours, busy spans, holds, and whether their busy time is
known at all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import chain

from syncd.core.availability import FreeStarts, HostTime, free_slots, free_starts, listed
from syncd.core.directory import Agent, CalendarRole, Directory, Project
from syncd.core.event_type import EventType
from syncd.core.hours import booking_window_end, day_interval, local_day, open_spans
from syncd.core.ids import AgentId, CalendarId, HoursId, ProjectId, VisitId
from syncd.core.interval import Interval
from syncd.core.limits import LONGEST_VISIT
from syncd.core.visit import Slot
from syncd.flows.context import Context
from syncd.store import Tx
from syncd.store.calendars import Glance
from syncd.store.records import Hold

MOMENT = timedelta(microseconds=1)


def busy_calendars(*agents: Agent) -> list[CalendarId]:
    """List the calendars whose strangers' events block these agents: all but the mirrors."""
    return [ref.id for agent in agents for ref in agent.calendars if ref.role is not CalendarRole.MIRROR]


def why_closed(tx: Tx, directory: Directory, agent: Agent, now: datetime, project: Project | None = None) -> str | None:
    """Say why the agent's busy time is unknown, None where it is known well enough (P7, N08)."""
    return _why_closed(tx.calendars.glances(busy_calendars(agent)), now - _limit(directory, project))


def _limit(directory: Directory, project: Project | None) -> timedelta:
    return (project.max_staleness if project else None) or directory.policy.max_staleness


def _why_closed(glances: Mapping[CalendarId, Glance], since: datetime) -> str | None:
    for calendar, seen in glances.items():
        if seen.attention:
            return f"{calendar}: {seen.attention}"
        if seen.read_at is None:
            return f"{calendar} has never been read"
        if seen.read_at < since:
            return f"{calendar} was last read at {seen.read_at:%Y-%m-%d %H:%MZ}"
    return None


# --- one start of one host ------------------------------------------------------------------------------------------


def host_time(
    tx: Tx,
    directory: Directory,
    agent_id: AgentId,
    event_type: EventType,
    window: Interval,
    now: datetime,
    project: Project | None = None,
    ignoring: VisitId | None = None,
) -> HostTime:
    """Return one agent's time around the window; `ignoring` leaves out a visit that is about to move."""
    agent = directory.agents[agent_id]
    zone = project.time_zone if project else directory.time_zone
    wide = _whole_days(window.start, window.end, event_type, zone)
    opened = open_spans(directory.hours[event_type.hours or agent.hours], wide)
    holds = _holds(tx, directory, agent_id, event_type, wide, project, ignoring)
    time = _time(tx, agent, event_type, wide, zone, opened, holds, ignoring)
    return replace(time, closed=why_closed(tx, directory, agent, now, project))


def _whole_days(start: datetime, end: datetime, event_type: EventType, zone: str) -> Interval:
    """Return the local days from start to end, and beyond them as far as the guard of a visit there may reach."""
    first, last = local_day(start, zone), local_day(end - MOMENT, zone)
    return _days(first, last, zone, event_type.buffer_before, LONGEST_VISIT + event_type.buffer_after)


@lru_cache(maxsize=1024)
def _days(first: date, last: date, zone: str, before: timedelta, after: timedelta) -> Interval:
    return Interval(day_interval(first, zone).start, day_interval(last, zone).end).pad(before, after)


def _time(
    tx: Tx,
    agent: Agent,
    event_type: EventType,
    wide: Interval,
    zone: str,
    opened: Sequence[tuple[int, int]],
    holds: Sequence[tuple[int, int]],
    ignoring: VisitId | None = None,
) -> HostTime:
    """Load blocks and counts; whether the host is closed is the caller's to fill in."""
    spans = tx.calendars.spans(busy_calendars(agent), wide.epoch, all_day=event_type.all_day_blocks)
    counts = _counts(tx, agent.id, event_type, wide, zone, ignoring)
    return HostTime(agent=agent.id, open=opened, busy=_in_order([*spans.values()]), holds=holds, counts=counts)


def _holds(
    tx: Tx,
    directory: Directory,
    agent: AgentId,
    event_type: EventType,
    wide: Interval,
    project: Project | None,
    ignoring: VisitId | None,
) -> list[tuple[int, int]]:
    """Return what an agent's other visits take, by start; the way from and to other projects included (N15)."""
    ways = ways_to(directory, project)
    if ignoring is None and not ways:
        return tx.visits.guards(agent, wide.epoch)
    longest = max(ways.values(), default=timedelta(0))
    holds = (hold for hold in tx.visits.holds([agent], wide.pad(longest, longest)) if hold.visit != ignoring)
    return sorted(reach(hold, ways, event_type) for hold in holds)


def ways_to(directory: Directory, project: Project | None) -> Mapping[ProjectId, timedelta]:
    """Return how long it takes from and to each other project that has a way to this one."""
    if project is None or not directory.travel:
        return {}
    return {start: way for (start, end), way in directory.travel.items() if end == project.id}


def reach(hold: Hold, ways: Mapping[ProjectId, timedelta], event_type: EventType) -> tuple[int, int]:
    """Return what a hold takes from a visit of this type: its guard, or the time to get there where that is more.

    The way lies between the visits, beside their buffers and not after them: a visit's guard, which is what is compared
    with the result, reaches its own buffers into it.
    """
    way = ways.get(hold.project, timedelta(0)) if hold.project is not None else timedelta(0)
    begin, end = hold.guard.epoch
    if not way:
        return begin, end
    earliest = hold.interval.start - way + event_type.buffer_after
    latest = hold.interval.end + way - event_type.buffer_before
    return min(begin, int(earliest.timestamp())), max(end, int(latest.timestamp()))


def _in_order(lists: Sequence[list[tuple[int, int]]]) -> list[tuple[int, int]]:
    return lists[0] if len(lists) == 1 else sorted(chain.from_iterable(lists))


def _counts(
    tx: Tx, agent: AgentId, event_type: EventType, wide: Interval, zone: str, ignoring: VisitId | None
) -> dict[date, int]:
    """Count active visits of the type by local day; those that hold no time count as well."""
    counts: dict[date, int] = {}
    if event_type.daily_cap is None:
        return counts
    for visit, start in tx.visits.starts(agent, event_type.id, wide.epoch):
        if visit != ignoring:
            day = local_day(datetime.fromtimestamp(start, UTC), zone)
            counts[day] = counts.get(day, 0) + 1
    return counts


def day_around(moment: datetime, zone: str) -> Interval:
    """Return the local day of a moment: the window in which one start is judged."""
    return day_interval(local_day(moment, zone), zone)


# --- all starts of a team -------------------------------------------------------------------------------------------


def offered(
    ctx: Context,
    tx: Tx,
    team: Sequence[AgentId],
    event_type: EventType,
    project: Project,
    window: Interval,
    now: datetime,
) -> list[Slot]:
    """List what may be booked in the window now, from free starts that are kept while nothing changes.

    `tx` is a snapshot, not a write: see KeptStarts.
    """
    zone = project.time_zone
    holidays = ctx.directory.business_holidays.get(project.id, frozenset())
    last = booking_window_end(event_type.window, now, zone, holidays)
    if last <= now:
        return []
    ahead = _whole_days(now, last, event_type, zone)
    since = now - _limit(ctx.directory, project)
    free = _Team(ctx, tx, tuple(team), event_type, ahead, project, since).slots()
    return listed(event_type, free, window, now, zone, last)


Revision = tuple[int, ...]  # of an agent's visits and of each calendar that blocks


@dataclass(slots=True)
class _Team:
    """One question about a team: the whole booking window of an event type, in one snapshot."""

    ctx: Context
    tx: Tx
    team: tuple[AgentId, ...]
    event_type: EventType
    ahead: Interval
    project: Project
    since: datetime  # busy time that was read earlier is not known

    def slots(self) -> Sequence[Slot]:
        """Return the team's free slots: those that are kept while nothing in the team changed, or worked out anew."""
        pulse = self._pulse()
        seen = pulse if pulse is not None else self._revisions()
        key, revision = (self.project.id, self.event_type.id), (self.ahead, self.ctx.store.loads, self.team, seen)
        found: Sequence[Slot] | None = self.ctx.kept.find(key, revision)
        if found is None:
            found = free_slots(self.event_type, self._free_starts())
            self.ctx.kept.keep(key, revision, found, len(found))
        return found

    def _pulse(self) -> int | None:
        """Return what the slots of a whole team depend on in one number, None where somebody is closed."""
        return self.tx.calendars.pulse(self._calendars(), self.team, self.since)

    def _calendars(self) -> tuple[CalendarId, ...]:
        """Return every calendar that blocks somebody in the team; a context keeps one directory, so they stay."""
        found: tuple[CalendarId, ...] | None = self.ctx.kept.find(self.team, None)
        if found is None:
            agents = self.ctx.directory.agents
            found = tuple(sorted(set(busy_calendars(*[agents[one] for one in self.team]))))
            self.ctx.kept.keep(self.team, None, found, len(found))
        return found

    def _revisions(self) -> dict[AgentId, Revision | None]:
        """Return what each agent's free starts depend on, None for one whose busy time is not known."""
        calendars = {one: busy_calendars(self.ctx.directory.agents[one]) for one in self.team}
        glances = self.tx.calendars.glances([*chain.from_iterable(calendars.values())])
        found: dict[AgentId, Revision | None] = {}
        for agent, visits in zip(self.team, self.tx.visits.revision(self.team), strict=True):
            seen = {one: glances[one] for one in calendars[agent]}
            known = _why_closed(seen, self.since) is None
            found[agent] = (visits, *(one.revision for one in seen.values())) if known else None
        return found

    def _free_starts(self) -> list[FreeStarts | None]:
        """Return each agent's free starts, worked out anew only for those who changed."""
        opened: dict[HoursId, list[tuple[int, int]]] = {}
        agents = self.ctx.directory.agents
        return [
            self._kept(agents[agent], revision, opened) if revision is not None else None
            for agent, revision in self._revisions().items()
        ]

    def _kept(self, agent: Agent, revision: Revision, opened: dict[HoursId, list[tuple[int, int]]]) -> FreeStarts:
        # What other visits take depends on the place only where there are ways between places.
        place = self.project.id if self.ctx.directory.travel else self.project.time_zone
        key, full = (agent.id, self.event_type.id, place), (self.ahead, self.ctx.store.loads, revision)
        known: FreeStarts | None = self.ctx.kept.find(key, full)
        if known is None:
            known = self._work_out(agent, opened)
            self.ctx.kept.keep(key, full, known, len(known.free))
        return known

    def _work_out(self, agent: Agent, opened: dict[HoursId, list[tuple[int, int]]]) -> FreeStarts:
        hours = self.event_type.hours or agent.hours
        if hours not in opened:  # most agents of a team share them
            opened[hours] = open_spans(self.ctx.directory.hours[hours], self.ahead)
        zone = self.project.time_zone
        holds = _holds(self.tx, self.ctx.directory, agent.id, self.event_type, self.ahead, self.project, None)
        time = _time(self.tx, agent, self.event_type, self.ahead, zone, opened[hours], holds)
        return free_starts(self.event_type, time, zone)
