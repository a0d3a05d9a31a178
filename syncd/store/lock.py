"""One process owns a store: a locked file beside it. The lock goes with the process, however that ends."""

import fcntl
import os
from pathlib import Path

from syncd.errors import StoreBusy


class Lock:
    """Holds `<store>.lock`. Raises StoreBusy where somebody else does."""

    def __init__(self, store: Path) -> None:
        self._path = store.with_name(store.name + ".lock")
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(self._file, 20).decode("ascii", "replace").strip()
            os.close(self._file)
            raise StoreBusy(f"{store}: process {owner or 'unknown'} holds the store") from None
        os.truncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the store free; the file stays, because taking it away could let two in."""
        os.truncate(self._file, 0)
        os.close(self._file)


class NoLock:
    """Stands for the lock of a store that no other process can see."""

    def release(self) -> None:
        """Nothing was locked."""
