"""The contracts, kept by SQLite: with its writing thread on a file, and inline in memory."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from syncd.store import Store, open_store
from tests.contracts import store as visits
from tests.contracts import store_calendars as calendars
from tests.contracts import store_people as people
from tests.contracts import store_proposals as proposals
from tests.contracts import store_queue as queue
from tests.contracts import store_writes as writes
from tests.store.values import START
from tests.world.clock import VirtualClock


class EveryRoom(
    visits.SavingContract,
    visits.HoldingContract,
    visits.FindingContract,
    visits.HistoryContract,
    visits.TurnsContract,
    visits.RequestContract,
    calendars.CalendarStateContract,
    calendars.EntriesContract,
    calendars.BlocksContract,
    calendars.PublishedContract,
    calendars.AccountsContract,
    people.ContactsContract,
    proposals.ProposalsContract,
    queue.WorkContract,
    queue.InboxContract,
    queue.OutboxContract,
    writes.WritingContract,
):
    """Every contract that one caller at a time can judge."""


class TestOnAFile(EveryRoom, writes.ManyCallersContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        made = open_store(tmp_path / "syncd.db", VirtualClock(START))
        yield made
        made.close()


class TestInline(EveryRoom):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        made = open_store(":memory:", VirtualClock(START), inline=True)
        yield made
        made.close()
