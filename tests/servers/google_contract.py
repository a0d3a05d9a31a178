"""The discovery document inside the client library as a judge: which calls exist, their parameters, bodies and answers.

It is Google's own description, so neither our connector nor our server can agree with the other on a mistake.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

import jsonschema

Json = dict[str, Any]
BASE = "/calendar/v3/"
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
WITH_TOKEN_NEVER = frozenset(
    "iCalUID orderBy privateExtendedProperty q sharedExtendedProperty timeMin timeMax updatedMin".split()
)
# Listed in prose only: no schema catches a typo in them.
PROSE = {
    "status": {"confirmed", "tentative", "cancelled"},
    "transparency": {"opaque", "transparent"},
    "visibility": {"default", "public", "private", "confidential"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call as the document describes it."""

    id: str  # calendar.events.list
    method: str
    pattern: re.Pattern[str]
    parameters: Mapping[str, Json]
    request: str | None
    response: str | None
    scopes: frozenset[str]


@cache
def document() -> Json:
    place = files("googleapiclient.discovery_cache") / "documents" / "calendar.v3.json"
    found: Json = json.loads(place.read_text(encoding="utf-8"))
    return found


@cache
def operations() -> Sequence[Operation]:
    found = [
        _operation(method)
        for resource in document()["resources"].values()
        for method in resource.get("methods", {}).values()
    ]
    return sorted(
        found, key=lambda one: "(" in one.pattern.pattern.rsplit("/", 1)[-1]
    )  # events/watch before events/{id}


def _operation(method: Json) -> Operation:
    pattern = "".join(
        f"(?P<{part[1:-1]}>[^/]+)" if part.startswith("{") else re.escape(part)
        for part in re.split(r"(\{[^}]+\})", method["path"])
    )
    return Operation(
        id=method["id"],
        method=method["httpMethod"],
        pattern=re.compile(pattern),
        parameters={**method.get("parameters", {}), **document()["parameters"]},
        request=method.get("request", {}).get("$ref"),
        response=method.get("response", {}).get("$ref"),
        scopes=frozenset(method.get("scopes", ())),
    )


def operation_of(method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
    """Return the call that a request means and what its path names; None where the document knows none."""
    inner = path.removeprefix(BASE)
    for one in operations():
        match = one.pattern.fullmatch(inner)
        if one.method == method and match is not None:
            return one, {name: unquote(value) for name, value in match.groupdict().items()}
    return None


def wrong_query(operation: Operation, query: Mapping[str, Sequence[str]]) -> str | None:
    """Say what is wrong with a query string, None where nothing is."""
    for name, values in query.items():
        if name not in operation.parameters:
            return f"{operation.id} has no parameter {name}"
        if wrong := _wrong_parameter(name, operation.parameters[name], values):
            return wrong
    needed = (name for name, one in operation.parameters.items() if one.get("required") and one["location"] == "query")
    return next((f"{name} is missing" for name in needed if name not in query), None)


def _wrong_parameter(name: str, told: Json, values: Sequence[str]) -> str | None:
    if len(values) > 1 and not told.get("repeated"):
        return f"{name} is given twice"
    for value in values:
        if told["type"] == "integer":
            low, high = int(told.get("minimum", "0")), int(told.get("maximum", str(2**31)))
            if not value.isdecimal() or not low <= int(value) <= min(high, 2500 if name == "maxResults" else high):
                return f"{name}={value} is out of bounds"
        if told["type"] == "boolean" and value not in ("true", "false"):
            return f"{name}={value} is not true or false"
        if "enum" in told and value not in told["enum"]:
            return f"{name}={value} is none of {told['enum']}"
        if name in ("timeMin", "timeMax", "updatedMin") and not _MOMENT.fullmatch(value):
            return f"{name}={value} is no date and time with an offset"
    return None


def wrong_body(schema: str | None, body: Any, *, patch: bool = False) -> str | None:
    """Say what is wrong with a body, None where nothing is. In a patch null takes a field away."""
    if schema is None:
        return None if body in (None, b"", {}) else "a body where none is wanted"
    told = _without_null(body) if patch else body
    error = next(iter(validator(schema).iter_errors(told)), None)
    if error is not None:
        return f"{schema}: {error.json_path}: {error.message[:200]}"
    events = told.get("items", []) if schema == "Events" else [told] if schema == "Event" else []
    return next((wrong for event in events if (wrong := _wrong_words(event))), None)


def _wrong_words(event: Json) -> str | None:
    for name, words in PROSE.items():
        if name in event and event[name] not in words:
            return f"Event.{name}: {event[name]!r} is none of {sorted(words)}"
    return None


def _without_null(body: Any) -> Any:
    if isinstance(body, dict):
        return {name: _without_null(value) for name, value in body.items() if value is not None}
    return body


@cache
def validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": _definitions()})


@cache
def _definitions() -> Json:
    return {name: as_json_schema(told) for name, told in document()["schemas"].items()}


def as_json_schema(told: Json) -> Json:
    """Translate a schema of the discovery format; unknown keys are refused."""
    if "$ref" in told:
        return {"$ref": "#/$defs/" + told["$ref"]}
    if told.get("type") == "any":
        return {}
    out: Json = {"type": told["type"]} | ({"enum": told["enum"]} if "enum" in told else {})
    match told.get("format"):
        case "date":
            out["pattern"] = r"^\d{4}-\d{2}-\d{2}$"
        case "date-time":
            out["pattern"] = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$"
        case "int64" | "uint64" if told["type"] == "string":
            out["pattern"] = r"^-?\d+$"
        case _:
            pass
    if told["type"] == "array":
        out["items"] = as_json_schema(told["items"])
    if told["type"] == "object":
        out["properties"] = {name: as_json_schema(one) for name, one in told.get("properties", {}).items()}
        extra = told.get("additionalProperties")
        out["additionalProperties"] = as_json_schema(extra) if extra else "properties" not in told
    return out


def masked(answer: Any, fields: str) -> Any:
    """Return the part of an answer that `fields` asks for (partial responses)."""
    tree, rest = _mask(fields)
    assert not rest, f"a mask that does not end: {fields}"
    return _cut(answer, tree)


def _mask(text: str) -> tuple[Json, str]:
    tree: Json = {}
    while True:
        match = re.match(r"[A-Za-z*]+(/[A-Za-z*]+)*", text)
        assert match is not None, f"no field at {text[:30]!r}"
        text = text[match.end() :]
        inner: Json = {}
        if text.startswith("("):
            inner, text = _mask(text[1:])
            assert text.startswith(")")
            text = text[1:]
        names = match[0].split("/")
        for name in reversed(names[1:]):
            inner = {name: inner}
        tree[names[0]] = inner
        if not text.startswith(","):
            return tree, text
        text = text[1:]


def _cut(value: Any, tree: Json) -> Any:
    if not tree:
        return value
    if isinstance(value, list):
        return [_cut(one, tree) for one in value]
    if isinstance(value, dict):
        return {name: _cut(value[name], inner) for name, inner in tree.items() if name in value}
    return value
