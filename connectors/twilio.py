"""Short messages over Twilio, with reports of what became of them. docs/providers/twilio.md says how to set it up."""

import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from connectors._http import Http
from connectors._twilio_hook import hook, reports
from connectors._twilio_settings import TwilioSettings
from syncd.core.ids import AccountId
from syncd.core.letter import Channel, Letter
from syncd.errors import Ambiguous, AuthFailed, ConnectorError, Permanent, Transient, Unreadable
from syncd.ical import one_line
from syncd.ports import Check, ConnectorSpec, Environment

__all__ = ["SPEC", "TwilioMessenger", "TwilioSettings"]

SEGMENTS = 10
GSM_SEGMENT, UCS_SEGMENT = 153, 67  # characters, when there are several
# GSM 03.38, the basic alphabet, and what costs two characters of it.
GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_DOUBLE = frozenset("^{}\\[~]|€")
OURS = frozenset(
    {20003, 20005, 21212, 21603, 21606, 21659, 21660}
)  # the account or its number is wrong, not the reader
ADVICE = "copy Account SID and Auth Token from the console of Twilio; `from` must be a number of that account"
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)


class TwilioMessenger:
    """Sends letters as short messages."""

    channel = Channel.SMS

    def __init__(self, account: AccountId, settings: TwilioSettings, env: Environment) -> None:
        self._settings = settings
        self._callback = f"{env.public_url}/hook/{account}" if env.public_url else ""
        self._http = http_of(account, settings, env)

    def send(self, letter: Letter) -> str:
        """Send a short message; returns Twilio's SID."""
        if not _NUMBER.fullmatch(letter.to):
            raise Permanent("not a telephone number with its country")
        sender = "MessagingServiceSid" if self._settings.sender.startswith("MG") else "From"
        form = {"To": letter.to, sender: self._settings.sender, "Body": shortened(letter.text)}
        if self._callback:
            form["StatusCallback"] = self._callback
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        path = f"2010-04-01/Accounts/{self._settings.account_sid}/Messages.json"
        try:
            answer = self._http.send("POST", path, body=urlencode(form).encode(), headers=headers, ok=(200, 201))
        except ConnectorError as error:
            raise _meaning(error) from None
        return _sid_of(answer.body)


def shortened(text: str) -> str:
    """Return one line of at most ten segments; a link at its end is kept whole."""
    whole = one_line(text)
    if _segments(whole) <= SEGMENTS:
        return whole
    head, _, last = whole.rpartition(" ")
    link = f" {last}" if last.startswith(("https://", "http://")) else ""
    head = head if link else whole
    while head and _segments(f"{head}…{link}") > SEGMENTS:
        head = head[: min(len(head) - 1, SEGMENTS * UCS_SEGMENT)]
    return f"{head}…{link}"


def _segments(text: str) -> int:
    if all(one in GSM or one in GSM_DOUBLE for one in text):
        return -(-sum(2 if one in GSM_DOUBLE else 1 for one in text) // GSM_SEGMENT)
    return -(-len(text.encode("utf-16-le", "replace")) // 2 // UCS_SEGMENT)


def _sid_of(body: bytes) -> str:
    try:
        found = json.loads(body)["sid"]
    except (ValueError, KeyError, TypeError):
        found = None
    if not isinstance(found, str) or not found:
        raise Ambiguous("Twilio took the message and told no SID")
    return found


def _meaning(error: ConnectorError) -> ConnectorError:
    """Return what a refusal means: Twilio's code says more than the status."""
    if error.answer is None:
        return error
    code, status = _code(error), error.answer.status
    text = f"Twilio answers {status}, code {code}"
    if status == 429:
        return Transient(text, getattr(error, "retry_after", None))
    if status in (401, 403, 404) or code in OURS:
        return AuthFailed(text)
    return Ambiguous(text) if status >= 500 else Permanent(text)


def _code(error: ConnectorError) -> int | None:
    try:
        found = error.answer.json()["code"] if error.answer is not None else None
    except (Unreadable, KeyError, TypeError):
        return None
    return found if isinstance(found, int) else None


def http_of(account: AccountId, settings: TwilioSettings, env: Environment) -> Http:
    return Http(
        env,
        settings.api_url,
        auth=(settings.account_sid, settings.auth_token.get_secret_value()),
        allow_http=settings.allow_http,
        allow_private=settings.allow_private,
        account=account,
    )


def messenger(account: AccountId, settings: Any, env: Environment) -> TwilioMessenger:
    return TwilioMessenger(account, settings, env)


def check(account: AccountId, settings: Any, env: Environment, _names: Sequence[str]) -> list[Check]:
    """Read the account's own record; nothing is sent."""
    ours: TwilioSettings = settings
    try:
        http_of(account, ours, env).send("GET", f"2010-04-01/Accounts/{ours.account_sid}.json")
    except ConnectorError as error:
        return [Check(what="account", state="fail", text=str(_meaning(error)), remedy=ADVICE)]
    return [Check(what="account", state="ok", text="the account answers")]


SPEC = ConnectorSpec(
    kind="twilio", settings_model=TwilioSettings, check=check, messenger=messenger, hook=hook, reports=reports
)
