"""The two sides that G13 compares, each as a process of its own: our connector, and vdirsyncer.

`python -m bench.caldav_sides first|quiet|changed url user password folder` runs ours and prints what it did.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from connectors._caldav_account import account_of
from connectors._http import Answer, Http
from connectors.caldav import SPEC, CaldavSettings
from syncd.clock import SystemClock
from syncd.core.ids import AccountId
from syncd.core.interval import Interval
from syncd.ports import CalendarUse, Environment

NAME = "cal"
START = datetime(2026, 12, 1, tzinfo=UTC)
EVERY = timedelta(minutes=30)
WINDOW = Interval(START - timedelta(days=2), START + timedelta(days=390))
ACCOUNT = AccountId("bench")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of one side took."""

    cpu: float  # seconds, user and system
    said: str
    failed: bool


def cost_of(command: Sequence[str], folder: Path) -> Cost:
    """Run a command and return what it cost this machine, its start included."""
    log = folder / "output.txt"
    with log.open("wb") as out:
        pid = os.posix_spawn(
            command[0],
            list(command),
            {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
            file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1), (os.POSIX_SPAWN_DUP2, out.fileno(), 2)],
        )
        _, status, used = os.wait4(pid, 0)
    return Cost(used.ru_utime + used.ru_stime, log.read_text(errors="replace"), status != 0)


def ours(what: str, url: str, login: tuple[str, str], folder: Path) -> Cost:
    return cost_of([sys.executable, "-m", "bench.caldav_sides", what, url, *login, str(folder)], folder)


def peer(what: str, folder: Path) -> Cost:
    """Run vdirsyncer: `discover`, `sync` or `--version`."""
    program = str(Path(sys.executable).parent / "vdirsyncer")
    return cost_of([program, "--config", str(folder / "config"), what], folder)


def configure_peer(url: str, login: tuple[str, str], folder: Path) -> None:
    """Make vdirsyncer mirror the calendar into a folder of files, as its manual shows."""
    (folder / "local" / NAME).mkdir(parents=True)
    lines = [
        "[general]", f'status_path = "{folder}/status"', "[pair p]", 'a = "local"', 'b = "remote"',
        f'collections = ["{NAME}"]', 'conflict_resolution = "b wins"', "[storage local]", 'type = "filesystem"',
        f'path = "{folder}/local"', 'fileext = ".ics"', "[storage remote]", 'type = "caldav"', f'url = "{url}"',
        f'username = "{login[0]}"', f'password = "{login[1]}"',
    ]  # fmt: skip
    (folder / "config").write_text("\n".join(lines) + "\n")


def main(what: str, url: str, user: str, password: str, folder: str) -> None:
    """Read as the daemon does, keep what it would keep, print what it took."""
    settings = CaldavSettings.model_validate({"url": url, "username": user, "password": password})
    env = Environment(clock=SystemClock(), secret=str.encode)
    assert SPEC.calendar is not None and SPEC.home is not None
    calendar = SPEC.calendar(ACCOUNT, settings, env, CalendarUse(name=NAME, time_zone="America/Santiago"))
    begun = time.process_time()  # everything is loaded, as in a daemon that runs
    http = account_of(ACCOUNT, settings, env).http
    received = _count_bytes(http)
    place, store = Path(folder) / "place.json", Path(folder) / "entries.json"
    cursor, mark, size = json.loads(place.read_text()) if place.exists() else (None, None, 0)
    marks = SPEC.home(ACCOUNT, settings, env, [NAME]).marks()
    if marks[NAME] != mark:
        entries = json.loads(store.read_text()) if store.exists() else {}
        for page in calendar.changes(cursor, WINDOW):
            for one in page.changed:
                times = [event.interval.epoch for event in one.events if event.interval is not None]
                entries[one.remote_id] = [one.etag, times]
            for gone in page.removed:
                entries.pop(gone, None)
        size = len(entries)
        store.write_text(json.dumps(entries))
        place.write_text(json.dumps([page.cursor, page.mark, size]))
    told = {"what": what, "requests": http.requests, "bytes": sum(received), "entries": size}
    print(json.dumps(told | {"cycle": time.process_time() - begun, "kib": _high_water()}))


def _count_bytes(http: Http) -> list[int]:
    """Note the size of every body that comes."""
    sizes: list[int] = []
    send = http.send

    def counting(*args: Any, **named: Any) -> Answer:
        answer = send(*args, **named)
        sizes.append(len(answer.body))
        return answer

    http.send = counting  # type: ignore[method-assign]
    return sizes


def _high_water() -> int:
    """Return the most memory this process held; wait4 would count what its parent held before."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


if __name__ == "__main__":
    main(*sys.argv[1:])
