"""Why a time is or is not offered, host by host, and an agent's busy time as syncd knows it."""

from datetime import datetime, timedelta

from syncd.control import Answer
from syncd.core.directory import Agent
from syncd.core.hours import booking_window_end, local_day, open_hours
from syncd.core.ids import AgentId, EventTypeId
from syncd.core.interval import Interval
from syncd.core.visit import Refused
from syncd.flows.book import Place, judge, place_of
from syncd.flows.hosts import busy_calendars, day_around, host_time, why_closed
from syncd.flows.show import local
from syncd.operations.desk import (
    Desk,
    Json,
    agent_named,
    project_named,
    read_moment,
    read_window,
    unknown,
    utc,
)
from syncd.operations.visits import reason_words, refusal
from syncd.store import Tx

BUSY_AHEAD = timedelta(days=14)


def explain_slot(desk: Desk, *, project: str, time: str, event_type: str | None = None) -> Answer:
    """Say for every host of the project whether a visit may begin at this time, and what stands in its way."""
    found = project_named(desk.directory, project)
    chosen = found.event_types.get(event_type, event_type) if event_type else None
    if chosen is not None and chosen not in found.event_types.values():
        raise unknown("event type of the project", str(event_type), [*found.event_types, *found.event_types.values()])
    start = read_moment(time, found.time_zone)
    place = place_of(desk.context, found.id, EventTypeId(chosen) if chosen else None)
    head: Json = {"project": found.id, "start": local(start, found.time_zone), "time_zone": found.time_zone}
    if isinstance(place, Refused):
        return Answer(body=head | {"offered": False, "reason": place.reason, "why": refusal(place), "hosts": []})
    with desk.context.store.read() as tx:
        hosts = [_host(desk, tx, place, agent, start) for agent in found.team]
    end = local(start + place.event_type.duration, found.time_zone)
    body = head | {
        "end": end,
        "event_type": place.event_type.id,
        "offered": any(one["free"] for one in hosts),
        "hosts": hosts,
    }
    return Answer(body=body)


def _host(desk: Desk, tx: Tx, place: Place, agent: AgentId, start: datetime) -> Json:
    reason = judge(desk.context, tx, place, agent, start, desk.now)
    return {
        "host": agent,
        "name": desk.directory.agents[agent].name,
        "free": reason is None,
        "reason": reason,
        "why": reason_words(reason) if reason is not None else "free",
        "details": _details(desk, tx, place, desk.directory.agents[agent], start),
    }


def _details(desk: Desk, tx: Tx, place: Place, agent: Agent, start: datetime) -> list[str]:
    """List everything that stands in the way, not only what is told first."""
    kind, zone = place.event_type, place.project.time_zone
    visit = Interval(start, start + kind.duration)
    guard = visit.pad(kind.buffer_before, kind.buffer_after)
    found = [*_taken(tx, agent, guard, zone, all_day=kind.all_day_blocks), *_policy(desk, place, start)]
    closed = why_closed(tx, desk.directory, agent, desk.now, place.project)
    if closed is not None:
        found.append(f"busy time unknown: {closed}")
    return found + _hours(desk, tx, place, agent, visit)


def _taken(tx: Tx, agent: Agent, guard: Interval, zone: str, *, all_day: bool) -> list[str]:
    blocks = tx.calendars.blocks(busy_calendars(agent), guard)
    counted = [block for block in blocks if all_day or not block.all_day]
    lines = [f"{block.calendar} is busy {_span(block.interval, zone)}" for block in counted]
    holds = tx.visits.holds([agent.id], guard)
    return lines + [f"visit {hold.visit} holds {_span(hold.guard, zone)}, buffers included" for hold in holds]


def _hours(desk: Desk, tx: Tx, place: Place, agent: Agent, visit: Interval) -> list[str]:
    kind, zone = place.event_type, place.project.time_zone
    day = day_around(visit.start, zone)
    opened = open_hours(desk.directory.hours[kind.hours or agent.hours], day)
    lines = []
    if not any(one.contains(visit) for one in opened):
        lines.append(f"works that day {', '.join(_span(one, zone) for one in opened) or 'not at all'}")
    elif not any((visit.start - one.start) % kind.increment == timedelta(0) for one in opened if one.contains(visit)):
        lines.append(f"visits begin every {kind.increment} from the opening")
    counts = host_time(tx, desk.directory, agent.id, kind, day, desk.now, place.project).counts
    count = counts.get(local_day(visit.start, zone), 0)
    if kind.daily_cap is not None and count >= kind.daily_cap:
        lines.append(f"has {count} of at most {kind.daily_cap} visits of this type that day")
    return lines


def _policy(desk: Desk, place: Place, start: datetime) -> list[str]:
    kind, zone, now = place.event_type, place.project.time_zone, desk.now
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


def busy(desk: Desk, *, agent: str, start: str | None = None, end: str | None = None) -> Answer:
    """List an agent's blocks and holds in a window, each with its source, merged nowhere."""
    found = agent_named(desk.directory, agent)
    window = read_window(start, end, desk.directory.time_zone, desk.now, BUSY_AHEAD)
    accounts = {ref.id: ref.account for ref in found.calendars}
    with desk.context.store.read() as tx:
        rows = [
            _busy_row(block.interval, kind="block", account=accounts[block.calendar], calendar=block.calendar)
            for block in tx.calendars.blocks(busy_calendars(found), window)
        ]
        for hold in tx.visits.holds([found.id], window):
            source = tx.visits.get(hold.visit).source.account
            rows.append(_busy_row(hold.guard, kind="hold", account=source, calendar=None) | {"visit": hold.visit})
    return Answer(body=sorted(rows, key=lambda row: (row["start"], row["end"], row["kind"])))


def _busy_row(interval: Interval, *, kind: str, account: str, calendar: str | None) -> Json:
    return {
        "start": utc(interval.start),
        "end": utc(interval.end),
        "kind": kind,
        "account": account,
        "calendar": calendar,
    }
