"""Stands between a client and a server, counts what passes, and passes it on unchanged."""

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

DROPPED = frozenset(("connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"))


@dataclass(slots=True)
class Passage:
    """What went through: "METHOD /path" in order, those answered by now, and how many were under way at once."""

    url: str
    requests: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    most: Counter[str] = field(default_factory=Counter)
    _now: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def passing(self, method: str, path: str) -> Iterator[None]:
        with self._lock:
            self.requests.append(f"{method} {path}")
            self._now[method] += 1
            self.most[method] = max(self.most[method], self._now[method])
        try:
            yield
        finally:
            with self._lock:
                self._now[method] -= 1
                self.answered.append(f"{method} {path}")


class _Door(BaseHTTPRequestHandler):
    passage: Passage
    behind: tuple[str, int]

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline:
            self.close_connection = True
        elif self.parse_request():
            self._pass_on()

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sent = {name: value for name, value in self.headers.items() if name.lower() not in DROPPED}
        with self.passage.passing(self.command, self.path):
            line = http.client.HTTPConnection(*self.behind, timeout=30)
            try:
                line.request(self.command, self.path, body, sent)
                answer = line.getresponse()
                told = answer.read()
            finally:
                line.close()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in DROPPED:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Stay silent: tests read `requests` instead."""


@contextmanager
def between(url: str) -> Iterator[Passage]:
    """Stand in front of the server at a URL, on a free port; yield what passes."""
    parts = urlsplit(url)
    door = type("Door", (_Door,), {"behind": (parts.hostname, parts.port)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), door)
    server.daemon_threads = True
    passage = door.passage = Passage(f"http://127.0.0.1:{server.server_address[1]}/")  # type: ignore[attr-defined]
    serving = threading.Thread(target=server.serve_forever, args=(0.01,), name="proxy", daemon=True)
    serving.start()
    try:
        yield passage
    finally:
        server.shutdown()
        serving.join(10)
        server.server_close()
