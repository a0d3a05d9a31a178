"""Which project and event type a request belongs to, and why."""

from dataclasses import dataclass
from datetime import datetime

from syncd.core.ids import AgentId, EventTypeId, ProjectId, RequestId
from syncd.core.visit import Contact, Dwelling


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One item of a request; `priority` as the client's system words it, lower case."""

    id: str = ""
    priority: str = "normal"
    in_warranty: bool | None = None
    category: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    id: RequestId
    project: str  # as the sender names it: id, name or alias
    contact: Contact
    dwelling: Dwelling | None = None
    requirements: tuple[Requirement, ...] = ()
    preferred_agent: AgentId | None = None
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A condition over the request; every condition that is given must hold. None given: it always holds."""

    event_type: str  # the role in the project: standard, urgent, long, out_of_warranty
    priorities: frozenset[str] | None = None  # any requirement with one of these
    in_warranty: bool | None = None  # any requirement with this cover
    categories: frozenset[str] | None = None
    requirements_over: int | None = None
    projects: frozenset[ProjectId] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one rule said about a request, in words for the explanation."""

    rule: Rule
    matched: bool
    taken: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    project: ProjectId
    event_type: EventTypeId
    role: str
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unroutable:
    why: str
    verdicts: tuple[Verdict, ...] = ()
