"""WhatsApp's Cloud API as its documentation says: a token, templates that exist, ids, signed statuses."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.servers.http_desk import Answer, Desk, desk

TOKEN, APP_SECRET, VERIFY, NUMBER = "EAAtoken", "app secret", "verify me", "106540352242922"
TEMPLATES = {("aviso_visita", "es"): 4, ("con_boton", "es"): 0}


@dataclass
class Whatsapp:
    """One number; `refuse` is the status and the code that it answers with."""

    taken: list[dict[str, Any]] = field(default_factory=list)
    refuse: tuple[int, int] | None = None
    desk: Desk | None = None

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return error(401, 190)
        if self.refuse is not None:
            return error(*self.refuse)
        if method == "GET":
            return 200, json.dumps({"id": NUMBER, "display_phone_number": "+56 2"}).encode()
        if not path.endswith(f"/{NUMBER}/messages"):
            return error(404, 100)
        return self._take(json.loads(body))

    def _take(self, asked: dict[str, Any]) -> Answer:
        template = asked["template"]
        wanted = TEMPLATES.get((template["name"], template["language"]["code"]))
        if wanted is None:
            return error(404, 132001)
        texts = [one["text"] for part in template["components"] for one in part["parameters"]]
        body = [one for part in template["components"] if part["type"] == "body" for one in part["parameters"]]
        if len(body) != wanted:
            return error(400, 132000)
        if any(not one or "\n" in one or "\t" in one or "    " in one for one in texts):
            return error(400, 132012)
        if not asked["to"].isdigit() or asked["messaging_product"] != "whatsapp":
            return error(400, 100)
        self.taken.append(asked)
        return 200, json.dumps({"messages": [{"id": f"wamid.{len(self.taken)}"}]}).encode()


def error(status: int, code: int) -> Answer:
    return status, json.dumps({"error": {"message": "no", "type": "OAuthException", "code": code}}).encode()


def status(remote_id: str, state: str, *, number: str = NUMBER, at: int = 1_700_000_000, **more: Any) -> bytes:
    """Write one status as Meta sends it."""
    told = {"id": remote_id, "status": state, "timestamp": str(at), "recipient_id": "56912345678", **more}
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": number}, "statuses": [told]}
    entry = [{"id": "1", "changes": [{"field": "messages", "value": value}]}]
    return json.dumps({"object": "whatsapp_business_account", "entry": entry}).encode()


def signed(body: bytes, secret: str = APP_SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@contextmanager
def whatsapp() -> Iterator[Whatsapp]:
    found = Whatsapp()
    with desk(found.answer) as found.desk:
        yield found
