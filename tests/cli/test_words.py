"""The words of the command line: what is offered, help with an example, usage errors, and what is not imported."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from syncd.cli.app import app
from tests.cli.office import Office

CONTRACT = """
run, check-config, doctor, status, plan, sync, route, busy, parity, activate, replay, backup, restore, config schema,
demo, visits list, visits show, visits history, visits book, visits move, visits cancel, visits reassign, handover,
visits approve, visits reject, visits confirm, visits attendance,
webhooks list, webhooks ensure, webhooks remove, explain-slot, deliveries list, deliveries show, tasks list, tasks done,
sources release, recover, auth, links feed, links visit, egress, messages list, messages preview, messages opt-out,
contacts show, inquiries list
"""


def commands(group: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Walk every command that can be given."""
    group = group or get_command(app)
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


EVERY = dict(commands())


def test_exactly_the_commands_of_the_contract_are_offered() -> None:
    assert set(EVERY) == {name.strip() for name in CONTRACT.replace("\n", " ").split(",")}


@pytest.mark.parametrize("name", sorted(EVERY))
def test_help_shows_an_example_that_begins_with_the_command(name: str, office: Office) -> None:
    done = office.bare(*name.split(), "--help")
    assert done.code == 0
    text = " ".join(done.out.split())
    assert f"Example: syncd {name}" in text


@pytest.mark.parametrize("name", sorted(EVERY))
def test_every_option_and_argument_is_explained(name: str) -> None:
    silent = [
        parameter.name
        for parameter in EVERY[name].params
        if parameter.name != "help" and not getattr(parameter, "help", None) and not parameter.metavar
    ]
    assert not silent


@pytest.mark.parametrize("words", [["--nonsense"], ["nonsense"], ["plan", "extra"], ["visits", "show"], ["busy"]])
def test_wrong_usage_ends_with_2_and_no_traceback(words: list[str], office: Office) -> None:
    done = office.bare(*words)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert "Usage" in done.err


def test_a_mistyped_command_is_told_the_nearest(office: Office) -> None:
    done = office.bare("statsu")
    assert done.code == 2
    assert "status" in done.err


def test_the_version_is_told(office: Office) -> None:
    done = office.bare("--version")
    assert done.code == 0
    assert done.out.startswith("syncd ")


@pytest.mark.parametrize("module", ["syncd", "syncd.cli"])
def test_it_runs_as_a_module(module: str) -> None:
    done = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "visits" in done.stdout


def test_help_needs_no_part_of_the_program_and_no_heavy_library() -> None:
    program = "import sys, syncd.cli.app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"rich", "pydantic", "requests", "starlette", "fastapi", "radicale", "caldav", "sqlite3"}
    assert not {one for one in loaded if one.startswith(("syncd.flows", "syncd.store", "syncd.web", "connectors"))}
