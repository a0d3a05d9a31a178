"""Twilio's Messages API as its documentation says: basic login, forms, SIDs, status callbacks that are signed."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from tests.servers.http_desk import Answer, Desk, desk

SID, TOKEN, NUMBER = "AC" + "0" * 32, "0123456789abcdef-token", "+56221234567"


@dataclass
class Twilio:
    """One account; `refuse` is the status and the code that it answers with."""

    taken: list[dict[str, str]] = field(default_factory=list)
    refuse: tuple[int, int] | None = None
    desk: Desk | None = None

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        login = base64.b64encode(f"{SID}:{TOKEN}".encode()).decode()
        if headers.get("Authorization") != f"Basic {login}":
            return error(401, 20003)
        if self.refuse is not None:
            return error(*self.refuse)
        if method == "GET":
            return 200, json.dumps({"sid": SID, "status": "active"}).encode()
        if path != f"/2010-04-01/Accounts/{SID}/Messages.json":
            return error(404, 20404)
        form = dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
        if form["From"] != NUMBER:
            return error(400, 21606)
        if not 0 < len(form["Body"]) <= 1600:
            return error(400, 21617)
        self.taken.append(form)
        return 201, json.dumps({"sid": f"SM{len(self.taken):032d}", "status": "queued"}).encode()


def error(status: int, code: int) -> Answer:
    return status, json.dumps({"code": code, "message": "no", "status": status}).encode()


def callback(sid: str, state: str, **more: str) -> dict[str, str]:
    return {"AccountSid": SID, "MessageSid": sid, "MessageStatus": state, "SmsSid": sid, "To": "+56912345678", **more}


def signed(url: str, form: dict[str, str], token: str = TOKEN) -> str:
    """Sign as Twilio's page "Validating requests" says, written anew here."""
    text = url
    for name in sorted(form):
        text += name + form[name]
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def wire(form: dict[str, str]) -> bytes:
    return urlencode(form).encode()


@contextmanager
def twilio() -> Iterator[Twilio]:
    found = Twilio()
    with desk(found.answer) as found.desk:
        yield found
