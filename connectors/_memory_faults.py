"""The ways in which an outside system fails, struck on command. Knows nothing of calendars or bookings."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from enum import StrEnum

READS = frozenset({"changes", "marks", "find", "bookings", "booking", "subscriptions"})
WRITES = frozenset({"put", "delete", "cancel", "subscribe", "unsubscribe"})
LISTINGS = frozenset({"changes", "bookings"})
CALLS = READS | WRITES


class Fault(StrEnum):
    """One way to go wrong; what it does to a call is written beside it."""

    DROP_BEFORE = "drop_before"  # the request never arrives; whoever wrote cannot know that
    DROP_AFTER = "drop_after"  # done, and the answer is lost
    DELAY = "delay"  # the answer is late: the world goes on before it arrives
    DUPLICATE = "duplicate"  # the request arrives twice
    THROTTLE = "throttle"  # 429 with Retry-After
    SERVER_ERROR = "server_error"  # 503
    GARBAGE = "garbage"  # 200 and a login page
    STALE = "stale"  # a replica that does not know the last change
    EMPTY = "empty"  # 200 and nothing in it
    PAGE_TWO = "page_two"  # the listing breaks off after its first page
    CURSOR = "cursor"  # every cursor handed out so far is dead
    REVOKE = "revoke"  # the login is refused until somebody signs in again


STRIKES: dict[Fault, frozenset[str]] = {
    Fault.DROP_BEFORE: CALLS,
    Fault.DROP_AFTER: CALLS,
    Fault.DELAY: CALLS,
    Fault.DUPLICATE: CALLS,
    Fault.THROTTLE: CALLS,
    Fault.SERVER_ERROR: CALLS,
    Fault.GARBAGE: READS,
    Fault.STALE: READS,
    Fault.EMPTY: frozenset({"changes", "marks", "bookings", "subscriptions"}),
    Fault.PAGE_TWO: LISTINGS,
    Fault.CURSOR: frozenset({"changes"}),
    Fault.REVOKE: CALLS,
}


class Faults:
    """What will go wrong: one-shot orders first, then whatever `chance` says; counts what struck."""

    def __init__(self) -> None:
        self.chance: Callable[[str, str], Fault | None] = lambda account, call: None
        self.retry_after: Callable[[], float | None] = lambda: 7.0
        self.struck: Counter[Fault] = Counter()
        self._ordered: defaultdict[tuple[str, str], deque[Fault | None]] = defaultdict(deque)

    def order(self, account: str, call: str, *faults: Fault | None) -> None:
        """Let the next calls of this kind go wrong in turn; None lets one pass."""
        self._ordered[account, call].extend(faults)

    def clear(self) -> None:
        self._ordered.clear()
        self.chance = lambda account, call: None

    def next(self, account: str, call: str) -> Fault | None:
        ordered = self._ordered[account, call]
        return ordered.popleft() if ordered else self.chance(account, call)

    def strike(self, fault: Fault) -> None:
        """Count a fault that really had its effect."""
        self.struck[fault] += 1


def possible(call: str, among: Iterable[Fault]) -> list[Fault]:
    """List the faults that can befall a kind of call."""
    return [fault for fault in among if call in STRIKES[fault]]
