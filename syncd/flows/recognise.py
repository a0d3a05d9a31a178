"""Recognises who a new visit is for, in the transaction that saves it: a contact we know, or a new one whose inquiry is
given to an agent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from syncd.core import limits
from syncd.core.contacts import (
    Identifier,
    IdentifierKind,
    Inquiry,
    InquiryState,
    KnownContact,
    Match,
    New,
    Responsible,
    match_contact,
)
from syncd.core.ids import AgentId, ContactId, InquiryId
from syncd.core.routing import name_key
from syncd.core.visit import Dwelling, Visit
from syncd.flows.context import Context
from syncd.flows.say import notice
from syncd.identity import identifiers_of
from syncd.store import Tx
from syncd.store.visits import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """Whose a visit is, what its form told us about them, and why, in words for the history."""

    contact: ContactId
    form: frozenset[Identifier]
    match: Match
    notes: tuple[str, ...]


def save_first(ctx: Context, tx: Tx, visit: Visit, cause: Cause) -> Visit:
    """Save a visit for the first time, attached to its contact (R001-R003, R008). Raises SlotTaken, with nothing kept.

    The reason stands in the history row; a new contact brings an inquiry, which its agent is told of.
    """
    found = recognise(ctx, tx, visit)
    note = "; ".join(one for one in (cause.note, *found.notes) if one)
    saved = tx.visits.save(replace(visit, contact_id=found.contact), replace(cause, note=note))
    if isinstance(found.match, New):
        _begin(ctx, tx, saved, found, found.match, cause)
    else:
        _learn(tx, found)
    return saved


def recognise(ctx: Context, tx: Tx, visit: Visit) -> Recognised:
    """Decide whose visit this is; writes nothing."""
    form, unused = _form(ctx, visit)
    responsible, unknown = _responsible(ctx, visit.dwelling)
    known = tx.people.known_by(form)
    match = match_contact(form, known, responsible, _present(visit))
    if isinstance(match, New):
        contact = ContactId(ctx.clock.new_id())
        return Recognised(
            contact=contact, form=form, match=match, notes=("new contact: " + match.why, *unused, *unknown)
        )
    linked = next(one for one in known if one.id == match.contact)
    said = (f"contact {linked.id}: {match.why}", *_other_name(visit, linked), *unused, *unknown)
    return Recognised(contact=linked.id, form=form, match=match, notes=said)


def _form(ctx: Context, visit: Visit) -> tuple[frozenset[Identifier], list[str]]:
    """Return what the client can be recognised by; an agent's own address says who booked, not for whom (H80)."""
    contact = visit.contact
    given = identifiers_of(contact.email, contact.phone, contact.tax_id, ctx.directory.region)
    staff = {one: agent for one in given if (agent := ctx.staff.agent(ctx.directory, one)) is not None}
    notes = [f"the {_WORDS[one.kind]} is {staff[one]}'s own, nobody is recognised by it" for one in sorted(staff)]
    return given - set(staff), notes


_WORDS = {IdentifierKind.EMAIL: "address", IdentifierKind.PHONE: "number"}


def _responsible(ctx: Context, dwelling: Dwelling | None) -> tuple[Responsible, list[str]]:
    """Look up who answers for the property; one who is none of our agents is passed over, and said."""
    if dwelling is None:
        return Responsible(), []
    named = {
        "agent_in_charge": dwelling.agent_in_charge,
        "producer": dwelling.producer,
        "additional_agent": dwelling.additional_agent,
    }
    found = {role: ctx.directory.find_agent(name) for role, name in named.items() if name}
    unknown = [role for role, agent in found.items() if agent is None]
    notes = [f"the {role.replace('_', ' ')} {named[role]!r} is none of our agents" for role in unknown]
    return Responsible(**found), notes


def _present(visit: Visit) -> Sequence[AgentId]:
    """List who is on the visit, the host first."""
    hosts = [visit.host] if visit.host is not None else []
    return list(dict.fromkeys([*hosts, *visit.participants]))


def _other_name(visit: Visit, known: KnownContact) -> Iterable[str]:
    if name_key(visit.contact.name) == name_key(known.name):
        return ()
    return (f"the name given is {visit.contact.name!r}, the contact stays {known.name!r}",)


def _begin(ctx: Context, tx: Tx, visit: Visit, found: Recognised, match: New, cause: Cause) -> None:
    """Keep a new contact and its inquiry, which always goes to somebody if anybody can be found (R026)."""
    contact = KnownContact(
        id=found.contact, name=visit.contact.name, identifiers=found.form, owner=match.agent, made_at=cause.at
    )
    inquiry = Inquiry(
        id=InquiryId(ctx.clock.new_id()),
        contact=contact.id,
        visit=visit.id,
        agent=match.agent,
        state=InquiryState.OPEN if match.agent is None else InquiryState.WORKED,
        why=match.why,
        made_at=cause.at,
    )
    tx.people.put(contact)
    tx.people.put_inquiry(inquiry)
    if match.agent is not None:
        notice(tx, "inquiry", visit, cause.at, to=f"agent:{match.agent}", body={"inquiry": inquiry.id})


def _learn(tx: Tx, found: Recognised) -> None:
    """Let a known contact be known by what else its form gave, where that tells nobody else (and within a bound)."""
    known = tx.people.find(found.contact)
    room = limits.IDENTIFIERS - len(known.identifiers if known is not None else ())
    fresh = [one for one in sorted(found.form) if not tx.people.known_by([one])]
    tx.people.add(found.contact, fresh[: max(0, room)])
