"""Looks an installation over, and lets a person sign an account in: what needs accounts but no store of its own."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from syncd.clock import Clock, SystemClock
from syncd.config import Config
from syncd.config.state import Unsafe, derive, prepare_folder, read_secret
from syncd.core.ids import AccountId
from syncd.errors import ConfigError, ConnectorError, Unreadable
from syncd.flows.sealed import SealedTokens
from syncd.ports import Check, Environment, Tokens
from syncd.store import open_store
from syncd.wiring.fork import urllib3_check
from syncd.wiring.logins import Inside, Login, calendars_at, environment, event_types_at, logins_of
from syncd.wiring.reading import read_config


def signed_in(file: Path, account: str, tell: Callable[[str], None]) -> bytes:
    """Let a person sign an account in, and return what is to be kept of it. Raises ConfigError, ConnectorError."""
    config = read_config(file)
    known = [one for one in logins_of(config, None) if one.spec.sign_in is not None]
    login = next((one for one in known if one.id == account), None)
    if login is None or login.spec.sign_in is None:
        names = ", ".join(one.id for one in known) or "no account of this configuration"
        raise ConfigError([f"{file}: nobody signs in at {account!r}: its secrets stand in the file; {names} can be"])
    kept = Kept()
    throwaway = SystemClock().new_id()
    env = environment(config, SystemClock(), partial(derive, throwaway), lambda: "", None)
    login.spec.sign_in(login.id, login.settings, replace(env, tokens=lambda _account: kept), tell)
    if kept.token is None:
        raise Unreadable(f"{account}: the sign-in ended without anything to keep")
    return kept.token


class Kept:
    """Holds one sign-in in memory until it is handed on."""

    def __init__(self) -> None:
        self.token: bytes | None = None

    def load(self) -> bytes | None:
        return self.token

    def save(self, token: bytes) -> None:
        self.token = token


def checks(config: Config, online: bool, clock: Clock | None = None) -> list[tuple[str, Check]]:
    """Check what can be checked from here: the process and the state directory; `online`, every account as well.

    An account name stands before each line, "syncd" before those of the installation itself.
    """
    found = [("syncd", urllib3_check()), ("syncd", _state_check(config))]
    if not online:
        return found
    clock = clock or SystemClock()
    throwaway = clock.new_id() + clock.new_id()
    made = (config.daemon.state_dir / "dav").is_dir()  # a check must not make what a start makes
    inside = Inside(config.daemon.state_dir, clock.new_id(), lambda user, password: False) if made else None
    env = environment(config, clock, partial(derive, throwaway), lambda: "", inside if config.embedded else None)
    with _kept_sign_ins(config, clock) as tokens:
        for login in logins_of(config, inside if config.embedded else None):
            names = calendars_at(config.directory, login.id) + event_types_at(config.directory, login.id)
            found += [(login.id, one) for one in _checked(login, replace(env, tokens=tokens), names)]
    return found


@contextmanager
def _kept_sign_ins(config: Config, clock: Clock) -> Iterator[Callable[[AccountId], Tokens] | None]:
    """Lend the sign-ins that the store keeps; a rotated one that a check is given is kept in memory only."""
    try:
        secret = config.daemon.secret or read_secret(config.daemon.state_dir)
    except Unsafe:
        secret = None
    if secret is None or not config.store.path.exists():
        yield None
        return
    with closing(open_store(config.store.path, clock, readonly=True)) as store:
        yield lambda account: Borrowed(SealedTokens(store, clock, account, lambda: derive(secret, "sign-ins")))


class Borrowed:
    """One sign-in as the store keeps it; what is saved lives as long as this."""

    def __init__(self, kept: Tokens) -> None:
        self._kept = kept
        self._newer: bytes | None = None

    def load(self) -> bytes | None:
        return self._newer if self._newer is not None else self._kept.load()

    def save(self, token: bytes) -> None:
        self._newer = token


def _checked(login: Login, env: Environment, names: Sequence[str]) -> list[Check]:
    try:
        return login.spec.check(login.id, login.settings, env, names)
    except ConnectorError as error:
        return [Check(what="account", state="fail", text=str(error), remedy="see the account's table")]


def _state_check(config: Config) -> Check:
    folder = config.daemon.state_dir
    if not folder.exists():
        return Check(what="state_dir", state="ok", text=f"{folder} is made at the first start")
    try:
        prepare_folder(folder)
        read_secret(folder)
    except Unsafe as error:
        return Check(what="state_dir", state="fail", text=str(error), remedy="see [daemon] state_dir")
    return Check(what="state_dir", state="ok", text=f"{folder} is ours alone")
