"""A small company for the command line: three agents on the embedded CalDAV server, real store, real configuration."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from syncd.cli.app import app
from syncd.clock import SystemClock
from syncd.wiring import Installation, install

ZONE = "America/Santiago"

CONFIG = """\
[daemon]
public_url = "http://127.0.0.1:{port}"
listen = "127.0.0.1:{port}"
time_zone = "America/Santiago"

[sync]
poll_every = "{poll_every}"

[embedded_caldav]
enabled = true

[api]
tokens = {{ test = "a-token-of-thirty-two-characters" }}

[[agents]]
id = "ana"
name = "Ana Soto"
email = "ana@a.example"
hours = "oficina"
calendars = [{{ account = "embedded", calendar = "ana/visits", role = "publish" }}]

[[agents]]
id = "bruno"
name = "Bruno Rojas"
email = "bruno@a.example"
hours = "oficina"
calendars = [{{ account = "embedded", calendar = "bruno/visits", role = "publish" }}]

[hours.oficina]
weekly.mon = ["09:00-18:00"]
weekly.tue = ["09:00-18:00"]
weekly.wed = ["09:00-18:00"]
weekly.thu = ["09:00-18:00"]
weekly.fri = ["09:00-18:00"]

[event_types.visita]
name = "Visita"
duration = "20m"
buffer_after = "10m"
minimum_notice = "1h"
window = "90d"
title = "Visita {{{{ proyecto }}}}"

[event_types.urgente]
name = "Visita urgente"
duration = "30m"
window = "90d"
title = "Urgente {{{{ proyecto }}}}"

[projects.casas]
name = "Casas PlanOK"
aliases = ["Casas Plan OK"]
team = ["ana", "bruno"]
responsible = "ana"
event_types = {{ standard = "visita", urgent = "urgente" }}

[projects.torre]
name = "Torre Sur"
team = ["bruno"]
responsible = "bruno"
active = "after_parity"
event_types = {{ standard = "visita" }}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Done:
    """What a command ended with."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Office:
    """One installation in a folder of its own, and the command line over it."""

    def __init__(self, home: Path, capture: Callable[[], tuple[str, str]], poll_every: str = "5m") -> None:
        self.home = home
        self.port = free_port()
        self.config = home / "config.toml"
        self._capture = capture
        self.write(CONFIG.format(port=self.port, poll_every=poll_every))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def write(self, text: str) -> None:
        self.config.write_text(text)
        self.config.chmod(0o600)

    def change(self, old: str, new: str) -> None:
        text = self.config.read_text()
        assert old in text
        self.write(text.replace(old, new))

    def syncd(self, *words: str) -> Done:
        """Run a command in this process, as `syncd -c config.toml words…` would run."""
        return self.bare("-c", str(self.config), *words)

    def bare(self, *words: str) -> Done:
        self._capture()
        try:
            app(list(words), prog_name="syncd")
        except SystemExit as end:
            out, err = self._capture()
            return Done(int(end.code or 0), out, err)
        raise AssertionError("a command ends with an exit code")

    def json(self, *words: str) -> Any:
        """Run a command that must succeed, and return what --json prints."""
        done = self.syncd(*words, "--json")
        assert done.code in (0, 3), done.err
        return done.json

    def book(self, start: datetime, *words: str, project: str = "casas") -> Any:
        client = ["--name", "Eva Paz", "--email", "eva@b.example"]
        return self.json("visits", "book", "--project", project, "--start", start.isoformat(), *client, *words)

    @contextmanager
    def installed(self) -> Iterator[Installation]:
        """Hold the store, as a command without a daemon does."""
        with closing(install(self.config)) as installation:
            yield installation

    @contextmanager
    def daemon(self, **environment: str) -> Iterator["Running"]:
        """Run the real daemon until the block ends; it is ready inside."""
        running = Running(self, environment)
        try:
            running.await_word("READY=1")
            yield running
        finally:
            running.end()


class Running:
    """The daemon as a process, with us as its service manager."""

    def __init__(self, office: Office, environment: dict[str, str]) -> None:
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        address = office.home / "notify"
        address.unlink(missing_ok=True)
        self.manager.bind(os.path.relpath(address))
        self.manager.settimeout(30)
        self.log = office.home / "daemon.log"
        self._out = self.log.open("ab")
        command = [sys.executable, "-m", "syncd", "-c", str(office.config), "run"]
        surroundings = {**os.environ, "NOTIFY_SOCKET": str(address), **environment}
        self.process = subprocess.Popen(command, stderr=self._out, env=surroundings)
        self.heard: list[str] = []
        self._ender = threading.Thread(target=self._wake_at_end, daemon=True)
        self._ender.start()

    def _wake_at_end(self) -> None:
        """Say a word of our own when the process ends, so that nobody waits in vain."""
        self.process.wait()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            try:
                out.sendto(b"ENDED=1", self.manager.getsockname())
            except OSError:
                return

    def await_word(self, wanted: str) -> str:
        """Wait for a message that holds this word, and return the message."""
        while True:
            message = self.manager.recv(4096).decode()
            self.heard.append(message)
            if wanted in message.splitlines():
                return message
            assert "ENDED=1" not in message, f"the daemon ended with {self.process.returncode}: {self.said()}"

    def said(self) -> str:
        return self.log.read_text()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.said().splitlines()]

    def end(self) -> int:
        """Stop the daemon if it still runs, as systemd would; returns its exit code."""
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(30)
        self._ender.join(5)
        self._out.close()
        self.manager.close()
        return code


def next_monday(at: time = time(10), weeks: int = 1) -> datetime:
    """Return a Monday that lies at least so many weeks ahead, at an hour of the town's clock."""
    day = SystemClock().now().astimezone(ZoneInfo(ZONE)).date() + timedelta(weeks=weeks)
    day += timedelta(days=-day.weekday() % 7)
    return datetime.combine(day, at, ZoneInfo(ZONE))
