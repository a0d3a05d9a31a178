"""The Calendar port over Microsoft Graph: reading and writing of one calendar, put together.

Apart from `outlook`, so that commands which only look at the configuration load nothing of it.
"""

from collections.abc import Iterator, Mapping

from connectors._outlook_graph import Graph
from connectors._outlook_reading import Reading
from connectors._outlook_writing import Writing
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, EventKey, Published
from syncd.ports import CalendarUse, ChangePage


class OutlookCalendar:
    """One calendar of one account."""

    def __init__(self, graph: Graph, use: CalendarUse) -> None:
        graph.mailboxes.add(use.name.partition("/")[0])
        self.reading = Reading(graph, use)
        self.writing = Writing(graph, use)

    def changes(
        self, cursor: str | None, window: Interval, known: Mapping[str, str] | None = None
    ) -> Iterator[ChangePage]:
        return self.reading.changes(cursor, window, known)

    def find(self, key: EventKey, _uid: str) -> Published | None:
        return self.writing.find(key)

    def put(self, draft: EventDraft, known: Published | None) -> Published:
        return self.writing.put(draft, known)

    def delete(self, known: Published) -> None:
        self.writing.delete(known)
