"""T04: a form that fits several contacts, through the API over HTTP and as a booking at the scheduler."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from syncd.core.contacts import Identifier, IdentifierKind, InquiryState, KnownContact
from syncd.core.ids import AgentId, ContactId, RequestId
from syncd.core.routing import Request
from syncd.core.visit import Contact, Dwelling, Visit, VisitState
from syncd.flows.request import Accepted, accept
from syncd.store import Store
from tests.scenarios.conftest import MakeStage
from tests.scenarios.play import at, booked
from tests.web.stage import directory, staged
from tests.world import town
from tests.world.stage import Stage

IN_CHARGE, PRODUCER, ADDITIONAL, OTHER = "ana", "beto", "agente0", "agente1"
TEAM = (IN_CHARGE, PRODUCER, ADDITIONAL, OTHER)
CLIENT = {"name": "Eva Díaz", "email": "eva@example.com", "phone": "+56 9 1234 5678"}
PROPERTY = {
    "id": "C-12",
    "agent_in_charge": IN_CHARGE,
    "producer": f"{PRODUCER}@a.example",
    "additional_agent": ADDITIONAL,
}


@dataclass(frozen=True, kw_only=True)
class Branch:
    """Whose the two contacts are that fit, who is on the visit, and whose contact is taken: None for a new one."""

    owners: tuple[str | None, str | None]
    host: str
    taken: str | None
    why: str
    given_to: str = ""


BRANCHES = {
    "a": Branch(
        owners=(IN_CHARGE, PRODUCER), host=IN_CHARGE, taken=IN_CHARGE, why="taken the one of the agent in charge, ana"
    ),
    "b": Branch(owners=(IN_CHARGE, PRODUCER), host=PRODUCER, taken=PRODUCER, why="taken the one of the producer, beto"),
    "c": Branch(
        owners=(IN_CHARGE, ADDITIONAL),
        host=ADDITIONAL,
        taken=ADDITIONAL,
        why="taken the one of the additional agent, agente0",
    ),
    "d": Branch(
        owners=(OTHER, None), host=IN_CHARGE, taken=None, given_to=IN_CHARGE, why="given to the agent in charge, ana"
    ),
    "d, A absent": Branch(
        owners=(IN_CHARGE, None), host=PRODUCER, taken=None, given_to=PRODUCER, why="given to the producer, beto"
    ),
    "d, A and P absent": Branch(
        owners=(IN_CHARGE, PRODUCER),
        host=OTHER,
        taken=None,
        given_to=OTHER,
        why="given to agente1, who is on the visit",
    ),
}
every_branch = pytest.mark.parametrize("branch", BRANCHES.values(), ids=BRANCHES.keys())


def know_two(store: Store, branch: Branch) -> None:
    """Know two contacts, each by half of what the client gives."""
    email = Identifier(kind=IdentifierKind.EMAIL, value="eva@example.com")
    phone = Identifier(kind=IdentifierKind.PHONE, value="+56912345678")
    for number, (owner, known_by) in enumerate(zip(branch.owners, (email, phone), strict=True)):
        known = KnownContact(
            id=ContactId(f"of-{owner or number}"),
            name="Eva Díaz",
            identifiers=frozenset({known_by}),
            owner=AgentId(owner) if owner else None,
            made_at=town.START,
        )
        store.write(lambda tx, known=known: tx.people.put(known))  # type: ignore[misc]


def judge(store: Store, visit: Visit, branch: Branch) -> None:
    """One visit, one contact, the reason in the history; a new contact has an inquiry that was given to somebody."""
    with store.read() as tx:
        inquiries = tx.people.inquiries()
        note = tx.visits.history(visit.id)[0].cause.note
        contact = tx.people.find(visit.contact_id or ContactId(""))
        told = [one.to for one in tx.queue.notices(channel="notice", about=visit.id)]
        assert len(tx.visits.search()) == 1
    assert contact is not None and branch.why in note and "2 contacts fit" in note
    if branch.taken is not None:
        assert (contact.id, inquiries, told) == (f"of-{branch.taken}", [], [])
        assert len(contact.identifiers) == 1, "what tells the other contact as well is not learned"
        return
    assert not contact.id.startswith("of-") and contact.owner == branch.given_to
    assert [(one.contact, one.visit, one.agent, one.state) for one in inquiries] == [
        (contact.id, visit.id, branch.given_to, InquiryState.WORKED)
    ]
    assert told == [f"agent:{branch.given_to}"]


@every_branch
def test_t04_through_the_api(tmp_path: Path, branch: Branch) -> None:
    with staged(tmp_path, found=directory(team=4)) as stage:
        know_two(stage.store, branch)
        made = stage.book(host=branch.host, contact=CLIENT, property=PROPERTY)
        judge(stage.store, stage.visit(made["id"]), branch)


def booked_at_the_scheduler(stage: Stage, host: str) -> Visit:
    """Hand in a request with the property and let the client book at its address."""
    dwelling = Dwelling(
        id="C-12",
        agent_in_charge=PROPERTY["agent_in_charge"],
        producer=PROPERTY["producer"],
        additional_agent=PROPERTY["additional_agent"],
    )
    asked = Request(id=RequestId("R-1"), project="casas", contact=Contact(name="Eva Díaz"), dwelling=dwelling)
    accepted = accept(stage.ctx, asked, "{}", stage.clock.now())
    assert isinstance(accepted, Accepted) and accepted.booking_url is not None
    client = Contact(name=CLIENT["name"], email=CLIENT["email"], phone=CLIENT["phone"])
    user, url = f"user-{host}", accepted.booking_url
    booking = stage.desk.book(town.REMOTE_STANDARD, at(10), host=user, link=url, contact=client)
    stage.cycle()
    return stage.visit_of(booking)


def team_stage(make_stage: MakeStage) -> Stage:
    return make_stage(town.directory([town.agent(name) for name in TEAM]))


@every_branch
def test_t04_at_the_scheduler(make_stage: MakeStage, branch: Branch) -> None:
    stage = team_stage(make_stage)
    know_two(stage.store, branch)
    judge(stage.store, booked_at_the_scheduler(stage, branch.host), branch)


def test_a_booking_that_lost_its_slot_has_a_contact_all_the_same(make_stage: MakeStage) -> None:
    stage = team_stage(make_stage)
    first = booked(stage, at(10), host=AgentId(PRODUCER), contact=Contact(name="Otra", email="otra@example.com"))
    lost = booked_at_the_scheduler(stage, PRODUCER)
    assert (lost.state, first.state) == (VisitState.CONFLICT, VisitState.CONFIRMED)
    assert lost.contact_id not in (None, first.contact_id)
    (row,) = history(stage, lost)
    assert row == "booked; new contact: nobody known fits; given to the producer, beto"


def test_further_news_of_a_booking_leaves_its_contact_alone(make_stage: MakeStage) -> None:
    stage = team_stage(make_stage)
    visit = booked_at_the_scheduler(stage, IN_CHARGE)
    assert visit.source.id is not None
    moved = stage.desk.move(visit.source.id, at(16))
    stage.cycle()
    again = stage.visit_of(moved)
    assert (again.id, again.contact_id) == (visit.id, visit.contact_id)
    assert history(stage, again)[1:] == ["changed at the scheduler"]
    with stage.store.read() as tx:
        assert len(tx.people.inquiries()) == 1


def test_an_unknown_agent_of_a_property_is_passed_over_and_said(make_stage: MakeStage) -> None:
    stage = team_stage(make_stage)
    dwelling = Dwelling(id="C-12", agent_in_charge="nadie@a.example", producer=PRODUCER)
    visit = booked(stage, at(10), host=AgentId(PRODUCER), dwelling=dwelling)
    (note,) = history(stage, visit)
    assert note == (
        "new contact: nobody known fits; given to the producer, beto; "
        "the agent in charge 'nadie@a.example' is none of our agents"
    )


def test_without_host_and_property_an_inquiry_waits_for_staff(make_stage: MakeStage) -> None:
    stage = team_stage(make_stage)
    stage.desk.add_host("stranger", "stranger@elsewhere.example")
    stage.desk.book(town.REMOTE_STANDARD, at(10), host="stranger")
    stage.cycle()
    with stage.store.read() as tx:
        (inquiry,) = tx.people.inquiries()
    assert (inquiry.agent, inquiry.state) == (None, InquiryState.OPEN)


def history(stage: Stage, visit: Visit) -> list[str]:
    with stage.store.read() as tx:
        return [row.cause.note for row in tx.visits.history(visit.id)]
