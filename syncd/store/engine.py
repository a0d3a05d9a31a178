"""What the rooms of the store ask of a database, and every query by its name. Knows no dialect."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

QUERIES = Path(__file__).parent / "queries"
CHUNK = 500  # values in one list of a query
LISTS = (list, tuple, set, frozenset)


class Row(Protocol):
    """A row of an answer, read by column name."""

    def __getitem__(self, column: str, /) -> Any: ...


class Overlap(Exception):
    """The database refused a hold that overlaps another of the same agent; a room makes SlotTaken of it."""


class Db(Protocol):
    """One transaction. Queries are named as in queries/; a value may be a sequence, for `IN (:name)`."""

    writable: bool

    def rows(self, query: str, **values: Any) -> Sequence[Row]:
        """Return the rows of a query, or those that a statement with RETURNING touched."""
        ...

    def tuples(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """Return bare tuples: for the hot paths."""
        ...

    def run(self, query: str, **values: Any) -> int:
        """Run a statement and return how many rows it touched. Raises Overlap."""
        ...

    def many(self, query: str, values: Iterable[Mapping[str, Any]]) -> None:
        """Run a statement once for each set of values."""
        ...

    def savepoint(self) -> AbstractContextManager[None]:
        """Undo what was done inside when it ends with an exception; what came before stays."""
        ...


class Engine(Protocol):
    """One database and its way of committing."""

    def write(self, fn: Callable[[Db], T]) -> T:
        """Run `fn` in a transaction, perhaps more than once, and return its result when it is durable."""
        ...

    def read(self) -> AbstractContextManager[Db]:
        """Give a consistent snapshot that cannot be written through."""
        ...

    def check(self) -> list[str]:
        """List what the database finds wrong with itself."""
        ...

    def backup(self, to: Path) -> None:
        """Write a consistent copy to a file, while running."""
        ...

    def close(self) -> None: ...


def first(rows: Sequence[Row]) -> Row | None:
    return rows[0] if rows else None


def chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """Cut a long list into pieces that fit into one query."""
    everything = list(values)
    for at in range(0, len(everything), CHUNK):
        yield everything[at : at + CHUNK]


@cache
def queries() -> dict[str, str]:
    """Return every query by its name; a room of the store has a file."""
    text = "\n".join(file.read_text() for file in sorted(QUERIES.glob("*.sql")))
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}


def with_lists(query: str, values: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return the text of a query and its values, with each sequence spread out over `IN (:name)`.

    Sizes are rounded up to powers of two, so that few different texts are prepared; an empty one matches nothing.
    """
    text = queries()[query]
    plain: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, LISTS):
            members = [*value]
            text, places = _spread(text, name, len(members))
            members += members[-1:] * (len(places) - len(members))
            plain.update(zip(places, members, strict=True))
        else:
            plain[name] = value
    return text, plain


@cache
def _spread(text: str, name: str, members: int) -> tuple[str, tuple[str, ...]]:
    """Return the text with places for so many members and the names of the places."""
    size = 1 << (members - 1).bit_length() if members else 0
    names = tuple(f"{name}_{number}" for number in range(size))
    places = ", ".join(f":{one}" for one in names) if names else "SELECT NULL WHERE 1 = 0"
    return text.replace(f"(:{name})", f"({places})"), names
