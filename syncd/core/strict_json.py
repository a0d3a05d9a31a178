"""JSON as RFC 8259 means it: what Python's parser lets pass (NaN, repeated keys, half characters, depth) is refused."""

import json
import math
import re
from typing import Any

from syncd.core.limits import JSON_DEPTH

_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")


def strict_json(body: bytes) -> Any:
    """Return what the bytes say, UTF-8, nested at most JSON_DEPTH deep; raises ValueError that never quotes them."""
    try:
        value = json.loads(body.decode(), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
        if _HALF_CHARACTER.search(body):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:  # Unicode errors are ValueErrors, so are integers of 4,300 digits
        raise ValueError(f"not JSON: {_kind(error)}") from None
    if body.count(b"[") + body.count(b"{") > JSON_DEPTH and _is_deeper_than(value, JSON_DEPTH):
        raise ValueError(f"JSON nested deeper than {JSON_DEPTH} levels")
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


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _is_deeper_than(value: Any, depth: int) -> bool:
    layer = [value]
    for _ in range(depth):
        layer = [
            child
            for one in layer
            if isinstance(one, dict | list)
            for child in (one.values() if isinstance(one, dict) else one)
        ]
        if not layer:
            return False
    return any(isinstance(one, dict | list) for one in layer)
