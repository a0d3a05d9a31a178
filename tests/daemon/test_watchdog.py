"""The watchdog is fed for progress, not for being there: all threads in calls that hang are a reason to restart."""

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from syncd.clock import SystemClock
from syncd.daemon import Daemon
from syncd.store import open_store
from syncd.web.serve import Server
from syncd.workers import THREADS
from tests.daemon.test_beats import Still
from tests.daemon.test_workers import PATIENCE, Bench, Gate

FED_EVERY = 0.4  # seconds


async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that is never called."""


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(os.path.relpath(tmp_path / "notify"))
        listening.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", str(int(FED_EVERY * 1_000_000)))
        yield listening


def await_word(manager: socket.socket, word: bytes) -> None:
    while word not in manager.recv(4096).splitlines():
        pass


def hears_nothing(manager: socket.socket, seconds: float) -> bool:
    manager.settimeout(seconds)
    try:
        manager.recv(4096)
    except TimeoutError:
        return True
    finally:
        manager.settimeout(PATIENCE)
    return False


def test_it_is_fed_while_one_thread_gets_somewhere_and_starves_when_all_hang(
    tmp_path: Path, manager: socket.socket
) -> None:
    bench = Bench(open_store(tmp_path / "syncd.db", SystemClock()))
    gate = Gate()
    for number in range(THREADS):
        bench.add(f"a{number}", kind=f"kind{number % 2}")
    still = Still(bench.ctx, Server(nothing, "127.0.0.1:0"))
    daemon = Daemon(still, tmp_path / "control.sock")
    main = threading.Thread(target=daemon.run)
    main.start()
    try:
        await_word(manager, b"READY=1")
        await_word(manager, b"WATCHDOG=1")
        bench.asked = gate
        bench.touch(*(f"a{number}" for number in range(THREADS - 1)))
        gate.await_inside(THREADS - 1)
        for _ in range(2):
            await_word(manager, b"WATCHDOG=1")
        bench.touch(f"a{THREADS - 1}")
        gate.await_inside(THREADS)
        hears_nothing(manager, FED_EVERY)  # one word may be on its way
        assert hears_nothing(manager, 4 * FED_EVERY)
        gate.open()
        await_word(manager, b"WATCHDOG=1")
    finally:
        gate.open()
        daemon.stop()
        main.join(PATIENCE)
        bench.store.close()
    assert not main.is_alive()
