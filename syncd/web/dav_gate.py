"""Stands before the CalDAV server: who comes, how often they guessed, how much they send, and is it XML we take.

After an agent changed something, the account is looked at again at once. Knows nothing of calendars.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from syncd.core import limits
from syncd.errors import StoreError
from syncd.flows.context import Context
from syncd.flows.sign_in import EMBEDDED, Passwords
from syncd.store.queue import WorkKind
from syncd.web.auth import Limiter, client_of
from syncd.web.bodies import read_body
from syncd.web.dav import INTERNAL, WsgiApp
from syncd.web.dav_xml import refuse_strange_xml
from syncd.web.problems import Problem

CHANGING = frozenset({"PUT", "DELETE", "MKCOL", "MKCALENDAR", "MOVE", "PROPPATCH", "POST"})
OURS = frozenset({b"authorization", b"content-length", b"transfer-encoding"})
OUTSIDE = re.compile(rb"forwarded|x-forwarded-.*|x-script-name|x-remote-.*|x-real-ip|.*_.*")
CHALLENGE = {"WWW-Authenticate": 'Basic realm="syncd", charset="UTF-8"'}
HASHES_AT_ONCE = 2  # each takes 16 MiB and a core

Header = tuple[bytes, bytes]


class DavGate:
    """An ASGI application in front of the WSGI one."""

    def __init__(
        self,
        ctx: Callable[[], Context],
        app: WsgiApp,
        passwords: Passwords,
        body_seconds: float = limits.BODY_SECONDS,
    ) -> None:
        self._ctx = ctx
        self._inner = cast(ASGIApp, WSGIMiddleware(cast(Any, app), workers=10))
        self._body_seconds = body_seconds
        self._passwords = passwords
        clock = ctx().clock
        self._limits = {
            "pair": Limiter(clock, 5, 60),
            "address": Limiter(clock, 30, 60),
            "user": Limiter(clock, 30, 600),
        }
        self._hashing = CapacityLimiter(HASHES_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        method = scope["method"]
        credentials = await self._sign_in(request)
        if credentials is None and method != "OPTIONS":
            raise Problem("unauthorized", "sign in with the agent's id and password", headers=CHALLENGE)
        body = await read_body(scope, receive, limits.DAV_BODY, self._body_seconds)
        if method != "PUT":
            await to_thread.run_sync(refuse_strange_xml, request.headers.get("content-type", ""), body)
        headers = list(_own(scope["headers"], len(body), credentials))
        changing = credentials is not None and method in CHANGING
        await self._pass_on({**scope, "headers": headers}, body, self._waking(send) if changing else send)

    async def _sign_in(self, request: Request) -> tuple[str, str] | None:
        """Return agent and password where they fit together, None where nothing was said; raises Problem."""
        given = request.headers.getlist("authorization")
        if not given:
            return None
        user, password = _credentials(given)
        if user != INTERNAL and await to_thread.run_sync(self._passwords.is_remembered, user, password):
            return user, password
        address = client_of(request)
        keys = {"pair": f"{address} {user}", "address": address, "user": user}
        wait = max(self._limits[name].wait(key) for name, key in keys.items())
        if wait:
            raise Problem("rate-limited", "too many wrong passwords", headers={"Retry-After": str(wait)})
        if user != INTERNAL and await to_thread.run_sync(self._passwords.fits, user, password, limiter=self._hashing):
            return user, password
        for name, key in keys.items():
            self._limits[name].failed(key)
        raise Problem("unauthorized", "wrong user or password", headers=CHALLENGE)

    async def _pass_on(self, scope: Scope, body: bytes, send: Send) -> None:
        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await self._inner(scope, replay, send)

    def _waking(self, send: Send) -> Send:
        """Have the account looked at again before a successful change is answered."""

        async def wake(message: Message) -> None:
            if message["type"] == "http.response.start" and 200 <= message["status"] < 300:
                await to_thread.run_sync(self._look_again)
            await send(message)

        return wake

    def _look_again(self) -> None:
        ctx = self._ctx()
        now = ctx.clock.now()
        with suppress(StoreError):  # the change stands in the calendar; the next beat finds it
            ctx.store.write(lambda tx: tx.queue.touch(WorkKind.POLL, EMBEDDED, now, group=EMBEDDED))


def _credentials(given: list[str]) -> tuple[str, str]:
    """Read one Basic header; clients write UTF-8, as we ask (RFC 7617), or the Latin-1 of older days."""
    scheme, _, encoded = given[0].partition(" ")
    try:
        raw = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    user, colon, password = text.partition(":")
    if len(given) != 1 or scheme.lower() != "basic" or not colon:
        raise Problem("unauthorized", "sign in with the agent's id and password", headers=CHALLENGE)
    return user, password


def _own(headers: Iterable[Header], length: int, credentials: tuple[str, str] | None) -> Iterator[Header]:
    """Return the headers without what a proxy would say, with the credentials and the length as we read them."""
    for name, value in headers:
        if name not in OURS and not OUTSIDE.fullmatch(name):
            yield name, value
    if credentials is not None:
        yield b"authorization", b"Basic " + base64.b64encode(":".join(credentials).encode())
    yield b"content-length", str(length).encode()
