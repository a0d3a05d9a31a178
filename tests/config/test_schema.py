"""The schema for editors says what the reading says, judged by a validator that is not ours."""

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from connectors import KINDS, Specs
from syncd.config import schema
from tests.config.files import RIGHT, changed, problems
from tests.config.test_problems import WRONG

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    found = schema(Specs())
    jsonschema.Draft202012Validator.check_schema(found)
    return jsonschema.Draft202012Validator(found)


def plain(text: str) -> Any:
    """Return a TOML document as an editor hands it to a validator: dates as texts."""
    return json.loads(json.dumps(tomllib.loads(text), default=str))


def test_the_right_text_and_the_example_are_valid(validator: jsonschema.Draft202012Validator) -> None:
    for text in (RIGHT, (ROOT / "config.example.toml").read_text()):
        assert not list(validator.iter_errors(plain(text)))


# Keys, types, words and shapes; what only we can know (names, zones, sums) is left to check-config.
KNOWN_TO_AN_EDITOR = [
    "is no key of this table", "is missing", "text in quotes", "true or false", "should be a list", "is empty",
    "is not known here", "is no duration", "cannot be used with this version", "is no kind", "has no kind",
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), [one[:2] for one in WRONG], ids=[f"{one[3]}-{one[1][:20]}" for one in WRONG])
def test_what_an_editor_can_know_is_marked_there_too(
    validator: jsonschema.Draft202012Validator, old: str, new: str
) -> None:
    text = changed((old, new))
    told = problems(text)
    knowable = any(word in one for one in told for word in KNOWN_TO_AN_EDITOR)
    assert list(validator.iter_errors(plain(text))) or not knowable, told


def test_accounts_are_told_apart_by_kind() -> None:
    branches = schema(Specs())["properties"]["accounts"]["additionalProperties"]["oneOf"]
    definitions = schema(Specs())["$defs"]
    kinds = [definitions[one["$ref"].rpartition("/")[2]]["properties"]["kind"]["const"] for one in branches]
    assert kinds == sorted(KINDS)


def test_every_key_is_explained() -> None:
    definitions = schema(Specs())["$defs"]
    ours = {name: one for name, one in definitions.items() if name.endswith("Table")}
    silent = [
        f"{name}.{key}"
        for name, one in ours.items()
        for key, value in one["properties"].items()
        if "description" not in value
    ]
    assert len(ours) > 20
    assert not silent


def test_secrets_may_be_named_or_written(validator: jsonschema.Draft202012Validator) -> None:
    for secret in ('{ env = "A" }', '{ file = "a" }', '{ credential = "a" }', '"a"'):
        assert not list(validator.iter_errors(plain(changed(('"a-token"', secret)))))
    assert list(validator.iter_errors(plain(changed(('"a-token"', '{ vault = "a" }')))))
