"""The simulation of every run: fixed seeds in shards, each of which must have seen every kind of trouble."""

import itertools
import logging
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.memory import Fault
from tests.world.crash import POINTS
from tests.world.simulation import Outcome, live

SHARDS = 8
STEPS = 250
EXTRA, MOST = 1_000_000, 25  # seeds lived beyond the list where a shard has not seen everything, and how many at most
STRIKES = 13  # of each fault in each shard: more than 100 in all
HERE = Path(__file__).parent
CHECKED = ("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I10", "I11", "I15", "I18", "I19", "P8", "truth")


def seeds() -> list[int]:
    """Read the seeds of every run, in the order of the file."""
    found: list[int] = []
    for line in (HERE / "seeds.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            first, _, last = line.partition("-")
            found += range(int(first), int(last or first) + 1)
    return found


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    """Thousands of expected failures are nothing to read."""
    logger = logging.getLogger("syncd")
    level, logger.level = logger.level, logging.ERROR
    yield
    logger.setLevel(level)


@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_town_keeps_every_promise(shard: int) -> None:
    outcomes = [live(seed, STEPS) for seed in seeds()[shard::SHARDS]]
    _see_the_rest(outcomes, EXTRA + shard * MOST)
    checked: Counter[str] = sum((one.checked for one in outcomes), Counter())
    assert not [name for name in CHECKED if not checked[name]], f"never checked: {set(CHECKED) - set(checked)}"
    assert len({habit for one in outcomes for habit in one.habits}) > 30


def _see_the_rest(outcomes: list[Outcome], first: int) -> None:
    """A run in which some trouble never happened proves nothing about it: live on until it did (within bounds)."""
    for seed in itertools.count(first):
        struck: Counter[Fault] = sum((one.struck for one in outcomes), Counter())
        kills: Counter[str] = sum((one.kills for one in outcomes), Counter())
        rare = next((fault for fault in Fault if struck[fault] < STRIKES), None)
        unseen = next((point for point in POINTS if not kills[point]), None)
        unchecked = [name for name in CHECKED if not any(one.checked[name] for one in outcomes)]
        if rare is None and unseen is None and not unchecked:
            return
        assert seed < first + MOST, f"vacuous: faults {struck}, deaths {kills}"
        outcomes.append(live(seed, STEPS, leading=rare, death=unseen))


@pytest.mark.parametrize("seed", [0, 3, 7, 11, 19])
def test_the_same_seed_lives_the_same_life(seed: int) -> None:
    assert live(seed, STEPS).digest == live(seed, STEPS).digest


def test_a_life_does_not_depend_on_the_hash_seed_of_the_interpreter() -> None:
    """Otherwise no failure could be shown again by the command it prints."""
    code = "from tests.world.simulation import live; print(live(5, 250).digest)"
    digests = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        ran = subprocess.run(
            [sys.executable, "-c", code],
            cwd=HERE.parents[1],
            env=environment,
            capture_output=True,
            check=True,
            text=True,
        )
        digests.add(ran.stdout)
    assert len(digests) == 1
