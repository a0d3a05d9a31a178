"""Reads the configuration: every problem at once, with file, line and remedy; then one frozen snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from pathlib import Path as File
from typing import Any

from syncd.config.advice import advise
from syncd.config.broken import names_in_broken_tables
from syncd.config.build import directory_of
from syncd.config.document import Document, read_document
from syncd.config.lines import Lines, read_toml
from syncd.config.problems import Path, Problem, dotted
from syncd.config.references import check_references
from syncd.config.schema import schema
from syncd.config.secrets import Secrets
from syncd.core.directory import Directory
from syncd.core.ids import AccountId
from syncd.errors import ConfigError
from syncd.ports import ConnectorSpec

__all__ = ["AccountConfig", "ApiConfig", "Config", "DaemonConfig", "StoreConfig", "load", "schema"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonConfig:
    """The [daemon] table, with paths made absolute and the environment's say in it."""

    public_url: str  # without a slash at its end
    listen: str
    state_dir: File
    time_zone: str
    locale: str
    quiet_hours: tuple[time, time] | None
    secret: str | None = field(repr=False)  # None: made once in the state directory
    ca_file: str | None
    proxy: str | None
    trusted_proxies: tuple[str, ...]
    link_expires: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    path: File


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiConfig:
    tokens: Mapping[str, str] = field(repr=False)  # caller's name -> token


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountConfig:
    """One login; `settings` is an instance of its connector's own model."""

    id: AccountId
    kind: str
    settings: Any = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything the file says, checked. `accounts` does not hold the embedded server: it has no settings."""

    file: str
    daemon: DaemonConfig
    store: StoreConfig
    api: ApiConfig
    alerts: tuple[str, ...] = field(default=(), repr=False)  # URLs as apprise writes them
    accounts: Mapping[AccountId, AccountConfig]
    embedded: bool  # whether the CalDAV server of our own runs
    directory: Directory
    warnings: tuple[str, ...] = ()  # as the problems of a ConfigError are written
    secret_files: tuple[File, ...] = ()
    lines: Lines = field(default_factory=lambda: Lines(""), repr=False, compare=False)

    def problem(self, path: Path, text: str) -> str:
        """Write a problem found later as one of this file, with its line."""
        return _line(self.file, self.lines.of(path), Problem(path, text))


def load(
    text: bytes,
    specs: Mapping[str, ConnectorSpec],
    *,
    file: str,
    base: File,
    env: Mapping[str, str],
    today: date,
) -> Config:
    """Return the configuration; raises ConfigError with every problem, sorted by line.

    `file` is the name shown in problems, `base` the folder that relative paths count from, `env` the environment of
    the process. Holidays are known from the year before `today` to five years after it.
    """
    raw, lines, unreadable = read_toml(text)
    if unreadable:
        raise ConfigError([_line(file, line, problem) for line, problem in unreadable])
    document = read_document(raw, specs, Secrets(base=base, env=env))
    problems = [*document.problems, *check_references(document, base), *names_in_broken_tables(document)]

    def shown(found: Sequence[Problem]) -> list[str]:
        ordered = sorted((lines.of(one.path), number, one) for number, one in enumerate(dict.fromkeys(found)))
        return [_line(file, line, one) for line, _, one in ordered]

    if problems:
        raise ConfigError(shown(problems))
    return _config(document, file, base, today, tuple(shown(list(advise(document)))), lines)


def _line(file: str, line: int, problem: Problem) -> str:
    where = f"{dotted(problem.path)}: " if problem.path else ""
    return f"{file}:{line}: {where}{problem.text}"


def _config(document: Document, file: str, base: File, today: date, warnings: tuple[str, ...], lines: Lines) -> Config:
    env = document.secrets.env
    daemon = _daemon(document, base, env)
    accounts = {
        AccountId(name): AccountConfig(id=AccountId(name), kind=one.spec.kind, settings=one.settings)
        for name, one in document.accounts.items()
    }
    return Config(
        file=file,
        daemon=daemon,
        store=StoreConfig(path=daemon.state_dir / document.store.url.removeprefix("sqlite:")),
        api=ApiConfig(tokens={name: one.get_secret_value() for name, one in document.api.tokens.items()}),
        alerts=tuple(one.get_secret_value() for one in document.alerts.urls),
        accounts=accounts,
        embedded=document.embedded.enabled,
        directory=directory_of(document, today),
        warnings=warnings,
        secret_files=tuple(document.secrets.files),
        lines=lines,
    )


def _daemon(document: Document, base: File, env: Mapping[str, str]) -> DaemonConfig:
    table = document.daemon
    passed = env.get("STATE_DIRECTORY", "").partition(":")[0]  # systemd lists several with colons
    return DaemonConfig(
        public_url=table.public_url,
        listen=table.listen,
        state_dir=File(passed) if passed else base / table.state_dir,
        time_zone=table.time_zone,
        locale=table.locale,
        quiet_hours=table.quiet_hours,
        secret=None if table.secret is None else table.secret.get_secret_value(),
        ca_file=str(base / table.ca_file) if table.ca_file else _first(env, "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"),
        proxy=table.proxy or _first(env, "HTTPS_PROXY", "https_proxy"),
        trusted_proxies=tuple(table.trusted_proxies),
        link_expires=table.link_expires,
    )


def _first(env: Mapping[str, str], *names: str) -> str | None:
    return next((env[name] for name in names if env.get(name)), None)
