"""The Calendar port over CalDAV: reading and writing of one calendar, put together.

Apart from `caldav`, so that commands which only ask an account load no iCalendar library.
"""

from collections.abc import Iterator, Mapping

from connectors._caldav_account import Account
from connectors._caldav_reading import Reading
from connectors._caldav_writing import Writing
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, EventKey, Published
from syncd.ports import CalendarUse, ChangePage


class CaldavCalendar:
    """One calendar of one account."""

    def __init__(self, account: Account, use: CalendarUse) -> None:
        self.reading = Reading(account, use)
        self.writing = Writing(account, self.reading)

    def changes(
        self, cursor: str | None, window: Interval, known: Mapping[str, str] | None = None
    ) -> Iterator[ChangePage]:
        return self.reading.changes(cursor, window, known)

    def find(self, key: EventKey, uid: str) -> Published | None:
        return self.writing.find(key, uid)

    def put(self, draft: EventDraft, known: Published | None) -> Published:
        return self.writing.put(draft, known)

    def delete(self, known: Published) -> None:
        self.writing.delete(known)
