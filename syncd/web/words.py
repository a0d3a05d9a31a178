"""From what the API was sent to the words of the core. Looks names up in the directory; touches no store."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from syncd.core.directory import Directory
from syncd.core.ids import AgentId, ProjectId, RequestId
from syncd.core.interval import Interval
from syncd.core.limits import LONGEST_WINDOW
from syncd.core.routing import Request, Requirement, Verdict
from syncd.core.visit import Contact, Dwelling, Refused
from syncd.flows.show import slot_json
from syncd.web.api_models import ContactIn, PropertyIn, RequestIn, RequirementIn
from syncd.web.api_values import read_edge, read_phone
from syncd.web.problems import Problem, type_of


def invalid(field: str, problem: str) -> Problem:
    return Problem("invalid", f"{field}: {problem}", errors=[{"field": field, "problem": problem}])


def region_of(directory: Directory) -> str:
    """Return the country in which a telephone number without a country code is read."""
    return directory.locale.partition("_")[2] or "CL"


def contact_of(taken: ContactIn, directory: Directory) -> Contact:
    try:
        phone = read_phone(taken.phone, region_of(directory)) if taken.phone else None
    except ValueError as error:
        raise invalid("contact.phone", str(error)) from None
    return Contact(name=taken.name, email=taken.email, phone=phone, tax_id=taken.tax_id or None)


def dwelling_of(taken: PropertyIn | None) -> Dwelling | None:
    return None if taken is None else Dwelling(id=taken.id, name=taken.name, address=taken.address)


def agent_of(directory: Directory, named: str) -> AgentId:
    """Return the agent with this id, else with this address; raises Problem `not-found`."""
    if named in directory.agents:
        return AgentId(named)
    found = [agent.id for agent in directory.agents.values() if agent.email.casefold() == named.casefold()]
    if len(found) != 1:
        raise Problem("not-found", f"no agent has the id or address {named!r}")
    return found[0]


def agents_of(directory: Directory, named: Sequence[str]) -> tuple[AgentId, ...]:
    return tuple(agent_of(directory, one) for one in named)


def project_of(directory: Directory, named: str) -> ProjectId:
    if named not in directory.projects:
        raise Problem("not-found", f"no project has the id {named!r}")
    return ProjectId(named)


def request_of(taken: RequestIn, directory: Directory, now: datetime) -> Request:
    return Request(
        id=RequestId(taken.id),
        project=taken.project,
        contact=contact_of(taken.contact, directory),
        dwelling=dwelling_of(taken.property),
        requirements=tuple(map(_requirement, taken.requirements)),
        preferred_agent=agent_of(directory, taken.preferred_agent) if taken.preferred_agent else None,
        received_at=now,
    )


def _requirement(taken: RequirementIn) -> Requirement:
    return Requirement(
        id=taken.id,
        priority=taken.priority.casefold() or "normal",
        in_warranty=taken.in_warranty,
        category=taken.category,
        text=taken.text,
    )


def window_of(start: str, end: str, zone: str) -> Interval:
    """Return the window between two edges; raises Problem `invalid`."""
    window = Interval(_edge("from", start, zone), _after("to", start, end, zone))
    if window.length > LONGEST_WINDOW:
        raise invalid("to", f"at most {LONGEST_WINDOW.days} days after from")
    return window


def _edge(field: str, text: str, zone: str) -> datetime:
    try:
        return read_edge(text, zone)
    except ValueError as error:
        raise invalid(field, str(error)) from None


def _after(field: str, start: str, end: str, zone: str) -> datetime:
    edge = _edge(field, end, zone)
    if edge <= _edge("from", start, zone):
        raise invalid(field, "must be later than from")
    return edge


def verdict_json(verdict: Verdict) -> dict[str, object]:
    return {
        "event_type": verdict.rule.event_type,
        "matched": verdict.matched,
        "taken": verdict.taken,
        "why": verdict.why,
    }


def problem_of(refused: Refused, zone: str) -> Problem:
    """Return a flow's refusal as a problem, with the alternatives in the zone of the place."""
    extra: dict[str, Any] = (
        {"alternatives": [slot_json(slot, zone) for slot in refused.alternatives]} if refused.alternatives else {}
    )
    return Problem(type_of(refused.reason), refused.detail, **extra)
