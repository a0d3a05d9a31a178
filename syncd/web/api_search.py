"""Finds visits for the list of the API, page by page, in the states that people see (done: confirmed, and over)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice

from syncd.core import limits
from syncd.core.ids import RequestId, VisitId
from syncd.core.interval import Interval
from syncd.core.visit import Visit, VisitState
from syncd.flows.context import Context
from syncd.web.api_values import read_edge
from syncd.web.words import agent_of, invalid, project_of

FIRST = datetime(limits.FIRST_YEAR, 1, 1, tzinfo=UTC)
LAST = datetime(limits.LAST_YEAR + 1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What the caller asked for, as it was written."""

    project: str | None = None
    agent: str | None = None
    states: Sequence[str] = ()
    start: str | None = None
    end: str | None = None
    request: str | None = None


def search(ctx: Context, now: datetime, filters: Filters, limit: int, after: str | None) -> list[Visit]:
    """Return at most `limit` visits ordered by (start, id), continuing behind the visit `after`."""
    wanted = _states(filters.states)
    project = project_of(ctx.directory, filters.project) if filters.project is not None else None
    zone = ctx.directory.projects[project].time_zone if project is not None else ctx.directory.time_zone
    agent = agent_of(ctx.directory, filters.agent) if filters.agent is not None else None
    window = _window(filters.start, filters.end, zone)
    with ctx.store.read() as tx:
        if after is not None and tx.visits.find(VisitId(after)) is None:
            raise invalid("after", "no visit has this id; take it from `next`")
        page = partial(
            tx.visits.search,
            window=window,
            agent=agent,
            project=project,
            states=sorted({_stored(state) for state in wanted}) or None,
            request=RequestId(filters.request) if filters.request is not None else None,
        )
        found = _walk(page, VisitId(after) if after is not None else None)
        return list(islice((one for one in found if not wanted or one.state_at(now) in wanted), limit))


def _walk(page: Callable[..., list[Visit]], after: VisitId | None, size: int = 200) -> Iterator[Visit]:
    while found := page(after=after, limit=size):
        yield from found
        if len(found) < size:
            return
        after = found[-1].id


def _states(given: Sequence[str]) -> frozenset[VisitState]:
    names = [name.strip() for one in given for name in one.split(",")]
    try:
        return frozenset(map(VisitState, names))
    except ValueError:
        raise invalid("state", f"must be one of {', '.join(state.value for state in VisitState)}") from None


def _stored(state: VisitState) -> VisitState:
    return VisitState.CONFIRMED if state is VisitState.DONE else state


def _window(start: str | None, end: str | None, zone: str) -> Interval | None:
    if start is None and end is None:
        return None
    edges = [_edge("from", start, zone, FIRST), _edge("to", end, zone, LAST)]
    if edges[0] >= edges[1]:
        raise invalid("to", "must be later than from")
    return Interval(*edges)


def _edge(field: str, text: str | None, zone: str, otherwise: datetime) -> datetime:
    try:
        return read_edge(text, zone) if text is not None else otherwise
    except ValueError as error:
        raise invalid(field, str(error)) from None
