"""Proposals made, read and settled; tasks read and ticked off."""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Path, Query, Request
from starlette.responses import JSONResponse, Response

from syncd.core import limits
from syncd.core.directory import Directory
from syncd.core.ids import ProposalId
from syncd.core.proposals import AnswerBy, Proposal, Recipient, RecipientKind
from syncd.core.visit import Refused
from syncd.flows.context import Context
from syncd.flows.propose import Accept, Wanted, accept, decline, make, zone_of
from syncd.flows.show import proposal_json, task_json
from syncd.flows.tasks import list_tasks, tick
from syncd.web import api_models as shapes
from syncd.web.api_common import cause_of, context_of, show
from syncd.web.api_docs import documented
from syncd.web.once import booking_key, release, reserve
from syncd.web.problems import Problem
from syncd.web.strict_route import StrictRoute
from syncd.web.words import agent_of, contact_of, dwelling_of, invalid, problem_of, project_of

router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["proposals"])
ProposalIn = Annotated[str, Path(alias="id", max_length=limits.ID, description="The proposal's id")]
TaskIn = Annotated[str, Path(alias="id", max_length=limits.LINE, description="The task's id")]


@router.post(
    "/proposals",
    status_code=201,
    summary="Ask a client for windows",
    description="One contact and at most one property. `url` is where the client names up to five windows; the answer "
    "goes to `recipient`, on every way of `answer_by` that is possible; where one is not, a mail stands in.",
    **documented({201: shapes.ProposalMadeOut, 200: shapes.ProposalMadeOut}, 404, 409, 422),
)
def post_proposal(
    request: Request,
    taken: shapes.AskingIn,
    idempotency_key: Annotated[
        str | None, Header(description="Repeating it with the same body is the same proposal")
    ] = None,
) -> Response:
    ctx = context_of(request)
    wanted = _wanted(ctx, taken)
    key = booking_key(request.state.caller, idempotency_key)
    fresh = reserve(ctx, key, request.state.body) if key is not None else True
    made = make(ctx, wanted, ctx.clock.now(), f"key:{key}" if key is not None else None)
    if isinstance(made, Refused):
        if key is not None and fresh:
            release(ctx, key)
        raise problem_of(made, zone_of(ctx, wanted.project))
    proposal, url = made
    headers = {"Location": f"/api/proposals/{proposal.id}"}
    body = {"id": proposal.id, "url": url}
    return JSONResponse(body, status_code=201 if fresh else 200, headers=headers if fresh else None)


def _wanted(ctx: Context, taken: shapes.AskingIn) -> Wanted:
    return Wanted(
        contact=contact_of(taken.contact, ctx.directory),
        recipient=_recipient(ctx.directory, taken.recipient),
        answer_by=tuple(AnswerBy(one) for one in dict.fromkeys(taken.answer_by or ())),
        project=project_of(ctx.directory, taken.project) if taken.project is not None else None,
        dwelling=dwelling_of(taken.property),
        expires_at=taken.expires,
    )


def _recipient(directory: Directory, taken: shapes.RecipientIn) -> Recipient:
    """Return whom the answer goes to; raises Problem unless exactly one is named."""
    named = [taken.user is not None, taken.contact_person is True, taken.email is not None]
    if sum(named) != 1:
        raise invalid("recipient", "name exactly one of user, contact_person: true and email")
    if taken.user is not None:
        user = agent_of(directory, taken.user)
        return Recipient(kind=RecipientKind.USER, user=user, email=directory.agents[user].email)
    if taken.email is not None:
        return Recipient(kind=RecipientKind.EMAIL, email=taken.email)
    return Recipient(kind=RecipientKind.CONTACT_PERSON)


@router.get(
    "/proposals/{id}",
    summary="One proposal, with the client's windows",
    **documented({200: shapes.ProposalOut}, 404, 422),
)
def get_proposal(request: Request, proposal_id: ProposalIn) -> Response:
    ctx = context_of(request)
    return _show(ctx, _find(ctx, proposal_id))


def _find(ctx: Context, proposal_id: str) -> Proposal:
    """Return the proposal; raises Problem `not-found`."""
    with ctx.store.read() as tx:
        found = tx.proposals.find(ProposalId(proposal_id))
    if found is None:
        raise Problem("not-found", "no proposal has this id")
    return found


def _show(ctx: Context, proposal: Proposal) -> Response:
    return JSONResponse(proposal_json(proposal, ctx.clock.now(), zone_of(ctx, proposal.project)))


@router.post(
    "/proposals/{id}/accept",
    summary="Make one window a visit",
    description="`window` is its number. Without `start` it is the first bookable one in which the visit fits. The "
    "other windows close. A repeated acceptance answers the same visit, one of something else "
    "is 409 `illegal-state`. A slot that is taken is 409 with `alternatives`; "
    "a number that a later answer of the client replaced is 409 `stale`.",
    **documented({200: shapes.VisitOut}, 404, 409, 422),
)
def post_accept(request: Request, proposal_id: ProposalIn, taken: shapes.AcceptIn) -> Response:
    ctx = context_of(request)
    wish = Accept(
        window=taken.window,
        host=agent_of(ctx.directory, taken.host) if taken.host is not None else None,
        start=taken.start,
        project=project_of(ctx.directory, taken.project) if taken.project is not None else None,
    )
    proposal = _find(ctx, proposal_id)
    outcome = accept(ctx, proposal.id, wish, cause_of(request, ctx.clock.now()))
    if isinstance(outcome, Refused):
        raise problem_of(outcome, zone_of(ctx, proposal.project or wish.project))
    return show(ctx, outcome)


@router.post(
    "/proposals/{id}/decline",
    summary="Let all windows go",
    description="A second time is the same. What became a visit is cancelled there.",
    **documented({200: shapes.ProposalOut}, 404, 409, 422),
)
def post_decline(request: Request, proposal_id: ProposalIn, taken: shapes.DeclineIn) -> Response:
    ctx = context_of(request)
    outcome = decline(ctx, ProposalId(proposal_id), taken.reason, ctx.clock.now())
    if isinstance(outcome, Refused):
        raise problem_of(outcome, ctx.directory.time_zone)
    return _show(ctx, outcome)


@router.get(
    "/tasks",
    summary="What people have been asked to do",
    description="In the order in which they were opened; `next` is always null.",
    **documented({200: shapes.TasksOut}, 404, 422),
)
def get_tasks(
    request: Request,
    agent: Annotated[str | None, Query(max_length=limits.EMAIL, description="id or address")] = None,
    state: Annotated[Literal["open", "done", "all"], Query()] = "open",
) -> Response:
    ctx = context_of(request)
    wanted = agent_of(ctx.directory, agent) if agent is not None else None
    found = list_tasks(ctx, agent=wanted, state=state)
    return JSONResponse({"items": [task_json(one, ctx.directory.time_zone) for one in found], "next": None})


@router.post(
    "/tasks/{id}/done",
    summary="Tick a task off",
    description="One that is done already stays so.",
    **documented({200: shapes.TaskOut}, 404, 422),
)
def post_task_done(request: Request, task_id: TaskIn, _taken: shapes.NothingIn) -> Response:
    ctx = context_of(request)
    task = tick(ctx, task_id)
    if task is None:
        raise Problem("not-found", "no task has this id")
    return JSONResponse(task_json(task, ctx.directory.time_zone))
