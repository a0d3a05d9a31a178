"""Judges one message at the moment of sending: is it still true and wanted, may it go now, over which way. Sends
nothing."""

from dataclasses import dataclass, replace
from datetime import datetime

from syncd.core.directory import MessageRule
from syncd.core.ids import AccountId, AgentId, VisitId
from syncd.core.letter import Channel, e164
from syncd.core.messages import (
    AT_ONCE,
    CLIENT,
    NO_SHOW,
    TELLS_TIME,
    channels_of,
    moment_of,
    quiet_until,
    rule_of,
    useless_at,
    waits_for_morning,
)
from syncd.core.visit import Attendance, ClientConfirmation, Visit, VisitState
from syncd.flows.announce import services
from syncd.flows.context import Context
from syncd.flows.opt_out import address_key
from syncd.store import Tx
from syncd.store.queue import Notice

BY_NUMBER = (Channel.WHATSAPP, Channel.SMS)
UNSENDABLE = ("task", "alert", "operator")
MESSAGES = "messages"  # what the alert about an installation without messengers is about
CHOSEN_LATER = "message"  # a notice with this channel gets its way when it is sent


@dataclass(frozen=True, slots=True)
class Go:
    """It may go now. `account` is "" for a notice or a task, which need nobody's service."""

    channel: Channel
    account: AccountId
    address: str
    name: str


@dataclass(frozen=True, slots=True)
class Wait:
    until: datetime


@dataclass(frozen=True, slots=True)
class Skip:
    reason: str


Verdict = Go | Wait | Skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom a message is for, and where each kind of way leads."""

    name: str
    email: str | None = None
    number: str | None = None  # E.164

    def address(self, channel: Channel) -> str | None:
        return self.number if channel in BY_NUMBER else self.email if channel is Channel.EMAIL else self.name


def visit_of(tx: Tx, notice: Notice) -> Visit | None:
    """Return the visit a message is about; None where it is about something else, or about one that is gone.

    Of several that a message names it is the first that still stands.
    """
    if not notice.about or ":" in notice.about:
        return None
    for other in (notice.body or {}).get("visits", ()):
        found = tx.visits.find(VisitId(other))
        if found is not None and found.active:
            return found
    return tx.visits.find(VisitId(notice.about))


def verdict_of(ctx: Context, tx: Tx, notice: Notice, now: datetime) -> Verdict:
    """Judge a message now."""
    if notice.channel == Channel.OPERATOR:
        return _operator_way(ctx, notice)
    visit = visit_of(tx, notice)
    rule = rule_of(notice.kind, ctx.directory.messages, visit)
    reason = _needless(rule, notice, visit)
    if reason:
        return Skip(reason)
    created = notice.created_at or now
    due = max(_due(rule, notice, visit), notice.due_at or created)
    if now < due:
        return Wait(due)
    useless = useless_at(notice.kind, visit, created)
    if now >= useless:
        return Skip("too_late")
    quiet = _quiet(ctx, notice, visit, now)
    if quiet is not None and waits_for_morning(notice.kind, quiet, useless, _start_ahead(notice, visit, now)):
        return Wait(quiet)
    return way_of(ctx, tx, notice, visit)


def _due(rule: MessageRule, notice: Notice, visit: Visit | None) -> datetime:
    """Return when a message that was said as something happened may leave, by its rule: "10m after booking"."""
    said = notice.created_at or notice.due_at
    assert said is not None  # noqa: S101 - every message was said at some moment
    return moment_of(rule.when or AT_ONCE, visit, said) if visit is not None and _is_told(notice) else said


def _is_told(notice: Notice) -> bool:
    """Tell whether a message was said when something happened, not at a moment of the plan."""
    return notice.kind == "booking_info"


# --- is it true and wanted ------------------------------------------------------------------------------------------


def _needless(rule: MessageRule, notice: Notice, visit: Visit | None) -> str:
    if not rule.enabled:
        return "off"
    if visit is None:
        return "gone" if notice.about and ":" not in notice.about and notice.kind != "proposal_answer" else ""
    if notice.kind == "cancellation":
        return "superseded" if visit.state is not VisitState.CANCELLED else ""
    told = notice.kind if notice.kind in TELLS_TIME else (notice.body or {}).get("about", "")
    if told in TELLS_TIME:
        if visit.state is VisitState.CANCELLED:
            return "cancelled"
        if notice.speaks_of is not None and notice.speaks_of != visit.interval.start:
            return "superseded"
    return _answered(notice, visit)


def _answered(notice: Notice, visit: Visit) -> str:
    settled = visit.client_confirmation in (ClientConfirmation.YES, ClientConfirmation.NO)
    if notice.kind == "confirmation_request" and settled:
        return "answered"
    if notice.kind == "request_received" and visit.state is not VisitState.PENDING:
        return "superseded"
    if notice.kind in NO_SHOW and visit.attendance is not Attendance.UNKNOWN:
        return "attended"
    return ""


def _quiet(ctx: Context, notice: Notice, visit: Visit | None, now: datetime) -> datetime | None:
    """Return when the quiet hours end that a message to a client falls into."""
    if notice.to.startswith("agent:"):
        return None
    return quiet_until(now, ctx.directory.quiet_hours, visit.time_zone if visit else ctx.directory.time_zone)


def _start_ahead(notice: Notice, visit: Visit | None, now: datetime) -> datetime | None:
    """Return the start that somebody may set out for: of the visit, or the one it had; None once it is past."""
    was = (notice.body or {}).get("was")
    starts = [visit.interval.start] if visit is not None else []
    starts += [datetime.fromisoformat(was)] if was else []
    return min((one for one in starts if one > now), default=None)


# --- whom and how ---------------------------------------------------------------------------------------------------


def person_of(ctx: Context, notice: Notice, visit: Visit | None) -> Person | None:
    """Return whom a message is for, as they can be reached now; None for somebody nobody knows any more."""
    word, _, rest = notice.to.partition(":")
    match word:
        case "client":
            return _client(visit)
        case "agent":
            return _agent(ctx, AgentId(rest.partition(":")[0]))
        case "email":
            return Person(name=visit.contact.name if visit else "", email=rest)
        case "phone":
            return Person(name=visit.contact.name if visit else "", number=e164(rest))
    return None


def _client(visit: Visit | None) -> Person | None:
    if visit is None:
        return None
    return Person(name=visit.contact.name, email=visit.contact.email, number=e164(visit.contact.phone))


def _agent(ctx: Context, agent_id: AgentId) -> Person | None:
    agent = ctx.directory.agents.get(agent_id)
    return None if agent is None else Person(name=agent.name, email=agent.email, number=e164(agent.mobile))


def messengers(ctx: Context) -> list[tuple[AccountId, Channel]]:
    """List the accounts that carry messages to people, and over which channel, in the order of the configuration."""
    found = [(account, parts.messenger().channel) for account, parts in ctx.accounts.items() if parts.messenger]
    return [(account, channel) for account, channel in found if channel is not Channel.OPERATOR]


def carries_messages(ctx: Context) -> bool:
    """Tell whether any account carries messages to people."""
    return any(parts.messenger is not None and account not in services(ctx) for account, parts in ctx.accounts.items())


def _operator_way(ctx: Context, notice: Notice) -> Verdict:
    """Return the one service a copy of an alert is for: at any hour, and only that one."""
    account = AccountId(notice.to)
    if notice.tried or account not in ctx.accounts:
        return Skip("no_channel")
    return Go(Channel.OPERATOR, account, notice.to, "")


def way_of(ctx: Context, tx: Tx, notice: Notice, visit: Visit | None) -> Verdict:
    """Return the first way that reaches the person, or why none does."""
    rule, person = rule_of(notice.kind, ctx.directory.messages, visit), person_of(ctx, notice, visit)
    if person is None:
        return Skip("nobody")
    accounts = {channel: account for account, channel in reversed(messengers(ctx))}
    opted_out = False
    for channel in _channels(notice, rule):
        address = person.address(channel)
        if channel in (Channel.NOTICE, Channel.TASK):
            return Go(channel, AccountId(""), "", person.name)
        if channel not in accounts or not address:
            continue
        if notice.to == CLIENT and tx.outbox.is_opted_out(address_key(address), channel.value):
            opted_out = True
            continue
        return Go(channel, accounts[channel], address, person.name)
    return Skip("opted_out" if opted_out else "no_channel")


def _channels(notice: Notice, rule: MessageRule) -> list[Channel]:
    """List the ways to try; those that refused this message for good are no longer among them."""
    wanted, tried = (notice.body or {}).get("channel"), notice.tried.split()
    names = channels_of(rule, notice.to, wanted) if notice.channel == CHOSEN_LATER else (notice.channel,)
    return [Channel(one) for one in names if one in set(Channel) and one not in tried]


def outcome(notice: Notice, state: str, reason: str = "", **changes: object) -> Notice:
    return replace(notice, state=state, reason=reason[:300], **changes)  # type: ignore[arg-type]
