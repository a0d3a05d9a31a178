"""A mail relay on a loopback port: aiosmtpd, with the faults that relays have. Keeps every mail as it came."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

LOGIN = ("syncd", "contraseña-del-relé")


@dataclass
class Relay:
    """What the relay took, and what it will answer. A fault holds until it is taken away.

    `drop` closes the connection at a step: "data" before the mail was read, "taken" after it was taken.
    """

    answers: dict[str, str] = field(default_factory=dict)  # "MAIL" | "RCPT" | "DATA" -> answer
    drop: str = ""
    raw: list[bytes] = field(default_factory=list)
    envelopes: list[tuple[str, list[str]]] = field(default_factory=list)
    port: int = 0

    @property
    def mails(self) -> list[EmailMessage]:
        return [message_from_bytes(one, policy=default) for one in self.raw]

    async def handle_MAIL(self, _server: SMTP, _session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        if "MAIL" in self.answers:
            return self.answers["MAIL"]
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(self, _server: SMTP, _session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        if "RCPT" in self.answers:
            return self.answers["RCPT"]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Any, envelope: Any) -> str:  # noqa: N802
        if "DATA" in self.answers:
            return self.answers["DATA"]
        self.raw.append(bytes(envelope.original_content))
        self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
        if self.drop == "taken":
            transport: Any = server.transport
            transport.abort()
        return "250 taken"


def _is_known(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    right = isinstance(data, LoginPassword) and (data.login, data.password) == tuple(one.encode() for one in LOGIN)
    return AuthResult(success=right, handled=False)


class _Door(Controller):
    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def relay(tls: ssl.SSLContext | None = None, *, wants_login: bool = False) -> Iterator[Relay]:
    """Run a relay; with `tls` it offers STARTTLS and insists on it."""
    taken = Relay()
    options: dict[str, Any] = {"tls_context": tls, "require_starttls": tls is not None}
    if wants_login:
        options |= {"authenticator": _is_known, "auth_required": True, "auth_require_tls": tls is not None}
    controller = _Door(taken, hostname="127.0.0.1", port=0, **options)
    controller.start()
    taken.port = controller.port
    try:
        yield taken
    finally:
        controller.stop()
