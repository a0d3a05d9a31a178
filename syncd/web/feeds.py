"""An agent's own visits as a read-only calendar feed. Its address is the key: derived, never stored, superseded."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from syncd.core.directory import CalendarRef, CalendarRole
from syncd.core.draft import visit_draft
from syncd.core.ids import AccountId, AgentId, CalendarId
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft
from syncd.core.visit import VisitState
from syncd.flows.context import Context
from syncd.ical import feed_text
from syncd.store import Tx
from syncd.web.problems import Problem

FEEDS = AccountId("feeds")
PAST = timedelta(days=60)
AHEAD = timedelta(days=400)
SHOWN = (VisitState.PENDING, VisitState.CONFIRMED)


def feed_token(key: bytes, agent: str, generation: int) -> str:
    """Return the 256 bits that open one agent's feed; another generation makes another token."""
    digest = hmac.new(key, f"feed:{agent}:{generation}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def feed_generation(tx: Tx, agent: str) -> int:
    return int(tx.accounts.get(FEEDS, f"generation:{agent}") or "1")


def feed_url(ctx: Context, key: bytes, agent: AgentId) -> str:
    """Return the address of an agent's feed as it is valid now."""
    with ctx.store.read() as tx:
        return f"{ctx.public_url}/feeds/{feed_token(key, agent, feed_generation(tx, agent))}.ics"


class Feeds:
    """Serves the feeds; `key` gives the key that tokens are made with."""

    def __init__(self, ctx: Callable[[], Context], key: Callable[[], bytes]) -> None:
        self._ctx = ctx
        self._key = key

    async def show(self, request: Request) -> Response:
        return await run_in_threadpool(self._show, request)

    def _show(self, request: Request) -> Response:
        ctx = self._ctx()
        now = ctx.clock.now()
        with ctx.store.read() as tx:
            agent = self._agent(ctx, tx, request.path_params["token"])
            drafts = _drafts(ctx, tx, agent, now)
        mark = etag(drafts)
        headers = {"ETag": mark, "Cache-Control": "private, max-age=60"}
        if mark in (one.strip() for one in request.headers.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers=headers)
        name = ctx.directory.agents[agent].name
        headers["Content-Disposition"] = 'inline; filename="visits.ics"'
        return Response(feed_text(drafts, name=name, stamp=now), media_type="text/calendar", headers=headers)

    def _agent(self, ctx: Context, tx: Tx, token: str) -> AgentId:
        """Find whose feed a token opens, comparing hashes of every agent's, so that time tells nothing."""
        given = hashlib.sha256(token.encode()).digest()
        found = None
        for agent in ctx.directory.agents:
            expected = feed_token(self._key(), agent, feed_generation(tx, agent))
            if hmac.compare_digest(hashlib.sha256(expected.encode()).digest(), given):
                found = agent
        if found is None:
            raise Problem("not-found")
        return found


def etag(drafts: list[EventDraft]) -> str:
    """Return a weak mark: the same visits may be written with another time stamp."""
    text = "\n".join(sorted(f"{draft.uid} {draft.content_hash}" for draft in drafts))
    return f'W/"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def _drafts(ctx: Context, tx: Tx, agent: AgentId, now: datetime) -> list[EventDraft]:
    target = CalendarRef(
        id=CalendarId("feed"), account=FEEDS, name="feed", agent=agent, role=CalendarRole.PUBLISH, fields=None
    )
    window = Interval(now - PAST, now + AHEAD)
    visits = tx.visits.search(window=window, agent=agent, states=SHOWN, limit=5_000)
    return [visit_draft(visit, target, ctx.directory) for visit in visits]
