"""One visit: what its plan says is due now, and what time alone does to it: expiry, release. Sends nothing itself.

The plan is derived anew each time; a message becomes a row of the outbox when its moment has come. So a visit that
moved leaves nothing behind to be called off.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from syncd.core.directory import Project
from syncd.core.event_type import EventType
from syncd.core.ids import AccountId, VisitId
from syncd.core.messages import (
    NO_SHOW,
    TASKS,
    Planned,
    no_show_release_at,
    plan_of,
    unconfirmed_release_at,
)
from syncd.core.visit import Attendance, CancelReason, Visit, VisitState
from syncd.flows.book import announce
from syncd.flows.carry import touch_carry
from syncd.flows.context import Context
from syncd.store import Tx
from syncd.store.queue import Notice
from syncd.store.visits import Cause

SYNCD = AccountId("syncd")
SILENT_UNTIL = "messages_silent_until"  # after a restore: what was due before was said by the store that was lost


def remind(ctx: Context, key: str, now: datetime) -> datetime | None:
    """Say what is due of one visit, and end it where its time is up; returns when to look again."""
    return ctx.store.write(lambda tx: _remind(ctx, tx, VisitId(key), now))


def _remind(ctx: Context, tx: Tx, visit_id: VisitId, now: datetime) -> datetime | None:
    visit = tx.visits.find(visit_id)
    if visit is None:
        return None
    end_at, why = _end_of(ctx, tx, visit, now)
    if why is not None and end_at is not None and now >= end_at:
        _end(ctx, tx, visit, why, now)
        return None
    planned = plan(ctx, visit)
    _say_due(tx, visit, [one for one in planned if one.due_at <= now], now)
    _close_tasks(tx, visit, planned)
    later = [one.due_at for one in planned if one.due_at > now]
    return min([*later, *([end_at] if end_at is not None else [])], default=None)


def plan(ctx: Context, visit: Visit) -> list[Planned]:
    """Return the plan of a visit by the rules of today."""
    return plan_of(visit, kind_of(ctx, visit), project_of(ctx, visit), ctx.directory.messages)


def kind_of(ctx: Context, visit: Visit) -> EventType | None:
    return ctx.directory.event_types.get(visit.event_type) if visit.event_type is not None else None


def project_of(ctx: Context, visit: Visit) -> Project | None:
    return ctx.directory.projects.get(visit.project) if visit.project is not None else None


# --- what is due ----------------------------------------------------------------------------------------------------


def _say_due(tx: Tx, visit: Visit, due: Sequence[Planned], now: datetime) -> None:
    known = tx.outbox.known([one.key for one in due])
    silent = tx.accounts.get(SYNCD, SILENT_UNTIL) if len(known) < len(due) else None
    for one in due:
        if one.key not in known:
            unsaid = silent is not None and one.due_at <= datetime.fromisoformat(silent)
            tx.queue.say(_row(one, visit, "restored" if unsaid else one.reason_at(now), now))


def _row(one: Planned, visit: Visit, reason: str, now: datetime) -> Notice:
    """Make the row of a message whose moment has come; a task needs nobody to bring it."""
    is_task = one.kind in TASKS
    return Notice(
        key=one.key,
        channel="task" if is_task else "message",
        kind=one.kind,
        about=visit.id,
        to=one.to.removeprefix("agent:") if is_task else one.to,
        due_at=one.due_at,
        created_at=now,
        state="skipped" if reason else "open" if is_task else "scheduled",
        reason=reason,
        speaks_of=visit.interval.start,
    )


def _close_tasks(tx: Tx, visit: Visit, planned: Sequence[Planned]) -> None:
    """Close tasks that nobody need do any more: the client answered, came, or the visit has another time or host."""
    wanted = {one.key for one in planned if not one.skip}
    for one in tx.queue.notices(channel="task", about=visit.id, state="open"):
        if one.kind in TASKS and one.key not in wanted and not _stays(one, visit):
            tx.queue.set_notice(one.key, "done")


def _stays(task: Notice, visit: Visit) -> bool:
    """Tell whether staff must still call: the client did not come, and the visit was given up for it."""
    return task.kind in NO_SHOW and visit.attendance is not Attendance.PRESENT


# --- what time does to a visit --------------------------------------------------------------------------------------


def _end_of(ctx: Context, tx: Tx, visit: Visit, now: datetime) -> tuple[datetime | None, CancelReason | None]:
    """Return when time alone will end a visit, and why; (None, None) where it will not.

    One that has begun meanwhile is not given up for want of an answer, and of one that is over nothing is left to free.
    """
    if visit.state is VisitState.PENDING:
        return visit.pending_expires_at, CancelReason.EXPIRED if visit.pending_expires_at else None
    kind = kind_of(ctx, visit)
    asked_at = _asked_at(tx, visit) if kind is not None and kind.unconfirmed_release is not None else None
    if now < visit.interval.start and (at := unconfirmed_release_at(visit, kind, asked_at)) is not None:
        return at, CancelReason.UNCONFIRMED
    if now < visit.interval.end and (at := no_show_release_at(visit, kind)) is not None:
        return at, CancelReason.NO_SHOW
    return None, None


def _asked_at(tx: Tx, visit: Visit) -> datetime | None:
    """Return when the client was asked to confirm this very time; None where no question went out."""
    said = tx.queue.notices(channel="message", about=visit.id)
    asked = [
        one.sent_at for one in said if one.kind == "confirmation_request" and one.speaks_of == visit.interval.start
    ]
    return next((one for one in asked if one is not None), None)


WHY = {
    CancelReason.EXPIRED: "nobody approved it in time",
    CancelReason.UNCONFIRMED: "the client did not confirm it",
    CancelReason.NO_SHOW: "nobody was seen at it",
}


def _end(ctx: Context, tx: Tx, visit: Visit, why: CancelReason, now: datetime) -> None:
    """End a visit, free its slot and tell everybody."""
    ended = replace(
        visit, state=VisitState.CANCELLED, holds=False, conflict=None, cancel_reason=why, pending_expires_at=None
    )
    if why is CancelReason.NO_SHOW:
        ended = replace(ended, attendance=Attendance.NO_SHOW)
    saved = tx.visits.save(ended, Cause(at=now, actor="syncd", source="daemon", note=WHY[why]))
    wishes = None if why is CancelReason.EXPIRED else {"rebook_link": True}
    announce(tx, visit, saved, now, wishes)
    if why is not CancelReason.EXPIRED:
        touch_carry(ctx, tx, saved, now)
