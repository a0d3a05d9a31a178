"""Puts an installation together from its configuration: store, secrets, connectors, context and web server.

Decides nothing about visits.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING

from syncd.clock import Clock, SystemClock
from syncd.config import Config
from syncd.config.state import Unsafe, derive, make_secret, prepare_folder, read_secret, read_signed_id, sign_id
from syncd.core.ids import AccountId
from syncd.errors import ConfigError, StoreError
from syncd.flows.compose import compose
from syncd.flows.context import Context
from syncd.flows.sealed import SealedTokens
from syncd.flows.sign_in import Passwords
from syncd.store import Store, open_store
from syncd.wiring.fork import warn_of_fork
from syncd.wiring.logins import Inside, Logins, environment
from syncd.wiring.reading import read_config

if TYPE_CHECKING:  # the web server takes half a second to import, and most commands need none
    from syncd.web.serve import Server


def install(file: Path, *, clock: Clock | None = None) -> "Installation":
    """Put an installation together that owns its store.

    Raises ConfigError, StoreBusy, StoreDamaged, StoreUnwritable.
    """
    clock = clock or SystemClock()
    config = read_config(file, clock)
    warn_of_fork()
    with state_of(config):
        prepare_folder(config.daemon.state_dir)
    store = open_store(config.store.path, clock)
    try:
        with state_of(config):
            secret = config.daemon.secret or make_secret(config.daemon.state_dir, clock)
        installation = Installation(file, config, store, clock, secret)
        installation.make_calendars()
    except BaseException:
        store.close()
        raise
    return installation


def inspect(file: Path, *, clock: Clock | None = None) -> "Installation":
    """Put an installation together that only reads its store, beside a running daemon or without one.

    Raises ConfigError, and StoreError where there is no store yet.
    """
    clock = clock or SystemClock()
    config = read_config(file, clock)
    if not config.store.path.exists():
        raise StoreError(
            f"there is no store yet at {config.store.path}; the first `syncd run` or `syncd sync` makes it"
        )
    with state_of(config):
        secret = config.daemon.secret or read_secret(config.daemon.state_dir)
    return Installation(file, config, open_store(config.store.path, clock, readonly=True), clock, secret)


@contextmanager
def state_of(config: Config) -> Iterator[None]:
    """Tell of an unsafe state directory as of any other problem of the configuration."""
    try:
        yield
    except Unsafe as error:
        raise ConfigError([config.problem(("daemon", "state_dir"), str(error))]) from None


class Installation:
    """Everything one configuration names, put together; `reload` swaps the parts that may change."""

    def __init__(self, file: Path, config: Config, store: Store, clock: Clock, secret: str | None) -> None:
        self._file = file
        self._store = store
        self._clock = clock
        self._secret = secret
        self._passwords: Passwords | None = None
        self._inside = Inside(config.daemon.state_dir, clock.new_id(), self._fits) if config.embedded else None
        self.config = config
        self.context = self._put_together(config)

    @property
    def listen(self) -> str:
        return self.config.daemon.listen

    @property
    def control_path(self) -> Path:
        return self.config.daemon.state_dir / "control.sock"

    @property
    def passwords(self) -> Passwords:
        """Check agents' passwords at the embedded server."""
        if self._passwords is None:
            self._passwords = Passwords(lambda: self.context)
        return self._passwords

    def link_key(self) -> bytes:
        """Return the key that links to people are made with; raises ConfigError where there is no secret yet."""
        return self._key("links")

    def server(self, sockets: Sequence[socket] = ()) -> "Server":
        """Make the web server; `sockets` that were passed in are used as they are."""
        from syncd.web.app import create_app
        from syncd.web.serve import Server

        app = create_app(
            lambda: self.context,
            tokens=lambda: self.config.api.tokens,
            link_key=self.link_key,
            dav=self._inside,
            passwords=None if self._inside is None else self.passwords,
        )
        return Server(app, self.listen, sockets, proxies=self.config.daemon.trusted_proxies)

    def make_calendars(self) -> None:
        """Make the calendars of the embedded server that are not there yet; raises StoreUnwritable."""
        if self._inside is not None:
            self._inside.ensure(self.context.directory)

    def reload(self) -> None:
        """Read the configuration again; raises ConfigError and leaves everything as it was."""
        new = read_config(self._file, self._clock)
        problems = [
            new.problem(path, "changes only with a restart of the daemon")
            for path, value in fixed(self.config).items()
            if fixed(new)[path] != value
        ]
        if problems:
            raise ConfigError(problems)
        old = self.config, self.context
        self.config, self.context = new, self._put_together(new)
        try:
            self.make_calendars()
        except BaseException:
            self.config, self.context = old
            raise

    def close(self) -> None:
        self._store.close()

    def _key(self, purpose: str) -> bytes:
        if self._secret is None:
            raise ConfigError([self.config.problem(("daemon", "secret"), "there is none yet; `syncd run` makes one")])
        return derive(self._secret, purpose)

    def _tokens(self, account: AccountId) -> SealedTokens:
        return SealedTokens(self._store, self._clock, account, lambda: self._key("sign-ins"))

    def _fits(self, agent: str, password: str) -> bool:
        return self.passwords.fits(agent, password)

    def _put_together(self, config: Config) -> Context:
        inside = self._inside
        env = environment(config, self._clock, self._key, lambda: self._store.generation, inside)
        env = replace(env, tokens=self._tokens)
        logins = Logins(config, env, inside)
        return Context(
            store=self._store,
            directory=config.directory,
            clock=self._clock,
            calendar_of=logins.calendar_of,
            accounts=logins.parts(),
            generation=self._store.generation,
            public_url=config.daemon.public_url,
            link_key=self.link_key,
            tokens=self._tokens,
            compose=compose,
            request_token=lambda request: sign_id(self._key("requests"), request),
            read_request_token=lambda token: read_signed_id(self._key("requests"), token),
        )


def fixed(config: Config) -> dict[tuple[str, str], object]:
    """Return what a running daemon cannot change."""
    return {
        ("daemon", "state_dir"): config.daemon.state_dir,
        ("daemon", "listen"): config.daemon.listen,
        ("daemon", "trusted_proxies"): config.daemon.trusted_proxies,
        ("daemon", "secret"): config.daemon.secret,
        ("store", "url"): config.store.path,
        ("embedded_caldav", "enabled"): config.embedded,
    }
