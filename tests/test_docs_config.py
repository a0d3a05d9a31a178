"""docs/config.md names every key of the configuration and no other, with the default that the code has; and the example
is as good as it says."""

import ast
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from connectors import KINDS, load
from syncd.config.document import LISTED, NAMED, SINGLE
from syncd.config.entries import MessageKind
from syncd.config.problems import model_in
from syncd.config.values import read_duration
from syncd.core.directory import Agent, Directory, Project, SyncPolicy
from syncd.core.event_type import EventType, Window
from syncd.core.template import VARIABLES
from syncd.wiring import fixed, read_config

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "config.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "config.example.toml"
Defaults = dict[str, str]


def headings() -> dict[str, type[BaseModel]]:
    """Map each heading of the page that has a table of keys to the model behind it."""
    found: dict[str, type[BaseModel]] = {f"[{name}]": model for name, model in SINGLE.items()}
    found |= {f"[{name}.NAME]": model for name, model in NAMED.items()}
    found |= {f"[[{name}]]": model for name, model in LISTED.items()}
    return found | {f"kind {kind}": load(kind).settings_model for kind in KINDS}


def documented(heading: str) -> Defaults:
    """Return key -> default as the page gives them under a heading."""
    title = f"### kind `{heading.removeprefix('kind ')}`" if heading.startswith("kind") else f"## `{heading}`"
    assert PAGE.count(f"\n{title}\n") == 1, title
    section = re.split(r"\n#{2,3} ", PAGE.split(f"\n{title}\n")[1])[0]
    rows = re.findall(r"^\| ((?:`[^`]+` ?)+)\| (.*?) \| .+ \|$", section, re.MULTILINE)
    return {key: default.strip("`") for cell, default in rows for key in re.findall(r"`([^`]+)`", cell)}


def in_code(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every key of a model, those of the tables inside as well."""
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        yield key, field
        inner = model_in(field.annotation)
        if inner is not None:
            yield from in_code(inner, key + ("[]." if "list[" in str(field.annotation) else "."))


def shown(field: Any) -> str:
    """Write a default as the page does; "–" where there is nothing to write down."""
    value = field.default
    if field.is_required():
        return "required"
    if value is None or isinstance(value, BaseModel) or value in ((), [], {}):
        return "–"
    if isinstance(value, Window):
        value = value.ahead
    if isinstance(value, timedelta | list):
        return repr(value)
    return {True: "true", False: "false"}.get(value, repr(value)) if isinstance(value, bool) else plain(value)


def plain(value: object) -> str:
    if isinstance(value, Enum):
        return "true"
    return f'"{value}"' if isinstance(value, str) else str(value)


def as_shown(text: str) -> str:
    """Bring a default of the page into the form of `shown`."""
    if re.fullmatch(r'"\d+[smhdw]"', text):
        return repr(read_duration(text.strip('"')))
    return repr(tomllib.loads(f"x = {text}")["x"]) if text.startswith("[") else text


@pytest.mark.parametrize("heading", sorted(headings()))
def test_the_page_names_every_key_of_a_table_and_no_other(heading: str) -> None:
    assert sorted(documented(heading)) == sorted(key for key, _ in in_code(headings()[heading]))


@pytest.mark.parametrize("heading", sorted(headings()))
def test_the_page_gives_the_defaults_of_the_code(heading: str) -> None:
    written = {key: as_shown(default) for key, default in documented(heading).items()}
    assert written == {key: shown(field) for key, field in in_code(headings()[heading])}


def test_the_page_has_no_heading_of_a_table_that_is_not_there() -> None:
    titles = set(re.findall(r"^##+ `(.+)`$", PAGE, re.MULTILINE))
    titles |= {f"kind {kind}" for kind in re.findall(r"^### kind `(.+)`$", PAGE, re.MULTILINE)}
    assert titles == {*headings(), "[accounts.NAME]"}


def test_every_row_of_the_page_explains_its_key() -> None:
    bare = re.findall(r"^\| `[^|]+\|[^|]*\|\s*\|$", PAGE, re.MULTILINE)
    assert not bare


def test_the_page_names_every_variable_of_templates() -> None:
    named = set(re.findall(r"\{\{ (\w+) \}\}", PAGE))
    assert VARIABLES - {f"respuesta_{number}" for number in range(2, 10)} <= named
    assert named <= VARIABLES


def test_the_page_names_every_kind_of_message() -> None:
    for kind in vars(MessageKind)["__args__"]:
        assert f"`{kind}`" in PAGE


def test_the_page_says_what_needs_a_restart(tmp_path: Path) -> None:
    restart = PAGE.split("a restart and are told so:")[1].split("\n* ")[0]
    file = tmp_path / "config.toml"
    file.write_text("")
    for table, key in fixed(read_config(file)):
        assert re.search(rf"`\[{table}\][^`]*\b{key}\b", restart), key


UNREAD_NAMES = {"unconfirmed_release": "unconfirmed"}  # where the snapshot's word is not the file's


def test_what_nothing_reads_yet_is_said_to_have_no_effect() -> None:
    """A key that is taken without a word and does nothing would be the worst of all."""
    paragraphs = PAGE.split("**For clients' pages**")[1].split("\n## ")[0]
    read: set[str] = set()
    for package in ("syncd", "connectors"):
        for path in (ROOT / package).rglob("*.py"):
            if "config" not in path.parts and "wiring" not in path.parts:
                nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                read.update(node.attr for node in nodes if isinstance(node, ast.Attribute))
    kept = {field.name for one in (Agent, Directory, EventType, Project, SyncPolicy) for field in fields(one)}
    silent = {UNREAD_NAMES.get(name, name) for name in kept - read}
    assert {name for name in silent if not re.search(rf"`\[*{name}\]*`", paragraphs)} == set()


def keys_of_example(commented: bool) -> set[str]:
    """Return the keys that the example writes, those in its commented lines as well if wanted."""
    text = EXAMPLE.read_text(encoding="utf-8")
    if commented:
        kept = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        kept += [line.lstrip()[2:] for line in text.splitlines() if re.match(r"\s*# [\[a-z_]+(\]| = )", line)]
        text = "\n".join(kept)
    return set(re.findall(r"^\s*(\w+)(?:\.\w+)?\s*= ", text, re.MULTILINE))


def test_every_key_of_the_example_is_in_the_page() -> None:
    known = {re.split(r"[.\[]", key)[-1].strip("]") for heading in headings() for key in documented(heading)}
    known |= {key.partition(".")[0] for heading in headings() for key in documented(heading)} | {"kind"}
    assert len(keys_of_example(commented=True)) > len(keys_of_example(commented=False)) > 40
    assert keys_of_example(commented=True) <= known


def test_the_example_is_right_and_gives_no_advice() -> None:
    config = read_config(EXAMPLE)
    assert config.warnings == ()
    assert len(config.directory.agents) == 3
    assert config.daemon.state_dir == ROOT / "state"


def test_the_accounts_that_the_example_comments_out_can_be_used_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    for name in ("oficina", "calendly-token", "calendly-key", "correo"):
        (credentials / name).write_text("x" * 40)
    (credentials / "alerts-ntfy").write_text("ntfys://ntfy.sh/a-topic\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    monkeypatch.setenv("SYNCD_CRM_TOKEN", "x" * 40)
    text = EXAMPLE.read_text(encoding="utf-8")
    uncommented = re.sub(r"^(\s*)# (?=\[|[a-z_]+ = |\{ account)", r"\1", text, flags=re.MULTILINE)
    file = tmp_path / "config.toml"
    file.write_text(uncommented, encoding="utf-8")
    config = read_config(file)
    assert {one.kind for one in config.accounts.values()} == {"caldav", "calendly", "smtp"}
    assert config.api.tokens == {"crm": "x" * 40}
    assert config.alerts == ("ntfys://ntfy.sh/a-topic",)
    assert {ref.role.value for ref in config.directory.calendars()} == {"publish", "busy", "mirror"}
