"""The units on a booted systemd: started, confined, reloaded, killed, backed up; and the variant with the broker.

Skipped where no systemd can be booted in namespaces; then a real machine is the only judge (docs/operations.md).
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systemd.machine import CHECKOUT, Machine, booted, eventually, why_not

pytestmark = [pytest.mark.slow, pytest.mark.skipif((why := why_not()) is not None, reason=why or "")]

URL = "http://127.0.0.1:8420"
CONFIG = (CHECKOUT / "config.example.toml").read_text()
UNITS = ("syncd.service", "syncd.socket", "syncd-egress.service", "syncd-egress.socket", "syncd-backup.service")
METADATA = "169.254.169.254"
needs_bus = pytest.mark.skipif(
    shutil.which("dbus-daemon") is None, reason="syncdctl: dbus-daemon is missing; remedy: apt install dbus"
)


@pytest.fixture(scope="module")
def computer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with booted(tmp_path_factory.mktemp("machine")) as machine:
        machine.run("ip", "address", "add", f"{METADATA}/32", "dev", "lo")
        machine.done("systemd-sysusers")
        probe = Path(__file__).with_name("probe.py").read_text()
        machine.write("/opt/syncd/probe.py", probe)
        yield machine


@pytest.fixture
def machine(computer: Machine) -> Machine:
    """The machine as it was after the installation."""
    computer.run("systemctl", "stop", *UNITS)
    computer.run("systemctl", "reset-failed")
    computer.done(
        "find", "/etc/systemd/system", "/var/lib/private", "/etc/syncd", "-mindepth", "1", "-maxdepth", "1",
        "(", "-name", "syncd*.d", "-o", "-path", "/var/lib/private/*", "-o", "-path", "/etc/syncd/*", ")",
        "-exec", "rm", "-rf", "{}", "+",
    )  # fmt: skip
    computer.write("/etc/syncd/config.toml", CONFIG)
    computer.systemctl("daemon-reload")
    return computer


def add(machine: Machine, unit: str, name: str, text: str) -> None:
    """Write a drop-in."""
    machine.write(f"/etc/systemd/system/{unit}.d/{name}.conf", text)
    machine.systemctl("daemon-reload")


def with_broker(machine: Machine) -> None:
    text = machine.done("cat", "/usr/share/syncd/broker.conf")
    add(machine, "syncd.service", "broker", text)


# --- it runs


def test_the_daemon_starts_under_every_restriction_answers_on_the_passed_socket_and_stops(machine: Machine) -> None:
    machine.systemctl("start", "syncd.service")  # returns when READY=1 has come
    assert machine.ask("syncd.service", "StatusText") == "serving 127.0.0.1:8420"
    assert machine.get(f"{URL}/healthz").startswith("200 ")
    assert machine.ask("syncd.service", "NRestarts") == "0"
    machine.systemctl("stop", "syncd.service")
    assert machine.ask("syncd.service", "Result") == "success"
    assert machine.ask("syncd.service", "ExecMainStatus") == "0"
    assert '"action": "stopping"' in machine.journal("syncd.service")


def test_the_first_caller_starts_it(machine: Machine) -> None:
    machine.systemctl("start", "syncd.socket")
    assert machine.ask("syncd.service", "ActiveState") == "inactive"
    assert machine.get(f"{URL}/healthz").startswith("200 ")
    assert machine.becomes("syncd.service", "ActiveState", "active")


def test_what_it_keeps_belongs_to_a_user_of_its_own_and_is_for_nobody_else(machine: Machine) -> None:
    machine.systemctl("start", "syncd.service")
    found = machine.done("find", "/var/lib/private/syncd", "-printf", "%U %m %P\n").splitlines()
    assert any(line.endswith(" syncd.db") for line in found)
    users = {line.split()[0] for line in found}
    assert len(users) == 1 and 61184 <= int(users.pop()) <= 65519, "the range of dynamic users"
    assert [line for line in found if int(line.split()[1], 8) & 0o077] == []


def test_a_credential_reaches_the_configuration(machine: Machine) -> None:
    machine.write("/etc/syncd/credentials/crm", "a-token-of-thirty-two-characters\n", mode="600")
    machine.write("/etc/syncd/config.toml", CONFIG + '\n[api]\ntokens = { crm = { credential = "crm" } }\n')
    machine.run("systemctl", "start", "syncd.service")
    assert machine.becomes("syncd.service", "ActiveState", "failed"), "without it there is no start"
    assert "LoadCredential=crm" in machine.journal("syncd.service")
    add(machine, "syncd.service", "credentials", "[Service]\nLoadCredential=crm:/etc/syncd/credentials/crm\n")
    machine.systemctl("reset-failed")
    machine.systemctl("start", "syncd.service")
    ask = """
import sys, urllib.request
asked = urllib.request.Request(sys.argv[1], headers={"Authorization": "Bearer a-token-of-thirty-two-characters"})
print(urllib.request.urlopen(asked, timeout=30).status)
"""
    assert machine.python(ask, f"{URL}/api/visits") == "200"


def test_a_reload_reads_the_configuration_again(machine: Machine) -> None:
    machine.systemctl("start", "syncd.service")
    before = machine.ask("syncd.service", "MainPID")
    machine.systemctl("reload", "syncd.service")
    assert eventually(lambda: '"action": "reloaded"' in machine.journal("syncd.service"))
    assert machine.ask("syncd.service", "MainPID") == before


# --- it comes back, or does not


def test_killed_it_comes_back_and_callers_wait_meanwhile(machine: Machine) -> None:
    add(machine, "syncd.service", "quick", "[Service]\nRestartSec=1s\n")
    machine.systemctl("start", "syncd.service")
    machine.systemctl("kill", "--signal=KILL", "syncd.service")
    assert machine.becomes("syncd.service", "SubState", "auto-restart")
    assert machine.get(f"{URL}/healthz").startswith("200 ")
    assert machine.becomes("syncd.service", "ActiveState", "active")


def test_one_that_hangs_is_killed_by_the_watchdog_and_its_callers_are_served_by_the_next(machine: Machine) -> None:
    add(machine, "syncd.service", "quick", "[Service]\nRestartSec=1s\nWatchdogSec=3s\nTimeoutAbortSec=1s\n")
    machine.systemctl("start", "syncd.service")
    machine.systemctl("kill", "--signal=STOP", "syncd.service")
    assert machine.get(f"{URL}/healthz").startswith("200 ")
    assert machine.ask("syncd.service", "NRestarts") == "1"


def test_a_bad_configuration_is_not_tried_again(machine: Machine) -> None:
    machine.write("/etc/syncd/config.toml", CONFIG.replace('hours = "oficina"', 'hours = "ofisina"'))
    machine.run("systemctl", "start", "syncd.service")
    assert machine.becomes("syncd.service", "ActiveState", "failed")
    assert machine.ask("syncd.service", "ExecMainStatus") == "2"
    assert machine.ask("syncd.service", "NRestarts") == "0"
    assert "did you mean" in machine.journal("syncd.service")
    assert machine.ask("syncd.socket", "ActiveState") == "active", "callers wait for the administrator"


# --- it is confined


def probe(machine: Machine, unit: str) -> dict[str, str]:
    """Run the probe in the place of a service's program, everything else as it is."""
    add(
        machine, unit, "probe",
        "[Service]\nType=oneshot\nRestart=no\nWatchdogSec=0\nExecStart=\n"
        "ExecStart=/opt/syncd/bin/python /opt/syncd/probe.py\nStandardOutput=truncate:/run/probe.json\n"
        + ("" if unit != "syncd-egress.service" else "Environment=STATE_DIRECTORY=/tmp\n"),
    )  # fmt: skip
    machine.systemctl("start", unit)
    found: dict[str, str] = json.loads(machine.done("cat", "/run/probe.json"))
    return found


def test_unconfined_the_probe_can_do_everything(machine: Machine) -> None:
    told = machine.done(
        "env", "STATE_DIRECTORY=/var/lib", "prlimit", "--core=unlimited", "/opt/syncd/bin/python", "/opt/syncd/probe.py"
    )
    assert {name: what for name, what in json.loads(told).items() if what != "done"} == {}


# SocketBindDeny= needs a systemd that was built with libbpf, which Debian 12's was not.
BINDS = {"listen"} if "-BPF_FRAMEWORK" in subprocess.run(
    ["systemctl", "--version"], capture_output=True, text=True, check=False
).stdout else set()  # fmt: skip
OUT = {"open an Internet socket"}


@pytest.mark.parametrize(
    ("unit", "broker", "allowed"),
    [
        ("syncd.service", False, OUT | BINDS),
        ("syncd.service", True, set()),
        ("syncd-egress.service", False, OUT),
        ("syncd-backup.service", False, set()),
    ],
)
def test_confined_it_can_do_nothing_that_is_not_its_work(
    machine: Machine, unit: str, broker: bool, allowed: set[str]
) -> None:
    if broker:
        with_broker(machine)
    found = probe(machine, unit)
    assert {name for name, what in found.items() if what == "done"} == allowed


# --- the broker

TUNNEL = """
import os, socket, sys
caller = socket.socket(socket.AF_UNIX)
try:
    caller.connect("/run/syncd-egress.sock")
    caller.sendall(f"CONNECT {sys.argv[1]} HTTP/1.1\\r\\nHost: {sys.argv[1]}\\r\\n\\r\\n".encode())
    print(caller.recv(100).split()[1].decode())
except OSError as error:
    print(type(error).__name__)
"""
SERVER = """
import socket
door = socket.create_server(("127.0.0.1", 5999))
print("ready", flush=True)
while True:
    door.accept()[0].close()
"""
ACCOUNT = """
[accounts.cerca]
kind = "caldav"
url = "http://127.0.0.1:5999/"
username = "x"
password = { credential = "cerca" }
"""


@pytest.fixture
def brokered(machine: Machine) -> Iterator[Machine]:
    """The variant with the broker, and a server beyond it that an account names."""
    with_broker(machine)
    machine.write("/etc/syncd/credentials/cerca", "x\n", mode="600")
    add(machine, "syncd.service", "credentials", "[Service]\nLoadCredential=cerca:/etc/syncd/credentials/cerca\n")
    machine.write("/etc/syncd/config.toml", CONFIG + ACCOUNT)
    server = machine.start("/opt/syncd/bin/python", "-c", SERVER)
    assert server.stdout is not None and server.stdout.readline() == "ready\n"
    try:
        yield machine
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.communicate()


def test_behind_the_broker_the_daemon_runs_and_is_reached(brokered: Machine) -> None:
    brokered.systemctl("start", "syncd.service")
    assert brokered.get(f"{URL}/healthz").startswith("200 ")
    assert brokered.ask("syncd-egress.socket", "ActiveState") == "active"


def test_the_daemon_gets_a_tunnel_to_an_accounts_host_and_to_no_other(brokered: Machine) -> None:
    brokered.write("/opt/syncd/tunnel.py", TUNNEL)
    said = {}
    for place in ("127.0.0.1:5999", "127.0.0.1:8420", f"{METADATA}:80", "attacker.example:443"):
        add(
            brokered, "syncd.service", "tunnel",
            "[Service]\nType=oneshot\nRestart=no\nWatchdogSec=0\nExecStart=\n"
            f"ExecStart=/opt/syncd/bin/python /opt/syncd/tunnel.py {place}\nStandardOutput=truncate:/run/tunnel\n",
        )  # fmt: skip
        brokered.systemctl("start", "syncd.service")
        said[place] = brokered.done("cat", "/run/tunnel").strip()
    assert list(said.values()) == ["200", "403", "403", "403"], brokered.journal("syncd-egress.service")


def test_others_do_not_get_one(brokered: Machine) -> None:
    brokered.systemctl("start", "syncd-egress.socket")
    stranger = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    ask = ["/opt/syncd/bin/python", "-c", TUNNEL, "127.0.0.1:5999"]
    assert brokered.done(*stranger, *ask).strip() == "PermissionError"
    brokered.done("chmod", "0666", "/run/syncd-egress.sock")
    assert brokered.done(*stranger, *ask).strip() == "403", "the broker looks at the groups of callers itself"


def test_a_reload_of_the_daemon_is_one_of_the_broker(brokered: Machine) -> None:
    brokered.systemctl("start", "syncd.service", "syncd-egress.service")
    brokered.systemctl("reload", "syncd.service")
    assert eventually(lambda: '"action": "reloaded"' in brokered.journal("syncd-egress.service"))


# --- what an administrator does


def test_the_nightly_backup_is_made_by_the_daemons_user_beside_it(machine: Machine) -> None:
    machine.systemctl("start", "syncd.service")
    machine.systemctl("start", "syncd-backup.service")
    listed = machine.done("find", "/var/lib/private/syncd-backups", "-mindepth", "2", "-printf", "%f %m %U\n")
    owner = machine.done("stat", "--format=%u", "/var/lib/private/syncd").strip()
    made = {f"{name} 600 {owner}" for name in ("store.db", "secret", "dav.tar.gz")}
    assert set(listed.splitlines()) == made
    assert "restored and found whole" in machine.journal("syncd-backup.service")


@needs_bus
def test_a_command_by_root_is_run_as_the_daemons_user(machine: Machine) -> None:
    machine.systemctl("start", "syncd.service")
    assert "daemon running" in machine.done("syncdctl", "status")
    machine.systemctl("stop", "syncd.service", "syncd.socket")
    assert json.loads(machine.done("syncdctl", "visits", "list", "--json")) == []
    refused = machine.run("syncdctl", "visits", "show", "none")
    assert refused.returncode == 2 and "no visit has the id 'none'" in refused.stderr
    machine.systemctl("start", "syncd.service")
    assert machine.get(f"{URL}/healthz").startswith("200 "), "the command left nothing that the daemon cannot open"


@needs_bus
def test_a_command_by_root_has_the_secrets_and_the_way_out_of_the_daemon(brokered: Machine) -> None:
    brokered.systemctl("start", "syncd.service")
    checked = brokered.run("syncdctl", "check-config", "--online", "--json")
    assert checked.returncode in (0, 1), checked.stderr
    assert json.loads(checked.stdout)["problems"] == []


@needs_bus
def test_a_lost_store_is_brought_back_from_the_backup(machine: Machine) -> None:
    machine.systemctl("start", "syncd.service")
    machine.systemctl("start", "syncd-backup.service")
    machine.systemctl("stop", "syncd.service", "syncd.socket")
    machine.done("sh", "-c", "rm /var/lib/private/syncd/syncd.db*")
    copy = machine.done("sh", "-c", "ls -d /var/lib/private/syncd-backups/2*").strip()
    machine.done("syncdctl", "restore", f"/var/lib/syncd-backups/{Path(copy).name}/store.db")
    machine.systemctl("start", "syncd.service")
    assert "recovery after a restore" in machine.ask("syncd.service", "StatusText")
    machine.done("syncdctl", "recover", "--finish")


@needs_bus
def test_a_new_machine_takes_over_from_a_backup_that_root_put_there(machine: Machine) -> None:
    """As in "The machine is gone" of docs/operations.md."""
    machine.systemctl("start", "syncd.service")
    machine.systemctl("start", "syncd-backup.service")
    machine.systemctl("stop", "syncd.service", "syncd.socket")
    machine.done("sh", "-ec", NEW_MACHINE)
    name = machine.done("ls", "/var/lib/private/syncd-backups").strip()
    machine.done("syncdctl", "restore", f"/var/lib/syncd-backups/{name}/store.db")
    machine.systemctl("start", "syncd.service")
    assert "recovery after a restore" in machine.ask("syncd.service", "StatusText")
    assert machine.done("find", "/var/lib/private/syncd", "/var/lib/private/syncd-backups", "-uid", "0") == ""
    assert machine.done("cat", "/var/lib/private/syncd/secret") == machine.done("cat", f"/tmp/old/{name}/secret")


NEW_MACHINE = """
rm -rf /tmp/old; mv /var/lib/private/syncd-backups /tmp/old; chown -R 0:0 /tmp/old
rm -rf /var/lib/private /var/lib/syncd /var/lib/syncd-backups
cd /tmp/old
install -d -m 700 /var/lib/private /var/lib/private/syncd /var/lib/private/syncd-backups
cp -r 2* /var/lib/private/syncd-backups/
cp 2*/secret /var/lib/private/syncd/
tar -C /var/lib/private/syncd -xzf 2*/dav.tar.gz
"""


def test_systemd_finds_nothing_wrong_with_what_is_installed(machine: Machine) -> None:
    names = [path.name for path in (CHECKOUT / "systemd").glob("syncd*.*") if path.suffix != ".sysusers"]
    units = [name for name in names if not name.endswith(".d")]
    for broker in (False, True):
        if broker:
            with_broker(machine)
        judged = machine.run("systemd-analyze", "verify", *units)
        assert judged.returncode == 0 and judged.stderr == "", judged.stderr


def test_the_timer_waits_for_the_night(machine: Machine) -> None:
    machine.systemctl("start", "syncd-backup.timer")
    told = machine.ask("syncd-backup.timer", "TimersCalendar")
    assert "OnCalendar=*-*-* 03:15:00" in told
    machine.systemctl("stop", "syncd-backup.timer")
