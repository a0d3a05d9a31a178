"""What becomes of an entry's text when a newer draft is written into it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from connectors._caldav_entry import Entry, created
from syncd.core.ids import CalendarId
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, EventKey

START = datetime(2026, 12, 7, 12, tzinfo=UTC)
STAMP = datetime(2026, 11, 1, tzinfo=UTC)
DRAFT = EventDraft(
    key=EventKey("visit:v1", CalendarId("oficina/ana")),
    uid="visit-v1@syncd",
    interval=Interval(START, START + timedelta(minutes=20)),
    time_zone="America/Santiago",
    title="Visita",
    location="Torre; B, 7",
    body="Cliente: Eva\nTeléfono: 1",
    generation="g1",
)
LATER = replace(DRAFT, interval=Interval(START + timedelta(hours=3), START + timedelta(hours=4)), title="Otra")
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cf", "Zl", "Zp")), max_size=40)
BODIES = st.lists(WORDS.map(str.strip).filter(bool), max_size=4).map("\n".join)


def text_of(draft: EventDraft) -> str:
    return created(draft, STAMP).decode()


def event_of(text: bytes | str) -> dict[str, object]:
    (event,) = Calendar.from_ical(text).walk("VEVENT")
    return {name.lower(): value for name, value in event.items()}


def edited(text: str, *lines: str, drop: str = "") -> bytes:
    kept = [line for line in text.split("\r\n") if not (drop and line.startswith(drop))]
    at = kept.index("END:VEVENT")
    return "\r\n".join([*kept[:at], *lines, *kept[at:]]).encode()


def described(text: bytes | str) -> str:
    return str(event_of(text).get("description", ""))


def with_description(draft: EventDraft, change: str) -> bytes:
    """Rewrite the description of a fresh entry as a person does; the marks stay."""
    calendar = Calendar.from_ical(created(draft, STAMP))
    (event,) = calendar.walk("VEVENT")
    event.pop("description", None)
    event.add("description", change)
    return bytes(calendar.to_ical())


@given(draft_title=WORDS, body=BODIES)
def test_what_was_written_is_read_as_what_the_draft_says(draft_title: str, body: str) -> None:
    draft = replace(DRAFT, title=" ".join(draft_title.split()), body=body)
    entry = Entry(created(draft, STAMP))
    assert entry.is_of("visit:v1", "") and entry.uid == draft.uid
    assert entry.says(draft)
    assert not entry.says(replace(draft, interval=LATER.interval))
    assert not entry.says(replace(draft, title=draft.title + "x"))
    assert not entry.says(replace(draft, body=draft.body + "x"))
    assert not entry.says(replace(draft, location="elsewhere"))
    assert not entry.says(replace(draft, generation="g2"))


@given(old=BODIES, new=BODIES, above=BODIES, below=BODIES)
def test_notes_above_and_below_ours_stay_and_ours_are_replaced(old: str, new: str, above: str, below: str) -> None:
    stands = "\n".join(part for part in (above, old, below) if part)
    text = with_description(replace(DRAFT, body=old), stands) if old else created(replace(DRAFT, body=""), STAMP)
    after = Entry(text).rewritten(replace(DRAFT, body=new), STAMP)
    if not old:
        assert described(after) == new
    elif old not in above:
        assert described(after) == "\n".join(part for part in (above, new, below) if part)


def test_notes_written_into_ours_are_kept_as_they_are() -> None:
    text = with_description(DRAFT, "Cliente: Eva, prefiere la tarde\nTeléfono: 1")
    assert described(Entry(text).rewritten(LATER, STAMP)) == "Cliente: Eva, prefiere la tarde\nTeléfono: 1"


def test_a_description_the_owner_emptied_is_written_again() -> None:
    text = edited(text_of(DRAFT), drop="DESCRIPTION")
    assert described(Entry(text).rewritten(DRAFT, STAMP)) == DRAFT.body


def test_lines_that_a_server_trimmed_are_still_ours() -> None:
    draft = replace(DRAFT, body="Cliente: Eva  \nTeléfono: 1 ")
    text = with_description(draft, "Cliente: Eva\nTeléfono: 1\nNota")
    assert described(Entry(text).rewritten(replace(DRAFT, body="Nuevo"), STAMP)) == "Nuevo\nNota"


def test_what_is_the_agent_s_survives() -> None:
    mine = [
        "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT10M", "DESCRIPTION:Aviso", "END:VALARM",
        "COLOR:tomato", "CATEGORIES:Trabajo,Norte", "X-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC", "CLASS:PRIVATE",
        "ATTACH:https://example.cl/plano.pdf",
    ]  # fmt: skip
    after = Entry(edited(text_of(DRAFT), *mine)).rewritten(LATER, STAMP).decode()
    for line in mine:
        assert line in after
    assert Entry(after.encode()).interval == LATER.interval


def test_what_would_change_the_time_is_taken_out() -> None:
    other = ["RRULE:FREQ=DAILY", "EXDATE:20261208T120000Z", "RDATE:20261209T120000Z", "STATUS:CANCELLED"]
    text = edited(text_of(DRAFT), *other).decode()
    override = text[text.index("BEGIN:VEVENT") : text.index("END:VCALENDAR")]
    override = override.replace("RRULE:FREQ=DAILY", "RECURRENCE-ID:20261208T120000Z").replace(
        "STATUS:CANCELLED\r\n", ""
    )
    text = text.replace("END:VCALENDAR", override + "END:VCALENDAR")
    after = Entry(text.encode()).rewritten(LATER, STAMP)
    found = event_of(after)
    assert not {"rrule", "exdate", "rdate", "status", "recurrence-id", "duration"} & set(found)
    assert Entry(after).interval == LATER.interval


def test_the_sequence_grows_with_each_change() -> None:
    once = Entry(created(DRAFT, STAMP)).rewritten(LATER, STAMP)
    twice = Entry(once).rewritten(DRAFT, STAMP)
    assert [event_of(one)["sequence"] for one in (once, twice)] == [1, 2]
    assert event_of(Entry(edited(text_of(DRAFT), "SEQUENCE:nonsense")).rewritten(LATER, STAMP))["sequence"] == 1


def test_a_mark_that_the_draft_no_longer_has_goes_away() -> None:
    mirror = replace(DRAFT, key=EventKey("mirror:x", DRAFT.key.calendar), mirror=True)
    after = event_of(Entry(created(mirror, STAMP)).rewritten(DRAFT, STAMP))
    assert "x-syncd-mirror" not in after and after["x-syncd-subject"] == "visit:v1"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nonsense",
        b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:x\r\n",
        b"BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:x\r\nEND:VTODO\r\nEND:VCALENDAR\r\n",
        b"BEGIN:VCALENDAR\r\n" * 3000,
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:99999999T999999Z\r\nSEQUENCE:-\xff\r\nEND:VEVENT\r\nEND:VCALENDAR",
        created(DRAFT, STAMP).replace(b"DTSTART:", b"DTSTART;VALUE=DATE:"),
        created(DRAFT, STAMP).replace(b"SUMMARY:", b"SUMMARY:a\r\nSUMMARY:"),
    ],
    ids=range(9),
)
def test_a_text_nobody_can_read_is_replaced_whole(text: bytes) -> None:
    entry = Entry(text)
    assert entry.interval is None or entry.interval == DRAFT.interval
    assert Entry(entry.rewritten(DRAFT, STAMP)).says(DRAFT)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_no_bytes_make_the_reading_fail(noise: bytes) -> None:
    for text in (noise, created(DRAFT, STAMP).replace(b"TRANSP", noise + b"\r\nTRANSP")):
        entry = Entry(text)
        assert (entry.uid, entry.subject, entry.title, entry.location, entry.interval) is not None
        assert Entry(entry.rewritten(DRAFT, STAMP)).interval == DRAFT.interval


def test_all_day_and_floating_times_are_no_time_of_ours() -> None:
    for wrong in ("DTSTART;VALUE=DATE:20261207", "DTSTART:20261207T120000"):
        assert Entry(edited(text_of(DRAFT), wrong, drop="DTSTART")).interval is None
