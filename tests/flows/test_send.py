"""Messages lived through in virtual time: what leaves when, over which way, and what becomes of each."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from syncd.core.directory import Anchor, Directory, MessageRule, MessageTime
from syncd.core.event_type import EventType, NoShowRule
from syncd.core.hours import WorkingHours
from syncd.core.ids import AccountId, AgentId
from syncd.core.interval import Interval
from syncd.core.letter import Channel, Letter, Report, Sent
from syncd.core.visit import (
    Approve,
    Attend,
    Attendance,
    Cancel,
    CancelReason,
    ClientConfirmation,
    Confirm,
    Contact,
    Move,
    Participants,
    Reassign,
    Reject,
    Visit,
    VisitState,
)
from syncd.errors import AuthFailed
from syncd.flows import opt_out, receipts
from syncd.flows.compose import compose
from syncd.ports import Delivery
from syncd.store.queue import Notice, Work, WorkKind
from tests.scenarios.play import booked, done, offered, tasks
from tests.world import town
from tests.world.carrier import Carrier
from tests.world.stage import Stage

SANTIAGO = ZoneInfo(town.ZONE)
MINUTE = timedelta(minutes=1)
EVA = Contact(name="Eva Díaz", email="eva@example.com", phone="+56912345678")
LONG = replace(
    town.VISITA,
    duration=timedelta(hours=1),
    buffer_after=timedelta(0),
    minimum_notice=timedelta(0),
    same_day=True,
    no_show=NoShowRule(follow_up=timedelta(minutes=5), release=timedelta(minutes=30)),
    unconfirmed_release=None,
)
EVERY_DAY = WorkingHours(id=town.OFFICE, time_zone=town.ZONE, weekly=tuple([((time(8), time(20)),)] * 7))


def place(kind: EventType = LONG, messages: Sequence[MessageRule] = (), **changes: Any) -> Directory:
    made = town.directory((town.agent("ana"), town.agent("beto")), event_type=kind, scheduler=False)
    return replace(made, messages=tuple(messages), hours={town.OFFICE: EVERY_DAY}, **changes)


def at(day: int, hour: int, minute: int = 0, month: int = 5) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=SANTIAGO).astimezone(UTC)


def stage_of(directory: Directory | None = None, *channels: str, start: datetime = town.START) -> Stage:
    stage = Stage(directory or place(), start=start)
    for one in channels or ("email",):
        stage.carrier(one)
    stage.cycle()
    return stage


def carrier(stage: Stage, channel: str = "email") -> Carrier:
    return next(one for one in stage.carriers.values() if one.channel.value == channel)


def until(stage: Stage, moment: datetime, step: timedelta = MINUTE * 5) -> None:
    """Let time pass as it does, work by work: the clock stops at whatever is due."""
    while stage.clock.now() < moment:
        with stage.store.read() as tx:
            due = tx.queue.next_due()
        goal = moment if due is None else min(moment, max(due, stage.clock.now() + timedelta(seconds=1)))
        stage.clock.advance(goal - stage.clock.now())
        stage.settle()


def said(stage: Stage, channel: str = "email", to: str | None = "eva@example.com") -> list[tuple[str, str]]:
    """Return (local moment, kind) of what a service took, in order."""
    return [
        (moment.astimezone(SANTIAGO).strftime("%d %H:%M"), letter.kind)
        for moment, letter in carrier(stage, channel).taken
        if to in (None, letter.to)
    ]


def rows(stage: Stage, visit: Visit, kind: str | None = None, to: str = "client") -> list[tuple[str, str, str]]:
    """Return (kind, state, reason) of the messages of a visit to somebody."""
    found = [one for one in stage.notices("message", kind) if one.about == visit.id and one.to == to]
    return [(one.kind, one.state, one.reason) for one in found]


def history(stage: Stage, visit: Visit) -> list[Notice]:
    return [one for one in stage.notices("message") if one.about == visit.id]


# --- a whole visit --------------------------------------------------------------------------------------------------


def test_a_visit_that_nobody_answers_and_nobody_comes_to() -> None:
    stage = stage_of()
    visit = booked(stage, at(12, 10), contact=EVA)
    until(stage, at(13, 0))
    assert said(stage) == [
        ("04 08:00", "booking_info"),
        ("11 10:00", "confirmation_request"),
        ("12 08:00", "reminder"),
        ("12 10:05", "no_show_follow_up"),
        ("12 10:30", "cancellation"),
    ]
    assert said(stage, to="ana@a.example") == [
        ("04 08:00", "agent_notice"),
        ("12 08:00", "reminder"),
        ("12 10:30", "release_notice"),
    ]
    assert tasks(stage, visit.id) == ["unconfirmed_task", "no_show_task", "offer_new_time"]
    assert stage.visit(visit.id).client_confirmation is ClientConfirmation.ASKED
    assert stage.visit(visit.id).cancel_reason is CancelReason.NO_SHOW


def test_a_visit_that_is_confirmed_and_attended() -> None:
    stage = stage_of()
    visit = booked(stage, at(12, 10), contact=EVA)
    until(stage, at(11, 12))
    done(stage, visit.id, Confirm(), "client")
    until(stage, at(12, 10, 3))
    done(stage, visit.id, Attend(attendance=Attendance.PRESENT), "agent:ana")
    until(stage, at(13, 0))
    assert [kind for _, kind in said(stage)] == ["booking_info", "confirmation_request", "reminder"]
    assert tasks(stage, visit.id) == ["unconfirmed_task", "no_show_task"]
    assert {one.state for one in stage.notices("task")} == {"skipped"}
    assert stage.visit(visit.id).state is VisitState.CONFIRMED


def test_an_answer_after_the_task_was_opened_closes_it() -> None:
    stage = stage_of()
    visit = booked(stage, at(12, 10), contact=EVA)
    until(stage, at(12, 9))
    assert [one.state for one in stage.notices("task", "unconfirmed_task")] == ["open"]
    done(stage, visit.id, Confirm(), "client")
    stage.settle()
    assert [one.state for one in stage.notices("task", "unconfirmed_task")] == ["done"]


@pytest.mark.parametrize(
    ("offset", "moment"), [(0, "04 08:00"), (10, "04 08:10"), (60, "04 09:00")], ids=["now", "10 min", "1 h"]
)
def test_the_booking_message_leaves_now_or_a_while_later(offset: int, moment: str) -> None:
    when = MessageTime(anchor=Anchor.BOOKING, offset=timedelta(minutes=offset))
    stage = stage_of(place(messages=[MessageRule(kind="booking_info", when=when)]))
    booked(stage, at(12, 10), contact=EVA)
    until(stage, at(4, 12))
    assert said(stage) == [(moment, "booking_info")]


def test_days_are_the_same_time_on_the_wall_across_the_change_of_clocks() -> None:
    stage = stage_of(start=at(1, 9, month=9))
    booked(stage, at(6, 10, month=9), contact=EVA)
    until(stage, at(6, 9, month=9))
    moments = {letter.kind: moment for moment, letter in carrier(stage).taken if letter.to == EVA.email}
    assert moments["confirmation_request"] == datetime(2026, 9, 5, 14, tzinfo=UTC)
    assert moments["reminder"] == datetime(2026, 9, 6, 11, tzinfo=UTC)


def test_quiet_hours_postpone_and_never_drop() -> None:
    stage = stage_of(place(quiet_hours=(time(21), time(8))), start=at(11, 22))
    visit = booked(stage, at(12, 10), contact=EVA)
    until(stage, at(12, 9))
    assert said(stage) == [("12 08:00", "booking_info"), ("12 08:00", "confirmation_request"), ("12 08:00", "reminder")]
    assert said(stage, to="ana@a.example")[0] == ("11 22:00", "agent_notice")  # agents are told at once
    assert all(state == "sent" for _, state, _ in rows(stage, visit))


def test_a_cancellation_that_the_morning_would_make_too_late_is_told_in_the_night() -> None:
    stage = stage_of(place(quiet_hours=(time(21), time(8))), start=at(11, 12))
    visit = booked(stage, at(12, 8, 0), contact=EVA)
    until(stage, at(11, 23))
    done(stage, visit.id, Cancel(by=CancelReason.AGENT), "agent:ana")
    stage.settle()
    assert said(stage)[-1] == ("11 23:00", "cancellation")


# --- moves, cancellations -------------------------------------------------------------------------------------------


def test_a_moved_visit_is_told_of_once_and_reminded_of_at_its_new_time_alone() -> None:
    stage = stage_of()
    visit = booked(stage, at(12, 10), contact=EVA)
    until(stage, at(11, 11))
    stage.cycle()
    done(stage, visit.id, Move(start=at(14, 16)))
    until(stage, at(14, 15))
    assert said(stage) == [
        ("04 08:00", "booking_info"),
        ("11 10:00", "confirmation_request"),
        ("11 11:00", "update"),
        ("13 16:00", "confirmation_request"),
        ("14 08:00", "reminder"),
    ]
    late = [letter for moment, letter in carrier(stage).taken if moment >= at(11, 11)]
    assert all(at(14, 16).isoformat() in letter.text for letter in late)


def test_what_waited_with_the_old_time_is_never_sent() -> None:
    stage = stage_of()
    carrier(stage).down = True
    visit = booked(stage, at(12, 10), contact=EVA)
    stage.settle()
    done(stage, visit.id, Move(start=at(14, 16)))
    done(stage, visit.id, Move(start=at(13, 16)))
    carrier(stage).down = False
    until(stage, at(4, 12))
    assert [letter.text for _, letter in carrier(stage).taken if letter.to == EVA.email] == [
        f"update {at(13, 16).isoformat()}"
    ]
    assert rows(stage, visit) == [
        ("booking_info", "skipped", "superseded"),
        ("update", "skipped", "superseded"),
        ("update", "sent", ""),
    ]


def test_a_move_while_the_letter_is_written_has_it_written_anew() -> None:
    stage = stage_of()
    visit = booked(stage, at(12, 10), contact=EVA)
    stage.reaper.wants = lambda name: (
        (name == "M1" and not stage.visit(visit.id).version > 1 and bool(done(stage, visit.id, Move(start=at(13, 9)))))
        and False
    )
    stage.settle()
    until(stage, at(4, 9))
    assert {letter.text for _, letter in carrier(stage).taken if letter.to == EVA.email} == {
        f"update {at(13, 9).isoformat()}"
    }


def test_agents_who_come_along_hear_of_every_change() -> None:
    """R010-R012."""
    stage = stage_of()
    visit = booked(stage, at(12, 10), contact=EVA, host="ana")
    done(stage, visit.id, Participants(add=(AgentId("beto"),)))
    until(stage, at(4, 9))
    done(stage, visit.id, Cancel(by=CancelReason.AGENT), "agent:ana")
    stage.settle()
    assert said(stage, to="beto@a.example") == [("04 09:00", "agent_notice")]


@pytest.mark.parametrize(
    ("by", "enabled", "told", "called"),
    [
        (CancelReason.AGENT, True, True, False),
        (CancelReason.AGENT, False, False, True),
        (CancelReason.STAFF, False, False, True),
        (CancelReason.CLIENT, True, True, False),
        (CancelReason.CLIENT, False, False, False),
    ],
)
def test_who_hears_of_a_cancellation(by: CancelReason, enabled: bool, told: bool, called: bool) -> None:
    """T10, C4: never silent on both."""
    stage = stage_of(place(messages=[MessageRule(kind="cancellation", enabled=enabled)]))
    visit = booked(stage, at(12, 10), contact=EVA)
    until(stage, at(4, 9))
    done(stage, visit.id, Cancel(by=by), "staff:carla")
    stage.settle()
    done(stage, visit.id, Cancel(by=by), "staff:carla")  # a second cancel changes nothing
    stage.settle()
    assert (("04 09:00", "cancellation") in said(stage)) is told
    assert tasks(stage, visit.id).count("call_task") == int(called)
    assert ("04 09:00", "agent_notice") in said(stage, to="ana@a.example")
    assert len(said(stage)) == 1 + int(told)


def test_a_cancellation_says_the_agencys_own_words_over_the_medium_it_chose() -> None:
    stage = stage_of(place(), "email", "whatsapp")
    visit = booked(stage, at(12, 10), contact=EVA)
    until(stage, at(4, 9))
    done(stage, visit.id, Cancel(by=CancelReason.AGENT, message="Lo sentimos", rebook_link=True, channel="whatsapp"))
    stage.settle()
    ((_, letter),) = carrier(stage, "whatsapp").taken
    assert letter.to == EVA.phone and letter.text.endswith("Lo sentimos")
    (row,) = [one for one in stage.notices("message", "cancellation") if one.to == "client"]
    assert row.body == {"message": "Lo sentimos", "rebook_link": True, "channel": "whatsapp"}


# --- ways -----------------------------------------------------------------------------------------------------------


def test_the_first_way_that_reaches_the_person_is_taken() -> None:
    rule = MessageRule(kind="booking_info", channels=("whatsapp", "sms", "email"))
    for contact, channel in (
        (EVA, "whatsapp"),
        (replace(EVA, phone=None), "email"),
        (replace(EVA, phone="12345"), "email"),
    ):
        stage = stage_of(place(messages=[rule]), "email", "whatsapp")
        booked(stage, at(12, 10), contact=contact)
        stage.settle()
        assert [(letter.kind, letter.channel.value) for _, letter in carrier(stage, channel).taken][:1] == [
            ("booking_info", channel)
        ]


def test_a_way_that_is_refused_for_good_gives_way_to_the_next_and_the_last_to_a_task() -> None:
    rule = MessageRule(kind="booking_info", channels=("whatsapp", "email"))
    stage = stage_of(place(messages=[rule]), "email", "whatsapp")
    carrier(stage, "whatsapp").refuses = {EVA.phone or ""}
    first = booked(stage, at(12, 10), contact=EVA)
    stage.settle()
    assert said(stage) == [("04 08:00", "booking_info")]
    carrier(stage).refuses = {EVA.email or ""}
    second = booked(stage, at(13, 10), contact=EVA)
    stage.settle()
    assert rows(stage, first) == [("booking_info", "sent", "")]
    assert rows(stage, second) == [("booking_info", "failed", "no such address")]
    assert tasks(stage, second.id) == ["undelivered"]


def test_nobody_is_silently_untold() -> None:
    stage = stage_of(place(), "sms")
    visit = booked(stage, at(12, 10), contact=replace(EVA, phone=None))
    stage.settle()
    assert rows(stage, visit) == [("booking_info", "skipped", "no_channel")]
    assert tasks(stage, visit.id) == ["undelivered"]
    assert rows(stage, visit, to="agent:ana") == [("agent_notice", "sent", "")]  # a notice in the own view


def test_an_installation_without_messengers_is_one_alert_until_there_is_one() -> None:
    stage = Stage(place())
    stage.cycle()
    first, second = booked(stage, at(12, 10), contact=EVA), booked(stage, at(13, 10), contact=EVA)
    done(stage, second.id, Cancel(by=CancelReason.STAFF), "staff")
    stage.settle()
    assert rows(stage, first) == [("booking_info", "skipped", "no_channel")]
    assert ("cancellation", "skipped", "no_channel") in rows(stage, second)
    assert [(one.about, one.state) for one in stage.notices("alert", "no_messenger")] == [("messages", "open")]
    stage.carrier("operator", AccountId("alerts:1"))
    stage.cycle()
    assert [one.state for one in stage.notices("alert", "no_messenger")] == ["open"]
    stage.carrier("email")
    stage.cycle()
    assert [one.state for one in stage.notices("alert", "no_messenger")] == ["closed"]
    assert len(stage.notices("alert", "no_messenger_recovered")) == 1


def test_a_message_that_is_switched_off_is_missed_by_nobody() -> None:
    stage = Stage(place(messages=[MessageRule(kind="booking_info", enabled=False)]))
    stage.cycle()
    booked(stage, at(12, 10), contact=EVA)
    stage.settle()
    assert stage.notices("alert") == []


def test_who_asked_for_no_messages_gets_none_and_staff_know() -> None:
    stage = stage_of(place(), "email", "sms")
    stage.store.write(lambda tx: tx.outbox.opt_out("Eva@example.com", stage.clock.now()))
    visit = booked(stage, at(12, 10), contact=replace(EVA, phone=None))
    stage.settle()
    assert rows(stage, visit) == [("booking_info", "skipped", "opted_out")]
    assert tasks(stage, visit.id) == ["undelivered"]
    stage.store.write(lambda tx: tx.outbox.opt_in("eva@example.com"))
    other = booked(stage, at(13, 10), contact=replace(EVA, phone=None))
    stage.settle()
    assert rows(stage, other) == [("booking_info", "sent", "")]


def test_an_opt_out_holds_however_the_address_is_written() -> None:
    stage = stage_of(place(), "email")
    opt_out.note_opt_out(stage.ctx, opt_out.read_email_address("eva@b\u00fccher.example"))
    visit = booked(stage, at(12, 10), contact=replace(EVA, email="Eva@xn--bcher-kva.example", phone=None))
    stage.settle()
    assert rows(stage, visit) == [("booking_info", "skipped", "opted_out")]


def test_a_task_said_for_later_opens_at_its_moment_and_an_unknown_way_reaches_nobody() -> None:
    stage = stage_of()
    later = Notice(key="t", channel="task", kind="call_task", about="proposal:1", to="agent:ana", due_at=at(4, 9))
    wrong = Notice(key="w", channel="pigeon", kind="call_task", about="proposal:1", to="agent:ana", due_at=at(4, 9))
    stage.store.write(lambda tx: [tx.queue.say(one) for one in (later, wrong)])
    until(stage, at(4, 8, 59))
    assert [one.state for one in stage.notices("task")] == ["scheduled"]
    until(stage, at(4, 9))
    assert [one.state for one in stage.notices("task")] == ["open"]
    assert [(one.state, one.reason) for one in stage.notices("pigeon")] == [("skipped", "no_channel")]


def test_a_dead_service_holds_up_only_itself() -> None:
    rule = MessageRule(kind="booking_info", channels=("whatsapp",))
    stage = stage_of(place(messages=[rule]), "email", "whatsapp")
    carrier(stage, "whatsapp").down = True
    booked(stage, at(12, 10), contact=EVA)
    until(stage, at(4, 9))
    assert said(stage, to="ana@a.example") == [("04 08:00", "agent_notice")]
    assert carrier(stage, "whatsapp").taken == []
    assert [one.kind for one in stage.notices("alert", state="open")] == ["account_down"]
    carrier(stage, "whatsapp").down = False
    until(stage, at(4, 10))
    assert len(carrier(stage, "whatsapp").taken) == 1
    assert stage.notices("alert", state="open") == []


def test_after_an_outage_only_what_is_still_useful_leaves_in_order() -> None:
    before = MessageTime(anchor=Anchor.START, offset=timedelta(hours=-3))
    stage = stage_of(place(messages=[MessageRule(kind="reminder", when=before, to=("client",))]))
    past = booked(stage, at(12, 11), contact=EVA)
    ahead = [booked(stage, at(12, hour), contact=EVA) for hour in (14, 15, 16)]
    until(stage, at(12, 7, 30))
    carrier(stage).taken.clear()
    carrier(stage).down = True
    until(stage, at(12, 13, 30))
    carrier(stage).down = False
    until(stage, at(12, 14))
    kinds = [(letter.kind, letter.key.split(":")[2]) for _, letter in carrier(stage).taken if letter.to == EVA.email]
    reminders = [("reminder", one.id) for one in ahead]
    assert kinds[:4] == [reminders[0], ("cancellation", past.id), *reminders[1:]]
    assert ("reminder", "skipped", "too_late") in rows(stage, past)


def test_a_refused_sign_in_keeps_every_message() -> None:
    stage = stage_of()

    def refuse() -> str:
        raise AuthFailed("535")

    carrier(stage).next_fault = refuse
    visit = booked(stage, at(12, 10), contact=EVA)
    until(stage, at(4, 9))
    assert rows(stage, visit) == [("booking_info", "scheduled", "535")]
    carrier(stage).next_fault = lambda: ""
    until(stage, at(4, 10))
    assert rows(stage, visit) == [("booking_info", "sent", "")]


# --- clocks, jumps, restores ----------------------------------------------------------------------------------------


def test_after_a_jump_over_everything_nothing_useless_is_said_and_each_thing_has_its_reason() -> None:
    stage = stage_of()
    visit = booked(stage, at(12, 10), contact=EVA)
    stage.settle()
    stage.clock.advance(at(13, 15) - stage.clock.now())
    stage.settle()
    assert [kind for _, kind in said(stage)] == ["booking_info"]
    skipped = [(kind, reason) for kind, state, reason in rows(stage, visit) if state == "skipped"]
    assert skipped == [
        ("confirmation_request", "too_late"),
        ("reminder", "too_late"),
        ("no_show_follow_up", "too_late"),
    ]


def test_a_clock_set_back_repeats_nothing() -> None:
    stage = stage_of()
    booked(stage, at(12, 10), contact=EVA)
    until(stage, at(12, 8, 30))
    before = list(carrier(stage).taken)
    stage.clock.advance(-timedelta(hours=1))
    stage.cycle()
    until(stage, at(12, 8, 40))
    assert carrier(stage).taken == before


def test_messages_of_the_gap_after_a_restore_are_not_sent() -> None:
    stage = stage_of()
    visit = booked(stage, at(12, 10), contact=EVA)
    until(stage, at(11, 9))
    image = stage.store.snapshot()
    until(stage, at(11, 12))
    stage.store.load(image)
    until_now = stage.clock.now().isoformat()
    stage.store.write(lambda tx: tx.accounts.put("syncd", "messages_silent_until", until_now))  # type: ignore[arg-type]
    until(stage, at(12, 9))
    assert carrier(stage).keys().most_common(1)[0][1] == 1
    assert ("confirmation_request", "skipped", "restored") in rows(stage, visit)
    assert ("reminder", "sent", "") in rows(stage, visit)


# --- what nobody knows ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "times", "state"), [("email", 2, "sent"), ("sms", 1, "unknown"), ("whatsapp", 1, "unknown")]
)
def test_an_answer_that_was_lost(channel: str, times: int, state: str) -> None:
    """A mail goes again under the same name; nothing else does: staff are told."""
    stage = stage_of(place(messages=[MessageRule(kind="booking_info", channels=(channel,))]), channel)
    lost = iter(["lose"])
    carrier(stage, channel).next_fault = lambda: next(lost, "")
    visit = booked(stage, at(12, 10), contact=EVA)
    until(stage, at(4, 9))
    told = taken_of(stage, channel, visit)
    assert told == {f"message:booking_info:{visit.id}:1:client": times}
    assert rows(stage, visit)[0][1] == state
    assert ("unknown_message" in tasks(stage, visit.id)) is (state == "unknown")
    assert bool(stage.notices("alert", "message_unknown")) is (state == "unknown")


def taken_of(stage: Stage, channel: str, visit: Visit) -> dict[str, int]:
    return {key: count for key, count in carrier(stage, channel).keys().items() if key.endswith("client")}


def test_a_message_that_cannot_be_written_holds_up_nobody_behind_it() -> None:
    stage = stage_of()
    words = stage.ctx.compose

    def broken(ctx: Any, visit: Any, kind: str, channel: Channel, to: str, body: Any) -> Any:
        if kind == "booking_info":
            raise ValueError("no such variable")
        return words(ctx, visit, kind, channel, to, body)

    stage.ctx = replace(stage.ctx, compose=broken)
    visit = booked(stage, at(12, 10), contact=EVA)
    until(stage, at(4, 12))
    assert rows(stage, visit) == [("booking_info", "failed", "it cannot be written")]
    assert said(stage, to="ana@a.example") and stage.dead() == []
    assert [one.kind for one in stage.notices("alert", state="open")] == ["message_broken"]


# --- receipts -------------------------------------------------------------------------------------------------------


def report(stage: Stage, remote_id: str, state: Sent) -> int:
    now = stage.clock.now()
    told = [Report(remote_id=remote_id, state=state, at=now)]
    return stage.store.write(lambda tx: receipts.note_reports(stage.ctx, tx, next(iter(stage.carriers)), told, now))


def test_reports_only_go_forward() -> None:
    stage = stage_of()
    visit = booked(stage, at(12, 10), contact=EVA)
    stage.settle()
    (mine,) = [one for one in history(stage, visit) if one.to == "client"]
    assert [report(stage, mine.remote_id, one) for one in (Sent.READ, Sent.DELIVERED, Sent.READ)] == [1, 0, 0]
    assert rows(stage, visit) == [("booking_info", "read", "")]
    assert report(stage, mine.remote_id, Sent.FAILED) == 1
    assert tasks(stage, visit.id) == ["undelivered"]


def test_a_report_may_come_before_the_answer_was_read() -> None:
    stage = stage_of()
    visit = booked(stage, at(12, 10), contact=EVA)
    assert report(stage, "email-1", Sent.DELIVERED) == 0
    assert report(stage, "email-2", Sent.DELIVERED) == 0
    stage.settle()
    assert {state for _, state, _ in rows(stage, visit)} == {"delivered"}


def test_a_services_call_brings_its_reports_and_a_repeat_of_it_changes_nothing() -> None:
    stage = stage_of()
    visit = booked(stage, at(12, 10), contact=EVA)
    stage.settle()
    (account,) = stage.carriers
    (mine,) = [one for one in history(stage, visit) if one.to == "client"]
    read = Report(remote_id=mine.remote_id, state=Sent.READ, at=stage.clock.now())
    parts = stage.ctx.accounts[account]
    stage.ctx.accounts[account] = replace(parts, hook=lambda call: Delivery(key="r1"), reports=lambda call: [read])
    for _ in range(2):
        assert stage.hooks.judge(stage.ctx, account, [], b"{}").status_code == 204
    assert rows(stage, visit) == [("booking_info", "read", "")]


# --- releases -------------------------------------------------------------------------------------------------------


def free_hosts(stage: Stage, start: datetime) -> int:
    """Return how many hosts are offered at a start."""
    found = offered(stage, Interval(start, start + timedelta(hours=1)))
    return next((one.hosts_free for one in found if one.interval.start == start), 0)


def test_a_no_show_frees_the_rest_of_the_visit_tells_the_agent_and_offers_the_time_again() -> None:
    half = replace(LONG, increment=timedelta(minutes=30))
    stage = stage_of(place(half))
    visit = booked(stage, at(12, 10), contact=EVA, host="ana")
    other = booked(stage, at(12, 10), contact=EVA, host="beto")
    until(stage, at(12, 10, 10))
    done(stage, other.id, Attend(attendance=Attendance.PRESENT), "agent:beto")
    until(stage, at(12, 10, 29))
    stage.cycle()
    assert free_hosts(stage, at(12, 10, 30)) == 0
    until(stage, at(12, 10, 30))
    assert free_hosts(stage, at(12, 10, 30)) == 1
    gone = stage.visit(visit.id)
    assert (gone.state, gone.holds, gone.attendance) == (VisitState.CANCELLED, False, Attendance.NO_SHOW)
    assert said(stage, to="ana@a.example")[-1] == ("12 10:30", "release_notice")
    assert stage.visit(other.id).state is VisitState.CONFIRMED


UNCONFIRMED = replace(LONG, unconfirmed_release=timedelta(hours=2))


def test_an_unconfirmed_visit_is_given_up_before_its_start_and_its_slot_offered_again() -> None:
    stage = stage_of(place(UNCONFIRMED))
    visit = booked(stage, at(12, 10), contact=EVA, host="ana")
    until(stage, at(12, 7, 59))
    stage.cycle()
    assert free_hosts(stage, at(12, 10)) == 1
    until(stage, at(12, 8, 0))
    assert free_hosts(stage, at(12, 10)) == 2
    assert stage.visit(visit.id).cancel_reason is CancelReason.UNCONFIRMED
    assert said(stage)[-1] == ("12 08:00", "cancellation")
    assert said(stage, to="ana@a.example")[-1] == ("12 08:00", "release_notice")


@pytest.mark.parametrize("how", ["confirmed", "never asked", "daemon was down"])
def test_a_visit_is_not_given_up(how: str) -> None:
    rules = [MessageRule(kind="confirmation_request", enabled=False)] if how == "never asked" else []
    stage = stage_of(place(replace(UNCONFIRMED, no_show=NoShowRule()), rules))
    visit = booked(stage, at(12, 10), contact=EVA)
    until(stage, at(11, 12))
    if how == "confirmed":
        done(stage, visit.id, Confirm(), "client")
    if how == "daemon was down":
        stage.clock.advance(at(12, 10, 1) - stage.clock.now())
    until(stage, at(12, 12))
    assert stage.visit(visit.id).state is VisitState.CONFIRMED


def test_a_task_follows_the_visit_to_its_new_host() -> None:
    stage = stage_of()
    visit = booked(stage, at(12, 10), contact=EVA, host="ana")
    until(stage, at(12, 7, 30))
    stage.cycle()
    done(stage, visit.id, Reassign(host=AgentId("beto")))
    stage.settle()
    assert [(one.to, one.state) for one in stage.notices("task", "unconfirmed_task")] == [
        ("ana", "done"),
        ("beto", "open"),
    ]


APPROVED = replace(LONG, approval=True, pending_expires=timedelta(hours=4))


def in_words(stage: Stage) -> Stage:
    """Let the stage write whole letters, as an installation does."""
    stage.ctx = replace(stage.ctx, compose=compose, link_key=lambda: b"k" * 32)
    return stage


def last(stage: Stage) -> Letter:
    return [one for _, one in carrier(stage).taken if one.to == "eva@example.com"][-1]


def test_a_client_hears_that_a_visit_waits_and_later_that_it_is_booked() -> None:
    stage = in_words(stage_of(place(APPROVED)))
    visit = booked(stage, at(12, 10), contact=EVA)
    stage.settle()
    letter = last(stage)
    assert (letter.kind, letter.calendar) == ("request_received", "")
    assert "espera aprobación" in letter.text and "/v/" in letter.text
    assert "a más tardar el lunes, 4 de mayo de 2026 a las 12:00" in letter.text
    done(stage, visit.id, Approve())
    stage.settle()
    assert [kind for _, kind in said(stage)] == ["request_received", "booking_info"]


def test_a_visit_that_is_approved_before_anything_was_said_is_told_of_once() -> None:
    stage = stage_of(place(APPROVED))
    visit = booked(stage, at(12, 10), contact=EVA)
    done(stage, visit.id, Approve())
    stage.settle()
    assert [kind for _, kind in said(stage)] == ["booking_info"]
    assert ("request_received", "skipped", "superseded") in rows(stage, visit)


def test_whoever_is_not_approved_is_told_so_and_why() -> None:
    stage = in_words(stage_of(place(APPROVED)))
    visit = booked(stage, at(12, 10), contact=EVA)
    done(stage, visit.id, Reject(message="No hay llaves ese día."))
    stage.settle()
    letter = last(stage)
    assert "no pudo ser aprobada" in letter.subject and "no pudo ser aprobada" in letter.text
    assert "No hay llaves ese día." in letter.text and "cancelada" not in letter.text
    assert "escriba a" not in letter.text


@pytest.mark.parametrize("by", [CancelReason.STAFF, CancelReason.AGENT])
def test_a_cancellation_says_what_its_sender_wrote(by: CancelReason) -> None:
    stage = in_words(stage_of())
    visit = booked(stage, at(12, 10), contact=EVA)
    done(stage, visit.id, Cancel(by=by, message="Se cortó el agua.", reason="corte"))
    stage.settle()
    letter = last(stage)
    assert "Se cortó el agua." in letter.text and "cancelada" in letter.text and "corte" not in letter.text
    assert "escriba a" not in letter.text and "/v/" not in letter.text


def test_a_quiet_plan_leaves_one_name_in_the_queue_for_each_visit() -> None:
    stage = stage_of()
    for hour in (9, 12, 15):
        booked(stage, at(12, hour), contact=EVA)
    until(stage, at(4, 9))
    assert claimed(stage, at(11, 8, 59)) == []
    assert len(claimed(stage, at(12, 0))) == 3


def claimed(stage: Stage, now: datetime) -> list[Work]:
    """Return what of the messages would be looked at by a moment."""
    kinds = (WorkKind.REMIND, WorkKind.SEND)
    return stage.store.write(lambda tx: tx.queue.claim(now, timedelta(1), kinds=kinds, limit=100))
