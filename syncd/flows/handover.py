"""Hands one agent's visits in a project over to a colleague from a day on: all that can go, in one transaction.

What cannot go stays with its host and is listed with the reason. Knows no words of messages and no way in.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from syncd.core.directory import Project
from syncd.core.hours import day_interval
from syncd.core.ids import AccountId, AgentId, ProjectId
from syncd.core.interval import Interval
from syncd.core.transition import decide
from syncd.core.visit import Reassign, Refused, Visit, VisitState
from syncd.errors import SlotTaken
from syncd.flows.book import HELD_ANYWAY, Place, judge, moved_from
from syncd.flows.carry import fixed_accounts, touch_carry
from syncd.flows.context import Context
from syncd.flows.say import message, message_of_several
from syncd.flows.show import local
from syncd.store import Tx
from syncd.store.queue import WorkKind
from syncd.store.visits import Cause

NOTE = "hand-over"
FAR = timedelta(days=20 * 366)
MANY = 100_000
ACTIVE = (VisitState.PENDING, VisitState.CONFIRMED)

TAKEN, FIXED = "slot_taken", "scheduler"
WHY = {
    TAKEN: "the colleague holds another visit at that time",
    FIXED: "its scheduler names the host and takes no change; change it there, or set reassign_locally",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """Whose visits go to whom, in which project, from which local day on."""

    giver: AgentId
    taker: AgentId
    project: ProjectId
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A visit that stays, and why; `detail` is empty where the reason's usual words say it."""

    visit: Visit
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """What became of the visits, each list by start. `moved` holds them as they are now."""

    moved: tuple[Visit, ...] = ()
    left: tuple[Left, ...] = ()


def handed_over_json(outcome: HandedOver, words: Callable[[str], str], *, dry_run: bool) -> dict[str, Any]:
    """Return the outcome as the contract shows it; `words` says a reason in a sentence."""
    moved = [{"visit": one.id, "start": local(one.interval.start, one.time_zone)} for one in outcome.moved]
    left = [
        {
            "visit": one.visit.id,
            "start": local(one.visit.interval.start, one.visit.time_zone),
            "reason": one.reason,
            "why": one.detail or words(one.reason),
        }
        for one in outcome.left
    ]
    return {"moved": moved, "left": left, "dry_run": dry_run}


class _Undone(Exception):
    """A dry run ends so: the transaction takes everything back."""

    def __init__(self, outcome: HandedOver) -> None:
        self.outcome = outcome


def hand_over(ctx: Context, wanted: Handover, cause: Cause, *, dry_run: bool = False) -> HandedOver | Refused:
    """Give the visits to the colleague; everybody concerned is told once. Repeating it moves nothing more.

    A dry run does the same and takes it back, so it says exactly what would happen.
    """
    refused = _refusal(ctx, wanted)
    if refused is not None:
        return refused
    cause = replace(cause, note=NOTE)

    def do(tx: Tx) -> HandedOver:
        outcome = _carry_out(ctx, tx, wanted, cause)
        if dry_run:
            raise _Undone(outcome)
        return outcome

    try:
        return ctx.store.write(do)
    except _Undone as undone:
        return undone.outcome


def _refusal(ctx: Context, wanted: Handover) -> Refused | None:
    project = ctx.directory.projects.get(wanted.project)
    if project is None:
        return Refused(reason="not-found", detail=f"no project has the id {wanted.project!r}")
    if wanted.giver == wanted.taker:
        return Refused(reason="invalid", detail=f"{wanted.taker} cannot take the own visits: name two agents")
    if wanted.taker not in project.team:
        team = ", ".join(project.team)
        return Refused(reason="invalid", detail=f"{wanted.taker} is not in the team of {project.name}; it is: {team}")
    return None


def hosts_ahead(tx: Tx, project: ProjectId, now: datetime) -> set[AgentId]:
    """Return who hosts active visits of a project, whether or not they are agents still."""
    found = tx.visits.search(window=Interval(now, now + FAR), project=project, states=ACTIVE, limit=MANY)
    return {one.host for one in found if one.host is not None}


def _carry_out(ctx: Context, tx: Tx, wanted: Handover, cause: Cause) -> HandedOver:
    project = ctx.directory.projects[wanted.project]
    moved: list[tuple[Visit, Visit]] = []
    left: list[Left] = []
    fixed = fixed_accounts(ctx)
    for visit in _visits(tx, project, wanted, cause.at):
        outcome = _give(ctx, tx, project, visit, wanted.taker, fixed, cause)
        if isinstance(outcome, Left):
            left.append(outcome)
        else:
            moved.append((visit, outcome))
    if moved:
        _look_again(ctx, tx, wanted, moved, cause.at)
        _tell(ctx, tx, wanted, moved, cause.at)
    return HandedOver(moved=tuple(after for _, after in moved), left=tuple(left))


def _visits(tx: Tx, project: Project, wanted: Handover, now: datetime) -> list[Visit]:
    """List the visits that are to go: those that begin from the day on and have not begun."""
    begin = max(now, day_interval(wanted.on, project.time_zone).start)
    window = Interval(begin, begin + FAR)
    found = tx.visits.search(window=window, agent=wanted.giver, project=project.id, states=ACTIVE, limit=MANY)
    return [one for one in found if one.interval.start >= begin]


def _give(
    ctx: Context, tx: Tx, project: Project, visit: Visit, taker: AgentId, fixed: set[AccountId], cause: Cause
) -> Visit | Left:
    """Save the visit with its new host, or say why it stays."""
    if visit.source.account in fixed:
        return Left(visit=visit, reason=FIXED, detail=WHY[FIXED])
    kind = ctx.directory.event_types.get(visit.event_type) if visit.event_type is not None else None
    after = decide(visit, Reassign(host=taker), kind, cause.at)
    if isinstance(after, Refused):
        return Left(visit=visit, reason=after.reason, detail=after.detail)
    reason = _obstacle(ctx, tx, project, visit, taker, cause.at)
    if reason is None:
        try:
            return tx.visits.save(after, cause)
        except SlotTaken:
            reason = TAKEN
    return Left(visit=visit, reason=reason, detail=WHY.get(reason, ""))


def _obstacle(ctx: Context, tx: Tx, project: Project, visit: Visit, taker: AgentId, now: datetime) -> str | None:
    """Judge the colleague like a host; a project that takes no bookings now may still hand its visits over."""
    kind = ctx.directory.event_types.get(visit.event_type) if visit.event_type is not None else None
    if kind is None:
        return None  # a visit of no kind we know: the store's constraint alone decides
    holidays = ctx.directory.business_holidays.get(project.id, frozenset())
    place = Place(project=project, event_type=kind, holidays=holidays)
    reason = judge(ctx, tx, place, taker, visit.interval.start, now, ignoring=visit.id)
    return None if reason in HELD_ANYWAY else reason


def _look_again(ctx: Context, tx: Tx, wanted: Handover, moved: Iterable[tuple[Visit, Visit]], now: datetime) -> None:
    tx.queue.touch_many(WorkKind.RECONCILE, sorted({wanted.giver, wanted.taker}), now)
    for _, after in moved:
        tx.queue.touch(WorkKind.REMIND, after.id, now)
        touch_carry(ctx, tx, after, now)


# --- who is told ----------------------------------------------------------------------------------------------------


def _tell(ctx: Context, tx: Tx, wanted: Handover, moved: Sequence[tuple[Visit, Visit]], now: datetime) -> None:
    """Tell each client once and each agent once: the two, and of their visits those who come along."""
    groups: dict[tuple[str, ...], list[tuple[Visit, Visit]]] = {}
    for pair in moved:
        groups.setdefault(_client_of(pair[1]), []).append(pair)
    for pairs in groups.values():
        if len(pairs) == 1:
            before, after = pairs[0]
            message(tx, "update", after, now, to="client", body=moved_from(before))
        else:
            body = {"host": wanted.giver}
            message_of_several(tx, "update", [after for _, after in pairs], now, to="client", body=body)
    visits = [after for _, after in moved]
    for agent in sorted(_agents_of(visits, wanted) & {*ctx.directory.agents}):
        about = "taken_over" if agent == wanted.taker else "handed_over"
        theirs = (
            visits if agent in (wanted.giver, wanted.taker) else [one for one in visits if agent in one.participants]
        )
        message_of_several(tx, "agent_notice", theirs, now, to=f"agent:{agent}", body={"about": about})


def _agents_of(visits: Iterable[Visit], wanted: Handover) -> set[AgentId]:
    """Return the two agents and those who come along."""
    return {wanted.giver, wanted.taker, *(agent for one in visits for agent in one.participants)}


def _client_of(visit: Visit) -> tuple[str, ...]:
    """Return whom a message reaches: the known contact at one address, so nobody reads of another's visits."""
    contact = visit.contact
    return (visit.contact_id or contact.name, (contact.email or "").casefold(), contact.phone or "")
