"""Passwords of agents: kept as hashes, checked equally slowly, remembered until they change."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from syncd.core import limits
from syncd.core.ids import AgentId
from syncd.core.visit import Refused
from syncd.flows.context import Context
from syncd.flows.sign_in import EMBEDDED, SHORTEST, Passwords, set_password
from syncd.store import open_store
from tests.web.stage import directory, no_calendar
from tests.world.clock import VirtualClock
from tests.world.town import START

ANA, BETO = AgentId("ana"), AgentId("beto")


@pytest.fixture
def ctx(tmp_path: Path) -> Iterator[Context]:
    clock = VirtualClock(START)
    store = open_store(tmp_path / "syncd.db", clock)
    yield Context(store=store, directory=directory(), clock=clock, calendar_of=no_calendar)
    store.close()


def record(ctx: Context, agent: AgentId) -> str:
    with ctx.store.read() as tx:
        return tx.accounts.get(EMBEDDED, f"password:{agent}") or ""


def test_a_password_fits_its_agent_and_no_other(ctx: Context) -> None:
    assert set_password(ctx, ANA, "contraseña") is None
    assert set_password(ctx, BETO, "otra cosa") is None
    passwords = Passwords(lambda: ctx)
    assert passwords.fits("ana", "contraseña") and passwords.fits("beto", "otra cosa")
    for agent, password in (("ana", "otra cosa"), ("ana", "Contraseña"), ("ana", ""), ("zoe", "contraseña"), ("", "")):
        assert not passwords.fits(agent, password), (agent, password)


def test_the_password_stands_nowhere_and_two_equal_ones_look_different(ctx: Context) -> None:
    set_password(ctx, ANA, "la misma")
    set_password(ctx, BETO, "la misma")
    assert record(ctx, ANA) != record(ctx, BETO)
    assert "la misma" not in record(ctx, ANA)
    assert record(ctx, ANA).startswith("scrypt$")


def test_a_right_password_is_remembered_and_a_wrong_one_never(ctx: Context) -> None:
    set_password(ctx, ANA, "contraseña")
    passwords = Passwords(lambda: ctx)
    assert not passwords.is_remembered("ana", "contraseña")
    passwords.fits("ana", "contraseña")
    passwords.fits("ana", "equivocada")
    assert passwords.is_remembered("ana", "contraseña")
    assert not passwords.is_remembered("ana", "equivocada")
    assert not passwords.is_remembered("beto", "contraseña")


def test_what_is_remembered_does_not_hold_the_password(ctx: Context) -> None:
    set_password(ctx, ANA, "contraseña")
    passwords = Passwords(lambda: ctx)
    passwords.fits("ana", "contraseña")
    assert "contraseña" not in str(vars(passwords)) and "contraseña".encode() not in str(vars(passwords)).encode()


def test_a_new_password_ends_the_old_one_at_once(ctx: Context) -> None:
    set_password(ctx, ANA, "la primera")
    passwords = Passwords(lambda: ctx)
    assert passwords.fits("ana", "la primera")
    set_password(ctx, ANA, "la segunda")
    assert not passwords.is_remembered("ana", "la primera") and not passwords.fits("ana", "la primera")
    assert passwords.fits("ana", "la segunda")


def test_an_agent_who_leaves_the_configuration_is_signed_out(ctx: Context) -> None:
    set_password(ctx, ANA, "contraseña")
    current = [ctx]
    passwords = Passwords(lambda: current[0])
    assert passwords.fits("ana", "contraseña")
    rest = {name: agent for name, agent in ctx.directory.agents.items() if name != "ana"}
    current[0] = replace(ctx, directory=replace(ctx.directory, agents=rest))
    assert not passwords.is_remembered("ana", "contraseña") and not passwords.fits("ana", "contraseña")


def test_an_agent_without_a_password_cannot_sign_in(ctx: Context) -> None:
    passwords = Passwords(lambda: ctx)
    for password in ("", "none", "x" * SHORTEST):
        assert not passwords.fits("ana", password)


@pytest.mark.parametrize("length", [0, SHORTEST - 1, limits.PASSWORD + 1])
def test_too_short_and_too_long_passwords_are_refused(ctx: Context, length: int) -> None:
    refused = cast(Refused, set_password(ctx, ANA, "x" * length))
    assert refused.reason == "invalid" and record(ctx, ANA) == ""


def test_h133_an_enormous_password_is_refused_before_it_is_hashed(ctx: Context) -> None:
    set_password(ctx, ANA, "x" * limits.PASSWORD)
    passwords = Passwords(lambda: ctx)
    assert passwords.fits("ana", "x" * limits.PASSWORD)
    assert not passwords.fits("ana", "x" * 1_000_000)
    assert not passwords.is_remembered("ana", "x" * 1_000_000)


def test_only_agents_have_passwords(ctx: Context) -> None:
    assert cast(Refused, set_password(ctx, AgentId("zoe"), "contraseña")).reason == "not-found"
