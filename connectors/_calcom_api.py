"""Calls Cal.com's API v2 on behalf of one key: a version on every call, one budget, whole listings or none. Knows no
booking.

Source: cal.com/docs/api-reference/v2 and its OpenAPI document. The allowance is 120 calls a minute and key.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from connectors._allowance import Allowance
from connectors._calcom_settings import CalcomSettings
from connectors._http import Answer, Http
from connectors._reading import Json, obj, rows
from syncd.core.ids import AccountId
from syncd.errors import ConnectorError, Forbidden, Transient, Unreadable
from syncd.ports import Environment

PAGE = 100
SEAM = 10  # rows that two pages of a moving listing share
PAGES = 500
MINUTE = 60.0


class Api:
    """One key's way to Cal.com. Shared by every part of the account in this process, see `api_of`."""

    def __init__(self, account: AccountId, settings: CalcomSettings, env: Environment) -> None:
        self.account, self.settings, self.env = account, settings, env
        self.allowance = Allowance("Cal.com", env.clock, ("-Default", ""))
        self.seats: dict[str, frozenset[str]] = {}  # uid -> the seats last seen taken: one given up is listed no more
        self._http = Http(
            env,
            settings.api_url,
            headers={"Authorization": f"Bearer {settings.api_key.get_secret_value()}", "Accept": "application/json"},
            allow_http=settings.allow_http,
            allow_private=settings.allow_private,
            account=account,
        )

    def get(self, path: str, query: Mapping[str, str] | None = None, *, version: str = "", sweep: bool = False) -> Any:
        """Read; returns what stands under `data`."""
        return _data(self._send("GET", path, version, query=query, sweep=sweep))

    def post(self, path: str, body: Json, *, version: str = "") -> Any:
        """Do; raises Ambiguous when no answer came."""
        return _data(self._send("POST", path, version, body=body))

    def delete(self, path: str) -> None:
        self._send("DELETE", path, "", idempotent=True)

    def listing(self, path: str, query: Mapping[str, str]) -> list[Json]:
        """Return a whole listing whose rows never change places (sorted by creation), or raise: part of one is none."""
        return [one for page in self._pages(path, query, seam=0) for one in page]

    def moving(self, path: str, query: Mapping[str, str], key: str) -> list[Json]:
        """Return a listing whose rows may move to its end meanwhile; pages overlap, a torn seam raises Transient.

        A row read twice counts as it was read last.
        """
        found: dict[Any, Json] = {}
        for page in self._pages(path, query, seam=SEAM):
            if found and not any(found.get(one.get(key)) == one for one in page[:SEAM]):  # the same, unmoved
                raise Transient("Cal.com's bookings changed faster than they could be listed")
            found |= {one.get(key): one for one in page}
        return list(found.values())

    def _pages(self, path: str, query: Mapping[str, str], *, seam: int) -> Iterator[list[Json]]:
        skip = 0
        for _ in range(PAGES):
            asked = {**query, "take": str(PAGE), "skip": str(skip)}
            answer = _envelope(self._send("GET", path, "", query=asked, sweep=True))
            page = [obj(one) for one in _list(answer, path)]
            yield page
            if not _has_next(answer, page):
                return
            if len(page) <= seam:
                raise Unreadable(f"{path}: a page of {len(page)} rows that says more follow")
            skip += len(page) - seam
        raise Unreadable(f"{path}: no end after {PAGES} pages")

    def _send(
        self,
        method: str,
        path: str,
        version: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Json | None = None,
        sweep: bool = False,
        idempotent: bool | None = None,
    ) -> Answer:
        self.allowance.take(sweep=sweep)
        headers = {"cal-api-version": version or self.settings.api_version}
        written = None if body is None else json.dumps(body).encode()
        headers |= {"Content-Type": "application/json"} if written is not None else {}
        try:
            answer = self._http.send(
                method, path, query=query, headers=headers, body=written, idempotent=idempotent, ok=(200, 201, 204)
            )
        except ConnectorError as refused:
            raise self._explained(refused, method) from refused
        self.allowance.note(answer.headers)
        return answer

    def _explained(self, refused: ConnectorError, method: str) -> ConnectorError:
        """Say what Cal.com's status means, and when to come back after a 429."""
        answer = refused.answer
        if answer is None:
            return refused
        self.allowance.note(answer.headers)
        if answer.status == 429:
            wait = self.allowance.wait(refused, answer.headers)
            better: ConnectorError = Transient(str(refused), retry_after=MINUTE if wait is None else wait)
        elif answer.status == 403:
            better = Forbidden(
                f"Cal.com refuses this {method}: the key's owner is no host or admin of it, or the plan does not "
                f"include it. {_words(answer.body)}".strip()
            )
        else:
            return refused
        better.answer = answer
        return better


def _envelope(answer: Answer) -> Json:
    """Check the envelope: another shape means that another version of the API answered."""
    envelope = answer.json()
    if not isinstance(envelope, dict) or envelope.get("status") != "success" or "data" not in envelope:
        raise Unreadable("not an answer of Cal.com's API v2: no {status: success, data}; is api_version right?")
    return envelope


def _data(answer: Answer) -> Any:
    return _envelope(answer)["data"]


def _list(envelope: Json, path: str) -> list[object]:
    if not isinstance(envelope["data"], list):
        raise Unreadable(f"{path}: not a listing of Cal.com; is api_version right?")
    return rows(envelope["data"])


def _has_next(envelope: Json, page: list[Json]) -> bool:
    """Tell whether more follows; listings without `pagination` (webhooks) end with the first short page."""
    pagination = envelope.get("pagination")
    if pagination is None:
        return len(page) >= PAGE
    more = obj(pagination).get("hasNextPage")
    if not isinstance(more, bool):
        raise Unreadable("pagination without hasNextPage")
    return more


def _words(body: bytes) -> str:
    """Quote what Cal.com says, for people."""
    try:
        said = json.loads(body[:2000])["error"]["message"]
    except (ValueError, TypeError, KeyError):
        return ""
    return f"Cal.com says: {' '.join(str(said).split())[:200]}"


_APIS: dict[tuple[object, ...], Api] = {}
_APIS_LOCK = threading.Lock()


def api_of(account: AccountId, settings: CalcomSettings, env: Environment) -> Api:
    """Return the one Api of this login in this process: all calls of a key share Cal.com's allowance."""
    secrets = (settings.api_key.get_secret_value(), *settings.keys)
    key = (account, secrets, settings.model_dump_json(), env.ca_file, env.proxy, env.public_url, id(env.clock))
    with _APIS_LOCK:
        if key not in _APIS:
            _APIS[key] = Api(account, settings, env)
        return _APIS[key]
