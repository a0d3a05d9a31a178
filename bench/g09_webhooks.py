"""G9: a verified webhook, durable before it is answered, from the socket to the disk and back.

Ours is the whole HTTP side over a real store. The peer does what the provider's own guide leads to: check the
signature, insert, commit (WAL, synchronous=FULL), answer, with a thread and a database connection for each client. The
goal names Flask and waitress, which are not among our libraries; the peer is a bare WSGI application on wsgiref with a
thread for each connection. It routes nothing and keeps one row where we keep three, so what it saves makes the ratio
smaller, not larger. The third side is our own server and edge with an endpoint that only reads the body. Load comes
from one process with many connections, each waiting for its answer; then the server is killed, and what it acknowledged
must be in its file. The sides take turns, and the better of two turns counts. Disks differ: the ratio is also taken
with 2 ms more for each commit of either side.
"""

import hashlib
import hmac
import json
import selectors
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from bench.ratio import Ratio
from bench.webhook_servers import EVENT_TYPE, FILES, HEADER, KEY

CONNECTIONS = 32
SECONDS = 3.0
SLOWER = 0.002
INVITEE = "https://api.calendly.com/scheduled_events/E1/invitees/I"
KEYS = {"ours": "SELECT key FROM inbox", "peer": "SELECT key FROM inbox"}


@dataclass(slots=True)
class Seen:
    """What the clients saw of one server."""

    waits: list[float] = field(default_factory=list)  # seconds, of each answered request
    acknowledged: list[int] = field(default_factory=list)
    other: int = 0  # answers that were none
    seconds: float = 0.0
    lost: int = 0  # acknowledged, and not in the file

    @property
    def rate(self) -> float:
        return len(self.acknowledged) / self.seconds

    @property
    def p99(self) -> float:
        return sorted(self.waits)[int(len(self.waits) * 0.99)]

    def told(self, name: str) -> str:
        return (
            f"  {name}: {self.rate:.0f} a second, p99 {self.p99 * 1000:.0f} ms, {self.other} refused, {self.lost} lost"
        )


def delivery(number: int) -> bytes:
    """Write one whole request, signed now, about an invitee of its own."""
    payload = {
        "uri": f"{INVITEE}{number}",
        "updated_at": "2026-11-24T11:59:00.000000Z",
        "name": "Eva Díaz",
        "email": "eva@example.com",
        "questions_and_answers": [
            {"question": "Indique el número de su propiedad", "answer": "Casa 12", "position": 0}
        ],
        "scheduled_event": {
            "uri": "https://api.calendly.com/scheduled_events/E1",
            "event_type": EVENT_TYPE,
            "start_time": "2026-11-30T13:00:00.000000Z",
            "end_time": "2026-11-30T13:30:00.000000Z",
        },
    }
    body = json.dumps({"event": "invitee.created", "created_at": "2026-11-24T12:00:00Z", "payload": payload}).encode()
    stamp = str(int(time.time()))
    digest = hmac.new(KEY.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    head = (
        f"POST /hook/calendly HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{HEADER}: t={stamp},v1={digest}\r\n\r\n"
    )
    return head.encode() + body


class Client:
    """One connection that has one request on its way at any time."""

    def __init__(self, port: int, numbers: Iterator[int]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self._numbers = numbers
        self._heard = b""
        self.number = 0
        self.sent_at = 0.0

    def send(self) -> None:
        self.number = next(self._numbers)
        data = delivery(self.number)
        self.sent_at = time.perf_counter()
        self.socket.sendall(data)

    def hear(self, seen: Seen) -> bool:
        """Read what came; True once the answer is whole, which has no body where it is good."""
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server went away")
        self._heard += data
        if b"\r\n\r\n" not in self._heard:
            return False
        if self._heard.startswith(b"HTTP/1.1 204"):
            seen.acknowledged.append(self.number)
            seen.waits.append(time.perf_counter() - self.sent_at)
        else:
            seen.other += 1
        self._heard = b""
        return True


def load(port: int) -> Seen:
    """Keep every connection busy for a while, and wait for the last answers."""
    seen, numbers = Seen(), count()
    clients = [Client(port, numbers) for _ in range(CONNECTIONS)]
    with selectors.DefaultSelector() as ready:
        for client in clients:
            ready.register(client.socket, selectors.EVENT_READ, client)
        begun = time.perf_counter()
        for client in clients:
            client.send()
        waiting = len(clients)
        while waiting:
            for key, _ in ready.select(10):
                if not key.data.hear(seen):
                    continue
                if time.perf_counter() - begun < SECONDS:
                    key.data.send()
                else:
                    waiting -= 1
        seen.seconds = time.perf_counter() - begun
    for client in clients:
        client.socket.close()
    return seen


@contextmanager
def server(kind: str, folder: Path, delay: float) -> Iterator[int]:
    """Run one of the servers in a process of its own; killed at the end, without a chance to tidy up."""
    command = [sys.executable, "-m", "bench.webhook_servers", kind, str(folder), str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGKILL)


def measure(kind: str, delay: float = 0.0) -> Seen:
    with tempfile.TemporaryDirectory() as folder:
        with server(kind, Path(folder), delay) as port:
            seen = load(port)
        if kind in FILES:
            with closing(sqlite3.connect(Path(folder) / FILES[kind])) as database:
                kept = {row[0] for row in database.execute(KEYS[kind])}
            seen.lost = sum(not is_kept(number, kept) for number in seen.acknowledged)
    print(seen.told(kind + (f" at +{delay * 1000:.0f} ms" if delay else "")), flush=True)
    return seen


def is_kept(number: int, kept: set[str]) -> bool:
    name = f"{INVITEE}{number}"
    return name in kept or f"invitee.created|{name}|2026-11-24T11:59:00.000000Z|" in kept


def best(kinds: Sequence[str], delay: float = 0.0, turns: int = 2) -> dict[str, Seen]:
    """Measure each side in turn, several times, and return the better turn of each; what was lost is never better."""
    seen = [{kind: measure(kind, delay) for kind in kinds} for _ in range(turns)]
    found = {kind: max((turn[kind] for turn in seen), key=lambda one: one.rate) for kind in kinds}
    for kind in kinds:
        found[kind].lost = sum(turn[kind].lost for turn in seen)
        found[kind].other = sum(turn[kind].other for turn in seen)
    return found


def run() -> list[Ratio]:
    plain = best(("ours", "empty", "peer"))
    slower = best(("ours", "peer"), SLOWER, turns=1)
    ours = plain["ours"]
    failed = sum(one["ours"].lost + one["ours"].other for one in (plain, slower))
    return [
        Ratio("G9 ours / own commits", ours.rate / plain["peer"].rate, 4, at_least=True),
        Ratio("G9 ours / own commits at +2 ms", slower["ours"].rate / slower["peer"].rate, 4, at_least=True),
        Ratio("G9 ours / empty handler", ours.rate / plain["empty"].rate, 0.4, at_least=True),
        Ratio("G9 p99 in ms", ours.p99 * 1000, 150, at_least=False),
        Ratio("G9 lost or refused", failed, 0, at_least=False),
    ]
