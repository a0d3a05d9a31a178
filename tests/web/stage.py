"""The whole HTTP side on a real socket over a real store, with the town's agents and two Calendly accounts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import requests

from connectors._calendly_hook import HEADER, hook
from connectors._calendly_settings import CalendlySettings
from syncd.clock import Clock
from syncd.core import limits
from syncd.core.directory import Activation, CalendarRef, Directory, SchedulerLink
from syncd.core.event_type import EventType
from syncd.core.ids import AccountId, AgentId, CalendarId, EventTypeId, ProjectId, VisitId
from syncd.core.visit import Visit
from syncd.flows.context import AccountParts, Context
from syncd.flows.sign_in import EMBEDDED, Passwords, set_password
from syncd.ports import Calendar
from syncd.store import Store, Tx, open_store
from syncd.store.queue import DeliveryState, Notice, StoredDelivery
from syncd.web.app import Edge, create_app
from syncd.web.dav import dav_app, embedded_calendars, ensure_calendars
from syncd.web.serve import Server
from tests.connectors.test_calendly_hook import created, signature
from tests.web.recorder import Recorder
from tests.world import town
from tests.world.clock import VirtualClock

TOKEN, OTHER_TOKEN = "token-of-the-crm", "token-of-the-panel"
TOKENS = {"crm": TOKEN, "panel": OTHER_TOKEN}
CALENDLY, SECOND = AccountId("calendly"), AccountId("calendly2")
KEYS = {CALENDLY: "key one", SECOND: "key two"}
EVENT_TYPE = "https://api.calendly.com/event_types/T1"
LINK_KEY = b"k" * 32
INSIDE = "password of our own connector"
PASSWORDS = {"ana": "contraseña de ana", "beto": "contraseña de beto"}
APPROVED = replace(town.VISITA, id=EventTypeId("larga"), name="Visita larga", approval=True)
URGENT = replace(town.VISITA, id=EventTypeId("urgente"), name="Urgente", minimum_notice=timedelta(0), same_day=True)
TORRE, CLOSED = ProjectId("torre"), ProjectId("cerrado")
SHORT = 0.3  # seconds; the deadlines of a stage that is told to be impatient
Delivered = dict[str, Any]


def directory(team: int = 2) -> Directory:
    """Casas (three event types), Torre (with Calendly) and a project that is not open; agents with own calendars."""
    names = ["ana", "beto", *(f"agente{number}" for number in range(team - 2))]
    agents = [town.agent(name, account=EMBEDDED) for name in names]
    agents = [replace(one, calendars=tuple(map(_at_home, one.calendars))) for one in agents]
    kinds: dict[str, EventType] = {"standard": town.VISITA, "long": APPROVED, "urgent": URGENT}
    found = town.directory(agents, scheduler=False, event_types=kinds, aliases=("Casas Plan",))
    casas = found.projects[town.CASAS]
    link = SchedulerLink(account=CALENDLY, event_types={"standard": EVENT_TYPE})
    torre = replace(casas, id=TORRE, name="Torre", aliases=(), scheduler=link)
    closed = replace(casas, id=CLOSED, name="Cerrado", aliases=(), activation=Activation.OFF)
    return replace(found, projects={one.id: one for one in (casas, torre, closed)})


def _at_home(ref: CalendarRef) -> CalendarRef:
    name = f"{ref.agent}/visits"
    return replace(ref, id=CalendarId(f"{EMBEDDED}/{name}"), name=name)


def no_calendar(ref: CalendarRef) -> Calendar:
    raise AssertionError(f"the web asked for the calendar {ref.id}")


def hooks(*accounts: AccountId) -> dict[AccountId, AccountParts]:
    """Make Calendly accounts that can verify webhooks and nothing else."""
    found = {}
    for account in accounts:
        settings = CalendlySettings.model_validate({"token": "t", "signing_keys": [KEYS[account]]})
        found[account] = AccountParts(id=account, kind="calendly", hook=partial(hook, account, settings))
    return found


@dataclass
class Stage:
    """A running server and everything behind it."""

    server: Server
    ctx: Context
    clock: VirtualClock
    api: Recorder
    session: requests.Session
    app: Edge
    _starts: Iterator[int] = field(default_factory=count)

    @property
    def url(self) -> str:
        host, port = self.server.address
        return f"http://{host}:{port}"

    @property
    def store(self) -> Store:
        return self.ctx.store

    # what is in the store

    def inbox(self, state: DeliveryState | None = None) -> list[StoredDelivery]:
        with self.store.read() as tx:
            return tx.queue.inbox_list(state, 100_000)

    def kept(self, body: bytes) -> StoredDelivery:
        """Return the only delivery with this body."""
        (found,) = (one for one in self.inbox() if one.body == body)
        return found

    def visit(self, visit_id: str) -> Visit:
        with self.store.read() as tx:
            return tx.visits.get(VisitId(visit_id))

    def visits(self) -> list[Visit]:
        with self.store.read() as tx:
            return tx.visits.search()

    def take_work(self) -> set[tuple[str, str]]:
        """Return the (kind, key) of everything that is due, and leave nothing due."""
        now = self.clock.now()

        def take(tx: Tx) -> set[tuple[str, str]]:
            taken = tx.queue.claim(now, timedelta(minutes=1), limit=100_000)
            for work in taken:
                tx.queue.finish(work)
            return {(work.kind.value, work.key) for work in taken}

        return self.store.write(take)

    def notices(self, channel: str, about: str) -> list[Notice]:
        with self.store.read() as tx:
            return tx.queue.notices(channel=channel, about=about)

    def a_start(self) -> str:
        """Return a start that no other test of this stage was given; both agents are free then."""
        number, place = divmod(next(self._starts), 18)
        day = number + (number + 2) // 5 * 2  # from a Wednesday on, without weekends
        wednesday = datetime.fromisoformat("2026-05-13T09:00:00-04:00")
        moment = wednesday + timedelta(days=day, minutes=30 * place)
        return moment.isoformat()

    # what is sent

    def deliver(self, body: bytes, account: str = CALENDLY, **headers: str) -> requests.Response:
        """Send a rightly signed delivery; a header given replaces the right one."""
        signed = signature(body, key=KEYS[AccountId(account)], at=self.clock.now())
        head = {"Content-Type": "application/json", HEADER: signed, **headers}
        return self.session.post(f"{self.url}/hook/{account}", data=body, headers=head, timeout=20)

    def good_delivery(self, name: str = "I1") -> bytes:
        """Write a delivery about an invitee of our event type."""
        whole = created(uri=f"https://api.calendly.com/scheduled_events/E1/invitees/{name}")
        return json.dumps(whole).encode()

    def book(self, start: datetime | str = town.TUESDAY, **changes: Any) -> dict[str, Any]:
        """Book a visit at Casas through the API and return it."""
        answer = self.api.post("/api/visits", booking(start, **changes))
        assert answer.status_code == 201, answer.text
        visit: dict[str, Any] = answer.json()
        return visit


def booking(start: datetime | str | None = town.TUESDAY, **changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "project": "casas",
        "start": start.isoformat() if isinstance(start, datetime) else start,
        "contact": {"name": "Eva Díaz", "email": "eva@example.com", "phone": "+56 9 1234 5678", "tax_id": "12345678-5"},
        "answers": [{"question": "Propiedad", "answer": "Casa 12"}],
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def request_body(name: str = "R-1", **changes: Any) -> dict[str, Any]:
    whole = {
        "id": name,
        "project": "casas",
        "contact": {"name": "Eva Díaz", "email": "eva@example.com", "phone": None, "tax_id": None},
        "property": "Casa 12",
        "requirements": [{"id": "q1", "priority": "normal", "in_warranty": True, "category": "", "text": "gotera"}],
    }
    return whole | changes


def read_calendars(store: Store, found: Directory, now: datetime) -> None:
    """Note that every calendar has just been read: its agent is open."""
    calendars = [ref.id for ref in found.calendars()]
    store.write(lambda tx: tx.calendars.fresh(calendars, now))


@contextmanager
def staged(
    folder: Path,
    *,
    clock: Clock | None = None,
    found: Directory | None = None,
    impatient: bool = False,
    **changes: Any,
) -> Iterator[Stage]:
    """Run a stage; `changes` replace fields of its context."""
    time = clock if isinstance(clock, VirtualClock) else VirtualClock(town.START)
    people = found or directory()
    store = open_store(folder / "syncd.db", clock or time)
    session = requests.Session()
    session.trust_env = False
    options: dict[str, Any] = {"accounts": hooks(CALENDLY, SECOND), "public_url": "http://127.0.0.1"} | changes
    ctx = Context(store=store, directory=people, clock=clock or time, calendar_of=no_calendar, **options)
    passwords = Passwords(lambda: ctx)
    dav = dav_app(folder, INSIDE, passwords.fits)
    ensure_calendars(dav, INSIDE, embedded_calendars(people))
    read_calendars(store, people, ctx.clock.now())
    for agent, password in PASSWORDS.items():
        assert set_password(ctx, AgentId(agent), password) is None
    seconds = SHORT if impatient else limits.BODY_SECONDS
    app = create_app(
        lambda: ctx,
        tokens=lambda: TOKENS,
        link_key=lambda: LINK_KEY,
        dav=dav,
        passwords=passwords,
        body_seconds=seconds,
    )
    server = Server(app, "127.0.0.1:0", head_seconds=seconds)
    server.start()
    host, port = server.address
    api = Recorder(f"http://{host}:{port}", app.api, TOKEN)
    try:
        yield Stage(server, ctx, time, api, session, app)
    finally:
        api.close()
        session.close()
        server.stop()
        store.close()
