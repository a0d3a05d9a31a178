"""Reads request bodies: capped, against a deadline, never decompressed; and JSON as RFC 8259 means it."""

import asyncio
import json
import math
import re
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from syncd.core import limits
from syncd.web.problems import Problem

LINGER_BYTES = 32 * 2**20  # read and thrown away, so that the sender of too much can still read our answer
LINGER_SECONDS = 1.0
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")


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
        return await asyncio.wait_for(_read(receive, cap), seconds)
    except TimeoutError:
        raise Problem("too-slow", f"the body must arrive within {seconds:g} seconds", headers=_CLOSE) from None


_CLOSE = {"Connection": "close"}


def _too_large(cap: int) -> Problem:
    return Problem("too-large", f"at most {cap} bytes are taken here", headers=_CLOSE)


async def _read(receive: Receive, cap: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > cap:
            if message.get("more_body", False):
                await _linger(receive)
            raise _too_large(cap)
        if not message.get("more_body", False):
            return bytes(body)


async def _linger(receive: Receive) -> None:
    async def discard() -> None:
        left = LINGER_BYTES
        while left > 0:
            message = await receive()
            left -= len(message.get("body", b""))
            if not message.get("more_body", False):
                return

    try:
        await asyncio.wait_for(discard(), LINGER_SECONDS)
    except TimeoutError:
        return


def read_json(body: bytes) -> Any:
    """Return what the bytes say; raises Problem for NaN, repeated keys, half characters, depth, broken UTF-8."""
    try:
        value = json.loads(body.decode(), object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_finite)
        if _HALF_CHARACTER.search(body):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Problem("malformed", f"the body is not JSON: {_kind(error)}") from None
    if _deeper_than(value, limits.JSON_DEPTH):
        raise Problem("malformed", f"the body is JSON nested deeper than {limits.JSON_DEPTH} levels")
    return value


def _kind(error: ValueError | RecursionError) -> str:
    """Say what is wrong without quoting the body."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, at character {error.pos}"
    if isinstance(error, UnicodeError):
        return "broken characters"
    return "nested too deep" if isinstance(error, RecursionError) else str(error).partition(":")[0][:80]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _deeper_than(value: Any, depth: int) -> bool:
    layer = [value]
    for _ in range(depth + 1):
        layer = [
            child
            for one in layer
            if isinstance(one, dict | list)
            for child in (one.values() if isinstance(one, dict) else one)
        ]
        if not layer:
            return False
    return True
