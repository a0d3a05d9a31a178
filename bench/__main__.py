"""Runs the measurements: `python -m bench` all of them, `python -m bench G5 g07` some. Exit 1 when a goal is missed."""

import importlib
import pkgutil
import re
import sys
from pathlib import Path

from bench.ratio import Ratio

FOLDER = Path(__file__).parent


def benches() -> dict[str, list[str]]:
    """Return the goals that can be measured, g01 first, and the modules that measure each."""
    found: dict[str, list[str]] = {}
    for module in pkgutil.iter_modules([str(FOLDER)]):
        if match := re.fullmatch(r"g(\d+)_\w+", module.name):
            found.setdefault(f"G{int(match[1])}", []).append(f"bench.{module.name}")
    return dict(sorted(found.items(), key=lambda pair: int(pair[0][1:])))


def goal_of(word: str) -> str | None:
    """Read what a person typed (G5, g05, 5, g05_slots) as the name of a goal."""
    match = re.match(r"[gG]?0*(\d+)(_\w+)?$", word)
    return f"G{match[1]}" if match else None


def measure(goal: str, module: str) -> list[Ratio]:
    print(f"\n{goal}  {module}", flush=True)
    ratios: list[Ratio] = importlib.import_module(module).run()
    for ratio in ratios:
        print(ratio.told(), ratio, sep="\n", flush=True)
    return ratios


def main(words: list[str]) -> int:
    known = benches()
    wanted = [goal_of(word) for word in words] or list(known)
    if unknown := [word for word, goal in zip(words, wanted, strict=False) if goal not in known]:
        print(f"no such measurement: {' '.join(unknown)}; there are {' '.join(known) or 'none'}", file=sys.stderr)
        return 2
    chosen = [(goal, module) for goal in wanted if goal is not None for module in known[goal]]
    ratios = [ratio for goal, module in chosen for ratio in measure(goal, module)]
    missed = [ratio for ratio in ratios if not ratio.met]
    print(f"\n{len(ratios)} ratios, {len(missed)} missed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
