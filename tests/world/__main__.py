"""Explores new seeds (`python -m tests.world --seeds 1000 --from 5000`) and says how to see a failure again."""

import argparse
import logging
import sys
import traceback
from collections import Counter

from connectors.memory import Fault
from syncd.clock import SystemClock
from tests.world.crash import POINTS
from tests.world.simulation import live


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.world", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--keep-going", action="store_true", help="count every failing seed instead of stopping at one")
    parser.add_argument("--leading", choices=[fault.value for fault in Fault], help="the fault that comes most")
    parser.add_argument("--death", choices=POINTS, help="where the process dies first")
    options = parser.parse_args()
    logging.getLogger("syncd").setLevel(logging.ERROR)
    logging.getLogger("syncd").propagate = False
    began, failed = SystemClock().monotonic(), []
    struck: Counter[str] = Counter()
    kills: Counter[str] = Counter()
    for seed in range(options.first, options.first + options.seeds):
        try:
            leading = Fault(options.leading) if options.leading else None
            outcome = live(seed, options.steps, leading=leading, death=options.death)
        except Exception as error:  # noqa: BLE001 - whatever broke is what we look for
            failed.append(seed)
            if not options.keep_going:
                traceback.print_exc()
                return 1
            say(f"seed {seed}: {type(error).__name__}: {str(error)[:300]}")
            continue
        struck.update({fault.value: number for fault, number in outcome.struck.items()})
        kills.update(outcome.kills)
    seconds = SystemClock().monotonic() - began
    say(f"{options.seeds} seeds, {options.steps * options.seeds / seconds:.0f} steps/s, failed: {failed or 'none'}")
    say(f"faults: {dict(struck)}\ncrashes: {dict(sorted(kills.items()))}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
