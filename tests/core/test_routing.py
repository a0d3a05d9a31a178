"""T01: which rule takes a request, and that every verdict is kept."""

from collections.abc import Sequence

import pytest

from syncd.core.ids import AgentId, EventTypeId, ProjectId, RequestId
from syncd.core.routing import Request, Requirement, Route, Rule, Unroutable, find_project, name_key, rank_hosts, route
from syncd.core.visit import Contact

ALL = {role: EventTypeId(role) for role in ("standard", "urgent", "long", "out_of_warranty")}
CASAS = ProjectId("casas")


def request(*requirements: Requirement) -> Request:
    return Request(id=RequestId("r"), project="casas", contact=Contact(name="Eva"), requirements=requirements)


def many(count: int, *extra: Requirement) -> Request:
    return request(*[Requirement(id=str(n), in_warranty=True) for n in range(count - len(extra))], *extra)


URGENT = Requirement(id="u", priority="urgent", in_warranty=True)
CRITICAL = Requirement(id="c", priority="Critical", in_warranty=True)
UNCOVERED = Requirement(id="w", in_warranty=False)


def role_of(one: Request, roles: Sequence[str] = tuple(ALL)) -> str:
    found = route(one, CASAS, {role: ALL[role] for role in roles}, ())
    assert isinstance(found, Route)
    return found.role


@pytest.mark.parametrize(
    ("one", "role"),
    [
        (many(15), "standard"),
        (many(16), "long"),
        (many(3, URGENT), "urgent"),
        (many(3, CRITICAL), "urgent"),
        (many(3, UNCOVERED), "out_of_warranty"),
        (many(16, URGENT), "urgent"),
        (many(20, URGENT, UNCOVERED), "urgent"),
        (many(16, UNCOVERED), "long"),
        (request(), "standard"),
    ],
)
def test_the_default_rules_take_the_first_that_fits(one: Request, role: str) -> None:
    assert role_of(one) == role


@pytest.mark.parametrize(
    ("one", "role"),
    [(many(3, URGENT), "standard"), (many(16, URGENT), "long"), (many(2, UNCOVERED), "standard")],
)
def test_a_rule_whose_event_type_is_not_linked_falls_through(one: Request, role: str) -> None:
    assert role_of(one, ("standard", "long")) == role


def test_every_rule_says_why_and_all_matches_are_kept() -> None:
    found = route(many(20, URGENT, UNCOVERED), CASAS, ALL, ())
    assert isinstance(found, Route)
    assert [one.rule.event_type for one in found.verdicts if one.matched] == [
        "urgent",
        "long",
        "out_of_warranty",
        "standard",
    ]
    assert [one.rule.event_type for one in found.verdicts if one.taken] == ["urgent"]
    assert all(one.why for one in found.verdicts)


def test_conditions_of_one_rule_must_meet_in_one_requirement() -> None:
    both = Rule(event_type="urgent", priorities=frozenset({"urgent"}), in_warranty=False)
    found = route(request(URGENT, UNCOVERED), CASAS, ALL, (both,))
    assert isinstance(found, Route)
    assert found.role == "standard"


def test_a_project_without_standard_event_type_and_no_match_is_unroutable() -> None:
    found = route(request(), CASAS, {"urgent": EventTypeId("urgent")}, ())
    assert isinstance(found, Unroutable)
    assert found.verdicts


def test_an_unknown_project_is_unroutable_and_named() -> None:
    found = route(request(), None, {}, ())
    assert isinstance(found, Unroutable)
    assert "casas" in found.why


def test_names_are_equal_after_normal_form_case_and_blanks_but_accents_count() -> None:
    names = {CASAS: ("Casas  Ñuñoa", "Casas Plan OK"), ProjectId("otro"): ("Casas Nunoa",)}
    assert find_project(" casas n\u0303un\u0303oa ", names, names) == CASAS
    assert find_project("CASAS NUNOA", names, names) == ProjectId("otro")
    assert find_project("casas", names, names) == CASAS
    assert name_key("A  b ") == "a b"


def test_an_ambiguous_name_finds_nothing() -> None:
    names = {ProjectId("a"): ("Torre",), ProjectId("b"): ("torre",)}
    assert find_project("TORRE", names, names) is None


def test_hosts_rank_by_preference_then_turns_then_name() -> None:
    team = [AgentId("caro"), AgentId("ana"), AgentId("beto")]
    assert rank_hosts(team, {AgentId("ana"): 2, AgentId("beto"): 1, AgentId("caro"): 1}) == ["beto", "caro", "ana"]
    assert rank_hosts(team, {}, AgentId("caro")) == ["caro", "ana", "beto"]
