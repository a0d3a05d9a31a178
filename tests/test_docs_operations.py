"""docs/operations.md names what there is: every alert, every word of the log; and no command or file that is not."""

import ast
import re
from pathlib import Path

import pytest
from typer.main import get_command

from syncd.cli.app import app
from syncd.log import ACTIONS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "operations.md").read_text()


def section(title: str) -> str:
    return re.split(r"^## ", PAGE.split(f"\n## {title}\n")[1], flags=re.MULTILINE)[0]


def first_cells(text: str) -> set[str]:
    """Return the words in backquotes that stand in the first cells of a table."""
    tables = [part.partition("|---|")[2] for part in text.split("\n\n")]
    cells = [line.split("|")[1] for table in tables for line in table.splitlines() if line.startswith("| `")]
    return {word for cell in cells for word in re.findall(r"`(\w+)`", cell)}


def alerts_of_the_code() -> set[str]:
    """Return the kinds that are given to `alert(tx, kind, …)` anywhere."""
    found = set()
    for path in (ROOT / "syncd").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "alert":
                kind = node.args[1]
                assert isinstance(kind, ast.Constant), f"{path}:{node.lineno}: an alert without a plain name"
                found.add(str(kind.value))
    return found


def test_every_alert_is_explained_and_no_other() -> None:
    assert first_cells(section("Alerts")) == alerts_of_the_code()


def test_every_word_of_the_log_is_explained_and_no_other() -> None:
    assert first_cells(section("The log")) == ACTIONS


def known_commands() -> set[tuple[str, ...]]:
    """Return every command as its words, groups as well."""
    found: set[tuple[str, ...]] = set()

    def walk(command: object, words: tuple[str, ...]) -> None:
        found.add(words)
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, (*words, name))

    walk(get_command(app), ())
    return found


@pytest.mark.parametrize("line", sorted(set(re.findall(r"(?:syncdctl|`syncd) ([a-z][a-z -]*)", PAGE))))
def test_every_command_exists(line: str) -> None:
    words = tuple(word for word in line.split() if not word.startswith("-"))
    known = known_commands()
    group = words[:1] in known and any(one[:1] == words[:1] and len(one) > 1 for one in known)
    assert words[:1] in known and (not group or words[:2] in known or len(words) == 1), line


@pytest.mark.parametrize("name", sorted(set(re.findall(r"(?<![/\w])systemd/([\w.*-]+(?:/[\w.*-]+)*)", PAGE))))
def test_every_file_that_is_installed_exists(name: str) -> None:
    assert list((ROOT / "systemd").glob(name)), name


def test_every_link_leads_somewhere() -> None:
    headings = {
        re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        if target.startswith("#"):
            assert target[1:] in headings, target
        else:
            assert (ROOT / "docs" / target).exists(), target
