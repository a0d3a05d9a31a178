"""A process of its own that works on a store, to be killed: `python -m tests.store.child ACT PATH [ARGUMENT]`.

It tells on its output what was acknowledged, one line each, so that the parent knows what must be there afterwards.
"""

import contextlib
import itertools
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from syncd.clock import SystemClock
from syncd.core.ids import AgentId
from syncd.errors import StoreBusy, StoreUnwritable
from syncd.store import Store, open_store
from syncd.store.queue import WorkKind
from tests.store.values import START, delivery, save, visit

ROOT = Path(__file__).parents[2]
WRITERS = 6


def tell(line: str) -> None:
    os.write(1, f"{line}\n".encode())  # one call, so that threads do not mix their lines


@contextlib.contextmanager
def child(act: str, path: Path, argument: str = "") -> Iterator[subprocess.Popen[str]]:
    """Run this module on a store; the process is killed at the latest on leaving."""
    command = [sys.executable, "-m", "tests.store.child", act, str(path), argument]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: subprocess.Popen[str]) -> Iterator[str]:
    """Yield what a child tells, to its end; a line cut short by a kill is left out."""
    assert process.stdout is not None
    return (line.strip() for line in process.stdout if line.endswith("\n"))


def write_for_ever(store: Store, prefix: str) -> None:
    """Save visits, deliveries and work from several threads, telling each once it is acknowledged."""

    def work(thread: int) -> None:
        for number in itertools.count():
            name = f"{prefix}-{thread}-{number}"
            minute = int(prefix) * 100_000 + number * 60
            save(store, visit(name, minute, minute + 20, host=AgentId(f"agent{thread}")))
            tell(f"visit {name}")
            store.write(lambda tx, name=name: tx.queue.inbox_put(delivery(name, name, name)))  # type: ignore[misc]
            tell(f"delivery {name}")
            store.write(lambda tx, name=name: tx.queue.touch(WorkKind.INGEST, name, START))  # type: ignore[misc]
            tell(f"work {name}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def fill_up(store: Store, limit: str) -> None:
    """Write until the disk is full, as the limit on the size of files makes it look; then make room and go on."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    kept = 0
    try:
        for kept in itertools.count():
            save(store, visit(f"v{kept}", kept * 60, kept * 60 + 20))
    except StoreUnwritable:
        tell(f"full {kept}")
    with store.read() as tx:
        tell(f"readable {len(tx.visits.search(limit=100_000))}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    save(store, visit("after", -60, -40))
    tell("recovered")


def hold(store: Store, _argument: str) -> None:
    """Hold the store until killed."""
    tell("holding")
    threading.Event().wait()


ACTS: dict[str, Callable[[Store, str], None]] = {"write": write_for_ever, "fill": fill_up, "hold": hold}


def main(act: str, path: str, argument: str) -> int:
    try:
        store = open_store(path, SystemClock())
    except StoreBusy as error:
        tell(f"busy {error}")
        return 75
    ACTS[act](store, argument)
    store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
