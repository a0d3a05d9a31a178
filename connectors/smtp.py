"""Mail through a relay over SMTP: text, HTML and invitations. docs/providers/smtp.md says how to set it up.

This module only puts the parts together.
"""

from collections.abc import Sequence
from typing import Any

from connectors._smtp_mail import mail_of, read_address
from connectors._smtp_relay import Relay
from connectors._smtp_settings import SmtpSettings
from syncd.core.ids import AccountId
from syncd.core.letter import Channel, Letter
from syncd.errors import AuthFailed, ConnectorError
from syncd.ports import Check, ConnectorSpec, Environment

__all__ = ["SPEC", "SmtpMessenger", "SmtpSettings"]

LOGIN_ADVICE = "correct username and password; many providers want a password made for programs"
HOST_ADVICE = 'correct host and port: 587 with security = "starttls", 465 with "tls"'


class SmtpMessenger:
    """Sends letters as mail."""

    channel = Channel.EMAIL

    def __init__(self, settings: SmtpSettings, env: Environment) -> None:
        self._settings, self._env = settings, env
        self._relay = Relay(settings, env)

    def send(self, letter: Letter) -> str:
        """Hand a mail to the relay; returns its Message-ID, the same for the same letter, whenever it is sent."""
        ours = self._settings
        mail = mail_of(
            letter,
            sender=ours.sender,
            sender_name=ours.sender_name,
            reply_to=ours.reply_to,
            at=self._env.clock.now(),
        )
        self._relay.deliver(ours.sender, read_address(letter.to), mail.as_bytes())
        return str(mail["Message-ID"])


def messenger(_account: AccountId, settings: Any, env: Environment) -> SmtpMessenger:
    return SmtpMessenger(settings, env)


def sender(settings: Any) -> str:
    ours: SmtpSettings = settings
    return ours.sender


def check(_account: AccountId, settings: Any, env: Environment, _names: Sequence[str]) -> list[Check]:
    """Connect and sign in; nothing is sent."""
    try:
        return [Check(what="relay", state="ok", text=Relay(settings, env).greet())]
    except AuthFailed as error:
        return [Check(what="relay", state="fail", text=str(error), remedy=LOGIN_ADVICE)]
    except ConnectorError as error:
        return [Check(what="relay", state="fail", text=str(error), remedy=HOST_ADVICE)]


SPEC = ConnectorSpec(kind="smtp", settings_model=SmtpSettings, check=check, messenger=messenger, sender=sender)
