"""Which configuration counts, who carries a command out, and what expected errors look like."""

import json
import os
import pwd
from pathlib import Path

import pytest

from syncd.cli.session import escaped, login, plain
from syncd.control import Answer, Call, ControlServer, Tell
from tests.cli.office import Office, next_monday


def test_the_flag_comes_before_the_environment(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCD_CONFIG", "/nowhere/config.toml")
    assert office.syncd("check-config").code == 0


def test_the_environment_comes_before_the_folder(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCD_CONFIG", "/nowhere/config.toml")
    done = office.bare("check-config")
    assert done.code == 2
    assert "/nowhere/config.toml" in done.out + done.err


def test_the_folders_own_configuration_is_found(office: Office) -> None:
    done = office.bare("check-config")
    assert done.code == 0
    assert "config.toml: no problems" in done.out


def test_the_flag_may_stand_behind_the_command(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCD_CONFIG", "/nowhere/config.toml")
    assert office.bare("check-config", "-c", str(office.config)).code == 0


def test_json_may_stand_before_the_command(office: Office) -> None:
    assert office.syncd("check-config", "--json").json == office.bare("--json", "check-config").json


@pytest.mark.skipif(Path("/etc/syncd/config.toml").exists(), reason="this machine has a configuration of its own")
def test_without_any_configuration_it_says_where_one_may_be(office: Office) -> None:
    office.config.unlink()
    done = office.bare("status")
    assert done.code == 2
    assert "SYNCD_CONFIG" in done.err and "/etc/syncd/config.toml" in done.err


@pytest.mark.parametrize("words", [["status"], ["sync"], ["doctor"], ["visits", "list"], ["backup", "x"]])
def test_a_broken_configuration_ends_every_command_with_2_and_its_line(office: Office, words: list[str]) -> None:
    office.change('hours = "oficina"', 'hours = "ofisina"')
    done = office.syncd(*words)
    assert done.code == 2
    assert f"{office.config}:" in done.err and "oficina" in done.err
    assert "Traceback" not in done.err


def test_before_the_first_start_a_reading_command_says_so(office: Office) -> None:
    done = office.syncd("status")
    assert done.code == 1
    assert "there is no store yet" in done.err


def test_a_changing_command_takes_the_store_itself_and_lets_it_go(opened: Office) -> None:
    opened.book(next_monday())
    with opened.installed() as installed, installed.context.store.read() as tx:
        assert len(tx.visits.search()) == 1


def test_a_store_held_by_a_process_that_takes_no_commands_ends_with_75(office: Office) -> None:
    with office.installed():
        done = office.syncd("sync")
    assert done.code == 75
    assert "holds the store" in done.err


def test_a_running_daemon_carries_the_command_out_and_its_exit_code_counts(office: Office) -> None:
    calls: list[Call] = []

    def perform(call: Call, tell: Tell) -> Answer:
        calls.append(call)
        return Answer(code=1, body={"error": "not today"})

    with office.installed() as installed:
        server = ControlServer(installed.control_path, perform)
        server.start()
        try:
            done = office.syncd("tasks", "done", "task:1")
        finally:
            server.stop()
    assert (done.code, done.err) == (1, "syncd: not today\n")
    assert [(call.name, call.args, call.actor) for call in calls] == [
        ("tasks.done", {"task": "task:1"}, f"cli:{login()}")
    ]


def test_the_one_who_gives_a_command_is_named_even_behind_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    assert login() == pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setenv("SUDO_USER", "marta")
    assert login() == "marta"


def test_a_refused_command_says_why_on_stderr_and_prints_json_when_asked(opened: Office) -> None:
    opened.book(next_monday(), "--host", "ana")
    words = ["visits", "book", "--project", "casas", "--start", next_monday().isoformat(), "--host", "ana"]
    client = ["--name", "Eva", "--email", "eva@b.example"]
    told = opened.syncd(*words, *client)
    assert told.code == 1
    assert told.err == "syncd: Somebody else was first\n"
    assert "Nearest free times" in told.out
    asked = opened.syncd(*words, *client, "--json")
    assert (asked.code, asked.err) == (1, "")
    assert asked.json["reason"] == "slot_taken" and len(asked.json["alternatives"]) == 5


HOSTILE = "a\x1b[31m\x9b2J\u202eb\r\nc\x00"


def test_what_strangers_wrote_cannot_steer_the_terminal() -> None:
    assert plain(HOSTILE) == "a\\x1b[31m\\x9b2J\\x202eb\\x0d\\x0ac\\x00"


def test_json_that_is_printed_stays_json_and_steers_nothing() -> None:
    text = escaped(json.dumps({"a": HOSTILE}, ensure_ascii=False))
    assert json.loads(text) == {"a": HOSTILE}
    assert text.isprintable()
