"""Asks a client for windows, takes their answer, tells it on, and makes one of the windows a visit. Knows no page.

Wishes hold no time: what is accepted takes the way of every booking, and the first wins (C17).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from syncd.core.ids import AccountId, AgentId, ProjectId, ProposalId
from syncd.core.interval import Interval
from syncd.core.letter import Channel
from syncd.core.limits import LONGEST_VISIT, LONGEST_WINDOW
from syncd.core.proposals import (
    MOST_ANSWERS,
    MOST_WINDOWS,
    AnswerBy,
    Proposal,
    ProposalState,
    Recipient,
    RecipientKind,
    Route,
    Window,
    answer_routes,
    contact_person,
)
from syncd.core.visit import Contact, Dwelling, Refused, Visit
from syncd.flows.book import Booking, Place, book, offer, place_of
from syncd.flows.context import Context
from syncd.flows.dwelling import without_visited
from syncd.flows.hosts import offered
from syncd.flows.links import Purpose, find_subject, make_link, proposal_subject
from syncd.flows.show import contact_json, interval_json, property_json
from syncd.language import Language
from syncd.store import Tx
from syncd.store.queue import Notice
from syncd.store.visits import Cause

PAGE = AccountId("page")
SUBJECT = proposal_subject("")
KIND = "proposal_answer"
TRIES = 12  # starts of one window that are tried, one after the other
PASSED_OVER = ("slot_taken", "busy")  # somebody was faster since we looked: the next start may do


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody asks a client for: one contact, at most one property (R054)."""

    contact: Contact
    recipient: Recipient
    answer_by: tuple[AnswerBy, ...] = ()  # none: as configured
    project: ProjectId | None = None
    dwelling: Dwelling | None = None
    expires_at: datetime | None = None  # none: as configured


# --- making one -----------------------------------------------------------------------------------------------------


def make(ctx: Context, wanted: Wanted, now: datetime, name: str | None = None) -> tuple[Proposal, str] | Refused:
    """Keep a proposal and return it with the address where the client answers; the same name again is the same one."""
    refused = _unmakable(ctx, wanted, now)
    if refused is not None:
        return refused
    return ctx.store.write(lambda tx: make_in(ctx, tx, wanted, now, name))


def make_in(ctx: Context, tx: Tx, wanted: Wanted, now: datetime, name: str | None = None) -> tuple[Proposal, str]:
    """Do the same inside a transaction that is already open; what is wanted has been judged."""
    proposal = tx.proposals.named(name) if name is not None else None
    if proposal is None:
        proposal = _new(ctx, wanted, now)
        tx.proposals.put(proposal, name)
    return proposal, proposal_url(ctx, tx, proposal)


def proposal_url(ctx: Context, tx: Tx, proposal: Proposal) -> str:
    """Return the address where the client answers."""
    return make_link(ctx, tx, Purpose.PROPOSAL, proposal_subject(proposal.id), proposal.expires_at)


def proposal_link(ctx: Context, tx: Tx, visit: Visit, now: datetime) -> str:
    """Return the address where the client of a visit names windows: what a message's template puts in (R051).

    However often a message is written, it is the same proposal; the answer goes to the host.
    """
    host = ctx.directory.agents.get(visit.host) if visit.host is not None else None
    project = ctx.directory.projects.get(visit.project) if visit.project is not None else None
    responsible = ctx.directory.agents.get(project.responsible) if project and project.responsible else None
    answers_to = host or responsible
    if answers_to is None:
        return ""
    wanted = Wanted(
        contact=visit.contact,
        recipient=Recipient(kind=RecipientKind.USER, user=answers_to.id, email=answers_to.email),
        project=visit.project,
        dwelling=visit.dwelling,
    )
    return make_in(ctx, tx, wanted, now, f"visit:{visit.id}")[1]


def _unmakable(ctx: Context, wanted: Wanted, now: datetime) -> Refused | None:
    if wanted.recipient.kind is RecipientKind.CONTACT_PERSON and contact_person(wanted.dwelling) is None:
        return Refused(
            reason="invalid", detail="recipient: the property names no contact person; give it contact_persons"
        )
    if wanted.expires_at is not None and wanted.expires_at <= now:
        return Refused(reason="invalid", detail="expires: must lie in the future")
    if wanted.expires_at is not None and wanted.expires_at > now + LONGEST_WINDOW:
        return Refused(reason="invalid", detail=f"expires: must lie within the next {LONGEST_WINDOW.days} days")
    place = place_of(ctx, wanted.project, None) if wanted.project is not None else None
    return place if isinstance(place, Refused) else None


def _new(ctx: Context, wanted: Wanted, now: datetime) -> Proposal:
    policy = ctx.directory.proposals
    return Proposal(
        id=ProposalId(ctx.clock.new_id()),
        contact=wanted.contact,
        recipient=wanted.recipient,
        answer_by=wanted.answer_by or tuple(AnswerBy(one) for one in policy.answer_by),
        project=wanted.project,
        dwelling=wanted.dwelling,
        made_at=now,
        expires_at=wanted.expires_at or now + (policy.expires or ctx.directory.link_expires),
    )


# --- the client's answer --------------------------------------------------------------------------------------------


def find_proposal(ctx: Context, tx: Tx, token: str, now: datetime) -> Proposal | None:
    """Return the proposal that a link opens; None where it opens none, or one that nobody answered in time."""
    subject = find_subject(ctx, tx, Purpose.PROPOSAL, token, now)
    if subject is None or not subject.startswith(SUBJECT):
        return None
    found = tx.proposals.find(ProposalId(subject.removeprefix(SUBJECT)))
    return found if found is not None and found.state_at(now) is not ProposalState.EXPIRED else None


def zone_of(ctx: Context, project: ProjectId | None) -> str:
    """Return the zone in which a proposal's times are named."""
    known = ctx.directory.projects.get(project) if project is not None else None
    return known.time_zone if known is not None else ctx.directory.time_zone


def shortest(ctx: Context, proposal: Proposal) -> timedelta:
    """Return how long a window must be: a visit must fit in, as far as its project is known."""
    place = place_of(ctx, proposal.project, None) if proposal.project is not None else None
    return place.event_type.duration if isinstance(place, Place) else timedelta(0)


def fault_of(window: Interval, now: datetime, least: timedelta = timedelta(0)) -> str | None:
    """Say what is wrong with a window: over, too_far, too_short, too_long; None where nothing is."""
    if window.start <= now:
        return "over"
    if window.end > now + LONGEST_WINDOW:
        return "too_far"
    if window.length > LONGEST_VISIT:
        return "too_long"
    return "too_short" if window.length < least else None


def answer(ctx: Context, proposal: ProposalId, windows: Iterable[Interval], now: datetime) -> Proposal | Refused:
    """Take a client's windows and tell them on; the same ones again say nothing more, others replace them (T05)."""
    named = sorted(set(windows))
    return ctx.store.write(partial(_answer, ctx, proposal, named, now))


def _answer(ctx: Context, name: ProposalId, named: Sequence[Interval], now: datetime, tx: Tx) -> Proposal | Refused:
    proposal = tx.proposals.find(name)
    if proposal is None:
        return Refused(reason="not-found", detail="no proposal has this id")
    if proposal.state_at(now) not in (ProposalState.OPEN, ProposalState.ANSWERED):
        return Refused(reason="illegal-state", detail=f"the proposal is {proposal.state_at(now).value}")
    if [one.interval for one in proposal.windows] == list(named):
        return proposal
    if proposal.answers >= MOST_ANSWERS:
        return Refused(reason="limit", detail=f"the windows were changed {MOST_ANSWERS} times; ask for a new proposal")
    if not 1 <= len(named) <= MOST_WINDOWS:
        return Refused(reason="invalid", detail=f"windows: name 1 to {MOST_WINDOWS}")
    if any(fault_of(one, now, shortest(ctx, proposal)) for one in named):
        return Refused(reason="invalid", detail="windows: each lies in the future and is long enough for the visit")
    answered = replace(
        proposal,
        state=ProposalState.ANSWERED,
        windows=tuple(Window(number=n, interval=one) for n, one in enumerate(named, proposal.last_number + 1)),
        answers=proposal.answers + 1,
        last_number=proposal.last_number + len(named),
        answered_at=now,
    )
    tx.proposals.save(answered)
    _close_tasks(tx, name)
    for route in answer_routes(answered, ctx.directory):
        tx.queue.say(_notice(ctx, answered, route, now))
    return answered


def _notice(ctx: Context, proposal: Proposal, route: Route, now: datetime) -> Notice:
    """Return one message of an answer; its key is the answer and the address (C11)."""
    is_task = route.channel is Channel.TASK
    return Notice(
        key=f"{KIND}:{proposal.id}:{proposal.answers}:{route.channel}:{route.to}",
        channel=route.channel.value,
        kind=KIND,
        about=proposal_subject(proposal.id),
        to=route.to,
        body=_told(ctx, proposal) | _bill(route),
        due_at=now,
        created_at=now,
        state="open" if is_task else "scheduled",
    )


def _told(ctx: Context, proposal: Proposal) -> dict[str, Any]:
    zone = zone_of(ctx, proposal.project)
    return {
        "message": _in_words(ctx, proposal, zone),
        "proposal": proposal.id,
        "contact": contact_json(proposal.contact),
        "project": proposal.project,
        "property": property_json(proposal.dwelling) if proposal.dwelling is not None else None,
        "windows": [{"window": one.number} | interval_json(one.interval, zone) for one in proposal.windows],
    }


def _in_words(ctx: Context, proposal: Proposal, zone: str) -> str:
    """Write an answer down in the house's language, for those who read it as mail or SMS."""
    language = Language(ctx.locale)
    dwelling, contact = proposal.dwelling, proposal.contact
    place = (dwelling.name or dwelling.id) if dwelling is not None else ""
    heading = (
        language.text("%(name)s proposes these times for a visit to %(place)s:", name=contact.name, place=place)
        if place
        else language.text("%(name)s proposes these times:", name=contact.name)
    )
    lines = [
        f"{number}. {language.day(one.start, zone)}, {language.time(one.start, zone)}–{language.time(one.end, zone)}"
        for number, one in ((window.number, window.interval) for window in proposal.windows)
    ]
    known = [one for one in (contact.email, contact.phone) if one]
    return "\n".join([heading, *lines, *known])


def _bill(route: Route) -> dict[str, Any]:
    """Return who bears the costs: the receiver of an SMS (R064)."""
    return {} if route.billed_to is None else {"billed_to": route.billed_to, "billing": route.billing}


# --- staff's word ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Accept:
    """Which window becomes a visit. `project` is needed where the proposal has none; `start` lies in the window."""

    window: int
    host: AgentId | None = None
    start: datetime | None = None
    project: ProjectId | None = None


class _Settled(Exception):
    """Staff did something else with the proposal while the window was being booked."""


def accept(ctx: Context, name: ProposalId, wish: Accept, cause: Cause) -> Visit | Refused:
    """Book one window like anything else is booked; the others close with it. Done twice, it is the same visit."""
    with ctx.store.read() as tx:
        proposal = tx.proposals.find(name)
        settled = _settled(tx, proposal, wish, cause.at)
    if settled is not None or proposal is None:
        return settled or Refused(reason="not-found", detail="no proposal has this id")
    project = _project(proposal, wish)
    window = proposal.window(wish.window)
    if isinstance(project, Refused) or window is None:
        return project if isinstance(project, Refused) else _replaced(proposal)
    starts = _starts(ctx, proposal, project, window.interval, wish, cause.at)
    return starts if isinstance(starts, Refused) else _book(ctx, proposal, project, wish, starts, cause)


def _settled(tx: Tx, proposal: Proposal | None, wish: Accept, now: datetime) -> Visit | Refused | None:
    """Return what was decided on a proposal already; None where it waits for a decision."""
    if proposal is None:
        return Refused(reason="not-found", detail="no proposal has this id")
    if proposal.visit is not None:
        return _visit_made(proposal, tx.visits.get(proposal.visit), wish)
    if proposal.state is not ProposalState.ANSWERED:
        return Refused(reason="illegal-state", detail=f"the proposal is {proposal.state_at(now).value}")
    return None if proposal.window(wish.window) is not None else _replaced(proposal)


def _visit_made(proposal: Proposal, visit: Visit, wish: Accept) -> Visit | Refused:
    """Return the visit to whoever repeats the acceptance; a wish for something else is refused, naming the visit."""
    asked = (wish.host, wish.start, wish.project)
    made = (visit.host, visit.interval.start, visit.project)
    same = all(one is None or one == other for one, other in zip(asked, made, strict=True))
    if same and wish.window == proposal.accepted:
        return visit
    detail = f"the proposal's window {proposal.accepted} has become the visit {visit.id}; change that one"
    return Refused(reason="illegal-state", detail=detail)


def _replaced(proposal: Proposal) -> Refused:
    numbers = ", ".join(str(one.number) for one in proposal.windows)
    return Refused(reason="stale", detail=f"window: the client's windows are now {numbers}; read the proposal again")


def _project(proposal: Proposal, wish: Accept) -> ProjectId | Refused:
    if proposal.project is None and wish.project is None:
        return Refused(reason="invalid", detail="project: the proposal names none; say in which one the visit is")
    if None not in (proposal.project, wish.project) and proposal.project != wish.project:
        return Refused(reason="invalid", detail=f"project: the proposal belongs to {proposal.project!r}")
    return proposal.project or wish.project or ProjectId("")


def _starts(
    ctx: Context, proposal: Proposal, project: ProjectId, window: Interval, wish: Accept, now: datetime
) -> Sequence[datetime] | Refused:
    """Return the starts to try: the one that was asked for, else every bookable one whose visit fits in."""
    place = place_of(ctx, project, None)
    if isinstance(place, Refused):
        return place
    length = place.event_type.duration
    if wish.start is not None:
        if window.start <= wish.start and wish.start + length <= window.end:
            return [wish.start]
        return Refused(reason="not-offered", detail="start: the visit does not lie inside the window")
    if window.length < length:
        return Refused(reason="not-offered", detail="window: it is shorter than the visit; ask for other windows")
    found = _offer(ctx, proposal.dwelling, place, window, wish.host, now)
    return [one for one in found if one + length <= window.end][:TRIES] or [window.start]


def _offer(
    ctx: Context, dwelling: Dwelling | None, place: Place, window: Interval, host: AgentId | None, now: datetime
) -> list[datetime]:
    if host is None:
        found = offer(ctx, place.project.id, None, window, now, dwelling)
        return [] if isinstance(found, Refused) else [one.interval.start for one in found]
    with ctx.store.read() as tx:
        slots = offered(ctx, tx, (host,), place.event_type, place.project, window, now)
        slots = without_visited(tx, slots, place.project.id, dwelling)
    return [one.interval.start for one in slots]


def _book(
    ctx: Context,
    proposal: Proposal,
    project: ProjectId,
    wish: Accept,
    starts: Sequence[datetime],
    cause: Cause,
) -> Visit | Refused:
    """Try the starts in order; the first that nobody else takes meanwhile is the visit, and closes the proposal."""
    outcome: Visit | Refused = Refused(reason="not-offered")
    for start in starts:
        booking = Booking(
            project=project,
            start=start,
            contact=proposal.contact,
            source=PAGE,
            host=wish.host,
            dwelling=proposal.dwelling,
            key=proposal_subject(proposal.id),
        )
        try:
            outcome = book(ctx, booking, cause, then=partial(_close, proposal.id, wish.window))
        except _Settled:
            return Refused(reason="stale", detail="somebody else settled the proposal meanwhile; read it again")
        if isinstance(outcome, Visit) or outcome.reason not in PASSED_OVER:
            break
    return outcome


def _close(name: ProposalId, window: int, tx: Tx, visit: Visit) -> None:
    """Note in the booking's own transaction what became of the proposal; raises _Settled where it is another's."""
    proposal = tx.proposals.find(name)
    if proposal is None or (proposal.visit is None and proposal.window(window) is None):
        raise _Settled
    if proposal.visit == visit.id:
        return
    if proposal.state is not ProposalState.ANSWERED:
        raise _Settled
    tx.proposals.save(replace(proposal, state=ProposalState.ACCEPTED, visit=visit.id, accepted=window))
    _close_tasks(tx, name)


def decline(ctx: Context, name: ProposalId, reason: str, now: datetime) -> Proposal | Refused:
    """Let all windows go; declined twice is declined. What became a visit is cancelled there."""
    return ctx.store.write(lambda tx: _decline(tx, name, reason, now))


def _decline(tx: Tx, name: ProposalId, reason: str, now: datetime) -> Proposal | Refused:
    proposal = tx.proposals.find(name)
    if proposal is None:
        return Refused(reason="not-found", detail="no proposal has this id")
    if proposal.state is ProposalState.DECLINED:
        return proposal
    if proposal.state_at(now) not in (ProposalState.OPEN, ProposalState.ANSWERED):
        return Refused(reason="illegal-state", detail=f"the proposal is {proposal.state_at(now).value}")
    declined = replace(proposal, state=ProposalState.DECLINED, reason=reason)
    tx.proposals.save(declined)
    _close_tasks(tx, name)
    return declined


def _close_tasks(tx: Tx, name: ProposalId) -> None:
    for one in tx.queue.notices(channel="task", about=proposal_subject(name), state="open"):
        tx.queue.set_notice(one.key, "done")
