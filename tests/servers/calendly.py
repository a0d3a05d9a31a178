"""Starts the practice scheduler inside a test, with a clock that the test moves."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from syncd.practice_calendly import Client, Company, PracticeServer

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MONDAY = datetime(2026, 11, 30, tzinfo=UTC)
TOKEN = "practice-token"


@dataclass
class HandClock:
    """Time that only moves when told; ids that count."""

    at: datetime = NOW
    elapsed: float = 1000.0
    ids: Iterator[int] = field(default_factory=lambda: count(1))

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.elapsed

    def jitter(self) -> float:
        return 0.5

    def new_id(self) -> str:
        return f"{next(self.ids):032x}"

    def advance(self, by: timedelta) -> None:
        self.at += by
        self.elapsed += by.total_seconds()


@dataclass
class Practice:
    """A running practice scheduler with an owner, two agents and one team event type of 30 minutes."""

    server: PracticeServer
    clock: HandClock
    owner: str
    ana: str
    bruno: str
    visit: str

    @property
    def company(self) -> Company:
        return self.server.company

    def book(self, hour: int, *, day: int = 0, minute: int = 0, email: str = "rosa@example.com", **more: str) -> str:
        """Book a visit of Monday (or `day` days later) at this UTC hour and return the invitee."""
        start = MONDAY + timedelta(days=day, hours=hour, minutes=minute)
        return self.company.book(self.visit, start, Client("Rosa Díaz", email), host=more.get("host"))

    def event_of(self, invitee: str) -> str:
        return str(self.company.invitees[invitee]["event"])

    def calls(self, prefix: str = "") -> list[str]:
        return [one for one in self.server.requests if one.startswith(prefix)]


@contextmanager
def practice() -> Iterator[Practice]:
    """Run a practice scheduler on a free loopback port."""
    clock = HandClock()
    company = Company(clock)
    owner = company.add_user("Oficina", "oficina@example.com", role="owner", token=TOKEN)
    ana = company.add_user("Ana Soto", "ana@example.com", calendar="google")
    bruno = company.add_user("Bruno Paz", "bruno@example.com", token="bruno-token")
    place = "Av. Siempre Viva 742, Santiago"
    visit = company.add_event_type("Visita", 30, [ana, bruno], after=10, place=place, questions=["Número de propiedad"])
    server = PracticeServer(company).start()
    try:
        yield Practice(server, clock, owner, ana, bruno, visit)
    finally:
        server.stop()
