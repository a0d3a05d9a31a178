"""What a link to the booking page stands for: where one may book, what is known already, and the one visit that it
leads to. Knows no page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from syncd.core.ids import AgentId, EventTypeId, ProjectId, RequestId, VisitId
from syncd.core.interval import Interval
from syncd.core.limits import LONGEST_WINDOW
from syncd.core.visit import Answer, Contact, Dwelling, Refused, Slot, Visit, VisitState
from syncd.flows.book import Booking, Place, book, offer, place_of
from syncd.flows.context import Context
from syncd.flows.links import Purpose, find_subject, make_link, token_of, url_of, visit_subject
from syncd.flows.manage import PAGE, followers, key_after, move_once, times_for, visit_url
from syncd.store import Tx
from syncd.store.visits import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Where a link invites to, and how far its visit has come. At most one of `standing` and `lost` is there.

    `place` is a refusal where nothing can be booked at present.
    """

    subject: str  # "" for a page that is open to everybody
    project: ProjectId | None
    place: Place | Refused
    contact: Contact | None = None
    dwelling: Dwelling | None = None
    answers: tuple[Answer, ...] = ()
    request: RequestId | None = None
    preferred: AgentId | None = None
    standing: Visit | None = None  # booked already
    lost: Visit | None = None  # holds no time: choosing one moves it
    former: VisitId | None = None  # cancelled or over: the new visit follows it


def find_opening(ctx: Context, tx: Tx, token: str, now: datetime) -> Opening | None:
    """Return what a link, or the name of a project with a public page, invites to; None for anything else."""
    subject = find_subject(ctx, tx, Purpose.BOOK, token, now)
    if subject is None:
        return _public(ctx, token)
    kind, _, name = subject.partition(":")
    found = _of_request(ctx, tx, RequestId(name), now) if kind == "request" else _of_visit(ctx, tx, VisitId(name), now)
    return replace(found, subject=subject) if found is not None else None


def _public(ctx: Context, name: str) -> Opening | None:
    project = ctx.directory.projects.get(ProjectId(name))
    if project is None or not project.public_page:
        return None
    return Opening(subject="", project=project.id, place=place_of(ctx, project.id, None))


def _of_request(ctx: Context, tx: Tx, name: RequestId, now: datetime) -> Opening | None:
    stored = tx.visits.find_request(name)
    if stored is None or stored.route is None:
        return None
    return _follow(
        tx,
        Opening(
            subject="",
            project=stored.route.project,
            place=place_of(ctx, stored.route.project, stored.route.event_type),
            contact=stored.request.contact,
            dwelling=stored.request.dwelling,
            request=name,
            preferred=stored.request.preferred_agent,
        ),
        tx.visits.search(request=name),
        now,
    )


def _of_visit(ctx: Context, tx: Tx, name: VisitId, now: datetime) -> Opening | None:
    visit = tx.visits.find(name)
    if visit is None:
        return None
    stored = tx.visits.find_request(visit.request) if visit.request is not None else None
    place = Refused(reason="no_host") if visit.project is None else place_of(ctx, visit.project, visit.event_type)
    return _follow(
        tx,
        Opening(
            subject="",
            project=visit.project,
            place=place,
            contact=visit.contact,
            dwelling=visit.dwelling,
            answers=visit.answers,
            request=visit.request,
            preferred=stored.request.preferred_agent if stored is not None else None,
        ),
        tx.visits.search(request=visit.request) if visit.request is not None else [visit],
        now,
    )


def _follow(tx: Tx, opening: Opening, known: Sequence[Visit], now: datetime) -> Opening:
    """Add how far the visits of the opening have come; what the last one says of the client is kept."""
    visits = _with_followers(tx, known)
    last = visits[-1] if visits else None
    standing = next((one for one in visits if one.active and now < one.interval.end), None)
    lost = next((one for one in visits if one.state is VisitState.CONFLICT), None) if standing is None else None
    said = standing or lost or last
    if said is None:
        return opening
    return replace(
        opening,
        contact=said.contact,
        dwelling=said.dwelling or opening.dwelling,
        answers=said.answers or opening.answers,
        standing=standing,
        lost=lost,
        former=said.id,
    )


def _with_followers(tx: Tx, known: Sequence[Visit]) -> list[Visit]:
    """Return visits in the order in which they were booked, and behind the last one those that followed it."""
    line = sorted(known, key=lambda one: one.booked_at)
    after = followers(tx, line[-1]) if line else []
    return [*(one for one in line if one.id not in {later.id for later in after}), *after]


# --- times ----------------------------------------------------------------------------------------------------------


def times_of(ctx: Context, opening: Opening, now: datetime) -> tuple[Slot, ...]:
    """List every time that may be chosen now."""
    if opening.lost is not None:
        return times_for(ctx, opening.lost, now).slots
    if isinstance(opening.place, Refused):
        return ()
    project, kind = opening.place.project.id, opening.place.event_type.id
    found = offer(ctx, project, EventTypeId(kind), Interval(now, now + LONGEST_WINDOW), now, opening.dwelling)
    return () if isinstance(found, Refused) else tuple(found)


# --- the act --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the client chose and wrote. `number` is that of the form: the same one again is the same visit."""

    start: datetime
    contact: Contact
    dwelling: Dwelling | None
    answers: tuple[Answer, ...]
    number: str
    language: str = ""  # the locale in which the page was read


def take(ctx: Context, opening: Opening, chosen: Chosen, cause: Cause) -> Visit | Refused:
    """Book the time, or move the lost visit to it; however often this is asked, an opening leads to one visit."""
    if opening.lost is not None:
        return move_once(ctx, opening.lost, opening.lost.version, chosen.start, cause)
    place = opening.place
    if isinstance(place, Refused):
        return place
    booking = Booking(
        project=place.project.id,
        event_type=EventTypeId(place.event_type.id),
        start=chosen.start,
        contact=chosen.contact,
        source=PAGE,
        dwelling=chosen.dwelling,
        answers=chosen.answers,
        request=opening.request,
        preferred=opening.preferred,
        language=chosen.language,
        key=_key(opening, chosen),
        single=True,
        one_at_a_time=not opening.subject,
    )
    return book(ctx, booking, cause)


def _key(opening: Opening, chosen: Chosen) -> str:
    """Name the booking by what it follows, so that two tabs make one visit as well; of a public page, by its form."""
    if opening.former is not None:
        return key_after(opening.former)
    return opening.subject or f"form:{chosen.number}"


def is_made_by(visit: Visit, opening: Opening, chosen: Chosen) -> bool:
    """Tell whether this form may be shown the visit as its own. On a page that is open to everybody, knowing somebody's
    address is no proof of being that client."""
    return bool(opening.subject) or visit.source.id == _key(opening, chosen)


# --- where it is shown ----------------------------------------------------------------------------------------------


def make_addresses(ctx: Context, opening: Opening, visit: Visit, now: datetime) -> str | None:
    """Make the links of a visit that was just booked; returns the address that shows it to whoever booked on a page
    that is open to everybody, None where the opening's own address does."""

    def make(tx: Tx) -> str | None:
        visit_url(ctx, tx, visit)
        until = max(now + ctx.directory.link_expires, visit.interval.end)
        return make_link(ctx, tx, Purpose.BOOK, visit_subject(visit.id), until) if not opening.subject else None

    return ctx.store.write(make)


def find_visit_url(ctx: Context, tx: Tx, visit: Visit) -> str | None:
    """Return the address where a visit is managed, None where none was made yet: looking makes none."""
    subject = visit_subject(visit.id)
    link = tx.links.latest(Purpose.VISIT, subject)
    if link is None:
        return None
    return url_of(ctx, Purpose.VISIT, token_of(ctx, Purpose.VISIT, subject, link.generation))
