"""What many scenarios say: times of the fixture's Tuesday, an installation with one agent, what people were told."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from syncd.core.directory import Directory, SyncPolicy
from syncd.core.event_type import EventType
from syncd.core.ids import VisitId
from syncd.core.interval import Interval
from syncd.core.visit import Command, Refused, Slot, Visit
from syncd.flows import book
from tests.world import town
from tests.world.stage import Stage

TUESDAY = date(2026, 5, 12)


def at(hour: int, minute: int = 0, *, day: date = TUESDAY, zone: str = town.ZONE) -> datetime:
    """Return a local time; without a day it is the fixture's Tuesday."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def span(hour: int, minute: int = 0, *, minutes: int = 60, day: date = TUESDAY) -> Interval:
    start = at(hour, minute, day=day)
    return Interval(start, start + timedelta(minutes=minutes))


def only_ana(event_type: EventType = town.VISITA, policy: SyncPolicy | None = None) -> Directory:
    return town.directory((town.agent("ana"),), event_type=event_type, policy=policy)


def kind(**changes: object) -> EventType:
    return replace(town.VISITA, **changes)  # type: ignore[arg-type]


def booked(stage: Stage, start: datetime, **changes: object) -> Visit:
    """Book through the flow that page, API and shell share; it must succeed."""
    outcome = book.book(stage.ctx, stage.booking(start, **changes), stage.cause())
    assert isinstance(outcome, Visit), outcome
    return outcome


def refused(stage: Stage, start: datetime, **changes: object) -> str:
    """Book the same way; it must be refused. Returns the reason."""
    outcome = book.book(stage.ctx, stage.booking(start, **changes), stage.cause())
    assert isinstance(outcome, Refused), outcome
    return outcome.reason


def done(stage: Stage, visit: str, command: Command, actor: str = "staff:carla") -> Visit:
    outcome = book.act(stage.ctx, VisitId(visit), command, stage.cause(actor))
    assert isinstance(outcome, Visit), outcome
    return outcome


def not_done(stage: Stage, visit: str, command: Command, actor: str = "staff:carla") -> Refused:
    outcome = book.act(stage.ctx, VisitId(visit), command, stage.cause(actor))
    assert isinstance(outcome, Refused), outcome
    return outcome


def offered(stage: Stage, window: Interval) -> list[Slot]:
    found = book.offer(stage.ctx, town.CASAS, None, window, stage.clock.now())
    assert not isinstance(found, Refused), found
    return found


def starts(stage: Stage, day: date = TUESDAY) -> set[str]:
    """Return the starts offered on a local day, as "HH:MM"."""
    whole = Interval(at(0, day=day), at(0, day=day) + timedelta(days=1))
    return {slot.interval.start.astimezone(ZoneInfo(town.ZONE)).strftime("%H:%M") for slot in offered(stage, whole)}


def told(stage: Stage, to: str = "client") -> list[tuple[str, str]]:
    """Return (visit, kind) of every message, in order."""
    return [(one.about, one.kind) for one in stage.notices("message") if one.to == to]


def kinds_told(stage: Stage, visit: str, to: str = "client") -> list[str]:
    return [kind for about, kind in told(stage, to) if about == visit]


def alerts(stage: Stage, state: str | None = "open") -> list[str]:
    """List alerts by kind, but for the one that most stages have: nobody carries their messages."""
    return [one.kind for one in stage.notices("alert", state=state) if one.kind != "no_messenger"]


def tasks(stage: Stage, visit: str) -> list[str]:
    return [one.kind for one in stage.notices("task") if one.about == visit]
