"""Where everything stands: sources, accounts, queues, agents, projects and what is open."""

import json
from datetime import datetime, timedelta

from syncd.control import Answer
from syncd.core.directory import CalendarRef
from syncd.core.ids import AccountId, AgentId, CalendarId, ProjectId
from syncd.flows.book import is_active
from syncd.flows.hosts import why_closed
from syncd.operations.desk import Desk, Json, utc
from syncd.store import Tx
from syncd.store.accounts import AccountState
from syncd.store.calendars import CalendarState

SYNCD = AccountId("syncd")


def status(desk: Desk) -> Answer:
    """Say how fresh every source is, what waits, what is open, and who may be booked."""
    now = desk.now
    with desk.context.store.read() as tx:
        sources = [_source(desk, tx, refs, now) for refs in _uses(desk).values()]
        body = {
            "at": utc(now),
            "recovery": desk.context.store.restored,
            "lag": lag([one["age_seconds"] for one in sources if one["age_seconds"] is not None]),
            "accounts": [_account(desk, tx, account) for account in desk.context.accounts],
            "sources": sources,
            "queues": _queues(tx, now),
            "dead": [{"kind": one.kind.value, "key": one.key, "error": one.error} for one in tx.queue.dead()],
            "deliveries": {state.value: count for state, count in tx.queue.inbox_counts().items()},
            "agents": [_agent(desk, tx, agent, now) for agent in desk.directory.agents],
            "alerts": _alerts(tx),
        }
    body["projects"] = [_project(desk, one) for one in desk.directory.projects]
    return Answer(body=body)


def _uses(desk: Desk) -> dict[CalendarId, list[CalendarRef]]:
    found: dict[CalendarId, list[CalendarRef]] = {}
    for ref in desk.directory.calendars():
        found.setdefault(ref.id, []).append(ref)
    return found


def _source(desk: Desk, tx: Tx, refs: list[CalendarRef], now: datetime) -> Json:
    state = tx.calendars.state(refs[0].id)
    age = None if state.read_at is None else max(0, int((now - state.read_at) / timedelta(seconds=1)))
    return {
        "account": refs[0].account,
        "calendar": refs[0].id,
        "agents": sorted({ref.agent for ref in refs}),
        "roles": sorted({ref.role.value for ref in refs}),
        "state": source_state(state, now, desk.context.policy.max_staleness),
        "last_success": utc(state.read_at),
        "age_seconds": age,
        "cursor": state.cursor,
        "listed_at": utc(state.listed_at),
        "failing_since": utc(state.failing_since),
        "error": state.error or state.attention or state.suspect_why,
        "notes": state.notes,
    }


def source_state(state: CalendarState, now: datetime, max_staleness: timedelta) -> str:
    """Return one word for a calendar's state, the worst that applies."""
    if state.suspect_since is not None:
        return "suspect"
    if state.attention:
        return "attention"
    if state.read_at is None:
        return "never read"
    if now - state.read_at > max_staleness:
        return "stale"
    return "failing" if state.error else "ok"


def _account(desk: Desk, tx: Tx, account: AccountId) -> Json:
    parts, state = desk.context.accounts[account], tx.accounts.state(account)
    return {
        "account": account,
        "kind": parts.kind,
        "state": account_state(state, desk.now),
        "last_success": utc(state.last_success),
        "failures": state.failures,
        "failing_since": utc(state.failing_since),
        "resting_until": utc(state.not_before) if state.not_before and state.not_before > desk.now else None,
        "error": state.parked or state.error,
        "push": tx.accounts.get(account, "push") if parts.push is not None else None,
        "push_expires": tx.accounts.get(account, "push_expires") if parts.push is not None else None,
        "requests": state.requests,
    }


def account_state(state: AccountState, now: datetime) -> str:
    if state.parked:
        return "login refused"
    if state.not_before is not None and state.not_before > now:
        return "resting"
    return "failing" if state.failures else "ok"


def _queues(tx: Tx, now: datetime) -> list[Json]:
    return [
        {"kind": kind.value, "due": count, "oldest_seconds": int(oldest / timedelta(seconds=1))}
        for kind, (count, oldest) in tx.queue.depths(now).items()
    ]


def _agent(desk: Desk, tx: Tx, agent: AgentId, now: datetime) -> Json:
    found = desk.directory.agents[agent]
    why = why_closed(tx, desk.directory, found, now)
    projects = [one.id for one in desk.directory.projects.values() if agent in one.team]
    return {"agent": agent, "name": found.name, "bookable": why is None, "why": why, "projects": projects}


def _project(desk: Desk, project: ProjectId) -> Json:
    found = desk.directory.projects[project]
    with desk.context.store.read() as tx:
        note = tx.accounts.get(SYNCD, f"activated:{project}")
    active = is_active(desk.context, found)
    return {
        "project": project,
        "active": active,
        "setting": found.activation.value,
        "team": list(found.team),
        "activated": json.loads(note) if note else None,
    }


def _alerts(tx: Tx) -> list[Json]:
    return [
        {"kind": one.kind, "about": one.about, "since": utc(one.created_at), "text": (one.body or {}).get("text", "")}
        for one in tx.queue.notices(channel="alert", state="open")
    ]


def lag(ages: list[int]) -> Json:
    """Return the median and the 95th percentile of the ages of busy time, in seconds; None where nothing was read."""
    ordered = sorted(ages)
    return {"p50_seconds": _percentile(ordered, 50), "p95_seconds": _percentile(ordered, 95)}


def _percentile(ordered: list[int], percent: int) -> int | None:
    """Return the nearest rank: the smallest value that at least this share does not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)] if ordered else None
