"""Remembers what slots are worked out from, from one question to the next and within a bound; knows not what it is."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Any

MOST = 200_000  # starts and slots in all: at some 100 bytes each, 20 MB


@dataclass(frozen=True, slots=True)
class _Kept:
    revision: object
    value: Any
    size: int


class KeptStarts:
    """Free starts of hosts and slots of teams as they were at a revision; the longest unused go first.

    A caller asks by the revision that it reads in its own snapshot, so what it gets is what it would work out itself,
    whatever others keep meanwhile. Nothing may be kept from inside a write: its revisions may never come true.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def find(self, key: Hashable, revision: object) -> Any:
        """Return what is kept under the key, None where there is nothing or it is of another revision."""
        with self._lock:
            found = self._kept.get(key)
            if found is None or found.revision != revision:
                return None
            self._kept.move_to_end(key)
            return found.value

    def keep(self, key: Hashable, revision: object, value: object, size: int) -> None:
        """Put it in the place of whatever is kept under the key."""
        with self._lock:
            self._drop(key)
            self._kept[key] = _Kept(revision, value, size)
            self._size += size
            while self._size > self._most:
                self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        found = self._kept.pop(key, None)
        self._size -= found.size if found is not None else 0

    def __len__(self) -> int:
        """Count the starts and slots that are kept."""
        return self._size
