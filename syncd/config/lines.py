"""Reads TOML text: its values with tomllib, and on which line each of them stands. Knows no key by name."""

import re
import tomllib
from bisect import bisect_right
from typing import Any

from syncd.config.problems import Path, Problem, dotted

LARGEST = 2**20  # bytes; ten thousand agents fit
DEEPEST = 32  # parts of a dotted key; tomllib takes quadratic time over them

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING = re.compile(r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'', re.DOTALL)
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\r\n]+")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_TWICE = ("Cannot overwrite", "Cannot declare", "Duplicate", "Cannot mutate")


class Lines:
    """Key path -> line, for a document that tomllib has read or refused."""

    def __init__(self, text: str) -> None:
        self.twice: list[tuple[Path, int, int]] = []  # path, line, line of the first
        self.too_deep: int | None = None  # the line of a key with too many parts
        self._lines: dict[Path, int] = {}
        self._explicit: set[Path] = set()
        self._tables: dict[Path, int] = {}  # arrays of tables -> how many so far
        self._text = text
        self._at = 0
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._document()

    def of(self, path: Path) -> int:
        """Return the line of a key, or of the nearest table around it that is written down; 1 where there is none."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def _line(self) -> int:
        return bisect_right(self._breaks, self._at - 1) + 1

    @property
    def last(self) -> int:
        return len(self._breaks) + 1

    # One method per piece of the grammar. A document that makes no sense ends the reading where it does.

    def _document(self) -> None:
        prefix: Path = ()
        try:
            while self._skip():
                prefix = self._header() if self._text[self._at] == "[" else self._pair(prefix, prefix)
        except (ValueError, IndexError, RecursionError):
            return

    def _skip(self) -> bool:
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at < len(self._text)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None or not match[0]:
            raise ValueError(self._at)
        self._at = match.end()
        return match[0]

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            if self._text[self._at] in "\"'":
                parts.append(str(tomllib.loads(f"key = {self._take(_STRING)}")["key"]))
            else:
                parts.append(self._take(_BARE))
            if len(parts) > DEEPEST:
                self.too_deep = self._line()
                raise ValueError(self._at)
            if not _DOT.match(self._text, self._at):
                return parts
            self._take(_DOT)

    def _header(self) -> Path:
        line = self._line()
        array = self._text.startswith("[[", self._at)
        self._at += 2 if array else 1
        self._skip()
        path: Path = ()
        for part in (key := self._key()):
            path += (part,)
            self._lines.setdefault(path, line)
            if path in self._tables and not (array and len(path) == len(key)):
                path += (self._tables[path] - 1,)
        self._skip()
        self._at += 2 if array else 1
        if array:
            self._tables[path] = self._tables.get(path, 0) + 1
            path += (self._tables[path] - 1,)
        self._note(path, line)
        return path

    def _pair(self, prefix: Path, result: Path) -> Path:
        line = self._line()
        path = prefix
        for part in self._key():
            path += (part,)
            self._lines.setdefault(path, line)
        self._note(path, line)
        self._skip()
        self._at += 1  # the equals sign
        self._skip()
        self._value(path)
        return result

    def _note(self, path: Path, line: int) -> None:
        if path in self._explicit:
            self.twice.append((path, line, self._lines[path]))
        self._explicit.add(path)
        self._lines.setdefault(path, line)

    def _value(self, path: Path) -> None:
        first = self._text[self._at]
        if first in "\"'":
            self._take(_STRING)
        elif first == "[":
            self._items("]", path)
        elif first == "{":
            self._items("}", path)
        else:
            self._take(_SCALAR)

    def _items(self, end: str, path: Path) -> None:
        """Read the inside of an array or of an inline table."""
        self._at += 1
        number = 0
        while self._skip() and self._text[self._at] != end:
            if end == "}":
                self._pair(path, path)
            else:
                self._lines[(*path, number)] = self._line()
                self._value((*path, number))
                number += 1
            self._skip()
            if self._text[self._at] == ",":
                self._at += 1
        self._at += 1


def read_toml(text: bytes) -> tuple[dict[str, Any], Lines, list[tuple[int, Problem]]]:
    """Return the document, where its keys stand, and what makes it unreadable (then the document is empty)."""
    if len(text) > LARGEST:
        why = f"the file has {len(text)} bytes; a configuration has at most {LARGEST}"
        return {}, Lines(""), [(1, Problem((), why))]
    try:
        plain = text.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        return {}, Lines(""), [(line, Problem((), "this is not UTF-8 text; save the file as UTF-8"))]
    lines = Lines(plain)
    if lines.too_deep is not None:
        return {}, lines, [(lines.too_deep, Problem((), "lists or tables are nested too deeply"))]
    try:
        return tomllib.loads(plain), lines, []
    except tomllib.TOMLDecodeError as error:
        return {}, lines, _unreadable(str(error), lines)
    except RecursionError:
        return {}, lines, [(1, Problem((), "lists or tables are nested too deeply"))]


def _unreadable(text: str, lines: Lines) -> list[tuple[int, Problem]]:
    where = _AT.search(text)
    what = text[: where.start()] if where else text
    if what.startswith(_TWICE) and lines.twice:
        return [
            (line, Problem(path, f"{dotted(path)} is written twice, first on line {first}; keep one of them"))
            for path, line, first in lines.twice
        ]
    line = int(where[1]) if where and where[1] else lines.last
    return [(line, Problem((), f"this is not TOML: {what[:1].lower()}{what[1:]}"))]
