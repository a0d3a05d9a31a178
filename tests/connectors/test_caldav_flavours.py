"""The calendar contract against servers that behave like those we cannot run here."""

from collections.abc import Iterator

import pytest

from tests.connectors.caldav_stage import LiarStage
from tests.contracts.calendar import CalendarContract
from tests.servers.caldav_liar import Flavour, lying

SERVERS = {
    "cyrus": Flavour(uid_conflict=403, page=2, dead_token=403, packs="weak"),
    "fastmail": Flavour(uid_conflict=403, uid_once="home", put_etag="none"),
    "davical": Flavour(dead_token="full", multiget="omits", uid_conflict=201, href="absolute"),
    "sabre": Flavour(dead_token="echo", multiget="omits", uid_conflict=201, href="lower", put_etag="none"),
    "sogo": Flavour(if_none_match=False, searches=False, dead_token=507, uid_conflict=201, put_etag="weak"),
    "old": Flavour(dead_token=500, names_condition=False, multiget="missing", searches=False, syncs=True, ctag=False),
    "ctags": Flavour(syncs=False),
    "apache": Flavour(packs="renamed", put_etag="none", multiget="missing"),
    "weak": Flavour(read_etag="weak", put_etag="weak"),
    "etags": Flavour(syncs=False, ctag=False, searches=False),
}


@pytest.mark.parametrize("flavour", SERVERS.values(), ids=SERVERS.keys())
class TestFlavours(CalendarContract):
    @pytest.fixture
    def stage(self, flavour: Flavour) -> Iterator[LiarStage]:
        with lying(flavour) as liar:
            yield LiarStage(liar)
