"""What reconciliation would write, move or delete, without doing it."""

from dataclasses import dataclass
from datetime import datetime

from syncd.core.ids import AgentId
from syncd.core.interval import Interval
from syncd.core.publish import Delete, EventKey, Forget, HoldOff, Put, Step, next_step
from syncd.flows.context import Context
from syncd.flows.reconcile import desired, draft_of, is_left, restores
from syncd.store import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """One write that is due: "create", "update", "delete" or "leave" of one entry."""

    key: EventKey
    act: str
    title: str
    interval: Interval


def plan(ctx: Context, now: datetime) -> list[PlannedStep]:
    """List every step that is due, calendar by calendar; empty right after a `sync` (I18)."""
    with ctx.store.read() as tx:
        found = {step.key: step for agent in ctx.directory.agents for step in _agent_plan(ctx, tx, agent, now)}
    return [found[key] for key in sorted(found, key=lambda key: (key.calendar, found[key].interval, key.subject))]


def _agent_plan(ctx: Context, tx: Tx, agent_id: AgentId, now: datetime) -> list[PlannedStep]:
    agent = ctx.directory.agents[agent_id]
    drafts, _ = desired(ctx, tx, agent, now)
    known = {one.key: one for ref in agent.calendars for one in tx.calendars.published_in(ref.id)}
    steps = []
    for key in sorted({*drafts, *known}):
        draft = drafts.get(key) or draft_of(ctx, tx, key, now)
        if is_left(ctx, tx, known.get(key), draft is not None, now):
            continue
        steps.append(_planned(key, next_step(draft, known.get(key), now, restore=restores(ctx, key))))
    return [one for one in steps if one is not None]


def _planned(key: EventKey, step: Step) -> PlannedStep | None:
    match step:
        case Put(draft=draft, known=known):
            act = "create" if known is None else "update"
            return PlannedStep(key=key, act=act, title=draft.title, interval=draft.interval)
        case Delete(known=known) | Forget(known=known):
            return PlannedStep(key=key, act="delete", title=known.title, interval=known.interval)
        case HoldOff() | None:
            return None
