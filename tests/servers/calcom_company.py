"""A company at Cal.com: hosts, event types, bookings and what people do to them. Shapes as published; knows no HTTP."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from tests.servers.calendly import HandClock

Json = dict[str, Any]
Told = Callable[[str, Json], None]


class Refusal(Exception):
    """What Cal.com answers instead."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass
class Client:
    """Who books, and what came with the address they opened."""

    name: str = "Rosa Díaz"
    email: str = "rosa@example.com"
    metadata: Json = field(default_factory=dict)
    answers: Json = field(default_factory=dict)
    phone: str | None = None
    zone: str = "America/Santiago"
    guests: Sequence[str] = ()


@dataclass
class Switches:
    """How this installation differs from another."""

    metadata_survives: bool = True  # a client's move carries the metadata over: unsettled for the real service
    stamped: bool = True  # a change of host changes updatedAt
    spellings: tuple[str, ...] = ("Z", ".000Z", "+00:00")  # of instants, all of which have been seen


class Company:
    """Everything Cal.com keeps; `told` hears every trigger with its payload."""

    def __init__(self, clock: HandClock) -> None:
        self.clock, self.lock = clock, threading.RLock()
        self.users: dict[int, Json] = {}
        self.event_types: dict[int, Json] = {}
        self.bookings: dict[str, Json] = {}
        self.reservations: dict[str, Json] = {}
        self.switches = Switches()
        self.told: list[Told] = []
        self._ids = count(101)

    # people and what is offered

    def add_user(self, name: str, email: str) -> int:
        number = next(self._ids)
        slug = email.partition("@")[0]
        self.users[number] = {
            "id": number,
            "name": name,
            "email": email,
            "displayEmail": email,
            "username": slug,
            "timeZone": "America/Santiago",
        }
        return number

    def add_event_type(self, title: str, minutes: int, hosts: Sequence[int], **more: Any) -> int:
        """Offer a kind of visit: `seats`, `confirm`, `lengths`, `team`, `scheduling` are its variants."""
        number = next(self._ids)
        self.event_types[number] = {
            "id": number,
            "title": title,
            "slug": title.lower().replace(" ", "-"),
            "minutes": minutes,
            "hosts": list(hosts),
            "scheduling": more.get("scheduling", "roundRobin" if len(hosts) > 1 else None),
            "seats": more.get("seats"),
            "confirm": more.get("confirm", False),
            "lengths": more.get("lengths"),
            "team": more.get("team"),
        }
        return number

    # what clients and hosts do

    def book(self, event_type: int, start: datetime, client: Client | None = None, *, host: int | None = None) -> str:
        """Book; returns the uid. A shared booking at this time takes one more seat instead."""
        with self.lock:
            kind, client = self.event_types[event_type], client or Client()
            shared = self._shared(kind, start)
            if shared is not None:
                shared["attendees"].append(self._seat(client))
                self._touch(shared)
                self._tell("BOOKING_CREATED", shared, [shared["attendees"][-1]])
                return str(shared["uid"])
            row = self._made(kind, start, client, host or self._free_host(kind, start))
            self._tell("BOOKING_REQUESTED" if row["status"] == "pending" else "BOOKING_CREATED", row)
            return str(row["uid"])

    def move(self, uid: str, start: datetime, *, reason: str = "", by: str = "", seat: str | None = None) -> str:
        """Reschedule: a new booking with another uid, the old one is cancelled and names it."""
        with self.lock:
            old = self._get(uid)
            if old["status"] in ("cancelled", "rejected"):
                raise Refusal(400, "Can't reschedule cancelled booking")
            kind = self.event_types[old["eventType"]["id"]]
            client = self._client_of(old, seat)
            host = old["hosts"][0]["id"]
            host = host if self.is_free(host, start, kind["minutes"], but=uid) else self._free_host(kind, start)
            if seat is not None:
                self.give_up(uid, seat=seat)
                return self.book(kind["id"], start, client, host=host)
            row = self._made(kind, start, client, host)
            row |= {"rescheduledFromUid": uid, "reschedulingReason": reason or None}
            old |= {"status": "cancelled", "rescheduledToUid": row["uid"], "rescheduledByEmail": by or client.email}
            self._touch(old)
            trigger = "BOOKING_REQUESTED" if row["status"] == "pending" else "BOOKING_RESCHEDULED"
            self._tell(trigger, row, before=old)
            return str(row["uid"])

    def give_up(self, uid: str, *, reason: str = "", seat: str | None = None) -> None:
        """Cancel as the client does: the whole booking, or one seat of a shared one."""
        with self.lock:
            row = self._get(uid)
            if seat is None:
                self._cancel(row, row["attendees"][0]["email"], reason)
                return
            gone = [one for one in row["attendees"] if one["seatUid"] == seat]
            row["attendees"] = [one for one in row["attendees"] if one["seatUid"] != seat]
            if not row["attendees"]:
                row |= {"status": "cancelled", "cancelledByEmail": gone[0]["email"]}
            self._touch(row)
            self._tell("BOOKING_CANCELLED", row, gone)

    def cancel(self, uid: str, by: int, reason: str = "", *, asks_again: bool = False) -> None:
        """Cancel as a host does; `asks_again`: the client shall choose another time."""
        with self.lock:
            self._cancel(self._get(uid), self.users[by]["email"], reason, asks_again)

    def confirm(self, uid: str) -> None:
        with self.lock:
            row = self._pending(uid)
            row["status"] = "accepted"
            self._touch(row)
            self._tell("BOOKING_CREATED", row)

    def decline(self, uid: str, reason: str = "") -> None:
        with self.lock:
            row = self._pending(uid)
            row |= {"status": "rejected", "cancellationReason": reason or None}
            self._touch(row)
            self._tell("BOOKING_REJECTED", row)

    def reassign(self, uid: str, host: int) -> None:
        """Give to another host. No webhook tells it."""
        with self.lock:
            row = self._get(uid)
            kind = self.event_types[row["eventType"]["id"]]
            if kind["scheduling"] != "roundRobin":
                raise Refusal(400, "Booking with this uid is not a round robin booking")
            if host not in kind["hosts"] or not self.is_free(host, parsed(row["start"]), kind["minutes"], but=uid):
                raise Refusal(400, "User is not an available host of this event type")
            row["hosts"] = [self.users[host]]
            if self.switches.stamped:
                self._touch(row)

    def mark_absent(self, uid: str, email: str) -> None:
        with self.lock:
            row = self._get(uid)
            for one in row["attendees"]:
                one["absent"] = one["absent"] or one["email"] == email
            self._touch(row)
            marks = [{"email": email, "noShow": True}]
            payload = {"message": f"{email} marked as no-show", "attendees": marks}
            for told in self.told:
                told("BOOKING_NO_SHOW_UPDATED", payload | {"bookingUid": uid, "bookingId": row["id"]})

    def reserve(self, event_type: int, start: datetime, minutes: int | None, hold: int) -> Json:
        """Keep a slot from others for some minutes."""
        with self.lock:
            kind = self.event_types.get(event_type)
            if kind is None:
                raise Refusal(404, "Event Type not found")
            if minutes is not None and not kind["lengths"]:
                raise Refusal(400, "slotDuration can't be set for an event type of a single length")
            length = minutes or kind["minutes"]
            if not any(self.is_free(host, start, length) for host in kind["hosts"]) or self._reserved(kind, start):
                raise Refusal(422, "Can't reserve a slot that is booked or reserved already")
            made = {
                "eventTypeId": event_type,
                "slotStart": self._written(start),
                "slotEnd": self._written(start + timedelta(minutes=length)),
                "slotDuration": length,
                "reservationUid": f"reservation-{next(self._ids)}",
                "reservationDuration": hold,
                "reservationUntil": self._written(self.clock.now() + timedelta(minutes=hold)),
            }
            self.reservations[str(made["reservationUid"])] = made
            return made

    def is_free(self, host: int, start: datetime, minutes: int, *, but: str = "") -> bool:
        """Tell whether no other booking of this host overlaps."""
        end = start + timedelta(minutes=minutes)
        return not any(
            parsed(one["start"]) < end and start < parsed(one["end"])
            for uid, one in self.bookings.items()
            if uid != but and one["status"] in ("accepted", "pending") and host in [each["id"] for each in one["hosts"]]
        )

    # inside

    def _get(self, uid: str) -> Json:
        if uid not in self.bookings:
            raise Refusal(404, f"Booking with uid={uid} was not found in the database")
        return self.bookings[uid]

    def _pending(self, uid: str) -> Json:
        row = self._get(uid)
        if row["status"] != "pending":
            raise Refusal(400, "Booking is not pending")
        return row

    def _free_host(self, kind: Json, start: datetime) -> int:
        free = [one for one in kind["hosts"] if self.is_free(one, start, kind["minutes"])]
        if not free:
            raise Refusal(400, "User either already has booking at this time or is not available")
        return int(free[0])

    def _shared(self, kind: Json, start: datetime) -> Json | None:
        if kind["seats"] is None:
            return None
        rows = (one for one in self.bookings.values() if one["eventType"]["id"] == kind["id"])
        found = next((one for one in rows if parsed(one["start"]) == start and one["status"] == "accepted"), None)
        if found is not None and len(found["attendees"]) >= kind["seats"]:
            raise Refusal(409, "Booking seats are full")
        return found

    def _made(self, kind: Json, start: datetime, client: Client, host: int) -> Json:
        number = next(self._ids)
        uid = f"bookingUid{number:012d}"
        hosts = kind["hosts"] if kind["scheduling"] == "collective" else [host]
        row: Json = {
            "id": number,
            "uid": uid,
            "title": f"{kind['title']} between {self.users[host]['name']} and {client.name}",
            "description": "",
            "hosts": [self.users[one] for one in hosts],
            "status": "pending" if kind["confirm"] else "accepted",
            "start": self._written(start),
            "end": self._written(start + timedelta(minutes=kind["minutes"])),
            "duration": kind["minutes"],
            "eventTypeId": kind["id"],
            "eventType": {"id": kind["id"], "slug": kind["slug"]},
            "location": "Av. Siempre Viva 742, Santiago",
            "absentHost": False,
            "createdAt": self._written(self.clock.now()),
            "updatedAt": self._written(self.clock.now()),
            "metadata": dict(client.metadata),
            "icsUid": f"{uid}@Cal.com",
            "attendees": [self._seat(client) if kind["seats"] is not None else self._attendee(client)],
        }
        if kind["seats"] is None:
            row |= {"guests": list(client.guests), "bookingFieldsResponses": self._responses(client)}
        self.bookings[uid] = row
        return row

    def _attendee(self, client: Client) -> Json:
        phone = {} if client.phone is None else {"phoneNumber": client.phone}
        return {
            "name": client.name,
            "email": client.email,
            "displayEmail": client.email,
            "timeZone": client.zone,
            "language": "es",
            "absent": False,
            **phone,
        }

    def _seat(self, client: Client) -> Json:
        seat = {"seatUid": f"seat-{next(self._ids)}", "bookingFieldsResponses": self._responses(client)}
        return self._attendee(client) | seat | {"metadata": dict(client.metadata)}

    def _responses(self, client: Client) -> Json:
        return {"name": client.name, "email": client.email, "guests": list(client.guests), **client.answers}

    def _client_of(self, row: Json, seat: str | None) -> Client:
        found = next(one for one in row["attendees"] if seat is None or one["seatUid"] == seat)
        kept = found.get("metadata", row["metadata"]) if self.switches.metadata_survives else {}
        answers = found.get("bookingFieldsResponses") or row.get("bookingFieldsResponses", {})
        own = {key: value for key, value in answers.items() if key not in ("name", "email", "guests")}
        return Client(found["name"], found["email"], dict(kept), own, found.get("phoneNumber"), found["timeZone"])

    def _cancel(self, row: Json, by: str, reason: str, asks_again: bool = False) -> None:
        if row["status"] in ("cancelled", "rejected"):
            raise Refusal(400, "This booking has already been cancelled.")
        row |= {"status": "cancelled", "cancelledByEmail": by, "cancellationReason": reason or None}
        self._touch(row)
        self._tell("BOOKING_CANCELLED", row, asks_again=asks_again)

    def _reserved(self, kind: Json, start: datetime) -> bool:
        now = self.clock.now()
        return any(
            one["eventTypeId"] == kind["id"]
            and parsed(one["slotStart"]) == start
            and parsed(one["reservationUntil"]) > now
            for one in self.reservations.values()
        )

    def _touch(self, row: Json) -> None:
        row["updatedAt"] = self._written(self.clock.now())

    def _written(self, moment: datetime) -> str:
        """Spell an instant in one of the ways that have been seen."""
        number = next(self._ids)
        ending = self.switches.spellings[number % len(self.switches.spellings)]
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S") + ending

    def _tell(self, trigger: str, row: Json, clients: Sequence[Json] | None = None, **more: Any) -> None:
        payload = payload_of(row, self.event_types[row["eventType"]["id"]], clients or row["attendees"])
        if trigger in ("BOOKING_CANCELLED", "BOOKING_REJECTED"):  # neither carries the metadata
            del payload["metadata"]
        if trigger == "BOOKING_REJECTED":
            del payload["seatsPerTimeSlot"]
        if trigger == "BOOKING_CANCELLED":
            asked = bool(more.get("asks_again"))
            payload |= {"cancellationReason": row.get("cancellationReason") or "", "requestReschedule": asked}
        before: Mapping[str, Any] | None = more.get("before")
        if before is not None and trigger == "BOOKING_RESCHEDULED":
            payload |= {"rescheduleId": before["id"], "rescheduleUid": before["uid"]}
            payload |= {"rescheduleStartTime": before["start"], "rescheduleEndTime": before["end"]}
        for told in self.told:
            told(trigger, payload)


def payload_of(row: Json, kind: Json, clients: Sequence[Json]) -> Json:
    """Write the payload of a trigger, version 2021-10-20, reduced to what every booking has."""
    host = row["hosts"][0]
    return {
        "title": row["title"],
        "type": kind["slug"],
        "startTime": row["start"],
        "endTime": row["end"],
        "eventTypeId": kind["id"],
        "seatsPerTimeSlot": kind["seats"],
        "organizer": {key: host[key] for key in ("id", "name", "email", "username", "timeZone")},
        "attendees": [{"name": one["name"], "email": one["email"], "timeZone": one["timeZone"]} for one in clients],
        "responses": {"name": {"label": "your_name", "value": clients[0]["name"] if clients else ""}},
        "location": row["location"],
        "destinationCalendar": None,
        "uid": row["uid"],
        "bookingId": row["id"],
        "length": row["duration"],
        "metadata": dict(row["metadata"]),
        "status": row["status"].upper(),
    }


def parsed(text: str) -> datetime:
    return datetime.fromisoformat(text)
