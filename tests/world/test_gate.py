"""The tests are tested: each planted fault is found by the simulation, and the same seeds are green without it."""

import logging
from collections.abc import Iterator

import pytest

from tests.world.plants import PLANTS, Plant
from tests.world.simulation import Simulation


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    """Planted faults are meant to be loud; nobody has to read it."""
    logger = logging.getLogger("syncd")
    level, logger.level = logger.level, logging.CRITICAL
    yield
    logger.setLevel(level)


def life(plant: Plant, seed: int) -> BaseException | None:
    """Live one seed; returns what went wrong."""
    town = Simulation(seed)
    plant.prepare(town)
    logger = logging.getLogger("syncd")
    logger.addHandler(town.defects)
    try:
        town.run(plant.steps)
    except AssertionError as violation:
        return violation
    finally:
        logger.removeHandler(town.defects)
    return None


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.name)
def test_the_simulation_finds_the_plant(plant: Plant) -> None:
    with plant.planted():
        assert life(plant, plant.seed) is not None, f"seed {plant.seed} does not see: {plant.name}"


@pytest.mark.parametrize("plant", [one for one in PLANTS if one.harmless], ids=lambda plant: plant.name)
def test_the_same_seed_is_green_without_it(plant: Plant) -> None:
    assert life(plant, plant.seed) is None


def test_there_are_enough_of_them() -> None:
    assert len({plant.name for plant in PLANTS}) >= 20
