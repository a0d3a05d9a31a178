"""Which addresses syncd may speak to, and that each has one spelling."""

import ipaddress
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._address import Reach, is_public, literal_of, origin_of, plain
from syncd.errors import Permanent

PUBLIC = ["8.8.8.8", "203.0.112.1", "2001:4860:4860::8888", "190.98.1.1"]
CLOSED = [
    "0.0.0.0", "0.1.2.3", "169.254.1.1", "169.254.169.254", "192.0.0.8", "192.88.99.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.5", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "::", "::ffff:8.8.8.8",
    "::ffff:10.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "2002:7f00:1::", "2001:db8::1",
    "3fff::1", "5f00::1", "fe80::1", "fec0::1", "ff02::1", "100::1",
]  # fmt: skip
PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.9.9.9",
    "::1",
    "fd00::1",
]


def host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_need_no_switch(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))
    assert Reach.of(f"https://{host(address)}/").origin.host == address


@pytest.mark.parametrize("address", CLOSED)
def test_addresses_inside_networks_are_refused_even_with_the_switch(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))
    for switch in (False, True):
        with pytest.raises(Permanent):
            Reach.of(f"https://{host(address)}/", allow_private=switch)
        reach = Reach.of("https://cal.example/", allow_private=switch)
        assert not reach.allows(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_the_switch(address: str) -> None:
    found = ipaddress.ip_address(address)
    assert not is_public(found)
    assert not Reach.of("https://cal.example/").allows(found)
    assert Reach.of("https://cal.example/", allow_private=True).allows(found)


@pytest.mark.parametrize("address", [one for one in PRIVATE if not ipaddress.ip_address(one).is_loopback])
def test_a_private_address_in_the_configuration_names_the_switch(address: str) -> None:
    with pytest.raises(Permanent, match="allow_private"):
        Reach.of(f"https://{host(address)}/")


@pytest.mark.parametrize("url", ["http://127.0.0.1:5232/", "http://localhost/", "http://[::1]/", "https://127.0.0.1/"])
def test_loopback_written_in_the_configuration_needs_no_switch(url: str) -> None:
    reach = Reach.of(url)
    assert reach.origin.loopback
    assert reach.allows(ipaddress.ip_address("127.0.0.1"))
    assert not reach.allows(ipaddress.ip_address("10.0.0.1"))


def test_plain_http_elsewhere_names_the_switch() -> None:
    with pytest.raises(Permanent, match="allow_http"):
        Reach.of("http://cal.example/")
    assert Reach.of("http://cal.example/", allow_http=True).origin.scheme == "http"


def test_a_name_that_resolves_to_this_machine_is_no_loopback() -> None:
    assert not Reach.of("https://cal.example/").allows(ipaddress.ip_address("127.0.0.1"))
    assert not Reach.of("https://cal.example/").allows(ipaddress.ip_address("::1"))


@pytest.mark.parametrize(
    ("url", "shown", "path"),
    [
        ("https://CAL.Example", "https://cal.example", "/"),
        ("https://cal.example:443/a", "https://cal.example", "/a"),
        ("https://cal.example:8443/a/?b=c", "https://cal.example:8443", "/a/?b=c"),
        ("http://[::1]:80/", "http://[::1]", "/"),
        ("https://cal.example?x", "https://cal.example", "/?x"),
    ],
)
def test_an_origin_has_one_spelling(url: str, shown: str, path: str) -> None:
    origin, found = origin_of(url)
    assert (str(origin), found) == (shown, path)


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("x/y", "/dav/x/y"),
        ("", "/dav/"),
        ("/x", "/x"),
        ("?a=b", "/dav/?a=b"),
        ("https://cal.example/z", "/z"),
        ("https://CAL.example:443/z?q", "/z?q"),
        ("..", "/"),
        ("../../..", "/"),
        ("//cal.example/z", "/z"),
    ],
)
def test_addresses_of_the_same_origin_are_followed(address: str, target: str) -> None:
    assert Reach.of("https://cal.example/dav").target(address) == target


@given(st.text(st.characters(codec="utf-8"), max_size=60) | st.text("ht:/\\@#?%.[]0123456789abcx \t", max_size=40))
def test_whatever_the_text_the_request_stays_at_the_origin(text: str) -> None:
    reach = Reach.of("https://cal.example/dav/")
    try:
        target = reach.target(text)
    except Permanent:
        return
    assert target.startswith("/")
    assert urlsplit(f"{reach.origin}{target}").netloc == "cal.example"


@given(st.ip_addresses())
def test_public_means_global_and_no_tunnel(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if is_public(address):
        assert address.is_global and not address.is_private and plain(address) == address
        assert literal_of(str(address)) == address


@given(st.ip_addresses(), st.booleans())
def test_no_switch_opens_link_local_or_multicast(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, switch: bool
) -> None:
    if address.is_link_local or address.is_multicast:
        assert not Reach.of("https://cal.example/", allow_private=switch).allows(address)
