"""What people are shown of messages: the marks of a visit, what was said and will be, and how one would read."""

from datetime import datetime
from typing import Any

from syncd.core.letter import Channel, Letter
from syncd.core.messages import CLIENT, TASKS, Mark, Planned, channels_of, marks_of, rule_of
from syncd.core.visit import Visit
from syncd.flows.context import Context
from syncd.flows.reach import UNSENDABLE, Go, way_of
from syncd.flows.remind import kind_of, plan, project_of
from syncd.flows.show import Json, local, visit_json
from syncd.store import Tx
from syncd.store.queue import Notice


def marks(ctx: Context, visit: Visit, now: datetime) -> tuple[Mark, ...]:
    """Return what the board shows of a visit now."""
    return marks_of(visit, kind_of(ctx, visit), project_of(ctx, visit), ctx.directory.messages, now)


def shown(ctx: Context, visit: Visit, now: datetime) -> Json:
    """Return a visit as the contract shows it, with its marks."""
    return visit_json(visit, now, marks(ctx, visit, now))


def messages_json(ctx: Context, tx: Tx, visit: Visit) -> list[Json]:
    """List what was said of a visit and what its plan still holds, by due time (R037)."""
    said = [one for one in tx.queue.notices(about=visit.id, limit=1_000) if one.channel not in UNSENDABLE]
    known = tx.outbox.known([one.key for one in plan(ctx, visit)])
    ahead = [one for one in plan(ctx, visit) if one.key not in known and one.kind not in TASKS and not one.skip]
    found = [_said(one, visit) for one in said] + [_planned(one, visit) for one in ahead]
    return sorted(found, key=lambda one: datetime.fromisoformat(one["due_at"]))


def _said(notice: Notice, visit: Visit) -> Json:
    zone = visit.time_zone
    due = notice.due_at or notice.created_at
    return {
        "kind": notice.kind,
        "to": notice.to,
        "channel": notice.via or None,
        "account": notice.account or None,
        "due_at": local(due or visit.booked_at, zone),
        "state": notice.state,
        "reason": notice.reason if notice.state in ("skipped", "failed", "unknown") else "",
        "sent_at": _maybe(notice.sent_at, zone),
        "reported_at": _maybe(notice.told_at, zone),
    }


def _planned(one: Planned, visit: Visit) -> Json:
    return {
        "kind": one.kind,
        "to": one.to,
        "channel": None,
        "account": None,
        "due_at": local(one.due_at, visit.time_zone),
        "state": "planned",
        "reason": "",
        "sent_at": None,
        "reported_at": None,
    }


def _maybe(moment: datetime | None, zone: str) -> str | None:
    return local(moment, zone) if moment is not None else None


def preview(
    ctx: Context, tx: Tx, visit: Visit, kind: str, to: str = CLIENT, body: dict[str, Any] | None = None
) -> Letter:
    """Write a message as it would leave now, over the first way that reaches its reader; nothing is made or sent."""
    from syncd.flows.compose import compose  # words and templates: only a preview needs them in a shell

    rule = rule_of(kind, ctx.directory.messages, visit)
    notice = Notice(key="preview", channel="message", kind=kind, about=visit.id, to=to, body=body)
    found = way_of(ctx, tx, notice, visit)
    names = channels_of(rule, to)
    channel = found.channel.value if isinstance(found, Go) else names[0]
    return compose(ctx, visit, kind, Channel(channel), to, body, preview=True)
