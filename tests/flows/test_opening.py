"""Invitations: what a booking link stands for, and the one visit that it leads to, whatever happens in between."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.core.ids import RequestId
from syncd.core.routing import Request
from syncd.core.visit import Cancel, CancelReason, Contact, Refused, Visit
from syncd.flows.book import Booking, act, book
from syncd.flows.links import Purpose, make_link, request_subject
from syncd.flows.manage import rebook_url
from syncd.flows.opening import Chosen, Opening, find_opening, take, times_of
from syncd.flows.request import Accepted, accept
from syncd.store.visits import Cause
from tests.web.stage import Stage, staged
from tests.world import town

EVA = Contact(name="Eva Díaz", email="eva@example.com")
WEDNESDAY = town.TUESDAY + timedelta(days=1)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path) as found:
        yield found


def cause(stage: Stage) -> Cause:
    return Cause(at=stage.clock.now(), actor="client", source="page")


def asked(stage: Stage, name: str = "R-1") -> str:
    """Hand a request in and return the token of its link."""
    request = Request(id=RequestId(name), project="casas", contact=EVA, received_at=stage.clock.now())
    outcome = accept(stage.ctx, request, "{}", stage.clock.now())
    assert isinstance(outcome, Accepted)
    return outcome.booking_url.rpartition("/")[2]


def opened(stage: Stage, token: str) -> Opening:
    with stage.store.read() as tx:
        found = find_opening(stage.ctx, tx, token, stage.clock.now())
    assert found is not None
    return found


def choice(number: str = "1", days: int = 0) -> Chosen:
    return Chosen(start=town.TUESDAY + timedelta(days=days), contact=EVA, dwelling=None, answers=(), number=number)


def taken(stage: Stage, opening: Opening, chosen: Chosen) -> Visit:
    outcome = take(stage.ctx, opening, chosen, cause(stage))
    assert isinstance(outcome, Visit), outcome
    return outcome


def booking(**changes: object) -> Booking:
    whole = Booking(project=town.CASAS, start=WEDNESDAY, contact=EVA, source="api", request=RequestId("R-1"))  # type: ignore[arg-type]
    return replace(whole, **changes)  # type: ignore[arg-type]


def test_a_visit_that_another_system_books_while_the_page_is_open_is_the_one(stage: Stage) -> None:
    """The page was read before; only the transaction can know."""
    seen = opened(stage, asked(stage))
    assert seen.standing is None
    other = book(stage.ctx, booking(), cause(stage))
    assert isinstance(other, Visit)
    assert taken(stage, seen, choice()).id == other.id
    assert len(stage.visits()) == 1


def test_pages_that_were_opened_before_lead_to_one_visit_whatever_they_chose(stage: Stage) -> None:
    seen = opened(stage, asked(stage))
    first, second = (taken(stage, seen, choice(str(days), days)) for days in (0, 1))
    assert first.id == second.id and second.interval.start == town.TUESDAY


def test_after_a_cancellation_the_same_link_books_once_more(stage: Stage) -> None:
    token = asked(stage)
    first = taken(stage, opened(stage, token), choice())
    assert isinstance(act(stage.ctx, first.id, Cancel(by=CancelReason.CLIENT), cause(stage)), Visit)
    seen = opened(stage, token)
    assert seen.standing is None and seen.former == first.id
    second, third = (taken(stage, seen, choice(number, 1)) for number in ("2", "3"))
    assert second.id == third.id != first.id
    standing = opened(stage, token).standing
    assert standing is not None and standing.id == second.id


def test_a_visit_that_is_over_does_not_stand_in_the_way(stage: Stage) -> None:
    token = asked(stage)
    first = taken(stage, opened(stage, token), choice())
    stage.clock.advance(first.interval.end - stage.clock.now())
    seen = opened(stage, token)
    assert seen.standing is None and seen.former == first.id


def test_times_are_those_that_are_taken(stage: Stage) -> None:
    seen = opened(stage, asked(stage))
    times = times_of(stage.ctx, seen, stage.clock.now())
    assert times and all(one.hosts_free == 2 for one in times)
    last = times[-1].interval
    assert taken(stage, seen, replace(choice(), start=last.start)).interval == last
    refused = take(stage.ctx, opened(stage, asked(stage, "R-2")), replace(choice(), start=town.START), cause(stage))
    assert isinstance(refused, Refused)


def test_the_link_of_a_visit_that_stands_shows_it_and_books_nothing(stage: Stage) -> None:
    visit = taken(stage, opened(stage, asked(stage)), choice())
    now = stage.clock.now()
    url = stage.store.write(lambda tx: rebook_url(stage.ctx, tx, visit, now))
    seen = opened(stage, url.rpartition("/")[2])
    assert seen.standing is not None and seen.standing.id == visit.id
    assert taken(stage, replace(seen, standing=None), choice("9", 2)).id == visit.id


def test_a_link_to_what_is_not_kept_opens_nothing(stage: Stage) -> None:
    for subject in (request_subject("nobody"), "visit:nobody"):
        until = stage.clock.now() + timedelta(days=1)
        url = stage.store.write(
            lambda tx, subject=subject, until=until: make_link(stage.ctx, tx, Purpose.BOOK, subject, until)  # type: ignore[misc]
        )
        with stage.store.read() as tx:
            assert find_opening(stage.ctx, tx, url.rpartition("/")[2], stage.clock.now()) is None
