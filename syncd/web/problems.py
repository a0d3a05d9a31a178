"""What the HTTP side answers when it says no: RFC 9457 problem details with a stable `type`. Knows no flow."""

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"

# type -> (status, title); what is not listed here is a refusal of a flow: 409
PROBLEMS: dict[str, tuple[int, str]] = {
    "malformed": (400, "The request is not well formed"),
    "unauthorized": (401, "A valid bearer token is required"),
    "not-found": (404, "There is nothing here"),
    "method-not-allowed": (405, "This address does not take this method"),
    "too-slow": (408, "The request did not arrive in time"),
    "slot-taken": (409, "Somebody else was first"),
    "busy": (409, "The agent has something else at that time"),
    "hours": (409, "Outside the agent's hours"),
    "notice": (409, "Too short notice"),
    "same-day": (409, "Not on the same day"),
    "window": (409, "Too far ahead, or in the past"),
    "limit": (409, "The day is full"),
    "no-host": (409, "Nobody of the team is free"),
    "not-offered": (409, "This time is not offered"),
    "busy-time-unknown": (409, "The agent's calendars could not be read lately"),
    "request-differs": (409, "This id stands for another request"),
    "key-differs": (409, "This Idempotency-Key was used with another body"),
    "project-inactive": (409, "The project takes no bookings yet"),
    "protected-field": (409, "This field cannot be changed"),
    "illegal-state": (409, "The visit is not in a state for this"),
    "stale": (409, "Somebody else changed it meanwhile"),
    "too-large": (413, "The request is too large"),
    "unsupported-media-type": (415, "The body must be plain, unencoded JSON"),
    "head-too-large": (431, "The request's head is too large"),
    "unroutable": (422, "No rule or project fits"),
    "invalid": (422, "Something in the request is not acceptable"),
    "rate-limited": (429, "Too many attempts"),
    "internal": (500, "Something went wrong here"),
    "scheduler-unavailable": (503, "The outside scheduler gave no booking address"),
    "store-unavailable": (503, "Nothing can be stored at the moment"),
}

# reasons whose word inside differs from the type shown outside
RENAMED = {"unknown": "busy-time-unknown"}


class Problem(HTTPException):
    """An answer other than success; `extra` members stand beside type, title, status and detail."""

    def __init__(self, kind: str, detail: str = "", *, headers: Mapping[str, str] | None = None, **extra: Any) -> None:
        status, title = PROBLEMS.get(kind, (409, "Refused"))
        super().__init__(status, detail=detail or title, headers=dict(headers or {}))
        self.kind = kind
        self.title = title
        self.extra = extra

    def response(self) -> JSONResponse:
        body = {"type": self.kind, "title": self.title, "status": self.status_code, "detail": self.detail}
        return JSONResponse(
            body | self.extra, status_code=self.status_code, headers=self.headers, media_type=MEDIA_TYPE
        )


def type_of(reason: str) -> str:
    """Return the problem type of a flow's refusal."""
    return RENAMED.get(reason, reason.replace("_", "-"))


def words_of(reason: str) -> str:
    """Return the sentence of one reason of a flow."""
    return told_of(reason)[1]


def told_of(reason: str) -> tuple[str, str]:
    """Return the type and the sentence of the problem that one reason of a flow becomes."""
    kind = type_of(reason)
    return kind, PROBLEMS.get(kind, (0, reason))[1]


def of_http(error: HTTPException) -> Problem:
    """Return a framework's own refusal (no such route, no such method) as a problem."""
    if isinstance(error, Problem):
        return error
    names = {400: "malformed", 404: "not-found", 405: "method-not-allowed"}
    return Problem(names.get(error.status_code, "internal"), headers=error.headers)
