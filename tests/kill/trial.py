"""Kills the victim again and again, half of the times at an exact point and half at a random moment, and keeps a log of
what was acknowledged outside it; what the store and the calendars hold is judged against that, by code of its own."""

import hashlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from connectors.memory import Author, World
from syncd.clock import SystemClock
from syncd.core.interval import Interval
from tests.kill.door import Door
from tests.world import town
from tests.world.crash import POINTS

ROOT = Path(__file__).parents[2]
LENGTH = timedelta(minutes=20)
HOSTS = ("ana", "beto")
OPENS = time(13)  # UTC: nine or ten in Santiago
GRID, A_DAY = timedelta(minutes=30), 12
PATIENCE = 60.0
AMONG = 30  # calls of the victim within which a random death falls


class Broken(AssertionError):
    """A promise did not survive."""


def fail_unless(holds: bool, what: object) -> None:
    if not holds:
        raise Broken(what)


class Trial:
    """One store, one world, many deaths."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.clock = SystemClock()
        self.world = World(self.clock)
        self.path = folder / "syncd.db"
        self.deaths: Counter[str] = Counter()  # by point, "-" for a random moment
        self.acknowledged: dict[str, bytes] = {}  # digest -> body of a delivery that was answered 204
        self.visits: dict[str, tuple[datetime, str]] = {}  # id -> start and host of a visit that an integrator was told
        self.ending = False
        self._posts: dict[int, bytes] = {}
        self._orders: dict[int, tuple[datetime, str]] = {}
        self._given: set[tuple[str, int]] = set()  # handed to the victim of now
        self._made = 0
        self._dragged: set[str] = set()
        self._calls = 0
        self._lock = threading.Condition()
        self._pid: int | None = None
        self._when: tuple[int, float] | None = None  # after so many calls, and so many seconds more
        self._settled: bool | None = None
        self._set_up_world()
        more = {name: getattr(self, f"_{name}") for name in ("next_post", "answered", "next_order", "booked", "quiet")}
        self._door = Door(folder / "door", self.world, more | {"is_the_end": lambda: self.ending})
        self._door.asked = self._asked
        self._command = [sys.executable, "-m", "tests.kill.victim", str(self.path), str(folder / "door")]
        self._log = folder / "victim.log"

    def _set_up_world(self) -> None:
        for host in HOSTS:
            self.desk.add_host(f"user-{host}", f"{host}@a.example")
            self.world.shelf(town.HOME, f"{host}-publish")
        self.desk.add_kind(town.REMOTE_STANDARD, LENGTH, *(f"user-{one}" for one in HOSTS))

    @property
    def desk(self) -> Any:
        return self.world.desk(town.SCHEDULER)

    # what the victim asks

    def _asked(self) -> None:
        with self._lock:
            self._calls += 1
            self._lock.notify_all()

    def _next_post(self) -> tuple[int, bytes] | None:
        with self._lock:
            self._posts |= dict(enumerate((one.body for one in self._take_posts()), start=len(self._posts)))
            found: tuple[int, bytes] | None = self._hand_out("post", self._posts)
            return found

    def _take_posts(self) -> list[Any]:
        with self.world.lock:
            taken, self.desk.posts[:] = list(self.desk.posts), []
        return taken

    def _hand_out(self, what: str, among: dict[int, Any]) -> Any:
        for number, one in among.items():
            if one is not None and (what, number) not in self._given:
                self._given.add((what, number))
                return (number, *one) if isinstance(one, tuple) else (number, one)
        return None

    def _answered(self, number: int, status: int) -> None:
        with self._lock:
            body = self._posts[number]
            fail_unless(status == 204, f"a delivery was answered {status}")
            self.acknowledged[hashlib.sha256(body).hexdigest()] = body
            self._posts[number] = None  # type: ignore[assignment] # never sent again

    def _next_order(self) -> tuple[int, datetime, str] | None:
        with self._lock:
            found: tuple[int, datetime, str] | None = self._hand_out("order", self._orders)
            return found

    def _booked(self, number: int, visit: str | None) -> None:
        with self._lock:
            if visit is not None:
                self.visits[visit] = self._orders[number]
            self._orders[number] = None  # type: ignore[assignment]

    def _quiet(self, settled: bool) -> None:
        with self._lock:
            self._settled = settled
            self._lock.notify_all()

    # what happens in the world

    def slot(self) -> tuple[datetime, str]:
        """Return a time and a host; now and then ones that are taken already."""
        number = self.chance.randrange(self._made) if self._made and self.chance.random() < 0.2 else self._made
        self._made += number == self._made
        days, place = divmod(number // len(HOSTS), A_DAY)
        day = self.clock.now().date() + timedelta(days=8)
        for _ in range(days + 1):
            day += timedelta(days=1 if day.weekday() < 4 else 7 - day.weekday())
        return datetime.combine(day, OPENS, UTC) + place * GRID, HOSTS[number % len(HOSTS)]

    def something_happens(self) -> None:
        """Let clients, integrators and agents do one thing each, or not."""
        for _ in range(self.chance.randint(1, 3)):
            self._book()
        for act, share in (
            (self._move, 0.6),
            (self._cancel, 0.4),
            (self._order, 0.8),
            (self._drag, 0.3),
            (self._life, 0.3),
        ):
            if self.chance.random() < share:
                act()

    def _book(self) -> None:
        start, host = self.slot()
        self.desk.book(town.REMOTE_STANDARD, start, host=f"user-{host}")

    def _active(self) -> list[str]:
        return [name for name, one in self.desk.records.items() if one.now.active]

    def _move(self) -> None:
        if active := self._active():
            start, host = self.slot()
            self.desk.move(self.chance.choice(active), start, f"user-{host}")

    def _cancel(self) -> None:
        if active := self._active():
            self.desk.give_up(self.chance.choice(active))

    def _order(self) -> None:
        with self._lock:
            self._orders[len(self._orders)] = self.slot()

    def _drag(self) -> None:
        """An agent drags an entry of ours: each at most once, so that nobody fights."""
        shelf = self.world.shelf(town.HOME, f"{self.chance.choice(HOSTS)}-publish")
        with self.world.lock:
            ours = [
                one for one in shelf.entries.values() if one.author is Author.SYNCD and one.tag not in self._dragged
            ]
            if ours:
                one = self.chance.choice(ours)
                self._dragged.add(one.tag or "")
                start, _ = self.slot()
                shelf.drag(one.remote_id, Interval(start, start + LENGTH))

    def _life(self) -> None:
        """An agent has something else to do, sometimes over a visit."""
        start, host = self.slot()
        self.world.shelf(town.HOME, f"{host}-publish").add(Interval(start, start + LENGTH), title="Dentista")

    # dying

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        """Keep the one process ready from which every victim is copied."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with (
            self._log.open("w") as log,
            subprocess.Popen(
                self._command,
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            ) as process,
        ):
            try:
                yield process
            finally:
                self._door.close()
                assert process.stdin is not None
                process.stdin.close()

    def cycle(self, process: subprocess.Popen[str], point: str) -> None:
        """Let things happen, let the victim work, see it die, look at what it left behind."""
        self.something_happens()
        with self._lock:
            self._given.clear()
            self._calls, self._settled = 0, None
            self.world.applied = lambda call: None
        exact = point if point != "C18" else "-"
        self._start(process, exact, self.chance.randint(1, 3))
        if point == "C18":
            self._die_at_write(self.chance.randint(1, 2))
        killed = self._await_death(process, chosen=point == "-")
        self.deaths[point if killed else "missed"] += 1
        self.check()

    def _start(self, process: subprocess.Popen[str], point: str, nth: int) -> None:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{point} {nth}\n")
        process.stdin.flush()
        self._pid = int(process.stdout.readline())

    def _die_at_write(self, nth: int) -> None:
        """C18: the provider has done it, and the answer is on its way."""
        left = [nth]

        def applied(call: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                self._kill()

        self.world.applied = applied

    def _kill(self) -> None:
        assert self._pid is not None
        os.kill(self._pid, signal.SIGKILL)  # not yet waited for, so the number is still its own

    def _await_death(self, process: subprocess.Popen[str], *, chosen: bool) -> bool:
        """See the victim die; False where it came to rest before, and died then."""
        assert process.stdout is not None
        ended = threading.Event()
        ender = threading.Thread(target=self._end, args=(chosen, ended), name="ender")
        ender.start()
        code = int(process.stdout.readline())
        with self._lock:
            ended.set()
            self._lock.notify_all()
        ender.join()
        fail_unless(code == -signal.SIGKILL, f"the victim ended with {code}: {self._log.read_text()[-3000:]}")
        return self._settled is None

    def _end(self, chosen: bool, ended: threading.Event) -> None:
        """Kill at a random moment where that was chosen, else when all is done and the point was not passed."""
        calls = self.chance.randint(1, AMONG) if chosen else 1 << 30
        with self._lock:
            in_time = self._lock.wait_for(
                lambda: ended.is_set() or self._settled is not None or self._calls >= calls, PATIENCE
            )
            if ended.is_set():
                return
        ended.wait(self.chance.random() * 0.02)
        if not ended.is_set():
            self._kill()
        fail_unless(in_time, "the victim never came to rest")

    def end(self, process: subprocess.Popen[str]) -> None:
        """Nobody dies any more; all comes to rest and is judged."""
        self.ending = True
        with self._lock:
            self._given.clear()
            self._settled = None
            self.world.applied = lambda call: None
        self._start(process, "-", 0)
        assert process.stdout is not None
        code = int(process.stdout.readline())
        fail_unless(code == 0, f"the last one ended with {code}: {self._log.read_text()[-3000:]}")
        fail_unless(self._settled is True, "it never came to rest")
        self.check()
        self.check_at_rest()

    # judging

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True)) as plain:
            return plain.execute(sql).fetchall()

    def check(self) -> None:
        """After every death: what was acknowledged is there, once, and nothing overlaps."""
        if not self.path.exists():
            return fail_unless(not self.acknowledged and not self.visits, "acknowledged without a store")
        if not self.rows("SELECT 1 FROM sqlite_master WHERE name = 'visit'"):
            return fail_unless(not self.acknowledged and not self.visits, "acknowledged without a table")
        kept = Counter(key for (key,) in self.rows("SELECT key FROM inbox"))
        fail_unless(set(self.acknowledged) <= set(kept), "an acknowledged delivery is lost")
        known = {row[0] for row in self.rows("SELECT id FROM visit")}
        fail_unless(set(self.visits) <= known, f"promised visits are lost: {set(self.visits) - known}")
        held = sorted(self.rows("SELECT agent_id, guard_start, guard_end, id FROM visit WHERE holds = 1"))
        for first, second in pairwise(held):
            fail_unless(first[0] != second[0] or first[2] <= second[1], f"{first} and {second} overlap")
        sources = Counter(self.rows("SELECT source_account, source_id FROM visit WHERE source_id IS NOT NULL"))
        fail_unless(not sources or max(sources.values()) == 1, "two visits of one booking")
        return None

    def check_at_rest(self) -> None:
        """At the end: the store says what the scheduler says, and each calendar shows what the store says."""
        fail_unless(self.rows("PRAGMA integrity_check") == [("ok",)], "the file is damaged")
        fail_unless(not self.world.trespasses(), self.world.trespasses())
        states = dict(self.rows("SELECT source_id, state FROM visit WHERE source_id IS NOT NULL"))
        for name, record in self.desk.records.items():
            allowed = ("confirmed", "conflict") if record.now.active else (None, "cancelled")
            fail_unless(states.get(name) in allowed, f"a booking is {states.get(name)}, not {allowed}: {record.now}")
        fail_unless(not self.rows("SELECT 1 FROM inbox WHERE state IN ('new', 'dead')"), "deliveries nobody looked at")
        for host in HOSTS:
            self._check_calendar(host)

    def _check_calendar(self, host: str) -> None:
        wanted = {
            (f"visit:{visit}", start, end)
            for visit, start, end in self.rows(
                "SELECT id, start_at, end_at FROM visit WHERE state IN ('pending', 'confirmed') "
                f"AND agent_id = '{host}'"
            )
        }
        shelf = self.world.shelf(town.HOME, f"{host}-publish")
        ours = [one for one in shelf.entries.values() if one.author is Author.SYNCD]
        shown = Counter((one.tag, *one.spans[0].epoch) for one in ours)
        fail_unless(set(shown) == wanted, f"{host}: {sorted(set(shown) ^ wanted)}")
        fail_unless(not shown or max(shown.values()) == 1, f"{host}: an entry stands twice")


def run(folder: Path, cycles: int, seed: int) -> Trial:
    """Live and die so often, then come to rest; raises Broken where a promise did not survive."""
    trial = Trial(folder, seed)
    with trial.running() as process:
        for number in range(cycles):
            exact = POINTS[(number // 2) % len(POINTS)]
            trial.cycle(process, exact if number % 2 else "-")
        trial.end(process)
    return trial


def told(trial: Trial) -> str:
    """Say in a line what a trial saw."""
    exact = sum(count for point, count in trial.deaths.items() if point in POINTS)
    return (
        f"{trial.deaths.total()} deaths: {exact} at {len(set(trial.deaths) & set(POINTS))} points, "
        f"{trial.deaths['-']} at random, {trial.deaths['missed']} at rest; {len(trial.acknowledged)} deliveries and "
        f"{len(trial.visits)} bookings acknowledged, none lost, none twice"
    )
