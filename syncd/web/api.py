"""The API for integrators, put together. Its routes read what was sent, ask a flow, show what came of it."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response

from syncd.core import limits
from syncd.flows.context import Context
from syncd.web import api_actions, api_handover, api_opt_outs, api_people, api_proposals, api_requests, api_visits
from syncd.web.api_docs import DESCRIPTION, enrich
from syncd.web.auth import Limiter
from syncd.web.problems import Problem, of_http

FAILURES_A_MINUTE = 20
PARTS = (api_requests, api_visits, api_actions, api_handover, api_people, api_opt_outs, api_proposals)
PROTECTED = frozenset({"event_type", "property", "contact", "project"})  # R028


def create_api(
    ctx: Callable[[], Context],
    tokens: Callable[[], Mapping[str, str]],
    body_seconds: float = limits.BODY_SECONDS,
) -> FastAPI:
    """Make the API; `ctx` and `tokens` are asked on every request, so that a reload is seen at once."""
    app = FastAPI(
        title="syncd",
        version="1",
        description=DESCRIPTION,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    app.state.ctx, app.state.tokens, app.state.body_seconds = ctx, tokens, body_seconds
    app.state.limiter = Limiter(ctx().clock, FAILURES_A_MINUTE, 60)
    for part in PARTS:
        app.include_router(part.router)
    app.add_exception_handler(RequestValidationError, _unacceptable)
    app.add_exception_handler(HTTPException, _refused)
    enrich(app)
    return app


def operations() -> list[APIRoute]:
    """List every route of the API: what its description must know."""
    return [route for part in PARTS for route in part.router.routes if isinstance(route, APIRoute)]


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
    said = "; ".join(f"{one['field']}: {one['problem']}" for one in errors)
    return Problem("invalid", said[:1000], errors=errors).response()


def _place(loc: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in loc if part not in ("body", "query", "path"))[:200]


def _words(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "is not a field here"
    return str(error["msg"]).removeprefix("Value error, ")[:300]
