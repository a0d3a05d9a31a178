"""One seed: the town lives through its steps under faults and crashes, then comes to rest and is judged."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

from connectors.memory import Fault, Post, possible
from syncd import runner
from syncd.store import Tx
from syncd.store.queue import Work, WorkKind
from tests.world import town
from tests.world.crash import POINTS, Death
from tests.world.invariants import Judge, Violation
from tests.world.people import People, release
from tests.world.stage import Stage
from tests.world.swarm import GROUP, Swarm, draw

IN_HAND = 3  # works that are claimed at a time: what threads would do at once, one after the other
ARMED = 60  # steps for which a chosen death waits for its moment
RETRY_AFTER = (None, 1.0, 7.0, 60.0, 1e9, -5.0, 0.0, float("nan"))
TIMED = ("meta", "_sqlite_migrations")  # tables that name this very installation
BUFFER = 600  # seconds after every visit of the town
LAG = timedelta(seconds=45)  # of a replica; longer ones exist, and are not told apart from lies
MEANWHILE = ("add_event", "move_event", "drag_our_entry", "edit_our_entry")
HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Outcome:
    """What one seed did and saw."""

    seed: int
    steps: int
    digest: str = ""
    struck: Counter[Fault] = field(default_factory=Counter)
    kills: Counter[str] = field(default_factory=Counter)
    checked: Counter[str] = field(default_factory=Counter)
    habits: Counter[str] = field(default_factory=Counter)


class Defects(logging.Handler):
    """Hears of exceptions that the program survived and should never have raised."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.seen.append(record.exc_info[1])


class Simulation:
    """A town of one seed. The same seed lives the same life."""

    def __init__(self, seed: int, *, leading: Fault | None = None, death: str | None = None) -> None:
        """`leading` and `death` say which fault comes most and where the process dies first; else the seed does."""
        self.seed = seed
        self.rng = Random(seed)
        self.stage = Stage(seed=seed)
        self.people = People(self.stage, self.rng)
        self._leading = leading or list(Fault)[seed // 8 % len(Fault)]  # goes round by seed: every fault has its turn
        self._death = death or POINTS[seed // 8 % len(POINTS)]
        self.swarm = draw(self.rng, list(self.people.habits), self._leading)
        if leading is not None:
            self.swarm = replace(self.swarm, rate=0.4)
        if death is not None:
            self.swarm = replace(self.swarm, crash_rate=1.0, loss_rate=0.0)
        self.stage.reload(self.swarm.directory)
        self.people = People(self.stage, self.rng)
        self.judge = Judge(self.stage, buffer=BUFFER)
        self.outcome = Outcome(seed, 0)
        self._hand: list[Work] = []
        self._log: list[str] = []
        self.defects = Defects()
        self._armed_until = 0
        self._running = ""
        self._prepare(self.swarm)

    def _run_one(self, work: Work) -> None:
        """Run a work; a crash of ours is a violation, however well it is survived."""
        runner.run_one(self.stage.ctx, work)
        if self.defects.seen:
            raise Violation(f"{work.kind} {work.key} crashed") from self.defects.seen.pop()

    def _prepare(self, swarm: Swarm) -> None:
        stage, desk = self.stage, self.stage.desk
        stage.outside.faults.chance = self._fault
        stage.outside.faults.retry_after = lambda: self.rng.choice(RETRY_AFTER)
        stage.outside.meanwhile = self._meanwhile
        stage.outside.lag = LAG
        desk.removes_entries = swarm.removes
        desk.add_kind(GROUP, timedelta(minutes=60), "user-beto", seats=2)
        if swarm.diary:
            desk.add_host("user-beto", "beto@a.example", stage.shelf("beto"), late=swarm.late)
        for number in range(6):
            self.people.habits["add_event"]()
            stage.shelf("caro").add(self.people.span(), title=f"Trampa {number}")

    # -- faults

    def _fault(self, account: str, call: str) -> Fault | None:
        rate = self.swarm.rate * (2 if call == "changes" else 1)  # where most lies are possible
        among = possible(call, self.swarm.faults) if self.rng.random() < rate else []
        if self._leading in among and self.rng.random() < 0.4:
            return self._leading
        return self.rng.choice(among) if among else None

    def _meanwhile(self) -> None:
        """While an answer is late somebody edits a calendar, or the very booking that is read moves and is told of."""
        self.people.habits[self.rng.choice(MEANWHILE)]()
        account, _, booking = self._running.partition("|")
        record = self.stage.desk.records.get(booking)
        if account == town.SCHEDULER and record is not None and record.now.active:
            self.stage.desk.move(booking, self.people.start())
            if self.stage.desk.posts:
                self._accept(self.stage.desk.posts.pop())

    # -- life

    def run(self, steps: int) -> Outcome:
        """Live so many steps, come to rest, and be judged; raises Violation."""
        self._weights = {name: weight for name, weight in self.swarm.habits.items() if weight}
        for number in range(steps):
            self.outcome.steps = number
            self._survive(self._step)
            self.judge.after_step()
        self.stage.reaper.wants = lambda name: False
        self.outcome.steps = steps
        self._rest()
        self.judge.at_rest()
        return self._told()

    def _told(self) -> Outcome:
        self.outcome.digest = digest(self.stage)
        self.outcome.struck = self.stage.outside.faults.struck
        self.outcome.kills = self.stage.reaper.kills
        self.outcome.checked = self.judge.checked
        return self.outcome

    def _survive(self, act: Callable[[], None]) -> None:
        """Act; where the process dies on the way, start it again from what was committed."""
        try:
            act()
        except Death:
            self._hand.clear()
            self._armed_until = 0
            self.stage.reaper.wants = lambda name: False
            self.stage.restart()

    def _step(self) -> None:
        if self._armed_until <= self.outcome.steps and self.rng.random() < self.swarm.crash_rate:
            self._arm()
        draw = self.rng.random()
        if draw < 0.5:
            self._work()
        elif draw < 0.65:
            self._deliver()
        elif draw < 0.75:
            self._wait()
        elif self._weights:
            (habit,) = self.rng.choices(list(self._weights), list(self._weights.values()))
            self._note(habit)
            self.outcome.habits[habit] += 1
            self.people.habits[habit]()

    def _arm(self) -> None:
        """Choose where the process dies next; the first choice goes round by seed, so that every point has its turn."""
        kills = self.stage.reaper.kills
        point = min(self.rng.sample(POINTS, 5), key=lambda name: kills[name])
        if not kills:
            point = self._death
        self._armed_until = self.outcome.steps + ARMED
        self.stage.reaper.wants = lambda name: name == point

    def _note(self, what: str) -> None:
        self._log.append(f"{self.stage.clock.now():%d %H:%M:%S} {what}")

    @property
    def log(self) -> list[str]:
        return self._log

    # -- work, in any order

    def _work(self) -> None:
        """Take up to a handful of due works and run one of them."""
        while len(self._hand) < IN_HAND:
            work = self._claim()
            if work is None:
                break
            self._hand.append(work)
        if not self._hand:
            self._wait()
            return
        self._run(self._hand.pop(self.rng.randrange(len(self._hand))))

    def _claim(self) -> Work | None:
        skip = [*runner.rests(self.stage.ctx, self.stage.clock.now())]
        kinds = list(WorkKind)
        self.rng.shuffle(kinds)

        def claim(tx: Tx) -> Work | None:
            now = self.stage.clock.now()
            found = (tx.queue.claim(now, runner.LEASE, kinds=[kind], skip=skip) for kind in kinds)
            return next((works[0] for works in found if works), None)

        return self.stage.store.write(claim)

    def _run(self, work: Work) -> None:
        if work.group in runner.rests(self.stage.ctx, self.stage.clock.now()):
            self.stage.store.write(lambda tx: tx.queue.fail(work, self.stage.clock.now(), "rests"))
            return
        self._note(f"{work.kind} {work.key}")
        self.stage.unlooked.discard(work.key)
        self._running = work.key
        if work.kind is not WorkKind.PULL:
            self._run_one(work)
            return
        before, released = self.judge.standing(work.key), self._is_released(work.key)
        lies = self._lies()
        self._run_one(work)
        self.judge.after_reading(work.key, before, released=released, lied=self._lies() > lies)

    def _lies(self) -> int:
        """Count the answers so far that looked true and were not."""
        struck = self.stage.outside.faults.struck
        return struck[Fault.EMPTY] + struck[Fault.STALE]

    def _is_released(self, calendar: str) -> bool:
        suspect = self.judge.rows("SELECT suspect_since FROM calendar WHERE name = ?", calendar)
        name = f"released:{calendar}"
        told = bool(self.judge.rows("SELECT 1 FROM memory WHERE name = ?", name))
        return told or bool(self.stage.ctx.policy.release_auto and suspect and suspect[0][0] is not None)

    # -- webhooks, in any order

    def _deliver(self) -> None:
        posts = self.stage.desk.posts
        if not posts:
            return
        post = posts.pop(self.rng.randrange(len(posts)))
        if self.rng.random() < self.swarm.loss_rate:
            return
        self._note(f"hook {post.body[:60]!r}")
        again = self.rng.random()
        if again < 0.2:
            posts.append(post)  # a repeat, some time later
        try:
            self._accept(post)
        except Death:
            posts.append(post)  # no answer: the sender tries again
            raise

    def _accept(self, post: Post) -> None:
        if self.stage.post(post) == 204:
            told = json.loads(post.body)
            self.stage.accepted.add(hashlib.sha256(post.body).hexdigest())
            self.stage.unlooked |= {f"{town.SCHEDULER}|{one}" for one in (told["booking"], *told["related"])}

    # -- time

    def _wait(self) -> None:
        self.stage.clock.advance(timedelta(seconds=self.rng.choice((1, 5, 30, 61, 130, 300))))
        if self.rng.random() < 0.3:
            self.people.habits["sign_in"]()
        self.stage.beat()

    def _rest(self) -> None:
        """Switch everything bad off, put everything right, and let half a day and a few beats pass (I20)."""
        stage = self.stage
        stage.outside.faults.clear()
        for account in sorted(stage.outside.revoked):
            stage.outside.sign_in(account)
        for ref in self.swarm.directory.calendars():
            stage.outside.shelf(ref.account, ref.name).missing = False
        self._hand.clear()
        if self.rng.random() < 0.5:
            stage.reload(self.swarm.directory)
        stage.restart()
        stage.desk.write_entries()
        stage.outside.hasty.clear()
        self._quiet(3)
        stage.clock.advance(13 * HOUR)  # beyond the interval of complete listings
        release(stage)
        self._quiet(4)
        release(stage)
        self._quiet(6)

    def _quiet(self, beats: int) -> None:
        for _ in range(beats):
            self.stage.clock.advance(timedelta(minutes=16))  # longer than any rest, any wait for an entry or a twin
            while self.stage.desk.posts:
                self._accept(self.stage.desk.posts.pop(0))
            runner.sweep(self.stage.ctx, self.stage.clock.now())
            self.stage.settle()


def digest(stage: Stage) -> str:
    """Return a digest of everything stored and everything outside."""
    engine = Judge(stage)
    tables = [row[0] for row in engine.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
    whole = hashlib.sha256()
    for table in tables:
        rows = [] if table in TIMED else sorted(repr(tuple(row)) for row in engine.rows(f"SELECT * FROM {table}"))
        whole.update("\n".join([table, *rows]).encode())
    for ref in stage.ctx.directory.calendars():
        whole.update(repr(sorted(stage.outside.shelf(ref.account, ref.name).entries.items())).encode())
    return whole.hexdigest()


def replay_command(seed: int, steps: int) -> str:
    return f"python -m tests.world --from {seed} --seeds 1 --steps {steps}"


def live(seed: int, steps: int, *, leading: Fault | None = None, death: str | None = None) -> Outcome:
    """Run one seed; a failure names the one command that shows it again."""
    simulation = Simulation(seed, leading=leading, death=death)
    logger = logging.getLogger("syncd")
    logger.addHandler(simulation.defects)
    try:
        return simulation.run(steps)
    except BaseException as error:
        last = "\n  ".join(simulation.log[-25:])
        again = replay_command(seed, steps) + (f" --leading {leading.value}" if leading else "")
        again += f" --death {death}" if death else ""
        error.add_note(f"seed {seed}, step {simulation.outcome.steps}; again: {again}\n  {last}")
        raise
    finally:
        logger.removeHandler(simulation.defects)


__all__ = ["Outcome", "Simulation", "Violation", "digest", "live", "replay_command", "town"]
