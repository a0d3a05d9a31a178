"""How the demo speaks: plain sentences, one tick per checked claim."""

import threading
from collections.abc import Callable
from typing import TextIO, TypeVar

from syncd.clock import SystemClock

T = TypeVar("T")
PATIENCE = 30.0  # seconds until a claim that does not come true has failed


class Failed(Exception):
    """A claim of the demo did not hold."""


class Teller:
    """Writes to one stream; colours only where it is a terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._colour = out.isatty()
        self._scene = 0
        self._claims = 0

    def scene(self, title: str) -> None:
        self._scene += 1
        self._line(f"\n{self._paint('1', f'{self._scene}. {title}')}")

    def say(self, text: str) -> None:
        self._line(f"   {text}")

    def check(self, claim: str, holds: bool) -> None:
        """Tick a claim off, or fail the demo."""
        if not holds:
            raise Failed(claim)
        self._claims += 1
        self._line(f"   {self._paint('32', 'ok')}  {claim}")

    def until(self, claim: str, probe: Callable[[], T | None]) -> T:
        """Wait until the probe gives something, and tick the claim off with the time it took."""
        clock, pause = SystemClock(), threading.Event()
        began = clock.monotonic()
        while clock.monotonic() - began < PATIENCE:
            found = probe()
            if found:
                self.check(f"{claim}  ({clock.monotonic() - began:.1f} s)", True)
                return found
            pause.wait(0.1)
        raise Failed(claim)

    def finished(self) -> None:
        self._line(f"\n{self._paint('32', f'All {self._claims} claims of {self._scene} scenes held.')}")

    def failed(self, claim: str, log: str) -> None:
        self._line(f"\n{self._paint('31', 'FAILED')}  {claim}\n\nThe daemon's last words:\n{log}")

    def addresses(self, lines: list[tuple[str, str]]) -> None:
        self._line("\nStill running; open these, and stop with Ctrl-C:")
        for what, address in lines:
            self._line(f"   {what:<34}{address}")

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text

    def _line(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()
