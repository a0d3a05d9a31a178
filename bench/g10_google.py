"""G10: processor time of a poll that finds nothing new: ours, Google's client as its guide uses it, bare requests.

The server is another process on loopback and answers the same bytes to all three. "Plainly" is the client's own guide:
a service built once and kept, `events().list(…).execute()` for each poll (building it for each poll costs twice that).
"""

import json
import multiprocessing
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from typing import Any

import requests

from bench.ratio import Ratio
from connectors.google import GoogleSettings, calendar
from syncd.clock import SystemClock
from syncd.core.ids import AccountId
from syncd.core.interval import Interval
from syncd.ports import CalendarUse, Environment

POLLS = 150
ROUNDS = 5
NAME = "ana@example.cl"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = Interval(BEGIN, BEGIN + timedelta(days=150))
CURSOR = json.dumps({"version": 1, "token": "CPDAlvWDx70CEPDAlvWDx70CGAU=", "zone": "America/Santiago"})
QUIET = {
    "kind": "calendar#events",
    "etag": '"p32o9l0bq4e2oe0o"',
    "summary": NAME,
    "updated": "2026-01-01T00:00:00.000Z",
    "timeZone": "America/Santiago",
    "accessRole": "owner",
    "defaultReminders": [{"method": "popup", "minutes": 10}],
    "nextSyncToken": "CPDAlvWDx70CEPDAlvWDx70CGAU=",
    "items": [],
}
SIGNED_IN = json.dumps({"account": "bench", "refresh_token": "1//refresh"}).encode()


class _Quiet(BaseHTTPRequestHandler):
    """Answers every poll that nothing changed, and every request for a token with one."""

    protocol_version = "HTTP/1.1"
    wbufsize = 65536

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        told = (
            {"access_token": "ya29.x", "expires_in": 3600, "token_type": "Bearer"} if self.path == "/token" else QUIET
        )
        body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = _answer

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def _serve(told: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Quiet)
    told.send(server.server_port)
    server.serve_forever()


class _Tokens:
    """A sign-in that is kept nowhere."""

    def load(self) -> bytes | None:
        return SIGNED_IN

    def save(self, token: bytes) -> None:
        raise AssertionError("nothing rotates here")


def ours(url: str) -> Callable[[], object]:
    client = json.dumps({"installed": {"client_id": "x", "client_secret": "y", "token_uri": f"{url}/token"}})
    settings = GoogleSettings.model_validate({"client": client, "api_url": url, "quota": 100_000})
    env = Environment(clock=SystemClock(), secret=lambda purpose: purpose.encode(), tokens=lambda _: _Tokens())
    use = CalendarUse(name=NAME, time_zone="America/Santiago", emails=frozenset({NAME}))
    reader = calendar(AccountId("bench"), settings, env, use)

    def poll() -> object:
        pages = list(reader.changes(CURSOR, WINDOW))
        assert pages[-1].cursor == CURSOR and not any(page.changed or page.removed for page in pages)
        return pages

    return poll


def plainly(url: str) -> Callable[[], object]:
    from google.oauth2.credentials import Credentials
    from googleapiclient.discovery import build

    made: Any = Credentials(token="ya29.x")  # type: ignore[no-untyped-call]
    service = build("calendar", "v3", credentials=made, client_options={"api_endpoint": f"{url}/calendar/v3/"})

    def poll() -> object:
        answer = service.events().list(calendarId=NAME, syncToken=QUIET["nextSyncToken"]).execute()
        assert answer["items"] == []
        return answer

    return poll


def bare(url: str) -> Callable[[], object]:
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = "Bearer ya29.x"
    address, query = f"{url}/calendar/v3/calendars/{NAME}/events", {"syncToken": str(QUIET["nextSyncToken"])}

    def poll() -> object:
        answer = session.get(address, params=query, timeout=10).json()
        assert answer["items"] == []
        return answer

    return poll


def seconds(poll: Callable[[], object]) -> float:
    """Return the processor's seconds of one poll in one round."""
    began = time.process_time()
    for _ in range(POLLS):
        poll()
    return (time.process_time() - began) / POLLS


def run() -> list[Ratio]:
    here, there = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    server.start()
    try:
        with closing(here):
            url = f"http://127.0.0.1:{here.recv()}"
        sides = [make(url) for make in (ours, plainly, bare)]
        rounds = [[seconds(poll) for poll in sides] for _ in range(ROUNDS)]
    finally:
        server.terminate()
        server.join()
    mine, client, least = map(min, zip(*rounds, strict=True))
    print(f"  a quiet poll: ours {mine * 1e3:.2f} ms, Google's client {client * 1e3:.2f} ms, bare {least * 1e3:.2f} ms")
    return [Ratio("G10 quiet Google poll, ours / google-api-python-client", mine / client, 0.40, at_least=False)]
