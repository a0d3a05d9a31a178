"""Reads request bodies: capped, against a deadline, never decompressed; and JSON as RFC 8259 means it."""

import asyncio
from contextlib import suppress
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from syncd.core import limits
from syncd.core.strict_json import strict_json
from syncd.web.problems import Problem

LINGER_BYTES = 32 * 2**20  # read and thrown away, so that the sender of too much can still read our answer
LINGER_SECONDS = 1.0


async def read_body(scope: Scope, receive: Receive, cap: int, seconds: float = limits.BODY_SECONDS) -> bytes:
    """Return the whole body as it came; raises Problem (408, 413, 415), after which the connection closes."""
    headers = dict(scope["headers"])
    codings = {value.strip().lower() for name, value in scope["headers"] if name == b"content-encoding"}
    if codings - {b"", b"identity"}:
        raise Problem("unsupported-media-type", "send the body without Content-Encoding", headers=_CLOSE)
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > cap:
        if b"expect" not in headers:
            await _linger(receive)
        raise _too_large(cap)
    try:
        async with asyncio.timeout(seconds):
            body, ended = await _read(receive, cap)
    except TimeoutError:
        raise Problem("too-slow", f"the body must arrive within {seconds:g} seconds", headers=_CLOSE) from None
    if len(body) > cap:
        if not ended:
            await _linger(receive)
        raise _too_large(cap)
    return body


_CLOSE = {"Connection": "close"}


def _too_large(cap: int) -> Problem:
    return Problem("too-large", f"at most {cap} bytes are taken here", headers=_CLOSE)


async def _read(receive: Receive, cap: int) -> tuple[bytes, bool]:
    """Return the body, or its beginning as soon as that is over the cap, and whether it ended there."""
    body = bytearray()
    more = True
    while more and len(body) <= cap:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body), not more


async def _linger(receive: Receive) -> None:
    left = LINGER_BYTES
    more = True
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            while more and left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                more = message.get("more_body", False)


def read_json(body: bytes) -> Any:
    """Return what the bytes say; raises Problem for NaN, repeated keys, half characters, depth, broken UTF-8."""
    try:
        return strict_json(body)
    except ValueError as error:
        raise Problem("malformed", f"the body is {error}") from None
