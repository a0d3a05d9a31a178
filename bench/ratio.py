"""One measured ratio beside its goal. Knows nothing of what was measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure of one run on one machine; a ratio of two sides, so that machines can be compared."""

    name: str  # G5 cal.com / ours
    value: float
    goal: float
    at_least: bool  # False: at most

    @property
    def met(self) -> bool:
        return self.value >= self.goal if self.at_least else self.value <= self.goal

    def __str__(self) -> str:
        """Return the line that programs read; a name with blanks becomes one word."""
        return f"RATIO {'-'.join(self.name.split())} {self.value:.4g} {self.goal:g}"

    def told(self) -> str:
        """Return the line for people: which way the goal lies and whether it was reached."""
        verdict, sign = ("ok    " if self.met else "MISSED"), ("≥" if self.at_least else "≤")
        return f"  {verdict} {self.name}: {self.value:.4g}, goal {sign} {self.goal:g}"
