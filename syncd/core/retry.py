"""When to try again: exponential back-off with jitter, never before the provider asked."""

import math
from datetime import datetime, timedelta

FIRST = 2.0  # seconds
LONGEST = 3600.0  # seconds; a Retry-After beyond it is capped too (F9)


def next_attempt(retry_after: float | None, attempts: int, now: datetime, jitter: float) -> datetime:
    """Return when to try again after `attempts` failures; `jitter` is in [0, 1), `retry_after` in seconds."""
    backoff = min(LONGEST, FIRST * 2.0 ** min(max(attempts, 1) - 1, 20))
    wait = backoff * (0.5 + jitter / 2)
    if retry_after is not None and not math.isnan(retry_after) and retry_after > 0:
        wait = min(LONGEST, max(retry_after, 1.0)) + jitter * min(FIRST, backoff)
    return now + timedelta(seconds=wait)
