"""What every hostile input must leave behind: nothing; and the next good delivery works."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count

import pytest

from tests.web.stage import Stage, staged

QUICK = 1.0  # seconds; no input may hold anything up for longer

NUMBER = count()
Harmless = Callable[..., AbstractContextManager[None]]


@pytest.fixture(scope="session")
def hostile_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("hostile"), impatient=True) as found:
        yield found


@pytest.fixture
def stage(hostile_stage: Stage) -> Stage:
    hostile_stage.take_work()
    return hostile_stage


@pytest.fixture
def harmless(stage: Stage) -> Harmless:
    """Check that what happens inside leaves no row, no work and no visit, and that the server goes on."""

    @contextmanager
    def check(*, rows: int = 0) -> Iterator[None]:
        before, visits = len(stage.inbox()), stage.visits()
        yield
        assert len(stage.inbox()) == before + rows
        # An operator may be told of it; nothing else is done.
        assert {(kind, key) for kind, key in stage.take_work() if not key.startswith("alert:")} == set()
        assert stage.visits() == visits
        begun = time.perf_counter()
        body = stage.good_delivery(f"after{next(NUMBER)}")
        assert stage.deliver(body).status_code == 204
        assert stage.kept(body).touches and stage.take_work()
        assert time.perf_counter() - begun < QUICK

    return check
