"""Strict JSON for what strangers send: no NaN, duplicate keys or lone surrogates, bounded depth. Knows no provider."""

import json
from typing import Any, NoReturn

from syncd.errors import Unreadable

DEPTH = 64


def read_json(body: bytes) -> Any:
    """Parse UTF-8 JSON; raises Unreadable for everything that two readers might understand differently."""
    try:
        parsed = json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except UnicodeDecodeError as wrong:
        raise Unreadable("not UTF-8") from wrong
    except RecursionError as wrong:
        raise Unreadable("nested too deeply") from wrong
    except ValueError as wrong:
        raise Unreadable(f"not JSON: {str(wrong)[:100]}") from wrong
    _check(parsed)
    return parsed


def _constant(name: str) -> NoReturn:
    raise Unreadable(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Unreadable("a key appears twice in one object")
    return made


def _check(parsed: Any) -> None:
    """Walk without recursion: depth, and text that could be neither encoded nor stored (surrogates, NUL)."""
    level, depth = [parsed], 0
    while level:
        depth += 1
        if depth > DEPTH:
            raise Unreadable("nested too deeply")
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below += one.keys()
                below += one.values()
            elif isinstance(one, list):
                below += one
            elif isinstance(one, str):
                _check_text(one)
        level = below


def _check_text(text: str) -> None:
    if "\0" in text:
        raise Unreadable("text holds a NUL")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as wrong:
        raise Unreadable("text holds a lone surrogate") from wrong
