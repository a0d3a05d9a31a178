"""Which command is possible in which state, and what it leaves behind."""

from dataclasses import replace
from datetime import timedelta

import pytest

from syncd.core.ids import AgentId
from syncd.core.limits import PARTICIPANTS
from syncd.core.transition import TRANSITIONS, UNDO, decide, guard_of
from syncd.core.visit import (
    Approve,
    Attend,
    Attendance,
    Cancel,
    CancelReason,
    ClientConfirmation,
    Command,
    Confirm,
    Conflict,
    ConflictReason,
    Contact,
    Move,
    Participants,
    Reassign,
    Refused,
    Reinstate,
    Reject,
    Visit,
    VisitState,
)
from tests.core.values import NOW, STANDARD, TUESDAY, span, visit

COMMANDS: list[Command] = [
    Approve(),
    Reject(),
    Confirm(),
    Cancel(by=CancelReason.CLIENT),
    Reinstate(cancelled_at=NOW, state=VisitState.CONFIRMED),
    Move(start=TUESDAY + timedelta(hours=1)),
    Reassign(host=AgentId("beto")),
    Participants(add=(AgentId("beto"),)),
    Attend(attendance=Attendance.PRESENT),
]


def done(outcome: Visit | Refused) -> Visit:
    assert isinstance(outcome, Visit)
    return outcome


def test_the_table_names_every_command() -> None:
    assert {type(one) for one in COMMANDS} == set(TRANSITIONS)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("state", [one for one in VisitState if one is not VisitState.DONE])
def test_every_pair_of_state_and_command_acts_idles_or_is_refused(state: VisitState, command: Command) -> None:
    reason = CancelReason.CLIENT if state is VisitState.CANCELLED else None
    before = visit(state=state, holds=state in (VisitState.PENDING, VisitState.CONFIRMED), cancel_reason=reason)
    now = TUESDAY + timedelta(minutes=5) if isinstance(command, Attend) else NOW
    outcome = decide(before, command, STANDARD, now)
    acts, idle = TRANSITIONS[type(command)]
    if state in idle:
        assert outcome == before
    elif state in acts:
        assert isinstance(outcome, Visit) and outcome != before
    else:
        assert isinstance(outcome, Refused) and outcome.reason == "illegal-state"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: type(one).__name__)
def test_repeating_a_command_changes_nothing_more_or_is_refused(command: Command) -> None:
    before = visit(state=VisitState.PENDING if isinstance(command, Approve | Reject) else VisitState.CONFIRMED)
    now = TUESDAY + timedelta(minutes=5) if isinstance(command, Attend) else NOW
    once = done(decide(before, command, STANDARD, now))
    assert decide(once, command, STANDARD, now) == once


def test_a_cancelled_visit_holds_nothing() -> None:
    after = done(decide(visit(), Cancel(by=CancelReason.CLIENT, message="no puedo"), STANDARD, NOW))
    assert (after.state, after.holds, after.cancel_reason, after.cancel_message) == (
        VisitState.CANCELLED,
        False,
        CancelReason.CLIENT,
        "no puedo",
    )


def test_the_words_of_who_cancels_are_kept_unless_the_client_is_told_others() -> None:
    mine = done(decide(visit(), Cancel(by=CancelReason.CLIENT, reason="estoy enferma"), STANDARD, NOW))
    assert (mine.cancel_message, mine.client_confirmation) == ("estoy enferma", ClientConfirmation.NO)
    both = Cancel(by=CancelReason.STAFF, message="lo sentimos", reason="sin luz")
    ours = done(decide(visit(), both, STANDARD, NOW))
    assert (ours.cancel_message, ours.client_confirmation) == ("lo sentimos", ClientConfirmation.NONE)


@pytest.mark.parametrize("state", [VisitState.PENDING, VisitState.CONFIRMED])
@pytest.mark.parametrize("holds", [True, False])
def test_a_cancellation_that_is_taken_back_leaves_the_visit_as_it_was(state: VisitState, holds: bool) -> None:
    kind = replace(STANDARD, pending_holds=holds)
    expires = NOW + timedelta(hours=5) if state is VisitState.PENDING else None
    before = visit(
        state=state,
        holds=holds or state is VisitState.CONFIRMED,
        client_confirmation=ClientConfirmation.YES,
        pending_expires_at=expires,
    )
    cancelled = done(decide(before, Cancel(by=CancelReason.CLIENT, reason="x"), kind, NOW))
    back = Reinstate(
        cancelled_at=NOW, state=state, client_confirmation=ClientConfirmation.YES, pending_expires_at=expires
    )
    assert decide(cancelled, back, kind, NOW + UNDO) == before
    assert decide(before, back, kind, NOW + UNDO) == before, "taken back twice"


def refused_back(cancelled: Visit, state: VisitState = VisitState.CONFIRMED, **later: float) -> str:
    command = Reinstate(cancelled_at=NOW, state=state, pending_expires_at=NOW + timedelta(minutes=5))
    outcome = decide(cancelled, command, STANDARD, NOW + timedelta(**later))
    assert isinstance(outcome, Refused) and outcome.reason == "illegal-state"
    return outcome.detail


def test_only_the_client_s_own_fresh_cancellation_of_a_visit_that_held_can_be_taken_back() -> None:
    mine = done(decide(visit(), Cancel(by=CancelReason.CLIENT), STANDARD, NOW))
    assert "ten minutes" in refused_back(mine, minutes=10, seconds=1)
    assert "ten minutes" in refused_back(replace(mine, interval=span(NOW)), minutes=0)
    assert "held no time" in refused_back(mine, VisitState.CONFLICT, minutes=1)
    assert "held no time" in refused_back(mine, VisitState.PENDING, minutes=6)
    theirs = done(decide(visit(), Cancel(by=CancelReason.AGENT), STANDARD, NOW))
    assert "client" in refused_back(theirs, minutes=1)


@pytest.mark.parametrize(
    ("hours_before", "hours_since_booking", "late"),
    [(25, 48, False), (23, 48, True), (13, 0.4, False), (13, 0.6, True)],
)
def test_late_cancellations_are_marked_except_within_the_grace(
    hours_before: float, hours_since_booking: float, late: bool
) -> None:
    now = TUESDAY - timedelta(hours=hours_before)
    booked = visit(booked_at=now - timedelta(hours=hours_since_booking))
    assert done(decide(booked, Cancel(by=CancelReason.CLIENT), STANDARD, now)).cancelled_late is late


def test_a_move_keeps_identity_and_length_and_asks_for_a_new_confirmation() -> None:
    before = visit(client_confirmation=ClientConfirmation.YES)
    start = TUESDAY + timedelta(days=1)
    after = done(decide(before, Move(start=start), STANDARD, NOW))
    assert (after.id, after.interval, after.guard) == (before.id, span(start), span(start, 30))
    assert after.client_confirmation is ClientConfirmation.NONE
    assert after.host == before.host


def test_a_lost_booking_that_gets_a_new_time_holds_again() -> None:
    lost = visit(state=VisitState.CONFLICT, holds=False, conflict=Conflict(reason=ConflictReason.SLOT_TAKEN, since=NOW))
    after = done(decide(lost, Move(start=TUESDAY + timedelta(hours=3)), STANDARD, NOW))
    assert (after.state, after.holds, after.conflict) == (VisitState.CONFIRMED, True, None)


def test_the_host_is_no_participant_to_be_removed() -> None:
    refused = decide(visit(), Participants(remove=(AgentId("ana"),)), STANDARD, NOW)
    assert isinstance(refused, Refused) and refused.reason == "protected-field"


def test_attendance_waits_for_the_start() -> None:
    refused = decide(visit(), Attend(attendance=Attendance.PRESENT), STANDARD, TUESDAY - timedelta(seconds=1))
    assert isinstance(refused, Refused)
    assert (
        done(decide(visit(), Attend(attendance=Attendance.NO_SHOW), STANDARD, TUESDAY)).attendance is Attendance.NO_SHOW
    )


def test_a_visit_that_is_over_is_done_and_cannot_be_moved() -> None:
    over = visit()
    assert over.state_at(over.interval.end) is VisitState.DONE
    assert over.state_at(over.interval.end - timedelta(seconds=1)) is VisitState.CONFIRMED
    assert isinstance(decide(over, Move(start=TUESDAY), STANDARD, over.interval.end), Refused)


def test_the_guard_adds_the_buffers() -> None:
    kind = replace(STANDARD, buffer_before=timedelta(minutes=15))
    guard = guard_of(span(TUESDAY), kind)
    assert guard.start == TUESDAY - timedelta(minutes=15)
    assert guard.end == TUESDAY + timedelta(minutes=30)
    assert guard_of(span(TUESDAY), None) == span(TUESDAY)


def test_further_contacts_come_and_go_by_address_and_the_booker_stays() -> None:
    aunt = Contact(name="Tía Rosa", email="rosa@example.com")
    joined = done(decide(visit(), Participants(add_contacts=(aunt, aunt, visit().contact)), STANDARD, NOW))
    assert joined.extra_contacts == (aunt,)
    left = decide(joined, Participants(remove_contacts=("ROSA@example.com", "nobody@example.com")), STANDARD, NOW)
    assert done(left).extra_contacts == ()
    refused = decide(joined, Participants(remove_contacts=("Eva@Example.com",)), STANDARD, NOW)
    assert isinstance(refused, Refused) and refused.reason == "protected-field"


def test_a_visit_has_room_for_a_limited_number_of_people() -> None:
    crowd = tuple(Contact(name=f"n{n}", email=f"n{n}@example.com") for n in range(PARTICIPANTS))
    full = done(decide(visit(), Participants(add_contacts=crowd), STANDARD, NOW))
    refused = decide(full, Participants(add=(AgentId("beto"),)), STANDARD, NOW)
    assert isinstance(refused, Refused) and refused.reason == "invalid"
