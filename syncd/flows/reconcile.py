"""One agent: what a person changed in the calendar, conflicts with the own time, then what should stand where.

Levels, not events: everything is derived again from the store each time, so a lost wake-up costs minutes, never truth.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from syncd.core.conflict import Clash, find_conflicts, may_reassign
from syncd.core.directory import Agent, CalendarRef, CalendarRole, OnAgentDelete, OnAgentMove
from syncd.core.draft import mirror_drafts, visit_draft, visit_subject
from syncd.core.ids import AccountId, AgentId, CalendarId, VisitId
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, EventKey, Presence, Published, next_step
from syncd.core.routing import rank_hosts
from syncd.core.visit import Cancel, CancelReason, Conflict, ConflictReason, Move, Refused, Visit, VisitState
from syncd.errors import SlotTaken
from syncd.flows.adoption import adopt_known, awaits_entry, retire
from syncd.flows.book import HELD_ANYWAY, Place, act_in, announce, judge, place_of
from syncd.flows.carry import fixed_accounts, touch_carry
from syncd.flows.context import Context
from syncd.flows.hosts import busy_calendars
from syncd.flows.keys import entry_gone, listed_after
from syncd.flows.say import alert, message, recovered, task
from syncd.store import Tx
from syncd.store.queue import WorkKind
from syncd.store.visits import Cause

SYNCD = AccountId("syncd")
ACTIVE = (VisitState.PENDING, VisitState.CONFIRMED)
FAR = timedelta(days=3 * 366)
MANY = 10_000


def reconcile(ctx: Context, key: str, now: datetime) -> datetime | None:
    """Bring one agent's visits and calendars together; returns when to look again, if time alone will change it."""
    agent = ctx.directory.agents.get(AgentId(key))
    if agent is None:
        ctx.store.write(lambda tx: _flag_hostless(ctx, tx, AgentId(key), now))
        return None
    ctx.store.write(lambda tx: _heed_silence(ctx, tx, agent, now))
    ctx.store.write(lambda tx: _heed_agent(ctx, tx, agent, now))
    ctx.store.write(lambda tx: _settle_conflicts(ctx, tx, agent, now))
    return ctx.store.write(lambda tx: _touch_publish(ctx, tx, agent, now))


def agents_ahead(ctx: Context, tx: Tx, now: datetime) -> list[AgentId]:
    """List whom a sweep looks at: every configured agent, and those who are none any more and still host visits."""
    hosts = {one.host for one in _ahead(tx, now) if one.host is not None}
    return [*ctx.directory.agents, *sorted(hosts - {*ctx.directory.agents})]


def visits_ahead(tx: Tx, now: datetime) -> list[VisitId]:
    """List the visits whose plan a sweep looks at: those that time may still do something to."""
    return [one.id for one in _ahead(tx, now)]


def _ahead(tx: Tx, now: datetime) -> list[Visit]:
    return tx.visits.search(window=Interval(now, now + FAR), states=ACTIVE, limit=MANY)


def _flag_hostless(ctx: Context, tx: Tx, agent: AgentId, now: datetime) -> None:
    """An agent left the configuration with visits ahead: each is kept and flagged, its entries stay (F32)."""
    for visit in tx.visits.search(window=Interval(now, now + FAR), agent=agent, states=ACTIVE, limit=MANY):
        if visit.conflict is None or visit.conflict.reason is not ConflictReason.NO_HOST:
            gone = Conflict(reason=ConflictReason.NO_HOST, since=now, detail=f"{agent} is no agent any more")
            saved = tx.visits.save(replace(visit, conflict=gone), _by_daemon(now, f"{agent} is no agent any more"))
            task(tx, "host_left", saved, now, key="left")


def _heed_silence(ctx: Context, tx: Tx, agent: Agent, now: datetime) -> None:
    """Say once that a calendar was not read for too long, where nothing else says why; and once that it is (S18)."""
    for calendar in busy_calendars(agent):
        state = tx.calendars.state(calendar)
        since = state.read_at or state.failing_since
        if since is None or now - since <= ctx.policy.max_staleness:
            recovered(tx, "silent", calendar, now)
        elif not _is_explained(ctx, tx, calendar):
            text = f"{calendar} was last read at {since:%Y-%m-%d %H:%MZ}: {agent.id} is offered to nobody meanwhile"
            alert(tx, "silent", calendar, text, now)


def _is_explained(ctx: Context, tx: Tx, calendar: CalendarId) -> bool:
    """Tell whether a standing alert about the calendar or its account already says what is wrong."""
    return any(
        tx.queue.notices(channel="alert", about=about, state="open") for about in (calendar, ctx.account_of(calendar))
    )


# --- what a person did to our entries -------------------------------------------------------------------------------


def _heed_agent(ctx: Context, tx: Tx, agent: Agent, now: datetime) -> None:
    for visit in upcoming(ctx, tx, agent, now):
        if visit.remote.calendar_entry is not None:
            adopt_known(ctx, tx, visit, now)
    for ref in agent.calendars:
        for known in tx.calendars.published_in(ref.id):
            if known.presence is not Presence.AS_PUT or known.adopted:
                _heed_entry(ctx, tx, agent, known, now)


def _heed_entry(ctx: Context, tx: Tx, agent: Agent, known: Published, now: datetime) -> None:
    if not known.key.subject.startswith("visit:"):
        return
    visit = tx.visits.find(VisitId(known.key.subject.removeprefix("visit:")))
    if visit is None or not visit.active or visit.host != agent.id or visit.interval.end <= now:
        return
    if known.adopted and known.interval.end <= now and not _was_moved_here(visit, known):
        return
    if known.adopted:
        _heed_adopted(ctx, tx, agent, visit, known, now)
    elif known.presence is Presence.GONE:
        _heed_deletion(ctx, tx, agent, visit, known, now)
    elif known.seen_interval not in (None, known.interval):
        _heed_move(ctx, tx, agent, visit, known, known.seen_interval, now)


def _heed_adopted(ctx: Context, tx: Tx, agent: Agent, visit: Visit, known: Published, now: datetime) -> None:
    """An entry that the scheduler wrote is never rewritten: it is let go of where the visit was moved here."""
    if tx.accounts.get(visit.source.account, entry_gone(visit.id)) is not None:
        return  # the booking is read again first: its scheduler may have cancelled or moved it
    if known.presence is Presence.GONE:
        missed = tx.accounts.get(SYNCD, listed_after(known.key))
        listed_at = tx.calendars.state(known.key.calendar).listed_at
        if missed is None or (listed_at is not None and listed_at > datetime.fromisoformat(missed)):
            _heed_deletion(ctx, tx, agent, visit, known, now)
    elif _was_moved_here(visit, known):
        retire(tx, known)
    elif known.interval != visit.interval:
        task(tx, "entry_moved", visit, now, key=str(known.interval.epoch[0]))


def _was_moved_here(visit: Visit, known: Published) -> bool:
    """Tell whether the scheduler's entry stands at a time that the visit no longer has by our own decision."""
    return known.presence is not Presence.GONE and visit.interval not in (known.interval, visit.remote.interval)


def _heed_deletion(ctx: Context, tx: Tx, agent: Agent, visit: Visit, known: Published, now: datetime) -> None:
    if known.interval != visit.interval and not known.adopted:
        return  # it stood at another time: the visit moved since, and is published there
    match ctx.policy.on_agent_delete:
        case OnAgentDelete.ASK:
            task(tx, "entry_deleted", visit, now)
        case OnAgentDelete.CANCEL:
            act_in(
                ctx, tx, visit.id, Cancel(by=CancelReason.AGENT), _by_agent(agent, now, "deleted the calendar entry")
            )
        case OnAgentDelete.RESTORE:
            if known.adopted:  # not ours to write again: an entry of our own takes its place
                tx.calendars.forget(known.key)


def _heed_move(
    ctx: Context, tx: Tx, agent: Agent, visit: Visit, known: Published, wanted: Interval | None, now: datetime
) -> None:
    """A drag is a wish, judged like a booking; a refused one is written back and the agent told once (C1).

    Judged either way: without a `seen_interval` the entry may be written over.
    """
    judged = replace(known, seen_interval=None)
    if wanted is None or ctx.policy.on_agent_move is OnAgentMove.RESTORE:
        tx.calendars.remember(judged)
        return
    outcome = _moved(ctx, tx, agent, visit, wanted, now)
    if isinstance(outcome, Refused):
        body = {"about": "move_refused", "reason": outcome.reason, "wanted": wanted.start.isoformat()}
        message(tx, "agent_notice", visit, now, to=f"agent:{agent.id}:{wanted.epoch[0]}", body=body)
        task(tx, "move_refused", visit, now, key=f"{wanted.epoch[0]}")  # staff can see why the entry jumped back
        tx.calendars.remember(judged)
        return
    tx.calendars.remember(replace(judged, presence=Presence.AS_PUT, interval=wanted))


def _moved(ctx: Context, tx: Tx, agent: Agent, visit: Visit, wanted: Interval, now: datetime) -> Visit | Refused:
    if wanted == visit.interval:
        return visit
    if wanted.length != visit.interval.length:
        return Refused(reason="length", detail="a visit keeps its length")
    return act_in(ctx, tx, visit.id, Move(start=wanted.start), _by_agent(agent, now, "moved the calendar entry"))


def _by_agent(agent: Agent, now: datetime, note: str) -> Cause:
    return Cause(at=now, actor=f"agent:{agent.id}", source="calendar", note=note)


# --- personal events on visits --------------------------------------------------------------------------------------


def _settle_conflicts(ctx: Context, tx: Tx, agent: Agent, now: datetime) -> None:
    visits = upcoming(ctx, tx, agent, now)
    window = Interval(now, max([visit.guard.end for visit in visits], default=now) + ctx.policy.look_ahead)
    blocks = [one for one in tx.calendars.blocks(busy_calendars(agent), window) if one.interval.end > now]
    clashes = {clash.visit.id: clash for clash in find_conflicts(visits, blocks)}
    for visit in visits:
        if visit.id in clashes:
            _resolve(ctx, tx, clashes[visit.id], now)
        elif visit.conflict is not None and visit.conflict.reason in (ConflictReason.BUSY, ConflictReason.NO_HOST):
            tx.visits.save(replace(visit, conflict=None), _by_daemon(now, "what spoke against the visit is gone"))


def upcoming(ctx: Context, tx: Tx, agent: Agent, now: datetime) -> list[Visit]:
    """List the agent's active visits that have not ended."""
    found = tx.visits.search(window=Interval(now, now + FAR), agent=agent.id, states=ACTIVE, limit=MANY)
    return [visit for visit in found if visit.interval.end > now]


def _by_daemon(now: datetime, note: str) -> Cause:
    return Cause(at=now, actor="syncd", source="daemon", note=note)


def _resolve(ctx: Context, tx: Tx, clash: Clash, now: datetime) -> None:
    """Hand the visit to a free colleague where policy and scheduler allow it, else flag it once."""
    visit = clash.visit
    fixed = visit.source.account in fixed_accounts(ctx)
    place = place_of(ctx, visit.project, visit.event_type) if visit.project is not None else None
    allowed = visit.interval.start > now and may_reassign(visit, ctx.policy.on_conflict, scheduler_fixed=fixed)
    if allowed and isinstance(place, Place) and _reassign(ctx, tx, visit, place, now):
        return
    if visit.conflict is None:
        flag = Conflict(reason=ConflictReason.BUSY, since=now, detail=clash.block.calendar)
        cause = _by_daemon(now, f"a busy block of {clash.block.calendar} lies on the visit")
        visit = tx.visits.save(replace(visit, conflict=flag), cause)
    task(tx, "busy_conflict", visit, now, key=f"{clash.block.interval.epoch[0]}")


def _reassign(ctx: Context, tx: Tx, visit: Visit, place: Place, now: datetime) -> bool:
    turns = tx.visits.turns(place.project.id, place.event_type.id, place.project.team)
    for agent in rank_hosts([one for one in place.project.team if one != visit.host], turns):
        reason = judge(ctx, tx, place, agent, visit.interval.start, now)
        if reason is not None and reason not in HELD_ANYWAY:
            continue
        after = replace(visit, host=agent, conflict=None)
        try:
            saved = tx.visits.save(after, _by_daemon(now, f"a busy block lies on the visit; {agent} takes it"))
        except SlotTaken:
            continue
        announce(tx, visit, saved, now)
        touch_carry(ctx, tx, saved, now)
        return True
    return False


# --- what should stand in the agent's calendars ---------------------------------------------------------------------


def publish_calendars(agent: Agent) -> list[CalendarRef]:
    return [ref for ref in agent.calendars if ref.role is CalendarRole.PUBLISH]


def _touch_publish(ctx: Context, tx: Tx, agent: Agent, now: datetime) -> datetime | None:
    """Touch every entry that is not as it should be; drafts and entries are compared by key."""
    drafts, waits = desired(ctx, tx, agent, now)
    own = [ref.id for ref in agent.calendars]
    known = {one.key: one for calendar in own for one in tx.calendars.published_in(calendar)}
    keys = [
        key
        for key in sorted({*drafts, *known})
        if next_step(drafts.get(key), known.get(key), now, restore=restores(ctx, key)) is not None
        and (key in drafts or not _is_shared(ctx, agent, key) or not is_wanted(ctx, tx, key, now))
        and not is_left(ctx, tx, known.get(key), key in drafts, now)
    ]
    for key in keys:
        tx.queue.touch(WorkKind.PUBLISH, str(key), now, group=ctx.account_of(key.calendar))
    return min(waits, default=None)


def restores(ctx: Context, key: EventKey) -> bool:
    """Tell whether an entry that a person deleted is put back: copies of busy time always are."""
    return ctx.policy.on_agent_delete is OnAgentDelete.RESTORE or key.subject.startswith("mirror:")


def is_left(ctx: Context, tx: Tx, known: Published | None, wanted: bool, now: datetime) -> bool:
    """Tell whether an entry stays as it stands: what is over is history, what lost its host waits for a decision."""
    if known is None or wanted:
        return False
    if known.interval.end <= now:
        return True
    visit = tx.visits.find(VisitId(known.key.subject.removeprefix("visit:")))
    return visit is not None and visit.active and visit.host not in ctx.directory.agents


def desired(ctx: Context, tx: Tx, agent: Agent, now: datetime) -> tuple[dict[EventKey, EventDraft], list[datetime]]:
    """Return the wanted entries of one agent's calendars, and the moments until which adoption is awaited."""
    visits = upcoming(ctx, tx, agent, now)
    drafts, waits = _visit_drafts(ctx, tx, agent, visits, now)
    for ref in agent.calendars:
        if ref.role is CalendarRole.MIRROR:
            copies = mirror_drafts(
                _busy_time(ctx, tx, agent, visits, now),
                ref,
                ctx.directory.time_zone,
                ctx.directory.locale,
                ctx.generation,
            )
            drafts |= {draft.key: draft for draft in copies}
    return drafts, waits


def _visit_drafts(
    ctx: Context, tx: Tx, agent: Agent, visits: Iterable[Visit], now: datetime
) -> tuple[dict[EventKey, EventDraft], list[datetime]]:
    drafts: dict[EventKey, EventDraft] = {}
    waits: list[datetime] = []
    for visit in visits:
        calendars = {ref.id for ref in agent.calendars}
        stand = [one for one in tx.calendars.published_of(visit_subject(visit.id)) if one.key.calendar in calendars]
        here = {one.key.calendar for one in stand if one.adopted}
        until = awaits_entry(tx, visit, now) if not stand else None
        waits += [until] if until is not None else []
        for ref in agent.calendars:
            if ref.id in here or (ref.role is CalendarRole.PUBLISH and not here and until is None):
                draft = visit_draft(visit, ref, ctx.directory, ctx.generation)
                drafts[draft.key] = draft
    return drafts, waits


def _busy_time(
    ctx: Context, tx: Tx, agent: Agent, visits: Iterable[Visit], now: datetime
) -> list[tuple[CalendarId, str, Interval]]:
    """Gather what a mirror shows: strangers' blocks, and visits that the outside scheduler does not know itself."""
    sources = [ref.id for ref in agent.calendars if ref.role is not CalendarRole.MIRROR]
    window = Interval(now, now + ctx.policy.look_ahead)
    blocks = [one for one in tx.calendars.blocks(sources, window) if not one.copied]
    own = [
        (CalendarId("syncd"), visit.id, visit.interval) for visit in visits if visit.source.account not in ctx.accounts
    ]
    return own + [(one.calendar, f"{one.remote_id}", one.interval) for one in blocks]


def _is_shared(ctx: Context, agent: Agent, key: EventKey) -> bool:
    return any(ref.agent != agent.id for ref in ctx.directory.calendar(key.calendar))


def is_wanted(ctx: Context, tx: Tx, key: EventKey, now: datetime) -> bool:
    """Tell whether any agent wants this entry (a calendar may be shared)."""
    return draft_of(ctx, tx, key, now) is not None


def draft_of(ctx: Context, tx: Tx, key: EventKey, now: datetime) -> EventDraft | None:
    """Compose the entry that should stand under this key now, None where nothing should."""
    for ref in ctx.directory.calendar(key.calendar):
        agent = ctx.directory.agents[ref.agent]
        drafts = _drafts_of_subject(ctx, tx, agent, key, now)
        if key in drafts:
            return drafts[key]
    return None


def _drafts_of_subject(ctx: Context, tx: Tx, agent: Agent, key: EventKey, now: datetime) -> dict[EventKey, EventDraft]:
    """Compose what this agent wants of one subject; only its own visit is read where it is one."""
    if not key.subject.startswith("visit:"):
        return desired(ctx, tx, agent, now)[0]
    visit = tx.visits.find(VisitId(key.subject.removeprefix("visit:")))
    if visit is None or not visit.active or visit.host != agent.id or visit.interval.end <= now:
        return {}
    return _visit_drafts(ctx, tx, agent, [visit], now)[0]
