"""CalDAV: calendars of Nextcloud, Radicale, iCloud, Fastmail and their like, and of the server inside the daemon.

The hot path (marks, changes, put) speaks through `_http` with our own caps; the caldav library finds the home, lists
candidates and knows the kinds of servers. Facts and their sources are gathered in docs/connectors.md.
"""

from collections.abc import Sequence
from typing import Any

from connectors._caldav_account import CaldavHome, account_of
from connectors._caldav_settings import CaldavSettings
from syncd.core.ids import AccountId
from syncd.ports import Calendar, CalendarUse, Check, ConnectorSpec, Environment

__all__ = ["SPEC", "CaldavHome", "CaldavSettings"]


def calendar(account: AccountId, settings: Any, env: Environment, use: CalendarUse) -> Calendar:
    from connectors._caldav_calendar import CaldavCalendar

    return CaldavCalendar(account_of(account, settings, env), use)


def home(account: AccountId, settings: Any, env: Environment, names: Sequence[str]) -> CaldavHome:
    return CaldavHome(account_of(account, settings, env), names)


def check(account: AccountId, settings: Any, env: Environment, names: Sequence[str]) -> list[Check]:
    from connectors._caldav_check import check as ask

    return ask(account, settings, env, names)


SPEC = ConnectorSpec(kind="caldav", settings_model=CaldavSettings, check=check, calendar=calendar, home=home)
