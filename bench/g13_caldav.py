"""G13: reading a CalDAV calendar, against vdirsyncer on the same servers.

Three cycles each: the first reading, a quiet one, one after a hundred changes. Ours asks the home once and stops there
when the calendar's token is the one of the last reading. Xandikos holds 10 000 entries for both sides. Radicale holds
1 000: vdirsyncer asks for all of them in one request, which Radicale refuses at 10 000 (400), and Radicale takes 10 ms
for each entry that it sees for the first time. Processor time of the first reading at 10 000 counts whole processes.
Of the quiet cycle, and where there are few entries, what counts is the cycle without the start of either program,
because a daemon starts once; the lines above the ratios show whole processes. Both sides keep what they read: ours
times and etags, vdirsyncer the entries.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dulwich.repo import Repo

from bench.caldav_sides import EVERY, NAME, START, Cost, configure_peer, ours, peer
from bench.ratio import Ratio
from tests.servers.dav import Hands, event
from tests.servers.radicale import PASSWORD, USER, hands, radicale
from tests.servers.xandikos import HOME, xandikos

CHANGES = 100
FEW, MANY = 1_000, 10_000
MEMORY = 60
TOKENS = '<?xml version="1.0"?><propfind xmlns="DAV:"><prop><sync-token/></prop></propfind>'


def text_of(number: int, shift: int = 0) -> str:
    start = START + number * EVERY + shift * EVERY / 6
    return event(start, start + EVERY / 2, uid=f"entry-{number}@bench", title=f"Entry {number}")


def run() -> list[Ratio]:
    ratios = []
    for name, serve in (("Xandikos", _xandikos), ("Radicale", _radicale)):
        with tempfile.TemporaryDirectory(prefix="syncd-bench-") as folder, serve(Path(folder)) as found:
            ratios += _measure(name, Path(folder), found)
    return ratios


Served = tuple[str, Hands, tuple[str, str], str, int]  # URL of the home, hands, login, path of the calendar, entries


@contextmanager
def _radicale(folder: Path) -> Iterator[Served]:
    with radicale(folder) as url:
        someone = hands(url)
        someone.ask("MKCOL", "/ana/")
        entries = "".join(_inner(text_of(number)) for number in range(FEW))
        body = f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//bench//EN\n{entries}END:VCALENDAR\n"
        done = someone.ask("PUT", f"/ana/{NAME}/", body.replace("\n", "\r\n"), Content_Type="text/calendar")
        assert done.status == 201, done
        someone.ask("PROPFIND", "/ana/", TOKENS, Depth="1")  # the first time it writes a history for each entry
        yield f"{url}ana/", someone, (USER, PASSWORD), f"/ana/{NAME}/", FEW


@contextmanager
def _xandikos(folder: Path) -> Iterator[Served]:
    path = f"{HOME}{NAME}/"
    with xandikos(folder) as url:
        Hands(url).make_calendar(path)
    place = folder / "calendars" / path.strip("/")
    names = [f"{number}.ics" for number in range(MANY)]
    for number, name in enumerate(names):
        (place / name).write_bytes(text_of(number).replace("\n", "\r\n").encode())
    with Repo(str(place)) as repository:
        tree = repository.get_worktree()
        tree.stage(names)
        tree.commit(message=b"fill", author=b"bench <b@x>", committer=b"bench <b@x>")
    with xandikos(folder) as url:
        yield f"{url}{HOME[1:]}", Hands(url), ("anybody", "nothing"), path, MANY


def _inner(text: str) -> str:
    return text[text.index("BEGIN:VEVENT") : text.index("END:VCALENDAR")]


@dataclass(frozen=True, slots=True)
class Cycle:
    """One cycle of both sides."""

    told: dict[str, Any]  # by ours
    ours: float
    peer: float

    def without_starts(self, peer_start: float) -> float:
        return float(self.told["cycle"]) / (self.peer - peer_start)

    @property
    def whole(self) -> float:
        return self.ours / self.peer


def _measure(name: str, folder: Path, served: Served) -> list[Ratio]:
    url, someone, login, path, entries = served
    mine, theirs = folder / "ours", folder / "peer"
    mine.mkdir()
    theirs.mkdir()
    configure_peer(url, login, theirs)
    _went(peer("discover", theirs))  # asks for tokens as well, so that the server has made them for both
    start = _went(peer("--version", theirs)).cpu

    def cycle(what: str) -> Cycle:
        us, them = _went(ours(what, url, login, mine)), _went(peer("sync", theirs))
        told: dict[str, Any] = json.loads(us.said.splitlines()[-1])
        assert told["entries"] == entries, told
        print(f"  {name}, {what}: ours {us.cpu:.2f} s, vdirsyncer {them.cpu:.2f} s; {told}", flush=True)
        return Cycle(told, us.cpu, them.cpu)

    first, quiet = cycle("first"), cycle("quiet")
    for href in sorted(someone.entries(path))[:CHANGES]:
        someone.put(href, _moved(someone, href))
    changed = cycle("changed")
    return [
        Ratio(
            f"G13 {name} first CPU",
            first.whole if entries == MANY else first.without_starts(start),
            1 / 3,
            at_least=False,
        ),
        Ratio(f"G13 {name} first MiB", first.told["kib"] / 1024, MEMORY, at_least=False),
        Ratio(f"G13 {name} quiet CPU", quiet.without_starts(start), 1 / 4, at_least=False),
        Ratio(f"G13 {name} quiet requests", quiet.told["requests"], 1, at_least=False),
        Ratio(f"G13 {name} quiet bytes an entry", quiet.told["bytes"] / entries, 4, at_least=False),
        Ratio(f"G13 {name} changed requests", changed.told["requests"], 3, at_least=False),
    ]


def _moved(someone: Hands, href: str) -> str:
    """Move an entry by five minutes."""
    text = someone.get(href)
    assert text is not None
    uid = next(line for line in text.split("\n") if line.startswith("UID:")).removeprefix("UID:entry-")
    return text_of(int(uid.partition("@")[0]), shift=1)


def _went(cost: Cost) -> Cost:
    if cost.failed:
        raise RuntimeError(cost.said[-2000:])
    return cost
