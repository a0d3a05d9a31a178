"""Bodies are capped, against a deadline, never decompressed; JSON means what RFC 8259 says."""

import asyncio
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect
from starlette.types import Message, Scope

from syncd.core import limits
from syncd.web.bodies import read_body, read_json
from syncd.web.problems import Problem

Coming = Callable[[], Message | None]


def read(*parts: bytes, cap: int = 100, ends: bool = True, seconds: float = 5, **headers: str) -> bytes:
    """Read a body that comes in these parts; `ends=False`: nothing follows, and no end either."""
    scope: Scope = {
        "type": "http",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    left = list(parts)

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        part = left.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(left) or not ends}

    return asyncio.run(read_body(scope, receive, cap, seconds))


def refused(*parts: bytes, **options: object) -> Problem:
    with pytest.raises(Problem) as told:
        read(*parts, **options)  # type: ignore[arg-type]
    return told.value


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5))
def test_a_body_within_the_cap_comes_back_byte_for_byte(parts: list[bytes]) -> None:
    assert read(*parts, cap=200) == b"".join(parts)


@pytest.mark.parametrize("parts", [(b"x" * 101,), (b"x" * 100, b"x"), (b"x" * 60, b"x" * 60, b"x" * 1000)])
def test_a_body_over_the_cap_is_too_large_and_the_connection_closes(parts: tuple[bytes, ...]) -> None:
    problem = refused(*parts)
    assert (problem.status_code, problem.kind) == (413, "too-large")
    assert problem.headers == {"Connection": "close"}


def test_a_declared_length_over_the_cap_is_refused_without_being_read() -> None:
    assert refused(b"", content_length="101", expect="100-continue").status_code == 413
    assert refused(b"x" * 101, content_length="101").status_code == 413


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate", "br", "identity, gzip", "x-gzip", "zstd"])
def test_h19_an_encoded_body_is_refused_unread(coding: str) -> None:
    assert refused(b"x", content_encoding=coding).status_code == 415


def test_h19_one_honest_header_does_not_hide_another() -> None:
    scope: Scope = {"headers": [(b"content-encoding", b"gzip"), (b"content-encoding", b"identity")]}

    async def nothing() -> Message:
        raise AssertionError("the body was read")

    with pytest.raises(Problem, match="Content-Encoding"):
        asyncio.run(read_body(scope, nothing, 10))


def test_identity_is_no_encoding() -> None:
    assert read(b"x", content_encoding="identity") == b"x"


def test_a_body_that_does_not_arrive_in_time_is_refused() -> None:
    problem = refused(b"x", ends=False, seconds=0.05)
    assert (problem.status_code, problem.kind) == (408, "too-slow")


def test_a_caller_who_goes_away_is_no_error_of_ours() -> None:
    async def gone() -> Message:
        return {"type": "http.disconnect"}

    with pytest.raises(ClientDisconnect):
        asyncio.run(read_body({"headers": []}, gone, 10))


def malformed(body: bytes) -> str:
    with pytest.raises(Problem) as told:
        read_json(body)
    assert told.value.status_code == 400
    return str(told.value.detail)


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcé", max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(plain, st.booleans())
def test_json_comes_back_as_it_was_written(value: object, escaped: bool) -> None:
    assert read_json(json.dumps(value, ensure_ascii=escaped).encode()) == value


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,  # H40
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 65 + b"1" + b"}" * 65,
        b"9" * 1_000_000,  # H41
        b"-" + b"9" * 5_000,
        b"1" + b"0" * 400 + b".0",
        b"1e999",
        b"NaN",
        b"Infinity",
        b"[-Infinity]",
        b'{"a":1,"a":2}',  # H43
        b'{"b":[{"a":1,"\\u0061":2}]}',
        b'"\\ud800"',  # H44
        b'{"\\udfff":1}',
        b'["\\ud83d \\ude00"]',
        b'"\xff"',  # H49
        b'"\xed\xa0\x80"',  # a surrogate in UTF-8
        b"\xef\xbb\xbf{}",  # H11: a BOM
        '{"a":1}'.encode("utf-16"),
        b"",
        b"{",
        b"{}{}",
        b"{'a':1}",
        b"[1,]",
        b"01",
        b'"\n"',
        b"// x\n{}",
    ],
)
def test_h40_to_h49_what_is_no_json_is_malformed(body: bytes) -> None:
    malformed(body)


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert read_json(b'"\\ud83d\\ude00"') == "\U0001f600"


def test_depth_is_allowed_up_to_the_limit() -> None:
    deep = limits.JSON_DEPTH
    assert read_json(b"[" * deep + b"]" * deep)
    assert "deeper" in malformed(b"[" * (deep + 1) + b"]" * (deep + 1))


WHOLE = json.dumps({"id": "R-1", "contact": {"name": "Eva", "emails": ["é@example.com", None]}, "n": [1, 2.5]}).encode()


@pytest.mark.parametrize("at", range(len(WHOLE)))
def test_h50_a_body_cut_anywhere_is_never_complete(at: int) -> None:
    malformed(WHOLE[:at])


def test_the_refusal_does_not_quote_the_body() -> None:
    assert "secret" not in malformed(b'{"secret":"secret","secret":1}') + malformed(b'"secret') + malformed(b"secret")
