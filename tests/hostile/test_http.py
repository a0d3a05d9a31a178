"""Hostile HTTP and signatures (H1-H31), through the whole server; each leaves nothing behind but a count."""

import gzip
import json
import threading
import time
import zlib
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import requests

from connectors._calendly_hook import HEADER
from syncd.core import limits
from tests.connectors.test_calendly_hook import signature
from tests.hostile.conftest import Harmless
from tests.web.raw import Wire, ask, wire
from tests.web.recorder import check_problem
from tests.web.stage import CALENDLY, KEYS, SECOND, TOKEN, Stage, booking

KEY = KEYS[CALENDLY]


def good(stage: Stage, body: bytes) -> str:
    return signature(body, key=KEY, at=stage.clock.now())


def refusals(stage: Stage) -> float:
    text = requests.get(f"{stage.url}/metrics", timeout=20).text
    lines = [line for line in text.splitlines() if 'account="calendly",outcome="refused"' in line]
    return float(lines[0].split()[-1]) if lines else 0.0


def unproven(stage: Stage, body: bytes, *signatures: bytes | str) -> None:
    """Deliver with these signature headers, none or several, and see 401 and a count."""
    before = refusals(stage)
    lines = b"".join(
        HEADER.encode() + b": " + (one if isinstance(one, bytes) else one.encode("latin-1")) + b"\r\n"
        for one in signatures
    )
    head = b"POST /hook/calendly HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % len(body)
    with wire(stage.server.address, head + lines + b"\r\n" + body) as line:
        heard = line.hear()
        assert (heard.status, json.loads(heard.body)["type"]) == (401, "unauthorized"), heard
        assert KEY.encode() not in heard.body
    assert refusals(stage) == before + 1


def test_h1_no_signature(stage: Stage, harmless: Harmless) -> None:
    with harmless():
        unproven(stage, stage.good_delivery())


@pytest.mark.parametrize("value", ["", " ", "\t"])
def test_h2_an_empty_signature(stage: Stage, harmless: Harmless, value: str) -> None:
    with harmless():
        unproven(stage, stage.good_delivery(), value)


@pytest.mark.parametrize("extra", [b"\xe9", b"\xff\xfe", "١".encode(), b"\xc3\x28"])
@pytest.mark.parametrize("where", ["front", "middle", "end"])
def test_h4_bytes_beyond_ascii_in_the_signature(stage: Stage, harmless: Harmless, extra: bytes, where: str) -> None:
    body = stage.good_delivery()
    right = good(stage, body).encode()
    at = {"front": 0, "middle": len(right) // 2, "end": len(right)}[where]
    with harmless():
        unproven(stage, body, right[:at] + extra + right[at:])


@pytest.mark.parametrize("order", [0, 1, 2])
def test_h5_two_signatures_of_which_one_is_valid(stage: Stage, harmless: Harmless, order: int) -> None:
    body = stage.good_delivery()
    right, wrong = good(stage, body), "t=1,v1=00"
    with harmless():
        unproven(stage, body, *[(right, wrong), (wrong, right), (right, right)][order])


@pytest.mark.parametrize("joint", [",", ", ", ";", " "])
def test_h5_two_signatures_in_one_header(stage: Stage, harmless: Harmless, joint: str) -> None:
    body = stage.good_delivery()
    with harmless():
        unproven(stage, body, f"{good(stage, body)}{joint}v1={'0' * 64}")


@pytest.mark.parametrize(
    "ahead", [timedelta(hours=1), timedelta(minutes=6), timedelta(days=3650), timedelta(hours=-26)]
)
def test_h7_a_timestamp_outside_the_tolerance(stage: Stage, harmless: Harmless, ahead: timedelta) -> None:
    body = stage.good_delivery()
    with harmless():
        unproven(stage, body, signature(body, key=KEY, at=stage.clock.now() + ahead))


@pytest.mark.parametrize("stamp", ["-1", "1e30", "NaN", "inf", "", " 1", "1.5", "0x1", "9" * 400, "1_000", "+1", "١"])
def test_h8_a_timestamp_that_is_none(stage: Stage, harmless: Harmless, stamp: str) -> None:
    body = stage.good_delivery()
    with harmless():
        unproven(stage, body, signature(body, key=KEY, at=stamp).encode())


@pytest.mark.parametrize("change", ["newline", "cr", "blank", "front", "cut", "case", "nul", "byte"])
def test_h10_a_body_changed_by_one_byte(stage: Stage, harmless: Harmless, change: str) -> None:
    body = stage.good_delivery()
    changed = {
        "newline": body + b"\n",
        "cr": body + b"\r",
        "blank": body + b" ",
        "front": b" " + body,
        "cut": body[:-1],
        "case": body.replace(b"invitee.created", b"invitee.Created"),
        "nul": body + b"\0",
        "byte": body.replace(b"E1", b"E2", 1),
    }[change]
    with harmless():
        unproven(stage, changed, good(stage, body))


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"])
def test_h11_a_byte_order_mark_before_the_body(stage: Stage, harmless: Harmless, mark: bytes) -> None:
    body = stage.good_delivery()
    with harmless():
        unproven(stage, mark + body, good(stage, body))
    with harmless(rows=1):
        assert stage.deliver(mark + body).status_code == 204
        assert stage.kept(mark + body).state.value == "dead"


@pytest.mark.parametrize("value", ["sha256=", "v1=", "t=", "t=,v1=", "t=1", "v1=" + "0" * 64, ",", "=", "t=1,v1"])
def test_h13_a_header_that_is_only_a_prefix(stage: Stage, harmless: Harmless, value: str) -> None:
    with harmless():
        unproven(stage, stage.good_delivery(), value)


@pytest.mark.parametrize("key", [KEYS[SECOND], "", "none", KEY + " ", KEY.upper()])
def test_h14_signed_with_another_key(stage: Stage, harmless: Harmless, key: str) -> None:
    body = stage.good_delivery()
    with harmless():
        unproven(stage, body, signature(body, key=key, at=stage.clock.now()))


def test_h16_an_endless_chunked_body_is_cut_at_the_cap(stage: Stage, harmless: Harmless) -> None:
    for path, cap in (("/hook/calendly", limits.HOOK_BODY), ("/api/visits", limits.API_BODY)):
        head = ask(path, "POST", Transfer_Encoding="chunked", Authorization=f"Bearer {TOKEN}")
        with harmless(), wire(stage.server.address, head) as line:
            sent = 0
            begun = time.perf_counter()
            try:
                while sent < cap * 64:
                    line.send(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
                    sent += 0x8000
            except OSError:
                pass  # the server has had enough
            heard = line.hear()
            assert heard.status == 413 and json.loads(heard.body)["type"] == "too-large"
            assert time.perf_counter() - begun < 5


@pytest.mark.parametrize("path", ["/hook/calendly", "/api/visits", "/dav/ana/visits/x.ics"])
def test_h16_a_body_that_drips_is_cut_at_the_deadline(stage: Stage, harmless: Harmless, path: str) -> None:
    method = "PUT" if path.startswith("/dav") else "POST"
    authorization = DAV if path.startswith("/dav") else f"Bearer {TOKEN}"
    head = ask(path, method, Transfer_Encoding="chunked", Authorization=authorization)
    done = threading.Event()

    def drip() -> None:
        try:
            while not done.wait(0.02):
                line.send(b"1\r\nx\r\n")
        except OSError:
            return

    with harmless(), wire(stage.server.address, head) as line:
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            heard = line.hear()
        finally:
            done.set()
            thread.join()
        assert (heard.status, heard.headers["connection"].lower()) == (408, "close")
        check = json.loads(heard.body)
        assert check["type"] == "too-slow"


DAV = "Basic YW5hOmNvbnRyYXNlw7FhIGRlIGFuYQ=="  # ana, her password


@pytest.mark.parametrize("first", ["Content-Length", "Transfer-Encoding"])
@pytest.mark.parametrize("path", ["/hook/calendly", "/api/visits"])
def test_h17_two_lengths_are_400_and_no_second_request_is_seen(
    stage: Stage, harmless: Harmless, first: str, path: str
) -> None:
    body = stage.good_delivery("smuggled")
    lines = ["Content-Length: 4", "Transfer-Encoding: chunked"]
    lines = lines if first == "Content-Length" else lines[::-1]
    inner = ask("/hook/calendly", "POST", body, **{HEADER: good(stage, body)})
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n" + "\r\n".join(lines) + "\r\n\r\n"
    with harmless(), wire(stage.server.address, head.encode() + b"0\r\n\r\n" + inner) as line:
        assert line.hear().status == 400
        assert line.is_closed()


def bombs() -> dict[str, bytes]:
    zeros = b"\0" * 20_000_000
    return {"gzip": gzip.compress(zeros), "deflate": zlib.compress(zeros), "br": b"\x0b\x02\x80", "x-gzip": b"x"}


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "x-gzip"])
@pytest.mark.parametrize("path", ["/hook/calendly", "/api/visits", "/dav/ana/visits/x.ics"])
def test_h19_a_bomb_is_never_unpacked(stage: Stage, harmless: Harmless, coding: str, path: str) -> None:
    body = bombs()[coding]
    headers = {
        "Content-Encoding": coding,
        HEADER: good(stage, body),
        "Authorization": DAV if path.startswith("/dav") else f"Bearer {TOKEN}",
    }
    method = "PUT" if path.startswith("/dav") else "POST"
    with harmless():
        answer = stage.session.request(method, stage.url + path, data=body, headers=headers, timeout=20)
        check_problem(answer)
        assert answer.status_code == 415


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/html", "", "\\"],
)
def test_h20_the_bytes_decide_whatever_the_content_type(stage: Stage, kind: str) -> None:
    body = stage.good_delivery(f"type{len(kind)}")
    assert stage.deliver(body, **{"Content-Type": kind}).status_code == 204
    assert stage.kept(body).state.value == "new"


@pytest.mark.parametrize("name", [HEADER, "Content-Type", "Cookie", "Authorization", "X-Any", "Referer"])
def test_h22_one_header_of_64_kb(stage: Stage, harmless: Harmless, name: str) -> None:
    body = stage.good_delivery()
    data = ask("/hook/calendly", "POST", body, **{name: "a" * 65536})
    with harmless(), Wire(stage.server.address).closing() as line:
        with suppress(OSError):
            line.send(data)
        heard = line.hear()
        assert (heard.status, json.loads(heard.body)["type"]) == (431, "head-too-large")


def test_h23_slow_loris_on_many_connections_while_others_are_served(stage: Stage, harmless: Harmless) -> None:
    heads = [ask("/hook/calendly", "POST")[:-3], ask("/hook/calendly", "POST", Content_Length="100") + b"x", b"P"]
    lines = [Wire(stage.server.address, heads[number % 3]) for number in range(150)]
    with harmless():
        assert requests.get(f"{stage.url}/healthz", timeout=5).status_code == 200
        statuses = {line.hear().status for line in lines}
        assert statuses == {408}
        assert all(line.is_closed() for line in lines)
    for line in lines:
        line.close()


PLACES = [
    "/{}",
    "/hook/{}",
    "/hook/calendly{}",
    "/api/visits/{}",
    "/api/visits/{}/history",
    "/feeds/{}.ics",
    "/dav/{}/",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("nul", ["%00", "x%00y", "%2500", "%C0%80"])
def test_h25_a_nul_in_the_path(stage: Stage, harmless: Harmless, place: str, nul: str) -> None:
    path = place.format(nul)
    authorization = DAV if path.startswith("/dav") else f"Bearer {TOKEN}"
    with harmless(), wire(stage.server.address, ask(path, Authorization=authorization)) as line:
        assert line.hear().status in (400, 403, 404, 405)


def test_h25_a_raw_nul_in_the_request_line(stage: Stage, harmless: Harmless) -> None:
    with harmless(), wire(stage.server.address, b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n") as line:
        assert line.hear().status == 400


@pytest.mark.parametrize(
    "path",
    [
        "/%2e%2e%2fetc%2fpasswd",
        "/%252e%252e%252fetc%252fpasswd",
        "/../../../../etc/passwd",
        "/..%5c..%5cetc%5cpasswd",
        "/style.css/..%2f..%2fapp.py",
        "/style.css%2f..%2fapp.py",
        "/app.py",
        "/index.html",
        "/feeds/..%2f..%2f..%2fetc%2fpasswd.ics",
        "/feeds/%2e%2e/%2e%2e/etc/passwd.ics",
        "/api/../../etc/passwd",
        "/api/visits/..%2f..%2fetc%2fpasswd",
        "/%c0%ae%c0%ae/etc/passwd",
        "//etc/passwd",
        "/file:///etc/passwd",
    ],
)
def test_h26_no_path_leads_out(stage: Stage, harmless: Harmless, path: str) -> None:
    with harmless(), wire(stage.server.address, ask(path, Authorization=f"Bearer {TOKEN}")) as line:
        heard = line.hear()
        assert heard.status == 404
        assert b"root:" not in heard.body and b"import" not in heard.body


@pytest.mark.parametrize("path", ["http://evil.example/healthz", "http://127.0.0.1:1/healthz"])
def test_h26_an_absolute_address_is_read_as_ours(stage: Stage, path: str) -> None:
    with wire(stage.server.address, ask(path)) as line:
        assert json.loads(line.hear().body) == {"status": "ok"}


FORGED = {
    "X-Forwarded-For": "203.0.113.{}",
    "X-Real-IP": "203.0.113.{}",
    "Forwarded": "for=203.0.113.{};host=evil.example;proto=https",
    "X-Client-IP": "203.0.113.{}",
    "True-Client-IP": "203.0.113.{}",
    "X-Forwarded-Host": "evil{}.example",
    "X-Forwarded-Proto": "https",
}


def test_h28_forged_addresses_do_not_move_the_brake_on_guessing(stage: Stage) -> None:
    codes = []
    for number in range(25):
        headers = {name: value.format(number) for name, value in FORGED.items()}
        answer = requests.get(
            f"{stage.url}/api/visits", headers={**headers, "Authorization": f"Bearer guess{number}"}, timeout=20
        )
        codes.append(answer.status_code)
    assert codes[-1] == 429 and codes.count(401) <= 20
    stage.clock.advance(timedelta(minutes=2))


@pytest.mark.parametrize("name", FORGED)
def test_h28_forged_hosts_appear_in_no_answer(stage: Stage, harmless: Harmless, name: str) -> None:
    headers = {name: FORGED[name].format(1), "Host": "evil.example"}
    with harmless():
        for path in ("/", "/.well-known/caldav", "/api/openapi.json", "/nothing"):
            answer = requests.get(stage.url + path, headers=headers, allow_redirects=False, timeout=20)
            assert "evil" not in answer.text + str(answer.headers)


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"])
@pytest.mark.parametrize("method", ["DELETE", "PUT", "POST", "GET"])
def test_h29_no_header_changes_the_method(stage: Stage, harmless: Harmless, header: str, method: str) -> None:
    visit = stage.book(stage.a_start())
    stage.take_work()
    with harmless():
        answer = stage.api.get(f"/api/visits/{visit['id']}", headers={header: method})
        assert answer.json() == visit
        assert stage.api.get("/api/visits", headers={header: method}, params={"_method": method}).status_code == 200
        assert stage.api.get(f"/api/visits/{visit['id']}/cancel", headers={header: "POST"}).status_code == 405


@pytest.mark.parametrize("token", ["<script>alert(1)</script>", "a\r\nX-Evil: 1", "x" * 10_000, "\0", "{{7*7}}"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_h31_a_validation_token_is_never_reflected(stage: Stage, harmless: Harmless, token: str, method: str) -> None:
    with harmless():
        answer = requests.request(
            method, f"{stage.url}/hook/calendly", params={"validationToken": token, "hub.challenge": token}, timeout=20
        )
        assert answer.status_code in (400, 401, 405, 431)
        assert token not in answer.text and "X-Evil" not in answer.headers
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "body",
    [b"{}", b"x" * 1000],
)
def test_many_wrong_signatures_at_once_hold_nobody_up(stage: Stage, harmless: Harmless, body: bytes) -> None:
    codes: list[int] = []

    def send() -> None:
        answers = (requests.post(f"{stage.url}/hook/calendly", data=body, timeout=20) for _ in range(10))
        codes.extend(answer.status_code for answer in answers)

    with harmless():
        threads = [threading.Thread(target=send) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(codes) == {401}


def test_what_comes_from_the_api_is_capped_too(stage: Stage, harmless: Harmless) -> None:
    whole: dict[str, Any] = booking(stage.a_start(), answers=[{"question": "q", "answer": "a" * limits.API_BODY}])
    with harmless():
        assert stage.api.post("/api/visits", whole).status_code == 413
