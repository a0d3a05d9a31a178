"""The client's booking page: choose a time, say who you are, and see what was booked. GET shows, POST books.

An opening leads to one visit, so a second tab, the back button and a double click end at the same one.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from syncd.core import limits
from syncd.core.hours import local_day
from syncd.core.visit import Refused, Slot, Visit
from syncd.flows.book import OWN_VISIT, nearest
from syncd.flows.manage import visit_url
from syncd.flows.opening import (
    Chosen,
    Opening,
    find_opening,
    find_visit_url,
    is_made_by,
    make_addresses,
    take,
    times_of,
)
from syncd.flows.show import local
from syncd.ical import own_copy_text
from syncd.language import LANGUAGES
from syncd.store.visits import Cause
from syncd.web import book_form
from syncd.web.book_words import place_words
from syncd.web.pages import Asked, Gone, Pages
from syncd.web.visit_words import STATUS, facts_of, own_copy

STRIP = 10  # days that are shown at a time


def book_routes(pages: Pages) -> list[Route]:
    """List the routes of the booking page."""
    return [
        pages.route("/b/{token}", show),
        pages.route("/b/{token}/visit.ics", calendar_entry, ("GET",)),
    ]


def _open(asked: Asked) -> Opening:
    """Return what the link invites to; raises Gone."""
    with asked.ctx.store.read() as tx:
        found = find_opening(asked.ctx, tx, asked.token, asked.now)
    if found is None:
        raise Gone
    return found


def show(asked: Asked) -> Response:
    """Show the visit that was booked, else the form for the chosen time, else the times; a POST books."""
    opening = _open(asked)
    if opening.standing is not None:
        visit = opening.standing
        return _standing(asked, opening, visit) if asked.posted else _booked(asked, visit)
    if isinstance(opening.place, Refused):
        return asked.page("book_closed.html", **place_words(asked.ctx.directory, opening, asked.language))
    if asked.posted:
        return _posted(asked, opening)
    start = _start(asked.request.query_params.get("start", ""))
    if start is not None:
        return _form(asked, opening, start, book_form.fields_of(opening, asked.language))
    return _times(asked, opening, asked.request.query_params.get("day", ""))


def _path(asked: Asked, path: str = "", **values: str) -> str:
    """Return a path, else that of this page, in the language which was chosen on it."""
    chosen = asked.request.query_params.get("lang", "")
    query = values | ({"lang": chosen} if chosen in LANGUAGES else {})
    place = path or f"/b/{asked.token}"
    return f"{place}?{urlencode(query)}" if query else place


def _zone(asked: Asked, opening: Opening) -> str:
    project = asked.ctx.directory.projects.get(opening.project) if opening.project is not None else None
    return project.time_zone if project is not None else asked.ctx.directory.time_zone


def _start(text: str) -> datetime | None:
    """Read a chosen time; its `+` may have become a blank. None for anything that no page of ours sends."""
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return None
    return found if found.tzinfo is not None and limits.is_sane_year(found.year) else None


# --- step one: a time -----------------------------------------------------------------------------------------------


def _times(asked: Asked, opening: Opening, wanted: str) -> Response:
    zone = _zone(asked, opening)
    days = _days(times_of(asked.ctx, opening, asked.now), zone)
    chosen = _day_near(days, wanted)
    strip, earlier, later = _strip([*days], chosen)
    shown = [(_path(asked, start=local(one.interval.start, zone)), one) for one in days.get(chosen, [])]
    return asked.page(
        "book.html",
        step=urlencode({"day": chosen}) if chosen else "",
        chosen=date.fromisoformat(chosen) if chosen else None,
        days=[(_path(asked, day=one), date.fromisoformat(one), one == chosen) for one in strip],
        earlier=_path(asked, day=earlier) if earlier else "",
        later=_path(asked, day=later) if later else "",
        times=shown,
        zone=zone,
        lost=opening.lost,
        **place_words(asked.ctx.directory, opening, asked.language),
    )


def _days(times: Sequence[Slot], zone: str) -> dict[str, list[Slot]]:
    """Return the times of each local day that has any, in order."""
    days: dict[str, list[Slot]] = {}
    for one in times:
        days.setdefault(local_day(one.interval.start, zone).isoformat(), []).append(one)
    return days


def _day_near(days: dict[str, list[Slot]], wanted: str) -> str:
    """Return the wanted day where it has times, else the first one after it, else the first of all; "" of none."""
    return next((day for day in days if wanted and day >= wanted), next(iter(days), ""))


def _strip(days: list[str], chosen: str) -> tuple[list[str], str, str]:
    """Return the days that are shown around the chosen one, and a day of those before and after them."""
    if not days:
        return [], "", ""
    first = days.index(chosen) // STRIP * STRIP
    earlier = days[first - STRIP] if first else ""
    later = days[first + STRIP] if first + STRIP < len(days) else ""
    return days[first : first + STRIP], earlier, later


# --- step two: who comes --------------------------------------------------------------------------------------------


def _form(
    asked: Asked,
    opening: Opening,
    start: datetime | None,
    fields: list[book_form.Field],
    *,
    said: str = "",
    status: int = 200,
    day: str = "",
    without: datetime | None = None,
) -> Response:
    """Show the form for a time; where that one is not free, with others to choose from, and everything typed kept."""
    zone = _zone(asked, opening)
    times = [one for one in times_of(asked.ctx, opening, asked.now) if one.interval.start != without]
    choosing = bool(day) or said == "no_time"
    slot = None if choosing else next((one for one in times if one.interval.start == start), None)
    days = _days(times, zone)
    choices = () if slot is not None else tuple(days.get(day, ())) or nearest(times, start or asked.now)
    if slot is None and start is not None and not choosing:
        said, status = said if said == OWN_VISIT else "taken", 409
    return asked.page(
        "book_form.html",
        status,
        step=urlencode({"start": local(start, zone)}) if start is not None else "",
        said=said,
        slot=slot,
        day=bool(choices) and bool(days.get(day)),
        choices=[(local(one.interval.start, zone), one) for one in choices],
        start=local(slot.interval.start, zone) if slot is not None else "",
        days=[(one, date.fromisoformat(one)) for one in days] if slot is None else [],
        fields=fields,
        own=asked.ctx.locale[:2],
        faults=[one for one in fields if one.error],
        again=_path(asked, day=local_day(start, zone).isoformat()) if start is not None else _path(asked),
        zone=zone,
        lost=opening.lost,
        known=opening.contact,
        **place_words(asked.ctx.directory, opening, asked.language),
    )


def _posted(asked: Asked, opening: Opening) -> Response:
    fields = book_form.typed(book_form.fields_of(opening, asked.language), asked.fields)
    start = _start(asked.fields.get("start", ""))
    day = asked.fields.get("day", "")
    if day:
        return _form(asked, opening, start, fields, day=day)
    if asked.form is None:
        return _form(asked, opening, start, fields, said="again", status=400)
    if start is None:
        near = _start(asked.fields.get("near", ""))
        return _form(asked, opening, near, fields, said="no_time", status=422)
    fields = book_form.judged(fields, asked.ctx.directory, asked.language)
    if any(one.error for one in fields):
        return _form(asked, opening, start, fields, status=422)
    return _book(asked, opening, start, fields, asked.form.number)


def _book(asked: Asked, opening: Opening, start: datetime, fields: list[book_form.Field], number: str) -> Response:
    chosen = Chosen(
        start=start,
        contact=book_form.contact_of(opening, fields, asked.ctx.directory),
        dwelling=book_form.dwelling_of(opening, fields),
        answers=book_form.answers_of(fields),
        number=number,
        language=asked.language.locale,
    )
    outcome = take(asked.ctx, opening, chosen, Cause(at=asked.now, actor="client", source="page"))
    if isinstance(outcome, Visit):
        made = is_made_by(outcome, opening, chosen)
        return _to_visit(asked, opening, outcome) if made else _already(asked, opening, start)
    fresh = _open(asked)
    if fresh.standing is not None:
        return _to_visit(asked, opening, fresh.standing)
    said = OWN_VISIT if outcome.reason == OWN_VISIT else ""
    return _form(asked, fresh, start, fields, said=said, without=start)


# --- what was booked ------------------------------------------------------------------------------------------------


def _to_visit(asked: Asked, opening: Opening, visit: Visit) -> Response:
    """Lead to the page that shows the visit, so that a reload books nothing."""
    url = make_addresses(asked.ctx, opening, visit, asked.now)
    return RedirectResponse(_path(asked, urlsplit(url).path if url else ""), status_code=303)


def _already(asked: Asked, opening: Opening, start: datetime) -> Response:
    """Say that the visit stands, and nothing of it that was not just typed: the client has its link in a message."""
    zone = _zone(asked, opening)
    other = _path(asked, day=local_day(start, zone).isoformat())
    words = place_words(asked.ctx.directory, opening, asked.language)
    return asked.page("book_already.html", start=start, zone=zone, other=other, **words)


def _standing(asked: Asked, opening: Opening, visit: Visit) -> Response:
    """Lead a post that came when all was booked to the visit; one of the page's own, to where it is managed."""
    if asked.form is None:
        return _booked(asked, visit, 400)
    if asked.fields.get("act") != "manage":
        return _to_visit(asked, opening, visit)
    url = asked.ctx.store.write(lambda tx: visit_url(asked.ctx, tx, visit))
    return RedirectResponse(_path(asked, urlsplit(url).path), status_code=303)


def _booked(asked: Asked, visit: Visit, status: int = 200) -> Response:
    with asked.ctx.store.read() as tx:
        url = find_visit_url(asked.ctx, tx, visit)
    kind = asked.ctx.directory.event_types.get(visit.event_type) if visit.event_type is not None else None
    facts: dict[str, Any] = facts_of(asked.ctx.directory, visit, asked.language)
    return asked.page(
        "book_done.html",
        status,
        visit=visit,
        manage=_path(asked, urlsplit(url).path) if url else "",
        calendar=_path(asked, f"/b/{asked.token}/visit.ics"),
        holds=visit.holds,
        approval=kind is not None and kind.approval,
        brief=False,
        **facts,
    )


def calendar_entry(asked: Asked) -> Response:
    """Return the visit as a file for the client's own calendar; raises Gone where none is booked."""
    visit = _open(asked).standing
    if visit is None:
        raise Gone
    draft = own_copy(asked.ctx.directory, visit, asked.language)
    status = STATUS.get(visit.state, "CANCELLED")
    text = own_copy_text(draft, stamp=asked.now, sequence=visit.version, status=status)
    headers = {"Content-Disposition": 'attachment; filename="visit.ics"'}
    return Response(text, media_type="text/calendar", headers=headers)
