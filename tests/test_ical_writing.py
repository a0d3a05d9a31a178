"""What is written is read back with the same meaning, by the library and by our reader; strangers' words stay text."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar, Component

from connectors._ical import read_resource
from syncd.core.busy import RemoteEvent
from syncd.core.ids import CalendarId
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, EventKey, Presence, Published, presence_of
from syncd.ical import event_text, feed_text, lines, one_line
from syncd.ports import CalendarUse, Resource
from tests.core.values import KEY, draft, published, span

STAMP = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
FIRST = datetime(2026, 1, 5, tzinfo=UTC)
WINDOW = Interval(FIRST, FIRST + timedelta(days=300))
ALLOWED = {
    "UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "LOCATION", "DESCRIPTION", "TRANSP", "X-SYNCD-SUBJECT",
    "X-SYNCD-GENERATION", "X-SYNCD-MIRROR", "X-VISIT-ID",
}  # fmt: skip
ATTACKS = [
    "Casa 5\r\nATTENDEE:mailto:victim@example.com",  # H76
    "Casa 5\nBEGIN:VALARM\nACTION:EMAIL\nEND:VALARM",
    "Casa 5\rEND:VEVENT\rBEGIN:VEVENT\rUID:other",
    "Casa 5\u2028DTSTART:20000101T000000Z\u2029x\x85y\x0bz\x0c",
    "\u202eexe.gpj",  # H65
    "\u2066a\u2069\u200f\u061c",
    "<img src=x onerror=alert(1)>",  # H67
    "{{7*7}} ${7*7} %s%n {0.__class__}",  # H68
    "a;b,c\\n\\,\\;:\"'^n^'",
    "ATTENDEE;X=\"\":mailto:victim@example.com",
    "\x00\x1b[31m\ufeff\ud800",
    "ñ" * 200 + "😀" * 100,
    " \t ",
]  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=120),
    st.sampled_from(ATTACKS),
    st.text(st.sampled_from('ab,;:\\"\r\n\t ñ😀\u2028\u202e'), max_size=80),
)


@st.composite
def drafts(draw: st.DrawFn) -> EventDraft:
    start = FIRST + timedelta(minutes=draw(st.integers(0, 280 * 24 * 60)))
    mirror = draw(st.booleans())
    return EventDraft(
        key=EventKey(
            ("mirror:" if mirror else "visit:") + draw(st.text("0123456789abcdef", min_size=1, max_size=32)),
            KEY.calendar,
        ),
        uid=f"{draw(st.text('0123456789abcdef', min_size=1, max_size=32))}@syncd",
        interval=Interval(start, start + timedelta(minutes=draw(st.integers(1, 24 * 60)))),
        time_zone="America/Santiago",
        title=draw(TEXTS),
        location=draw(TEXTS),
        body=draw(TEXTS),
        generation=draw(st.sampled_from(["", "g1", "a,b;c"])),
        mirror=mirror,
    )


def read(body: bytes) -> Resource:
    use = CalendarUse(name="test", time_zone="America/Santiago")
    return read_resource(body, remote_id="/1.ics", etag="1", window=WINDOW, use=use)


def only(body: bytes) -> RemoteEvent:
    resource = read(body)
    assert resource.problem is None and resource.notes == () and not resource.recurring
    [one] = resource.events
    return one


def entries(body: bytes) -> Sequence[Component]:
    [calendar] = Calendar.from_ical(body, multiple=True)
    assert not calendar.errors and all(one.name == "VEVENT" and not one.subcomponents for one in calendar.subcomponents)
    return calendar.subcomponents


@given(drafts())
def test_our_reader_finds_the_entry_that_was_written(one: EventDraft) -> None:
    found = only(event_text(one, stamp=STAMP))
    assert (found.uid, found.interval, found.tag, found.copied) == (one.uid, one.interval, one.key.subject, one.mirror)
    assert (found.title, found.location) == (one_line(one.title), one_line(one.location))
    assert found.generation == (one.generation.replace(",", "-").replace(";", "-") or None)
    assert found.signals == frozenset() and not found.all_day and found.recurrence_id == ""


@given(drafts())
def test_a_reading_of_what_we_wrote_is_as_put(one: EventDraft) -> None:
    found = only(event_text(one, stamp=STAMP))
    known = Published(
        key=one.key, uid=one.uid, remote_id="/1.ics", etag="1", content_hash="",
        interval=one.interval, title=one_line(one.title), location=one_line(one.location),
    )  # fmt: skip
    assert presence_of(known, found.interval, found.title, found.location) is Presence.AS_PUT


@given(drafts())
def test_the_library_reads_the_same_and_nothing_else(one: EventDraft) -> None:
    [entry] = entries(event_text(one, stamp=STAMP))
    assert set(entry) <= ALLOWED
    assert (entry.decoded("dtstart"), entry.decoded("dtend")) == (one.interval.start, one.interval.end)
    assert str(entry["summary"]) == one_line(one.title) and str(entry.get("location", "")) == one_line(one.location)
    assert str(entry.get("description", "")) == lines(one.body)


@given(drafts())
def test_lines_are_short_end_properly_and_hold_no_control(one: EventDraft) -> None:
    body = event_text(one, stamp=STAMP)
    assert body.endswith(b"END:VCALENDAR\r\n") and body.decode("utf-8")
    for line in body.split(b"\r\n"):
        assert len(line) <= 75 and not any(byte < 0x20 or byte == 0x7F for byte in line), line


@given(drafts())
def test_equal_drafts_give_equal_bytes(one: EventDraft) -> None:
    assert event_text(one, stamp=STAMP) == event_text(one, stamp=STAMP)


@given(st.lists(drafts(), max_size=5, unique_by=lambda one: one.uid), TEXTS)
def test_a_feed_holds_every_entry_in_order_under_its_name(some: list[EventDraft], name: str) -> None:
    body = feed_text(some, name=name, stamp=STAMP)
    ordered = sorted(some, key=lambda one: (one.interval, one.uid))
    assert [str(entry["uid"]) for entry in entries(body)] == [one.uid for one in ordered]
    if some:
        assert sorted((one.uid, one.interval) for one in read(body).events) == sorted(
            (one.uid, one.interval) for one in some
        )
    assert body == feed_text(reversed(some), name=name, stamp=STAMP)


def test_an_empty_feed_is_a_calendar_without_entries() -> None:
    assert list(entries(feed_text([], name="Ana", stamp=STAMP))) == []


@pytest.mark.parametrize("attack", ATTACKS)
def test_words_of_strangers_stay_text_wherever_they_stand(attack: str) -> None:
    one = EventDraft(
        key=EventKey("visit:v1", CalendarId("oficina/ana")), uid="visit-v1@syncd", interval=draft().interval,
        time_zone="America/Santiago", title=attack, location=attack, body=attack,
    )  # fmt: skip
    body = event_text(one, stamp=STAMP)
    [entry] = entries(body)
    assert set(entry) <= ALLOWED and entry.decoded("dtstart") == one.interval.start
    assert body.count(b"\r\nBEGIN:") == 1 and b"\r\nATTENDEE" not in body
    assert not set(body.decode()) & set("\u202e\u2066\u2069\u200f\u061c\u2028\u2029\x85\x00\x1b\ufeff")
    assert only(body).interval == one.interval


def test_templates_in_words_are_not_filled() -> None:
    attack = "{{7*7}} ${7*7} %s%n {0.__class__}"
    assert only(event_text(draft(attack), stamp=STAMP)).title == attack


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("a\r\nb", "a b"),
        ("a\tb  c ", "a b c"),
        ("a\u202eb\u2066c", "abc"),
        ("\ud800x", "x"),
        ("niño 😀 東京", "niño 😀 東京"),
        ("\r\n", ""),
    ],
)
def test_one_line_is_one_line(text: str, clean: str) -> None:
    assert one_line(text) == clean


def test_several_lines_keep_their_breaks_and_lose_what_cannot_be_seen() -> None:
    assert lines("\r\nuno \r\n\r\ndos\x00\u202e\u2028tres\t4\n") == "uno\n\ndos\ntres 4"


def test_instants_are_written_in_utc_to_the_second() -> None:
    body = event_text(draft(), stamp=STAMP.replace(microsecond=7).astimezone(None))
    start, end = draft().interval.start, draft().interval.end
    assert f"DTSTART:{start:%Y%m%dT%H%M%SZ}\r\nDTEND:{end:%Y%m%dT%H%M%SZ}\r\n".encode() in body
    assert b"DTSTAMP:20260501T120000Z\r\n" in body


def test_marks_hold_no_comma_or_semicolon_because_a_server_cuts_there() -> None:
    one = EventDraft(
        key=EventKey("visit:a,b;c\\d", KEY.calendar), uid="u", interval=span(STAMP), time_zone="UTC", title="x",
        generation="1,2",
    )  # fmt: skip
    [entry] = entries(event_text(one, stamp=STAMP))
    assert (entry["x-syncd-subject"], entry["x-syncd-generation"]) == ("visit:a-b-c-d", "1-2")


def test_a_changed_time_or_title_is_seen() -> None:
    known = published(title="Visita")
    found = only(event_text(draft("Otra"), stamp=STAMP))
    assert presence_of(known, found.interval, found.title, found.location) is Presence.CHANGED
    assert presence_of(known, known.interval, "Visita", None) is Presence.AS_PUT
