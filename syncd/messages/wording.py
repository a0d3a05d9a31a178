"""What each kind of message says, in the reader's language. Knows neither paper nor service; links are handed in."""

from collections.abc import Callable
from dataclasses import dataclass

from syncd.language import Language
from syncd.messages.paper import Action, Said


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One of several visits that a message names."""

    day: str
    time: str
    client: str = ""
    property: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What there is to say, in words already: days and times in the visit's zone, names cleaned. "" is not known."""

    language: Language
    name: str = ""  # whom it is said to
    place: str = ""
    what: str = ""
    day: str = ""
    time: str = ""
    zone: str = ""
    address: str = ""
    property: str = ""
    host: str = ""
    client: str = ""
    phone: str = ""
    answers: str = ""
    was_day: str = ""
    was_time: str = ""
    new_host: bool = False
    until_day: str = ""  # when a visit that nobody approves is given up
    until_time: str = ""
    refused: bool = False  # the visit was never approved
    message: str = ""
    about: str = ""
    proposal: str = ""  # the id of one that a client answered
    reply_to: str = ""
    whom_else: str = ""  # an address to write to where a link is of no help
    visit_link: str = ""
    booking_link: str = ""
    proposal_link: str = ""
    to_client: bool = True
    visits: tuple[Named, ...] = ()  # of a message that names several

    def say(self, sentence: str) -> str:
        """Fill the holes that sentences of this room have."""
        holes = {"place": self.place, "day": self.day, "time": self.time, "client": self.client, "host": self.host}
        return sentence % holes


def said_of(kind: str, topic: Topic) -> Said:
    """Return what a kind of message says; raises KeyError for a kind there is none of."""
    return WORDS[kind](topic)


# --- to clients -----------------------------------------------------------------------------------------------------


def _request_received(topic: Topic) -> Said:
    text = topic.language.text
    until = text(
        "We write to you as soon as it is approved, or if it is not: until %(day)s at %(time)s at the latest.",
        day=topic.until_day,
        time=topic.until_time,
    )
    lead = N_(
        "We have your request to visit %(place)s on %(day)s at %(time)s. It is not booked yet: it waits for approval."
    )
    return _to_client(
        topic,
        text("We have your request for %(day)s at %(time)s", day=topic.day, time=topic.time),
        topic.say(topic.language.raw(lead)),
        paragraphs=(until if topic.until_day else "",),
        actions=_manage(topic, text("See, move or cancel your visit")),
    )


def _booking_info(topic: Topic) -> Said:
    text = topic.language.text
    return _to_client(
        topic,
        text("Your visit on %(day)s at %(time)s", day=topic.day, time=topic.time),
        topic.say(topic.language.raw(N_("Your visit to %(place)s is booked for %(day)s at %(time)s."))),
        actions=_manage(topic, text("See, move or cancel your visit")),
    )


def _confirmation_request(topic: Topic) -> Said:
    text = topic.language.text
    return _to_client(
        topic,
        text("Please confirm your visit on %(day)s", day=topic.day),
        topic.say(
            topic.language.raw(N_("Will you come to %(place)s on %(day)s at %(time)s? Please confirm your visit."))
        ),
        actions=_manage(topic, text("Confirm, move or cancel")),
    )


def _reminder(topic: Topic) -> Said:
    text = topic.language.text
    if not topic.to_client:
        lead = topic.say(
            topic.language.raw(N_("You have a visit with %(client)s at %(place)s on %(day)s at %(time)s."))
        )
        return _to_agent(topic, text("Visit on %(day)s at %(time)s", day=topic.day, time=topic.time), lead)
    how = text("To move or cancel it, open the link in this message.") if topic.visit_link else ""
    return _to_client(
        topic,
        text("Reminder: your visit on %(day)s at %(time)s", day=topic.day, time=topic.time),
        topic.say(topic.language.raw(N_("We are expecting you at %(place)s on %(day)s at %(time)s."))),
        paragraphs=(how,),
        brief=(_else(topic),),
        actions=_manage(topic, text("Move or cancel")),
    )


def _no_show_follow_up(topic: Topic) -> Said:
    text = topic.language.text
    lead = N_(
        "We were expecting you at %(place)s at %(time)s. Are you on your way, or would another time suit you better?"
    )
    return _to_client(
        topic,
        text("Are you coming to your visit?"),
        topic.say(topic.language.raw(lead)),
        actions=_manage(topic, text("Tell us")),
    )


def _update(topic: Topic) -> Said:
    text = topic.language.text
    if topic.visits:
        return _several(topic)
    moved = bool(topic.was_day) and (topic.was_day, topic.was_time) != (topic.day, topic.time)
    before = text("Until now it was on %(day)s at %(time)s.", day=topic.was_day, time=topic.was_time) if moved else ""
    other = text("%(name)s will receive you.", name=topic.host) if topic.new_host and topic.host else ""
    return _to_client(
        topic,
        text("Your visit changed: %(day)s at %(time)s", day=topic.day, time=topic.time),
        topic.say(topic.language.raw(N_("Your visit to %(place)s is now on %(day)s at %(time)s."))),
        paragraphs=(before, other, topic.message),
        brief=(other, topic.message),
        actions=_manage(topic, text("Look at your visit")),
    )


def _several(topic: Topic) -> Said:
    """Say who receives the client from now on, each visit behind its own link."""
    text = topic.language.text
    ways = [(text("Visit on %(day)s at %(time)s", day=one.day, time=one.time), one.link) for one in topic.visits]
    return _to_client(
        topic,
        text("%(host)s will receive you at your visits", host=topic.host),
        topic.say(topic.language.raw(N_("From now on %(host)s will receive you at these visits to %(place)s."))),
        actions=tuple(Action(label=label, url=url) for label, url in ways if url),
        facts=False,
    )


def _cancellation(topic: Topic) -> Said:
    text, raw = topic.language.text, topic.language.raw
    if topic.refused:
        subject = text("Your visit on %(day)s could not be approved", day=topic.day)
        lead = raw(N_("We are sorry: your visit to %(place)s on %(day)s at %(time)s could not be approved."))
    else:
        subject = text("Your visit on %(day)s is cancelled", day=topic.day)
        lead = raw(N_("Your visit to %(place)s on %(day)s at %(time)s is cancelled."))
    return _to_client(
        topic,
        subject,
        topic.say(lead),
        paragraphs=(topic.message, _taken_back(topic)),
        brief=(topic.message,),
        actions=(*_book(topic), *_manage(topic, text("Look at your visit"))),
        facts=False,
        otherwise=False,
    )


def _taken_back(topic: Topic) -> str:
    if not topic.visit_link:
        return ""
    return topic.language.text(
        "You did not mean to? On the page of your visit you can take it back for ten minutes after cancelling."
    )


def _rebook_link(topic: Topic) -> Said:
    text = topic.language.text
    lead = N_("We cannot keep your visit to %(place)s on %(day)s at %(time)s. Please choose another time.")
    return _to_client(
        topic,
        text("Please choose another time for your visit"),
        topic.say(topic.language.raw(lead)),
        paragraphs=(topic.message,),
        brief=(topic.message,),
        actions=_book(topic),
        facts=False,
    )


def _proposal_answer(topic: Topic) -> Said:
    """Hand on what a client answered; it is read by staff, or by the property's contact person."""
    text = topic.language.text
    link = (Action(label=text("Look at your proposal"), url=topic.proposal_link),) if topic.proposal_link else ()
    if not topic.client:
        subject = text("A client proposes times for a visit")
    elif topic.property or topic.place:
        subject = text(
            "%(name)s proposes times for a visit to %(place)s", name=topic.client, place=topic.property or topic.place
        )
    else:
        subject = text("%(name)s proposes times for a visit", name=topic.client)
    return Said(subject=subject, lead=topic.message or subject, paragraphs=_how_to_answer(topic), actions=link)


def _how_to_answer(topic: Topic) -> tuple[str, ...]:
    """Say how one of the times is booked, and how the client is written to."""
    text = topic.language.text
    way = f"/api/proposals/{topic.proposal}/accept"
    return _kept(
        text(
            "To book one of these times, accept proposal %(id)s with the number of the time: POST %(way)s",
            id=topic.proposal,
            way=way,
        )
        if topic.proposal
        else "",
        text("An answer to this mail goes to %(name)s.", name=topic.client) if topic.reply_to else "",
    )


# --- to agents ------------------------------------------------------------------------------------------------------


def _agent_notice(topic: Topic) -> Said:
    text = topic.language.text
    if topic.visits:
        return _handed_over(topic)
    raw = topic.language.raw
    heads = {
        "booking_info": text("New visit"),
        "update": text("A visit changed"),
        "cancellation": text("A visit is cancelled"),
        "reinstated": text("A cancelled visit stands again"),
        "approval": text("A visit waits for approval"),
        "move_refused": text("A visit could not be moved"),
    }
    leads = {
        "cancellation": raw(N_("The visit of %(client)s to %(place)s on %(day)s at %(time)s is cancelled.")),
        "approval": raw(
            N_("%(client)s would like to visit %(place)s on %(day)s at %(time)s. Please approve or reject it.")
        ),
        "move_refused": raw(
            N_("The visit of %(client)s to %(place)s stays on %(day)s at %(time)s: it cannot be at the time you chose.")
        ),
    }
    usual = raw(N_("%(client)s visits %(place)s on %(day)s at %(time)s."))
    head = heads.get(topic.about, text("About a visit"))
    return _to_agent(topic, f"{head}: {topic.day} {topic.time}", topic.say(leads.get(topic.about, usual)))


def _handed_over(topic: Topic) -> Said:
    """Tell one of two agents which visits went from the one to the other."""
    text, raw = topic.language.text, topic.language.raw
    if topic.about == "taken_over":
        head, lead = text("Visits were handed over to you"), raw(N_("These visits to %(place)s are yours from now on."))
    else:
        head, lead = (
            text("Visits were handed over"),
            raw(N_("%(host)s receives these visits to %(place)s from now on.")),
        )
    rows = [(f"{one.day}, {one.time}", ", ".join(_kept(one.client, one.property))) for one in topic.visits]
    return Said(subject=f"{head}: {topic.place}", lead=topic.say(lead), facts=tuple(rows))


def _release_notice(topic: Topic) -> Said:
    text = topic.language.text
    lead = N_("The visit of %(client)s to %(place)s on %(day)s at %(time)s was given up. The time is free again.")
    subject = text("A visit was given up: %(day)s at %(time)s", day=topic.day, time=topic.time)
    return _to_agent(topic, subject, topic.say(topic.language.raw(lead)))


def _unconfirmed_task(topic: Topic) -> Said:
    lead = N_("%(client)s has not confirmed the visit to %(place)s on %(day)s at %(time)s. Please call.")
    return _task(topic, topic.language.text("Call: visit not confirmed"), lead)


def _no_show_task(topic: Topic) -> Said:
    lead = N_("%(client)s was not seen at the visit to %(place)s on %(day)s at %(time)s. Please call.")
    return _task(topic, topic.language.text("Call: client did not come"), lead)


def _call_task(topic: Topic) -> Said:
    lead = N_(
        "%(client)s cannot be reached by message about the visit to %(place)s on %(day)s at %(time)s. Please call."
    )
    return _task(topic, topic.language.text("Call: no message gets through"), lead)


def _task(topic: Topic, subject: str, lead: str) -> Said:
    return _to_agent(topic, subject, topic.say(topic.language.raw(lead)))


WORDS: dict[str, Callable[[Topic], Said]] = {
    "agent_notice": _agent_notice,
    "request_received": _request_received,
    "booking_info": _booking_info,
    "confirmation_request": _confirmation_request,
    "unconfirmed_task": _unconfirmed_task,
    "reminder": _reminder,
    "no_show_follow_up": _no_show_follow_up,
    "no_show_task": _no_show_task,
    "release_notice": _release_notice,
    "update": _update,
    "cancellation": _cancellation,
    "rebook_link": _rebook_link,
    "call_task": _call_task,
    "proposal_answer": _proposal_answer,
}


# --- what they share ------------------------------------------------------------------------------------------------


def N_(sentence: str) -> str:  # noqa: N802 - the name by which sentences are collected
    """Mark a sentence for translation; it is looked up where it is said."""
    return sentence


def _to_client(
    topic: Topic,
    subject: str,
    lead: str,
    *,
    paragraphs: tuple[str, ...] = (),
    brief: tuple[str, ...] = (),
    actions: tuple[Action, ...] = (),
    facts: bool = True,
    otherwise: bool = True,
) -> Said:
    greeting = topic.language.text("Hello %(name)s,", name=topic.name) if topic.name else ""
    closing = (*paragraphs, _else(topic) if otherwise else "")
    shown = _facts(topic, with_client=False) if facts else ()
    return Said(
        subject=subject,
        greeting=greeting,
        lead=lead,
        facts=shown,
        paragraphs=tuple(one for one in closing if one),
        actions=actions,
        brief=brief,
    )


def _to_agent(topic: Topic, subject: str, lead: str) -> Said:
    return Said(subject=subject, lead=lead, facts=_facts(topic, with_client=True), paragraphs=_kept(topic.message))


def _facts(topic: Topic, *, with_client: bool) -> tuple[tuple[str, str], ...]:
    text = topic.language.text
    when = f"{topic.day}, {topic.time} ({topic.zone})" if topic.zone else f"{topic.day}, {topic.time}"
    found = [
        (text("What"), topic.what),
        (text("When"), when if topic.day else ""),
        (text("Where"), topic.address),
        (text("Property"), topic.property),
        (text("Client"), topic.client if with_client else ""),
        (text("Telephone"), topic.phone if with_client else ""),
        (text("With"), topic.host if not with_client else ""),
        (text("Answers"), topic.answers if with_client else ""),
    ]
    return tuple((label, value) for label, value in found if value)


def _kept(*parts: str) -> tuple[str, ...]:
    return tuple(part for part in parts if part)


def _manage(topic: Topic, label: str) -> tuple[Action, ...]:
    return (Action(label=label, url=topic.visit_link),) if topic.visit_link else ()


def _book(topic: Topic) -> tuple[Action, ...]:
    label = topic.language.text("Choose another time")
    return (Action(label=label, url=topic.booking_link),) if topic.booking_link else ()


def _else(topic: Topic) -> str:
    """Say whom to write to where the link is of no help (R088)."""
    if not topic.whom_else:
        return ""
    return topic.language.text("If that does not work for you, write to %(address)s.", address=topic.whom_else)
