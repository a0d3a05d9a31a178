"""Remembers hosts' free starts from one question to the next, within a bound; knows nothing of how they are found."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock

from syncd.core.availability import FreeStarts

MOST = 500_000  # starts in all: some 20 MB where no two hosts share a grid, half a megabyte where all do


class KeptStarts:
    """Free starts as they were at a revision; the longest unused go first.

    A caller asks by the revision that it reads in its own snapshot, so what it gets is what it would work out itself,
    whatever others keep meanwhile. Nothing may be kept from inside a write: its revisions may never come true.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[Hashable, FreeStarts]] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def find(self, key: Hashable, revision: Hashable) -> FreeStarts | None:
        """Return what is kept under the key, None where there is nothing or it is of another revision."""
        with self._lock:
            found = self._kept.get(key)
            if found is None or found[0] != revision:
                return None
            self._kept.move_to_end(key)
            return found[1]

    def keep(self, key: Hashable, revision: Hashable, starts: FreeStarts) -> None:
        """Put it in the place of whatever is kept under the key."""
        with self._lock:
            self._drop(key)
            self._kept[key] = (revision, starts)
            self._size += len(starts.free)
            while self._size > self._most:
                self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        found = self._kept.pop(key, None)
        self._size -= len(found[1].free) if found is not None else 0

    def __len__(self) -> int:
        """Count the starts that are kept."""
        return self._size
