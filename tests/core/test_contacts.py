"""Whose contact a booking is: laws that hold for any known contacts, and each step of the order by example."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.contacts import (
    Chosen,
    ContactState,
    Identifier,
    IdentifierKind,
    KnownContact,
    Linked,
    New,
    Responsible,
    match_contact,
)
from syncd.core.ids import AgentId, ContactId

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
IN_CHARGE, PRODUCER, ADDITIONAL, OTHER = map(AgentId, ("ada", "pedro", "ximena", "olga"))
THREE = Responsible(agent_in_charge=IN_CHARGE, producer=PRODUCER, additional_agent=ADDITIONAL)
AGENTS = (IN_CHARGE, PRODUCER, ADDITIONAL, OTHER)

IDENTIFIERS = st.builds(Identifier, kind=st.sampled_from(IdentifierKind), value=st.sampled_from("123"))
SOME = st.frozensets(IDENTIFIERS, max_size=3)
PEOPLE = st.lists(
    st.builds(
        KnownContact,
        id=st.sampled_from("abcdef").map(ContactId),
        name=st.just("Eva"),
        identifiers=SOME,
        owner=st.none() | st.sampled_from(AGENTS),
        state=st.sampled_from(ContactState),
        made_at=st.integers(0, 2).map(lambda days: BEGUN + timedelta(days=days)),
    ),
    max_size=6,
    unique_by=lambda one: one.id,
)
NAMED = st.none() | st.sampled_from(AGENTS)
RESPONSIBLE = st.builds(Responsible, agent_in_charge=NAMED, producer=NAMED, additional_agent=NAMED)
PRESENT = st.lists(st.sampled_from(AGENTS), unique=True, max_size=3)


@given(SOME, PEOPLE, RESPONSIBLE, PRESENT, st.randoms(use_true_random=False))
def test_the_order_of_the_known_contacts_says_nothing(form, known, responsible, present, chance) -> None:  # type: ignore[no-untyped-def]
    shuffled = chance.sample(known, len(known))
    assert match_contact(form, known, responsible, present) == match_contact(form, shuffled, responsible, present)


@given(SOME, PEOPLE, RESPONSIBLE, PRESENT)
def test_one_that_fits_is_linked_several_are_chosen_from_none_is_new(
    form: frozenset[Identifier], known: list[KnownContact], responsible: Responsible, present: list[AgentId]
) -> None:
    fitting = {one.id: one for one in known if one.identifiers & form and one.state is ContactState.ACTIVE}
    answering = {responsible.agent_in_charge, responsible.producer, responsible.additional_agent} & set(present)
    found = match_contact(form, known, responsible, present)
    assert found.why
    match found:
        case Linked(contact=contact):
            assert set(fitting) == {contact}
        case Chosen(contact=contact):
            assert len(fitting) > 1 and fitting[contact].owner in answering
        case New():
            assert len(fitting) != 1
            assert not fitting or not {one.owner for one in fitting.values()} & answering


@given(SOME, PEOPLE, RESPONSIBLE, PRESENT)
def test_a_new_contact_is_given_to_somebody_who_comes_along_if_anybody_does(
    form: frozenset[Identifier], known: list[KnownContact], responsible: Responsible, present: list[AgentId]
) -> None:
    found = match_contact(form, known, responsible, present)
    if isinstance(found, New):
        answering = {agent for _, agent in responsible.ranked()}
        assert found.agent in present or not present
        assert found.agent in answering or present or (found.agent is None and not answering)
        assert not answering & set(present) or found.agent in answering


@given(PEOPLE, RESPONSIBLE, PRESENT)
def test_who_gives_nothing_is_taken_for_nobody(
    known: list[KnownContact], responsible: Responsible, present: list[AgentId]
) -> None:
    assert isinstance(match_contact((), known, responsible, present), New)


EMAIL = Identifier(kind=IdentifierKind.EMAIL, value="eva@example.com")
PHONE = Identifier(kind=IdentifierKind.PHONE, value="+56912345678")


def known(name: str, owner: AgentId | None, *identifiers: Identifier, day: int = 0) -> KnownContact:
    return KnownContact(
        id=ContactId(name),
        name=name,
        owner=owner,
        identifiers=frozenset(identifiers or (EMAIL,)),
        made_at=BEGUN + timedelta(days=day),
    )


def match(people: Sequence[KnownContact], *present: AgentId) -> Linked | Chosen | New:
    return match_contact((EMAIL, PHONE), people, THREE, present)


@pytest.mark.parametrize(
    ("owners", "present", "contact"),
    [
        ((IN_CHARGE, PRODUCER), (OTHER, IN_CHARGE, PRODUCER), IN_CHARGE),
        ((PRODUCER, IN_CHARGE), (PRODUCER,), PRODUCER),
        ((ADDITIONAL, IN_CHARGE), (ADDITIONAL,), ADDITIONAL),
        ((OTHER, ADDITIONAL), (IN_CHARGE, ADDITIONAL), ADDITIONAL),
    ],
)
def test_of_several_the_first_of_a_responsible_agent_who_comes_along_is_taken(
    owners: tuple[AgentId, ...], present: tuple[AgentId, ...], contact: AgentId
) -> None:
    found = match([known(owner, owner) for owner in owners], *present)
    assert isinstance(found, Chosen) and found.contact == ContactId(contact)


@pytest.mark.parametrize(
    ("present", "agent"),
    [
        ((OTHER, PRODUCER, IN_CHARGE), IN_CHARGE),
        ((OTHER, PRODUCER), PRODUCER),
        ((OTHER, ADDITIONAL), ADDITIONAL),
        ((OTHER,), OTHER),
        ((), IN_CHARGE),
    ],
)
def test_where_none_of_them_has_one_a_new_contact_is_given_to_who_comes_along(
    present: tuple[AgentId, ...], agent: AgentId
) -> None:
    found = match([known("a", OTHER), known("b", None)], *present)
    assert isinstance(found, New) and found.agent == agent


def test_of_two_contacts_of_one_agent_the_better_fit_is_taken_then_the_older() -> None:
    old, new = known("old", IN_CHARGE), known("new", IN_CHARGE, day=1)
    both = known("both", IN_CHARGE, EMAIL, PHONE, day=2)
    found = [match(people, IN_CHARGE) for people in ([new, old], [old, both, new])]
    assert [one.contact for one in found if isinstance(one, Chosen)] == ["old", "both"]


def test_the_reason_says_what_fits_and_who_gets_it() -> None:
    assert match([known("a", None, EMAIL, PHONE)]).why == "fits by e-mail, telephone"
    two = [known("a", PRODUCER), known("b", None)]
    assert match(two, PRODUCER).why == "2 contacts fit, taken the one of the producer, pedro"
    assert match([], OTHER).why == "nobody known fits; given to olga, who is on the visit"
    nobody = match_contact((EMAIL,), [], Responsible(), ())
    assert nobody == New(agent=None, why="nobody known fits; there is nobody to give it to")
