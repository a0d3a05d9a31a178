"""Visits, their history, requests and round-robin counts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from syncd.core.ids import AccountId, AgentId, EventTypeId, ProjectId, RequestId, VisitId
from syncd.core.interval import Interval
from syncd.core.routing import Request, Route
from syncd.core.visit import Visit, VisitState
from syncd.errors import SlotTaken, StaleRevision
from syncd.store import history, rows
from syncd.store.engine import Db, Overlap, Row, first
from syncd.store.records import Cause, HistoryRow, Hold, StoredRequest
from syncd.store.turns import Turns

__all__ = ["Cause", "HistoryRow", "Hold", "StoredRequest", "Visits"]

EVERY_TIME = Interval(datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC))
EVERY_STATE = tuple(state for state in VisitState if state is not VisitState.DONE)


class Visits:
    """The visits of one transaction."""

    def __init__(self, db: Db) -> None:
        self._db = db
        self._turns = Turns(db)

    def save(self, visit: Visit, cause: Cause) -> Visit:
        """Insert (version 0) or update (version must be the stored one, else StaleRevision).

        Returns the visit as it is now kept, with its new version and in whole seconds. Writes the history row in the
        same transaction. Raises SlotTaken, inside a savepoint: the caller may go on.
        """
        before = self.find(visit.id)
        if visit.version != (before.version if before is not None else 0):
            raise StaleRevision(f"visit {visit.id} was changed meanwhile")
        after = replace(
            visit, version=visit.version + 1, interval=rows.whole(visit.interval), guard=rows.whole(visit.guard)
        )
        try:
            with self._db.savepoint():
                self._put(after)
                self._note(before, after, cause)
                for host in sorted({one.host for one in (before, after) if one is not None and one.host is not None}):
                    self._db.run("host_changed", agent=host)
        except Overlap:
            raise self._taken(after) from None
        return after

    def _put(self, visit: Visit) -> None:
        """Update first and insert where no row was hit: an upsert would meet the guard of inserts as well."""
        values = rows.visit_values(visit)
        if not self._db.run("visit_update", **values):
            self._db.run("visit_insert", **values)

    def _note(self, before: Visit | None, after: Visit, cause: Cause) -> None:
        if after.source.id is not None and (before is None or before.source != after.source):
            self.alias(after.id, after.source.account, after.source.id)
        last = first(self._db.rows("history_last", visit=after.id))
        values = rows.history_values(history.row_of(before, after, cause))
        chain = history.link(last["hash"] if last is not None else "", values)
        self._db.run("history_insert", **values, hash=chain)

    def _taken(self, visit: Visit) -> SlotTaken:
        wanted = rows.visit_values(visit)
        names = ("id", "agent_id", "guard_start", "guard_end")
        other = first(self._db.rows("visit_in_the_way", **{name: wanted[name] for name in names}))
        if other is not None:
            return SlotTaken(str(visit.host), other["id"])
        names = ("id", "dwelling_key", "start_at", "end_at")
        there = first(self._db.rows("visit_at_the_dwelling", **{name: wanted[name] for name in names}))
        return SlotTaken(str(visit.host), there["id"], wanted["dwelling_key"]) if there else SlotTaken(str(visit.host))

    def find(self, visit: VisitId) -> Visit | None:
        return _maybe_visit(self._db.rows("visit_get", id=visit))

    def get(self, visit: VisitId) -> Visit:
        """Return the visit; raises KeyError."""
        found = self.find(visit)
        if found is None:
            raise KeyError(visit)
        return found

    def find_by_source(self, account: AccountId, source_id: str) -> Visit | None:
        """Look up a visit by any scheduler id it ever had (a reschedule gives it a new one)."""
        return _maybe_visit(self._db.rows("visit_by_source", account=account, source_id=source_id))

    def alias(self, visit: VisitId, account: AccountId, source_id: str) -> None:
        """Let a further scheduler id lead to the visit, and no longer to another; repeating it is harmless."""
        self._db.run("visit_source_put", account=account, source_id=source_id, visit=visit)

    def tombstone(self, account: AccountId, source_id: str, at: datetime) -> None:
        """Remember that a booking we never had is cancelled for good."""
        self._db.run("tombstone_put", account=account, source_id=source_id, at=rows.seconds(at))

    def is_tombstone(self, account: AccountId, source_id: str) -> bool:
        return bool(self._db.rows("tombstone_get", account=account, source_id=source_id))

    def search(
        self,
        *,
        window: Interval | None = None,
        agent: AgentId | None = None,
        project: ProjectId | None = None,
        states: Sequence[VisitState] | None = None,
        request: RequestId | None = None,
        after: VisitId | None = None,
        limit: int = 200,
    ) -> list[Visit]:
        """List visits that overlap the window, ordered by (start, id); `after` continues behind that visit.

        State DONE is CONFIRMED here. An `after` that is no visit raises KeyError.
        """
        start, end = rows.span(window or EVERY_TIME)
        wanted: dict[str, Any] = {"window_start": start, "window_end": end, "most": limit}
        wanted |= {"any_project": int(project is None), "project": project}
        wanted |= {"any_request": int(request is None), "request": request}
        wanted |= {"states": _stored(EVERY_STATE if states is None else states)} | self._place(after)
        if agent is None:
            return [rows.visit_of(row) for row in self._db.rows("visit_search", **wanted)]
        return [rows.visit_of(row) for row in self._db.rows("visit_search_agent", agent=agent, **wanted)]

    def _place(self, after: VisitId | None) -> dict[str, Any]:
        if after is None:
            return {"after_start": rows.seconds(EVERY_TIME.start), "after_id": ""}
        return {"after_start": rows.seconds(self.get(after).interval.start), "after_id": after}

    def holds(self, agents: Sequence[AgentId], window: Interval) -> list[Hold]:
        """List the holds whose guard overlaps the window, ordered by (agent, start)."""
        start, end = rows.span(window)
        found: list[Hold] = []
        for agent in sorted(set(agents)):
            wanted = self._db.rows("holds_of_agent", agent=agent, start_at=start, end_at=end)
            found += [rows.hold_of(row) for row in wanted]
        return found

    def guards(self, agent: AgentId, window: tuple[int, int]) -> list[tuple[int, int]]:
        """Return the agent's holds as epoch seconds for the slot arithmetic, by start: no objects made."""
        return self._db.tuples("guards_of_agent", agent=agent, start_at=window[0], end_at=window[1])

    def dwelling_spans(self, dwelling: str, window: Interval, ignoring: VisitId | None = None) -> list[tuple[int, int]]:
        """Return when a dwelling (see dwelling_key) is visited in the window, as epoch seconds by start."""
        start, end = rows.span(window)
        wanted = {"dwelling_key": dwelling, "start_at": start, "end_at": end, "ignoring": ignoring or ""}
        return self._db.tuples("dwelling_spans", **wanted)

    def starts(self, agent: AgentId, event_type: EventTypeId, window: tuple[int, int]) -> list[tuple[VisitId, int]]:
        """Return the active visits of a type that meet the window, and when each starts, for the daily cap."""
        wanted = {"agent": agent, "event_type": event_type, "start_at": window[0], "end_at": window[1]}
        return self._db.tuples("starts_of_type", **wanted)

    def revision(self, agents: Sequence[AgentId]) -> tuple[int, ...]:
        """Return numbers that change whenever a visit of these agents does (for cached free starts)."""
        found: dict[str, int] = dict(self._db.tuples("host_revisions", agents=agents))
        return tuple(found.get(one, 0) for one in agents)

    def history(self, visit: VisitId) -> list[HistoryRow]:
        """List every change of a visit, the oldest first."""
        return [rows.history_of(row) for row in self._db.rows("history_of", visit=visit)]

    def daily_count(self, agent: AgentId, event_type: EventTypeId, day: Interval) -> int:
        """Count active visits of this type that start in the given local day."""
        start, end = rows.span(day)
        wanted = {"agent": agent, "event_type": event_type, "start_at": start, "end_at": end}
        return int(self._db.rows("daily_count", **wanted)[0]["visits"])

    def turns(self, project: ProjectId, event_type: EventTypeId, agents: Sequence[AgentId]) -> dict[AgentId, int]:
        """Count the active or done visits of each agent (round robin); a cancelled visit gives its turn back.

        `agents` is the whole team. An agent who joined later starts at the minimum of the others at that moment.
        """
        return self._turns.counts(project, event_type, agents)

    def put_request(self, request: Request, body: str, route: Route | None, booking_url: str | None) -> None:
        """Insert or replace, by id."""
        self._db.run("request_put", **rows.request_values(request, body, route, booking_url))

    def find_request(self, request: RequestId) -> StoredRequest | None:
        found = first(self._db.rows("request_get", id=request))
        return rows.request_of(found) if found is not None else None


def _maybe_visit(found: Sequence[Row]) -> Visit | None:
    return rows.visit_of(found[0]) if found else None


def _stored(states: Sequence[VisitState]) -> list[str]:
    """Return the states as they are kept: a visit that is done is kept as confirmed."""
    kept = {VisitState.CONFIRMED if state is VisitState.DONE else state for state in states}
    return sorted(state.value for state in kept)
