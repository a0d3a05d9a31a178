"""Easy!Appointments' stand-in: a token in a header, column names in webhooks and other names in its REST API, local
times without a zone. A cancelled appointment is a deleted one. Shapes: its source and openapi.yml."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.servers.webhook_door import Client, Json, Office, Refusal

API_TOKEN, HOOK_TOKEN = "ea-api-token", "ea-hook-token"
ZONE = ZoneInfo("America/Santiago")
COLUMNS = {
    "id": "id",
    "book": "book_datetime",
    "start": "start_datetime",
    "end": "end_datetime",
    "hash": "hash",
    "color": "color",
    "status": "status",
    "location": "location",
    "notes": "notes",
    "customerId": "id_users_customer",
    "providerId": "id_users_provider",
    "serviceId": "id_services",
    "meetingLink": "meeting_link",
    "googleCalendarId": "id_google_calendar",
    "caldavCalendarId": "id_caldav_calendar",
}


@dataclass
class EasyAppointments(Office):
    prefix: str = "/index.php/api/v1"

    def answer(self, method: str, path: str, query: dict[str, str], authorization: str, body: Json) -> tuple[int, Any]:
        if authorization != f"Bearer {API_TOKEN}":
            raise Refusal(401)
        parts = path.strip("/").split("/")
        match (method, parts):
            case ("GET", ["appointments"]):
                return 200, self._listed(query)
            case ("GET", ["appointments", number]):
                return 200, self._shown(self.found(number), query)
            case ("DELETE", ["appointments", number]):
                self.delete(int(self.found(number)["id"]))
                return 204, None
        raise Refusal(404)

    def _listed(self, query: dict[str, str]) -> list[Json]:
        length, page = int(query.get("length", "20")), int(query.get("page", "1"))
        rows = [
            one for one in self.rows.values() if query["from"] <= one["start"][:10] and one["end"][:10] <= query["till"]
        ]
        return [self._shown(one, query) for one in rows[(page - 1) * length : page * length]]

    def _shown(self, row: Json, query: dict[str, str]) -> Json:
        shown = {name: row[name] for name in COLUMNS}
        return shown | ({"customer": row["customer"]} if "aggregates" in query else {})

    def book(self, service: int, start: datetime, minutes: int, provider: int, client: Client) -> int:
        if not self.is_free(provider, start, minutes):
            raise Refusal(500, "The selected time is not available")
        number = len(self.rows) + len(self.sent) + 1
        customer = {"id": 5, "firstName": client.name, "lastName": client.surname, "email": client.email}
        self.rows[number] = {
            "id": number,
            "book": _local(self.clock.now()),
            "start": _local(start),
            "end": _local(start + timedelta(minutes=minutes)),
            "hash": f"hash{number}",
            "color": "#123456",
            "status": "Booked",
            "location": "Av. Siempre Viva 742, Santiago",
            "notes": client.request or "",
            "customerId": 5,
            "providerId": provider,
            "serviceId": service,
            "meetingLink": None,
            "googleCalendarId": None,
            "caldavCalendarId": None,
            "customer": customer | {"phone": "+56912345678"},
        }
        self._tell("appointment_save", self.rows[number])
        return number

    def save(self, number: int, **changes: Any) -> None:
        self.rows[number] |= changes
        self._tell("appointment_save", self.rows[number])

    def move(self, number: int, start: datetime, minutes: int) -> None:
        self.save(number, start=_local(start), end=_local(start + timedelta(minutes=minutes)))

    def delete(self, number: int) -> None:
        gone = self.rows.pop(number)
        self._tell("appointment_delete", gone)

    def is_free(self, host: object, start: datetime, minutes: int, but: int = 0) -> bool:
        live = [one for one in self.rows.values() if one["providerId"] == host and one["id"] != but]
        return not any(self.spans(start, minutes, _read(one["start"]), _minutes(one)) for one in live)

    def _tell(self, action: str, row: Json) -> None:
        payload = {column: row[name] for name, column in COLUMNS.items()}
        body = json.dumps({"action": action, "payload": payload}).encode()
        self.call([("Content-Type", "application/json"), ("X-Ea-Token", HOOK_TOKEN)], body)


def _local(moment: datetime) -> str:
    return moment.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")


def _read(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE)


def _minutes(row: Json) -> int:
    return int((_read(row["end"]) - _read(row["start"])).total_seconds() // 60)
