"""Which rule a request matches, and why: needs the configuration alone; whose turn it is, a store as well."""

from datetime import datetime
from typing import Any

from pydantic import ValidationError

from syncd.control import Answer
from syncd.core.directory import Directory
from syncd.core.routing import Request, Route, Unroutable, rank_hosts
from syncd.flows.context import Context
from syncd.flows.request import explain, refuse_preferred
from syncd.operations.desk import Json, Misused
from syncd.web.api_models import RequestIn
from syncd.web.problems import Problem
from syncd.web.words import request_of, verdict_json


def routed(directory: Directory, asked: Any, now: datetime, context: Context | None = None) -> Answer:
    """Route a request as POST /api/requests would, without keeping it. Unroutable is exit code 1, with the verdicts."""
    request = _request(directory, asked, now)
    outcome = explain(directory, request)
    rules = [{"number": number, **verdict_json(one)} for number, one in enumerate(outcome.verdicts, 1)]
    if isinstance(outcome, Unroutable):
        return Answer(code=1, body={"error": outcome.why, "rules": rules})
    refused = refuse_preferred(directory, request, outcome)
    if refused is not None:
        raise Misused(refused.detail)
    return Answer(body=_chosen(directory, request, outcome, context) | {"rules": rules})


def _request(directory: Directory, asked: Any, now: datetime) -> Request:
    try:
        return request_of(RequestIn.model_validate(asked), directory, now)
    except ValidationError as error:
        where = [".".join(map(str, one["loc"])) or "request" for one in error.errors()]
        problems = [one["msg"].removeprefix("Value error, ") for one in error.errors()]
        raise Misused("; ".join(f"{at}: {what}" for at, what in zip(where, problems, strict=True))) from None
    except Problem as problem:
        raise Misused(problem.detail) from None


def _chosen(directory: Directory, request: Request, outcome: Route, context: Context | None) -> Json:
    project = directory.projects[outcome.project]
    turns: dict[Any, int] = {}
    if context is not None:
        with context.store.read() as tx:
            turns = tx.visits.turns(outcome.project, outcome.event_type, project.team)
    return {
        "project": outcome.project,
        "event_type": outcome.event_type,
        "role": outcome.role,
        "hosts": list(rank_hosts(project.team, turns, request.preferred_agent)),
        "turns": turns,
    }
