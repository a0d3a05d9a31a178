"""Visits booked and read."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import JSONResponse, Response

from syncd.core import limits
from syncd.core.ids import EventTypeId, RequestId, VisitId
from syncd.core.visit import Contact, Refused, Visit
from syncd.flows.book import Booking, book
from syncd.flows.context import Context
from syncd.flows.manage import link_of
from syncd.flows.show import history_json, local
from syncd.flows.told import messages_json, shown
from syncd.store.visits import StoredRequest
from syncd.web import api_models as shapes
from syncd.web.api_common import VisitIn, cause_of, context_of, find_visit, show, stored_request
from syncd.web.api_docs import documented
from syncd.web.api_search import Filters, search
from syncd.web.once import API, booking_key, release, reserve
from syncd.web.problems import Problem
from syncd.web.strict_route import StrictRoute
from syncd.web.words import agent_of, agreed, answers_of, contact_of, dwelling_of, invalid, problem_of, project_of

router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["visits"])


@router.post(
    "/visits",
    status_code=201,
    summary="Book a visit",
    description="The first free host in rank takes it, unless `host` names one. With `request`, what it says need not "
    "be said again. `event_type` is an id, or a role of the project such as `urgent`. A question of the event type "
    "that is answered twice, or must be answered and is left blank, is 422. A taken slot answers 409 `slot-taken` with "
    "at most five `alternatives`.",
    **documented({201: shapes.VisitOut, 200: shapes.VisitOut}, 404, 409, 422),
)
def post_visit(
    request: Request,
    taken: shapes.BookingIn,
    idempotency_key: Annotated[
        str | None, Header(description="Repeating it with the same body is the same visit")
    ] = None,
) -> Response:
    ctx = context_of(request)
    key = booking_key(request.state.caller, idempotency_key)
    if key is None:
        return show(ctx, _book(ctx, request, taken, None), 201)
    fresh = reserve(ctx, key, request.state.body)
    with ctx.store.read() as tx:
        known = tx.visits.find_by_source(API, key)
    if known is not None:
        return show(ctx, known, 200)
    try:
        visit = _book(ctx, request, taken, key)
    except Problem:
        release(ctx, key)
        raise
    return show(ctx, visit, 201 if fresh else 200)


def _book(ctx: Context, request: Request, taken: shapes.BookingIn, key: str | None) -> Visit:
    booking = replace(_booking(ctx, taken), key=key)
    outcome = book(ctx, booking, cause_of(request, ctx.clock.now()))
    if isinstance(outcome, Refused):
        raise problem_of(outcome, ctx.directory.projects[booking.project].time_zone)
    return outcome


def _booking(ctx: Context, taken: shapes.BookingIn) -> Booking:
    stored = stored_request(ctx, taken.request)
    route = stored.route if stored else None
    kind = taken.event_type or (route.event_type if route else None)
    project = project_of(ctx.directory, agreed("project", taken.project, route.project if route else None))
    chosen = ctx.directory.projects[project].find_event_type(kind or "standard")
    return Booking(
        project=project,
        event_type=EventTypeId(kind) if kind else None,
        start=taken.start,
        host=agent_of(ctx.directory, taken.host) if taken.host else None,
        contact=_contact(ctx, taken, stored),
        dwelling=dwelling_of(taken.property) or (stored.request.dwelling if stored else None),
        answers=answers_of(taken.answers, ctx.directory.event_types.get(chosen) if chosen else None),
        request=RequestId(taken.request) if taken.request else None,
        preferred=stored.request.preferred_agent if stored else None,
        source=API,
    )


def _contact(ctx: Context, taken: shapes.BookingIn, stored: StoredRequest | None) -> Contact:
    if taken.contact is not None:
        return contact_of(taken.contact, ctx.directory)
    if stored is None:
        raise invalid("contact", "say who comes, or name the request")
    return stored.request.contact


@router.get(
    "/visits",
    summary="List visits",
    description="Ordered by start. `next` is null on the last page, else the value of `after` for the next one.",
    **documented({200: shapes.VisitsOut}, 404, 422),
)
def get_visits(
    request: Request,
    project: Annotated[str | None, Query(max_length=limits.ID)] = None,
    agent: Annotated[str | None, Query(max_length=limits.EMAIL, description="id or address")] = None,
    state: Annotated[
        list[str] | None, Query(description="one or several of pending confirmed conflict cancelled done")
    ] = None,
    start: Annotated[str | None, Query(alias="from", description="RFC 3339, or a day")] = None,
    end: Annotated[str | None, Query(alias="to", description="RFC 3339, or a day")] = None,
    asked: Annotated[str | None, Query(alias="request", max_length=limits.ID)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
    after: Annotated[str | None, Query(max_length=limits.ID, description="`next` of the page before")] = None,
) -> Response:
    ctx = context_of(request)
    now = ctx.clock.now()
    filters = Filters(project=project, agent=agent, states=state or (), start=start, end=end, request=asked)
    found = search(ctx, now, filters, limit + 1, after)
    page = found[:limit]
    following = page[-1].id if len(found) > limit else None
    return JSONResponse({"items": [shown(ctx, visit, now) for visit in page], "next": following})


@router.get("/visits/{id}", summary="One visit", **documented({200: shapes.VisitOut}, 404, 422))
def get_visit(request: Request, visit_id: VisitIn) -> Response:
    ctx = context_of(request)
    return show(ctx, find_visit(ctx, visit_id))


@router.get(
    "/visits/{id}/history",
    summary="Who changed it, from where",
    description="In order; `before` is null where the visit began, else the fields that changed, as they were.",
    **documented({200: shapes.HistoryOut}, 404, 422),
)
def get_history(request: Request, visit_id: VisitIn) -> Response:
    ctx = context_of(request)
    zone = find_visit(ctx, visit_id).time_zone
    with ctx.store.read() as tx:
        rows = tx.visits.history(VisitId(visit_id))
    return JSONResponse({"items": [history_json(row, zone) for row in rows], "next": None})


@router.get(
    "/visits/{id}/messages",
    summary="What was said of it, and will be",
    description="By due time. `planned` is what the plan holds and may still change; every other state is of a message "
    "whose moment came. `reason` says why one was skipped, failed or is unknown.",
    **documented({200: shapes.MessagesOut}, 404, 422),
)
def get_messages(request: Request, visit_id: VisitIn) -> Response:
    ctx = context_of(request)
    visit = find_visit(ctx, visit_id)
    with ctx.store.read() as tx:
        return JSONResponse({"items": messages_json(ctx, tx, visit), "next": None})


@router.get(
    "/visits/{id}/link",
    summary="Where the client manages it",
    description="For messages of your own: whoever has it may confirm, move and cancel the visit. It stays the same "
    "until the visit ends, also when that moves; `syncd links visit --renew` makes one that supersedes it. The link of "
    "a visit that is over is 409 `illegal-state`.",
    **documented({200: shapes.LinkOut}, 404, 409, 422),
)
def get_link(request: Request, visit_id: VisitIn) -> Response:
    ctx = context_of(request)
    zone = find_visit(ctx, visit_id).time_zone
    found = link_of(ctx, VisitId(visit_id), ctx.clock.now())
    if isinstance(found, Refused):
        raise problem_of(found, zone)
    return JSONResponse({"url": found.url, "expires_at": local(found.expires_at, zone)})
