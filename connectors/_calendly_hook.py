"""Verifies one webhook call of Calendly and names what to look at again. Pure: no clock, no network.

The raw bytes are verified before anything is parsed; what the body says is never applied, only its names are used.
Source: developer.calendly.com, "Webhook signatures" (its own sample verifies re-serialised JSON, which breaks).
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from connectors._calendly_booking import HOST, INVITEE_PATH, Json, instant, interval_of, path_of, text
from connectors._calendly_settings import CalendlySettings
from connectors._json import strict_json
from connectors._reading import obj
from connectors._signature import check_hmac, only_header
from syncd.core.ids import AccountId
from syncd.errors import BadSignature, Unreadable
from syncd.ports import Call, Delivery, Touch

HEADER = "Calendly-Webhook-Signature"
WANTED = ("invitee.created", "invitee.canceled", "invitee_no_show.created", "invitee_no_show.deleted")
_STAMP = re.compile(r"[0-9]{1,11}")


def hook(account: AccountId, settings: Any, call: Call) -> Delivery:
    """Verify and read one call. Raises BadSignature; a signed body that means nothing is an unreadable Delivery."""
    ours: CalendlySettings = settings
    verify(ours, call.headers, call.body, call.now)
    whole = f"sha256:{hashlib.sha256(call.body).hexdigest()}"
    try:
        return _read(account, ours, call.body, whole)
    except Unreadable as why:
        return Delivery(key=whole, unreadable=str(why))


def verify(settings: CalendlySettings, headers: Sequence[tuple[str, str]], body: bytes, now: datetime) -> None:
    """Check signature and age of one call; raises BadSignature."""
    stamp, digest = _parts(only_header(headers, HEADER))
    check_hmac(settings.keys, f"{stamp}.".encode("ascii") + body, digest)
    signed_at = datetime.fromtimestamp(int(stamp), UTC)
    if now - signed_at > settings.tolerance.past or signed_at - now > settings.tolerance.future:
        raise BadSignature(f"{HEADER}: signed at {signed_at.isoformat()}, outside the tolerance; is a clock wrong?")


def _parts(header: str) -> tuple[str, str]:
    """Split `t=<unix seconds>,v1=<hex>`; each exactly once, other schemes are ignored."""
    pairs = [part.partition("=") for part in header.split(",")]
    stamps = [value for name, _, value in pairs if name.strip() == "t"]
    digests = [value for name, _, value in pairs if name.strip() == "v1"]
    if len(stamps) != 1 or len(digests) != 1 or not _STAMP.fullmatch(stamps[0]):
        raise BadSignature(f"{HEADER}: not of the form t=…,v1=…")
    return stamps[0], digests[0]


def _read(account: AccountId, settings: CalendlySettings, body: bytes, whole: str) -> Delivery:
    envelope = strict_json(body)
    if not isinstance(envelope, dict) or not isinstance(envelope.get("event"), str):
        raise Unreadable("not a webhook of Calendly: no event name")
    if envelope["event"] not in WANTED:
        return Delivery(key=whole, unwanted=True)
    payload = obj(envelope.get("payload"))
    names = _names(settings, payload)
    event = obj(payload.get("scheduled_event"))  # absent in deliveries of 2020 and 2021
    if event:
        interval_of(event)
    instant(payload.get("updated_at"))
    parts = (envelope["event"], names[0], text(payload, "updated_at"), text(obj(payload.get("no_show")), "uri"))
    return Delivery(
        key="|".join(parts),
        touches=tuple(Touch(kind="ingest", key=f"{account}|{name}") for name in names),
        event_type=text(event, "event_type") or None,
    )


def read_sample(settings: CalendlySettings, envelope: Json) -> None:
    """Try a sample that Calendly gives out for this account; raises Unreadable when such a delivery would be lost."""
    payload = obj(envelope.get("payload"))
    _names(settings, payload)
    interval_of(obj(payload.get("scheduled_event")))


def _names(settings: CalendlySettings, payload: Json) -> list[str]:
    """Return the invitee first, then the one it takes the place of and the one that took its place."""
    hosts = frozenset((HOST, urlsplit(settings.api_url).netloc))
    others = [payload.get(name) for name in ("old_invitee", "new_invitee")]
    names = [payload.get("uri"), *(one for one in others if one is not None)]
    for name in names:
        path_of(name, INVITEE_PATH, hosts)
    return [str(name) for name in dict.fromkeys(names)]
