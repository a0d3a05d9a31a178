"""The word by which Graph proves itself to our hook: one for each calendar, made from the daemon's secret. Pure."""

import base64
import hashlib
import hmac
from collections.abc import Callable

PURPOSE = "graph-client-state"
LENGTH = 43  # of 128 characters that Graph allows; 256 bits


def client_state(secret: Callable[[str], bytes], calendar: str) -> str:
    """Return the clientState of a calendar's subscriptions; the same for as long as the daemon's secret is."""
    digest = hmac.new(secret(PURPOSE), calendar.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode()[:LENGTH]
