"""Verifies one call of Twilio, a status callback or a received message, and reads it. Pure: no clock, no network.

X-Twilio-Signature is the base64 HMAC-SHA1, under the auth token, of the full public address and the sorted form
fields. The address is the one that Twilio was told, never what the Host header says (H38).
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from connectors._signature import only_header
from connectors._twilio_settings import TwilioSettings
from syncd.core.ids import AccountId
from syncd.core.letter import Channel, Report, Sent, e164
from syncd.errors import BadSignature
from syncd.ports import Call, Delivery, Touch, Wish

HEADER = "X-Twilio-Signature"
FIELDS = 100
NO_MORE = frozenset({"stop", "stopp", "baja", "alto"})
AGAIN = frozenset({"start", "alta"})
STATES = {
    "sent": Sent.SENT,
    "delivered": Sent.DELIVERED,
    "read": Sent.READ,
    "undelivered": Sent.FAILED,
    "failed": Sent.FAILED,
    "canceled": Sent.FAILED,
}


def hook(account: AccountId, settings: Any, call: Call) -> Delivery:
    """Verify and read one call. Raises BadSignature."""
    ours: TwilioSettings = settings
    given = only_header(call.headers, HEADER).encode("ascii", "replace")
    url = call.url + (f"?{call.query}" if call.query else "")
    if not hmac.compare_digest(signature(ours.auth_token.get_secret_value(), url, fields_of(call)), given):
        raise BadSignature(f"{HEADER}: signed with another token or for another address; see [daemon] public_url")
    key = f"sha256:{hashlib.sha256(call.body).hexdigest()}"
    wish = wish_of(ours, dict(fields_of(call)))
    if wish is not None:
        return Delivery(key=key, wishes=(wish,))
    if not reports(account, settings, call):
        return Delivery(ignored="says nothing that counts of our messages")
    return Delivery(key=key, touches=(Touch(kind="receipt", key=f"{account}|{key}"),))


def wish_of(settings: TwilioSettings, told: Mapping[str, str]) -> Wish | None:
    """Return what a received message asks for in one word; None for any other, which nobody reads here."""
    word = told.get("Body", "").strip(" \t\r\n.!¡\"'").casefold()
    number, ours = told.get("From", ""), told.get("AccountSid") == settings.account_sid
    if not ours or told.get("SmsStatus") != "received" or e164(number) != number or word not in NO_MORE | AGAIN:
        return None
    return Wish(number=number, channel=Channel.SMS, wants_none=word in NO_MORE)


def signature(token: str, url: str, fields: Sequence[tuple[str, str]]) -> bytes:
    """Return what Twilio would sign a call with."""
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest())


def fields_of(call: Call) -> list[tuple[str, str]]:
    """Return the posted fields; raises BadSignature for what is no form."""
    try:
        text = call.body.decode("utf-8")
        return parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS, errors="strict")
    except ValueError:
        raise BadSignature("not a form") from None


def reports(account: AccountId, settings: Any, call: Call) -> Sequence[Report]:
    """Return what a kept call says of a message; states before "sent" say nothing."""
    ours: TwilioSettings = settings
    told = dict(fields_of(call))
    state, sid = STATES.get(told.get("MessageStatus", "")), told.get("MessageSid", "")
    if state is None or not 0 < len(sid) <= 64 or told.get("AccountSid") != ours.account_sid:
        return []
    return [Report(remote_id=sid, state=state, at=call.now, error=told.get("ErrorCode", "")[:40])]
