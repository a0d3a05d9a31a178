"""The sockets beneath `_http`: address checked and pinned, TLS context shared, deadline on every read, in-process apps.

Must not know what is asked or answered; only how bytes travel.
"""

import base64
import functools
import io
import os
import socket
import ssl
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.models import PreparedRequest, Response
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPHeaderDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from connectors._address import Origin, Reach, literal_of
from syncd.errors import Permanent, Transient
from syncd.ports import Environment

CONNECT_TIMEOUT = 5.0

Place = tuple[int, Any]  # address family, and what connect() wants


class Dropped(Transient):
    """The connection was closed before any answer came; the request is tried again."""


class Late(TimeoutError):
    """The whole call took longer than its deadline."""


class Call:
    """One call in one thread: when it must end, and whether a byte of the request may have reached the server."""

    def __init__(self, monotonic: Callable[[], float], deadline: float, read_timeout: float) -> None:
        self._monotonic = monotonic
        self._ends = monotonic() + deadline
        self.read_timeout = read_timeout
        self.sent = False

    def left(self, at_most: float | None = None) -> float:
        """Return the seconds the next step may take; raises Late when none are left."""
        left = self._ends - self._monotonic()
        if left <= 0:
            raise Late("the deadline of the whole call has passed")
        return min(left, self.read_timeout if at_most is None else at_most)


class _Line:
    """What a thread's connection needs to know: the origin it serves, a proxy if any, and the call in hand."""

    def __init__(self, reach: Reach, proxy: str | None, call: Call) -> None:
        self.reach, self.proxy, self.call = reach, proxy, call


class _Bounded:
    """Gives each read and write what is left of the deadline, so that one byte a second does not hold a worker."""

    line: _Line | None = None

    def _bound(self) -> None:
        if self.line is not None:
            self.settimeout(self.line.call.left())  # type: ignore[attr-defined]


class _Socket(_Bounded, socket.socket):
    def recv_into(self, *args: Any, **kw: Any) -> int:
        self._bound()
        return super().recv_into(*args, **kw)

    def sendall(self, *args: Any, **kw: Any) -> None:
        self._bound()
        super().sendall(*args, **kw)


class _TlsSocket(_Bounded, ssl.SSLSocket):
    def recv_into(self, *args: Any, **kw: Any) -> int:
        self._bound()
        return super().recv_into(*args, **kw)

    def send(self, *args: Any, **kw: Any) -> int:
        self._bound()
        return super().send(*args, **kw)


class Packed:
    """Unpacks a body part by part, never more than asked for; a body that stops in the middle is an error."""

    def __init__(self, encoding: str) -> None:
        """`encoding`: a Content-Encoding; raises ValueError for one that nobody asked for."""
        self._encoding = encoding.strip().lower()
        if self._encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise ValueError(f"a compression nobody asked for: {self._encoding[:20]}")
        self._plain = self._encoding in ("", "identity")
        self._machine: Any = None

    def unpack(self, part: bytes, at_most: int) -> Iterator[bytes]:
        """Yield what a part of the body holds, in pieces of at most so many bytes."""
        if self._plain:
            yield part
            return
        while part:
            if self._machine is None:
                self._machine = zlib.decompressobj(self._bits(part))
            piece = self._machine.decompress(part, at_most)
            part = self._machine.unconsumed_tail
            if self._machine.eof:
                part = self._machine.unused_data if self._encoding != "deflate" else b""
                self._machine = None if part else self._machine  # gzip may hold several members
            if piece:
                yield piece

    def end(self) -> None:
        """Insist that the packed body was whole; raises zlib.error."""
        if self._machine is not None and not self._machine.eof:
            raise zlib.error("the compressed body stops half way")

    def _bits(self, part: bytes) -> int:
        if self._encoding != "deflate":
            return zlib.MAX_WBITS | 16
        return zlib.MAX_WBITS if part[0] & 0x0F == 8 else -zlib.MAX_WBITS  # some servers leave zlib's head out


@functools.lru_cache(maxsize=4)
def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Return the TLS context of this process (a new one costs 20 ms); certificates are always checked."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _TlsSocket
    return context


def trusted(env: Environment) -> str | None:
    """Return the file of trusted certificates: the configured, else the environment's; None is the system's store."""
    return env.ca_file or os.environ.get("SSL_CERT_FILE") or os.environ.get("REQUESTS_CA_BUNDLE") or None


def proxy_of(env: Environment, origin: Origin) -> str | None:
    """Return the proxy for an origin, None for this very machine."""
    return None if origin.loopback else env.proxy or os.environ.get("HTTPS_PROXY") or None


def dial(line: _Line) -> socket.socket:
    """Open a socket to the origin: through the proxy, or to an address that was checked and is then kept."""
    if line.proxy is not None:
        return _through_proxy(line)
    origin = line.reach.origin
    found = _addresses(origin.host, origin.port, line.call)
    allowed = [one for one in found if (address := literal_of(str(one[1][0]))) and line.reach.allows(address)]
    if not allowed:
        addresses = [address for one in found if (address := literal_of(str(one[1][0])))]
        why = line.reach.why_not(addresses[0]) if addresses else "it has no address"
        raise Permanent(f"{origin.host} is not connected to: {why}")
    return _first(allowed, line)


def open_socket(env: Environment, reach: Reach, call: Call) -> socket.socket:
    """Open a socket for a protocol other than HTTP; every read and write of it heeds the call's deadline."""
    line = _Line(reach, proxy_of(env, reach.origin), call)
    sock = dial(line)
    sock.line = line  # type: ignore[attr-defined]
    return sock


def under_tls(sock: Any, env: Environment, host: str) -> Any:
    """Put TLS over such a socket; the certificate must be that of `host`."""
    wrapped: Any = tls_context(trusted(env)).wrap_socket(sock, server_hostname=host)
    wrapped.line = sock.line
    return wrapped


def _addresses(host: str, port: int, call: Call) -> list[Place]:
    """Resolve a name once. The resolver cannot be interrupted, so it works in a thread that is left behind."""
    if literal_of(host) is not None:
        return _resolved(host, port)
    found: list[list[Place] | OSError] = []

    def resolve() -> None:
        try:
            found.append(_resolved(host, port))
        except (OSError, UnicodeError) as error:
            found.append(OSError(f"{host} cannot be resolved: {error}"))

    worker = threading.Thread(target=resolve, name="resolve", daemon=True)
    worker.start()
    worker.join(call.left(CONNECT_TIMEOUT))
    if not found:
        raise TimeoutError(f"{host} was not resolved in time")
    if isinstance(found[0], OSError):
        raise found[0]
    return found[0]


def _resolved(host: str, port: int) -> list[Place]:
    return [(one[0], one[4]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _first(addresses: list[Place], line: _Line) -> socket.socket:
    """Connect to the first address that answers."""
    failure: OSError | None = None
    for family, address in addresses[:4]:
        sock = _Socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(line.call.left(CONNECT_TIMEOUT))
            sock.connect(address)
            if family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            sock.close()
            failure = error
    raise failure or OSError("no address to connect to")


def _through_proxy(line: _Line) -> socket.socket:
    """Ask a proxy (http://host:port, or unix:/path for the egress broker) for a tunnel to the origin."""
    proxy, origin = line.proxy or "", line.reach.origin
    login = ""
    if proxy.startswith("unix:"):
        sock = _first([(socket.AF_UNIX, proxy.removeprefix("unix:"))], line)
    else:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if parts.scheme != "http" or not parts.hostname:
            raise Permanent("the proxy is not http://host:port or unix:/path; set [daemon] proxy or HTTPS_PROXY")
        if parts.username:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            login = f"Proxy-Authorization: Basic {base64.b64encode(pair.encode()).decode()}\r\n"
        sock = _first(_addresses(parts.hostname, parts.port or 3128, line.call), line)
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    place = f"{host}:{origin.port}"
    try:
        sock.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{login}\r\n".encode())
        _tunnel_opened(sock, line)
    except BaseException:
        sock.close()
        raise
    return sock


def _tunnel_opened(sock: socket.socket, line: _Line) -> None:
    """Read the proxy's answer byte by byte, so that nothing of the tunnel is swallowed."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        sock.settimeout(line.call.left())
        byte = sock.recv(1)
        if not byte or len(head) > 8192:
            raise OSError("the proxy closed or sent nonsense instead of opening a tunnel")
        head += byte
    status = head.split(b" ", 2)[1:2]
    if status != [b"200"]:
        raise OSError(f"the proxy refused the tunnel ({b''.join(status)[:3].decode('ascii', 'replace')})")


class _Dialled:
    """A connection that dials by our rules and notes when the request leaves."""

    line: _Line
    sock: Any

    def _new_conn(self) -> socket.socket:
        return dial(self.line)

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self.sock.line = self.line

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        self.line.call.sent = True
        super().send(data)  # type: ignore[misc]


class _Connection(_Dialled, HTTPConnection):
    def __init__(self, *args: Any, line: _Line, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.line = line


class _TlsConnection(_Dialled, HTTPSConnection):
    def __init__(self, *args: Any, line: _Line, **kw: Any) -> None:
        super().__init__(*args, **kw)
        self.line = line


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class OriginAdapter(HTTPAdapter):
    """Serves one origin with one kept connection; used by one thread only."""

    def __init__(self, env: Environment, reach: Reach, call: Call) -> None:
        super().__init__()
        origin = reach.origin
        self.line = _Line(reach, proxy_of(env, origin), call)
        host = f"[{origin.host}]" if ":" in origin.host else origin.host
        common: dict[str, Any] = {"maxsize": 1, "block": False, "retries": False, "line": self.line}
        if origin.scheme == "https":
            context = tls_context(trusted(env))
            self.pool: HTTPConnectionPool = _TlsPool(host, origin.port, ssl_context=context, **common)
        else:
            self.pool = _Pool(host, origin.port, **common)

    def get_connection_with_tls_context(self, *args: Any, **kw: Any) -> HTTPConnectionPool:
        return self.pool

    def cert_verify(self, *args: Any, **kw: Any) -> None:
        """Leave the context alone: requests would load its own certificates into it at every connection."""

    @property
    def call(self) -> Call:
        return self.line.call

    @call.setter
    def call(self, call: Call) -> None:
        self.line.call = call

    def close(self) -> None:
        self.pool.close()


class WsgiAdapter(BaseAdapter):
    """Serves an origin by calling a WSGI application in this very process."""

    def __init__(self, app: Any, prefix: str, call: Call) -> None:
        super().__init__()
        self.app, self.prefix, self.call = app, prefix, call

    def send(self, request: PreparedRequest, *args: Any, **kw: Any) -> Response:
        self.call.sent = True
        response = Response()
        response.request, response.url = request, request.url or ""
        status, headers, body = self._run(request)
        response.status_code = int(status[:3])
        response.headers = CaseInsensitiveDict(headers)
        response.raw = urllib3.HTTPResponse(
            io.BytesIO(body), headers=HTTPHeaderDict(headers), status=response.status_code, preload_content=False
        )
        return response

    def close(self) -> None:
        """Nothing is kept open."""

    def _run(self, request: PreparedRequest) -> tuple[str, list[tuple[str, str]], bytes]:
        environ = self._environ(request)
        if environ is None:
            return "404 Not Found", [], b""
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            started.append((status, headers))
            return written.append

        written: list[bytes] = []
        result = self.app(environ, start)
        try:
            written.extend(result)
        finally:
            if hasattr(result, "close"):
                result.close()
        return *started[-1], b"".join(written)

    def _environ(self, request: PreparedRequest) -> dict[str, Any] | None:
        """Return what PEP 3333 wants, None for a path outside the application."""
        parts = urlsplit(request.url or "")
        script, path = self.prefix.rstrip("/"), unquote(parts.path, "latin-1")
        if not path.startswith(script):
            return None
        body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
        named = {name.upper().replace("-", "_"): _text(value) for name, value in request.headers.items()}
        kind = named.pop("CONTENT_TYPE", None)
        named.pop("CONTENT_LENGTH", None)
        return {
            **{f"HTTP_{name}": value for name, value in named.items()},
            **({} if kind is None else {"CONTENT_TYPE": kind}),
            "HTTP_HOST": parts.netloc,
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": script,
            "PATH_INFO": path[len(script) :],
            "QUERY_STRING": parts.query,
            "SERVER_NAME": parts.hostname or "localhost",
            "SERVER_PORT": str(parts.port or {"http": 80, "https": 443}[parts.scheme]),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": parts.scheme,
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
