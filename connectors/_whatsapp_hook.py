"""Verifies one webhook call of WhatsApp, and reads what it says of messages. Pure: no clock, no network.

X-Hub-Signature-256 is `sha256=` and the hexadecimal HMAC-SHA256 of the raw body under the app's secret. What people
write to the number is nobody's business here: such a call is answered and not kept.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

from connectors._json import strict_json
from connectors._signature import check_hmac, only_header
from connectors._whatsapp_settings import WhatsappSettings
from syncd.core.ids import AccountId
from syncd.core.letter import Report, Sent
from syncd.errors import BadSignature, Unreadable
from syncd.ports import Call, Delivery, Touch

HEADER = "X-Hub-Signature-256"
STATES = {one.value: one for one in Sent}
MOST = 1000  # statuses of one call
_CHALLENGE = re.compile(r"[0-9]{1,64}", re.ASCII)


def hook(account: AccountId, settings: Any, call: Call) -> Delivery:
    """Verify and read one call. Raises BadSignature."""
    ours: WhatsappSettings = settings
    scheme, _, digest = only_header(call.headers, HEADER).partition("=")
    if scheme != "sha256":
        raise BadSignature(f"{HEADER}: not a signature")
    check_hmac([ours.app_secret.get_secret_value()], call.body, digest)
    key = f"sha256:{hashlib.sha256(call.body).hexdigest()}"
    try:
        found = _statuses(ours, call)
    except Unreadable as why:
        return Delivery(key=key, unreadable=str(why))
    if not found:
        return Delivery(ignored="says nothing of our messages")
    return Delivery(key=key, touches=(Touch(kind="receipt", key=f"{account}|{key}"),))


def handshake(_account: AccountId, settings: Any, call: Call) -> str:
    """Answer Meta's question whether this address is ours: the challenge, digits only. Raises BadSignature."""
    ours: WhatsappSettings = settings
    asked = parse_qs(call.query, keep_blank_values=True, max_num_fields=20)
    mode, token, challenge = (asked.get(f"hub.{name}", []) for name in ("mode", "verify_token", "challenge"))
    given = token[0].encode("utf-8", "replace") if len(token) == 1 else b""
    knows = hmac.compare_digest(given, ours.verify_token.get_secret_value().encode())
    if not knows or mode != ["subscribe"] or len(challenge) != 1 or not _CHALLENGE.fullmatch(challenge[0]):
        raise BadSignature("not a question of the app that we know")
    return challenge[0]


def reports(account: AccountId, settings: Any, call: Call) -> Sequence[Report]:
    """Return what a kept call says of messages."""
    try:
        return _statuses(settings, call)
    except Unreadable:
        return []


def _statuses(settings: WhatsappSettings, call: Call) -> list[Report]:
    envelope = strict_json(call.body)
    if not isinstance(envelope, dict) or envelope.get("object") != "whatsapp_business_account":
        raise Unreadable("not a webhook of WhatsApp")
    found = (_report(one, call.now) for value in _values(envelope, settings) for one in _rows(value.get("statuses")))
    return [one for one in found if one is not None][:MOST]


def _values(envelope: dict[str, Any], settings: WhatsappSettings) -> Iterator[dict[str, Any]]:
    """Yield what changed at our own number: an app may serve several."""
    for entry in _rows(envelope.get("entry")):
        for change in _rows(entry.get("changes")):
            value = change.get("value")
            if not isinstance(value, dict) or not isinstance(value.get("metadata"), dict):
                continue
            if value["metadata"].get("phone_number_id") == settings.phone_number_id:
                yield value


def _rows(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _report(status: dict[str, Any], now: datetime) -> Report | None:
    state, remote_id = STATES.get(str(status.get("status"))), status.get("id")
    if state is None or not isinstance(remote_id, str) or not 0 < len(remote_id) <= 300:
        return None
    codes = [str(one.get("code")) for one in _rows(status.get("errors"))]
    return Report(
        remote_id=remote_id, state=state, at=_moment(status.get("timestamp"), now), error=" ".join(codes)[:100]
    )


def _moment(value: object, now: datetime) -> datetime:
    """Return the moment that a status names, in seconds; one to come is ours."""
    text = str(value)
    if not re.fullmatch(r"[0-9]{1,11}", text, re.ASCII):
        return now
    return min(datetime.fromtimestamp(int(text), UTC), now)
