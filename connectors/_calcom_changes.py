"""What may be changed about Cal.com's bookings from outside: confirmed, declined, moved, handed over, a slot held."""

from collections.abc import Callable
from datetime import datetime

from connectors._calcom_booking import split_id, uid_of
from connectors._calcom_scheduler import REASON, CalcomScheduler, path_of, seat_uid, written
from connectors._reading import Json, obj, rows, text
from syncd.core.interval import Interval
from syncd.errors import Permanent, VersionConflict
from syncd.ports import RemoteBooking

TAKEN = (409, 422)  # what a slot that is booked or reserved answers


class CalcomChanges:
    """Cal.com as it takes changes. Each act reads first: done already is a success, also after a lost answer."""

    def __init__(self, scheduler: CalcomScheduler) -> None:
        self.scheduler, self.api = scheduler, scheduler.api

    def confirm(self, booking_id: str) -> None:
        """Confirm a requested booking. Raises VersionConflict for one that is cancelled or rejected meanwhile."""
        booking = self.scheduler.booking(booking_id)
        if not booking.active:
            raise VersionConflict("this booking is cancelled or rejected at Cal.com")
        if booking.pending:
            self._act(booking_id, "confirm", {}, lambda now: now.active and not now.pending)

    def decline(self, booking_id: str, reason: str) -> None:
        """Reject a requested booking. Raises VersionConflict for one that was confirmed meanwhile: cancel that."""
        booking = self.scheduler.booking(booking_id)
        if booking.active and not booking.pending:
            raise VersionConflict("this booking is confirmed at Cal.com; it can be cancelled, no longer declined")
        if booking.active:
            self._act(booking_id, "decline", {"reason": reason[:REASON]}, lambda now: not now.active)

    def move(self, booking_id: str, start: datetime, reason: str) -> str:
        """Reschedule; Cal.com makes a new booking with another uid, which is returned. Raises VersionConflict."""
        row, mark = self.scheduler.row(booking_id)
        booking = self.scheduler.booking_in(row, booking_id)
        if booking.replaced_by is not None:
            return self._moved_already(booking.replaced_by, start)
        if not booking.active:
            raise VersionConflict("this booking is cancelled at Cal.com")
        if booking.interval.start == start:
            return booking_id
        more = {"seatUid": seat_uid(row, mark)} if mark else {"reschedulingReason": reason[:REASON]}
        made = obj(self.api.post(f"{path_of(row)}/reschedule", {"start": written(start), **more}))
        uid = uid_of(made.get("uid"))
        return f"{uid}~{mark}" if mark else uid

    def reassign(self, booking_id: str, host_id: str) -> None:
        """Give the booking to another host; Cal.com does so for round-robin event types only."""
        if not host_id.isdigit():
            raise Permanent("Cal.com's hosts are numbers; set the agent's scheduler_id")
        booking = self.scheduler.booking(booking_id)
        if booking.host_id != host_id:
            self._act(booking_id, f"reassign/{host_id}", {}, lambda now: now.host_id == host_id)

    def hold(self, event_type: str, interval: Interval) -> str | None:
        """Reserve a slot for some minutes; returns the reservation's id, None where the slot is booked or reserved."""
        settings = self.api.settings
        asked: dict[str, object] = {"slotStart": written(interval.start), "reservationDuration": settings.hold}
        asked |= self._length(event_type, interval) | {"eventTypeId": int(event_type)}
        try:
            made = self.api.post("slots/reservations", asked, version=settings.slots_version)
        except (Permanent, VersionConflict) as refused:
            if refused.answer is None or refused.answer.status not in TAKEN:
                raise
            return None
        return text(obj(made), "reservationUid")

    def _length(self, event_type: str, interval: Interval) -> dict[str, object]:
        """Say how long, to event types of several lengths only: the others refuse to be told."""
        minutes = int(interval.length.total_seconds() // 60)
        offered = rows(self.scheduler.event_type(event_type).get("lengthInMinutesOptions"))
        return {"slotDuration": minutes} if minutes in offered else {}

    def _act(self, booking_id: str, act: str, body: Json, done: Callable[[RemoteBooking], bool]) -> None:
        """Post an act; after any refusal the booking is read, and what turns out to be done is a success."""
        uid, _ = split_id(booking_id)
        try:
            self.api.post(f"bookings/{uid}/{act}", body)
        except (Permanent, VersionConflict):
            if not done(self.scheduler.booking(booking_id)):
                raise

    def _moved_already(self, booking_id: str, start: datetime) -> str:
        later = self.scheduler.booking(booking_id)
        if later.active and later.interval.start == start:
            return later.id
        raise VersionConflict("this booking was moved at Cal.com meanwhile")
