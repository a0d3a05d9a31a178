"""One command's way to what it needs: the configuration, the running daemon, or a store of its own."""

import json
import os
import pwd
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from syncd.control import SOCKET, Answer, Call, Tell, call_daemon, is_running
from syncd.errors import ConfigError

DONE, FAILED, MISUSED, SOMETHING, BUSY = 0, 1, 2, 3, 75
PLACES = (Path("config.toml"), Path("/etc/syncd/config.toml"))

Draw = Callable[[Any], None]


def _silent(progress: dict[str, Any]) -> None:
    pass


class Session:
    """What the options given with a command amount to."""

    def __init__(self, config: Path | None, *, as_json: bool) -> None:
        self._config = config
        self.as_json = as_json

    @property
    def config_file(self) -> Path:
        """Return the configuration file that counts. Raises ConfigError where there is none."""
        named = self._config or (Path(os.environ["SYNCD_CONFIG"]) if os.environ.get("SYNCD_CONFIG") else None)
        if named is not None:
            return named
        found = next((one for one in PLACES if one.is_file()), None)
        if found is None:
            where = ", ".join(map(str, PLACES))
            raise ConfigError([f"no configuration: give one with -c FILE or $SYNCD_CONFIG, or put it at {where}"])
        return found

    def do(self, operation: str, draw: Draw, *, tell: Tell = _silent, **args: Any) -> int:
        """Have an operation done and show its answer, as JSON or drawn; returns the exit code."""
        return self.show(self.answer(operation, tell=tell, **args), draw)

    def answer(self, operation: str, *, tell: Tell = _silent, **args: Any) -> Answer:
        """Have an operation done: one that changes something by the running daemon, else on a store held for it."""
        from syncd.operations import OPERATIONS

        call = Call(name=operation, args=args, actor=f"cli:{login()}")
        if not OPERATIONS[operation].changes:
            return self._read(call)
        return self._by_daemon(call, tell) or self._alone(call, tell)

    def _read(self, call: Call) -> Answer:
        from syncd.operations import Desk, perform
        from syncd.wiring import inspect

        with closing(inspect(self.config_file)) as installed:
            return perform(Desk(context=installed.context, link_key=installed.link_key), call)

    def _by_daemon(self, call: Call, tell: Tell) -> Answer | None:
        from syncd.wiring import read_config

        return call_daemon(read_config(self.config_file).daemon.state_dir / SOCKET, call, tell)

    def has_daemon(self) -> bool:
        """Tell whether a daemon runs on this installation."""
        from syncd.wiring import read_config

        return is_running(read_config(self.config_file).daemon.state_dir / SOCKET)

    def _alone(self, call: Call, tell: Tell) -> Answer:
        from syncd.operations import Desk, perform
        from syncd.wiring import install

        with closing(install(self.config_file)) as installed:
            return perform(Desk(context=installed.context, link_key=installed.link_key, tell=tell), call)

    def route(self, asked: Any) -> Answer:
        """Route a request; whose turn it is counts where there is a store already."""
        from syncd.clock import SystemClock
        from syncd.operations import guarded
        from syncd.operations.route import routed
        from syncd.wiring import inspect, read_config

        config, now = read_config(self.config_file), SystemClock().now()
        if not config.store.path.exists():
            return guarded(lambda: routed(config.directory, asked, now))
        with closing(inspect(self.config_file)) as installed:
            return guarded(lambda: routed(config.directory, asked, now, installed.context))

    def show(self, answer: Answer, draw: Draw) -> int:
        """Show an answer; what went wrong is said on stderr unless JSON was asked for."""
        error = answer.body.get("error") if isinstance(answer.body, dict) else None
        if self.as_json:
            print_json(answer.body)
        elif error is None or len(answer.body) > 1:
            draw(answer.body)
        if error is not None and not self.as_json:
            for line in str(error).splitlines():
                print(f"syncd: {plain(line)}", file=sys.stderr)
        return answer.code


def login() -> str:
    """Return the name of the user who gives the command; behind sudo, who that was."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return os.environ.get("SUDO_USER") or name


def print_json(body: Any) -> None:
    print(escaped(json.dumps(body, indent=2, ensure_ascii=False)))


def escaped(text: str) -> str:
    """Return JSON text in which no character can steer a terminal: C1 controls and direction marks are written out."""
    return "".join(one if not _steers(one) or one == "\n" else f"\\u{ord(one):04x}" for one in text)


def plain(text: str) -> str:
    """Return text of strangers so that it can be put on a terminal: one line, every steering character written out."""
    return "".join(f"\\x{ord(one):02x}" if _steers(one) else one for one in text)


def _steers(one: str) -> bool:
    """Tell of control characters and of marks that turn the direction of text."""
    code = ord(one)
    return code < 0x20 or 0x7F <= code < 0xA0 or code in DIRECTION_MARKS


DIRECTION_MARKS = {0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029, 0xFEFF}
