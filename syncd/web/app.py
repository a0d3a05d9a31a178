"""Puts the HTTP side together: hooks first, then feeds, operations, the CalDAV server and the API, behind one edge."""

from collections.abc import Callable, Mapping
from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from syncd.core import limits
from syncd.flows.context import Context
from syncd.flows.sign_in import Passwords
from syncd.web.api import create_api
from syncd.web.book import book_routes
from syncd.web.broken import broken
from syncd.web.counts import Counts
from syncd.web.dav import WsgiApp
from syncd.web.dav_gate import DavGate
from syncd.web.feeds import Feeds
from syncd.web.headers import headers_for
from syncd.web.hooks import Hooks
from syncd.web.ops import Operations
from syncd.web.pages import Pages
from syncd.web.problems import Problem, of_http
from syncd.web.propose import proposal_routes
from syncd.web.visit import visit_routes

DAV_METHODS = "OPTIONS GET HEAD PUT DELETE PROPFIND PROPPATCH REPORT MKCOL MKCALENDAR MOVE POST".split()
OWN_CACHING = ("/dav", "/feeds/", "/style.css", "/pages.css")  # these say themselves what may be kept
FILES = Path(__file__).parent
INDEX = (FILES / "index.html").read_text(encoding="utf-8")
STYLE = (FILES / "style.css").read_text(encoding="utf-8")
PAGES_STYLE = (FILES / "pages.css").read_text(encoding="utf-8")


def create_app(
    ctx: Callable[[], Context],
    *,
    tokens: Callable[[], Mapping[str, str]],
    link_key: Callable[[], bytes],
    dav: WsgiApp | None = None,
    passwords: Passwords | None = None,
    body_seconds: float = limits.BODY_SECONDS,
) -> "Edge":
    """Make the ASGI application; what is passed as a function is asked on every request, so a reload is seen."""
    counts = Counts()
    hooks, feeds, operations = Hooks(ctx, counts, body_seconds), Feeds(ctx, link_key), Operations(ctx, counts)
    pages = Pages(ctx, body_seconds)
    routes: list[Route | Mount] = [
        Route("/hook/{account}", hooks, methods=["POST", "GET"]),
        Route("/hook/{account}/{generation}", hooks, methods=["POST"]),
        Route("/feeds/{token}.ics", feeds.show),
        Route("/healthz", operations.healthz),
        Route("/readyz", operations.readyz),
        Route("/metrics", operations.metrics),
        Route("/", _index),
        Route("/style.css", _style),
        Route("/pages.css", _pages_style),
        *_clients_pages(pages),
        *pages.dead_ends(),
    ]
    if dav is not None and passwords is not None:
        routes += [
            Route("/.well-known/caldav", _to_dav, methods=DAV_METHODS),
            Route("/dav", _to_dav, methods=DAV_METHODS),
            Mount("/dav", DavGate(ctx, dav, passwords, body_seconds)),
        ]
    api = create_api(ctx, tokens, body_seconds)
    routes.append(Mount("/api", _Whole(api)))
    return Edge(Router(routes, redirect_slashes=False, default=_nothing), ctx, api)


class _Whole:
    """Gives a mounted application the whole path back; the API's own routes begin with /api."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "root_path": "", "app_root_path": ""}, receive, send)


async def _nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise Problem("not-found")


async def _to_dav(_request: Request) -> Response:
    return RedirectResponse("/dav/", status_code=308)


async def _index(_request: Request) -> Response:
    return HTMLResponse(INDEX)


async def _style(_request: Request) -> Response:
    return Response(STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=3600"})


async def _pages_style(_request: Request) -> Response:
    return Response(PAGES_STYLE, media_type="text/css", headers={"Cache-Control": "public, max-age=3600"})


def _clients_pages(pages: Pages) -> list[Route]:
    """List the routes of everything that clients see."""
    return [*book_routes(pages), *visit_routes(pages), *proposal_routes(pages)]


class Edge:
    """The outermost layer: security headers on every answer, and no exception ever leaves as a stack."""

    def __init__(self, inner: Router, ctx: Callable[[], Context], api: FastAPI) -> None:
        self.routes = inner.routes
        self.api = api
        self._inner = inner
        self._ctx = ctx

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        scope["app"] = self
        outgoing = _Outgoing(scope, send, https=self._ctx().public_url.startswith("https:"))
        try:
            if "\0" in scope["path"]:
                raise Problem("malformed", "the path holds a NUL")
            await self._inner(scope, receive, outgoing)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - the web boundary: a defect of ours is answered without a stack
            problem = of_http(error) if isinstance(error, HTTPException) else broken(error, self._ctx().clock)
            if not outgoing.started:
                await problem.response()(scope, receive, outgoing)


class _Outgoing:
    """Adds the security headers to what is sent."""

    def __init__(self, scope: Scope, send: Send, *, https: bool) -> None:
        self._send = send
        self._added = headers_for(https=https, own_caching=scope["path"].startswith(OWN_CACHING))
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            own = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in self._added]
            message["headers"] = own + list(self._added.items())
        await self._send(message)
