"""The units as text, and what systemd's own judges say of them (security.md, section 11)."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.programs import needs
from tests.systemd.units import DROP_IN, FOLDER, Unit

SERVICES = ("syncd.service", "syncd-egress.service", "syncd-backup.service")
UNITS = (*SERVICES, "syncd.socket", "syncd-egress.socket", "syncd-backup.timer")

PLAIN = {  # what every one of them says, word for word
    "DynamicUser": "yes",
    "UMask": "0077",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "PrivateMounts": "yes",
    "DevicePolicy": "closed",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "PrivateUsers": "yes",
    "PrivateIPC": "yes",
    "ProtectClock": "yes",
    "ProtectHostname": "yes",
    "ProtectControlGroups": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectProc": "invisible",
    "ProcSubset": "pid",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "RemoveIPC": "yes",
    "KeyringMode": "private",
    "SystemCallArchitectures": "native",
    "SystemCallErrorNumber": "EPERM",
    "SocketBindDeny": "any",
    "MemorySwapMax": "0",
    "LimitCORE": "0",
}
PRESENT = ("InaccessiblePaths", "ExecPaths", "MemoryMax", "TasksMax", "LimitNOFILE", "IPAddressDeny")
REFUSED = "@privileged @resources @mount @keyring @debug @cpu-emulation @obsolete".split()


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_closed_in_every_way_that_is_written_down(name: str) -> None:
    unit = Unit(name)
    assert {key: unit.one(key) for key in PLAIN} == PLAIN
    assert [key for key in PRESENT if not unit.words(key)] == []


@pytest.mark.parametrize("name", SERVICES)
def test_calls_are_those_of_a_service_without_the_dangerous_ones(name: str) -> None:
    assert Unit(name).all("SystemCallFilter")[:2] == ["@system-service", "~" + " ".join(REFUSED)]
    assert all(value.startswith("~") for value in Unit(name).all("SystemCallFilter")[2:])


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_over_the_root_is_named_as_not_executable(name: str) -> None:
    unit = Unit(name)
    closed = unit.words("NoExecPaths")
    assert {"/", "/dev", "/dev/shm", "/run", "/tmp", "/var/tmp"} <= set(closed)
    for kept in unit.words("StateDirectory"):
        assert f"/var/lib/private/{kept}" in closed


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_run_may_be_run(name: str) -> None:
    unit = Unit(name)
    allowed = unit.words("ExecPaths")
    for command in [*unit.words("ExecStart")[:1], *unit.words("ExecReload")[:1]]:
        assert any(command == one or command.startswith(f"{one}/") for one in allowed), command


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_foreign_is_imported(name: str) -> None:
    assert {"PYTHONSAFEPATH=1", "PYTHONNOUSERSITE=1"} <= set(Unit(name).words("Environment"))


def test_the_daemon_tells_when_it_is_ready_and_is_watched() -> None:
    unit = Unit("syncd.service")
    assert unit.one("Type") == "notify" and unit.one("WatchdogSec")
    assert unit.one("ExecReload") == "/usr/bin/kill -HUP $MAINPID"


def test_the_daemon_comes_back_unless_trying_again_is_useless() -> None:
    unit = Unit("syncd.service")
    assert unit.one("Restart") == "always"
    assert unit.one("RestartPreventExitStatus") == "2 75"


def test_crashing_for_ten_minutes_does_not_end_the_socket() -> None:
    unit = Unit("syncd.service")
    assert unit.one("RestartSec") == "5s" and unit.one("StartLimitIntervalSec", "Unit") == "1h"
    assert int(unit.one("StartLimitBurst", "Unit") or 0) * 5 > 10 * 60


def test_the_daemon_speaks_to_the_internet_but_not_to_the_metadata_of_clouds() -> None:
    unit = Unit("syncd.service")
    assert unit.words("RestrictAddressFamilies") == ["AF_INET", "AF_INET6", "AF_UNIX"]
    assert unit.words("IPAddressDeny") == ["link-local", "multicast"]


def test_behind_the_broker_the_daemon_has_no_network() -> None:
    unit = Unit("syncd.service", DROP_IN)
    assert unit.one("PrivateNetwork") == "yes"
    assert unit.all("RestrictAddressFamilies") == ["", "AF_UNIX"]
    assert unit.all("IPAddressDeny") == ["", "any"]
    door = Unit("syncd-egress.socket")
    assert f"HTTPS_PROXY=unix:{door.one('ListenStream', 'Socket')}" in unit.words("Environment")
    assert unit.words("SupplementaryGroups") == [door.one("SocketGroup", "Socket")]
    assert door.one("SocketGroup", "Socket") == Unit("syncd-egress.service").one("Group")


def test_the_door_of_the_broker_opens_for_its_group_alone() -> None:
    assert Unit("syncd-egress.socket").one("SocketMode", "Socket") == "0660"


def test_the_backup_is_made_by_the_daemons_user_and_touches_no_network() -> None:
    backup, daemon = Unit("syncd-backup.service"), Unit("syncd.service")
    assert backup.one("User") == daemon.one("User")
    assert backup.words("StateDirectory")[0] == daemon.one("StateDirectory")
    assert backup.one("PrivateNetwork") == "yes"


@pytest.mark.parametrize("name", SERVICES)
def test_no_unit_points_to_a_manual_page_that_is_not_there(name: str) -> None:
    assert Unit(name).all("Documentation", "Unit") == []


# --- systemd's own judges


def analyze(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], cwd=cwd, capture_output=True, text=True, check=False)


def copy_of(folder: Path, *drop_ins: str) -> Path:
    """Return a folder with the units, and of the drop-ins only those named: systemd reads all that lie beside."""
    for unit in UNITS:
        shutil.copy(FOLDER / unit, folder)
    for drop_in in drop_ins:
        (folder / drop_in).parent.mkdir()
        shutil.copy(FOLDER / drop_in, folder / drop_in)
    return folder


@needs("systemd-analyze")
@pytest.mark.parametrize(
    ("unit", "drop_ins", "tenths"),
    [
        ("syncd.service", [], 11),
        ("syncd.service", [DROP_IN], 2),
        ("syncd-egress.service", [], 11),
        ("syncd-backup.service", [], 2),
    ],
)
def test_the_exposure_is_what_was_promised(tmp_path: Path, unit: str, drop_ins: list[str], tenths: int) -> None:
    words = ["security", "--offline=true", "--no-pager", f"--threshold={tenths}", unit]
    judged = analyze(*words, cwd=copy_of(tmp_path, *drop_ins))
    assert judged.returncode == 0, judged.stdout[-400:] + judged.stderr
    assert "Overall exposure level" in judged.stdout


@needs("systemd-analyze")
@pytest.mark.parametrize("drop_ins", [[], [DROP_IN]], ids=["plain", "broker"])
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path, drop_ins: list[str]) -> None:
    """The programs they start are named as where they would be; /opt/syncd need not exist here."""
    installed = tmp_path / "opt"
    (installed / "bin").mkdir(parents=True)
    for command in ("python", "syncd"):
        (installed / "bin" / command).symlink_to("/bin/true")
    units = copy_of(tmp_path, *drop_ins)
    for service in SERVICES:
        text = (units / service).read_text()
        (units / service).write_text(re.sub(r"/opt/syncd\b", str(installed), text))
    judged = analyze("verify", "--man=no", *UNITS, cwd=units)
    assert judged.returncode == 0 and judged.stderr == "", judged.stderr
