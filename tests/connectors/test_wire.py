"""The sockets beneath: names resolved once and pinned, TLS checked, tunnels through proxies, calls inside."""

import base64
import gzip
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._address import Origin
from connectors._http import Http
from connectors._wire import Packed, proxy_of, tls_context, trusted
from syncd.errors import Ambiguous, NotFound, Permanent, Transient
from syncd.ports import Environment
from tests.connectors.caldav_stage import environment
from tests.servers.certificates import server_context
from tests.servers.raw import Talk, reply, scripted


@contextmanager
def speaking(url: str, env: Environment | None = None, **changes: Any) -> Iterator[Http]:
    http = Http(env or environment(), url, **changes)
    try:
        yield http
    finally:
        http.close()


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    return server_context(tmp_path_factory.mktemp("tls"), "cal.example", "127.0.0.1")


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let every name lead to this machine; return the names that were asked."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def resolver(host: str, port: int, *args: Any, **named: Any) -> Any:
        asked.append(host)
        return real("127.0.0.1", port, *args, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    return asked


# ------------------------------------------------------------------------------------------------ TLS


def test_a_certificate_of_a_private_authority_needs_ca_file(tls: tuple[ssl.SSLContext, Path]) -> None:
    context, authority = tls
    with scripted(reply("200 OK", b"ok"), tls=context) as stand:
        with speaking(stand.url) as http, pytest.raises(Transient, match="ca_file"):
            http.send("GET", "/")
        with speaking(stand.url, environment(ca_file=str(authority))) as http:
            assert http.send("GET", "/").body == b"ok"
            assert http.send("GET", "/").body == b"ok"
    assert len(stand.heads) == 2  # nothing was said before the certificate was believed


def test_a_certificate_for_another_name_is_refused(tmp_path: Path) -> None:
    context, authority = server_context(tmp_path, "other.example")
    with (
        scripted(reply(), tls=context) as stand,
        speaking(stand.url, environment(ca_file=str(authority))) as http,
        pytest.raises(Transient, match="trusted"),
    ):
        http.send("PUT", "/", body=b"x")
    assert stand.heads == []


def test_the_name_is_kept_for_tls_though_the_address_is_pinned(
    tls: tuple[ssl.SSLContext, Path], names: list[str]
) -> None:
    context, authority = tls
    with scripted(reply("200 OK", b"ok"), tls=context) as stand:
        url = f"https://cal.example:{stand.port}/"
        with speaking(url, environment(ca_file=str(authority)), allow_private=True) as http:
            assert http.send("GET", "/").body == b"ok"
    assert names == ["cal.example"]
    assert f"Host: cal.example:{stand.port}".encode() in stand.heads[0]


def test_a_half_open_handshake_ends_with_the_deadline() -> None:
    def mute(talk: Talk) -> None:
        talk.hold()

    with scripted(mute) as stand:
        url = stand.url.replace("http:", "https:")
        with speaking(url, deadline=0.4) as http, pytest.raises(Transient):
            http.send("PUT", "/", body=b"x")


def test_old_tls_is_not_spoken() -> None:
    context = tls_context(None)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname
    assert tls_context(None) is context  # one for the whole process


def test_the_trusted_authorities_come_from_the_configuration_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    assert trusted(environment()) is None
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/b")
    assert trusted(environment()) == "/b"
    monkeypatch.setenv("SSL_CERT_FILE", "/a")
    assert trusted(environment()) == "/a"
    assert trusted(environment(ca_file="/c")) == "/c"


# ------------------------------------------------------------------------------------------------ names


def test_a_name_is_resolved_once_per_connection(names: list[str]) -> None:
    with scripted(reply("200 OK", b"ok")) as stand:
        url = f"http://cal.example:{stand.port}/"
        with speaking(url, allow_http=True, allow_private=True) as http:
            for _ in range(3):
                http.send("GET", "/")
    assert names == ["cal.example"]


def test_a_name_that_nobody_knows_is_trouble_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolver(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    with speaking("https://cal.example/") as http, pytest.raises(Transient):
        http.send("PUT", "/", body=b"x")


def test_a_resolver_that_hangs_does_not_hold_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def resolver(*_: object, **__: object) -> object:
        over.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    with speaking("https://cal.example/", deadline=0.3) as http, pytest.raises(Transient):
        http.send("GET", "/")
    over.set()


def test_of_several_addresses_the_forbidden_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(reply("200 OK", b"ok")) as stand:

        def resolver(host: str, port: int, **_: object) -> list[object]:
            hosts = ["169.254.169.254", "0.0.0.0", "127.0.0.1"]
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, stand.port)) for one in hosts]

        monkeypatch.setattr(socket, "getaddrinfo", resolver)
        url = f"http://cal.example:{stand.port}/"
        with speaking(url, allow_http=True, allow_private=True) as http:
            assert http.send("GET", "/").body == b"ok"
        with speaking(url, allow_http=True) as http, pytest.raises(Permanent):
            http.send("GET", "/")


def test_a_name_without_an_address_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    with speaking("https://cal.example/") as http, pytest.raises(Permanent, match="no address"):
        http.send("GET", "/")


# ------------------------------------------------------------------------------------------------ proxies


def tunnel(target: Callable[[], int], answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> Callable[[Talk], None]:
    """Play a proxy: answer CONNECT, then carry bytes both ways."""

    def act(talk: Talk) -> None:
        talk.hear()
        talk.say(answer)
        if b" 200" not in answer[:16]:
            return
        with socket.create_connection(("127.0.0.1", target())) as far:
            carry = threading.Thread(target=_carry, args=(far, talk.line), daemon=True)
            carry.start()
            _carry(talk.line, far)
            far.shutdown(socket.SHUT_RDWR)
            carry.join(10)

    return act


def _carry(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        return


def test_a_proxy_is_asked_for_a_tunnel_and_resolves_by_itself(names: list[str]) -> None:
    with scripted(reply("200 OK", b"ok")) as far, scripted(tunnel(lambda: far.port)) as proxy:
        env = environment(proxy=f"http://ana:s%40cret@127.0.0.1:{proxy.port}")
        with speaking("http://cal.example:8080/", env, allow_http=True) as http:
            assert http.send("GET", "/x").body == b"ok"
            assert http.send("GET", "/x").body == b"ok"
    head = proxy.heads[0].decode()
    assert head.startswith("CONNECT cal.example:8080 HTTP/1.1\r\nHost: cal.example:8080\r\n")
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'ana:s@cret').decode()}" in head
    assert "cal.example" not in names and len(proxy.heads) == 1
    assert b"Proxy-Authorization" not in far.heads[0]


def test_tls_goes_through_the_tunnel_end_to_end(tls: tuple[ssl.SSLContext, Path], names: list[str]) -> None:
    context, authority = tls
    with scripted(reply("200 OK", b"ok"), tls=context) as far, scripted(tunnel(lambda: far.port)) as proxy:
        env = environment(proxy=f"127.0.0.1:{proxy.port}", ca_file=str(authority))
        with speaking("https://cal.example/", env) as http:
            assert http.send("GET", "/x").body == b"ok"
    assert proxy.heads[0].startswith(b"CONNECT cal.example:443 ")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 403 Forbidden\r\n\r\n", b"HTTP/1.1 407 Who are you\r\n\r\n", b"", b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 4000,
    ],
)  # fmt: skip
def test_a_proxy_that_opens_no_tunnel_sent_nothing(answer: bytes) -> None:
    with scripted(tunnel(lambda: 1, answer)) as proxy:
        env = environment(proxy=f"http://127.0.0.1:{proxy.port}")
        with speaking("http://cal.example/", env, allow_http=True) as http, pytest.raises(Transient):
            http.send("PUT", "/x", body=b"x")
    assert len(proxy.heads) == 1


def test_a_proxy_that_says_nothing_is_left_after_the_deadline() -> None:
    with scripted(lambda talk: talk.hold()) as proxy:
        env = environment(proxy=f"http://127.0.0.1:{proxy.port}")
        with speaking("http://cal.example/", env, allow_http=True, deadline=0.4) as http, pytest.raises(Transient):
            http.send("PUT", "/x", body=b"x")


@pytest.mark.parametrize("proxy", ["https://127.0.0.1:3128", "socks5://127.0.0.1:1", "http://", "ftp://x"])
def test_a_proxy_of_another_kind_is_told_what_to_write(proxy: str) -> None:
    env = environment(proxy=proxy)
    with speaking("http://cal.example/", env, allow_http=True) as http, pytest.raises(Permanent, match="proxy"):
        http.send("GET", "/")


def test_the_egress_broker_is_reached_by_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "egress.sock")
    with scripted(reply("200 OK", b"ok")) as far, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def broker() -> None:
            line, _ = listener.accept()
            with line:
                tunnel(lambda: far.port)(Talk(line, far.over, []))

        worker = threading.Thread(target=broker, daemon=True)
        worker.start()
        env = environment(proxy=f"unix:{path}")
        with speaking("http://cal.example/", env, allow_http=True) as http:
            assert http.send("GET", "/").body == b"ok"
        worker.join(10)


def test_this_machine_is_reached_without_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    origin = Origin("https", "cal.example", 443)
    assert proxy_of(environment(), origin) is None
    monkeypatch.setenv("HTTPS_PROXY", "http://p:1")
    assert proxy_of(environment(), origin) == "http://p:1"
    assert proxy_of(environment(proxy="http://q:1"), origin) == "http://q:1"
    assert proxy_of(environment(proxy="http://q:1"), Origin("http", "127.0.0.1", 80)) is None


# ------------------------------------------------------------------------------------------------ packed bodies


def raw_deflate(data: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-15)
    return machine.compress(data) + machine.flush()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": lambda data: gzip.compress(data[:3]) + gzip.compress(data[3:]),
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "identity": lambda data: data,
    "": lambda data: data,
}


@pytest.mark.parametrize("encoding", PACKERS)
@given(data=st.binary(max_size=3000), cut=st.integers(1, 500))
def test_a_packed_body_is_unpacked_however_it_is_cut_into_parts(encoding: str, data: bytes, cut: int) -> None:
    body = PACKERS[encoding](data)
    packed = Packed(encoding)
    pieces = [piece for at in range(0, len(body), cut) for piece in packed.unpack(body[at : at + cut], 100)]
    packed.end()
    assert b"".join(pieces) == data
    if encoding not in ("", "identity"):
        assert all(len(piece) <= 100 for piece in pieces)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@given(data=st.binary(min_size=1, max_size=300), share=st.floats(0, 1, exclude_max=True))
def test_a_packed_body_that_stops_half_way_is_never_whole(encoding: str, data: bytes, share: float) -> None:
    whole = PACKERS[encoding](data)
    body = whole[: max(1, int(len(whole) * share))]
    packed = Packed(encoding)
    with pytest.raises(zlib.error):
        unpack_all(packed, body)


def unpack_all(packed: Packed, body: bytes) -> None:
    for _ in packed.unpack(body, 1000):
        continue
    packed.end()


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress", "chunked"])
def test_a_compression_nobody_asked_for_is_refused(encoding: str) -> None:
    with pytest.raises(ValueError, match="nobody asked"):
        Packed(encoding)


# ------------------------------------------------------------------------------------------------ inside the process


class Inside:
    """A WSGI application that tells what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.closed = 0

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        self.asked.append({**environ, "body": environ["wsgi.input"].read()})
        write = start("207 Multi-Status", [("Content-Type", "text/xml"), ("ETag", '"1"')])
        write(b"<a>")
        return self

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"b", b"</a>"])

    def close(self) -> None:
        self.closed += 1


def test_an_application_of_this_process_is_called_and_no_socket_opened() -> None:
    app = Inside()
    env = environment(wsgi={"https://visitas.example.cl/dav": app})
    with speaking("https://visitas.example.cl/dav/", env, auth=("syncd", "p")) as http:
        answer = http.send(
            "PROPFIND",
            "ana/mis%20visitas%2F1/?x=%C3%A9",
            body=b"<ask/>",
            headers={"Depth": "1", "Content-Type": "text/xml"},
        )
    assert (answer.status, answer.body, answer.headers["ETag"]) == (207, b"<a>b</a>", '"1"')
    asked = app.asked[0]
    assert (asked["REQUEST_METHOD"], asked["SCRIPT_NAME"], asked["PATH_INFO"]) == (
        "PROPFIND", "/dav", "/ana/mis visitas/1/",
    )  # fmt: skip
    assert (asked["QUERY_STRING"], asked["HTTP_DEPTH"], asked["CONTENT_TYPE"], asked["CONTENT_LENGTH"]) == (
        "x=%C3%A9", "1", "text/xml", "6",
    )  # fmt: skip
    assert asked["body"] == b"<ask/>" and asked["HTTP_AUTHORIZATION"].startswith("Basic ")
    assert app.closed == 1


def test_plain_http_and_private_addresses_are_no_matter_inside() -> None:
    app = Inside()
    env = environment(wsgi={"http://10.0.0.7/dav": app})
    with pytest.raises(Permanent):
        Http(env, "http://10.0.0.7/other/")
    with speaking("http://visitas.example.cl/dav/", environment(wsgi={"http://visitas.example.cl/dav": app})) as http:
        assert http.send("GET", "x").status == 207


@pytest.mark.parametrize("url", ["https://v.example/davx/", "https://v.example/", "https://other.example/dav/"])
def test_only_what_lies_below_the_mount_is_inside(url: str) -> None:
    assert not Http(environment(wsgi={"https://v.example/dav": Inside()}), url).inside
    assert Http(environment(wsgi={"https://v.example/dav": Inside()}), "https://v.example/dav").inside


def test_what_lies_outside_the_mount_is_not_found() -> None:
    app = Inside()
    with speaking("https://v.example/dav/", environment(wsgi={"https://v.example/dav": app})) as http:
        for path in ("/other", "/", "/da"):
            with pytest.raises(NotFound):
                http.send("GET", path)
    assert app.asked == []


def test_an_application_that_breaks_is_a_failed_request_like_any_other() -> None:
    def broken(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        raise OSError("disk full")

    with speaking("https://v.example/dav/", environment(wsgi={"https://v.example/dav": broken})) as http:
        with pytest.raises(Ambiguous):
            http.send("PUT", "x", body=b"x")
        with pytest.raises(Transient):
            http.send("GET", "x")
