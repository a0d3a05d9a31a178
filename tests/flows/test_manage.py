"""The link to one visit: the same while the visit lives, good until its end, also after a move."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from syncd.core.ids import AccountId, VisitId
from syncd.core.visit import Cancel, CancelReason, Contact, Move, Visit
from syncd.flows.book import Booking, act, book
from syncd.flows.context import Context
from syncd.flows.links import Purpose, make_link, visit_subject
from syncd.flows.manage import find_managed, visit_url
from syncd.store import open_store
from syncd.store.visits import Cause
from tests.web.stage import directory, no_calendar, read_calendars
from tests.world import town
from tests.world.clock import VirtualClock

EVA = Contact(name="Eva Díaz", email="eva@example.com")


@pytest.fixture
def ctx(tmp_path: Path) -> Iterator[Context]:
    clock = VirtualClock(town.START)
    store = open_store(tmp_path / "store.db", clock)
    people = directory()
    read_calendars(store, people, clock.now())
    found = Context(store=store, directory=people, clock=clock, calendar_of=no_calendar)
    yield replace(found, public_url="https://visitas.example.cl", link_key=lambda: b"k" * 32)
    store.close()


def cause(ctx: Context) -> Cause:
    return Cause(at=ctx.clock.now(), actor="client", source="page")


def booked(ctx: Context, start: datetime = town.TUESDAY) -> Visit:
    outcome = book(ctx, Booking(project=town.CASAS, start=start, contact=EVA, source=AccountId("page")), cause(ctx))
    assert isinstance(outcome, Visit)
    return outcome


def url(ctx: Context, visit: Visit, *, renew: bool = False) -> str:
    return ctx.store.write(lambda tx: visit_url(ctx, tx, visit, renew=renew))


def opened(ctx: Context, address: str, at: datetime) -> VisitId | None:
    with ctx.store.read() as tx:
        found = find_managed(ctx, tx, address.rpartition("/")[2], at)
    return found.id if found is not None else None


def test_a_visit_has_one_link_until_it_ends(ctx: Context) -> None:
    visit = booked(ctx)
    address = url(ctx, visit)
    assert address.startswith("https://visitas.example.cl/v/")
    assert url(ctx, visit) == address
    assert opened(ctx, address, visit.interval.end - timedelta(seconds=1)) == visit.id
    assert opened(ctx, address, visit.interval.end) is None


def test_a_newer_link_supersedes_the_older(ctx: Context) -> None:
    visit = booked(ctx)
    old, new = url(ctx, visit), url(ctx, visit, renew=True)
    assert (opened(ctx, old, town.START), opened(ctx, new, town.START)) == (None, visit.id)


@pytest.mark.parametrize("days", [1, -1])
def test_the_link_follows_a_visit_that_moves_whoever_moved_it(ctx: Context, days: int) -> None:
    visit = booked(ctx)
    address = url(ctx, visit)
    moved = act(ctx, visit.id, Move(start=town.TUESDAY + timedelta(days=days)), cause(ctx))
    assert isinstance(moved, Visit)
    assert opened(ctx, address, moved.interval.end - timedelta(seconds=1)) == visit.id
    assert opened(ctx, address, moved.interval.end) is None


def test_a_cancelled_visit_keeps_its_link(ctx: Context) -> None:
    visit = booked(ctx)
    address = url(ctx, visit)
    act(ctx, visit.id, Cancel(by=CancelReason.CLIENT), cause(ctx))
    assert opened(ctx, address, town.START) == visit.id


def test_a_link_of_another_kind_or_to_nothing_opens_no_visit(ctx: Context) -> None:
    visit = booked(ctx)
    for purpose, subject in (
        (Purpose.BOOK, visit_subject(visit.id)),
        (Purpose.VISIT, "request:R-1"),
        (Purpose.VISIT, visit_subject("gone")),
    ):
        other = ctx.store.write(
            lambda tx, purpose=purpose, subject=subject: make_link(ctx, tx, purpose, subject, visit.interval.end)  # type: ignore[misc]
        )
        assert opened(ctx, other, town.START) is None
