"""A machine to install on: a systemd booted in namespaces of its own (boot.sh), thrown away afterwards."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
PROGRAMS = ("unshare", "nsenter", "setpriv", "pivot_root", "mount", "/usr/lib/systemd/systemd")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def eventually(holds: Callable[[], bool], seconds: float = 30) -> bool:
    """Look again and again until something holds; False when time is up."""
    ticking = threading.Event()
    for _ in range(int(seconds / 0.1)):
        if holds():
            return True
        ticking.wait(0.1)
    return False


def why_not() -> str | None:
    """Say why no machine can be booted here, None where one can be tried."""
    if os.geteuid() != 0:
        return "systemd cannot be booted by an ordinary user; remedy: run as root"
    missing = [one for one in PROGRAMS if shutil.which(one) is None]
    if missing:
        return f"systemd units: {missing[0]} is missing; remedy: apt install systemd util-linux mount"
    if "cgroup2" not in Path("/proc/filesystems").read_text() or " cgroup2 " not in Path("/proc/mounts").read_text():
        return "no cgroup2 is mounted here, which systemd needs; remedy: mount it, or run on a real machine"
    trial = ["unshare", "--pid", "--fork", "--mount", "--net", "--cgroup", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if subprocess.run(trial, capture_output=True, check=False).returncode != 0:
        return "namespaces are refused here; remedy: run in a privileged container or on a real machine"
    return None


class DidNotBoot(RuntimeError):
    """The machine did not come up."""


class Machine:
    """A booted machine; commands run in it as root."""

    def __init__(self, pid: int) -> None:
        told = [f"PATH={PATH}", "LANG=C.UTF-8", "LD_LIBRARY_PATH=/opt/syncd/base/lib"]
        self._enter = ["nsenter", "--all", "--target", str(pid), "env", "-i", *told]

    def is_up(self) -> bool:
        return "running" in self.run("systemctl", "is-system-running").stdout

    def run(self, *command: str, put: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command and return what became of it; `put` is what it reads."""
        return subprocess.run(
            [*self._enter, *command], input=put or "", capture_output=True, text=True, timeout=100, check=False
        )

    def done(self, *command: str, put: str | None = None) -> str:
        """Run a command that must succeed; return what it printed."""
        ended = self.run(*command, put=put)
        assert ended.returncode == 0, f"{command}: {ended.stdout[-2000:]}{ended.stderr[-2000:]}{self.journal()[-4000:]}"
        return ended.stdout

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a command and let it run."""
        return subprocess.Popen(
            [*self._enter, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # nsenter has a child, and both must end together
        )

    def python(self, code: str, *words: str) -> str:
        return self.done("/opt/syncd/bin/python", "-c", code, *words).strip()

    def write(self, path: str, text: str, mode: str = "644") -> None:
        """Write a file, its folders as well."""
        self.done("install", "-D", "-m", mode, "/dev/stdin", path, put=text)

    def systemctl(self, *words: str) -> str:
        return self.done("systemctl", *words).strip()

    def ask(self, unit: str, what: str) -> str:
        """Return one property of a unit."""
        return self.systemctl("show", "--value", f"--property={what}", unit)

    def becomes(self, unit: str, what: str, value: str) -> bool:
        """Wait until a property of a unit has a value."""
        return eventually(lambda: self.ask(unit, what) == value)

    def journal(self, *units: str) -> str:
        chosen = [f"--unit={unit}" for unit in units]
        return self.run("journalctl", "--no-pager", "--output=cat", *chosen).stdout

    def get(self, url: str) -> str:
        """Ask for a page from inside; return its status and its text."""
        return self.python(GET, url)


GET = """
import sys, urllib.request
with urllib.request.urlopen(sys.argv[1], timeout=30) as answer:
    print(answer.status, answer.read().decode())
"""


@contextmanager
def booted(folder: Path) -> Iterator[Machine]:
    """Boot a machine; everything of it is gone afterwards. Raises DidNotBoot."""
    script, base = Path(__file__).with_name("boot.sh"), Path(sys.base_prefix).resolve()
    command = ["setpriv", "--pdeathsig", "KILL", "sh", str(script), str(folder), str(CHECKOUT), sys.prefix, str(base)]
    with (folder.with_suffix(".log")).open("w+") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            machine = Machine(_first_child(process.pid))
            if not eventually(lambda: machine.is_up() or process.poll() is not None) or process.poll() is not None:
                log.seek(0)
                raise DidNotBoot(log.read()[-3000:])
            yield machine
        finally:
            process.kill()  # and by --kill-child the systemd, and with it everything in its namespace
            process.wait(20)
            _clear(folder / "cgroup")


def _first_child(pid: int) -> int:
    """Return the process that unshare started, which is number 1 inside."""
    found: list[str] = []

    def look() -> bool:
        if (
            Path(f"/proc/{pid}/comm").read_text() == "unshare\n"
        ):  # before that it is the script, with children of its own
            found.extend(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return bool(found)

    if not eventually(look, 10):
        raise DidNotBoot("unshare did not start anything")
    return int(found[0])


def _clear(note: Path) -> None:
    """Take away the control groups that the machine left, once its processes are gone."""
    group = Path(note.read_text().strip()) if note.exists() else None
    if group is not None:
        eventually(lambda: subprocess.run(
            ["find", str(group), "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"], capture_output=True, check=False
        ) is not None and not group.exists(), 10)  # fmt: skip
