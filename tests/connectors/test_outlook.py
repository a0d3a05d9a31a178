"""The calendar contract against Outlook's calendars: the primary one by delta, another one by snapshots."""

from collections.abc import Iterator

import pytest

from tests.connectors.outlook_stage import ANA, OutlookStage
from tests.contracts.calendar import CalendarContract
from tests.servers.graph import GraphServer, graph_server


@pytest.fixture
def graph() -> Iterator[GraphServer]:
    with graph_server() as running:
        yield running


class TestPrimary(CalendarContract):
    @pytest.fixture
    def stage(self, graph: GraphServer) -> OutlookStage:
        return OutlookStage(graph, graph.box(ANA))


class TestPrimaryThatTellsItsPatches(CalendarContract):
    """The live service answers a PATCH with the event; its own metadata promises nothing."""

    @pytest.fixture
    def stage(self, graph: GraphServer) -> OutlookStage:
        graph.api.odd.told_patches = True
        return OutlookStage(graph, graph.box(ANA))


class TestPrimaryInAnOddMood(CalendarContract):
    """Empty pages, entries told twice, gossip about what lies outside the window, neighbours at its edges."""

    @pytest.fixture
    def stage(self, graph: GraphServer) -> OutlookStage:
        odd = graph.api.odd
        odd.empty_pages, odd.twice, odd.gossip = 3, True, True
        return OutlookStage(graph, graph.box(ANA))


class TestAnother(CalendarContract):
    @pytest.fixture
    def stage(self, graph: GraphServer) -> OutlookStage:
        return OutlookStage(
            graph, graph.box(ANA, calendars={"": "Calendar", "AAMkAD-visitas=": "Visitas 7"}), "AAMkAD-visitas="
        )


class TestEndless(CalendarContract):
    """The list of changes of this mailbox never ends: everything holds by snapshots all the same."""

    @pytest.fixture
    def stage(self, graph: GraphServer) -> OutlookStage:
        graph.api.odd.endless = True
        return OutlookStage(graph, graph.box(ANA))
