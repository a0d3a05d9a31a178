"""Google passes the contract of every calendar, with plain answers and with pages that are short, empty and many."""

from collections.abc import Iterator

import pytest

from tests.connectors.google_stage import GoogleStage
from tests.contracts.calendar import CalendarContract
from tests.servers.google import Google, serving


@pytest.fixture
def google() -> Iterator[Google]:
    with serving() as state:
        yield state
    assert state.wrong == [], "the discovery document refuses what was sent or answered"


class TestGoogle(CalendarContract):
    @pytest.fixture
    def stage(self, google: Google) -> GoogleStage:
        return GoogleStage(google)


class TestGoogleWithShortAndEmptyPages(CalendarContract):
    @pytest.fixture
    def stage(self, google: Google) -> GoogleStage:
        google.page, google.empty_pages = 2, 1
        return GoogleStage(google)


class TestGoogleInAnotherZone(CalendarContract):
    """The owner's calendar is kept in a zone that is neither ours nor the draft's, and answers come whole."""

    @pytest.fixture
    def stage(self, google: Google) -> GoogleStage:
        google.ignores_fields = True
        return GoogleStage(google, zone="Asia/Kathmandu")
