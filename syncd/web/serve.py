"""Runs the ASGI application on a socket in a thread of its own. Signals are the daemon's; the access log stays off."""

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Generator, Sequence

import uvicorn
from starlette.types import ASGIApp

from syncd.web.protocol import Protocol

STOP_WITHIN = 8  # seconds for requests in hand
KEEP_ALIVE = 15  # seconds


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class Server:
    """Serves from `start` to `stop`. Sockets that were passed in are used as they are; else `listen` ("host:port") is bound."""

    def __init__(
        self, app: ASGIApp, listen: str, sockets: Sequence[socket.socket] = (), *, proxies: Sequence[str] = ()
    ) -> None:
        self._app = app
        self._listen = listen
        self._sockets = list(sockets)
        self._proxies = list(proxies)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._started = threading.Event()
        self._broken: BaseException | None = None

    def start(self) -> None:
        """Begin to serve; raises OSError where the address cannot be had."""
        if not self._sockets:
            self._sockets = [bind(self._listen)]
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        self._server = _Server(self._config())
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._broken is not None:
            raise OSError(f"the web server did not start: {self._broken}")

    def _config(self) -> uvicorn.Config:
        return uvicorn.Config(
            self._app,
            http=Protocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(self._proxies),
            forwarded_allow_ips=self._proxies,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=STOP_WITHIN,
        )

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - told to whoever waits in start()
            self._broken = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        assert self._server is not None  # noqa: S101 - start() made it
        serving = asyncio.ensure_future(self._server.serve(self._sockets))
        while not self._server.started and not serving.done():
            await asyncio.sleep(0.005)
        self._started.set()
        await serving

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port as bound; meaningful for TCP sockets only."""
        host, port = self._sockets[0].getsockname()[:2]
        return host, port

    def stop(self) -> None:
        """Accept nothing new, finish what is in hand, return when done."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        self._thread.join()
        self._server = None


def bind(listen: str) -> socket.socket:
    """Return a listening socket for "host:port" or "[v6]:port"."""
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, int(port)))
        bound.listen(1024)
    except (OSError, ValueError) as error:
        bound.close()
        raise OSError(f"cannot listen on {listen}: {error}") from error
    bound.set_inheritable(False)
    return bound
