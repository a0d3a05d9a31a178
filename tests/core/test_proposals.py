"""The ways of a client's answer, against a table that was written down from the requirements and not from the code."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncd.core.directory import Directory, SmsRight
from syncd.core.ids import AgentId, ProposalId
from syncd.core.interval import Interval
from syncd.core.letter import Channel
from syncd.core.proposals import (
    AnswerBy,
    Proposal,
    ProposalState,
    Recipient,
    RecipientKind,
    Window,
    answer_routes,
)
from syncd.core.visit import Contact, ContactPerson, Dwelling
from tests.world import town

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
SUBSETS = [frozenset(some) for size in (1, 2, 3) for some in combinations(AnswerBy, size)]
FULL, HALF = SmsRight(billing="caja", may_send=True), SmsRight(billing="caja")
USER_MAIL, RECORD, TASK, SMS = "email:ana@a.example", "email:record@a.example", "agent:ana", "phone:+56912345678"


def directory(mobile: str | None = "+56 9 1234 5678", sms: SmsRight | None = FULL) -> Directory:
    return town.directory([replace(town.agent("ana"), mobile=mobile, sms=sms), town.agent("beto")])


def proposal(recipient: Recipient, by: frozenset[AnswerBy], dwelling: Dwelling | None = None) -> Proposal:
    return Proposal(
        id=ProposalId("p1"),
        contact=Contact(name="Eva", email="eva@example.com"),
        recipient=recipient,
        answer_by=tuple(sorted(by)),
        dwelling=dwelling,
        made_at=NOW,
        expires_at=NOW + timedelta(days=3),
    )


def dwelling(user: str | None, email: str = "record@a.example") -> Dwelling:
    second = ContactPerson(name="Otra", email="otra@a.example", user="beto")
    return Dwelling(id="C-12", contact_persons=(ContactPerson(name="Primera", email=email, user=user), second))


AS_USER = Recipient(kind=RecipientKind.USER, user=AgentId("ana"), email="ana@a.example")
AS_PERSON = Recipient(kind=RecipientKind.CONTACT_PERSON)
AS_MAIL = Recipient(kind=RecipientKind.EMAIL, email="record@a.example")
MAIL_ONLY, TASK_ONLY, SMS_ONLY = (frozenset({one}) for one in (AnswerBy.MAIL, AnswerBy.TASK, AnswerBy.SMS))

# recipient, has a user, all three for SMS -> where mail, task and SMS go when each is chosen alone
ALONE: dict[tuple[str, bool, bool], tuple[str, str, str]] = {
    ("user", True, True): (USER_MAIL, TASK, SMS),
    ("user", True, False): (USER_MAIL, TASK, USER_MAIL),
    ("contact_person", True, True): (RECORD, TASK, SMS),
    ("contact_person", True, False): (RECORD, TASK, USER_MAIL),
    ("contact_person", False, True): (RECORD, RECORD, RECORD),
    ("contact_person", False, False): (RECORD, RECORD, RECORD),
    ("email", False, True): (RECORD, RECORD, RECORD),
    ("email", False, False): (RECORD, RECORD, RECORD),
}
RECIPIENTS = {"user": AS_USER, "contact_person": AS_PERSON, "email": AS_MAIL}


@pytest.mark.parametrize("by", SUBSETS, ids=lambda some: "+".join(sorted(some)))
@pytest.mark.parametrize("case", ALONE, ids=lambda case: "-".join(map(str, case)))
def test_every_answer_takes_the_ways_of_the_table(case: tuple[str, bool, bool], by: frozenset[AnswerBy]) -> None:
    kind, has_user, can_sms = case
    place = dwelling("ana" if has_user else None) if kind == "contact_person" else None
    routes = answer_routes(proposal(RECIPIENTS[kind], by, place), directory(sms=FULL if can_sms else HALF))
    expected = {
        way for one, way in zip((AnswerBy.MAIL, AnswerBy.TASK, AnswerBy.SMS), ALONE[case], strict=True) if one in by
    }
    assert {one.to for one in routes} == expected
    assert len(routes) == len(expected), "nothing is said twice on one way"


@pytest.mark.parametrize(
    ("mobile", "sms", "possible"),
    [
        ("+56 9 1234 5678", FULL, True),
        (None, FULL, False),
        ("912345678", FULL, False),
        ("+56 9 1234 5678", None, False),
        ("+56 9 1234 5678", SmsRight(billing="caja", may_send=False), False),
        ("+56 9 1234 5678", SmsRight(billing="", may_send=True), False),
    ],
    ids=["all three", "no number", "a number without its country", "nothing configured", "no right", "no account"],
)
@pytest.mark.parametrize("kind", ["user", "contact_person"])
def test_an_sms_needs_number_account_and_right(
    kind: str, mobile: str | None, sms: SmsRight | None, possible: bool
) -> None:
    """T06. R061, R062, R063, R064."""
    place = dwelling("ana") if kind == "contact_person" else None
    (route,) = answer_routes(proposal(RECIPIENTS[kind], SMS_ONLY, place), directory(mobile, sms))
    if possible:
        assert (route.channel, route.to, route.billed_to, route.billing) == (Channel.SMS, SMS, "ana", "caja")
    else:
        assert (route.channel, route.to, route.billed_to) == (Channel.EMAIL, USER_MAIL, None)


def test_only_the_first_contact_person_counts() -> None:
    (route,) = answer_routes(proposal(AS_PERSON, TASK_ONLY, dwelling(None)), directory())
    assert route.to == RECORD, "the second person has a user, the first has none"


def test_a_user_named_by_address_is_found_and_an_unknown_one_is_none() -> None:
    for named, expected in (("Ana@A.example", TASK), ("nobody", RECORD)):
        (route,) = answer_routes(proposal(AS_PERSON, TASK_ONLY, dwelling(named)), directory())
        assert route.to == expected


def test_a_user_who_left_still_gets_a_mail() -> None:
    gone = Recipient(kind=RecipientKind.USER, user=AgentId("zoe"), email="zoe@a.example")
    (route,) = answer_routes(proposal(gone, frozenset({AnswerBy.TASK, AnswerBy.SMS})), directory())
    assert (route.channel, route.to) == (Channel.EMAIL, "email:zoe@a.example")


def test_one_address_written_in_two_ways_gets_one_mail() -> None:
    both = frozenset({AnswerBy.MAIL, AnswerBy.SMS})
    routes = answer_routes(proposal(AS_PERSON, both, dwelling("ana", "ANA@a.example")), directory(sms=HALF))
    assert [one.to for one in routes] == ["email:ANA@a.example"]


@given(
    by=st.sets(st.sampled_from(AnswerBy)),
    kind=st.sampled_from(sorted(RECIPIENTS)),
    user=st.sampled_from([None, "ana", "beto", "ana@a.example", "nobody"]),
    email=st.sampled_from(["record@a.example", "ana@a.example", "ANA@A.EXAMPLE", "beto@a.example"]),
    mobile=st.sampled_from([None, "", "x", "+56 9 1234 5678"]),
    sms=st.sampled_from([None, FULL, HALF, SmsRight()]),
    persons=st.booleans(),
)
def test_never_two_mails_to_one_address_and_never_no_way_at_all(
    by: set[AnswerBy], kind: str, user: str | None, email: str, mobile: str | None, sms: SmsRight | None, persons: bool
) -> None:
    place = dwelling(user, email) if persons else Dwelling(id="C-12")
    routes = answer_routes(proposal(RECIPIENTS[kind], frozenset(by), place), directory(mobile, sms))
    mails = [one.to.casefold() for one in routes if one.channel is Channel.EMAIL]
    assert routes
    assert len(mails) == len(set(mails))
    assert len(routes) <= max(1, len(by))
    assert all((one.billed_to is not None) == (one.channel is Channel.SMS) for one in routes)


def test_only_what_nobody_answered_expires() -> None:
    open_ = proposal(AS_USER, MAIL_ONLY)
    end = open_.expires_at
    assert open_.state_at(end - timedelta(seconds=1)) is ProposalState.OPEN
    assert open_.state_at(end) is ProposalState.EXPIRED
    assert replace(open_, state=ProposalState.ANSWERED).state_at(end) is ProposalState.ANSWERED


def test_a_window_is_found_by_its_number_alone() -> None:
    wish = Window(number=6, interval=Interval(NOW, NOW + timedelta(hours=1)))
    answered = replace(proposal(AS_USER, MAIL_ONLY), windows=(wish,))
    assert (answered.window(6), answered.window(1)) == (wish, None)
