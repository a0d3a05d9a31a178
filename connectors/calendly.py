"""Calendly as the scheduler that an installation already has: bookings read, webhooks verified, nothing invented.

Facts and their sources are gathered in docs/connectors.md; this module only puts the parts together.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from connectors._calendly_api import Api, api_of
from connectors._calendly_booking import EVENT_TYPE_PATH, Json, path_of, text
from connectors._calendly_hook import hook, read_sample
from connectors._calendly_push import CalendlyPush
from connectors._calendly_scheduler import CalendlyScheduler
from connectors._calendly_settings import CalendlySettings
from syncd.core.ids import AccountId
from syncd.errors import AuthFailed, ConnectorError, Unreadable
from syncd.ports import Check, ConnectorSpec, Environment

__all__ = ["SPEC", "CalendlyPush", "CalendlyScheduler", "CalendlySettings"]

LOGIN_ADVICE = "make a new personal access token at Calendly (Integrations, API and webhooks) and put it into `token`"
SCOPES = (
    "pick the scopes users:read organizations:read event_types:read availability:read scheduled_events:write "
    "scheduling_links:write webhooks:write when making the token"
)


def scheduler(account: AccountId, settings: Any, env: Environment) -> CalendlyScheduler:
    return CalendlyScheduler(api_of(account, settings, env))


def push(account: AccountId, settings: Any, env: Environment) -> CalendlyPush:
    return CalendlyPush(api_of(account, settings, env))


def check(account: AccountId, settings: Any, env: Environment, names: Sequence[str]) -> list[Check]:
    """Try the login; `names` are the event types that the configuration uses."""
    api = api_of(account, settings, env)
    first = _tried("token", lambda: _who(api), LOGIN_ADVICE)
    if first.state == "fail":
        return [first]
    unread = "report it: Calendly sends what this version cannot read"
    return [
        first,
        _role(api),
        *(_tried(f"event type {name}", partial(_event_type, api, name), "correct its address") for name in names),
        _tried("webhooks", partial(_webhooks, api), SCOPES, state="warn"),
        _tried("webhook form", partial(_sample, api), unread, state="warn"),
    ]


def _tried(what: str, attempt: Callable[[], str], remedy: str, state: str = "fail") -> Check:
    try:
        return Check(what=what, state="ok", text=attempt())
    except AuthFailed as error:
        return Check(what=what, state="fail", text=str(error), remedy=LOGIN_ADVICE)
    except ConnectorError as error:
        return Check(what=what, state=state, text=str(error), remedy=remedy)


def _who(api: Api) -> str:
    identity = api.identity()
    return f"{identity.user} of {identity.organization}"


def _role(api: Api) -> Check:
    role = api.identity().role
    if role in ("owner", "admin"):
        return Check(what="role", state="ok", text=role)
    said = f"{role}: only the bookings of this one user are seen" if role else "the role could not be read"
    return Check(
        what="role", state="warn", text=said, remedy="use the token of an owner or admin, with organizations:read"
    )


def _event_type(api: Api, name: str) -> str:
    found = api.resource(path_of(name, EVENT_TYPE_PATH, api.hosts))
    if found.get("active") is not True or found.get("deleted_at") is not None:
        raise Unreadable(f"{text(found, 'name')}: switched off or deleted at Calendly")
    return f"{text(found, 'name')}, {found.get('duration')} min, {_assignment(found)}"


def _assignment(event_type: Json) -> str:
    return text(event_type, "pooling_type") or "one host"


def _webhooks(api: Api) -> str:
    ours = CalendlyPush(api).subscriptions()
    return "; ".join(f"{one.callback} {one.note}".strip() for one in ours) or "may be read; none subscribed yet"


def _sample(api: Api) -> str:
    identity = api.identity()
    query = {"event": "invitee.created", "organization": identity.organization, "scope": "organization"}
    if not identity.sees_everybody:
        query |= {"scope": "user", "user": identity.user}
    read_sample(api.settings, api.get("/sample_webhook_data", query))
    return "a sample of this very account can be read"


SPEC = ConnectorSpec(
    kind="calendly",
    settings_model=CalendlySettings,
    check=check,
    scheduler=scheduler,
    push=push,
    hook=hook,
)
