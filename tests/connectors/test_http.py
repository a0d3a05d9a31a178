"""Every request of every connector: what each failure of a server means, and that none of them holds a worker."""

import gzip
import threading
import tracemalloc
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._http import Answer, Http, TooLong, basic, retry_after_of
from connectors._wire import Dropped
from syncd.errors import (
    Ambiguous,
    AuthFailed,
    ConnectorError,
    Forbidden,
    NotFound,
    Permanent,
    Transient,
    Unreadable,
    VersionConflict,
)
from tests.connectors.caldav_stage import environment
from tests.servers.raw import Act, Stand, Talk, once, reply, scripted

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SECRET = "hunter2-not-for-logs"


def ask(stand: Stand, method: str = "GET", path: str = "/x", *, env: Any = None, **changes: Any) -> Answer:
    """Ask once with a fresh connection; settings of Http and of the request are told apart by name."""
    own = {
        name: changes.pop(name) for name in ("deadline", "read_timeout", "body_cap", "headers_of") if name in changes
    }
    http = Http(env or environment(), stand.url, auth=("ana", SECRET), **own)
    try:
        return http.send(method, path, **changes)
    finally:
        http.close()


def failure(act: Act, method: str = "GET", **changes: Any) -> ConnectorError:
    """Return the error that an act leads to."""
    with scripted(act) as stand, pytest.raises(ConnectorError) as raised:
        ask(stand, method, **changes)
    assert SECRET not in str(raised.value) and "/x" not in str(raised.value)
    return raised.value


# ------------------------------------------------------------------------------------------------ statuses


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("301 Moved", Unreadable), ("304 Not Modified", Unreadable), ("400 Bad", Permanent), ("401 Who", AuthFailed),
        ("403 No", Forbidden), ("404 Not Found", NotFound), ("405 No", Permanent), ("408 Late", Transient),
        ("409 Conflict", VersionConflict), ("410 Gone", NotFound), ("412 Changed", VersionConflict),
        ("413 Large", Permanent), ("423 Locked", Transient), ("425 Early", Transient), ("429 Slow", Transient),
        ("500 Oops", Transient), ("502 Bad", Transient), ("503 Busy", Transient), ("507 Full", Transient),
        ("599 Odd", Transient), ("299 Odd", Unreadable), ("418 Teapot", Permanent),
    ],
)  # fmt: skip
def test_each_status_means_one_thing(status: str, error: type[ConnectorError]) -> None:
    found = failure(reply(status, b"" if status.startswith("304") else b"why"))
    assert type(found) is error
    assert found.answer is not None and found.answer.status == int(status[:3])
    assert type(failure(reply(status, b""), "PUT", body=b"x")) is error  # an answer is never ambiguous


def test_a_good_answer_comes_whole() -> None:
    with scripted(reply("207 Multi-Status", b"<x/>", 'ETag: "1"', "Content-Type: text/xml")) as stand:
        answer = ask(stand, "PROPFIND", body=b"<ask/>", headers={"Depth": "1"})
    assert (answer.status, answer.body, answer.headers["etag"], answer.url) == (
        207, b"<x/>", '"1"', f"{stand.url}x",
    )  # fmt: skip
    head = stand.heads[0].decode()
    assert head.startswith("PROPFIND /x HTTP/1.1") and "Depth: 1" in head
    assert f"Authorization: {basic('ana', SECRET)}" in head
    assert f"Host: 127.0.0.1:{stand.port}" in head


# ------------------------------------------------------------------------------------------------ Retry-After (F9)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None), ("7", 7.0), ("0", 0.0), (" 12 ", 12.0), ("1.5", 1.5), ("1000000000", 1e9), ("-3", None),
        ("NaN", None), ("inf", None), ("1e400", None), ("soon", None), ("", None), ("7, 9", None), ("0x10", None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(days=400), usegmt=True), 0.0),
        ("Tue, 24 Nov 2026 12:01:30 -0000", 90.0),
        ("Tuesday, 24-Nov-26 12:01:30 GMT", 90.0),
        ("Mon, 99 Foo 2026 99:99:99 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 251_606_779_199.0 + 0),
    ],
)  # fmt: skip
def test_f9_retry_after_in_every_form(text: str | None, seconds: float | None) -> None:
    assert retry_after_of(text, NOW) == seconds


@given(st.text(max_size=40) | st.floats().map(str) | st.integers().map(str))
def test_f9_no_retry_after_breaks_anything(text: str) -> None:
    found = retry_after_of(text, NOW)
    assert found is None or 0 <= found < float("inf")


def test_f9_a_throttled_request_tells_how_long() -> None:
    error = failure(reply("429 Too Many", b"", "Retry-After: 7"))
    assert isinstance(error, Transient) and error.retry_after == 7


# ------------------------------------------------------------------------------------------------ time (F11)


def within(seconds: float, act: Act, **changes: Any) -> ConnectorError:
    """Insist that a worker is given back in time, by a thread of its own with a generous watch."""
    found: list[ConnectorError] = []
    worker = threading.Thread(target=lambda: found.append(failure(act, **changes)), daemon=True)
    worker.start()
    worker.join(seconds)
    assert not worker.is_alive(), "the call did not end"
    return found[0]


def drip(talk: Talk) -> None:
    talk.hear()
    talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    talk.drip(b"x", 0.02)


def drip_head(talk: Talk) -> None:
    talk.hear()
    talk.say(b"HTTP/1.1 200 OK\r\nX-Long: ")
    talk.drip(b"x", 0.02)


def endless_continue(talk: Talk) -> None:
    talk.hear()
    talk.drip(b"HTTP/1.1 100 Continue\r\n\r\n", 0.01)


def mute(talk: Talk) -> None:
    talk.hear()
    talk.hold()


@pytest.mark.parametrize("act", [drip, drip_head, endless_continue, mute])
def test_f11_one_deadline_ends_every_kind_of_slowness(act: Act) -> None:
    error = within(10, act, deadline=0.4, read_timeout=5)
    assert isinstance(error, Transient)


def test_f11_a_silent_server_is_left_after_the_read_time_out() -> None:
    assert isinstance(within(10, mute, deadline=60, read_timeout=0.2), Transient)


def test_f11_a_server_that_takes_no_bytes_is_left() -> None:
    def deaf(talk: Talk) -> None:
        while not talk.over.wait(0.02):
            continue

    error = within(10, deaf, method="PUT", body=b"x" * 30_000_000, deadline=0.4, read_timeout=5)
    assert isinstance(error, Ambiguous)


def test_f11_a_drip_behind_a_refusal_does_not_hide_the_refusal() -> None:
    def act(talk: Talk) -> None:
        talk.hear()
        talk.say(b"HTTP/1.1 401 No\r\nContent-Length: 1000\r\n\r\n")
        talk.drip(b"x", 0.02)

    assert isinstance(within(10, act, deadline=0.4), AuthFailed)


# ------------------------------------------------------------------------------------------------ size


def test_a_body_over_the_cap_is_cut_off() -> None:
    assert isinstance(failure(reply("200 OK", b"x" * 100_001), body_cap=100_000), TooLong)
    with scripted(reply("200 OK", b"x" * 100_000)) as stand:
        assert len(ask(stand, body_cap=100_000).body) == 100_000


def test_an_endless_body_is_cut_off() -> None:
    def act(talk: Talk) -> None:
        talk.hear()
        talk.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not talk.over.is_set():
            talk.say(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")

    assert isinstance(failure(act, body_cap=1_000_000), TooLong)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_compression_bomb_costs_no_memory(layers: int) -> None:
    bomb = b"\0" * 200_000_000
    for _ in range(layers):
        bomb = gzip.compress(bomb, 9)
    encoding = ", ".join(["gzip"] * layers)
    tracemalloc.start()
    try:
        error = failure(reply("200 OK", bomb, f"Content-Encoding: {encoding}"), body_cap=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()
    assert isinstance(error, Unreadable)


def test_compressed_answers_are_read() -> None:
    for encoding, packed in (("gzip", gzip.compress(b"hello")), ("deflate", zlib.compress(b"hello"))):
        with scripted(reply("200 OK", packed, f"Content-Encoding: {encoding}")) as stand:
            assert ask(stand).body == b"hello"


@pytest.mark.parametrize("packed", [b"not gzip at all", gzip.compress(b"hello" * 1000, mtime=0)[:-20], b""])
def test_f12_broken_compression_is_no_answer(packed: bytes) -> None:
    if packed:
        assert isinstance(failure(reply("200 OK", packed, "Content-Encoding: gzip")), Unreadable)


def test_a_refusal_is_read_only_as_far_as_it_helps() -> None:
    error = failure(reply("500 Oops", b"x" * 5_000_000))
    assert error.answer is not None and len(error.answer.body) < 200_000


def test_ten_thousand_headers_are_no_answer() -> None:
    head = b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(10_000)) + b"Content-Length: 0\r\n\r\n"
    assert isinstance(failure(once(head)), (Transient, Unreadable))


# ------------------------------------------------------------------------------------------------ done or not


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
BREAKS: dict[str, Act] = {
    "closes without a word": once(b""),
    "half a body": once(HALF),
    "half a chunk": once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf"),
    "no HTTP": once(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "nonsense length": once(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
}


def resetting(talk: Talk) -> None:
    talk.hear()
    talk.say(HALF)
    talk.reset()


BREAKS["resets in the body"] = resetting


@pytest.mark.parametrize("act", BREAKS.values(), ids=BREAKS.keys())
def test_a_broken_answer_to_a_question_is_a_failure_to_read(act: Act) -> None:
    assert isinstance(failure(act), (Transient, Unreadable))


@pytest.mark.parametrize("act", BREAKS.values(), ids=BREAKS.keys())
def test_a_broken_answer_to_a_change_is_ambiguous(act: Act) -> None:
    assert isinstance(failure(act, "PUT", body=b"x"), Ambiguous)
    assert isinstance(failure(act, "POST", body=b"x"), Ambiguous)
    assert isinstance(failure(act, "DELETE"), Ambiguous)


def test_a_change_that_may_be_repeated_is_not_ambiguous() -> None:
    assert isinstance(failure(once(HALF), "DELETE", idempotent=True), (Transient, Unreadable))


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_server_that_is_not_there_was_not_asked(method: str) -> None:
    with scripted(reply()) as stand:
        url = stand.url
    http = Http(environment(), url)
    with pytest.raises(Transient, match="nothing listens"):
        http.send(method, "/", body=b"x")
    http.close()


def test_a_question_is_asked_once_more_when_the_connection_drops() -> None:
    with scripted(once(b""), reply("200 OK", b"ok")) as stand:
        assert ask(stand).body == b"ok"
        assert stand.connections == 2


def test_a_question_is_asked_twice_at_most() -> None:
    with scripted(once(b"")) as stand, pytest.raises(Dropped):
        ask(stand)
    assert stand.connections == 2


def test_a_change_is_never_sent_twice() -> None:
    with scripted(once(b""), reply()) as stand, pytest.raises(Ambiguous):
        ask(stand, "PUT", body=b"x")
    assert stand.connections == 1


def test_a_connection_is_kept_and_one_that_died_in_the_meantime_is_replaced() -> None:
    def short(talk: Talk) -> None:
        for _ in range(2):
            talk.hear()
            talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with scripted(short) as stand:
        http = Http(environment(), stand.url)
        for _ in range(4):
            assert http.send("GET", "/").body == b"ok"
        http.close()
        assert stand.connections == 2


# ------------------------------------------------------------------------------------------------ what leaks


def test_cookies_are_not_kept() -> None:
    with scripted(reply("200 OK", b"", "Set-Cookie: id=1; Path=/")) as stand:
        http = Http(environment(), stand.url)
        http.send("GET", "/")
        http.send("GET", "/")
        http.close()
    assert not [head for head in stand.heads if b"cookie" in head.lower()]


def test_nothing_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login evil password evil\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with scripted(reply()) as stand:
        http = Http(environment(), stand.url)
        http.send("GET", "/")
        http.close()
    assert b"authorization" not in stand.heads[0].lower()


@given(st.text(st.characters(codec="utf-8"), max_size=30), st.text(st.characters(codec="utf-8"), max_size=30))
def test_every_login_fits_into_a_header(user: str, password: str) -> None:
    header = basic(user, password)
    assert header.isascii() and "\n" not in header and "\r" not in header


def test_headers_cannot_be_split() -> None:
    with scripted(reply()) as stand, pytest.raises((ConnectorError, ValueError)):
        ask(stand, headers={"If-Match": '"x"\r\nX-Evil: 1'})
    assert not [head for head in stand.heads if b"X-Evil" in head]


def test_a_query_is_escaped() -> None:
    with scripted(reply()) as stand:
        ask(stand, query={"a": "b c&d=é", "token": "x#y"})
        ask(stand, path="/x?z=1", query={"a": "b"})
    assert stand.heads[0].startswith(b"GET /x?a=b+c%26d%3D%C3%A9&token=x%23y HTTP")
    assert stand.heads[1].startswith(b"GET /x?z=1&a=b HTTP")


def test_redirects_are_followed_only_where_asked_and_with_the_question_as_it_was() -> None:
    def act(talk: Talk) -> None:
        while head := talk.hear():
            moved = b"HTTP/1.1 301 Moved\r\nLocation: new/place?a=b\r\nContent-Length: 0\r\n\r\n"
            talk.say(b"HTTP/1.1 207 M\r\nContent-Length: 1\r\n\r\nx" if b"/new/" in head else moved)

    with scripted(act) as stand:
        answer = ask(stand, "PROPFIND", "/old/", body=b"<ask/>", headers={"Depth": "0"}, redirects="same-origin")
        with pytest.raises(Unreadable):
            ask(stand, "PROPFIND", "/old/")
    assert answer.url == f"{stand.url}old/new/place?a=b"
    assert stand.heads[1].startswith(b"PROPFIND /old/new/place?a=b") and b"Depth: 0" in stand.heads[1]


def test_every_request_is_counted_for_its_account() -> None:
    told: list[str] = []
    with scripted(reply("301 Moved", b"", "Location: /y")) as stand:
        http = Http(environment(counted=told.append), stand.url, account="oficina")
        with pytest.raises(ConnectorError):
            http.send("GET", "/x", redirects="same-origin")
        http.close()
    assert told == ["oficina"] * 4 and http.requests == 4


def test_threads_do_not_share_a_connection() -> None:
    gate = threading.Barrier(3, timeout=20)

    def act(talk: Talk) -> None:
        while talk.hear():
            gate.wait()  # answers only when three are asked at once
            talk.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with scripted(act) as stand:
        http = Http(environment(), stand.url)
        bodies: list[bytes] = []

        def work() -> None:
            bodies.append(http.send("GET", "/").body)
            http.close()

        workers = [threading.Thread(target=work) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(20)
    assert bodies == [b"ok"] * 3


def test_json_is_strict() -> None:
    with scripted(reply("200 OK", b'{"a": NaN}')) as stand, pytest.raises(Unreadable):
        ask(stand).json()
