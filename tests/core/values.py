"""Small values that many tests of the core begin with."""

from datetime import UTC, datetime, timedelta

from syncd.core.event_type import EventType
from syncd.core.ids import AccountId, AgentId, CalendarId, EventTypeId, ProjectId, VisitId
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, EventKey, Published
from syncd.core.visit import Contact, Source, Visit, VisitState

TUESDAY = datetime(2026, 5, 12, 14, 0, tzinfo=UTC)  # 10:00 in Santiago
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
STANDARD = EventType(
    id=EventTypeId("standard"),
    name="Visita",
    duration=timedelta(minutes=20),
    buffer_after=timedelta(minutes=10),
    increment=timedelta(minutes=30),
    title="Visita {{ proyecto }} - {{ respuesta_1 }}",
)


def span(start: datetime, minutes: int = 20) -> Interval:
    return Interval(start, start + timedelta(minutes=minutes))


def visit(**changes: object) -> Visit:
    values: dict[str, object] = {
        "id": VisitId("v1"),
        "state": VisitState.CONFIRMED,
        "project": ProjectId("casas"),
        "event_type": STANDARD.id,
        "host": AgentId("ana"),
        "interval": span(TUESDAY),
        "guard": span(TUESDAY, 30),
        "holds": True,
        "contact": Contact(name="Eva Díaz", email="eva@example.com", phone="+56912345678", tax_id="12345678-5"),
        "source": Source(account=AccountId("api")),
        "booked_at": NOW,
        "time_zone": "America/Santiago",
    }
    return Visit(**(values | changes))  # type: ignore[arg-type]


KEY = EventKey("visit:v1", CalendarId("oficina/ana"))


def draft(title: str = "Visita") -> EventDraft:
    return EventDraft(key=KEY, uid="visit-v1@syncd", interval=span(TUESDAY), time_zone="America/Santiago", title=title)


def published(**changes: object) -> Published:
    values: dict[str, object] = {
        "key": KEY,
        "uid": "visit-v1@syncd",
        "remote_id": "/ana/1.ics",
        "etag": '"1"',
        "content_hash": draft().content_hash,
        "interval": span(TUESDAY),
        "title": "Visita",
    }
    return Published(**(values | changes))  # type: ignore[arg-type]
