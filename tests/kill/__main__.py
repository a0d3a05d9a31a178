"""Kill cycles by the thousand: `python -m tests.kill --cycles 10000 [--seed 7]`. Exit 1 where a promise was broken."""

import argparse
import sys
import tempfile
from pathlib import Path

from syncd.clock import SystemClock
from tests.kill.trial import Broken, run, told

AT_A_TIME = 250  # cycles on one store, whose slots are used up then


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.kill", description=__doc__)
    parser.add_argument("--cycles", type=int, default=300)
    parser.add_argument("--seed", type=int, help="else the day")
    asked = parser.parse_args()
    seed = asked.seed if asked.seed is not None else SystemClock().now().toordinal()
    out = sys.stdout.write
    out(f"seed {seed}\n")
    for number, first in enumerate(range(0, asked.cycles, AT_A_TIME)):
        cycles = min(AT_A_TIME, asked.cycles - first)
        with tempfile.TemporaryDirectory(prefix="syncd-kill-") as folder:
            try:
                out(f"{told(run(Path(folder), cycles, seed + number))}\n")
            except Broken as broken:
                out(f"BROKEN with --cycles {cycles} --seed {seed + number}: {broken}\n")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
