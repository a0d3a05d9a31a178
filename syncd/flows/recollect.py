"""A scheduler whose bookings cannot all be read again: then what it signed and sent is believed, newest first.

Reading wins wherever it is possible; a delivery is only a hint there. Where a scheduler has no way to be asked, or has
deleted a cancelled booking, the kept delivery is the only witness.
"""

from dataclasses import dataclass

from syncd.core.ids import AccountId
from syncd.errors import NotFound, Unsupported
from syncd.flows.context import AccountParts, Context
from syncd.flows.keys import booking_key
from syncd.ports import Call, RemoteBooking, Scheduler

WITNESSES = 20  # deliveries about one booking that are looked at, newest first


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads single bookings of one account."""

    ctx: Context
    account: AccountId
    parts: AccountParts
    scheduler: Scheduler

    def booking(self, booking_id: str) -> RemoteBooking:
        """Read a booking again, else recollect it. Raises NotFound, Unsupported where nobody tells of it."""
        try:
            return self.scheduler.booking(booking_id)
        except NotFound:
            witness = self._recollected(booking_id)
            if witness is None or witness.active:  # the scheduler's own "not there" outweighs an old "it is there"
                raise
            return witness
        except Unsupported:
            witness = self._recollected(booking_id)
            if witness is None:
                raise
            return witness

    def _recollected(self, booking_id: str) -> RemoteBooking | None:
        if self.parts.told is None:
            return None
        with self.ctx.store.read() as tx:
            kept = tx.queue.inbox_about(self.account, booking_key(self.account, booking_id), WITNESSES)
        calls = (Call(headers=one.headers, body=one.body, now=one.received_at) for one in kept)
        found = (self.parts.told(call) for call in calls)
        return next((one for one in found if one is not None and one.id == booking_id), None)
