"""What a service still lets one login ask within the running minute, by the headers of its own answers."""

import threading
from collections.abc import Mapping, Sequence

from syncd.clock import Clock
from syncd.errors import ConnectorError, Transient

RESERVE = 10  # a tenth of the allowance is kept from sweeps, for bookings that a client has just made
EPOCH = 10**9  # a Reset above this is a moment, below it seconds to go: both have been seen
LONGEST = 3600.0  # seconds; no minute lasts longer, whatever a header says


class Allowance:
    """Counts requests against the headers X-RateLimit-Limit, -Remaining and -Reset; thread-safe.

    `endings` are what their names may end in, the first found counts. Reset is read as seconds to go, or as a moment
    in seconds or milliseconds.
    """

    def __init__(self, service: str, clock: Clock, endings: Sequence[str] = ("",)) -> None:
        self.clock = clock
        self.limit, self.left, self.ends_at = 0, 1, 0.0
        self._service = service
        self._endings = endings
        self._lock = threading.Lock()

    def take(self, *, sweep: bool) -> None:
        """Count one request about to be sent; raises Transient, before sending, when nothing is left for it."""
        with self._lock:
            to_go = self.ends_at - self.clock.monotonic()
            if to_go > 0 and self.left <= (self.limit // RESERVE if sweep else 0):
                raise Transient(f"{self._service}'s allowance for this minute is used up", retry_after=to_go)
            self.left -= 1

    def note(self, headers: Mapping[str, str]) -> None:
        """Read the headers of any answer."""
        left, to_go = self._number(headers, "Remaining"), self.to_go(headers)
        if left is None or to_go is None:
            return
        with self._lock:
            self.limit = self._number(headers, "Limit") or self.limit
            self.left, self.ends_at = left, self.clock.monotonic() + to_go

    def wait(self, refused: ConnectorError, headers: Mapping[str, str]) -> float | None:
        """Return how long a 429 asks to wait: by its Retry-After, which not every service sends, else by its Reset."""
        asked = refused.retry_after if isinstance(refused, Transient) else None
        return asked if asked is not None else self.to_go(headers)

    def to_go(self, headers: Mapping[str, str]) -> float | None:
        """Return the seconds until the allowance is full again, None where the answer does not say."""
        reset = self._number(headers, "Reset")
        if reset is None:
            return None
        if reset < EPOCH:
            return min(float(reset), LONGEST)
        moment = reset / 1000 if reset >= EPOCH * 1000 else float(reset)
        return min(max(moment - self.clock.now().timestamp(), 0.0), LONGEST)

    def _number(self, headers: Mapping[str, str], name: str) -> int | None:
        for ending in self._endings:
            value = headers.get(f"X-RateLimit-{name}{ending}", "").strip()
            if value.isascii() and value.isdigit() and len(value) < 15:
                return int(value)
        return None
