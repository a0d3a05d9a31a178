"""Hostile addresses (H115-H122), in the configuration and in answers: refused before a socket is opened."""

import ipaddress
import socket

import pytest

from connectors._address import Reach, origin_of
from connectors._http import Http
from syncd.errors import ConnectorError, Permanent
from tests.connectors.caldav_stage import environment
from tests.servers.raw import reply, scripted

MAPPED = [
    "https://[::ffff:192.168.1.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[::ffff:808:808]/",
]
SPELLINGS = [
    "0x7f.1", "0x7f.0.0.1", "2130706433", "0177.0.0.1", "127.1", "127.0.1", "0x7f000001", "017700000001",
    "127.0.0.01", "127.0.0.1.", "1.2.3.4.5", "127.0.0.256", "0", "0x0", "00.0.0.0", "0xa9fea9fe", "169.254.43518",
]  # fmt: skip
USERS = [
    "https://user@evil.example/", "https://user:pw@evil.example/", "https://user@host@evil.example/", "https://@evil.example/",
    "https://cal.example@evil.example/", "https://cal.example:443@evil.example/", "https://cal.example%40evil.example/",
]  # fmt: skip
TRICKS = [
    "https://cal.example#@evil.example/", "https://evil.example#@cal.example/", "https://cal.example/#x",
    "https://cal.example\\@evil.example/", "https:\\\\evil.example/", "https:/\\evil.example/", "https:///evil.example/",
    "https://cal.example:80:443/", "https://cal.example:0/", "https://cal.example:99999/", "https://cal.example:-1/",
    "https://cal.example:４４３/", "https://ｅvil.example/", "https://cal.example。evil/", "https://[::1", "https://::1/",
    "https://[::1]evil/", "https://[v1.x]/", "https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "https://.example/",
    "https://cal..example/", "https://cal.example./", "https://cal example/", "https://cal.example\t/", " https://x.example/",
    "https://cal.example/\r\nHost: evil", "https://cal.example/\x00", "file:///etc/passwd", "gopher://x.example/",
    "ftp://x.example/", "unix:///run/x.sock", "javascript:alert(1)", "data:,x", "//evil.example/", "evil.example", "",
]  # fmt: skip


@pytest.mark.parametrize("url", MAPPED)
def test_h115_an_ipv4_address_in_ipv6_clothes_is_refused(url: str) -> None:
    for private in (False, True):
        with pytest.raises(Permanent):
            Reach.of(url, allow_private=private)


def test_h115_only_the_configuration_itself_may_name_a_mapped_loopback() -> None:
    mapped = ipaddress.ip_address("::ffff:127.0.0.1")
    assert Reach.of("http://[::ffff:127.0.0.1]/").allows(mapped)
    assert not Reach.of("http://127.0.0.1/").allows(mapped)
    assert not Reach.of("http://localhost/").allows(mapped)
    assert not Reach.of("https://cal.example/", allow_private=True).allows(mapped)


@pytest.mark.parametrize("host", SPELLINGS)
def test_h116_an_ipv4_address_has_one_spelling(host: str) -> None:
    for scheme in ("http", "https"):
        with pytest.raises(Permanent):
            Reach.of(f"{scheme}://{host}/", allow_http=True, allow_private=True)


@pytest.mark.parametrize("url", USERS)
def test_h119_a_user_name_in_an_address_is_refused(url: str) -> None:
    with pytest.raises(Permanent):
        Reach.of(url)
    with pytest.raises(Permanent):
        Reach.of("https://cal.example/").target(url)


@pytest.mark.parametrize("url", TRICKS)
def test_h121_what_two_readers_could_read_differently_is_refused(url: str) -> None:
    with pytest.raises(Permanent):
        Reach.of(url)


@pytest.mark.parametrize("url", [*USERS, *(one for one in TRICKS if one not in ("", "evil.example"))])
def test_h121_an_answer_cannot_lead_away_with_them_either(url: str) -> None:
    reach = Reach.of("https://cal.example/")
    try:
        target = reach.target(url)
    except Permanent:
        return
    assert origin_of(f"{reach.origin}{target}") == (reach.origin, target)  # a path of our own server, then


@pytest.mark.parametrize(
    "place",
    [
        "http://localhost/", "http://127.0.0.1/", "http://[::1]/", "https://127.0.0.1:{port}/", "http://127.0.0.1:1/",
        "http://127.0.0.2:{port}/", "//localhost/", "http://127.0.0.1:{port}@evil.example/", "\\\\localhost\\x",
        "http://2130706433:{port}/", "http:/\\localhost", "file:///etc/passwd", "http://127.0.0.1:{port}#@evil.example",
        "http://LOCALHOST:{port}/", "http://evil.example/",
    ],
)  # fmt: skip
def test_h118_a_redirect_that_leaves_the_origin_is_not_followed(place: str) -> None:
    heads: list[bytes] = []

    def act(talk: object) -> None:
        reply("302 Found", b"", f"Location: {place.replace('{port}', str(stand.port))}")(talk)  # type: ignore[arg-type]

    with scripted(act) as stand:
        http = Http(environment(), stand.url, auth=("ana", "secret"))
        for redirects in ("never", "same-origin"):
            with pytest.raises(ConnectorError) as raised:
                http.send("PROPFIND", "/x", redirects=redirects)
            assert "secret" not in str(raised.value)
        http.close()
        heads += stand.heads
    assert len(heads) == 2


def test_h122_a_loop_of_redirects_ends_after_three_hops() -> None:
    with scripted(reply("307 Temporary Redirect", b"", "Location: /.well-known/caldav")) as stand:
        http = Http(environment(), stand.url)
        with pytest.raises(ConnectorError):
            http.send("PROPFIND", "/.well-known/caldav", redirects="same-origin")
        http.close()
        assert len(stand.heads) == 4  # the question and three hops


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "REPORT"])
def test_only_reading_of_discovery_follows_redirects(method: str) -> None:
    with scripted(reply("308 Permanent Redirect", b"", "Location: /other")) as stand:
        http = Http(environment(), stand.url)
        with pytest.raises(ConnectorError):
            http.send(method, "/x", body=b"x", redirects="same-origin")
        http.close()
        assert len(stand.heads) == 1


RESOLVED = [
    "127.0.0.1",
    "10.0.0.7",
    "169.254.169.254",
    "::1",
    "fe80::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "0.0.0.0",
]


@pytest.mark.parametrize("address", RESOLVED)
def test_a_public_name_that_leads_into_the_house_is_not_connected_to(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def resolver(host: str, port: int, **_: object) -> list[object]:
        asked.append(host)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    http = Http(environment(), "https://cal.example/")
    with pytest.raises(Permanent):
        http.send("GET", "/")
    assert asked == ["cal.example"]  # once: what was checked is what is used
    http.close()
