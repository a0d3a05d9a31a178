"""A hand-over: all that can go goes at once, the rest is listed, everybody is told once, and no two visits overlap."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.directory import Directory
from syncd.core.ids import AccountId, AgentId, ContactId, VisitId
from syncd.core.interval import Interval
from syncd.core.letter import Channel
from syncd.core.visit import Cancel, CancelReason, Contact, Move, Refused, Source, Visit, VisitState
from syncd.errors import SlotTaken
from syncd.flows.book import Booking, act, book
from syncd.flows.compose import compose
from syncd.flows.context import AccountParts, Context
from syncd.flows.handover import HandedOver, Handover, hand_over
from syncd.flows.reach import Skip, verdict_of, visit_of
from syncd.store import Store, Tx, open_store
from syncd.store.queue import Notice
from syncd.store.visits import Cause
from tests.flows.test_hosts import all_read, block, calendar, context, hold, read_at
from tests.world import town
from tests.world.clock import VirtualClock
from tests.world.town import CASAS, START, TUESDAY, VISITA

ANA, BETO, CARLA = AgentId("ana"), AgentId("beto"), AgentId("carla")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
STAFF = Cause(at=START, actor="cli:root", source="cli")
WANTED = Handover(giver=ANA, taker=BETO, project=CASAS, on=date(2026, 5, 12))
EVA = Contact(name="Eva Díaz", email="eva@example.com", phone="+56912345678")
LUIS = Contact(name="Luis Vera", email="luis@example.com")


@pytest.fixture
def store() -> Iterator[Store]:
    found = open_store(":memory:", VirtualClock(START), inline=True)
    found.write(all_read)
    yield found
    found.close()


@pytest.fixture
def ctx(store: Store) -> Context:
    return replace(context(store), public_url="https://v.example", link_key=lambda: b"k" * 32)


def put(ctx: Context, name: str, host: AgentId = ANA, hours: float = 0, contact: Contact = EVA, **more: Any) -> Visit:
    values = {
        "contact": contact,
        "contact_id": ContactId(contact.name),
        "project": CASAS,
        "state": VisitState.CONFIRMED,
    }
    start = TUESDAY + hours * HOUR
    return ctx.store.write(lambda tx: hold(tx, name, host, start, **(values | more)))


def done(ctx: Context, wanted: Handover = WANTED, *, dry_run: bool = False) -> HandedOver:
    outcome = hand_over(ctx, wanted, STAFF, dry_run=dry_run)
    assert isinstance(outcome, HandedOver)
    return outcome


def visit(ctx: Context, name: str) -> Visit:
    with ctx.store.read() as tx:
        return tx.visits.get(VisitId(name))


def hosts(ctx: Context) -> dict[str, str | None]:
    with ctx.store.read() as tx:
        return {one.id: one.host for one in tx.visits.search(limit=10_000)}


def notices(ctx: Context) -> list[Notice]:
    with ctx.store.read() as tx:
        return sorted(tx.queue.notices(), key=lambda one: (one.to, one.about or ""))


def everything(ctx: Context) -> Any:
    with ctx.store.read() as tx:
        visits = tx.visits.search(limit=10_000)
        return visits, [tx.visits.history(one.id) for one in visits], tx.queue.notices()


def short(outcome: HandedOver) -> tuple[list[str], list[tuple[str, str]]]:
    return [one.id for one in outcome.moved], [(one.visit.id, one.reason) for one in outcome.left]


# --- what moves and what stays --------------------------------------------------------------------------------------


def test_what_the_colleague_can_take_moves_and_the_rest_is_listed_with_its_reason(ctx: Context) -> None:
    put(ctx, "free")
    put(ctx, "overlap", hours=1)
    put(ctx, "theirs", BETO, hours=1.25, contact=LUIS)
    put(ctx, "busy", hours=2)
    put(ctx, "evening", hours=9)
    lunch = Interval(TUESDAY + 2 * HOUR, TUESDAY + 3 * HOUR)
    ctx.store.write(lambda tx: block(tx, calendar("beto"), "lunch", lunch))
    outcome = done(ctx)
    assert short(outcome) == (["free"], [("overlap", "slot_taken"), ("busy", "busy"), ("evening", "hours")])
    assert hosts(ctx) == {"free": BETO, "overlap": ANA, "theirs": BETO, "busy": ANA, "evening": ANA}
    assert outcome.moved == (visit(ctx, "free"),)


def test_a_colleague_whose_calendar_is_not_known_takes_nothing(ctx: Context) -> None:
    put(ctx, "one")
    ctx.store.write(lambda tx: read_at(tx, calendar("beto"), attention="makes no sense"))
    assert short(done(ctx)) == ([], [("one", "unknown")])


def test_the_daily_cap_counts_what_has_just_moved(store: Store) -> None:
    ctx = context(store, town.directory(scheduler=False, event_type=replace(VISITA, daily_cap=2)))
    for number in range(4):
        put(ctx, f"v{number}", hours=number)
    put(ctx, "next-day", hours=24)
    assert short(done(ctx, dry_run=True)) == short(done(ctx))
    assert [one for one, host in hosts(ctx).items() if host == BETO] == ["v0", "v1", "next-day"]


def test_notice_grid_and_window_do_not_count_against_the_colleague(ctx: Context) -> None:
    """The client holds the time already: today, between two steps of the grid, farther than may be booked."""
    put(ctx, "today", hours=-8 * 24 + 4.15)
    put(ctx, "far", hours=24 * 7 * 12)
    assert short(done(ctx, replace(WANTED, on=START.date()))) == (["today", "far"], [])


def test_the_day_is_the_projects_and_what_began_is_not_touched(store: Store) -> None:
    ctx = context(store)
    midnight = TUESDAY - 10 * HOUR  # 00:00 local on the twelfth, 04:00 in UTC
    assert midnight.hour == 4
    ctx.store.write(lambda tx: [hold(tx, "late", ANA, midnight - HOUR, project=CASAS)])
    ctx.store.write(lambda tx: [hold(tx, "early", ANA, midnight, project=CASAS)])
    ctx.store.write(lambda tx: [hold(tx, "running", ANA, START - timedelta(minutes=10), project=CASAS)])
    assert short(done(ctx)) == ([], [("early", "hours")])
    assert [one for one, _ in short(done(ctx, replace(WANTED, on=date(2026, 1, 1))))[1]] == ["late", "early"]


def test_other_projects_agents_and_visits_that_do_not_stand_are_left_alone(ctx: Context) -> None:
    put(ctx, "other", project="torre")
    put(ctx, "cancelled", hours=1, state=VisitState.CANCELLED, holds=False, cancel_reason=CancelReason.CLIENT)
    put(ctx, "lost", hours=2, state=VisitState.CONFLICT, holds=False)
    assert done(ctx) == HandedOver()


def test_a_pending_visit_goes_as_well(ctx: Context) -> None:
    put(ctx, "pending", state=VisitState.PENDING)
    done(ctx)
    assert (visit(ctx, "pending").host, visit(ctx, "pending").state) == (BETO, VisitState.PENDING)


def test_a_visit_of_no_kind_we_know_is_left_to_the_stores_constraint(ctx: Context) -> None:
    put(ctx, "free", event_type=None)
    put(ctx, "overlap", hours=1, event_type=None)
    put(ctx, "theirs", BETO, hours=1.25, contact=LUIS)
    assert short(done(ctx)) == (["free"], [("overlap", "slot_taken")])
    assert hosts(ctx)["overlap"] == ANA


class _Scheduler:
    """Something that is there: nobody calls it."""


@pytest.mark.parametrize("locally", [False, True])
def test_a_visit_whose_scheduler_names_the_host_stays_unless_we_may_change_it(store: Store, locally: bool) -> None:
    account = AccountId("calendly")
    people = replace(town.directory(scheduler=False), reassign_locally=frozenset({account} if locally else ()))
    parts = AccountParts(id=account, kind="calendly", scheduler=_Scheduler)  # type: ignore[arg-type]
    ctx = replace(context(store, people), accounts={account: parts})
    put(ctx, "remote", source=Source(account=account, id="I1"))
    outcome = done(ctx)
    assert short(outcome) == ((["remote"], []) if locally else ([], [("remote", "scheduler")]))
    assert locally or "reassign_locally" in outcome.left[0].detail


def test_a_scheduler_that_takes_changes_is_told(store: Store) -> None:
    account = AccountId("calcom")
    parts = AccountParts(id=account, kind="calcom", scheduler=_Scheduler, changes=_Scheduler)  # type: ignore[arg-type]
    ctx = replace(context(store), accounts={account: parts})
    made = put(ctx, "remote", source=Source(account=account, id="B1"))
    remote = replace(made.remote, interval=made.interval, host=ANA)
    ctx.store.write(lambda tx: tx.visits.save(replace(made, remote=remote), STAFF))
    done(ctx)
    assert ("carry", "remote") in work(ctx)


def test_an_agent_who_left_the_configuration_may_still_hand_over(store: Store) -> None:
    ctx = context(store)
    put(ctx, "left", CARLA)
    assert short(done(ctx, replace(WANTED, giver=CARLA))) == (["left"], [])
    assert {one.to for one in notices(ctx)} == {"client", "agent:beto"}


@pytest.mark.parametrize(
    ("changes", "reason", "word"),
    [
        ({"taker": ANA}, "invalid", "two agents"),
        ({"taker": CARLA}, "invalid", "ana, beto"),
        ({"project": "nowhere"}, "not-found", "nowhere"),
    ],
)
def test_what_makes_no_sense_is_refused(ctx: Context, changes: dict[str, Any], reason: str, word: str) -> None:
    put(ctx, "one")
    refused = hand_over(ctx, replace(WANTED, **changes), STAFF)
    assert isinstance(refused, Refused)
    assert refused.reason == reason and word in refused.detail
    assert hosts(ctx) == {"one": ANA}


# --- once, at once, or not at all -----------------------------------------------------------------------------------


def work(ctx: Context) -> set[tuple[str, str]]:
    """Return what is due, and leave nothing due."""

    def take(tx: Tx) -> set[tuple[str, str]]:
        claimed = tx.queue.claim(START, timedelta(minutes=1), limit=1_000)
        for one in claimed:
            tx.queue.finish(one)
        return {(one.kind.value, one.key) for one in claimed}

    return ctx.store.write(take)


def test_history_says_who_and_why_and_both_calendars_are_looked_at(ctx: Context) -> None:
    put(ctx, "one")
    put(ctx, "two", hours=1)
    work(ctx)
    done(ctx)
    with ctx.store.read() as tx:
        row = tx.visits.history(VisitId("two"))[-1]
    assert (row.cause.actor, row.cause.source, row.cause.note) == ("cli:root", "cli", "hand-over")
    assert (row.before or {})["host"] == ANA and row.after["host"] == BETO
    due = work(ctx)
    assert {("reconcile", "ana"), ("reconcile", "beto"), ("remind", "one"), ("remind", "two")} <= due


def test_repeating_it_moves_and_tells_nothing_more(ctx: Context) -> None:
    put(ctx, "one")
    put(ctx, "stays", hours=9)
    done(ctx)
    before = everything(ctx)
    assert short(done(ctx)) == ([], [("stays", "hours")])
    assert everything(ctx) == before


def test_a_dry_run_says_the_same_and_changes_nothing(ctx: Context) -> None:
    put(ctx, "one")
    put(ctx, "stays", hours=9)
    work(ctx)
    before = everything(ctx)
    told = short(done(ctx, dry_run=True))
    assert everything(ctx) == before and work(ctx) == set()
    assert told == short(done(ctx)) == (["one"], [("stays", "hours")])


@pytest.mark.parametrize("kind", [SlotTaken, RuntimeError])
def test_what_breaks_in_the_middle_leaves_everything_as_it_was(ctx: Context, kind: type[Exception]) -> None:
    """A store that fails at the third visit: a taken slot is one visit's affair, anything else everybody's."""
    for number in range(4):
        put(ctx, f"v{number}", hours=number)
    before = everything(ctx)
    broken = replace(ctx, store=_Failing(ctx.store, 3, kind))  # type: ignore[arg-type]
    if kind is SlotTaken:
        assert short(done(broken)) == (["v0", "v1", "v3"], [("v2", "slot_taken")])
        return
    with pytest.raises(kind):
        hand_over(broken, WANTED, STAFF)
    assert everything(ctx) == before


class _Failing:
    """A store whose n-th save of a visit breaks."""

    def __init__(self, store: Store, number: int, kind: type[Exception]) -> None:
        self._store, self._left, self._kind = store, number, kind

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write(self, fn: Any) -> Any:
        return self._store.write(lambda tx: fn(_Tx(tx, self)))

    def save(self, tx: Tx, found: Visit, cause: Cause) -> Visit:
        self._left -= 1
        if self._left == 0:
            raise self._kind("ana", None) if self._kind is SlotTaken else self._kind("the disk is gone")
        return tx.visits.save(found, cause)


class _Tx:
    def __init__(self, tx: Tx, failing: _Failing) -> None:
        self._tx, self._failing = tx, failing

    def __getattr__(self, name: str) -> Any:
        return _Visits(self._tx, self._failing) if name == "visits" else getattr(self._tx, name)


class _Visits:
    def __init__(self, tx: Tx, failing: _Failing) -> None:
        self._tx, self._failing = tx, failing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx.visits, name)

    def save(self, found: Visit, cause: Cause) -> Visit:
        return self._failing.save(self._tx, found, cause)


# --- who is told ----------------------------------------------------------------------------------------------------


def test_a_client_of_three_visits_gets_one_message_that_names_all(ctx: Context) -> None:
    for number in range(3):
        put(ctx, f"eva{number}", hours=number)
    put(ctx, "luis", hours=4, contact=LUIS)
    done(ctx)
    found = notices(ctx)
    assert sorted((one.kind, one.to) for one in found) == [
        ("agent_notice", "agent:ana"),
        ("agent_notice", "agent:beto"),
        ("update", "client"),
        ("update", "client"),
    ]
    letters = {one.about: _letter(ctx, one).text for one in found if one.to == "client"}
    assert letters["eva0"].count("https://v.example/v/") == 3
    assert all(time in letters["eva0"] for time in ("10:00", "11:00", "12:00")) and "Beto" in letters["eva0"]
    assert letters["luis"].count("https://v.example/v/") == 1 and "Beto" in letters["luis"]
    mail = _letter(ctx, next(one for one in found if one.to == "agent:beto"))
    assert all(part in mail.text for part in ("Eva Díaz", "Luis Vera", "10:00", "14:00"))


def test_an_agent_who_comes_along_hears_of_those_visits_alone(ctx: Context) -> None:
    people = town.directory([town.agent("ana"), town.agent("beto"), town.agent("carla")], scheduler=False)
    project = replace(people.projects[CASAS], team=(ANA, BETO))
    ctx = replace(ctx, directory=replace(people, projects={CASAS: project}))
    put(ctx, "one", participants=(CARLA, BETO))
    put(ctx, "two", hours=1)
    done(ctx)
    told = {one.to: (one.body or {})["visits"] for one in notices(ctx) if one.kind == "agent_notice"}
    assert told == {"agent:ana": ["one", "two"], "agent:beto": ["one", "two"], "agent:carla": ["one"]}


def _letter(ctx: Context, notice: Notice) -> Any:
    with ctx.store.read() as tx:
        about = visit_of(tx, notice)
    return compose(ctx, about, notice.kind, Channel.EMAIL, notice.to, notice.body)


def test_two_people_at_one_contact_are_each_told_of_their_own(ctx: Context) -> None:
    other = replace(EVA, email="jorge@example.com")
    for number, who in enumerate((EVA, other, EVA)):
        put(ctx, f"v{number}", hours=number, contact=who, contact_id=ContactId("family"))
    done(ctx)
    told = [((one.body or {}).get("visits"), one.about) for one in notices(ctx) if one.to == "client"]
    assert sorted(told, key=lambda pair: pair[1] or "") == [(["v0", "v2"], "v0"), (None, "v1")]


def test_a_message_names_what_stands_when_it_is_sent(ctx: Context) -> None:
    for number in range(3):
        put(ctx, f"v{number}", hours=number)
    done(ctx)
    act(ctx, VisitId("v0"), Cancel(by=CancelReason.CLIENT), STAFF)
    act(ctx, VisitId("v1"), Move(start=TUESDAY + 5 * HOUR), STAFF)
    notice = next(one for one in notices(ctx) if one.kind == "update" and (one.body or {}).get("visits"))
    text = _letter(ctx, notice).text
    assert "15:00" in text and "12:00" in text and "10:00" not in text and "11:00" not in text
    assert _verdict(ctx, notice) == Skip("no_channel"), "true and wanted still; here is nobody to carry it"
    for name in ("v1", "v2"):
        act(ctx, VisitId(name), Cancel(by=CancelReason.CLIENT), STAFF)
    assert _verdict(ctx, notice) == Skip("cancelled")


def _verdict(ctx: Context, notice: Notice) -> object:
    with ctx.store.read() as tx:
        return verdict_of(ctx, tx, notice, ctx.clock.now())


# --- races and laws -------------------------------------------------------------------------------------------------


def test_a_booking_that_comes_during_the_hand_over_never_overlaps(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    store = open_store(tmp_path / "store.db", clock)
    store.write(all_read)
    ctx = context(store)
    for number in range(12):
        put(ctx, f"v{number}", hours=number / 2)
    gate = threading.Barrier(5)

    def ask(number: int) -> object:
        gate.wait()
        if number == 0:
            return done(ctx)
        start = TUESDAY + number * HOUR
        asked = Booking(project=CASAS, start=start, contact=LUIS, source=AccountId("page"), host=BETO)
        return book(ctx, asked, STAFF)

    with ThreadPoolExecutor(5) as pool:
        outcome, *bookings = pool.map(ask, range(5))
    assert isinstance(outcome, HandedOver)
    assert len(outcome.moved) + len(outcome.left) == 12
    assert sum(isinstance(one, Visit) for one in bookings) == len(outcome.left)
    _check(ctx, town.directory(scheduler=False))
    store.close()


def _check(ctx: Context, people: Directory) -> None:
    for agent in people.agents:
        with ctx.store.read() as tx:
            held = [one.guard for one in tx.visits.holds([agent], Interval(START, START + 60 * DAY))]
        assert not [(a, b) for a, b in pairwise(sorted(held)) if a.overlaps(b)]


AGENDAS = st.lists(
    st.tuples(st.sampled_from([ANA, BETO]), st.integers(0, 60), st.sampled_from([EVA, LUIS])), max_size=14
)


@settings(max_examples=60, deadline=None)
@given(agenda=AGENDAS, blocks=st.lists(st.integers(0, 50), max_size=3))
def test_whatever_the_agendas_nothing_overlaps_nothing_is_lost_and_each_is_told_once(
    agenda: list[tuple[AgentId, int, Contact]], blocks: list[int]
) -> None:
    store = open_store(":memory:", VirtualClock(START), inline=True)
    store.write(all_read)
    ctx = context(store)
    for number, (host, step, contact) in enumerate(agenda):
        try:
            put(ctx, f"v{number:02}", host, hours=step / 6, contact=contact)
        except SlotTaken:
            continue
    for number, step in enumerate(blocks):
        start = TUESDAY + timedelta(minutes=10 * step)
        one = Interval(start, start + HOUR)
        store.write(lambda tx, number=number, one=one: block(tx, calendar("beto"), f"e{number}", one))  # type: ignore[misc]
    before = hosts(ctx)
    planned = short(done(ctx, dry_run=True))
    assert hosts(ctx) == before
    outcome = done(ctx)
    assert short(outcome) == planned
    assert {one for one, host in before.items() if host == ANA} == {*planned[0], *(one for one, _ in planned[1])}
    assert hosts(ctx) == before | dict.fromkeys(planned[0], BETO)
    _check(ctx, ctx.directory)
    clients = {one.contact.name for one in outcome.moved}
    told = [one.to for one in notices(ctx)]
    assert told.count("client") == len(clients)
    assert [told.count("agent:ana"), told.count("agent:beto")] == [int(bool(clients))] * 2
    assert short(done(ctx))[0] == []
    store.close()
