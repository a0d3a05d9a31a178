"""What integrators do to a visit: each action answers 200 with the visit as it is then; a repeat is harmless."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from syncd.core.ids import VisitId
from syncd.core.visit import (
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
)
from syncd.flows.book import act
from syncd.web import api_models as shapes
from syncd.web.api_common import VisitIn, cause_of, context_of, find_visit, show
from syncd.web.api_docs import documented
from syncd.web.strict_route import StrictRoute
from syncd.web.words import agent_of, comers_of, leavers_of, problem_of

router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["actions"])
ACTION: dict[str, Any] = documented({200: shapes.VisitOut}, 404, 409, 422)


def _act(request: Request, visit_id: str, command: Command, note: str = "") -> Response:
    ctx = context_of(request)
    outcome = act(ctx, VisitId(visit_id), command, cause_of(request, ctx.clock.now(), note))
    if isinstance(outcome, Refused):
        raise problem_of(outcome, find_visit(ctx, visit_id).time_zone)
    return show(ctx, outcome)


@router.post("/visits/{id}/approve", summary="Approve a pending visit", **ACTION)
def approve(request: Request, visit_id: VisitIn, taken: shapes.NothingIn) -> Response:
    return _act(request, visit_id, Approve())


@router.post("/visits/{id}/reject", summary="Reject a pending visit", **ACTION)
def reject(request: Request, visit_id: VisitIn, taken: shapes.RejectIn) -> Response:
    return _act(request, visit_id, Reject(message=taken.reason))


@router.post("/visits/{id}/confirm", summary="The client said yes", **ACTION)
def confirm(request: Request, visit_id: VisitIn, taken: shapes.NothingIn) -> Response:
    return _act(request, visit_id, Confirm())


@router.post(
    "/visits/{id}/cancel",
    summary="Cancel a visit",
    description="`reason` stays in the history; `message`, `rebook_link` and `channel` go with the client's notice.",
    **ACTION,
)
def cancel(request: Request, visit_id: VisitIn, taken: shapes.CancelIn) -> Response:
    command = Cancel(
        by=CancelReason(taken.by), message=taken.message, rebook_link=taken.rebook_link, channel=taken.channel
    )
    return _act(request, visit_id, command, taken.reason)


@router.post("/visits/{id}/move", summary="Another time, perhaps another host", **ACTION)
def move(request: Request, visit_id: VisitIn, taken: shapes.MoveIn) -> Response:
    host = agent_of(context_of(request).directory, taken.host) if taken.host else None
    return _act(request, visit_id, Move(start=taken.start, host=host))


@router.post("/visits/{id}/reassign", summary="Another host at the same time", **ACTION)
def reassign(request: Request, visit_id: VisitIn, taken: shapes.ReassignIn) -> Response:
    return _act(request, visit_id, Reassign(host=agent_of(context_of(request).directory, taken.host)))


@router.post(
    "/visits/{id}/participants",
    summary="Who else comes along",
    description="Agents by id or address, further contacts by address or as `{name, email}`. The contact who booked "
    "and the host stay: 409 `protected-field`.",
    **ACTION,
)
def participants(request: Request, visit_id: VisitIn, taken: shapes.ParticipantsIn) -> Response:
    directory = context_of(request).directory
    agents, contacts = comers_of(taken.add, directory)
    leaving, addresses = leavers_of(taken.remove, directory)
    command = Participants(add=agents, remove=leaving, add_contacts=contacts, remove_contacts=addresses)
    return _act(request, visit_id, command)


@router.post("/visits/{id}/attendance", summary="Was the client there", **ACTION)
def attendance(request: Request, visit_id: VisitIn, taken: shapes.AttendanceIn) -> Response:
    return _act(request, visit_id, Attend(attendance=Attendance(taken.attendance)))
