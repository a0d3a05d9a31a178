"""What a refusal of Google means: its reasons say more than its statuses (403 may mean "slower" as well as "never").

Reasons are those of developers.google.com/calendar/api/guides/errors. Must not know what was asked.
"""

from datetime import datetime
from typing import Any

from connectors._http import retry_after_of
from syncd.errors import ConnectorError, Forbidden, Permanent, Transient, Unreadable

SLOWER = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded", "usageLimits"})
NEVER = frozenset({"accessNotConfigured", "dailyLimitExceededUnreg", "keyInvalid"})  # also told under usageLimits
CALLBACK = frozenset({"push.webhookUrlUnauthorized", "webCallbackUnauthorized"})


def reason_of(error: ConnectorError) -> str:
    """Return the first reason that the answer gives, "" where it gives none."""
    return _first(error).get("reason", "")


def said_of(error: ConnectorError) -> str:
    """Return what Google says in words, for the operator; cut short."""
    return _first(error).get("message", "")[:200]


def meaning_of(error: ConnectorError, now: datetime) -> ConnectorError:
    """Return the error as Google means it; the answer stays on it."""
    if error.answer is None:
        return error
    better = _better(error, error.answer.status, _first(error), now)
    if better is None:
        return error
    better.answer = error.answer
    return better


def _better(error: ConnectorError, status: int, first: dict[str, str], now: datetime) -> ConnectorError | None:
    reason, domain, said = first.get("reason", ""), first.get("domain", ""), first.get("message", "")[:200]
    if reason in CALLBACK:  # told with 401, and nothing is wrong with the login
        return Forbidden(f"Google does not call this address ({reason})")
    if status == 403 and (reason in SLOWER or (domain == "usageLimits" and reason not in NEVER)):
        return Transient(f"Google asks for fewer requests ({reason})", _retry_after(error, now))
    if status == 403 and reason:
        return Forbidden(f"Google refuses: {reason}. {said}".rstrip())
    if status == 400 and reason and isinstance(error, Permanent):
        return Permanent(f"Google does not understand the request: {reason}. {said}".rstrip())
    return None


def _retry_after(error: ConnectorError, now: datetime) -> float | None:
    return retry_after_of(error.answer.headers.get("Retry-After"), now) if error.answer is not None else None


def _first(error: ConnectorError) -> dict[str, str]:
    """Return the first of the listed errors, with the message of the whole where it has none."""
    body = _body(error)
    whole = body.get("error")
    if not isinstance(whole, dict):
        return {}
    listed = whole.get("errors")
    first = listed[0] if isinstance(listed, list) and listed and isinstance(listed[0], dict) else {}
    texts = {name: first.get(name) or whole.get(name) for name in ("reason", "domain", "message")}
    return {name: text for name, text in texts.items() if isinstance(text, str)}


def _body(error: ConnectorError) -> dict[str, Any]:
    try:
        body = error.answer.json() if error.answer is not None else None
    except Unreadable:
        return {}
    return body if isinstance(body, dict) else {}
