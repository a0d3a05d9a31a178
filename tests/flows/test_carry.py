"""What is decided here reaches a scheduler that takes changes, once, and its word is read again."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from syncd.core.ids import AgentId, VisitId
from syncd.core.interval import Interval
from syncd.core.visit import Approve, Cancel, CancelReason, Command, Contact, Move, Reassign, Reject, Visit, VisitState
from syncd.errors import NotFound, Permanent, VersionConflict
from syncd.flows.book import act
from syncd.flows.carry import carry
from syncd.flows.context import AccountParts, Context
from syncd.flows.ingest import ingest
from syncd.flows.keys import booking_key
from syncd.ports import Calendar, RemoteBooking
from syncd.runner import drain
from syncd.store import open_store
from syncd.store.calendars import CalendarState
from syncd.store.queue import WorkKind
from syncd.store.visits import Cause
from tests.world.clock import VirtualClock
from tests.world.town import HOME, REMOTE_STANDARD, SCHEDULER, START, TUESDAY, directory

ANA, BETO = AgentId("ana"), AgentId("beto")
CAUSE = Cause(at=START, actor="staff", source="api")
LENGTH = timedelta(minutes=20)


@dataclass
class Desk:
    """A scheduler with its own memory that takes every change; `refuses` makes the next ones fail."""

    rows: dict[str, RemoteBooking] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    refuses: list[Exception] = field(default_factory=list)
    stamp: datetime = START

    def _called(self, what: str) -> None:
        self.calls.append(what)
        if self.refuses:
            raise self.refuses.pop(0)

    def _save(self, booking: RemoteBooking) -> str:
        self.stamp += timedelta(seconds=1)
        self.rows[booking.id] = replace(booking, updated_at=self.stamp)
        return booking.id

    def add(self, name: str, start: datetime, *, pending: bool = False) -> str:
        interval = Interval(start, start + LENGTH)
        email = "ana@a.example"
        made = RemoteBooking(
            id=name, active=True, event_type=REMOTE_STANDARD, interval=interval, contact=Contact(name="Eva")
        )
        return self._save(replace(made, host_id="u-ana", host_email=email, pending=pending, created_at=START))

    # the scheduler's part

    def booking(self, booking_id: str) -> RemoteBooking:
        if booking_id not in self.rows:
            raise NotFound(booking_id)
        return self.rows[booking_id]

    def bookings(
        self, window: Interval, since: datetime | None = None, event_types: Collection[str] | None = None
    ) -> Iterator[RemoteBooking]:
        return iter(self.rows.values())

    def cancel(self, booking_id: str, reason: str) -> None:
        self._called(f"cancel {booking_id}")
        self._save(replace(self.booking(booking_id), active=False, cancelled_by="agent"))

    def link(self, event_type: str, request_token: str, contact: Contact | None = None) -> str:
        return "https://book.example"

    # changes

    def confirm(self, booking_id: str) -> None:
        self._called(f"confirm {booking_id}")
        self._save(replace(self.booking(booking_id), pending=False))

    def decline(self, booking_id: str, reason: str) -> None:
        self._called(f"decline {booking_id} {reason}")
        self._save(replace(self.booking(booking_id), active=False))

    def move(self, booking_id: str, start: datetime, reason: str) -> str:
        self._called(f"move {booking_id} {start:%H:%M}")
        old, new = self.booking(booking_id), f"{booking_id}+"
        self._save(replace(old, active=False, rescheduled=True, replaced_by=new))
        return self._save(replace(old, id=new, interval=Interval(start, start + LENGTH), replaces=booking_id))

    def reassign(self, booking_id: str, host_id: str) -> None:
        self._called(f"reassign {booking_id} {host_id}")
        self._save(replace(self.booking(booking_id), host_id=host_id, host_email=None))

    def hold(self, event_type: str, interval: Interval) -> str | None:
        return None


@dataclass
class Stage:
    ctx: Context
    desk: Desk

    def arrive(self, name: str) -> Visit:
        ingest(self.ctx, booking_key(SCHEDULER, name), START)
        return self.visit(name)

    def visit(self, name: str) -> Visit:
        with self.ctx.store.read() as tx:
            found = tx.visits.find_by_source(SCHEDULER, name)
        assert found is not None
        return found

    def staff(self, visit: Visit, command: Command) -> Visit:
        outcome = act(self.ctx, visit.id, command, CAUSE)
        assert isinstance(outcome, Visit), outcome
        return outcome

    def settle(self) -> None:
        drain(self.ctx)

    def waiting(self) -> set[WorkKind]:
        with self.ctx.store.read() as tx:
            return {kind for kind, (count, _) in tx.queue.depths(START).items() if count}


def _nobody(ref: object) -> Calendar:
    raise NotFound("no calendar stands behind this test")


@pytest.fixture
def make() -> Iterator[Callable[..., Stage]]:
    stores = []

    def made(*, takes_changes: bool = True) -> Stage:
        clock, desk = VirtualClock(START), Desk()
        store = open_store(":memory:", clock, inline=True)
        stores.append(store)
        people = directory()
        for ref in people.calendars():
            store.write(lambda tx, ref=ref: tx.calendars.save_state(CalendarState(calendar=ref.id, read_at=START)))  # type: ignore[misc]
        parts = AccountParts(
            id=SCHEDULER, kind="memory", scheduler=lambda: desk, changes=(lambda: desk) if takes_changes else None
        )
        home = AccountParts(id=HOME, kind="memory")
        accounts = {SCHEDULER: parts, HOME: home}
        return Stage(Context(store=store, directory=people, clock=clock, calendar_of=_nobody, accounts=accounts), desk)

    yield made
    for one in stores:
        one.close()


def test_an_approval_is_confirmed_at_the_scheduler(make: Callable[..., Stage]) -> None:
    stage = make()
    visit = stage.arrive(stage.desk.add("b1", TUESDAY, pending=True))
    assert visit.state is VisitState.PENDING
    stage.staff(visit, Approve())
    stage.settle()
    assert stage.desk.calls == ["confirm b1"]
    assert stage.visit("b1").state is VisitState.CONFIRMED and not stage.visit("b1").remote.pending


def test_a_rejection_is_declined_there(make: Callable[..., Stage]) -> None:
    stage = make()
    visit = stage.arrive(stage.desk.add("b1", TUESDAY, pending=True))
    stage.staff(visit, Reject(message="no hay luz"))
    stage.settle()
    assert stage.desk.calls == ["decline b1 no hay luz"]
    assert stage.visit("b1").cancel_reason is CancelReason.REJECTED


def test_a_move_is_made_there_and_stays_one_visit(make: Callable[..., Stage]) -> None:
    stage = make()
    visit = stage.arrive(stage.desk.add("b1", TUESDAY))
    later = TUESDAY + timedelta(hours=2)
    stage.staff(visit, Move(start=later))
    stage.settle()
    assert stage.desk.calls == [f"move b1 {later:%H:%M}"]
    moved = stage.visit("b1+")
    assert moved.id == visit.id and moved.interval.start == later and moved.source.id == "b1+"
    assert moved.remote.interval == moved.interval


def test_a_hand_over_names_the_host_by_the_schedulers_id(make: Callable[..., Stage]) -> None:
    stage = make()
    stage.ctx.store.write(lambda tx: tx.accounts.link_agent(SCHEDULER, "u-beto", BETO, None))
    visit = stage.arrive(stage.desk.add("b1", TUESDAY))
    stage.staff(visit, Reassign(host=BETO))
    stage.settle()
    assert stage.desk.calls == ["reassign b1 u-beto"]
    assert stage.visit("b1").host == stage.visit("b1").remote.host == BETO


def test_several_differences_are_carried_one_after_the_other(make: Callable[..., Stage]) -> None:
    stage = make()
    stage.ctx.store.write(lambda tx: tx.accounts.link_agent(SCHEDULER, "u-beto", BETO, None))
    visit = stage.arrive(stage.desk.add("b1", TUESDAY, pending=True))
    stage.staff(visit, Approve())
    stage.staff(visit, Move(start=TUESDAY + timedelta(hours=1), host=BETO))
    stage.settle()
    assert [one.split()[0] for one in stage.desk.calls] == ["confirm", "move", "reassign"]
    assert not stage.waiting() & {WorkKind.CARRY, WorkKind.INGEST}


def test_nothing_is_carried_to_a_scheduler_that_takes_no_change(make: Callable[..., Stage]) -> None:
    stage = make(takes_changes=False)
    visit = stage.arrive(stage.desk.add("b1", TUESDAY))
    stage.staff(visit, Move(start=TUESDAY + timedelta(hours=2)))
    stage.settle()
    assert stage.desk.calls == []
    stage.staff(stage.visit("b1"), Cancel(by=CancelReason.STAFF))
    stage.settle()
    assert stage.desk.calls == ["cancel b1"]


def test_what_the_scheduler_did_itself_is_not_carried_back(make: Callable[..., Stage]) -> None:
    stage = make()
    stage.arrive(stage.desk.add("b1", TUESDAY))
    stage.desk.move("b1", TUESDAY + timedelta(hours=3), "client")
    stage.desk.calls.clear()
    stage.arrive("b1+")
    stage.settle()
    assert stage.desk.calls == []


def test_a_booking_that_changed_there_meanwhile_is_read_again_first(make: Callable[..., Stage]) -> None:
    stage = make()
    visit = stage.arrive(stage.desk.add("b1", TUESDAY))
    stage.staff(visit, Move(start=TUESDAY + timedelta(hours=2)))
    stage.desk.refuses = [VersionConflict("changed meanwhile")]
    with pytest.raises(VersionConflict):
        carry(stage.ctx, visit.id, START)
    assert WorkKind.INGEST in stage.waiting()


def test_a_host_without_a_user_there_is_said_plainly(make: Callable[..., Stage]) -> None:
    stage = make()
    visit = stage.arrive(stage.desk.add("b1", TUESDAY))
    stage.staff(visit, Reassign(host=BETO))
    with pytest.raises(Permanent, match="scheduler_id"):
        carry(stage.ctx, VisitId(visit.id), START)
