"""The security headers that every answer of ours carries, wherever in the stack it is made."""

from collections.abc import Mapping
from functools import cache

CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' https:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HSTS = "max-age=31536000"
NO_STORE = "no-store"


@cache
def headers_for(*, https: bool, own_caching: bool) -> Mapping[bytes, bytes]:
    """Return what is added to an answer, as it travels; it replaces what the answer said itself."""
    added = HEADERS | ({"Strict-Transport-Security": HSTS} if https else {})
    added |= {} if own_caching else {"Cache-Control": NO_STORE}
    return {name.lower().encode(): value.encode() for name, value in added.items()}
