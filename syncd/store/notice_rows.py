"""Row <-> Notice, both ways: what is said to people, and what became of it."""

import json
from datetime import datetime

from syncd.core.ids import AccountId
from syncd.store.engine import Row
from syncd.store.records import Notice
from syncd.store.rows import Values, maybe_moment, maybe_seconds, seconds_up, text

CHANGING = frozenset({"key", "state", "due_at", "not_before", "reason"})


def notice_values(notice: Notice) -> Values:
    return {
        "key": notice.key,
        "channel": notice.channel,
        "kind": notice.kind,
        "about": notice.about,
        "addressee": notice.to,
        "body": None if notice.body is None else text(notice.body),
        "due_at": maybe_seconds(notice.due_at),
        "state": notice.state,
        "created_at": maybe_seconds(notice.created_at),
        "speaks_of": maybe_seconds(notice.speaks_of),
        "not_before": seconds_up(wake) if (wake := notice.not_before or notice.due_at) is not None else 0,
        "reason": notice.reason,
    }


def outcome_values(notice: Notice) -> Values:
    """Return what may change of a message once it was said."""
    moments = {name: maybe_seconds(getattr(notice, name)) for name in ("sending_at", "sent_at", "told_at")}
    said = {name: value for name, value in notice_values(notice).items() if name in CHANGING}
    return (
        said | moments | {name: getattr(notice, name) for name in ("via", "account", "remote_id", "tried", "attempts")}
    )


def notice_of(row: Row) -> Notice:
    return Notice(
        key=row["key"],
        channel=row["channel"],
        kind=row["kind"],
        about=row["about"],
        to=row["addressee"],
        body=None if row["body"] is None else json.loads(row["body"]),
        due_at=maybe_moment(row["due_at"]),
        state=row["state"],
        created_at=maybe_moment(row["created_at"]),
        speaks_of=maybe_moment(row["speaks_of"]),
        not_before=_unlike(maybe_moment(row["not_before"] or None), maybe_moment(row["due_at"])),
        via=row["via"],
        account=AccountId(row["account"]),
        remote_id=row["remote_id"],
        tried=row["tried"],
        attempts=row["attempts"],
        reason=row["reason"],
        sending_at=maybe_moment(row["sending_at"]),
        sent_at=maybe_moment(row["sent_at"]),
        told_at=maybe_moment(row["told_at"]),
    )


def _unlike(moment_: datetime | None, usual: datetime | None) -> datetime | None:
    return None if moment_ == usual else moment_
