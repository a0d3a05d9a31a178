"""The guards that every test lives under must bite: a guard that lets things through is worse than none."""

import os
import socket
import warnings

import pytest

from tests.conftest import NetworkGuard, NetworkTouched
from tests.programs import PROGRAMS, Program, groups_skipped


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("10.0.0.1", 5432), ("0.0.0.0", 0)])
def test_a_foreign_address_is_refused_and_remembered(network_guard: NetworkGuard, address: tuple[str, int]) -> None:
    with socket.socket() as out, pytest.raises(NetworkTouched):
        out.connect(address)
    assert len(network_guard.attempts) == 1
    network_guard.attempts.clear()


def test_a_name_is_not_even_looked_up(network_guard: NetworkGuard) -> None:
    with pytest.raises(NetworkTouched):
        socket.create_connection(("example.com", 443), timeout=1)
    network_guard.attempts.clear()


def test_a_server_for_the_whole_house_is_refused(network_guard: NetworkGuard) -> None:
    with socket.socket() as server, pytest.raises(NetworkTouched):
        server.bind(("", 0))
    network_guard.attempts.clear()


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()[:2], timeout=5).close()


def test_no_variable_of_a_service_manager_reaches_a_test() -> None:
    assert "NOTIFY_SOCKET" not in os.environ
    assert "HTTPS_PROXY" not in os.environ


def test_warnings_are_errors() -> None:
    with pytest.raises(DeprecationWarning):
        warnings.warn("old", DeprecationWarning, stacklevel=1)


def test_a_missing_program_is_named_once_with_its_remedy() -> None:
    reasons = ["Skipped: browser: chromium is missing; remedy: apt install chromium"] * 2 + ["Skipped: no such folder"]
    assert groups_skipped(reasons) == ["browser: chromium is missing; remedy: apt install chromium"]


def test_a_program_is_found_by_name_or_by_pattern() -> None:
    assert Program("shell", ("sh",), "dash").path()
    assert Program("shell", ("/bin/[s]h",), "dash").path() == "/bin/sh"
    assert Program("nothing", ("no-such-program", "/no/such/*"), "nothing").path() is None
    assert all(program.package for program in PROGRAMS.values())
