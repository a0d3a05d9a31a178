"""Writes one message: who reads it, in which language, with which links. Sends nothing and decides nothing about when.

Links are made here, as the words are needed, and stand in no table. What an outside scheduler invites to by itself
bears no second invitation.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from syncd.core.directory import Agent, MessageRule
from syncd.core.ids import AgentId, CalendarId, ProjectId, VisitId
from syncd.core.letter import Channel, Letter
from syncd.core.publish import EventDraft, EventKey
from syncd.core.visit import CancelReason, Visit, VisitState
from syncd.flows.context import Context
from syncd.flows.links import Purpose, make_link, visit_subject
from syncd.flows.propose import proposal_link
from syncd.ical import Party, invitation_text, lines, one_line
from syncd.language import LANGUAGES, Language
from syncd.messages.own import ANSWERS, render, values_of
from syncd.messages.paper import html_of, html_of_text, short_of, text_of
from syncd.messages.wording import Named, Topic, said_of
from syncd.store import Tx

CLIENT = "client"
METHODS = {"booking_info": "REQUEST", "update": "REQUEST", "cancellation": "CANCEL"}
BRIEF = frozenset({Channel.SMS, Channel.WHATSAPP})
UNAPPROVED = (CancelReason.REJECTED, CancelReason.EXPIRED)
NO_LINK = "-"  # in a preview nothing is made


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """The ways that a message opens for its reader; "" where it opens none."""

    visit: str = ""
    book: str = ""
    proposal: str = ""


def compose(
    ctx: Context,
    visit: Visit | None,
    kind: str,
    channel: Channel,
    recipient: str,
    body: Mapping[str, Any] | None,
    *,
    preview: bool = False,
) -> Letter:
    """Return a message in its reader's language. Address and key are the sender's to fill in.

    `body` is what the notice says beside the visit: message, rebook_link, was, host, about, locale. With
    `preview` links are shown and not made.
    """
    wishes = body or {}
    rule = _rule(ctx, visit, kind)
    links = _links(ctx, visit, kind, recipient, wishes, preview=preview)
    if visit is not None and recipient == "client" and _asks_for_windows(rule):
        links = replace(links, proposal=_proposal(ctx, visit, preview=preview))
    topic = _topic(ctx, visit, recipient, wishes, links)
    if visit is not None and wishes.get("visits"):
        topic = replace(topic, visits=_several(ctx, visit, wishes, topic, preview=preview))
    said = said_of(kind, topic)
    subject, text = said.subject, short_of(said) if channel in BRIEF else text_of(said)
    values = _values(topic, visit)
    if rule is not None and rule.subject:
        subject = one_line(render(rule.subject, values))
    html = html_of(replace(said, subject=subject), topic.language.code)
    if rule is not None and rule.text:
        text = render(rule.text, values)
        html = html_of_text(text, subject, topic.language.code)
    method, calendar = _invitation(ctx, visit, kind, channel, recipient, topic)
    return Letter(
        key="",
        channel=channel,
        kind=kind,
        to="",
        to_name=topic.name,
        locale=topic.language.locale,
        subject=subject,
        text=text,
        html=html if channel is Channel.EMAIL else "",
        calendar=calendar,
        calendar_method=method,
        variables=values,
        reply_to=topic.reply_to,
    )


# --- links ----------------------------------------------------------------------------------------------------------


def _links(
    ctx: Context, visit: Visit | None, kind: str, recipient: str, wishes: Mapping[str, Any], *, preview: bool
) -> Links:
    """Make the links that a client's message opens; agents have their own view."""
    if recipient.startswith("agent:"):
        return Links()
    purposes = dict(_purposes(ctx, visit, kind, wishes))
    if preview:
        made = {one: f"{ctx.public_url}/{one.value}/{NO_LINK}" for one in purposes}
    else:
        made = ctx.store.write(lambda tx: _made(ctx, tx, purposes))
    return Links(visit=made.get(Purpose.VISIT, ""), book=made.get(Purpose.BOOK, ""))


def _asks_for_windows(rule: MessageRule | None) -> bool:
    """Tell whether an administrator's own words have the link to the form for windows in them (R051)."""
    words = f"{rule.subject or ''} {rule.text or ''}" if rule is not None else ""
    return "proposal_link" in words or "enlace_propuesta" in words


def _proposal(ctx: Context, visit: Visit, *, preview: bool) -> str:
    if preview:
        return f"{ctx.public_url}/{Purpose.PROPOSAL.value}/{NO_LINK}"
    return ctx.store.write(lambda tx: proposal_link(ctx, tx, visit, ctx.clock.now()))


def _purposes(
    ctx: Context, visit: Visit | None, kind: str, wishes: Mapping[str, Any]
) -> Iterator[tuple[Purpose, tuple[str, datetime]]]:
    """Yield each link that is wanted, with its subject and its end."""
    later = ctx.clock.now() + ctx.directory.link_expires
    if visit is not None and (visit.active or (kind == "cancellation" and _may_be_taken_back(ctx, visit))):
        yield Purpose.VISIT, (visit_subject(visit.id), visit.interval.end)
    if visit is not None and (kind == "rebook_link" or wishes.get("rebook_link")):
        yield Purpose.BOOK, (visit_subject(visit.id), later)


def _may_be_taken_back(ctx: Context, visit: Visit) -> bool:
    """Tell whether the client may find a way back on the visit's page, if they are soon enough."""
    return visit.cancel_reason is CancelReason.CLIENT and not _invites_itself(ctx, visit)


def _made(ctx: Context, tx: Tx, wanted: Mapping[Purpose, tuple[str, datetime]]) -> dict[Purpose, str]:
    return {one: make_link(ctx, tx, one, subject, until) for one, (subject, until) in wanted.items()}


# --- what is said ---------------------------------------------------------------------------------------------------


def _topic(ctx: Context, visit: Visit | None, recipient: str, wishes: Mapping[str, Any], links: Links) -> Topic:
    language = _language(ctx, visit, recipient, wishes)
    topic = Topic(
        language=language,
        message=lines(str(wishes.get("message") or "")),
        about=str(wishes.get("about") or ""),
        visit_link=links.visit,
        booking_link=links.book,
        proposal_link=links.proposal,
        to_client=not recipient.startswith("agent:"),
        name=one_line(_name(ctx, visit, recipient)),
    )
    return _of_answer(ctx, wishes, topic) if visit is None else _of_visit(ctx, visit, wishes, topic)


def _of_answer(ctx: Context, wishes: Mapping[str, Any], topic: Topic) -> Topic:
    """Add whose windows are handed on, and for what (see flows.propose)."""
    client, dwelling = wishes.get("contact") or {}, wishes.get("property") or {}
    project = ctx.directory.projects.get(wishes.get("project") or ProjectId(""))
    return replace(
        topic,
        client=one_line(client.get("name") or ""),
        phone=one_line(client.get("phone") or ""),
        reply_to=client.get("email") or "",
        place=one_line(project.name if project else ""),
        property=one_line(dwelling.get("name") or dwelling.get("id") or ""),
        proposal=str(wishes.get("proposal") or ""),
    )


def _of_visit(ctx: Context, visit: Visit, wishes: Mapping[str, Any], topic: Topic) -> Topic:
    language, zone = topic.language, visit.time_zone
    project = ctx.directory.projects.get(visit.project) if visit.project is not None else None
    kind = ctx.directory.event_types.get(visit.event_type) if visit.event_type is not None else None
    host = _agent(ctx, visit.host)
    what = one_line(visit.title) if not topic.to_client else one_line(kind.name if kind else "")
    was, until = _moment(wishes.get("was")), visit.pending_expires_at
    return replace(
        topic,
        place=one_line(project.name if project else "") or language.text("our property"),
        what=_without_holes(what) or one_line(project.name if project else ""),
        day=language.day(visit.interval.start, zone),
        time=language.time(visit.interval.start, zone),
        zone=language.text("%(city)s time", city=language.city(zone)),
        address=one_line(visit.location or (project.address if project else "")),
        property=one_line((visit.dwelling.name or visit.dwelling.id) if visit.dwelling else ""),
        host=one_line(host.name if host else ""),
        client=one_line(visit.contact.name) or language.text("The client"),
        phone=one_line(visit.contact.phone or ""),
        answers=lines("\n".join(f"{one.question}: {one.answer}" for one in visit.answers)),
        was_day=language.day(was, zone) if was else "",
        was_time=language.time(was, zone) if was else "",
        new_host="host" in wishes and wishes["host"] != visit.host,
        until_day=language.day(until, zone) if until else "",
        until_time=language.time(until, zone) if until else "",
        refused=visit.cancel_reason in UNAPPROVED,
        whom_else=_whom_else(ctx, visit),
    )


def _several(
    ctx: Context, first: Visit, wishes: Mapping[str, Any], topic: Topic, *, preview: bool
) -> tuple[Named, ...]:
    """Return the visits that a message names beside each other: those that stand with the same host as the first."""
    with ctx.store.read() as tx:
        found = [tx.visits.find(VisitId(one)) for one in wishes["visits"]]
    standing = [one for one in found if one is not None and one.active and one.host == first.host]
    ahead = [one for one in standing if one.interval.end > ctx.clock.now()]
    return tuple(_named(ctx, one, topic, preview=preview) for one in ahead)


def _named(ctx: Context, visit: Visit, topic: Topic, *, preview: bool) -> Named:
    link = _links(ctx, visit, "update", CLIENT, {}, preview=preview).visit if topic.to_client else ""
    return Named(
        day=topic.language.day(visit.interval.start, visit.time_zone),
        time=topic.language.time(visit.interval.start, visit.time_zone),
        client=one_line(visit.contact.name) or topic.language.text("The client"),
        property=one_line((visit.dwelling.name or visit.dwelling.id) if visit.dwelling else ""),
        link=link,
    )


def _without_holes(name: str) -> str:
    """Return a name of an event type; one that is a template of its own says nothing to people."""
    return "" if "{{" in name else name


def _values(topic: Topic, visit: Visit | None) -> dict[str, str]:
    answers = visit.answers if visit is not None else ()
    numbered = {f"answer_{number}": lines(one.answer) for number, one in enumerate(answers[:ANSWERS], 1)}
    return values_of(
        {
            "event_name": topic.what,
            "agent_name": topic.host,
            "event_time": topic.time,
            "event_date": topic.day,
            "client_name": topic.client,
            "location": topic.address,
            "questions_and_answers": topic.answers,
            "project": topic.place,
            "property": topic.property,
            "message": topic.message,
            "previous_date": topic.was_day,
            "previous_time": topic.was_time,
            "visit_link": topic.visit_link,
            "booking_link": topic.booking_link,
            "proposal_link": topic.proposal_link,
            "contact_email": topic.whom_else,
            **numbered,
        }
    )


def _rule(ctx: Context, visit: Visit | None, kind: str) -> MessageRule | None:
    """Return the configured rule whose words count: one that names the visit's event type or project goes before."""
    ours = [one for one in ctx.directory.messages if one.kind == kind and _fits(one, visit)]
    named = [one for one in ours if one.event_types is not None or one.projects is not None]
    return next(iter(named or ours), None)


def _fits(rule: MessageRule, visit: Visit | None) -> bool:
    if visit is None:
        return rule.event_types is None and rule.projects is None
    kinds, projects = rule.event_types, rule.projects
    return (kinds is None or visit.event_type in kinds) and (projects is None or visit.project in projects)


def _language(ctx: Context, visit: Visit | None, recipient: str, wishes: Mapping[str, Any]) -> Language:
    """Return the language of a reader: a client's is the one they booked in, ours is the house's."""
    own = visit.language if visit is not None and recipient == CLIENT else ""
    wanted = str(wishes.get("locale") or own)
    return Language(wanted if wanted[:2] in LANGUAGES else ctx.locale)


def _name(ctx: Context, visit: Visit | None, recipient: str) -> str:
    word, _, rest = recipient.partition(":")
    if word == "agent":
        agent = _agent(ctx, AgentId(rest.partition(":")[0]))
        return agent.name if agent else ""
    return visit.contact.name if visit is not None else ""


def _agent(ctx: Context, agent: AgentId | None) -> Agent | None:
    return ctx.directory.agents.get(agent) if agent is not None else None


def _whom_else(ctx: Context, visit: Visit) -> str:
    project = ctx.directory.projects.get(visit.project) if visit.project is not None else None
    found = _agent(ctx, visit.host) or _agent(ctx, project.responsible if project else None)
    return found.email if found else ""


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None


# --- the invitation -------------------------------------------------------------------------------------------------


def _invitation(
    ctx: Context, visit: Visit | None, kind: str, channel: Channel, recipient: str, topic: Topic
) -> tuple[str, str]:
    """Return the iTIP method and object of a mail to a client; empty where none belongs to it."""
    method = METHODS.get(kind, "")
    sender = next((one.sender for one in ctx.accounts.values() if one.sender), "")
    if topic.visits or not method or visit is None or channel is not Channel.EMAIL or recipient != CLIENT or not sender:
        return "", ""
    if not visit.contact.email or _invites_itself(ctx, visit):
        return "", ""
    if (method == "CANCEL") != (visit.state is VisitState.CANCELLED) or _is_unapproved(visit):
        return "", ""
    text = invitation_text(
        _entry(visit, topic),
        method=method,
        sequence=visit.version,
        stamp=ctx.clock.now(),
        organizer=Party(name=topic.host or topic.place, address=sender),
        attendee=Party(name=visit.contact.name, address=visit.contact.email),
    )
    return method, text


def _is_unapproved(visit: Visit) -> bool:
    """Tell whether a visit waits for approval or never got it: nobody is invited to that."""
    return visit.state is VisitState.PENDING or visit.cancel_reason in UNAPPROVED


def _invites_itself(ctx: Context, visit: Visit) -> bool:
    parts = ctx.accounts.get(visit.source.account)
    return parts is not None and parts.scheduler is not None


def _entry(visit: Visit, topic: Topic) -> EventDraft:
    title = f"{topic.what}: {topic.place}" if topic.what and topic.what != topic.place else topic.place
    return EventDraft(
        key=EventKey(visit_subject(visit.id), CalendarId("")),
        uid=f"visit-{visit.id}@syncd",
        interval=visit.interval,
        time_zone=visit.time_zone,
        title=title,
        location=topic.address,
        body=topic.visit_link,
    )
