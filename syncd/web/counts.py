"""Counts since the start what leaves no row: refused signatures, failed stores. Holds no name but the account's."""

import threading
from collections import Counter

UNPROVEN = ("refused", "unstored")


class Counts:
    """Thread-safe counters for the metrics page."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hooks: Counter[tuple[str, str]] = Counter()
        self._refused_in_a_row: Counter[str] = Counter()

    def hook(self, account: str, outcome: str) -> int:
        """Count one call; returns how many were refused in a row, this one included."""
        with self._lock:
            self._hooks[account, outcome] += 1
            if outcome == "refused":
                self._refused_in_a_row[account] += 1
            elif outcome not in UNPROVEN:
                self._refused_in_a_row[account] = 0
            return self._refused_in_a_row[account]

    def is_proven(self, account: str) -> bool:
        """Tell whether a delivery of this account has borne a valid signature since the start."""
        with self._lock:
            return any(name == account and outcome not in UNPROVEN for name, outcome in self._hooks)

    def hooks(self) -> dict[tuple[str, str], int]:
        with self._lock:
            return dict(self._hooks)

    def refused_in_a_row(self, account: str) -> int:
        with self._lock:
            return self._refused_in_a_row[account]
