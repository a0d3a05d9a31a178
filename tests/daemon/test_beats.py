"""What the daemon does every so often, and what it makes of the answers."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from socket import socket

import pytest

from syncd.core.directory import CalendarRef, SyncPolicy
from syncd.daemon import Beats, check_store
from syncd.flows.context import AccountParts, Context
from syncd.ports import Calendar
from syncd.store import open_store
from syncd.store.queue import Notice, WorkKind
from syncd.web.serve import Server
from tests.world import town
from tests.world.clock import VirtualClock


@dataclass
class Still:
    """An installation of which only the context is asked."""

    context: Context
    serving: Server | None = None

    def server(self, sockets: Sequence[socket]) -> Server:
        assert self.serving is not None
        return self.serving

    def link_key(self) -> bytes:
        return b""

    def reload(self) -> None:
        return

    def close(self) -> None:
        return


@pytest.fixture
def still(tmp_path: Path) -> Iterator[Still]:
    clock = VirtualClock(town.START)
    store = open_store(tmp_path / "syncd.db", clock)
    directory = replace(town.directory(), policy=SyncPolicy(poll_every=timedelta(hours=2)))
    accounts = {town.HOME: AccountParts(id=town.HOME, kind="memory")}
    yield Still(Context(store=store, directory=directory, clock=clock, calendar_of=_none, accounts=accounts))
    store.close()


def _none(ref: CalendarRef) -> Calendar:
    raise AssertionError("no calendar is looked at here")


def due(still: Still) -> dict[WorkKind, int]:
    ctx = still.context
    with ctx.store.read() as tx:
        return {kind: count for kind, (count, _) in tx.queue.depths(ctx.clock.now()).items() if count}


def settle(still: Still) -> None:
    """Take everything that is due out of the queue."""
    ctx = still.context
    now = ctx.clock.now()
    ctx.store.write(lambda tx: [tx.queue.finish(one) for one in tx.queue.claim(now, timedelta(minutes=1), limit=1000)])
    assert due(still) == {}


def clock_of(still: Still) -> VirtualClock:
    clock = still.context.clock
    assert isinstance(clock, VirtualClock)
    return clock


def test_a_start_looks_at_every_account_and_every_agent(still: Still) -> None:
    beats = Beats(still)
    beats.plan()
    beats.all_now()
    assert due(still) == {WorkKind.POLL: 1, WorkKind.RECONCILE: 2}


def test_between_beats_nothing_is_touched_and_the_wait_is_bounded(still: Still) -> None:
    beats = Beats(still)
    beats.plan()
    beats.all_now()
    settle(still)
    beats.run()
    assert due(still) == {}
    assert 0 < beats.wait() <= 30


def test_a_wall_clock_that_was_set_back_holds_up_no_beat(still: Still) -> None:
    """`schedule` goes by the local wall clock, which hours of ours may pass without it noticing (DST, NTP)."""
    beats = Beats(still)
    beats.plan()
    beats.all_now()
    settle(still)
    clock_of(still).advance(timedelta(hours=2, seconds=14))
    beats.run()
    assert due(still) == {}
    clock_of(still).advance(timedelta(seconds=2))
    beats.run()
    assert due(still)[WorkKind.POLL] == 1


def test_a_sound_store_raises_no_alert(still: Still) -> None:
    check_store(still.context)
    assert alerts(still) == []


def test_a_damaged_store_is_said_once_and_well_again_once(still: Still, tmp_path: Path) -> None:
    stray = "INSERT INTO history VALUES ('nobody', 1, 0, 'x', 'x', NULL, '', NULL, '{}', 'x')"
    tamper(tmp_path / "syncd.db", stray)
    for _ in range(2):
        check_store(still.context)
    assert [(one.kind, one.about) for one in alerts(still)] == [("store_damaged", "store")]
    assert "restore the last backup" in str(alerts(still)[0].body)
    tamper(tmp_path / "syncd.db", "DELETE FROM history WHERE visit_id = 'nobody'")
    check_store(still.context)
    assert alerts(still) == []


def tamper(store: Path, statement: str) -> None:
    with closing(sqlite3.connect(store)) as other, other:
        assert other.execute(statement).rowcount == 1


def alerts(still: Still) -> list[Notice]:
    with still.context.store.read() as tx:
        return tx.queue.notices(channel="alert", state="open")
