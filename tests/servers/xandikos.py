"""Xandikos as a process: calendars in git, answers unlike Radicale's. It asks for no login."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.process import free_port, running

HOME = "/user/calendars/"


@contextmanager
def xandikos(folder: Path) -> Iterator[str]:
    """Run Xandikos over a folder; yield its base URL."""
    port = free_port()
    address = ["--listen-address", "127.0.0.1", "--port", str(port), "--no-detect-systemd"]
    state = ["--directory", str(folder / "calendars"), "--state-dir", str(folder / "state"), "--defaults"]
    with running([sys.executable, "-u", "-m", "xandikos", "serve", *address, *state], "Listening on", port):
        yield f"http://127.0.0.1:{port}/"
