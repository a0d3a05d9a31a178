"""The published shapes of Calendly's resources, freshly filled; nothing here remembers anything."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

TRACKING = ("utm_campaign", "utm_source", "utm_medium", "utm_content", "utm_term", "salesforce_uuid")


@dataclass(frozen=True, slots=True)
class Client:
    """Who books: what a client types into the booking page."""

    name: str
    email: str
    answers: tuple[tuple[str, str], ...] = ()
    tracking: Mapping[str, str | None] = field(default_factory=dict)
    time_zone: str = "America/Santiago"


def stamp(moment: datetime) -> str:
    """Write an instant as the service does: UTC, six digits, Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment_of(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def user(uri: str, organization: str, name: str, email: str, time_zone: str, page: str, at: str) -> Json:
    return {
        "avatar_url": "https://cdn.example.com/avatar.png",
        "created_at": at,
        "current_organization": organization,
        "email": email,
        "name": name,
        "scheduling_url": page,
        "slug": page.rsplit("/", 1)[1],
        "timezone": time_zone,
        "updated_at": at,
        "uri": uri,
    }


def membership(uri: str, person: Json, role: str, at: str) -> Json:
    return {
        "created_at": at,
        "organization": person["current_organization"],
        "role": role,
        "updated_at": at,
        "uri": uri,
        "user": {key: value for key, value in person.items() if key != "current_organization"},
    }


def event_type(uri: str, team: Json, name: str, minutes: int, page: str, at: str) -> Json:
    return {
        "active": True,
        "admin_managed": False,
        "booking_method": "instant",
        "color": "#fff200",
        "created_at": at,
        "custom_questions": [],
        "deleted_at": None,
        "description_html": None,
        "description_plain": None,
        "duration": minutes,
        "internal_note": None,
        "kind": "solo",
        "kind_description": "Round Robin",
        "name": name,
        "pooling_type": "round_robin",
        "profile": team,
        "scheduling_url": page,
        "secret": False,
        "slug": page.rsplit("/", 1)[1],
        "type": "StandardEventType",
        "updated_at": at,
        "uri": uri,
    }


def questions(texts: Iterable[str]) -> list[Json]:
    return [
        {
            "answer_choices": [],
            "enabled": True,
            "include_other": False,
            "name": text,
            "position": position,
            "required": True,
            "type": "string",
        }
        for position, text in enumerate(texts)
    ]


def event(uri: str, kind: Json, start: datetime, end: datetime, seats: int, place: str, at: str) -> Json:
    return {
        "calendar_event": None,
        "created_at": at,
        "end_time": stamp(end),
        "event_guests": [],
        "event_memberships": [],
        "event_type": kind["uri"],
        "invitees_counter": {"active": 0, "limit": seats, "total": 0},
        "location": {"additional_info": "", "location": place, "type": "physical"},
        "meeting_notes_html": None,
        "meeting_notes_plain": None,
        "name": kind["name"],
        "start_time": stamp(start),
        "status": "active",
        "updated_at": at,
        "uri": uri,
    }


def invitee(uri: str, event_uri: str, client: Client, old_invitee: str | None, pages: str, at: str) -> Json:
    own = uri.rsplit("/", 1)[1]
    return {
        "cancel_url": f"{pages}/cancellations/{own}",
        "created_at": at,
        "email": client.email,
        "event": event_uri,
        "first_name": None,
        "invitee_scheduled_by": None,
        "last_name": None,
        "name": client.name,
        "new_invitee": None,
        "no_show": None,
        "old_invitee": old_invitee,
        "payment": None,
        "questions_and_answers": [
            {"answer": answer, "position": position, "question": question}
            for position, (question, answer) in enumerate(client.answers)
        ],
        "reconfirmation": None,
        "reschedule_url": f"{pages}/reschedulings/{own}",
        "rescheduled": False,
        "routing_form_submission": None,
        "scheduling_method": None,
        "status": "active",
        "text_reminder_number": None,
        "timezone": client.time_zone,
        "tracking": {key: client.tracking.get(key) for key in TRACKING},
        "updated_at": at,
        "uri": uri,
    }


def subscription(uri: str, wanted: Json, creator: str, at: str) -> Json:
    return {
        "callback_url": wanted["url"],
        "created_at": at,
        "creator": creator,
        "events": wanted["events"],
        "organization": wanted["organization"],
        "retry_started_at": None,
        "scope": wanted["scope"],
        "state": "active",
        "updated_at": at,
        "uri": uri,
        "user": wanted.get("user"),
    }
