"""Any scheduler that sends signed webhooks, by a mapping declared in the configuration.

docs/providers/webhook.md is the reference of the mapping; this module only puts the parts together.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from connectors._webhook_hook import hook, told
from connectors._webhook_parts import LARGEST
from connectors._webhook_path import follow, read_path
from connectors._webhook_reading import agent_in, booking_in, decoded, delivered, id_in
from connectors._webhook_scheduler import WebhookScheduler, api_of
from connectors._webhook_settings import WebhookSettings
from syncd.core.ids import AccountId
from syncd.core.interval import Interval
from syncd.errors import AuthFailed, ConnectorError, NotFound, Unreadable
from syncd.ports import Check, ConnectorSpec, Environment, RemoteBooking

__all__ = ["SPEC", "WebhookScheduler", "WebhookSettings", "told"]

FETCH_ADVICE = "write [fetch]: then every call is only a hint, and a booking is read again before anything happens"
POLL_ADVICE = "write [poll] with the address of a list: without one a call that gets lost is lost for good"
LOGIN_ADVICE = "correct the key, user or password under fetch.auth"
SAMPLE_ADVICE = "correct the paths; save a delivery as it came into the file that `sample` names"
LINK_ADVICE = "write the address of its booking page into link.pages"
YEAR = timedelta(days=365)
NOBODY = "syncd-check"  # an id that no booking has: 404 is the answer of an API that knows us


def scheduler(account: AccountId, settings: Any, env: Environment) -> WebhookScheduler:
    return WebhookScheduler(api_of(account, settings, env))


def check(account: AccountId, settings: Any, env: Environment, names: Sequence[str]) -> list[Check]:
    """Say what is missing, try the API, and replay the sample; `names` are the event types that are used."""
    ours: WebhookSettings = settings
    found = [_proof(ours), _reading(account, ours, env), _listing(account, ours, env)]
    found += [_page(ours, name) for name in names]
    return found + ([_tried("sample", lambda: replayed(ours), SAMPLE_ADVICE)] if ours.sample is not None else [])


def replayed(settings: WebhookSettings) -> str:
    """Run the sample through the mapping and tell the booking it makes. Raises Unreadable."""
    try:
        body = Path(settings.sample or "").read_bytes()
    except OSError as wrong:
        raise Unreadable(f"{settings.sample} cannot be read ({wrong.strerror})") from wrong
    document, layout = decoded(settings, body), delivered(settings)
    booking_id = id_in(layout, document)
    if booking_id is None:
        raise Unreadable("no id of a booking where booking.id says it stands")
    word = follow(document, read_path(settings.event.path)) if settings.event.path else None
    meaning = settings.event.map.get(word, "nothing") if isinstance(word, str) else "upsert"
    event = f'event "{word}" means {meaning}' if word is not None else "the event stands in a header"
    try:
        return f"{event}; {_told(settings, booking_in(layout, document, booking_id, meaning))}"
    except Unreadable as why:
        if settings.fetch is None:
            raise
        return f"{event}; booking {booking_id}, the rest is read from [fetch] ({why})"


def _told(settings: WebhookSettings, booking: RemoteBooking) -> str:
    """Write a booking for the administrator, who knows what the sample should say."""
    host = booking.host_id or booking.host_email or "nobody"
    agent = agent_in(settings, host)
    facts = {
        "booking": booking.id,
        "state": "pending" if booking.pending else "active" if booking.active else "cancelled",
        "from": booking.interval.start.isoformat(),
        "to": booking.interval.end.isoformat(),
        "event type": booking.event_type or "none",
        "host": f"{host} (agent {agent})" if agent is not None else host,
        "client": f"{booking.contact.name} {booking.contact.email or ''}".strip() or "none",
        "request": booking.request_token or "none",
        "replaces": booking.replaces or "none",
        "answers": str(len(booking.answers)),
    }
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def _tried(what: str, attempt: Callable[[], str], remedy: str, state: str = "fail") -> Check:
    try:
        return Check(what=what, state="ok", text=attempt())
    except AuthFailed as error:
        return Check(what=what, state="fail", text=str(error), remedy=LOGIN_ADVICE)
    except ConnectorError as error:
        return Check(what=what, state=state, text=str(error), remedy=remedy)


def _proof(settings: WebhookSettings) -> Check:
    auth = settings.auth
    if auth.mode == "none":
        advice = "calls are not signed: anybody may cause a look-up; let the sender sign if it can"
        return Check(what="proof", state="warn", text="none, by allow_unsigned", remedy=advice)
    dated = "" if auth.tolerance is not None or auth.mode == "token" else ", without an age: a replay causes a look-up"
    return Check(what="proof", state="ok", text=f"{auth.mode} in {auth.header}{dated}")


def _reading(account: AccountId, settings: WebhookSettings, env: Environment) -> Check:
    if settings.fetch is None:
        return Check(what="fetch", state="warn", text="bookings are taken from the calls alone", remedy=FETCH_ADVICE)

    def attempt() -> str:
        try:
            scheduler(account, settings, env).booking(NOBODY)
        except NotFound:
            return "the API answers, and knows no booking of that name"
        return "the API answers"

    return _tried("fetch", attempt, LOGIN_ADVICE)


def _listing(account: AccountId, settings: WebhookSettings, env: Environment) -> Check:
    if settings.poll is None:
        return Check(what="poll", state="warn", text="nothing is listed", remedy=POLL_ADVICE)
    now = env.clock.now()

    def attempt() -> str:
        found = list(scheduler(account, settings, env).bookings(Interval(now, now + YEAR)))
        unread = [one for one in found if one.problem is not None]
        if unread:
            raise Unreadable(f"{len(unread)} of {len(found)} cannot be read: {unread[0].problem}")
        return f"{len(found)} bookings within a year"

    return _tried("poll", attempt, "correct poll.urls, poll.items and fetch.paths")


def _page(settings: WebhookSettings, name: str) -> Check:
    if name in settings.link.pages:
        return Check(what=f"page of {name}", state="ok", text=settings.link.pages[name])
    return Check(what=f"page of {name}", state="warn", text="no address is known", remedy=LINK_ADVICE)


SPEC = ConnectorSpec(
    kind="webhook",
    settings_model=WebhookSettings,
    check=check,
    scheduler=scheduler,
    hook=hook,
    told=told,
    hook_body=LARGEST,
)
