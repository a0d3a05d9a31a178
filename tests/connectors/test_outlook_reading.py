"""What an Outlook calendar is read to be when the service behaves as it was seen to, and when it fails half way."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connectors._outlook_graph import PAGES
from connectors._outlook_reading import AHEAD, Cursor
from syncd.core.busy import Signal
from syncd.core.interval import Interval
from syncd.errors import AuthFailed, CursorExpired, Forbidden, NotFound, Permanent, Transient, Unreadable
from syncd.ports import Resource
from tests.connectors.outlook_stage import ANA, FIRST, WINDOW, Desk, KeptTokens, desk
from tests.contracts.calendar import CalendarStage, Reader
from tests.servers.calendly import HandClock
from tests.servers.graph import Fault
from tests.servers.graph_judge import needs_contract
from tests.servers.graph_mailbox import Box

HOUR = timedelta(hours=1)
SANTIAGO = "Pacific SA Standard Time"


@pytest.fixture
def one() -> Iterator[Desk]:
    with desk(clock=HandClock()) as running:
        yield running


def box_of(one: Desk) -> Box:
    return one.graph.api.boxes[ANA]


def at(hours: float, length: float = 1) -> Interval:
    return Interval(FIRST + hours * HOUR, FIRST + (hours + length) * HOUR)


class Held(Reader):
    """Keeps what a desk's calendar was read to be."""

    def __init__(self, one: Desk, window: Interval = WINDOW, name: str = ANA, zone: str = "America/Santiago") -> None:
        stage = SimpleNamespace(calendar=one.calendar(name, zone))  # nobody's hands are needed for reading
        super().__init__(cast(CalendarStage, stage), window)

    @property
    def only(self) -> Resource:
        (resource,) = self.held.values()
        return resource


@needs_contract()
def test_every_request_and_every_answer_of_these_tests_is_judged_by_microsofts_description(one: Desk) -> None:
    box_of(one).add(at(1))
    Held(one).read()
    assert one.graph.judge.judged == 2 * len(one.graph.calls) > 0
    assert one.graph.judge.request("GET", "/users/ana/calendarView", {}, b"") is not None  # it does refuse
    one.graph.judge.answer("GET", "/users/ana/events/x", 200, b'{"showAs": "nope"}')
    assert len(one.graph.judge.wrong) == 2
    one.graph.judge.wrong.clear()


# --- done when, 3 ---------------------------------------------------------------------------------------------------


def test_an_expired_token_is_replaced_and_nothing_is_lost(one: Desk) -> None:
    reader = Held(one)
    box_of(one).add(at(1))
    reader.read()
    one.graph.desk.expire_all()
    new = box_of(one).add(at(4))
    assert reader.read() == {new}
    assert one.graph.desk.asked == ["client_credentials"] * 2


def test_a_token_is_not_asked_for_again_while_it_lives(one: Desk) -> None:
    reader = Held(one)
    for _ in range(5):
        reader.read()
    assert one.graph.desk.asked == ["client_credentials"]


def test_a_token_that_is_refused_twice_stops_the_account(one: Desk) -> None:
    one.graph.faults.append(Fault("/users", "401", "InvalidAuthenticationToken", times=2))
    with pytest.raises(AuthFailed):
        Held(one).read()
    assert len(one.graph.calls) == 2


def test_an_endless_delta_is_left_for_snapshots_that_lose_nothing(one: Desk) -> None:
    reader = Held(one)
    ids = {box_of(one).add(at(2 * n)) for n in range(5)}
    one.graph.api.odd.endless = True
    assert reader.read() == ids
    assert len(one.graph.took("/delta")) == 2, "the second identical page is enough"
    box_of(one).remove(min(ids))
    moved = box_of(one).add(at(40))
    assert reader.read() == {min(ids), moved}
    assert one.graph.took("/delta") == [], "snapshots stand in for a day"


def test_an_endless_delta_is_told_in_the_notes(one: Desk) -> None:
    box_of(one).add(at(1))
    one.graph.api.odd.endless = True
    pages = list(one.calendar().changes(None, WINDOW, {}))
    notes = [note for page in pages for note in page.notes]
    assert len(notes) == 1 and "snapshots" in notes[0]
    again = list(one.calendar().changes(pages[-1].cursor, WINDOW))
    assert again[-1].complete and [note for page in again for note in page.notes] == notes


def test_after_a_day_of_snapshots_the_list_of_changes_is_tried_again(one: Desk) -> None:
    box_of(one).add(at(1))
    one.graph.api.odd.endless = True
    reader = Held(one)
    reader.read()
    one.graph.api.odd.endless = False
    assert isinstance(one.env.clock, HandClock)
    one.env.clock.advance(timedelta(days=1, seconds=1))
    one.graph.took()
    assert reader.read() == set()
    assert reader.cursor is not None and Cursor.read(reader.cursor).link
    assert len(one.graph.took("/delta")) == 1


def test_a_delta_that_never_ends_with_ever_new_pages_is_left_too(one: Desk) -> None:
    one.graph.api.odd.empty_pages = 10**6
    one.graph.judge.on = False
    box_of(one).add(at(1))
    reader = Held(one)
    assert len(reader.read()) == 1
    assert len(one.graph.took("/delta")) == PAGES


def test_a_snapshot_that_goes_round_in_a_circle_is_no_reading(one: Desk) -> None:
    one.graph.api.odd.endless = one.graph.api.odd.circle = True
    box_of(one).add(at(1))
    with pytest.raises(Unreadable, match="circle"):
        Held(one).read()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (410, "syncStateNotFound"),
        (400, "SyncStateNotFound"),
        (404, "syncStateInvalid"),
        (410, "resyncRequired"),
        (410, ""),
    ],
)
def test_a_dead_delta_link_in_any_of_its_spellings_loses_nothing(one: Desk, status: int, code: str) -> None:
    reader = Held(one)
    ids = [box_of(one).add(at(2 * n)) for n in range(6)]
    reader.read()
    box_of(one).change(ids[1], {"subject": "otra"})
    box_of(one).remove(ids[2])
    new = box_of(one).add(at(60))
    one.graph.api.odd.forgotten = (status, code)
    one.graph.api.forget()
    assert reader.read() == {ids[1], ids[2], new}
    assert reader.listings == 2


def test_a_410_in_the_middle_of_a_round_loses_nothing(one: Desk) -> None:
    reader = Held(one)
    reader.read()
    one.graph.api.odd.small_pages = 4
    ids = {box_of(one).add(at(n)) for n in range(18)}
    one.graph.faults.append(Fault("$skiptoken", "410", "syncStateNotFound", after=1))
    assert reader.read() == ids
    assert reader.listings == 2


def test_a_410_in_the_middle_of_a_first_round_begins_it_once_more(one: Desk) -> None:
    one.graph.api.odd.small_pages = 4
    ids = {box_of(one).add(at(n)) for n in range(18)}
    one.graph.faults.append(Fault("$skiptoken", "410", "syncStateNotFound", after=1))
    assert Held(one).read() == ids
    one.graph.faults.append(Fault("$skiptoken", "410", "syncStateNotFound", times=9))
    with pytest.raises(Transient):
        Held(one).read()


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        ("429", "7", 7.0),
        ("429", "Tue, 24 Nov 2026 12:01:30 GMT", 90.0),
        ("503", "10", 10.0),
        ("504", None, None),
        ("500", None, None),
    ],
)
def test_throttling_is_told_with_the_wait_it_asks_for(
    one: Desk, status: str, header: str | None, seconds: float | None
) -> None:
    reader = Held(one)
    made = box_of(one).add(at(1))
    headers = {} if header is None else {"Retry-After": header}
    one.graph.faults.append(Fault("/delta", status, "ApplicationThrottled", headers=headers))
    with pytest.raises(Transient) as told:
        reader.read()
    assert told.value.retry_after == seconds
    assert len(one.graph.took()) == 1, "nothing is asked again at once"
    assert reader.read() == {made}


def test_a_429_on_the_third_page_applies_nothing(one: Desk) -> None:
    reader = Held(one)
    one.graph.api.odd.small_pages = 4
    ids = {box_of(one).add(at(n)) for n in range(18)}
    one.graph.faults.append(Fault("$skiptoken", "429", headers={"Retry-After": "3"}, after=1))
    with pytest.raises(Transient):
        reader.read()
    assert reader.held == {}
    assert reader.read() == ids


def test_a_body_cut_in_half_is_no_reading(one: Desk) -> None:
    reader = Held(one)
    box_of(one).add(at(1))
    one.graph.faults.append(Fault("/delta", "cut", times=2))
    with pytest.raises((Transient, Unreadable)):
        reader.read()
    assert reader.held == {}


def test_a_moved_window_begins_a_new_round_before_the_old_one_runs_out(one: Desk) -> None:
    """S11: an entry far ahead, untouched, is seen as soon as a day's window reaches it."""
    start = FIRST - timedelta(days=2)
    far = box_of(one).add(Interval(FIRST + timedelta(days=120), FIRST + timedelta(days=120, hours=1)))
    reader = Held(one, Interval(start, start + timedelta(days=90)))
    reader.read()
    assert far not in reader.held
    rounds = 0
    for day in range(1, 41):
        reader.window = Interval(start + timedelta(days=day), start + timedelta(days=90 + day))
        reader.read()
        rounds += any("startDateTime" in call for call in one.graph.took("/delta"))
        assert (far in reader.held) >= (reader.window.end > FIRST + timedelta(days=120)), day
    assert far in reader.held
    assert 5 <= rounds <= 6, "a round serves for a week"


def test_a_window_that_begins_earlier_is_a_new_round_too(one: Desk) -> None:
    early = box_of(one).add(at(-24 * 10))
    reader = Held(one)
    reader.read()
    assert reader.held == {}
    reader.window = Interval(WINDOW.start - timedelta(days=10), WINDOW.end)
    assert reader.read() == {early}


def test_the_cursor_carries_its_window(one: Desk) -> None:
    reader = Held(one)
    reader.read()
    assert reader.cursor is not None
    assert Cursor.read(reader.cursor).window == Interval(WINDOW.start, WINDOW.end + AHEAD)


def test_a_quiet_cycle_costs_one_request(one: Desk) -> None:
    reader = Held(one)
    box_of(one).add(at(1))
    reader.read()
    one.graph.took()
    reader.read()
    assert len(one.graph.took()) == 1


# --- links ----------------------------------------------------------------------------------------------------------


def test_a_next_link_to_another_server_is_not_followed(one: Desk) -> None:
    one.graph.api.odd.small_pages = 4
    for n in range(9):
        box_of(one).add(at(n))
    one.graph.api.odd.page_links_to = "https://graph.microsoft.com.evil.example/v1.0"
    with pytest.raises(Unreadable, match="another server"):
        Held(one).read()
    assert len(one.graph.calls) == 1


def test_a_cursor_to_another_server_has_expired(one: Desk) -> None:
    there = Cursor(link="https://evil.example/v1.0/users/ana/calendarView/delta?$deltatoken=1", window=WINDOW).text()
    with pytest.raises(CursorExpired):
        list(one.calendar().changes(there, WINDOW))
    assert one.graph.calls == []


@pytest.mark.parametrize(
    "text", ['{"link": "", "window": [], "until": 0, "why": ""}', '{"link": "x", "window": [2, 1]}']
)
def test_half_a_cursor_has_expired(one: Desk, text: str) -> None:
    with pytest.raises(CursorExpired):
        list(one.calendar().changes(text, WINDOW))


# --- what deltas tell -----------------------------------------------------------------------------------------------


def test_gossip_of_what_lies_outside_the_window_deletes_nothing(one: Desk) -> None:
    one.graph.api.odd.gossip = True
    inside, outside = box_of(one).add(at(1)), box_of(one).add(at(24 * 200))
    reader = Held(one)
    assert reader.read() == {inside}
    box_of(one).change(outside, {"subject": "otra"})
    reader.read()
    assert set(reader.held) == {inside}


def test_of_an_entry_that_comes_twice_the_last_word_counts(one: Desk) -> None:
    one.graph.api.odd.twice = True
    made = box_of(one).add(at(1))
    reader = Held(one)
    reader.read()
    assert reader.times() == {at(1)}
    box_of(one).remove(made)
    reader.read()
    assert reader.held == {}


def test_an_entry_that_is_told_and_then_removed_in_one_round_is_gone(one: Desk) -> None:
    reader = Held(one)
    made = box_of(one).add(at(1))
    reader.read()
    token = next(reversed(one.graph.api.rounds))
    one.graph.api.pages["both"] = (
        [{"id": made, "showAs": "busy", "start": {}, "end": {}}, {"id": made, "@removed": {"reason": "deleted"}}],
        token,
    )
    assert reader.cursor is not None
    link = f"{one.graph.url}/v1.0/users/{ANA}/calendarView/delta?$skiptoken=both"
    reader.cursor = Cursor(link=link, window=Cursor.read(reader.cursor).window).text()
    reader.read()
    assert reader.held == {}


def test_neighbours_at_the_edge_of_the_window_take_no_time(one: Desk) -> None:
    narrow = at(0, length=4)
    one.graph.api.odd.edge = timedelta(days=40)
    box_of(one).add(at(-2, length=2))  # touches
    box_of(one).add(at(1))
    box_of(one).add(at(24 * 30))
    reader = Held(one, narrow)
    reader.read()
    assert reader.times() == {at(1)}


def test_ids_that_differ_in_case_are_two_entries(one: Desk) -> None:
    box = box_of(one)
    for name, hours in (("AAMkAAq=", 1), ("AAMkAAQ=", 4)):
        old = box.add(at(hours))
        box.events[name] = box.events.pop(old) | {"id": name}
        box.places[name] = ""
    reader = Held(one)
    assert reader.read() == {"AAMkAAq=", "AAMkAAQ="}
    box.remove("AAMkAAq=")
    reader.read()
    assert set(reader.held) == {"AAMkAAQ="}


def test_an_event_that_cannot_be_understood_is_its_own_problem_only(one: Desk) -> None:
    good, bad = box_of(one).add(at(1)), box_of(one).add(at(3))
    box_of(one).change(bad, {"end": {"dateTime": "2026-02-30T00:00:00.0000000", "timeZone": "UTC"}})
    one.graph.api.boxes[ANA].view = lambda *_a, **_k: [dict(one_) for one_ in box_of(one).shown()]  # type: ignore[method-assign]
    reader = Held(one)
    reader.read()
    assert reader.held[good].problem is None and reader.held[bad].problem is not None
    assert reader.held[bad].events == ()


# --- series ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("thin", [False, True], ids=["whole", "thin"])
def test_a_series_takes_each_of_its_times_with_its_exceptions(one: Desk, thin: bool) -> None:
    """S12: one occurrence moved, one deleted, one free."""
    one.graph.api.odd.thin = thin
    series = box_of(one).add_series(at(0), timedelta(days=7), 5)
    start = at(24 * 7 + 5)
    moved = box_of(one).except_from(
        series, 1, {"start": _time(start.start), "end": _time(start.end), "type": "exception"}
    )
    box_of(one).except_from(series, 2, None)
    free = box_of(one).except_from(series, 3, {"showAs": "free"})
    reader = Held(one)
    reader.read()
    busy = {e.interval for r in reader.held.values() for e in r.events if Signal.FREE not in e.signals}
    assert busy == {at(0), start, at(24 * 28)}
    assert reader.held[free].events[0].signals == {Signal.FREE}
    assert all(one_.recurring for one_ in reader.held.values())
    assert len({one_.uid for one_ in reader.held.values()}) == 1
    box_of(one).except_from(series, 0, None)
    assert reader.read() == {f"{series}.0"}
    assert moved in reader.held


def test_a_thin_occurrence_takes_its_words_from_its_master(one: Desk) -> None:
    one.graph.api.odd.thin = True
    box_of(one).add_series(at(0), timedelta(days=1), 3, showAs="tentative", sensitivity="private")
    reader = Held(one)
    reader.read()
    found = [event for resource in reader.held.values() for event in resource.events]
    assert [event.signals for event in found] == [{Signal.TENTATIVE, Signal.PRIVATE}] * 3
    assert len(one.graph.took("/events/")) == 1, "the master is asked once"


def test_a_thin_occurrence_whose_master_is_gone_is_busy(one: Desk) -> None:
    one.graph.api.odd.thin = True
    box_of(one).add_series(at(0), timedelta(days=1), 2, showAs="free")
    one.graph.faults.append(Fault("/events/", "404", "ErrorItemNotFound"))
    reader = Held(one)
    reader.read()
    assert [event.signals for resource in reader.held.values() for event in resource.events] == [frozenset()] * 2


def _time(moment: datetime) -> dict[str, str]:
    return {"dateTime": moment.replace(tzinfo=None).isoformat() + ".0000000", "timeZone": "UTC"}


# --- days and zones -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "after", "start", "hours"),
    [
        ("2026-09-06", "2026-09-07", datetime(2026, 9, 6, 4, tzinfo=UTC), 23),
        ("2026-04-04", "2026-04-05", datetime(2026, 4, 4, 3, tzinfo=UTC), 25),
        ("2026-12-08", "2026-12-10", datetime(2026, 12, 8, 3, tzinfo=UTC), 48),
    ],
)
def test_a_day_is_the_local_day_of_the_mailbox(one: Desk, first: str, after: str, start: datetime, hours: int) -> None:
    """S13: Graph writes "UTC" beside such days, whatever the mailbox's zone is."""
    box_of(one).add_days(first, after)
    window = Interval(start - timedelta(days=2), start + timedelta(days=4))
    reader = Held(one, window, zone="Europe/Rome")
    reader.read()
    (event,) = reader.only.events
    assert event.interval == Interval(start, start + timedelta(hours=hours)) and event.all_day
    assert len(one.graph.took("mailboxSettings")) == 1


def test_days_follow_the_configured_zone_where_the_mailbox_does_not_tell_its_own(one: Desk) -> None:
    box_of(one).add_days("2026-12-08", "2026-12-09")
    one.graph.faults.append(Fault("mailboxSettings", "403", "ErrorAccessDenied"))
    reader = Held(one, zone="Europe/Rome")
    pages = list(one.calendar(zone="Europe/Rome").changes(None, WINDOW, {}))
    assert any("does not tell its zone" in note for page in pages for note in page.notes)
    reader.read()
    (event,) = reader.only.events
    assert event.interval is not None and event.interval.start == datetime(2026, 12, 7, 23, tzinfo=UTC)


def test_days_are_told_again_when_the_zone_of_the_mailbox_changes(one: Desk) -> None:
    made = box_of(one).add_days("2026-12-08", "2026-12-09")
    reader = Held(one)
    reader.read()
    box_of(one).zone = "Romance Standard Time"
    assert isinstance(one.env.clock, HandClock)
    one.env.clock.advance(timedelta(hours=13))
    assert reader.list_all() == {made}
    (event,) = reader.only.events
    assert event.interval is not None and event.interval.start == datetime(2026, 12, 7, 23, tzinfo=UTC)


@pytest.mark.parametrize("zone", [SANTIAGO, "America/Santiago", "W. Europe Standard Time", "Nepal Standard Time"])
def test_times_in_another_zone_than_was_preferred_are_read_all_the_same(one: Desk, zone: str) -> None:
    one.graph.api.odd.foreign_zone = zone
    box_of(one).add(at(1))
    reader = Held(one)
    reader.read()
    assert reader.times() == {at(1)}


def test_a_custom_zone_is_read_in_the_mailbox_s_own_and_noted(one: Desk) -> None:
    """A zone that a person drew up herself has no name that anybody knows (facts, 5)."""
    made = box_of(one).add(at(1))
    local = {"dateTime": "2026-12-07T10:00:00.0000000", "timeZone": "tzone://Microsoft/Custom"}
    box_of(one).change(made, {"start": local, "end": local | {"dateTime": "2026-12-07T11:00:00.0000000"}})
    reader = Held(one)
    reader.read()
    assert reader.times() == {at(1)}
    assert any("tzone" in note for note in reader.only.notes)


# --- the busy policy ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "signals"),
    [
        ({"showAs": "busy"}, set()),
        ({"showAs": "free"}, {Signal.FREE}),
        ({"showAs": "tentative"}, {Signal.TENTATIVE}),
        ({"showAs": "oof"}, {Signal.OUT_OF_OFFICE}),
        ({"showAs": "workingElsewhere"}, {Signal.WORKING_ELSEWHERE}),
        ({"showAs": "unknown"}, {Signal.UNKNOWN}),
        ({"responseStatus": {"response": "declined"}}, {Signal.DECLINED}),
        ({"responseStatus": {"response": "notResponded"}}, {Signal.UNANSWERED}),
        ({"responseStatus": {"response": "tentativelyAccepted"}}, {Signal.TENTATIVE}),
        ({"responseStatus": {"response": "accepted"}}, set()),
        ({"isCancelled": True}, {Signal.CANCELLED}),
        ({"sensitivity": "private"}, {Signal.PRIVATE}),
        ({"sensitivity": "confidential"}, {Signal.PRIVATE}),
        ({"sensitivity": "personal"}, set()),
        ({"attendees": [{"emailAddress": {"address": "Otro@x.cl"}}]}, {Signal.ORGANISED}),
        ({"attendees": [{"emailAddress": {"address": ANA.upper()}}]}, set()),
        ({"isOrganizer": False, "attendees": [{"emailAddress": {"address": "otro@x.cl"}}]}, set()),
    ],
)
def test_what_an_event_says_of_itself(one: Desk, fields: dict[str, Any], signals: set[Signal]) -> None:
    """S14, in Graph's words."""
    box_of(one).add(at(1), **fields)
    reader = Held(one)
    reader.read()
    assert reader.only.events[0].signals == signals
    assert reader.only.notes == ()


# --- other calendars ------------------------------------------------------------------------------------------------


def test_another_calendar_is_listed_by_plain_pages(one: Desk) -> None:
    box_of(one).calendars["AAMk-2="] = "Visitas"
    ids = {box_of(one).add(at(n), calendar="AAMk-2=") for n in range(260)}
    box_of(one).add(at(1))
    reader = Held(one, name=f"{ANA}/Visitas")
    assert reader.read() == ids
    assert one.graph.took("/delta") == []
    assert reader.cursor is None
    assert reader.read() == set()


def test_a_calendar_that_is_not_there_is_told_with_those_that_are(one: Desk) -> None:
    box_of(one).calendars |= {"a": "Visitas", "b": "Doble", "c": "Doble"}
    with pytest.raises(Permanent, match="'Calendar', 'Doble', 'Doble', 'Visitas'"):
        Held(one, name=f"{ANA}/Visitsa").read()
    with pytest.raises(Permanent, match="several"):
        Held(one, name=f"{ANA}/Doble").read()


def test_the_primary_calendar_may_be_named_too(one: Desk) -> None:
    box_of(one).add(at(1))
    reader = Held(one, name=f"{ANA}/Calendar")
    reader.read()
    assert reader.times() == {at(1)} and len(one.graph.took("/delta")) == 1


# --- who may read ---------------------------------------------------------------------------------------------------


def test_a_mailbox_that_is_unknown_is_not_found(one: Desk) -> None:
    with pytest.raises(NotFound, match="ErrorInvalidUser"):
        Held(one, name="nadie@oficina.example").read()


def test_one_mailbox_outside_the_scope_does_not_stop_the_others(one: Desk) -> None:
    one.graph.box("bruno@oficina.example")
    one.graph.api.denied["bruno@oficina.example"] = (403, "ErrorAccessDenied")
    mine, his = Held(one), Held(one, name="bruno@oficina.example")
    with pytest.raises(Forbidden, match="scope"):
        his.read()
    assert mine.read() == set()


def test_where_every_mailbox_is_refused_the_account_stops(one: Desk) -> None:
    one.graph.api.denied[ANA] = (403, "ErrorAccessDenied")
    with pytest.raises(AuthFailed, match="consent"):
        Held(one).read()


def test_a_missing_consent_stops_the_account_at_once(one: Desk) -> None:
    one.graph.box("bruno@oficina.example")
    one.graph.api.denied[ANA] = (403, "Authorization_RequestDenied")
    reader, _ = Held(one), Held(one, name="bruno@oficina.example")
    with pytest.raises(AuthFailed, match="administrator"):
        reader.read()


def test_a_page_that_is_none_is_no_reading(one: Desk) -> None:
    graph = one.graph
    graph.api.answer = lambda question: (200, {"value": [{"id": 7}]}, {})  # type: ignore[method-assign]
    with pytest.raises(Unreadable):
        Held(one).read()
    graph.api.answer = lambda question: (200, {"nothing": []}, {})  # type: ignore[method-assign]
    with pytest.raises(Unreadable):
        Held(one).read()
    graph.judge.wrong.clear()  # such answers are wrong on purpose


def test_tokens_are_not_kept_for_an_app(one: Desk) -> None:
    tokens = KeptTokens()
    with desk(tokens=tokens) as other:
        Held(other).read()
    assert tokens.saved == [] and one.graph.calls == []
