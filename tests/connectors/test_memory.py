"""The world inside the process: it keeps the promises of the ports, and breaks them only on command."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from connectors.memory import SPEC, Author, Fault, MemorySettings, World, signed
from connectors.memory import MemoryCalendar as Calendar
from connectors.memory import MemoryHome as Home
from connectors.memory import MemoryScheduler as Scheduler
from syncd.core.ids import AccountId, CalendarId
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, EventKey, Published
from syncd.errors import (
    Ambiguous,
    AuthFailed,
    BadSignature,
    ConnectorError,
    CursorExpired,
    NotFound,
    Permanent,
    Transient,
    Unreadable,
    VersionConflict,
)
from syncd.ports import Call, ChangePage, Environment
from tests.contracts.calendar import CalendarContract, Shown
from tests.contracts.scheduler import SchedulerContract
from tests.world.clock import VirtualClock
from tests.world.town import START

DESK, CAL = AccountId("desk"), AccountId("cal")
WEEK = Interval(START - timedelta(days=2), START + timedelta(days=30))
KEY = EventKey("visit:v1", CalendarId("cal/ana"))


def hour(number: int) -> Interval:
    return Interval(START + timedelta(hours=number), START + timedelta(hours=number + 1))


@pytest.fixture
def world() -> World:
    return World(VirtualClock(START))


@dataclass
class DeskStage:
    """A desk and its people, as the scheduler contract wants them."""

    world: World
    event_type: str = "https://memory.example/visita"
    other_event_type: str = "https://memory.example/otra"
    hosts: tuple[str, str] = ("host-ana", "host-beto")
    length: timedelta = timedelta(minutes=30)
    first: datetime = START + timedelta(days=1)

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(self.world, DESK)
        self.desk = self.world.desk(DESK)
        for host in self.hosts:
            self.desk.add_host(host, f"{host}@example.com")
        for kind in (self.event_type, self.other_event_type):
            self.desk.add_kind(kind, self.length, *self.hosts)

    def book(self, start: datetime, *, event_type: str = "", link: str = "", host: str = "") -> str:
        return self.desk.book(event_type or self.event_type, start, link=link, host=host)

    def move(self, booking: str, start: datetime) -> str:
        return self.desk.move(booking, start)

    def give_up(self, booking: str) -> None:
        self.desk.give_up(booking)

    def hand_over(self, booking: str, host: str) -> None:
        self.desk.hand_over(booking, host)

    def later(self) -> datetime:
        clock = self.world.clock
        assert isinstance(clock, VirtualClock)
        clock.advance(timedelta(hours=1))
        return clock.now()


class TestTheMemoryDeskIsAScheduler(SchedulerContract):
    @pytest.fixture
    def stage(self, world: World) -> DeskStage:
        return DeskStage(world)


# --- calendars


@dataclass
class ShelfStage:
    """A calendar and its owner, as the calendar contract wants them."""

    world: World
    name: str = "ana"
    first: datetime = START + timedelta(days=3)

    def __post_init__(self) -> None:
        self.calendar = Calendar(self.world, CAL, self.name)
        self.home = Home(self.world, CAL, [self.name])
        self.shelf = self.world.shelf(CAL, self.name)

    def add(self, interval: Interval, title: str = "Dentista") -> str:
        return self.shelf.add(interval, title=title)

    def drag(self, remote_id: str, interval: Interval) -> None:
        self.shelf.drag(remote_id, interval)

    def decorate(self, remote_id: str, notes: str) -> None:
        before = self.shelf.entries[remote_id]
        self.shelf.change(remote_id, colour="red", notes=f"{before.notes}\n{notes}".strip())

    def remove(self, remote_id: str) -> None:
        self.shelf.drop(remote_id)

    def look(self, remote_id: str) -> Shown | None:
        entry = self.shelf.entries.get(remote_id)
        if entry is None:
            return None
        return Shown(
            title=entry.title,
            interval=entry.spans[0],
            location=entry.location,
            notes=f"{entry.body}\n{entry.notes}".strip(),
            decorated=entry.colour == "red",
        )

    def everything(self) -> list[str]:
        return list(self.shelf.entries)

    def forget_places(self) -> None:
        self.shelf.expire_cursors()


class TestAShelfIsACalendar(CalendarContract):
    @pytest.fixture
    def stage(self, world: World) -> ShelfStage:
        return ShelfStage(world)


def draft(at: int = 1, title: str = "Visita") -> EventDraft:
    return EventDraft(key=KEY, uid="visit-v1@syncd", interval=hour(at), time_zone="UTC", title=title)


@pytest.fixture
def ana(world: World) -> Calendar:
    return Calendar(world, CAL, "ana")


def pages(calendar: Calendar, cursor: str | None = None, known: dict[str, str] | None = None) -> list[ChangePage]:
    return list(calendar.changes(cursor, WEEK, known))


def test_a_complete_listing_has_all_entries_in_pages_and_one_cursor(world: World, ana: Calendar) -> None:
    made = {world.shelf(CAL, "ana").add(hour(number)) for number in range(10)}
    listed = pages(ana)
    assert len(listed) == 3 and all(page.complete for page in listed)
    assert {one.remote_id for page in listed for one in page.changed} == made
    assert [page.cursor is None for page in listed] == [True, True, False]


def test_a_cursor_tells_what_changed_and_what_went(world: World, ana: Calendar) -> None:
    shelf = world.shelf(CAL, "ana")
    stays, goes, moves = (shelf.add(hour(number)) for number in range(3))
    cursor = pages(ana)[-1].cursor
    shelf.drop(goes)
    shelf.drag(moves, hour(7))
    (page,) = pages(ana, cursor)
    assert [one.remote_id for one in page.changed] == [moves] and page.removed == (goes,) and not page.complete
    assert stays in {one.remote_id for one in pages(ana)[0].changed}
    assert pages(ana, page.cursor)[0].changed == ()


def test_a_listing_skips_the_bodies_of_what_is_known(world: World, ana: Calendar) -> None:
    shelf = world.shelf(CAL, "ana")
    known = shelf.entries[shelf.add(hour(1))]
    new = shelf.add(hour(2))
    (page,) = pages(ana, None, {known.remote_id: known.etag})
    assert page.unchanged == (known.remote_id,) and [one.remote_id for one in page.changed] == [new]


def test_instances_outside_the_window_are_not_shown(world: World, ana: Calendar) -> None:
    far = Interval(WEEK.end + timedelta(days=1), WEEK.end + timedelta(days=2))
    world.shelf(CAL, "ana").add(hour(1), far)
    (page,) = pages(ana)
    assert [one.interval for one in page.changed[0].events] == [hour(1)] and page.changed[0].recurring


def test_dead_and_foreign_cursors_expire(world: World, ana: Calendar) -> None:
    cursor = pages(ana)[-1].cursor
    world.shelf(CAL, "ana").expire_cursors()
    for dead in (cursor, "", "nonsense", "0:999"):
        with pytest.raises(CursorExpired):
            pages(ana, dead)


def test_creating_twice_makes_one_entry(world: World, ana: Calendar) -> None:
    ana.put(draft(), None)
    again = ana.put(draft(title="Otra"), None)
    (entry,) = world.shelf(CAL, "ana").entries.values()
    assert (entry.title, entry.etag, entry.author) == ("Otra", again.etag, Author.SYNCD)


def test_a_newer_entry_is_neither_overwritten_nor_deleted(world: World, ana: Calendar) -> None:
    put = ana.put(draft(), None)
    world.shelf(CAL, "ana").drag(put.remote_id, hour(4))
    with pytest.raises(VersionConflict):
        ana.put(draft(2), put)
    with pytest.raises(VersionConflict):
        ana.delete(put)


def test_an_update_keeps_what_is_the_agents_own(world: World, ana: Calendar) -> None:
    put = ana.put(draft(), None)
    shelf = world.shelf(CAL, "ana")
    seen = shelf.change(put.remote_id, colour="red", notes="traer llaves")
    ana.put(
        draft(3),
        Published(key=KEY, uid=put.uid, remote_id=put.remote_id, etag=seen.etag, content_hash="", interval=hour(1)),
    )
    after = shelf.entries[put.remote_id]
    assert (after.colour, after.notes, after.spans) == ("red", "traer llaves", (hour(3),))


def test_deleting_the_absent_is_a_success_and_updating_it_is_not(world: World, ana: Calendar) -> None:
    put = ana.put(draft(), None)
    ana.delete(put)
    ana.delete(put)
    with pytest.raises(NotFound):
        ana.put(draft(), put)


def test_finding_looks_for_our_own_and_leaves_copies(world: World, ana: Calendar) -> None:
    assert ana.find(KEY, "visit-v1@syncd") is None
    put = ana.put(draft(), None)
    world.shelf(CAL, "ana").copy(put.remote_id, hour(5))
    found = ana.find(KEY, "visit-v1@syncd")
    assert found is not None and (found.remote_id, found.etag) == (put.remote_id, put.etag)
    ana.delete(put)
    assert ana.find(KEY, "visit-v1@syncd") is None


def test_touching_a_persons_entry_is_noted_as_a_trespass(world: World, ana: Calendar) -> None:
    shelf = world.shelf(CAL, "ana")
    entry = shelf.entries[shelf.add(hour(1))]
    assert not world.trespasses()
    theirs = Published(
        key=KEY, uid=entry.uid, remote_id=entry.remote_id, etag=entry.etag, content_hash="", interval=hour(1)
    )
    ana.delete(theirs)
    assert len(world.trespasses()) == 1


def test_a_calendar_that_is_gone_is_not_found(world: World, ana: Calendar) -> None:
    world.shelf(CAL, "ana").missing = True
    with pytest.raises(NotFound):
        pages(ana)


def test_marks_change_with_their_calendar_only(world: World) -> None:
    assert SPEC.home is not None
    world.shelf(CAL, "ana").add(hour(1))
    world.shelf(CAL, "beto")
    home = SPEC.home(CAL, settings_of(world), environment(world), ["ana", "beto"])
    before = dict(home.marks())
    world.shelf(CAL, "ana").add(hour(2))
    after = dict(home.marks())
    assert before["beto"] == after["beto"] and before["ana"] != after["ana"]


# --- the spec, hooks and push


def settings_of(world: World) -> MemorySettings:
    from connectors import _memory_world

    name = f"test-{id(world)}"
    _memory_world.WORLDS[name] = world
    return MemorySettings(world=name)


def environment(world: World) -> Environment:
    return Environment(clock=world.clock, secret=lambda purpose: b"", public_url="https://visitas.example")


def test_a_booking_posts_a_signed_call_to_every_live_subscription(world: World) -> None:
    assert SPEC.push is not None and SPEC.hook is not None
    stage, settings = DeskStage(world), settings_of(world)
    push = SPEC.push(DESK, settings, environment(world))
    made = push.subscribe("https://visitas.example/hook/desk/1")
    world.desk(DESK).subscribe("https://other.example/hook")
    assert [one.id for one in push.subscriptions()] == [made.id]
    old = stage.book(stage.first)
    new = stage.move(old, stage.first + timedelta(days=1))
    ours = [post for post in stage.desk.posts if post.callback == made.callback]
    assert len(ours) == 3
    read = SPEC.hook(DESK, settings, Call(headers=signed("memory", ours[-1].body), body=ours[-1].body, now=START))
    assert [(one.kind, one.key) for one in read.touches] == [("ingest", f"desk|{new}"), ("ingest", f"desk|{old}")]
    with pytest.raises(BadSignature):
        SPEC.hook(DESK, settings, Call(headers=signed("other", ours[0].body), body=ours[0].body, now=START))
    push.unsubscribe(made)
    assert not push.subscriptions()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"booking":7}', b'{"booking":NaN}'])
def test_a_signed_body_that_means_nothing_is_a_dead_letter(world: World, body: bytes) -> None:
    assert SPEC.hook is not None
    assert SPEC.hook(DESK, settings_of(world), Call(headers=signed("memory", body), body=body, now=START)).unreadable


def test_subscribing_an_address_twice_is_refused(world: World) -> None:
    world.desk(DESK).subscribe("https://visitas.example/hook/desk/1")
    with pytest.raises(Permanent):
        world.desk(DESK).subscribe("https://visitas.example/hook/desk/1")


def test_the_desk_writes_moves_and_removes_its_own_entries(world: World) -> None:
    stage = DeskStage(world)
    shelf = world.shelf(CAL, "ana")
    stage.desk.add_host("host-ana", "ana@example.com", shelf, late=True)
    old = stage.book(stage.first, host="host-ana")
    assert not shelf.entries
    stage.desk.write_entries()
    assert [one.author for one in shelf.entries.values()] == [Author.SCHEDULER]
    assert stage.scheduler.booking(old).calendar_entry in {one.uid for one in shelf.entries.values()}
    new = stage.move(old, stage.first + timedelta(days=1))
    stage.desk.write_entries()
    assert [one.uid for one in shelf.entries.values()] == [stage.scheduler.booking(new).calendar_entry]
    stage.give_up(new)
    assert not shelf.entries


def test_seats_of_a_group_share_one_event(world: World) -> None:
    stage = DeskStage(world)
    stage.desk.add_kind("grupo", timedelta(hours=1), "host-ana", seats=2)
    events = [stage.scheduler.booking(stage.book(stage.first, event_type="grupo")).event_id for _ in range(3)]
    assert events[0] == events[1] != events[2]


def test_its_times_never_repeat_even_while_the_clock_stands_still(world: World) -> None:
    stage = DeskStage(world)
    times = [stage.scheduler.booking(stage.book(stage.first)).updated_at for _ in range(3)]
    assert len(set(times)) == 3


# --- faults


ERRORS: dict[Fault, type[ConnectorError]] = {
    Fault.DROP_BEFORE: Ambiguous,
    Fault.DROP_AFTER: Ambiguous,
    Fault.THROTTLE: Transient,
    Fault.SERVER_ERROR: Transient,
    Fault.REVOKE: AuthFailed,
}


@pytest.mark.parametrize("fault", ERRORS)
def test_a_fault_on_a_write_raises_what_a_connector_would(world: World, ana: Calendar, fault: Fault) -> None:
    world.faults.order(CAL, "put", fault)
    with pytest.raises(ERRORS[fault]):
        ana.put(draft(), None)
    assert len(world.shelf(CAL, "ana").entries) == (fault is Fault.DROP_AFTER)
    assert world.faults.struck[fault] == 1


def test_a_revoked_login_stays_refused_until_somebody_signs_in(world: World, ana: Calendar) -> None:
    world.faults.order(CAL, "changes", Fault.REVOKE)
    for _ in range(2):
        with pytest.raises(AuthFailed):
            pages(ana)
    world.sign_in(CAL)
    assert pages(ana)


READING: list[tuple[Fault, type[ConnectorError]]] = [
    (Fault.GARBAGE, Unreadable),
    (Fault.PAGE_TWO, Transient),
    (Fault.CURSOR, CursorExpired),
    (Fault.DROP_AFTER, Transient),
    (Fault.SERVER_ERROR, Transient),
]


@pytest.mark.parametrize(("fault", "error"), READING)
def test_a_fault_in_a_reading_breaks_it(world: World, ana: Calendar, fault: Fault, error: type[Exception]) -> None:
    cursor = pages(ana)[-1].cursor
    for number in range(9):
        world.shelf(CAL, "ana").add(hour(number))
    world.faults.order(CAL, "changes", fault)
    with pytest.raises(error):
        pages(ana, cursor)


def test_lies_of_a_reading(world: World, ana: Calendar) -> None:
    shelf = world.shelf(CAL, "ana")
    first = shelf.add(hour(1))
    cursor = pages(ana)[-1].cursor
    second = shelf.add(hour(2))
    world.faults.order(CAL, "changes", Fault.STALE, Fault.EMPTY, Fault.STALE, Fault.EMPTY, Fault.DUPLICATE)
    assert pages(ana, cursor)[-1].cursor == cursor
    assert pages(ana, cursor)[-1].changed == ()
    assert [one.remote_id for one in pages(ana)[0].changed] == [first]
    empty = pages(ana)
    assert [page.changed for page in empty] == [()] and empty[0].complete
    assert [[one.remote_id for one in page.changed] for page in pages(ana, cursor)] == [[second], [second]]


def test_an_answer_that_is_late_finds_a_changed_world(world: World, ana: Calendar) -> None:
    put = ana.put(draft(), None)
    world.meanwhile = lambda: world.shelf(CAL, "ana").drop(put.remote_id)
    world.faults.order(CAL, "find", Fault.DELAY)
    assert ana.find(KEY, put.uid) is not None
    assert not world.shelf(CAL, "ana").entries


def test_a_repeated_write_is_conditional_and_counts_once(world: World, ana: Calendar) -> None:
    world.faults.order(CAL, "put", Fault.DUPLICATE)
    put = ana.put(draft(), None)
    assert world.shelf(CAL, "ana").entries[put.remote_id].etag == put.etag


def test_a_call_before_its_time_is_noted(world: World, ana: Calendar) -> None:
    world.faults.order(CAL, "changes", Fault.THROTTLE)
    with pytest.raises(Transient):
        pages(ana)
    pages(ana)
    assert len(world.hasty) == 1
    stage_later(world)
    pages(ana)
    assert len(world.hasty) == 1


def stage_later(world: World) -> None:
    clock: Any = world.clock
    clock.advance(timedelta(seconds=8))


def test_lies_of_a_scheduler(world: World) -> None:
    stage = DeskStage(world)
    old = stage.book(stage.first)
    stage.give_up(old)
    week = Interval(stage.first - timedelta(days=1), stage.first + timedelta(days=1))
    world.faults.order(DESK, "booking", Fault.STALE)
    world.faults.order(DESK, "bookings", Fault.STALE, Fault.EMPTY)
    assert stage.scheduler.booking(old).active
    assert [one.active for one in stage.scheduler.bookings(week)] == [True]
    assert not list(stage.scheduler.bookings(week))
    new = stage.book(stage.first)
    world.faults.order(DESK, "booking", Fault.STALE)
    with pytest.raises(NotFound):
        stage.scheduler.booking(new)
    world.faults.order(DESK, "cancel", Fault.DROP_AFTER)
    with pytest.raises(Ambiguous):
        stage.scheduler.cancel(new, "lluvia")
    assert not stage.scheduler.booking(new).active
