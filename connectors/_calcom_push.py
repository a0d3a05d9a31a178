"""Webhooks of one Cal.com account: listed, made, removed. When to do which is not known here.

One without a secret is signed with nothing, one with a template writes what the template says: neither is live to us,
so it is replaced by one of ours, which has a secret and never a template.
"""

from collections.abc import Sequence
from urllib.parse import quote

from connectors._calcom_api import Api
from connectors._calcom_hook import WANTED
from connectors._reading import Json, obj, rows, text
from syncd.errors import NotFound, VersionConflict
from syncd.ports import Subscription

VERSION = "2021-10-20"  # of the payloads


class CalcomPush:
    """Cal.com as a Push provider."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def subscriptions(self) -> Sequence[Subscription]:
        """List those that call this account's hook."""
        base = f"{self.api.env.public_url.rstrip('/')}/hook/{self.api.account}"
        found = [_subscription(one) for one in self.api.listing(self._root(), {})]
        return [one for one in found if one.callback == base or one.callback.startswith(f"{base}/")]

    def subscribe(self, callback: str) -> Subscription:
        """Make a webhook signed with the first secret; raises VersionConflict when this address has one already."""
        wanted = {"active": True, "subscriberUrl": callback, "triggers": list(WANTED), "version": VERSION}
        try:
            return _subscription(obj(self.api.post(self._root(), wanted | {"secret": self.api.settings.keys[0]})))
        except VersionConflict as known:
            raise VersionConflict(f"Cal.com already calls {callback}") from known

    def unsubscribe(self, subscription: Subscription) -> None:
        """Remove; one already gone is a success."""
        try:
            self.api.delete(f"{self._root()}/{quote(subscription.id, safe='')}")
        except NotFound:
            return

    def _root(self) -> str:
        """Return where the webhooks are: of the organization, where one is configured, else of the key's owner."""
        organization = self.api.settings.organization
        return "webhooks" if organization is None else f"organizations/{organization}/webhooks"


def _subscription(one: Json) -> Subscription:
    notes = []
    if one.get("active") is not True:
        notes.append("switched off at Cal.com")
    if "secret" in one and not text(one, "secret"):
        notes.append("without a secret: not signed")
    if text(one, "payloadTemplate"):
        notes.append("with a template of its own: not readable")
    missing = sorted(set(WANTED) - {str(trigger) for trigger in rows(one.get("triggers"))})
    if missing:
        notes.append(f"does not tell {' '.join(missing)}")
    callback = text(one, "subscriberUrl")
    return Subscription(id=str(one.get("id", "")), callback=callback, active=not notes, note=", ".join(notes))
