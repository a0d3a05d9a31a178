"""The words of a Google entry: what blocks (S14), whose answer counts, which marks and texts are kept."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._google_series import Reader
from syncd.core.busy import BusyPolicy, RemoteEvent, Signal, blocks
from syncd.core.interval import Interval
from syncd.ports import Resource
from tests.connectors.google_stage import ANA, WINDOW

BOB = "bob@example.cl"
TIME = {
    "start": {"dateTime": "2026-12-07T11:00:00-03:00", "timeZone": "America/Santiago"},
    "end": {"dateTime": "2026-12-07T12:00:00-03:00", "timeZone": "America/Santiago"},
}


def read(**told: Any) -> tuple[Resource, list[str]]:
    reader = Reader("America/Santiago", {ANA.upper()}, WINDOW)
    return reader.single({"id": "e1", "etag": '"1"', "iCalUID": "e1@google.com", **TIME, **told}), reader.notes


def the_event(**told: Any) -> RemoteEvent:
    resource, _ = read(**told)
    assert resource.problem is None
    (event,) = resource.events
    return event


def attended(answer: str | None, email: str = ANA, **more: Any) -> dict[str, Any]:
    one = {"email": email, **({"responseStatus": answer} if answer else {}), **more}
    return {"attendees": [one, {"email": BOB, "responseStatus": "declined"}]}


PLACE = {"eventType": "workingLocation", "transparency": "transparent"}
ORGANISER = {"organizer": {"email": ANA, "self": True}}


@pytest.mark.parametrize(
    ("told", "signal"),
    [
        ({}, None),
        ({"status": "confirmed", "transparency": "opaque", "visibility": "default", "eventType": "default"}, None),
        ({"status": "tentative"}, Signal.TENTATIVE),
        ({"transparency": "transparent"}, Signal.FREE),
        ({"visibility": "public"}, None),
        ({"visibility": "private"}, Signal.PRIVATE),
        ({"visibility": "confidential"}, Signal.PRIVATE),
        ({"eventType": "outOfOffice"}, Signal.OUT_OF_OFFICE),
        ({"eventType": "focusTime"}, None),
        ({"eventType": "fromGmail"}, None),
        ({"eventType": "fromGmail", "transparency": "transparent"}, Signal.FREE),
        ({"eventType": "birthday", "transparency": "opaque"}, Signal.FREE),
        (PLACE | {"workingLocationProperties": {"type": "homeOffice"}}, Signal.WORKING_ELSEWHERE),
        (PLACE | {"workingLocationProperties": {"type": "customLocation"}}, Signal.WORKING_ELSEWHERE),
        (PLACE | {"workingLocationProperties": {"type": "officeLocation"}}, Signal.FREE),
        (PLACE, Signal.WORKING_ELSEWHERE),
        (attended("accepted"), None),
        (attended("tentative"), Signal.TENTATIVE),
        (attended("needsAction"), Signal.UNANSWERED),
        (attended(None), Signal.UNANSWERED),
        (attended("declined"), Signal.DECLINED),
        (attended("declined", email="ANA@Example.cl"), Signal.DECLINED),
        (attended("declined", email="alias@example.cl", self=True), Signal.DECLINED),
        (attended("declined", email="carla@example.cl"), None),
        (attended("needsAction") | ORGANISER, None),
        (attended("declined") | ORGANISER, Signal.DECLINED),
        (ORGANISER, None),
        ({"attendees": [{"email": BOB}]} | ORGANISER, Signal.ORGANISED),
        ({"attendees": [{"email": BOB}], "attendeesOmitted": True} | ORGANISER, None),
    ],
)
def test_a_word_of_google_says_what_it_means(told: dict[str, Any], signal: Signal | None) -> None:
    assert the_event(**told).signals == ({signal} if signal else set())


@pytest.mark.parametrize(
    ("told", "busy"),
    [
        ({}, True),
        ({"transparency": "transparent"}, False),
        ({"status": "tentative"}, True),
        ({"eventType": "outOfOffice"}, True),
        (PLACE, False),
        (attended("declined"), False),
        (attended("needsAction"), True),
        ({"status": "cancelled"}, False),
        ({"visibility": "private"}, True),
        ({"attendees": [{"email": BOB}]} | ORGANISER, True),
    ],
)
def test_the_status_matrix_and_its_inversion(told: dict[str, Any], busy: bool) -> None:
    event = the_event(**told)
    assert blocks(event, BusyPolicy()) is busy
    inverted = BusyPolicy(
        tentative=False,
        unanswered=False,
        declined=True,
        working_elsewhere=True,
        out_of_office=False,
        free=True,
        private=False,
        organised=False,
    )
    plain_or_gone = not event.signals or Signal.CANCELLED in event.signals
    assert blocks(event, inverted) is (busy if plain_or_gone else not busy)


@pytest.mark.parametrize("name", ["status", "transparency", "visibility", "eventType"])
def test_a_word_of_tomorrow_is_busy_and_noted_once(name: str) -> None:
    resource, notes = read(**{name: "levitating"})
    (event,) = resource.events
    assert event.signals == {Signal.UNKNOWN} and blocks(event, BusyPolicy())
    assert notes == [f"unknown word 'levitating' in {name}: read as busy"]


def test_an_answer_of_tomorrow_is_busy_and_noted() -> None:
    resource, notes = read(**attended("maybe"))
    (event,) = resource.events
    assert event.signals == {Signal.UNKNOWN}
    assert notes == ["unknown word 'maybe' in responseStatus: read as busy"]


def test_of_two_own_answers_the_busier_counts() -> None:
    told = {"attendees": [{"email": ANA, "responseStatus": "declined"}, {"self": True, "responseStatus": "accepted"}]}
    assert the_event(**told).signals == set()


# ------------------------------------------------------------------------------------------------------ marks


def private(**marks: str) -> dict[str, Any]:
    return {"summary": "Visita", "location": "Calle 1", "extendedProperties": {"private": marks}}


def test_a_stranger_s_words_are_not_kept() -> None:
    event = the_event(summary="Biopsia", location="Clínica", extendedProperties={"private": {"other": "x"}})
    assert (event.tag, event.title, event.location, event.copied) == (None, None, None, False)
    assert event.uid == "e1@google.com"


def test_our_own_entry_is_known_by_its_mark_and_keeps_its_words() -> None:
    event = the_event(**private(syncdSubject="visit:v1", syncdUid="visit-v1@syncd", syncdGeneration="g1"))
    assert (event.tag, event.title, event.location) == ("visit:v1", "Visita", "Calle 1")
    assert (event.uid, event.generation, event.copied) == ("visit-v1@syncd", "g1", False)


def test_a_copy_of_busy_time_is_marked_as_one() -> None:
    assert the_event(**private(syncdSubject="mirror:ab", syncdMirror="1")).copied


# ------------------------------------------------------------------------------------------------------ time


def test_a_time_carries_its_offset() -> None:
    event = the_event()
    assert event.interval is not None and event.interval.start.isoformat() == "2026-12-07T14:00:00+00:00"
    assert not event.all_day


@pytest.mark.parametrize(
    ("day", "after", "hours"), [("2026-09-06", "2026-09-07", 23), ("2026-04-04", "2026-04-05", 25)]
)
def test_a_day_is_the_local_day_of_the_calendar_s_own_zone(day: str, after: str, hours: int) -> None:
    year = Interval(WINDOW.start.replace(month=1), WINDOW.end.replace(year=2026, month=12))
    event = {"id": "d", "etag": '"1"', "start": {"date": day}, "end": {"date": after}}
    (one,) = Reader("America/Santiago", set(), year).single(event).events
    assert one.interval is not None and one.all_day
    assert one.interval.length.total_seconds() == hours * 3600
    offset = "04:00" if hours == 23 else "03:00"
    assert one.interval.start.isoformat() == f"{day}T{offset}:00+00:00"


def test_an_entry_without_length_takes_no_time() -> None:
    assert the_event(end=TIME["start"]).interval is None


@pytest.mark.parametrize(
    "broken",
    [
        {"start": None},
        {"end": {}},
        {"start": {"dateTime": "noon"}},
        {"start": {"date": "2026-13-01"}, "end": {"date": "2026-13-02"}},
        {"start": {"date": "2026-12-01"}},
        {"start": {"dateTime": "0001-01-01T00:00:00+14:00"}},
        {"start": {"dateTime": "9999-12-31T23:59:59-14:00"}},
        {"end": {"dateTime": "2026-12-07T10:00:00-03:00"}},
        {"start": {"dateTime": 20261207}},
    ],
)
def test_an_entry_whose_time_cannot_be_understood_is_a_problem_and_not_free(broken: dict[str, Any]) -> None:
    resource, _ = read(**broken)
    assert resource.problem and resource.events == () and resource.remote_id == "e1"


def test_an_entry_outside_the_window_takes_no_time_there() -> None:
    later = {"dateTime": "2027-06-07T11:00:00Z"}, {"dateTime": "2027-06-07T12:00:00Z"}
    resource, _ = read(start=later[0], end=later[1])
    assert resource.events == () and resource.problem is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = (
    "status transparency visibility eventType attendees organizer start end recurrence originalStartTime sequence "
    "extendedProperties workingLocationProperties summary location iCalUID etag attendeesOmitted"
).split()


@given(told=st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6), series=st.booleans())
def test_nothing_that_google_could_say_breaks_the_reading(told: dict[str, Any], series: bool) -> None:
    reader = Reader("America/Santiago", {ANA}, WINDOW)
    event = {"id": "e1", **TIME, **told}
    resource = reader.series("e1", [event, {**event, "recurringEventId": "e1"}]) if series else reader.single(event)
    assert resource.remote_id == "e1"
    assert resource.problem is None or resource.events == ()
