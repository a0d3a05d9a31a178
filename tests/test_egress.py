"""The egress broker over real sockets: what gets through, and everything that does not."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors import KINDS
from connectors._address import Reach
from connectors._google_settings import TOKEN_URL
from connectors._http import Http
from syncd.egress import UNSAID, Address, Broker, Limits, Place, Refused, main, place_of, read_allowed, read_connect
from syncd.errors import ConfigError, Permanent, Transient
from tests.connectors.caldav_stage import environment
from tests.servers.certificates import server_context
from tests.servers.raw import Act, Stand, Talk, reply, scripted

NAME = "nube.example.cl"
QUICK = Limits(head=0.3, resolve=0.3, connect=0.3, idle=0.3)
OPENED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Names:
    """A resolver that gives the answers of a test, and remembers what it was asked."""

    def __init__(self, *addresses: str, error: Exception | None = None, silent: bool = False) -> None:
        self.addresses, self.error, self.silent = addresses, error, silent
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        self.asked.append(host)
        if self.silent:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, (one, port)) for one in self.addresses]


@contextmanager
def brokering(path: Path, broker: Broker) -> Iterator[Path]:
    """Run a broker in a thread, its door at the path."""
    door = socket.socket(socket.AF_UNIX)
    door.bind(str(path))
    door.listen(128)
    begun = threading.Event()
    handles: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = []

    async def run() -> None:
        task = asyncio.create_task(broker.serve(door))
        handles.append((asyncio.get_running_loop(), task))
        begun.set()
        await asyncio.gather(task, return_exceptions=True)

    thread = threading.Thread(target=asyncio.run, args=(run(),), name="broker")
    thread.start()
    begun.wait(10)
    try:
        yield path
    finally:
        loop, task = handles[0]
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
        door.close()
        assert not thread.is_alive()


def knock(path: Path) -> socket.socket:
    caller = socket.socket(socket.AF_UNIX)
    caller.settimeout(10)
    caller.connect(str(path))
    return caller


def heard(caller: socket.socket) -> bytes:
    """Read until the other side ends."""
    return b"".join(iter(lambda: caller.recv(65536), b""))


def ask(path: Path, sent: bytes) -> bytes:
    """Send bytes, say no more, and return the whole answer."""
    with knock(path) as caller:
        caller.sendall(sent)
        return heard(caller)


def connect(place: str, *headers: str) -> bytes:
    return "\r\n".join([f"CONNECT {place} HTTP/1.1", f"Host: {place}", *headers, "", ""]).encode()


def status(answer: bytes) -> int:
    """Return the status of an answer that has no body and closes."""
    assert answer.endswith(b"\r\n\r\n") and answer.count(b"HTTP/1.1") == 1, answer
    return int(answer.split()[1])


def opened(path: Path, place: str) -> socket.socket:
    """Open a tunnel."""
    caller = knock(path)
    caller.sendall(connect(place))
    assert caller.recv(len(OPENED), socket.MSG_WAITALL) == OPENED
    return caller


def only(url: str, *, private: bool = False) -> dict[Place, list[Reach]]:
    reach = Reach.of(url, allow_private=private)
    return {place_of(f"{reach.origin.host}:{reach.origin.port}"): [reach]}


def echo(talk: Talk) -> None:
    """Say back whatever comes, then end."""
    while piece := talk.line.recv(65536):
        talk.line.sendall(piece)


@contextmanager
def beyond(path: Path, *acts: Act, limits: Limits | None = None) -> Iterator[Stand]:
    """A script behind a broker that may reach it by its address, which the configuration names."""
    with scripted(*acts) as stand, brokering(path, Broker(only(stand.url), Names(), limits)):
        yield stand


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "egress.sock"


# --- what gets through


def test_a_host_of_the_list_is_reached_and_bytes_go_both_ways(path: Path) -> None:
    with beyond(path, echo) as stand, opened(path, f"127.0.0.1:{stand.port}") as caller:
        for word in (b"\x16\x03\x01 anything", b"at all\r\n\r\n"):
            caller.sendall(word)
            assert caller.recv(len(word), socket.MSG_WAITALL) == word


def test_much_goes_through_both_ways_at_once_unchanged(path: Path) -> None:
    sent = os.urandom(1 << 20) * 6
    with beyond(path, echo) as stand, opened(path, f"127.0.0.1:{stand.port}") as caller:

        def say() -> None:
            caller.sendall(sent)
            caller.shutdown(socket.SHUT_WR)

        writer = threading.Thread(target=say)
        writer.start()
        assert heard(caller) == sent
        writer.join(10)


def test_the_end_of_one_way_leaves_the_other_open(path: Path) -> None:
    def answers_at_the_end(talk: Talk) -> None:
        said = b"".join(iter(lambda: talk.line.recv(100), b""))
        talk.say(b"heard " + said)

    def says_first(talk: Talk) -> None:
        talk.say(b"bye")
        talk.line.shutdown(socket.SHUT_WR)
        talk.heads.append(b"".join(iter(lambda: talk.line.recv(100), b"")))

    with beyond(path, answers_at_the_end, says_first) as stand:
        with opened(path, f"127.0.0.1:{stand.port}") as caller:
            caller.sendall(b"all of it")
            caller.shutdown(socket.SHUT_WR)
            assert heard(caller) == b"heard all of it"
        with opened(path, f"127.0.0.1:{stand.port}") as caller:
            assert heard(caller) == b"bye"
            caller.sendall(b"and more")
    assert stand.heads == [b"and more"]


def test_a_break_of_one_side_ends_the_other(path: Path) -> None:
    def breaks(talk: Talk) -> None:
        talk.line.recv(1)
        talk.reset()

    with beyond(path, breaks) as stand, opened(path, f"127.0.0.1:{stand.port}") as caller:
        caller.sendall(b"x")
        assert heard(caller) == b""


def test_a_connector_speaks_through_it_and_checks_the_certificate_itself(path: Path, tmp_path: Path) -> None:
    context, authority = server_context(tmp_path, NAME)
    names = Names("127.0.0.1")
    with scripted(reply("200 OK", b"ok"), tls=context) as stand:
        url = f"https://{NAME}:{stand.port}/dav/"
        env = replace(environment(ca_file=str(authority)), proxy=f"unix:{path}")
        http = Http(env, url)
        elsewhere = Http(env, "https://attacker.example/")
        with brokering(path, Broker(only(url, private=True), names)):
            assert http.send("GET", "/dav/").body == b"ok"
            with pytest.raises(Transient):
                elsewhere.send("GET", "/")
        http.close()
        elsewhere.close()
    assert names.asked == [NAME]


# --- where to


@pytest.mark.parametrize(
    "place", ["attacker.example:443", f"{NAME}:25", f"sub.{NAME}:443", "127.0.0.1:443", "[::1]:443", "localhost:443"]
)
def test_what_is_not_on_the_list_is_refused_before_any_name_is_looked_up(path: Path, place: str) -> None:
    names = Names("127.0.0.1")
    with brokering(path, Broker(only(f"https://{NAME}/"), names)):
        assert status(ask(path, connect(place))) == 403
    assert names.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "::1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "fe80::1", "fe80::1%lo",
        "0.0.0.0", "100.64.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "2002:7f00:1::", "fc00::1",
        "224.0.0.1", "ff02::1", "240.0.0.1", "::", "no-address",
    ],
)  # fmt: skip
def test_a_name_of_the_list_that_leads_inside_is_refused(path: Path, address: str) -> None:
    with brokering(path, Broker(only(f"https://{NAME}/"), Names(address))):
        assert status(ask(path, connect(f"{NAME}:443"))) == 403


def test_link_local_is_refused_even_where_private_addresses_are_meant(path: Path) -> None:
    with brokering(path, Broker(only(f"https://{NAME}/", private=True), Names("169.254.169.254"))):
        assert status(ask(path, connect(f"{NAME}:443"))) == 403


def test_of_several_addresses_only_those_that_are_allowed_are_tried(path: Path) -> None:
    with scripted(echo) as stand:
        allowed = only(f"https://{NAME}:{stand.port}/", private=True)
        names = Names("169.254.169.254", "127.0.0.1")
        with brokering(path, Broker(allowed, names)), opened(path, f"{NAME}:{stand.port}") as caller:
            caller.sendall(b"x")
            assert caller.recv(1) == b"x"
    assert names.asked == [NAME], "resolved once: a second answer could be another"


@pytest.mark.parametrize("spelling", ["[::1]", "[0:0:0:0:0:0:0:1]", "[0::0:1]", "[::0.0.0.1]"])
def test_an_ipv6_address_is_one_place_however_it_is_written(spelling: str) -> None:
    assert place_of(f"{spelling}:8443") == ("::1", 8443)


@pytest.mark.parametrize("spelling", ["[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]", "[::1]"])
def test_another_address_of_the_same_machine_is_another_place(path: Path, spelling: str) -> None:
    with beyond(path, echo) as stand:
        assert status(ask(path, connect(f"{spelling}:{stand.port}"))) == 403
        assert stand.connections == 0


@pytest.mark.parametrize(
    "host", ["0x7f.1", "2130706433", "0177.0.0.1", "127.1", "127.0.0.1.", "127.0.0.01", "[::1%lo]"]
)
def test_odd_spellings_of_an_address_are_none(path: Path, host: str) -> None:
    with beyond(path, echo) as stand:
        assert status(ask(path, connect(f"{host}:{stand.port}"))) == 400
        assert stand.connections == 0


def test_a_name_is_the_same_in_capitals() -> None:
    assert place_of("NUBE.Example.CL:443") == (NAME, 443)


@pytest.mark.parametrize(
    "text", ["nube.example.cl", ":443", "a:0", "a:65536", "a:-1", "a:443/x", "a:443?", "u@a:443", ""]
)
def test_a_place_needs_a_host_and_a_port_and_nothing_else(text: str) -> None:
    with pytest.raises(Permanent):
        place_of(text)


# --- how it is asked

PLACE = "127.0.0.1:PORT"
SMUGGLED = {
    "a body": connect(PLACE, "Content-Length: 5") + b"hello",
    "a length": connect(PLACE, "Content-Length: 0"),
    "chunks": connect(PLACE, "Transfer-Encoding: chunked"),
    "two hosts": connect(PLACE, f"Host: {PLACE}"),
    "another host": b"CONNECT 127.0.0.1:PORT HTTP/1.1\r\nHost: attacker.example:443\r\n\r\n",
    "a second request": connect(PLACE) + connect("attacker.example:443"),
    "early bytes": connect(PLACE) + b"\x16\x03\x01",
    "bare line feeds": b"CONNECT 127.0.0.1:PORT HTTP/1.1\nHost: 127.0.0.1:PORT\r\n\r\n",
    "a folded line": b"CONNECT 127.0.0.1:PORT HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\n x: y\r\n\r\n",
    "a blank before the colon": b"CONNECT 127.0.0.1:PORT HTTP/1.1\r\nHost : 127.0.0.1:PORT\r\n\r\n",
    "a NUL": b"CONNECT 127.0.0.1:PORT\0.attacker.example HTTP/1.1\r\n\r\n",
    "blanks": b"CONNECT  127.0.0.1:PORT HTTP/1.1\r\n\r\n",
    "a whole address": b"CONNECT http://127.0.0.1:PORT/ HTTP/1.1\r\n\r\n",
    "a user": b"CONNECT attacker.example@127.0.0.1:PORT HTTP/1.1\r\n\r\n",
    "no version": b"CONNECT 127.0.0.1:PORT\r\n\r\n",
    "bytes beyond ASCII": b"CONNECT 127.0.0.1:PORT HTTP/1.1\r\nX: \xff\r\n\r\n",
    "nothing": b"\r\n\r\n",
}


@pytest.mark.parametrize("sent", SMUGGLED.values(), ids=SMUGGLED.keys())
def test_anything_but_one_plain_request_is_refused_and_leads_nowhere(path: Path, sent: bytes) -> None:
    with beyond(path, echo) as stand:
        assert status(ask(path, sent.replace(b"PORT", str(stand.port).encode()))) == 400
        assert stand.connections == 0
        opened(path, f"127.0.0.1:{stand.port}").close()


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "CONNECTX"])
def test_another_method_is_refused(path: Path, method: str) -> None:
    with beyond(path, echo) as stand:
        assert status(ask(path, f"{method} http://127.0.0.1:{stand.port}/ HTTP/1.1\r\n\r\n".encode())) == 405
        assert stand.connections == 0


def test_a_huge_request_is_refused_before_its_end(path: Path) -> None:
    with beyond(path, echo) as stand:
        begun = connect(f"127.0.0.1:{stand.port}")[:-2] + b"X: " + b"x" * 5000
        assert status(ask(path, begun)) == 431
        many = [f"X-{number}: y" for number in range(40)]
        assert status(ask(path, connect(f"127.0.0.1:{stand.port}", *many))) == 400
        assert stand.connections == 0


def test_a_slow_request_is_ended_and_others_are_served_meanwhile(path: Path) -> None:
    with beyond(path, echo, limits=QUICK) as stand:
        slow = [knock(path) for _ in range(20)]
        for caller in slow:
            caller.sendall(b"CONNECT 127.0.0.1")
        opened(path, f"127.0.0.1:{stand.port}").close()
        for caller in slow:
            with caller:
                assert status(heard(caller)) == 408


def test_callers_who_leave_early_leave_nothing_behind(path: Path) -> None:
    with beyond(path, echo, limits=replace(QUICK, tunnels=2)) as stand:
        for sent in (b"", b"CONN", connect(f"127.0.0.1:{stand.port}"), connect("attacker.example:443")):
            with knock(path) as caller:
                caller.sendall(sent)
        until_free(path, f"127.0.0.1:{stand.port}").close()


def until_free(path: Path, place: str) -> socket.socket:
    """Ask again until a tunnel is opened: the end of another is noticed a moment later."""
    for _ in range(1000):
        caller = knock(path)
        try:
            caller.sendall(connect(place))
            answer = caller.recv(len(OPENED), socket.MSG_WAITALL)
        except ConnectionError:
            answer = b""
        if answer == OPENED:
            return caller
        assert answer == b"" or b" 503 " in answer
        caller.close()
    raise AssertionError("no tunnel became free")


TEMPLATE = connect(f"{NAME}:443", "Proxy-Connection: keep-alive")


@given(st.one_of(st.binary(max_size=200), st.builds(
    lambda at, to, new: TEMPLATE[:at] + new + TEMPLATE[to:],
    st.integers(0, len(TEMPLATE)), st.integers(0, len(TEMPLATE)), st.binary(max_size=4),
)))  # fmt: skip
@example(TEMPLATE)
def test_a_request_is_read_as_one_place_or_refused(head: bytes) -> None:
    try:
        host, port = read_connect(head)
    except Refused:
        return
    written = head.split(b" ")[1].decode().lower()
    assert head.startswith(b"CONNECT ") and head.endswith(b"\r\n\r\n") and head.count(b"\r\n\r\n") == 1
    assert written in (f"{host}:{port}", f"[{host}]:{port}") or place_of(written) == (host, port)


# --- how much, how long


def test_no_more_tunnels_than_allowed_are_open_and_an_ended_one_makes_room(path: Path) -> None:
    with beyond(path, echo, limits=Limits(tunnels=3)) as stand:
        place = f"127.0.0.1:{stand.port}"
        tunnels = [opened(path, place) for _ in range(3)]
        assert status(ask(path, connect(place))) == 503
        tunnels.pop().close()
        tunnels.append(until_free(path, place))
        for tunnel in tunnels:
            tunnel.sendall(b"x")
            assert tunnel.recv(1) == b"x"
            tunnel.close()


def test_a_tunnel_in_which_nothing_moves_is_ended(path: Path) -> None:
    with beyond(path, Talk.hold, limits=QUICK) as stand, opened(path, f"127.0.0.1:{stand.port}") as caller:
        assert heard(caller) == b""


def test_a_caller_who_takes_nothing_does_not_hold_a_tunnel_for_ever(path: Path) -> None:
    closed = threading.Event()

    def floods(talk: Talk) -> None:
        try:
            while True:
                talk.line.sendall(b"x" * 65536)
        except OSError:
            closed.set()

    with beyond(path, floods, limits=QUICK) as stand, opened(path, f"127.0.0.1:{stand.port}"):
        assert closed.wait(10)


def test_a_tunnel_in_which_one_way_moves_stays(path: Path) -> None:
    moved = threading.Event()

    def drips(talk: Talk) -> None:
        for _ in range(8):
            talk.over.wait(QUICK.idle / 3)
            talk.say(b"x")
        moved.set()

    with beyond(path, drips, limits=QUICK) as stand, opened(path, f"127.0.0.1:{stand.port}") as caller:
        assert heard(caller) == b"x" * 8 and moved.is_set()


def test_an_address_that_does_not_answer_is_said(path: Path) -> None:
    with scripted(echo) as stand:
        place = f"127.0.0.1:{stand.port}"
        allowed = only(stand.url)
    with brokering(path, Broker(allowed, Names())):
        assert status(ask(path, connect(place))) == 502


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (Names(error=socket.gaierror(-2, "unknown")), 502),
        (Names(error=UnicodeError("label too long")), 502),
        (Names(silent=True), 504),
        (Names(), 403),
    ],
)
def test_a_name_that_leads_nowhere_is_said(path: Path, names: Names, said: int) -> None:
    with brokering(path, Broker(only(f"https://{NAME}/"), names, QUICK)):
        assert status(ask(path, connect(f"{NAME}:443"))) == said


def test_the_systems_resolver_is_asked_where_a_test_gives_none(path: Path) -> None:
    with scripted(echo) as stand:
        url = stand.url.replace("127.0.0.1", "localhost")
        with brokering(path, Broker(only(url))), opened(path, f"localhost:{stand.port}") as caller:
            caller.sendall(b"x")
            assert caller.recv(1) == b"x"


# --- who asks

CALL = """
import socket, sys
caller = socket.socket(socket.AF_UNIX)
caller.connect(sys.argv[1])
caller.sendall(sys.argv[2].encode().decode("unicode_escape").encode())
print(caller.recv(100).split()[1].decode())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else; remedy: run as root")
@pytest.mark.parametrize(
    ("who", "said"),
    [
        ({"user": 65534, "group": 65534, "extra_groups": []}, "403"),
        ({"user": 65534, "group": 65534, "extra_groups": [1, os.getegid()]}, "200"),
        ({"user": 65534, "group": os.getegid(), "extra_groups": []}, "200"),
        ({}, "200"),
    ],
)
def test_only_this_user_and_members_of_the_group_are_served(who: dict[str, int], said: str) -> None:
    with scripted(echo) as stand, in_the_open() as path, brokering(path, Broker(only(stand.url), Names())):
        path.chmod(0o777)
        place = f"127.0.0.1:{stand.port}"
        head = f"CONNECT {place} HTTP/1.1\\r\\nHost: {place}\\r\\n\\r\\n"
        command = ["/usr/bin/env", "python3", "-c", CALL, str(path), head]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, **who)  # type: ignore[call-overload]
    assert done.stdout.strip() == said, done.stderr


@contextmanager
def in_the_open() -> Iterator[Path]:
    """A path that every user can walk to."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="syncd-egress-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "egress.sock"


# --- the list


def config(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text)
    return file


ACCOUNTS = """
[accounts.calendly]
kind = "calendly"
token = { credential = "calendly-token" }
signing_keys = [{ credential = "calendly-key" }]

[accounts.oficina]
kind = "caldav"
url = "https://Nube.example.cl:8443/remote.php/dav/"
username = "sync"
password = { file = "/nowhere/at/all" }
"""


def test_the_list_is_what_the_accounts_name_and_their_connectors_stand_for(tmp_path: Path) -> None:
    allowed = read_allowed(config(tmp_path, ACCOUNTS), ["imap.example.cl:993"])
    assert set(allowed) == {("api.calendly.com", 443), (NAME, 8443), ("imap.example.cl", 993)}


ELSEWHERE = {
    "calcom": {("api.cal.com", 443)},
    "calendly": {("api.calendly.com", 443)},
    "google": {("www.googleapis.com", 443), ("oauth2.googleapis.com", 443)},
    "outlook": {("graph.microsoft.com", 443), ("login.microsoftonline.com", 443)},
    "twilio": {("api.twilio.com", 443)},
    "whatsapp": {("graph.facebook.com", 443)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_account_may_go_where_its_connector_goes(tmp_path: Path, kind: str) -> None:
    url = 'url = "https://nube.example.cl/"\n' if kind == "caldav" else ""
    allowed = read_allowed(config(tmp_path, f'[accounts.x]\nkind = "{kind}"\n{url}'))
    assert set(allowed) == ELSEWHERE.get(kind, {(NAME, 443)} if url else set())


def test_google_signs_in_where_its_connector_says() -> None:
    assert UNSAID["google"]["token_url"] == TOKEN_URL


def test_an_address_that_stands_in_for_another_replaces_it(tmp_path: Path) -> None:
    more = 'api_url = "https://proxy.example.cl/"\n'
    assert ("proxy.example.cl", 443) in (found := read_allowed(config(tmp_path, ACCOUNTS + more)))
    assert (NAME, 8443) not in found


def test_switches_of_one_account_do_not_open_another(tmp_path: Path) -> None:
    allowed = read_allowed(config(tmp_path, ACCOUNTS + "allow_private = true\n"))
    assert [one.allow_private for one in allowed[NAME, 8443]] == [True]
    assert [one.allow_private for one in allowed["api.calendly.com", 443]] == [False]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('kind = "caldav"', 'kind = "caldaw"', "config.toml:7: accounts.oficina: there is no such kind"),
        ("https://Nube", "http://Nube", "plain http"),
        ("https://Nube.example.cl:8443", "https://10.0.0.1", "private"),
        ("[accounts.oficina]", "[accounts.oficina", "config.toml:7"),
    ],
)
def test_a_list_that_cannot_be_read_is_a_mistake_with_its_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_allowed(config(tmp_path, ACCOUNTS.replace(old, new)))
    assert said in raised.value.problems[0]


@pytest.mark.parametrize("extra", ["example.cl", "10.0.0.1:443", "http://a:1", "a@b:1"])
def test_a_further_place_is_public_and_plain(tmp_path: Path, extra: str) -> None:
    with pytest.raises(ConfigError, match="allow"):
        read_allowed(config(tmp_path, ""), [extra])


# --- the process

SPAWN = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, "-m", "syncd.egress", *sys.argv[2:]])
"""


@contextmanager
def started(path: Path, file: Path, *, passed: bool) -> Iterator[tuple[subprocess.Popen[str], socket.socket]]:
    """Run the broker as a process, with a door passed or with one of its own; yield it when ready, and its words."""
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(str(path.with_name("notify")))
    told.settimeout(20)
    env = {**os.environ, "NOTIFY_SOCKET": str(path.with_name("notify")), "LISTEN_FDS": "1"}
    words = ["--config", str(file)] + ([] if passed else ["--listen", str(path)])
    with socket.socket(socket.AF_UNIX) as door, told:
        if passed:
            door.bind(str(path))
            door.listen()
        command = [sys.executable, "-c", SPAWN, str(door.fileno()), *words]
        if not passed:
            command = [sys.executable, "-m", "syncd.egress", *words]
        process = subprocess.Popen(command, env=env, pass_fds=[door.fileno()], stderr=subprocess.PIPE, text=True)
        try:
            assert told.recv(200).startswith(b"READY=1")
            yield process, told
        finally:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("passed", [True, False], ids=["passed", "own"])
def test_it_starts_reads_its_list_again_and_ends_when_told(path: Path, tmp_path: Path, passed: bool) -> None:
    with scripted(echo) as stand:
        place = f"127.0.0.1:{stand.port}"
        file = config(tmp_path, ACCOUNTS)
        with started(path, file, passed=passed) as (process, told):
            assert status(ask(path, connect(place))) == 403
            config(tmp_path, ACCOUNTS + f'api_url = "{stand.url}"\n')
            reload(process, told)
            with opened(path, place) as caller:
                config(tmp_path, ACCOUNTS + "kind =")
                reload(process, told)
                opened(path, place).close()
                process.send_signal(signal.SIGTERM)
                assert told.recv(200) == b"STOPPING=1"
                assert process.wait(20) == 0
                assert heard(caller) == b""


def reload(process: subprocess.Popen[str], told: socket.socket) -> None:
    process.send_signal(signal.SIGHUP)
    assert told.recv(200).startswith(b"RELOADING=1")
    assert told.recv(200).startswith(b"READY=1")


def test_a_door_of_its_own_is_for_its_user_alone_and_replaces_one_that_a_crash_left(path: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with started(path, config(tmp_path, ACCOUNTS), passed=False) as _:
        assert path.stat().st_mode & 0o077 == 0
        assert main(["--config", str(tmp_path / "config.toml"), "--listen", str(path)]) == 1, "a living one stays"


def test_a_bad_configuration_ends_it_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(config(tmp_path, "x")), "--listen", str(tmp_path / "s")]) == 2
    assert main(["--config", str(tmp_path / "absent.toml"), "--listen", str(tmp_path / "s")]) == 2
    assert "config.toml:1" in capsys.readouterr().err


def test_without_a_door_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--config", str(config(tmp_path, ""))]) == 1
    assert "--listen" in capsys.readouterr().err
