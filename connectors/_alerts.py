"""Brings operators' alerts to one service through apprise. Knows no account and no client; apprise is imported when the
first alert leaves, for it is big.

Apprise opens its own connections: the rules for addresses of our other connectors do not reach it (docs/operations.md).
"""

import logging
from typing import Any

from syncd.core.letter import Channel, Letter
from syncd.errors import Permanent, Transient

__all__ = ["AlertMessenger"]


class AlertMessenger:
    """Sends letters to one apprise URL; which service it is, apprise reads out of the URL."""

    channel = Channel.OPERATOR

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._service: Any = None

    def send(self, letter: Letter) -> str:
        """Hand an alert over. Apprise says only whether it worked: what did not is tried again."""
        if self._service is None:
            self._service = service_of(self._url)
        if not self._service.notify(body=letter.text, title=letter.subject, notify_type="warning"):
            raise Transient(f"{self._name}: the service did not take the alert")
        return ""


def service_of(url: str) -> Any:
    """Return the service behind a URL that the configuration has checked."""
    import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines name receivers; the outcome is ours to tell
    asset = apprise.AppriseAsset(
        app_id="syncd", app_desc="syncd", async_mode=False, secure_logging=True, plugin_paths=[]
    )
    services = apprise.Apprise(asset=asset)
    service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None:
        raise Permanent("no URL of a service for alerts")
    services.add(service)
    return services
