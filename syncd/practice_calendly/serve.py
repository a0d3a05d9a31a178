"""Puts the practice API on a loopback port, with a side door (POST /_practice/<act>) to steer it from outside."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from syncd.practice_calendly.api import Api, Reply
from syncd.practice_calendly.company import Company, Refusal
from syncd.practice_calendly.control import Fault, SideDoor
from syncd.practice_calendly.courier import Courier

PAGE = b"<!doctype html><title>Sign in</title><p>Please sign in to continue.</p>"


@dataclass(slots=True)
class PracticeServer:
    """Company, API and courier behind one loopback address."""

    company: Company
    port: int = 0
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)  # "METHOD /path?query", as they came
    meanwhile: Callable[[str], None] = lambda request: None  # something that happens just before a call is answered
    api: Api = field(init=False)
    courier: Courier = field(init=False)
    side_door: SideDoor = field(init=False)
    _http: ThreadingHTTPServer | None = None

    def __post_init__(self) -> None:
        self.api = Api(self.company)
        self.courier = Courier(self.api)
        self.side_door = SideDoor(self.company, self.courier, self.faults)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "PracticeServer":
        self._http = ThreadingHTTPServer(("127.0.0.1", self.port), _door(self))
        self._http.daemon_threads = True
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.01,), name="practice-http", daemon=True).start()
        self.courier.start()
        return self

    def stop(self) -> None:
        self.courier.stop()
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()

    def fault_for(self, request: str) -> Fault | None:
        """Return what goes wrong with this call, None when nothing does."""
        self.meanwhile(request)
        return next((fault for fault in self.faults if fault.strikes(request)), None)


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together: apart they cost the client 40 ms of delayed acknowledgement
    server_of: PracticeServer

    def answer(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = dict(parse_qsl(parts.query))
        if parts.path.startswith("/_practice/"):
            self.reply(_steer(self.server_of.side_door, parts.path.removeprefix("/_practice/"), query, body))
            return
        self.server_of.requests.append(f"{self.command} {self.path}")
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")

        def call() -> Reply:
            return self.server_of.api.answer(self.command, parts.path, query, token, body)

        fault = self.server_of.fault_for(f"{self.command} {parts.path}")
        if fault is None:
            self.reply(call())
        else:
            self.misbehave(fault.kind, call)

    do_GET = do_POST = do_DELETE = do_PATCH = do_PUT = answer

    def misbehave(self, kind: str, call: Callable[[], Reply]) -> None:
        if kind == "html":
            self.write(200, PAGE, {"Content-Type": "text/html"})
        elif kind == "cut":
            whole = json.dumps(call().body).encode()
            self.write(200, whole[: len(whole) // 2], {"Content-Length": str(len(whole))})
            self.close_connection = True
        elif kind == "garbage":
            whole = json.dumps(call().body).encode()
            self.write(200, whole[: len(whole) // 2], {})
        elif kind == "empty":
            self.reply(Reply(200, {"collection": [], "pagination": {"count": 0, "next_page": None}}))
        elif kind in ("drop", "drop-after"):
            if kind == "drop-after":
                call()
            self.close_connection = True
        else:
            message = {"title": "Fault", "message": f"practice fault {kind}"}
            self.reply(Reply(int(kind), None if kind == "429" else message, {"X-RateLimit-Reset": "7"}))

    def reply(self, reply: Reply) -> None:
        body = b"" if reply.body is None else json.dumps(reply.body, ensure_ascii=False).encode()
        self.write(reply.status, body, dict(reply.headers))

    def write(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        fixed = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        for name, value in (fixed | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Stay silent: tests and the demo read `requests` instead."""


def _door(server: PracticeServer) -> type[_Door]:
    return type("Door", (_Door,), {"server_of": server})


def _steer(side_door: SideDoor, act: str, query: dict[str, str], body: bytes) -> Reply:
    try:
        return Reply(200, side_door.act(act, json.loads(body or b"{}") | query))
    except Refusal as refusal:
        return Reply(refusal.status, refusal.body)
    except (KeyError, TypeError, ValueError) as wrong:
        return Reply(400, {"title": "Invalid Argument", "message": f"{act}: {wrong!r}"})
