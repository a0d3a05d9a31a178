"""The plan of messages as tables: moments, recipients, what is not said and why; quiet hours, marks, releases."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.directory import Anchor, MessageRule, MessageTime, Project
from syncd.core.event_type import EventType, NoShowRule
from syncd.core.ids import AccountId, AgentId, EventTypeId, ProjectId, VisitId
from syncd.core.interval import Interval
from syncd.core.messages import (
    channels_of,
    marks_of,
    no_show_release_at,
    plan_of,
    quiet_until,
    rule_of,
    rules_of,
    unconfirmed_release_at,
    waits_for_morning,
)
from syncd.core.visit import Attendance, ClientConfirmation, Contact, Source, Visit, VisitState

ZONE = "America/Santiago"
SANTIAGO = ZoneInfo(ZONE)
NIGHT = (time(21), time(8))
KIND = EventType(
    id=EventTypeId("visita"),
    name="Visita",
    duration=timedelta(minutes=30),
    increment=timedelta(minutes=30),
    no_show=NoShowRule(follow_up=timedelta(minutes=5), release=timedelta(minutes=20)),
    unconfirmed_release=timedelta(hours=2),
)
QUIET_KIND = replace(KIND, no_show=NoShowRule(), unconfirmed_release=None)
CASAS = Project(
    id=ProjectId("casas"),
    name="Casas",
    time_zone=ZONE,
    team=(AgentId("ana"), AgentId("beto")),
    responsible=AgentId("carla"),
    event_types={"standard": KIND.id},
)


def local(day: int, hour: int, minute: int = 0, month: int = 5) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=SANTIAGO).astimezone(UTC)


TUESDAY, MONDAY_BEFORE = local(12, 10), local(4, 8)


def visit(start: datetime = TUESDAY, booked_at: datetime = MONDAY_BEFORE, **changes: Any) -> Visit:
    made = Visit(
        id=VisitId("v1"),
        state=VisitState.CONFIRMED,
        project=CASAS.id,
        event_type=KIND.id,
        host=AgentId("ana"),
        interval=Interval(start, start + timedelta(minutes=30)),
        guard=Interval(start, start + timedelta(minutes=40)),
        holds=True,
        contact=Contact(name="Eva", email="eva@example.com"),
        source=Source(account=AccountId("page")),
        booked_at=booked_at,
        time_zone=ZONE,
    )
    return replace(made, **changes)


def table(
    one: Visit, kind: EventType = KIND, rules: Sequence[MessageRule] = (), now: datetime | None = None
) -> list[tuple[str, str, str]]:
    """Return (local moment, kind, recipient) of what is really said; `now` None: each when it is due."""
    return [
        (planned.due_at.astimezone(SANTIAGO).strftime("%d %H:%M"), planned.kind, planned.to)
        for planned in plan_of(one, kind, CASAS, rules)
        if not planned.reason_at(now or planned.due_at)
    ]


# --- the built-in plan ----------------------------------------------------------------------------------------------


def test_the_usual_plan() -> None:
    assert table(visit()) == [
        ("11 10:00", "confirmation_request", "client"),
        ("12 07:00", "unconfirmed_task", "agent:ana"),
        ("12 08:00", "reminder", "client"),
        ("12 08:00", "reminder", "agent:ana"),
        ("12 10:05", "no_show_follow_up", "client"),
        ("12 10:15", "no_show_task", "agent:ana"),
    ]


def test_a_day_is_the_same_time_on_the_wall_and_an_hour_is_an_hour_across_the_change_of_clocks() -> None:
    """On 2026-09-06 Santiago's clocks go from 00:00 to 01:00 (T08)."""
    plan = plan_of(visit(local(6, 10, month=9)), KIND, CASAS, ())
    due = {one.kind: one.due_at for one in plan}
    assert due["confirmation_request"] == datetime(2026, 9, 5, 14, tzinfo=UTC)  # Saturday 10:00 local, 23 hours before
    assert due["unconfirmed_task"] == datetime(2026, 9, 6, 10, tzinfo=UTC)
    early = plan_of(visit(local(6, 2, month=9)), KIND, CASAS, ())
    assert next(one.due_at for one in early if one.kind == "unconfirmed_task") == datetime(2026, 9, 6, 2, tzinfo=UTC)


@pytest.mark.parametrize(("hour", "utc_hour"), [(0, 4), (1, 4)])
def test_a_time_that_the_change_of_clocks_leaves_out_is_the_one_after_it(hour: int, utc_hour: int) -> None:
    rule = MessageRule(kind="reminder", when=MessageTime(anchor=Anchor.DAY, at=time(hour)), to=("client",))
    (found,) = [one for one in plan_of(visit(local(6, 10, month=9)), KIND, CASAS, [rule]) if one.kind == "reminder"]
    assert found.due_at == datetime(2026, 9, 6, utc_hour, tzinfo=UTC)


def test_a_moment_past_when_the_visit_was_booked_is_caught_up_and_the_task_keeps_its_own() -> None:
    """C19: booked twelve hours before."""
    assert table(visit(booked_at=local(11, 22)))[:3] == [
        ("11 22:00", "confirmation_request", "client"),
        ("12 07:00", "unconfirmed_task", "agent:ana"),
        ("12 08:00", "reminder", "client"),
    ]


def test_a_task_is_not_opened_where_too_little_time_remains() -> None:
    kinds = [kind for _, kind, _ in table(visit(booked_at=local(12, 8, 30)))]
    assert "unconfirmed_task" not in kinds and "confirmation_request" in kinds
    late = [one for one in plan_of(visit(), KIND, CASAS, ()) if one.kind == "unconfirmed_task"]
    assert [one.reason_at(local(12, 8, 29)) for one in late] == [""]
    assert [one.reason_at(local(12, 8, 30)) for one in late] == ["too_late"]


@pytest.mark.parametrize(
    ("changes", "unsaid"),
    [
        ({"client_confirmation": ClientConfirmation.YES}, {"confirmation_request", "unconfirmed_task"}),
        ({"client_confirmation": ClientConfirmation.NO}, {"confirmation_request", "unconfirmed_task"}),
        ({"client_confirmation": ClientConfirmation.ASKED}, set()),
        ({"attendance": Attendance.PRESENT}, {"no_show_follow_up", "no_show_task"}),
        ({"attendance": Attendance.NO_SHOW}, {"no_show_follow_up", "no_show_task"}),
    ],
)
def test_what_was_answered_or_attended_is_not_asked(changes: dict[str, Any], unsaid: set[str]) -> None:
    said = {kind for _, kind, _ in table(visit(**changes))}
    assert {kind for _, kind, _ in table(visit())} - said == unsaid


@pytest.mark.parametrize("state", [VisitState.PENDING, VisitState.CONFLICT, VisitState.CANCELLED])
def test_only_a_confirmed_visit_has_a_plan(state: VisitState) -> None:
    assert plan_of(visit(state=state), KIND, CASAS, ()) == []
    assert marks_of(visit(state=state), KIND, CASAS, (), local(12, 9)) == ()


def test_a_moved_visit_has_other_keys_and_the_same_one_keeps_its_own() -> None:
    before, after = visit(), visit(local(13, 10))
    keys = [{one.key for one in plan_of(each, KIND, CASAS, ())} for each in (before, replace(before, version=9), after)]
    assert keys[0] == keys[1]
    assert not keys[0] & keys[2]
    assert len(keys[0]) == len(plan_of(before, KIND, CASAS, ()))


# --- rules ----------------------------------------------------------------------------------------------------------


def test_no_follow_up_unless_the_event_type_or_a_rule_asks_for_one() -> None:
    assert not [one for one in table(visit(), QUIET_KIND) if one[1].startswith("no_show")]
    rule = MessageRule(kind="no_show_follow_up", when=MessageTime(anchor=Anchor.START, offset=timedelta(minutes=10)))
    assert ("12 10:10", "no_show_follow_up", "client") in table(visit(), QUIET_KIND, [rule])


def test_a_rule_that_is_off_says_nothing() -> None:
    rules = [MessageRule(kind=kind, enabled=False) for kind in ("reminder", "confirmation_request")]
    assert [kind for _, kind, _ in table(visit(), QUIET_KIND, rules)] == ["unconfirmed_task"]


def test_a_rule_for_a_project_or_event_type_wins_over_one_for_everywhere() -> None:
    everywhere = MessageRule(kind="reminder", enabled=False)
    here = MessageRule(kind="reminder", projects=frozenset({CASAS.id}), to=("client",))
    elsewhere = MessageRule(kind="reminder", event_types=frozenset({EventTypeId("otra")}), to=("team",))
    assert [to for _, kind, to in table(visit(), rules=[everywhere, here, elsewhere]) if kind == "reminder"] == [
        "client"
    ]
    assert rules_of("reminder", [here], None) == rules_of("reminder", [], None)


def test_several_reminders_of_one_visit_have_keys_of_their_own() -> None:
    """R086: send several reminders."""
    day = MessageTime(anchor=Anchor.START, offset=timedelta(days=-2))
    rules = [MessageRule(kind="reminder", when=day, to=("client",)), MessageRule(kind="reminder", to=("client",))]
    found = [one for one in plan_of(visit(), KIND, CASAS, rules) if one.kind == "reminder"]
    assert [one.due_at for one in found] == [local(10, 10), local(12, 8)]
    assert len({one.key for one in found}) == 2


@pytest.mark.parametrize(
    ("to", "people"),
    [
        (("team",), ["agent:ana", "agent:beto"]),
        (("responsible",), ["agent:carla"]),
        (("host", "team", "client"), ["agent:ana", "agent:beto", "client"]),
    ],
)
def test_recipients(to: tuple[str, ...], people: list[str]) -> None:
    rule = MessageRule(kind="reminder", to=to)
    assert [who for _, kind, who in table(visit(), rules=[rule]) if kind == "reminder"] == people


def test_ways_are_tried_in_the_order_written_and_a_wish_comes_first() -> None:
    rule = rule_of("reminder", [MessageRule(kind="reminder", channels=("sms", "email"))], None)
    assert channels_of(rule, "client") == ("sms", "email")
    assert channels_of(rule, "client", "whatsapp") == ("whatsapp", "sms", "email")
    assert channels_of(rule_of("agent_notice", [], None), "agent:ana") == ("email", "notice")


# --- quiet hours ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        (local(11, 20, 59), None),
        (local(11, 21), local(12, 8)),
        (local(12, 0), local(12, 8)),
        (local(12, 7, 59), local(12, 8)),
        (local(12, 8), None),
        (local(5, 23, month=9), local(6, 8, month=9)),  # the night in which the clocks change
    ],
)
def test_quiet_hours_end_in_the_morning(moment: datetime, until: datetime | None) -> None:
    assert quiet_until(moment, NIGHT, ZONE) == until


def test_quiet_hours_within_a_day_and_none() -> None:
    siesta = (time(13), time(15))
    assert quiet_until(local(11, 14), siesta, ZONE) == local(11, 15)
    assert quiet_until(local(11, 15), siesta, ZONE) is None
    assert quiet_until(local(11, 14), None, ZONE) is None
    assert quiet_until(local(11, 14), (time(8), time(8)), ZONE) is None


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
CLOCKS = st.times().map(lambda one: one.replace(second=0, microsecond=0))


@given(MOMENTS, CLOCKS, CLOCKS)
def test_whoever_waited_for_the_end_of_quiet_hours_need_not_wait_again(moment: datetime, a: time, b: time) -> None:
    until = quiet_until(moment, (a, b), ZONE)
    if until is not None:
        assert moment < until <= moment + timedelta(hours=26)
        assert quiet_until(until, (a, b), ZONE) is None


@pytest.mark.parametrize(
    ("kind", "useless", "start", "waits"),
    [
        ("reminder", local(12, 8, 30), None, True),
        ("reminder", local(12, 7), None, False),
        ("cancellation", local(14, 0), local(12, 8, 30), False),
        ("cancellation", local(14, 0), local(12, 9), True),
        ("cancellation", local(14, 0), None, True),
        ("update", local(12, 20), local(12, 8, 30), False),
    ],
)
def test_what_would_be_too_late_in_the_morning_does_not_wait(
    kind: str, useless: datetime, start: datetime | None, waits: bool
) -> None:
    assert waits_for_morning(kind, local(12, 8), useless, start) is waits


# --- marks and releases ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "changes", "marks"),
    [
        (local(11, 9), {}, {}),
        (local(11, 11), {}, {"unconfirmed": local(11, 10)}),
        (local(11, 11), {"client_confirmation": ClientConfirmation.YES}, {}),
        (local(12, 9), {}, {"unconfirmed": local(11, 10), "overdue": local(12, 7)}),
        (local(12, 10, 1), {}, {}),
        (local(12, 10, 6), {}, {"late": local(12, 10, 5)}),
        (local(12, 10, 6), {"attendance": Attendance.PRESENT}, {}),
        (local(14, 10), {}, {}),
    ],
)
def test_marks_each_with_since_when(now: datetime, changes: dict[str, Any], marks: dict[str, datetime]) -> None:
    assert {one.mark: one.since for one in marks_of(visit(**changes), KIND, CASAS, (), now)} == marks


def asked(**changes: Any) -> Visit:
    return visit(client_confirmation=ClientConfirmation.ASKED, **changes)


def test_only_a_client_who_was_asked_and_had_time_to_answer_is_given_up() -> None:
    assert unconfirmed_release_at(asked(), KIND, local(11, 10)) == local(12, 8)
    assert unconfirmed_release_at(asked(), KIND, local(12, 8, 30)) == local(12, 9, 30)
    assert unconfirmed_release_at(asked(), KIND, local(12, 9, 30)) is None
    assert unconfirmed_release_at(asked(), KIND, None) is None
    assert unconfirmed_release_at(asked(), QUIET_KIND, local(11, 10)) is None
    assert unconfirmed_release_at(visit(), KIND, local(11, 10)) is None


def test_a_visit_once_attended_is_never_released() -> None:
    assert no_show_release_at(visit(), KIND) == local(12, 10, 20)
    assert no_show_release_at(visit(), QUIET_KIND) is None
    assert no_show_release_at(visit(attendance=Attendance.PRESENT), KIND) is None
    short = replace(KIND, no_show=NoShowRule(release=timedelta(minutes=30)))
    assert no_show_release_at(visit(), short) is None


@given(st.integers(0, 400), st.integers(0, 60 * 24 * 9))
def test_nothing_is_due_before_the_booking_and_every_key_is_one_of_a_kind(hours: int, before: int) -> None:
    start = local(12, 10) + timedelta(hours=hours)
    one = visit(start, start - timedelta(minutes=before))
    plan = plan_of(one, KIND, CASAS, ())
    assert all(planned.due_at >= one.booked_at for planned in plan)
    assert len({planned.key for planned in plan}) == len(plan)
