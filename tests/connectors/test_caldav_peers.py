"""The calendar contract against servers that are not on PyPI: run where they are installed."""

from collections.abc import Iterator

import pytest

from tests.connectors.caldav_stage import DavStage, environment, settings_for
from tests.contracts.calendar import CalendarContract
from tests.programs import needs
from tests.servers.cyrus import PASSWORD, Cyrus, cyrus


@pytest.fixture(scope="module")
def cyrus_server() -> Iterator[Cyrus]:
    with cyrus() as server:
        yield server


class CyrusStage(DavStage):
    """A user of Cyrus with one calendar."""

    def __init__(self, server: Cyrus, **changes: str) -> None:
        user = server.new_user()
        home = server.home(user)
        super().__init__(server.hands(user), settings_for(server.url, user, PASSWORD), home, environment())


@needs("cyrus")
class TestCyrus(CalendarContract):
    @pytest.fixture
    def stage(self, cyrus_server: Cyrus) -> CyrusStage:
        return CyrusStage(cyrus_server)
