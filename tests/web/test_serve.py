"""The server's life: started, alive, stopped, with what was asked of it answered."""

import asyncio
import socket
import threading
import time

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from syncd.web.serve import Server, bind
from tests.web.raw import ask, serving, wire


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope)
    client = f"{request.client.host if request.client else ''} {request.url.scheme}"
    await PlainTextResponse(client)(scope, receive, send)


def test_a_server_is_alive_from_start_to_stop() -> None:
    server = Server(hello, "127.0.0.1:0")
    assert not server.alive()
    server.start()
    assert server.alive()
    with wire(server.address, ask()) as line:
        assert line.hear().status == 200
    address = server.address
    server.stop()
    assert not server.alive()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, 5)


def test_stopping_twice_or_before_the_start_does_no_harm() -> None:
    server = Server(hello, "127.0.0.1:0")
    server.stop()
    server.start()
    server.stop()
    server.stop()


def test_a_server_whose_loop_hangs_is_not_alive() -> None:
    held, hanging = threading.Event(), threading.Event()

    async def hang(scope: Scope, receive: Receive, send: Send) -> None:
        hanging.set()
        held.wait(20)  # the whole loop stands
        await hello(scope, receive, send)

    with serving(hang) as server, wire(server.address, ask()) as line:
        try:
            assert hanging.wait(5)
            assert not server.alive()
        finally:
            held.set()
        assert line.hear().status == 200
        assert server.alive()


def test_what_is_in_hand_is_answered_before_the_server_stops() -> None:
    holding = threading.Event()
    held = threading.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        holding.set()
        await asyncio.get_running_loop().run_in_executor(None, held.wait, 10)
        await hello(scope, receive, send)

    with serving(slow) as server, wire(server.address, ask()) as line:
        assert holding.wait(5)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        held.set()
        heard = line.hear()
        assert (heard.status, heard.body) == (200, b"127.0.0.1 http")
        stopping.join(10)
        assert not stopping.is_alive()


def test_a_taken_address_is_an_oserror_that_names_it() -> None:
    with serving(hello) as server:
        listen = "{}:{}".format(*server.address)
        with pytest.raises(OSError, match=listen):
            Server(hello, listen).start()


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:-1"])
def test_an_address_that_is_none_is_an_oserror(listen: str) -> None:
    with pytest.raises(OSError, match="cannot listen"):
        bind(listen)


def test_a_passed_socket_is_used_as_it_is() -> None:
    passed = bind("127.0.0.1:0")
    server = Server(hello, "127.0.0.1:1", [passed])
    server.start()
    try:
        assert server.address == passed.getsockname()
        with wire(passed.getsockname(), ask()) as line:
            assert line.hear().status == 200
    finally:
        server.stop()


def test_answers_on_one_connection_follow_each_other_without_delay() -> None:
    """Where small packets are held back for a peer's acknowledgement, each answer takes 40 ms."""
    with serving(hello) as server, wire(server.address) as line:
        begun = time.perf_counter()
        for _ in range(25):
            line.send(ask())
            assert line.hear().status == 200
        assert time.perf_counter() - begun < 0.5


def test_h28_forwarded_headers_count_only_from_a_configured_proxy() -> None:
    forged = ask("/", X_Forwarded_For="203.0.113.9", X_Forwarded_Proto="https", Forwarded="for=203.0.113.9")
    with serving(hello) as server, wire(server.address, forged) as line:
        assert line.hear().body == b"127.0.0.1 http"
    with serving(hello, proxies=["192.0.2.1"]) as server, wire(server.address, forged) as line:
        assert line.hear().body == b"127.0.0.1 http"
    with serving(hello, proxies=["127.0.0.1"]) as server, wire(server.address, forged) as line:
        assert line.hear().body == b"203.0.113.9 https"
