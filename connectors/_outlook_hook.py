"""Reads one call of Microsoft Graph and names what to look at again. Pure: no clock, no network.

Nothing signs the body: each item proves itself by a subscription that we hold and by its clientState, and may do no
more than have us look. Source: "Receive change notifications through webhooks" and "lifecycle events", Microsoft Graph.
"""

import hmac
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from connectors._json import strict_json
from connectors._outlook_state import client_state
from syncd.core.ids import AccountId
from syncd.errors import BadSignature, Unreadable
from syncd.ports import Call, Delivery, Touch

HANDSHAKE = "validationToken"
LONGEST = 512  # a handshake has some 120 characters
ITEMS = 2000  # of one body; the next poll sees what the others tell
LIFECYCLE = {"reauthorizationRequired": "renew", "subscriptionRemoved": "renew", "missed": "pull"}


def hook(account: AccountId, settings: Any, call: Call) -> Delivery:
    """Answer a handshake, or name the calendars of the items that prove themselves; raises BadSignature."""
    if HANDSHAKE in call.query:
        return Delivery(echo=_handshake(call.query))
    try:
        items = _items(strict_json(call.body))
    except Unreadable as why:
        return Delivery(ignored=f"not a notification: {why}")
    calendar_of = cache(call.live)
    expected = cache(lambda calendar: client_state(call.secret, calendar).encode())
    found = [_touch(item, calendar_of, expected) for item in items]
    touches = tuple(dict.fromkeys(one for one in found if one is not None))
    if not touches:
        return Delivery(ignored=f"none of {len(items)} items names a subscription of ours and bears its clientState")
    return Delivery(touches=touches)


def _handshake(query: str) -> str:
    """Return the text to echo; raises BadSignature for anything that a page could be made of (H31, H32)."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, max_num_fields=8)
    except ValueError:
        raise BadSignature("the handshake cannot be read") from None
    values = [value for name, value in pairs if name == HANDSHAKE]
    text = values[0] if len(values) == 1 else ""
    if not 0 < len(text) <= LONGEST or not all(" " <= sign <= "~" for sign in text) or set(text) & set("<>"):
        raise BadSignature("the handshake is not one short line of plain text")
    return text


def _items(body: Any) -> list[Any]:
    value = body.get("value") if isinstance(body, dict) else None
    if not isinstance(value, list):
        raise Unreadable("no list of items in it")
    return value[:ITEMS]


def _touch(item: Any, calendar_of: Callable[[str], str | None], expected: Callable[[str], bytes]) -> Touch | None:
    """Return what an item has us look at, None where it does not prove itself (H35)."""
    if not isinstance(item, Mapping):
        return None
    name, state = item.get("subscriptionId"), item.get("clientState")
    if not isinstance(name, str) or not isinstance(state, str) or not 0 < len(name) <= 200:
        return None
    calendar = calendar_of(name)
    if calendar is None or not hmac.compare_digest(state.encode("utf-8", "replace"), expected(calendar)):
        return None
    return Touch(kind=_kind(item.get("lifecycleEvent")), key=calendar)


def _kind(event: Any) -> str:
    """Return what a lifecycle event asks for; an unknown one, like every change, is a reason to look."""
    return LIFECYCLE.get(event, "pull") if isinstance(event, str) else "pull"
