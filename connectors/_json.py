"""Strict JSON for connectors: what is none (NaN, repeated keys, half characters, depth) is no answer."""

from typing import Any

from syncd.core import strict_json as text
from syncd.errors import Unreadable


def strict_json(body: bytes) -> Any:
    """Return what the bytes say; raises Unreadable for anything that is not JSON as RFC 8259 means it."""
    try:
        return text.strict_json(body)
    except ValueError as error:
        raise Unreadable(f"the body is {error}") from None
