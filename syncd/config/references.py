"""What tables say about each other, and what cannot be although each table reads well. Every check yields problems."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path as File
from typing import Final

from syncd.config.alerts import check_alerts
from syncd.config.document import Document
from syncd.config.entries import EventTypeTable, ProjectTable, RolesTable
from syncd.config.problems import Path, Problem, nearest, quoted
from syncd.config.values import is_near, split_address
from syncd.core import limits
from syncd.core.directory import Activation
from syncd.core.event_type import Window
from syncd.core.routing import name_key
from syncd.messages.own import faults_of

EMBEDDED: Final = "embedded"
ROLES: Final = ("standard", "urgent", "long", "out_of_warranty")
# Names under which syncd keeps things of its own, or by which it calls its own ways in.
RESERVED_ACCOUNTS: Final = frozenset({EMBEDDED, "syncd", "feeds", "page", "api", "cli", "panel", "calendar"})
RESERVED_AGENTS: Final = frozenset({"syncd"})
ADDRESSES: Final = ("url", "api_url", "token_url", "authority")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
SHORTEST_SECRET = 32
WEEKEND = 7 / 5  # days of the calendar for one business day
HOLIDAYS = timedelta(days=14)  # and some for holidays among them

Check = Callable[[Document], Iterator[Problem]]


def check_references(document: Document, base: File) -> Iterator[Problem]:
    """Yield every problem between tables; `base` is the folder of the file."""
    yield from _daemon(document, base)
    for check in CHECKS:
        yield from check(document)


def named(path: Path, name: str, known: Iterable[str], what: str) -> Iterator[Problem]:
    """Yield a problem where a name is not known."""
    names = list(known)
    if name not in names:
        yield Problem(path, f"there is no {what} {quoted(name)}; {nearest(name, names)}")


def _daemon(document: Document, base: File) -> Iterator[Problem]:
    daemon = document.daemon
    if daemon.secret is not None and len(daemon.secret.get_secret_value()) < SHORTEST_SECRET:
        yield Problem(("daemon", "secret"), f"is too short; write at least {SHORTEST_SECRET} random characters")
    if daemon.ca_file is not None and not (base / daemon.ca_file).is_file():
        yield Problem(("daemon", "ca_file"), f"there is no file {base / daemon.ca_file}")
    if not document.store.url.startswith("sqlite:") or not document.store.url.removeprefix("sqlite:").strip("/:"):
        place = "PostgreSQL is not in this version; " if document.store.url.startswith("postgres") else ""
        yield Problem(("store", "url"), f'{place}write "sqlite:syncd.db"')


def _names(document: Document) -> Iterator[Problem]:
    for section in ("accounts", "hours", "event_types", "projects"):
        for name in document.names(section):
            yield from _spelling((section, name), name)
    for name in document.names("accounts"):
        if name == EMBEDDED:
            yield Problem(
                ("accounts", name), "is made by [embedded_caldav] enabled = true; give this account another name"
            )
        elif name in RESERVED_ACCOUNTS:
            yield Problem(("accounts", name), f"{quoted(name)} is a name syncd uses itself; choose another")
    for number, agent in document.agents.items():
        yield from _spelling(("agents", number, "id"), agent.id)
        if agent.id in RESERVED_AGENTS:
            yield Problem(("agents", number, "id"), f"{quoted(agent.id)} is a name syncd uses itself; choose another")


def _spelling(path: Path, name: str) -> Iterator[Problem]:
    if not _NAME.fullmatch(name):
        yield Problem(path, f"{quoted(name)} should be a short name of letters, digits and . _ - @ +, without blanks")


def _api(document: Document) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for name, secret in document.api.tokens.items():
        token = secret.get_secret_value()
        path = ("api", "tokens", name)
        yield from _spelling(path, name)
        if path in (one.path for one in document.secrets.problems):
            continue
        if not token or not all("!" <= letter <= "~" for letter in token):
            yield Problem(path, "should be a token of visible ASCII characters without blanks")
        elif token in seen:
            yield Problem(path, f"has the same token as {quoted(seen[token])}; the history could not tell them apart")
        seen.setdefault(token, name)


def _addresses(document: Document) -> Iterator[Problem]:
    """A login travels to these addresses: in clear only within this machine, or where the file says so."""
    for name, entry in document.accounts.items():
        for key in ADDRESSES:
            address = getattr(entry.settings, key, None)
            if not isinstance(address, str):
                continue
            parts = split_address(address)
            if parts is None:
                yield Problem(("accounts", name, key), f'{quoted(address)} is no address; write "https://…"')
            elif parts.scheme == "http" and not (is_near(address) or getattr(entry.settings, "allow_http", False)):
                text = "would send the login readable; write https, or allow_http = true if this is meant"
                yield Problem(("accounts", name, key), text)


# agents


def _agents(document: Document) -> Iterator[Problem]:
    yield from _unique(document, "id")
    yield from _unique(document, "email")
    yield from _unique(document, "scheduler_id")
    yield from _unique(document, "scheduler_email")
    for number, agent in document.agents.items():
        yield from named(("agents", number, "hours"), agent.hours, document.names("hours"), "table of hours")
        yield from _calendars(document, number)


def _unique(document: Document, key: str) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for number, agent in document.agents.items():
        value = getattr(agent, key)
        if value is None:
            continue
        spelt = value.casefold()
        if spelt in seen:
            yield Problem(("agents", number, key), f"{quoted(value)} is already that of agent {quoted(seen[spelt])}")
        seen.setdefault(spelt, agent.id)


def _calendars(document: Document, number: int) -> Iterator[Problem]:
    seen: set[tuple[str, str]] = set()
    for place, one in enumerate(document.agents[number].calendars):
        path: Path = ("agents", number, "calendars", place)
        yield from _account_of_calendar(document, path, one.account)
        if one.account == EMBEDDED:
            yield from _embedded_name(document, (*path, "calendar"), one.calendar)
        if one.role == "busy" and one.fields is not None:
            yield Problem((*path, "fields"), "nothing is written into a busy calendar; leave the key out")
        name = (one.account, one.calendar.strip("/"))
        if name in seen:
            yield Problem((*path, "calendar"), f"{quoted(one.calendar)} is named twice for this agent; keep one role")
        seen.add(name)


def _account_of_calendar(document: Document, path: Path, account: str) -> Iterator[Problem]:
    if account == EMBEDDED:
        if not document.embedded.enabled:
            yield Problem((*path, "account"), 'the account "embedded" needs [embedded_caldav] enabled = true')
        return
    known = [EMBEDDED] * document.embedded.enabled + document.names("accounts")
    yield from named((*path, "account"), account, known, "account")
    entry = document.accounts.get(account)
    if entry is not None and entry.spec.calendar is None:
        yield Problem((*path, "account"), f"{quoted(account)} is a {entry.spec.kind} account, which holds no calendars")


def _embedded_name(document: Document, path: Path, name: str) -> Iterator[Problem]:
    """A calendar of the embedded server lives in the home of an agent: nobody else could open it."""
    owner, _, rest = name.strip("/").partition("/")
    ids = document.names("agents")
    if owner not in ids or not _NAME.fullmatch(rest):
        yield Problem(path, f'{quoted(name)} should be an agent and a name: "{ids[0] if ids else "ana"}/visits"')


# hours and event types


def _hours(document: Document) -> Iterator[Problem]:
    for name, hours in document.hours.items():
        seen = set()
        for number, change in enumerate(hours.changes):
            if change.from_ in seen:
                yield Problem(
                    ("hours", name, "changes", number, "from"), f"{change.from_} is already the day of a change"
                )
            seen.add(change.from_)
        if not any(hours.weekly.model_dump().values()) and not hours.changes and not hours.dates:
            yield Problem(("hours", name, "weekly"), 'is closed all week; write mon = ["09:00-18:00"] and so on')


def _event_types(document: Document) -> Iterator[Problem]:
    for name, kind in document.event_types.items():
        path: Path = ("event_types", name)
        if kind.hours is not None:
            yield from named((*path, "hours"), kind.hours, document.names("hours"), "table of hours")
        for key in ("duration", "buffer_before", "buffer_after"):
            if getattr(kind, key) > limits.LONGEST_VISIT:
                yield Problem((*path, key), f"is longer than {limits.LONGEST_VISIT // timedelta(hours=1)} hours")
        yield from _window(document, path, kind)
        no_show = kind.no_show
        if no_show and no_show.release is not None and no_show.release < (no_show.follow_up or timedelta(0)):
            yield Problem((*path, "no_show", "release"), "is before the follow-up; the client must be asked first")


def reach(window: Window) -> timedelta:
    """Return how many days of the calendar a booking window may span."""
    if window.ahead is not None:
        return window.ahead
    return timedelta(days=(window.business_days or 0) * WEEKEND) + HOLIDAYS


def _window(document: Document, path: Path, kind: EventTypeTable) -> Iterator[Problem]:
    ahead = reach(kind.window)
    if kind.minimum_notice >= ahead:
        yield Problem((*path, "minimum_notice"), "is as long as the whole booking window: nothing could be booked")
    if ahead > document.sync.look_ahead:
        days = -(-ahead // timedelta(days=1))
        yield Problem(
            (*path, "window"),
            f"may reach {days} days ahead and calendars are read {document.sync.look_ahead.days} days ahead; "
            f'shorten it, or write [sync] look_ahead = "{days}d"',
        )


# projects


def _projects(document: Document) -> Iterator[Problem]:
    yield from _project_names(document)
    for name, project in document.projects.items():
        path: Path = ("projects", name)
        yield from _team(document, path, project)
        for role, kind in roles_of(project.event_types).items():
            yield from named((*path, "event_types", role), kind, document.names("event_types"), "event type")
        yield from _activation(path, project)
        yield from _collective(document, path, project)
        yield from _scheduler(document, path, project)


def roles_of(table: RolesTable) -> dict[str, str]:
    """Return the roles that a table fills."""
    return {role: getattr(table, role) for role in ROLES if getattr(table, role) is not None}


def _project_names(document: Document) -> Iterator[Problem]:
    """A request names its project by name or alias: two with one name could not be told apart."""
    seen: dict[str, str] = {}
    for key, project in document.projects.items():
        places: list[tuple[Path, str]] = [(("projects", key, "name"), project.name)]
        places += [(("projects", key, "aliases", number), one) for number, one in enumerate(project.aliases)]
        for path, name in places:
            if seen.setdefault(name_key(name), key) != key:
                yield Problem(path, f"{quoted(name)} is already a name of project {quoted(seen[name_key(name)])}")


def _team(document: Document, path: Path, project: ProjectTable) -> Iterator[Problem]:
    ids = document.names("agents")
    for number, agent in enumerate(project.team):
        yield from named((*path, "team", number), agent, ids, "agent")
        if agent in project.team[:number]:
            yield Problem((*path, "team", number), f"{quoted(agent)} is in the team twice")
    if project.responsible is not None:
        yield from named((*path, "responsible"), project.responsible, ids, "agent")


def _activation(path: Path, project: ProjectTable) -> Iterator[Problem]:
    """An active project has a team and a standard event type (R098)."""
    if project.active is not Activation.ON:
        return
    if not project.team:
        yield Problem((*path, "team"), "an active project needs a team; name agents, or write active = false")
    if project.event_types.standard is None:
        yield Problem(
            (*path, "event_types"),
            'an active project needs standard = "…"; name an event type, or write active = false',
        )


def _collective(document: Document, path: Path, project: ProjectTable) -> Iterator[Problem]:
    """Collective visits have every agent of the team as host; that is accepted for teams of one only (R073)."""
    for role, name in roles_of(project.event_types).items():
        kind = document.event_types.get(name)
        if kind is not None and kind.assignment == "collective" and len(project.team) != 1:
            yield Problem(
                (*path, "team"),
                f"{quoted(name)} ({role}) is collective and needs exactly one agent, not {len(project.team)}; "
                f'change the team, or write [event_types.{name}] assignment = "round_robin"',
            )


def _scheduler(document: Document, path: Path, project: ProjectTable) -> Iterator[Problem]:
    if project.scheduler is None:
        return
    account = project.scheduler.account
    yield from named((*path, "scheduler", "account"), account, document.names("accounts"), "account")
    entry = document.accounts.get(account)
    if entry is not None and entry.spec.scheduler is None:
        text = f"{quoted(account)} is a {entry.spec.kind} account, which takes no bookings"
        yield Problem((*path, "scheduler", "account"), text)
    links = roles_of(project.scheduler)
    if not links:
        yield Problem((*path, "scheduler"), 'names no event type; add standard = "…" as the scheduler calls it')
    seen: dict[str, str] = {}
    for role, link in links.items():
        place = (*path, "scheduler", role)
        if role not in roles_of(project.event_types):
            yield Problem(place, f"the project has no {role} event type; add it under event_types, or leave this out")
        if link in seen:
            yield Problem(place, f"is already the scheduler's event type for {seen[link]}; a booking could not be told")
        seen.setdefault(link, role)


# the rest


def _rules(document: Document) -> Iterator[Problem]:
    for number, rule in document.rules.items():
        for place, project in enumerate(rule.projects or []):
            yield from named(("rules", number, "projects", place), project, document.names("projects"), "project")


def _messages(document: Document) -> Iterator[Problem]:
    for number, message in document.messages.items():
        for place, kind in enumerate(message.event_types or []):
            path = ("messages", number, "event_types", place)
            yield from named(path, kind, document.names("event_types"), "event type")
        for place, project in enumerate(message.projects or []):
            yield from named(("messages", number, "projects", place), project, document.names("projects"), "project")
        for key, template in (("subject", message.subject), ("text", message.text)):
            yield from _template(("messages", number, key), template or "")


def _template(path: Path, template: str) -> Iterator[Problem]:
    """Fill a message's own words with a sample, and yield what is wrong with them."""
    for fault in faults_of(template) if template else []:
        place = f"line {fault.line} of it: " if "\n" in template else ""
        yield Problem(path, f"{place}{fault.text}")


def _travel(document: Document) -> Iterator[Problem]:
    for start, ways in document.travel.minutes.items():
        yield from named(("travel", "minutes", start), start, document.names("projects"), "project")
        for end in ways:
            path = ("travel", "minutes", start, end)
            yield from named(path, end, document.names("projects"), "project")
            if end == start:
                yield Problem(path, "is the way from a project to itself; leave it out")


CHECKS: tuple[Check, ...] = (
    _names, _api, _addresses, _agents, _hours, _event_types, _projects, _rules, _messages, _travel, check_alerts,
)  # fmt: skip
