"""Judges every request that reaches the stand-in for Graph and every answer it gives, by Microsoft's own description.

The description lies beside the checkout; where it is absent nothing is judged, and a test says so by being skipped.
"""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests

CONTRACT = Path(__file__).resolve().parents[3] / "shared" / "contracts" / "msgraph-calendar-openapi.yaml"
REAL = "https://graph.microsoft.com/v1.0"
ABSENT = f"Microsoft's description of Graph is not here: {CONTRACT}"


@cache
def contract() -> Any:
    """Return the description, None where it is absent; reading it takes half a second."""
    if not CONTRACT.is_file():
        return None
    from openapi_core import OpenAPI

    return OpenAPI.from_file_path(str(CONTRACT))


def needs_contract() -> pytest.MarkDecorator:
    return pytest.mark.skipif(not CONTRACT.is_file(), reason=ABSENT)


@dataclass
class Judge:
    """Gathers what is wrong; `judged` counts requests and answers that were looked at."""

    wrong: list[str] = field(default_factory=list)
    judged: int = 0
    on: bool = True  # off where the same page comes by the hundred

    def request(self, method: str, path: str, headers: dict[str, str], body: bytes) -> str | None:
        """Return what is wrong with a request, None where it is right or nobody can tell."""
        if contract() is None or not self.on:
            return None
        from openapi_core.contrib.requests import RequestsOpenAPIRequest

        self.judged += 1
        try:
            contract().validate_request(RequestsOpenAPIRequest(_prepared(method, path, headers, body)))
        except Exception as error:  # noqa: BLE001 - whatever the library calls it
            return self._note(f"{method} {path}", error)
        return None

    def answer(self, method: str, path: str, status: int, body: bytes) -> None:
        """Note what is wrong with an answer. Trouble (5xx) is not described.

        A PATCH that tells what it made (200, as the live service does) is judged as the GET of the same thing:
        the description, made from metadata, only knows 204.
        """
        if contract() is None or not self.on or status >= 500:
            return
        from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse

        self.judged += 1
        told = "GET" if method == "PATCH" and status == 200 else method
        request = RequestsOpenAPIRequest(_prepared(told, path, {}, b""))
        response = requests.Response()
        response.status_code, response._content = status, body
        response.headers["Content-Type"] = "application/json"
        try:
            contract().validate_response(request, RequestsOpenAPIResponse(response))
        except Exception as error:  # noqa: BLE001 - as above
            self._note(f"answer {status} to {method} {path}: {body[:300]!r}", error)

    def _note(self, what: str, error: Exception) -> str:
        causes = [str(error)]
        cause: BaseException | None = error.__cause__
        while cause is not None and len(causes) < 5:
            causes.append(str(getattr(cause, "schema_errors", cause))[:300])
            cause = cause.__cause__
        self.wrong.append(f"{what}: {' <- '.join(causes)}")
        return self.wrong[-1]


def _prepared(method: str, path: str, headers: dict[str, str], body: bytes) -> requests.PreparedRequest:
    kept = {name: value for name, value in headers.items() if name.lower() in ("prefer", "if-match", "content-type")}
    return requests.Request(method, REAL + path, headers=kept, data=body or None).prepare()
