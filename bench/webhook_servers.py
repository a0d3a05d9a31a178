"""The three servers of G9, each run in a process of its own: `python -m bench.webhook_servers KIND FOLDER DELAY`.

Each says its port in one line and serves until it is killed.
"""

import hashlib
import hmac
import json
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any, cast
from wsgiref.simple_server import ServerHandler, WSGIRequestHandler, WSGIServer

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from connectors._calendly_hook import hook
from connectors._calendly_settings import CalendlySettings
from syncd.clock import SystemClock
from syncd.core.directory import CalendarRef, Directory, Project, SchedulerLink
from syncd.core.ids import AccountId, EventTypeId, ProjectId
from syncd.flows.context import AccountParts, Context
from syncd.ports import Calendar
from syncd.store import open_store
from syncd.web.app import create_app
from syncd.web.serve import Server

KEY = "the signing key"
HEADER = "Calendly-Webhook-Signature"
EVENT_TYPE = "https://api.calendly.com/event_types/T1"
FILES = {"ours": "ours.db", "peer": "peer.db"}


class SlowDisk(sqlite3.Connection):
    """A connection whose commits take longer, for disks differ."""

    delay = 0.0

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql == "COMMIT":
            time.sleep(self.delay)
        return super().execute(sql, parameters)


def slow_disk(delay: float) -> type[sqlite3.Connection]:
    return type("SlowDisk", (SlowDisk,), {"delay": delay})


def told(port: int) -> None:
    print(port, flush=True)


# ours


def ours(folder: Path, delay: float) -> None:
    clock = SystemClock()
    connect = partial(
        sqlite3.connect,
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=512,
        factory=slow_disk(delay),
    )
    account = AccountId("calendly")
    settings = CalendlySettings.model_validate({"token": "t", "signing_keys": [KEY]})
    parts = AccountParts(id=account, kind="calendly", hook=partial(hook, account, settings))
    ctx = Context(
        store=open_store(folder / FILES["ours"], clock, connect=connect),
        directory=directory(account),
        clock=clock,
        calendar_of=no_calendar,
        accounts={account: parts},
    )
    serve(create_app(lambda: ctx, tokens=dict, link_key=lambda: b"k" * 32))


def directory(account: AccountId) -> Directory:
    """Name one event type at the scheduler, so that the deliveries are ours to keep."""
    project = Project(
        id=ProjectId("casas"),
        name="Casas",
        time_zone="America/Santiago",
        team=(),
        event_types={"standard": EventTypeId("visita")},
        scheduler=SchedulerLink(account=account, event_types={"standard": EVENT_TYPE}),
    )
    return Directory(agents={}, projects={project.id: project}, event_types={}, hours={})


def no_calendar(ref: CalendarRef) -> Calendar:
    raise AssertionError(f"a delivery asked for the calendar {ref.id}")


# our server and its edge with an empty handler


def empty(folder: Path, _delay: float) -> None:
    clock = SystemClock()
    store = open_store(folder / "empty.db", clock)
    ctx = Context(store=store, directory=directory(AccountId("calendly")), clock=clock, calendar_of=no_calendar)
    app = create_app(lambda: ctx, tokens=dict, link_key=lambda: b"k" * 32)
    app.routes.insert(0, Route("/hook/{account}", answer, methods=["POST"]))
    serve(app)


async def answer(request: Request) -> Response:
    await request.body()
    return Response(status_code=204)


def serve(app: ASGIApp) -> None:
    server = Server(app, "127.0.0.1:0")
    server.start()
    told(server.address[1])
    threading.Event().wait()


# the peer: a WSGI application that commits by itself


class OwnCommits:
    """Checks the signature, inserts, commits, answers; a connection to the database for each thread."""

    def __init__(self, open_database: Callable[[], sqlite3.Connection]) -> None:
        self._open = open_database
        self._local = threading.local()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        parts = dict(part.split("=", 1) for part in environ["HTTP_CALENDLY_WEBHOOK_SIGNATURE"].split(","))
        expected = hmac.new(KEY.encode(), f"{parts['t']}.".encode() + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, parts["v1"]):
            start_response("401 Unauthorized", [("Content-Length", "0")])
            return []
        self.keep(json.loads(body)["payload"]["uri"], body)
        start_response("204 No Content", [])
        return []

    def keep(self, key: str, body: bytes) -> None:
        database: sqlite3.Connection | None = getattr(self._local, "database", None)
        if database is None:
            database = self._local.database = self._open()
        database.execute("BEGIN IMMEDIATE")
        database.execute(
            "INSERT OR IGNORE INTO inbox (key, body, received_at) VALUES (?, ?, ?)", (key, body, time.time())
        )
        database.execute("COMMIT")


class KeptAlive(ServerHandler):
    """Answers in HTTP/1.1, so that the connection stays."""

    http_version = "1.1"


class Handler(WSGIRequestHandler):
    """wsgiref's handler, for one request after the other on one connection."""

    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        self.close_connection = False
        while not self.close_connection:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                return
            handler = KeptAlive(
                self.rfile, cast(Any, self.wfile), self.get_stderr(), self.get_environ(), multithread=True
            )
            handler.request_handler = self  # type: ignore[attr-defined]
            handler.run(self.server.get_app())  # type: ignore[attr-defined]

    def log_message(self, *_ignored: object) -> None:
        """Say nothing: a terminal would be the bottleneck."""


class Listener(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 256


def peer(folder: Path, delay: float) -> None:
    def open_database() -> sqlite3.Connection:
        found = sqlite3.connect(folder / FILES["peer"], timeout=30, isolation_level=None, factory=slow_disk(delay))
        found.execute("PRAGMA journal_mode = WAL")
        found.execute("PRAGMA synchronous = FULL")
        return found

    open_database().execute("CREATE TABLE inbox (key TEXT PRIMARY KEY, body BLOB, received_at REAL)")
    server = Listener(("127.0.0.1", 0), Handler)
    server.set_app(OwnCommits(open_database))
    told(server.server_port)
    server.serve_forever()


if __name__ == "__main__":
    kind, folder, delay = sys.argv[1:]
    {"ours": ours, "empty": empty, "peer": peer}[kind](Path(folder), float(delay))
