"""From what the API was sent to the words of the core. Looks names up in the directory; touches no store."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from syncd.core.directory import Directory
from syncd.core.event_type import EventType
from syncd.core.ids import AgentId, ProjectId, RequestId
from syncd.core.interval import Interval
from syncd.core.limits import LONGEST_WINDOW
from syncd.core.routing import Request, Requirement, Verdict
from syncd.core.visit import Answer, Contact, ContactPerson, Dwelling, Refused
from syncd.flows.show import slot_json
from syncd.identity import read_email, read_phone
from syncd.web.api_models import AnswerIn, ContactIn, PropertyIn, RequestIn, RequirementIn
from syncd.web.api_values import read_edge, read_moment
from syncd.web.problems import Problem, type_of

_FIELD = re.compile(r"[a-z_.0-9]+")


def invalid(field: str, problem: str) -> Problem:
    return Problem("invalid", f"{field}: {problem}", errors=[{"field": field, "problem": problem}])


def contact_of(taken: ContactIn, directory: Directory) -> Contact:
    try:
        phone = read_phone(taken.phone, directory.region) if taken.phone else None
    except ValueError as error:
        raise invalid("contact.phone", str(error)) from None
    return Contact(name=taken.name, email=taken.email, phone=phone, tax_id=taken.tax_id or None)


def dwelling_of(taken: PropertyIn | None) -> Dwelling | None:
    if taken is None:
        return None
    return Dwelling(
        id=taken.id,
        name=taken.name,
        address=taken.address,
        photo_url=taken.photo_url or None,
        facts=tuple((fact.label, fact.value) for fact in taken.facts),
        agent_in_charge=taken.agent_in_charge,
        producer=taken.producer,
        additional_agent=taken.additional_agent,
        contact_persons=tuple(
            ContactPerson(name=one.name, email=one.email, user=one.user) for one in taken.contact_persons
        ),
    )


def agent_of(directory: Directory, named: str) -> AgentId:
    """Return the agent with this id, else with this address; raises Problem `not-found`."""
    found = directory.find_agent(named)
    if found is None:
        raise Problem("not-found", f"no agent has the id or address {named!r}")
    return found


def comers_of(
    named: Sequence[str | ContactIn], directory: Directory
) -> tuple[tuple[AgentId, ...], tuple[Contact, ...]]:
    """Tell agents from further contacts among who shall come along; raises Problem for what is neither."""
    agents, contacts = [], []
    for one in named:
        agent = directory.find_agent(one) if isinstance(one, str) else None
        if agent is not None:
            agents.append(agent)
        elif isinstance(one, str):
            contacts.append(Contact(name=_address(one), email=_address(one)))
        else:
            contacts.append(contact_of(one, directory))
    return tuple(agents), tuple(contacts)


def leavers_of(named: Sequence[str | ContactIn], directory: Directory) -> tuple[tuple[AgentId, ...], tuple[str, ...]]:
    """Tell agents from addresses of further contacts, in folded case, among who shall not come along."""
    agents, addresses = [], []
    for one in named:
        text = one if isinstance(one, str) else one.email or one.name
        agent = directory.find_agent(text)
        if agent is not None:
            agents.append(agent)
        addresses += [_address(text).casefold()] if agent is None or "@" in text else []
    return tuple(agents), tuple(addresses)


def _address(text: str) -> str:
    try:
        return read_email(text)
    except ValueError:
        raise Problem("not-found", f"no agent has the id or address {text!r}, nor is it an e-mail address") from None


def agreed(field: str, given: str | None, known: str | None) -> str:
    """Return the one value that was given or is known of the request; two different ones are a mistake."""
    if given is not None and known is not None and given != known:
        raise invalid(field, f"the request belongs to {known!r}")
    if given is None and known is None:
        raise invalid(field, "say which: give project or request")
    return given or known or ""


def answers_of(taken: Sequence[AnswerIn], event_type: EventType | None) -> tuple[Answer, ...]:
    """Return the answers; raises Problem for a question of the event type that is answered twice, or must be answered
    and is left blank. Questions that it does not know are the sender's own, and so is leaving some out."""
    known = {one.text.casefold(): one for one in event_type.questions} if event_type is not None else {}
    seen: set[str] = set()
    for number, one in enumerate(taken):
        question = known.get(one.question.casefold())
        if question is None:
            continue
        if question.text in seen:
            raise invalid(f"answers.{number}", f"{question.text!r} is answered twice")
        if question.required and not one.answer.strip():
            raise invalid(f"answers.{number}", f"{question.text!r} must be answered")
        seen.add(question.text)
    return tuple(Answer(question=one.question, answer=one.answer) for one in taken)


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
        preferred_agent=_preferred(directory, taken.preferred_agent),
        received_at=now,
    )


def _preferred(directory: Directory, named: str | None) -> AgentId | None:
    found = directory.find_agent(named) if named is not None else None
    if named is not None and found is None:
        raise invalid("preferred_agent", f"no agent has the id or address {named!r}")
    return found


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


def moment_of(field: str, text: str) -> datetime:
    """Return an instant of a query, in which a `+` may have become a blank; raises Problem `invalid`."""
    try:
        return read_moment(re.sub(r"(?<=\d) (?=\d\d:\d\d$)", "+", text))
    except ValueError as error:
        raise invalid(field, str(error)) from None


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
    field, colon, problem = refused.detail.partition(": ")
    if refused.reason == "invalid" and colon and _FIELD.fullmatch(field):
        extra["errors"] = [{"field": field, "problem": problem}]
    return Problem(type_of(refused.reason), refused.detail, **extra)
