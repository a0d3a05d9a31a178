"""Radicale as a process: the CalDAV server that small offices run."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.dav import Hands
from tests.servers.process import free_port, running

USER, PASSWORD = "ana", "contraseña: 7"  # as people choose them


@contextmanager
def radicale(folder: Path) -> Iterator[str]:
    """Run Radicale over a folder; yield its base URL. One user, by htpasswd; the home is /ana/."""
    users = folder / "users"
    users.write_text(f"{USER}:{PASSWORD}\n", encoding="utf-8")
    port = free_port()
    options = {
        "--hosts": f"127.0.0.1:{port}",
        "--storage-filesystem-folder": str(folder / "storage"),
        "--auth-type": "htpasswd",
        "--auth-htpasswd-filename": str(users),
        "--auth-htpasswd-encryption": "plain",
        "--auth-delay": "0",
        "--web-type": "none",
    }
    command = [sys.executable, "-m", "radicale", *(word for pair in options.items() for word in pair)]
    with running(command, "Radicale server ready", port):
        yield f"http://127.0.0.1:{port}/"


def hands(url: str) -> Hands:
    return Hands(url, USER, PASSWORD)
