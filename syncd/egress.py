"""The egress broker: tunnels (CONNECT over a UNIX socket) to the hosts that the configuration names, and nowhere else.

Addresses are checked and then kept. Must not know any secret, nor what travels through a tunnel.
"""

import argparse
import asyncio
import os
import re
import signal
import socket
import struct
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from connectors import Specs
from connectors._address import Reach, literal_of, origin_of
from syncd import notify
from syncd.clock import SystemClock
from syncd.config.lines import LARGEST, Lines, read_toml
from syncd.config.problems import dotted
from syncd.errors import ConfigError, Permanent
from syncd.log import log, setup
from syncd.ports import ConnectorSpec

PEER_GROUPS = 59  # SO_PEERGROUPS (asm-generic/socket.h), which Python does not name
LONGEST_HEAD = 4096  # bytes
PIECE = 65536  # bytes taken from one side before the other has them
TRIED = 4  # addresses of one host
URL_KEYS = ("url", "api_url", "token_url", "authority")  # where accounts name hosts; "host" and "port" are the others
# Where a connector goes when the table says nothing: Google's is named in its secret, which is not read here.
UNSAID = {"google": {"token_url": "https://oauth2.googleapis.com/token"}}

# A stricter grammar than RFC 9110's: what two parsers could read differently is refused.
_HEAD = re.compile(
    rb"CONNECT ([!-~]{1,300}) HTTP/1\.[01]\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}:[\t -~]*\r\n){0,16})\r\n"
)
_METHOD = re.compile(rb"[A-Z]{1,20} ")
_WITH_PORT = re.compile(r"[^/?]+:[0-9]{1,5}", re.ASCII)
_FRAMING = {"content-length", "transfer-encoding", "upgrade", "expect", "trailer"}

Place = tuple[str, int]  # host in its one spelling, port
Allowed = Mapping[Place, Sequence[Reach]]
Address = tuple[int, Any]  # address family, and what connect() wants
Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
Answer = asyncio.Future[Sequence[Address]]
Found = Sequence[Address] | Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long and how much; seconds."""

    head: float = 5.0
    resolve: float = 5.0
    connect: float = 5.0
    linger: float = 1.0  # for a caller who was refused
    idle: float = 600.0  # a connector keeps its connection from one poll to the next
    tunnels: int = 256


class Refused(Exception):
    """No tunnel is opened."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status


# ---------------------------------------------------------------------------------------------- what is allowed


def place_of(authority: str) -> Place:
    """Read "host:port", an IPv6 address in brackets; raises Permanent for what is not plainly one."""
    if not _WITH_PORT.fullmatch(authority):
        raise Permanent("a place is written host:port")
    return _place(Reach(origin=origin_of(f"https://{authority}")[0], folder="/"))


def _place(reach: Reach) -> Place:
    address = reach.origin.literal
    return reach.origin.host if address is None else str(address), reach.origin.port


def reaches_of(table: Mapping[str, Any], spec: ConnectorSpec) -> Iterator[tuple[str, Reach]]:
    """Yield what an account's table names, or its connector's defaults; raises Permanent. Secrets are not looked at."""
    fields = spec.settings_model.model_fields
    given = {name: table.get(name, field.default) for name, field in fields.items()}
    given |= {name: url for name, url in UNSAID.get(spec.kind, {}).items() if not given.get(name)}
    switches = {name: given.get(name) is True for name in ("allow_http", "allow_private")}
    for key in URL_KEYS:
        url = given.get(key)
        if isinstance(url, str) and url and not (key == "url" and given.get("api_url")):  # api_url stands in for url
            yield key, Reach.of(url, **switches)
    host, port = given.get("host"), given.get("port")
    if isinstance(host, str) and isinstance(port, int):
        named = f"[{host}]" if ":" in host else host
        yield "host", Reach.of(f"https://{named}:{port}", **switches)


def read_allowed(file: Path, extra: Iterable[str] = ()) -> dict[Place, list[Reach]]:
    """Return the places that a configuration's accounts name, and those of `extra`; raises ConfigError."""
    try:
        with file.open("rb") as opened:
            raw, lines, unreadable = read_toml(opened.read(LARGEST + 1))
    except OSError as error:
        raise ConfigError([f"{file}: the configuration cannot be read: {error.strerror}"]) from None
    if unreadable:
        raise ConfigError([f"{file}:{line}: {problem.text}" for line, problem in unreadable])
    allowed: dict[Place, list[Reach]] = {}
    problems = list(_gather(allowed, raw, file, lines))
    if problems:
        raise ConfigError(problems)
    for text in extra:
        _allow_extra(allowed, text)
    return allowed


def _gather(allowed: dict[Place, list[Reach]], raw: Mapping[str, Any], file: Path, lines: Lines) -> Iterator[str]:
    """Add every account's places; yield what is wrong."""
    accounts, specs = raw.get("accounts", {}), Specs()
    for name, table in accounts.items() if isinstance(accounts, dict) else ():
        kind = table.get("kind") if isinstance(table, dict) else None
        path = ("accounts", name)
        if not isinstance(kind, str) or kind not in specs:
            yield f"{file}:{lines.of(path)}: {dotted(path)}: there is no such kind of account"
            continue
        try:
            for _, reach in reaches_of(table, specs[kind]):
                allowed.setdefault(_place(reach), []).append(reach)
        except Permanent as error:
            yield f"{file}:{lines.of(path)}: {dotted(path)}: {error}"


def _allow_extra(allowed: dict[Place, list[Reach]], text: str) -> None:
    try:
        place = place_of(text)
        allowed.setdefault(place, []).append(Reach.of(f"https://{text}"))
    except Permanent as error:
        raise ConfigError([f"--allow {text}: {error}"]) from None


# ---------------------------------------------------------------------------------------------- what is asked


def read_connect(head: bytes) -> Place:
    """Return the place that a request wants a tunnel to; raises Refused for anything but one plain CONNECT."""
    match = _HEAD.fullmatch(head)
    if match is None:
        if _METHOD.match(head) and not head.startswith(b"CONNECT "):
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "not a CONNECT")
        raise Refused(HTTPStatus.BAD_REQUEST, "not a plain CONNECT request")
    authority = match[1].decode("ascii")
    fields = [line.partition(":") for line in match[2].decode("ascii").splitlines()]
    names = [name.lower() for name, _, _ in fields]
    hosts = [value.strip() for name, _, value in fields if name.lower() == "host"]
    if _FRAMING & set(names) or len(hosts) > 1 or any(host != authority for host in hosts):
        raise Refused(HTTPStatus.BAD_REQUEST, "a request with a body, or for two hosts")
    try:
        return place_of(authority)
    except Permanent as error:
        raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from None


def is_known_peer(client: socket.socket) -> bool:
    """Tell whether the caller is this very user, or in this process's group; the kernel says who it is."""
    _, uid, gid = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    if uid == os.geteuid() or gid == os.getegid():
        return True
    try:
        groups = client.getsockopt(socket.SOL_SOCKET, PEER_GROUPS, 1024)
    except OSError:  # an old kernel, or more groups than anybody needs
        return False
    return os.getegid() in struct.unpack(f"{len(groups) // 4}I", groups)


class Resolver:
    """Asks the system's resolver, which cannot be interrupted: a few at once, in threads that are left behind."""

    def __init__(self, at_once: int = 16) -> None:
        self._free = asyncio.Semaphore(at_once)

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses of a host; raises OSError and UnicodeError."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        answer: Answer = loop.create_future()
        threading.Thread(target=self._ask, args=(loop, answer, host, port), name="resolve", daemon=True).start()
        return await answer

    def _ask(self, loop: asyncio.AbstractEventLoop, answer: Answer, host: str, port: int) -> None:
        try:
            found: Found = [(one[0], one[4]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError) as error:
            found = error
        with suppress(RuntimeError):  # the broker has ended meanwhile
            loop.call_soon_threadsafe(self._tell, answer, found)

    def _tell(self, answer: Answer, found: Found) -> None:
        self._free.release()
        if answer.done():  # nobody waits any more
            return
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)


# ---------------------------------------------------------------------------------------------- the broker


class Broker:
    """Serves one listening UNIX socket; what is allowed may change while it runs."""

    def __init__(self, allowed: Allowed, resolve: Resolve | None = None, limits: Limits | None = None) -> None:
        self.allowed = allowed
        self._resolve = resolve or Resolver()
        self._limits = limits or Limits()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, door: socket.socket) -> None:
        """Take callers until cancelled; then every tunnel ends."""
        door.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    client, _ = await loop.sock_accept(door)
                except OSError:  # out of descriptors: those in use come back as tunnels end
                    await asyncio.sleep(0.1)
                    continue
                if len(self._tasks) >= 2 * self._limits.tunnels:  # not even time for an answer
                    client.close()
                    continue
                task = loop.create_task(self._attend(client, full=len(self._tasks) >= self._limits.tunnels))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _attend(self, client: socket.socket, *, full: bool) -> None:
        with closing(client):
            client.setblocking(False)
            try:
                if full:
                    raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "too many tunnels are open")
                target = await self._open(client)
            except Refused as refused:
                await self._refuse(client, refused)
                return
            except OSError:  # the caller went away
                return
            with closing(target), suppress(OSError):
                await asyncio.get_running_loop().sock_sendall(client, b"HTTP/1.1 200 Connection established\r\n\r\n")
                await self._tunnel(client, target)

    async def _open(self, client: socket.socket) -> socket.socket:
        """Hear what the caller wants and return a connection to it; raises Refused."""
        if not is_known_peer(client):
            raise Refused(HTTPStatus.FORBIDDEN, "the caller is another user")
        try:
            head = await asyncio.wait_for(read_head(client), self._limits.head)
        except TimeoutError:
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, "the request took too long") from None
        place = read_connect(head)
        reaches = self.allowed.get(place)
        if not reaches:  # decided before any name is looked up: a question to the resolver is a way out as well
            raise Refused(HTTPStatus.FORBIDDEN, f"{place[0]}:{place[1]} is no host of an account")
        return await self._dial(await self._addresses(place, reaches))

    async def _addresses(self, place: Place, reaches: Sequence[Reach]) -> list[Address]:
        """Resolve a host once and return the addresses that may be connected to; raises Refused."""
        host, port = place
        if (literal := literal_of(host)) is not None:
            found: Sequence[Address] = [(socket.AF_INET6 if literal.version == 6 else socket.AF_INET, place)]
        else:
            try:
                found = await asyncio.wait_for(self._resolve(host, port), self._limits.resolve)
            except TimeoutError:
                raise Refused(HTTPStatus.GATEWAY_TIMEOUT, f"{host} was not resolved in time") from None
            except (OSError, UnicodeError):
                raise Refused(HTTPStatus.BAD_GATEWAY, f"{host} cannot be resolved") from None
        good = [one for one in found if is_allowed(str(one[1][0]), reaches)]
        if not good:
            raise Refused(HTTPStatus.FORBIDDEN, f"{host} leads to an address that is not connected to")
        return good[:TRIED]

    async def _dial(self, addresses: Sequence[Address]) -> socket.socket:
        """Connect to the first of the addresses that answers; raises Refused."""
        late = False
        for family, address in addresses:
            target = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            try:
                await asyncio.wait_for(asyncio.get_running_loop().sock_connect(target, address), self._limits.connect)
                target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return target
            except TimeoutError:
                late = True
            except OSError:
                late = False
            except BaseException:
                target.close()
                raise
            target.close()
        raise Refused(HTTPStatus.GATEWAY_TIMEOUT if late else HTTPStatus.BAD_GATEWAY, "no address answers")

    async def _tunnel(self, client: socket.socket, target: socket.socket) -> None:
        """Carry bytes both ways until both sides have ended, one of them breaks, or nothing has moved for a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.idle) as idle:
                try:
                    async with asyncio.TaskGroup() as ways:
                        ways.create_task(self._carry(client, target, idle))
                        ways.create_task(self._carry(target, client, idle))
                except* OSError:
                    pass

    async def _carry(self, source: socket.socket, to: socket.socket, idle: asyncio.Timeout) -> None:
        """Carry one way; the end of it is passed on, the other way stays open."""
        loop = asyncio.get_running_loop()
        while piece := await loop.sock_recv(source, PIECE):
            await loop.sock_sendall(to, piece)
            idle.reschedule(loop.time() + self._limits.idle)
        to.shutdown(socket.SHUT_WR)

    async def _refuse(self, client: socket.socket, refused: Refused) -> None:
        """Say no, here and in the log; then hear the caller out a moment, else a reset would overtake the answer."""
        log.warning(
            "no tunnel", extra={"action": "egress_refused", "status": refused.status.value, "why": str(refused)}
        )
        head = (
            f"HTTP/1.1 {refused.status.value} {refused.status.phrase}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        loop = asyncio.get_running_loop()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(self._limits.linger):
                await loop.sock_sendall(client, head.encode())
                client.shutdown(socket.SHUT_WR)
                while await loop.sock_recv(client, PIECE):
                    pass


def is_allowed(address: str, reaches: Sequence[Reach]) -> bool:
    literal = literal_of(address)  # one with a zone (fe80::1%eth0) is link-local, and none that this reads
    return literal is not None and any(reach.allows(literal) for reach in reaches)


async def read_head(client: socket.socket) -> bytes:
    """Read to the end of the request's head, and what came with it; raises Refused where it is too long."""
    head = b""
    while b"\r\n\r\n" not in head:
        piece = await asyncio.get_running_loop().sock_recv(client, LONGEST_HEAD + 1 - len(head))
        if not piece:
            raise ConnectionResetError("the caller closed")
        head += piece
        if len(head) > LONGEST_HEAD:
            raise Refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the request is too long")
    return head


# ---------------------------------------------------------------------------------------------- the process


def main(argv: Sequence[str] | None = None) -> int:
    """Run the broker until SIGTERM or SIGINT; SIGHUP reads the configuration again. Returns the exit code."""
    given = _arguments(argv)
    setup(sys.stderr)
    try:
        allowed = read_allowed(given.config, given.allow)
        with closing(_door(given.listen)) as door:
            asyncio.run(_run(Broker(allowed), door, lambda: read_allowed(given.config, given.allow)))
    except ConfigError as error:
        for problem in error.problems:
            sys.stderr.write(f"syncd egress: {problem}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"syncd egress: {error}\n")
        return 1
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    asked = argparse.ArgumentParser(prog="syncd egress", description="Open tunnels to the accounts' hosts only.")
    asked.add_argument("-c", "--config", type=Path, required=True, help="the daemon's configuration; no secret is read")
    asked.add_argument("--listen", type=Path, help="path of a UNIX socket; else the one that systemd passes")
    asked.add_argument("--allow", action="append", default=[], metavar="HOST:PORT", help="a further place; repeatable")
    return asked.parse_args(argv)


def _door(path: Path | None) -> socket.socket:
    """Return the listening socket: the passed one, else one of our own that only this user may open."""
    passed = notify.passed_sockets()
    if passed:
        return passed[0]
    if path is None:
        raise OSError("no socket was passed by systemd, and --listen names none")
    with socket.socket(socket.AF_UNIX) as probe:
        if path.is_socket() and probe.connect_ex(str(path)) != 0:
            path.unlink()  # left by a crash: nobody answers
    door = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        door.bind(str(path))
        door.listen(128)
    except OSError as error:
        door.close()
        raise OSError(f"cannot listen on {path}: {error.strerror}") from None
    finally:
        os.umask(mask)
    return door


async def _run(broker: Broker, door: socket.socket, read: Callable[[], Allowed]) -> None:
    loop = asyncio.get_running_loop()
    serving = loop.create_task(broker.serve(door))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, serving.cancel)
    loop.add_signal_handler(signal.SIGHUP, _reload, broker, read)
    notify.notify("READY=1", f"STATUS={len(broker.allowed)} places may be reached")
    log.info("ready", extra={"action": "started", "places": len(broker.allowed)})
    with suppress(asyncio.CancelledError):
        await serving
    notify.notify("STOPPING=1")


def _reload(broker: Broker, read: Callable[[], Allowed]) -> None:
    """Take the list of the configuration as it is now; a bad one changes nothing. Open tunnels stay."""
    notify.notify("RELOADING=1", f"MONOTONIC_USEC={int(SystemClock().monotonic() * 1_000_000)}")
    try:
        broker.allowed = read()
    except ConfigError as error:
        for problem in error.problems:
            log.error(problem, extra={"action": "reload_refused"})
    else:
        log.info("reloaded", extra={"action": "reloaded", "places": len(broker.allowed)})
    notify.notify("READY=1", f"STATUS={len(broker.allowed)} places may be reached")


if __name__ == "__main__":
    sys.exit(main())
