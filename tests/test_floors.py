"""Who may import whom, beyond what a list of contracts can say; and that the libraries are those we think they are."""

import ast
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

import connectors
import syncd

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())

# What several connectors share; any other private module belongs to the connector whose name it begins with.
SHARED = {
    "_address", "_allowance", "_http", "_ical", "_json", "_lines", "_loading", "_moments", "_reading", "_recur",
    "_series", "_signals", "_signature", "_wire", "_zones",
}  # fmt: skip


def imports_of(path: Path) -> set[str]:
    """Return the dotted names that a module imports, names of `from x import y` as x.y."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.update(f"{node.module}.{name.name}" for name in node.names)
    return found


def private_owner(module: str) -> str | None:
    """Return the connector that a private module belongs to: `_caldav_sync` to caldav; None for the shared ones."""
    return None if module in SHARED else module.strip("_").split("_")[0]


def trespasses() -> Iterator[str]:
    """Tell of each import of one connector by another, straight or by way of its private modules."""
    for path in sorted((ROOT / "connectors").glob("*.py")):
        mine = path.stem if not path.stem.startswith("_") else private_owner(path.stem)
        for name in imports_of(path):
            if not name.startswith("connectors."):
                continue
            module = name.split(".")[1]
            owner = private_owner(module) if module.startswith("_") else module
            if owner is not None and owner != mine and path.stem != "__init__":
                yield f"{path.name} imports {name}"


def test_the_floors_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-logo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_connectors_never_import_each_other() -> None:
    assert not list(trespasses())


def test_a_private_module_belongs_to_the_connector_it_is_named_after() -> None:
    assert private_owner("_caldav_sync") == "caldav"
    assert private_owner("_http") is None


def test_every_connector_is_listed_and_every_listed_one_exists() -> None:
    modules = {path.stem for path in (ROOT / "connectors").glob("[!_]*.py")}
    kinds: dict[str, str] = vars(connectors)["KINDS"]
    listed = {path.split(":")[0].removeprefix("connectors.") for path in kinds.values()}
    assert listed == modules


def test_only_the_clock_has_chance_and_identity() -> None:
    guilty = [
        path.relative_to(ROOT)
        for package in ("syncd", "connectors")
        for path in (ROOT / package).rglob("*.py")
        if {name.split(".")[0] for name in imports_of(path)} & {"random", "uuid"}
    ]
    assert guilty == [Path("syncd/clock.py")]


@pytest.mark.parametrize("package", ["core", "flows", "store"])
def test_pydantic_stays_at_the_edges(package: str) -> None:
    for path in (ROOT / "syncd" / package).rglob("*.py"):
        assert "pydantic" not in {name.split(".")[0] for name in imports_of(path)}, path


def test_connectors_is_ours() -> None:
    assert Path(connectors.__file__).parent.parent == Path(syncd.__file__).parent.parent


def test_urllib3_is_the_genuine_one() -> None:
    assert vars(urllib3)["__version__"] == importlib.metadata.version("urllib3")
    assert importlib.util.find_spec("niquests") is None
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("urllib3-future")


def locked(name: str) -> dict[str, str]:
    """Return the names and versions that a lock file installs."""
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE))


def wanted(name: str) -> set[str]:
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    return {line.strip() for line in lines if line.strip() and not line.startswith(("#", "-r"))}


def test_the_wheel_asks_for_what_the_lock_was_made_from() -> None:
    assert set(PROJECT["project"]["dependencies"]) == wanted("run.in") - {"hatchling", "editables"}


@pytest.mark.parametrize("lock", ["run.lock", "dev.lock"])
def test_a_lock_holds_all_that_was_asked_and_no_fork_of_urllib3(lock: str) -> None:
    names = {re.split(r"[<>=!~; \[]", line)[0] for line in wanted("run.in")}
    if lock == "dev.lock":
        names |= {re.split(r"[<>=!~; \[]", line)[0] for line in wanted("dev.in")}
    assert names <= set(locked(lock))
    assert not {"niquests", "urllib3-future", "python-dateutil-rs"} & set(locked(lock))


def test_the_locks_agree_with_each_other() -> None:
    run, dev = locked("run.lock"), locked("dev.lock")
    assert {name: dev.get(name) for name in run} == run


@pytest.mark.parametrize("lock", ["run.lock", "dev.lock"])
def test_a_lock_is_hashed_and_names_no_index(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text()
    assert not re.search(r"https?:|--(extra-)?index|--find-links|file:|(?<![-\w.])/\w", text)
    unhashed = re.findall(r"^\S+==\S+(?! \\)$", text, re.MULTILINE)
    assert not unhashed


def test_a_lock_can_build_the_project_itself() -> None:
    for lock in ("run.lock", "dev.lock"):
        assert {"hatchling", "editables"} <= set(locked(lock))
