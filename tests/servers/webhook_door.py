"""What the stand-ins of small schedulers share: a loopback port, faults on command, calls that are posted."""

import http.client
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from syncd.practice_calendly.control import Fault
from tests.servers.calendly import HandClock

Json = dict[str, Any]
Headers = list[tuple[str, str]]


class Refusal(Exception):
    """An HTTP status instead of an answer."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Client:
    name: str = "Rosa"
    surname: str = "Díaz"
    email: str = "rosa@example.com"
    request: str | None = None

    @property
    def whole_name(self) -> str:
        return f"{self.name} {self.surname}".strip()


@dataclass
class Office:
    """A scheduler with two hosts; `sent` keeps every call it made, `subscribers` are posted to."""

    clock: HandClock = field(default_factory=HandClock)
    rows: dict[int, Json] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    sent: list[tuple[Headers, bytes]] = field(default_factory=list)
    subscribers: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    port: int = 0
    prefix: str = ""
    _http: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    def start(self) -> None:
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Door", (_Door,), {"office": self}))
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()

    def answer(self, method: str, path: str, query: dict[str, str], authorization: str, body: Json) -> tuple[int, Any]:
        """Return status and body; raises Refusal."""
        raise NotImplementedError

    def is_free(self, host: object, start: datetime, minutes: int, but: int = 0) -> bool:
        """Tell whether no other live booking of this host overlaps."""
        raise NotImplementedError

    def call(self, headers: Headers, body: bytes) -> None:
        """Send one webhook call, once."""
        self.sent.append((headers, body))
        for url in self.subscribers:
            self.statuses.append(_post(url, headers, body))

    def found(self, number: str) -> Json:
        if not number.isdigit() or int(number) not in self.rows:
            raise Refusal(404, "not found")
        return self.rows[int(number)]

    def spans(self, start: datetime, minutes: int, other_start: datetime, other_minutes: int) -> bool:
        end, other_end = start + timedelta(minutes=minutes), other_start + timedelta(minutes=other_minutes)
        return start < other_end and other_start < end


def _post(url: str, headers: Headers, body: bytes) -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request("POST", parts.path, body, dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    office: Office

    def answer(self) -> None:
        parts = urlsplit(self.path)
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.office.requests.append(f"{self.command} {self.path}")
        fault = next((one for one in self.office.faults if one.strikes(f"{self.command} {parts.path}")), None)

        def call() -> tuple[int, Any]:
            path = parts.path.removeprefix(self.office.prefix)
            query, sent = dict(parse_qsl(parts.query)), json.loads(raw) if raw else {}
            try:
                with self.office.lock:
                    return self.office.answer(self.command, path, query, self.headers.get("Authorization") or "", sent)
            except Refusal as refused:
                return refused.status, {"error": str(refused)}

        self.reply(fault, call)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def reply(self, fault: Fault | None, call: Callable[[], tuple[int, Any]]) -> None:
        if fault is None:
            status, answer = call()
            self.write(status, b"" if answer is None else json.dumps(answer).encode())
        elif fault.kind == "moved":
            self.write(302, b"", {"Location": "http://127.0.0.1:1/elsewhere"})
        elif fault.kind in ("drop", "drop-after"):
            if fault.kind == "drop-after":
                call()
            self.close_connection = True
        elif fault.kind == "html":
            self.write(200, b"<!doctype html><title>Sign in</title>")
        else:
            self.write(int(fault.kind), b"{}")

    def write(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Silent."""
