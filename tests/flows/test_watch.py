"""One calendar's push subscription over weeks: no gap, no pile, nothing forgotten."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from syncd.core.ids import AccountId
from syncd.errors import Ambiguous, Forbidden, Transient
from syncd.flows.context import AccountParts, Context
from syncd.flows.watch import doubt, held_of, live_calendar, watch
from syncd.ports import Subscription
from syncd.store import open_store
from tests.world.clock import VirtualClock
from tests.world.town import HOME, START, directory

WEEK = timedelta(days=7)
PUBLIC = "https://visitas.example.cl"


@dataclass
class Provider:
    """Remembers its subscriptions as Google (which cannot renew or list) or as Graph (which can)."""

    clock: VirtualClock
    can_renew: bool = False
    can_list: bool = False
    life: timedelta = WEEK
    made: int = 0
    live: dict[str, Subscription] = field(default_factory=dict)
    fault: Exception | None = None
    fault_after: Exception | None = None
    log: list[str] = field(default_factory=list)

    def start(self, callback: str) -> Subscription:
        if self.fault is not None:
            raise self.fault
        self.made += 1
        one = Subscription(id=f"s{self.made}", callback=callback, expires_at=self.clock.now() + self.life, memo="m")
        self.live[one.id] = one
        self.log.append(f"start {one.id}")
        if self.fault_after is not None:
            raise self.fault_after
        return one

    def renew(self, subscription: Subscription) -> Subscription | None:
        if not self.can_renew or subscription.id not in self.live:
            return None
        self.log.append(f"renew {subscription.id}")
        self.live[subscription.id] = replace(subscription, expires_at=self.clock.now() + self.life)
        return self.live[subscription.id]

    def stop(self, subscription: Subscription) -> None:
        assert subscription.memo == "m"
        self.log.append(f"stop {subscription.id}")
        self.live.pop(subscription.id, None)

    def strays(self, known: Collection[str]) -> Sequence[Subscription]:
        return [one for one in self.live.values() if one.id not in known] if self.can_list else []

    def telling(self) -> list[str]:
        """List who would call us now."""
        ends = ((name, one.expires_at) for name, one in self.live.items())
        return [name for name, end in ends if end is not None and end > self.clock.now()]


@dataclass
class Stage:
    ctx: Context
    clock: VirtualClock
    provider: Provider

    def look(self) -> datetime | None:
        return watch(self.ctx, CALENDAR, self.clock.now())

    def live(self, name: str) -> str | None:
        with self.ctx.store.read() as tx:
            return live_calendar(tx, HOME, name)

    def alerts(self) -> list[str]:
        with self.ctx.store.read() as tx:
            return [one.kind for one in tx.queue.notices(channel="alert")]


PEOPLE = directory()
CALENDAR = PEOPLE.calendars()[0].id


@pytest.fixture
def stage() -> Iterator[Stage]:
    clock = VirtualClock(START)
    provider = Provider(clock)
    store = open_store(":memory:", clock, inline=True)
    parts = AccountParts(id=HOME, kind="memory", watch=lambda ref: provider)
    ctx = Context(
        store=store,
        directory=PEOPLE,
        clock=clock,
        calendar_of=lambda ref: pytest.fail("no calendar is read here"),
        accounts={AccountId(HOME): parts},
        public_url=PUBLIC,
    )
    yield Stage(ctx, clock, provider)
    store.close()


def test_the_first_look_starts_one_and_remembers_it(stage: Stage) -> None:
    due = stage.look()
    assert stage.provider.telling() == ["s1"]
    assert stage.provider.live["s1"].callback == f"{PUBLIC}/hook/{HOME}"
    assert stage.live("s1") == CALENDAR and stage.live("s2") is None
    assert due is not None and due <= START + WEEK * 0.7


def test_a_second_look_changes_nothing(stage: Stage) -> None:
    stage.look()
    stage.look()
    assert stage.provider.log == ["start s1"]


@pytest.mark.parametrize("can_renew", [False, True])
def test_over_weeks_there_is_never_a_gap_and_never_a_pile(stage: Stage, can_renew: bool) -> None:
    stage.provider.can_renew = can_renew
    due = stage.look()
    while stage.clock.now() < START + 6 * WEEK:
        assert due is not None
        stage.clock.advance(due - stage.clock.now())
        assert stage.provider.telling(), "the old one had ended before the new one began"
        due = stage.look()
        assert len(stage.provider.telling()) == 1
    assert (stage.provider.made > 5) is not can_renew


def test_the_new_one_is_remembered_before_the_old_one_ends(stage: Stage) -> None:
    stage.look()
    stage.clock.advance(WEEK * 0.65)
    stage.look()
    assert stage.provider.log == ["start s1", "start s2", "stop s1"]
    assert stage.live("s1") is None and stage.live("s2") == CALENDAR


def test_a_renewal_at_the_end_of_a_sleep_starts_anew(stage: Stage) -> None:
    stage.look()
    stage.clock.advance(WEEK * 2)
    stage.look()
    assert stage.provider.telling() == ["s2"]


def test_a_provider_that_refuses_is_asked_again_tomorrow_and_told_of_once(stage: Stage) -> None:
    stage.provider.fault = Forbidden("not on this plan")
    first = stage.look()
    stage.clock.advance(timedelta(days=1))
    stage.look()
    assert first == START + timedelta(days=1)
    assert stage.alerts() == ["push_denied"]
    stage.provider.fault = None
    stage.clock.advance(timedelta(days=1))
    stage.look()
    assert stage.provider.telling() == ["s1"]
    assert sorted(stage.alerts()) == ["push_denied", "push_denied_recovered"]


def test_a_provider_in_trouble_leaves_the_old_one_alone(stage: Stage) -> None:
    stage.look()
    stage.clock.advance(WEEK * 0.65)
    stage.provider.fault = Transient("busy")
    with pytest.raises(Transient):
        stage.look()
    assert stage.provider.telling() == ["s1"] and stage.live("s1") == CALENDAR


def test_one_that_was_perhaps_made_is_ended_where_the_provider_can_tell(stage: Stage) -> None:
    stage.provider.can_list, stage.provider.fault_after = True, Ambiguous("no answer came")
    with pytest.raises(Ambiguous):
        stage.look()
    assert stage.provider.telling() == []
    stage.provider.fault_after = None
    stage.look()
    assert len(stage.provider.telling()) == 1


def test_strays_of_an_earlier_crash_are_ended(stage: Stage) -> None:
    stage.provider.can_list = True
    lost = stage.provider.start("x")
    stage.look()
    assert lost.id not in stage.provider.telling() and len(stage.provider.telling()) == 1


def test_a_calendar_out_of_the_configuration_is_left_alone(stage: Stage) -> None:
    assert watch(stage.ctx, type(CALENDAR)("cal/nobody"), stage.clock.now()) is None
    assert stage.provider.log == []


def test_what_is_held_survives_a_restart(stage: Stage) -> None:
    stage.look()
    with stage.ctx.store.read() as tx:
        (held,) = held_of(tx, HOME, CALENDAR)
    assert held.subscription.expires_at == START + WEEK and held.subscription.memo == "m" and held.since == START


@pytest.mark.parametrize("can_renew", [False, True])
def test_one_that_its_provider_took_away_is_made_again_at_once(stage: Stage, can_renew: bool) -> None:
    stage.provider.can_renew = can_renew
    stage.look()
    stage.provider.live.clear()
    stage.ctx.store.write(lambda tx: doubt(tx, HOME, CALENDAR))
    stage.look()
    assert stage.provider.telling() == ["s2"]
    stage.look()
    assert stage.provider.made == 2, "the doubt is over"


def test_after_a_new_one_the_calendar_is_pulled_for_what_nobody_heard(stage: Stage) -> None:
    stage.look()
    with stage.ctx.store.read() as tx:
        assert {kind.value for kind, (count, _) in tx.queue.depths(START).items() if count} == {"pull"}
