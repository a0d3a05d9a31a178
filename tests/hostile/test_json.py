"""Hostile JSON (H40-H50): signed at the hook it is a dead letter, at the API a refusal; quickly, without a trace."""

import json
import time
from typing import Any

import pytest
import requests

from tests.connectors.test_calendly_hook import created
from tests.hostile.conftest import QUICK, Harmless
from tests.web.recorder import check_problem
from tests.web.stage import TOKEN, Stage, booking, request_body

GOOD = json.dumps(created()).encode()


def deep(levels: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * levels + closing * levels


BODIES: dict[str, bytes] = {
    "h40 brackets": b"[" * 100_000,
    "h40 objects": b'{"a":' * 40_000,
    "h40 closed": deep(100_000),
    "h40 deep inside": GOOD[:-1] + b',"x":' + deep(1_000) + b"}",
    "h40 deep in a field": json.dumps(created()).replace('"old_invitee": null', '"old_invitee": ' + "[" * 500).encode(),
    "h41 integer": b'{"event":' + b"9" * 200_000 + b"}",
    "h41 negative": b'{"event":-' + b"9" * 200_000 + b"}",
    "h41 exponent": b'{"event":1e' + b"9" * 200_000 + b"}",
    "h41 fraction": b'{"event":0.' + b"9" * 200_000 + b"}",
    "constants NaN": GOOD[:-1] + b',"x":NaN}',
    "constants Infinity": GOOD[:-1] + b',"x":Infinity}',
    "constants -Infinity": GOOD[:-1] + b',"x":[-Infinity]}',
    "constants huge": GOOD[:-1] + b',"x":1e400}',
    "h43 twice": GOOD[:-1] + b',"event":"invitee.canceled"}',
    "h43 twice escaped": GOOD[:-1] + b',"\\u0065vent":"invitee.canceled"}',
    "h43 twice inside": GOOD.replace(b'"old_invitee": null', b'"old_invitee": null, "old_invitee": null'),
    "h44 half a character": GOOD[:-1] + b',"x":"\\ud800"}',
    "h44 half as a name": GOOD[:-1] + b',"\\udfff":1}',
    "h44 halves swapped": GOOD[:-1] + b',"x":"\\ude00\\ud83d"}',
    "h46 array": b"[]",
    "h46 array of it": b"[" + GOOD + b"]",
    "h46 string": b'"invitee.created"',
    "h46 null": b"null",
    "h46 number": b"1",
    "h46 true": b"true",
    "h49 latin-1": GOOD.replace(b"invitees", "inviteés".encode("latin-1")),
    "h49 utf-16": GOOD.decode().encode("utf-16"),
    "h49 overlong": GOOD[:-1] + b',"x":"\xc0\xaf"}',
    "h49 surrogate": GOOD[:-1] + b',"x":"\xed\xa0\x80"}',
    "text after": GOOD + b" {}",
    "a comment": b"/* x */" + GOOD,
    "single quotes": GOOD.replace(b'"', b"'"),
    "nothing": b"",
    "blanks": b" \n\t",
    "a control": GOOD[:-1] + b',"x":"\x01"}',
    "html": b"<html><body>502 Bad Gateway</body></html>",
    "form": b"event=invitee.created&payload=x",
}
NAMES = list(BODIES)


@pytest.mark.parametrize("name", NAMES)
def test_signed_it_is_a_dead_letter_and_the_raw_bytes_stay(stage: Stage, harmless: Harmless, name: str) -> None:
    body = BODIES[name]
    with harmless(rows=1):
        begun = time.perf_counter()
        assert stage.deliver(body).status_code == 204
        assert time.perf_counter() - begun < QUICK
        kept = stage.kept(body)
        assert (kept.state.value, bool(kept.error), kept.touches) == ("dead", True, ())


def send(stage: Stage, path: str, body: bytes) -> requests.Response:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    begun = time.perf_counter()
    answer = requests.post(stage.url + path, data=body, headers=headers, timeout=20)
    assert time.perf_counter() - begun < QUICK
    check_problem(answer)
    return answer


PATHS = ["/api/visits", "/api/requests", "/api/visits/x/cancel", "/api/visits/x/participants"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", NAMES)
def test_at_the_api_it_is_refused(stage: Stage, harmless: Harmless, name: str, path: str) -> None:
    with harmless():
        answer = send(stage, path, BODIES[name])
        expected = (400, 422, 404) if name == "nothing" else (400, 422)  # no body is an empty one
        assert answer.status_code in expected, answer.text
        assert answer.status_code != 400 or answer.json()["type"] == "malformed"


def hostile_values() -> list[bytes]:
    return [
        deep(200),
        b'{"a":' * 200 + b"1" + b"}" * 200,
        b"9" * 5_000,
        b"NaN",
        b"-Infinity",
        b"1e999",
        b'{"a":1,"a":1}',
        b'"\\udc00"',
        b'"\xff"',
        b'"\x00"',
    ]


def placed(value: bytes) -> list[tuple[str, bytes]]:
    """Put one hostile value in many places of the bodies that the API takes."""
    mark = '"@@"'
    visits = [
        booking(project="@@"),
        booking("@@"),
        booking(host="@@"),
        booking(contact="@@"),
        booking(contact={"name": "@@", "email": "eva@example.com"}),
        booking(contact={"name": "Eva", "email": "@@"}),
        booking(answers="@@"),
        booking(answers=[{"question": "@@", "answer": "x"}]),
        booking(property={"id": "x", "facts": [{"label": "@@", "value": "x"}]}),
        booking(extra="@@"),
    ]
    requested = [
        request_body("@@"),
        request_body(requirements=["@@"]),
        request_body(requirements=[{"in_warranty": "@@"}]),
        request_body(property="@@"),
    ]
    bodies: list[tuple[str, Any]] = [("/api/visits", one) for one in visits]
    bodies += [("/api/requests", one) for one in requested]
    bodies += [("/api/visits/x/cancel", {"by": "@@"}), ("/api/visits/x/participants", {"add": ["@@"]})]
    return [(path, json.dumps(body).replace(mark, "@@").encode().replace(b"@@", value)) for path, body in bodies]


@pytest.mark.parametrize("value", hostile_values(), ids=lambda value: repr(value[:20]))
def test_a_hostile_value_is_refused_in_every_place(stage: Stage, harmless: Harmless, value: bytes) -> None:
    with harmless():
        for path, body in placed(value):
            assert send(stage, path, body).status_code in (400, 422), body[:300]


@pytest.mark.parametrize(
    "start", [1778594400, 1778594400.0, "1778594400", None, True, ["2026-05-12T10:00:00-04:00"], {}]
)
def test_h47_a_start_that_is_no_text_of_a_time_is_never_an_epoch(stage: Stage, harmless: Harmless, start: Any) -> None:
    sent = booking() | {"start": start}
    with harmless():
        assert stage.api.post("/api/visits", sent).status_code == 422
        assert stage.api.post("/api/visits/x/move", {"start": start}).status_code == 422


WHOLE = json.dumps(booking()).encode()


@pytest.mark.parametrize("at", range(0, len(WHOLE), 7))
def test_h50_a_body_cut_anywhere_is_never_complete_at_the_api(stage: Stage, at: int) -> None:
    before = len(stage.visits())
    assert send(stage, "/api/visits", WHOLE[:at]).status_code in (400, 422)
    assert len(stage.visits()) == before


@pytest.mark.parametrize("at", range(0, len(GOOD), 11))
def test_h50_a_body_cut_anywhere_is_never_complete_at_the_hook(stage: Stage, at: int) -> None:
    assert stage.deliver(GOOD[:at]).status_code == 204
    assert not stage.take_work()


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_the_api_takes_json_and_nothing_else(stage: Stage, harmless: Harmless, kind: str) -> None:
    with harmless():
        answer = stage.api("POST", "/api/visits", data=json.dumps(booking()), headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["type"]) == (415, "unsupported-media-type")
