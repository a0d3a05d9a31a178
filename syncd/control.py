"""The daemon's door for commands: one UNIX socket, lines of JSON. Knows no command.

A call is one line {"name", "args", "actor"}. The answer is any number of {"progress"} lines and
one {"code", "body"} line.
"""

import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from syncd.errors import SyncdError
from syncd.log import log

Json = dict[str, Any]
Tell = Callable[[Json], None]

SOCKET = "control.sock"  # in the state directory
LONGEST_CALL = 2**20  # bytes
HEAD_SECONDS = 10.0  # for a call to arrive
ANSWER_SECONDS = 900.0  # between two lines of an answer
AT_ONCE = 8  # calls in hand; more wait in the socket's backlog
LONGEST_ADDRESS = 100  # bytes; unix(7) ends at 107


class NoAnswer(SyncdError):
    """The daemon took the command and ended without an answer; its log says why."""


class NotAllowed(SyncdError):
    """The daemon belongs to another user; give the command as that user or as root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A command by name, its arguments, and who gives it."""

    name: str
    args: Json = field(default_factory=dict)
    actor: str = "cli"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a command: an exit code and something to show. `error` in the body is what a person should read."""

    code: int = 0
    body: Any = None


Perform = Callable[[Call, Tell], Answer]


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """Give an address short enough for a socket: the folder's descriptor stands in for a long path."""
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


# --- the daemon's side ----------------------------------------------------------------------------------------------


class ControlServer:
    """Takes calls at `path`, readable by nobody else, and answers each from a thread of its own."""

    def __init__(self, path: Path, perform: Perform) -> None:
        self._path = path
        self._perform = perform
        self._socket: socket.socket | None = None
        self._places = threading.Semaphore(AT_ONCE)
        self._thread = threading.Thread(target=self._accept, name="control", daemon=True)

    def start(self) -> None:
        """Listen. Whoever owns the store owns this path: a socket left there by a crash is replaced."""
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with _address(self._path) as address:
            self._socket.bind(address)
        self._path.chmod(0o600)
        self._socket.listen(32)
        self._thread.start()

    def stop(self, within: float = 2.0) -> bool:
        """Take no more calls and give those in hand some seconds to end; False where one has not."""
        if self._socket is None:
            return True
        self._path.unlink(missing_ok=True)
        self._socket.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._socket.close()
        self._socket = None
        return all(self._places.acquire(timeout=within) for _ in range(AT_ONCE))

    def _accept(self) -> None:
        listening = self._socket
        while listening is not None:
            self._places.acquire()
            try:
                caller, _ = listening.accept()
            except OSError:  # told to stop
                self._places.release()
                return
            threading.Thread(target=self._serve, args=(caller,), name="control-call", daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        try:
            with caller, caller.makefile("rwb") as line:
                if not _is_ours(caller):
                    return
                caller.settimeout(HEAD_SECONDS)
                self._answer(line.readline(LONGEST_CALL), _Line(line))
        except OSError:
            log.info("a caller left", extra={"action": "control_left"})
        finally:
            self._places.release()

    def _answer(self, asked: bytes, line: "_Line") -> None:
        if not asked:
            return  # somebody only looked whether we are here
        try:
            call = _read_call(asked)
        except (ValueError, RecursionError) as error:
            line.say({"code": 2, "body": {"error": f"not a call: {error}"}})
            return
        log.info("command", extra={"action": "command", "command": call.name, "actor": call.actor})
        try:
            answer = self._perform(call, lambda progress: line.say({"progress": progress}))
        except (SyncdError, OSError) as error:  # a caller who left makes the next line fail as well
            answer = Answer(code=1, body={"error": str(error)})
        line.say({"code": answer.code, "body": answer.body})


class _Line:
    def __init__(self, out: Any) -> None:
        self._out = out

    def say(self, words: Json) -> None:
        self._out.write(json.dumps(words).encode() + b"\n")
        self._out.flush()


def _read_call(asked: bytes) -> Call:
    if len(asked) > LONGEST_CALL:  # readline() of a pair of buffers may exceed its limit a little
        raise ValueError("too long")
    words = json.loads(asked)
    if not isinstance(words, dict) or not isinstance(words.get("name"), str):
        raise ValueError("a name is missing")
    args = words.get("args", {})
    if not isinstance(args, dict):
        raise ValueError("args must be an object")
    return Call(name=words["name"], args=args, actor=str(words.get("actor", "cli"))[:100])


def _is_ours(caller: socket.socket) -> bool:
    """Tell whether root or our own user is calling; the kernel says so (unix(7), SO_PEERCRED)."""
    given = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", given)
    return user in (0, os.getuid())


# --- the command's side ---------------------------------------------------------------------------------------------


def call_daemon(path: Path, call: Call, tell: Tell = lambda progress: None) -> Answer | None:
    """Have a running daemon carry out a call; None where none runs. Raises NotAllowed, NoAnswer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        return _converse(door, call, tell) if _knock(door, path) else None


def is_running(path: Path) -> bool:
    """Tell whether a daemon listens at `path`. Raises NotAllowed where it is another user's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        return _knock(door, path)


def _knock(door: socket.socket, path: Path) -> bool:
    try:
        with _address(path) as address:
            door.connect(address)
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    except PermissionError as error:
        raise NotAllowed(f"{path} belongs to another user; give this command as that user or as root") from error
    return True


def _converse(door: socket.socket, call: Call, tell: Tell) -> Answer:
    door.settimeout(ANSWER_SECONDS)
    try:
        with door.makefile("rwb") as line:
            _Line(line).say({"name": call.name, "args": call.args, "actor": call.actor})
            answer = _listen(line, tell)
    except (OSError, ValueError) as error:
        raise NoAnswer(f"the daemon's answer broke off ({error}); its log says why") from error
    if answer is None:
        raise NoAnswer("the daemon ended the call without an answer; its log says why")
    return answer


def _listen(line: Iterable[bytes], tell: Tell) -> Answer | None:
    for heard in line:
        words = json.loads(heard)
        if "progress" not in words:
            return Answer(code=int(words["code"]), body=words["body"])
        tell(words["progress"])
    return None
