"""SavvyCal's stand-in: JSON calls with a delivery id and an upper-case signature, events listed by cursor.

The envelope is published (developers.savvycal.com/webhooks); the fields of an event as other clients read them.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.servers.webhook_door import Client, Json, Office, Refusal

TOKEN, SECRET = "pt_secret_test", "wh_secret_test"


@dataclass
class SavvyCal(Office):
    prefix: str = "/v1"
    page: int = 2  # events a page, however many are asked for
    events: dict[str, Json] = field(default_factory=dict)
    approval: bool = False

    def answer(self, method: str, path: str, query: dict[str, str], authorization: str, body: Json) -> tuple[int, Any]:
        if authorization != f"Bearer {TOKEN}":
            raise Refusal(401)
        parts = path.strip("/").split("/")
        match (method, parts):
            case ("GET", ["events"]):
                return 200, self._listed(query)
            case ("GET", ["events", event]):
                return 200, self._found(event)
            case ("POST", ["events", event, "cancel"]):
                self._found(event)
                return 200, self.cancel(event)
        raise Refusal(404)

    def _found(self, event: str) -> Json:
        if event not in self.events:
            raise Refusal(404)
        return self.events[event]

    def _listed(self, query: dict[str, str]) -> Json:
        rows = list(self.events.values())
        if query.get("state") != "all" or query.get("period") != "all":
            rows = [one for one in rows if one["state"] == "confirmed"]
        first = int(query.get("after", "0"))
        more = str(first + self.page) if first + self.page < len(rows) else None
        metadata = {"after": more, "before": None, "limit": int(query.get("limit", "20"))}
        return {"entries": rows[first : first + self.page], "metadata": metadata}

    def book(self, link: str, start: datetime, minutes: int, host: str, client: Client) -> str:
        if not self.is_free(host, start, minutes):
            raise Refusal(422, "no longer available")
        event = f"event_{len(self.events) + 1:012d}"
        person: dict[str, Any] = {
            "id": f"attendee_{len(self.events)}",
            "email": client.email,
            "display_name": client.whole_name,
        }
        person |= {"first_name": client.name, "last_name": client.surname, "is_organizer": False}
        person |= {"phone_number": None, "time_zone": "America/Santiago"}
        person |= {"fields": [{"id": "f1", "label": "Propiedad", "value": "Depto 1203"}]}
        organizer = {"email": host, "display_name": host.partition("@")[0], "is_organizer": True, "time_zone": None}
        self.events[event] = {
            "id": event,
            "state": "awaiting_approval" if self.approval else "confirmed",
            "summary": f"Visita with {client.whole_name}",
            "description": None,
            "start_at": _written(start),
            "end_at": _written(start + timedelta(minutes=minutes)),
            "created_at": _written(self.clock.now()),
            "duration": minutes,
            "location": "Av. Siempre Viva 742, Santiago",
            "organizer": organizer,
            "scheduler": person,
            "attendees": [organizer, person],
            "link": {"id": link, "slug": "visita", "name": "Visita"},
            "metadata": {"syncd": client.request} if client.request else {},
        }
        self._tell("event.requested" if self.approval else "event.created", event)
        return event

    def approve(self, event: str) -> None:
        self.events[event]["state"] = "confirmed"
        self._tell("event.approved", event)

    def move(self, event: str, start: datetime) -> None:
        row = self.events[event]
        length = timedelta(minutes=row["duration"])
        row |= {"start_at": _written(start), "end_at": _written(start + length)}
        self._tell("event.rescheduled", event)

    def reassign(self, event: str, host: str) -> None:
        self.events[event]["organizer"] |= {"email": host}
        self._tell("event.changed", event)

    def cancel(self, event: str) -> Json:
        row = self.events[event]
        if row["state"] == "canceled":
            raise Refusal(422, "already canceled")
        row |= {"state": "canceled"}
        self._tell("event.canceled", event)
        return row

    def is_free(self, host: object, start: datetime, minutes: int, but: int = 0) -> bool:
        live = [one for one in self.events.values() if one["state"] != "canceled" and one["organizer"]["email"] == host]
        times = [(datetime.fromisoformat(one["start_at"]), one["duration"]) for one in live]
        return not any(self.spans(start, minutes, other, length) for other, length in times)

    def _tell(self, kind: str, event: str) -> None:
        number = f"payload_{len(self.sent) + 1:010d}"
        envelope = {"type": kind, "id": number, "version": "2020-11-18", "payload": self.events[event]}
        body = json.dumps(envelope).encode()
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest().upper()
        headers = [("Content-Type", "application/json"), ("x-savvycal-webhook-id", "wh_1")]
        self.call([*headers, ("x-savvycal-signature", f"sha256={digest}")], body)


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
