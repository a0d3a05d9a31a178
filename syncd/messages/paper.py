"""Lays what is said out as plain text, as HTML and as the few words of a short message. Says nothing of its own.

Whatever a client typed is text here: cleaned once on its way in, escaped on its way into HTML (H65, H67, H68).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something the reader may do, behind a link."""

    label: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One message in the reader's language. `lead` is enough by itself; `facts` are labels and values.

    `brief` is what a short message adds to the lead.
    """

    subject: str
    lead: str
    greeting: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    paragraphs: tuple[str, ...] = ()
    actions: tuple[Action, ...] = ()
    brief: tuple[str, ...] = ()


def text_of(said: Said) -> str:
    """Return the message as plain text, its parts apart by blank lines."""
    facts = "\n".join(f"{label}: {value}" for label, value in said.facts)
    actions = "\n".join(f"{one.label}:\n{one.url}" for one in said.actions)
    parts = (said.greeting, said.lead, facts, *said.paragraphs, actions)
    return "\n\n".join(part for part in parts if part) + "\n"


def short_of(said: Said) -> str:
    """Return the message for a telephone: the lead, what must be added, the links."""
    actions = [f"{one.label}: {one.url}" for one in said.actions]
    return " ".join(part for part in (said.lead, *said.brief, *actions) if part)


def html_of(said: Said, language: str) -> str:
    """Return the message as a page of its own; style stands in it, for mail programs read no other."""
    return _page("letter.html").render(said=said, language=language)


def html_of_text(text: str, subject: str, language: str) -> str:
    """Return an administrator's own words as a page; addresses that stand alone become links."""
    paragraphs = [[_pieces(line) for line in part.split("\n")] for part in text.strip().split("\n\n")]
    return _page("own.html").render(paragraphs=paragraphs, subject=subject, language=language)


def _pieces(line: str) -> list[tuple[str, bool]]:
    """Split a line into words and addresses (True)."""
    return list(_merged((word, word.startswith(("https://", "http://"))) for word in line.split(" ")))


def _merged(words: Iterator[tuple[str, bool]]) -> Iterator[tuple[str, bool]]:
    plain: list[str] = []
    for word, is_address in words:
        if is_address:
            yield " ".join([*plain, ""]), False
            yield word, True
            plain = [""]
        else:
            plain.append(word)
    yield " ".join(plain), False


@cache
def _page(name: str) -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    env = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)
    return env.get_template(name)
