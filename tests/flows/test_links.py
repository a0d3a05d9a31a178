"""Links to clients: derived, kept as hashes, for one purpose, expiring, superseded by newer ones."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from syncd.flows.context import Context
from syncd.flows.links import Purpose, find_subject, make_link, renew_link, token_of, visit_subject
from syncd.store import open_store
from tests.web.stage import directory, no_calendar
from tests.world import town
from tests.world.clock import VirtualClock

V1, V2 = visit_subject("v1"), visit_subject("v2")


@pytest.fixture
def ctx(tmp_path: Path) -> Iterator[Context]:
    clock = VirtualClock(town.START)
    store = open_store(tmp_path / "store.db", clock)
    found = Context(store=store, directory=directory(), clock=clock, calendar_of=no_calendar)
    yield replace(found, public_url="https://visitas.example.cl", link_key=lambda: b"k" * 32)
    store.close()


def made(ctx: Context, subject: str, *, renew: bool = False, days: int = 1) -> str:
    make = renew_link if renew else make_link
    until = ctx.clock.now() + timedelta(days=days)
    return ctx.store.write(lambda tx: make(ctx, tx, Purpose.VISIT, subject, until))


def opened(ctx: Context, url: str, purpose: Purpose = Purpose.VISIT, later: timedelta = timedelta(0)) -> str | None:
    with ctx.store.read() as tx:
        return find_subject(ctx, tx, purpose, url.rpartition("/")[2], ctx.clock.now() + later)


def test_the_same_subject_has_the_same_link_and_another_one_another(ctx: Context) -> None:
    url = made(ctx, V1)
    assert url.startswith("https://visitas.example.cl/v/")
    assert made(ctx, V1) == url != made(ctx, V2)
    assert opened(ctx, url) == V1


def test_a_link_opens_one_purpose_until_it_expires(ctx: Context) -> None:
    url = made(ctx, V1)
    assert opened(ctx, url, Purpose.BOOK) is None
    assert opened(ctx, url, later=timedelta(days=1, seconds=-1)) == V1
    assert opened(ctx, url, later=timedelta(days=1)) is None


def test_a_newer_link_supersedes_the_older(ctx: Context) -> None:
    old = made(ctx, V1)
    new = made(ctx, V1, renew=True)
    assert (opened(ctx, old), opened(ctx, new)) == (None, V1)
    assert made(ctx, V1) == new


@pytest.mark.parametrize("damage", ["x", " ", "=", "\n", "é"])
def test_a_token_that_is_nearly_right_opens_nothing(ctx: Context, damage: str) -> None:
    url = made(ctx, V1)
    assert opened(ctx, url + damage) is None
    assert opened(ctx, url.swapcase().replace("HTTPS://VISITAS.EXAMPLE.CL", "")) is None


def test_the_store_knows_no_token(ctx: Context, tmp_path: Path) -> None:
    url = made(ctx, V1)
    token = url.rpartition("/")[2]
    assert token == token_of(ctx, Purpose.VISIT, V1, 1)
    assert len(token) == 43
    assert not any(token.encode() in file.read_bytes() for file in tmp_path.iterdir())
