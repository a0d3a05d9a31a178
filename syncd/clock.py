"""The only door to time, chance and identity, so that a simulation can hold the handle."""

import os
import random
import time
import uuid
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the program may ask of time and chance."""

    def now(self) -> datetime:
        """Return the wall time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back; for measuring, not for telling."""
        ...

    def jitter(self) -> float:
        """Return a number in [0, 1)."""
        ...

    def new_id(self) -> str:
        """Return a fresh, unguessable identifier of 32 hexadecimal digits."""
        ...


class SystemClock:
    """The real thing."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def jitter(self) -> float:
        return random.random()

    def new_id(self) -> str:
        return uuid.UUID(bytes=os.urandom(16), version=4).hex
