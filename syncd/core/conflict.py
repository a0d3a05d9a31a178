"""Where an agent's own time meets the visits that agent holds, and what policy says to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from syncd.core.busy import BusyBlock
from syncd.core.directory import OnConflict
from syncd.core.interval import Interval
from syncd.core.visit import Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """A visit and the first stranger's block that lies on its held time."""

    visit: Visit
    block: BusyBlock


def find_conflicts(visits: Sequence[Visit], blocks: Sequence[BusyBlock]) -> list[Clash]:
    """Return each holding visit with the earliest block that overlaps its guard; touching is no conflict."""
    ordered = sorted(blocks, key=attrgetter("interval"))
    clashes = (
        (visit, next((block for block in ordered if block.interval.overlaps(visit.guard)), None))
        for visit in visits
        if visit.holds
    )
    return [Clash(visit=visit, block=block) for visit, block in clashes if block is not None]


def may_reassign(visit: Visit, policy: Sequence[OnConflict], *, scheduler_fixed: bool) -> bool:
    """Tell whether a colleague may take the visit: policy lists it, and no scheduler pins the host."""
    return OnConflict.REASSIGN in policy and not scheduler_fixed


def free_of(blocks: Sequence[BusyBlock], guard: Interval) -> bool:
    return not any(block.interval.overlaps(guard) for block in blocks)
