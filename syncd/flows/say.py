"""Puts notices, tasks and alerts into the outbox, once each, in the transaction that caused them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from syncd.core.visit import Visit
from syncd.store import Tx
from syncd.store.queue import Notice, WorkKind


def task(tx: Tx, kind: str, visit: Visit, now: datetime, *, key: str = "", due_at: datetime | None = None) -> bool:
    """Open a task for staff about a visit; the same kind for the same version is opened once."""
    return tx.queue.say(
        Notice(
            key=f"task:{kind}:{visit.id}:{key or visit.version}",
            channel="task",
            kind=kind,
            about=visit.id,
            to=visit.host or "",
            due_at=due_at or now,
            created_at=now,
            state="open",
        )
    )


def close_task(tx: Tx, kind: str, visit: Visit) -> None:
    """Tick off the open tasks of a kind about a visit: there is nothing left to do."""
    for one in tx.queue.notices(channel="task", about=visit.id, state="open"):
        if one.kind == kind:
            tx.queue.set_notice(one.key, "done")


def message(tx: Tx, kind: str, visit: Visit, now: datetime, *, to: str, body: dict[str, Any] | None = None) -> bool:
    """Ask for one message of a kind per version of the visit; the channel is chosen when it is sent."""
    return tx.queue.say(
        Notice(
            key=f"message:{kind}:{visit.id}:{visit.version}:{to}",
            channel="message",
            kind=kind,
            about=visit.id,
            to=to,
            body=body,
            due_at=now,
            created_at=now,
            speaks_of=visit.interval.start,
        )
    )


def message_of_several(
    tx: Tx, kind: str, visits: Sequence[Visit], now: datetime, *, to: str, body: dict[str, Any]
) -> bool:
    """Ask for one message that names several visits, those of them that stand when it is sent.

    It is about the first that stands, and does not grow old because one of them moves.
    """
    first = visits[0]
    return tx.queue.say(
        Notice(
            key=f"message:{kind}:{first.id}:{first.version}:{to}",
            channel="message",
            kind=kind,
            about=first.id,
            to=to,
            body={**body, "visits": [one.id for one in visits]},
            due_at=now,
            created_at=now,
        )
    )


def notice(tx: Tx, about: str, visit: Visit, now: datetime, *, to: str, body: dict[str, Any] | None = None) -> bool:
    """Tell an agent something about a visit inside syncd alone, once per version of the visit."""
    return tx.queue.say(
        Notice(
            key=f"notice:{about}:{visit.id}:{visit.version}:{to}",
            channel="notice",
            kind="agent_notice",
            about=visit.id,
            to=to,
            body={"about": about, **(body or {})},
            due_at=now,
            created_at=now,
        )
    )


def alert(tx: Tx, kind: str, about: str, text: str, now: datetime) -> bool:
    """Raise an operator's alert: one per trouble, until `recovered` closes it (P8)."""
    standing = [one for one in tx.queue.notices(channel="alert", about=about, state="open") if one.kind == kind]
    if standing:
        return False
    key = f"alert:{kind}:{about}:{int(now.timestamp())}"
    body = {"text": text}
    return _raise(tx, Notice(key=key, channel="alert", kind=kind, about=about, body=body, created_at=now, state="open"))


def recovered(tx: Tx, kind: str, about: str, now: datetime) -> bool:
    """Close the standing alerts of a kind and say so once; False where none stood."""
    standing = [one for one in tx.queue.notices(channel="alert", about=about, state="open") if one.kind == kind]
    for one in standing:
        tx.queue.set_notice(one.key, "closed")
    if standing:
        key = f"recovered:{kind}:{about}:{int(now.timestamp())}"
        _raise(
            tx, Notice(key=key, channel="alert", kind=f"{kind}_recovered", about=about, created_at=now, state="closed")
        )
    return bool(standing)


def _raise(tx: Tx, notice: Notice) -> bool:
    """Keep an alert, and have it brought to where the configuration says."""
    said = tx.queue.say(notice)
    if said and notice.created_at is not None:
        tx.queue.touch(WorkKind.SEND, notice.key, notice.created_at)
    return said
