"""A world inside the process: calendars and scheduling desks by account, the people's hands on them, and the door
through which every call of ours goes: counted, and struck by faults."""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from connectors._memory_desk import Desk
from connectors._memory_faults import WRITES, Fault, Faults
from connectors._memory_shelf import Shelf
from syncd.clock import Clock
from syncd.errors import Ambiguous, AuthFailed, ConnectorError, Transient, Unreadable

T = TypeVar("T")


class World:
    """Everything outside of syncd, for one test or one demonstration."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.faults = Faults()
        self.calls: Counter[tuple[str, str]] = Counter()
        self.revoked: set[str] = set()
        self.meanwhile: Callable[[], None] = lambda: None  # what happens while an answer is late
        self.applied: Callable[[str], None] = lambda call: None  # told of every write that took effect
        self.lag: timedelta | None = None  # how old a change may be that a stale answer still does not know; None: any
        self.hasty: list[str] = []  # calls made before the Retry-After that we gave was over
        self._not_before: dict[str, float] = {}
        self._shelves: defaultdict[str, dict[str, Shelf]] = defaultdict(dict)
        self._desks: dict[str, Desk] = {}

    def shelf(self, account: str, name: str) -> Shelf:
        """Return a calendar; it is there from the first time it is named."""
        with self.lock:
            return self._shelves[account].setdefault(name, Shelf(f"{account}/{name}", self.clock))

    def shelves(self, account: str) -> dict[str, Shelf]:
        with self.lock:
            return dict(self._shelves[account])

    def desk(self, account: str) -> Desk:
        with self.lock:
            return self._desks.setdefault(account, Desk(account, self.clock, self.lock))

    def trespasses(self) -> list[str]:
        """List every write or deletion of something that is not syncd's (I5)."""
        with self.lock:
            shelves = [shelf for account in self._shelves.values() for shelf in account.values()]
            return [f"{shelf.name}: {one}" for shelf in shelves for one in shelf.trespasses]

    def writes(self) -> int:
        """Count the calls that asked for a change."""
        return sum(number for (_, call), number in self.calls.items() if call in WRITES)

    def behind(self, shelf: Shelf) -> int:
        """Return how many changes a stale answer does not know of: the last one, if it is young enough."""
        if self.lag is None:
            return 1
        return int(shelf.changed_at is not None and self.clock.now() - shelf.changed_at <= self.lag)

    def sign_in(self, account: str) -> None:
        self.revoked.discard(account)

    # -- the door

    def call(
        self,
        account: str,
        call: str,
        act: Callable[[], T],
        *,
        stale: Callable[[], T] | None = None,
        empty: Callable[[], T] | None = None,
    ) -> T:
        """Do what a caller asks unless a fault strikes; `stale` and `empty` are the answers that lie."""
        fault = self.knock(account, call)
        if fault is Fault.STALE and stale is not None:
            return self._struck(fault, stale)
        if fault is Fault.EMPTY and empty is not None:
            return self._struck(fault, empty)
        if fault is Fault.DROP_AFTER:
            self._struck(fault, lambda: self._act(call, act))
            raise self._silence(call)
        if fault is Fault.DUPLICATE:
            return self._struck(fault, lambda: self._twice(call, act))
        if fault is Fault.DELAY:
            done = self._struck(fault, lambda: self._act(call, act))
            self.meanwhile()
            return done
        return self._act(call, act)

    def knock(self, account: str, call: str) -> Fault | None:
        """Count a call and let through what is not refused at the door; returns the fault that strikes inside."""
        with self.lock:
            self.calls[account, call] += 1
            if self.clock.monotonic() < self._not_before.get(account, 0.0):
                self.hasty.append(f"{account} {call} at {self.clock.now():%H:%M:%S}, told to wait")
            if account in self.revoked:
                raise AuthFailed(f"{account}: the login is refused")
            fault = self.faults.next(account, call)
            self._refuse(account, call, fault)
            return fault

    def _refuse(self, account: str, call: str, fault: Fault | None) -> None:
        """Raise the faults that need no look at what was asked."""
        if fault in (Fault.THROTTLE, Fault.SERVER_ERROR, Fault.GARBAGE, Fault.DROP_BEFORE, Fault.REVOKE):
            self.faults.strike(fault)
        match fault:
            case Fault.THROTTLE:
                wait = self.faults.retry_after()
                self._not_before[account] = self.clock.monotonic() + _patience(wait)
                raise Transient(f"{account}: 429", retry_after=wait)
            case Fault.SERVER_ERROR:
                raise Transient(f"{account}: 503")
            case Fault.GARBAGE:
                raise Unreadable(f"{account}: a login page")
            case Fault.DROP_BEFORE:
                raise self._silence(call)
            case Fault.REVOKE:
                self.revoked.add(account)
                raise AuthFailed(f"{account}: the login is refused")

    @staticmethod
    def _silence(call: str) -> ConnectorError:
        """No answer came: whoever wrote does not know whether it was done."""
        return Ambiguous(f"{call}: no answer") if call in WRITES else Transient(f"{call}: no answer")

    def _struck(self, fault: Fault, act: Callable[[], T]) -> T:
        self.faults.strike(fault)
        return act()

    def _act(self, call: str, act: Callable[[], T]) -> T:
        with self.lock:
            done = act()
        if call in WRITES:
            self.applied(call)
        return done

    def _twice(self, call: str, act: Callable[[], T]) -> T:
        """A request that a proxy repeated: the first answer is the one that arrives."""
        first = self._act(call, act)
        with suppress(ConnectorError):  # refused the second time: nobody hears of it
            self._act(call, act)
        return first


def _patience(retry_after: float | None) -> float:
    """Return how many seconds a caller must wait who caps what it is told at an hour and ignores nonsense."""
    return min(retry_after, 3600.0) if retry_after is not None and retry_after > 0 else 0.0


WORLDS: dict[str, World] = {}


def world_named(name: str, clock: Clock) -> World:
    """Return the world of this name in this process, made on its first use."""
    return WORLDS.setdefault(name, World(clock))
