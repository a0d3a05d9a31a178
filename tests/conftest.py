"""What every test lives under: no network but loopback, no environment of the machine, the same examples each time."""

import ipaddress
import os
import sys
from collections.abc import Iterator

import hypothesis
import pytest

from tests.programs import groups_skipped, look_where_servers_lie

look_where_servers_lie()

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.register_profile("seek", derandomize=False, deadline=None, max_examples=2000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

FOREIGN = (  # variables of the machine that would change what a test sees
    "CREDENTIALS_DIRECTORY", "LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET", "STATE_DIRECTORY", "SYNCD_CONFIG",
    "WATCHDOG_PID", "WATCHDOG_USEC", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy",
)  # fmt: skip


class NetworkTouched(RuntimeError):
    """A test tried to leave this machine."""


def is_loopback(address: object) -> bool:
    """Tell whether a socket address stays on this machine; UNIX paths do."""
    if isinstance(address, str | bytes):
        return True
    if not isinstance(address, tuple) or not address:
        return False
    host = address[0].decode() if isinstance(address[0], bytes) else str(address[0])
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_literal(host: object) -> bool:
    if host is None or host in ("localhost", b"localhost", "", b""):
        return True
    try:
        ipaddress.ip_address(host.decode() if isinstance(host, bytes) else str(host))
    except ValueError:
        return False
    return True


class NetworkGuard:
    """Listens to the interpreter's audit events, which no library can go round, and remembers who tried.

    Remembering matters: the code under test may swallow the error, the fixture below then still fails the test.
    """

    def __init__(self) -> None:
        self.attempts: list[str] = []
        sys.addaudithook(self._heard)

    def _heard(self, event: str, args: tuple[object, ...]) -> None:
        if event in ("socket.connect", "socket.bind", "socket.sendto"):
            if not is_loopback(args[1]):
                self._refuse(f"{event} {args[1]!r}")
        elif event in ("socket.getaddrinfo", "socket.gethostbyname") and not is_literal(args[0]):
            self._refuse(f"{event} {args[0]!r}")

    def _refuse(self, what: str) -> None:
        self.attempts.append(what)
        raise NetworkTouched(f"tests speak to 127.0.0.1 only: {what}")


GUARD = NetworkGuard()


@pytest.fixture(autouse=True)
def network_guard() -> Iterator[NetworkGuard]:
    """Fail a test that tried to leave this machine, whether or not anybody noticed."""
    GUARD.attempts.clear()
    yield GUARD
    assert not GUARD.attempts, f"this test tried to leave the machine: {GUARD.attempts}"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no variable of the machine or of a service manager reach a test."""
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what did not run and how to make it run, and which checks before the tests failed."""
    reasons = (report.longrepr[2] for report in terminalreporter.stats.get("skipped", []))
    if lines := groups_skipped(reasons):
        terminalreporter.section("groups skipped for want of a program")
        for line in lines:
            terminalreporter.line(line)
    if failed := os.environ.get("SYNCD_FAILED_CHECKS"):
        terminalreporter.section("checks that failed before the tests", red=True)
        terminalreporter.line(failed)
