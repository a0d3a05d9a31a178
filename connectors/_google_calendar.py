"""The Calendar port over Google: reading and writing of one calendar, put together."""

from collections.abc import Iterator, Mapping

from connectors._google_account import Person
from connectors._google_reading import Reading
from connectors._google_writing import Writing
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, EventKey, Published
from syncd.ports import CalendarUse, ChangePage


class GoogleCalendar:
    """One calendar, as one person sees it."""

    def __init__(self, person: Person, use: CalendarUse) -> None:
        self.reading, self.writing = Reading(person, use), Writing(person, use)

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
