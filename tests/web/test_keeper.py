"""Many requests wait for one commit; each hears of its own fate and of nobody else's."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar, cast

import pytest

from syncd.core.ids import AccountId
from syncd.errors import StoreUnwritable
from syncd.store import Store, Tx, open_store
from syncd.web.keeper import Keeper
from tests.world.clock import VirtualClock
from tests.world.town import START

T = TypeVar("T")
HERE = AccountId("test")


class Counted:
    """A store that counts its groups, and may be held or broken."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.groups = 0
        self.held = threading.Event()
        self.held.set()
        self.error: Exception | None = None

    def write(self, fn: Callable[[Tx], T]) -> T:
        assert self.held.wait(10)
        self.groups += 1
        if self.error is not None:
            raise self.error
        return self._store.write(fn)

    def value(self, name: str) -> str | None:
        with self._store.read() as tx:
            return tx.accounts.get(HERE, name)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Counted]:
    whole = open_store(tmp_path / "syncd.db", VirtualClock(START))
    yield Counted(whole)
    whole.close()


def put(name: str) -> Callable[[Tx], str]:
    def write(tx: Tx) -> str:
        tx.accounts.put(HERE, name, "kept")
        return name

    return write


def fails(tx: Tx) -> str:
    tx.accounts.put(HERE, "half", "kept")
    raise ValueError("a poisonous one")


def run(store: Counted, *work: Callable[[Tx], str]) -> list[str | BaseException]:
    """Ask for all of it while the first group is held up, so that the rest gathers behind it."""

    async def ask() -> list[str | BaseException]:
        keeper = Keeper(lambda: cast(Store, store))
        store.held.clear()
        first = asyncio.ensure_future(keeper.write(put("first")))
        await asyncio.sleep(0)
        rest = [asyncio.ensure_future(keeper.write(fn)) for fn in work]
        await asyncio.sleep(0)
        store.held.set()
        return list(await asyncio.gather(first, *rest, return_exceptions=True))[1:]

    return asyncio.run(ask())


def test_what_gathers_during_a_commit_is_one_group(store: Counted) -> None:
    names = [f"n{number}" for number in range(50)]
    assert run(store, *map(put, names)) == names
    assert store.groups == 2
    assert {store.value(name) for name in names} == {"kept"}


def test_one_that_fails_harms_no_other_and_leaves_nothing_behind(store: Counted) -> None:
    outcomes = run(store, put("before"), fails, put("after"))
    assert outcomes[0] == "before" and outcomes[2] == "after"
    assert isinstance(outcomes[1], ValueError)
    assert (store.value("before"), store.value("half"), store.value("after")) == ("kept", None, "kept")


def test_a_store_that_cannot_be_written_is_told_to_everybody_at_once(store: Counted) -> None:
    store.error = StoreUnwritable("disk full")
    outcomes = run(store, put("a"), put("b"))
    assert all(isinstance(one, StoreUnwritable) for one in outcomes)
    assert store.groups == 2, "it is not asked again for each of them"


def test_a_caller_who_gives_up_does_not_hold_up_the_others(store: Counted) -> None:
    async def ask() -> str:
        keeper = Keeper(lambda: cast(Store, store))
        store.held.clear()
        gone = asyncio.ensure_future(keeper.write(put("gone")))
        await asyncio.sleep(0)
        stays = asyncio.ensure_future(keeper.write(put("stays")))
        gone.cancel()
        await asyncio.sleep(0)
        store.held.set()
        return await stays

    assert asyncio.run(ask()) == "stays"
    assert store.value("gone") == "kept", "what was begun is finished"


def test_it_writes_again_after_it_was_idle(store: Counted) -> None:
    async def ask() -> list[str]:
        keeper = Keeper(lambda: cast(Store, store))
        return [await keeper.write(put(f"n{number}")) for number in range(3)]

    assert asyncio.run(ask()) == ["n0", "n1", "n2"]
    assert store.groups == 3
