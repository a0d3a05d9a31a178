"""Proposals: windows that a client names, and the ways on which that answer reaches us (R050-R065). Knows no store and
sends nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from syncd.core.directory import Agent, Directory
from syncd.core.ids import AgentId, ProjectId, ProposalId, VisitId
from syncd.core.interval import Interval
from syncd.core.letter import Channel, e164
from syncd.core.visit import Contact, ContactPerson, Dwelling

MOST_WINDOWS = 5
MOST_ANSWERS = 10  # of one proposal: each is told on, and an SMS costs its receiver


class AnswerBy(StrEnum):
    """How an answer is to come in."""

    MAIL = "mail"
    TASK = "task"
    SMS = "sms"


class RecipientKind(StrEnum):
    USER = "user"  # an agent of ours
    CONTACT_PERSON = "contact_person"  # the first of the property's
    EMAIL = "email"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Who gets the answer. `email` is also what is left of a user who is no agent any more."""

    kind: RecipientKind
    user: AgentId | None = None
    email: str = ""


class ProposalState(StrEnum):
    OPEN = "open"
    ANSWERED = "answered"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    EXPIRED = "expired"  # open until it was too late; never kept, always derived


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One wish of the client. Numbers go on over later answers, so that one names the same window for good."""

    number: int
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One client is asked for windows, for at most one property. Wishes hold no time (C17)."""

    id: ProposalId
    contact: Contact
    recipient: Recipient
    answer_by: tuple[AnswerBy, ...]
    project: ProjectId | None = None
    dwelling: Dwelling | None = None
    state: ProposalState = ProposalState.OPEN
    made_at: datetime
    expires_at: datetime
    windows: tuple[Window, ...] = ()
    answers: int = 0  # how many different ones came
    last_number: int = 0  # of any window that was ever named
    answered_at: datetime | None = None
    visit: VisitId | None = None
    accepted: int | None = None  # the number of the window that became the visit
    reason: str = ""  # why it was declined

    def state_at(self, now: datetime) -> ProposalState:
        """Return the state; a form that nobody answered in time is expired, an answer waits for staff."""
        late = self.state is ProposalState.OPEN and self.expires_at <= now
        return ProposalState.EXPIRED if late else self.state

    def window(self, number: int) -> Window | None:
        """Return the window with this number, None for one that a later answer replaced."""
        return next((one for one in self.windows if one.number == number), None)


# --- ways of an answer ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One way that an answer takes. `to` is `email:<address>`, `agent:<id>` or `phone:<E.164>`.

    `billed_to` is who bears the costs of an SMS: its receiver, on the account `billing` (R064).
    """

    channel: Channel
    to: str
    billed_to: AgentId | None = None
    billing: str = ""


def answer_routes(proposal: Proposal, directory: Directory) -> tuple[Route, ...]:
    """Return the ways of an answer: at least one, and never two mails to one address (R065, C11)."""
    user, record = _target(proposal, directory)
    ways = [_way(by, user, record) for by in AnswerBy if by in proposal.answer_by] or [_mail(record)]
    return tuple(_once(ways))


def contact_person(dwelling: Dwelling | None) -> ContactPerson | None:
    """Return whom the property's answers go to: the first entry of its list (R056)."""
    return dwelling.contact_persons[0] if dwelling is not None and dwelling.contact_persons else None


def _target(proposal: Proposal, directory: Directory) -> tuple[Agent | None, str]:
    """Return the user behind the recipient, if there is one, and the address that a plain mail goes to."""
    recipient = proposal.recipient
    if recipient.kind is RecipientKind.EMAIL:
        return None, recipient.email
    if recipient.kind is RecipientKind.USER:
        user = directory.agents.get(recipient.user) if recipient.user is not None else None
        return user, user.email if user is not None else recipient.email
    person = contact_person(proposal.dwelling)
    if person is None:
        return None, recipient.email
    found = directory.find_agent(person.user) if person.user else None
    return directory.agents[found] if found is not None else None, person.email


def _way(by: AnswerBy, user: Agent | None, record: str) -> Route:
    """Return one way; where it is impossible, the mail that stands in for it (R059-R063)."""
    if by is AnswerBy.MAIL or user is None:
        return _mail(record)
    if by is AnswerBy.TASK:
        return Route(channel=Channel.TASK, to=f"agent:{user.id}")
    return _sms(user) or _mail(user.email)


def _sms(user: Agent) -> Route | None:
    """Return the SMS to a user; None unless number, billing account and right are all there (R061)."""
    number, right = e164(user.mobile), user.sms
    if number is None or right is None or not right.may_send or not right.billing:
        return None
    return Route(channel=Channel.SMS, to=f"phone:{number}", billed_to=user.id, billing=right.billing)


def _mail(address: str) -> Route:
    return Route(channel=Channel.EMAIL, to=f"email:{address}")


def _once(ways: list[Route]) -> Iterator[Route]:
    """Leave out a mail to an address that gets one already."""
    seen: set[str] = set()
    for way in ways:
        name = f"{way.channel}:{way.to.casefold()}"
        if name not in seen:
            seen.add(name)
            yield way
