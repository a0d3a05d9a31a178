"""Cal.com, hosted or Cal.diy, as the scheduler that an installation already has: read, verified, and written back to.

docs/providers/calcom.md says how to set it up; this module only puts the parts together.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from connectors._calcom_api import Api, api_of
from connectors._calcom_booking import bookings_of
from connectors._calcom_changes import CalcomChanges
from connectors._calcom_hook import hook
from connectors._calcom_push import CalcomPush
from connectors._calcom_scheduler import EVERY_STATE, CalcomScheduler
from connectors._calcom_settings import CalcomSettings
from connectors._reading import obj, rows, text
from syncd.core.ids import AccountId
from syncd.errors import AuthFailed, ConnectorError, Forbidden, NotFound, Unreadable
from syncd.ports import Check, ConnectorSpec, Environment

__all__ = ["SPEC", "CalcomChanges", "CalcomPush", "CalcomScheduler", "CalcomSettings"]

LOGIN_ADVICE = (
    "make a new key at Cal.com (Settings, Developer, API keys; it begins with cal_) and put it into `api_key`"
)
VERSION_ADVICE = "correct `api_version` (2024-08-13 is the one that every client and the published document use)"
TEAM_ADVICE = "Cal.diy has no teams: only what the key's owner hosts is seen; hosted Cal.com needs a team plan"
EVENT_TYPE_ADVICE = "write the number in the event type's address; one of a team also needs `team`"
PAGE_ADVICE = "write the address of its booking page into `pages`"
WEBHOOK_ADVICE = "use the key of an admin, or leave `organization` out; until then bookings are polled only"


def scheduler(account: AccountId, settings: Any, env: Environment) -> CalcomScheduler:
    return CalcomScheduler(api_of(account, settings, env))


def push(account: AccountId, settings: Any, env: Environment) -> CalcomPush:
    return CalcomPush(api_of(account, settings, env))


def changes(account: AccountId, settings: Any, env: Environment) -> CalcomChanges:
    return CalcomChanges(scheduler(account, settings, env))


def check(account: AccountId, settings: Any, env: Environment, names: Sequence[str]) -> list[Check]:
    """Try the key; `names` are the event types that the configuration uses."""
    api = api_of(account, settings, env)
    first = _tried("key", partial(_who, api), LOGIN_ADVICE)
    if first.state == "fail":
        return [first]
    return [
        first,
        _tried("version", partial(_bookings, api), VERSION_ADVICE),
        _tried("teams", partial(_teams, api), TEAM_ADVICE, "fail" if api.settings.team is not None else "warn"),
        *(_tried(f"event type {name}", partial(_event_type, api, name), EVENT_TYPE_ADVICE) for name in names),
        *(_tried(f"page of {name}", partial(_page, api, name), PAGE_ADVICE) for name in names),
        _tried("webhooks", partial(_webhooks, api), WEBHOOK_ADVICE, "warn"),
    ]


def _tried(what: str, attempt: Callable[[], str], remedy: str, state: str = "fail") -> Check:
    try:
        return Check(what=what, state="ok", text=attempt())
    except AuthFailed as error:
        return Check(what=what, state="fail", text=str(error), remedy=LOGIN_ADVICE)
    except ConnectorError as error:
        return Check(what=what, state=state, text=str(error), remedy=remedy)


def _who(api: Api) -> str:
    me = obj(api.get("me"))
    return f"{text(me, 'username')} (user {me.get('id')}, organization {me.get('organizationId') or 'none'})"


def _bookings(api: Api) -> str:
    """Read one booking as a sweep does: an older version answers in another shape."""
    listed = api.get("bookings", {"take": "1", "status": EVERY_STATE})
    if not isinstance(listed, list):
        raise Unreadable("bookings come in the shape of another version")
    for row in listed:
        bookings_of(obj(row))
    return f"bookings are read with {api.settings.api_version}"


def _teams(api: Api) -> str:
    try:
        found = [obj(one) for one in rows(api.get("teams"))]
    except (NotFound, Forbidden):
        raise Unreadable("this server or key has no teams") from None
    names = [f"{text(one, 'name')} ({one.get('id')})" for one in found]
    if api.settings.team is not None and api.settings.team not in [one.get("id") for one in found]:
        raise Unreadable(f"team {api.settings.team} is none of the key's: {', '.join(names) or 'it has none'}")
    return ", ".join(names) or "none: only what the key's owner hosts is seen"


def _event_type(api: Api, name: str) -> str:
    found = CalcomScheduler(api).event_type(name)
    return f"{text(found, 'title')}, {found.get('lengthInMinutes')} min, {text(found, 'schedulingType') or 'one host'}"


def _page(api: Api, name: str) -> str:
    return CalcomScheduler(api).link(name, "check").partition("?")[0]


def _webhooks(api: Api) -> str:
    ours = CalcomPush(api).subscriptions()
    return "; ".join(f"{one.callback} {one.note}".strip() for one in ours) or "may be read; none subscribed yet"


SPEC = ConnectorSpec(
    kind="calcom",
    settings_model=CalcomSettings,
    check=check,
    scheduler=scheduler,
    push=push,
    hook=hook,
    changes=changes,
)
