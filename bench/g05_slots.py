"""G5: the slots of a team, from the store to the answer, against the slot functions of cal.com and against `portion`.

8 hosts, 500 blocks each, all of them inside the 15 business days. cal.com's side cannot run here. For its slot
functions two figures are given, 138 and 268 ms for as many hosts and blocks; nothing is known of the machine, nor of
what makes the one or the other. The smaller counts, which is the harder goal: at most 1.38 ms from the store to the
answer. So this ratio depends on the machine. `portion` runs here: it is given the very lists that our arithmetic is
given and finds the same slots.

Where one millisecond goes on two cores: 0.40 ms the walk along blocks and starts, 0.3 ms reading packed busy time and
holds, 0.1 ms open hours and slots, the rest the way there and back.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import portion

from bench.agenda import AHEAD, NOW, PROJECT, VISITA, ZONE, best_of, installation
from bench.ratio import Ratio
from syncd.core.availability import HostTime, slots
from syncd.flows.book import offer
from syncd.flows.context import Context
from syncd.flows.hosts import host_time

CALCOM_SECONDS = (0.138, 0.268)


def run() -> list[Ratio]:
    with installation(hosts=8, blocks=500, visits=40, over=timedelta(days=22)) as ctx:
        whole = best_of(lambda: offer(replace(ctx), PROJECT, None, AHEAD, NOW))
        hosts = loaded(ctx)
        ours = best_of(lambda: slots(VISITA, hosts, AHEAD, NOW, ZONE))
        theirs = best_of(lambda: with_portion(hosts))
        first = slots(VISITA, hosts, AHEAD, NOW, ZONE)
        found = {slot.interval.epoch[0]: slot.hosts_free for slot in first}
        assert {start: free for start, free in with_portion(hosts).items() if start in found} == found
    print(f"  cal.com's two given figures / ours: {CALCOM_SECONDS[0] / whole:.0f} and {CALCOM_SECONDS[1] / whole:.0f}")
    print(f"  from the store {whole * 1e3:.2f} ms, arithmetic alone {ours * 1e3:.2f} ms, portion {theirs * 1e3:.0f} ms")
    return [
        Ratio("G5 cal.com / ours", CALCOM_SECONDS[0] / whole, 100, at_least=True),
        Ratio("G5 portion / ours", theirs / ours, 10, at_least=True),
    ]


def loaded(ctx: Context) -> list[HostTime]:
    project = ctx.directory.projects[PROJECT]
    with ctx.store.read() as tx:
        return [host_time(tx, ctx.directory, one, VISITA, AHEAD, NOW, project) for one in project.team]


def with_portion(hosts: Sequence[HostTime]) -> Counter[int]:
    """Count the free hosts of each start the way one writes it with `portion`: union, complement, containment."""
    length, after = int(VISITA.duration.total_seconds()), int(VISITA.buffer_after.total_seconds())
    counts: Counter[int] = Counter()
    for host in hosts:
        taken = portion.Interval(*(portion.closedopen(*span) for span in (*host.busy, *host.holds)))
        free = portion.open(-portion.inf, portion.inf) - taken
        for begin, end in host.open:
            starts = range(begin, end - length + 1, int(VISITA.increment.total_seconds()))
            counts.update(start for start in starts if portion.closedopen(start, start + length + after) in free)
    return counts
