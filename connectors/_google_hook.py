"""Reads one notice of a Google watch channel: headers only, no body and no signature. Pure: no clock, no network.

What proves the sender is the token we gave the channel: it names the calendar and carries an HMAC of ours over channel
and calendar. Whatever does not fit is answered and counted, so that Google sends no storm, and touches nothing.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

from syncd.core.ids import AccountId
from syncd.ports import Call, Delivery, Touch

PURPOSE = "google-channel"
LONGEST_TOKEN = 256  # Google's limit
_CHANNEL, _TOKEN = "X-Goog-Channel-ID", "X-Goog-Channel-Token"
_RESOURCE, _STATE = "X-Goog-Resource-ID", "X-Goog-Resource-State"


def hook(account: AccountId, settings: Any, call: Call) -> Delivery:
    """Return what a notice touches; never refuses with an error, as an error makes Google call again."""
    told = [_header(call.headers, name) for name in (_CHANNEL, _TOKEN, _RESOURCE, _STATE)]
    channel, token, resource, state = (text or "" for text in told)
    if not channel or not token:
        return Delivery(ignored="no channel or no token is named")
    calendar = call.live(subscription_id(channel, resource))
    if calendar is None:
        return Delivery(ignored="the channel is not one of ours, or not of this resource")
    if not hmac.compare_digest(token_of(call.secret(PURPOSE), channel, calendar).encode(), token.encode()):
        return Delivery(ignored="the token is not the one this channel was given")
    if not calendar.startswith(f"{account}/"):
        return Delivery(ignored="the channel belongs to another account")
    if state == "sync":
        return Delivery(ignored="the channel says that it is open")
    return Delivery(touches=(Touch(kind="pull", key=calendar),))


def token_of(secret: bytes, channel: str, calendar: str) -> str:
    """Return the token of a channel; a name too long for it is left to the subscriptions we hold."""
    digest = hmac.new(secret, f"{channel}\n{calendar}".encode(), hashlib.sha256).hexdigest()
    name = base64.urlsafe_b64encode(calendar.encode()).decode().rstrip("=")
    whole = f"{name}.{digest}"
    return whole if len(whole) <= LONGEST_TOKEN else f".{digest}"


def subscription_id(channel: str, resource: str) -> str:
    """Return the one name of a channel and what it watches: a notice has to know both."""
    return f"{channel}/{resource}"


def _header(headers: Sequence[tuple[str, str]], name: str) -> str | None:
    """Return a header that stands there once; None where it is missing or told twice."""
    found = [value for key, value in headers if key.lower() == name.lower()]
    return found[0] if len(found) == 1 else None
