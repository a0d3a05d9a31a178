"""What every route of the API begins and ends with: the context, the cause of a change, a visit shown."""

from datetime import datetime
from typing import Annotated

from fastapi import Path, Request
from starlette.responses import JSONResponse, Response

from syncd.core import limits
from syncd.core.ids import RequestId, VisitId
from syncd.core.visit import Visit
from syncd.flows.context import Context
from syncd.flows.told import shown
from syncd.store.visits import Cause, StoredRequest
from syncd.web.problems import Problem

VisitIn = Annotated[str, Path(alias="id", max_length=limits.ID, description="The visit's id")]


def context_of(request: Request) -> Context:
    found: Context = request.app.state.ctx()
    return found


def cause_of(request: Request, now: datetime, note: str = "") -> Cause:
    return Cause(at=now, actor=f"api:{request.state.caller}", source="api", note=note)


def show(ctx: Context, visit: Visit, status: int = 200) -> Response:
    headers = {"Location": f"/api/visits/{visit.id}"} if status == 201 else None
    return JSONResponse(shown(ctx, visit, ctx.clock.now()), status_code=status, headers=headers)


def find_visit(ctx: Context, visit_id: str) -> Visit:
    """Return the visit; raises Problem `not-found`."""
    with ctx.store.read() as tx:
        visit = tx.visits.find(VisitId(visit_id))
    if visit is None:
        raise Problem("not-found", "no visit has this id")
    return visit


def stored_request(ctx: Context, request_id: str | None) -> StoredRequest | None:
    """Return the request that a caller names, None where it names none; raises Problem `not-found`."""
    if request_id is None:
        return None
    with ctx.store.read() as tx:
        found = tx.visits.find_request(RequestId(request_id))
    if found is None:
        raise Problem("not-found", f"no request has the id {request_id!r}")
    return found
