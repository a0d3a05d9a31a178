"""Where things stand in a TOML text, and what is said of texts that are none."""

import time
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.config.lines import LARGEST, Lines, read_toml
from tests.config.files import changed, line_of, problems

WORDS = st.text("ab]}[{#='\",\\ \tñ", max_size=6)
GAPS = st.sampled_from(["", " ", "\n", '\n# a ] comment } = "x\n', " # }\n"])


class Writer:
    """Writes values in random layouts; each leaf is a text with a number of its own."""

    def __init__(self, data: st.DataObject) -> None:
        self.data = data
        self.leaves = 0

    def leaf(self) -> str:
        self.leaves += 1
        odd = self.data.draw(WORDS)
        basic = odd.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
        literal = odd.replace("'", "")
        forms = [f'"v{self.leaves}|{basic}"', f"'v{self.leaves}|{literal}'", f'"""v{self.leaves}|\n{basic}"""']
        return self.data.draw(st.sampled_from(forms))

    def value(self, depth: int) -> str:
        kind = self.data.draw(st.sampled_from(["leaf", "leaf", "list", "table"] if depth else ["leaf"]))
        if kind == "leaf":
            return self.leaf()
        if kind == "list":
            items = [self.gap() + self.value(depth - 1) + self.gap() for _ in range(self.data.draw(st.integers(0, 3)))]
            return "[" + ",".join(items) + self.gap() + "]"
        items = [f"{name} = {self.value_in_line()}" for name in "pq"[: self.data.draw(st.integers(0, 2))]]
        return "{ " + ", ".join(items) + " }"

    def value_in_line(self) -> str:
        self.leaves += 1
        return f'"v{self.leaves}|"'

    def gap(self) -> str:
        return self.data.draw(GAPS)

    def document(self) -> str:
        lines = []
        for number in range(self.data.draw(st.integers(1, 6))):
            head = self.data.draw(st.sampled_from([f"[t{number}]", "[[list]]", f"[[list]]\n[list.sub{number}]", ""]))
            lines.append(head)
            keys = [f"k{number}", f'"odd {number}"', f"d{number} . e"]
            lines += [f"{key} = {self.value(2)} # end" for key in keys[: self.data.draw(st.integers(0, 3))]]
        return "\n".join(lines)


def leaves_of(node: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], str]]:
    if isinstance(node, dict):
        return [leaf for name, one in node.items() for leaf in leaves_of(one, (*path, name))]
    if isinstance(node, list):
        return [leaf for number, one in enumerate(node) for leaf in leaves_of(one, (*path, number))]
    return [(path, node)]


@given(data=st.data())
def test_every_value_is_found_on_the_line_where_it_begins(data: st.DataObject) -> None:
    text = Writer(data).document()
    raw, lines, unreadable = read_toml(text.encode())
    assert not unreadable, text
    written = text.split("\n")
    for path, value in leaves_of(raw):
        mark = value.partition("|")[0] + "|"
        line = next(number for number, one in enumerate(written, 1) if mark in one)
        key_line = lines.of(path)
        # An element of a list has its own line; the value of a key stands where the key does.
        assert (
            key_line == line if isinstance(path[-1], int) else mark in "\n".join(written[key_line - 1 : key_line + 1])
        )


def test_a_missing_key_has_the_line_of_its_table() -> None:
    lines = Lines("[a]\nb = 1\n\n[[c]]\nd = 1\n[[c]]\nd = 2\n")
    assert lines.of(("a", "x", "y")) == 1
    assert lines.of(("c", 1, "x")) == 6
    assert lines.of(("c", 1, "d")) == 7
    assert lines.of(("nothing",)) == 1


def test_windows_line_ends_and_a_byte_order_mark_change_no_line() -> None:
    raw, lines, unreadable = read_toml(b"\xef\xbb\xbf[a]\r\nb = 1\r\nc = 2\r\n")
    assert not unreadable
    assert raw == {"a": {"b": 1, "c": 2}}
    assert lines.of(("a", "c")) == 3


@pytest.mark.parametrize(
    ("more", "path", "again", "first"),
    [
        ('[daemon]\nlocale = "es_CL"\n', "daemon", "[daemon]\nlocale", "[daemon]\ntime_zone"),
        ('[event_types.corta]\nname = "a"\nname = "b"\n', "event_types.corta.name", 'name = "b"', 'name = "a"'),
        ('[store]\nurl = "sqlite:a"\n\nurl = "sqlite:b"', "store.url", '"sqlite:b"', '"sqlite:a"'),
        ("[hours.x]\nweekly = { mon = [], mon = [] }", "hours.x.weekly.mon", "{ mon = []", "{ mon = []"),
    ],
)  # fmt: skip
def test_a_key_written_twice_is_told_with_both_lines(more: str, path: str, again: str, first: str) -> None:
    """H151."""
    text = changed(more=more)
    at, before = (text[: text.index(part)].count("\n") + 1 for part in (again, first))
    assert problems(text) == [f"c.toml:{at}: {path}: {path} is written twice, first on line {before}; keep one of them"]


@pytest.mark.parametrize(
    ("wrong", "line"),
    [("[a]\nb = \n", 2), ("[a]\nb = [1,\n2", 3), ('x = "open\n', 1), ("a = 1 b\n", 1), ("[a]\n]\n", 2), ("= 1", 1)],
)
def test_what_is_not_toml_is_told_with_its_line(wrong: str, line: int) -> None:
    found = problems(wrong)
    assert len(found) == 1
    assert found[0].startswith(f"c.toml:{line}: this is not TOML: ")


def test_text_in_another_encoding_is_told_with_its_line() -> None:
    assert problems("a = 1\nb = 'ñ'".encode("latin-1")) == ["c.toml:2: this is not UTF-8 text; save the file as UTF-8"]


def test_a_huge_file_is_refused_by_its_size_at_once() -> None:
    """H155."""
    text = b"a = [" + b"1," * (5 * 2**20) + b"]"
    started = time.process_time()
    found = problems(text)
    assert time.process_time() - started < 1
    assert found == [f"c.toml:1: the file has {len(text)} bytes; a configuration has at most {LARGEST}"]


def test_a_file_of_the_largest_size_is_read_within_seconds() -> None:
    entry = '[[x]]\na = ["1", { b = "]" }] # c\n'
    text = entry * (LARGEST // len(entry))
    started = time.process_time()
    raw, lines, unreadable = read_toml(text.encode())
    assert time.process_time() - started < 10
    assert not unreadable
    assert lines.of(("x", len(raw["x"]) - 1, "a")) == 2 * len(raw["x"])


@pytest.mark.parametrize(
    "text", ["a = " + "[" * 100_000, "a = " + "{b=" * 100_000, "[" + "a." * 50_000 + "b]", "a." * 50_000 + "b = 1"]
)
def test_deep_nesting_is_told_at_once(text: str) -> None:
    started = time.process_time()
    assert problems(text) == ["c.toml:1: lists or tables are nested too deeply"]
    assert time.process_time() - started < 1


@given(text=st.text("ab.=[]{}\"'#\n ,1\\", max_size=60))
def test_no_text_breaks_the_reading_of_lines(text: str) -> None:
    lines = Lines(text)
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    for path, _ in leaves_of(raw):
        assert 1 <= lines.of(path) <= lines.last
    assert not lines.twice


def test_the_helper_finds_lines() -> None:
    assert line_of("a\nb\n", "b") == 2
