"""The plan of messages: what is said of a visit, to whom, when, and until when it is worth saying. Knows no channel's
service, no wording and no store: a pure function of the visit, the rules and the moment."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from syncd.core.directory import Anchor, MessageRule, MessageTime, Project
from syncd.core.event_type import EventType
from syncd.core.letter import Channel
from syncd.core.visit import Attendance, ClientConfirmation, Visit, VisitState

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CLIENT = "client"
AT_ONCE = MessageTime(anchor=Anchor.BOOKING)
TO_CLIENT = ("email", "whatsapp", "sms")  # what a client keeps
ASK_CLIENT = ("whatsapp", "email", "sms")  # what a client is to read soon
TO_AGENT = ("email", "notice")


def _rule(kind: str, when: MessageTime = AT_ONCE, to: Sequence[str] = (CLIENT,), *channels: str) -> MessageRule:
    return MessageRule(kind=kind, when=when, to=tuple(to), channels=channels)


def _start(offset: timedelta) -> MessageTime:
    return MessageTime(anchor=Anchor.START, offset=offset)


BUILT_IN: dict[str, MessageRule] = {
    one.kind: one
    for one in (
        _rule("request_received", AT_ONCE, (CLIENT,), *TO_CLIENT),
        _rule("booking_info", AT_ONCE, (CLIENT,), *TO_CLIENT),
        _rule("confirmation_request", _start(-DAY), (CLIENT,), *ASK_CLIENT),
        _rule("unconfirmed_task", _start(-3 * HOUR), ("host",), "task"),
        _rule("reminder", MessageTime(anchor=Anchor.DAY, at=time(8)), (CLIENT, "host"), *ASK_CLIENT),
        _rule("no_show_follow_up", _start(timedelta(minutes=5)), (CLIENT,), *ASK_CLIENT),
        _rule("no_show_task", _start(timedelta(minutes=15)), ("host",), "task"),
        _rule("agent_notice", AT_ONCE, ("host",), *TO_AGENT),
        _rule("release_notice", AT_ONCE, ("host",), *TO_AGENT),
        _rule("update", AT_ONCE, (CLIENT,), *TO_CLIENT),
        _rule("cancellation", AT_ONCE, (CLIENT,), *TO_CLIENT),
        _rule("rebook_link", AT_ONCE, (CLIENT,), *TO_CLIENT),
        _rule("call_task", AT_ONCE, ("host",), "task"),
        _rule("proposal_answer", AT_ONCE, (CLIENT,), *TO_CLIENT),
    )
}
TIMED = ("confirmation_request", "unconfirmed_task", "reminder", "no_show_follow_up", "no_show_task")
TASKS = frozenset({"unconfirmed_task", "no_show_task"})
NO_SHOW = frozenset({"no_show_follow_up", "no_show_task"})
ASKS = frozenset({"confirmation_request", "unconfirmed_task"})
TELLS_TIME = frozenset(
    {"request_received", "booking_info", "update", "confirmation_request", "reminder", "no_show_follow_up"}
)
PRESSING = frozenset({"update", "cancellation"})  # of use only some time before the visit
TASK_AFTER = timedelta(minutes=10)  # from the follow-up to the task to call, so long may an answer take


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One message of a visit's plan. `key` names it for good: a visit at another time has other ones.

    `skip` says why nothing need be said when the moment comes.
    """

    key: str
    kind: str
    to: str  # "client", "agent:<id>"
    due_at: datetime
    useless_at: datetime
    skip: str = ""

    def reason_at(self, now: datetime) -> str:
        """Say why it is not said now that its moment has come; "" where it is."""
        return self.skip or ("too_late" if now >= self.useless_at else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the board shows on a visit: unconfirmed (clock), overdue (red), late (orange)."""

    mark: str
    since: datetime


# --- rules ----------------------------------------------------------------------------------------------------------


def rules_of(kind: str, rules: Sequence[MessageRule], visit: Visit | None) -> tuple[MessageRule, ...]:
    """Return the rules of a kind that count for a visit, whole: those that name its event type or project, else those
    for everywhere, else the built-in one."""
    fitting = [one for one in rules if one.kind == kind and _fits(one, visit)]
    chosen = [one for one in fitting if _is_scoped(one)] or fitting or [BUILT_IN[kind]]
    return tuple(_whole(one) for one in chosen)


def rule_of(kind: str, rules: Sequence[MessageRule], visit: Visit | None) -> MessageRule:
    """Return the first rule of a kind; a kind that only a task or a notice of staff has is sent at once."""
    return rules_of(kind, rules, visit)[0] if kind in BUILT_IN else _rule(kind, AT_ONCE, (CLIENT,), *TO_CLIENT)


def _is_scoped(rule: MessageRule) -> bool:
    return rule.event_types is not None or rule.projects is not None


def _fits(rule: MessageRule, visit: Visit | None) -> bool:
    if visit is None:
        return not _is_scoped(rule)
    kinds, projects = rule.event_types, rule.projects
    return (kinds is None or visit.event_type in kinds) and (projects is None or visit.project in projects)


def _whole(rule: MessageRule) -> MessageRule:
    usual = BUILT_IN[rule.kind]
    if rule is usual:
        return rule
    return replace(rule, when=rule.when or usual.when, to=rule.to or usual.to, channels=rule.channels or usual.channels)


# --- moments --------------------------------------------------------------------------------------------------------


def moment_of(when: MessageTime, visit: Visit, known_at: datetime) -> datetime:
    """Return when a message is due. Whole days mean the same time on the wall clock, hours are elapsed time (T08).

    `known_at` is the booking, or whatever else is told of.
    """
    if when.anchor is Anchor.BOOKING:
        return known_at + when.offset
    zone = ZoneInfo(visit.time_zone)
    local = visit.interval.start.astimezone(zone)
    if when.anchor is Anchor.DAY:
        return _utc(datetime.combine(local.date(), when.at or time(8), zone))
    if when.offset % DAY:
        return visit.interval.start + when.offset
    return _utc(datetime.combine(local.date() + when.offset, local.time(), zone))


def _utc(wall: datetime) -> datetime:
    """Return the moment that a wall clock shows: the first of two, and for none the one as long after the change."""
    return wall.astimezone(UTC)


def quiet_until(moment: datetime, quiet: tuple[time, time] | None, zone: str) -> datetime | None:
    """Return when the quiet hours that a moment falls into end; None where it falls into none."""
    if quiet is None or quiet[0] == quiet[1]:
        return None
    place = ZoneInfo(zone)
    local = moment.astimezone(place)
    begin, end = quiet
    wall = local.time()
    inside = begin <= wall < end if begin < end else wall >= begin or wall < end
    if not inside:
        return None
    day = local.date() + DAY if begin > end and wall >= begin else local.date()
    return _utc(datetime.combine(day, end, place))


def useless_at(kind: str, visit: Visit | None, created_at: datetime) -> datetime:
    """Return from when on a message is of no use any more."""
    if visit is None or kind in ("proposal_answer", "rebook_link"):
        return created_at + 7 * DAY
    start = visit.interval.start
    match kind:
        case "request_received" | "booking_info" | "update" | "reminder":
            return start
        case "confirmation_request":
            return start - HOUR
        case "no_show_follow_up":
            return start + 3 * HOUR
        case _:
            return max(start, created_at + DAY)


def waits_for_morning(kind: str, quiet_end: datetime, useless: datetime, start: datetime | None) -> bool:
    """Tell whether a message may wait until the quiet hours end: not where it would then be too late (C19).

    Whoever is to set out for `start` must hear an hour before that the visit moved or is off.
    """
    if kind in PRESSING and start is not None:
        return quiet_end + HOUR <= start
    return quiet_end < useless


# --- the plan -------------------------------------------------------------------------------------------------------


def plan_of(
    visit: Visit, event_type: EventType | None, project: Project | None, rules: Sequence[MessageRule]
) -> list[Planned]:
    """Return what is said of a visit at moments of its own, by due time. What is told as it happens is not in here.

    A moment that was past when the visit was booked is caught up at once.
    """
    if visit.state is not VisitState.CONFIRMED:
        return []
    planned: list[Planned] = []
    for kind in TIMED:
        if kind in NO_SHOW and not _follows_up(kind, event_type, rules, visit):
            continue
        found = [one for one in rules_of(kind, rules, visit) if one.enabled]
        for rule in found:
            label = _label(rule.when) if len(found) > 1 else ""
            planned += _planned(visit, event_type, project, rule, label)
    return sorted(planned, key=lambda one: (one.due_at, TIMED.index(one.kind)))


def _follows_up(kind: str, event_type: EventType | None, rules: Sequence[MessageRule], visit: Visit) -> bool:
    """Tell whether a no-show is followed up: where its event type says so, or a rule names a moment."""
    configured = event_type is not None and event_type.no_show.follow_up is not None
    return configured or any(one.kind == kind and one.when is not None and _fits(one, visit) for one in rules)


def _planned(
    visit: Visit, event_type: EventType | None, project: Project | None, rule: MessageRule, label: str
) -> list[Planned]:
    moment = moment_of(_when(rule, event_type), visit, visit.booked_at)
    channel = "task" if rule.kind in TASKS else "message"
    key = f"{channel}:{rule.kind}:{visit.id}:{int(visit.interval.start.timestamp())}{label}"
    due, useless = max(moment, visit.booked_at), _useless(rule.kind, visit, moment)
    skip = _needless(rule.kind, visit, moment)
    return [
        Planned(key=f"{key}:{one}", kind=rule.kind, to=one, due_at=due, useless_at=useless, skip=skip)
        for one in recipients(rule.to, visit, project)
    ]


def _when(rule: MessageRule, event_type: EventType | None) -> MessageTime:
    """Return a rule's moment; the event type's own follow-up is what the built-in rules go by."""
    follow_up = event_type.no_show.follow_up if event_type is not None else None
    usual = BUILT_IN[rule.kind].when or AT_ONCE
    if rule.kind in NO_SHOW and follow_up is not None and rule.when in (None, usual):
        return _start(follow_up + (TASK_AFTER if rule.kind == "no_show_task" else timedelta(0)))
    return rule.when or usual


def _useless(kind: str, visit: Visit, moment: datetime) -> datetime:
    """Return until when it helps: a task before the visit needs half of its time."""
    if kind == "unconfirmed_task":
        return visit.interval.start - (visit.interval.start - moment) / 2
    return useless_at(kind, visit, moment)


def _needless(kind: str, visit: Visit, moment: datetime) -> str:
    if kind in ASKS and visit.client_confirmation in (ClientConfirmation.YES, ClientConfirmation.NO):
        return "answered"
    if kind in NO_SHOW and visit.attendance is not Attendance.UNKNOWN:
        return "attended"
    if kind == "unconfirmed_task" and moment <= visit.booked_at:
        return "too_late"
    return ""


def _label(when: MessageTime | None) -> str:
    if when is None:
        return ""
    return f":{when.anchor.value}{when.at or int(when.offset.total_seconds())}"


def recipients(words: Sequence[str], visit: Visit, project: Project | None) -> list[str]:
    """Return whom client, host, team and responsible name for a visit, each once."""
    found: list[str] = []
    for word in words:
        match word:
            case "client":
                found.append(CLIENT)
            case "host":
                found += [f"agent:{visit.host}"] if visit.host else []
            case "team":
                found += [f"agent:{one}" for one in (project.team if project else ())]
            case "responsible":
                who = project.responsible if project and project.responsible else visit.host
                found += [f"agent:{who}"] if who else []
    return list(dict.fromkeys(found))


def channels_of(rule: MessageRule, to: str, wanted: str | None = None) -> tuple[str, ...]:
    """Return the ways to a person in the order in which they are tried; a wish for one way puts it first.

    Agents are written to, and what cannot be sent them stands as a notice in their own view.
    """
    if to.startswith("agent:"):
        own = rule.channels if rule.channels != BUILT_IN.get(rule.kind, rule).channels else ()
        return tuple(dict.fromkeys((*(own or TO_AGENT), Channel.NOTICE.value)))
    return tuple(dict.fromkeys((*((wanted,) if wanted else ()), *rule.channels)))


# --- marks ----------------------------------------------------------------------------------------------------------


def marks_of(
    visit: Visit,
    event_type: EventType | None,
    project: Project | None,
    rules: Sequence[MessageRule],
    now: datetime,
) -> tuple[Mark, ...]:
    """Return what the board shows at a moment, each with since when."""
    if visit.state is not VisitState.CONFIRMED:
        return ()
    plan = plan_of(visit, event_type, project, rules)
    begun = {one.kind: one.due_at for one in reversed(plan) if one.due_at <= now}
    marks: list[Mark] = []
    asked = visit.client_confirmation in (ClientConfirmation.NONE, ClientConfirmation.ASKED)
    if asked and now < visit.interval.start:
        marks += _mark("unconfirmed", begun.get("confirmation_request"))
        marks += _mark("overdue", begun.get("unconfirmed_task"))
    follow_up = begun.get("no_show_follow_up", begun.get("no_show_task"))
    if visit.attendance is Attendance.UNKNOWN and follow_up is not None and now < visit.interval.end + DAY:
        marks += _mark("late", follow_up)
    return tuple(marks)


def _mark(name: str, since: datetime | None) -> list[Mark]:
    return [Mark(mark=name, since=since)] if since is not None else []


# --- giving a slot back ---------------------------------------------------------------------------------------------

TIME_TO_ANSWER = HOUR  # a client who was asked late is not given up at once


def unconfirmed_release_at(visit: Visit, event_type: EventType | None, asked_at: datetime | None) -> datetime | None:
    """Return when a visit is given up that its client was asked to confirm and did not (C12); None: never."""
    span = event_type.unconfirmed_release if event_type is not None else None
    if span is None or asked_at is None or visit.state is not VisitState.CONFIRMED:
        return None
    if visit.client_confirmation is not ClientConfirmation.ASKED:
        return None
    moment = max(visit.interval.start - span, asked_at + TIME_TO_ANSWER)
    return moment if moment < visit.interval.start else None


def no_show_release_at(visit: Visit, event_type: EventType | None) -> datetime | None:
    """Return when the rest of a visit is given back that nobody was seen at; None: never, once attended."""
    span = event_type.no_show.release if event_type is not None else None
    if span is None or visit.state is not VisitState.CONFIRMED or visit.attendance is not Attendance.UNKNOWN:
        return None
    moment = visit.interval.start + span
    return moment if moment < visit.interval.end else None
