"""Messages over WhatsApp's Cloud API, by templates that Meta has approved. docs/providers/whatsapp.md says how.

Outside the 24 hours after a client wrote, nothing but a template may be sent; so every message is one.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from connectors._http import Http
from connectors._whatsapp_hook import handshake, hook, reports
from connectors._whatsapp_settings import Template, WhatsappSettings
from syncd.core.ids import AccountId
from syncd.core.letter import Channel, Letter
from syncd.errors import Ambiguous, AuthFailed, ConnectorError, Permanent, Transient, Unreadable
from syncd.ical import one_line
from syncd.ports import Check, ConnectorSpec, Environment

__all__ = ["SPEC", "WhatsappMessenger", "WhatsappSettings"]

# Codes of Meta's page "Error codes" of the Cloud API.
BUSY = frozenset({1, 2, 4, 80007, 130429, 131016, 131048, 131056, 133004})
LOGIN = frozenset({0, 3, 10, 190, 368, 131005, 131031, 131042, 133010, *range(200, 300)})
LONGEST = 200  # characters of one variable
ADVICE = "make a permanent token of a system user with whatsapp_business_messaging, and put it into `token`"
_ADDRESS = re.compile(r"(?:https?://|www\.)\S*", re.IGNORECASE)
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)


class WhatsappMessenger:
    """Sends letters as templates."""

    channel = Channel.WHATSAPP

    def __init__(self, account: AccountId, settings: WhatsappSettings, env: Environment) -> None:
        self._settings = settings
        self._http = http_of(account, settings, env)

    def send(self, letter: Letter) -> str:
        """Send a template; returns WhatsApp's id. A kind without a template is refused for good."""
        template = self._settings.templates.get(letter.kind)
        if template is None:
            raise Permanent(f"no template is named for {letter.kind}")
        if not _NUMBER.fullmatch(letter.to):
            raise Permanent("not a telephone number with its country")
        body = json.dumps(_message(letter, template)).encode()
        path = f"{self._settings.version}/{self._settings.phone_number_id}/messages"
        try:
            answer = self._http.send(
                "POST", path, body=body, headers={"Content-Type": "application/json"}, ok=(200, 201)
            )
        except ConnectorError as error:
            raise _meaning(error) from None
        return _id_of(answer.body)


def _message(letter: Letter, template: Template) -> dict[str, Any]:
    values = [_value(letter.variables.get(name, "")) for name in template.variables]
    components: list[dict[str, Any]] = []
    if values:
        components.append({"type": "body", "parameters": [{"type": "text", "text": one} for one in values]})
    if template.button:
        last = letter.variables.get(template.button, "").rpartition("/")[2]
        if not last:
            raise Permanent(f"the template of {letter.kind} has a button, and there is no {template.button}")
        button = {"type": "button", "sub_type": "url", "index": "0"}
        components.append({**button, "parameters": [{"type": "text", "text": last}]})
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": letter.to.removeprefix("+"),
        "type": "template",
        "template": {"name": template.name, "language": {"code": template.language}, "components": components},
    }


def _value(text: str) -> str:
    """Return one variable: one line, no runs of blanks, no address that a client might have typed; never empty."""
    return one_line(_ADDRESS.sub("", one_line(text)))[:LONGEST] or "-"


def _id_of(body: bytes) -> str:
    try:
        found = json.loads(body)["messages"][0]["id"]
    except (ValueError, KeyError, IndexError, TypeError):
        found = None
    if not isinstance(found, str) or not found:
        raise Ambiguous("WhatsApp took the message and told no id")
    return found


def _meaning(error: ConnectorError) -> ConnectorError:
    """Return what a refusal means: Meta's code says more than the status."""
    if error.answer is None:
        return error
    code, status = _code(error), error.answer.status
    text = f"WhatsApp answers {status}, code {code}"
    if code in BUSY or status == 429:
        return Transient(text, getattr(error, "retry_after", None))
    if status == 401 or (code in LOGIN and status < 500):
        return AuthFailed(text)
    return Ambiguous(text) if status >= 500 else Permanent(text)


def _code(error: ConnectorError) -> int | None:
    try:
        found = error.answer.json()["error"]["code"] if error.answer is not None else None
    except (Unreadable, KeyError, TypeError):
        return None
    return found if isinstance(found, int) else None


def http_of(account: AccountId, settings: WhatsappSettings, env: Environment) -> Http:
    return Http(
        env,
        settings.api_url,
        headers={"Authorization": f"Bearer {settings.token.get_secret_value()}"},
        allow_http=settings.allow_http,
        allow_private=settings.allow_private,
        account=account,
    )


def messenger(account: AccountId, settings: Any, env: Environment) -> WhatsappMessenger:
    return WhatsappMessenger(account, settings, env)


def check(account: AccountId, settings: Any, env: Environment, _names: Sequence[str]) -> list[Check]:
    """Read the number's own record; nothing is sent."""
    ours: WhatsappSettings = settings
    try:
        http_of(account, ours, env).send("GET", f"{ours.version}/{ours.phone_number_id}")
    except ConnectorError as error:
        return [Check(what="token", state="fail", text=str(_meaning(error)), remedy=ADVICE)]
    kinds = ", ".join(sorted(ours.templates)) or "none: nothing can be sent"
    return [
        Check(what="token", state="ok", text="the number answers"),
        Check(
            what="templates", state="ok" if ours.templates else "warn", text=kinds, remedy="name them in `templates`"
        ),
    ]


SPEC = ConnectorSpec(
    kind="whatsapp",
    settings_model=WhatsappSettings,
    check=check,
    messenger=messenger,
    hook=hook,
    handshake=handshake,
    reports=reports,
)
