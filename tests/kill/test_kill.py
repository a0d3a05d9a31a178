"""Three hundred kills -9: nothing acknowledged is lost, nothing is doubled, nothing overlaps (F1, P1 to P4)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kill.trial import run, told
from tests.world.crash import POINTS

SHARDS, CYCLES = 3, 100


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_f1_killed_a_hundred_times_it_comes_back_whole(
    tmp_path: Path, shard: int, record_property: Callable[[str, object], None]
) -> None:
    trial = run(tmp_path, CYCLES, seed=shard)
    record_property("trial", told(trial))
    assert trial.deaths.total() == CYCLES
    assert sum(trial.deaths[point] for point in POINTS) >= CYCLES * 0.35, trial.deaths
    assert len(set(trial.deaths) & set(POINTS)) >= 18, "too few of the points were died at"
    assert len(trial.acknowledged) >= CYCLES and len(trial.visits) >= CYCLES / 4, "too little happened"
