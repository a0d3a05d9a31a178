"""What `syncd doctor` looks at, each line with its remedy. It changes nothing."""

import shutil
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syncd.clock import Clock, SystemClock
from syncd.control import SOCKET, NotAllowed, is_running
from syncd.errors import ConfigError, StoreError
from syncd.ports import Check

if TYPE_CHECKING:
    import requests

    from syncd.config import Config
    from syncd.wiring import Installation

HERE = "syncd"
ANSWER_SECONDS = 10.0
LARGEST_SKEW = timedelta(seconds=30)  # half of what the strictest webhook signature forgives, with room
FREE_WARN, FREE_FAIL = 2**30, 2**27  # bytes
FIXED_SQLITE = (3, 51, 3)  # sqlite.org release notes: before it, two checkpointing connections can corrupt a WAL

Finding = tuple[str, Check]


def ok(what: str, text: str) -> Check:
    return Check(what=what, state="ok", text=text)


def warn(what: str, text: str, remedy: str) -> Check:
    return Check(what=what, state="warn", text=text, remedy=remedy)


def fail(what: str, text: str, remedy: str) -> Check:
    return Check(what=what, state="fail", text=text, remedy=remedy)


def examine(config_file: Path, clock: Clock | None = None) -> list[dict[str, Any]]:
    """Look everything over; raises ConfigError where the configuration cannot be read."""
    from syncd.wiring import checks, read_config

    clock = clock or SystemClock()
    config = read_config(config_file, clock)
    found = [
        *((HERE, one) for one in _configuration(config)),
        *((HERE, one) for one in _permissions(config_file, config)),
        *((HERE, one) for one in (_sqlite(), _disk(config.daemon.state_dir), _daemon(config.daemon.state_dir))),
        *checks(config, online=True, clock=clock),
        *_outside(config, clock),
        *_kept(config_file, clock),
    ]
    return [
        {"state": one.state, "account": where, "what": one.what, "text": one.text, "remedy": one.remedy}
        for where, one in found
    ]


def _configuration(config: "Config") -> list[Check]:
    if not config.warnings:
        return [ok("configuration", f"{config.file}: no problems")]
    return [warn("configuration", one, "see docs/config.md") for one in config.warnings]


# --- this machine ---------------------------------------------------------------------------------------------------


def _permissions(config_file: Path, config: "Config") -> Iterator[Check]:
    """Look at whoever else may read what must be ours alone. Files in the state directory make up the rest."""
    folder = config.daemon.state_dir
    inside = [one for one in folder.iterdir() if one.is_file() or one.is_dir()] if folder.is_dir() else []
    yield from _secrecy("state", [folder, *inside] if folder.is_dir() else [])
    if config.secret_files:
        yield from _secrecy("secret", config.secret_files)
    inline = any("secret" in one or "token" in one or "password" in one for one in config.warnings)
    if inline:
        yield from _secrecy("configuration file with secrets in it", [config_file])


def _secrecy(what: str, paths: Iterable[Path]) -> Iterator[Check]:
    open_to_others = [one for one in paths if one.exists() and stat.S_IMODE(one.stat().st_mode) & 0o077]
    for one in open_to_others:
        mode = stat.S_IMODE(one.stat().st_mode)
        yield fail(what, f"{one} may be read by others ({mode:04o})", f"chmod go= '{one}'")
    if not open_to_others:
        yield ok(what, "to be read by nobody else")


def _sqlite() -> Check:
    version = sqlite3.sqlite_version_info
    if version >= FIXED_SQLITE:
        return ok("sqlite", sqlite3.sqlite_version)
    text = f"{sqlite3.sqlite_version} has a WAL fault when two connections checkpoint; syncd lets only one"
    return warn(
        "sqlite", text, "update SQLite to 3.51.3 or later; never open the store for writing with other programs"
    )


def _disk(folder: Path) -> Check:
    place = next(one for one in (folder, *folder.parents) if one.exists())
    free = shutil.disk_usage(place).free
    text = f"{free // 2**20} MiB free at {place}"
    if free >= FREE_WARN:
        return ok("disk", text)
    return (fail if free < FREE_FAIL else warn)("disk", text, "make room: a full disk stops bookings")


def _daemon(folder: Path) -> Check:
    try:
        running = is_running(folder / SOCKET)
    except NotAllowed as error:
        return warn("daemon", str(error), "run doctor as that user or as root")
    return ok("daemon", "running") if running else warn("daemon", "not running", "systemctl start syncd, or syncd run")


# --- outside --------------------------------------------------------------------------------------------------------


def _outside(config: "Config", clock: Clock) -> Iterator[Finding]:
    """Compare our clock with those of the accounts' servers, and look at ourselves through the public address."""
    import requests

    with requests.Session() as session:
        session.trust_env = False
        session.verify = config.daemon.ca_file or True
        proxy = config.daemon.proxy or ""
        if proxy.startswith("unix:"):
            yield HERE, warn("clock", "not compared: all calls go through the broker", "compare with NTP: timedatectl")
            return
        session.proxies = {"http": proxy, "https": proxy} if proxy else {}
        for name, account in config.accounts.items():
            address = getattr(account.settings, "api_url", None) or getattr(account.settings, "url", None)
            if address:
                yield name, _skew(session, str(address), clock)
        session.proxies = {}
        yield HERE, _reachable(session, config.daemon.public_url)


def _skew(session: "requests.Session", address: str, clock: Clock) -> Check:
    import requests

    before = clock.now()
    try:
        answer = session.get(address, timeout=ANSWER_SECONDS, allow_redirects=False, stream=True)
        theirs = parsedate_to_datetime(answer.headers.get("Date", ""))
    except requests.RequestException as error:
        return warn("clock", f"not compared: {type(error).__name__}", "see the account's own line")
    except ValueError:
        return ok("clock", "this server tells no time")
    return _judged(theirs, before, clock.now())


def _judged(theirs: datetime, before: datetime, after: datetime) -> Check:
    """Judge by how far their time lies outside the time that the question took; theirs is cut to whole seconds."""
    ahead = max(before - theirs - timedelta(seconds=1), theirs - after, timedelta(0))
    if ahead <= LARGEST_SKEW:
        return ok("clock", "agrees with ours")
    text = f"differs from ours by {int(ahead.total_seconds())} s"
    return fail("clock", text, "set this machine's clock by NTP (timedatectl set-ntp true): signatures go by it")


def _reachable(session: "requests.Session", public_url: str) -> Check:
    import requests

    if not public_url:
        return warn("public_url", "not set", "set daemon.public_url: providers and clients cannot reach us")
    try:
        answer = session.get(f"{public_url}/healthz", timeout=ANSWER_SECONDS)
    except requests.RequestException as error:
        text = f"{public_url} does not answer ({type(error).__name__})"
        return fail("public_url", text, "is the daemon running, and does the proxy lead to daemon.listen?")
    if answer.status_code != 200 or "ok" not in answer.text[:100]:
        text = f"{public_url}/healthz answers {answer.status_code}, and not as syncd does"
        return fail("public_url", text, "something else answers there: check the proxy and daemon.public_url")
    return ok("public_url", f"{public_url} leads here")


# --- what is kept ---------------------------------------------------------------------------------------------------


def _kept(config_file: Path, clock: Clock) -> Iterator[Finding]:
    from syncd.wiring import inspect

    try:
        installed = inspect(config_file, clock=clock)
    except StoreError as error:
        yield HERE, warn("store", str(error), "start syncd, or restore a backup")
        return
    except ConfigError as error:
        yield HERE, fail("store", str(error), "mend that first: the daemon will not start either")
        return
    with closing(installed):
        yield from ((HERE, one) for one in _store(installed))
        yield from _subscriptions(installed)


def _store(installed: "Installation") -> Iterator[Check]:
    store = installed.context.store
    problems = store.check()
    yield from (fail("store", one, "stop syncd and restore the last backup: syncd restore FILE") for one in problems)
    if not problems:
        yield ok("store", "whole: integrity, overlaps, schema, history")
    if store.restored:
        yield warn("recovery", "restored from a backup: nothing is written", "syncd plan, then syncd recover --finish")
    with store.read() as tx:
        dead, alerts = tx.queue.dead(), tx.queue.notices(channel="alert", state="open")
        counts = {state.value: count for state, count in tx.queue.inbox_counts().items()}
    for work in dead:
        yield warn(
            "dead letter", f"{work.kind.value} {work.key}: {work.error}", "mend the cause; the next change retries it"
        )
    if counts.get("dead"):
        yield warn("deliveries", f"{counts['dead']} could not be used", "syncd deliveries list --state dead")
    for alert in alerts:
        yield warn("alert", str((alert.body or {}).get("text", alert.kind)), "see what it says")


def _subscriptions(installed: "Installation") -> Iterator[Finding]:
    from syncd.operations.desk import Desk
    from syncd.operations.upkeep import webhooks

    ctx = installed.context
    rows = webhooks(Desk(context=ctx)).body
    for account in (name for name, parts in ctx.accounts.items() if parts.push is not None):
        mine = [row for row in rows if row["account"] == account]
        yield account, _subscription(mine)


def _subscription(rows: list[dict[str, Any]]) -> Check:
    remedy = "syncd webhooks ensure"
    if not rows:
        return warn("push", "no subscription: changes are seen by polling only", remedy)
    if "error" in rows[0]:
        return warn("push", rows[0]["error"], "see the account's own line")
    idle = [row for row in rows if not row["active"]]
    if len(idle) == len(rows):
        return warn("push", f"the subscription is disabled: {idle[0]['note']}", remedy)
    return ok("push", "; ".join(row["callback"] for row in rows if row["active"]))
