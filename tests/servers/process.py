"""Runs a server of somebody else as a process on a free loopback port, for as long as a test session lasts."""

import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class DidNotStart(RuntimeError):
    """The server ended, or did not say in time that it is ready."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, ended: threading.Event, within: float) -> None:
    """Return when the port takes connections: some servers say so a moment too early."""
    for _ in range(int(within * 50)):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if ended.wait(0.02):
            break
    raise DidNotStart(f"nothing listens at port {port}")


@contextmanager
def running(command: Sequence[str], ready: str, port: int, *, within: float = 30.0) -> Iterator[subprocess.Popen[str]]:
    """Start a command and yield once it has written a line with `ready` and takes connections; end it afterwards.

    It leads a process group of its own: Cyrus ends by telling its whole group to, and another one may stand there.
    """
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    said: list[str] = []
    is_ready, ended = threading.Event(), threading.Event()

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:  # read to the end, so that the server never blocks on a full pipe
            if len(said) < 200:
                said.append(line)
            if ready in line:
                is_ready.set()
        ended.set()
        is_ready.set()

    listener = threading.Thread(target=listen, name="server output", daemon=True)
    listener.start()
    try:
        if not is_ready.wait(within) or ended.is_set():
            raise DidNotStart(f"{command[:4]} did not start: {''.join(said)[-2000:]}")
        _wait_for(port, ended, within)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
        listener.join(10)
        if process.stdout is not None:
            process.stdout.close()
