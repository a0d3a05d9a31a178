"""Writes every answer of every route into the OpenAPI description, so that nothing the API says is a surprise."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from syncd.web.api_models import ProblemOut
from syncd.web.problems import MEDIA_TYPE, PROBLEMS

DESCRIPTION = """Requests in, slots out, visits booked and changed. Times are RFC 3339 with offset.

Every answer that is not a success is a problem detail (RFC 9457) whose `type` is stable:

""" + "\n".join(f"* `{name}` ({status}): {title}" for name, (status, title) in PROBLEMS.items())
ALWAYS = (400, 401, 405, 408, 413, 415, 429, 431, 500, 503)


def documented(good: dict[int, Any], *problems: int) -> dict[str, Any]:
    """Return the `responses` of a route: its good answers, its own problems, and those any route may give."""
    responses: dict[int | str, dict[str, Any]] = {status: {"model": shape} for status, shape in good.items()}
    for status in sorted({*problems, *ALWAYS}):
        types = ", ".join(name for name, (code, _) in PROBLEMS.items() if code == status)
        responses[status] = {"description": f"A problem: {types}", "model": ProblemOut}
    return {"responses": responses}


def enrich(app: FastAPI) -> None:
    """Make the description say that callers carry a bearer token and that problems have their own media type."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]


def _described(app: FastAPI) -> dict[str, Any]:
    schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schema.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    schema["security"] = [{"token": []}]
    operations = [one for methods in schema["paths"].values() for one in methods.values()]
    for status, answer in (pair for one in operations for pair in one["responses"].items()):
        if int(status) >= 400:
            answer["content"] = {MEDIA_TYPE: next(iter(answer["content"].values()))}
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"].get("schemas", {}).pop(name, None)
    return schema
