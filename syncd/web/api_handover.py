"""An agent's future visits go to a colleague: the same as `syncd handover`."""

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from syncd.core.ids import AgentId, ProjectId
from syncd.core.visit import Refused
from syncd.flows.context import Context
from syncd.flows.handover import Handover, hand_over, handed_over_json, hosts_ahead
from syncd.web import api_models as shapes
from syncd.web.api_common import cause_of, context_of
from syncd.web.api_docs import documented
from syncd.web.problems import words_of
from syncd.web.strict_route import StrictRoute
from syncd.web.words import agent_of, problem_of, project_of

router = APIRouter(prefix="/api", route_class=StrictRoute, tags=["actions"])


@router.post(
    "/handovers",
    summary="One agent's future visits to another",
    description="From the local day `on`, every visit of `from` in the project that `to` can take moves at once; the "
    "others are listed with the reason. Each client is told once. Repeating it moves nothing more.",
    **documented({200: shapes.HandedOverOut}, 404, 422),
)
def post_handover(request: Request, taken: shapes.HandoverIn) -> Response:
    ctx = context_of(request)
    project = project_of(ctx.directory, taken.project)
    wanted = Handover(
        giver=_giver(ctx, project, taken.giver),
        taker=agent_of(ctx.directory, taken.taker),
        project=project,
        on=taken.on,
    )
    outcome = hand_over(ctx, wanted, cause_of(request, ctx.clock.now()), dry_run=taken.dry_run)
    if isinstance(outcome, Refused):
        raise problem_of(outcome, ctx.directory.projects[project].time_zone)
    return JSONResponse(handed_over_json(outcome, words_of, dry_run=taken.dry_run))


def _giver(ctx: Context, project: ProjectId, named: str) -> AgentId:
    """Return whose visits they are; somebody who is no agent any more may still have visits."""
    if ctx.directory.find_agent(named) is None:
        with ctx.store.read() as tx:
            if named in hosts_ahead(tx, project, ctx.clock.now()):
                return AgentId(named)
    return agent_of(ctx.directory, named)
