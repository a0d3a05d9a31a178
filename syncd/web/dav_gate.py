"""Stands before the CalDAV server: who comes, how often they guessed, how much they send, and is it XML we take.

After an agent changed something, the account is looked at again at once. Knows nothing of calendars.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from anyio import CapacityLimiter, to_thread
from starlette.datastructures import Headers
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
from syncd.web.problems import Problem

CHANGING = frozenset({"PUT", "DELETE", "MKCOL", "MKCALENDAR", "MOVE", "PROPPATCH", "POST"})
DOCTYPE = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii"})
OUTSIDE = re.compile(rb"forwarded|x-forwarded-.*|x-script-name|x-remote-.*|x-real-ip|.*_.*")
CHALLENGE = {"WWW-Authenticate": 'Basic realm="syncd", charset="UTF-8"'}
HASHES_AT_ONCE = 2  # each takes 16 MiB and a core


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
        signed_in = await self._sign_in(request)
        if not signed_in and method != "OPTIONS":
            raise Problem("unauthorized", "sign in with the agent's id and password", headers=CHALLENGE)
        body = await read_body(scope, receive, limits.DAV_BODY, self._body_seconds)
        if method != "PUT":
            _refuse_strange_xml(request.headers, body)
        status = await self._pass_on(scope, body, send)
        if signed_in and method in CHANGING and 200 <= status < 300:
            await to_thread.run_sync(self._look_again)

    async def _sign_in(self, request: Request) -> bool:
        given = request.headers.getlist("authorization")
        if not given:
            return False
        user, password = _credentials(given)
        if user != INTERNAL and await to_thread.run_sync(self._passwords.is_remembered, user, password):
            return True
        address = client_of(request)
        keys = {"pair": f"{address} {user}", "address": address, "user": user}
        wait = max(self._limits[name].wait(key) for name, key in keys.items())
        if wait:
            raise Problem("rate-limited", "too many wrong passwords", headers={"Retry-After": str(wait)})
        if user != INTERNAL and await to_thread.run_sync(self._passwords.fits, user, password, limiter=self._hashing):
            return True
        for name, key in keys.items():
            self._limits[name].failed(key)
        raise Problem("unauthorized", "wrong user or password", headers=CHALLENGE)

    async def _pass_on(self, scope: Scope, body: bytes, send: Send) -> int:
        statuses: list[int] = []

        async def replay() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            await send(message)

        await self._inner({**scope, "headers": list(_own(scope["headers"], len(body)))}, replay, watch)
        return statuses[0] if statuses else 500

    def _look_again(self) -> None:
        ctx = self._ctx()
        now = ctx.clock.now()
        with suppress(StoreError):  # the change stands in the calendar; the next beat finds it
            ctx.store.write(lambda tx: tx.queue.touch(WorkKind.POLL, EMBEDDED, now, group=EMBEDDED))


def _credentials(given: list[str]) -> tuple[str, str]:
    scheme, _, encoded = given[0].partition(" ")
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    user, colon, password = text.partition(":")
    if len(given) != 1 or scheme.lower() != "basic" or not colon:
        raise Problem("unauthorized", "sign in with the agent's id and password", headers=CHALLENGE)
    return user, password


def _own(headers: Iterable[tuple[bytes, bytes]], length: int) -> Iterable[tuple[bytes, bytes]]:
    """Return the headers without what a proxy would say and with the length of what was really read."""
    for name, value in headers:
        if name not in (b"content-length", b"transfer-encoding") and not OUTSIDE.fullmatch(name):
            yield name, value
    yield b"content-length", str(length).encode()


def _refuse_strange_xml(headers: Headers, body: bytes) -> None:
    """Refuse a document type, and every encoding in which one could hide (H103-H107)."""
    charset = headers.get("content-type", "").partition("charset=")[2].partition(";")[0].strip(" \"'").lower()
    declared = re.search(rb"""^<\?xml[^>]*encoding=["']([^"']*)""", body.lstrip()[:200])
    names = {charset, declared[1].decode("latin-1").lower() if declared else ""}
    if not names <= CHARSETS or b"\0" in body:
        raise Problem("malformed", "send XML in UTF-8")
    if DOCTYPE.search(body):
        raise Problem("malformed", "XML with a document type is not taken")
