"""Faults planted on purpose: each breaks one rule and the simulation has to find it. Only here is anything patched."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from unittest.mock import patch

from connectors.memory import Fault
from syncd import runner
from syncd.core.directory import OnAgentDelete
from syncd.core.interval import Interval
from syncd.core.publish import Presence, Published
from syncd.core.visit import Visit
from syncd.errors import ConnectorError, NotFound
from syncd.flows import adoption, book, hosts, ingest, merge, poll, publish, pull, reading, reconcile, say
from syncd.flows.context import Context
from syncd.ports import ChangePage
from syncd.store import Tx, rows
from syncd.store.calendars import Calendars
from syncd.store.queue import Queue, Work, WorkKind
from syncd.store.visits import Visits
from tests.world.simulation import Simulation


@dataclass(frozen=True, slots=True)
class Plant:
    """One fault: what it replaces, the seed that is tried first, and what is done to a town before it lives.

    `harmless`: the preparation alone breaks nothing, so that the seed must be green where nothing is replaced.
    """

    name: str
    patches: Callable[[], Sequence[AbstractContextManager[Any]]]
    seed: int
    prepare: Callable[[Simulation], None] = lambda town: None
    harmless: bool = True
    steps: int = 250

    def planted(self) -> ExitStack:
        """Plant it for as long as the stack is open."""
        stack = ExitStack()
        for one in self.patches():
            stack.enter_context(one)
        return stack


def swap(target: object, name: str, made: Callable[..., Any]) -> Callable[[], list[AbstractContextManager[Any]]]:
    """Put one function in the place of another."""
    return lambda: [patch.object(target, name, made)]


# --- the store


def _finish_whatever(queue: Queue, work: Work, next_due: datetime | None = None) -> bool:
    """Remove the work even where it was touched since it was claimed."""
    if next_due is not None:
        return FINISH(queue, work, next_due)
    claim = rows.claim_of(work)
    later = (work.generation + more for more in range(6))
    return any(queue._db.run("work_remove", generation=one, **claim) for one in later)


FINISH = Queue.finish


def _without_the_constraint(town: Simulation) -> None:
    for trigger in ("visit_insert_guard", "visit_update_guard"):
        town.judge.rows(f"DROP TRIGGER {trigger}")


# --- readings


def _half_is_enough(
    pages: Iterable[ChangePage], known: Iterable[str], skipped: Mapping[str, str], window: Interval
) -> reading.Reading:
    """Take what came before a listing broke off for the whole."""
    read: list[ChangePage] = []
    try:
        read.extend(pages)
    except ConnectorError:
        if not read:
            raise
    last = replace(read[-1], cursor=read[-1].cursor or "0:0")
    return GATHER([*read[:-1], last], known, skipped, window)


def _absent_is_gone(
    pages: Iterable[ChangePage], known: Iterable[str], skipped: Mapping[str, str], window: Interval
) -> reading.Reading:
    """Take a list of changes for a list of everything."""
    return GATHER([replace(page, complete=True) for page in pages], known, skipped, window)


GATHER = reading._gather


def _copies_too(
    ctx: Context, tx: Tx, agent: Any, visits: Iterable[Visit], now: datetime
) -> list[tuple[Any, str, Interval]]:
    sources = [ref.id for ref in agent.calendars if ref.role.value != "mirror"]
    copies = [one for one in tx.calendars.blocks(sources, Interval(now, now + ctx.policy.look_ahead)) if one.copied]
    return BUSY(ctx, tx, agent, visits, now) + [(one.calendar, one.remote_id, one.interval) for one in copies]


BUSY = reconcile._busy_time


def _never_unknown(*_: object, **__: object) -> None:
    return None


# --- publishing


def _gone_or_hidden(calendar: Any, key: Any, draft: Any, known: Any) -> Published | None:
    """Take a calendar that is not there for an entry that is not there."""
    try:
        return FIND(calendar, key, draft, known)
    except NotFound:
        return None


FIND = publish._find


def _vanished_for_sure(ctx: Context, calendar: Any, step: Any, now: datetime) -> None:
    """Believe a 404 without a second look."""

    def note(tx: Tx) -> None:
        if step.known is not None:
            tx.calendars.remember(replace(step.known, presence=Presence.GONE))
            publish._have_heeded(tx, ctx.directory.calendar(step.known.key.calendar), now)

    ctx.store.write(note)


def _two_ways(made: Visit, before: Visit, *, no_show: bool) -> Visit:
    """Let the scheduler's word win over everything that was changed here."""
    return replace(CARRIED(made, before, no_show=no_show), interval=made.interval, guard=made.guard, host=made.host)


CARRIED = merge._carried_over


def _not_for(kinds: set[str], original: Callable[..., bool]) -> Callable[..., bool]:
    """Say everything but these kinds."""
    return lambda tx, kind, *rest, **named: False if kind in kinds else original(tx, kind, *rest, **named)


def _stubborn(town: Simulation) -> None:
    """Let somebody edit our entries again and again, in a world that works."""
    town.swarm = replace(town.swarm, rate=0.0, crash_rate=0.0, habits={"edit_our_entry": 8, "book_at_scheduler": 1})


def _lying(town: Simulation) -> None:
    """Let replicas lag, cursors die and people move visits, where a deleted entry means a cancellation."""
    habits = {"book_by_api": 4, "move": 4, "expire_cursors": 4, "add_event": 2}
    town.swarm = replace(town.swarm, faults=(Fault.STALE,), rate=0.4, crash_rate=0.0, habits=habits)
    _cancelling(town)


def _hiding(town: Simulation) -> None:
    """Let calendars be unshared and shared again, where a deleted entry means a cancellation."""
    habits = {"book_by_api": 4, "move": 6, "hide_calendar": 4}
    town.swarm = replace(town.swarm, rate=0.0, crash_rate=0.0, habits=habits)
    _cancelling(town)


def _cancelling(town: Simulation) -> None:
    directory = town.swarm.directory
    policy = replace(directory.policy, on_agent_delete=OnAgentDelete.CANCEL)
    town.stage.reload(replace(directory, policy=policy))


def _as_it_seems(ctx: Context, ref: Any, state: Any, seen: reading.Reading, now: datetime) -> reading.Reading:
    return seen


def _any_address(ctx: Context, tx: Tx, account: Any, booking: Any) -> Any:
    return None if booking.host_id is None else "ana"


PLANTS = (
    Plant("finish ignores a touch", swap(Queue, "finish", _finish_whatever), 66, steps=600),
    Plant("no constraint on overlaps", list, 0, _without_the_constraint, harmless=False),
    Plant(
        "no buffers held",
        lambda: [patch.object(one, "guard_of", lambda interval, kind: interval) for one in (book, merge)],
        0,
    ),
    Plant("half a listing is applied", swap(reading, "_gather", _half_is_enough), 76, steps=600),
    Plant("absent from a list of changes is deleted", swap(reading, "_gather", _absent_is_gone), 0),
    Plant("tombstones are ignored", swap(Visits, "is_tombstone", lambda *_: False), 153),
    Plant("copies of others are copied", swap(reconcile, "_busy_time", _copies_too), 4),
    Plant("no brake", swap(pull, "_brakes", lambda *_: False), 16),
    Plant("age of the busy time is ignored", swap(hosts, "_why_closed", _never_unknown), 0),
    Plant("an unknown outcome counts as never done", swap(Calendars, "intent", lambda *_: 0), 207),
    Plant(
        "people are fought without end",
        lambda: [patch("syncd.core.publish.REWRITES_A_DAY", 99)],
        0,
        _stubborn,
        steps=700,
    ),
    Plant(
        "the scheduler's entry is a stranger's",
        lambda: [
            patch.object(pull, "visit_of_entry", lambda *_: None),
            patch.object(reconcile, "adopt_known", lambda *_: False),
            patch.object(ingest, "adopt_known", lambda *_: False),
        ],
        3,
    ),
    Plant(
        "an entry that is replaced is forgotten",
        lambda: [
            patch.object(adoption, "retire", lambda tx, known: tx.calendars.forget(known.key)),
        ],
        4,
    ),
    Plant("bookings are merged two ways", swap(merge, "_carried_over", _two_ways), 73),
    Plant("our cancellations stay here", lambda: [patch.dict(runner.HANDLERS, {WorkKind.CARRY: lambda *_: None})], 3),
    Plant("a listing is believed at once", swap(pull, "ask_again", _as_it_seems), 1, _lying),
    Plant(
        "a hidden calendar is an empty one",
        lambda: [
            patch.object(publish, "_find", _gone_or_hidden),
            patch.object(publish, "_vanished", _vanished_for_sure),
        ],
        5,
        _hiding,
    ),
    Plant("a lost booking is told nobody", swap(ingest, "task", _not_for({"lost_booking"}, say.task)), 3),
    Plant("a cancellation is told nobody", swap(book, "message", _not_for({"cancellation"}, say.message)), 0),
    Plant("Retry-After is ignored", swap(runner, "rests", lambda *_: {}), 0),
    Plant("deliveries are answered and not kept", swap(Queue, "inbox_put", lambda *_: True), 0),
    Plant("polling sees no difference", swap(poll, "_differs", lambda *_: False), 0),
    Plant("every host is Ana", swap(merge, "host_of", _any_address), 0),
    Plant("old news counts as new", swap(ingest, "_is_stale", lambda *_: False), 153),
)
