"""Reads the tables of a document one by one, so that a mistake in one hides none in another. Knows no relation between
tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from syncd.config.entries import AgentTable, EventTypeTable, HoursTable, MessageTable, ProjectTable, RuleTable
from syncd.config.problems import Path, Problem, nearest, of_validation, quoted
from syncd.config.secrets import Secrets, mentions_secret
from syncd.config.tables import (
    AlertsTable,
    ApiTable,
    BusyPolicyTable,
    DaemonTable,
    EmbeddedTable,
    ProposalsTable,
    StoreTable,
    SyncTable,
    Table,
    TravelTable,
)
from syncd.ports import ConnectorSpec

T = TypeVar("T", bound=BaseModel)

SINGLE: dict[str, type[Table]] = {
    "daemon": DaemonTable,
    "store": StoreTable,
    "sync": SyncTable,
    "embedded_caldav": EmbeddedTable,
    "busy_policy": BusyPolicyTable,
    "travel": TravelTable,
    "api": ApiTable,
    "alerts": AlertsTable,
    "proposals": ProposalsTable,
}
NAMED: dict[str, type[Table]] = {"hours": HoursTable, "event_types": EventTypeTable, "projects": ProjectTable}
LISTED: dict[str, type[Table]] = {"agents": AgentTable, "messages": MessageTable, "rules": RuleTable}
SECTIONS = (*SINGLE, "accounts", *NAMED, *LISTED)
LATER_KINDS = ("smtp", "whatsapp", "twilio", "imap")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountEntry:
    """One login as the file gives it; the settings are the connector's own model."""

    spec: ConnectorSpec
    settings: Any


@dataclass(slots=True)
class Document:
    """The tables that could be read, and the problems of the others. What could not be read has its defaults."""

    raw: dict[str, Any]
    secrets: Secrets
    problems: list[Problem] = field(default_factory=list)
    daemon: DaemonTable = field(default_factory=DaemonTable)
    store: StoreTable = field(default_factory=StoreTable)
    sync: SyncTable = field(default_factory=SyncTable)
    embedded: EmbeddedTable = field(default_factory=EmbeddedTable)
    busy_policy: BusyPolicyTable = field(default_factory=BusyPolicyTable)
    travel: TravelTable = field(default_factory=TravelTable)
    api: ApiTable = field(default_factory=ApiTable)
    alerts: AlertsTable = field(default_factory=AlertsTable)
    proposals: ProposalsTable = field(default_factory=ProposalsTable)
    accounts: dict[str, AccountEntry] = field(default_factory=dict)
    hours: dict[str, HoursTable] = field(default_factory=dict)
    event_types: dict[str, EventTypeTable] = field(default_factory=dict)
    projects: dict[str, ProjectTable] = field(default_factory=dict)
    agents: dict[int, AgentTable] = field(default_factory=dict)
    messages: dict[int, MessageTable] = field(default_factory=dict)
    rules: dict[int, RuleTable] = field(default_factory=dict)

    def names(self, section: str) -> list[str]:
        """List the names that a section defines, those of broken tables too: naming one of these is no mistake."""
        found = self.raw.get(section)
        if isinstance(found, dict):
            return list(found)
        tables = found if isinstance(found, list) else []
        return [one["id"] for one in tables if isinstance(one, dict) and isinstance(one.get("id"), str)]


def read_document(raw: dict[str, Any], specs: Mapping[str, ConnectorSpec], secrets: Secrets) -> Document:
    """Read every table; what is wrong is in the document's `problems`."""
    document = Document(raw, secrets)
    reader = _Reader(document)
    for name in raw:
        if name not in SECTIONS:
            document.problems.append(Problem((name,), f"is no table of a configuration; {nearest(name, SECTIONS)}"))
    document.daemon = reader.single("daemon", DaemonTable)
    document.store = reader.single("store", StoreTable)
    document.sync = reader.single("sync", SyncTable)
    document.embedded = reader.single("embedded_caldav", EmbeddedTable)
    document.busy_policy = reader.single("busy_policy", BusyPolicyTable)
    document.travel = reader.single("travel", TravelTable)
    document.api = reader.single("api", ApiTable)
    document.alerts = reader.single("alerts", AlertsTable)
    document.proposals = reader.single("proposals", ProposalsTable)
    document.hours = reader.named("hours", HoursTable)
    document.event_types = reader.named("event_types", EventTypeTable)
    document.projects = reader.named("projects", ProjectTable)
    document.agents = reader.listed("agents", AgentTable)
    document.messages = reader.listed("messages", MessageTable)
    document.rules = reader.listed("rules", RuleTable)
    document.accounts = reader.accounts(specs)
    document.problems += secrets.problems
    return document


class _Reader:
    def __init__(self, document: Document) -> None:
        self._document = document

    def single(self, section: str, model: type[T]) -> T:
        raw = self._document.raw.get(section, {})
        found = self._table(raw, model, (section,), f"should be a table: [{section}]")
        return model() if found is None else found

    def named(self, section: str, model: type[T]) -> dict[str, T]:
        read = {name: self._table(raw, model, (section, name), "") for name, raw in self._tables(section).items()}
        return {name: one for name, one in read.items() if one is not None}

    def listed(self, section: str, model: type[T]) -> dict[int, T]:
        raw = self._document.raw.get(section, [])
        if not isinstance(raw, list):
            self._problem((section,), f"should be a list of tables, each under the heading [[{section}]]")
            return {}
        read = {number: self._table(one, model, (section, number), "") for number, one in enumerate(raw)}
        return {number: one for number, one in read.items() if one is not None}

    def accounts(self, specs: Mapping[str, ConnectorSpec]) -> dict[str, AccountEntry]:
        read = {name: self._account(name, raw, specs) for name, raw in self._tables("accounts").items()}
        return {name: one for name, one in read.items() if one is not None}

    def _account(self, name: str, raw: Any, specs: Mapping[str, ConnectorSpec]) -> AccountEntry | None:
        path: Path = ("accounts", name)
        kind = raw.get("kind") if isinstance(raw, dict) else None
        if not isinstance(kind, str):
            advice = f'add one, for instance kind = "caldav"; known: {", ".join(sorted(specs))}'
            self._problem(
                (*path, "kind") if isinstance(raw, dict) and "kind" in raw else path, f"has no kind; {advice}"
            )
            return None
        if kind not in specs:
            later = kind in LATER_KINDS
            why = "cannot be used with this version" if later else "is no kind of account"
            self._problem((*path, "kind"), f"{quoted(kind)} {why}; {nearest(kind, sorted(specs))}")
            return None
        spec = specs[kind]
        settings = self._table({key: raw[key] for key in raw if key != "kind"}, spec.settings_model, path, "")
        return None if settings is None else AccountEntry(spec=spec, settings=settings)

    def _tables(self, section: str) -> dict[str, Any]:
        raw = self._document.raw.get(section, {})
        if isinstance(raw, dict):
            return raw
        self._problem((section,), f"should be tables with names, each under a heading such as [{section}.name]")
        return {}

    def _table(self, raw: Any, model: type[T], path: Path, shape: str) -> T | None:
        """Return the table, None where it has problems; they are noted."""
        if not isinstance(raw, dict):
            self._problem(path, shape or "should be a table with keys of its own")
            return None
        secrets = self._document.secrets
        before = len(secrets.problems)
        clear = secrets.resolve(raw, model, path) if mentions_secret(model) else raw
        unresolved = [one.path for one in secrets.problems[before:]]
        try:
            found = model.model_validate(clear)
        except ValidationError as error:
            found = None
            for problem in of_validation(error, model, clear, path):
                if not any(problem.path[: len(one)] == one for one in unresolved):
                    self._document.problems.append(problem)
        return None if unresolved else found

    def _problem(self, path: Path, text: str) -> None:
        self._document.problems.append(Problem(path, text))
