"""What works and is probably not meant: told by check-config, never a reason to stop."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from urllib.parse import urlsplit

from syncd.config.document import Document
from syncd.config.problems import Path, Problem, quoted
from syncd.config.references import roles_of
from syncd.config.values import is_near

SHORTEST_TOKEN = 20


def advise(document: Document) -> Iterator[Problem]:
    """Yield every warning about a document without problems."""
    for check in CHECKS:
        yield from check(document)


def _daemon(document: Document) -> Iterator[Problem]:
    daemon = document.daemon
    if not is_near(daemon.public_url) and daemon.public_url.startswith("http:"):
        yield Problem(
            ("daemon", "public_url"), "clients would send their data readable; write https and put a proxy in front"
        )
    if not is_near(daemon.listen) and not daemon.trusted_proxies:
        text = "is open to the network without TLS; listen on 127.0.0.1 behind a proxy"
        yield Problem(("daemon", "listen"), text)
    if is_near(daemon.public_url) and is_near(daemon.listen):
        port = daemon.listen.rpartition(":")[2]
        if port != str(urlsplit(daemon.public_url).port or 80):
            yield Problem(("daemon", "public_url"), f"has another port than listen ({port}): links would lead nowhere")


def _polling(document: Document) -> Iterator[Problem]:
    if document.sync.poll_every < timedelta(minutes=1):
        yield Problem(("sync", "poll_every"), "under one minute; outside services limit how often they are asked")


def _inline(document: Document) -> Iterator[Problem]:
    """A secret in clear is read by whoever reads the file, its backups and its history."""
    for path in document.secrets.inline:
        if not _is_local(document, path):
            yield Problem(
                path, 'stands here in clear; write { credential = "name" }, { env = "NAME" } or { file = "path" }'
            )


def _is_local(document: Document, path: Path) -> bool:
    if path[0] != "accounts":
        return is_near(document.daemon.public_url)
    raw = document.raw["accounts"][path[1]]
    addresses = [raw[key] for key in ("url", "api_url", "host") if isinstance(raw.get(key), str)]
    return bool(addresses) and all(is_near(one) for one in addresses)


def _tokens(document: Document) -> Iterator[Problem]:
    for name, secret in document.api.tokens.items():
        if len(secret.get_secret_value()) < SHORTEST_TOKEN and not is_near(document.daemon.public_url):
            yield Problem(
                ("api", "tokens", name), f"is easily guessed; use at least {SHORTEST_TOKEN} random characters"
            )


def _agents(document: Document) -> Iterator[Problem]:
    busy = {agent for project in document.projects.values() for agent in project.team}
    for number, agent in document.agents.items():
        if not any(one.role == "publish" for one in agent.calendars):
            text = f"{agent.id} has no calendar with role publish: visits appear in no calendar"
            yield Problem(("agents", number), text)
        if agent.id not in busy:
            yield Problem(("agents", number, "id"), f"{agent.id} is in no team and will host no visit")


def _event_types(document: Document) -> Iterator[Problem]:
    for name, kind in document.event_types.items():
        whole = kind.buffer_before + kind.duration + kind.buffer_after
        if kind.increment is not None and kind.increment < whole:
            minutes = whole // timedelta(minutes=1)
            text = (
                f'is shorter than the visit with its buffers: offered starts exclude each other; "{minutes}m" or none'
            )
            yield Problem(("event_types", name, "increment"), text)


def _projects(document: Document) -> Iterator[Problem]:
    for name, project in document.projects.items():
        path: Path = ("projects", name)
        if project.responsible is None:
            yield Problem(
                path, f'nobody is responsible where no agent is free; write responsible = "{_someone(document)}"'
            )
        hours = {agent.hours for agent in document.agents.values() if agent.id in project.team}
        if len(hours) > 1:
            text = f"work by different hours ({', '.join(sorted(hours))}): one can often not stand in for another"
            yield Problem((*path, "team"), text)
        codes = {document.hours[one].holidays for one in hours}
        if project.holidays is None and len(codes) > 1:
            text = "the team's hours name different holidays, so business days count none; write holidays here"
            yield Problem(path, text)
        yield from _links(
            path, roles_of(project.event_types), roles_of(project.scheduler) if project.scheduler else None
        )


def _someone(document: Document) -> str:
    return next((agent.id for agent in document.agents.values()), "ana")


def _links(path: Path, roles: dict[str, str], links: dict[str, str] | None) -> Iterator[Problem]:
    if links is not None and (missing := [role for role in roles if role not in links]):
        text = f"has no event type for {', '.join(missing)}: such requests cannot be booked at the scheduler"
        yield Problem((*path, "scheduler"), text)


def _shared_links(document: Document) -> Iterator[Problem]:
    """A booking of a shared event type that came without our link could belong to either project."""
    seen: dict[tuple[str, str], str] = {}
    for name, project in document.projects.items():
        for role, link in roles_of(project.scheduler).items() if project.scheduler else ():
            owner = seen.setdefault((project.scheduler.account, link), name) if project.scheduler else name
            if owner != name:
                text = f"is also the event type of project {quoted(owner)}: bookings without our link count there"
                yield Problem(("projects", name, "scheduler", role), text)


def _rules(document: Document) -> Iterator[Problem]:
    used = {role for project in document.projects.values() for role in roles_of(project.event_types)}
    for number, rule in document.rules.items():
        if rule.event_type not in used:
            yield Problem(
                ("rules", number, "event_type"), f"no project has a {rule.event_type} event type: never taken"
            )


def _messages(document: Document) -> Iterator[Problem]:
    if document.messages and not any(one.spec.messenger for one in document.accounts.values()):
        text = "no account carries messages: clients hear nothing of this, agents see notices; add one, such as smtp"
        yield Problem(("messages",), text)


CHECKS: tuple[Callable[[Document], Iterator[Problem]], ...] = (
    _daemon, _polling, _inline, _tokens, _agents, _event_types, _projects, _shared_links, _rules, _messages,
)  # fmt: skip
