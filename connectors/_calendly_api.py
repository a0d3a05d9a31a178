"""Calls Calendly's API on behalf of one token: one budget, one origin, whole listings or none. Knows no booking."""

import json
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connectors._allowance import Allowance
from connectors._calendly_booking import HOST, Json, text
from connectors._calendly_settings import CalendlySettings
from connectors._http import Answer, Http
from connectors._reading import obj, rows
from syncd.core.ids import AccountId
from syncd.errors import ConnectorError, Forbidden, NotFound, Permanent, Transient, Unreadable
from syncd.ports import Environment

PAGES = 500  # of a hundred rows: no company has more visits in a window


class PageLost(Permanent):
    """Calendly forgot the place in its listing (400 for a page token); the listing is restarted further on."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose token it is, and what its owner may see: the organization for owners and admins, else only themselves."""

    user: str
    organization: str
    role: str

    @property
    def sees_everybody(self) -> bool:
        return self.role in (
            "owner",
            "admin",
            "",
        )  # "": the role may not be read; Calendly will say what is not allowed

    @property
    def reach(self) -> dict[str, str]:
        """The filter that every listing needs."""
        return {"organization": self.organization} if self.sees_everybody else {"user": self.user}


class Api:
    """One token's way to Calendly. Shared by every part of the account in this process, see `api_of`."""

    def __init__(self, account: AccountId, settings: CalendlySettings, env: Environment) -> None:
        self.account, self.settings, self.env = account, settings, env
        self.allowance = Allowance("Calendly", env.clock)
        self.hosts = frozenset((HOST, urlsplit(settings.api_url).netloc))
        self.memory: dict[str, Any] = {}  # the scheduler's: what was last read of each event
        self._identity: Identity | None = None
        self._http = Http(
            env,
            settings.api_url,
            headers={"Authorization": f"Bearer {settings.token.get_secret_value()}", "Accept": "application/json"},
            allow_http=settings.allow_http,
            allow_private=settings.allow_private,
            account=account,
        )

    def get(self, path: str, query: Mapping[str, str] | None = None, *, sweep: bool = False) -> Json:
        return obj(self._send("GET", path, query=query, sweep=sweep).json())

    def resource(self, path: str) -> Json:
        """Read one object; raises NotFound."""
        return _resource(self.get(path))

    def post(self, path: str, body: Json) -> Json:
        """Create; raises Ambiguous when no answer came."""
        return _resource(obj(self._send("POST", path, body=body).json()))

    def delete(self, path: str) -> None:
        self._send("DELETE", path, idempotent=True)

    def pages(self, path: str, query: Mapping[str, str], *, sweep: bool = False) -> Iterator[list[Json]]:
        """Yield a listing page by page with the same filters. Raises PageLost where Calendly forgot the place."""
        token, used = None, set[str]()
        for _ in range(PAGES):
            asked = {**query, "count": "100"} | ({"page_token": token} if token else {})
            try:
                page = self.get(path, asked, sweep=sweep)
            except Permanent as refused:
                if token and refused.answer is not None and refused.answer.status == 400:
                    raise PageLost(str(refused)) from refused
                raise
            if not isinstance(page.get("collection"), list) or not isinstance(page.get("pagination"), dict):
                raise Unreadable(f"{path}: not a listing of Calendly")
            yield [obj(one) for one in rows(page["collection"])]
            token = _next_page(page["pagination"])
            if token is None:
                return
            if token in used:
                raise Unreadable(f"{path}: the pages go round in a circle")
            used.add(token)
        raise Unreadable(f"{path}: no end after {PAGES} pages")

    def listing(self, path: str, query: Mapping[str, str], *, sweep: bool = False) -> list[Json]:
        """Return a whole listing, or raise: part of one is none."""
        return [one for page in self.pages(path, query, sweep=sweep) for one in page]

    def identity(self) -> Identity:
        """Tell whose token this is; asked once."""
        if self._identity is None:
            me = self.resource("/users/me")
            user = text(me, "uri")
            organization = _address(self.settings.organization) or text(me, "current_organization")
            if not user or not organization:
                raise Unreadable("/users/me: no user or no organization")
            self._identity = Identity(user, organization, self._role(user, organization))
        return self._identity

    def _role(self, user: str, organization: str) -> str:
        try:
            memberships = self.listing("/organization_memberships", {"user": user})
        except (Forbidden, NotFound):
            return ""
        return next((text(one, "role") for one in memberships if one.get("organization") == organization), "")

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        sweep: bool = False,
        idempotent: bool | None = None,
        ok: Collection[int] = (200, 201, 204),
    ) -> Answer:
        self.allowance.take(sweep=sweep)
        written = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if written is not None else {}
        try:
            answer = self._http.send(
                method, path, query=query, headers=headers, body=written, idempotent=idempotent, ok=ok
            )
        except ConnectorError as refused:
            raise self._explained(refused, f"{method} {path}") from refused
        self.allowance.note(answer.headers)
        return answer

    def _explained(self, refused: ConnectorError, what: str) -> ConnectorError:
        """Say what Calendly's status means; by the status only, its titles and messages are not to be relied on."""
        answer = refused.answer
        if answer is None:
            return refused
        self.allowance.note(answer.headers)
        if answer.status == 429:
            better: ConnectorError = Transient(str(refused), retry_after=self.allowance.wait(refused, answer.headers))
        elif answer.status == 403:
            self._identity = None  # somebody may have been promoted or demoted
            better = Forbidden(
                f"Calendly refuses {what}: either the token lacks the scope for it (tokens made since March 2026 have "
                f"only those that were picked), or its owner's plan or role does not include it. {_words(answer.body)}"
            )
        else:
            return refused
        better.answer = answer
        return better


def _address(organization: str | None) -> str | None:
    """Complete an organization that the configuration names by its bare id."""
    if organization is None or "/" in organization:
        return organization
    return f"https://{HOST}/organizations/{organization}"


def _words(body: bytes) -> str:
    """Quote what Calendly says, for people."""
    try:
        said = json.loads(body[:2000])["message"]
    except (ValueError, TypeError, KeyError):
        return ""
    return f"Calendly says: {' '.join(str(said).split())[:200]}"


def _resource(answer: Json) -> Json:
    if not isinstance(answer.get("resource"), dict):
        raise Unreadable("not an answer of Calendly: no resource")
    return obj(answer["resource"])


def _next_page(pagination: Json) -> str | None:
    """Return the token of the next page; older answers hold only the address."""
    token, link = text(pagination, "next_page_token"), text(pagination, "next_page")
    if token or not link:
        return token or None
    found = parse_qs(urlsplit(link).query).get("page_token", [])
    if not found:
        raise Unreadable("a next page without a token")
    return found[0]


_APIS: dict[tuple[object, ...], Api] = {}
_APIS_LOCK = threading.Lock()


def api_of(account: AccountId, settings: CalendlySettings, env: Environment) -> Api:
    """Return the one Api of this login in this process: all calls of a token share Calendly's allowance."""
    secret = settings.token.get_secret_value()
    plain = (settings.api_url, settings.organization, settings.allow_http, settings.allow_private)
    key = (account, secret, *plain, env.ca_file, env.proxy, env.public_url, id(env.clock))
    with _APIS_LOCK:
        if key not in _APIS:
            _APIS[key] = Api(account, settings, env)
        return _APIS[key]
