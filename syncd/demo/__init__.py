"""A morning with syncd, on this machine alone: real processes, real protocols, every claim checked from outside."""

import sys

from syncd.demo.stage import Stage
from syncd.demo.story import STEPS, Story
from syncd.demo.telling import Failed, Teller


def run(once: bool = False) -> int:
    """Play every step; returns 0 when all held, 1 when one did not. Without `once` the stage stays up until Ctrl-C."""
    teller = Teller(sys.stdout)
    with Stage(teller) as stage:
        story = Story(stage, teller)
        try:
            for step in STEPS:
                step(story)
        except Failed as failed:
            teller.failed(str(failed), stage.log_tail())
            return 1
        teller.finished()
        if not once:
            teller.addresses(stage.addresses())
            stage.wait_for_goodbye()
    return 0
