"""A message as it leaves: to whom, over which channel, in which words; and what became of it. Composed elsewhere."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Channel(StrEnum):
    EMAIL = "email"
    WHATSAPP = "whatsapp"
    SMS = "sms"
    NOTICE = "notice"  # in the staff's own view; needs nobody else's service
    TASK = "task"
    OPERATOR = "operator"  # alerts to whoever runs syncd; no person of the business


class Sent(StrEnum):
    """What a provider says of a message, in the order in which it may be said; FAILED is final."""

    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message to one person over one channel.

    `key` names the message for good: sent again it has the same one, and a mail the same Message-ID. `calendar` is an
    iTIP object (RFC 5546) for `calendar_method`, "" where there is none. `variables` fill the providers' own templates.
    """

    key: str
    channel: Channel
    kind: str
    to: str  # an address, or a number in E.164
    to_name: str = ""
    locale: str = "es_CL"
    subject: str = ""
    text: str = ""
    html: str = ""
    calendar: str = ""
    calendar_method: str = ""  # REQUEST | CANCEL
    reply_to: str = ""  # whom an answer goes to, where that is not the house
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a provider says later of a message that it knows by `remote_id`."""

    remote_id: str
    state: Sent
    at: datetime
    error: str = ""


def e164(written: str | None) -> str | None:
    """Return a number as services want it; None for one without its country."""
    plain = re.sub(r"[^\d+]", "", written or "")
    return plain if re.fullmatch(r"\+\d{7,15}", plain) else None
