"""Hostile values of the domain (H52-H82) at the hook and at the API: refused, or text and nothing else."""

import json
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from icalendar import Calendar

from syncd.core import limits
from syncd.core.ids import VisitId
from syncd.core.visit import CancelReason, Source, VisitState
from syncd.store.visits import Cause
from syncd.web.api_values import read_edge, read_moment
from syncd.web.feeds import feed_token
from tests.connectors.test_calendly_hook import ROOT, created, during
from tests.core.values import visit
from tests.hostile.conftest import QUICK, Harmless
from tests.web.stage import CALENDLY, LINK_KEY, Stage, booking, request_body

# times


TIMES = [
    ("2026-11-30T13:00:00Z", "2026-11-30T13:00:00Z"),  # H52
    ("2026-11-30T13:00:00Z", "2026-11-30T12:59:59Z"),
    ("2026-11-30T13:00:00Z", "2035-11-30T13:00:00Z"),  # H53
    ("2026-11-30T13:00:00Z", "2026-12-02T13:00:01Z"),
    ("2026-02-30T13:00:00Z", "2026-02-30T13:30:00Z"),  # H55
    ("2026-13-01T13:00:00Z", "2026-13-01T13:30:00Z"),
    ("2025-02-29T13:00:00Z", "2025-02-29T13:30:00Z"),
    ("2026-11-30T24:00:00Z", "2026-12-01T00:30:00Z"),  # H56
    ("2026-11-30T13:00:60Z", "2026-11-30T13:30:00Z"),
    ("2026-11-30T13:00:00[../../etc/passwd]", "2026-11-30T13:30:00Z"),  # H58
    ("2026-11-30T13:00:00", "2026-11-30T13:30:00"),  # H59
    ("2026-11-30T13:00:00+99:00", "2026-11-30T13:30:00+99:00"),
    ("0001-01-01T00:00:00Z", "0001-01-01T00:30:00Z"),
    ("9999-12-31T23:00:00Z", "9999-12-31T23:30:00Z"),
]


@pytest.mark.parametrize(("start", "end"), TIMES)
def test_h52_to_h59_signed_a_time_that_no_visit_can_have_is_a_dead_letter(
    stage: Stage, harmless: Harmless, start: str, end: str
) -> None:
    body = json.dumps(during(start_time=start, end_time=end)).encode()
    with harmless(rows=1):
        assert stage.deliver(body).status_code == 204
        assert stage.kept(body).state.value == "dead"


STARTS = [
    "2026-02-30T10:00:00-03:00",  # H55
    "2026-05-12T24:00:00-04:00",  # H56
    "2026-05-12T10:00:60-04:00",
    "2026-05-12T10:60:00-04:00",
    "2026-05-12T25:00:00-04:00",
    "2026-05-12T10:00:00",  # H59: no offset
    "2026-05-12T10:00",
    "2026-05-12",
    "2026-05-12T10:00:00 America/Santiago",
    "2026-05-12T10:00:00[America/Santiago]",
    "2026-05-12T10:00:00-04:00[../../etc/passwd]",  # H58
    "2026-05-12T10:00:00-99:00",
    "2026-05-12T10:00:00+14:01",
    "2026-05-12T10:00:00-0400",
    "2026-05-12T10:00:00-04",
    "20260512T100000-0400",
    "2026-W20-2T10:00:00-04:00",
    "2026-132T10:00:00-04:00",
    "2026-05-12T10:00:00.5-04:00",
    "2026-05-12T10:00:00,0-04:00",
    "２０２６-05-12T10:00:00-04:00",
    "0001-01-01T00:00:00+14:00",
    "1999-12-31T10:00:00-04:00",
    "9999-12-31T23:59:59-12:00",
    "2101-01-01T10:00:00-04:00",
    " 2026-05-12T10:00:00-04:00",
    "2026-05-12T10:00:00-04:00\n",
    "",
    "now",
    "2026-05-12T10:00:00-04:00" * 1_000,
]


@pytest.mark.parametrize("start", STARTS)
def test_h55_to_h59_a_start_that_is_no_instant_is_refused(stage: Stage, harmless: Harmless, start: str) -> None:
    with harmless():
        answers = [
            stage.api.post("/api/visits", booking(start)),
            stage.api.post("/api/visits/x/move", {"start": start}),
        ]
        assert [answer.status_code for answer in answers] == [422, 422]
        assert all(answer.json()["errors"][0]["field"] == "start" for answer in answers)


@pytest.mark.parametrize(
    "text",
    ["2026-05-12T14:00:00Z", "2026-05-12T10:00:00-04:00", "2026-05-12t16:00:00+02:00", "2026-05-12 14:00:00.000z"],
)
def test_h59_an_explicit_offset_alone_gives_the_instant(text: str) -> None:
    assert read_moment(text) == datetime.fromisoformat("2026-05-12T14:00:00+00:00")


def test_h61_of_a_repeated_local_time_the_offset_decides() -> None:
    first, second = read_moment("2026-04-04T23:30:00-03:00"), read_moment("2026-04-04T23:30:00-04:00")
    assert second - first == timedelta(hours=1)
    day = read_edge("2026-04-05", "America/Santiago") - read_edge("2026-04-04", "America/Santiago")
    assert day == timedelta(days=1), "wall clock arithmetic in one zone"
    whole = (
        read_edge("2026-04-05", "America/Santiago").timestamp()
        - read_edge("2026-04-04", "America/Santiago").timestamp()
    )
    assert whole == 25 * 3600


def test_h61_an_instant_stays_the_same_however_its_offset_is_written(stage: Stage) -> None:
    made = stage.book(stage.a_start())
    moved = datetime.fromisoformat(stage.a_start())
    for hours in (-12, 0, 5.75, 14):
        there = moved.astimezone(timezone(timedelta(hours=hours)))
        answer = stage.api.post(f"/api/visits/{made['id']}/move", {"start": there.isoformat()})
        assert datetime.fromisoformat(answer.json()["start"]) == moved
    assert stage.api.get(f"/api/visits/{made['id']}").json()["version"] == 2


# names and ids


@pytest.mark.parametrize("field", ["uri", "old_invitee", "new_invitee"])
@pytest.mark.parametrize("size", [10_000, 100_000])
def test_h62_an_enormous_id_signed_is_a_dead_letter(stage: Stage, harmless: Harmless, field: str, size: int) -> None:
    body = json.dumps(created(**{field: f"{ROOT}/E1/invitees/{'I' * size}"})).encode()
    with harmless(rows=1):
        assert stage.deliver(body).status_code == 204
        assert stage.kept(body).state.value == "dead"


LONG = "x" * (limits.TEXT + 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": LONG},
        {"id": ""},
        {"id": " a"},
        {"id": "a\nb"},
        {"id": "a\u202eb"},
        {"id": "a\0b"},
        {"project": LONG},
        {"preferred_agent": LONG},
        {"contact": {"name": LONG}},
        {"contact": {"name": "Eva", "email": "x" * 300 + "@example.com"}},
        {"contact": {"name": "Eva", "phone": "1" * 100}},
        {"contact": {"name": "Eva", "tax_id": LONG}},
        {"property": LONG},
        {"property": {"id": "x", "address": LONG}},
        {"requirements": [{"text": LONG}]},
        {"requirements": [{"id": LONG}]},
        {"requirements": [{}] * (limits.REQUIREMENTS + 1)},
        {"property": {"id": "x", "facts": [{"label": "a", "value": "b"}] * (limits.FACTS + 1)}},
    ],
)
def test_h62_every_text_and_list_of_a_request_has_an_end(stage: Stage, harmless: Harmless, changes: Any) -> None:
    with harmless():
        answer = stage.api.post("/api/requests", request_body("long") | changes)
        assert (answer.status_code, answer.json()["type"]) == (422, "invalid")


@pytest.mark.parametrize(
    ("one", "other"), [("R-h64", "r-H64"), ("caf\u00e9", "cafe\u0301"), ("ﬁ", "fi"), ("ß", "ss"), ("K", "\u212a")]
)
def test_h64_ids_that_differ_in_case_or_normal_form_are_two(stage: Stage, one: str, other: str) -> None:
    for name in (one, other):
        assert stage.api.post("/api/requests", request_body(name)).status_code == 201


def test_h64_the_same_at_the_hook(stage: Stage) -> None:
    for name in ("Ab", "aB"):
        assert stage.deliver(stage.good_delivery(name)).status_code == 204
    assert len(stage.take_work()) == 2


# text that is text everywhere

WORDS = {
    "h67": "<img src=x onerror=alert(1)>",
    "h67 script": "</title><script>alert(1)</script>",
    "h68 jinja": "{{7*7}}{{ proyecto }}",
    "h68 shell": "${7*7}$(id)`id`",
    "h68 percent": "%s%n%(x)s",
    "h68 format": "{0.__class__}{x!r}",
    "h70": '=HYPERLINK("http://evil.example","x")',
    "h70 plus": "+cmd|'/C calc'!A0",
    "sql": "'); DROP TABLE visit; --",
    "emoji": "👩‍👩‍👧 Ñandú",
}


@pytest.mark.parametrize("name", WORDS)
def test_h67_to_h70_words_stay_words_in_every_output(stage: Stage, name: str) -> None:
    text = WORDS[name]
    contact = {"name": text, "email": "eva@example.com"}
    answers = [{"question": "Propiedad", "answer": text}]
    sent = booking(stage.a_start(), host="ana", contact=contact, answers=answers, property={"id": "x", "name": text})
    answer = stage.api.post("/api/visits", sent)
    made = answer.json()
    assert answer.status_code == 201 and answer.headers["Content-Type"] == "application/json"
    assert (made["contact"]["name"], made["property"]["name"], made["answers"][0]["answer"]) == (text, text, text)
    assert made["title"] == f"Visita Casas - {text}", "what a client wrote is never read as a template"
    listed = stage.api.get("/api/visits", params={"agent": "ana"}).json()["items"]
    assert made in listed
    feed = stage.session.get(f"{stage.url}/feeds/{feed_token(LINK_KEY, 'ana', 1)}.ics", timeout=20)
    (entry,) = [
        one for one in Calendar.from_ical(feed.content).walk("VEVENT") if one["UID"] == f"visit-{made['id']}@syncd"
    ]
    assert str(entry["SUMMARY"]) == made["title"] and text in str(entry["DESCRIPTION"])
    stage.api.post(f"/api/visits/{made['id']}/cancel", {"by": "staff", "reason": text, "message": text})
    assert stage.api.get(f"/api/visits/{made['id']}/history").json()["items"][-1]["note"] == text


@pytest.mark.parametrize("mark", ["\u202e", "\u2066", "\u200f", "\ufeff", "\u061c"])
def test_h65_marks_that_turn_the_text_around_are_stripped(stage: Stage, mark: str) -> None:
    contact = {"name": f"Eva{mark}moc.live", "email": "eva@example.com"}
    made = stage.book(stage.a_start(), contact=contact, answers=[{"question": "q", "answer": f"a{mark}b"}])
    assert made["contact"]["name"] == "Evamoc.live" and made["answers"][0]["answer"] == "ab"
    assert mark not in stage.api.get(f"/api/visits/{made['id']}").text


BREAKS = ["\n", "\r", "\r\n", "\x00", "\x1b[31m", "\x7f", "\x85"]


@pytest.mark.parametrize("mark", BREAKS)
@pytest.mark.parametrize(
    "place",
    ["contact.name", "contact.tax_id", "contact.email", "contact.phone", "answer.question", "property.name", "host"],
)
def test_h71_h76_no_line_of_ours_can_be_broken(stage: Stage, harmless: Harmless, place: str, mark: str) -> None:
    evil = f"x{mark}ATTENDEE:mailto:evil@example.com"
    contact = {"name": "Eva", "email": "eva@example.com"}
    changes: dict[str, dict[str, Any]] = {
        "contact.name": {"contact": contact | {"name": evil}},
        "contact.tax_id": {"contact": contact | {"tax_id": evil}},
        "contact.email": {"contact": contact | {"email": f"eva@example.com{mark}Bcc: evil@example.com"}},
        "contact.phone": {"contact": contact | {"phone": f"+56912345678{mark}1"}},
        "answer.question": {"answers": [{"question": evil, "answer": "x"}]},
        "property.name": {"property": {"id": "x", "name": evil}},
        "host": {"host": f"ana{mark}"},
    }
    with harmless():
        answer = stage.api.post("/api/visits", booking(**changes[place]))
        assert (answer.status_code, answer.json()["type"]) == (422, "invalid")


def test_h76_a_line_break_in_an_answer_stays_inside_the_entry(stage: Stage) -> None:
    evil = "patio\r\nATTENDEE:mailto:evil@example.com\nEND:VEVENT\nBEGIN:VALARM"
    made = stage.book(stage.a_start(), host="beto", answers=[{"question": "Lugar", "answer": evil}])
    feed = stage.session.get(f"{stage.url}/feeds/{feed_token(LINK_KEY, 'beto', 1)}.ics", timeout=20)
    (entry,) = [
        one for one in Calendar.from_ical(feed.content).walk("VEVENT") if one["UID"] == f"visit-{made['id']}@syncd"
    ]
    assert "ATTENDEE" not in entry and not entry.subcomponents
    assert "\n" not in str(entry["SUMMARY"]) and "\r" not in str(entry["SUMMARY"])


# addresses and telephones


@pytest.mark.parametrize(
    "address",
    [
        "eva@example.com\r\nBcc: evil@example.com",
        "eva@example.com, evil@example.com",
        "eva@example.com;evil@example.com",
        "Eva <eva@example.com>",
        "eva@@example.com",
        "@example.com",
        "eva@",
        "eva@exa mple.com",
        '"<script>"@example.com',
        "eva@example.com\0",
        "eva@[127.0.0.1]",
        "e\u202eva@example.com",
        "mailto:eva@example.com",
    ],
)
def test_h71_what_is_no_single_address_is_refused(stage: Stage, harmless: Harmless, address: str) -> None:
    contact = {"name": "Eva", "email": address}
    with harmless():
        assert stage.api.post("/api/visits", booking(contact=contact)).status_code == 422
        assert stage.api.post("/api/visits/x/participants", {"add": [contact]}).status_code in (404, 422)
        assert stage.api.post("/api/requests", request_body("h71", contact=contact)).status_code == 422


@pytest.mark.parametrize("address", ["аna@a.example", "ana@xn--80a.example", "ana@а.example", "ana@a.exаmple"])
def test_h73_who_looks_like_an_agent_is_none(stage: Stage, harmless: Harmless, address: str) -> None:
    """Cyrillic letters, plain and in punycode."""
    with harmless():
        for body in (booking(host=address), booking() | {"host": address}):
            assert stage.api.post("/api/visits", body).status_code == 404
        assert stage.api.get("/api/visits", params={"agent": address}).status_code == 404
        assert stage.api.post("/api/requests", request_body("h73", preferred_agent=address)).status_code == 422


@pytest.mark.parametrize(
    ("phone", "kept"),
    [
        ("+56 9 1234 5678", "+56912345678"),
        ("9 1234 5678", "+56912345678"),
        ("+56 9 1234 5678 ext. 12", "+56912345678"),
        ("912345678 anexo 7", "+56912345678"),
        ("+1 (415) 555-2671", "+14155552671"),
        ("*21*12345#", None),
        ("*#06#", None),
        ("##002#", None),
        ("+56 9 1234 5678;phone-context=evil", None),
        ("tel:+56912345678", None),
        ("+1 900 555 0100", None),  # premium
        ("call me", None),
        ("٠١٢٣٤٥٦٧٨٩", None),
        ("12", None),
        ("javascript:alert(1)", None),
    ],
)
def test_h74_a_telephone_is_a_plain_number_or_refused(
    stage: Stage, harmless: Harmless, phone: str, kept: str | None
) -> None:
    contact = {"name": "Eva", "email": "eva@example.com", "phone": phone}
    if kept is not None:
        assert stage.book(stage.a_start(), contact=contact)["contact"]["phone"] == kept
        return
    with harmless():
        answer = stage.api.post("/api/visits", booking(contact=contact))
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "contact.phone")


# whose it is


def test_h77_a_cancellation_for_a_strangers_booking_changes_no_visit(stage: Stage) -> None:
    ours = visit(id=VisitId("h77"), source=Source(account=CALENDLY, id=f"{ROOT}/E7/invitees/OURS"))
    cause = Cause(at=stage.clock.now(), actor="scheduler:calendly", source="calendly")
    saved = stage.store.write(lambda tx: tx.visits.save(ours, cause))
    whole = created(uri=f"{ROOT}/E7/invitees/THEIRS", rescheduled=False) | {"event": "invitee.canceled"}
    assert stage.deliver(json.dumps(whole).encode()).status_code == 204
    assert stage.take_work() == {("ingest", f"calendly|{ROOT}/E7/invitees/THEIRS")}, "it is read again, that is all"
    assert stage.visit("h77") == saved
    gone = replace(saved, state=VisitState.CANCELLED, holds=False, cancel_reason=CancelReason.STAFF)
    stage.store.write(lambda tx: tx.visits.save(gone, cause))


EXTRA = ["role", "admin", "is_staff", "caller", "actor", "source", "holds", "guard", "version", "__class__", "id"]


@pytest.mark.parametrize("field", EXTRA)
def test_h79_no_extra_field_gives_rights(stage: Stage, harmless: Harmless, field: str) -> None:
    with harmless():
        for path, body in (
            ("/api/visits", booking()),
            ("/api/visits", booking(contact={"name": "E", "email": "e@example.com", field: "x"})),
            ("/api/visits/x/cancel", {"by": "staff"}),
        ):
            nested = "contact" in body and field in body["contact"]
            sent = body if nested else body | {field: "admin"}
            assert stage.api.post(path, sent).status_code == 422


def test_h79_an_extra_field_of_a_signed_delivery_is_ignored(stage: Stage) -> None:
    whole = created(uri=f"{ROOT}/E1/invitees/H79", role="admin", host="ana", state="confirmed")
    assert stage.deliver(json.dumps(whole | {"role": "admin"}).encode()).status_code == 204
    assert stage.take_work() == {("ingest", f"calendly|{ROOT}/E1/invitees/H79")}
    assert not [one for one in stage.visits() if one.source.account == CALENDLY and one.active]


def test_h80_an_agent_who_books_with_the_own_address_stays_two_people(stage: Stage) -> None:
    contact = {"name": "Ana", "email": "ana@a.example"}
    made = stage.book(stage.a_start(), host="ana", contact=contact)
    assert (made["host"], made["contact"]["email"], made["participants"]) == ("ana", "ana@a.example", [])
    notices = stage.notices("message", made["id"])
    assert sorted(one.to for one in notices) == ["agent:ana", "client"], "one message each, and none about a message"
    path = f"/api/visits/{made['id']}/participants"
    assert stage.api.post(path, {"remove": ["ana@a.example"]}).json()["type"] == "protected-field"


@pytest.mark.parametrize("length", [2, 3])
def test_h82_a_circle_of_reschedules_only_names_bookings_to_read_again(stage: Stage, length: int) -> None:
    names = [f"{ROOT}/E8/invitees/{letter}{length}" for letter in "ABC"[:length]]
    begun = time.perf_counter()
    for number, name in enumerate(names):
        following, before = names[(number + 1) % length], names[number - 1]
        whole = created(uri=name, old_invitee=before, new_invitee=following, rescheduled=True)
        assert stage.deliver(json.dumps(whole | {"event": "invitee.canceled"}).encode()).status_code == 204
    assert time.perf_counter() - begun < QUICK
    assert stage.take_work() == {("ingest", f"calendly|{name}") for name in names}
