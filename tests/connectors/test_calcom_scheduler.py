"""Cal.com as a scheduler: what is read, cancelled and linked, against the stateful server that speaks its API."""

from collections.abc import Iterator

import pytest

from tests.connectors.calcom_stage import CalcomStage
from tests.contracts.scheduler import SchedulerContract
from tests.servers.calcom import Stand, calcom


@pytest.fixture
def stand() -> Iterator[Stand]:
    with calcom() as running:
        yield running


class TestCalcomIsAScheduler(SchedulerContract):
    @pytest.fixture
    def stage(self, stand: Stand) -> CalcomStage:
        return CalcomStage(stand)
