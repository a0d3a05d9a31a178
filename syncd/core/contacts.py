"""Whose contact a booking is: one we know, the one that its property's agents make it, or a new one and an inquiry.

Compares normal forms that it is handed; how an address, a number or an id is written is not its business.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from syncd.core.ids import AgentId, ContactId, InquiryId, VisitId


class IdentifierKind(StrEnum):
    EMAIL = "email"
    PHONE = "phone"
    TAX_ID = "tax_id"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Identifier:
    """Something that tells one contact from the others, in its normal form."""

    kind: IdentifierKind
    value: str


class ContactState(StrEnum):
    ACTIVE = "active"
    RETIRED = "retired"  # kept for the visits that name it; nobody new is taken for it


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownContact:
    """A contact of ours. Its owner is the agent who looks after it, which need not be the host of a visit (C16)."""

    id: ContactId
    name: str
    identifiers: frozenset[Identifier] = frozenset()
    owner: AgentId | None = None
    state: ContactState = ContactState.ACTIVE
    made_at: datetime

    def values(self, kind: IdentifierKind) -> list[str]:
        """List the contact's addresses, numbers or tax ids."""
        return sorted(one.value for one in self.identifiers if one.kind is kind)


class InquiryState(StrEnum):
    WORKED = "worked"  # an agent was found for it
    OPEN = "open"  # nobody takes part in the visit and nobody answers for the property: staff must choose


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """The record of a contact who was not known before, and who is to look after it."""

    id: InquiryId
    contact: ContactId
    visit: VisitId
    agent: AgentId | None
    state: InquiryState
    why: str
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Responsible:
    """The agents of ours who answer for a property."""

    agent_in_charge: AgentId | None = None
    producer: AgentId | None = None
    additional_agent: AgentId | None = None

    def ranked(self) -> list[tuple[str, AgentId]]:
        """List them with what each is to the property, in the order in which they are asked (R024, R025)."""
        named = (
            ("agent in charge", self.agent_in_charge),
            ("producer", self.producer),
            ("additional agent", self.additional_agent),
        )
        return [(role, agent) for role, agent in named if agent is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """The only contact that fits (R002)."""

    contact: ContactId
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One of several that fit, because of who looks after it (R024, R025)."""

    contact: ContactId
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """Nobody we know: a new contact and an inquiry, for this agent (R003, R026)."""

    agent: AgentId | None
    why: str


Match = Linked | Chosen | New


def match_contact(
    form: Collection[Identifier],
    known: Iterable[KnownContact],
    responsible: Responsible,
    present: Sequence[AgentId],
) -> Match:
    """Decide whose contact somebody is who gives these identifiers for a visit with these agents, the host first.

    Any one identifier makes a contact fit. The order of the contacts says nothing.
    """
    wanted = frozenset(form)
    fitting = [one for one in known if one.state is ContactState.ACTIVE and one.identifiers & wanted]
    if len(fitting) == 1:
        return Linked(contact=fitting[0].id, why=f"fits by {_common(fitting[0], wanted)}")
    if not fitting:
        return _new("nobody known fits", responsible, present)
    chosen = _owned(fitting, wanted, responsible, present)
    if chosen is not None:
        return chosen
    return _new(f"{len(fitting)} contacts fit, none of an agent who answers for the property", responsible, present)


def _owned(
    fitting: Sequence[KnownContact], wanted: frozenset[Identifier], responsible: Responsible, present: Sequence[AgentId]
) -> Chosen | None:
    """Return the contact of the first responsible agent who comes along and has one among these."""
    for role, agent in responsible.ranked():
        theirs = [one for one in fitting if one.owner == agent]
        if theirs and agent in present:
            best = min(theirs, key=lambda one: (-len(one.identifiers & wanted), one.made_at, one.id))
            return Chosen(contact=best.id, why=f"{len(fitting)} contacts fit, taken the one of the {role}, {agent}")
    return None


def _new(why: str, responsible: Responsible, present: Sequence[AgentId]) -> New:
    """Give a new contact to whoever answers for the property and comes along, else to another who comes along.

    Where nobody comes along at all, whoever answers for the property gets it.
    """
    for role, agent in responsible.ranked():
        if agent in present or not present:
            return New(agent=agent, why=f"{why}; given to the {role}, {agent}")
    if present:
        return New(agent=present[0], why=f"{why}; given to {present[0]}, who is on the visit")
    return New(agent=None, why=f"{why}; there is nobody to give it to")


def _common(contact: KnownContact, wanted: frozenset[Identifier]) -> str:
    kinds = {one.kind for one in contact.identifiers & wanted}
    return ", ".join(_WORDS[kind] for kind in IdentifierKind if kind in kinds)


_WORDS = {IdentifierKind.EMAIL: "e-mail", IdentifierKind.PHONE: "telephone", IdentifierKind.TAX_ID: "tax id"}
