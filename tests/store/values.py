"""Visits, causes, entries and deliveries for tests of the store, short to write."""

from datetime import UTC, datetime, timedelta

from syncd.core.busy import BusyBlock
from syncd.core.ids import AccountId, AgentId, CalendarId, EventTypeId, ProjectId, VisitId
from syncd.core.interval import Interval
from syncd.core.publish import EventKey, Published
from syncd.core.visit import Contact, Source, Visit, VisitState
from syncd.store import Store
from syncd.store.calendars import Entry
from syncd.store.queue import StoredDelivery, WorkKind
from syncd.store.visits import Cause

START = datetime(2026, 5, 12, 14, 0, tzinfo=UTC)
ANA, BETO, CARLA = AgentId("ana"), AgentId("beto"), AgentId("carla")
CASAS, VISITA = ProjectId("casas"), EventTypeId("visita")
SCHEDULER = AccountId("sched")
HOME, OTHER_HOME = CalendarId("cal/ana"), CalendarId("cal/beto")
CAUSE = Cause(at=START, actor="staff:eva", source="panel")


def at(minutes: float) -> datetime:
    """Return a moment so many minutes after START."""
    return START + timedelta(minutes=minutes)


def span(start: float, end: float) -> Interval:
    return Interval(at(start), at(end))


def visit(
    name: str = "v1",
    start: float = 0,
    end: float = 20,
    *,
    host: AgentId | None = ANA,
    after: float = 0,
    holds: bool = True,
    state: VisitState = VisitState.CONFIRMED,
    project: ProjectId | None = CASAS,
    event_type: EventTypeId | None = VISITA,
    source: Source | None = None,
) -> Visit:
    """Make a visit from minute `start` to minute `end`, held `after` minutes longer."""
    return Visit(
        id=VisitId(name),
        state=state,
        project=project,
        event_type=event_type,
        host=host,
        interval=span(start, end),
        guard=span(start, end + after),
        holds=holds,
        contact=Contact(name="Clara Cliente", email="clara@example.cl"),
        source=source or Source(account=AccountId("panel")),
        booked_at=START,
        time_zone="America/Santiago",
    )


def save(store: Store, wanted: Visit, cause: Cause = CAUSE) -> Visit:
    return store.write(lambda tx: tx.visits.save(wanted, cause))


def entry(name: str = "e1", *spans: tuple[float, float], calendar: CalendarId = HOME, etag: str = "1") -> Entry:
    """Make a stranger's entry that takes these minutes."""
    uid = f"{name}@stranger"
    blocks = tuple(BusyBlock(calendar=calendar, remote_id=name, uid=uid, interval=span(*one)) for one in spans)
    return Entry(remote_id=name, uid=uid, etag=etag, blocks=blocks)


def published(subject: str = "visit:v1", calendar: CalendarId = HOME, remote_id: str = "r1") -> Published:
    return Published(
        key=EventKey(subject, calendar),
        uid="v1@syncd",
        remote_id=remote_id,
        etag='"1"',
        content_hash="abc",
        interval=span(0, 20),
    )


def delivery(name: str = "d1", key: str = "k1", *touches: str, account: AccountId = SCHEDULER) -> StoredDelivery:
    """Make a delivery that touches these ingest keys."""
    return StoredDelivery(
        id=name,
        account=account,
        key=key,
        headers=(("Content-Type", "application/json"), ("X-Twice", "1"), ("X-Twice", "2")),
        body=b'{"a": "\xff"}',
        received_at=START,
        touches=tuple((WorkKind.INGEST.value, touch) for touch in touches),
    )
