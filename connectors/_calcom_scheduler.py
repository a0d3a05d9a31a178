"""Bookings, cancellations and links of one Cal.com account. Knows the account's API and nothing of webhooks."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode, urlsplit

from connectors._calcom_api import Api
from connectors._calcom_booking import (
    REQUEST,
    bookings_of,
    event_type_of,
    gone_seat,
    is_shared,
    seat_mark,
    split_id,
    token_in,
    uid_of,
    unreadable_row,
)
from connectors._reading import Json, obj, rows, text
from syncd.core import limits
from syncd.core.interval import Interval
from syncd.core.visit import Contact
from syncd.errors import Forbidden, NotFound, Permanent, Unreadable, VersionConflict
from syncd.ports import RemoteBooking

OVERLAP = timedelta(minutes=2)  # between our clock and Cal.com's, and between two readings
EVERY_STATE = "upcoming,recurring,past,cancelled,unconfirmed"  # what is listed without a filter is not written down
REASON = 500
CHAIN = 5  # moves that are followed back to find our request id


class CalcomScheduler:
    """Cal.com as a Scheduler."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def bookings(
        self, window: Interval, since: datetime | None = None, event_types: Collection[str] | None = None
    ) -> Iterator[RemoteBooking]:
        """Yield the bookings that start in the window; `since` asks Cal.com for what was updated after it.

        A change of host sends no webhook: this listing is the only thing that tells it.
        """
        query = {"status": EVERY_STATE, "afterStart": written(window.start - timedelta(seconds=1))}
        query |= {"beforeEnd": written(window.end + limits.LONGEST_VISIT)}
        query |= {"teamId": str(self.api.settings.team)} if self.api.settings.team is not None else {}
        if event_types and all(one.isdigit() for one in event_types):
            query["eventTypeIds"] = ",".join(sorted(event_types))
        for row in self._rows(query, since):
            if event_types is None or _kind(row) in event_types:
                yield from self._seats(row, window)

    def booking(self, booking_id: str) -> RemoteBooking:
        """Read one booking, or one seat of a shared one, again. Raises NotFound."""
        row, mark = self.row(booking_id)
        if mark is not None:
            found = next((one for one in bookings_of(row) if one.id == booking_id), None)
            return self._tokened(found or gone_seat(booking_id, row))
        (found,) = bookings_of(row)
        return self._with_request(found)

    def cancel(self, booking_id: str, reason: str) -> None:
        """Cancel a booking, or one seat. What a repeat answers is undocumented: after a refusal it is read again."""
        row, mark = self.row(booking_id)
        if not self.booking_in(row, booking_id).active:
            return
        body = {"cancellationReason": reason[:REASON]} | ({"seatUid": seat_uid(row, mark)} if mark else {})
        try:
            self.api.post(f"{path_of(row)}/cancel", body)
        except (Permanent, VersionConflict):
            if self.booking(booking_id).active:
                raise

    def booking_in(self, row: Json, booking_id: str) -> RemoteBooking:
        """Return the booking with this id as the row tells it."""
        found = next((one for one in bookings_of(row) if one.id == booking_id), None)
        return found or gone_seat(booking_id, row)

    def link(self, event_type: str, request_token: str, contact: Contact | None = None) -> str:
        """Return the event type's booking page with our request id as metadata, and as an answer where that is set."""
        page = self.api.settings.pages.get(event_type) or self._page(event_type)
        if urlsplit(page).scheme not in ("https", "http"):
            raise Unreadable("Cal.com gave no address of a booking page; write it into `pages`")
        asked = {f"metadata[{REQUEST}]": request_token}
        field = self.api.settings.request_field
        asked |= {field: request_token} if field is not None else {}
        if contact is not None:
            asked |= {"name": contact.name} if contact.name else {}
            asked |= {"email": contact.email} if contact.email else {}
        return page + ("&" if urlsplit(page).query else "?") + urlencode(asked)

    def event_type(self, event_type: str) -> Json:
        """Read an event type of the key's owner, else of the configured team. Raises NotFound."""
        if not event_type.isdigit():
            raise Permanent(f"{event_type[:60]}: write the number of the event type, it stands in its address")
        settings = self.api.settings
        paths = [f"event-types/{event_type}"]
        if settings.team is not None:
            above = f"organizations/{settings.organization}/" if settings.organization is not None else ""
            paths.append(f"{above}teams/{settings.team}/event-types/{event_type}")
        for path in paths[:-1]:
            try:
                return obj(self.api.get(path, version=settings.event_types_version))
            except (NotFound, Forbidden):
                continue
        return obj(self.api.get(paths[-1], version=settings.event_types_version))

    def _page(self, event_type: str) -> str:
        return text(self.event_type(event_type), "bookingUrl")

    def _rows(self, query: dict[str, str], since: datetime | None) -> list[Json]:
        """List by creation, which never reorders; by update only what changed, whose rows move while they are read."""
        if since is None:
            return self.api.listing("bookings", query | {"sortCreated": "asc"})
        updated = {"afterUpdatedAt": written(since - OVERLAP), "sortUpdatedAt": "asc"}
        return self.api.moving("bookings", query | updated, "uid")

    def _seats(self, row: Json, window: Interval) -> Iterator[RemoteBooking]:
        """Yield what one row amounts to; a seat that was there before and is no longer was given up."""
        try:
            found = [self._tokened(one) for one in bookings_of(row)]
        except Unreadable as why:
            found = [unreadable_row(row, window, str(why))]
        uid = uid_of(row.get("uid"))
        known = self.api.seats.get(uid, frozenset())
        if is_shared(row) or known:
            now = frozenset(one.id for one in found if one.id != uid)
            self.api.seats[uid] = known | now
            found = [one for one in found if one.id != uid] + [gone_seat(one, row) for one in sorted(known - now)]
        yield from (one for one in found if one.problem or window.start <= one.interval.start < window.end)

    def row(self, booking_id: str) -> tuple[Json, str | None]:
        """Read the row that an id of ours names, and the mark of the seat in it. Raises NotFound."""
        try:
            uid, mark = split_id(booking_id)
        except Unreadable as wrong:
            raise NotFound(str(wrong)) from wrong
        row = self.api.get(f"bookings/{uid}")
        if isinstance(row, list):
            raise NotFound("a whole series; each of its bookings has a uid of its own")
        row = obj(row)
        if row.get("uid") != uid:
            raise Unreadable("Cal.com answered with another booking")
        if is_shared(row) != (mark is not None) and not self._was_shared(uid, row, mark):
            raise NotFound("the id of a seat and a booking without seats, or the other way round")
        return row, mark

    def _was_shared(self, uid: str, row: Json, mark: str | None) -> bool:
        """A shared booking whose last client gave up the seat tells no attendees at all."""
        return mark is not None and not rows(row.get("attendees"))

    def _tokened(self, booking: RemoteBooking) -> RemoteBooking:
        return replace(booking, request_token=token_in(booking, self.api.settings.request_field))

    def _with_request(self, booking: RemoteBooking) -> RemoteBooking:
        """Find our request id at the bookings this one took the place of, where the move did not carry it over."""
        booking = self._tokened(booking)
        before, token = booking.replaces, booking.request_token
        for _ in range(CHAIN):
            if token is not None or before is None:
                break
            try:
                (earlier,) = bookings_of(obj(self.api.get(f"bookings/{uid_of(before)}")))
            except (NotFound, Unreadable, ValueError):
                break
            before, token = earlier.replaces, token_in(earlier, self.api.settings.request_field)
        return replace(booking, request_token=token)


def _kind(row: Json) -> str:
    try:
        return event_type_of(row)
    except Unreadable:
        return ""


def path_of(row: Json) -> str:
    return f"bookings/{uid_of(row.get('uid'))}"


def seat_uid(row: Json, mark: str | None) -> str:
    """Return Cal.com's own name of a seat. Raises NotFound."""
    seats = [obj(one) for one in rows(row.get("attendees"))]
    found = [text(one, "seatUid") for one in seats if seat_mark(text(one, "email")) == mark]
    if not found:
        raise NotFound("this seat is no longer taken")
    return found[0]


def written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
