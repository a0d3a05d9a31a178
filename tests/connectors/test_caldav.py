"""The calendar contract against two real servers and the one inside the daemon."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.connectors.caldav_stage import DavStage, environment, settings_for
from tests.contracts.calendar import CalendarContract
from tests.servers.dav import Hands, WsgiHands
from tests.servers.radicale import PASSWORD, USER, hands, radicale
from tests.servers.xandikos import HOME, xandikos

EMBEDDED = "http://127.0.0.1:8420/dav"


@pytest.fixture(scope="session")
def radicale_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with radicale(tmp_path_factory.mktemp("radicale")) as url:
        hands(url).ask("MKCOL", "/ana/")
        yield url


@pytest.fixture(scope="session")
def xandikos_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with xandikos(tmp_path_factory.mktemp("xandikos")) as url:
        yield url


class TestRadicale(CalendarContract):
    @pytest.fixture
    def stage(self, radicale_url: str) -> DavStage:
        return DavStage(hands(radicale_url), settings_for(radicale_url, USER, PASSWORD), "/ana/", environment())


class TestXandikos(CalendarContract):
    @pytest.fixture
    def stage(self, xandikos_url: str) -> DavStage:
        return DavStage(Hands(xandikos_url), settings_for(xandikos_url), HOME, environment())


class TestEmbedded(CalendarContract):
    """No socket: the same requests go to the WSGI application straight."""

    @pytest.fixture
    def stage(self, tmp_path: Path) -> DavStage:
        from syncd.web.dav import INTERNAL, dav_app

        app = dav_app(tmp_path, "internal", lambda user, password: (user, password) == ("ana", "secret"))
        mine = WsgiHands(app, INTERNAL, "internal")
        mine.ask("MKCOL", "/ana/")
        env = environment(wsgi={EMBEDDED: app})
        settings = settings_for(f"{EMBEDDED}/", INTERNAL, "internal")
        return DavStage(mine, settings, "/ana/", env, base="/dav", owner="ana/")
