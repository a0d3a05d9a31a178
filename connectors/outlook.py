"""Outlook and Microsoft 365: agents' calendars at Microsoft Graph, read by changes and told of them at once.

Facts and their sources are gathered in docs/providers/outlook.md; this module only puts the parts together.
"""

from collections.abc import Callable, Sequence
from typing import Any

from connectors._outlook_graph import graph_of
from connectors._outlook_hook import hook
from connectors._outlook_settings import OutlookSettings
from syncd.core.ids import AccountId
from syncd.ports import Calendar, CalendarUse, Check, ConnectorSpec, Environment, FreeBusy, Watch

__all__ = ["SPEC", "OutlookSettings"]


def calendar(account: AccountId, settings: Any, env: Environment, use: CalendarUse) -> Calendar:
    from connectors._outlook_calendar import OutlookCalendar

    return OutlookCalendar(graph_of(account, settings, env), use)


def watch(account: AccountId, settings: Any, env: Environment, use: CalendarUse) -> Watch:
    from connectors._outlook_watch import OutlookWatch

    return OutlookWatch(graph_of(account, settings, env), use)


def free_busy(account: AccountId, settings: Any, env: Environment, use: CalendarUse) -> FreeBusy:
    from connectors._outlook_free_busy import OutlookFreeBusy

    return OutlookFreeBusy(graph_of(account, settings, env), use)


def sign_in(account: AccountId, settings: Any, env: Environment, tell: Callable[[str], None]) -> None:
    """Let a person sign in by a code on any device; the daemon takes the kept sign-in up by itself."""
    from connectors._outlook_sign_in import SignIn

    SignIn(account, settings, env).sign_in(tell)


def check(account: AccountId, settings: Any, env: Environment, names: Sequence[str]) -> list[Check]:
    from connectors._outlook_check import check as ask

    return ask(account, settings, env, names)


SPEC = ConnectorSpec(
    kind="outlook",
    settings_model=OutlookSettings,
    check=check,
    calendar=calendar,
    watch=watch,
    hook=hook,
    free_busy=free_busy,
    sign_in=sign_in,
)
