"""What each command does to a visit, and when it is refused. Time conflicts are not judged here: the store and
availability do."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from syncd.core.event_type import EventType
from syncd.core.interval import Interval
from syncd.core.limits import PARTICIPANTS
from syncd.core.visit import (
    Approve,
    Attend,
    Attendance,
    Cancel,
    CancelReason,
    ClientConfirmation,
    Command,
    Confirm,
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

UNDO = timedelta(minutes=10)  # how long a client may take a cancellation back

P, C, X, K, D = (
    VisitState.PENDING,
    VisitState.CONFIRMED,
    VisitState.CONFLICT,
    VisitState.CANCELLED,
    VisitState.DONE,
)

# command -> the states in which it acts; in the states after the bar it has nothing left to do
TRANSITIONS: dict[type[Command], tuple[frozenset[VisitState], frozenset[VisitState]]] = {
    Approve: (frozenset({P}), frozenset({C, D})),
    Reject: (frozenset({P}), frozenset({K})),
    Confirm: (frozenset({P, C}), frozenset()),
    Cancel: (frozenset({P, C, X}), frozenset({K})),
    Reinstate: (frozenset({K}), frozenset({P, C, D})),
    Move: (frozenset({P, C, X}), frozenset()),
    Reassign: (frozenset({P, C, X}), frozenset()),
    Participants: (frozenset({P, C, X}), frozenset()),
    Attend: (frozenset({C, D}), frozenset()),
}


def guard_of(interval: Interval, event_type: EventType | None) -> Interval:
    """Return the time a visit of this type holds: its interval and its buffers."""
    if event_type is None:
        return interval
    return interval.pad(event_type.buffer_before, event_type.buffer_after)


def decide(visit: Visit, command: Command, event_type: EventType | None, now: datetime) -> Visit | Refused:
    """Return the visit after the command, the same visit where nothing is left to do, or why not.

    Repeating a command is harmless: approving an approved visit or cancelling a cancelled one changes nothing.
    """
    acts, idle = TRANSITIONS[type(command)]
    state = visit.state_at(now)
    if state in idle:
        return visit
    if state not in acts:
        return Refused(reason="illegal-state", detail=f"the visit is {state.value}")
    return _apply(visit, command, event_type, now)


def _apply(visit: Visit, command: Command, event_type: EventType | None, now: datetime) -> Visit | Refused:
    match command:
        case Approve():
            return replace(visit, state=C, holds=True, pending_expires_at=None)
        case Reject(message=message):
            return _cancelled(visit, CancelReason.REJECTED, message, late=False)
        case Confirm():
            return replace(visit, client_confirmation=ClientConfirmation.YES)
        case Cancel(by=by, message=message, reason=reason):
            return _declined(_cancelled(visit, by, message or reason, late=is_late(visit, event_type, now)))
        case Reinstate():
            return _reinstated(visit, command, event_type, now)
        case Move():
            return _moved(visit, command, event_type)
        case Reassign(host=host):
            return _settled(replace(visit, host=host))
        case Participants():
            return _joined(visit, command)
        case Attend(attendance=attendance):
            return _attended(visit, attendance, now)


def is_late(visit: Visit, event_type: EventType | None, now: datetime) -> bool:
    """Tell whether cancelling now breaks the notice; never within the grace after booking (C6)."""
    if event_type is None or now - visit.booked_at <= event_type.cancel_grace:
        return False
    return visit.interval.start - now < event_type.cancel_notice


def _cancelled(visit: Visit, reason: CancelReason, message: str, *, late: bool) -> Visit:
    return replace(
        visit,
        state=K,
        holds=False,
        conflict=None,
        cancel_reason=reason,
        cancel_message=message,
        cancelled_late=late,
        pending_expires_at=None,
    )


def _declined(visit: Visit) -> Visit:
    """A client who cancels has answered the question whether they come (C13)."""
    if visit.cancel_reason is not CancelReason.CLIENT:
        return visit
    return replace(visit, client_confirmation=ClientConfirmation.NO)


def _reinstated(visit: Visit, command: Reinstate, event_type: EventType | None, now: datetime) -> Visit | Refused:
    """Whether the time is still free is for the store and availability to say: the visit held nothing meanwhile."""
    if visit.cancel_reason is not CancelReason.CLIENT:
        return Refused(reason="illegal-state", detail="only what the client cancelled can be taken back")
    if now - command.cancelled_at > UNDO or now >= visit.interval.start:
        return Refused(reason="illegal-state", detail="a cancellation can be taken back for ten minutes")
    if command.state not in (P, C) or (command.pending_expires_at is not None and command.pending_expires_at <= now):
        return Refused(reason="illegal-state", detail="the visit held no time before it was cancelled")
    return replace(
        visit,
        state=command.state,
        holds=command.state is C or event_type is None or event_type.pending_holds,
        cancel_reason=None,
        cancel_message="",
        cancelled_late=False,
        client_confirmation=command.client_confirmation,
        pending_expires_at=command.pending_expires_at,
    )


def _moved(visit: Visit, command: Move, event_type: EventType | None) -> Visit:
    interval = Interval(command.start, command.start + visit.interval.length)
    moved = replace(visit, interval=interval, guard=guard_of(interval, event_type), host=command.host or visit.host)
    if interval != visit.interval:
        moved = replace(moved, client_confirmation=ClientConfirmation.NONE, attendance=Attendance.UNKNOWN)
    return _settled(moved)


def _settled(visit: Visit) -> Visit:
    """A visit that got a new time or host leaves the state `conflict` and holds again."""
    if visit.state is X:
        return replace(visit, state=C, holds=True, conflict=None)
    return replace(visit, conflict=None)


def _joined(visit: Visit, command: Participants) -> Visit | Refused:
    """Agents and further contacts come and go; the host and the contact who booked stay (R027, R028)."""
    gone = {address.casefold() for address in command.remove_contacts}
    if visit.contact.email is not None and visit.contact.email.casefold() in gone:
        return Refused(reason="protected-field", detail="the contact who booked stays; cancel the visit instead")
    if visit.host in command.remove:
        return Refused(
            reason="protected-field", detail="the host leaves by reassigning the visit, not as a participant"
        )
    kept = tuple(agent for agent in visit.participants if agent not in command.remove)
    agents = (*kept, *(agent for agent in dict.fromkeys(command.add) if agent not in kept))
    contacts = _contacts(visit, command.add_contacts, gone)
    if len(agents) + len(contacts) > PARTICIPANTS:
        return Refused(reason="invalid", detail=f"at most {PARTICIPANTS} people come along")
    return replace(visit, participants=agents, extra_contacts=contacts)


def _contacts(visit: Visit, added: Iterable[Contact], gone: Collection[str]) -> tuple[Contact, ...]:
    """Return the further contacts, one for an address; the contact who booked is none of them."""
    people = {_address(one): one for one in visit.extra_contacts if _address(one) not in gone}
    for one in added:
        if _address(one) != _address(visit.contact):
            people[_address(one)] = one
    return tuple(people.values())


def _address(contact: Contact) -> str:
    return (contact.email or contact.name).casefold()


def _attended(visit: Visit, attendance: Attendance, now: datetime) -> Visit | Refused:
    if now < visit.interval.start:
        return Refused(reason="illegal-state", detail="attendance is marked once the visit has begun")
    return replace(visit, attendance=attendance)
