"""Lets many requests of one event loop wait for one commit: what has gathered while a group is written is the next one.

The store does the same for threads; here no request needs a thread of its own, which is most of a delivery's cost.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from syncd.errors import StoreError
from syncd.store import Store, Tx

T = TypeVar("T")
Work = Callable[[Tx], Any]


@dataclass(frozen=True, slots=True)
class _Waiting:
    fn: Work
    done: asyncio.Future[Any]


class Keeper:
    """Writes for one event loop, in one thread."""

    def __init__(self, store: Callable[[], Store]) -> None:
        self._store = store
        self._waiting: deque[_Waiting] = deque()  # touched by the event loop only
        self._writing = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="keeper")

    async def write(self, fn: Callable[[Tx], T]) -> T:
        """Run `fn` in the next group; returns its result once that is durable, raises what it or the store raised."""
        loop = asyncio.get_running_loop()
        one = _Waiting(fn, loop.create_future())
        self._waiting.append(one)
        if not self._writing:
            self._next_group(loop)
        result: T = await one.done
        return result

    def _next_group(self, loop: asyncio.AbstractEventLoop) -> None:
        group, self._waiting = list(self._waiting), deque()
        self._writing = bool(group)
        if group:
            self._thread.submit(self._write, loop, group)

    def _write(self, loop: asyncio.AbstractEventLoop, group: Sequence[_Waiting]) -> None:
        outcomes = outcomes_of(self._store(), [one.fn for one in group])
        loop.call_soon_threadsafe(self._settle, loop, group, outcomes)

    def _settle(self, loop: asyncio.AbstractEventLoop, group: Sequence[_Waiting], outcomes: Sequence[Any]) -> None:
        for one, outcome in zip(group, outcomes, strict=True):
            if one.done.cancelled():
                continue
            if isinstance(outcome, Exception):
                one.done.set_exception(outcome)
            else:
                one.done.set_result(outcome)
        self._next_group(loop)


def outcomes_of(store: Store, group: Sequence[Work]) -> list[Any]:
    """Write a group in one transaction; return each one's result, or the exception that kept it from being durable.

    Where one of them fails the others are written one by one, so that no caller suffers for another's mistake.
    """
    try:
        return store.write(lambda tx: [fn(tx) for fn in group])
    except StoreError as error:
        return [error] * len(group)
    except Exception as error:  # noqa: BLE001 - whoever it belongs to is told, in its own thread of thought
        return [error] if len(group) == 1 else [outcomes_of(store, [fn])[0] for fn in group]
