"""What the post-sale system hands in, and what may be booked for it."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from syncd.core import limits
from syncd.core.ids import EventTypeId, ProjectId
from syncd.core.routing import Unroutable
from syncd.core.visit import Dwelling, Refused
from syncd.flows.book import offer, place_of
from syncd.flows.context import Context
from syncd.flows.explain import explain_start, explained_json
from syncd.flows.request import Accepted, accept
from syncd.flows.show import local, slot_json
from syncd.web import api_models as shapes
from syncd.web.api_common import context_of, stored_request
from syncd.web.api_docs import documented
from syncd.web.problems import Problem, told_of
from syncd.web.strict_route import StrictRoute
from syncd.web.words import agreed, moment_of, problem_of, project_of, request_of, verdict_json, window_of

router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["requests"])


@router.post(
    "/requests",
    status_code=201,
    summary="Hand in a client's request",
    description="The same body again answers 200 with the same answer; another body under the id is refused.",
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
    project = ctx.directory.projects.get(outcome.route.project)
    zone = project.time_zone if project is not None else ctx.directory.time_zone
    return JSONResponse(_accepted(outcome, zone), status_code=200 if outcome.repeated else 201)


def _accepted(outcome: Accepted, zone: str) -> dict[str, Any]:
    return {
        "id": outcome.request.id,
        "project": outcome.route.project,
        "event_type": outcome.route.event_type,
        "rules": list(map(verdict_json, outcome.route.verdicts)),
        "booking_url": outcome.booking_url,
        "expires_at": local(outcome.expires_at, zone),
    }


@router.get(
    "/slots",
    summary="What may be booked",
    description="Give `project`, or `request`, which then also says the event type. What is listed is what is booked.",
    **documented({200: list[shapes.SlotOut]}, 404, 409, 422),
)
def get_slots(
    request: Request,
    start: Annotated[str, Query(alias="from", description="RFC 3339, or a day of the project")],
    end: Annotated[str, Query(alias="to", description="RFC 3339, or a day of the project")],
    project: Annotated[str | None, Query(max_length=limits.ID)] = None,
    event_type: Annotated[str | None, Query(max_length=limits.ID, description="id, or role such as urgent")] = None,
    asked: Annotated[str | None, Query(alias="request", max_length=limits.ID)] = None,
) -> Response:
    ctx = context_of(request)
    place, kind = _place_named(ctx, project, event_type, asked)
    zone = ctx.directory.projects[place].time_zone
    found = offer(ctx, place, kind, window_of(start, end, zone), ctx.clock.now(), _dwelling(ctx, asked))
    if isinstance(found, Refused):
        raise problem_of(found, zone)
    return JSONResponse([slot_json(slot, zone) for slot in found])


@router.get(
    "/slots/explain",
    summary="Why a time is or is not offered",
    description="Host by host, with the reason that a booking at this time would be refused with, and everything else "
    "that speaks against it. Give `project`, or `request`, which then also says the event type.",
    **documented({200: shapes.ExplainedOut}, 404, 409, 422),
)
def explain_slot(
    request: Request,
    time: Annotated[str, Query(description="RFC 3339")],
    project: Annotated[str | None, Query(max_length=limits.ID)] = None,
    event_type: Annotated[str | None, Query(max_length=limits.ID, description="id, or role such as urgent")] = None,
    asked: Annotated[str | None, Query(alias="request", max_length=limits.ID)] = None,
) -> Response:
    ctx = context_of(request)
    found, kind = _place_named(ctx, project, event_type, asked)
    place = place_of(ctx, found, kind)
    if isinstance(place, Refused):
        raise problem_of(place, ctx.directory.projects[found].time_zone)
    start = moment_of("time", time)
    hosts = explain_start(ctx, place, start, ctx.clock.now(), _dwelling(ctx, asked))
    return JSONResponse(explained_json(place, start, hosts, told_of))


def _dwelling(ctx: Context, asked: str | None) -> Dwelling | None:
    """Return the dwelling of a request that is named: when it is visited already, nothing else can be booked there."""
    stored = stored_request(ctx, asked)
    return stored.request.dwelling if stored is not None else None


def _place_named(
    ctx: Context, project: str | None, event_type: str | None, asked: str | None
) -> tuple[ProjectId, EventTypeId | None]:
    """Return the project and event type that are named, by themselves or by a request."""
    stored = stored_request(ctx, asked)
    route = stored.route if stored else None
    found = project_of(ctx.directory, agreed("project", project, route.project if route else None))
    kind = event_type or (route.event_type if route else None)
    return found, EventTypeId(kind) if kind else None
