"""S13 to S16, S19, S20: what takes time, in whose zone, and that what is listed is exactly what is accepted."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from syncd.core.busy import BusyPolicy, Signal
from syncd.core.directory import CalendarRole, Directory, SyncPolicy
from syncd.core.event_type import EventType, Window
from syncd.core.hours import WorkingHours
from syncd.core.interval import Interval
from syncd.core.visit import Refused, Visit
from syncd.flows import book
from syncd.flows.explain import explain_start, reason_of
from tests.scenarios.conftest import MakeStage
from tests.scenarios.play import TUESDAY, at, booked, kind, offered, only_ana, refused, span, starts
from tests.world import town
from tests.world.stage import Stage

DAY = timedelta(days=1)
ANY_DAY = kind(window=Window(ahead=60 * DAY), minimum_notice=timedelta(0), same_day=True)
ALL_WEEK = ((time(9), time(18)),)


def with_hours(directory: Directory, *spans: tuple[time, time], zone: str = town.ZONE) -> Directory:
    """Give everybody these hours on all seven days."""
    hours = WorkingHours(id=town.OFFICE, time_zone=zone, weekly=tuple([tuple(spans)] * 7))
    projects = {name: replace(one, time_zone=zone) for name, one in directory.projects.items()}
    return replace(directory, hours={town.OFFICE: hours}, projects=projects, time_zone=zone)


def local_day(day: date, days: int = 1, zone: str = town.ZONE) -> Interval:
    """Return the instants of local days, however long they are."""
    tz = ZoneInfo(zone)
    first, last = (datetime.combine(one, time(0), tz).astimezone(UTC) for one in (day, day + days * DAY))
    return Interval(first, last)


# --- S13


@pytest.mark.parametrize(
    ("day", "first", "hours"),
    [(date(2026, 9, 6), "2026-09-06T04:00:00+00:00", 23), (date(2026, 4, 4), "2026-04-04T03:00:00+00:00", 25)],
)
def test_s13_an_all_day_event_is_its_local_day_however_long(
    make_stage: MakeStage, day: date, first: str, hours: int
) -> None:
    whole = local_day(day)
    assert (whole.start.isoformat(), whole.length) == (first, timedelta(hours=hours))
    directory = with_hours(only_ana(ANY_DAY), *ALL_WEEK)
    stage = make_stage(directory, start=at(8, day=day - 2 * DAY))
    stage.shelf("ana").add(whole, all_day=True)
    stage.cycle()
    assert starts(stage, day) == set()
    assert {"09:00", "17:30"} <= starts(stage, day - DAY) & starts(stage, day + DAY)


def test_s13_two_days_block_two_and_a_transparent_one_none(make_stage: MakeStage) -> None:
    stage = make_stage(with_hours(only_ana(ANY_DAY), *ALL_WEEK))
    stage.shelf("ana").add(local_day(TUESDAY, 2), all_day=True)
    stage.shelf("ana").add(local_day(TUESDAY + 4 * DAY), all_day=True, signals=frozenset({Signal.FREE}))
    stage.cycle()
    free = [bool(starts(stage, TUESDAY + number * DAY)) for number in (-1, 0, 1, 2, 4)]
    assert free == [True, False, False, True, True]


def test_s13_an_event_type_may_ignore_all_day_events(make_stage: MakeStage) -> None:
    stage = make_stage(only_ana(kind(all_day_blocks=False)))
    stage.shelf("ana").add(local_day(TUESDAY), all_day=True)
    stage.shelf("ana").add(span(10), title="Dentista")
    stage.cycle()
    assert "09:00" in starts(stage) and "10:00" not in starts(stage)
    other = make_stage(only_ana())
    other.shelf("ana").add(local_day(TUESDAY), all_day=True)
    other.cycle()
    assert starts(other) == set()


# --- S14

MATRIX = {
    "busy": (),
    "free": (Signal.FREE,),
    "tentative": (Signal.TENTATIVE,),
    "out_of_office": (Signal.OUT_OF_OFFICE,),
    "working_elsewhere": (Signal.WORKING_ELSEWHERE,),
    "declined": (Signal.DECLINED,),
    "unanswered": (Signal.UNANSWERED,),
    "cancelled": (Signal.CANCELLED,),
    "private": (Signal.PRIVATE,),
    "organised": (Signal.ORGANISED,),
    "unknown": (Signal.UNKNOWN,),
}
DEFAULT = {"busy", "tentative", "out_of_office", "unanswered", "private", "organised", "unknown"}
CELLS = ("tentative", "unanswered", "declined", "working_elsewhere", "free", "private", "out_of_office", "organised")


def _blocking(make_stage: MakeStage, policy: BusyPolicy) -> set[str]:
    stage = make_stage(only_ana(policy=SyncPolicy(busy=policy)))
    for number, signals in enumerate(MATRIX.values()):
        day = TUESDAY + number // 8 * DAY
        stage.shelf("ana").add(span(9 + number % 8, day=day, minutes=60), signals=frozenset(signals))
    stage.cycle()
    free = {number: starts(stage, TUESDAY + number * DAY) for number in (0, 1)}
    return {name for number, name in enumerate(MATRIX) if f"{9 + number % 8:02d}:00" not in free[number // 8]}


def test_s14_the_status_matrix_at_its_defaults(make_stage: MakeStage) -> None:
    assert _blocking(make_stage, BusyPolicy()) == DEFAULT


@pytest.mark.parametrize("cell", CELLS)
def test_s14_every_cell_may_be_inverted(make_stage: MakeStage, cell: str) -> None:
    inverted = replace(BusyPolicy(), **{cell: cell not in DEFAULT})
    assert _blocking(make_stage, inverted) == DEFAULT ^ {cell}


# --- S15, S16


@pytest.mark.parametrize(
    "zone",
    ["Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Chatham", "Asia/Kolkata"],
)
def test_s15_odd_time_zones(make_stage: MakeStage, zone: str) -> None:
    """The wall clock of the project rules: hours, the grid, the day, and what is published stands at that instant."""
    stage = make_stage(with_hours(only_ana(), *ALL_WEEK, zone=zone))
    day = TUESDAY
    nine = at(9, day=day, zone=zone)
    found = [slot.interval.start for slot in offered(stage, local_day(day, zone=zone))]
    assert found == [nine + number * timedelta(minutes=30) for number in range(18)]
    visit = booked(stage, nine)
    stage.cycle()
    (entry,) = stage.shelf("ana").entries.values()
    assert visit.time_zone == zone and entry.spans == (visit.interval,) and visit.interval.start == nine
    assert refused(stage, nine - timedelta(minutes=30)) == "hours"


WINDOWS = ((time(0), time(3)), (time(9), time(13)), (time(13), time(18)), (time(20), time.max))


@pytest.mark.parametrize(
    ("zone", "day"),
    [
        ("America/New_York", date(2026, 3, 8)),
        ("America/New_York", date(2026, 11, 1)),
        ("Europe/Rome", date(2026, 3, 29)),
        ("Europe/Rome", date(2026, 10, 25)),
        (town.ZONE, date(2026, 4, 4)),
        (town.ZONE, date(2026, 9, 6)),
    ],
)
def test_s16_hours_across_clock_changes(make_stage: MakeStage, zone: str, day: date) -> None:
    step = kind(window=Window(ahead=60 * DAY), same_day=True, increment=timedelta(minutes=30))
    stage = make_stage(with_hours(only_ana(step), *WINDOWS, zone=zone), start=at(9, day=day - 3 * DAY, zone=zone))
    image = stage.store.snapshot()
    for number in (-1, 0, 1):
        listed = offered(stage, local_day(day + number * DAY, zone=zone))
        walls = [slot.interval.start.astimezone(ZoneInfo(zone)) for slot in listed]
        assert len({wall.strftime("%H:%M") for wall in walls}) == len(walls), (
            "a repeated minute is its first occurrence"
        )
        assert all(_is_inside(wall, slot.interval, zone) for wall, slot in zip(walls, listed, strict=True))
        assert any(wall.strftime("%H:%M") == "13:00" for wall in walls), "09-13 and 13-18 are one"
        for slot in listed:
            assert isinstance(_book(stage, slot.interval.start), Visit)
            stage.store.load(image)


def _is_inside(wall: datetime, interval: Interval, zone: str) -> bool:
    """Tell whether a visit's wall times lie in one of the windows, 09-18 being one."""
    end = interval.end.astimezone(ZoneInfo(zone))
    merged = ((time(0), time(3)), (time(9), time(18)), (time(20), time.max))
    first, last = wall.time(), (end - timedelta(seconds=1)).time()
    return any(low <= first and last < high for low, high in merged)


def _book(stage: Stage, start: datetime) -> Visit | Refused:
    return book.book(stage.ctx, stage.booking(start), stage.cause())


# --- S19


@pytest.mark.parametrize("role", [CalendarRole.PUBLISH, CalendarRole.BUSY])
def test_s19_buffers_meet_foreign_events(make_stage: MakeStage, role: CalendarRole) -> None:
    tight = kind(
        buffer_before=timedelta(minutes=15), buffer_after=timedelta(minutes=10), increment=timedelta(minutes=5)
    )
    ana = town.agent("ana", CalendarRole.PUBLISH, CalendarRole.BUSY)
    stage = make_stage(town.directory((ana,), event_type=tight))
    stage.shelf("ana", role.value).add(span(14))
    stage.cycle()
    image, free = stage.store.snapshot(), starts(stage)
    tried = {(13, 30): None, (13, 35): "busy", (13, 40): "busy", (15, 0): "busy", (15, 10): "busy", (15, 15): None}
    for (hour, minute), reason in tried.items():
        assert (f"{hour}:{minute:02d}" in free) is (reason is None)
        outcome = _book(stage, at(hour, minute))
        assert (outcome.reason if isinstance(outcome, Refused) else None) == reason
        stage.store.load(image)


# --- S20


def _random_stage(rng: Random, make_stage: MakeStage) -> Stage:
    minutes = rng.choice((20, 30, 45))
    chosen: EventType = kind(
        duration=timedelta(minutes=minutes),
        buffer_before=timedelta(minutes=rng.choice((0, 5, 15))),
        buffer_after=timedelta(minutes=rng.choice((0, 10))),
        increment=timedelta(minutes=rng.choice((10, 15, 30))),
        minimum_notice=timedelta(hours=rng.choice((0, 12, 30))),
        same_day=rng.random() < 0.5,
        window=Window(business_days=rng.choice((1, 5))),
        daily_cap=rng.choice((None, 2)),
    )
    stage = make_stage(town.directory(event_type=chosen), start=town.START + timedelta(minutes=rng.randrange(900)))
    for _ in range(rng.randrange(12)):
        start = at(rng.randrange(8, 18), rng.choice((0, 10, 35)), day=date(2026, 5, 4) + rng.randrange(5) * DAY)
        stage.shelf(rng.choice(("ana", "beto"))).add(Interval(start, start + timedelta(minutes=rng.choice((15, 90)))))
    stage.cycle()
    for _ in range(4):
        listed = offered(stage, Interval(stage.clock.now(), stage.clock.now() + 5 * DAY))
        if listed:
            booked(stage, rng.choice(listed).interval.start)
    return stage


def _explained(stage: Stage, start: datetime) -> str | None:
    """Return the reason that the explanation of a time gives."""
    place = book.place_of(stage.ctx, town.CASAS, None)
    assert isinstance(place, book.Place)
    return reason_of(explain_start(stage.ctx, place, start, stage.clock.now()))


@pytest.mark.parametrize("seed", range(24))
def test_s20_listed_if_and_only_if_accepted(make_stage: MakeStage, seed: int) -> None:
    """Two dozen whole installations, some 2 000 starts in all; the arithmetic alone is compared in tests/core."""
    rng = Random(seed)
    stage = _random_stage(rng, make_stage)
    listed = {slot.interval.start for slot in offered(stage, Interval(stage.clock.now(), stage.clock.now() + 9 * DAY))}
    image = stage.store.snapshot()
    for start in sorted(listed)[:40]:
        assert isinstance(_book(stage, start), Visit), f"seed {seed}: {start} is listed and refused"
        stage.store.load(image)
    for _ in range(60):
        start = stage.clock.now().replace(second=0) + timedelta(minutes=5 * rng.randrange(9 * 288))
        if start not in listed:
            outcome = _book(stage, start)
            assert isinstance(outcome, Refused), f"seed {seed}: {start} is not listed and accepted"
            assert outcome.reason in book.GRAVITY
            assert outcome.reason == _explained(stage, start), f"seed {seed}: {start}"
