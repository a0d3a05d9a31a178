"""docs/connectors.md keeps one ledger for each kind of account, and what it calls proof is there."""

import re
from pathlib import Path

import pytest

from connectors import KINDS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "connectors.md").read_text()
RULES = [
    "typed", "contract", "real peer", "auth failure", "cursor loss", "rate limit", "time-out after doing", "redaction",
    "docs", "removal",
]  # fmt: skip
STATES = {"done", "todo", "exempt"}
NAMED = re.compile(r"`((?:tests|connectors)/[\w/]+\.py)(?:::(\w+))?`")


def ledger(kind: str) -> list[tuple[str, str, str]]:
    """Return rule, state and proof of each row of a kind's ledger."""
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (section,) = [one for one in sections if one.partition("\n")[0] == kind]
    _, _, table = section.partition("| rule | state | proof or reason |\n|---|---|---|\n")
    rows = [line.strip("| ").split(" | ") for line in table.split("\n\n")[0].splitlines() if line.startswith("|")]
    return [(rule, state, proof) for rule, state, proof in rows]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_answers_every_rule(kind: str) -> None:
    rows = ledger(kind)
    assert [rule for rule, _, _ in rows] == RULES
    assert {state for _, state, _ in rows} <= STATES
    assert all(proof.strip() for _, _, proof in rows)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_done_names_a_test_or_a_page_that_is_there(kind: str) -> None:
    for rule, state, proof in ledger(kind):
        named = NAMED.findall(proof)
        assert named or state != "done" or rule == "docs", (rule, proof)
        for path, name in named:
            text = (ROOT / path).read_text()
            assert not name or re.search(rf"(?:def|class) {name}\b", text), (rule, path, name)
        for page in re.findall(r"\]\((\S+)\)", proof):
            assert (ROOT / "docs" / page).is_file(), (rule, page)


def test_no_section_is_left_of_a_kind_that_is_gone() -> None:
    assert set(re.findall(r"^## (.+)$", PAGE, re.MULTILINE)) == set(KINDS)
