"""Tries, one after the other, what a service must not be able to do, and prints as JSON what became of each.

Runs inside a unit's own confinement, and once outside of it, where everything must succeed: a probe that cannot succeed
proves nothing. Standard library only; imports nothing of the checkout.
"""

import ctypes
import errno
import json
import mmap
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

LIBC = ctypes.CDLL(None, use_errno=True)
STATE = os.environ["STATE_DIRECTORY"].partition(":")[0]
FOLDERS = (STATE, "/tmp", "/var/tmp", "/dev/shm")
NEW_USER, TRACE_ME, NO_RANDOM, SIZE_OF_LOG = 0x10000000, 0, 0x0040000, 10
ADD_KEY = {"x86_64": 248, "aarch64": 217}[os.uname().machine]


def called(name: str, *args: object) -> int:
    """Call a function of the C library; raises OSError where it fails."""
    done = int(getattr(LIBC, name)(*args))
    if done == -1:
        raise OSError(ctypes.get_errno(), name)
    return done


def write(path: str) -> None:
    Path(path).write_text("x")
    Path(path).unlink()


def see(path: str) -> None:
    os.listdir(path)


def run_from(folder: str) -> None:
    """Write a program into a folder and run it."""
    with NamedTemporaryFile("w", dir=folder, suffix=".py", delete=False) as file:
        file.write("#!/opt/syncd/bin/python\n")
    try:
        os.chmod(file.name, 0o700)
        subprocess.run([file.name], check=True)
    finally:
        os.unlink(file.name)


def map_as_code(folder: str) -> None:
    with NamedTemporaryFile(dir=folder) as file:
        file.write(b"x" * mmap.PAGESIZE)
        file.flush()
        mmap.mmap(file.fileno(), mmap.PAGESIZE, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC).close()


def write_and_run_memory() -> None:
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def make_memory_code() -> None:
    page = mmap.mmap(-1, mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(page))
    called("mprotect", ctypes.c_void_p(start), ctypes.c_size_t(mmap.PAGESIZE), mmap.PROT_READ | mmap.PROT_EXEC)


def listen() -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))


def reach(host: str) -> None:
    """Send a first packet; an answer that nobody listens is an answer."""
    with socket.socket() as out:
        out.settimeout(2)
        with suppress(ConnectionRefusedError):
            out.connect((host, 9))


def see_other_processes() -> None:
    if not [one for one in os.listdir("/proc") if one.isdigit() and int(one) not in (os.getpid(), os.getppid())]:
        raise PermissionError(errno.EPERM, "hidden")


def with_a_file(act: Callable[[str], None]) -> None:
    with NamedTemporaryFile(dir=STATE) as file:
        act(file.name)


def open_to_others() -> None:
    """Make a file without saying for whom, as a careless library would."""
    path = Path(STATE) / "careless"
    path.write_text("x")
    mode = path.stat().st_mode
    path.unlink()
    if not mode & 0o077:
        raise PermissionError(errno.EPERM, "private")


def trace() -> None:
    child = subprocess.run(
        [sys.executable, "-c", f"import ctypes, sys; sys.exit(ctypes.CDLL(None).ptrace({TRACE_ME}, 0, 0, 0) != 0)"],
        check=False,
    )
    if child.returncode != 0:
        raise PermissionError(errno.EPERM, "ptrace")


def new_namespace() -> None:
    child = f"import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare({NEW_USER}) != 0)"
    if subprocess.run([sys.executable, "-c", child], check=False).returncode != 0:
        raise PermissionError(errno.EPERM, "unshare")


def dump_core() -> None:
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        raise PermissionError(errno.EPERM, "no core")


ACTS: dict[str, Callable[[], object]] = {
    "write into /etc": lambda: write("/etc/syncd/probe"),
    "write into the installation": lambda: write("/opt/syncd/probe"),
    "write into /var": lambda: write("/var/lib/probe"),
    "see /root": lambda: see("/root"),
    "see the logs": lambda: see("/var/log"),
    "see other processes": see_other_processes,
    "see the machine's memory": lambda: Path("/proc/meminfo").read_text(),
    "see kernel messages": lambda: called("klogctl", SIZE_OF_LOG, None, 0),
    "run the shell": lambda: subprocess.run(["/bin/sh", "-c", ":"], check=True),
    "write and run memory": write_and_run_memory,
    "make memory code": make_memory_code,
    "listen": listen,
    "reach the metadata of a cloud": lambda: reach("169.254.169.254"),
    "open an Internet socket": lambda: socket.socket(socket.AF_INET).close(),
    "open a packet socket": lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
    "open a netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
    "make a namespace": new_namespace,
    "trace": trace,
    "give a file away": lambda: with_a_file(lambda name: os.chown(name, os.geteuid(), os.getegid())),
    "set the user-id bit": lambda: with_a_file(lambda name: os.chmod(name, 0o4700)),
    "change the priority": lambda: os.nice(1),
    "change the personality": lambda: called("personality", ctypes.c_ulong(NO_RANDOM)),
    "keep a key": lambda: called("syscall", ADD_KEY, b"user", b"probe", b"x", ctypes.c_size_t(1), -4),
    "dump core": dump_core,
    "make a file for others": open_to_others,
    **{f"run a program in {folder}": lambda folder=folder: run_from(folder) for folder in FOLDERS},  # type: ignore[misc]
    **{f"map code in {folder}": lambda folder=folder: map_as_code(folder) for folder in FOLDERS},  # type: ignore[misc]
}


def outcome(act: Callable[[], object]) -> str:
    """Return "done", or the name of the refusal."""
    try:
        act()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, repr(error))
    except subprocess.SubprocessError as error:
        return repr(error)
    return "done"


if __name__ == "__main__":
    print(json.dumps({name: outcome(act) for name, act in ACTS.items()}))  # noqa: T201
