"""One running stage for the tests of a module."""

from collections.abc import Iterator

import pytest

from tests.web.stage import Stage, staged


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("stage")) as found:
        yield found


@pytest.fixture
def stage(running: Stage) -> Stage:
    """The stage with nothing to do; visits of other tests may be there (see Stage.a_start)."""
    running.take_work()
    return running
