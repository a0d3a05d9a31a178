"""CalDAV: calendars of Nextcloud, Radicale, iCloud, Fastmail and their like, and of the server inside the daemon.

The hot path (marks, changes, put) speaks through `_http` with our own caps; the caldav library finds the home, lists
candidates and knows the kinds of servers. Facts and their sources are gathered in docs/connectors.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connectors._caldav_account import CaldavHome, account_of
from connectors._caldav_check import check
from connectors._caldav_reading import Reading
from connectors._caldav_settings import CaldavSettings
from connectors._caldav_writing import Writing
from syncd.core.ids import AccountId
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, EventKey, Published
from syncd.ports import CalendarUse, ChangePage, ConnectorSpec, Environment

__all__ = ["SPEC", "CaldavCalendar", "CaldavHome", "CaldavSettings"]


class CaldavCalendar:
    """One calendar of one account."""

    def __init__(self, account: AccountId, settings: CaldavSettings, env: Environment, use: CalendarUse) -> None:
        speaker = account_of(account, settings, env)
        self._reading = Reading(speaker, use)
        self._writing = Writing(speaker, self._reading)

    def changes(
        self, cursor: str | None, window: Interval, known: Mapping[str, str] | None = None
    ) -> Iterator[ChangePage]:
        return self._reading.changes(cursor, window, known)

    def find(self, key: EventKey, uid: str) -> Published | None:
        return self._writing.find(key, uid)

    def put(self, draft: EventDraft, known: Published | None) -> Published:
        return self._writing.put(draft, known)

    def delete(self, known: Published) -> None:
        self._writing.delete(known)


def calendar(account: AccountId, settings: Any, env: Environment, use: CalendarUse) -> CaldavCalendar:
    return CaldavCalendar(account, settings, env, use)


def home(account: AccountId, settings: Any, env: Environment, names: Sequence[str]) -> CaldavHome:
    return CaldavHome(account_of(account, settings, env), names)


SPEC = ConnectorSpec(kind="caldav", settings_model=CaldavSettings, check=check, calendar=calendar, home=home)
