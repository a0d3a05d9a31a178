"""A small HTTP service on a loopback port: one function answers; the last answer may be lost on the way."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, bytes]


@dataclass
class Desk:
    """Calls as they came: method, path, headers, body. With `lose` a call is worked on and never answered."""

    answer: Callable[[str, str, Any, bytes], Answer]
    calls: list[tuple[str, str, Any, bytes]] = field(default_factory=list)
    lose: bool = False
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def desk(answer: Callable[[str, str, Any, bytes], Answer]) -> Iterator[Desk]:
    found = Desk(answer)

    class Door(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found.calls.append((self.command, self.path, self.headers, body))
            status, text = found.answer(self.command, self.path, self.headers, body)
            if found.lose:
                self.close_connection = True
                self.connection.close()
                return
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def finish(self) -> None:
            if not found.lose:
                super().finish()

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    found.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
