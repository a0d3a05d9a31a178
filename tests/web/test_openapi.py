"""The description of the API is complete, and true to what is served."""

import json
from typing import Any

import pytest
import requests
from requests.structures import CaseInsensitiveDict

from syncd.web.api import operations
from syncd.web.problems import MEDIA_TYPE, PROBLEMS
from tests.web.recorder import Recorder, Undocumented
from tests.web.stage import Stage


@pytest.fixture(scope="module")
def described(running: Stage) -> dict[str, Any]:
    answer = requests.get(f"{running.url}/api/openapi.json", timeout=20)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def every_operation(described: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


def test_every_route_is_described_and_nothing_else(described: dict[str, Any]) -> None:
    served = {(method.lower(), one.path) for one in operations() for method in one.methods or ()}
    assert {(method, path) for method, path, _ in every_operation(described)} == served


def test_every_operation_says_what_it_is_for_and_is_named_once(described: dict[str, Any]) -> None:
    found = every_operation(described)
    assert all(operation["summary"] for _, _, operation in found)
    assert len({operation["operationId"] for _, _, operation in found}) == len(found)


@pytest.mark.parametrize("status", [400, 401, 405, 408, 413, 415, 429, 431, 500, 503])
def test_every_operation_documents_what_any_of_them_may_answer(described: dict[str, Any], status: int) -> None:
    for method, path, operation in every_operation(described):
        content = operation["responses"][str(status)]["content"]
        assert list(content) == [MEDIA_TYPE], (method, path)
        assert content[MEDIA_TYPE]["schema"] == {"$ref": "#/components/schemas/ProblemOut"}


def test_every_type_of_problem_is_named_where_its_status_is(described: dict[str, Any]) -> None:
    said = {
        (int(status), kind.strip())
        for _, _, operation in every_operation(described)
        for status, answer in operation["responses"].items()
        if int(status) >= 400
        for kind in answer["description"].removeprefix("A problem: ").split(",")
    }
    assert said == {(status, kind) for kind, (status, _) in PROBLEMS.items()}
    assert all(f"`{kind}`" in described["info"]["description"] for kind in PROBLEMS)


def test_callers_are_told_to_bring_a_token(described: dict[str, Any]) -> None:
    assert described["security"] == [{"token": []}]
    assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    names = set(described["components"]["schemas"])
    used = {part.split('"')[0] for part in json.dumps(described).split('"#/components/schemas/')[1:]}
    assert used == names


def test_no_framework_s_own_shape_is_left(described: dict[str, Any]) -> None:
    assert "HTTPValidationError" not in json.dumps(described)


def test_every_field_that_is_taken_is_limited(described: dict[str, Any]) -> None:
    """A text without maxLength or a list without maxItems is a hole in the table of limits."""

    def open_ended(name: str, schema: dict[str, Any]) -> list[str]:
        kind = schema.get("type")
        if kind == "string" and not {"maxLength", "enum", "const", "format"} & set(schema):
            return [name]
        if kind == "array" and "maxItems" not in schema:
            return [name]
        inner = schema.get("anyOf", [])
        return [found for one in inner for found in open_ended(name, one)]

    taken = {name: one for name, one in described["components"]["schemas"].items() if name.endswith("In")}
    assert len(taken) >= 12
    assert [
        found
        for name, schema in taken.items()
        for field, one in schema.get("properties", {}).items()
        for found in open_ended(f"{name}.{field}", one)
    ] == []
    assert all(schema.get("additionalProperties") is False for schema in taken.values())


class Answer(requests.Response):
    """An answer that the server never gave."""

    def __init__(self, status: int, body: Any, media_type: str = "application/json") -> None:
        super().__init__()
        self.status_code = status
        self._content = json.dumps(body).encode()
        self.headers["Content-Type"] = media_type


def lies(stage: Stage) -> dict[str, Answer]:
    visit = stage.book(stage.a_start())
    missing = {name: value for name, value in visit.items() if name != "version"}
    problem = {"type": "slot-taken", "title": PROBLEMS["slot-taken"][1], "status": 409, "detail": ""}
    return {
        "a status": Answer(418, visit),
        "a field more": Answer(200, visit | {"secret": 1}),
        "a field less": Answer(200, missing),
        "a type": Answer(200, visit | {"version": "1"}),
        "a state": Answer(200, visit | {"state": "sleeping"}),
        "a media type": Answer(200, visit, "text/html"),
        "a problem of another status": Answer(404, problem, MEDIA_TYPE),
    }


@pytest.mark.parametrize(
    "lie",
    ["a status", "a field more", "a field less", "a type", "a state", "a media type", "a problem of another status"],
)
def test_the_recorder_notices(stage: Stage, lie: str) -> None:
    answer = lies(stage)[lie]
    answer.headers = CaseInsensitiveDict(stage.api.get("/api/visits").headers, **answer.headers)
    with pytest.raises((Undocumented, AssertionError, ValueError)):
        Recorder(stage.url, stage.app.api, "")._check("GET", "/api/visits/x", answer)
