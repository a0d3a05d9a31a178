"""Takes a request of the post-sale system: routed once, remembered, answered with the address where the client
books."""

import json
from dataclasses import dataclass, replace
from datetime import datetime

from syncd.core.directory import Directory
from syncd.core.ids import ProjectId
from syncd.core.routing import Request, Route, Unroutable, find_project, route
from syncd.core.visit import Refused
from syncd.errors import ConnectorError
from syncd.flows.book import is_active
from syncd.flows.context import Context
from syncd.flows.links import Purpose, make_link, request_subject
from syncd.store import Tx
from syncd.store.visits import StoredRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A routed request; `repeated` when the very same one was known already."""

    request: Request
    route: Route
    booking_url: str
    expires_at: datetime  # until when the address is good
    repeated: bool = False


def explain(directory: Directory, request: Request) -> Route | Unroutable:
    """Route a request without keeping it: what `syncd route` prints."""
    names = {key: (project.name, *project.aliases) for key, project in directory.projects.items()}
    project = find_project(request.project, directory.projects, names)
    event_types = directory.projects[project].event_types if project is not None else {}
    return route(request, project, event_types, directory.rules)


def refuse_preferred(directory: Directory, request: Request, routed: Route) -> Refused | None:
    """Refuse a wish for an agent who could never get the visit."""
    project = directory.projects[ProjectId(routed.project)]
    if request.preferred_agent is None or request.preferred_agent in project.team:
        return None
    return Refused(
        reason="invalid",
        detail=f"preferred_agent: {request.preferred_agent} is not in the team of {project.name}; "
        f"it is: {', '.join(project.team)}",
    )


def accept(ctx: Context, request: Request, body: str, now: datetime) -> Accepted | Unroutable | Refused:
    """Keep a request and return its booking address; the same id with another body is refused (`request-differs`)."""
    with ctx.store.read() as reading:
        known = reading.visits.find_request(request.id)
    if known is not None:
        same = known
        return ctx.store.write(lambda tx: _again(ctx, tx, same, body))
    routed = explain(ctx.directory, request)
    if isinstance(routed, Unroutable):
        return routed
    refused = refuse_preferred(ctx.directory, request, routed)
    if refused is not None:
        return refused
    if not is_active(ctx, ctx.directory.projects[routed.project]):
        return Refused(reason="project-inactive", detail=f"{routed.project} takes no bookings yet")
    try:
        url = scheduler_url(ctx, request, routed)
    except ConnectorError as error:
        return Refused(reason="scheduler-unavailable", detail=f"nothing was kept, send it again: {error}"[:300])
    return ctx.store.write(lambda tx: _keep(ctx, tx, request, body, routed, url))


def _keep(ctx: Context, tx: Tx, request: Request, body: str, routed: Route, url: str | None) -> Accepted | Refused:
    """Keep the request, unless it came twice at the same moment and the other one was first."""
    known = tx.visits.find_request(request.id)
    if known is not None:
        return _again(ctx, tx, known, body)
    tx.visits.put_request(request, body, routed, url)
    return _accepted(ctx, tx, request, routed, url)


def _accepted(ctx: Context, tx: Tx, request: Request, routed: Route, url: str | None) -> Accepted:
    """Answer with the scheduler's address, else with our own: the same one every time, and never stored."""
    expires = (request.received_at or ctx.clock.now()) + ctx.directory.link_expires
    address = url or make_link(ctx, tx, Purpose.BOOK, request_subject(request.id), expires)
    return Accepted(request=request, route=routed, booking_url=address, expires_at=expires)


def _again(ctx: Context, tx: Tx, known: StoredRequest, body: str) -> Accepted | Refused:
    if json.loads(known.body) != json.loads(body):
        return Refused(
            reason="request-differs", detail="this id was used for another request; give the new one its own id"
        )
    if known.route is None:
        return Refused(reason="unroutable", detail="this request fits no project")
    return replace(_accepted(ctx, tx, known.request, known.route, known.booking_url), repeated=True)


def scheduler_url(ctx: Context, request: Request, routed: Route) -> str | None:
    """Return the outside scheduler's address with our signed id; None where we book ourselves."""
    link = ctx.directory.projects[ProjectId(routed.project)].scheduler
    if link is None or routed.role not in link.event_types:
        return None
    scheduler = ctx.accounts[link.account].scheduler
    if scheduler is None:
        return None
    return scheduler().link(link.event_types[routed.role], ctx.request_token(request.id), request.contact)
