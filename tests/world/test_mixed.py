"""The simulation over real connectors: a team at Google, Outlook and CalDAV under random hands, faults and restarts.

Fewer steps than over the memory world, because every one of them speaks HTTP; the end is judged by what stands in the
three calendars, read from the servers' own books.
"""

import logging
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from syncd.core.ids import AgentId
from syncd.core.interval import Interval
from syncd.core.visit import Cancel, CancelReason, Move, Reassign, Refused, Visit
from syncd.errors import Ambiguous, CursorExpired, Transient, Unreadable
from syncd.flows import book
from tests.scenarios.mixed import HOMES, MONDAY, REVOKED, Mixed, mixed
from tests.world.invariants import Judge

SEEDS, STEPS = range(6), 70
VISIT = timedelta(minutes=20)
FAULTS = (
    Transient("busy"),
    Transient("429", retry_after=60),
    Unreadable("an HTML page"),
    REVOKED,
    CursorExpired("410"),
)


@dataclass
class Life:
    """One random life of the town."""

    team: Mixed
    rng: random.Random
    foreign: dict[str, dict[str, Interval]] = field(default_factory=lambda: {one: {} for one in HOMES})
    struck: int = 0

    def when(self) -> Interval:
        start = MONDAY + timedelta(days=self.rng.randrange(4), minutes=30 * self.rng.randrange(18))
        return Interval(start, start + VISIT)

    def agent(self) -> str:
        return self.rng.choice(sorted(HOMES))

    def visit(self) -> Visit | None:
        active = [one for one in self.team.stage.visits() if one.active]
        return self.rng.choice(active) if active else None

    # what people do

    def books(self) -> None:
        stage = self.team.stage
        outcome = book.book(stage.ctx, stage.booking(self.when().start), stage.cause())
        assert isinstance(outcome, Visit) or outcome.reason

    def changes(self) -> None:
        visit, stage = self.visit(), self.team.stage
        commands = (Move(start=self.when().start), Reassign(host=AgentId(self.agent())), Cancel(by=CancelReason.STAFF))
        if visit is not None:
            outcome = book.act(stage.ctx, visit.id, self.rng.choice(commands), stage.cause())
            assert isinstance(outcome, Visit | Refused)

    def adds(self) -> None:
        agent, when = self.agent(), self.when()
        self.foreign[agent][self.team.homes[agent].add(when)] = when

    def removes(self) -> None:
        agent = self.agent()
        if self.foreign[agent]:
            gone = self.rng.choice(sorted(self.foreign[agent]))
            self.team.homes[agent].remove(gone)
            del self.foreign[agent][gone]

    def drags_a_visit(self) -> None:
        agent = self.agent()
        home = self.team.homes[agent]
        mine = [one for one in home.everything() if one not in self.foreign[agent]]
        if mine:
            home.drag(self.rng.choice(sorted(mine)), self.when())

    # what goes wrong

    def fails(self) -> None:
        self.struck += 1
        self.team.calendars[self.agent()].error = self.rng.choice(FAULTS)

    def loses_an_answer(self) -> None:
        self.struck += 1
        self.team.calendars[self.agent()].after = Ambiguous("no answer came")

    def works_again(self) -> None:
        for calendar in self.team.calendars.values():
            calendar.error = None

    def forgets(self) -> None:
        self.team.homes[self.agent()].forget_places()

    def restarts(self) -> None:
        self.team.stage.restart()

    def passes(self) -> None:
        self.team.later(self.rng.choice((1, 5, 15)))

    def acts(self) -> list[Callable[[], None]]:
        often = [self.books, self.changes, self.passes, self.passes]
        return [*often, self.adds, self.removes, self.drags_a_visit, self.fails, self.works_again, self.works_again,
                self.loses_an_answer, self.forgets, self.restarts]  # fmt: skip

    def calm(self) -> None:
        """End all trouble, let staff lift what is suspect, and wait until nothing is left to do."""
        self.works_again()
        stage = self.team.stage
        for calendar in self.team.calendars.values():
            calendar.after = None
        for _ in range(30):
            suspects = [one.about for one in stage.notices("alert", "suspect", "open")]
            for one in suspects:
                stage.store.write(lambda tx, one=one: tx.accounts.put(type(HOME)("syncd"), f"released:{one}", "1"))  # type: ignore[misc]
            self.team.later(20)


HOME = AgentId("")


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    logger = logging.getLogger("syncd")
    level, logger.level = logger.level, logging.CRITICAL
    yield
    logger.setLevel(level)


@pytest.mark.parametrize("seed", SEEDS)
def test_three_providers_end_as_the_store_says(seed: int) -> None:
    with mixed() as team:
        life = Life(team, random.Random(seed))
        for _ in range(STEPS):
            life.rng.choice(life.acts())()
            Judge(team.stage).after_step()
        life.calm()
        assert life.struck > 3, "a life without trouble proves nothing"
        _judge(life)


def _judge(life: Life) -> None:
    team = life.team
    visits = [one for one in team.stage.visits() if one.active]
    asked = {one.about for one in team.stage.notices("task", "entry_deleted")}
    for agent in HOMES:
        home = team.homes[agent]
        seen = {one: home.look(one) for one in home.everything()}
        theirs = {
            one: shown.interval for one, shown in seen.items() if shown is not None and one in life.foreign[agent]
        }
        assert theirs == life.foreign[agent], "what is a person's own is never touched"
        ours = sorted(shown.interval for one, shown in seen.items() if shown is not None and one not in theirs)
        wanted = sorted(one.interval for one in visits if one.host == agent and one.id not in asked)
        assert ours == wanted, f"{agent}: {ours} instead of {wanted}"
        assert team.blocks(agent) == set(life.foreign[agent].values())
        assert team.bookable(agent)
