"""A socket that answers exactly what a test tells it, byte by byte; for servers that break HTTP itself."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Act = Callable[["Talk"], None]


@dataclass
class Talk:
    """One connection, in the hands of an act."""

    line: socket.socket
    over: threading.Event  # set when the test ends: whoever waits shall wait for this
    heads: list[bytes]

    def hear(self) -> bytes:
        """Read one request with its body; return its head, empty when the client closed."""
        seen = b""
        while b"\r\n\r\n" not in seen:
            more = self.line.recv(65536)
            if not more:
                return b""
            seen += more
        head, _, body = seen.partition(b"\r\n\r\n")
        self.heads.append(head)
        length = next((int(one[15:]) for one in head.split(b"\r\n") if one.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            body += self.line.recv(65536)
        return head

    def say(self, data: bytes) -> None:
        self.line.sendall(data)

    def drip(self, data: bytes, pause: float) -> None:
        """Send byte after byte until the client gives up or the test ends."""
        while not self.over.wait(pause):
            self.line.sendall(data)

    def hold(self) -> None:
        """Say nothing for as long as the client listens."""
        while not self.over.wait(0.01):
            self.line.settimeout(0.01)
            try:
                if not self.line.recv(1, socket.MSG_PEEK):
                    return
            except TimeoutError:
                continue

    def reset(self) -> None:
        """Close with a reset instead of an end."""
        self.line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


@dataclass
class Stand:
    """A listening script: each connection plays the next act, the last one for ever."""

    acts: list[Act]
    tls: ssl.SSLContext | None = None
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/"

    def serve(self, listener: socket.socket) -> None:
        workers = []
        while not self.over.is_set():
            try:
                line, _ = listener.accept()
            except OSError:
                break
            act = self.acts[min(self.connections, len(self.acts) - 1)]
            self.connections += 1
            workers.append(threading.Thread(target=self._play, args=(line, act), daemon=True))
            workers[-1].start()
        for worker in workers:
            worker.join(10)

    def _play(self, line: socket.socket, act: Act) -> None:
        try:
            if self.tls is not None:
                line = self.tls.wrap_socket(line, server_side=True)
            act(Talk(line, self.over, self.heads))
        except OSError:
            pass  # the client closed, which is what many of these tests want
        finally:
            line.close()


@contextmanager
def scripted(*acts: Act, tls: ssl.SSLContext | None = None) -> Iterator[Stand]:
    """Run a script on a free loopback port."""
    stand = Stand(list(acts), tls)
    listener = socket.create_server(("127.0.0.1", 0))
    stand.port = listener.getsockname()[1]
    thread = threading.Thread(target=stand.serve, args=(listener,), name="script", daemon=True)
    thread.start()
    try:
        yield stand
    finally:
        stand.over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def reply(status: str = "200 OK", body: bytes = b"", *headers: str) -> Act:
    """Answer every request of a connection alike."""
    lines = "".join(f"{one}\r\n" for one in headers)
    told = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body

    def act(talk: Talk) -> None:
        while talk.hear():
            talk.say(told)

    return act


def once(data: bytes) -> Act:
    """Hear one request, say these bytes, close."""

    def act(talk: Talk) -> None:
        talk.hear()
        talk.say(data)

    return act
