"""What every engine of the store must do about proposals."""

from dataclasses import replace
from datetime import timedelta

import pytest

from syncd.core.ids import ProjectId, ProposalId
from syncd.core.interval import Interval
from syncd.core.proposals import AnswerBy, Proposal, ProposalState, Recipient, RecipientKind, Window
from syncd.core.visit import Contact, ContactPerson, Dwelling
from syncd.store import Store
from tests.store.values import START, at, save, visit

ASKED = Proposal(
    id=ProposalId("p1"),
    contact=Contact(name="Eva Díaz", email="eva@example.com"),
    recipient=Recipient(kind=RecipientKind.CONTACT_PERSON),
    answer_by=(AnswerBy.MAIL, AnswerBy.SMS),
    project=ProjectId("casas"),
    dwelling=Dwelling(id="C-12", contact_persons=(ContactPerson(name="Ana", email="ana@a.example", user="ana"),)),
    made_at=START,
    expires_at=START + timedelta(days=3),
)


class ProposalsContract:
    """Inherit, and provide the fixture `store`."""

    def test_a_proposal_comes_back_as_it_was_put(self, store: Store) -> None:
        store.write(lambda tx: tx.proposals.put(ASKED))
        with store.read() as tx:
            assert tx.proposals.find(ASKED.id) == ASKED
            assert tx.proposals.find(ProposalId("p2")) is None

    def test_a_proposal_is_found_by_the_name_of_its_maker(self, store: Store) -> None:
        store.write(lambda tx: tx.proposals.put(ASKED, "key:crm:1"))
        store.write(lambda tx: tx.proposals.put(replace(ASKED, id=ProposalId("p2"))))
        with store.read() as tx:
            assert tx.proposals.named("key:crm:1") == ASKED
            assert tx.proposals.named("key:crm:2") is None

    def test_an_answer_is_kept_with_its_windows(self, store: Store) -> None:
        wish = Window(number=1, interval=Interval(at(0), at(60)))
        answered = replace(
            ASKED, state=ProposalState.ANSWERED, windows=(wish,), answers=1, last_number=1, answered_at=at(5)
        )
        store.write(lambda tx: tx.proposals.put(ASKED))
        store.write(lambda tx: tx.proposals.save(answered))
        with store.read() as tx:
            assert tx.proposals.find(ASKED.id) == answered

    def test_what_was_accepted_is_a_visit_that_there_is(self, store: Store) -> None:
        booked = save(store, visit("v1"))
        store.write(lambda tx: tx.proposals.put(ASKED))
        accepted = replace(ASKED, state=ProposalState.ACCEPTED, visit=booked.id, accepted=1)
        store.write(lambda tx: tx.proposals.save(accepted))
        with store.read() as tx:
            assert tx.proposals.find(ASKED.id) == accepted

    def test_what_was_never_put_cannot_be_saved(self, store: Store) -> None:
        with pytest.raises(KeyError):
            store.write(lambda tx: tx.proposals.save(ASKED))
