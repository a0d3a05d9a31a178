"""What a remote booking says becomes a visit: composed from the scheduler's truth, merged three ways with what was
changed here, and judged: does it hold, is it flagged, is it lost."""

from dataclasses import dataclass, replace
from datetime import datetime

from syncd.core.directory import Project
from syncd.core.draft import variables
from syncd.core.event_type import EventType
from syncd.core.ids import AccountId, RequestId, VisitId
from syncd.core.template import fill
from syncd.core.transition import guard_of
from syncd.core.visit import (
    Attendance,
    ClientConfirmation,
    Conflict,
    ConflictReason,
    Dwelling,
    RemoteMark,
    Source,
    Visit,
    VisitState,
)
from syncd.flows.book import Place
from syncd.flows.context import Context
from syncd.flows.link import host_of
from syncd.flows.remote_policy import flag_of
from syncd.ports import RemoteBooking
from syncd.store import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a remote booking belongs: the project, role and event type its scheduler's event type stands for."""

    project: Project
    event_type: EventType
    holidays: frozenset[str]
    request: RequestId | None
    dwelling: Dwelling | None = None  # the request's

    @property
    def place(self) -> Place:
        return Place(project=self.project, event_type=self.event_type, holidays=self.holidays)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An active booking, the ids it took the place of (nearest first), and where it belongs."""

    account: AccountId
    booking: RemoteBooking
    earlier: tuple[str, ...]
    target: Target

    @property
    def ids(self) -> tuple[str, ...]:
        return (self.booking.id, *self.earlier)


def as_remote(ctx: Context, tx: Tx, arrival: Arrival, before: Visit | None, now: datetime) -> Visit:
    """Compose the visit from the scheduler's truth; identity, confirmation and history stay those of `before`."""
    booking, target = arrival.booking, arrival.target
    host = host_of(ctx, tx, arrival.account, booking)
    made = Visit(
        id=VisitId(ctx.clock.new_id()),
        state=VisitState.PENDING if booking.pending else VisitState.CONFIRMED,
        project=target.project.id,
        event_type=target.event_type.id,
        host=host,
        interval=booking.interval,
        guard=guard_of(booking.interval, target.event_type),
        holds=True,
        contact=booking.contact,
        source=Source(account=arrival.account, id=booking.id),
        booked_at=booking.created_at or now,
        time_zone=target.project.time_zone,
        location=booking.location or target.project.address,
        answers=booking.answers,
        dwelling=target.dwelling,
        request=target.request,
        remote=RemoteMark(
            updated_at=booking.updated_at,
            event_id=booking.event_id,
            calendar_entry=booking.calendar_entry,
            interval=booking.interval,
            host=host,
            pending=booking.pending,
        ),
    )
    made = replace(made, title=fill(target.event_type.title, variables(made, ctx.directory)))
    return made if before is None else _carried_over(made, before, no_show=booking.no_show)


def _carried_over(made: Visit, before: Visit, *, no_show: bool) -> Visit:
    """Merge three ways: what the scheduler changed since we last looked wins, what was changed here stays."""
    told = before.remote
    approved = before.state is VisitState.CONFIRMED and made.state is VisitState.PENDING  # by staff, here
    moved = made.interval != (told.interval or before.interval)
    rehosted = made.host != (told.host or before.host)
    lost = before.state is VisitState.CONFLICT and not moved and not rehosted
    kept = replace(
        made,
        id=before.id,
        version=before.version,
        booked_at=before.booked_at,
        interval=made.interval if moved else before.interval,
        guard=made.guard if moved else before.guard,
        host=made.host if rehosted or before.host is None else before.host,
        request=made.request or before.request,
        dwelling=before.dwelling,
        participants=before.participants,
        extra_contacts=before.extra_contacts,
        contact_id=before.contact_id,
        client_confirmation=ClientConfirmation.NONE if moved else before.client_confirmation,
        attendance=Attendance.NO_SHOW if no_show else before.attendance,
        state=before.state if approved else made.state,
        conflict=None if moved or rehosted else before.conflict,
    )
    return replace(kept, state=VisitState.CONFLICT, holds=False) if lost else kept


def judged(
    ctx: Context, tx: Tx, after: Visit, before: Visit | None, target: Target, now: datetime, lost: Conflict | None
) -> Visit:
    """Decide whether the booking holds: a lost or hostless one is kept as `conflict`; a broken policy is a flag."""
    known_host = after.host in ctx.directory.agents or (before is not None and before.host == after.host)
    if lost is None and (after.host is None or not known_host):
        lost = Conflict(reason=ConflictReason.NO_HOST, since=now, detail="the scheduler's host is none of our agents")
    if lost is not None:
        known = before.conflict if before is not None and before.state is VisitState.CONFLICT else None
        same = (
            known is not None
            and known.reason is lost.reason
            and before is not None
            and before.interval == after.interval
        )
        return replace(after, state=VisitState.CONFLICT, holds=False, conflict=known if same else lost)
    if after.state is VisitState.CONFLICT:
        return replace(
            after, state=VisitState.CONFIRMED, holds=True, conflict=None
        )  # tried again; it may be free by now
    if before is not None and (before.interval, before.host) == (after.interval, after.host):
        return after
    return replace(after, conflict=flag_of(ctx, tx, after, target.place, now))
