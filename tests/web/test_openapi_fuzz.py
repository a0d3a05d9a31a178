"""Requests made up from the API's own description, by a program that we did not write: no answer is a surprise.

The recorder of the stage judges: a status, a media type, a header or a field that is not promised fails the test.
"""

from itertools import pairwise
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode

from syncd.web.api import operations
from tests.web.stage import Stage

EXAMPLES = 12  # for each operation and mode
MODES = {"right": GenerationMode.POSITIVE, "wrong": GenerationMode.NEGATIVE}
NAMES = sorted((method, one.path) for one in operations() for method in one.methods or ())
SENT = ("params", "json", "data", "headers", "files")

Described = dict[tuple[str, str], Any]


@pytest.fixture(scope="module")
def described(running: Stage) -> Described:
    """Return every operation of the description, by method and path."""
    schema = schemathesis.openapi.from_dict(running.app.api.openapi())
    found = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    return {(one.method.upper(), one.path): one for one in found}


@pytest.fixture(scope="module")
def visit_id(running: Stage) -> str:
    return str(running.book(running.a_start())["id"])


def test_every_operation_is_there_to_be_asked(described: Described) -> None:
    assert sorted(described) == NAMES


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("method", "path"), NAMES, ids=[f"{method} {path}" for method, path in NAMES])
def test_no_made_up_request_gets_an_answer_that_is_not_described(
    running: Stage, described: Described, visit_id: str, method: str, path: str, mode: str
) -> None:
    @given(described[method, path].as_strategy(generation_mode=MODES[mode]), st.booleans())
    @settings(max_examples=EXAMPLES, database=None, suppress_health_check=list(HealthCheck))
    def ask(case: Any, known: bool) -> None:
        if known and "{id}" in path:
            case.path_parameters["id"] = visit_id  # so that more than "there is no such visit" is heard
        wanted = case.as_transport_kwargs(base_url=running.url)
        place = wanted["url"].removeprefix(running.url)
        running.api(method, place, **{name: wanted[name] for name in SENT if wanted.get(name) is not None})

    ask()


def test_the_visits_are_in_order_after_all_that(running: Stage) -> None:
    held = sorted((str(one.host), one.guard) for one in running.visits() if one.holds)
    assert all(mine[0] != next_[0] or mine[1].end <= next_[1].start for mine, next_ in pairwise(held))
    assert running.book(running.a_start())["state"] == "confirmed"
