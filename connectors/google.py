"""Google Calendar: agents of a Workspace domain through a service account, single agents through their own sign-in.

The client library composes every request from its bundled discovery document; our own transport sends it. A poll of
an unchanged calendar is one request. Facts and their sources are gathered in docs/connectors.md.
"""

from collections.abc import Callable, Sequence
from typing import Any

from connectors._google_hook import hook
from connectors._google_settings import GoogleSettings
from syncd.core.ids import AccountId
from syncd.ports import Calendar, CalendarUse, Check, ConnectorSpec, Environment, FreeBusy, Watch

__all__ = ["SPEC", "GoogleSettings"]


def calendar(account: AccountId, settings: Any, env: Environment, use: CalendarUse) -> Calendar:
    from connectors._google_account import person_of
    from connectors._google_calendar import GoogleCalendar

    return GoogleCalendar(person_of(account, settings, env, use.subject), use)


def watch(account: AccountId, settings: Any, env: Environment, use: CalendarUse) -> Watch:
    from connectors._google_account import person_of
    from connectors._google_watch import GoogleWatch

    return GoogleWatch(person_of(account, settings, env, use.subject), use)


def free_busy(account: AccountId, settings: Any, env: Environment, use: CalendarUse) -> FreeBusy:
    from connectors._google_account import person_of
    from connectors._google_free_busy import GoogleFreeBusy

    return GoogleFreeBusy(person_of(account, settings, env, use.subject))


def sign_in(account: AccountId, settings: Any, env: Environment, tell: Callable[[str], None]) -> None:
    from connectors._google_sign_in import sign_in as ask

    ask(account, settings, env, tell)


def check(account: AccountId, settings: Any, env: Environment, names: Sequence[str]) -> list[Check]:
    from connectors._google_check import check as ask

    return ask(account, settings, env, names)


SPEC = ConnectorSpec(
    kind="google",
    settings_model=GoogleSettings,
    check=check,
    calendar=calendar,
    hook=hook,
    watch=watch,
    free_busy=free_busy,
    sign_in=sign_in,
)
