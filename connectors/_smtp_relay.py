"""Hands one mail to a relay, and says what its answer means. Knows no letter.

Until the first byte of the mail leaves, whatever goes wrong left nothing behind; from then until the reply nobody
knows.
"""

import base64
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from connectors._address import Reach
from connectors._smtp_settings import SmtpSettings
from connectors._wire import Call, open_socket, under_tls
from syncd.errors import Ambiguous, AuthFailed, ConnectorError, Permanent, Transient
from syncd.ports import Environment

DEADLINE = 30.0
READ_TIMEOUT = 15.0
READY, TAKEN = 354, 250
_DOT = re.compile(rb"(?m)^\.")


class Relay:
    """One relay as one account; every mail has a connection of its own."""

    def __init__(self, settings: SmtpSettings, env: Environment, *, deadline: float = DEADLINE) -> None:
        self._settings, self._env, self._deadline = settings, env, deadline
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        self._reach = Reach.of(f"https://{host}:{settings.port}", allow_private=settings.allow_private)

    def deliver(self, sender: str, to: str, mail: bytes) -> None:
        """Hand a mail over; raises Transient, Permanent, AuthFailed or Ambiguous."""
        with self._session() as session:
            _expect(session.docmd("MAIL", f"FROM:<{sender}>"), "the sender's address", refused=AuthFailed)
            _expect(session.docmd("RCPT", f"TO:<{to}>"), "the reader's address")
            _expect(session.docmd("DATA"), "the mail", wanted=READY)
            try:
                session.send(_DOT.sub(b"..", mail) + b".\r\n")
                answer = session.getreply()
            except (smtplib.SMTPException, OSError):
                raise Ambiguous(f"{self._where}: no answer came after the mail was sent") from None
            _expect(answer, "the mail")

    def greet(self) -> str:
        """Connect and sign in, and send nothing; return what was found."""
        with self._session() as session:
            _expect(session.docmd("NOOP"), "a word")
            return f"{self._where} answers, {self._settings.security}, {'signed in' if self._signs_in else 'no login'}"

    @property
    def _where(self) -> str:
        return f"{self._settings.host}:{self._settings.port}"

    @property
    def _signs_in(self) -> bool:
        return self._settings.password is not None

    @contextmanager
    def _session(self) -> Iterator["_Session"]:
        """Lend a connection that is greeted, under TLS and signed in."""
        if self._env.counted is not None:
            self._env.counted(self._settings.host)
        call = Call(self._env.clock.monotonic, self._deadline, READ_TIMEOUT)
        session = _Session(self._settings, self._env, self._reach, call)
        try:
            self._open(session)
            yield session
        except ConnectorError:
            raise
        except ssl.SSLCertVerificationError:
            raise Transient(
                f"{self._where}: its certificate is not trusted; for a private authority set ca_file"
            ) from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise Transient(f"{self._where}: {_why(error)}") from None
        finally:
            with suppress(smtplib.SMTPException, OSError):
                session.send(b"QUIT\r\n")
            session.close()

    def _open(self, session: "_Session") -> None:
        _expect(
            session.connect(self._settings.host, self._settings.port), "a connection", wanted=220, refused=Transient
        )
        _expect(session.ehlo(), "a greeting", refused=Transient)
        if self._settings.security == "starttls":
            session.start_tls()
        if self._settings.password is not None:
            self._sign_in(session, self._settings.username or "", self._settings.password.get_secret_value())

    def _sign_in(self, session: "_Session", username: str, password: str) -> None:
        """Sign in with AUTH PLAIN or LOGIN, in UTF-8 (RFC 4616); smtplib's own way knows ASCII only."""
        _expect(session.authenticate(username, password), "the login", wanted=235, refused=AuthFailed)


class _Session(smtplib.SMTP):
    """smtplib's session over our own sockets: addresses checked, one TLS context, one deadline."""

    def __init__(self, settings: SmtpSettings, env: Environment, reach: Reach, call: Call) -> None:
        super().__init__(local_hostname="syncd")
        self._settings, self._env, self._reach, self._call = settings, env, reach, call

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = open_socket(self._env, self._reach, self._call)
        return under_tls(sock, self._env, host) if self._settings.security == "tls" else sock

    def authenticate(self, username: str, password: str) -> tuple[int, bytes]:
        known = self.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in known:
            return self.docmd("AUTH", f"PLAIN {_packed(f'{chr(0)}{username}{chr(0)}{password}')}")
        if "LOGIN" not in known:
            raise AuthFailed("the relay takes no login here; take username and password out, or correct port")
        for line in ("AUTH LOGIN", _packed(username)):
            _expect(self.docmd(line), "the login", wanted=334, refused=AuthFailed)
        return self.docmd(_packed(password))

    def start_tls(self) -> None:
        """Go under TLS or not at all: what was said before it no longer counts (RFC 3207 4.2)."""
        if not self.has_extn("starttls"):
            raise Transient(f"{self._settings.host} offers no STARTTLS: nothing was sent in the open")
        _expect(self.docmd("STARTTLS"), "TLS", wanted=220, refused=Transient)
        sock: Any = self.sock
        self.sock = under_tls(sock, self._env, self._settings.host)
        self.file: Any = None
        self.helo_resp = self.ehlo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False
        _expect(self.ehlo(), "a greeting", refused=Transient)


def _expect(
    answer: tuple[int, bytes], what: str, *, wanted: int = TAKEN, refused: type[ConnectorError] = Permanent
) -> None:
    """Insist on an answer; the relay's own words are not quoted, they name people."""
    code = answer[0]
    if code == wanted or (wanted == TAKEN and 200 <= code < 300):
        return
    if code in (530, 534, 535, 538):
        raise AuthFailed(f"the relay wants a login ({code})")
    if 400 <= code < 500:
        raise Transient(f"the relay does not take {what} now ({code})")
    if 500 <= code < 600:
        raise refused(f"the relay refuses {what} ({code})")
    raise Transient(f"the relay gave no proper answer to {what} ({code})")


def _packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return "the connection was closed" if isinstance(error, smtplib.SMTPServerDisconnected) else type(error).__name__
