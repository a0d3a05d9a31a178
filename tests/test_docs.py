"""What is documented exists, and what exists is documented: commands, routes, words, links between pages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

import connectors
from syncd.cli.app import app
from syncd.clock import SystemClock
from syncd.web.api import create_api
from syncd.web.problems import PROBLEMS

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
UNUSED = {"appointment", "meeting", "manager", "helper", "util", "utils"}
EXEMPT = {"practice_calendly"}  # speaks its provider's own language


def commands() -> Iterator[str]:
    def walk(command: Any, words: list[str]) -> Iterator[str]:
        inner = getattr(command, "commands", None)
        if not inner:
            yield " ".join(words)
        for name, one in (inner or {}).items():
            yield from walk(one, [*words, name])

    return walk(typer.main.get_command(app), ["syncd"])


@pytest.mark.parametrize("command", [*commands()])
def test_every_command_is_documented(command: str) -> None:
    assert re.search(rf"`{re.escape(command)}[ `\[]", (ROOT / "docs" / "commands.md").read_text())


def test_every_documented_command_exists() -> None:
    known = set(commands())
    for page in PAGES:
        for found in re.findall(r"`(syncd [a-z][a-z -]*[a-z])(?=[ `\[])", page.read_text()):
            words = found.split()
            assert {" ".join(words[:2]), " ".join(words[:3])} & known or found in known, f"{page.name}: {found}"


class _Context:
    clock = SystemClock()


def test_every_route_is_documented_and_every_documented_one_exists() -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    described = create_api(_Context, dict).openapi()["paths"]  # type: ignore[arg-type]
    served = {f"{method.upper()} {path}" for path, methods in described.items() for method in methods}
    written = set(re.findall(r"`((?:GET|POST) /api/[^`?]*)`", text)) - {"GET /api/openapi.json"}
    assert written == served


def test_every_problem_type_is_documented() -> None:
    text = (ROOT / "docs" / "api.md").read_text()
    assert [name for name in PROBLEMS if not re.search(rf"\b{name}\b", text)] == []


@pytest.mark.parametrize("kind", [*vars(connectors)["KINDS"]])
def test_every_connector_is_documented(kind: str) -> None:
    assert re.search(rf"^## .*{kind}", (ROOT / "docs" / "connectors.md").read_text(), re.MULTILINE | re.IGNORECASE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs" / "decisions").glob("*.md")]
    assert len(numbers) == len(set(numbers)) and all(one.isdigit() for one in numbers)


def names_of(path: Path) -> Iterator[str]:
    """Yield what a module names: its own name, its classes, functions and their parameters."""
    yield path.stem
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg


def words_of(name: str) -> set[str]:
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_")
    return {part for part in parts if part}


def test_the_code_keeps_to_the_glossary() -> None:
    guilty = [
        f"{path.relative_to(ROOT)}: {name}"
        for package in ("syncd", "connectors")
        for path in (ROOT / package).rglob("*.py")
        if not EXEMPT & set(path.parts)
        for name in names_of(path)
        if words_of(name) & UNUSED
    ]
    assert guilty == []


def test_names_are_split_into_words() -> None:
    assert words_of("EventKey") == {"event", "key"}
    assert words_of("_make_meeting") == {"make", "meeting"}


def test_nothing_names_the_place_it_was_written_at() -> None:
    for page in PAGES:
        assert not re.search(r"/(work|root|home)/|/tmp/", page.read_text()), page.name
