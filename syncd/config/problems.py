"""What is wrong with a configuration, in words that say what to write instead. Knows pydantic's errors, no table."""

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to correct, at a key path."""

    path: Path
    text: str


def dotted(path: Path) -> str:
    """Write a key path as people do: agents[0].calendars[1].account; odd names are quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            bare = bool(part) and part.isascii() and part.replace("-", "_").replace("_", "a").isalnum()
            text += ("." if text else "") + (part if bare else quoted(part))
    return text


def quoted(value: object) -> str:
    """Show a value in quotes, shortened, without line breaks or control characters."""
    text = str(value)
    text = text if len(text) <= 60 else text[:57] + "…"
    return '"' + "".join(letter if letter.isprintable() else "?" for letter in text) + '"'


def listed(names: Iterable[str]) -> str:
    """List names for a message, at most a dozen."""
    known = [quoted(name) for name in names]
    return ", ".join(known[:12]) + (", …" if len(known) > 12 else "")


def nearest(name: str, known: Collection[str], shown: Collection[str] | None = None) -> str:
    """Return the remedy for a name that is not known: the nearest right one, else those there are (or `shown`)."""
    found = difflib.get_close_matches(name.casefold(), [one.casefold() for one in known], 1, 0.6)
    if found:
        return f"did you mean {quoted(next(one for one in known if one.casefold() == found[0]))}?"
    return f"known: {listed(known if shown is None else shown)}" if known else "none is defined"


def of_validation(error: ValidationError, model: type[BaseModel], raw: Any, path: Path) -> list[Problem]:
    """Translate pydantic's errors about `raw` (which stands at `path`) into our words."""
    problems: dict[Path, Problem] = {}
    for one in error.errors(include_url=False):
        place, inside = _place(one["loc"], raw)
        problem = Problem(path + place, _words(one["type"], one, _fields(model, place), inside))
        problems.setdefault(problem.path, problem)
    return list(problems.values())


def _place(loc: tuple[int | str, ...], raw: Any) -> tuple[Path, Any]:
    """Return the part of pydantic's location that exists in the file, and the table that holds its last key.

    pydantic puts names of its own (union members, validators) between the keys.
    """
    place: list[str | int] = []
    holder, node = raw, raw
    for number, part in enumerate(loc):
        last = number == len(loc) - 1
        if isinstance(node, dict) and isinstance(part, str) and (part in node or last):
            place.append(part)
            holder, node = node, node.get(part)
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            place.append(part)
            holder, node = node, node[part]
    return tuple(place), holder


def _fields(model: type[BaseModel], place: Path) -> list[str]:
    """List the keys that the table around a place may have."""
    fields: Any = model
    for part in place[:-1]:
        fields = _inner(fields, part)
    return keys_of(fields) if isinstance(fields, type) and issubclass(fields, BaseModel) else []


def _inner(model: Any, part: str | int) -> Any:
    """Return the model of a table inside a table, None where it is none."""
    if isinstance(part, int) or not (isinstance(model, type) and issubclass(model, BaseModel)):
        return model
    field = next((one for name, one in model.model_fields.items() if part in (name, one.alias)), None)
    return None if field is None else model_in(field.annotation)


def model_in(annotation: Any) -> type[BaseModel] | None:
    """Find the model inside an annotation such as `list[Model] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (model_in(one) for one in getattr(annotation, "__args__", ()))
    return next((one for one in found if one is not None), None)


def keys_of(model: type[BaseModel]) -> list[str]:
    """List the keys of a table as the file spells them."""
    return [field.alias or name for name, field in model.model_fields.items()]


SHOULD_BE = {
    "string_type": "should be text in quotes",
    "bool_type": "should be true or false, without quotes",
    "int_type": "should be a whole number, without quotes",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number, without quotes",
    "list_type": "should be a list: [ … ]",
    "tuple_type": "should be a list: [ … ]",
    "dict_type": "should be a table: { … }",
    "model_type": "should be a table: { … }",
    "too_short": "is empty; it needs at least one entry",
    "too_long": "has too many entries",
    "string_too_short": "is empty; write something or leave the key out",
    "string_too_long": "is too long",
    "missing": "is missing",
}


def _words(kind: str, error: Any, known: list[str], holder: Any) -> str:
    if kind == "extra_forbidden":
        free = [name for name in known if name not in holder]
        return f"is no key of this table; {nearest(str(error['loc'][-1]), known, free)}"
    if kind in ("value_error", "assertion_error"):
        return str(error["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if kind in ("literal_error", "enum"):
        return _not_one_of(error)
    if kind in SHOULD_BE:
        return SHOULD_BE[kind]
    return str(error["msg"]).removeprefix("Input ")


def _not_one_of(error: Any) -> str:
    expected = str(error["ctx"]["expected"]).replace("'", '"')
    given = error["input"]
    return f"{quoted(given) if isinstance(given, str) else 'this'} is not known here; write {expected}"
