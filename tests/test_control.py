"""The control socket over a real socket: calls, progress, refusals, callers who leave, and the end."""

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syncd.control import AT_ONCE, LONGEST_CALL, Answer, Call, ControlServer, Json, NoAnswer, Tell, call_daemon
from syncd.errors import StoreUnwritable


def echo(call: Call, tell: Tell) -> Answer:
    return Answer(code=3, body={"name": call.name, "args": call.args, "actor": call.actor})


@contextmanager
def serving(path: Path, perform: Callable[[Call, Tell], Answer] = echo) -> Iterator[Path]:
    server = ControlServer(path, perform)
    server.start()
    try:
        yield path
    finally:
        server.stop()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


def raw(path: Path, sent: bytes) -> bytes:
    """Send bytes as they are and read one line of answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.settimeout(10)
        door.connect(os.path.relpath(path))
        door.sendall(sent)
        door.shutdown(socket.SHUT_WR)
        with door.makefile("rb") as heard:
            return heard.readline()


def test_a_call_reaches_the_daemon_and_its_answer_comes_back(path: Path) -> None:
    with serving(path):
        answer = call_daemon(path, Call(name="plan", args={"é": [1, None]}, actor="cli:ana"))
    assert answer == Answer(code=3, body={"name": "plan", "args": {"é": [1, None]}, "actor": "cli:ana"})


def test_without_a_daemon_there_is_no_answer(path: Path) -> None:
    assert call_daemon(path, Call(name="plan")) is None


def test_a_socket_left_by_a_crash_means_no_daemon_and_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(path))
    assert call_daemon(path, Call(name="plan")) is None
    with serving(path):
        assert call_daemon(path, Call(name="plan")) is not None


def test_nobody_else_may_open_the_socket(path: Path) -> None:
    with serving(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_socket_goes_with_the_daemon(path: Path) -> None:
    with serving(path):
        assert path.exists()
    assert not path.exists()
    assert call_daemon(path, Call(name="plan")) is None


def test_a_path_too_long_for_a_socket_works_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 90) / ("b" * 90)
    folder.mkdir(parents=True)
    with serving(folder / "control.sock") as path:
        assert call_daemon(path, Call(name="plan")) is not None


def test_progress_is_told_before_the_answer_and_in_order(path: Path) -> None:
    def work(call: Call, tell: Tell) -> Answer:
        for left in (3, 2, 1):
            tell({"left": left})
        return Answer()

    told: list[Json] = []
    with serving(path, work):
        assert call_daemon(path, Call(name="sync"), told.append) == Answer()
    assert told == [{"left": 3}, {"left": 2}, {"left": 1}]


def test_what_goes_wrong_in_an_expected_way_is_told_in_a_sentence(path: Path) -> None:
    def fail(call: Call, tell: Tell) -> Answer:
        raise StoreUnwritable("disk full")

    with serving(path, fail):
        assert call_daemon(path, Call(name="sync")) == Answer(code=1, body={"error": "disk full"})


def test_a_daemon_that_ends_in_the_middle_is_no_success(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dying:
        dying.bind(str(path))
        dying.listen()

        def die() -> None:
            caller, _ = dying.accept()
            with caller:
                caller.recv(1)

        thread = threading.Thread(target=die)
        thread.start()
        with pytest.raises(NoAnswer, match="log says why"):
            call_daemon(path, Call(name="sync"))
        thread.join()


@pytest.mark.parametrize(
    "sent",
    [
        b"\n",
        b"not json\n",
        b"[]\n",
        b"{}\n",
        b'{"name": 7}\n',
        b'{"name": "plan", "args": []}\n',
        b'{"name": "plan", "args": "\xff"}\n',
        b"[" * 100_000 + b"\n",
        b'{"name": "' + b"x" * (LONGEST_CALL + 10) + b'"}\n',
    ],
    ids=["blank", "words", "list", "empty", "number", "bad args", "bad utf8", "deep", "long"],
)
def test_what_is_no_call_is_refused_and_the_next_one_served(path: Path, sent: bytes) -> None:
    with serving(path):
        answered = raw(path, sent)
        assert json.loads(answered)["code"] == 2
        assert call_daemon(path, Call(name="plan")) is not None


def test_a_caller_who_leaves_in_the_middle_harms_nobody(path: Path) -> None:
    left = threading.Event()
    broke: list[OSError] = []

    def tell_for_ever(call: Call, tell: Tell) -> Answer:
        if call.name != "long":
            return echo(call, tell)
        left.wait(10)
        try:
            for _ in range(100_000):
                tell({"left": 1})
        except OSError as error:
            broke.append(error)
            raise
        return Answer()

    with serving(path, tell_for_ever):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
            door.connect(str(path))
            door.sendall(b'{"name": "long"}\n')
        left.set()
        assert call_daemon(path, Call(name="plan")) is not None
    assert broke


def test_more_callers_than_places_are_all_served_in_turn(path: Path) -> None:
    inside = threading.Semaphore(0)
    gate = threading.Event()

    def wait(call: Call, tell: Tell) -> Answer:
        inside.release()
        gate.wait(10)
        return Answer(body=call.name)

    answers: list[Answer | None] = []
    with serving(path, wait):
        callers = [
            threading.Thread(target=lambda n=n: answers.append(call_daemon(path, Call(name=str(n)))))
            for n in range(3 * AT_ONCE)
        ]
        for caller in callers:
            caller.start()
        for _ in range(AT_ONCE):
            assert inside.acquire(timeout=10)
        assert not inside.acquire(blocking=False), "more at once than there are places"
        gate.set()
        for caller in callers:
            caller.join(10)
    assert sorted(str(one.body) for one in answers if one) == sorted(map(str, range(3 * AT_ONCE)))


def test_stopping_waits_for_a_call_in_hand_but_not_for_ever(path: Path) -> None:
    inside, gate = threading.Event(), threading.Event()

    def wait(call: Call, tell: Tell) -> Answer:
        inside.set()
        gate.wait(10)
        return Answer()

    server = ControlServer(path, wait)
    server.start()
    answers: list[Answer | None] = []
    caller = threading.Thread(target=lambda: answers.append(call_daemon(path, Call(name="sync"))))
    caller.start()
    assert inside.wait(10)
    threading.Timer(0.1, gate.set).start()
    assert server.stop(10)
    assert not path.exists()
    caller.join(10)
    assert answers == [Answer()]


def test_a_call_that_never_ends_holds_up_the_end_no_longer_than_allowed(path: Path) -> None:
    inside, gate = threading.Event(), threading.Event()

    def wait(call: Call, tell: Tell) -> Answer:
        inside.set()
        gate.wait(10)
        return Answer()

    server = ControlServer(path, wait)
    server.start()
    caller = threading.Thread(target=lambda: call_daemon(path, Call(name="sync")))
    caller.start()
    assert inside.wait(10)
    assert not server.stop(0.05)
    gate.set()
    caller.join(10)


def test_what_a_command_was_given_is_not_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with serving(path), caplog.at_level("DEBUG"):
        call_daemon(path, Call(name="auth.embedded", args={"agent": "ana", "password": "c4nary-password"}))
    assert "c4nary-password" not in str([vars(record) for record in caplog.records])
    assert any(vars(record).get("command") == "auth.embedded" for record in caplog.records)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user to knock as one")
def test_another_user_is_not_heard_even_where_the_file_lets_them_in(path: Path) -> None:
    performed: list[Call] = []

    def perform(call: Call, tell: Tell) -> Answer:
        performed.append(call)
        return Answer()

    program = (
        "import os, socket, sys\n"
        "os.chdir(sys.argv[1])\n"
        "os.setuid(65534)\n"
        "other = socket.socket(socket.AF_UNIX)\n"
        "other.connect('control.sock')\n"
        "try:\n"
        ' other.sendall(b\'{"name": "plan"}\\n\')\n'
        " sys.exit(other.recv(100) != b'')\n"
        "except ConnectionError: sys.exit(0)\n"
    )
    with serving(path, perform):
        for one in (path, path.parent):
            one.chmod(0o777)
        done = subprocess.run([sys.executable, "-c", program, str(path.parent)], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert performed == []
