"""What the HTTP side says when it says no."""

import json
import re

import pytest
from starlette.exceptions import HTTPException

from syncd.core.visit import ConflictReason
from syncd.errors import SlotTaken, StaleRevision, StoreUnwritable
from syncd.flows.book import GRAVITY
from syncd.web.broken import broken
from syncd.web.problems import MEDIA_TYPE, PROBLEMS, RENAMED, Problem, of_http, type_of
from tests.world.clock import VirtualClock
from tests.world.town import START


@pytest.mark.parametrize("kind", PROBLEMS)
def test_a_problem_says_type_title_status_and_detail(kind: str) -> None:
    answer = Problem(kind, "because").response()
    status, title = PROBLEMS[kind]
    assert (answer.status_code, answer.media_type) == (status, MEDIA_TYPE)
    assert json.loads(bytes(answer.body)) == {"type": kind, "title": title, "status": status, "detail": "because"}


def test_a_problem_without_words_of_its_own_has_those_of_its_type() -> None:
    assert json.loads(bytes(Problem("not-found").response().body))["detail"] == PROBLEMS["not-found"][1]


def test_members_may_be_added_but_never_replaced_by_accident() -> None:
    body = json.loads(bytes(Problem("slot-taken", alternatives=[]).response().body))
    assert body["alternatives"] == [] and body["status"] == 409


@pytest.mark.parametrize("reason", [*GRAVITY, *(one.value for one in ConflictReason)])
def test_every_reason_of_a_flow_has_a_type_and_a_status_of_its_own(reason: str) -> None:
    assert type_of(reason) in PROBLEMS
    assert set(RENAMED.values()) <= set(PROBLEMS)


@pytest.mark.parametrize(("status", "kind"), [(404, "not-found"), (405, "method-not-allowed"), (400, "malformed")])
def test_a_framework_s_own_refusal_is_a_problem_too(status: int, kind: str) -> None:
    problem = of_http(HTTPException(status, headers={"Allow": "GET"}))
    assert (problem.kind, problem.status_code, problem.headers) == (kind, status, {"Allow": "GET"})


def test_a_failure_of_ours_shows_an_id_and_never_its_words() -> None:
    clock = VirtualClock(START)
    told = broken(ValueError("eva@example.com"), clock)
    assert told.kind == "internal" and "eva" not in str(told.detail)
    assert re.fullmatch(r"error [0-9a-f]{12}", str(told.detail))


def test_a_store_that_cannot_be_written_is_503_with_a_time_to_come_back() -> None:
    told = broken(StoreUnwritable("disk full"), VirtualClock(START))
    assert told.kind == "store-unavailable" and told.headers == {"Retry-After": "5"}


def test_somebody_else_s_change_in_between_is_a_conflict() -> None:
    assert broken(StaleRevision("v1"), VirtualClock(START)).kind == "stale"
    assert broken(SlotTaken("ana"), VirtualClock(START)).status_code == 503
