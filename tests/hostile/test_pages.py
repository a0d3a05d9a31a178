"""Hostile values at the pages of clients (H26-H29, H61-H80, H124-H128): typed into every field, handed in as requests,
and then looked at everywhere they are shown: pages, entries of calendars, feeds, files."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from icalendar import Calendar
from lxml import html

from syncd.core.draft import visit_draft
from syncd.core.visit import Visit
from syncd.ical import event_text, visible
from syncd.web.feeds import feed_token
from tests.web.markup import faults
from tests.web.raw import ask, wire
from tests.web.stage import LINK_KEY, Stage, read_calendars, request_body, staged
from tests.web.test_book_page import OPEN, here, people
from tests.web.test_visit_page import link
from tests.web.visitor import Page, Visitor
from tests.world import town

TEXTS = {
    "H65 turned": "Eva \u202egnidaer\u202c \u2066x\u2069",
    "H67 picture": "<img src=x onerror=alert(1)>",
    "H67 script": '"><script>alert(1)</script>',
    "H67 attribute": "' onmouseover='alert(1)' x='\" autofocus onfocus=alert(1) y=\"",
    "H67 area": "</textarea></title><svg/onload=alert(1)>",
    "H67 entities": "&lt;b&gt; &amp;amp; &#60;script&#62;",
    "H67 comment": "<!-- --><![CDATA[<b>]]>",
    "H68 template": "{{7*7}} {% include 'base.html' %} {# x #}",
    "H68 names": "{{ cliente }} {{ respuesta_1 }} {{ request }}",
    "H68 shell": "${7*7} $(id) `id` #{7*7}",
    "H68 percent": "%s%n %(name)s %(time)s 100%",
    "H68 format": "{0.__class__} {self} {}",
    "H70 formula": '=HYPERLINK("http://evil.example","x")',
    "H76 line": "Casa 1\nATTENDEE;CN=x:mailto:evil@example.com",
    "H76 event": "x\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:evil\r\n",
    "H76 escapes": "a\\nb;c,d:e\\\\",
    "script address": "javascript:alert(1)",
    "H64 composed": "Zoe\u0308 ＺＯＥ ﬀ İ",
    "invisible": "a\u200b\u00adb\ufeffc",
    "controls": "a\x07b\x1b[31mc\x85d\u2028e",
    "emoji": "👩‍👩‍👧‍👦🏠",
}
HOSTILE = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
ALLOWED = {"VCALENDAR", "VEVENT", "VTIMEZONE", "STANDARD", "DAYLIGHT"}
TURNING = set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
TYPED = ("name", "tax_id", "property", "answer_1", "answer_2")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    window = replace(town.VISITA.window, business_days=150)
    with staged(tmp_path_factory.mktemp("pages"), found=people(window=window)) as found:
        yield found


@pytest.fixture
def stage(opened: Stage) -> Stage:
    """The stage a minute later: past every brake, with calendars that were just read."""
    opened.clock.advance(timedelta(minutes=1))
    read_calendars(opened.store, opened.ctx.directory, opened.clock.now())
    return opened


@pytest.fixture
def client() -> Iterator[Visitor]:
    found = Visitor()
    yield found
    found.close()


# --- what is shown --------------------------------------------------------------------------------------------------


def judge(page: Page, text: str = "") -> None:
    """A page is well formed, runs nothing, turns no reading direction, and shows a text as a text if at all."""
    raw = page.answer.text
    assert page.status < 500, raw
    assert faults(raw) == []
    assert not TURNING & set(raw)
    assert "\0" not in raw and "\x1b" not in raw
    found = html.document_fromstring(raw.encode(), parser=html.HTMLParser(encoding="utf-8"))
    assert not found.xpath("//script | //svg | //iframe | //object | //embed | //base | //img[not(@alt)]")
    assert "49" not in page.text or "49" in text


def entries(data: bytes, title: str | None = None) -> None:
    """A calendar file holds events of ours and nothing that a text could have added."""
    read = Calendar.from_ical(data)
    assert {one.name for one in read.walk()} <= ALLOWED
    for event in read.walk("VEVENT"):
        assert "ATTENDEE" not in event and "ORGANIZER" not in event and "ATTACH" not in event
        assert str(event["UID"]).endswith("@syncd")
        assert not TURNING & set(str(event["SUMMARY"])) and "\n" not in str(event["SUMMARY"])
    assert all(len(line) <= 75 for line in data.split(b"\r\n"))


def everywhere(stage: Stage, client: Visitor, visit: Visit, text: str) -> None:
    """Look at a visit in every place that shows it."""
    base = link(stage, visit.id)
    for path in ("", "/move", "/cancel"):
        judge(client.get(base + path), text)
    entries(client.fetch("GET", base + "/visit.ics").content)
    entries(client.fetch("GET", f"{stage.url}/feeds/{feed_token(LINK_KEY, str(visit.host), 1)}.ics").content)
    target = stage.ctx.directory.agents[visit.host].calendars[0]  # type: ignore[index]
    entries(event_text(visit_draft(visit, target, stage.ctx.directory), stamp=stage.clock.now()))
    said = stage.api.get(f"/api/visits/{visit.id}")
    assert said.status_code == 200
    stage.api.get(f"/api/visits/{visit.id}/history")


def form(stage: Stage, client: Visitor) -> Page:
    return client.get(f"{stage.url}/b/{OPEN}?start={stage.a_start()}")


def good(stage: Stage, client: Visitor) -> None:
    """The next client books as if nothing had happened."""
    page = form(stage, client).press("book", name="Eva", email="eva@example.com", answer_1="B-1")
    assert (page.status, "booked" in page.text) == (200, True), page.text


@HOSTILE
def test_h61_to_h80_what_a_client_types_is_text_and_nothing_else(stage: Stage, client: Visitor, text: str) -> None:
    known = {one.id for one in stage.visits()}
    page = form(stage, client).press("book", email="eva@example.com", **dict.fromkeys(TYPED, text))
    judge(page, text)
    made = [one for one in stage.visits() if one.id not in known]
    for visit in made:
        assert "\n" not in visit.contact.name and not TURNING & set(visit.contact.name)
        everywhere(stage, client, visit, text)
    assert made or page.status == 422, page.text
    good(stage, client)


@HOSTILE
@pytest.mark.parametrize("field", ["email", "phone"])
def test_h71_to_h74_an_address_that_is_none_is_refused_beside_its_field(
    stage: Stage, client: Visitor, field: str, text: str
) -> None:
    count = len(stage.visits())
    page = form(stage, client).press("book", **{"name": "Eva", "email": "e@example.com", "answer_1": "x", field: text})
    judge(page, text)
    assert page.status == 422 and len(stage.visits()) == count
    typed = visible(text).replace("\r\n", "\n")
    assert page.forms["book"].fields[field] in (typed, typed.replace("\n", "")), "what was typed is still there"


EMAILS = [
    "eva@example.com\r\nBcc: x@evil.example",
    "eva@example.com,x@evil.example",
    "Eva <eva@example.com>",
    "eva@[127.0.0.1]",
    "eva@localhost",
    '"<script>"@example.com',
    "eva@example.com\u202e",
    "@" * 300,
    "a" * 300 + "@example.com",
    "eva@exa mple.com",
    "eva@-example.com",
]


@pytest.mark.parametrize("email", EMAILS)
def test_h71_no_second_address_hides_in_one(stage: Stage, client: Visitor, email: str) -> None:
    known = {one.id for one in stage.visits()}
    page = form(stage, client).press("book", name="Eva", email=email, answer_1="x")
    judge(page)
    made = [one for one in stage.visits() if one.id not in known]
    assert [one.contact.email for one in made] in ([], ["eva@example.com"]), "a mark that is not seen is no part of it"
    assert made or page.status == 422


@pytest.mark.parametrize(
    "phone", ["*21*+56912345678#", "##002#", "+56 9 1234 5678;ext=99", "+56 9 1234 5678 ext 5", "112"]
)
def test_h74_a_number_that_does_something_is_no_number(stage: Stage, client: Visitor, phone: str) -> None:
    known = {one.id for one in stage.visits()}
    page = form(stage, client).press("book", name="Eva", email="e@example.com", phone=phone, answer_1="x")
    judge(page)
    kept = [one.contact.phone or "" for one in stage.visits() if one.id not in known]
    assert all(one[1:].isdigit() and one[0] == "+" for one in kept), kept
    assert kept or page.status == 422


@HOSTILE
def test_what_a_request_says_is_text_on_every_page(stage: Stage, client: Visitor, text: str) -> None:
    """Names, property and facts come from the post-sale system, which had them from strangers."""
    name = f"R-{abs(hash(text))}"
    plain = text.replace("\n", " ").replace("\r", " ")
    body = request_body(
        name,
        contact={"name": text, "email": "eva@example.com", "phone": None, "tax_id": None},
        property={"id": "1", "name": text, "address": text, "facts": [{"label": text, "value": text}]},
    )
    answer = stage.api.post("/api/requests", body)
    if answer.status_code != 201:
        assert answer.status_code in (400, 422)
        return
    url = here(stage, answer.json()["booking_url"])
    page = client.get(url)
    judge(page, text)
    page = client.get(f"{url}?start={stage.a_start()}")
    judge(page, text)
    page = page.press("book", answer_1=plain)
    judge(page, text)
    (visit,) = [one for one in stage.visits() if one.request == name]
    everywhere(stage, client, visit, text)


@HOSTILE
def test_why_a_visit_is_cancelled_is_text(stage: Stage, client: Visitor, text: str) -> None:
    visit = stage.book(stage.a_start())
    page = client.get(link(stage, visit["id"]) + "/cancel")
    reason = page.forms["why"].choices["reason"][0]
    judge(page.press("why", reason=text, words=text), text)
    judge(page.press("why", reason=reason, words=text), text)
    assert stage.api.get(f"/api/visits/{visit['id']}").json()["state"] == "cancelled"


@HOSTILE
def test_words_of_staff_are_text(stage: Stage, client: Visitor, text: str) -> None:
    visit = stage.book(stage.a_start())
    url = link(stage, visit["id"])
    answer = stage.api.post(f"/api/visits/{visit['id']}/cancel", {"by": "staff", "reason": text, "message": text})
    assert answer.status_code in (200, 400, 422)
    judge(client.get(url), text)


@HOSTILE
def test_what_an_administrator_wrote_is_text_too(tmp_path: Path, client: Visitor, text: str) -> None:
    plain = " ".join(text.split())
    found = people(description=text)
    casas = replace(found.projects[OPEN], name=plain, address=plain, facts=((plain, plain),))
    with staged(tmp_path, found=replace(found, projects={**found.projects, OPEN: casas})) as own:
        judge(client.get(f"{own.url}/b/{OPEN}"), text)
        judge(form(own, client), text)
        good(own, client)


@pytest.mark.parametrize(
    "extra",
    [{"role": "admin"}, {"host": "beto"}, {"state": "done"}, {"project": "cerrado"}, {"id": "x"}, {"version": "9"}],
    ids=str,
)
def test_h79_a_field_that_the_page_does_not_have_does_nothing(
    stage: Stage, client: Visitor, extra: dict[str, str]
) -> None:
    plain = {"name": "Eva", "email": "eva@example.com", "answer_1": "x"}
    known = {one.id for one in stage.visits()}
    assert form(stage, client).press("book", **plain, **extra).status == 200
    (visit,) = [one for one in stage.visits() if one.id not in known]
    assert (visit.project, visit.state.value, visit.source.account) == (OPEN, "confirmed", "page")


def test_h80_an_agent_who_books_at_the_page_is_a_client_there(stage: Stage, client: Visitor) -> None:
    known = {one.id for one in stage.visits()}
    page = form(stage, client).press("book", name="Ana", email="ana@a.example", answer_1="x")
    assert page.status == 200
    (visit,) = [one for one in stage.visits() if one.id not in known]
    assert visit.contact.email == "ana@a.example" and visit.host in ("ana", "beto")
    assert stage.ctx.directory == people() or len(stage.ctx.directory.agents) == 2


# --- links and paths ------------------------------------------------------------------------------------------------


def dump(stage: Stage, folder: Path) -> list[str]:
    """Return the whole store as text."""
    copy = folder / "copy.db"
    copy.unlink(missing_ok=True)
    stage.store.backup(copy)
    with sqlite3.connect(copy) as db:
        return list(db.iterdump())


def test_h124_fifty_looks_of_a_scanner_at_every_link_change_not_one_row(
    stage: Stage, client: Visitor, tmp_path: Path
) -> None:
    """A scanner of mail opens what it finds, and what it finds there, with HEAD and GET."""
    visit = stage.book(stage.a_start())
    starts = [link(stage, visit["id"]), f"{stage.url}/b/{OPEN}"]
    answer = stage.api.post("/api/requests", request_body("R-scanned"))
    starts.append(here(stage, answer.json()["booking_url"]))
    stage.take_work()
    before = dump(stage, tmp_path)
    seen: set[str] = set()
    for url in starts:
        for _ in range(50):
            assert client.fetch("HEAD", url).status_code == client.fetch("GET", url).status_code == 200
        todo = [url]
        while todo and len(seen) < 150:
            answer = client.fetch("GET", todo.pop())
            assert answer.status_code == 200
            if not answer.headers["Content-Type"].startswith("text/html"):
                continue
            page = Page(client, answer)
            judge(page)
            for path in page.links.values():
                found = urljoin(page.url, path).partition("#")[0]
                if found.startswith(stage.url) and found not in seen:
                    seen.add(found)
                    todo.append(found)
    assert len(seen) > 20
    assert dump(stage, tmp_path) == before
    assert client.get(starts[0]).press("confirm").status == 200, "the link still works"


def test_h127_an_act_that_was_done_shows_the_state_reached(stage: Stage, client: Visitor) -> None:
    visit = stage.book(stage.a_start())
    page = client.get(link(stage, visit["id"]))
    first, second = page.press("confirm"), page.press("confirm")
    assert first.text == second.text and first.status == 200
    why = client.get(link(stage, visit["id"]) + "/cancel")
    reason = why.forms["why"].choices["reason"][0]
    assert [why.press("why", reason=reason).status for _ in range(2)] == [200, 200]
    history = stage.api.get(f"/api/visits/{visit['id']}/history").json()["items"]
    assert [one["after"].get("state") for one in history].count("cancelled") == 1


EVIL = [
    "//evil.example",
    "/\\evil.example",
    "https:evil.example",
    "https://evil.example",
    "\\\\evil.example",
    "javascript:x",
]


@pytest.mark.parametrize("target", EVIL)
@pytest.mark.parametrize("name", ["next", "return", "redirect", "url", "done", "lang", "day", "start"])
def test_h128_nothing_leads_outside(stage: Stage, client: Visitor, name: str, target: str) -> None:
    visit = stage.book(stage.a_start())
    url = link(stage, visit["id"])
    for path in (url, f"{url}/move", f"{url}/cancel", f"{stage.url}/b/{OPEN}"):
        answer = client.fetch("GET", path, params={name: target}, allow_redirects=False)
        _stays_inside(answer.headers.get("Location", "/"))
        for found in client.get(answer.url).links.values():
            assert not urlsplit(found).netloc or urlsplit(found).scheme == "mailto"
    page = client.get(f"{url}?{name}={target}")
    posted = client.fetch(
        "POST", page.url, data=page.forms["confirm"].fields | {"act": "confirm", name: target}, allow_redirects=False
    )
    assert posted.status_code in (303, 400, 422)
    _stays_inside(posted.headers.get("Location", "/"))


def _stays_inside(location: str) -> None:
    assert location.startswith("/") and not location.startswith(("//", "/\\")), location
    assert "evil" not in urlsplit(location).netloc


@pytest.mark.parametrize(
    "path",
    [
        "/pages.css/../../../etc/passwd",
        "/pages.css%2f..%2f..%2fetc%2fpasswd",
        "/%2e%2e%2fpages.py",
        "/%252e%252e%252fpages.py",
        "/templates/base.html",
        "/..%5cpages.py",
        "//etc/passwd",
        "/b/..%2f..%2fsyncd%2fweb%2fpages.py",
        "/b/../pages.css",
        "/v/%2e%2e/%2e%2e/pages.py",
    ],
)
def test_h26_nothing_outside_is_served(stage: Stage, path: str) -> None:
    with wire(stage.server.address, ask(path)) as line:
        heard = line.hear()
    assert heard.status == 404, heard
    assert b"import " not in heard.body and b"root:" not in heard.body


# --- anything at all ------------------------------------------------------------------------------------------------

ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
FIELDS = st.dictionaries(
    st.sampled_from(
        ["start", "day", "act", "version", "reason", "words", "name", "email", "phone", "answer_1", "form"]
    ),
    ANY
    | st.sampled_from([*TEXTS.values(), "2026-05-12T10:00:00-04:00", "2026-05-12", "confirm", "undo", "rebook", "1"]),
    max_size=6,
)


@given(FIELDS, st.booleans())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_form_and_no_address_brings_a_page_down(opened: Stage, fields: dict[str, str], posted: bool) -> None:
    opened.clock.advance(timedelta(seconds=20))
    read_calendars(opened.store, opened.ctx.directory, opened.clock.now())
    visitor = Visitor()
    with opened.store.read() as tx:
        visit = next(one for one in tx.visits.search() if one.interval.end > opened.clock.now() and one.active)
    for path in (link(opened, visit.id), link(opened, visit.id) + "/move", f"{opened.url}/b/{OPEN}"):
        shown = visitor.get(path)
        own = next((one.fields for one in shown.forms.values()), {})
        answer = visitor.fetch("POST", path, data=own | fields) if posted else visitor.fetch("GET", path, params=fields)
        assert answer.status_code < 500 and answer.status_code != 429, answer.text
    visitor.close()


def test_the_stage_is_in_order_after_all_that(stage: Stage, client: Visitor) -> None:
    good(stage, client)
    times = sorted((one.host, one.guard) for one in stage.visits() if one.holds)
    for (host, mine), (other, after) in pairwise(times):
        assert host != other or mine.end <= after.start
