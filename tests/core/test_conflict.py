"""Where an agent's own time meets a visit."""

from datetime import timedelta

from syncd.core.busy import BusyBlock
from syncd.core.conflict import find_conflicts, may_reassign
from syncd.core.directory import OnConflict
from syncd.core.ids import CalendarId
from syncd.core.interval import Interval
from tests.core.values import TUESDAY, span, visit


def block(interval: Interval) -> BusyBlock:
    return BusyBlock(calendar=CalendarId("c"), remote_id="x", uid="x", interval=interval)


def test_a_block_on_the_visit_or_its_buffer_is_a_conflict() -> None:
    for shift in (0, 10, 25, -10):
        assert find_conflicts([visit()], [block(span(TUESDAY + timedelta(minutes=shift)))])


def test_touching_the_guard_is_no_conflict() -> None:
    assert not find_conflicts([visit()], [block(span(TUESDAY + timedelta(minutes=30)))])
    assert not find_conflicts([visit()], [block(span(TUESDAY - timedelta(minutes=20)))])


def test_a_visit_that_holds_nothing_has_no_conflict() -> None:
    assert not find_conflicts([visit(holds=False)], [block(span(TUESDAY))])


def test_the_earliest_block_is_named() -> None:
    late, early = block(span(TUESDAY + timedelta(minutes=5))), block(span(TUESDAY - timedelta(minutes=5)))
    assert find_conflicts([visit()], [late, early])[0].block == early


def test_a_scheduler_that_pins_the_host_forbids_reassigning() -> None:
    both = (OnConflict.REASSIGN, OnConflict.FLAG)
    assert may_reassign(visit(), both, scheduler_fixed=False)
    assert not may_reassign(visit(), both, scheduler_fixed=True)
    assert not may_reassign(visit(), (OnConflict.FLAG,), scheduler_fixed=False)
