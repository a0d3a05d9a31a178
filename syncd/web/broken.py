"""What becomes of an exception at the web's edge: an answer with an id, and one line in the log with the same id."""

from syncd.clock import Clock
from syncd.errors import StaleRevision, StoreError
from syncd.log import log
from syncd.web.problems import Problem

RETRY_AFTER = {"Retry-After": "5"}


def broken(error: Exception, clock: Clock) -> Problem:
    """Return the problem that stands for a failure of ours; never its words, they may name people."""
    if isinstance(error, StaleRevision):
        return Problem("stale", "read it again and repeat")
    mark = clock.new_id()[:12]
    log.error("a request failed", exc_info=error, extra={"action": "request_failed", "id": mark})
    if isinstance(error, StoreError):
        return Problem("store-unavailable", f"nothing was changed; error {mark}", headers=RETRY_AFTER)
    return Problem("internal", f"error {mark}")
