"""Bookings that cannot be read again: the newest kept delivery is the witness, and never outweighs a reading."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from syncd.core.ids import AgentId
from syncd.core.interval import Interval
from syncd.core.visit import Contact, VisitState
from syncd.errors import NotFound, Unsupported
from syncd.flows.context import AccountParts, Context
from syncd.flows.ingest import ingest
from syncd.flows.keys import booking_key
from syncd.ports import Calendar, Call, RemoteBooking
from syncd.store import open_store
from syncd.store.calendars import CalendarState
from syncd.store.queue import StoredDelivery
from tests.world.clock import VirtualClock
from tests.world.town import REMOTE_STANDARD, SCHEDULER, START, TUESDAY, directory

BOOKING = RemoteBooking(
    id="7",
    active=True,
    event_type=REMOTE_STANDARD,
    interval=Interval(TUESDAY, TUESDAY + timedelta(minutes=20)),
    contact=Contact(name="Eva"),
    host_email="ana@a.example",
)


@dataclass
class Silent:
    """A scheduler that tells by webhook alone; `reads` is what it answers when it is asked after all."""

    answer: RemoteBooking | Exception = field(default_factory=lambda: Unsupported("no way to ask"))

    def booking(self, booking_id: str) -> RemoteBooking:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@dataclass
class Stage:
    ctx: Context
    scheduler: Silent
    witnesses: dict[bytes, RemoteBooking] = field(default_factory=dict)

    def told(self, call: Call) -> RemoteBooking | None:
        return self.witnesses.get(call.body)

    def deliver(self, body: bytes, booking: RemoteBooking | None, minutes: int = 0) -> None:
        """Keep a verified delivery that touches the booking."""
        if booking is not None:
            self.witnesses[body] = booking
        key = booking_key(SCHEDULER, "7")
        kept = StoredDelivery(
            id=body.decode(),
            account=SCHEDULER,
            key=body.decode(),
            headers=(),
            body=body,
            received_at=START + timedelta(minutes=minutes),
            touches=(("ingest", key),),
        )
        self.ctx.store.write(lambda tx: tx.queue.inbox_put(kept))

    def ingest(self) -> VisitState | None:
        ingest(self.ctx, booking_key(SCHEDULER, "7"), START)
        with self.ctx.store.read() as tx:
            found = tx.visits.find_by_source(SCHEDULER, "7")
        return found.state if found is not None else None


def _nobody(ref: object) -> Calendar:
    raise NotFound("no calendar stands behind this test")


@pytest.fixture
def stage() -> Iterator[Stage]:
    clock, scheduler = VirtualClock(START), Silent()
    store = open_store(":memory:", clock, inline=True)
    people = directory()
    for ref in people.calendars():
        store.write(lambda tx, ref=ref: tx.calendars.save_state(CalendarState(calendar=ref.id, read_at=START)))  # type: ignore[misc]
    made = Stage(Context(store=store, directory=people, clock=clock, calendar_of=_nobody), scheduler)
    parts = AccountParts(id=SCHEDULER, kind="webhook", scheduler=lambda: scheduler, told=made.told)  # type: ignore[arg-type, return-value]
    made.ctx = replace(made.ctx, accounts={SCHEDULER: parts})
    yield made
    store.close()


def test_what_was_signed_and_sent_is_believed_where_nobody_can_be_asked(stage: Stage) -> None:
    stage.deliver(b"made", BOOKING)
    assert stage.ingest() is VisitState.CONFIRMED


def test_the_newest_delivery_counts(stage: Stage) -> None:
    stage.deliver(b"gone", replace(BOOKING, active=False, cancelled_by="client"), minutes=5)
    stage.deliver(b"made", BOOKING)
    stage.ingest()
    with stage.ctx.store.read() as tx:
        assert tx.visits.find_by_source(SCHEDULER, "7") is None, "cancelled before it was ever seen"


def test_a_cancellation_is_believed_where_the_booking_was_deleted(stage: Stage) -> None:
    stage.scheduler.answer = BOOKING
    stage.deliver(b"made", BOOKING)
    assert stage.ingest() is VisitState.CONFIRMED
    stage.scheduler.answer = NotFound("deleted")
    stage.deliver(b"gone", replace(BOOKING, active=False, cancelled_by="client"), minutes=5)
    assert stage.ingest() is VisitState.CANCELLED


def test_an_old_delivery_does_not_bring_back_what_the_scheduler_no_longer_knows(stage: Stage) -> None:
    stage.scheduler.answer = NotFound("deleted")
    stage.deliver(b"made", BOOKING)
    assert stage.ingest() is None


def test_a_reading_outweighs_every_delivery(stage: Stage) -> None:
    stage.scheduler.answer = BOOKING
    stage.deliver(b"gone", replace(BOOKING, active=False), minutes=5)
    assert stage.ingest() is VisitState.CONFIRMED


def test_a_delivery_that_may_not_be_believed_is_no_witness(stage: Stage) -> None:
    stage.deliver(b"made", None)
    with pytest.raises(Unsupported):
        stage.ingest()


def test_the_administrators_table_says_who_the_host_is(stage: Stage) -> None:
    stage.deliver(b"made", replace(BOOKING, host_email=None, host_id="2", agent="beto"))
    stage.ingest()
    with stage.ctx.store.read() as tx:
        found = tx.visits.find_by_source(SCHEDULER, "7")
    assert found is not None and found.host == AgentId("beto")
