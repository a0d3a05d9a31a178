"""Rows become values of the core and back, here and nowhere else. A column's time is whole UTC epoch seconds."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from syncd.core.busy import BusyBlock
from syncd.core.ids import AccountId, AgentId, CalendarId, EventTypeId, ProjectId, VisitId
from syncd.core.interval import Interval
from syncd.core.publish import EventKey, Presence, Published
from syncd.core.routing import Request, Route
from syncd.core.visit import Source, Visit, VisitState, dwelling_key
from syncd.store import codec, entry_names
from syncd.store.engine import Row
from syncd.store.records import (
    AccountState,
    CalendarState,
    Cause,
    DeliveryState,
    Entry,
    HistoryRow,
    Hold,
    StoredDelivery,
    StoredRequest,
    Work,
    WorkKind,
)

Values = dict[str, Any]

VISIT_COLUMNS = frozenset(
    ("id", "version", "state", "project", "event_type", "host", "interval", "guard", "holds", "request", "source")
)


def seconds(moment: datetime) -> int:
    """Return whole epoch seconds, rounded down: a look that is due may come a little early."""
    if moment.tzinfo is None:
        raise ValueError("only aware datetimes are kept")
    return math.floor(moment.timestamp())


def seconds_up(moment: datetime) -> int:
    """Return whole epoch seconds, rounded up: what was told to wait must not come early."""
    return -math.floor(-moment.timestamp()) if moment.tzinfo is not None else seconds(moment)


def maybe_seconds(moment: datetime | None) -> int | None:
    return None if moment is None else seconds(moment)


def moment(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def maybe_moment(epoch: int | None) -> datetime | None:
    return None if epoch is None else moment(epoch)


def span(interval: Interval) -> tuple[int, int]:
    """Return whole epoch seconds, rounded outwards, so that no held or busy instant is left out."""
    return seconds(interval.start), seconds_up(interval.end)


def whole(interval: Interval) -> Interval:
    """Return the interval as it is kept."""
    return Interval.of_epoch(*span(interval))


def text(document: Any) -> str:
    """Return JSON as it is kept; the same document always makes the same text."""
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def visit_values(visit: Visit) -> Values:
    (start_at, end_at), (guard_start, guard_end) = span(visit.interval), span(visit.guard)
    return {
        "id": visit.id,
        "version": visit.version,
        "state": visit.state.value,
        "project_id": visit.project,
        "event_type_id": visit.event_type,
        "agent_id": visit.host,
        "start_at": start_at,
        "end_at": end_at,
        "guard_start": guard_start,
        "guard_end": guard_end,
        "holds": int(visit.holds),
        "request_id": visit.request,
        "source_account": visit.source.account,
        "source_id": visit.source.id,
        "dwelling_key": dwelling_key(visit.project, visit.dwelling),
        "details": text(codec.encode_fields(visit, VISIT_COLUMNS)),
    }


def visit_of(row: Row) -> Visit:
    return Visit(
        id=row["id"],
        version=row["version"],
        state=VisitState(row["state"]),
        project=row["project_id"],
        event_type=row["event_type_id"],
        host=row["agent_id"],
        interval=Interval.of_epoch(row["start_at"], row["end_at"]),
        guard=Interval.of_epoch(row["guard_start"], row["guard_end"]),
        holds=bool(row["holds"]),
        request=row["request_id"],
        source=Source(account=row["source_account"], id=row["source_id"]),
        **codec.decode_fields(Visit, json.loads(row["details"])),
    )


def hold_of(row: Row) -> Hold:
    return Hold(
        visit=VisitId(row["id"]),
        agent=AgentId(row["agent_id"]),
        interval=Interval.of_epoch(row["start_at"], row["end_at"]),
        guard=Interval.of_epoch(row["guard_start"], row["guard_end"]),
        event_type=None if row["event_type_id"] is None else EventTypeId(row["event_type_id"]),
        project=None if row["project_id"] is None else ProjectId(row["project_id"]),
    )


def history_values(row: HistoryRow) -> Values:
    return {
        "visit_id": row.visit,
        "version": row.version,
        "at": seconds(row.cause.at),
        "actor": row.cause.actor,
        "source": row.cause.source,
        "delivery": row.cause.delivery,
        "note": row.cause.note,
        "before": None if row.before is None else text(row.before),
        "after": text(row.after),
    }


def history_of(row: Row) -> HistoryRow:
    return HistoryRow(
        visit=VisitId(row["visit_id"]),
        version=row["version"],
        cause=Cause(
            at=moment(row["at"]),
            actor=row["actor"],
            source=row["source"],
            delivery=row["delivery"],
            note=row["note"],
        ),
        before=None if row["before"] is None else json.loads(row["before"]),
        after=json.loads(row["after"]),
    )


def request_values(request: Request, body: str, route: Route | None, booking_url: str | None) -> Values:
    return {
        "id": request.id,
        "body": body,
        "request": text(codec.encode(request)),
        "route": None if route is None else text(codec.encode(route)),
        "booking_url": booking_url,
    }


def request_of(row: Row) -> StoredRequest:
    return StoredRequest(
        request=codec.decode(Request, json.loads(row["request"])),
        body=row["body"],
        route=None if row["route"] is None else codec.decode(Route, json.loads(row["route"])),
        booking_url=row["booking_url"],
    )


def calendar_values(state: CalendarState) -> Values:
    return {
        "name": state.calendar,
        "cursor": state.cursor,
        "mark": state.mark,
        "read_at": maybe_seconds(state.read_at),
        "listed_at": maybe_seconds(state.listed_at),
        "expanded_until": maybe_seconds(state.expanded_until),
        "suspect_since": maybe_seconds(state.suspect_since),
        "suspect_why": state.suspect_why,
        "attention": state.attention,
        "error": state.error,
        "failing_since": maybe_seconds(state.failing_since),
        "notes": state.notes,
        "deletions": text([seconds(one) for one in state.deletions]),
    }


def calendar_of(row: Row) -> CalendarState:
    return CalendarState(
        calendar=CalendarId(row["name"]),
        cursor=row["cursor"],
        mark=row["mark"],
        read_at=maybe_moment(row["read_at"]),
        listed_at=maybe_moment(row["listed_at"]),
        expanded_until=maybe_moment(row["expanded_until"]),
        suspect_since=maybe_moment(row["suspect_since"]),
        suspect_why=row["suspect_why"],
        attention=row["attention"],
        error=row["error"],
        failing_since=maybe_moment(row["failing_since"]),
        notes=row["notes"],
        deletions=tuple(moment(one) for one in json.loads(row["deletions"])),
    )


def entry_values(entry: Entry) -> Values:
    stem = entry_names.stem_of(entry.remote_id)
    starts = [seconds(block.interval.start) for block in entry.blocks]
    first, last = (min(starts), max(starts)) if starts else (None, None)
    return {
        "name_hash": entry_names.hash_of(stem),
        "remote_id": entry.remote_id,
        "uid": entry_names.kept_uid(entry.uid, stem),
        "uid_hash": None if entry_names.follows(entry.uid, stem) else entry_names.hash_of(entry.uid),
        "etag": entry.etag,
        "mirrored": int(entry.mirrored),
        "first_at": first,
        "last_at": last if last != first else None,
    }


def entry_of(row: Row, blocks: tuple[BusyBlock, ...]) -> Entry:
    return Entry(
        remote_id=row["remote_id"],
        uid=entry_names.uid_of(row["uid"], row["remote_id"]),
        etag=row["etag"],
        blocks=blocks,
        mirrored=bool(row["mirrored"]),
    )


def place_of(row: Row) -> Values:
    """Return where the blocks of an entry are."""
    last = row["first_at"] if row["last_at"] is None else row["last_at"]
    return {"id": row["id"], "calendar_id": row["calendar_id"], "first_at": row["first_at"], "last_at": last}


def block_key(block: BusyBlock) -> tuple[int, int, int, int]:
    """Return what a block takes: start, end, all day, copied."""
    return (*span(block.interval), int(block.all_day), int(block.copied))


def block_values(key: tuple[int, int, int, int], entry_id: int, calendar_id: int) -> Values:
    start_at, end_at, all_day, copied = key
    return {
        "calendar_id": calendar_id,
        "entry_id": entry_id,
        "start_at": start_at,
        "end_at": end_at,
        "all_day": all_day,
        "copied": copied,
    }


def block_of(row: Row, calendar: CalendarId, remote_id: str, kept_uid: str) -> BusyBlock:
    return BusyBlock(
        calendar=calendar,
        remote_id=remote_id,
        uid=entry_names.uid_of(kept_uid, remote_id),
        interval=Interval.of_epoch(row["start_at"], row["end_at"]),
        all_day=bool(row["all_day"]),
        copied=bool(row["copied"]),
    )


def key_values(key: EventKey) -> Values:
    return {"subject": key.subject, "calendar": key.calendar}


def published_values(published: Published) -> Values:
    start_at, end_at = span(published.interval)
    seen = (None, None) if published.seen_interval is None else span(published.seen_interval)
    return key_values(published.key) | {
        "uid": published.uid,
        "remote_id": published.remote_id,
        "etag": published.etag,
        "content_hash": published.content_hash,
        "start_at": start_at,
        "end_at": end_at,
        "title": published.title,
        "location": published.location,
        "adopted": int(published.adopted),
        "presence": published.presence.value,
        "seen_start": seen[0],
        "seen_end": seen[1],
        "rewrites": text([seconds(one) for one in published.rewrites]),
    }


def published_of(row: Row) -> Published:
    seen = None if row["seen_start"] is None else Interval.of_epoch(row["seen_start"], row["seen_end"])
    return Published(
        key=EventKey(row["subject"], CalendarId(row["calendar"])),
        uid=row["uid"],
        remote_id=row["remote_id"],
        etag=row["etag"],
        content_hash=row["content_hash"],
        interval=Interval.of_epoch(row["start_at"], row["end_at"]),
        title=row["title"],
        location=row["location"],
        adopted=bool(row["adopted"]),
        presence=Presence(row["presence"]),
        seen_interval=seen,
        rewrites=tuple(moment(one) for one in json.loads(row["rewrites"])),
    )


def account_values(state: AccountState) -> Values:
    return {
        "id": state.account,
        "parked": state.parked,
        "failures": state.failures,
        "failing_since": maybe_seconds(state.failing_since),
        "not_before": None if state.not_before is None else seconds_up(state.not_before),
        "last_success": maybe_seconds(state.last_success),
        "error": state.error,
        "requests": state.requests,
    }


def account_of(row: Row) -> AccountState:
    return AccountState(
        account=AccountId(row["id"]),
        parked=row["parked"],
        failures=row["failures"],
        failing_since=maybe_moment(row["failing_since"]),
        not_before=maybe_moment(row["not_before"]),
        last_success=maybe_moment(row["last_success"]),
        error=row["error"],
        requests=row["requests"],
    )


def delivery_values(delivery: StoredDelivery) -> Values:
    return {
        "id": delivery.id,
        "account": delivery.account,
        "key": delivery.key,
        "headers": text(delivery.headers),
        "body": delivery.body,
        "received_at": seconds(delivery.received_at),
        "state": delivery.state.value,
        "error": delivery.error,
        "repeats": delivery.repeats,
        "touches": text(delivery.touches),
    }


def delivery_of(row: Row) -> StoredDelivery:
    return StoredDelivery(
        id=row["id"],
        account=AccountId(row["account"]),
        key=row["key"],
        headers=_pairs(row["headers"]),
        body=bytes(row["body"]),
        received_at=moment(row["received_at"]),
        state=DeliveryState(row["state"]),
        error=row["error"],
        repeats=row["repeats"],
        touches=_pairs(row["touches"]),
    )


def _pairs(document: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in json.loads(document))


def work_of(row: Row) -> Work:
    return Work(
        kind=WorkKind(row["kind"]),
        key=row["key"],
        due_at=moment(row["due_at"]),
        generation=row["generation"],
        group=row["group_id"],
        lease=row["lease"],
        attempts=row["attempts"],
        error=row["error"],
    )


def claim_of(work: Work) -> Mapping[str, Any]:
    """Return what a claimed work is recognised by."""
    return {"kind": work.kind.value, "key": work.key, "lease": work.lease}
