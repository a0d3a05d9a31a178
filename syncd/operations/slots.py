"""Why a time is or is not offered, host by host, and an agent's busy time as syncd knows it."""

from datetime import timedelta

from syncd.control import Answer
from syncd.core.ids import EventTypeId
from syncd.core.interval import Interval
from syncd.core.visit import Refused
from syncd.flows.book import place_of
from syncd.flows.explain import explain_start, explained_json
from syncd.flows.hosts import busy_calendars
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
from syncd.operations.visits import reason_told, refusal

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
    hosts = explain_start(desk.context, place, start, desk.now)
    return Answer(body=explained_json(place, start, hosts, reason_told))


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
