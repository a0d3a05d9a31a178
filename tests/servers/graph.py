"""A stand-in for Microsoft Graph and its sign-in on a loopback port, judged by Microsoft's own description.

No such server exists to be had; this one is stateful and strict, and misbehaves on command: see `Oddities` for what the
live service was seen doing, and `Fault` for trouble.
"""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import requests

from tests.servers.graph_api import Api, Question, query_of
from tests.servers.graph_judge import Judge
from tests.servers.graph_mailbox import Box
from tests.servers.graph_sign_in import SignInDesk

PREFIX = "/v1.0"
Headers = dict[str, str]


@dataclass
class Fault:
    """What goes wrong with calls that contain `where` ("GET /users"): a status, or "lost": done, and no answer."""

    where: str
    kind: str
    code: str = "ServiceUnavailable"
    times: int = 1
    headers: Headers = field(default_factory=dict)
    after: int = 0  # calls that go well before

    def strikes(self, call: str) -> bool:
        if self.where not in call or self.times <= 0:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return True


@dataclass
class GraphServer:
    """Mailboxes, sign-in desk and judge behind one address."""

    api: Api = field(default_factory=Api)
    desk: SignInDesk = field(default_factory=SignInDesk)
    judge: Judge = field(default_factory=Judge)
    faults: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)  # "METHOD /path?query" below /v1.0
    meanwhile: Callable[[str], None] = lambda _call: None  # happens before a call is answered
    in_flight: dict[str, int] = field(default_factory=dict)
    crowd: dict[str, int] = field(default_factory=dict)  # the most at once, by mailbox; "" is all together
    url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def box(self, address: str = "ana@oficina.example", **more: Any) -> Box:
        """Make a mailbox."""
        self.api.boxes[address] = Box(address, **more)
        return self.api.boxes[address]

    def took(self, part: str = "") -> list[str]:
        """Return, and forget, the calls so far that contain a part."""
        with self.lock:
            found = [one for one in self.calls if part in one]
            self.calls.clear()
            return found

    def entered(self, mailbox: str) -> None:
        with self.lock:
            for name in (mailbox, ""):
                self.in_flight[name] = self.in_flight.get(name, 0) + 1
                self.crowd[name] = max(self.crowd.get(name, 0), self.in_flight[name])

    def left(self, mailbox: str) -> None:
        with self.lock:
            for name in (mailbox, ""):
                self.in_flight[name] -= 1

    def notify(self, *items: dict[str, Any]) -> int:
        """Send change notifications to the first subscription's listener; return its status."""
        first = next(iter(self.api.subscriptions.values()))
        return requests.post(first["notificationUrl"], json={"value": list(items)}, timeout=10).status_code


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together
    graph: GraphServer

    def answer(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if parts.path.startswith(f"{PREFIX}/"):
            self.as_graph(parts.path.removeprefix(PREFIX), parts.query, body)
        else:
            self.write(*self.graph.desk.answer(self.graph.url, parts.path, dict(parse_qsl(body.decode()))), {})

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = answer

    def as_graph(self, path: str, query: str, body: bytes) -> None:
        graph, whole = self.graph, path + (f"?{query}" if query else "")
        call = f"{self.command} {whole}"
        with graph.lock:
            graph.calls.append(call)
            fault = next((one for one in graph.faults if one.strikes(call)), None)
        mailbox = path.split("/")[2] if path.startswith("/users/") else "subscriptions"
        graph.entered(mailbox)
        try:
            graph.meanwhile(call)
            self.judged(whole, path, query, body, fault)
        finally:
            graph.left(mailbox)

    def judged(self, whole: str, path: str, query: str, body: bytes, fault: Fault | None) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        if headers.get("authorization", "").removeprefix("Bearer ") not in self.graph.desk.live:
            self.write(401, _error("InvalidAuthenticationToken", "Access token has expired."), {})
            return
        wrong = self.graph.judge.request(self.command, whole, headers, body) or _without_ids(headers)
        if wrong is not None:
            self.write(400, _error("BadRequest", wrong), {})
            return
        if fault is not None and fault.kind not in ("lost", "cut"):
            self.write(int(fault.kind), _error(fault.code, "told to"), fault.headers)
            return
        question = Question(self.command, path, query_of(query), headers, json.loads(body or b"{}"))
        with self.graph.lock:
            status, told, more = self.graph.api.answer(question)
        if fault is not None and fault.kind == "lost":
            self.close_connection = True
            return
        self.write(status, told, more, whole, cut=fault is not None)

    def write(self, status: int, told: Any, headers: Headers, judged: str | None = None, *, cut: bool = False) -> None:
        body = b"" if told is None else json.dumps(told, ensure_ascii=False).encode()
        if judged is not None:
            self.graph.judge.answer(self.command, judged, status, body)
        self.send_response(status)
        fixed = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in (fixed | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.close_connection = True

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Date the answer by the mailboxes' clock."""
        del timestamp
        box = next(iter(self.graph.api.boxes.values()), None)
        return (box or Box("")).now.strftime("%a, %d %b %Y %H:%M:%S GMT")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Stay silent: tests read `calls`."""


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


def _without_ids(headers: Headers) -> str | None:
    """Refuse a call that asks for ids that change when an entry is moved (facts, 1)."""
    return None if 'IdType="ImmutableId"' in headers.get("prefer", "") else "the ids of this call would not last"


def _echo(url: str, token: str) -> str:
    """Ask a callback to prove that it listens, while the subscription is still being made."""
    mark = "&" if "?" in url else "?"
    try:
        answer = requests.post(f"{url}{mark}{urlencode({'validationToken': token})}", timeout=10)
    except requests.RequestException:
        return ""
    plain = answer.headers.get("Content-Type", "").startswith("text/plain")
    return answer.text if answer.status_code == 200 and plain else ""


@contextmanager
def graph_server(tls: ssl.SSLContext | None = None, *, handshake: bool = False) -> Iterator[GraphServer]:
    """Run the stand-in on a free loopback port; afterwards nothing may have been judged wrong."""
    graph = GraphServer()
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Door", (_Door,), {"graph": graph}))
    http.daemon_threads = True
    if tls is not None:
        http.socket = tls.wrap_socket(http.socket, server_side=True)
    graph.url = f"{'https' if tls else 'http'}://127.0.0.1:{http.server_address[1]}"
    graph.api.base = graph.url + PREFIX
    if handshake:
        graph.api.reachable = _echo
    threading.Thread(target=http.serve_forever, args=(0.01,), name="graph", daemon=True).start()
    try:
        yield graph
    finally:
        http.shutdown()
        http.server_close()
    assert not graph.judge.wrong, "\n".join(graph.judge.wrong)
