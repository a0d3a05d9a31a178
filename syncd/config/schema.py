"""The configuration as JSON Schema, for editors: every table, every key with its explanation, accounts told apart by
kind."""

from collections.abc import Mapping
from typing import Any

from syncd.config.document import LISTED, NAMED, SINGLE
from syncd.config.values import DURATION_PATTERN
from syncd.ports import ConnectorSpec

Json = dict[str, Any]
SECRET: Json = {
    "description": "A secret: named in production, never written here.",
    "anyOf": [
        {"type": "string"},
        *(
            {
                "type": "object",
                "properties": {way: {"type": "string"}},
                "required": [way],
                "additionalProperties": False,
            }
            for way in ("credential", "env", "file")
        ),
    ],
}
DURATION: Json = {"type": "string", "pattern": DURATION_PATTERN, "examples": ["30m", "12h"]}


def schema(specs: Mapping[str, ConnectorSpec]) -> Json:
    """Return the schema of the whole file; one branch of `accounts` per kind of account."""
    definitions: Json = {"Secret": SECRET}

    def table(model: Any) -> Json:
        found = model.model_json_schema(ref_template="#/$defs/{model}", by_alias=True)
        inner = found.pop("$defs", {})
        definitions.update({name: _tidied(one) for name, one in inner.items()})
        definitions[model.__name__] = _tidied(found)
        return {"$ref": f"#/$defs/{model.__name__}"}

    properties: Json = {name: table(model) for name, model in SINGLE.items()}
    properties |= {name: {"type": "object", "additionalProperties": table(one)} for name, one in NAMED.items()}
    properties |= {name: {"type": "array", "items": table(one)} for name, one in LISTED.items()}
    kinds = [_of_kind(kind, table(specs[kind].settings_model), definitions) for kind in sorted(specs)]
    properties["accounts"] = {"type": "object", "additionalProperties": {"oneOf": kinds}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "syncd",
        "description": "Configuration of syncd",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "$defs": definitions,
    }


def _of_kind(kind: str, settings: Json, definitions: Json) -> Json:
    """Return the settings of one kind of account with the key that names the kind."""
    name = settings["$ref"].removeprefix("#/$defs/")
    table: Json = definitions[name]
    table["properties"] = {"kind": {"const": kind}} | table.get("properties", {})
    table["required"] = ["kind", *table.get("required", [])]
    return settings


def _tidied(node: Any) -> Any:
    """Say secrets and durations as the file writes them, and leave out pydantic's titles."""
    if isinstance(node, list):
        return [_tidied(one) for one in node]
    if not isinstance(node, dict):
        return node
    if node.get("format") == "password":
        return {"$ref": "#/$defs/Secret"} | {key: node[key] for key in ("description",) if key in node}
    if node.get("format") == "duration":
        return DURATION | {key: node[key] for key in ("description",) if key in node}
    return {
        key: {name: _tidied(one) for name, one in value.items()} if key == "properties" else _tidied(value)
        for key, value in node.items()
        if not (key == "title" and isinstance(value, str)) and key != "default"
    }
