"""Which addresses syncd may speak to: one spelling per address, one origin per account, no way into the house.

Knows URLs and IP addresses; never opens a socket.
"""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urljoin

from syncd.errors import Permanent

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# Scheme, authority, the rest. Userinfo, backslashes, blanks, controls, fragments, non-ASCII never match (H119, H121).
_URL = re.compile(r"(https?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?((?:[/?][!-~]*)?)", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_BAD = re.compile(r"[^!-~]|[\\#<>\"{}|^`]")
_PORTS = {"http": 80, "https": 443}

# On Python 3.11 `is_global` alone lets several of these through; the others say plainly what is meant.
_NOT_PUBLIC = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "::ffff:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
    )
]
_PRIVATE = [
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "fc00::/7",
        "::1/128",
    )
]


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host in lower case and without brackets, port: what must not change within an account."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")

    @property
    def literal(self) -> IPAddress | None:
        return literal_of(self.host)

    @property
    def loopback(self) -> bool:
        """Tell whether the URL itself names this very machine."""
        address = self.literal
        return self.host == "localhost" or (address is not None and plain(address).is_loopback)


def literal_of(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def plain(address: IPAddress) -> IPAddress:
    """Return the IPv4 address inside an IPv4-mapped one, any other as it is."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def origin_of(url: str) -> tuple[Origin, str]:
    """Split an absolute URL into its origin and the path with query; raises Permanent for odd spellings.

    The grammar is narrower than the standard's on purpose: what two parsers could read differently is refused.
    """
    match = None if _BAD.search(url) else _URL.fullmatch(url)
    if match is None:
        raise Permanent(
            "the address is not a plain http(s) URL: no user name, blank, backslash, fragment or accent in it"
        )
    scheme, host, port, path = match[1], match[2].strip("[]").lower(), match[3], match[4]
    if match[2].startswith("["):
        if not isinstance(literal_of(host), ipaddress.IPv6Address):
            raise Permanent("the address in brackets is not an IPv6 address")
    elif _NUMBER.fullmatch(host.rsplit(".", 1)[-1]) and literal_of(host) is None:
        raise Permanent("an IPv4 address has one spelling: four decimal numbers without leading zeros (H116)")
    elif host.startswith(".") or host.endswith(".") or ".." in host:
        raise Permanent("the host name has an empty part")
    number = int(port) if port else _PORTS[scheme]
    if not 0 < number < 65536:
        raise Permanent("the port is not between 1 and 65535")
    return Origin(scheme, host, number), path if path.startswith("/") else "/" + path


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The origin the operator wrote into the configuration, and the switches beside it."""

    origin: Origin
    folder: str  # path of the base URL, ends with "/": relative addresses count from here
    allow_http: bool = False
    allow_private: bool = False

    @classmethod
    def of(cls, base_url: str, *, allow_http: bool = False, allow_private: bool = False) -> "Reach":
        """Read a base URL from the configuration; raises Permanent saying what to write instead."""
        origin, path = origin_of(base_url)
        reach = cls(
            origin=origin,
            folder=path.partition("?")[0].rstrip("/") + "/",
            allow_http=allow_http,
            allow_private=allow_private,
        )
        if origin.scheme == "http" and not (origin.loopback or allow_http):
            raise Permanent(f"{origin}: plain http sends the login readable; write https, or set allow_http = true")
        if origin.literal is not None and not reach.allows(origin.literal):
            raise Permanent(f"{origin}: {reach.why_not(origin.literal)}")
        return reach

    def target(self, url: str, base: str = "") -> str:
        """Return path and query of a request; raises Permanent when it would leave the origin.

        A relative address counts from `base`, else from the base URL.
        """
        if _BAD.search(url):
            raise Permanent(f"{self.origin}: an address with blanks, backslashes, fragments or accents is not followed")
        origin, path = origin_of(self._whole(url, base or self.base))
        if origin != self.origin:
            raise Permanent(f"{self.origin}: the answer points to another server ({origin}); it is not followed")
        return path

    def _whole(self, url: str, base: str) -> str:
        if url.startswith("/") and not url.startswith("//"):
            return f"{self.origin}{url}"
        try:
            return urljoin(base, url)
        except ValueError:  # brackets that do not close
            raise Permanent(f"{self.origin}: an address that is none is not followed") from None

    @property
    def base(self) -> str:
        return f"{self.origin}{self.folder}"

    def allows(self, address: IPAddress) -> bool:
        """Tell whether a resolved address may be connected to (security.md, section 2)."""
        if self.origin.loopback and plain(address).is_loopback:
            return address == plain(address) or address == self.origin.literal  # H115: mapped only if named so
        if is_public(address):
            return True
        return self.allow_private and any(address in network for network in _PRIVATE)

    def why_not(self, address: IPAddress) -> str:
        if any(address in network for network in _PRIVATE):
            return f"{address} is a private address; set allow_private = true if this is meant"
        return f"{address} is not a public address"


def is_public(address: IPAddress) -> bool:
    return (
        address.is_global
        and not (address.is_multicast or address.is_reserved or address.is_link_local)
        and not (isinstance(address, ipaddress.IPv6Address) and address.is_site_local)
        and not any(address in network for network in _NOT_PUBLIC)
    )
