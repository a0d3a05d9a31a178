"""The words of an entry: what blocks, whose answer counts, which marks and texts are kept."""

from collections.abc import Iterable

import pytest

from syncd.core.busy import BusyPolicy, RemoteEvent, Signal, blocks
from tests.connectors.ical_texts import calendar, event, read, read_event

TIME = ("DTSTART:20260512T140000Z", "DTEND:20260512T150000Z")
ANA = "ana@example.cl"


def the_event(*lines: str, emails: Iterable[str] = (ANA,)) -> RemoteEvent:
    resource = read_event(*TIME, *lines, emails=emails)
    assert resource.problem is None
    [one] = resource.events
    return one


@pytest.mark.parametrize(
    ("line", "signal"),
    [
        ("TRANSP:OPAQUE", None),
        ("TRANSP:TRANSPARENT", Signal.FREE),
        ("transp:transparent", Signal.FREE),
        ("STATUS:CONFIRMED", None),
        ("STATUS:TENTATIVE", Signal.TENTATIVE),
        ("STATUS:CANCELLED", Signal.CANCELLED),
        ("STATUS;X-WHY=rain:CANCELLED", Signal.CANCELLED),
        ("CLASS:PUBLIC", None),
        ("CLASS:PRIVATE", Signal.PRIVATE),
        ("CLASS:CONFIDENTIAL", Signal.PRIVATE),
        ("CLASS:", None),
        ("X-MICROSOFT-CDO-BUSYSTATUS:BUSY", None),
        ("X-MICROSOFT-CDO-BUSYSTATUS:FREE", Signal.FREE),
        ("X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE", Signal.TENTATIVE),
        ("X-MICROSOFT-CDO-BUSYSTATUS:OOF", Signal.OUT_OF_OFFICE),
        ("X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE", Signal.WORKING_ELSEWHERE),
        (f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ANA}", None),
        (f"ATTENDEE;PARTSTAT=TENTATIVE:mailto:{ANA}", Signal.TENTATIVE),
        (f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{ANA}", Signal.UNANSWERED),
        (f"ATTENDEE:mailto:{ANA}", Signal.UNANSWERED),  # what a missing answer means (RFC 5545, 3.2.12)
        (f"ATTENDEE;PARTSTAT=DECLINED:mailto:{ANA}", Signal.DECLINED),
        ("ATTENDEE;CN=\"Soto; Ana: la 'jefa'\";PARTSTAT=declined:MAILTO:Ana@Example.CL", Signal.DECLINED),
        (f"ATTENDEE;PARTSTAT=DECLINED;EMAIL={ANA}:urn:uuid:1f2e", Signal.DECLINED),
        ("ATTENDEE;PARTSTAT=DECLINED:mailto:bruno@example.cl", None),
        (f"ATTENDEE;PARTSTAT=DECLINED:mailto:x{ANA}", None),
        (f"ATTENDEE;PARTSTAT=DECLINED:mailto:{ANA}.example.org", None),
        (f"ATTENDEE;CN={ANA};PARTSTAT=DECLINED:mailto:bruno@example.cl", None),
    ],
)
def test_a_word_is_a_signal(line: str, signal: Signal | None) -> None:
    assert the_event(line).signals == (frozenset() if signal is None else {signal})


@pytest.mark.parametrize(
    "line",
    [
        "TRANSP:MAYBE",
        "STATUS:POSTPONED",
        "CLASS:SECRET",
        "X-MICROSOFT-CDO-BUSYSTATUS:HOLIDAY",
        f"ATTENDEE;PARTSTAT=DELEGATED:mailto:{ANA}",
    ],
)
def test_an_unknown_word_blocks_and_is_noted_once(line: str) -> None:
    resource = read(calendar(event(*TIME, line), event(*TIME, line, uid="u2")), emails=[ANA])
    assert [one.signals for one in resource.events] == [{Signal.UNKNOWN}] * 2
    assert all(blocks(one, BusyPolicy(private=False)) for one in resource.events)
    assert len(resource.notes) == 1 and "unknown word" in resource.notes[0]


def test_without_addresses_nobodys_answer_is_the_agents() -> None:
    assert the_event(f"ATTENDEE;PARTSTAT=DECLINED:mailto:{ANA}", emails=()).signals == frozenset()


@pytest.mark.parametrize(
    ("answers", "signal"),
    [
        (("DECLINED", "ACCEPTED"), None),
        (("DECLINED", "NEEDS-ACTION"), Signal.UNANSWERED),
        (("NEEDS-ACTION", "TENTATIVE"), Signal.TENTATIVE),
        (("DECLINED", "DECLINED"), Signal.DECLINED),
    ],
)
def test_of_several_own_answers_the_busiest_counts(answers: tuple[str, str], signal: Signal | None) -> None:
    lines = [f"ATTENDEE;PARTSTAT={answers[0]}:mailto:{ANA}", f"ATTENDEE;PARTSTAT={answers[1]}:mailto:soto@example.cl"]
    found = the_event(*lines, emails=[ANA, "soto@example.cl"]).signals
    assert found == (frozenset() if signal is None else {signal})


@pytest.mark.parametrize(
    ("lines", "signals"),
    [
        ((f"ORGANIZER:mailto:{ANA}", "ATTENDEE:mailto:bruno@example.cl"), {Signal.ORGANISED}),
        ((f"ORGANIZER:mailto:{ANA}",), set()),  # nobody is invited: an entry of one's own
        ((f"ORGANIZER:mailto:{ANA}", f"ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:{ANA}"), set()),
        ((f"ORGANIZER:mailto:{ANA}", f"ATTENDEE;PARTSTAT=DECLINED:mailto:{ANA}"), {Signal.DECLINED}),
        (("ORGANIZER:mailto:bruno@example.cl", f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:{ANA}"), set()),
    ],
)
def test_whoever_calls_a_meeting_organises_it(lines: tuple[str, ...], signals: set[Signal]) -> None:
    assert the_event(*lines).signals == signals


def test_several_words_are_several_signals() -> None:
    found = the_event("STATUS:TENTATIVE", "CLASS:PRIVATE", "TRANSP:OPAQUE", "X-MICROSOFT-CDO-BUSYSTATUS:OOF").signals
    assert found == {Signal.TENTATIVE, Signal.PRIVATE, Signal.OUT_OF_OFFICE}


def test_an_alarms_words_are_not_the_entrys() -> None:
    alarm = ("BEGIN:VALARM", "ACTION:EMAIL", f"ATTENDEE;PARTSTAT=DECLINED:mailto:{ANA}", "DURATION:PT9H", "END:VALARM")
    one = the_event(*alarm, "X-SYNCD-SUBJECT:visit:v1", "SUMMARY:Visita")
    assert one.signals == frozenset() and one.interval is not None and one.interval.length.seconds == 3600


def test_our_marks_are_read_and_texts_are_kept_of_our_own_entries_only() -> None:
    texts = ("SUMMARY;LANGUAGE=es:Visita\\, casa 5\\nnorte", "LOCATION:Av. Siempre Viva 742\\; Santiago")
    ours = the_event(*texts, "X-SYNCD-SUBJECT:visit:v1", "X-SYNCD-GENERATION:g7")
    assert (ours.tag, ours.generation, ours.copied) == ("visit:v1", "g7", False)
    assert (ours.title, ours.location) == ("Visita, casa 5\nnorte", "Av. Siempre Viva 742; Santiago")
    strange = the_event(*texts, "CLASS:PRIVATE")
    assert (strange.tag, strange.title, strange.location, strange.generation) == (None, None, None, None)


def test_a_mirrored_copy_is_known_as_one() -> None:
    assert the_event("X-SYNCD-SUBJECT:mirror:a1b2", "X-SYNCD-MIRROR:1").copied
