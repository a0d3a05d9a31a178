"""Idempotency-Key: the same key and body is the same visit, the same key with another body is refused.

The visit itself carries the key (`source.id`), so it and the visit become durable in one transaction; what is kept
here is the digest of the body the key was first used with.
"""

import hashlib
import json
from typing import Any

from syncd.core import limits
from syncd.core.ids import AccountId
from syncd.flows.context import Context
from syncd.store import Tx
from syncd.web.problems import Problem

API = AccountId("api")


def booking_key(caller: str, given: str | None) -> str | None:
    """Return the name of a booking under which the store knows it; keys of two callers never meet."""
    if given is None:
        return None
    if not 0 < len(given) <= limits.ID or not given.isascii() or not given.isprintable():
        problem = f"1 to {limits.ID} visible ASCII characters"
        errors = [{"field": "Idempotency-Key", "problem": problem}]
        raise Problem("invalid", f"Idempotency-Key: {problem}", errors=errors)
    return f"{caller}:{given}"


def reserve(ctx: Context, key: str, body: Any) -> bool:
    """Tie the key to this body; False when it was tied to the same body before. Raises Problem for another body."""
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()

    def tie(tx: Tx) -> str | None:
        known = tx.accounts.get(API, f"key:{key}")
        if known is None:
            tx.accounts.put(API, f"key:{key}", digest)
        return known

    known = ctx.store.write(tie)
    if known is not None and known != digest:
        raise Problem("key-differs", "this Idempotency-Key was used with another body; give the new request its own")
    return known is None


def release(ctx: Context, key: str) -> None:
    """Untie a key whose booking was refused, so that the caller may try another time under it."""
    ctx.store.write(lambda tx: tx.accounts.put(API, f"key:{key}", None))
