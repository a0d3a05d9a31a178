"""G6: asking for slots again, with the hosts' free starts kept, against asking for the first time.

Both go all the way from the store; 8 hosts, 500 blocks each, 15 business days. The first question is asked with nothing
kept; what the interpreter has compiled and the database has read before serves both.
"""

from dataclasses import replace
from datetime import timedelta

from bench.agenda import AHEAD, NOW, PROJECT, best_of, installation
from bench.ratio import Ratio
from syncd.flows.book import offer


def run() -> list[Ratio]:
    with installation(hosts=8, blocks=500, visits=40, over=timedelta(days=22)) as ctx:
        cold = best_of(lambda: offer(replace(ctx), PROJECT, None, AHEAD, NOW))  # a new context has kept nothing yet
        again = best_of(lambda: offer(ctx, PROJECT, None, AHEAD, NOW))
        assert offer(replace(ctx), PROJECT, None, AHEAD, NOW) == offer(ctx, PROJECT, None, AHEAD, NOW) != []
    print(f"  first {cold * 1e3:.2f} ms, again {again * 1e6:.0f} µs")
    return [Ratio("G6 kept / first", again / cold, 1 / 30, at_least=False)]
