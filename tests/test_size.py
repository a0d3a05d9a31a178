"""Functions and files stay small enough to be read in one sitting; prints a report (run with -s to see it)."""

import ast
import io
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("syncd", "connectors")

FUNCTION_LINES = 50
FUNCTION_P90 = 25
FILE_CODE_LINES = 350
PROTOCOL_METHODS = 5
NESTING = 3

IGNORED = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}
BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match)
Function = ast.FunctionDef | ast.AsyncFunctionDef
Measure = Callable[[str, str], list["Size"]]


@dataclass(frozen=True, slots=True)
class Size:
    """One measured thing: where it is and how long."""

    lines: int
    place: str

    def __str__(self) -> str:
        return f"{self.lines:4d}  {self.place}"


def sources() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def docstring_lines(tree: ast.AST) -> set[int]:
    """Return the numbers of the lines that belong to docstrings."""
    lines: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | Function) or ast.get_docstring(node) is None:
            continue
        first = node.body[0]
        lines.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return lines


def code_lines(text: str) -> set[int]:
    """Return the numbers of the lines that hold code: no comment, docstring or blank."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in IGNORED and token.string:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines - docstring_lines(ast.parse(text))


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def function_sizes(text: str, name: str) -> list[Size]:
    """Return the length of every function, from its first line to its last, docstring and comments left out."""
    code = code_lines(text)
    return [
        Size(
            len(code & set(range(node.lineno, (node.end_lineno or node.lineno) + 1))),
            f"{name}:{node.lineno} {node.name}",
        )
        for node in functions(ast.parse(text))
    ]


def nesting(node: ast.AST, depth: int = 0) -> int:
    """Return how deep blocks stand in blocks; `elif` is no deeper than its `if`."""
    deepest = depth
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef | ast.Lambda):
            continue
        elif_of = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        deeper = isinstance(child, BLOCKS) and not elif_of
        deepest = max(deepest, nesting(child, depth + deeper))
    return deepest


def is_protocol(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).split("[")[0].endswith("Protocol") for base in node.bases)


def protocol_sizes(text: str, name: str) -> list[Size]:
    return [
        Size(sum(isinstance(part, Function) for part in node.body), f"{name}:{node.lineno} {node.name}")
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef) and is_protocol(node)
    ]


def of_all(measure: Measure) -> list[Size]:
    found = [size for path in sources() for size in measure(path.read_text(), str(path.relative_to(ROOT)))]
    return sorted(found, key=lambda size: -size.lines)


def listed(sizes: list[Size]) -> str:
    return "\n".join(map(str, sizes))


def test_no_function_is_longer_than_a_screen() -> None:
    sizes = of_all(function_sizes)
    print(f"\nfunctions: {len(sizes)}, the longest:\n{listed(sizes[:10])}")
    too_long = [size for size in sizes if size.lines > FUNCTION_LINES]
    assert not too_long, listed(too_long)


def test_nine_functions_of_ten_are_short() -> None:
    sizes = of_all(function_sizes)
    median, p90 = sizes[len(sizes) // 2].lines, sizes[len(sizes) // 10].lines
    print(f"\nfunctions: median {median}, p90 {p90}")
    assert p90 <= FUNCTION_P90


def test_no_file_outgrows_its_room() -> None:
    sizes = of_all(lambda text, name: [Size(len(code_lines(text)), name)])
    print(
        f"\nfiles: {len(sizes)}, {sum(size.lines for size in sizes)} lines of code, the longest:\n{listed(sizes[:10])}"
    )
    too_long = [size for size in sizes if size.lines > FILE_CODE_LINES]
    assert not too_long, listed(too_long)


def test_no_protocol_asks_for_more_than_five_methods() -> None:
    too_wide = [size for size in of_all(protocol_sizes) if size.lines > PROTOCOL_METHODS]
    assert not too_wide, listed(too_wide)


def test_blocks_do_not_stand_too_deep_in_blocks() -> None:
    def depths(text: str, name: str) -> list[Size]:
        return [Size(nesting(node), f"{name}:{node.lineno} {node.name}") for node in functions(ast.parse(text))]

    too_deep = [size for size in of_all(depths) if size.lines > NESTING]
    assert not too_deep, listed(too_deep)


def test_every_module_opens_by_saying_what_it_is_for() -> None:
    def silent(text: str, name: str) -> list[Size]:
        tree = ast.parse(text)
        return [Size(0, name)] if tree.body and not ast.get_docstring(tree) else []

    assert not of_all(silent), listed(of_all(silent))


EXAMPLE = '''"""Says what it is.

And more.
"""

import os  # not counted apart


def one(x: int) -> str:
    """Three lines of code.

    This is none of them.
    """
    # nor this

    text = """not a
docstring"""
    return text


class Wide(Protocol):
    def a(self) -> None: ...
    def b(self) -> None: ...
'''


def test_comments_docstrings_and_blanks_are_not_code() -> None:
    assert len(code_lines(EXAMPLE)) == 8
    assert function_sizes(EXAMPLE, "x")[0].lines == 4
    assert protocol_sizes(EXAMPLE, "x")[0].lines == 2


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("def f():\n  pass", 0),
        ("def f():\n  if a:\n    pass\n  elif b:\n    pass\n  elif c:\n    pass", 1),
        ("def f():\n  for a in b:\n    if a:\n      with c:\n        pass", 3),
        ("def f():\n  if a:\n    pass\n  else:\n    if b:\n      pass\n    x = 1", 2),
    ],
)
def test_nesting_counts_blocks_inside_blocks(text: str, depth: int) -> None:
    assert [nesting(node) for node in functions(ast.parse(text))] == [depth]
