"""Acuity Scheduling's stand-in: thin form notices, base64 signatures, appointments read and cancelled by Basic auth.

Shapes: developers.acuityscheduling.com ("Webhooks", "GET /appointments"). A move keeps the id; a change sends twice.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode

from tests.servers.webhook_door import Client, Json, Office, Refusal

USER, API_KEY = "12345", "acuity-api-key"
OFFSET = timezone(timedelta(hours=-3))
FIELD = 77  # of the intake form, which carries our request


@dataclass
class Acuity(Office):
    prefix: str = "/api/v1"
    duplicates: bool = True  # `changed` comes beside every other notice

    def answer(self, method: str, path: str, query: dict[str, str], authorization: str, body: Json) -> tuple[int, Any]:
        wanted = base64.b64encode(f"{USER}:{API_KEY}".encode()).decode()
        if authorization != f"Basic {wanted}":
            raise Refusal(401)
        parts = path.strip("/").split("/")
        match (method, parts):
            case ("GET", ["appointments"]):
                return 200, self._listed(query)
            case ("GET", ["appointments", number]):
                return 200, self.found(number)
            case ("PUT", ["appointments", number, "cancel"]):
                return 200, self.cancel(int(self.found(number)["id"]), body.get("cancelNote", ""))
        raise Refusal(404)

    def _listed(self, query: dict[str, str]) -> list[Json]:
        gone = query.get("canceled") == "true"
        first, last, most = query["minDate"], query["maxDate"], int(query.get("max", "100"))
        rows = [one for one in self.rows.values() if one["canceled"] is gone]
        return [one for one in rows if first <= one["datetime"][:10] <= last][:most]

    def book(self, kind: int, start: datetime, minutes: int, host: int, client: Client) -> int:
        number = 54321 + len(self.rows)
        if not self.is_free(host, start, minutes):
            raise Refusal(400, "The time is no longer available")
        asked = [{"id": number * 10, "fieldID": FIELD, "name": "Solicitud", "value": client.request or ""}]
        self.rows[number] = {
            "id": number,
            "firstName": client.name,
            "lastName": client.surname,
            "phone": "+56 9 1234 5678",
            "email": client.email,
            "datetimeCreated": self._written(self.clock.now()),
            "type": "Visita",
            "appointmentTypeID": kind,
            "duration": str(minutes),
            "calendar": f"Calendar {host}",
            "calendarID": host,
            "location": "Av. Siempre Viva 742, Santiago",
            "timezone": "America/Santiago",
            "canceled": False,
            "noShow": False,
            "notes": "",
            "forms": [{"id": 1, "name": "Visita", "values": asked}],
            "labels": None,
            **self._times(start, minutes),
        }
        self._tell("scheduled", number)
        return number

    def move(self, number: int, start: datetime) -> None:
        row = self.rows[number]
        row |= self._times(start, int(row["duration"]))
        self._tell("rescheduled", number)

    def reassign(self, number: int, host: int) -> None:
        self.rows[number] |= {"calendarID": host, "calendar": f"Calendar {host}"}
        if self.duplicates:
            self._post("changed", number)

    def cancel(self, number: int, note: str = "") -> Json:
        row = self.rows[number]
        if row["canceled"]:
            raise Refusal(400, "already_canceled")
        row |= {"canceled": True, "notes": note}
        self._tell("canceled", number)
        return row

    def is_free(self, host: object, start: datetime, minutes: int, but: int = 0) -> bool:
        live = [one for one in self.rows.values() if not one["canceled"] and one["calendarID"] == host]
        times = [(datetime.fromisoformat(one["datetime"]), int(one["duration"])) for one in live if one["id"] != but]
        return not any(self.spans(start, minutes, other, length) for other, length in times)

    def _times(self, start: datetime, minutes: int) -> Json:
        """An instant with its offset, and texts for people beside it."""
        local, end = start.astimezone(OFFSET), (start + timedelta(minutes=minutes)).astimezone(OFFSET)
        words = {
            "date": local.strftime("%B %d, %Y"),
            "time": local.strftime("%I:%M%p"),
            "endTime": end.strftime("%I:%M%p"),
        }
        return words | {"datetime": self._written(start)}

    def _written(self, moment: datetime) -> str:
        return moment.astimezone(OFFSET).strftime("%Y-%m-%dT%H:%M:%S%z")

    def _tell(self, action: str, number: int) -> None:
        self._post(action, number)
        if self.duplicates:
            self._post("changed", number)

    def _post(self, action: str, number: int) -> None:
        row = self.rows[number]
        fields = {"action": action, "id": number, "calendarID": row["calendarID"]}
        body = urlencode(fields | {"appointmentTypeID": row["appointmentTypeID"]}).encode()
        digest = base64.b64encode(hmac.new(API_KEY.encode(), body, hashlib.sha256).digest()).decode()
        self.call([("Content-Type", "application/x-www-form-urlencoded"), ("X-Acuity-Signature", digest)], body)
