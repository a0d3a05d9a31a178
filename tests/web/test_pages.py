"""What is true of every page of clients: closed links look alike, nothing is remembered by caches, languages, heads."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.flows.links import Purpose, token_of
from syncd.language import LANGUAGES, language_of
from syncd.web.headers import HEADERS
from syncd.web.pages import render
from tests.web.doorway import Doorway, doorway
from tests.web.markup import faults
from tests.web.raw import ask, wire


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doorway]:
    with doorway(tmp_path_factory.mktemp("door")) as found:
        yield found


@pytest.fixture
def door(standing: Doorway) -> Doorway:
    standing.clock.advance(timedelta(minutes=2))  # past every brake
    return standing


# --- links that open nothing ---------------------------------------------------------------------------------------


def closed(door: Doorway) -> dict[str, str]:
    """Return paths that open nothing, by what is wrong with them."""
    right = door.link("request:open")
    token = right.removeprefix("/b/")
    old = door.link("request:renewed")
    door.link("request:renewed", renew=True)
    door.link("visit:v")  # a visit that may be booked anew has a link of each purpose
    ended = door.link("request:ended", lasts=timedelta(seconds=1))
    door.clock.advance(timedelta(seconds=1))
    return {
        "unknown": "/b/" + "A" * 43,
        "expired": ended,
        "superseded": old,
        "of another purpose": door.link("visit:v", Purpose.VISIT).replace("/v/", "/b/"),
        "of another page": right.replace("/b/", "/v/"),
        "of a generation to come": "/b/" + token_of(door.ctx, Purpose.BOOK, "request:open", 2),
        "a character more": right + "A",
        "a character less": right[:-1],
        "padded": right + "=",
        "in the other case": "/b/" + token.swapcase(),
        "with a blank": right + "%20",
        "with a newline": right + "%0A",
        "with a NUL escaped twice": right + "%2500",
        "with a full stop": right + ".",
        "with a slash": right + "/",
        "with more behind a slash": right + "/edit",
        "with a slash inside": f"/b/{token[:20]}%2F{token[20:]}",
        "with a question inside": right + "%3Fx",
        "climbing": "/b/..%2f..%2fpages.css",
        "climbing twice": "/b/%252e%252e%252fpages.css",
        "very long": "/b/" + "A" * 12_000,
        "no UTF-8": right + "%FF%C0",
        "empty": "/b/",
        "the right one a second time": f"{right}{token}",
    }


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_h125_h127_every_link_that_opens_nothing_gets_one_and_the_same_answer(door: Doorway, method: str) -> None:
    answers: dict[str, tuple[object, ...]] = {}
    for name, path in closed(door).items():
        door.clock.advance(timedelta(minutes=2))
        body = {"form": door.form(path), "name": "x"} if method == "POST" else None
        answer = door.session.request(method, door.url + path, data=body, timeout=20)
        headers = {key.lower(): value for key, value in answer.headers.items() if key.lower() != "date"}
        answers[name] = (answer.status_code, headers, answer.content)
    assert answers["unknown"][0] == 404
    assert {name for name, answer in answers.items() if answer != answers["unknown"]} == set()


def test_h125_the_neutral_page_is_a_good_page(door: Doorway) -> None:
    answer = door.get("/b/x", **{"Accept-Language": "es"})
    assert faults(answer.text) == []
    assert "Este enlace" in answer.text and "x" not in answer.text.split("<h1>")[0].split("/b/")[1:]


def test_a_closed_link_costs_what_another_closed_link_costs(door: Doorway) -> None:
    """No early exit tells which tokens were real once: in orders of magnitude, on a busy machine."""
    kinds = {name: path for name, path in closed(door).items() if name in ("unknown", "expired", "superseded")}
    best = dict.fromkeys(kinds, 1.0)
    for _ in range(15):
        for name, path in kinds.items():
            door.clock.advance(timedelta(minutes=2))
            begun = time.perf_counter()
            assert door.get(path).status_code == 404
            best[name] = min(best[name], time.perf_counter() - begun)
    assert max(best.values()) < 5 * min(best.values()), best


def test_a_right_link_may_be_written_with_escapes_and_is_the_same(door: Doorway) -> None:
    """RFC 3986 6.2.2.2: %41 and A are one address."""
    path = door.link("request:escaped")
    escaped = "/b/" + "".join(f"%{ord(one):02X}" for one in path.removeprefix("/b/"))
    with wire(door.address, ask(escaped)) as line:
        assert line.hear().status == 200


@given(subjects=st.lists(st.text(min_size=1), min_size=2, max_size=6, unique=True), generation=st.integers(1, 9))
def test_tokens_differ_by_subject_purpose_and_generation(
    standing: Doorway, subjects: list[str], generation: int
) -> None:
    subjects = [one for one in subjects if one.isprintable()]
    made = [
        token_of(standing.ctx, purpose, subject, number)
        for purpose in Purpose
        for subject in subjects
        for number in (generation, generation + 1)
    ]
    assert len(set(made)) == len(made)
    assert all(len(one) == 43 for one in made), "256 bits"


def test_the_same_link_is_made_again_and_an_older_one_stays_closed(door: Doorway) -> None:
    first = door.link("request:again")
    assert door.link("request:again") == first
    second = door.link("request:again", renew=True)
    assert door.link("request:again") == second != first
    assert [door.get(path).status_code for path in (first, second)] == [404, 200]


def test_a_link_ends_to_the_second(door: Doorway) -> None:
    path = door.link("request:brief", lasts=timedelta(seconds=10))
    door.clock.advance(timedelta(seconds=9))
    assert door.get(path).status_code == 200
    door.clock.advance(timedelta(seconds=1))
    assert door.get(path).status_code == 404


def test_the_store_holds_no_token(door: Doorway, tmp_path: Path) -> None:
    token = door.link("request:secret").removeprefix("/b/")
    copy = tmp_path / "copy.db"
    door.ctx.store.backup(copy)
    assert token.encode() not in copy.read_bytes()


# --- headers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_open", [True, False])
def test_every_page_carries_the_security_headers_and_is_kept_by_nobody(door: Doorway, is_open: bool) -> None:
    answer = door.get(door.link("request:heads") if is_open else "/b/x")
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "Set-Cookie" not in answer.headers and "Server" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("public", ["https://visitas.example", "http://127.0.0.1"])
def test_only_an_https_installation_asks_for_https(tmp_path: Path, public: str) -> None:
    with doorway(tmp_path) as found:
        object.__setattr__(found.ctx, "public_url", public)
        kept = found.get("/b/x").headers.get("Strict-Transport-Security", "")
    assert kept.startswith("max-age=31536000") is public.startswith("https:")


def test_head_is_get_without_a_body(door: Doorway) -> None:
    path = door.link("request:head")
    shown, head = door.get(path), door.session.head(door.url + path, timeout=20)
    assert (head.status_code, head.content) == (shown.status_code, b"")
    assert head.headers["Content-Type"] == shown.headers["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_no_other_method_is_taken(door: Doorway, method: str) -> None:
    path = door.link("request:methods")
    answer = door.session.request(method, door.url + path, timeout=20)
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "POST"}


@pytest.mark.parametrize("name", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"])
def test_h29_a_method_is_what_the_request_line_says(door: Doorway, name: str) -> None:
    path, before = door.link("request:override"), len(door.done)
    assert door.get(path, **{name: "POST"}).headers["Content-Type"].startswith("text/html")
    assert door.get(f"{path}?_method=POST&form={door.form(path)}").status_code == 200
    assert len(door.done) == before
    posted = door.post(path, {"_method": "DELETE"}, **{name: "DELETE"})
    assert posted.status_code == 200 and len(door.done) == before + 1


@pytest.mark.parametrize("name", ["X-Forwarded-Host", "X-Forwarded-For", "Forwarded", "X-Forwarded-Proto", "X-Real-IP"])
def test_h28_forwarded_headers_of_a_stranger_change_no_link(door: Doorway, name: str) -> None:
    path = door.link("request:forwarded")
    value = {"X-Forwarded-Proto": "https", "Forwarded": "for=1.2.3.4;host=evil.example"}.get(name, "evil.example")
    assert door.get(path, **{name: value}).content == door.get(path).content


@pytest.mark.parametrize("host", ["evil.example", "evil.example:99999", "[", "a/b", "a@b", "", "x" * 300, "[::1]:x"])
def test_h28_a_host_header_is_nowhere_in_a_page(door: Doorway, host: str) -> None:
    path = door.link("request:host")
    with wire(door.address, ask(path, Host=host)) as line:
        heard = line.hear()
    assert heard.status in (200, 400)
    assert heard.status == 400 or heard.body == door.get(path).content


# --- languages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("how", ["header", "address"])
def test_a_page_speaks_the_language_that_was_asked_for(door: Doorway, language: str, how: str) -> None:
    path = door.link("request:language")
    other = "de" if language != "de" else "es"
    answer = (
        door.get(path, **{"Accept-Language": f"{language}-XX, {other};q=0.5"})
        if how == "header"
        else door.get(f"{path}?lang={language}", **{"Accept-Language": other})
    )
    assert answer.headers["Content-Language"] == language
    assert f'<html lang="{language}">' in answer.text


@pytest.mark.parametrize(
    "chosen", ["fr", "", "ES", "../../etc/passwd", "<script>", "es_CL", "x" * 5000, "%00", "de&lang=xx"]
)
def test_a_language_that_we_do_not_speak_is_not_reflected_and_changes_nothing(door: Doorway, chosen: str) -> None:
    path = door.link("request:strange")
    plain = door.get(path, **{"Accept-Language": "it"})
    answer = door.get(f"{path}?lang={chosen}", **{"Accept-Language": "it"})
    assert answer.status_code == 200
    assert answer.text == plain.text


@pytest.mark.parametrize("query", [b"lang=\xff", b"lang=%ff%fe", b"%", b"&&==", b"lang", b"?" * 100])
def test_a_broken_query_breaks_no_page(door: Doorway, query: bytes) -> None:
    path = door.link("request:query").encode()
    with wire(door.address, b"GET " + path + b"?" + query + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") as line:
        assert line.hear().status in (200, 400)


# --- refusals in words ----------------------------------------------------------------------------------------------

KINDS = [("rate-limited", 429), ("foreign", 403), ("store-unavailable", 503), ("internal", 500), ("malformed", 400)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("kind", "status"), KINDS)
def test_every_refusal_is_a_good_page_of_its_own_in_every_language(language: str, kind: str, status: int) -> None:
    spoken = language_of(language, "es_CL")
    page = render("refused.html", spoken, kind=kind, status=status)
    assert faults(page) == []
    others = {render("refused.html", spoken, kind=one, status=code) for one, code in KINDS if one != kind}
    assert page not in others


def test_a_defect_of_ours_is_words_and_an_id_in_the_log_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with doorway(tmp_path) as found:
        path = found.link("request:broken")
        found.done = None  # type: ignore[assignment]
        answer = found.post(path, {"secret": "canary-of-a-client"})
    assert answer.status_code == 500
    assert faults(answer.text) == []
    assert "Traceback" not in answer.text and "AttributeError" not in answer.text
    (line,) = [one for one in caplog.records if one.getMessage() == "a request failed"]
    assert "canary-of-a-client" not in str(line.__dict__)


def test_the_checker_of_pages_bites() -> None:
    page = render("gone.html", language_of("en", "es_CL"))
    assert faults(page) == []
    wrong = {
        "<h1>": "<h1></h1><h1>",
        '<html lang="en">': "<html>",
        "</main>": '<input name="x"></main>',
        "</title>": "</title><style>p{}</style>",
        "<p>": '<p onclick="x()">',
        '<main id="main">': '<main id="main"><p id="main"></p>',
        "<main": '<form method="post"></form><main',
        "</body>": "<script>x</script></body>",
        "</h1>": '</h1><a href="javascript:x">x</a>',
    }
    for old, new in wrong.items():
        assert faults(page.replace(old, new, 1)), new
