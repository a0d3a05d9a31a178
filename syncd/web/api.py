"""The API for integrators: reads and checks what was sent, asks a flow, shows what came of it; decides nothing."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from syncd.core.ids import EventTypeId, RequestId, VisitId
from syncd.core.routing import Unroutable
from syncd.core.visit import (
    Answer,
    Approve,
    Attend,
    Attendance,
    Cancel,
    CancelReason,
    Command,
    Confirm,
    Move,
    Participants,
    Reassign,
    Refused,
    Reject,
    Visit,
)
from syncd.flows.book import Booking, act, book, offer
from syncd.flows.context import Context
from syncd.flows.request import Accepted, accept
from syncd.flows.show import history_json, slot_json, visit_json
from syncd.store.visits import Cause, StoredRequest
from syncd.web import api_models as shapes
from syncd.web.api_docs import documented, enrich
from syncd.web.api_search import Filters, search
from syncd.web.auth import Limiter
from syncd.web.once import API, booking_key, release, reserve
from syncd.web.problems import Problem, of_http
from syncd.web.strict_route import StrictRoute
from syncd.web.words import (
    agent_of,
    agents_of,
    contact_of,
    dwelling_of,
    invalid,
    problem_of,
    project_of,
    request_of,
    verdict_json,
    window_of,
)

router = APIRouter(prefix="/api", route_class=StrictRoute)
FAILURES_A_MINUTE = 20
PROTECTED = frozenset({"event_type", "property", "contact", "project"})  # R028


def create_api(ctx: Callable[[], Context], tokens: Callable[[], Mapping[str, str]]) -> FastAPI:
    """Make the API; `ctx` and `tokens` are asked on every request, so that a reload is seen at once."""
    app = FastAPI(
        title="syncd",
        version="1",
        description="Visits: requests in, slots out, visits booked and changed. Times are RFC 3339 with offset.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    app.state.ctx, app.state.tokens = ctx, tokens
    app.state.limiter = Limiter(ctx().clock, FAILURES_A_MINUTE, 60)
    app.include_router(router)
    app.add_exception_handler(RequestValidationError, _unacceptable)
    app.add_exception_handler(HTTPException, _refused)
    enrich(app)
    return app


async def _refused(_request: Request, error: Exception) -> Response:
    return of_http(error).response() if isinstance(error, HTTPException) else Problem("internal").response()


async def _unacceptable(request: Request, error: Exception) -> Response:
    """Say every problem of the body at once; an attempt to change what must not change is told apart (R028)."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    errors = [{"field": _place(one["loc"]), "problem": _words(one)} for one in found]
    foreign = {str(one["loc"][-1]) for one in found if one["type"] == "extra_forbidden"}
    if foreign & PROTECTED and "id" in request.path_params:
        named = ", ".join(sorted(foreign & PROTECTED))
        return Problem("protected-field", f"{named} cannot be changed; cancel and book anew", errors=errors).response()
    return Problem(
        "invalid", "; ".join(f"{one['field']}: {one['problem']}" for one in errors), errors=errors
    ).response()


def _place(loc: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in loc if part not in ("body", "query", "path"))[:200]


def _words(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "is not a field here"
    return str(error["msg"]).removeprefix("Value error, ")[:300]


def context_of(request: Request) -> Context:
    found: Context = request.app.state.ctx()
    return found


def cause_of(request: Request, now: datetime, note: str = "") -> Cause:
    return Cause(at=now, actor=f"api:{request.state.caller}", source="api", note=note)


@router.post(
    "/requests",
    status_code=201,
    summary="Hand in a client's request",
    **documented({201: shapes.RequestOut, 200: shapes.RequestOut}, 409, 422),
)
def post_request(request: Request, taken: shapes.RequestIn) -> Response:
    ctx = context_of(request)
    now = ctx.clock.now()
    body = json.dumps(request.state.body, sort_keys=True, ensure_ascii=False)
    outcome = accept(ctx, request_of(taken, ctx.directory, now), body, now)
    if isinstance(outcome, Unroutable):
        raise Problem("unroutable", outcome.why, verdicts=list(map(verdict_json, outcome.verdicts)))
    if isinstance(outcome, Refused):
        raise problem_of(outcome, ctx.directory.time_zone)
    return JSONResponse(_accepted(outcome), status_code=200 if outcome.repeated else 201)


def _accepted(outcome: Accepted) -> dict[str, Any]:
    return {
        "id": outcome.request.id,
        "project": outcome.route.project,
        "event_type": outcome.route.event_type,
        "rules": list(map(verdict_json, outcome.route.verdicts)),
        "booking_url": outcome.booking_url,
        "expires_at": None,
    }


@router.get("/slots", summary="What may be booked", **documented({200: list[shapes.SlotOut]}, 404, 409, 422))
def get_slots(
    request: Request,
    start: Annotated[str, Query(alias="from", description="RFC 3339, or a day of the project")],
    end: Annotated[str, Query(alias="to", description="RFC 3339, or a day of the project")],
    project: Annotated[str | None, Query(max_length=200)] = None,
    event_type: Annotated[str | None, Query(max_length=200)] = None,
    asked: Annotated[str | None, Query(alias="request", max_length=200)] = None,
) -> Response:
    ctx = context_of(request)
    stored = _stored(ctx, asked)
    place = project_of(
        ctx.directory, _agreed("project", project, stored.route.project if stored and stored.route else None)
    )
    kind = event_type or (stored.route.event_type if stored and stored.route else None)
    zone = ctx.directory.projects[place].time_zone
    found = offer(ctx, place, EventTypeId(kind) if kind else None, window_of(start, end, zone), ctx.clock.now())
    if isinstance(found, Refused):
        raise problem_of(found, zone)
    return JSONResponse([slot_json(slot, zone) for slot in found])


def _stored(ctx: Context, request_id: str | None) -> StoredRequest | None:
    if request_id is None:
        return None
    with ctx.store.read() as tx:
        found = tx.visits.find_request(RequestId(request_id))
    if found is None:
        raise Problem("not-found", f"no request has the id {request_id!r}")
    return found


def _agreed(field: str, given: str | None, known: str | None) -> str:
    """Return the one value that was given or is known of the request; two different ones are a mistake."""
    if given is not None and known is not None and given != known:
        raise invalid(field, f"the request belongs to {known!r}")
    if given is None and known is None:
        raise invalid(field, "say which: give project or request")
    return given or known or ""


@router.post(
    "/visits",
    status_code=201,
    summary="Book a visit",
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
        return _show(ctx, _book(ctx, request, taken, None), 201)
    fresh = reserve(ctx, key, request.state.body)
    with ctx.store.read() as tx:
        known = tx.visits.find_by_source(API, key)
    if known is not None:
        return _show(ctx, known, 200)
    try:
        visit = _book(ctx, request, taken, key)
    except Problem:
        release(ctx, key)
        raise
    return _show(ctx, visit, 201 if fresh else 200)


def _book(ctx: Context, request: Request, taken: shapes.BookingIn, key: str | None) -> Visit:
    booking = replace(_booking(ctx, taken), key=key)
    outcome = book(ctx, booking, cause_of(request, ctx.clock.now()))
    if isinstance(outcome, Refused):
        raise problem_of(outcome, ctx.directory.projects[booking.project].time_zone)
    return outcome


def _booking(ctx: Context, taken: shapes.BookingIn) -> Booking:
    stored = _stored(ctx, taken.request)
    route = stored.route if stored else None
    project = project_of(ctx.directory, _agreed("project", taken.project, route.project if route else None))
    contact = contact_of(taken.contact, ctx.directory) if taken.contact else stored.request.contact if stored else None
    if contact is None:
        raise invalid("contact", "say who comes, or name the request")
    kind = taken.event_type or (route.event_type if route else None)
    return Booking(
        project=project,
        event_type=EventTypeId(kind) if kind else None,
        start=taken.start,
        host=agent_of(ctx.directory, taken.host) if taken.host else None,
        contact=contact,
        dwelling=dwelling_of(taken.property) or (stored.request.dwelling if stored else None),
        answers=tuple(Answer(question=one.question, answer=one.answer) for one in taken.answers),
        request=RequestId(taken.request) if taken.request else None,
        preferred=stored.request.preferred_agent if stored else None,
        source=API,
    )


def _show(ctx: Context, visit: Visit, status: int = 200) -> Response:
    headers = {"Location": f"/api/visits/{visit.id}"} if status == 201 else None
    return JSONResponse(visit_json(visit, ctx.clock.now()), status_code=status, headers=headers)


@router.get("/visits", summary="List visits", **documented({200: shapes.VisitsOut}, 404, 422))
def get_visits(
    request: Request,
    project: Annotated[str | None, Query(max_length=200)] = None,
    agent: Annotated[str | None, Query(max_length=254, description="id or address")] = None,
    state: Annotated[
        list[str] | None, Query(description="one or several of pending confirmed conflict cancelled done")
    ] = None,
    start: Annotated[str | None, Query(alias="from", description="RFC 3339, or a day")] = None,
    end: Annotated[str | None, Query(alias="to", description="RFC 3339, or a day")] = None,
    asked: Annotated[str | None, Query(alias="request", max_length=200)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
    after: Annotated[str | None, Query(max_length=200, description="`next` of the page before")] = None,
) -> Response:
    ctx = context_of(request)
    now = ctx.clock.now()
    filters = Filters(project=project, agent=agent, states=state or (), start=start, end=end, request=asked)
    page = search(ctx, now, filters, limit, after)
    last = page[-1].id if len(page) == limit else None
    return JSONResponse({"items": [visit_json(visit, now) for visit in page], "next": last})


@router.get("/visits/{id}", summary="One visit", **documented({200: shapes.VisitOut}, 404))
def get_visit(request: Request, id: str) -> Response:
    ctx = context_of(request)
    return _show(ctx, find_visit(ctx, id))


def find_visit(ctx: Context, id: str) -> Visit:
    with ctx.store.read() as tx:
        visit = tx.visits.find(VisitId(id))
    if visit is None:
        raise Problem("not-found", "no visit has this id")
    return visit


@router.get("/visits/{id}/history", summary="Who changed it, from where", **documented({200: shapes.HistoryOut}, 404))
def get_history(request: Request, id: str) -> Response:
    ctx = context_of(request)
    zone = find_visit(ctx, id).time_zone
    with ctx.store.read() as tx:
        rows = tx.visits.history(VisitId(id))
    return JSONResponse({"items": [history_json(row, zone) for row in rows], "next": None})


def _act(request: Request, id: str, command: Command, note: str = "") -> Response:
    ctx = context_of(request)
    outcome = act(ctx, VisitId(id), command, cause_of(request, ctx.clock.now(), note))
    if isinstance(outcome, Refused):
        zone = find_visit(ctx, id).time_zone
        raise problem_of(outcome, zone)
    return _show(ctx, outcome)


ACTION: dict[str, Any] = documented({200: shapes.VisitOut}, 404, 409, 422)


@router.post("/visits/{id}/approve", summary="Approve a pending visit", **ACTION)
def approve(request: Request, id: str, taken: shapes.NothingIn) -> Response:
    return _act(request, id, Approve())


@router.post("/visits/{id}/reject", summary="Reject a pending visit", **ACTION)
def reject(request: Request, id: str, taken: shapes.RejectIn) -> Response:
    return _act(request, id, Reject(message=taken.reason))


@router.post("/visits/{id}/confirm", summary="The client said yes", **ACTION)
def confirm(request: Request, id: str, taken: shapes.NothingIn) -> Response:
    return _act(request, id, Confirm())


@router.post("/visits/{id}/cancel", summary="Cancel a visit", **ACTION)
def cancel(request: Request, id: str, taken: shapes.CancelIn) -> Response:
    wishes = [
        taken.reason,
        "rebook_link" if taken.rebook_link else "",
        f"channel={taken.channel}" if taken.channel else "",
    ]
    note = "; ".join(one for one in wishes if one)
    return _act(request, id, Cancel(by=CancelReason(taken.by), message=taken.message), note)


@router.post("/visits/{id}/move", summary="Another time, perhaps another host", **ACTION)
def move(request: Request, id: str, taken: shapes.MoveIn) -> Response:
    directory = context_of(request).directory
    return _act(request, id, Move(start=taken.start, host=agent_of(directory, taken.host) if taken.host else None))


@router.post("/visits/{id}/reassign", summary="Another host at the same time", **ACTION)
def reassign(request: Request, id: str, taken: shapes.ReassignIn) -> Response:
    return _act(request, id, Reassign(host=agent_of(context_of(request).directory, taken.host)))


@router.post("/visits/{id}/participants", summary="Who else comes along", **ACTION)
def participants(request: Request, id: str, taken: shapes.ParticipantsIn) -> Response:
    ctx = context_of(request)
    booker = find_visit(ctx, id).contact.email
    if booker is not None and booker.casefold() in map(str.casefold, taken.remove):
        raise Problem("protected-field", "the contact who booked stays; cancel the visit instead")
    directory = ctx.directory
    return _act(
        request, id, Participants(add=agents_of(directory, taken.add), remove=agents_of(directory, taken.remove))
    )


@router.post("/visits/{id}/attendance", summary="Was the client there", **ACTION)
def attendance(request: Request, id: str, taken: shapes.AttendanceIn) -> Response:
    return _act(request, id, Attend(attendance=Attendance(taken.attendance)))
