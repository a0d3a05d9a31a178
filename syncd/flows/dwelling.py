"""When a dwelling is visited already: no other visit may begin there then, whoever its agent is. Knows no host."""

from bisect import bisect_left
from collections.abc import Sequence

from syncd.core.ids import ProjectId, VisitId
from syncd.core.interval import Interval
from syncd.core.visit import Dwelling, Slot, dwelling_key
from syncd.store import Tx

VISITED = "the dwelling is visited then"


def is_visited(
    tx: Tx, project: ProjectId | None, dwelling: Dwelling | None, interval: Interval, ignoring: VisitId | None = None
) -> bool:
    """Tell whether another visit in the dwelling holds some of this time; touching is not overlapping."""
    key = dwelling_key(project, dwelling)
    return key is not None and bool(tx.visits.dwelling_spans(key, interval, ignoring))


def without_visited(
    tx: Tx,
    slots: list[Slot],
    project: ProjectId | None,
    dwelling: Dwelling | None,
    ignoring: VisitId | None = None,
) -> list[Slot]:
    """Leave out the slots, given by start and equally long, at which the dwelling is visited already."""
    key = dwelling_key(project, dwelling)
    if key is None or not slots:
        return slots  # the usual case, and the hot path: nothing is copied
    taken = tx.visits.dwelling_spans(key, Interval(slots[0].interval.start, slots[-1].interval.end), ignoring)
    return [slot for slot in slots if not _meets(slot.interval.epoch, taken)]


def _meets(span: tuple[int, int], taken: Sequence[tuple[int, int]]) -> bool:
    """Look at the last one that begins before the span ends: they are by start and none overlaps another."""
    at = bisect_left(taken, (span[1], 0))
    return at > 0 and taken[at - 1][1] > span[0]
