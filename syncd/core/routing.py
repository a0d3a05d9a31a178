"""Which project and event type a request belongs to, and why."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
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


# C10: urgent, long, out of warranty, standard; used where the configuration gives no rules
DEFAULT_RULES = (
    Rule(event_type="urgent", priorities=frozenset({"urgent", "critical"})),
    Rule(event_type="long", requirements_over=15),
    Rule(event_type="out_of_warranty", in_warranty=False),
)
STANDARD = Rule(event_type="standard")


def name_key(name: str) -> str:
    """Return the form in which names are compared: NFC, case folded, blanks collapsed; accents count (C18)."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def find_project(
    name: str, projects: Iterable[ProjectId], names: Mapping[ProjectId, Sequence[str]]
) -> ProjectId | None:
    """Look a project up by its id, else by name or alias; an ambiguous name finds nothing."""
    known = set(projects)
    if name in known:
        return ProjectId(name)
    wanted = name_key(name)
    found = [one for one in names if wanted in map(name_key, names[one])]
    return found[0] if len(found) == 1 else None


def judge(rule: Rule, request: Request, project: ProjectId) -> tuple[bool, str]:
    """Tell whether a rule's conditions all hold, and why, in words for the explanation."""
    conditions = [one for one in _conditions(rule, request, project) if one is not None]
    failed = [why for holds, why in conditions if not holds]
    if failed:
        return False, "; ".join(failed)
    return True, "; ".join(why for _, why in conditions) or "no condition"


def _conditions(rule: Rule, request: Request, project: ProjectId) -> list[tuple[bool, str] | None]:
    return [
        _in_projects(rule, project),
        _more_than(rule, request),
        _any_requirement(rule, request),
    ]


def _in_projects(rule: Rule, project: ProjectId) -> tuple[bool, str] | None:
    if rule.projects is None:
        return None
    return (
        project in rule.projects,
        f"project {project} is {'' if project in rule.projects else 'not '}named by the rule",
    )


def _more_than(rule: Rule, request: Request) -> tuple[bool, str] | None:
    if rule.requirements_over is None:
        return None
    count = len(request.requirements)
    over = count > rule.requirements_over
    return over, f"{count} requirements, {'more' if over else 'not more'} than {rule.requirements_over}"


def _any_requirement(rule: Rule, request: Request) -> tuple[bool, str] | None:
    """One and the same requirement must meet every `any_requirement` condition of the rule."""
    if rule.priorities is None and rule.in_warranty is None and rule.categories is None:
        return None
    for number, one in enumerate(request.requirements, 1):
        if _fits(rule, one):
            return True, f"requirement {one.id or number} fits {_wanted(rule)}"
    return False, f"no requirement fits {_wanted(rule)}"


def _fits(rule: Rule, one: Requirement) -> bool:
    return (
        (rule.priorities is None or one.priority.casefold() in rule.priorities)
        and (rule.in_warranty is None or one.in_warranty is rule.in_warranty)
        and (rule.categories is None or one.category.casefold() in rule.categories)
    )


def _wanted(rule: Rule) -> str:
    parts = []
    if rule.priorities is not None:
        parts.append(f"priority {' or '.join(sorted(rule.priorities))}")
    if rule.in_warranty is not None:
        parts.append("in warranty" if rule.in_warranty else "out of warranty")
    if rule.categories is not None:
        parts.append(f"category {' or '.join(sorted(rule.categories))}")
    return ", ".join(parts)


def route(
    request: Request, project: ProjectId | None, event_types: Mapping[str, EventTypeId], rules: Sequence[Rule]
) -> Route | Unroutable:
    """Return the first rule that matches and whose event type the project has; every verdict is kept (R090-R094, C10).

    `event_types` maps the project's roles to its event types. A rule whose role the project lacks is passed over.
    """
    if project is None:
        return Unroutable(why=f"no project is called {request.project!r}")
    verdicts: list[Verdict] = []
    chosen: str | None = None
    for rule in (*(rules or DEFAULT_RULES), STANDARD):
        matched, why = judge(rule, request, project)
        linked = rule.event_type in event_types
        taken = matched and linked and chosen is None
        if taken:
            chosen = rule.event_type
        elif matched and not linked:
            why += f"; but the project has no {rule.event_type} event type"
        verdicts.append(Verdict(rule=rule, matched=matched, taken=taken, why=why))
    if chosen is None:
        return Unroutable(why="no rule fits and the project has no standard event type", verdicts=tuple(verdicts))
    return Route(project=project, event_type=event_types[chosen], role=chosen, verdicts=tuple(verdicts))


def rank_hosts(
    team: Sequence[AgentId], turns: Mapping[AgentId, int], preferred: AgentId | None = None
) -> list[AgentId]:
    """Order a team for one slot: the preferred agent, then who had the fewest turns; a tie falls by name (S22)."""
    return sorted(team, key=lambda agent: (agent != preferred, turns.get(agent, 0), agent))
