"""Each module plays in a town of its own: its servers, its scheduler, its daemon."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.e2e.town import Servers, Town, scheduler
from tests.servers.radicale import radicale
from tests.servers.xandikos import xandikos

MakeTown = Callable[[str], Town]


@pytest.fixture(scope="module")
def make_town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeTown]:
    """Give a maker of towns without a daemon; it takes `poll_every`."""
    with ExitStack() as stack:

        def make(poll_every: str) -> Town:
            home = tmp_path_factory.mktemp("town")
            places = [home / name for name in ("radicale-files", "xandikos-files", "syncd")]
            for place in places:
                place.mkdir()
            servers = Servers(stack.enter_context(radicale(places[0])), stack.enter_context(xandikos(places[1])))
            return Town(places[2], servers, stack.enter_context(scheduler()), poll_every)

        yield make


@pytest.fixture(scope="module")
def hooked(make_town: MakeTown) -> Iterator[Town]:
    """A town that runs and hardly ever asks: what happens, happens because of a webhook or a command."""
    yield from running(make_town("6h"))


@pytest.fixture(scope="module")
def polled(make_town: MakeTown) -> Iterator[Town]:
    """A town that runs and asks every second."""
    yield from running(make_town("1s"))


def running(town: Town) -> Iterator[Town]:
    with town.daemon():
        town.await_first_reading()
        yield town
