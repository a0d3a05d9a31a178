"""Who calls: bearer tokens of the API, and the brake on guessing. Keeps no token, only hashes for a moment."""

import hashlib
import hmac
import math
import threading
from collections import OrderedDict, deque
from collections.abc import Mapping

from starlette.requests import Request

from syncd.clock import Clock
from syncd.web.problems import Problem

REMEMBERED = 10_000  # keys a limiter holds at most; the oldest falls out first


class Limiter:
    """Counts failures per key in a moving window; thread-safe, bounded."""

    def __init__(self, clock: Clock, most: int, seconds: float) -> None:
        self._clock = clock
        self._most = most
        self._seconds = seconds
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def failed(self, key: str) -> None:
        with self._lock:
            times = self._failures.setdefault(key, deque(maxlen=self._most))
            times.append(self._clock.monotonic())
            self._failures.move_to_end(key)
            if len(self._failures) > REMEMBERED:
                self._failures.popitem(last=False)

    def wait(self, key: str) -> int:
        """Return the whole seconds until another attempt counts, 0 where it does now."""
        with self._lock:
            times = self._failures.get(key)
            if times is None or len(times) < self._most:
                return 0
            left = times[0] + self._seconds - self._clock.monotonic()
        return max(0, math.ceil(left))


def client_of(request: Request) -> str:
    """Return the peer's address; forwarded headers were read by the server, and only from configured proxies."""
    return request.client.host if request.client is not None else "local"


def caller(request: Request, tokens: Mapping[str, str], limiter: Limiter) -> str:
    """Return the name of the token that the request carries; raises Problem. A right token is never held up."""
    given = request.headers.getlist("authorization")
    scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    name = _name_of(token.strip(), tokens) if scheme.lower() == "bearer" else None
    if name is not None:
        return name
    wait = limiter.wait(client_of(request))
    if wait:
        raise Problem("rate-limited", "too many wrong tokens from this address", headers={"Retry-After": str(wait)})
    if given:
        limiter.failed(client_of(request))
    raise Problem("unauthorized", "send Authorization: Bearer <token>", headers={"WWW-Authenticate": "Bearer"})


def _name_of(token: str, tokens: Mapping[str, str]) -> str | None:
    """Compare hashes, every one of them, so that time tells nothing of the tokens."""
    given = hashlib.sha256(token.encode("latin-1")).digest()
    found = None
    for name, known in tokens.items():
        if known and hmac.compare_digest(hashlib.sha256(known.encode()).digest(), given):
            found = name
    return found
