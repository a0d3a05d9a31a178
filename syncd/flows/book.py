"""Offers slots, books them and carries out what people ask of a visit: one way in for page, API, shell and staff.

The store's constraint decides who was first. A host is tried inside a savepoint; the next one follows when it is taken.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from syncd.core.availability import bookable
from syncd.core.directory import Activation, Project
from syncd.core.draft import variables
from syncd.core.event_type import EventType
from syncd.core.ids import AccountId, AgentId, EventTypeId, ProjectId, RequestId, VisitId
from syncd.core.interval import Interval
from syncd.core.routing import rank_hosts
from syncd.core.template import fill
from syncd.core.transition import decide, guard_of
from syncd.core.visit import (
    Answer,
    Cancel,
    CancelReason,
    Command,
    Contact,
    Dwelling,
    Move,
    Refused,
    Reject,
    Slot,
    Source,
    Visit,
    VisitState,
)
from syncd.errors import SlotTaken
from syncd.flows.carry import touch_carry
from syncd.flows.context import Context
from syncd.flows.dwelling import VISITED, is_visited, without_visited
from syncd.flows.hosts import day_around, host_time, offered
from syncd.flows.links import Purpose, visit_subject
from syncd.flows.live import look_live
from syncd.flows.moving import times_to_move
from syncd.flows.recognise import save_first
from syncd.flows.say import close_task, message, task
from syncd.identity import email_key, phone_key
from syncd.store import Tx
from syncd.store.queue import WorkKind
from syncd.store.visits import Cause

ALTERNATIVES = 5
OWN_VISIT = "own_visit"  # a refusal: the client has a visit at that time already
AT_ONCE = 1_000  # visits of one project at one time: more than any team has hosts
LOOK = timedelta(days=14)  # how far alternatives are looked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """What somebody asks for: a start, and a host where they insist on one."""

    project: ProjectId
    start: datetime
    contact: Contact
    source: AccountId
    event_type: EventTypeId | None = None  # None: the project's standard one
    host: AgentId | None = None
    dwelling: Dwelling | None = None
    answers: tuple[Answer, ...] = ()
    request: RequestId | None = None
    preferred: AgentId | None = None
    key: str | None = None  # the caller's own name for this booking: asked again, it is the same visit
    language: str = ""  # the locale the client reads; "" is the installation's
    single: bool = False  # a visit of the same request that stands already is the answer, whatever its time
    one_at_a_time: bool = False  # nobody is at two visits at once: booked already, it is the same visit or refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A project and an event type that belong together."""

    project: Project
    event_type: EventType
    holidays: frozenset[str]


def place_of(ctx: Context, project: ProjectId, event_type: EventTypeId | None) -> Place | Refused:
    """Look up where a booking goes, the event type by id or role; an inactive project or a foreign type is refused."""
    found = ctx.directory.projects.get(project)
    if found is None:
        return Refused(reason="not-found", detail=f"no project has the id {project!r}")
    if not is_active(ctx, found):
        return Refused(reason="project-inactive", detail=f"{found.name} takes no bookings yet")
    chosen = found.find_event_type(event_type or "standard")
    if chosen is None:
        known = ", ".join(f"{role} ({name})" for role, name in found.event_types.items())
        detail = f"{found.name} has no event type {event_type or 'standard'!r}; it has: {known or 'none'}"
        return Refused(reason="not-found", detail=detail)
    holidays = ctx.directory.business_holidays.get(project, frozenset())
    return Place(project=found, event_type=ctx.directory.event_types[chosen], holidays=holidays)


def not_in_team(agent: AgentId | None, project: Project) -> Refused:
    """Refuse a host who does not work in the project."""
    return Refused(reason="not-found", detail=f"{agent} is not in the team of {project.name}")


def is_active(ctx: Context, project: Project) -> bool:
    """Tell whether a project takes bookings; `after_parity` opens once `activate` has noted it (R105)."""
    if project.activation is not Activation.AFTER_PARITY:
        return project.activation is Activation.ON
    with ctx.store.read() as tx:
        return tx.accounts.get(AccountId("syncd"), f"activated:{project.id}") is not None


def offer(
    ctx: Context,
    project: ProjectId,
    event_type: EventTypeId | None,
    window: Interval,
    now: datetime,
    dwelling: Dwelling | None = None,
) -> list[Slot] | Refused:
    """List the slots that a client may book in the window, by start, with the number of free hosts.

    Where the dwelling is known, the times at which somebody visits it are left out.
    """
    place = place_of(ctx, project, event_type)
    if isinstance(place, Refused):
        return place
    with ctx.store.read() as tx:
        found = offered(ctx, tx, place.project.team, place.event_type, place.project, window, now)
        return without_visited(tx, found, place.project.id, dwelling)


def alternatives(
    ctx: Context, place: Place, start: datetime, now: datetime, dwelling: Dwelling | None = None
) -> tuple[Slot, ...]:
    """Return at most five free slots, those nearest to the wanted start."""
    begin = max(now, start - LOOK / 2)
    with ctx.store.read() as tx:
        window = Interval(begin, begin + LOOK)
        found = offered(ctx, tx, place.project.team, place.event_type, place.project, window, now)
        found = without_visited(tx, found, place.project.id, dwelling)
    return nearest(found, start)


def nearest(times: Iterable[Slot], start: datetime) -> tuple[Slot, ...]:
    """Return at most five times, those nearest to the wanted one, by start."""
    near = sorted(times, key=lambda one: (abs(one.interval.start - start), one.interval.start))
    return tuple(sorted(near[:ALTERNATIVES], key=lambda one: one.interval))


def book(
    ctx: Context, booking: Booking, cause: Cause, then: Callable[[Tx, Visit], None] | None = None
) -> Visit | Refused:
    """Book a slot for the first host in rank that is free; refused with the reason and the nearest alternatives.

    `then` is called with the visit in the same transaction; what it raises undoes the booking.
    """
    place = place_of(ctx, booking.project, booking.event_type)
    if isinstance(place, Refused):
        return place
    if booking.host is not None and booking.host not in place.project.team:
        return not_in_team(booking.host, place.project)
    seen = _look_live(ctx, place, booking, cause.at) if place.project.verify_live else {}

    def attempt(tx: Tx) -> Visit | Refused:
        found = _try_hosts(ctx, tx, place, booking, cause, seen)
        if then is not None and isinstance(found, Visit):
            then(tx, found)
        return found

    return _with_alternatives(ctx, place, booking.start, cause.at, ctx.store.write(attempt), booking.dwelling)


def _look_live(ctx: Context, place: Place, booking: Booking, now: datetime) -> dict[AgentId, str]:
    """Ask hosts' calendars once more, in rank, until one is free; returns why the others are not.

    Those behind the free one are not asked and not taken: first wins in the store, and the client may try again.
    """
    with ctx.store.read() as tx:
        ranked = _ranked(tx, place, booking)
        able = [one for one in ranked if judge(ctx, tx, place, one, booking.start, now) is None]
    guard = guard_of(Interval(booking.start, booking.start + place.event_type.duration), place.event_type)
    seen: dict[AgentId, str] = {}
    for number, agent in enumerate(able):
        reason = look_live(ctx, ctx.directory.agents[agent], guard, now)
        if reason is None:
            return seen | dict.fromkeys(able[number + 1 :], "unknown")
        seen[agent] = reason
    return seen


def _ranked(tx: Tx, place: Place, booking: Booking) -> list[AgentId]:
    team = [booking.host] if booking.host is not None else place.project.team
    turns = tx.visits.turns(place.project.id, place.event_type.id, place.project.team)
    return rank_hosts(team, turns, booking.preferred)


def _with_alternatives(
    ctx: Context, place: Place, start: datetime, now: datetime, outcome: Visit | Refused, dwelling: Dwelling | None
) -> Visit | Refused:
    if isinstance(outcome, Visit):
        return outcome
    return replace(outcome, alternatives=alternatives(ctx, place, start, now, dwelling))


def _try_hosts(
    ctx: Context, tx: Tx, place: Place, booking: Booking, cause: Cause, seen: Mapping[AgentId, str]
) -> Visit | Refused:
    known = _known(tx, booking, cause.at)
    if known is not None:
        return known
    wanted = Interval(booking.start, booking.start + place.event_type.duration)
    theirs = _own_visit(ctx, tx, booking, wanted) if booking.one_at_a_time else None
    if theirs is not None:
        return theirs
    if is_visited(tx, place.project.id, booking.dwelling, wanted):
        return Refused(reason="slot_taken", detail=VISITED)
    refusals: list[str] = []
    for agent in _ranked(tx, place, booking):
        reason = seen.get(agent) or judge(ctx, tx, place, agent, booking.start, cause.at)
        if reason is None:
            try:
                return _save_new(ctx, tx, place, booking, agent, cause)
            except SlotTaken:
                reason = "slot_taken"
        refusals.append(reason)
    return Refused(reason=gravest(refusals), detail="")


def _known(tx: Tx, booking: Booking, now: datetime) -> Visit | None:
    """Return the visit that this booking made already: by the caller's key, or of the same request at the same time."""
    known = tx.visits.find_by_source(booking.source, booking.key) if booking.key is not None else None
    if known is not None or booking.request is None or (booking.key is not None and not booking.single):
        return known
    made = tx.visits.search(request=booking.request, states=(VisitState.PENDING, VisitState.CONFIRMED))
    if booking.single:
        return next((one for one in made if now < one.interval.end), None)
    return next((one for one in made if one.interval.start == booking.start and one.project == booking.project), None)


def _own_visit(ctx: Context, tx: Tx, booking: Booking, wanted: Interval) -> Visit | Refused | None:
    """Return the visit at the same start that this client booked the same way; refused for one that merely overlaps,
    or that only the telephone number says is theirs."""
    active = (VisitState.PENDING, VisitState.CONFIRMED)
    near = tx.visits.search(window=wanted, project=booking.project, states=active, limit=AT_ONCE)
    mine = [one for one in near if one.source.account == booking.source]
    email = email_key(booking.contact.email) if booking.contact.email else None
    written = [one for one in mine if email is not None and _email_of(one) == email]
    same = next((one for one in written if one.interval.start == booking.start), None)
    if same is not None or not (written or any(_calls_alike(ctx, one.contact, booking.contact) for one in mine)):
        return same
    return Refused(reason=OWN_VISIT)


def _email_of(visit: Visit) -> str | None:
    return email_key(visit.contact.email) if visit.contact.email else None


def _calls_alike(ctx: Context, one: Contact, other: Contact) -> bool:
    """Tell whether two contacts gave the same telephone number."""
    if not one.phone or not other.phone:
        return False
    found = phone_key(one.phone, ctx.directory.region)
    return found is not None and found == phone_key(other.phone, ctx.directory.region)


def judge(
    ctx: Context,
    tx: Tx,
    place: Place,
    agent: AgentId,
    start: datetime,
    now: datetime,
    ignoring: VisitId | None = None,
) -> str | None:
    """Say why this agent cannot take a visit at this start, None where nothing speaks against it."""
    window = day_around(start, place.project.time_zone)
    host = host_time(tx, ctx.directory, agent, place.event_type, window, now, place.project, ignoring)
    return bookable(place.event_type, host, start, now, place.project.time_zone, place.holidays)


# The reason told to the client is the one nearest to success: a taken slot says more than closed hours.
GRAVITY = ("slot_taken", "busy", "unknown", "limit", "not_offered", "hours", "same_day", "notice", "window")


def gravest(reasons: Sequence[str]) -> str:
    """Choose the one reason to tell when every host refuses."""
    return next((one for one in GRAVITY if one in reasons), reasons[0] if reasons else "no_host")


def _save_new(ctx: Context, tx: Tx, place: Place, booking: Booking, agent: AgentId, cause: Cause) -> Visit:
    visit = new_visit(ctx, place, booking, agent, cause.at)
    saved = save_first(ctx, tx, visit, cause)
    announce(tx, None, saved, cause.at)
    return saved


def new_visit(ctx: Context, place: Place, booking: Booking, agent: AgentId, now: datetime) -> Visit:
    kind = place.event_type
    interval = Interval(booking.start, booking.start + kind.duration)
    visit = Visit(
        id=VisitId(ctx.clock.new_id()),
        state=VisitState.PENDING if kind.approval else VisitState.CONFIRMED,
        project=place.project.id,
        event_type=kind.id,
        host=agent,
        interval=interval,
        guard=guard_of(interval, kind),
        holds=kind.pending_holds or not kind.approval,
        contact=booking.contact,
        source=Source(account=booking.source, id=booking.key),
        booked_at=now,
        time_zone=place.project.time_zone,
        language=booking.language,
        location=place.project.address,
        answers=booking.answers,
        dwelling=booking.dwelling,
        request=booking.request,
        pending_expires_at=now + kind.pending_expires if kind.approval else None,
    )
    return replace(visit, title=fill(kind.title, variables(visit, ctx.directory)))


def act(ctx: Context, visit_id: VisitId, command: Command, cause: Cause) -> Visit | Refused:
    """Carry out a command on a visit; a new time or host is judged like a booking and first wins."""
    outcome = ctx.store.write(lambda tx: act_in(ctx, tx, visit_id, command, cause))
    if isinstance(outcome, Visit) or not isinstance(command, Move) or outcome.reason in BEYOND_TIME:
        return outcome
    with ctx.store.read() as tx:
        return replace(outcome, alternatives=_moves(ctx, tx, tx.visits.get(visit_id), command, cause.at))


BEYOND_TIME = ("not-found", "illegal-state")  # no other time would be accepted either


def _moves(ctx: Context, tx: Tx, visit: Visit, command: Move, now: datetime) -> tuple[Slot, ...]:
    """Return the times nearest to the refused one that the same move would accept: of the host it names, or its own."""
    place = place_of(ctx, visit.project, visit.event_type) if visit.project is not None else None
    host = command.host or visit.host
    if not isinstance(place, Place) or host not in ctx.directory.agents or host is None:
        return ()
    begin = max(now, command.start - LOOK / 2)
    window = Interval(begin, begin + LOOK)
    return nearest(times_to_move(ctx, tx, visit, place.event_type, place.project, (host,), window, now), command.start)


def act_in(ctx: Context, tx: Tx, visit_id: VisitId, command: Command, cause: Cause) -> Visit | Refused:
    """Do the same inside a transaction that is already open; alternatives are the caller's."""
    visit = tx.visits.find(visit_id)
    if visit is None:
        return Refused(reason="not-found", detail="no visit has this id")
    kind = ctx.directory.event_types.get(visit.event_type) if visit.event_type else None
    after = decide(visit, command, kind, cause.at)
    if isinstance(after, Refused) or after == visit:
        return after
    refused = _time_refusal(ctx, tx, visit, after, cause.at)
    if refused is not None:
        return refused
    try:
        saved = tx.visits.save(after, cause)
    except SlotTaken as taken:
        return Refused(reason="slot_taken", detail=VISITED if taken.dwelling else "")
    announce(tx, visit, saved, cause.at, _wishes(command))
    touch_carry(ctx, tx, saved, cause.at)
    return saved


# The client holds the time already: these speak against a booking, not against a colleague who takes it as it stands.
HELD_ANYWAY = ("not_offered", "notice", "same_day", "window")


def _time_refusal(ctx: Context, tx: Tx, before: Visit, after: Visit, now: datetime) -> Refused | None:
    held = before.state is not VisitState.CANCELLED  # what was cancelled gave its time back and is judged anew
    if not after.active or (held and (before.interval, before.host) == (after.interval, after.host)):
        return None
    if after.host not in ctx.directory.agents:
        return Refused(reason="not-found", detail=f"no agent has the id {after.host!r}")
    project = ctx.directory.projects.get(after.project) if after.project else None
    if project is not None and after.host not in (before.host, *project.team):
        return not_in_team(after.host, project)
    place = place_of(ctx, after.project, after.event_type) if after.project else None
    if not isinstance(place, Place) or after.host is None:
        return None
    if before.interval != after.interval and is_visited(tx, after.project, after.dwelling, after.interval, before.id):
        return Refused(reason="slot_taken", detail=VISITED)
    reason = judge(ctx, tx, place, after.host, after.interval.start, now, ignoring=before.id)
    if before.interval == after.interval and reason in HELD_ANYWAY:
        return None
    return Refused(reason=reason) if reason is not None else None


def _wishes(command: Command) -> dict[str, Any] | None:
    """Return how the client is to be told of a cancellation: words, a link to book anew, a channel."""
    if isinstance(command, Reject):
        return {"message": command.message} if command.message else None
    if not isinstance(command, Cancel):
        return None
    wishes = {"message": command.message, "rebook_link": command.rebook_link, "channel": command.channel}
    return {name: value for name, value in wishes.items() if value} or None


def announce(tx: Tx, before: Visit | None, after: Visit, now: datetime, wishes: dict[str, Any] | None = None) -> None:
    """Say to everybody concerned what became of a visit, and have both agents' calendars looked at."""
    hosts = {one.host for one in (before, after) if one is not None and one.host is not None}
    tx.queue.touch_many(WorkKind.RECONCILE, sorted(hosts), now)
    tx.queue.touch(WorkKind.REMIND, after.id, now)  # its plan of messages, and when it expires
    people = hosts | {agent for one in (before, after) if one is not None for agent in one.participants}
    if before is None and after.state is VisitState.PENDING:
        task(tx, "approve_visit", after, now)
        message(tx, "request_received", after, now, to="client")
        _tell_agents(tx, "approval", after, people, now)
        return
    if before is not None and before.interval != after.interval:
        tx.links.until(Purpose.VISIT, visit_subject(after.id), after.interval.end)
    if before is not None and before.state is VisitState.CANCELLED and after.active:
        close_task(tx, "offer_new_time", after)
        _tell_agents(tx, "reinstated", after, people, now)
        people = set()
    kind = _message_kind(before, after)
    if kind is not None:
        message(tx, kind, after, now, to="client", body=wishes or (moved_from(before) if kind == "update" else None))
        _tell_agents(tx, kind, after, people, now)
    elif after.cancel_reason is CancelReason.CLIENT:  # gave up a booking that had lost its time
        close_task(tx, "lost_booking", after)
        _tell_agents(tx, "cancellation", after, people, now)
    if kind == "cancellation" or after.cancel_reason is CancelReason.CLIENT:
        task(tx, "offer_new_time", after, now)


GIVEN_UP = (CancelReason.UNCONFIRMED, CancelReason.NO_SHOW)  # by us, with nobody asking for it


def _tell_agents(tx: Tx, about: str, visit: Visit, agents: set[AgentId], now: datetime) -> None:
    kind = "release_notice" if about == "cancellation" and visit.cancel_reason in GIVEN_UP else "agent_notice"
    for agent in sorted(agents):
        message(tx, kind, visit, now, to=f"agent:{agent}", body={"about": about})


def moved_from(before: Visit | None) -> dict[str, Any] | None:
    """Return what a message about a move says of the old time and host."""
    if before is None:
        return None
    return {"was": before.interval.start.isoformat(), "was_until": before.interval.end.isoformat(), "host": before.host}


def _message_kind(before: Visit | None, after: Visit) -> str | None:
    """Name what the client is told; a booking that waits for approval is called booked once it is approved."""
    if before is None or (not before.active and after.state is VisitState.CONFIRMED):
        return "booking_info"
    if after.state is VisitState.CANCELLED:
        return "cancellation" if before.state is not VisitState.CONFLICT else None
    if (before.interval, before.host) != (after.interval, after.host):
        return "update"
    return "booking_info" if before.state is VisitState.PENDING and after.state is VisitState.CONFIRMED else None
