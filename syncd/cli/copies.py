"""Copies of the store: made beside a running daemon, put back while none runs."""

from contextlib import closing
from pathlib import Path
from typing import Any

from syncd.errors import StoreBusy, SyncdError


class NotACopy(SyncdError):
    """The file is no backup of a store."""


def back_up(config_file: Path, to: Path) -> dict[str, Any]:
    """Copy the store to a file that is not there yet."""
    from syncd.wiring import inspect

    if to.exists():
        raise FileExistsError(f"{to} is there already; give the copy a name of its own")
    with closing(inspect(config_file)) as installed:
        installed.context.store.backup(to.absolute())
    size = to.stat().st_size
    return {
        "file": str(to),
        "bytes": size,
        "text": f"{to}: {size} bytes, consistent. It holds personal data: keep it safe.",
    }


def bring_back(config_file: Path, copy: Path) -> dict[str, Any]:
    """Put a copy in the place of the store that the configuration names; nobody may hold that."""
    from syncd.clock import SystemClock
    from syncd.store import restore
    from syncd.wiring import read_config

    if not copy.is_file():
        raise FileNotFoundError(f"there is no file {copy}")
    config = read_config(config_file)
    try:
        restore(copy.absolute(), config.store.path, SystemClock())
    except StoreBusy as error:
        raise StoreBusy(f"{error}; stop the daemon first") from error
    text = (
        f"{config.store.path} is restored from {copy}. Start the daemon: it reads everything and writes nothing. "
        "Then look at `syncd plan`, and end the recovery with `syncd recover --finish`."
    )
    return {"store": str(config.store.path), "file": str(copy), "recovery": True, "text": text}
