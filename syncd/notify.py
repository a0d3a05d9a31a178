"""Speaks to systemd: readiness, watchdog, sockets handed over. Silent where nobody listens. (sd_notify(3),
sd_listen_fds(3))"""

import os
import socket


def notify(*words: str) -> bool:
    """Send words such as "READY=1" to the service manager; False where there is none, or it does not listen."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    target = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        try:
            out.sendto("\n".join(words).encode(), target)
        except OSError:  # a manager that went away, or a variable inherited by mistake, is no reason to end
            return False
    return True


def watchdog_seconds() -> float | None:
    """Return how often the service manager must hear from us, None where it does not care."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    if not microseconds.isdigit() or os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    return int(microseconds) / 1_000_000


def passed_sockets() -> list[socket.socket]:
    """Return the listening sockets handed over by socket activation."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(os.environ.get("LISTEN_FDS", "0"))
    return [socket.socket(fileno=fd) for fd in range(3, 3 + count)]
