"""Named points at which the process may die. A death is no Exception: nothing of ours may catch it."""

from collections import Counter
from collections.abc import Callable

POINTS = tuple(f"C{number}" for number in range(1, 23))
MESSAGE_POINTS = tuple(f"M{number}" for number in range(1, 7))


class Death(BaseException):
    """The process is gone; what was not committed never happened."""


class Reaper:
    """Counts how often each point is passed, and kills where it is told to."""

    def __init__(self) -> None:
        self.passed: Counter[str] = Counter()
        self.kills: Counter[str] = Counter()
        self.wants: Callable[[str], bool] = lambda name: False

    def __call__(self, name: str) -> None:
        self.passed[name] += 1
        if self.wants(name):
            self.kills[name] += 1
            raise Death(name)

    def at(self, name: str, nth: int = 1) -> None:
        """Kill once, when this point is passed for the nth time from now."""
        goal = self.passed[name] + nth
        self.wants = lambda here: here == name and self.passed[name] == goal

    def then(self, nth: int) -> None:
        """Kill once more, at the nth point of any name that is passed after the first death."""
        first = self.wants
        since: list[str] = []

        def wants(here: str) -> bool:
            if self.kills.total():
                since.append(here)
                return len(since) == nth
            return first(here)

        self.wants = wants
