"""Reading a CalDAV calendar whose server fails: what is no true answer is never taken for one."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from urllib.parse import unquote

import pytest

from connectors._caldav_reading import BATCH, Cursor
from syncd.core.interval import Interval
from syncd.errors import (
    AuthFailed,
    ConnectorError,
    CursorExpired,
    Forbidden,
    NotFound,
    Transient,
    Unreadable,
)
from syncd.ports import ChangePage
from tests.connectors.caldav_stage import FIRST, WINDOW, LiarStage
from tests.servers.caldav_liar import NAMES, Flavour, lying

HTML = b"<!DOCTYPE html><html><body><form action='/login'>Inicie sesi\xc3\xb3n</form></body></html>"


@pytest.fixture
def stage() -> Iterator[LiarStage]:
    with lying() as liar:
        yield LiarStage(liar)


def at(hour: int) -> Interval:
    return Interval(FIRST + timedelta(hours=hour), FIRST + timedelta(hours=hour + 1))


def fill(stage: LiarStage, number: int) -> list[str]:
    return [stage.add(at(n)) for n in range(number)]


def listing(stage: LiarStage) -> list[ChangePage]:
    return list(stage.calendar.changes(None, WINDOW, {}))


def cursor(stage: LiarStage) -> str:
    found = listing(stage)[-1].cursor
    assert found is not None
    return found


def since(stage: LiarStage, place: str) -> list[ChangePage]:
    return list(stage.calendar.changes(place, WINDOW))


# ------------------------------------------------------------------------------------------------ what it costs


def test_a_quiet_beat_costs_one_request_however_many_calendars_and_entries_there_are(stage: LiarStage) -> None:
    assert stage.home is not None
    fill(stage, 30)
    stage.home.marks()
    stage.asked()
    stage.home.marks()
    assert stage.asked() == [f"PROPFIND {stage.liar.home}"]


def test_a_hundred_changes_cost_two_requests_after_the_beat(stage: LiarStage) -> None:
    ids = fill(stage, 230)
    place = cursor(stage)
    for n, one in enumerate(ids[:100]):
        stage.drag(one, at(n + 300))
    stage.asked()
    pages = since(stage, place)
    assert stage.asked() == [f"REPORT {stage.inside}"] * 2
    assert {one.remote_id for page in pages for one in page.changed} == set(ids[:100])


def test_bodies_come_in_batches(stage: LiarStage) -> None:
    fill(stage, 2 * BATCH + 1)
    stage.asked()
    assert sum(len(page.changed) for page in listing(stage)) == 2 * BATCH + 1
    asked = stage.asked()
    assert asked.count(f"REPORT {stage.inside}") == 3
    assert not [one for one in asked if one.startswith("GET")]


def test_no_question_carries_a_limit(stage: LiarStage) -> None:
    fill(stage, 5)
    since(stage, cursor(stage))
    assert not [body for body in stage.liar.bodies if b"limit" in body]


def test_a_token_with_markup_in_it_travels_whole(stage: LiarStage) -> None:
    fill(stage, 1)
    with pytest.raises(CursorExpired):
        since(stage, Cursor(token="a<b>&c]]>é").text())
    assert "<sync-token>a&lt;b&gt;&amp;c]]&gt;é</sync-token>".encode() in stage.liar.bodies[-1]


# ------------------------------------------------------------------------------------------------ dead tokens


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 412, 500, 501, 507])
def test_f14_every_refusal_of_a_token_leads_to_a_complete_listing(status: int, named: bool) -> None:
    with lying(Flavour(dead_token=status, names_condition=named)) as liar:
        stage = LiarStage(liar)
        fill(stage, 5)
        place = cursor(stage)
        liar.forget()
        with pytest.raises(CursorExpired):
            since(stage, place)


@pytest.mark.parametrize("how", ["full", "echo"])
def test_f14_a_forgotten_token_without_a_refusal_is_noticed(how: str) -> None:
    with lying(Flavour(dead_token=how)) as liar:  # type: ignore[arg-type]
        stage = LiarStage(liar)
        ids = fill(stage, 10)
        place = cursor(stage)
        liar.forget()
        stage.remove(ids[0])
        with pytest.raises(CursorExpired):
            since(stage, place)


@pytest.mark.parametrize("status", [408, 423, 425, 429, 502, 503, 504])
def test_a_busy_server_has_not_forgotten_our_place(stage: LiarStage, status: int) -> None:
    fill(stage, 3)
    place = cursor(stage)
    stage.liar.next("REPORT", status, Retry_After="7")
    with pytest.raises(Transient) as raised:
        since(stage, place)
    assert raised.value.retry_after == 7
    assert since(stage, place)[-1].cursor == place


def test_a_refused_login_is_no_dead_token(stage: LiarStage) -> None:
    fill(stage, 1)
    place = cursor(stage)
    stage.liar.next("REPORT", 401)
    with pytest.raises(AuthFailed):
        since(stage, place)


def test_a_small_delta_of_a_large_calendar_is_believed(stage: LiarStage) -> None:
    ids = fill(stage, 20)
    place = cursor(stage)
    stage.drag(ids[3], at(90))
    stage.asked()
    (first, last) = since(stage, place)
    assert [one.remote_id for one in first.changed] == [ids[3]]
    assert not last.complete and last.removed == ()


def test_the_size_of_a_calendar_is_kept_as_it_grows_and_shrinks(stage: LiarStage) -> None:
    ids = fill(stage, 10)
    place = cursor(stage)
    for one in ids[:4]:
        stage.remove(one)
    place = since(stage, place)[-1].cursor or ""
    assert Cursor.read(place).size == 6
    stage.drag(ids[5], at(80))
    place = since(stage, place)[-1].cursor or ""
    assert Cursor.read(place).size == 6


# ------------------------------------------------------------------------------------------------ pages


def test_f13_a_failing_second_page_fails_the_whole_reading() -> None:
    with lying(Flavour(page=2)) as liar:
        stage = LiarStage(liar)
        fill(stage, 20)
        place = cursor(stage)
        for n in range(5):
            stage.add(at(40 + n))
        good = since(stage, place)
        assert sum(len(page.changed) for page in good) == 5
        liar.next("REPORT", 503, skip=1)
        with pytest.raises(Transient):
            since(stage, place)


def test_f15_pages_that_go_round_in_a_circle_are_noticed(stage: LiarStage) -> None:
    fill(stage, 5)
    place = cursor(stage)
    token = Cursor.read(place).token
    for _ in range(2):
        stage.liar.next("REPORT", 207, page(stage, token, cut=True))
    with pytest.raises(Unreadable, match="circle"):
        since(stage, place)


def test_f15_pages_without_end_are_given_up(stage: LiarStage) -> None:
    fill(stage, 5)
    place = cursor(stage)
    for n in range(1001):
        stage.liar.next("REPORT", 207, page(stage, f"t{n}", cut=True))
    with pytest.raises(Unreadable, match="no end"):
        since(stage, place)


def page(stage: LiarStage, token: str, *, cut: bool = False) -> str:
    row = f"<response><href>{stage.inside}</href><status>HTTP/1.1 507 Insufficient</status></response>" if cut else ""
    told = f"<sync-token>{token}</sync-token>" if token else ""
    return f"<multistatus {NAMES}>{row}{told}</multistatus>"


def test_an_answer_to_a_token_without_a_token_is_no_answer(stage: LiarStage) -> None:
    fill(stage, 5)
    place = cursor(stage)
    stage.liar.next("REPORT", 207, page(stage, ""))
    with pytest.raises(Unreadable):
        since(stage, place)


def test_a_listing_that_is_cut_short_is_no_listing(stage: LiarStage) -> None:
    fill(stage, 5)
    listing(stage)
    cut = f"<response><href>{stage.inside}</href><status>HTTP/1.1 507 Insufficient</status></response></multistatus>"
    spoil_list(stage, lambda body: body.replace(b"</multistatus>", cut.encode()))
    with pytest.raises(Unreadable, match="short"):
        listing(stage)


def spoil_list(stage: LiarStage, change: Callable[[bytes], bytes]) -> None:
    """Change the list of entries; the question for the calendar itself comes before and is answered well."""
    stage.liar.change_next("PROPFIND", change, skip=1)


# ------------------------------------------------------------------------------------------------ garbage


GARBAGE = {
    "a login page": (200, HTML, "text/html"),
    "a login page that says multistatus": (207, HTML, "text/html"),
    "nothing": (207, b"", "application/xml"),
    "no content": (204, b"", "application/xml"),
    "other xml": (207, b"<?xml version='1.0'?><feed xmlns='http://www.w3.org/2005/Atom'/>", "application/xml"),
    "an empty multistatus": (207, b"<multistatus xmlns='DAV:'/>", "application/xml"),
    "half an answer": (207, b"<multistatus xmlns='DAV:'><response><href>/cal/ana/", "application/xml"),
    "another charset": (207, "<multistatus xmlns='DAV:'/>".encode("utf-16"), "application/xml; charset=utf-16"),
    "broken characters": (207, b"<multistatus xmlns='DAV:'><response>\xe9</response></multistatus>", "text/xml"),
    "a document type": (207, b"<!DOCTYPE m [<!ENTITY a 'b'>]><multistatus xmlns='DAV:'>&a;</multistatus>", "text/xml"),
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
@pytest.mark.parametrize("skip", [0, 1, 2])  # the calendar, the list of entries, the bodies
def test_f12_garbage_with_a_good_status_fails_the_reading(
    stage: LiarStage, garbage: tuple[int, bytes, str], skip: int
) -> None:
    ids = fill(stage, 4)
    listing(stage)
    status, body, kind = garbage
    stage.liar.next("REPORT" if skip == 2 else "PROPFIND", status, body, skip=skip % 2, Content_Type=kind)
    if skip == 2 and body == b"<multistatus xmlns='DAV:'/>":
        assert {one.remote_id for page in listing(stage) for one in page.changed} == set(ids)  # asked one by one
        return
    with pytest.raises(Unreadable):
        listing(stage)


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_f12_garbage_is_no_delta_either(stage: LiarStage, garbage: tuple[int, bytes, str]) -> None:
    fill(stage, 4)
    place = cursor(stage)
    status, body, kind = garbage
    stage.liar.next("REPORT", status, body, Content_Type=kind)
    with pytest.raises(Unreadable):
        since(stage, place)


@pytest.mark.parametrize("method", ["PROPFIND", "REPORT"])
def test_f11_half_a_body_fails_the_reading(stage: LiarStage, method: str) -> None:
    fill(stage, 4)
    listing(stage)
    stage.liar.cut(method)
    with pytest.raises((Transient, Unreadable)):
        listing(stage)


def test_h110_a_list_without_the_calendar_itself_is_no_emptiness(stage: LiarStage) -> None:
    fill(stage, 3)
    listing(stage)
    own = re.compile(rb"<response><href>[^<]*/</href>.*?</response>", re.DOTALL)
    spoil_list(stage, lambda body: own.sub(b"", body, count=1))
    with pytest.raises(Unreadable, match="H110"):
        listing(stage)


def test_an_entry_that_is_no_calendar_text_does_not_hide_the_others(stage: LiarStage) -> None:
    ids = fill(stage, 3)
    listing(stage)
    stage.liar.change_next("REPORT", lambda body: body.replace(b"BEGIN:VCALENDAR", b"&lt;html&gt;", 1))
    found = {one.remote_id: one for page in listing(stage) for one in page.changed}
    assert set(found) == set(ids)
    assert [one for one in ids if found[one].problem] == [ids[0]]


def test_a_stray_control_character_in_one_entry_does_not_close_the_calendar(stage: LiarStage) -> None:
    ids = fill(stage, 3)
    listing(stage)
    stage.liar.change_next("REPORT", lambda body: body.replace(b"SUMMARY:D", b"SUMMARY:\x0b\x01D"))
    found = {one.remote_id: one for page in listing(stage) for one in page.changed}
    assert set(found) == set(ids) and not any(one.problem for one in found.values())


# ------------------------------------------------------------------------------------------------ hrefs


def with_href(href: str) -> Callable[[bytes], bytes]:
    row = f'<response><href>{href}</href><propstat><prop><getetag>"1"</getetag></prop></propstat></response>'
    return lambda body: body.replace(b"</multistatus>", row.encode() + b"</multistatus>")


STRANGE = [
    "https://evil.example/cal/ana/x.ics",
    "//evil.example/x.ics",
    "http://localhost:1/x.ics",
    "/cal/ana/other/x.ics",
    "/etc/passwd",
    "../../x.ics",
    "%2e%2e/x.ics",
    "{inside}../x.ics",
    "{inside}%2e%2e/x.ics",
    "{inside}%2E%2E/%2e%2e/x.ics",
    "{inside}x.ics?delete=1",
    "{inside}x.ics#y",
    "",
    "http://user:password@127.0.0.1/x.ics",
    "file:///etc/passwd",
    "javascript:alert(1)",
]


@pytest.mark.parametrize("href", STRANGE)
def test_h109_an_href_that_leaves_the_calendar_fails_the_reading_and_is_never_asked(
    stage: LiarStage, href: str
) -> None:
    fill(stage, 3)
    listing(stage)
    stage.asked()
    spoil_list(stage, with_href(href.replace("{inside}", stage.inside)))
    with pytest.raises(Unreadable):
        listing(stage)
    assert {one.partition(" ")[2] for one in stage.asked()} == {stage.inside}


def test_h109_an_encoded_slash_stays_one_name_inside_the_calendar(stage: LiarStage) -> None:
    fill(stage, 1)
    listing(stage)
    stage.asked()
    spoil_list(stage, with_href(f"{stage.inside}..%2F..%2Fx.ics"))
    listing(stage)
    paths = {one.partition(" ")[2] for one in stage.asked()}
    assert paths == {stage.inside, f"{stage.inside}..%2F..%2Fx.ics"}


@pytest.mark.parametrize("spelled", ["{url}{inside}", "{inside}", "{bare}", "{lower}", "{inside}sub/", "{url}{bare}"])
def test_the_calendar_s_own_href_and_folders_inside_are_no_entries(stage: LiarStage, spelled: str) -> None:
    ids = fill(stage, 2)
    listing(stage)
    bare, url = stage.inside.rstrip("/"), stage.liar.url.rstrip("/")
    lower = re.sub("%[0-9A-F]{2}", lambda one: one[0].lower(), stage.inside)
    spoil_list(stage, with_href(spelled.format(url=url, inside=stage.inside, bare=bare, lower=lower)))
    assert {one.remote_id for page in listing(stage) for one in page.changed} == set(ids)


def test_several_hrefs_may_share_one_status(stage: LiarStage) -> None:
    ids = fill(stage, 10)
    place = cursor(stage)
    gone = "".join(f"<href>{one}</href>" for one in ids[:3])
    answer = f"<response>{gone}<status>HTTP/1.1 404 Not Found</status></response><sync-token>t2</sync-token>"
    stage.liar.next("REPORT", 207, f"<multistatus {NAMES}>{answer}</multistatus>")
    assert since(stage, place)[-1].removed == tuple(sorted(ids[:3]))


# ------------------------------------------------------------------------------------------------ single entries


def test_an_entry_that_vanishes_between_list_and_body_is_gone(stage: LiarStage) -> None:
    ids = fill(stage, 10)
    place = cursor(stage)
    stage.drag(ids[1], at(70))
    shelf = stage.liar.shelves[unquote(stage.inside)]
    stage.liar.change_next("REPORT", lambda body: (shelf.entries.pop(unquote(ids[1]).rpartition("/")[2]), body)[1])
    assert since(stage, place)[-1].removed == (ids[1],)


def test_an_entry_that_may_not_be_read_closes_the_calendar_s_host(stage: LiarStage) -> None:
    ids = fill(stage, 3)
    listing(stage)
    stage.liar.next("REPORT", 207, f"<multistatus {NAMES}/>")
    stage.liar.next("GET", 403)
    problems = [one for page in listing(stage) for one in page.changed if one.problem]
    assert [one.remote_id for one in problems] == [ids[0]]


def test_bodies_too_large_for_one_answer_are_asked_in_halves(stage: LiarStage) -> None:
    ids = fill(stage, 8)
    listing(stage)
    big = stage.add(at(30), "x" * 9000)
    http = stage.calendar.reading.account.http  # type: ignore[attr-defined]
    http.body_cap = 6000
    found = {one.remote_id: one for page in listing(stage) for one in page.changed}
    assert set(found) == {*ids, big}
    assert [one for one in found if found[one].problem] == [big]


# ------------------------------------------------------------------------------------------------ calendars that go


def test_f17_a_calendar_that_is_gone_or_unshared_is_an_error_and_no_emptiness(stage: LiarStage) -> None:
    fill(stage, 3)
    place = cursor(stage)
    stage.liar.next("PROPFIND", 403)
    with pytest.raises(Forbidden):
        listing(stage)
    del stage.liar.shelves[unquote(stage.inside)]
    with pytest.raises(CursorExpired):
        since(stage, place)
    with pytest.raises(NotFound):
        listing(stage)
    with pytest.raises(ConnectorError, match="there is no calendar"):
        listing(stage)


def test_h113_a_token_of_a_megabyte_is_dropped_and_the_calendar_listed_each_time(stage: LiarStage) -> None:
    assert stage.home is not None
    fill(stage, 3)
    place = cursor(stage)
    long = b"<sync-token>" + b"x" * 2**20 + b"</sync-token>"
    token = re.compile(rb"<sync-token>.*?</sync-token>")
    stage.liar.change_next("PROPFIND", lambda body: token.sub(long, body))
    last = listing(stage)[-1]
    assert len(last.cursor or "") < 1000 and len(last.mark or "") < 1000
    stage.liar.change_next("REPORT", lambda body: token.sub(long, body))
    stage.liar.change_next("PROPFIND", lambda body: token.sub(long, body))
    last = since(stage, place)[-1]
    assert last.cursor is None and len(last.mark or "") < 1000
    stage.liar.change_next("PROPFIND", lambda body: token.sub(long, body))
    assert len(stage.home.marks()[stage.name]) < 1000
