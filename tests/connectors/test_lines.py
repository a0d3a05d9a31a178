"""Lines of iCalendar: folds, line ends, parameters, and text that is cut or mixed up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Event

from connectors._lines import DEPTH, KEPT, Malformed, components, plain, split
from syncd.errors import Unreadable
from tests.connectors.ical_texts import body_of, busy, calendar, corpus, event, read

CLEAN = calendar(
    event(
        "DTSTART:20260512T140000Z",
        "DURATION:PT1H",
        "X-SYNCD-SUBJECT:visit:v1",
        "SUMMARY:Reunión — 東京 😀",
        "STATUS:TENTATIVE",
    )
)


def folded(body: bytes, width: int, mark: bytes = b"\r\n ") -> bytes:
    """Fold every line after so many bytes, be it in the middle of a character."""
    lines = body.split(b"\r\n")
    return b"\r\n".join(mark.join(line[at : at + width] for at in range(0, len(line), width) or [0]) for line in lines)


@pytest.mark.parametrize("width", range(1, 20))
@pytest.mark.parametrize("mark", [b"\r\n ", b"\r\n\t"])
def test_folds_are_mended_even_inside_a_character(width: int, mark: bytes) -> None:
    assert read(folded(CLEAN, width, mark)) == read(CLEAN)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\r\n", b"\n\n", b"\r\n\r\n"])
def test_every_line_end_in_use_gives_the_same_entries(end: bytes) -> None:
    assert read(CLEAN.replace(b"\r\n", end)) == read(CLEAN)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\r\n"])
def test_folds_are_mended_with_every_line_end(end: bytes) -> None:
    assert read(folded(CLEAN, 9).replace(b"\r\n", end)) == read(CLEAN)


@pytest.mark.parametrize("change", [lambda body: b"\xef\xbb\xbf" + body, lambda body: b"\r\n \r\n" + body, bytes.strip])
def test_a_mark_or_blanks_at_the_ends_do_not_matter(change: object) -> None:
    assert callable(change) and read(change(CLEAN)) == read(CLEAN)


def test_names_are_known_in_any_case_and_with_blanks_before_the_colon() -> None:
    lower = (
        CLEAN.replace(b"BEGIN:VEVENT", b"begin:vevent").replace(b"DTSTART:", b"dtstart :").replace(b"STATUS", b"Status")
    )
    assert read(lower) == read(CLEAN)


def test_bytes_that_are_no_utf_8_do_not_hide_the_entry() -> None:
    assert busy(read(CLEAN.replace("ó".encode(), b"\xf3"))) == busy(read(CLEAN))


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from(',;:\\"\n n'), max_size=300))
def test_a_text_that_the_library_writes_is_read_back(value: str) -> None:
    written = Event()
    written.add("summary", value)
    [entry] = components(calendar(written.to_ical().decode()))
    assert plain(entry.value("SUMMARY") or "").strip() == value.strip()


@pytest.mark.parametrize(
    ("line", "parameters", "value"),
    [
        (":20260512", {}, "20260512"),
        (";VALUE=DATE:20260512", {"VALUE": "DATE"}, "20260512"),
        (';tzid="Pacific Time; Tijuana: US":x', {"TZID": "Pacific Time; Tijuana: US"}, "x"),
        (";CN=A;ROLE=B:mailto:a@b:c", {"CN": "A", "ROLE": "B"}, "mailto:a@b:c"),
        (';CN="":x', {"CN": ""}, "x"),
        ("; VALUE=DATE : 20260512 ", {"VALUE": "DATE"}, "20260512"),
        (";A=1,2:x", {"A": "1,2"}, "x"),
    ],
)
def test_a_line_is_split_into_parameters_and_value(line: str, parameters: dict[str, str], value: str) -> None:
    assert split(line) == (parameters, value)


@pytest.mark.parametrize("line", [";TZID=Europe/Rome", ';CN="never closed:x', ';CN="a"b'])
def test_parameters_that_do_not_end_are_a_problem(line: str) -> None:
    with pytest.raises(Malformed):
        split(line)
    assert read(calendar(event(f"DTSTART{line}", "DURATION:PT1H"))).problem is not None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a\\, b\\; c", "a, b; c"),
        ("1\\n2\\N3", "1\n2\n3"),
        ("c:\\\\new", "c:\\new"),
        ("\\\\n", "\\n"),
        ("end\\", "end\\"),
    ],
)
def test_an_escaped_text_reads_as_people_wrote_it(written: str, meant: str) -> None:
    assert plain(written) == meant


@pytest.mark.parametrize(
    "text",
    [
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\nEND:VEVENT\n",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nBEGIN:VEVENT\nEND:VEVENT\nEND:VEVENT\nEND:VCALENDAR\n",
        "BEGIN:VCALENDAR\nBEGIN:X-BOX\nBEGIN:VEVENT\nEND:VEVENT\nEND:X-BOX\nEND:VCALENDAR\n",
        "BEGIN:VCALENDAR\nEND:VCALENDAR\nEND:VCALENDAR\n",
        "BEGIN:VEVENT\nEND:VEVENT\n",
        "BEGIN:VCARD\nEND:VCARD\n",
        "BEGIN:VCALENDAR\nEND:VCALENDAR\nBEGIN:VCARD\nEND:VCARD\n",
        "BEGIN:VCALENDAR\n" + "BEGIN:X\n" * DEPTH + "END:X\n" * DEPTH + "END:VCALENDAR\n",
    ],
)
def test_components_that_are_mixed_up_or_nested_are_malformed(text: str) -> None:
    with pytest.raises(Malformed):
        components(text.encode())


def test_what_begins_with_no_component_is_no_icalendar() -> None:
    with pytest.raises(Unreadable):
        components(b"Hello\nBEGIN:VCALENDAR\nEND:VCALENDAR\n")


def test_several_calendars_in_one_text_are_one() -> None:
    assert len(busy(read(CLEAN + CLEAN.replace(b"UID:u1", b"UID:u2")))) == 2


def test_properties_that_tell_no_time_are_never_looked_at() -> None:
    [entry] = components(calendar(event("ATTACH:file:///etc/passwd", "DESCRIPTION:DTSTART:20260512", "URL:http://x/")))
    assert set(entry.lines) == {"UID"} and "ATTACH" not in KEPT.split("|")


@pytest.mark.parametrize("path", corpus(), ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_public_calendar_is_read_or_says_what_is_wrong(path: object) -> None:
    body = body_of(path)  # type: ignore[arg-type]
    try:
        resource = read(body, zone="Europe/Berlin")
    except Unreadable:
        assert not body.lstrip(b"\xef\xbb\xbf \r\n").upper().startswith(b"BEGIN")
        return
    entries = body.upper().count(b"BEGIN:VEVENT")
    assert resource.problem or resource.uid or resource.events or not entries or b"UID" not in body
