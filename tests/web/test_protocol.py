"""How bytes become requests: caps, deadlines, one reading of every length; over real sockets."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from syncd.core import limits
from syncd.web.headers import HEADERS
from syncd.web.protocol import Connection, judge, protocol
from syncd.web.serve import Server
from tests.web.raw import Wire, ask, serving, wire

SHORT = 0.3  # seconds; the deadline of these tests


class Echo:
    """Answers the path and the body of each request; remembers what it was asked; /unread answers before the body."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.held = threading.Event()  # /hold answers once this is set
        self.holding = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self.asked.append(f"{request.method} {request.url.path}")
        body = b"" if request.url.path == "/unread" else await request.body()
        if request.url.path == "/hold":
            self.holding.set()
            await asyncio.get_running_loop().run_in_executor(None, self.held.wait, 10)
        names = sorted(request.headers.keys())
        answer = json.dumps({"path": request.url.path, "body": body.decode("latin-1"), "headers": names})
        await PlainTextResponse(answer)(scope, receive, send)


class Stand:
    """The application of the server of this module: each test's own one."""

    def __init__(self) -> None:
        self.current = Echo()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(ClientDisconnect):
            await self.current(scope, receive, send)


@pytest.fixture(scope="module")
def stage() -> Iterator[tuple[Server, Stand]]:
    app = Stand()
    with serving(app, head_seconds=SHORT) as running:
        yield running, app


@pytest.fixture
def server(stage: tuple[Server, Stand]) -> Server:
    return stage[0]


@pytest.fixture
def echo(stage: tuple[Server, Stand]) -> Echo:
    stage[1].current = Echo()
    return stage[1].current


def test_requests_follow_each_other_on_one_connection(server: Server, echo: Echo) -> None:
    with wire(server.address, ask("/a") + ask("/b", "POST", b"xyz")) as line:
        assert json.loads(line.hear().body)["path"] == "/a"
        second = line.hear()
        assert json.loads(second.body)["body"] == "xyz"
    assert echo.asked == ["GET /a", "POST /b"]


def chunked(*parts: bytes, trailers: bytes = b"", extension: bytes = b"") -> bytes:
    body = b"".join(b"%x%b\r\n%b\r\n" % (len(part), extension, part) for part in parts)
    return ask("/c", "POST", Transfer_Encoding="chunked") + body + b"0\r\n" + trailers + b"\r\n"


def test_a_chunked_body_is_read(server: Server) -> None:
    with wire(server.address, chunked(b"ab", b"cd")) as line:
        assert json.loads(line.hear().body)["body"] == "abcd"


def test_trailers_are_no_headers(server: Server) -> None:
    with wire(server.address, chunked(b"ab", trailers=b"X-Signature: forged\r\n") + ask("/next")) as line:
        heard = json.loads(line.hear().body)
        assert heard["body"] == "ab" and "x-signature" not in heard["headers"]
        assert json.loads(line.hear().body)["path"] == "/next"


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",  # H17
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        b"Content-Length: 4\r\nContent-Length: 5\r\n",
        b"Content-Length: 4\r\nContent-Length: 4\r\n",
        b"Content-Length: 4, 4\r\n",
        b"Content-Length: +4\r\n",
        b"Content-Length: 0x4\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
        b"Content-Length : 4\r\n",
        b"Transfer-Encoding: chunked, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer-Encoding:\x0bchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Host: elsewhere\r\nContent-Length: 4\r\n",
        b"X: a\rb\r\n",
        b"X: a\0b\r\n",
        b" folded: x\r\n",
        b"X: a\r\n b\r\n",
        b"no colon\r\n",
        b"X\xff: a\r\n",
    ],
)
def test_h17_a_head_with_two_readings_is_refused_and_nothing_after_it_is_read(
    server: Server, echo: Echo, head: bytes
) -> None:
    smuggled = ask("/smuggled")
    with wire(server.address, b"POST /a HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n0\r\n\r\n" + smuggled) as line:
        heard = line.hear()
        assert (heard.status, heard.headers["connection"]) == (400, "close")
        assert json.loads(heard.body)["type"] == "malformed"
        assert line.is_closed()
    assert echo.asked == []


def test_a_coding_in_http_1_0_is_refused(server: Server, echo: Echo) -> None:
    with wire(server.address, b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n") as line:
        assert line.hear().status == 400
    assert echo.asked == []


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",  # no Host
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / a HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\0" * 100,
    ],
)
def test_what_is_no_request_is_refused(server: Server, echo: Echo, data: bytes) -> None:
    with wire(server.address, data) as line:
        assert line.hear().status == 400
        assert line.is_closed()
    assert echo.asked == []


def test_h22_a_head_of_64_kb_is_431(server: Server, echo: Echo) -> None:
    for data in (
        ask("/", X="a" * 65536),
        ask("/" + "a" * 65536),
        ask("/")[:-2] + (b"X: " + b"a" * 200 + b"\r\n") * 320 + b"\r\n",
        ask("/")[:-2] + b"X: " + b"a" * 65536,  # without an end
        ask("/")[:-2] + b"X" * 65536,
    ):
        with wire(server.address) as line:
            for at in range(0, len(data), 8192):
                line.send(data[at : at + 8192])
            heard = line.hear()
            assert heard.status == 431 and json.loads(heard.body)["type"] == "head-too-large"
            assert line.is_closed()
    assert echo.asked == []


def test_a_head_just_under_the_cap_passes(server: Server) -> None:
    with wire(server.address, ask("/", X="a" * (limits.HEADERS - 100))) as line:
        assert line.hear().status == 200


def test_many_small_requests_in_one_breath_are_not_too_large(server: Server, echo: Echo) -> None:
    number = 1000
    whole = ask("/") * number
    assert len(whole) > 2 * limits.HEADERS
    with wire(server.address, whole[:-10]) as line:
        for _ in range(number - 1):
            assert line.hear().status == 200
        line.send(whole[-10:])
        assert line.hear().status == 200
    assert len(echo.asked) == number


@pytest.mark.parametrize("kind", ["trailers", "one trailer", "extensions"])
def test_an_endless_tail_of_a_body_is_cut(server: Server, kind: str) -> None:
    head = ask("/c", "POST", Transfer_Encoding="chunked") + b"1\r\nx\r\n"
    endless = {"trailers": b"0\r\n" + b"X: y\r\n" * 10_000, "one trailer": b"0\r\nX: " + b"y" * 65536}
    data = head + endless.get(kind, b"1;" + b"y" * 65536)
    with wire(server.address) as line:
        for at in range(0, len(data), 4096):
            line.send(data[at : at + 4096])
        assert line.hear().status == 431
        assert line.is_closed()


def test_h23_a_head_that_never_ends_is_closed_at_the_deadline_while_others_are_served(server: Server) -> None:
    lines = [Wire(server.address, ask("/slow")[:-4]) for _ in range(50)]
    with wire(server.address, ask("/quick")) as quick:
        assert quick.hear().status == 200
    for line in lines:
        heard = line.hear()
        assert heard.status == 408 and json.loads(heard.body)["type"] == "too-slow"
        assert line.is_closed()
        line.close()


def test_h23_dripping_bytes_do_not_move_the_deadline(server: Server) -> None:
    done = threading.Event()

    def drip() -> None:
        try:
            while not done.wait(0.02):
                line.send(b"X: y\r\n")
        except OSError:
            return

    with wire(server.address, ask("/slow")[:-2]) as line:
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            assert line.hear().status == 408
        finally:
            done.set()
            thread.join()


def test_a_connection_that_says_nothing_is_closed_at_the_deadline(server: Server) -> None:
    with wire(server.address) as line:
        assert line.hear().status == 408


def test_the_deadline_is_for_heads_and_not_for_answers(server: Server, echo: Echo) -> None:
    with wire(server.address, ask("/hold")) as line:
        assert echo.holding.wait(5)
        with wire(server.address) as other:
            assert other.hear().status == 408  # one deadline has passed
        echo.held.set()
        assert line.hear().status == 200


def test_a_body_that_is_answered_before_it_came_may_still_come(server: Server) -> None:
    with wire(server.address, ask("/unread", "POST", Content_Length="3")) as line:
        assert line.hear().status == 200
        line.send(b"abc" + ask("/next"))
        assert json.loads(line.hear().body)["path"] == "/next"


def test_a_body_that_nobody_reads_does_not_keep_the_connection(server: Server, echo: Echo) -> None:
    with wire(server.address, ask("/unread", "POST", Content_Length="1000000") + b"x") as line:
        assert line.hear().status == 200
        assert line.is_closed()
    assert echo.asked == ["POST /unread"]


def test_a_body_that_nobody_reads_but_that_ends_keeps_it(server: Server) -> None:
    with wire(server.address, ask("/unread", "POST", b"x" * 100) + ask("/next")) as line:
        assert line.hear().status == 200
        assert json.loads(line.hear().body)["path"] == "/next"


def test_a_request_that_is_running_is_answered_though_the_next_head_is_refused(server: Server, echo: Echo) -> None:
    with wire(server.address, ask("/hold")) as line:
        assert echo.holding.wait(5)
        line.send(b"rubbish\r\n\r\n")
        echo.held.set()
        heard = line.hear()
        assert heard.status == 200 and json.loads(heard.body)["path"] == "/hold"
        assert line.is_closed()


def test_a_broken_chunk_is_refused_and_the_connection_closed(server: Server) -> None:
    with wire(server.address, ask("/c", "POST", Transfer_Encoding="chunked") + b"2\r\nab\r\nXX\r\n") as line:
        assert line.hear().status == 400
        assert line.is_closed()


@pytest.mark.parametrize("upgrade", ["websocket", "h2c", "TLS/1.0"])
def test_an_upgrade_is_ignored_and_ends_the_connection(server: Server, echo: Echo, upgrade: str) -> None:
    data = ask("/", Connection="Upgrade", Upgrade=upgrade) + ask("/smuggled")
    with wire(server.address, data) as line:
        heard = line.hear()
        assert (heard.status, heard.headers["connection"]) == (200, "close")
        assert line.is_closed()
    assert "GET /smuggled" not in echo.asked


def test_a_refusal_carries_the_security_headers(server: Server) -> None:
    with wire(server.address, b"rubbish\r\n\r\n") as line:
        heard = line.hear()
    assert {name: heard.headers[name.lower()] for name in HEADERS} == HEADERS
    assert heard.headers["cache-control"] == "no-store"


def test_the_oldest_unfinished_head_makes_room_for_the_next(echo: Echo) -> None:
    with serving(echo, head_seconds=60.0, most_waiting=5) as server:
        lines = [Wire(server.address, ask("/slow")[:-4]) for _ in range(5)]
        with wire(server.address, ask("/quick")) as quick:
            assert quick.hear().status == 200
        assert lines[0].is_closed()
        lines[1].send(b"\r\n\r\n")
        assert lines[1].hear().status == 200
        for line in lines:
            line.close()


def test_servers_do_not_count_each_others_connections() -> None:
    one, other = protocol(), protocol(1.0)
    assert one.waiting is not other.waiting is not Connection.waiting
    assert (one.head_seconds, other.head_seconds) == (limits.BODY_SECONDS, 1.0)


def test_the_deadline_is_ten_seconds_and_the_head_is_capped_at_16_kib() -> None:
    assert (limits.BODY_SECONDS, limits.HEADERS) == (10.0, 16384)


HOST = (b"host", b"x")


@pytest.mark.parametrize(
    ("headers", "version", "status"),
    [
        ([HOST], "1.1", None),
        ([], "1.0", None),
        ([], "1.1", 400),
        ([HOST, (b"transfer-encoding", b"Chunked ")], "1.1", None),
        ([HOST, (b"transfer-encoding", b"chunked"), (b"content-length", b"1")], "1.1", 400),
        ([HOST, (b"x", b"a" * limits.HEADERS)], "1.1", 431),
    ],
)
def test_heads_are_judged(headers: list[tuple[bytes, bytes]], version: str, status: int | None) -> None:
    assert judge(b"/", headers, version) == status
