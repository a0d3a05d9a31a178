"""A client of the API that fails on any answer the OpenAPI description does not promise, to the last field."""

import json
from dataclasses import dataclass
from typing import Any

import requests
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.routing import Match

from syncd.web.api import operations
from syncd.web.headers import HEADERS
from syncd.web.problems import MEDIA_TYPE, PROBLEMS

TIMEOUT = 20


@dataclass(frozen=True, slots=True)
class Seen:
    """One kind of answer that a test got: what the coverage of the description is judged by."""

    method: str
    path: str
    status: int


class Undocumented(AssertionError):
    """The API said something that its description does not promise."""


class Recorder:
    """Sends requests to a running stage and checks every answer."""

    def __init__(self, url: str, api: FastAPI, token: str) -> None:
        self.url = url
        self.seen: set[Seen] = set()
        self._routes = operations()
        self._described: dict[str, Any] = json.loads(json.dumps(api.openapi()))
        self._session = requests.Session()
        self._session.trust_env = False
        self._token = token

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send one request as the right caller, unless `token` says otherwise (None: none)."""
        token = options.pop("token", self._token)
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        url = f"{self.url}{path}"
        answer = self._session.request(method, url, headers=headers, timeout=TIMEOUT, **options)
        self._check(method, path.partition("?")[0], answer)
        return answer

    def get(self, path: str, **options: Any) -> requests.Response:
        return self("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> requests.Response:
        return self("POST", path, json={} if body is None else body, **options)

    def close(self) -> None:
        self._session.close()

    def _check(self, method: str, path: str, answer: requests.Response) -> None:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        if answer.status_code >= 400:
            check_problem(answer)
        route = self._route(method, path)
        if route is None:
            assert answer.status_code in (404, 405), answer.text
            return
        documented = self._described["paths"][route.path][method.lower()]["responses"]
        promised = documented.get(str(answer.status_code))
        if promised is None:
            raise Undocumented(f"{method} {route.path} answered {answer.status_code}: {answer.text[:300]}")
        kind = answer.headers["Content-Type"].partition(";")[0]
        if kind not in promised["content"]:
            raise Undocumented(f"{method} {route.path} {answer.status_code} is {kind}, not {list(promised['content'])}")
        TypeAdapter(route.responses[answer.status_code]["model"]).validate_json(answer.content, strict=True)
        self.seen.add(Seen(method, route.path, answer.status_code))

    def _route(self, method: str, path: str) -> APIRoute | None:
        scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
        return next((one for one in self._routes if one.matches(scope)[0] is Match.FULL), None)


def check_problem(answer: requests.Response) -> None:
    """Check that an answer is a problem detail of a type that we know, with its own status."""
    assert answer.headers["Content-Type"] == MEDIA_TYPE, answer.text
    body = answer.json()
    assert PROBLEMS[body["type"]] == (answer.status_code, body["title"])
    assert body["status"] == answer.status_code
