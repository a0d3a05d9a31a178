"""What availability is told of hosts, from a real store; and that what is kept is never stale."""

import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncd.core.availability import HostTime
from syncd.core.busy import BusyBlock
from syncd.core.directory import CalendarRef, CalendarRole, Directory
from syncd.core.event_type import EventType, Window
from syncd.core.hours import day_interval
from syncd.core.ids import AccountId, AgentId, CalendarId, VisitId
from syncd.core.interval import Interval
from syncd.core.visit import Cancel, CancelReason, Contact, Refused, Slot, Visit, VisitState
from syncd.errors import SlotTaken
from syncd.flows.book import Booking, Place, act, book, judge, offer, place_of
from syncd.flows.context import Context
from syncd.flows.hosts import busy_calendars, day_around, host_time, offered, why_closed
from syncd.ports import Calendar
from syncd.store import Store, Tx, open_store
from syncd.store.calendars import Entry
from syncd.store.sqlite_db import connect
from syncd.store.visits import Cause
from tests.core.values import visit
from tests.world import town
from tests.world.clock import VirtualClock
from tests.world.town import CASAS, START, TUESDAY, VISITA, ZONE

ANA, BETO = AgentId("ana"), AgentId("beto")
DAY, THAT_DAY = timedelta(days=1), TUESDAY.date()
AHEAD = Interval(START, START + 30 * DAY)
CAUSE = Cause(at=START, actor="test", source="test")


def calendar(agent: str, role: str = "publish") -> CalendarId:
    return CalendarId(f"cal/{agent}-{role}")


def no_calendar(ref: CalendarRef) -> Calendar:
    raise AssertionError(f"nobody should ask for the calendar {ref.id}")


def context(store: Store, directory: Directory | None = None) -> Context:
    people = directory or town.directory(scheduler=False)
    return Context(store=store, directory=people, clock=VirtualClock(START), calendar_of=no_calendar)


@pytest.fixture
def store() -> Iterator[Store]:
    found = open_store(":memory:", VirtualClock(START), inline=True)
    found.write(all_read)
    yield found
    found.close()


def read_at(tx: Tx, name: CalendarId, at: datetime | None = START, attention: str = "") -> None:
    tx.calendars.save_state(replace(tx.calendars.state(name), read_at=at, attention=attention))


def all_read(tx: Tx) -> None:
    for name in ("ana", "beto"):
        read_at(tx, calendar(name))


def block(tx: Tx, where: CalendarId, name: str, interval: Interval, *, all_day: bool = False) -> None:
    one = BusyBlock(calendar=where, remote_id=name, uid=name, interval=interval, all_day=all_day)
    tx.calendars.put_entries(where, [Entry(remote_id=name, uid=name, etag="1", blocks=(one,))])


def hold(tx: Tx, name: str, host: AgentId, start: datetime, **changes: object) -> Visit:
    interval = Interval(start, start + VISITA.duration)
    guard = interval.pad(timedelta(0), VISITA.buffer_after)
    values = {"id": VisitId(name), "host": host, "interval": interval, "guard": guard, "event_type": VISITA.id}
    return tx.visits.save(visit(**(values | changes)), CAUSE)


def time_of(ctx: Context, agent: AgentId = ANA, window: Interval | None = None, **changes: object) -> HostTime:
    kind = changes.pop("event_type", VISITA)
    around = window or day_around(TUESDAY, ZONE)
    with ctx.store.read() as tx:
        return host_time(tx, ctx.directory, agent, kind, around, START, ctx.directory.projects[CASAS], **changes)  # type: ignore[arg-type]


def clocks(slots: list[Slot] | Refused, day: date = THAT_DAY) -> dict[str, int]:
    """Return the local clock times listed on one day, with the number of free hosts."""
    assert not isinstance(slots, Refused)
    local = [(slot.interval.start.astimezone(ZoneInfo(ZONE)), slot.hosts_free) for slot in slots]
    return {f"{start:%H:%M}": free for start, free in local if start.date() == day}


# --- whether busy time is known -------------------------------------------------------------------------------------


def reason(ctx: Context, now: datetime, **limits: timedelta) -> str | None:
    project = replace(ctx.directory.projects[CASAS], **limits)  # type: ignore[arg-type]
    with ctx.store.read() as tx:
        return why_closed(tx, ctx.directory, ctx.directory.agents[ANA], now, project)


def test_a_host_is_closed_while_a_calendar_was_never_read_is_too_old_or_needs_attention(store: Store) -> None:
    ctx = context(store)
    half_an_hour = timedelta(minutes=30)
    assert reason(ctx, START + half_an_hour) is None
    assert (
        reason(ctx, START + half_an_hour + timedelta(seconds=1)) == "cal/ana-publish was last read at 2026-05-04 12:00Z"
    )
    store.write(lambda tx: read_at(tx, calendar("ana"), attention="an entry makes no sense"))
    assert reason(ctx, START) == "cal/ana-publish: an entry makes no sense"
    store.write(lambda tx: read_at(tx, calendar("ana"), at=None))
    assert reason(ctx, START) == "cal/ana-publish has never been read"


def test_a_project_may_ask_for_fresher_calendars(store: Store) -> None:
    later = START + timedelta(minutes=6)
    assert reason(context(store), later) is None
    assert "last read" in str(reason(context(store), later, max_staleness=timedelta(minutes=5)))


def test_every_calendar_but_the_mirrors_counts(store: Store) -> None:
    roles = (CalendarRole.PUBLISH, CalendarRole.BUSY, CalendarRole.MIRROR)
    ctx = context(store, town.directory([town.agent("ana", *roles)]))
    assert busy_calendars(ctx.directory.agents[ANA]) == [calendar("ana"), calendar("ana", "busy")]
    assert reason(ctx, START) == "cal/ana-busy has never been read"
    store.write(lambda tx: read_at(tx, calendar("ana", "busy")))
    assert reason(ctx, START) is None


# --- what one host's time is made of --------------------------------------------------------------------------------


def test_blocks_of_every_calendar_come_in_order_and_mirrors_do_not_block(store: Store) -> None:
    roles = (CalendarRole.PUBLISH, CalendarRole.BUSY, CalendarRole.MIRROR)
    ctx = context(store, town.directory([town.agent("ana", *roles)]))
    spans = [Interval(TUESDAY + timedelta(hours=hour), TUESDAY + timedelta(hours=hour + 1)) for hour in range(4)]

    def put(tx: Tx) -> None:
        for number, role in enumerate(("busy", "publish", "mirror", "publish")):
            block(tx, calendar("ana", role), f"e{number}", spans[number])

    store.write(put)
    assert list(time_of(ctx).busy) == [spans[0].epoch, spans[1].epoch, spans[3].epoch]


def test_an_all_day_event_blocks_unless_the_event_type_ignores_it(store: Store) -> None:
    """S13: the ignoring event type is free on that day, others are not."""
    ctx = context(store)
    day = day_around(TUESDAY, ZONE)
    store.write(lambda tx: block(tx, calendar("ana"), "holiday", day, all_day=True))
    assert list(time_of(ctx).busy) == [day.epoch]
    assert list(time_of(ctx, event_type=replace(VISITA, all_day_blocks=False)).busy) == []


def test_what_begins_before_the_window_and_reaches_into_it_counts(store: Store) -> None:
    ctx = context(store)
    long = Interval(TUESDAY - 5 * DAY, TUESDAY)
    store.write(lambda tx: block(tx, calendar("ana"), "journey", long))
    night = day_around(TUESDAY, ZONE).start - timedelta(minutes=15)
    store.write(lambda tx: hold(tx, "night", ANA, night))
    assert list(time_of(ctx).busy) == [long.epoch]
    assert list(time_of(ctx).holds) == [(int(night.timestamp()), int(night.timestamp()) + 1800)]


def test_a_buffer_reaches_into_the_night_before(store: Store) -> None:
    """A block that ends before midnight still counts for a visit whose buffer begins before it."""
    ctx = context(store)
    day = day_around(TUESDAY, ZONE)
    evening = Interval(day.start - timedelta(hours=1), day.start - timedelta(minutes=10))
    store.write(lambda tx: block(tx, calendar("ana"), "dinner", evening))
    assert list(time_of(ctx).busy) == []
    assert list(time_of(ctx, event_type=replace(VISITA, buffer_before=timedelta(minutes=20))).busy) == [evening.epoch]


def test_a_visit_about_to_move_does_not_stand_in_its_own_way(store: Store) -> None:
    kind = replace(VISITA, daily_cap=3)
    ctx = context(store, town.directory(event_type=kind))
    store.write(lambda tx: [hold(tx, "a", ANA, TUESDAY), hold(tx, "b", ANA, TUESDAY + timedelta(hours=1))])
    own = time_of(ctx, event_type=kind, ignoring=VisitId("a"))
    assert (len(own.holds), dict(own.counts)) == (1, {TUESDAY.date(): 1})
    everything = time_of(ctx, event_type=kind)
    assert (len(everything.holds), dict(everything.counts)) == (2, {TUESDAY.date(): 2})


def test_the_cap_counts_active_visits_of_the_type_whether_or_not_they_hold_time(store: Store) -> None:
    ctx = context(store)
    kind = replace(VISITA, daily_cap=3)
    at = [TUESDAY + timedelta(hours=number) for number in range(6)]

    def put(tx: Tx) -> None:
        hold(tx, "confirmed", ANA, at[0])
        hold(tx, "pending", ANA, at[1], state=VisitState.PENDING, holds=False)
        hold(tx, "lost", ANA, at[2], state=VisitState.CONFLICT, holds=False)
        hold(tx, "cancelled", ANA, at[3], state=VisitState.CANCELLED, holds=False)
        hold(tx, "other", ANA, at[4], event_type="another type")
        hold(tx, "colleague's", BETO, at[5])

    store.write(put)
    assert dict(time_of(ctx, event_type=kind).counts) == {TUESDAY.date(): 2}
    assert dict(time_of(ctx).counts) == {}  # no cap: nobody counts


def test_a_day_of_twenty_five_hours_is_counted_whole(store: Store) -> None:
    day = day_interval(date(2026, 4, 4), ZONE)
    kind = replace(VISITA, daily_cap=9)
    ctx = context(store)
    starts = (day.start, day.end - VISITA.duration)
    store.write(lambda tx: [hold(tx, f"v{number}", ANA, start) for number, start in enumerate(starts)])
    late = Interval(day.end - timedelta(minutes=1), day.end)
    assert dict(time_of(ctx, window=late, event_type=kind).counts) == {date(2026, 4, 4): 2}


# --- what is offered ------------------------------------------------------------------------------------------------


def asked(ctx: Context, now: datetime = START, window: Interval = AHEAD) -> list[Slot]:
    found = offer(ctx, CASAS, None, window, now)
    assert not isinstance(found, Refused)
    return found


def test_offers_follow_every_kind_of_change(store: Store) -> None:
    ctx = context(store)
    everything = clocks(asked(ctx))
    assert len(everything) == 18 and set(everything.values()) == {2}
    store.write(lambda tx: block(tx, calendar("ana"), "dentist", Interval(TUESDAY, TUESDAY + timedelta(hours=1))))
    assert clocks(asked(ctx)) == everything | {"09:30": 2, "10:00": 1, "10:30": 1}
    made = store.write(lambda tx: hold(tx, "v", BETO, TUESDAY))
    assert clocks(asked(ctx)) == {one: free for one, free in everything.items() if one != "10:00"} | {"10:30": 1}
    store.write(lambda tx: tx.visits.save(replace(made, host=ANA, interval=made.interval, holds=True), CAUSE))
    assert clocks(asked(ctx)) == everything | {"10:00": 1, "10:30": 1}
    store.write(lambda tx: tx.calendars.drop_entries(calendar("ana"), ["dentist"]))
    assert clocks(asked(ctx)) == everything | {"10:00": 1}
    act(ctx, VisitId("v"), Cancel(by=CancelReason.CLIENT), CAUSE)
    assert clocks(asked(ctx)) == everything


def test_offers_follow_the_age_of_calendars_and_the_present(store: Store) -> None:
    ctx = context(store)
    assert clocks(asked(ctx))["10:00"] == 2
    later = START + timedelta(minutes=31)
    assert asked(ctx, later) == []
    store.write(lambda tx: tx.calendars.fresh([calendar("beto")], later))
    assert clocks(asked(ctx, later))["10:00"] == 1
    eve = TUESDAY - timedelta(hours=11)
    store.write(lambda tx: tx.calendars.fresh([calendar("ana"), calendar("beto")], eve))
    assert next(iter(clocks(asked(ctx, eve)))) == "11:00"


def test_offers_follow_the_image_that_a_store_becomes(store: Store) -> None:
    ctx = context(store)
    image = store.snapshot()
    store.write(lambda tx: hold(tx, "v", ANA, TUESDAY))
    assert clocks(asked(ctx))["10:00"] == 1
    store.load(image)
    store.write(lambda tx: hold(tx, "v", ANA, TUESDAY + timedelta(hours=1)))
    assert (clocks(asked(ctx))["10:00"], clocks(asked(ctx))["11:00"]) == (2, 1)


def test_a_context_with_another_directory_keeps_nothing_of_the_old_one(store: Store) -> None:
    ctx = context(store)
    assert len(clocks(asked(ctx))) == 18
    short = replace(town.WEEKDAYS, weekly=(((time(9), time(10)),),) * 7)
    other = replace(ctx, directory=replace(ctx.directory, hours={town.OFFICE: short}))
    assert len(clocks(asked(other))) == 2


def test_a_window_of_no_length_offers_nothing(store: Store) -> None:
    ctx = context(store, town.directory(event_type=replace(VISITA, window=Window(ahead=timedelta(0)))))
    assert asked(ctx) == []


def test_two_days_later_two_days_more_are_offered_though_nothing_else_changed(store: Store) -> None:
    people = town.directory(scheduler=False)
    ctx = context(store, replace(people, policy=replace(people.policy, max_staleness=3 * DAY)))
    assert max(slot.interval.start for slot in asked(ctx)).date() == date(2026, 5, 25)
    assert max(slot.interval.start for slot in asked(ctx, START + 2 * DAY)).date() == date(2026, 5, 27)


def test_a_guard_beyond_the_booking_window_still_keeps_its_distance(store: Store) -> None:
    """On the last day a visit at 23:30 needs ten minutes of the day after."""
    always = replace(town.WEEKDAYS, weekly=(((time(0), time.max),),) * 7)
    kind = replace(VISITA, buffer_after=timedelta(minutes=20))
    people = town.directory([town.agent("ana")], event_type=kind)
    ctx = context(store, replace(people, hours={town.OFFICE: always}))
    last, midnight = date(2026, 5, 25), day_interval(date(2026, 5, 25), ZONE).end
    for minute, offered_at_half_past in ((10, True), (9, False)):
        flight = Interval(midnight + timedelta(minutes=minute), midnight + timedelta(hours=1))
        store.write(lambda tx, at=flight: block(tx, calendar("ana"), "flight", at))  # type: ignore[misc]
        assert ("23:30" in clocks(asked(ctx), last)) is offered_at_half_past
        assert "23:00" in clocks(asked(ctx), last)


# --- kept, and never stale ------------------------------------------------------------------------------------------


class Heard:
    """Counts what a store's readers ask, by a piece of the query's text."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def connect(self, uri: str) -> sqlite3.Connection:
        connection = connect(uri)
        connection.set_trace_callback(self.statements.append)
        return connection

    def take(self, text: str) -> int:
        counted = sum(text in one for one in self.statements)
        self.statements.clear()
        return counted


def test_only_the_host_who_changed_is_worked_out_anew(tmp_path: Path) -> None:
    heard = Heard()
    store = open_store(tmp_path / "s.db", VirtualClock(START), connect=heard.connect)
    store.write(all_read)
    ctx = context(store)
    asked(ctx)
    assert heard.take("JOIN busy") == 2
    asked(ctx)
    assert heard.take("JOIN busy") == 0
    store.write(lambda tx: block(tx, calendar("ana"), "e", Interval(TUESDAY, TUESDAY + DAY)))
    heard.take("")
    asked(ctx)
    assert heard.take("JOIN busy") == 1
    store.write(lambda tx: hold(tx, "v", BETO, TUESDAY))
    heard.take("")
    asked(ctx)
    assert heard.take("JOIN busy") == 1
    store.close()


def test_what_readers_get_is_what_their_own_snapshot_holds_while_others_write(tmp_path: Path) -> None:
    store = open_store(tmp_path / "s.db", VirtualClock(START))
    store.write(all_read)
    ctx = context(store)
    project, done = ctx.directory.projects[CASAS], threading.Event()
    answers: set[int] = set()

    def ask() -> int:
        asked_times = 0
        while not done.is_set() or asked_times < 20:
            with store.read() as tx:
                kept = offered(ctx, tx, project.team, VISITA, project, AHEAD, START)
                fresh = offered(replace(ctx), tx, project.team, VISITA, project, AHEAD, START)
            assert kept == fresh
            answers.add(sum(slot.hosts_free for slot in kept))
            asked_times += 1
        return asked_times

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(ask) for _ in range(3)]
        for number in range(40):
            start = TUESDAY + number % 8 * timedelta(hours=1)
            store.write(lambda tx, at=start, number=number: toggle(tx, number, at))  # type: ignore[misc]
        done.set()
        assert all(reader.result(timeout=60) for reader in readers)
    assert len(answers) > 1
    store.close()


def toggle(tx: Tx, number: int, start: datetime) -> None:
    """Let a block of Ana's and a visit of Beto's come and go."""
    if number % 16 < 8:
        block(tx, calendar("ana"), f"e{number % 8}", Interval(start, start + timedelta(hours=1)))
        hold(tx, f"v{number}", BETO, start)
    else:
        tx.calendars.drop_entries(calendar("ana"), [f"e{number % 8}"])
        tx.visits.save(
            replace(tx.visits.get(VisitId(f"v{number - 8}")), state=VisitState.CANCELLED, holds=False), CAUSE
        )


class Walk:
    """A random walk of changes over one store, from a seed."""

    def __init__(self, ctx: Context, seed: int) -> None:
        self.ctx, self.chance = ctx, random.Random(seed)
        self.now = START
        self.names = 0

    def step(self) -> None:
        change: Callable[[Tx], object] = self.chance.choice(
            [self.busy, self.busy, self.free, self.visit, self.visit, self.change_visit, self.read, self.notice]
        )
        self.ctx.store.write(change)
        self.now += timedelta(minutes=self.chance.choice((0, 0, 5, 40, 60 * 24)))

    def agent(self) -> AgentId:
        return self.chance.choice((ANA, BETO))

    def start(self) -> datetime:
        return self.now.replace(minute=0) + timedelta(minutes=15 * self.chance.randrange(96 * 12))

    def busy(self, tx: Tx) -> None:
        start, length = self.start(), timedelta(minutes=self.chance.randint(1, 300))
        name = f"e{self.chance.randrange(6)}"
        block(tx, calendar(self.agent()), name, Interval(start, start + length), all_day=self.chance.random() < 0.3)

    def free(self, tx: Tx) -> None:
        tx.calendars.drop_entries(calendar(self.agent()), [f"e{self.chance.randrange(6)}"])

    def visit(self, tx: Tx) -> None:
        self.names += 1
        with suppress(SlotTaken):
            hold(tx, f"v{self.names}", self.agent(), self.start())

    def change_visit(self, tx: Tx) -> None:
        known = tx.visits.search(states=[VisitState.CONFIRMED])
        if known:
            one = self.chance.choice(known)
            gone = replace(one, state=VisitState.CANCELLED, holds=False)
            with suppress(SlotTaken):
                tx.visits.save(self.chance.choice((gone, replace(one, host=self.agent()))), CAUSE)

    def read(self, tx: Tx) -> None:
        tx.calendars.fresh([calendar(self.agent())], self.now)

    def notice(self, tx: Tx) -> None:
        """Find an entry that makes no sense, or that it makes sense again."""
        state = tx.calendars.state(calendar(self.agent()))
        tx.calendars.save_state(replace(state, attention="" if state.attention else "odd"))


EVENT_TYPES = (
    VISITA,
    replace(VISITA, daily_cap=1, same_day=True, minimum_notice=timedelta(0)),
    replace(VISITA, all_day_blocks=False, buffer_before=timedelta(minutes=20), increment=timedelta(minutes=15)),
)


@given(st.integers(0, 2**64), st.sampled_from(EVENT_TYPES))
@settings(max_examples=60)
def test_after_every_change_what_is_offered_is_what_is_accepted(seed: int, kind: EventType) -> None:
    """S20 through the store: kept slots against judging each start, which never looks at what is kept."""
    store = open_store(":memory:", VirtualClock(START), inline=True)
    people = town.directory(event_type=kind)
    loose = replace(people, policy=replace(people.policy, max_staleness=2 * DAY))
    ctx = context(store, loose)
    store.write(all_read)
    walk = Walk(ctx, seed)
    for _ in range(12):
        walk.step()
        day = day_around(walk.now + walk.chance.randrange(9) * DAY, ZONE)
        found = {slot.interval.start: slot.hosts_free for slot in asked(ctx, walk.now, day)}
        starts = {day.start + walk.chance.randrange(96) * timedelta(minutes=15) for _ in range(12)}
        for start in {*found, *starts}:
            assert found.get(start, 0) == accepting(ctx, start, walk.now), start
    store.close()


def accepting(ctx: Context, start: datetime, now: datetime) -> int:
    """Count the hosts who would take a visit at this start."""
    place = place_of(ctx, CASAS, None)
    assert isinstance(place, Place)
    with ctx.store.read() as tx:
        return sum(judge(ctx, tx, place, agent, start, now) is None for agent in place.project.team)


def test_each_listed_start_is_accepted_when_it_is_booked_on_a_copy(store: Store) -> None:
    """S20: on a copy of the state, through the same door as a client."""
    ctx = context(store, town.directory([town.agent("ana")]))
    store.write(lambda tx: block(tx, calendar("ana"), "e", Interval(TUESDAY, TUESDAY + timedelta(hours=3))))
    listed = asked(ctx, window=day_around(TUESDAY, ZONE))
    image = store.snapshot()
    assert len(listed) == 12
    for slot in listed:
        made = book(ctx, booking(slot.interval.start), CAUSE)
        assert isinstance(made, Visit) and made.interval == slot.interval
        assert slot not in asked(ctx, window=day_around(TUESDAY, ZONE))
        store.load(image)


def booking(start: datetime) -> Booking:
    return Booking(project=CASAS, start=start, contact=Contact(name="Eva"), source=AccountId("api"))


@pytest.mark.parametrize(
    ("start", "why"),
    [
        (TUESDAY, "busy"),
        (TUESDAY + timedelta(hours=1), "slot_taken"),
        (TUESDAY + timedelta(minutes=125), "not_offered"),
        (TUESDAY - timedelta(hours=2), "hours"),
        (START + timedelta(hours=5), "notice"),
        (TUESDAY + 21 * DAY, "window"),
    ],
)
def test_an_unlisted_start_is_refused_with_its_reason_and_the_nearest_slots(
    store: Store, start: datetime, why: str
) -> None:
    ctx = context(store, town.directory([town.agent("ana")]))

    def put(tx: Tx) -> None:
        block(tx, calendar("ana"), "e", Interval(TUESDAY, TUESDAY + timedelta(minutes=30)))
        hold(tx, "v", ANA, TUESDAY + timedelta(hours=1))

    store.write(put)
    refused = book(ctx, booking(start), CAUSE)
    assert isinstance(refused, Refused) and refused.reason == why
    nearest = sorted(asked(ctx), key=lambda slot: (abs(slot.interval.start - start), slot.interval.start))[:5]
    within = [slot for slot in nearest if abs(slot.interval.start - start) <= 7 * DAY]
    assert set(within) <= set(refused.alternatives) and len(refused.alternatives) <= 5
