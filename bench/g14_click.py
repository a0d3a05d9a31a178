"""G14: from a client's click to the event on the agent's CalDAV server, against a bare PUT of the same event there.

The real daemon, a Radicale and a scheduler, each in a process or behind a socket of its own. A click is a POST to the
API; of a booking at the scheduler it is the webhook, after which the daemon still has to read the booking there. What
counts is the moment at which Radicale has answered the PUT. Ours and the bare PUTs go through the same counter, which
costs both sides the same. One click at a time: how many fit into a second is G9's question.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from bench.ratio import Ratio
from tests.e2e.town import ANA, Servers, Town, monday, scheduler
from tests.servers.dav import Hands, event
from tests.servers.proxy import Passage, between
from tests.servers.radicale import radicale
from tests.servers.xandikos import xandikos

CLICKS = 60
A_DAY = 16  # half hours from nine to five
PATIENCE = 30.0


def run() -> list[Ratio]:
    with _town() as (town, passage):
        click = _timed(passage, lambda start, unit: _click(town, start, unit), first=0)
        hook = _timed(passage, lambda start, unit: _hook(town, start, unit), first=CLICKS)
        bare = _timed(passage, _put(town, passage), first=2 * CLICKS)
    for name, seconds in (("bare PUT", bare), ("click", click), ("webhook", hook)):
        print(f"  {name}: median {_at(seconds, 0.5):.0f} ms, p95 {_at(seconds, 0.95):.0f} ms", flush=True)
    allowed = 3 * _at(bare, 0.95) + 100
    return [
        Ratio("G14 click p95 / (3 PUT + 100 ms)", _at(click, 0.95) / allowed, 1, at_least=False),
        Ratio("G14 webhook p95 / (3 PUT + 100 ms)", _at(hook, 0.95) / allowed, 1, at_least=False),
    ]


@contextmanager
def _town() -> Iterator[tuple[Town, Passage]]:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="syncd-bench-")))
        folders = [home / name for name in ("radicale", "xandikos", "syncd")]
        for folder in folders:
            folder.mkdir()
        servers = Servers(stack.enter_context(radicale(folders[0])), stack.enter_context(xandikos(folders[1])))
        town = Town(folders[2], servers, stack.enter_context(scheduler()), "6h")
        passage = stack.enter_context(between(servers.radicale))
        town.configure("6h", Servers(passage.url, servers.xandikos))
        stack.enter_context(town.daemon())
        town.await_first_reading()
        town.scheduler.courier.switches.drop = 1_000_000  # what the scheduler says is said by hand
        yield town, passage


def _timed(passage: Passage, act: Callable[[datetime, str], None], first: int) -> list[float]:
    """Do something so many times and return how long each took until its PUT was answered, in ms, in order."""
    taken = []
    for number in range(first, first + CLICKS):
        start = monday(9) + timedelta(days=number // A_DAY, minutes=30 * (number % A_DAY))
        before = _puts(passage)
        begun = time.perf_counter()
        act(start, f"clic-{number}")
        while _puts(passage) == before:
            if time.perf_counter() - begun > PATIENCE:
                raise RuntimeError("the event never came")
            time.sleep(0.0005)
        taken.append((time.perf_counter() - begun) * 1000)
    return sorted(taken)


def _puts(passage: Passage) -> int:
    return sum(one.startswith("PUT ") for one in passage.answered)


def _click(town: Town, start: datetime, unit: str) -> None:
    answer = town.api("POST", "/api/visits", town.order(start, ANA, unit))
    if answer.status_code != 201:
        raise RuntimeError(f"{answer.status_code}: {answer.text[:300]}")


def _hook(town: Town, start: datetime, unit: str) -> None:
    invitee = town.book_there(start, ANA, unit)
    if town.post(town.delivery("invitee.created", invitee)) != 204:
        raise RuntimeError("the webhook was not taken")


def _put(town: Town, passage: Passage) -> Callable[[datetime, str], None]:
    url, user, password = town.login(ANA)
    someone = Hands(f"{passage.url}{url.removeprefix(town.servers.radicale)}", user, password)

    def put(start: datetime, unit: str) -> None:
        someone.put(f"{someone.base}{unit}.ics", event(start, start + timedelta(minutes=20), title=unit))

    return put


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
