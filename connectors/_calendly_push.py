"""Webhook subscriptions of one Calendly account: listed, made, removed. When to do which is not known here.

There is no changing one: another address (a new generation in its path) is subscribed before the old one goes.
"""

from collections.abc import Sequence

from connectors._calendly_api import Api
from connectors._calendly_booking import SUBSCRIPTION_PATH, Json, path_of, text
from connectors._calendly_hook import WANTED
from syncd.errors import NotFound, VersionConflict
from syncd.ports import Subscription


class CalendlyPush:
    """Calendly as a Push provider."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def subscriptions(self) -> Sequence[Subscription]:
        """List those that call this account's hook. One that Calendly gave up on is not active."""
        base = f"{self.api.env.public_url.rstrip('/')}/hook/{self.api.account}"
        found = [_subscription(one) for one in self.api.listing("/webhook_subscriptions", self._scope())]
        return [one for one in found if one.callback == base or one.callback.startswith(f"{base}/")]

    def subscribe(self, callback: str) -> Subscription:
        """Subscribe a new address; raises VersionConflict when it is subscribed already (list again), Forbidden.

        The first signing key signs: without one Calendly would not sign at all.
        """
        scope = self._scope() | {"organization": self.api.identity().organization}
        wanted = {"url": callback, "events": list(WANTED), "signing_key": self.api.settings.keys[0], **scope}
        try:
            return _subscription(self.api.post("/webhook_subscriptions", wanted))
        except VersionConflict as known:
            raise VersionConflict(f"Calendly already calls {callback}") from known

    def unsubscribe(self, subscription: Subscription) -> None:
        """Remove; one already gone is a success."""
        try:
            self.api.delete(path_of(subscription.id, SUBSCRIPTION_PATH, self.api.hosts))
        except NotFound:
            return

    def _scope(self) -> dict[str, str]:
        """Owners and admins hear of everybody's bookings, others of their own."""
        identity = self.api.identity()
        if identity.sees_everybody:
            return {"organization": identity.organization, "scope": "organization"}
        return {"organization": identity.organization, "user": identity.user, "scope": "user"}


def _subscription(one: Json) -> Subscription:
    failing = text(one, "retry_started_at")
    state = text(one, "state")
    notes = [f"state {state}"] if state != "active" else []
    notes += [f"deliveries fail since {failing}"] if failing else []
    return Subscription(
        id=text(one, "uri"), callback=text(one, "callback_url"), active=state == "active", note=", ".join(notes)
    )
