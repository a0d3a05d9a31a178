"""What every Scheduler must do, whoever plays it; a connector's test hands in a stage and inherits the tests."""

from datetime import datetime, timedelta
from typing import Protocol

import pytest

from syncd.core.interval import Interval
from syncd.core.visit import Contact
from syncd.errors import NotFound
from syncd.ports import Scheduler


class SchedulerStage(Protocol):
    """A scheduler and the hands of the people behind it."""

    scheduler: Scheduler
    event_type: str
    other_event_type: str
    hosts: tuple[str, str]
    length: timedelta
    first: datetime  # a time in the future at which both hosts are free for some days

    def book(self, start: datetime, *, event_type: str = "", link: str = "", host: str = "") -> str:
        """Book as a client, through `link` where one is given; return the booking's id."""
        ...

    def move(self, booking: str, start: datetime) -> str:
        """Reschedule as the client does; return the new booking's id."""
        ...

    def give_up(self, booking: str) -> None:
        """Cancel as the client does."""
        ...

    def hand_over(self, booking: str, host: str) -> None:
        """Give the booking to another host, inside the scheduler."""
        ...

    def later(self) -> datetime:
        """Let an hour pass; return the new time."""
        ...


class SchedulerContract:
    """Inherit, and provide the fixture `stage`."""

    @staticmethod
    def week(stage: SchedulerStage) -> Interval:
        return Interval(stage.first - timedelta(days=1), stage.first + timedelta(days=7))

    def test_a_booking_is_read_as_it_was_made(self, stage: SchedulerStage) -> None:
        made = stage.scheduler.booking(stage.book(stage.first, host=stage.hosts[1]))
        assert made.active and not made.rescheduled and made.replaces is None and made.problem is None
        assert made.interval == Interval(stage.first, stage.first + stage.length)
        assert made.event_type == stage.event_type
        assert made.host_id == stage.hosts[1]
        assert made.contact.name and made.contact.email
        assert made.updated_at is not None and made.created_at is not None

    def test_an_unknown_booking_is_not_found(self, stage: SchedulerStage) -> None:
        known = stage.book(stage.first)
        with pytest.raises(NotFound):
            stage.scheduler.booking(known[:-1] + ("1" if known[-1] != "1" else "2"))

    def test_an_id_that_is_none_is_not_found(self, stage: SchedulerStage) -> None:
        for strange in ("", "x", "../users/me", "https://evil.example/x", "é"):
            with pytest.raises(NotFound):
                stage.scheduler.booking(strange)

    def test_the_listing_and_the_single_reading_agree(self, stage: SchedulerStage) -> None:
        ids = [stage.book(stage.first + n * timedelta(hours=2)) for n in range(3)]
        stage.give_up(ids[2])
        moved = stage.move(ids[1], stage.first + timedelta(days=1))
        listed = {one.id: one for one in stage.scheduler.bookings(self.week(stage))}
        assert set(listed) == {*ids, moved}
        for booking, one in listed.items():
            single = stage.scheduler.booking(booking)
            assert (one.active, one.interval, one.host_id) == (single.active, single.interval, single.host_id)
            assert (one.updated_at, one.event_id, one.event_type) == (
                single.updated_at,
                single.event_id,
                single.event_type,
            )
            assert (one.replaces, one.replaced_by) == (single.replaces, single.replaced_by)

    def test_a_cancelled_booking_stays_listed_as_inactive(self, stage: SchedulerStage) -> None:
        booking = stage.book(stage.first)
        stage.give_up(booking)
        (listed,) = stage.scheduler.bookings(self.week(stage))
        assert not listed.active and not listed.rescheduled and listed.cancelled_by == "client"

    def test_cancelling_twice_is_a_success(self, stage: SchedulerStage) -> None:
        booking = stage.book(stage.first)
        stage.scheduler.cancel(booking, "the agent is ill")
        stage.scheduler.cancel(booking, "the agent is ill")
        read = stage.scheduler.booking(booking)
        assert not read.active
        assert (read.cancelled_by, read.cancel_message) == ("agent", "the agent is ill")

    def test_cancelling_what_the_client_gave_up_is_a_success(self, stage: SchedulerStage) -> None:
        booking = stage.book(stage.first)
        stage.give_up(booking)
        stage.scheduler.cancel(booking, "too late")
        assert stage.scheduler.booking(booking).cancelled_by == "client"

    def test_cancelling_the_unknown_is_not_found(self, stage: SchedulerStage) -> None:
        known = stage.book(stage.first)
        with pytest.raises(NotFound):
            stage.scheduler.cancel(known[:-1] + ("1" if known[-1] != "1" else "2"), "why")

    def test_a_move_links_the_old_and_the_new_booking(self, stage: SchedulerStage) -> None:
        old = stage.book(stage.first)
        new = stage.move(old, stage.first + timedelta(minutes=10))  # overlaps the old time
        before, after = stage.scheduler.booking(old), stage.scheduler.booking(new)
        assert not before.active and before.rescheduled and before.replaced_by == new
        assert after.active and not after.rescheduled and after.replaces == old
        assert after.interval.start == stage.first + timedelta(minutes=10)

    def test_a_change_of_host_is_seen(self, stage: SchedulerStage) -> None:
        booking = stage.book(stage.first, host=stage.hosts[0])
        assert [one.host_id for one in stage.scheduler.bookings(self.week(stage))] == [stage.hosts[0]]
        stage.hand_over(booking, stage.hosts[1])
        assert stage.scheduler.booking(booking).host_id == stage.hosts[1]
        assert [one.host_id for one in stage.scheduler.bookings(self.week(stage))] == [stage.hosts[1]]

    def test_the_window_is_half_open_over_the_start(self, stage: SchedulerStage) -> None:
        at = stage.first + timedelta(hours=2)
        booking = stage.book(at)
        hour = timedelta(hours=1)
        assert [one.id for one in stage.scheduler.bookings(Interval(at, at + hour))] == [booking]
        assert not list(stage.scheduler.bookings(Interval(at - hour, at)))
        assert not list(stage.scheduler.bookings(Interval(at + timedelta(seconds=1), at + hour)))

    def test_other_event_types_are_left_out_when_asked(self, stage: SchedulerStage) -> None:
        wanted = stage.book(stage.first)
        stage.book(stage.first + timedelta(hours=3), event_type=stage.other_event_type)
        some = stage.scheduler.bookings(self.week(stage), event_types={stage.event_type})
        assert [one.id for one in some] == [wanted]
        assert len(list(stage.scheduler.bookings(self.week(stage)))) == 2

    def test_since_leaves_out_what_did_not_change_and_nothing_else(self, stage: SchedulerStage) -> None:
        stage.book(stage.first)
        changed = stage.book(stage.first + timedelta(hours=2))
        assert len(list(stage.scheduler.bookings(self.week(stage)))) == 2
        watermark = stage.later()
        stage.give_up(changed)
        new = stage.book(stage.first + timedelta(hours=4))
        found = {one.id for one in stage.scheduler.bookings(self.week(stage), watermark)}
        assert found == {changed, new}

    def test_the_link_carries_our_request_and_it_comes_back(self, stage: SchedulerStage) -> None:
        token = "R-2026/7.ab12cd34"
        contact = Contact(name="José Núñez & Cía", email="jose+casa@example.com")
        link = stage.scheduler.link(stage.event_type, token, contact)
        booking = stage.scheduler.booking(stage.book(stage.first, link=link))
        assert booking.request_token == token
        assert (booking.contact.name, booking.contact.email) == (contact.name, contact.email)

    def test_a_move_keeps_our_request(self, stage: SchedulerStage) -> None:
        link = stage.scheduler.link(stage.event_type, "R7.ab12cd34", Contact(name="R", email="r@example.com"))
        moved = stage.move(stage.book(stage.first, link=link), stage.first + timedelta(days=1))
        assert stage.scheduler.booking(moved).request_token == "R7.ab12cd34"

    def test_a_booking_without_a_link_of_ours_is_no_error(self, stage: SchedulerStage) -> None:
        assert stage.scheduler.booking(stage.book(stage.first)).request_token is None
