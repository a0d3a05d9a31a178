"""The daemon as a process: start, readiness, reload, stop, kill, restart, and commands while it runs."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, timedelta

import pytest
import requests

from tests.cli.office import ZONE, Office, Running, next_monday

MONDAY = next_monday()
PASSWORD = "una-clave-larga"


def eventually(holds: Callable[[], bool], seconds: float = 20) -> bool:
    """Look again and again until something holds; False when time is up."""
    ticking = threading.Event()
    for _ in range(int(seconds / 0.05)):
        if holds():
            return True
        ticking.wait(0.05)
    return False


def entries(office: Office, agent: str = "ana") -> str:
    """Return what the agent's calendar holds, read as the agent's telephone would."""
    names = 'xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:d="DAV:"'
    body = f"<c:calendar-query {names}><d:prop><c:calendar-data/></d:prop></c:calendar-query>"
    url = f"{office.url}/dav/{agent}/visits/"
    answer = requests.request("REPORT", url, data=body, headers={"Depth": "1"}, auth=(agent, PASSWORD), timeout=10)
    assert answer.status_code == 207, answer.text
    return answer.text


def sign_in(office: Office) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "syncd",
            "-c",
            str(office.config),
            "auth",
            "embedded",
            "--agent",
            "ana",
            "--password-stdin",
        ],
        input=PASSWORD,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_it_is_ready_when_it_says_so_and_ends_with_0_when_told(office: Office) -> None:
    with office.daemon() as daemon:
        assert requests.get(f"{office.url}/healthz", timeout=5).status_code == 200
        assert (office.home / "state" / "control.sock").exists()
        daemon.process.send_signal(signal.SIGTERM)
        daemon.await_word("STOPPING=1")
        assert daemon.end() == 0
    assert not (office.home / "state" / "control.sock").exists()
    assert [one["action"] for one in daemon.lines()] == ["started", "stopping"]


def test_an_interrupt_ends_it_as_well(office: Office) -> None:
    with office.daemon() as daemon:
        daemon.process.send_signal(signal.SIGINT)
        assert daemon.process.wait(20) == 0


def test_a_second_one_ends_with_75_and_harms_nothing(office: Office) -> None:
    with office.daemon():
        second = subprocess.run(
            [sys.executable, "-m", "syncd", "-c", str(office.config), "run"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert second.returncode == 75
        assert "holds the store" in second.stderr and "Traceback" not in second.stderr
        assert requests.get(f"{office.url}/healthz", timeout=5).status_code == 200
        assert office.syncd("visits", "list").code == 0
        assert office.syncd("sync").code == 0, "the socket of the first one must still be there"


def test_an_address_that_is_taken_is_said_in_a_sentence(office: Office) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", office.port))
        taken.listen()
        done = subprocess.run(
            [sys.executable, "-m", "syncd", "-c", str(office.config), "run"],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{office.port}" in done.stderr and "Traceback" not in done.stderr
    assert office.syncd("sync").code == 0, "the store must be free again"


def test_a_booked_visit_reaches_the_calendar_though_no_beat_is_near(office: Office) -> None:
    office.change('poll_every = "5m"', 'poll_every = "6h"')
    sign_in(office)
    with office.daemon():
        assert office.syncd("sync").code == 0
        visit = office.book(MONDAY, "--host", "ana")
        assert eventually(lambda: visit["id"] in entries(office))
        later = MONDAY + timedelta(hours=1)
        office.json("visits", "move", visit["id"], "--start", later.isoformat())
        begins = {f"DTSTART:{later.astimezone(UTC):%Y%m%dT%H%M%SZ}", f"DTSTART;TZID={ZONE}:{later:%Y%m%dT%H%M%S}"}
        assert eventually(lambda: any(one in entries(office) for one in begins))
        office.json("visits", "cancel", visit["id"])
        assert eventually(lambda: visit["id"] not in entries(office))
        assert office.syncd("plan").code == 0


def test_killed_and_started_again_it_goes_on_where_it_was(office: Office) -> None:
    sign_in(office)
    with office.daemon() as daemon:
        assert office.syncd("sync").code == 0
        visit = office.book(MONDAY, "--host", "ana")
        daemon.process.kill()
        daemon.process.wait(10)
        assert (office.home / "state" / "control.sock").exists(), "a crash leaves the socket behind"
    with office.daemon():
        assert office.json("visits", "show", visit["id"])["state"] == "confirmed"
        assert office.syncd("sync").code == 0
        assert entries(office).count("BEGIN:VEVENT") == 1


def reload(daemon: Running) -> str:
    daemon.process.send_signal(signal.SIGHUP)
    daemon.await_word("RELOADING=1")
    return daemon.await_word("READY=1")


def test_a_hangup_reads_the_configuration_again(office: Office) -> None:
    with office.daemon() as daemon:
        assert office.syncd("sync").code == 0
        client = "--name Eva --email e@b.example --start".split()
        booking = ["visits", "book", "--project", "nuevo", *client, MONDAY.isoformat()]
        assert office.syncd(*booking).code == 2
        office.change("[projects.torre]", "[projects.nuevo]")
        office.change('active = "after_parity"', "active = true")
        reload(daemon)
        assert office.syncd(*booking).code == 0
    assert "reloaded" in [one["action"] for one in daemon.lines()]


def test_a_bad_configuration_keeps_the_old_one_and_says_so_with_the_line(office: Office) -> None:
    with office.daemon() as daemon:
        assert office.syncd("sync").code == 0
        good = office.config.read_text()
        office.change('hours = "oficina"', 'hours = "ofisina"')
        status = reload(daemon)
        assert "the old configuration stays" in status and "ofisina" in status
        office.write(good)
        assert office.book(MONDAY)["state"] == "confirmed"
    refused = [one for one in daemon.lines() if one["action"] == "reload_refused"]
    assert len(refused) == 2
    assert all("config.toml:" in one["message"] for one in refused)


def test_what_only_a_restart_can_change_is_refused_at_a_reload(office: Office) -> None:
    with office.daemon() as daemon:
        office.change(f'listen = "127.0.0.1:{office.port}"', 'listen = "127.0.0.1:1"')
        assert "restart" in reload(daemon)
        assert requests.get(f"{office.url}/healthz", timeout=5).status_code == 200


def test_the_watchdog_is_fed_while_all_is_well(office: Office) -> None:
    with office.daemon(WATCHDOG_USEC="400000") as daemon:
        for _ in range(3):
            daemon.await_word("WATCHDOG=1")


@pytest.mark.slow
def test_a_call_that_hangs_does_not_hold_up_the_end(office: Office) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        office.change(
            '[[agents]]\nid = "ana"',
            f"""[accounts.mudo]\nkind = "caldav"\nurl = "{url}"\nusername = "b"\npassword = "x"\n
[[agents]]\nid = "ana\"""",
        )
        office.change(
            '"bruno/visits", role = "publish" }]',
            '"bruno/visits", role = "publish" }, { account = "mudo", calendar = "b/c", role = "busy" }]',
        )
        with office.daemon() as daemon:
            caller, _ = silent.accept()
            with caller:
                daemon.process.send_signal(signal.SIGTERM)
                assert daemon.process.wait(11) == 0
    assert "left_in_hand" in [one["action"] for one in daemon.lines()]


def test_nothing_it_makes_can_be_read_by_others(office: Office) -> None:
    with office.daemon():
        for path in (office.home / "state").rglob("*"):
            assert not path.stat().st_mode & 0o077, path


def test_commands_of_a_running_daemon_leave_no_files_behind(office: Office) -> None:
    with office.daemon():
        assert office.syncd("sync").code == 0
        before = set(os.listdir(office.home / "state"))
        for words in (
            ["status"],
            ["plan"],
            ["visits", "list"],
            ["busy", "ana"],
            ["parity", "casas"],
            ["tasks", "list"],
        ):
            assert office.syncd(*words).code == 0
        assert set(os.listdir(office.home / "state")) == before


def test_accounts_of_one_kind_at_two_servers_are_two_providers(office: Office) -> None:
    account = (
        '[accounts.{name}]\nkind = "caldav"\nurl = "http://127.0.0.1:{port}/dav/"\nusername = "b"\npassword = "x"\n\n'
    )
    both = account.format(name="uno", port=1) + account.format(name="otro", port=2)
    office.change('[[agents]]\nid = "ana"', f'{both}[[agents]]\nid = "ana"')
    with office.installed() as installed:
        providers = [parts.provider or parts.kind for parts in installed.context.accounts.values()]
    assert len(set(providers)) == 3, "two of our own and the embedded server"
