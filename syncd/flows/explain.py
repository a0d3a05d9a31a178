"""Why a time is or is not offered, host by host: the very judgement that a booking meets, and all that speaks
against it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from syncd.core.directory import Agent
from syncd.core.hours import booking_window_end, local_day, open_hours
from syncd.core.ids import AgentId
from syncd.core.interval import Interval
from syncd.core.visit import Dwelling
from syncd.flows.book import Place, gravest, judge
from syncd.flows.context import Context
from syncd.flows.dwelling import VISITED, is_visited
from syncd.flows.hosts import busy_calendars, day_around, host_time, reach, ways_to, why_closed
from syncd.flows.show import Json, local
from syncd.store import Tx

Told = Callable[[str], tuple[str, str]]  # a reason -> the type of its refusal, and its sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """What one host says to a start: `reason` is what a booking would be refused with, None where it would be taken;
    `details` are all that speaks against it, not only what is told first."""

    host: AgentId
    name: str
    reason: str | None
    details: tuple[str, ...]


def explain_start(
    ctx: Context, place: Place, start: datetime, now: datetime, dwelling: Dwelling | None = None
) -> list[Explained]:
    """Judge a start for every host of the project's team, in the team's order; nobody can visit a dwelling twice."""
    with ctx.store.read() as tx:
        hosts = [_host(ctx, tx, place, agent, start, now) for agent in place.project.team]
        wanted = Interval(start, start + place.event_type.duration)
        if not is_visited(tx, place.project.id, dwelling, wanted):
            return hosts
    return [replace(one, reason="slot_taken", details=(VISITED, *one.details)) for one in hosts]


def reason_of(hosts: Sequence[Explained]) -> str | None:
    """Return the reason with which a booking at this start would be refused, None where somebody can take it."""
    reasons = [one.reason for one in hosts if one.reason is not None]
    return gravest(reasons) if len(reasons) == len(hosts) else None


def explained_json(place: Place, start: datetime, hosts: Sequence[Explained], told: Told) -> Json:
    """Show what every host says to a start, with the type and the sentence of each reason's refusal."""
    zone, reason = place.project.time_zone, reason_of(hosts)
    return {
        "project": place.project.id,
        "event_type": place.event_type.id,
        "start": local(start, zone),
        "end": local(start + place.event_type.duration, zone),
        "time_zone": zone,
        "offered": reason is None,
        "reason": reason,
        **_told(reason, told),
        "hosts": [_host_json(one, told) for one in hosts],
    }


def _host_json(one: Explained, told: Told) -> Json:
    return {
        "host": one.host,
        "name": one.name,
        "free": one.reason is None,
        "reason": one.reason,
        **_told(one.reason, told),
        "details": list(one.details),
    }


def _told(reason: str | None, told: Told) -> Json:
    kind, why = told(reason) if reason is not None else (None, "free")
    return {"type": kind, "why": why}


def _host(ctx: Context, tx: Tx, place: Place, agent: AgentId, start: datetime, now: datetime) -> Explained:
    found = ctx.directory.agents[agent]
    return Explained(
        host=agent,
        name=found.name,
        reason=judge(ctx, tx, place, agent, start, now),
        details=tuple(_details(ctx, tx, place, found, start, now)),
    )


def _details(ctx: Context, tx: Tx, place: Place, agent: Agent, start: datetime, now: datetime) -> list[str]:
    kind, zone = place.event_type, place.project.time_zone
    visit = Interval(start, start + kind.duration)
    guard = visit.pad(kind.buffer_before, kind.buffer_after)
    found = [*_taken(tx, agent, guard, zone, all_day=kind.all_day_blocks), *_policy(place, start, now)]
    found += _on_the_way(ctx, tx, place, agent, guard)
    closed = why_closed(tx, ctx.directory, agent, now, place.project)
    if closed is not None:
        found.append(f"busy time unknown: {closed}")
    return found + _hours(ctx, tx, place, agent, visit, now)


def _taken(tx: Tx, agent: Agent, guard: Interval, zone: str, *, all_day: bool) -> list[str]:
    blocks = tx.calendars.blocks(busy_calendars(agent), guard)
    counted = [block for block in blocks if all_day or not block.all_day]
    lines = [f"{block.calendar} is busy {_span(block.interval, zone)}" for block in counted]
    holds = tx.visits.holds([agent.id], guard)
    return lines + [f"visit {hold.visit} holds {_span(hold.guard, zone)}, buffers included" for hold in holds]


def _on_the_way(ctx: Context, tx: Tx, place: Place, agent: Agent, guard: Interval) -> list[str]:
    """Name the visits elsewhere between which and this one there is no time for the way (N15)."""
    ways, zone = ways_to(ctx.directory, place.project), place.project.time_zone
    longest = max(ways.values(), default=timedelta(0))
    lines = []
    for hold in tx.visits.holds([agent.id], guard.pad(longest, longest)):
        since, until = reach(hold, ways, place.event_type)
        if not hold.guard.overlaps(guard) and Interval.of_epoch(since, until).overlaps(guard):
            minutes = ways[hold.project or place.project.id] // timedelta(minutes=1)
            lines.append(
                f"{minutes} minutes to travel: visit {hold.visit} in {hold.project} {_span(hold.interval, zone)}"
            )
    return lines


def _hours(ctx: Context, tx: Tx, place: Place, agent: Agent, visit: Interval, now: datetime) -> list[str]:
    kind, zone = place.event_type, place.project.time_zone
    day = day_around(visit.start, zone)
    opened = open_hours(ctx.directory.hours[kind.hours or agent.hours], day)
    lines = []
    if not any(one.contains(visit) for one in opened):
        lines.append(f"works that day {', '.join(_span(one, zone) for one in opened) or 'not at all'}")
    elif not any((visit.start - one.start) % kind.increment == timedelta(0) for one in opened if one.contains(visit)):
        lines.append(f"visits begin every {kind.increment} from the opening")
    counts = host_time(tx, ctx.directory, agent.id, kind, day, now, place.project).counts
    count = counts.get(local_day(visit.start, zone), 0)
    if kind.daily_cap is not None and count >= kind.daily_cap:
        lines.append(f"has {count} of at most {kind.daily_cap} visits of this type that day")
    return lines


def _policy(place: Place, start: datetime, now: datetime) -> list[str]:
    kind, zone = place.event_type, place.project.time_zone
    lines = []
    if start < now + kind.minimum_notice:
        lines.append(f"bookable from {local(now + kind.minimum_notice, zone)} on: {kind.minimum_notice} notice")
    if not kind.same_day and day_around(start, zone) == day_around(now, zone):
        lines.append("not on the same day")
    last = booking_window_end(kind.window, now, zone, place.holidays)
    if start >= last:
        lines.append(f"bookable until {local(last, zone)}")
    return lines


def _span(interval: Interval, zone: str) -> str:
    return f"{local(interval.start, zone)} to {local(interval.end, zone)}"
