"""A stage for each scenario; when it is over the naive judge looks at it: SI and its neighbours always hold."""

from collections.abc import Callable, Iterator

import pytest

from syncd.core.directory import Directory
from tests.world.invariants import Judge
from tests.world.stage import Stage

MakeStage = Callable[..., Stage]


@pytest.fixture
def make_stage() -> Iterator[MakeStage]:
    """Make a stage with its first readings done; every one made is judged in the end."""
    made: list[Stage] = []

    def make(directory: Directory | None = None, **options: object) -> Stage:
        stage = Stage(directory, **options)  # type: ignore[arg-type]
        made.append(stage)
        stage.cycle()
        stage.cycle()
        return stage

    yield make
    for stage in made:
        Judge(stage).after_step()


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    return make_stage()
