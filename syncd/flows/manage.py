"""What a client does to a visit through its link: looked up by the token, judged against what the page showed, done
once. Knows no page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from syncd.core.hours import booking_window_end
from syncd.core.ids import AccountId, AgentId, VisitId
from syncd.core.interval import Interval
from syncd.core.routing import rank_hosts
from syncd.core.transition import UNDO, decide, is_late
from syncd.core.visit import (
    Attendance,
    CancelReason,
    ClientConfirmation,
    Command,
    Move,
    Refused,
    Reinstate,
    Slot,
    Visit,
    VisitState,
)
from syncd.flows.book import Place, act_in, gravest, place_of
from syncd.flows.context import Context
from syncd.flows.links import Purpose, find_subject, make_link, renew_link, visit_subject
from syncd.flows.moving import times_to_move
from syncd.store import Tx
from syncd.store.visits import Cause

PAGE = AccountId("page")  # where bookings of our own pages come from
SUBJECT = visit_subject("")
OPEN = (VisitState.PENDING, VisitState.CONFIRMED, VisitState.CONFLICT)


def visit_url(ctx: Context, tx: Tx, visit: Visit, *, renew: bool = False) -> str:
    """Return the address where the client manages the visit; good until the visit ends, also when it moves.

    `renew` makes a new one that supersedes every older one: for a contact whose own address changed.
    """
    make = renew_link if renew else make_link
    return make(ctx, tx, Purpose.VISIT, visit_subject(visit.id), visit.interval.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitLink:
    """An address where a visit is managed, and until when."""

    url: str
    expires_at: datetime


def link_of(ctx: Context, visit_id: VisitId, now: datetime, *, renew: bool = False) -> VisitLink | Refused:
    """Return the link of a visit for somebody who sends it themselves; one that is over has none."""

    def make(tx: Tx) -> VisitLink | Refused:
        visit = tx.visits.find(visit_id)
        if visit is None:
            return Refused(reason="not-found", detail="no visit has this id")
        if visit.interval.end <= now:
            return Refused(reason="illegal-state", detail="the visit is over, and its link with it")
        return VisitLink(url=visit_url(ctx, tx, visit, renew=renew), expires_at=visit.interval.end)

    return ctx.store.write(make)


def rebook_url(ctx: Context, tx: Tx, visit: Visit, now: datetime) -> str:
    """Return the address where the client books anew after a visit that was cancelled or lost its time."""
    return make_link(ctx, tx, Purpose.BOOK, visit_subject(visit.id), now + ctx.directory.link_expires)


def find_managed(ctx: Context, tx: Tx, token: str, now: datetime) -> Visit | None:
    """Return the visit that a link opens; None where it opens none, or one that is over."""
    subject = find_subject(ctx, tx, Purpose.VISIT, token, now)
    if subject is None or not subject.startswith(SUBJECT):
        return None
    visit = tx.visits.find(VisitId(subject.removeprefix(SUBJECT)))
    return visit if visit is not None and now < visit.interval.end else None


# --- what may be done -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class May:
    """What the client may do to a visit now."""

    confirm: bool
    move: bool
    cancel: bool
    rebook: bool
    undo_until: datetime | None  # None: nothing can be taken back
    late: bool  # cancelling or moving now breaks the notice: recorded, never refused
    elsewhere: bool  # an outside scheduler made the booking, and is told of a cancellation


def what_may(ctx: Context, tx: Tx, visit: Visit, now: datetime) -> May:
    """Judge what is offered to the client; nothing here is refused for being late."""
    parts = ctx.accounts.get(visit.source.account)
    elsewhere = parts is not None and parts.scheduler is not None
    open_ = visit.state in OPEN and visit.attendance is not Attendance.PRESENT and now < visit.interval.start
    bookable = visit.project is not None and isinstance(place_of(ctx, visit.project, visit.event_type), Place)
    movable = bookable and (not elsewhere or (parts is not None and parts.changes is not None))
    back = taken_back(tx, visit, now) if not elsewhere else None
    return May(
        confirm=_may_confirm(visit, now),
        move=open_ and movable,
        cancel=open_,
        rebook=bookable
        and (visit.state is VisitState.CANCELLED or (visit.state is VisitState.CONFLICT and not movable)),
        undo_until=back.cancelled_at + UNDO if back is not None else None,
        late=is_late(visit, ctx.directory.event_types.get(visit.event_type) if visit.event_type else None, now),
        elsewhere=elsewhere,
    )


def _may_confirm(visit: Visit, now: datetime) -> bool:
    asked = visit.client_confirmation is not ClientConfirmation.YES
    return visit.state is VisitState.CONFIRMED and asked and now < visit.interval.start


def taken_back(tx: Tx, visit: Visit, now: datetime) -> Reinstate | None:
    """Return the command that takes the client's cancellation back, None where that is no longer possible."""
    if visit.state is not VisitState.CANCELLED or visit.cancel_reason is not CancelReason.CLIENT:
        return None
    row = next((one for one in reversed(tx.visits.history(visit.id)) if one.after.get("state") == visit.state), None)
    if row is None or row.before is None or _is_rebooked(tx, visit, now):
        return None
    expires = row.before.get("pending_expires_at")
    command = Reinstate(
        cancelled_at=row.cause.at,
        state=VisitState(row.before["state"]),
        client_confirmation=ClientConfirmation(row.before.get("client_confirmation", visit.client_confirmation)),
        pending_expires_at=datetime.fromisoformat(expires) if expires is not None else None,
    )
    return command if isinstance(decide(visit, command, None, now), Visit) else None


def followers(tx: Tx, visit: Visit) -> list[Visit]:
    """List the visits that were booked after one, each through a link to the one before."""
    line = [visit]
    while (found := tx.visits.find_by_source(PAGE, key_after(line[-1].id))) is not None and found not in line:
        line.append(found)
    return line[1:]


def key_after(visit: VisitId) -> str:
    """Name the booking that takes a visit's place: however often it is asked for, it is one."""
    return f"after:{visit}"


def _is_rebooked(tx: Tx, visit: Visit, now: datetime) -> bool:
    """Tell whether another visit stands in its place: the client chose another time already."""
    others = followers(tx, visit)
    if visit.request is not None:
        others = tx.visits.search(request=visit.request)
    others = [one for one in others if one.state in OPEN]
    return any(one.id != visit.id and now < one.interval.end for one in others)


# --- times to move to -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Where a visit may move: `hosts` are those who could take it, the present one alone where he or she can."""

    slots: tuple[Slot, ...]
    hosts: tuple[AgentId, ...]
    same_host: bool


NO_TIMES = Times(slots=(), hosts=(), same_host=True)


def times_for(ctx: Context, visit: Visit, now: datetime) -> Times:
    """List the times to which the visit may move: its host's, and only where there are none, the team's."""
    place = place_of(ctx, visit.project, visit.event_type) if visit.project is not None else None
    if not isinstance(place, Place):
        return NO_TIMES
    with ctx.store.read() as tx:
        if visit.host in place.project.team:
            found = _slots(ctx, tx, visit, place, (visit.host,), now)
            if found:
                return Times(slots=found, hosts=(visit.host,), same_host=True)
        turns = tx.visits.turns(place.project.id, place.event_type.id, place.project.team)
        team = tuple(rank_hosts(place.project.team, turns, None))
        return Times(slots=_slots(ctx, tx, visit, place, team, now), hosts=team, same_host=False)


def _slots(
    ctx: Context, tx: Tx, visit: Visit, place: Place, hosts: Sequence[AgentId], now: datetime
) -> tuple[Slot, ...]:
    kind, project = place.event_type, place.project
    last = booking_window_end(kind.window, now, project.time_zone, place.holidays)
    if last <= now:
        return ()
    return times_to_move(ctx, tx, visit, kind, project, hosts, Interval(now, last), now)


# --- acts -----------------------------------------------------------------------------------------------------------

CHANGED, NOTED = "changed", "noted"  # refusals of this room: seen an older version; came right after our message
TOO_SOON = timedelta(seconds=2)  # after a message left, whoever acts is no human being (serverfault 1120740)
SECOND = timedelta(seconds=1)  # the store keeps whole ones


def act_once(ctx: Context, visit: VisitId, version: int, command: Command, cause: Cause) -> Visit | Refused:
    """Do what the client wants of the visit as it was shown; done already, it is the state reached.

    Refused as CHANGED where the visit is no longer what the page showed.
    """
    return ctx.store.write(lambda tx: _act_once(ctx, tx, visit, version, (command,), cause))


def move_once(ctx: Context, visit: Visit, version: int, start: datetime, cause: Cause) -> Visit | Refused:
    """Move the visit to a time from `times_for`; where the host has none, to the first colleague in rank who can."""
    times = times_for(ctx, visit, cause.at)
    moves = tuple(Move(start=start, host=one) for one in times.hosts) or (Move(start=start),)
    return ctx.store.write(lambda tx: _act_once(ctx, tx, visit.id, version, moves, cause))


def undo_once(ctx: Context, visit: VisitId, version: int, cause: Cause) -> Visit | Refused:
    """Take the client's cancellation back, if its time is still free."""

    def undo(tx: Tx) -> Visit | Refused:
        found = tx.visits.get(visit)
        command = taken_back(tx, found, cause.at)
        if command is None:
            return found if found.active else Refused(reason="illegal-state")
        return _act_once(ctx, tx, visit, version, (command,), cause)

    return ctx.store.write(undo)


def _act_once(
    ctx: Context, tx: Tx, visit_id: VisitId, version: int, commands: Sequence[Command], cause: Cause
) -> Visit | Refused:
    visit = tx.visits.get(visit_id)
    kind = ctx.directory.event_types.get(visit.event_type) if visit.event_type else None
    if _is_reached(visit, commands[0], cause.at):
        return visit
    if visit.version != version:
        return Refused(reason=CHANGED)
    if _is_just_sent(tx, visit, cause.at):
        tx.visits.save(visit, replace(cause, note=f"only noted, right after a message: {_deed(commands[0])}"))
        return Refused(reason=NOTED)
    if isinstance(commands[0], Move) and is_late(visit, kind, cause.at):
        cause = replace(cause, note="moved late: the notice was not kept")
    refusals: list[Refused] = []
    for command in commands:
        outcome = act_in(ctx, tx, visit_id, command, cause)
        if isinstance(outcome, Visit):
            return outcome
        refusals.append(outcome)
    reason = gravest([one.reason for one in refusals])
    return next(one for one in refusals if one.reason == reason)


def _is_just_sent(tx: Tx, visit: Visit, now: datetime) -> bool:
    """Tell whether a message to the client left a moment ago: mail scanners follow its links before anybody reads."""
    moments = (one.sent_at or one.sending_at for one in tx.queue.notices(about=visit.id) if one.to == "client")
    return any(one is not None and one <= now < one + TOO_SOON + SECOND for one in moments)


def _deed(command: Command) -> str:
    return type(command).__name__.lower()


def _is_reached(visit: Visit, command: Command, now: datetime) -> bool:
    """Tell whether the visit is already as the command would have it: the second click, the back button."""
    if isinstance(command, Move):
        return visit.active and visit.interval.start == command.start
    return decide(visit, command, None, now) == visit
