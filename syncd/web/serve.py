"""Runs the ASGI application on a socket in a thread of its own. Signals are the daemon's; the access log stays off."""

import asyncio
import contextlib
import logging
import socket
import sys
import threading
from collections.abc import Generator, Sequence

import uvicorn
from starlette.types import ASGIApp

from syncd.core import limits
from syncd.web.protocol import WAITING, protocol

STOP_WITHIN = 8  # seconds for requests in hand
KEEP_ALIVE = 15  # seconds
SWITCH = 0.0005  # seconds for which a busy thread may keep the store's writer, back from the disk, waiting
TURN_WITHIN = 2.0  # seconds in which a living event loop gets round to a question


class _Server(uvicorn.Server):
    """uvicorn's server without its signals, which says when it has begun."""

    def __init__(self, config: uvicorn.Config, begun: threading.Event) -> None:
        super().__init__(config)
        self._begun = begun
        self.loop: asyncio.AbstractEventLoop | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self._begun.set()


class Server:
    """Serves from `start` to `stop`, on the sockets passed in, else on one bound to `listen` ("host:port")."""

    def __init__(
        self,
        app: ASGIApp,
        listen: str,
        sockets: Sequence[socket.socket] = (),
        *,
        proxies: Sequence[str] = (),
        head_seconds: float = limits.BODY_SECONDS,
        most_waiting: int = WAITING,
    ) -> None:
        self._app = app
        self._listen = listen
        self._sockets = list(sockets)
        self._proxies = list(proxies)
        self._protocol = protocol(head_seconds, most_waiting)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._begun = threading.Event()
        self._broken: BaseException | None = None

    def start(self) -> None:
        """Begin to serve; raises OSError where the address cannot be had."""
        if not self._sockets:
            self._sockets = [bind(self._listen)]
        logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
        sys.setswitchinterval(SWITCH)
        server = self._server = _Server(self._config(), self._begun)
        self._thread = threading.Thread(target=self._run, args=(server,), name="web", daemon=True)
        self._thread.start()
        self._begun.wait()
        if self._broken is not None:
            raise OSError(f"the web server did not start: {self._broken}")

    def _config(self) -> uvicorn.Config:
        return uvicorn.Config(
            self._app,
            http=self._protocol,
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

    def _run(self, server: _Server) -> None:
        try:
            asyncio.run(server.serve(self._sockets))
        except BaseException as error:  # noqa: BLE001 - told to whoever waits in start()
            self._broken = error
        finally:
            self._begun.set()

    @property
    def address(self) -> tuple[str, int]:
        """Return host and port as bound; meaningful for TCP sockets only."""
        host, port = self._sockets[0].getsockname()[:2]
        return host, port

    def alive(self) -> bool:
        """Tell whether the event loop still turns: a server that hangs is no better than a dead one (F49)."""
        loop = self._server.loop if self._server is not None else None
        if loop is None or self._thread is None or not self._thread.is_alive():
            return False
        turned = threading.Event()
        try:
            loop.call_soon_threadsafe(turned.set)
        except RuntimeError:  # closed just now
            return False
        return turned.wait(TURN_WITHIN)

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
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named: asyncio then sends without delay
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, int(port)))
        bound.listen(1024)
    except (OSError, ValueError, OverflowError) as error:
        bound.close()
        raise OSError(f"cannot listen on {listen}: {error}") from error
    bound.set_inheritable(False)
    return bound
