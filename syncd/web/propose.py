"""The page on which a client names windows: a general form, or one for the viewing of a property (R050-R053). GET
shows, POST sends."""

from typing import Any
from urllib.parse import urlsplit

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from syncd.core.hours import local_day
from syncd.core.ids import VisitId
from syncd.core.proposals import MOST_WINDOWS, Proposal, ProposalState
from syncd.core.visit import Refused
from syncd.flows.book import Place, place_of
from syncd.flows.opening import find_visit_url
from syncd.flows.propose import answer, find_proposal, shortest, zone_of
from syncd.web import propose_form
from syncd.web.pages import Asked, Gone, Pages
from syncd.web.visit_words import facts_of, kind_name, length_of

WAITING = (ProposalState.OPEN, ProposalState.ANSWERED)


def proposal_routes(pages: Pages) -> list[Route]:
    """List the routes of the page."""
    return [pages.route("/p/{token}", show)]


def _open(asked: Asked) -> Proposal:
    """Return the proposal that the link opens; raises Gone."""
    with asked.ctx.store.read() as tx:
        found = find_proposal(asked.ctx, tx, asked.token, asked.now)
    if found is None:
        raise Gone
    return found


def show(asked: Asked) -> Response:
    """Show the form, what was sent, or what became of it; a POST sends the windows."""
    proposal = _open(asked)
    if asked.posted:
        return _posted(asked, proposal)
    wants_change = "change" in asked.request.query_params and proposal.state is ProposalState.ANSWERED
    if proposal.state is ProposalState.OPEN or wants_change:
        windows = [one.interval for one in proposal.windows]
        zone = zone_of(asked.ctx, proposal.project)
        return _form(asked, proposal, propose_form.rows_of(windows, zone, asked.language))
    return _state(asked, proposal)


def _posted(asked: Asked, proposal: Proposal) -> Response:
    if proposal.state not in WAITING:
        return _state(asked, proposal, 400 if asked.form is None else 409)
    rows = propose_form.typed(asked.fields, asked.language)
    if asked.form is None:
        return _form(asked, proposal, rows, said="again", status=400)
    if propose_form.too_many(asked.fields):
        return _form(asked, proposal, rows, said="too_many", status=422)
    bounds = propose_form.Bounds(
        now=asked.now, zone=zone_of(asked.ctx, proposal.project), least=shortest(asked.ctx, proposal)
    )
    rows, windows = propose_form.judged(rows, bounds, asked.language)
    if any(propose_form.faults(rows)):
        return _form(asked, proposal, rows, status=422)
    outcome = answer(asked.ctx, proposal.id, windows, asked.now)
    if isinstance(outcome, Refused):
        return _state(asked, _open(asked), 409, said=outcome.reason)
    return RedirectResponse(asked.here, status_code=303)


def _form(
    asked: Asked, proposal: Proposal, rows: list[propose_form.Row], *, said: str = "", status: int = 200
) -> Response:
    return asked.page(
        "propose.html",
        status,
        rows=rows,
        said=said,
        most=MOST_WINDOWS,
        faults=list(propose_form.faults(rows)),
        today=local_day(asked.now, zone_of(asked.ctx, proposal.project)).isoformat(),
        **_shown(asked, proposal),
    )


def _state(asked: Asked, proposal: Proposal, status: int = 200, *, said: str = "") -> Response:
    """Show what was sent and what became of it."""
    if proposal.visit is not None:
        return _booked(asked, proposal.visit, status)
    return asked.page(
        "propose_done.html",
        status,
        said=said,
        change=asked.here + ("&" if "?" in asked.here else "?") + "change=1",
        **_shown(asked, proposal),
    )


def _booked(asked: Asked, visit_id: VisitId, status: int) -> Response:
    with asked.ctx.store.read() as tx:
        visit = tx.visits.get(visit_id)
        url = find_visit_url(asked.ctx, tx, visit)
    facts = facts_of(asked.ctx.directory, visit, asked.language)
    manage = urlsplit(url).path if url else ""
    return asked.page("propose_booked.html", status, visit=visit, manage=manage, brief=False, **facts)


def _shown(asked: Asked, proposal: Proposal) -> dict[str, Any]:
    """Return what the form and what follows it show of the proposal; what is not configured is empty."""
    directory, dwelling = asked.ctx.directory, proposal.dwelling
    project = directory.projects.get(proposal.project) if proposal.project is not None else None
    place = place_of(asked.ctx, proposal.project, None) if proposal.project is not None else None
    kind = place.event_type if isinstance(place, Place) else None
    photo = (dwelling.photo_url if dwelling is not None else None) or ""
    responsible = project.responsible if project is not None else None
    texts = directory.proposals
    return {
        "proposal": proposal,
        "state": proposal.state_at(asked.now).value,
        "zone": zone_of(asked.ctx, proposal.project),
        "dwelling": dwelling,
        "project": project.name if project is not None else "",
        "kind": kind_name(kind, project) if kind is not None else "",
        "length": length_of(asked.language, kind.duration) if kind is not None else "",
        "photo": photo if photo.startswith("https://") else "",
        "text": texts.text_visit if dwelling is not None else texts.text_general,
        "responsible": directory.agents.get(responsible) if responsible is not None else None,
    }
