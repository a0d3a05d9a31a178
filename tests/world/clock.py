"""Time, chance and identity of the simulation: all from one seed."""

import random
from datetime import datetime, timedelta


class VirtualClock:
    """Stands still until told to move."""

    def __init__(self, start: datetime, seed: int = 0) -> None:
        self._now = start
        self._elapsed = 0.0
        self._chance = random.Random(seed)

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed

    def jitter(self) -> float:
        return self._chance.random()

    def new_id(self) -> str:
        return f"{self._chance.getrandbits(128):032x}"

    def advance(self, by: timedelta) -> None:
        """Let time pass; negative: the wall clock is set back, which the monotonic one never is."""
        self._now += by
        self._elapsed += max(0.0, by.total_seconds())
