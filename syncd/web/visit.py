"""The client's page of one visit: what stands, confirm, move, cancel, take a cancellation back. GET shows, POST acts.

Every form carries the version of the visit that it was made from; what the client did not see is not acted on.
"""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from syncd.core import limits
from syncd.core.hours import local_day
from syncd.core.visit import Cancel, CancelReason, ClientConfirmation, Confirm, Refused, Slot, Visit
from syncd.flows.manage import (
    CHANGED,
    NOTED,
    May,
    Times,
    act_once,
    find_managed,
    move_once,
    rebook_url,
    times_for,
    undo_once,
    what_may,
)
from syncd.flows.show import local
from syncd.ical import lines, own_copy_text
from syncd.language import LANGUAGES, Language
from syncd.store.visits import Cause
from syncd.web.pages import Asked, Gone, Pages
from syncd.web.visit_words import STATUS, facts_of, own_copy, reasons_of

DAYS_SHOWN = 10
WORDS = 1_000  # characters of a client's own words on a cancellation


def visit_routes(pages: Pages) -> list[Route]:
    """List the routes of a visit's page."""
    return [
        pages.route("/v/{token}", show),
        pages.route("/v/{token}/move", move),
        pages.route("/v/{token}/cancel", cancel),
        pages.route("/v/{token}/visit.ics", calendar_entry, ("GET",)),
    ]


def _open(asked: Asked) -> tuple[Visit, May]:
    """Return the visit that the link opens and what may be done to it; raises Gone."""
    with asked.ctx.store.read() as tx:
        visit = find_managed(asked.ctx, tx, asked.token, asked.now)
        if visit is None:
            raise Gone
        return visit, what_may(asked.ctx, tx, visit, asked.now)


# --- the page itself ------------------------------------------------------------------------------------------------


def show(asked: Asked) -> Response:
    """Show the visit; a POST confirms it, takes its cancellation back, or leads to a new booking."""
    visit, may = _open(asked)
    if not asked.posted:
        return _page(asked, visit, may, said=_done(asked, visit))
    if asked.form is None:
        return _page(asked, visit, may, said="again", status=400)
    deed = DEEDS.get(asked.fields.get("act", ""))
    return deed(asked, visit, may) if deed is not None else _page(asked, visit, may, said="again", status=400)


def _page(asked: Asked, visit: Visit, may: May, *, said: str = "", status: int = 200) -> Response:
    own = f"/v/{asked.token}"
    return asked.page("visit.html", status, path=own, visit=visit, may=may, said=said, **_shown(asked, visit))


def _shown(asked: Asked, visit: Visit) -> dict[str, Any]:
    """Return what every page of the visit shows of it."""
    base = f"/v/{asked.token}"
    paths = {"show": base} | {step: f"{base}/{step}" for step in ("move", "cancel", "visit.ics")}
    return {"paths": {name: _in_language(asked, path) for name, path in paths.items()}} | facts_of(
        asked.ctx.directory, visit, asked.language
    )


def _in_language(asked: Asked, path: str, **values: str) -> str:
    """Return a path that keeps the language which was chosen on the page."""
    chosen = asked.request.query_params.get("lang", "")
    query = values | ({"lang": chosen} if chosen in LANGUAGES else {})
    return f"{path}?{urlencode(query)}" if query else path


def _done(asked: Asked, visit: Visit) -> str:
    """Return the act that has just been done, as far as the visit agrees: anybody can write an address."""
    said = asked.request.query_params.get("done", "")
    agrees = {
        "confirm": visit.active and visit.client_confirmation is ClientConfirmation.YES,
        "move": visit.active,
        "undo": visit.active,
    }
    return said if agrees.get(said) else ""


def _cause(asked: Asked, note: str = "") -> Cause:
    return Cause(at=asked.now, actor="client", source="page", note=note)


def _version(asked: Asked) -> int:
    """Return the version of the visit that the form was made from; -1 fits none."""
    text = asked.fields.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def _after(asked: Asked, outcome: Visit | Refused, act: str) -> Response:
    """Lead back to the page, which shows the state reached; or show it with the reason why nothing was done."""
    if isinstance(outcome, Visit):
        return RedirectResponse(_in_language(asked, f"/v/{asked.token}", done=act), status_code=303)
    visit, may = _open(asked)
    refused = "no_undo" if act == "undo" else CHANGED  # what no button offered is what no longer stands
    said = outcome.reason if outcome.reason in (CHANGED, NOTED) else refused
    return _page(asked, visit, may, said=said, status=409)


def _confirm(asked: Asked, visit: Visit, _may: May) -> Response:
    return _after(asked, act_once(asked.ctx, visit.id, _version(asked), Confirm(), _cause(asked)), "confirm")


def _undo(asked: Asked, visit: Visit, may: May) -> Response:
    if may.elsewhere:
        return _page(asked, visit, may, said="no_undo", status=409)
    return _after(asked, undo_once(asked.ctx, visit.id, _version(asked), _cause(asked)), "undo")


def _rebook(asked: Asked, visit: Visit, may: May) -> Response:
    """Lead to the booking page; its link is made when it is wanted, since looking changes nothing."""
    if not may.rebook:
        return _page(asked, visit, may, said=CHANGED, status=409)
    url = asked.ctx.store.write(lambda tx: rebook_url(asked.ctx, tx, visit, asked.now))
    return RedirectResponse(_in_language(asked, urlsplit(url).path), status_code=303)


DEEDS: dict[str, Callable[[Asked, Visit, May], Response]] = {"confirm": _confirm, "undo": _undo, "rebook": _rebook}


def calendar_entry(asked: Asked) -> Response:
    """Return the visit as a file for the client's own calendar; a later one replaces an earlier one there."""
    visit, _ = _open(asked)
    draft = own_copy(asked.ctx.directory, visit, asked.language)
    status = STATUS.get(visit.state, "CANCELLED")
    text = own_copy_text(draft, stamp=asked.now, sequence=visit.version, status=status)
    headers = {"Content-Disposition": 'attachment; filename="visit.ics"'}
    return Response(text, media_type="text/calendar", headers=headers)


# --- another time ---------------------------------------------------------------------------------------------------


def move(asked: Asked) -> Response:
    """Show the times to which the visit may move, day by day; a POST moves it."""
    visit, may = _open(asked)
    if not may.move:
        return RedirectResponse(_in_language(asked, f"/v/{asked.token}"), status_code=303)
    if not asked.posted:
        return _times(asked, visit, may, asked.request.query_params.get("day", ""))
    start = _start(asked.fields.get("start", ""))
    day = asked.fields.get("day", "") if start is None else local_day(start, visit.time_zone).isoformat()
    if asked.form is None or start is None:
        said = "again" if asked.form is None else "no_time"
        return _times(asked, visit, may, day, said=said, status=400 if asked.form is None else 422)
    outcome = move_once(asked.ctx, visit, _version(asked), start, _cause(asked))
    if isinstance(outcome, Refused) and outcome.reason != NOTED:
        return _not_moved(asked, day, outcome)
    return _after(asked, outcome, "move")


def _not_moved(asked: Asked, day: str, refused: Refused) -> Response:
    visit, may = _open(asked)
    if not may.move or refused.reason == CHANGED:
        return _page(asked, visit, may, said=CHANGED, status=409)
    return _times(asked, visit, may, day, said="taken", status=409)


def _start(text: str) -> datetime | None:
    """Read the chosen time; None for anything that no form of ours sends."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None and limits.is_sane_year(found.year) else None


def _times(asked: Asked, visit: Visit, may: May, wanted: str, *, said: str = "", status: int = 200) -> Response:
    times = times_for(asked.ctx, visit, asked.now)
    days = _days(times, visit.time_zone)
    chosen = _nearest(days, wanted or local_day(visit.interval.start, visit.time_zone).isoformat())
    strip, earlier, later = _strip(list(days), chosen)
    return asked.page(
        "visit_move.html",
        status,
        visit=visit,
        may=may,
        said=said,
        times=times,
        chosen=chosen,
        shown=[{"value": local(one.interval.start, visit.time_zone), "slot": one} for one in days.get(chosen, [])],
        days=[(date.fromisoformat(day), _in_language(asked, asked.request.url.path, day=day)) for day in strip],
        earlier=_in_language(asked, asked.request.url.path, day=earlier) if earlier else "",
        later=_in_language(asked, asked.request.url.path, day=later) if later else "",
        **_shown(asked, visit),
    )


def _days(times: Times, zone: str) -> dict[str, list[Slot]]:
    """Return the slots of each local day that has any, in order."""
    days: dict[str, list[Slot]] = {}
    for slot in times.slots:
        days.setdefault(local_day(slot.interval.start, zone).isoformat(), []).append(slot)
    return days


def _nearest(days: dict[str, list[Slot]], wanted: str) -> str:
    """Return the wanted day where it has times, else the first one after it, else the last of all; "" of none."""
    return next((day for day in days if day >= wanted), next(reversed(days), ""))


def _strip(days: list[str], chosen: str) -> tuple[list[str], str, str]:
    """Return the days to show, from the chosen one on, and a day to go to for those before and those after them."""
    at = days.index(chosen) if chosen else 0
    after = at + DAYS_SHOWN
    return days[at:after], days[max(0, at - DAYS_SHOWN)] if at else "", days[after] if after < len(days) else ""


# --- cancelling -----------------------------------------------------------------------------------------------------


def cancel(asked: Asked) -> Response:
    """Ask why; a POST with a reason cancels, late or not. A click alone never does."""
    visit, may = _open(asked)
    if not may.cancel:
        return RedirectResponse(_in_language(asked, f"/v/{asked.token}"), status_code=303)
    if not asked.posted:
        return _ask_why(asked, visit, may)
    if asked.form is None:
        return _ask_why(asked, visit, may, said="again", status=400)
    reason, words = asked.fields.get("reason", ""), lines(asked.fields.get("words", ""))
    known = reasons_of(Language(asked.ctx.locale))
    if reason not in known or len(words) > WORDS:
        return _ask_why(asked, visit, may, said="unclear", status=422)
    why = f"{known[reason]}: {words}" if words else known[reason]
    command = Cancel(by=CancelReason.CLIENT, reason=why)
    outcome = act_once(asked.ctx, visit.id, _version(asked), command, _cause(asked, why))
    if isinstance(outcome, Refused) and outcome.reason == NOTED:
        visit, may = _open(asked)
        if may.cancel:
            return _ask_why(asked, visit, may, said=NOTED, status=409)
    return _after(asked, outcome, "cancel")


def _ask_why(asked: Asked, visit: Visit, may: May, *, said: str = "", status: int = 200) -> Response:
    reasons = reasons_of(asked.language)
    typed = {"reason": asked.fields.get("reason", ""), "words": asked.fields.get("words", "")}
    shown = _shown(asked, visit)
    return asked.page(
        "visit_cancel.html", status, visit=visit, may=may, said=said, reasons=reasons, typed=typed, most=WORDS, **shown
    )
