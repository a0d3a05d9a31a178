"""S10, S12 and S26 end to end: the flows over a calendar that a real server keeps."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from connectors.memory import MemoryCalendar
from syncd.core.directory import CalendarRef
from syncd.core.ids import AgentId
from syncd.core.interval import Interval
from syncd.ports import Calendar
from tests.connectors.caldav_stage import DavStage, environment, settings_for
from tests.scenarios.play import at, booked, only_ana, refused
from tests.servers.dav import with_line
from tests.servers.radicale import PASSWORD, USER, hands, radicale
from tests.world import town
from tests.world.invariants import Judge
from tests.world.stage import Stage

MONDAY = date(2026, 8, 31)  # the clocks of Santiago go forward on 6 September
START = at(8, day=MONDAY)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with radicale(tmp_path_factory.mktemp("radicale")) as url:
        yield url


class Played:
    """A town whose Ana keeps her calendar on a real server."""

    def __init__(self, url: str) -> None:
        self.dav = DavStage(hands(url), settings_for(url, USER, PASSWORD), "/ana/", environment())
        self.stage = Stage(only_ana(), start=START)
        home = self.dav.home
        assert home is not None
        ref = self.stage.ref("ana")
        accounts = dict(self.stage.ctx.accounts)
        named = replace(ref, name=self.dav.name)
        agent = replace(self.stage.ctx.directory.agents[AgentId("ana")], calendars=(named,))
        directory = replace(self.stage.ctx.directory, agents={agent.id: agent})
        accounts[town.HOME] = replace(accounts[town.HOME], home=lambda: home)
        self.stage.ctx = replace(self.stage.ctx, directory=directory, calendar_of=self._calendar_of, accounts=accounts)
        self.next_look(0)

    def _calendar_of(self, ref: CalendarRef) -> Calendar:
        if ref.name == self.dav.name:
            return self.dav.calendar
        return MemoryCalendar(self.stage.outside, ref.account, ref.name)

    def next_look(self, minutes: int = 5) -> None:
        self.stage.clock.advance(timedelta(minutes=minutes))
        self.stage.cycle()

    def blocks(self) -> set[Interval]:
        window = Interval(START - DAY, START + 60 * DAY)
        with self.stage.store.read() as tx:
            return {one.interval for one in tx.calendars.blocks([self.stage.ref("ana").id], window)}


@pytest.fixture
def played(server: str) -> Iterator[Played]:
    made = Played(server)
    yield made
    Judge(made.stage).after_step()


SERIES = """\
BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//a person//\r
BEGIN:VEVENT\r
UID:serie@person\r
DTSTAMP:20260801T000000Z\r
DTSTART;TZID=America/Santiago:20260831T100000\r
DTEND;TZID=America/Santiago:20260831T110000\r
RRULE:FREQ=WEEKLY;COUNT=4\r
EXDATE;TZID=America/Santiago:20260914T100000\r
SUMMARY:Reunión\r
END:VEVENT\r
BEGIN:VEVENT\r
UID:serie@person\r
DTSTAMP:20260801T000000Z\r
RECURRENCE-ID;TZID=America/Santiago:20260921T100000\r
DTSTART;TZID=America/Santiago:20260922T150000\r
DTEND;TZID=America/Santiago:20260922T160000\r
SUMMARY:Reunión\r
END:VEVENT\r
END:VCALENDAR\r
"""


def hour(day: date, wall: int) -> Interval:
    start = datetime(day.year, day.month, day.day, wall, tzinfo=ZoneInfo(town.ZONE))
    return Interval(start, start + timedelta(hours=1))


def test_s12_a_series_with_exceptions_over_a_clock_change(played: Played) -> None:
    """Ten o'clock stays ten o'clock; one instance is gone, one stands a day later."""
    played.dav.hands.put(f"{played.dav.inside}serie.ics", SERIES)
    played.next_look()
    expected = {hour(MONDAY, 10), hour(MONDAY + 7 * DAY, 10), hour(MONDAY + 22 * DAY, 15)}
    assert played.blocks() == expected
    assert hour(MONDAY + 7 * DAY, 10).start - hour(MONDAY, 10).start == 7 * DAY - timedelta(hours=1)
    played.dav.hands.delete(f"{played.dav.inside}serie.ics")
    played.next_look()
    assert played.blocks() == set()


def test_s10_a_dead_cursor_with_changes_in_the_gap(played: Played) -> None:
    day = MONDAY + 2 * DAY
    stays, moves, goes = (played.dav.add(hour(day, wall)) for wall in (10, 12, 15))
    played.next_look()
    assert len(played.blocks()) == 3
    played.dav.drag(moves, hour(day, 16))
    played.dav.remove(goes)
    played.dav.add(hour(day, 9))
    played.dav.forget_places()
    played.next_look()
    assert played.blocks() == {hour(day, 9), hour(day, 10), hour(day, 16)}
    assert played.dav.look(stays) is not None


def test_s26_dragged_edited_and_deleted_at_a_real_server(played: Played) -> None:
    day = MONDAY + 2 * DAY
    visit = booked(played.stage, at(10, day=day))
    played.next_look()
    (ours,) = played.dav.everything()
    assert played.dav.look(ours) is not None
    played.dav.decorate(ours, "traer llaves")
    played.dav.drag(ours, Interval(at(12, day=day), at(12, 20, day=day)))
    played.next_look()
    assert played.stage.visit(visit.id).interval.start == at(12, day=day)
    shown = played.dav.look(ours)
    assert shown is not None and shown.decorated and "traer llaves" in shown.notes
    text = played.dav.hands.get(ours)
    assert text is not None
    played.dav.hands.put(ours, with_line(text, "SUMMARY", "SUMMARY:Otra cosa"))
    played.next_look()
    shown = played.dav.look(ours)
    assert shown is not None and shown.title.startswith("Visita Casas") and "traer llaves" in shown.notes
    for _ in range(3):
        played.next_look()
    assert played.dav.everything() == [ours]
    played.dav.remove(ours)
    played.next_look()
    assert [one.kind for one in played.stage.notices("task") if one.about == visit.id] == ["entry_deleted"]
    assert refused(played.stage, at(12, day=day)) == "slot_taken", "free only after a cancellation"


def test_c1_a_visit_that_a_person_made_a_series_of_is_one_visit_again(played: Played) -> None:
    visit = booked(played.stage, at(10, day=MONDAY + 2 * DAY))
    played.next_look()
    (mine,) = played.dav.everything()
    path = mine.removeprefix(played.dav.base)
    text = played.dav.hands.get(path)
    assert text is not None
    played.dav.hands.put(path, text.replace("SUMMARY", "RRULE:FREQ=DAILY;COUNT=5\r\nSUMMARY", 1))
    for _ in range(3):
        played.next_look()
    after = played.dav.hands.get(path)
    assert after is not None and "RRULE" not in after
    assert played.stage.visit(visit.id).interval == visit.interval
