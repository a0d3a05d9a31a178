"""The last look before a write: a host who turned busy is passed over, one who does not answer is not free."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from syncd.core.directory import CalendarRef
from syncd.core.ids import AgentId
from syncd.core.interval import Interval
from syncd.core.visit import Contact, Refused, Visit
from syncd.errors import Transient
from syncd.flows.book import Booking, book
from syncd.flows.context import AccountParts, Context
from syncd.ports import Calendar
from syncd.store import open_store
from syncd.store.calendars import CalendarState
from syncd.store.visits import Cause
from tests.world.clock import VirtualClock
from tests.world.town import CASAS, HOME, START, TUESDAY, directory

ANA, BETO = AgentId("ana"), AgentId("beto")
CAUSE = Cause(at=START, actor="test", source="test")
WHOLE = Interval(TUESDAY - timedelta(hours=1), TUESDAY + timedelta(hours=3))


@dataclass
class Provider:
    """Answers free/busy questions; names not listed are free."""

    busy_of: dict[str, Sequence[Interval] | Exception | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def busy(self, names: Sequence[str], window: Interval) -> Mapping[str, Sequence[Interval] | None]:
        self.asked += names
        answers = {name: self.busy_of.get(name, ()) for name in names}
        for answer in answers.values():
            if isinstance(answer, Exception):
                raise answer
        return {name: answer for name, answer in answers.items() if not isinstance(answer, Exception)}


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def ctx(provider: Provider) -> Iterator[Context]:
    clock = VirtualClock(START)
    store = open_store(":memory:", clock, inline=True)
    people = directory(scheduler=False, verify_live=True)
    for ref in people.calendars():
        store.write(lambda tx, ref=ref: tx.calendars.save_state(CalendarState(calendar=ref.id, read_at=START)))  # type: ignore[misc]
    parts = AccountParts(id=HOME, kind="memory", free_busy=lambda ref: provider)
    yield Context(store=store, directory=people, clock=clock, calendar_of=_nobody, accounts={HOME: parts})
    store.close()


def _nobody(ref: CalendarRef) -> Calendar:
    pytest.fail(f"{ref.id} is not to be read: its provider answers free/busy questions")


def booked(ctx: Context, **changes: str) -> Visit | Refused:
    wish = Booking(project=CASAS, start=TUESDAY, contact=Contact(name="Eva"), source=type(HOME)("api"))
    return book(ctx, replace(wish, **changes), CAUSE)  # type: ignore[arg-type]


def host(outcome: Visit | Refused) -> str | None:
    assert isinstance(outcome, Visit), outcome
    return outcome.host


def test_the_first_in_rank_is_asked_and_takes_it(ctx: Context, provider: Provider) -> None:
    assert host(booked(ctx)) == ANA
    assert provider.asked == ["ana-publish"]


def test_one_who_turned_busy_is_passed_over(ctx: Context, provider: Provider) -> None:
    provider.busy_of["ana-publish"] = [WHOLE]
    assert host(booked(ctx)) == BETO


@pytest.mark.parametrize("answer", [None, Transient("no answer")])
def test_one_who_does_not_answer_is_not_free(ctx: Context, provider: Provider, answer: Exception | None) -> None:
    provider.busy_of["ana-publish"] = answer
    assert host(booked(ctx)) == BETO


def test_time_beside_the_visit_does_not_matter(ctx: Context, provider: Provider) -> None:
    after = TUESDAY + timedelta(minutes=30)  # the visit and its buffer end here
    provider.busy_of["ana-publish"] = [Interval(after, after + timedelta(hours=1))]
    assert host(booked(ctx)) == ANA


def test_when_all_turned_busy_the_client_hears_it(ctx: Context, provider: Provider) -> None:
    provider.busy_of |= {"ana-publish": [WHOLE], "beto-publish": [WHOLE]}
    outcome = booked(ctx)
    assert isinstance(outcome, Refused) and outcome.reason == "busy" and outcome.alternatives


def test_who_insists_on_a_host_hears_of_that_host(ctx: Context, provider: Provider) -> None:
    provider.busy_of["ana-publish"] = None
    outcome = booked(ctx, host=ANA)
    assert isinstance(outcome, Refused) and outcome.reason == "unknown"
    assert provider.asked == ["ana-publish"]


def test_without_the_wish_nobody_is_asked(ctx: Context, provider: Provider) -> None:
    calm = replace(ctx, directory=directory(scheduler=False))
    provider.busy_of["ana-publish"] = [WHOLE]
    assert host(booked(calm)) == ANA
    assert provider.asked == []
