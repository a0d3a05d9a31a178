"""How bytes become requests: uvicorn's parser with a cap and a deadline on the head, and no two readings of one length.

(RFC 9112 section 6.3: a request with both Content-Length and Transfer-Encoding is refused and the connection closed.)
"""

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from syncd.core import limits

LINGER = 1.0  # seconds in which the peer may read our refusal while we throw away what it still sends
WAITING = 600  # connections that may be without a complete head at once; then the oldest goes
REASONS = {
    400: ("Bad Request", "malformed"),
    408: ("Request Timeout", "too-slow"),
    431: ("Request Header Fields Too Large", "too-large"),
}


class RefusedHead(Exception):
    """The head of a request is not taken; raised inside the parser's callbacks."""

    def __init__(self, status: int) -> None:
        super().__init__(str(status))
        self.status = status


class Protocol(HttpToolsProtocol):
    """One connection."""

    head_seconds = limits.BODY_SECONDS
    waiting: dict["Protocol", None] = {}  # noqa: RUF012 - shared on purpose, in order of arrival; one event loop

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._status = 400
        self._in_head = True
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_done()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._in_head:
            self._await_head()
        super().data_received(data)
        if self._in_head and not self._refused and self._head_began:
            self._head_bytes += len(data)
            if self._head_bytes > limits.HEADERS:
                self._refuse(431)

    # -- parser callbacks

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._head_began, self._head_bytes = True, True, 0
        self._await_head()

    def on_headers_complete(self) -> None:
        status = _judge(self.url, self.headers, self.parser.get_http_version())
        if status is not None:
            self._status = status
            raise RefusedHead(status)
        self._in_head = False
        self._head_done()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head, self._head_began = True, False
        super().on_message_complete()

    _head_began = False

    # -- deadline

    def _await_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.head_seconds, self._refuse, 408)
            self.waiting[self] = None
            if len(self.waiting) > WAITING:
                next(iter(self.waiting)).transport.abort()

    def _head_done(self) -> None:
        self.waiting.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # -- refusal

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser did not take; called by uvicorn when the parser raised."""
        self._refuse(self._status)

    def _refuse(self, status: int) -> None:
        """Say no, read no further request, and leave the peer a moment to hear it."""
        self._head_done()
        self._refused = True
        busy = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if not busy and not self.transport.is_closing():
            self.transport.write(_refusal(status))
        if self.transport.is_closing() or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self.loop.call_later(LINGER, self.transport.close)


def _judge(url: bytes, headers: list[tuple[bytes, bytes]], version: str) -> int | None:
    """Return the status with which a head is refused, None where it may pass."""
    if len(url) + sum(len(name) + len(value) + 4 for name, value in headers) > limits.HEADERS:
        return 431
    names = [name for name, _ in headers]
    coding = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    twice = any(names.count(name) > 1 for name in (b"host", b"content-length", b"transfer-encoding"))
    if twice or (coding and (b"content-length" in names or coding != [b"chunked"])):
        return 400
    if version == "1.1" and b"host" not in names:
        return 400
    path = httptools.parse_url(url).path
    return 400 if path is None else None


def _refusal(status: int) -> bytes:
    phrase, kind = REASONS[status]
    body = f'{{"type":"{kind}","title":"{phrase}","status":{status},"detail":"{phrase}"}}'
    head = (
        f"HTTP/1.1 {status} {phrase}\r\nContent-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n"
        "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return (head + body).encode()
