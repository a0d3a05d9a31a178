"""Graph's subscription to one calendar: made, prolonged, ended, and strays found. When to do which is not known here.

Graph calls the listener back while the request that makes a subscription is still open (validationToken).
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from connectors._outlook_event import text
from connectors._outlook_graph import Graph, Place
from connectors._outlook_state import client_state
from syncd.errors import NotFound, Unreadable
from syncd.ports import CalendarUse, Subscription

LIFE = timedelta(minutes=4200)  # safe under the old limit of 4,230 and the present one of 10,080
CHANGES = "created,updated,deleted"


class OutlookWatch:
    """Subscriptions to one calendar."""

    def __init__(self, graph: Graph, use: CalendarUse) -> None:
        self.graph, self.use = graph, use
        self.mailbox = use.name.partition("/")[0]

    def start(self, callback: str) -> Subscription:
        """Subscribe; raises Permanent where Graph cannot reach the callback, Ambiguous where nobody knows."""
        wanted = {
            "changeType": CHANGES,
            "notificationUrl": callback,
            "lifecycleNotificationUrl": callback,  # cannot be added later
            "resource": self._resource(),
            "expirationDateTime": _stamp(self._end()),
            "clientState": client_state(self.graph.env.secret, self._calendar()),
            "latestSupportedTlsVersion": "v1_2",
        }
        answer = self.graph.ask(self.mailbox, "POST", "subscriptions", body=wanted, ok=(201,))
        return _subscription(answer.json(), callback)

    def renew(self, subscription: Subscription) -> Subscription | None:
        """Prolong, which also authorises it anew; None where Graph has dropped it and a new one must be made."""
        end = self._end()
        changes = {"expirationDateTime": _stamp(end)}
        try:
            answer = self.graph.ask(
                self.mailbox, "PATCH", self._path(subscription), body=changes, ok=(200, 204), idempotent=True
            )
        except NotFound:
            return None
        told = _moment(text(answer.json(), "expirationDateTime")) if answer.body.strip() else None
        return Subscription(
            id=subscription.id, callback=subscription.callback, expires_at=told or end, memo=subscription.memo
        )

    def stop(self, subscription: Subscription) -> None:
        try:
            self.graph.ask(self.mailbox, "DELETE", self._path(subscription), ok=(200, 202, 204), idempotent=True)
        except NotFound:
            return

    def strays(self, known: Collection[str]) -> Sequence[Subscription]:
        """List those that call this account's hook about this calendar and are not among `known`."""
        base = f"{self.graph.env.public_url.rstrip('/')}/hook/{self.graph.account}"
        found = []
        resource = self._resource().strip("/").casefold()
        for page in self.graph.pages(self.mailbox, "subscriptions", {}):
            for one in page:
                callback = text(one, "notificationUrl")
                ours = callback == base or callback.startswith(f"{base}/")
                same = text(one, "resource").strip("/").casefold() == resource
                if ours and same and text(one, "id") not in known:
                    found.append(_subscription(one, callback))
        return found

    def _resource(self) -> str:
        """Return what is subscribed to: Graph wants the address as it is, without escapes."""
        place: Place = self.graph.place(self.use.name)
        inside = f"/calendars/{place.calendar}" if place.calendar else ""
        return f"users/{place.mailbox}{inside}/events"

    def _calendar(self) -> str:
        """The calendar's id in this installation, by which the hook checks the clientState."""
        return f"{self.graph.account}/{self.use.name}"

    def _end(self) -> datetime:
        return self.graph.env.clock.now() + LIFE

    @staticmethod
    def _path(subscription: Subscription) -> str:
        if not subscription.id.replace("-", "").isalnum():
            raise NotFound("a subscription's id that is none")
        return f"subscriptions/{subscription.id}"


def _subscription(one: Any, callback: str) -> Subscription:
    if not isinstance(one, dict) or not text(one, "id"):
        raise Unreadable("Graph answered without the subscription")
    return Subscription(id=text(one, "id"), callback=callback, expires_at=_moment(text(one, "expirationDateTime")))


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.0000000Z")


def _moment(written: str) -> datetime | None:
    """Read an instant of seven fraction digits; None where none is told."""
    try:
        moment = datetime.fromisoformat(written[:19] + "+00:00")
    except ValueError:
        return None
    return moment
