"""What a stranger's calendar entry means for an agent's time."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from syncd.core.ids import CalendarId
from syncd.core.interval import Interval


class Signal(StrEnum):
    """What a provider says about an entry beyond its time, in the words of the policy table."""

    FREE = "free"  # TRANSP:TRANSPARENT, transparency=transparent, showAs=free
    CANCELLED = "cancelled"
    TENTATIVE = "tentative"
    UNANSWERED = "unanswered"  # the agent was invited and has not answered
    DECLINED = "declined"  # by the agent
    WORKING_ELSEWHERE = "working_elsewhere"
    OUT_OF_OFFICE = "out_of_office"
    PRIVATE = "private"
    ORGANISED = "organised"  # organised, not attended, by the agent
    UNKNOWN = "unknown"  # a word this version does not know; it blocks and is reported once


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteEvent:
    """One instance of one entry as a calendar shows it now.

    `interval` is None for an entry of zero length. `tag` is our own subject (see publish.EventKey) when the
    entry carries our mark. Title and location are filled only for entries with a tag: a stranger's are not kept.
    """

    remote_id: str  # the resource: a CalDAV href, a provider's event id
    uid: str
    recurrence_id: str = ""  # original start of this instance, "" for a single entry
    etag: str = ""
    interval: Interval | None
    all_day: bool = False
    signals: frozenset[Signal] = frozenset()
    tag: str | None = None
    title: str | None = None
    location: str | None = None
    generation: str | None = None  # store generation written into our own entries
    copied: bool = False  # carries our mirror mark ("Ocupado"): never copied again


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyPolicy:
    """Which signals block. The defaults are those of scenario S14."""

    tentative: bool = True
    unanswered: bool = True
    declined: bool = False
    working_elsewhere: bool = False
    out_of_office: bool = True
    free: bool = False
    private: bool = True
    organised: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyBlock:
    """Time that a stranger's entry takes from an agent in one calendar."""

    calendar: CalendarId
    remote_id: str
    uid: str
    interval: Interval
    all_day: bool = False
    copied: bool = False  # a copy of busy time: it blocks, and is never copied again


def blocks(event: RemoteEvent, policy: BusyPolicy) -> bool:
    """Tell whether a stranger's entry takes the agent's time.

    A cancelled entry and one of zero length never do. Of several signals the most free one decides:
    a declined tentative entry is free when declined ones are. An unknown word blocks.
    """
    if event.interval is None or Signal.CANCELLED in event.signals:
        return False
    known = event.signals - {Signal.UNKNOWN}
    return all(bool(getattr(policy, signal.value)) for signal in known)


def block_of(event: RemoteEvent, calendar: CalendarId, policy: BusyPolicy) -> BusyBlock | None:
    """Return the block that a stranger's entry makes, None where it leaves the agent free."""
    if event.interval is None or not blocks(event, policy):
        return None
    return BusyBlock(
        calendar=calendar,
        remote_id=event.remote_id,
        uid=event.uid,
        interval=event.interval,
        all_day=event.all_day,
        copied=event.copied,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MassChange:
    """The brake on deletions: more than max(count, ratio × known future entries) is suspect."""

    count: int = 2
    ratio: float = 0.2

    def tripped(self, deleted: int, known: int) -> bool:
        return deleted > max(self.count, self.ratio * known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletions:
    """Deletions seen in one calendar lately, so that a slow drain trips the brake as well."""

    at: tuple[datetime, ...] = field(default=())

    def recent(self, since: datetime) -> "Deletions":
        return Deletions(at=tuple(one for one in self.at if one >= since))

    def plus(self, moments: Iterable[datetime]) -> "Deletions":
        return Deletions(at=(*self.at, *moments))
