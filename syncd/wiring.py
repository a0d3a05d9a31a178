"""Puts an installation together from its configuration: store, secrets, connectors, context and web server.

The only importer of connectors besides the demo. Decides nothing about visits.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import syncd
from syncd.clock import Clock, SystemClock
from syncd.config import Config, load, schema
from syncd.config.lines import LARGEST
from syncd.config.state import Unsafe, derive, make_secret, prepare_folder, read_secret, read_signed_id, sign_id
from syncd.core.directory import CalendarRef, Directory
from syncd.core.ids import AccountId, CalendarId
from syncd.errors import ConfigError, ConnectorError, StoreError, StoreUnwritable
from syncd.flows.context import AccountParts, Context
from syncd.flows.sign_in import EMBEDDED, Passwords
from syncd.log import log
from syncd.ports import (
    Calendar,
    CalendarUse,
    Call,
    Changes,
    Check,
    ConnectorSpec,
    Delivery,
    Environment,
    Home,
    Hook,
    Push,
    Scheduler,
)
from syncd.store import Store, open_store

if TYPE_CHECKING:  # the web server takes half a second to import, and most commands need none
    from syncd.web.dav import WsgiApp
    from syncd.web.serve import Server

T = TypeVar("T")
INSIDE = "http://embedded.localhost/dav"  # the embedded server's name for our own connector; never over the network
INSIDER = "syncd"  # the user as whom it comes


def connector_specs() -> Mapping[str, ConnectorSpec]:
    """Return every connector by kind; refuses a foreign package of that name before a line of it has run."""
    home = Path(syncd.__file__).parent.parent
    found = find_spec("connectors")
    place = Path(found.origin).parent.parent if found is not None and found.origin else None
    if place != home:
        foreign = f"the package `connectors` comes from {place}, not from beside syncd in {home}"
        raise ConfigError([f"{foreign}: install syncd into an environment of its own and set PYTHONSAFEPATH=1"])
    from connectors import Specs

    return Specs()


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration file."""
    return schema(connector_specs())


def read_config(file: Path, clock: Clock | None = None) -> Config:
    """Read a configuration file alone; raises ConfigError."""
    clock = clock or SystemClock()
    try:
        with file.open("rb") as opened:
            text = opened.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError([f"{file}: the configuration cannot be read: {error.strerror}"]) from None
    return load(
        text,
        connector_specs(),
        file=str(file),
        base=file.absolute().parent,
        env=os.environ,
        today=clock.now().date(),
    )


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

    def _fits(self, agent: str, password: str) -> bool:
        return self.passwords.fits(agent, password)

    def _put_together(self, config: Config) -> Context:
        inside = self._inside
        env = environment(config, self._clock, self._key, lambda: self._store.generation, inside)
        logins = Logins(config, env, inside)
        return Context(
            store=self._store,
            directory=config.directory,
            clock=self._clock,
            calendar_of=logins.calendar_of,
            accounts=logins.parts(),
            generation=self._store.generation,
            public_url=config.daemon.public_url,
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


class Inside:
    """The embedded CalDAV server as a WSGI application, made when it is first asked: reading commands never do."""

    def __init__(self, state_dir: Path, password: str, fits: Callable[[str, str], bool]) -> None:
        self._state_dir = state_dir
        self.password = password
        self._fits = fits
        self._lock = threading.Lock()
        self._app: WsgiApp | None = None

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        return self._made()(environ, start)

    def ensure(self, directory: Directory) -> None:
        from syncd.web.dav import embedded_calendars, ensure_calendars

        try:
            ensure_calendars(self._made(), self.password, embedded_calendars(directory))
        except OSError as error:
            raise StoreUnwritable(str(error)) from error

    def _made(self) -> "WsgiApp":
        from syncd.web.dav import dav_app

        with self._lock:
            if self._app is None:
                self._app = dav_app(self._state_dir, self.password, self._fits)
            return self._app


def environment(
    config: Config,
    clock: Clock,
    key: Callable[[str], bytes],
    generation: Callable[[], str],
    inside: Inside | None,
) -> Environment:
    """Return what connectors may know of the installation."""
    return Environment(
        clock=clock,
        secret=lambda purpose: key(f"connector:{purpose}"),
        generation=generation,
        ca_file=config.daemon.ca_file,
        proxy=config.daemon.proxy,
        time_zone=config.daemon.time_zone,
        public_url=config.daemon.public_url,
        wsgi={} if inside is None else {INSIDE: inside},
    )


@dataclass(frozen=True, slots=True)
class Login:
    """One account ready to use: its connector and its settings."""

    id: AccountId
    spec: ConnectorSpec
    settings: Any


class Logins:
    """Makes the parts of every account, each one once."""

    def __init__(self, config: Config, env: Environment, inside: Inside | None) -> None:
        self._directory = config.directory
        self._env = env
        self._logins = {one.id: one for one in logins_of(config, inside)}
        self._calendars: dict[CalendarId, Calendar] = {}
        self._lock = threading.Lock()

    def calendar_of(self, ref: CalendarRef) -> Calendar:
        """Return the one connector of a calendar, whoever uses it."""
        with self._lock:
            if ref.id not in self._calendars:
                login = self._logins[ref.account]
                assert login.spec.calendar is not None  # noqa: S101 - the configuration was checked
                self._calendars[ref.id] = login.spec.calendar(login.id, login.settings, self._env, self.use_of(ref))
            return self._calendars[ref.id]

    def use_of(self, ref: CalendarRef) -> CalendarUse:
        """Return which calendar it is, the zone that floating times have in it, and whose addresses are ours."""
        agents = [self._directory.agents[one.agent] for one in self._directory.calendar(ref.id)]
        emails = {address for agent in agents for address in (agent.email, agent.scheduler_email) if address}
        return CalendarUse(
            name=ref.name,
            time_zone=self._directory.hours[agents[0].hours].time_zone,
            emails=frozenset(address.casefold() for address in emails),
            subject=agents[0].email,
        )

    def _for_calendars(
        self, login: Login, make: Callable[[AccountId, Any, Environment, CalendarUse], T] | None
    ) -> Callable[[CalendarRef], T] | None:
        return None if make is None else lambda ref: make(login.id, login.settings, self._env, self.use_of(ref))

    def parts(self) -> dict[AccountId, AccountParts]:
        return {one.id: self._parts(one) for one in self._logins.values()}

    def _parts(self, login: Login) -> AccountParts:
        spec, args = login.spec, (login.id, login.settings, self._env)
        names = calendars_at(self._directory, login.id)
        home: Callable[[], Home] | None = partial(spec.home, *args, names) if spec.home and names else None
        scheduler: Callable[[], Scheduler] | None = partial(spec.scheduler, *args) if spec.scheduler else None
        push: Callable[[], Push] | None = partial(spec.push, *args) if spec.push else None
        changes: Callable[[], Changes] | None = partial(spec.changes, *args) if spec.changes else None
        return AccountParts(
            id=login.id,
            kind=spec.kind,
            provider=provider_of(login),
            home=home and once(home),
            scheduler=scheduler and once(scheduler),
            push=push and once(push),
            hook=partial(called, spec.hook, login, self._env) if spec.hook else None,
            hook_body=spec.hook_body,
            watch=self._for_calendars(login, spec.watch),
            free_busy=self._for_calendars(login, spec.free_busy),
            changes=changes and once(changes),
        )


def called(hook: Hook, login: Login, env: Environment, call: Call) -> Delivery:
    """Have an account's connector verify and read one webhook call."""
    return hook(login.id, login.settings, replace(call, secret=env.secret))


def logins_of(config: Config, inside: Inside | None) -> list[Login]:
    """List the accounts of the file, and the embedded server where it runs."""
    specs = connector_specs()
    logins = [Login(one.id, specs[one.kind], one.settings) for one in config.accounts.values()]
    if inside is not None:
        spec = specs["caldav"]
        settings = {"url": f"{INSIDE}/", "username": INSIDER, "password": inside.password}
        logins.append(Login(EMBEDDED, spec, spec.settings_model.model_validate(settings)))
    return logins


def provider_of(login: Login) -> str:
    """Return the server an account is at, "" where its kind says that already."""
    address = getattr(login.settings, "url", None)
    return urlsplit(str(address)).netloc.rpartition("@")[2] if address else ""


def once(make: Callable[[], T]) -> Callable[[], T]:
    """Return a function that makes its thing when first asked, and returns the same one ever after."""
    lock = threading.Lock()
    made: list[T] = []

    def get() -> T:
        with lock:
            if not made:
                made.append(make())
            return made[0]

    return get


def calendars_at(directory: Directory, account: AccountId) -> list[str]:
    """List the calendars of an account as the configuration writes them."""
    return list(dict.fromkeys(ref.name for ref in directory.calendars() if ref.account == account))


def event_types_at(directory: Directory, account: AccountId) -> list[str]:
    """List the scheduler's event types that projects link to at an account."""
    links = [one.scheduler for one in directory.projects.values() if one.scheduler is not None]
    return list(dict.fromkeys(link for one in links if one.account == account for link in one.event_types.values()))


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
    for login in logins_of(config, inside if config.embedded else None):
        names = calendars_at(config.directory, login.id) + event_types_at(config.directory, login.id)
        found += [(login.id, one) for one in _checked(login, env, names)]
    return found


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
