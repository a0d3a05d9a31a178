"""The way into an API route: who calls, a capped body, strict JSON; only then FastAPI looks at it."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from syncd.core import limits
from syncd.web.auth import caller
from syncd.web.bodies import read_body, read_json
from syncd.web.broken import broken
from syncd.web.problems import Problem

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class StrictRoute(APIRoute):
    """Puts the caller's name into `request.state.caller` and the checked body where FastAPI reads it."""

    def get_route_handler(self) -> Handler:
        inner = super().get_route_handler()

        async def enter(request: Request) -> Response:
            state = request.app.state
            request.state.caller = caller(request, state.tokens(), state.limiter)
            if request.method in ("POST", "PUT", "PATCH"):
                await _take_body(request, state.body_seconds)
            try:
                return await inner(request)
            except (HTTPException, RequestValidationError):
                raise
            except Exception as error:
                raise broken(error, state.ctx().clock) from error

        return enter


async def _take_body(request: Request, seconds: float) -> None:
    body = await read_body(request.scope, request.receive, limits.API_BODY, seconds)
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if body and kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Problem("unsupported-media-type", "send Content-Type: application/json")
    value = await run_in_threadpool(read_json, body or b"{}")
    if not isinstance(value, dict):
        raise Problem("malformed", "the body must be a JSON object")
    request.state.body = value
    request._body = body or b"{}"
    request._json = value
    if "content-type" not in request.headers:
        request.scope["headers"] = [*request.scope["headers"], (b"content-type", b"application/json")]
        del request._headers
