"""The way from a process that will be killed to the world that stays: one call, one answer, over a UNIX socket."""

import threading
from collections.abc import Callable
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

from connectors.memory import MemoryCalendar, MemoryHome, MemoryPush, MemoryScheduler, World

PUBLIC = "https://visitas.example"
Answer = tuple[bool, Any]  # True and what came back, or False and what was raised


class Door:
    """Serves the memory world of this process to others. `asked` is told of every call before it is answered."""

    def __init__(self, path: Path, world: World, more: dict[str, Callable[..., Any]]) -> None:
        self._world = world
        self._more = more
        self.asked: Callable[[], None] = lambda: None
        self._listener = Listener(str(path), "AF_UNIX", backlog=64)
        threading.Thread(target=self._accept, name="door", daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                line = self._listener.accept()
            except (OSError, EOFError):
                return
            threading.Thread(target=self._serve, args=(line,), name="guest", daemon=True).start()

    def _serve(self, line: Connection) -> None:
        with line:
            while True:
                try:
                    call = line.recv()
                    self.asked()
                    line.send(self._answer(*call))
                except (OSError, EOFError):
                    return  # the guest is dead

    def _answer(self, part: str, where: tuple[Any, ...], method: str, args: tuple[Any, ...]) -> Answer:
        try:
            found = getattr(self._part(part, where), method)(*args) if part else self._more[method](*args)
            return True, list(found) if method in ("changes", "bookings") else found
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller shall meet it
            return False, error

    def _part(self, part: str, where: tuple[Any, ...]) -> Any:
        match part:
            case "calendar":
                return MemoryCalendar(self._world, *where)
            case "home":
                return MemoryHome(self._world, *where)
            case "scheduler":
                return MemoryScheduler(self._world, *where)
        return MemoryPush(self._world, where[0], PUBLIC)


class Line:
    """A guest's side of the door: one connection for each of its threads."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._mine = threading.local()

    def __call__(self, part: str, where: tuple[Any, ...], method: str, *args: Any) -> Any:
        if not hasattr(self._mine, "line"):
            self._mine.line = Client(self._path, "AF_UNIX")
        self._mine.line.send((part, where, method, args))
        good, found = self._mine.line.recv()
        if not good:
            raise found
        return found

    def ask(self, method: str, *args: Any) -> Any:
        """Ask the one who lets us live and die, not the world."""
        return self("", (), method, *args)

    def part(self, part: str, *where: Any) -> Any:
        """Return something that has the methods of a port and passes each call on."""
        return _Far(self, part, where)


class _Far:
    def __init__(self, line: Line, part: str, where: tuple[Any, ...]) -> None:
        self._line, self._part, self._where = line, part, where

    def __getattr__(self, method: str) -> Callable[..., Any]:
        return lambda *args: self._line(self._part, self._where, method, *args)
