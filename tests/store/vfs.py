"""A file system below SQLite that we can watch: it sees every write, cut and fsync of the real engine, and can be slow.

It is the default one with four of its functions replaced, registered under a name that a URI asks for (`&vfs=name`).
sqlite.org/vfs.html; works where Python's sqlite3 uses the system's library, and says so where it does not.
"""

import ctypes
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, Self

from syncd.store.sqlite_db import Connect, connect

File, Int, I64, Text = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_char_p

# A name goes on as the very pointer that came: the file keeps it, and its URI parameters lie behind it.
OPEN = ctypes.CFUNCTYPE(Int, ctypes.c_void_p, ctypes.c_void_p, File, Int, ctypes.c_void_p)
DELETE = ctypes.CFUNCTYPE(Int, ctypes.c_void_p, Text, Int)
WRITE = ctypes.CFUNCTYPE(Int, File, ctypes.c_void_p, Int, I64)
TRUNCATE = ctypes.CFUNCTYPE(Int, File, I64)
SYNC = ctypes.CFUNCTYPE(Int, File, Int)


class Vfs(ctypes.Structure):
    """sqlite3_vfs; the functions we leave alone are bare pointers."""

    _fields_ = (
        *(("iVersion", Int), ("szOsFile", Int), ("mxPathname", Int), ("pNext", ctypes.c_void_p), ("zName", Text)),
        *(("pAppData", ctypes.c_void_p), ("xOpen", OPEN), ("xDelete", DELETE)),
        *((f"other{number}", ctypes.c_void_p) for number in range(14)),
    )


class Methods(ctypes.Structure):
    """sqlite3_io_methods, up to version 3."""

    _fields_ = (
        *(("iVersion", Int), ("xClose", ctypes.c_void_p), ("xRead", ctypes.c_void_p)),
        *(("xWrite", WRITE), ("xTruncate", TRUNCATE), ("xSync", SYNC)),
        *((f"other{number}", ctypes.c_void_p) for number in range(13)),
    )


class Watcher(Protocol):
    """Is told what happens to files, before it does."""

    def wrote(self, path: str, offset: int, content: bytes) -> None: ...

    def cut(self, path: str, size: int) -> None: ...

    def synced(self, path: str) -> None: ...

    def deleted(self, path: str, synced: bool) -> None: ...


def library() -> ctypes.CDLL | None:
    """Return the library that Python's sqlite3 uses; None where its symbols cannot be reached."""
    import _sqlite3

    for name in (getattr(_sqlite3, "__file__", None), "libsqlite3.so.0"):
        try:
            found = ctypes.CDLL(name)
            found.sqlite3_libversion.restype = Text
            if found.sqlite3_libversion().decode() == sqlite3.sqlite_version:
                return found
        except (OSError, AttributeError):
            continue
    return None


class WatchedFiles:
    """The file system while the block lasts; `connect` opens connections on it, closed before the block ends."""

    def __init__(self, name: str, watcher: Watcher) -> None:
        found = library()
        if found is None:
            raise OSError("Python's sqlite3 has its library inside: its files cannot be watched")
        self._name = name
        self._watcher = watcher
        self._paths: dict[int, str] = {}  # of sqlite3_file
        self._methods: dict[int, Any] = {}  # original table -> (ours, original)
        found.sqlite3_vfs_find.restype = ctypes.POINTER(Vfs)
        self._under = found.sqlite3_vfs_find(None).contents
        self._mine = Vfs.from_buffer_copy(self._under)
        self._mine.zName = name.encode()
        self._mine.xOpen = OPEN(self._open)
        self._mine.xDelete = DELETE(self._delete)
        self._library = found

    def __enter__(self) -> Self:
        if self._library.sqlite3_vfs_register(ctypes.byref(self._mine), 0) != 0:
            raise OSError("sqlite3_vfs_register refused")
        return self

    def __exit__(self, *_: object) -> None:
        self._library.sqlite3_vfs_unregister(ctypes.byref(self._mine))  # the library keeps no pointer to us

    @property
    def connect(self) -> Connect:
        return lambda uri: connect(f"{uri}&vfs={self._name}" if "?" in uri else uri)

    def _open(self, vfs: int, name: int | None, file: int, flags: int, out: int) -> int:
        code: int = self._under.xOpen(vfs, name, file, flags, out)
        table = ctypes.cast(file, ctypes.POINTER(ctypes.c_void_p))
        if code == 0 and name is not None and table[0]:
            self._paths[file] = os.fsdecode(ctypes.string_at(name))
            table[0] = ctypes.addressof(self._watched(table[0]))
        return code

    def _watched(self, original: int) -> Methods:
        """Return our copy of a table of methods; SQLite has a few, and each file points at one."""
        if original not in self._methods:
            under = Methods.from_address(original)
            ours = Methods.from_buffer_copy(under)
            ours.xWrite = WRITE(self._write(under))
            ours.xTruncate = TRUNCATE(self._truncate(under))
            ours.xSync = SYNC(self._sync(under))
            self._methods[original] = (ours, under)
        made: Methods = self._methods[original][0]
        return made

    def _write(self, under: Any) -> Callable[[int, int, int, int], int]:
        def write(file: int, content: int, size: int, offset: int) -> int:
            self._watcher.wrote(self._paths[file], offset, ctypes.string_at(content, size))
            return int(under.xWrite(file, content, size, offset))

        return write

    def _truncate(self, under: Any) -> Callable[[int, int], int]:
        def truncate(file: int, size: int) -> int:
            self._watcher.cut(self._paths[file], size)
            return int(under.xTruncate(file, size))

        return truncate

    def _sync(self, under: Any) -> Callable[[int, int], int]:
        def sync(file: int, flags: int) -> int:
            code = int(under.xSync(file, flags))
            self._watcher.synced(self._paths[file])  # after: only then is it safe
            return code

        return sync

    def _delete(self, vfs: int, name: bytes, sync: int) -> int:
        code = int(self._under.xDelete(vfs, name, sync))
        self._watcher.deleted(os.fsdecode(name), bool(sync))
        return code


class SlowDisk:
    """Makes each fsync take longer, as a disk with a slower one would."""

    def __init__(self, seconds: float, wait: Callable[[float], object]) -> None:
        self._seconds = seconds
        self._wait = wait

    def wrote(self, path: str, offset: int, content: bytes) -> None:
        """Writing into the page cache is as fast as ever."""

    def cut(self, path: str, size: int) -> None:
        """So is cutting."""

    def synced(self, path: str) -> None:
        if Path(path).suffix != ".db-shm":
            self._wait(self._seconds)

    def deleted(self, path: str, synced: bool) -> None:
        """And deleting."""
