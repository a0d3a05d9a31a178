"""The rules of one kind of visit."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from syncd.core.ids import EventTypeId, HoursId


class Assignment(StrEnum):
    ROUND_ROBIN = "round_robin"
    COLLECTIVE = "collective"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How far ahead may be booked: calendar time, or business days after today (today is not counted)."""

    ahead: timedelta | None = None
    business_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    text: str
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NoShowRule:
    """What follows when nobody marked the client present, counted from the start; None: nothing does."""

    follow_up: timedelta | None = None
    release: timedelta | None = None  # the rest of the visit's time is given back


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """Length, spacing and limits of a kind of visit (R076-R084)."""

    id: EventTypeId
    name: str
    duration: timedelta
    buffer_before: timedelta = timedelta(0)
    buffer_after: timedelta = timedelta(0)
    increment: timedelta
    minimum_notice: timedelta = timedelta(0)
    same_day: bool = True
    window: Window = Window(ahead=timedelta(days=60))
    assignment: Assignment = Assignment.ROUND_ROBIN
    approval: bool = False
    pending_holds: bool = True
    pending_expires: timedelta = timedelta(hours=24)
    daily_cap: int | None = None
    all_day_blocks: bool = True
    cancel_notice: timedelta = timedelta(hours=24)
    cancel_grace: timedelta = timedelta(minutes=30)
    title: str = "{{ proyecto }}"
    body: str = ""
    location: str = "{{ direccion }}"
    description: str = ""
    color: str = ""
    questions: tuple[Question, ...] = ()
    hours: HoursId | None = None  # hours that replace the agents' own for this event type
    no_show: NoShowRule = NoShowRule()
    unconfirmed_release: timedelta | None = None  # so long before the start an unconfirmed visit is given up (C12)
