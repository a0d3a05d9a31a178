"""Visits, their history, requests and round-robin counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from syncd.core.ids import AccountId, AgentId, EventTypeId, ProjectId, RequestId, VisitId
from syncd.core.interval import Interval
from syncd.core.routing import Request, Route
from syncd.core.visit import Visit, VisitState


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Who changed a visit, from which system, because of which delivery; `note` explains a decision."""

    at: datetime
    actor: str  # "client", "agent:ana", "staff:…", "scheduler:calendly", "syncd", "cli", "api:crm"
    source: str  # account or "api", "cli", "calendar", "page", "daemon"
    delivery: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRow:
    visit: VisitId
    version: int
    cause: Cause
    before: dict[str, Any] | None  # only the fields that changed
    after: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A visit's claim on an agent's time; `guard` includes the buffers."""

    visit: VisitId
    agent: AgentId
    interval: Interval
    guard: Interval
    event_type: EventTypeId | None = None


class Visits:
    def save(self, visit: Visit, cause: Cause) -> Visit:
        """Insert (version 0) or update (version must be the stored one, else StaleRevision); return it with its new version.

        Writes the history row in the same transaction. Raises SlotTaken, inside a savepoint: the caller may go on.
        """
        raise NotImplementedError

    def find(self, visit: VisitId) -> Visit | None:
        raise NotImplementedError

    def get(self, visit: VisitId) -> Visit:
        """Return the visit; raises KeyError."""
        raise NotImplementedError

    def find_by_source(self, account: AccountId, source_id: str) -> Visit | None:
        """Look up a visit by any scheduler id it ever had (a reschedule gives it a new one)."""
        raise NotImplementedError

    def alias(self, visit: VisitId, account: AccountId, source_id: str) -> None:
        """Let a further scheduler id lead to the visit; repeating it is harmless."""
        raise NotImplementedError

    def tombstone(self, account: AccountId, source_id: str, at: datetime) -> None:
        """Remember that a booking we never had is cancelled for good."""
        raise NotImplementedError

    def is_tombstone(self, account: AccountId, source_id: str) -> bool:
        raise NotImplementedError

    def search(
        self,
        *,
        window: Interval | None = None,
        agent: AgentId | None = None,
        project: ProjectId | None = None,
        states: Sequence[VisitState] | None = None,
        request: RequestId | None = None,
        after: VisitId | None = None,
        limit: int = 200,
    ) -> list[Visit]:
        """List visits ordered by (start, id); `after` continues behind that visit. State DONE is CONFIRMED here."""
        raise NotImplementedError

    def holds(self, agents: Sequence[AgentId], window: Interval) -> list[Hold]:
        """List the holds whose guard overlaps the window, ordered by (agent, start)."""
        raise NotImplementedError

    def history(self, visit: VisitId) -> list[HistoryRow]:
        raise NotImplementedError

    def daily_count(self, agent: AgentId, event_type: EventTypeId, day: Interval) -> int:
        """Count active visits of this type that start in the given local day."""
        raise NotImplementedError

    def turns(self, project: ProjectId, event_type: EventTypeId, agents: Sequence[AgentId]) -> dict[AgentId, int]:
        """Count the active or done visits of each agent (round robin); a cancelled visit gives its turn back.

        An agent who joined later starts at the minimum of the others at that moment.
        """
        raise NotImplementedError

    def put_request(self, request: Request, body: str, route: Route | None, booking_url: str | None) -> None:
        raise NotImplementedError

    def find_request(self, request: RequestId) -> "StoredRequest | None":
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRequest:
    request: Request
    body: str  # canonical JSON of what was posted, to tell a repeat from a different body
    route: Route | None
    booking_url: str | None
