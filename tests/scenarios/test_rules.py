"""T01 to T03, T12 to T14: one rule each, all branches."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from syncd.core.directory import Activation, Directory
from syncd.core.ids import AgentId, EventTypeId, RequestId
from syncd.core.interval import Interval
from syncd.core.routing import Request, Requirement, Route
from syncd.core.visit import Contact, Move, Participants, Reassign, Refused
from syncd.flows import book
from syncd.flows.activate import activate, parity
from syncd.flows.request import Accepted, accept, explain
from syncd.store.queue import WorkKind
from tests.scenarios.conftest import MakeStage
from tests.scenarios.play import alerts, at, booked, done, kind, not_done, told
from tests.world import town
from tests.world.stage import Stage

ROLES = ("standard", "urgent", "long", "out_of_warranty")


def with_roles(*roles: str) -> Directory:
    return town.directory(event_types={role: kind(id=EventTypeId(role), name=role) for role in roles}, scheduler=False)


def request(number: int, *special: str) -> Request:
    made = [Requirement(id=f"r{one}") for one in range(number)]
    traits: dict[str, dict[str, object]] = {
        "urgent": {"priority": "urgent"},
        "critical": {"priority": "critical"},
        "out": {"in_warranty": False},
    }
    for position, name in enumerate(special):
        made[position] = replace(made[position], **traits[name])  # type: ignore[arg-type]
    return Request(id=RequestId("R1"), project="Casas", contact=Contact(name="Eva"), requirements=tuple(made))


def role_of(directory: Directory, asked: Request) -> str:
    found = explain(directory, asked)
    assert isinstance(found, Route)
    return found.role


CASES: Sequence[tuple[int, tuple[str, ...], str]] = [
    (15, (), "standard"),
    (16, (), "long"),
    (1, ("urgent",), "urgent"),
    (1, ("critical",), "urgent"),
    (1, ("out",), "out_of_warranty"),
    (16, ("urgent",), "urgent"),
    (20, ("urgent", "out"), "urgent"),
    (16, ("out",), "long"),
    (3, (), "standard"),
]


@pytest.mark.parametrize(("number", "special", "role"), CASES)
def test_t01_routing_matrix(number: int, special: tuple[str, ...], role: str) -> None:
    assert role_of(with_roles(*ROLES), request(number, *special)) == role


@pytest.mark.parametrize(
    ("number", "special", "role"),
    [(3, ("urgent",), "standard"), (16, ("urgent",), "long"), (1, ("out",), "standard"), (16, ("out",), "long")],
)
def test_t01_a_rule_without_its_event_type_falls_through(number: int, special: tuple[str, ...], role: str) -> None:
    assert role_of(with_roles("standard", "long"), request(number, *special)) == role


def test_t01_every_verdict_is_stored(make_stage: MakeStage) -> None:
    stage = make_stage(with_roles(*ROLES))
    asked = request(20, "urgent", "out")
    found = accept(stage.ctx, asked, "{}", stage.clock.now())
    assert isinstance(found, Accepted)
    with stage.store.read() as tx:
        kept = tx.visits.find_request(asked.id)
    assert kept is not None and kept.route is not None
    matches = [(one.rule.event_type, one.matched, one.taken) for one in kept.route.verdicts]
    assert matches == [
        ("urgent", True, True),
        ("long", True, False),
        ("out_of_warranty", True, False),
        ("standard", True, False),
    ]
    assert all(one.why for one in kept.route.verdicts)


# --- T02, T03


def waiting() -> Directory:
    """A project that opens once it was activated."""
    return town.directory(activation=Activation.AFTER_PARITY)


@pytest.mark.parametrize(
    ("changes", "missing"),
    [
        ({"team": ()}, "a team"),
        ({"event_types": {}}, "a standard event type"),
        ({"event_types": {"urgent": town.STANDARD}}, "a standard event type"),
        ({"team": (), "event_types": {}}, "a team and a standard event type"),
    ],
)
def test_t02_activation_needs_a_team_and_a_standard_event_type(
    make_stage: MakeStage, changes: dict[str, object], missing: str
) -> None:
    base = waiting()
    project = replace(base.projects[town.CASAS], **changes)  # type: ignore[arg-type]
    stage = make_stage(replace(base, projects={town.CASAS: project}))
    for waive in (None, "because I say so"):
        outcome = activate(stage.ctx, town.CASAS, waive, stage.cause("cli"))
        assert isinstance(outcome, Refused) and outcome.reason == "incomplete" and missing in outcome.detail


def test_t02_an_inactive_project_offers_and_links_nothing(make_stage: MakeStage) -> None:
    stage = make_stage(waiting())
    window = Interval(at(0), at(0) + timedelta(days=1))
    offered = book.offer(stage.ctx, town.CASAS, None, window, stage.clock.now())
    assert isinstance(offered, Refused) and offered.reason == "project-inactive"
    asked = accept(stage.ctx, request(1), "{}", stage.clock.now())
    assert isinstance(asked, Refused) and asked.reason == "project-inactive"
    assert activate(stage.ctx, town.CASAS, None, stage.cause("cli")) == []
    assert not isinstance(book.offer(stage.ctx, town.CASAS, None, window, stage.clock.now()), Refused)
    linked = accept(stage.ctx, request(1), "{}", stage.clock.now())
    assert isinstance(linked, Accepted) and linked.booking_url is not None


def _unequal(make_stage: MakeStage) -> Stage:
    """A stage whose project waits, with a visit that the scheduler made and no calendar shows yet."""
    stage = make_stage(waiting())
    stage.remote(at(10))
    stage.post_all()
    stage.settle(kinds=(WorkKind.INGEST, WorkKind.RECONCILE))
    return stage


def test_t03_parity_blocks_activation(make_stage: MakeStage) -> None:
    stage = _unequal(make_stage)
    found = parity(stage.ctx, town.CASAS, stage.clock.now())
    assert not isinstance(found, Refused)
    assert [(one.agent, one.what.split(":")[0]) for one in found] == [("ana", "create due")]
    outcome = activate(stage.ctx, town.CASAS, None, stage.cause("cli"))
    assert isinstance(outcome, Refused) and outcome.reason == "no-parity" and "ana" in outcome.detail
    stage.cycle()
    assert activate(stage.ctx, town.CASAS, None, stage.cause("cli")) == []


def test_t03_a_deleted_entry_and_an_unread_calendar_are_differences(make_stage: MakeStage) -> None:
    stage = make_stage(waiting())
    stage.remote(at(10))
    stage.cycle()
    shelf = stage.shelf("ana")
    shelf.drop(next(iter(shelf.entries)))
    stage.clock.advance(timedelta(minutes=5))
    stage.cycle()
    stage.clock.advance(timedelta(hours=2))
    found = parity(stage.ctx, town.CASAS, stage.clock.now())
    assert not isinstance(found, Refused)
    whys = [one.what for one in found if one.agent == "ana"]
    assert any("busy time unknown" in why for why in whys) and any(why.startswith("gone") for why in whys)


def test_t03_a_waiver_is_recorded(make_stage: MakeStage) -> None:
    stage = _unequal(make_stage)
    waived = activate(stage.ctx, town.CASAS, "entrega de llaves mañana", stage.cause("cli:carla"))
    assert not isinstance(waived, Refused) and len(waived) == 1
    with stage.store.read() as tx:
        note = tx.accounts.get(type(town.SCHEDULER)("syncd"), f"activated:{town.CASAS}")
    assert note is not None and "entrega de llaves" in note and "cli:carla" in note and "2026-05-04" in note


# --- T12, T13


def test_t12_protected_fields(make_stage: MakeStage) -> None:
    """Time, agents and further contacts may change (R027); the host leaves by reassigning only (R028)."""
    stage = make_stage()
    visit = booked(stage, at(10), host=AgentId("ana"))
    refused = not_done(stage, visit.id, Participants(remove=(AgentId("ana"),)))
    assert refused.reason == "protected-field"
    joined = done(stage, visit.id, Participants(add=(AgentId("beto"),)))
    assert joined.participants == ("beto",)
    moved = done(stage, visit.id, Move(start=at(12)))
    handed = done(stage, visit.id, Reassign(host=AgentId("beto")))
    for after in (joined, moved, handed):
        assert (after.id, after.event_type, after.dwelling, after.contact) == (
            visit.id,
            visit.event_type,
            visit.dwelling,
            visit.contact,
        )
    stage.cycle()
    assert [one.spans[0].start for one in stage.shelf("beto").entries.values()] == [at(12)]
    assert not stage.shelf("ana").entries


def test_t12_what_is_edited_in_the_calendar_is_written_back(make_stage: MakeStage) -> None:
    stage = make_stage()
    visit = booked(stage, at(10), host=AgentId("ana"))
    stage.cycle()
    shelf = stage.shelf("ana")
    (entry,) = shelf.entries.values()
    shelf.change(entry.remote_id, title="Otra cosa", location="Bar", notes="traer llaves", colour="red")
    stage.clock.advance(timedelta(minutes=5))
    stage.cycle()
    after = shelf.entries[entry.remote_id]
    assert (after.title, after.location) == (entry.title, entry.location)
    assert (after.notes, after.colour) == ("traer llaves", "red"), "notes and colour stay the agent's"
    assert stage.visit(visit.id).version == visit.version


def test_t13_the_schedulers_address_prevails(make_stage: MakeStage) -> None:
    agents = tuple(replace(one, scheduler_email=f"{one.id}@b.example") for one in map(town.agent, ("ana", "beto")))
    stage = make_stage(town.directory(agents))
    stage.desk.add_host("user-ana", "ana@b.example")
    first = stage.remote(at(10))
    stage.cycle()
    assert stage.visit_of(first).host == "ana"
    stage.desk.add_host("user-ana", "ana@c.example")
    second = stage.remote(at(11))
    stage.cycle()
    assert stage.visit_of(second).host == "ana", "identity follows the id"
    with stage.store.read() as tx:
        assert tx.accounts.links(town.SCHEDULER)["user-ana"] == ("ana", "ana@c.example")
    stage.desk.add_host("user-stranger", "ana@b.example")
    third = stage.remote(at(12), host="stranger")
    stage.cycle()
    lost = stage.visit_of(third)
    assert lost.host is None and lost.conflict is not None and lost.conflict.reason.value == "no_host"
    assert alerts(stage) == ["no_host"]
    assert len(told(stage, "agent:ana")) == 2, "the stranger's booking is not told to Ana"
    assert len(stage.shelf("ana").entries) == 2


def test_t13_an_address_that_two_fit_is_matched_once(make_stage: MakeStage) -> None:
    """A first match by address is stored; then only the id counts, even where the address moves to a colleague."""
    stage = make_stage()
    stage.remote(at(10))
    stage.cycle()
    stage.desk.add_host("user-ana", "beto@a.example")
    booking = stage.remote(at(11))
    stage.cycle()
    assert stage.visit_of(booking).host == "ana"
