"""What every engine of the store must do about contacts and inquiries."""

from dataclasses import replace
from functools import partial

import pytest

from syncd.core.contacts import ContactState, Identifier, IdentifierKind, Inquiry, InquiryState, KnownContact
from syncd.core.ids import AgentId, ContactId, InquiryId, VisitId
from syncd.store import Store, Tx
from tests.store.values import ANA, BETO, START, at, save, visit

EMAIL = Identifier(kind=IdentifierKind.EMAIL, value="eva@example.com")
PHONE = Identifier(kind=IdentifierKind.PHONE, value="+56912345678")
EVA = KnownContact(id=ContactId("c1"), name="Eva Díaz", identifiers=frozenset({EMAIL}), owner=ANA, made_at=START)
OTHER = KnownContact(id=ContactId("c2"), name="Otra", identifiers=frozenset({PHONE}), made_at=at(1))


def keep(store: Store, *contacts: KnownContact) -> None:
    for one in contacts:
        store.write(partial(_put, one))


def _put(contact: KnownContact, tx: Tx) -> None:
    tx.people.put(contact)


def _put_inquiry(inquiry: Inquiry, tx: Tx) -> None:
    tx.people.put_inquiry(inquiry)


def inquiry(name: str, minutes: int, agent: AgentId | None = ANA) -> Inquiry:
    return Inquiry(
        id=InquiryId(name),
        contact=EVA.id,
        visit=VisitId("v1"),
        agent=agent,
        state=InquiryState.OPEN if agent is None else InquiryState.WORKED,
        why="nobody known fits",
        made_at=at(minutes),
    )


class ContactsContract:
    """Inherit, and provide the fixture `store`."""

    def test_a_contact_comes_back_as_it_was_kept(self, store: Store) -> None:
        retired = replace(OTHER, state=ContactState.RETIRED)
        keep(store, EVA, retired)
        with store.read() as tx:
            assert [tx.people.find(one.id) for one in (EVA, retired)] == [EVA, retired]
            assert tx.people.find(ContactId("nobody")) is None

    def test_contacts_are_found_by_any_identifier_each_once(self, store: Store) -> None:
        keep(store, replace(EVA, identifiers=frozenset({EMAIL, PHONE})), OTHER)
        other_kind = Identifier(kind=IdentifierKind.TAX_ID, value=PHONE.value)
        with store.read() as tx:
            assert [one.id for one in tx.people.known_by([EMAIL, PHONE])] == [EVA.id, OTHER.id]
            assert [one.id for one in tx.people.known_by([EMAIL])] == [EVA.id]
            assert tx.people.known_by([other_kind]) == tx.people.known_by([]) == []

    def test_identifiers_are_added_once_and_none_is_lost(self, store: Store) -> None:
        keep(store, EVA)
        store.write(lambda tx: tx.people.add(EVA.id, [PHONE, EMAIL]))
        keep(store, replace(EVA, name="Eva D.", owner=BETO, identifiers=frozenset()))
        with store.read() as tx:
            found = tx.people.find(EVA.id)
        assert found == replace(EVA, name="Eva D.", owner=BETO, identifiers=frozenset({EMAIL, PHONE}))

    def test_inquiries_are_listed_the_oldest_first_by_agent_and_state_page_by_page(self, store: Store) -> None:
        keep(store, EVA)
        save(store, visit("v1"))
        made = [inquiry("i3", 0), inquiry("i1", 1, BETO), inquiry("i2", 1), inquiry("i4", 2, None)]
        for one in reversed(made):
            store.write(partial(_put_inquiry, one))
        with store.read() as tx:
            everything = tx.people.inquiries()
            pages = [tx.people.inquiries(limit=2), tx.people.inquiries(after=InquiryId("i1"), limit=2)]
            of_ana = tx.people.inquiries(agent=ANA)
            still_open = tx.people.inquiries(states=[InquiryState.OPEN])
            with pytest.raises(KeyError):
                tx.people.inquiries(after=InquiryId("none"))
        assert everything == made == [*pages[0], *pages[1]]
        assert [one.id for one in of_ana] == ["i3", "i2"]
        assert [one.id for one in still_open] == ["i4"]
