"""G15, the part of a daemon with nothing to do: memory, how soon it is ready, and what it takes while it waits.

The real program on config.example.toml in a folder of its own: three agents at the embedded CalDAV server, holidays of
one country, 32 workers. It is started twice; the first start compiles what an installation finds compiled. Ready means
that /readyz says so: the server answers and every calendar was read. Ten thousand calendars are another measurement.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.ratio import Ratio

ROOT = Path(__file__).parent.parent
PROGRAM = Path(sys.executable).parent / "syncd"
MIB, READY = 90, 2.0
PATIENCE = 60.0
SETTLED, SAMPLE = 3.0, 15.0
TICK = os.sysconf("SC_CLK_TCK")


def run() -> list[Ratio]:
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as folder:
        url = installed(Path(folder))
        with running(Path(folder)) as daemon:
            ready(daemon, url)
        begun = time.perf_counter()
        with running(Path(folder)) as daemon:
            ready(daemon, url)
            seconds = time.perf_counter() - begun
            spent = cpu_of(daemon.pid)
            time.sleep(SETTLED)
            before = cpu_of(daemon.pid)
            time.sleep(SAMPLE)
            idle, mib = (cpu_of(daemon.pid) - before) / SAMPLE, memory_of(daemon.pid)
    print(f"  ready after {seconds:.2f} s with {spent:.2f} s of CPU; {mib:.0f} MiB; {idle:.2%} of a core idle")
    return [
        Ratio("G15 idle MiB", mib, MIB, at_least=False),
        Ratio("G15 start to ready", seconds, READY, at_least=False),
    ]


def installed(folder: Path) -> str:
    """Put the example configuration there, on a free port, and return its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    text = (ROOT / "config.example.toml").read_text()
    (folder / "config.toml").write_text(re.sub(r"127\.0\.0\.1:\d+", address, text))
    return f"http://{address}/readyz"


@contextmanager
def running(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a daemon, compiled code kept in its folder, and stop it."""
    shutil.rmtree(folder / "state", ignore_errors=True)
    surroundings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    surroundings["PYTHONPYCACHEPREFIX"] = str(folder / "compiled")
    with (folder / "output.txt").open("wb") as out:
        command = [str(PROGRAM), "-c", str(folder / "config.toml"), "run"]
        daemon = subprocess.Popen(command, stdout=out, stderr=out, env=surroundings)
        try:
            yield daemon
        finally:
            daemon.terminate()
            daemon.wait(timeout=PATIENCE)


def ready(daemon: "subprocess.Popen[bytes]", url: str) -> None:
    """Ask until every source is fresh."""
    until = time.perf_counter() + PATIENCE
    while time.perf_counter() < until and daemon.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.02)
    raise RuntimeError(f"the daemon did not become ready (exit {daemon.poll()})")


def cpu_of(pid: int) -> float:
    """Return the processor time of a process so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_of(pid: int) -> float:
    """Return what a process keeps in memory now, in MiB."""
    [kib] = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(kib) / 1024
