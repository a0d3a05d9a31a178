"""Many threads change one calendar: one after the other, because some servers refuse two changes at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from connectors._caldav_account import account_of
from syncd.core.ids import AccountId
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, EventKey
from tests.connectors.caldav_stage import FIRST, DavStage, environment, settings_for
from tests.core.values import KEY, draft
from tests.servers.dav import Hands
from tests.servers.proxy import Passage, between
from tests.servers.xandikos import HOME, xandikos

THREADS, ENTRIES = 12, 24


@pytest.fixture
def passage(tmp_path: Path) -> Iterator[Passage]:
    with xandikos(tmp_path) as url, between(url) as passage:
        yield passage


def entry(number: int) -> EventDraft:
    start = FIRST + timedelta(hours=number)
    key = EventKey(f"visit:v{number}", KEY.calendar)
    return replace(
        draft(), key=key, uid=f"visit-v{number}@syncd", interval=Interval(start, start + timedelta(minutes=20))
    )


def test_changes_of_many_threads_come_one_after_the_other(passage: Passage) -> None:
    stage = DavStage(Hands(passage.url), settings_for(passage.url), HOME, environment())
    with ThreadPoolExecutor(THREADS) as pool:
        put = list(pool.map(lambda number: stage.calendar.put(entry(number), None), range(ENTRIES)))
        assert len(stage.everything()) == ENTRIES
        list(pool.map(stage.calendar.delete, put))
    assert stage.everything() == []
    assert (passage.most["PUT"], passage.most["DELETE"]) == (1, 1)


def test_a_change_that_hangs_holds_up_the_next_for_a_while_and_other_calendars_not_at_all() -> None:
    account = account_of(AccountId("hangs"), settings_for("http://127.0.0.1:1/"), environment())
    account.patience = 0.05
    with account.turn("/cal/one.ics"), account.turn("/cal/two.ics"):
        account.patience = 3600
        with account.turn("/other/one.ics"):
            pass
    with account.turn("/cal/one.ics"):
        pass
