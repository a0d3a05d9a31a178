"""The accounts of a configuration as parts that flows can use; the only importer of connectors besides the demo."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import syncd
from syncd.clock import Clock
from syncd.config import Config
from syncd.core.directory import CalendarRef, Directory
from syncd.core.ids import AccountId, CalendarId
from syncd.errors import ConfigError, StoreUnwritable
from syncd.flows.announce import ALERTS
from syncd.flows.context import AccountParts
from syncd.flows.sign_in import EMBEDDED
from syncd.ports import (
    Calendar,
    CalendarUse,
    Call,
    Changes,
    ConnectorSpec,
    Delivery,
    Environment,
    Home,
    Hook,
    Messenger,
    Push,
    Scheduler,
)

if TYPE_CHECKING:  # the web server takes half a second to import, and most commands need none
    from syncd.web.dav import WsgiApp

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
        self._alerts = config.alerts
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
        return {one.id: self._parts(one) for one in self._logins.values()} | alert_parts(self._alerts)

    def _parts(self, login: Login) -> AccountParts:
        spec, args = login.spec, (login.id, login.settings, self._env)
        names = calendars_at(self._directory, login.id)
        home: Callable[[], Home] | None = partial(spec.home, *args, names) if spec.home and names else None
        scheduler: Callable[[], Scheduler] | None = partial(spec.scheduler, *args) if spec.scheduler else None
        push: Callable[[], Push] | None = partial(spec.push, *args) if spec.push else None
        changes: Callable[[], Changes] | None = partial(spec.changes, *args) if spec.changes else None
        messenger: Callable[[], Messenger] | None = partial(spec.messenger, *args) if spec.messenger else None
        return AccountParts(
            id=login.id,
            kind=spec.kind,
            provider=provider_of(login),
            home=home and once(home),
            scheduler=scheduler and once(scheduler),
            push=push and once(push),
            hook=partial(called, spec.hook, login, self._env) if spec.hook else None,
            handshake=partial(spec.handshake, login.id, login.settings) if spec.handshake else None,
            hook_body=spec.hook_body,
            told=partial(spec.told, login.id, login.settings) if spec.told else None,
            watch=self._for_calendars(login, spec.watch),
            free_busy=self._for_calendars(login, spec.free_busy),
            changes=changes and once(changes),
            messenger=messenger and once(messenger),
            reports=partial(spec.reports, login.id, login.settings) if spec.reports else None,
            sender=spec.sender(login.settings) if spec.sender else "",
            signs_in=spec.sign_in is not None,
        )


def alert_parts(urls: Sequence[str]) -> dict[AccountId, AccountParts]:
    """Return one built-in account for each URL that alerts go to; no account of the file can have such a name."""
    names = [AccountId(f"{ALERTS}{number}") for number in range(1, len(urls) + 1)]
    made = {name: once(partial(_alert_messenger, url, name)) for name, url in zip(names, urls, strict=True)}
    return {
        name: AccountParts(id=name, kind="alerts", provider=name, messenger=messenger)
        for name, messenger in made.items()
    }


def _alert_messenger(url: str, name: str) -> Messenger:
    from connectors._alerts import AlertMessenger

    return AlertMessenger(url, name)


def called(hook: Hook, login: Login, env: Environment, call: Call) -> Delivery:
    """Have an account's connector verify and read one webhook call."""
    return hook(login.id, login.settings, replace(call, secret=env.secret, url=f"{env.public_url}/hook/{login.id}"))


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
    return list(dict.fromkeys(ref.name for ref in directory.calendars_at(account)))


def event_types_at(directory: Directory, account: AccountId) -> list[str]:
    """List the scheduler's event types that projects link to at an account."""
    links = [one.scheduler for one in directory.projects.values() if one.scheduler is not None]
    return list(dict.fromkeys(link for one in links if one.account == account for link in one.event_types.values()))
