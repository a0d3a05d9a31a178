"""HTTP over a bare socket, for what no client library would send."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

from syncd.web.serve import Server

PATIENCE = 10.0  # seconds after which a test that waits for bytes is lost


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer as it came."""

    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes


class Wire:
    """One connection; begins by sending `data`."""

    def __init__(self, address: tuple[str, int], data: bytes = b"") -> None:
        self.socket = socket.create_connection(address, PATIENCE)
        self._rest = b""
        self.send(data)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hear(self, *, head: bool = False) -> Heard:
        """Read one answer; `head` says that none has a body. Raises EOFError where the connection ended instead."""
        while b"\r\n\r\n" not in self._rest:
            self._more()
        raw, _, self._rest = self._rest.partition(b"\r\n\r\n")
        first, *lines = raw.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = 0 if head else int(headers.get("content-length", "0"))
        assert "transfer-encoding" not in headers, "this little reader knows no chunks"
        while len(self._rest) < length:
            self._more()
        body, self._rest = self._rest[:length], self._rest[length:]
        return Heard(int(first.split()[1]), headers, body)

    def is_closed(self) -> bool:
        """Wait for the end of the connection; False where more bytes came instead."""
        try:
            return not self._rest and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _more(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(f"the connection ended after {self._rest[:200]!r}")
        self._rest += data

    def close(self) -> None:
        self.socket.close()

    def closing(self) -> "closing[Wire]":
        return closing(self)


@contextmanager
def wire(address: tuple[str, int], data: bytes = b"") -> Iterator[Wire]:
    one = Wire(address, data)
    try:
        yield one
    finally:
        one.close()


@contextmanager
def serving(app: ASGIApp, **options: Any) -> Iterator[Server]:
    """Run an application on a free loopback port."""
    server = Server(app, "127.0.0.1:0", **options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def ask(path: str = "/", method: str = "GET", body: bytes = b"", **headers: str) -> bytes:
    """Write a request as any client would; a name's underscores become hyphens."""
    lines = {"Host": "127.0.0.1", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if body:
        lines["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body
