"""Looks into an agent's calendar from outside, with a CalDAV client that is not ours."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from caldav.davclient import DAVClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a person would see of one event."""

    title: str
    start: datetime
    location: str
    body: str


class Agenda:
    """One calendar at one CalDAV server, as the agent's telephone sees it."""

    def __init__(self, url: str, user: str, password: str) -> None:
        client = DAVClient(url=url, username=user, password=password, auth_type="basic", timeout=10)
        self._calendar: Any = client.calendar(url=url)  # type: ignore[no-untyped-call]

    def entries(self) -> list[Entry]:
        found = []
        for event in self._calendar.events():
            one = event.icalendar_component
            start = one.decoded("DTSTART")
            found.append(
                Entry(
                    title=str(one.get("SUMMARY", "")),
                    start=start.astimezone(UTC),
                    location=str(one.get("LOCATION", "")),
                    body=str(one.get("DESCRIPTION", "")),
                )
            )
        return found

    def add(self, title: str, start: datetime, end: datetime) -> None:
        """Put a personal event in, as the agent would."""
        self._calendar.save_event(dtstart=start, dtend=end, summary=title)
