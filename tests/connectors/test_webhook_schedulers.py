"""Three schedulers that are only known by their presets, held to the contract of a scheduler where they can keep it.

None of them tells who cancelled, and a move keeps the id; Easy!Appointments deletes what is cancelled.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from syncd.errors import NotFound
from tests.connectors.webhook_stage import (
    AcuityStage,
    EasyAppointmentsStage,
    SavvyCalStage,
    acuity_table,
    easyappointments_table,
    running,
    savvycal_table,
)
from tests.contracts.scheduler import SchedulerContract, SchedulerStage
from tests.servers.webhook_acuity import Acuity
from tests.servers.webhook_easyappointments import EasyAppointments
from tests.servers.webhook_savvycal import SavvyCal


@pytest.fixture
def acuity() -> Iterator[AcuityStage]:
    with running(Acuity()) as office:
        yield AcuityStage(office, acuity_table(office.url))


@pytest.fixture
def savvycal() -> Iterator[SavvyCalStage]:
    with running(SavvyCal()) as office:
        yield SavvyCalStage(office, savvycal_table(office.url))


@pytest.fixture
def easyappointments() -> Iterator[EasyAppointmentsStage]:
    with running(EasyAppointments()) as office:
        yield EasyAppointmentsStage(office, easyappointments_table(f"http://127.0.0.1:{office.port}"))


class PlainScheduler(SchedulerContract):
    """The contract without what the three do not tell: who cancelled and why; a move is the same booking."""

    def test_a_cancelled_booking_stays_listed_as_inactive(self, stage: SchedulerStage) -> None:
        stage.give_up(stage.book(stage.first))
        (listed,) = stage.scheduler.bookings(self.week(stage))
        assert not listed.active and not listed.rescheduled and listed.cancelled_by is None

    def test_cancelling_twice_is_a_success(self, stage: SchedulerStage) -> None:
        booking = stage.book(stage.first)
        stage.scheduler.cancel(booking, "the agent is ill")
        stage.scheduler.cancel(booking, "the agent is ill")
        assert not stage.scheduler.booking(booking).active

    def test_cancelling_what_the_client_gave_up_is_a_success(self, stage: SchedulerStage) -> None:
        booking = stage.book(stage.first)
        stage.give_up(booking)
        stage.scheduler.cancel(booking, "too late")
        assert not stage.scheduler.booking(booking).active

    def test_a_move_links_the_old_and_the_new_booking(self, stage: SchedulerStage) -> None:
        old = stage.book(stage.first)
        before = stage.scheduler.booking(old)
        assert stage.move(old, stage.first + timedelta(minutes=10)) == old
        stage.later()
        after = stage.scheduler.booking(old)
        assert after.active and after.replaces is None
        assert after.interval.start == stage.first + timedelta(minutes=10)
        assert before.updated_at is not None and after.updated_at is not None and before.updated_at < after.updated_at


class TestAcuity(PlainScheduler):
    @pytest.fixture
    def stage(self, acuity: AcuityStage) -> AcuityStage:
        return acuity


class TestSavvyCal(PlainScheduler):
    @pytest.fixture
    def stage(self, savvycal: SavvyCalStage) -> SavvyCalStage:
        return savvycal


class TestEasyAppointments(PlainScheduler):
    @pytest.fixture
    def stage(self, easyappointments: EasyAppointmentsStage) -> EasyAppointmentsStage:
        return easyappointments

    def test_the_listing_and_the_single_reading_agree(self, stage: SchedulerStage) -> None:
        ids = [stage.book(stage.first + n * timedelta(hours=2)) for n in range(3)]
        stage.give_up(ids[2])
        stage.move(ids[1], stage.first + timedelta(days=1))
        listed = {one.id: one for one in stage.scheduler.bookings(self.week(stage))}
        assert set(listed) == set(ids[:2])
        assert all(stage.scheduler.booking(booking) == one for booking, one in listed.items())

    def test_a_cancelled_booking_stays_listed_as_inactive(self, stage: SchedulerStage) -> None:
        """It does not: it is deleted, and only the webhook tells (see `told`)."""
        booking = stage.book(stage.first)
        stage.give_up(booking)
        assert not list(stage.scheduler.bookings(self.week(stage)))
        with pytest.raises(NotFound):
            stage.scheduler.booking(booking)

    def test_cancelling_twice_is_a_success(self, stage: SchedulerStage) -> None:
        """The second time nobody knows the booking, which the flow that cancels takes for done."""
        booking = stage.book(stage.first)
        stage.scheduler.cancel(booking, "the agent is ill")
        with pytest.raises(NotFound):
            stage.scheduler.cancel(booking, "the agent is ill")

    def test_cancelling_what_the_client_gave_up_is_a_success(self, stage: SchedulerStage) -> None:
        booking = stage.book(stage.first)
        stage.give_up(booking)
        with pytest.raises(NotFound):
            stage.scheduler.cancel(booking, "too late")

    def test_since_leaves_out_what_did_not_change_and_nothing_else(self, stage: SchedulerStage) -> None:
        stage.book(stage.first)
        changed = stage.book(stage.first + timedelta(hours=2))
        assert len(list(stage.scheduler.bookings(self.week(stage)))) == 2
        watermark = stage.later()
        stage.move(changed, stage.first + timedelta(hours=6))
        new = stage.book(stage.first + timedelta(hours=4))
        found = {one.id for one in stage.scheduler.bookings(self.week(stage), watermark)}
        assert found == {changed, new}
