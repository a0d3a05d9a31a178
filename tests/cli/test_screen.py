"""What people see: plain and aligned in a pipe, a table on a terminal, and nothing of strangers that steers it."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from syncd.cli import paper, pictures
from syncd.store.queue import Notice
from tests.cli.office import Office

Printed = Callable[[], str]


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    return lambda: capsys.readouterr().out


def on_a_terminal(office: Office, *words: str) -> str:
    """Run a command with its output on a terminal of its own, and return what that received."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "syncd", "-c", str(office.config), *words]
    surroundings = {**os.environ, "TERM": "xterm", "COLUMNS": "160"}
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=surroundings):
        os.close(theirs)
        heard = b""
        try:
            while more := os.read(ours, 65536):
                heard += more
        except OSError:  # the other end is closed: Linux says EIO
            pass
    os.close(ours)
    return heard.decode()


def test_in_a_pipe_columns_stand_under_each_other(printed: Printed) -> None:
    paper.put([paper.Sheet("Trees", ["name", "height"], [["elm", "30"], ["juniper", "5"]])])
    assert printed() == "Trees\nname     height\nelm      30\njuniper  5\n"


def test_an_empty_sheet_says_its_word_or_nothing(printed: Printed) -> None:
    paper.put([paper.Sheet("Trees", ["name"], [], nothing="No trees."), paper.Sheet("Birds", ["name"], [])])
    assert printed() == "No trees.\n"


def test_on_a_terminal_states_have_colours(opened: Office) -> None:
    shown = on_a_terminal(opened, "status")
    assert "\x1b[32mok" in shown
    assert "NO DAEMON RUNS" in shown


def test_strangers_text_is_neither_markup_nor_control_on_a_terminal(opened: Office) -> None:
    hostile = "[red]x[/red] \x1b]0;owned\x07 \u202egnp"
    notice = Notice(key="alert:1", channel="alert", kind="suspect", about="x", body={"text": hostile}, state="open")
    with opened.installed() as installed:
        installed.context.store.write(lambda tx: tx.queue.say(notice))
    shown = on_a_terminal(opened, "status")
    assert "[red]x[/red]" in shown and "\\x1b]0;owned\\x07" in shown and "\\x202egnp" in shown
    assert "\x1b]0;" not in shown


def test_a_sync_shows_a_bar_on_a_terminal_and_takes_it_away_again(opened: Office) -> None:
    shown = on_a_terminal(opened, "sync")
    assert "syncing" in shown
    left = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).splitlines()[-1]
    assert left.startswith("Quiet after")


def test_one_visit_is_shown_without_its_empty_fields(printed: Printed) -> None:
    pictures.visit({"id": "v1", "host": None, "contact": {"name": "Eva", "phone": None}, "answers": [], "version": 1})
    assert printed() == "id       v1\ncontact  name=Eva\nversion  1\n"


def test_a_refused_booking_shows_the_nearest_free_times(printed: Printed) -> None:
    pictures.visit({"alternatives": [{"start": "a", "end": "b", "hosts_free": 2}], "reason": "busy"})
    assert printed() == "Nearest free times\nstart  end  hosts free\na      b    2\n"


def test_history_tells_before_and_after(printed: Printed) -> None:
    rows = [
        {"version": 1, "at": "t1", "actor": "cli:ana", "source": "cli", "before": None, "after": {"a": 1}, "note": ""},
        {"version": 2, "at": "t2", "actor": "x", "source": "y", "before": {"a": 1}, "after": {"a": 2}, "note": "why"},
    ]
    pictures.history(rows)
    shown = printed()
    assert "booked" in shown and "a: 1 → 2" in shown and "why" in shown
