"""Looks whether urllib3 is the genuine one (docs/decisions/0003)."""

from importlib import metadata

from syncd.log import log
from syncd.ports import (
    Check,
)


def urllib3_check() -> Check:
    """Tell whether urllib3 is the library that its metadata says (a dependency of caldav replaces its files)."""
    import urllib3

    imported, named = str(vars(urllib3)["__version__"]), metadata.version("urllib3")
    if imported == named:
        return Check(what="urllib3", state="ok", text=imported)
    text = f"{imported} runs where {named} is installed: a fork overwrote it"
    remedy = "install from requirements/run.lock with --no-deps into a fresh environment"
    return Check(what="urllib3", state="warn", text=text, remedy=remedy)


def warn_of_fork() -> None:
    check = urllib3_check()
    if check.state != "ok":
        log.warning("%s; %s", check.text, check.remedy, extra={"action": "fork_found"})
