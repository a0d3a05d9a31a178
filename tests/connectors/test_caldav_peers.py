"""The calendar contract against servers that are not on PyPI: run where they are installed."""

from collections.abc import Iterator

import pytest

from syncd.errors import CursorExpired
from tests.connectors.caldav_stage import DavStage, environment, settings_for, stands_in_two_calendars
from tests.contracts.calendar import CalendarContract, Reader
from tests.programs import needs
from tests.servers import sabre as sabre_dav
from tests.servers.cyrus import PASSWORD, Cyrus, cyrus
from tests.servers.sabre import Sabre, sabre


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

    def test_a_token_from_before_the_nightly_clearing_is_dead_and_nothing_is_lost(
        self, cyrus_server: Cyrus, stage: CyrusStage, reader: Reader
    ) -> None:
        kept, gone = stage.add(self.at(stage, 1)), stage.add(self.at(stage, 3))
        reader.read()
        stage.remove(gone)
        cyrus_server.forget()
        with pytest.raises(CursorExpired):
            list(stage.calendar.changes(reader.cursor, reader.window))
        reader.read()
        assert set(reader.held) == {kept}

    def test_a_visit_may_stand_in_two_calendars_of_one_login(self, stage: CyrusStage) -> None:
        stands_in_two_calendars(stage)


class SabreStage(DavStage):
    """A user of sabre/dav with one calendar."""

    def __init__(self, server: Sabre) -> None:
        user = server.new_user()
        settings = settings_for(server.url, user, sabre_dav.PASSWORD)
        super().__init__(server.hands(user), settings, server.home(user), environment())
        self.server = server

    def forget_places(self) -> None:
        """Go back in count: a calendar made anew could come to the same count, and nobody would notice."""
        self.server.forget()


@pytest.fixture(scope="module")
def old_sabre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sabre]:
    with sabre(tmp_path_factory.mktemp("sabre"), sabre_dav.debian()) as server:
        yield server


@pytest.fixture(scope="module")
def later_sabre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sabre]:
    with sabre(tmp_path_factory.mktemp("sabre"), sabre_dav.LATER) as server:
        yield server


@needs("sabre")
class TestOldSabre(CalendarContract):
    """No sync tokens: what changed is found by etags."""

    @pytest.fixture
    def stage(self, old_sabre: Sabre) -> SabreStage:
        return SabreStage(old_sabre)

    def test_a_visit_may_stand_in_two_calendars_of_one_login(self, stage: SabreStage) -> None:
        stands_in_two_calendars(stage)


@pytest.mark.skipif(not sabre_dav.LATER, reason=sabre_dav.REMEDY)
class TestSabre(CalendarContract):
    @pytest.fixture
    def stage(self, later_sabre: Sabre) -> SabreStage:
        return SabreStage(later_sabre)

    def test_a_visit_may_stand_in_two_calendars_of_one_login(self, stage: SabreStage) -> None:
        stands_in_two_calendars(stage)
