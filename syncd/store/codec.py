"""Values of the core as plain JSON and back, led by their types alone. Knows no table and no column.

Moments become RFC 3339 text in UTC, because people and the API read these documents; what is compared is a column.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NewType, Union, get_args, get_origin, get_type_hints

Json = Any
Decode = Callable[[Json], Any]


def encode(value: Any) -> Json:
    """Return the value as JSON; of a dataclass, the fields that differ from their defaults. Raises TypeError."""
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime):
        return _text_of(value)
    if isinstance(value, frozenset):
        return sorted(encode(one) for one in value)
    if isinstance(value, tuple | list):
        return [encode(one) for one in value]
    if isinstance(value, dict):
        return {str(name): encode(one) for name, one in value.items()}
    return encode_fields(value)


def encode_fields(value: Any, without: frozenset[str] = frozenset()) -> dict[str, Json]:
    """Return a dataclass as a document: name -> JSON of each field that differs from its default."""
    return {
        name: encode(found)
        for name, default in _defaults(_kind_of(value))
        if name not in without and (found := getattr(value, name)) != default
    }


def encode_all(value: Any, without: frozenset[str] = frozenset()) -> dict[str, Json]:
    """Return every field of a dataclass, those at their defaults too, so that two documents can be compared."""
    return {name: encode(getattr(value, name)) for name, _ in _defaults(_kind_of(value)) if name not in without}


def decode(kind: Any, document: Json) -> Any:
    """Return the value of this type that `encode` made the document from."""
    return _decoder(kind)(document)


def decode_fields(kind: Any, document: Mapping[str, Json]) -> dict[str, Any]:
    """Return the fields that a document of this dataclass names; raises KeyError for one it does not have."""
    decoders = _field_decoders(kind)
    return {name: decoders[name](value) for name, value in document.items()}


def _kind_of(value: Any) -> Any:
    return type(value)


@cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    if not is_dataclass(kind):
        raise TypeError(f"{kind.__name__} has no JSON form")
    return tuple((field.name, _default_of(field)) for field in fields(kind))


def _default_of(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return field.default


@cache
def _field_decoders(kind: Any) -> dict[str, Decode]:
    hints = get_type_hints(kind)
    return {field.name: _decoder(hints[field.name]) for field in fields(kind)}


@cache
def _decoder(kind: Any) -> Decode:
    if isinstance(kind, NewType):
        return _decoder(kind.__supertype__)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return _optional(_decoder(next(one for one in inner if one is not NoneType)))
    if origin is tuple:
        return _many(tuple, _decoder(inner[0]))
    if origin is frozenset:
        return _many(frozenset, _decoder(inner[0]))
    if is_dataclass(kind):
        return _dataclass(kind)
    if kind is datetime:
        return datetime.fromisoformat
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind
    return _as_it_is


def _dataclass(kind: Any) -> Decode:
    return lambda document: kind(**decode_fields(kind, document))


def _optional(inner: Decode) -> Decode:
    return lambda document: None if document is None else inner(document)


def _many(collect: Callable[[Any], Any], inner: Decode) -> Decode:
    return lambda document: collect(map(inner, document))


def _as_it_is(document: Json) -> Any:
    return document


def _text_of(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError("only aware datetimes are kept")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
