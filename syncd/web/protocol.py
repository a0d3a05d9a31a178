"""How bytes become requests: uvicorn's parser with a cap and a deadline on the head, and no two readings of one length.

(RFC 9112 section 6.3: a request with both Content-Length and Transfer-Encoding is refused and the connection closed.)
"""

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as HttpTools
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from syncd.core import limits
from syncd.web.headers import HEADERS, NO_STORE
from syncd.web.problems import MEDIA_TYPE, Problem

LINGER = 1.0  # seconds in which the peer may read our refusal while we throw away what it still sends
WAITING = 600  # connections that may be without a complete head at once; then the oldest goes
REFUSALS = {400: "malformed", 408: "too-slow", 431: "head-too-large"}


class RefusedHead(Exception):
    """The head of a request is not taken; raised inside the parser's callbacks."""


class Connection(HttpTools):
    """One connection. Each server makes a class of its own with `protocol`."""

    head_seconds: ClassVar[float] = limits.BODY_SECONDS
    most_waiting: ClassVar[int] = WAITING
    waiting: ClassVar[dict["Connection", None]] = {}  # in order of arrival; touched by one event loop

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._status = 400
        self._in_head = True  # no complete head yet, or between two requests
        self._began = False  # some bytes of a request came, and not yet all of it
        self._spent = 0  # bytes of the present request that were neither body nor a whole head
        self._progress = False  # the last bytes held a whole head, some body, or the end of a request
        self._deadline: asyncio.TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline_met()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._in_head:
            self._await_head()
        self._progress = False
        super().data_received(data)
        self._count(len(data))

    def _count(self, size: int) -> None:
        """Cap what brings a request no further: a head without end, trailers, extensions of chunks."""
        self._spent = 0 if self._progress or not self._began else self._spent + size
        if self._spent > limits.HEADERS and not self._refused:
            self._refuse(431)

    # -- parser callbacks

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._began = True, True
        self._await_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header; trailers of a chunked body are dropped, for nobody may add headers to a judged head."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        status = judge(self.url, self.headers, self.parser.get_http_version())
        if status is not None:
            self._status = status
            raise RefusedHead(str(status))
        super().on_headers_complete()
        self._in_head, self._progress = False, True
        self._deadline_met()
        if self.parser.should_upgrade():  # we speak nothing else; what follows on this connection is not read
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._progress = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head, self._began, self._progress = True, False, True
        self._deadline_met()
        super().on_message_complete()
        if self._running() is None:  # answered before its end: nobody else begins to wait for the next request
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        """Go on to the next request; the rest of a body that was answered early may come until a deadline."""
        super().on_response_complete()
        if self._began and not self._in_head and self._running() is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(self.head_seconds, self._say_goodbye)

    # -- deadline

    def _await_head(self) -> None:
        if self._deadline is not None:
            return
        self._deadline = self.loop.call_later(self.head_seconds, self._refuse, 408)
        self.waiting[self] = None
        if len(self.waiting) > self.most_waiting:
            oldest = next(iter(self.waiting))
            oldest._deadline_met()
            oldest.transport.abort()

    def _deadline_met(self) -> None:
        self.waiting.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    # -- refusal

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser did not take; called by uvicorn when the parser raised."""
        self._refuse(self._status)

    def _running(self) -> RequestResponseCycle | None:
        """Return the request that is being answered, None where there is none."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return None if cycle is None or cycle.response_complete else cycle

    def _refuse(self, status: int) -> None:
        """Say no, read no further request, and leave the peer a moment to hear it."""
        self._deadline_met()
        self._refused = True
        self.pipeline.clear()
        running = self._running()
        if running is not None and self._in_head:
            running.keep_alive = False  # the request before is answered in peace; the connection ends with it
            return
        if running is not None:  # the body it waits for is broken
            running.disconnected = True
            running.message_event.set()
        if (running is None or not running.response_started) and not self.transport.is_closing():
            self.transport.write(refusal(status))
        self._say_goodbye()

    def _say_goodbye(self) -> None:
        self._deadline_met()
        self._refused = True
        if self.transport.is_closing() or not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self.loop.call_later(LINGER, self.transport.close)


def protocol(head_seconds: float = limits.BODY_SECONDS, most_waiting: int = WAITING) -> type[Connection]:
    """Return the protocol of one server, which counts only that server's connections."""
    return type(
        "Connection", (Connection,), {"head_seconds": head_seconds, "most_waiting": most_waiting, "waiting": {}}
    )


def judge(url: bytes, headers: list[tuple[bytes, bytes]], version: str) -> int | None:
    """Return the status with which a head is refused, None where it may pass."""
    if len(url) + sum(len(name) + len(value) + 4 for name, value in headers) > limits.HEADERS:
        return 431
    names = [name for name, _ in headers]
    coding = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    twice = any(names.count(name) > 1 for name in (b"host", b"content-length", b"transfer-encoding"))
    if twice or (coding and (b"content-length" in names or coding != [b"chunked"] or version != "1.1")):
        return 400
    return 400 if version == "1.1" and b"host" not in names else None


def refusal(status: int) -> bytes:
    """Write a whole answer: no request was read that the application could answer."""
    body = bytes(Problem(REFUSALS[status]).response().body)
    headers = {
        "Content-Type": MEDIA_TYPE,
        "Content-Length": str(len(body)),
        "Connection": "close",
        "Cache-Control": NO_STORE,
        **HEADERS,
    }
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        *(f"{name}: {value}" for name, value in headers.items()),
        "",
        "",
    ]
    return "\r\n".join(lines).encode() + body
