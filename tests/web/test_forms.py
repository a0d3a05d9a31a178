"""Forms: which are ours, how old they may be, what of a body is read, and where a post may come from."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core import limits
from syncd.web.forms import FIELD, FORM_TYPE, LASTS, new_form, read_token
from tests.web.doorway import Doorway, doorway
from tests.web.markup import faults
from tests.web.raw import ask, wire


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    with doorway(tmp_path_factory.mktemp("forms")) as found:
        yield found


@pytest.fixture
def door(standing: Doorway) -> Doorway:
    standing.clock.advance(timedelta(minutes=2))
    return standing


@pytest.fixture
def path(door: Doorway) -> str:
    return door.link("request:form", lasts=timedelta(days=900))


# --- the token ------------------------------------------------------------------------------------------------------


def heard(door: Doorway, path: str, token: Any) -> str | None:
    """Post with this token; return the number of the form that the page took it for."""
    answer = door.post(path, {FIELD: token, "name": "Eva"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["fields"]["name"] == "Eva", "what was typed is there either way"
    number: str | None = answer.json()["form"]
    return number


def test_a_form_of_ours_is_known_by_its_number_every_time(door: Doorway, path: str) -> None:
    token = door.form(path)
    number = heard(door, path, token)
    assert number and heard(door, path, token) == number
    assert heard(door, path, door.form(path)) not in (None, number)


def test_a_form_is_taken_for_twelve_hours(door: Doorway, path: str) -> None:
    token = door.form(path)
    door.clock.advance(LASTS - timedelta(seconds=1))
    assert heard(door, path, token)
    door.clock.advance(timedelta(seconds=1))
    assert heard(door, path, token) is None


def test_a_form_of_another_page_or_from_tomorrow_is_none_of_ours(door: Doorway, path: str) -> None:
    assert heard(door, path, door.form(door.link("request:other"))) is None
    assert heard(door, path, door.form(path + "/")) is None
    ahead = door.form(path)
    door.clock.advance(timedelta(minutes=-2))
    assert heard(door, path, ahead) is None
    door.clock.advance(timedelta(minutes=2))


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "x",
        "1.2.3",
        "a.²." + "0" * 64,
        "é" * 10,
        "." * 1000,
        "a." + "9" * 5000 + ".x",
        "\ud7ff\n\t",
    ],
)
def test_a_forged_token_is_no_token_and_no_crash(door: Doorway, path: str, token: str) -> None:
    assert heard(door, path, token) is None


def test_a_missing_token_is_no_token(door: Doorway, path: str) -> None:
    answer = door.post(path, "name=Eva")
    assert (answer.status_code, answer.json()["form"]) == (200, None)


@given(place=st.integers(min_value=0), put=st.characters(codec="ascii", exclude_categories=["Cc"]))
def test_a_token_changed_in_one_place_is_forged(standing: Doorway, place: int, put: str) -> None:
    token = new_form(standing.ctx, "/b/x")
    at = place % len(token)
    changed = token[:at] + put + token[at + 1 :]
    assert (read_token(standing.ctx, "/b/x", changed) is None) == (changed != token)


@given(st.text())
def test_any_text_can_be_judged(standing: Doorway, text: str) -> None:
    assert read_token(standing.ctx, "/b/x", text) is None


# --- the body -------------------------------------------------------------------------------------------------------


def sent(door: Doorway, path: str, body: str | bytes, kind: str | None = FORM_TYPE) -> int:
    """Post a body as it stands; what is refused is refused in words."""
    headers = {} if kind is None else {"Content-Type": kind}
    raw = body if isinstance(body, bytes) else body.encode()
    with wire(door.address, ask(path, "POST", raw, **headers)) as line:
        answer = line.hear()
    if answer.status >= 400:
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert faults(answer.body.decode()) == []
    return answer.status


def test_of_a_repeated_field_the_last_counts(door: Doorway, path: str) -> None:
    first, second = door.form(path), door.form(path)
    answer = door.post(path, f"form={first}&name=Eva&form={second}&name=Ana")
    assert answer.json()["fields"] == {FIELD: second, "name": "Ana"}


@pytest.mark.parametrize(("count", "status"), [(limits.FORM_FIELDS, 200), (limits.FORM_FIELDS + 1, 400), (10_000, 400)])
def test_a_form_has_so_many_fields_at_most(door: Doorway, path: str, count: int, status: int) -> None:
    assert sent(door, path, "&".join(["f=1"] * count)) == status


@pytest.mark.parametrize(("size", "status"), [(limits.FORM_BODY, 200), (limits.FORM_BODY + 1, 413), (2_000_000, 413)])
def test_a_form_has_so_many_bytes_at_most(door: Doorway, path: str, size: int, status: int) -> None:
    assert sent(door, path, "name=".ljust(size, "a")) == status


@pytest.mark.parametrize(
    "body", [b"name=%FF", b"name=%C3%28", b"name=\xff", "name=é", b"name=%ED%A0%80", b"name=a%00b", b"na%00me=x", b"\0"]
)
def test_what_is_no_text_is_refused(door: Doorway, path: str, body: bytes | str) -> None:
    before = len(door.done)
    assert sent(door, path, body) == 400
    assert len(door.done) == before


@pytest.mark.parametrize("body", ["", "&", "=", "&&&=&", "name", "a=%", "a=%zz", "+=+"])
def test_odd_bodies_are_forms_without_a_token(door: Doorway, path: str, body: str) -> None:
    assert sent(door, path, body) == 200


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "application/json",
        "multipart/form-data; boundary=x",
        "application/xml",
        "x" * 500,
        "a/b;" * 50,
    ],
)
def test_only_plain_forms_are_read(door: Doorway, path: str, kind: str | None) -> None:
    before = len(door.done)
    assert sent(door, path, f"form={door.form(path)}", kind) == 415
    assert len(door.done) == before


@pytest.mark.parametrize("kind", [f"{FORM_TYPE}; charset=utf-8", FORM_TYPE.upper(), f" {FORM_TYPE} "])
def test_the_type_may_be_written_as_browsers_do(door: Doorway, path: str, kind: str) -> None:
    assert sent(door, path, "name=x", kind) == 200


def test_a_compressed_form_is_not_opened(door: Doorway, path: str) -> None:
    assert door.post(path, "name=x", **{"Content-Encoding": "gzip"}).status_code == 415


def test_lines_end_in_one_way_and_letters_stay(door: Doorway, path: str) -> None:
    answer = door.post(path, urlencode({"text": "uno\r\ndos\ntres 🏠 ñ \u202ex"}))
    assert answer.json()["fields"]["text"] == "uno\ndos\ntres 🏠 ñ \u202ex"


# --- where a post comes from ----------------------------------------------------------------------------------------

HERE = "http://{}:{}"
FROM = [
    ({}, True),
    ({"Sec-Fetch-Site": "same-origin"}, True),
    ({"Sec-Fetch-Site": "none"}, True),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, True),  # what our own pages send: they have no referrer
    ({"Sec-Fetch-Site": "cross-site"}, False),
    ({"Sec-Fetch-Site": "same-site"}, False),
    ({"Sec-Fetch-Site": ""}, False),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "null"}, False),
    ({"Sec-Fetch-Site": "cross-site", "Origin": HERE}, False),
    ({"Sec-Fetch-Site": "same-site", "Origin": HERE}, False),
    ({"Origin": HERE}, True),
    ({"Origin": "http://127.0.0.1"}, True),  # public_url
    ({"Origin": "HTTP://127.0.0.1:80"}, False),  # no browser writes a usual port
    ({"Origin": "null"}, True),  # an old browser on our own page; without Sec-Fetch-Site nothing more is known
    ({"Origin": "https://127.0.0.1"}, False),
    ({"Origin": "https://evil.example"}, False),
    ({"Origin": "http://127.0.0.1.evil.example"}, False),
    ({"Origin": "http://127.0.0.1:1"}, False),
    ({"Origin": "http://user@127.0.0.1"}, False),
    ({"Origin": "http://["}, False),
    ({"Origin": ""}, False),
    ({"Origin": "file://"}, False),
    ({"Origin": "127.0.0.1"}, False),
    ({"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, False),
]


@pytest.mark.parametrize(("headers", "let_in"), FROM)
def test_a_post_acts_only_where_it_may_come_from_our_page(
    door: Doorway, path: str, headers: dict[str, str], let_in: bool
) -> None:
    before = len(door.done)
    answer = door.post(path, **{name: value.format(*door.address) for name, value in headers.items()})
    assert answer.status_code == (200 if let_in else 403), answer.text
    assert len(door.done) == before + let_in
    assert let_in or faults(answer.text) == []


def test_two_origins_are_none_of_ours(door: Doorway, path: str) -> None:
    lines = ask(path, "POST", f"form={door.form(path)}".encode(), Content_Type=FORM_TYPE)
    twice = lines.replace(b"Host:", b"Origin: http://127.0.0.1\r\nOrigin: https://evil.example\r\nHost:", 1)
    with wire(door.address, twice) as line:
        assert line.hear().status == 403


def test_a_foreign_post_learns_nothing_of_a_link(door: Doorway, path: str) -> None:
    foreign = {"Origin": "https://evil.example"}
    known, unknown = (door.post(one, **foreign) for one in (path, "/b/x"))
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
