"""What every engine of the store must do about its queues; inherit, and provide the fixture `store`."""

from datetime import datetime, timedelta

from syncd.core.ids import AccountId
from syncd.store import Store
from syncd.store.queue import DeliveryState, Notice, StoredDelivery, Work, WorkKind
from tests.store.values import SCHEDULER, START, at, delivery

LEASE = timedelta(minutes=2)
PULL, POLL, INGEST = WorkKind.PULL, WorkKind.POLL, WorkKind.INGEST


def touch(store: Store, key: str, due: datetime = START, *, kind: WorkKind = PULL, group: str = "") -> None:
    store.write(lambda tx: tx.queue.touch(kind, key, due, group=group))


def claim(
    store: Store,
    now: datetime = START,
    *,
    skip: tuple[str, ...] = (),
    limit: int = 1,
    kinds: list[WorkKind] | None = None,
) -> list[Work]:
    return store.write(lambda tx: tx.queue.claim(now, LEASE, skip=skip, limit=limit, kinds=kinds))


def finish(store: Store, work: Work, next_due: datetime | None = None) -> bool:
    return store.write(lambda tx: tx.queue.finish(work, next_due))


def fail(store: Store, work: Work, due: datetime, error: str = "503") -> None:
    store.write(lambda tx: tx.queue.fail(work, due, error))


def next_due(store: Store, *skip: str) -> datetime | None:
    with store.read() as tx:
        return tx.queue.next_due(skip=skip)


class WorkContract:
    def test_touched_work_is_claimed_once(self, store: Store) -> None:
        touch(store, "a", group="acc")
        [work] = claim(store)
        assert (work.kind, work.key, work.due_at, work.group, work.attempts) == (PULL, "a", START, "acc", 0)
        assert claim(store) == []

    def test_work_is_claimed_no_sooner_than_it_is_due_and_the_earliest_first(self, store: Store) -> None:
        touch(store, "late", at(2))
        touch(store, "early", at(1))
        assert claim(store, at(0.9)) == []
        assert next_due(store) == at(1)
        assert [work.key for work in claim(store, at(5), limit=9)] == ["early", "late"]

    def test_no_more_is_claimed_than_asked_for(self, store: Store) -> None:
        for name in "abc":
            touch(store, name)
        assert [work.key for work in claim(store, limit=2)] == ["a", "b"]
        assert [work.key for work in claim(store, limit=2)] == ["c"]

    def test_touches_of_one_name_are_one_piece_of_work_at_the_earliest_time(self, store: Store) -> None:
        for due in (at(5), at(3), at(9)):
            touch(store, "a", due)
        assert next_due(store) == at(3)
        [work] = claim(store, at(9), limit=9)
        assert (work.due_at, work.generation) == (at(3), 3)
        assert finish(store, work)
        assert next_due(store) is None

    def test_kinds_of_one_name_are_different_work(self, store: Store) -> None:
        store.write(lambda tx: tx.queue.touch_many(POLL, ["a", "b"], START))
        touch(store, "a")
        assert [(work.kind, work.key) for work in claim(store, kinds=[POLL], limit=9)] == [(POLL, "a"), (POLL, "b")]
        assert [(work.kind, work.key) for work in claim(store, limit=9)] == [(PULL, "a")]
        assert claim(store, kinds=[], limit=9) == []

    def test_works_of_skipped_groups_wait(self, store: Store) -> None:
        touch(store, "a", at(0), group="down")
        touch(store, "b", at(1), group="up")
        touch(store, "c", at(2))
        assert next_due(store, "down") == at(1)
        assert [work.key for work in claim(store, at(9), skip=("down",), limit=9)] == ["b", "c"]
        assert next_due(store, "down", "up") == at(9) + LEASE  # the lease of c, which has no group
        assert [work.key for work in claim(store, at(9), skip=("other",), limit=9)] == ["a"]

    def test_a_touch_without_group_keeps_the_group(self, store: Store) -> None:
        touch(store, "a", group="acc")
        touch(store, "a")
        assert claim(store)[0].group == "acc"

    def test_finished_work_is_gone_or_kept_for_later(self, store: Store) -> None:
        touch(store, "a")
        assert finish(store, claim(store)[0], at(7))
        assert next_due(store) == at(7)
        [work] = claim(store, at(7))
        assert work.attempts == 0
        assert finish(store, work)
        assert claim(store, at(99)) == []

    def test_i11_work_kept_for_later_is_not_due_early(self, store: Store) -> None:
        touch(store, "a")
        later = at(7) + timedelta(microseconds=1)
        finish(store, claim(store)[0], later)
        due = next_due(store)
        assert due is not None and later <= due <= later + timedelta(seconds=1)

    def test_what_is_touched_while_leased_is_due_again(self, store: Store) -> None:
        touch(store, "a")
        [work] = claim(store)
        touch(store, "a", at(1))
        assert claim(store, at(1)) == []  # still leased
        assert not finish(store, work)
        assert next_due(store) == at(1)
        [again] = claim(store, at(1))
        assert again.generation == work.generation + 1
        assert finish(store, again)

    def test_a_touch_for_later_does_not_make_leased_work_run_at_once(self, store: Store) -> None:
        touch(store, "a")
        [work] = claim(store)
        touch(store, "a", at(60))
        assert not finish(store, work)
        assert next_due(store) == at(60)

    def test_of_a_touch_while_leased_and_the_next_due_time_the_earlier_counts(self, store: Store) -> None:
        for touched, wanted, expected in ((at(60), at(30), at(30)), (at(90), at(120), at(90))):
            touch(store, "a")
            [work] = claim(store, at(200))
            touch(store, "a", touched)
            assert not finish(store, work, wanted)
            assert next_due(store) == expected
            assert finish(store, claim(store, at(200))[0])

    def test_failed_work_comes_back_no_sooner_with_its_attempts_counted(self, store: Store) -> None:
        touch(store, "a")
        fail(store, claim(store)[0], at(3) + timedelta(microseconds=1))
        assert claim(store, at(3)) == []
        [work] = claim(store, at(3) + timedelta(seconds=1))
        assert (work.attempts, work.error) == (1, "503")
        fail(store, work, at(9))
        assert claim(store, at(9))[0].attempts == 2

    def test_a_touch_resets_attempts_and_brings_failed_work_forward(self, store: Store) -> None:
        touch(store, "a")
        fail(store, claim(store)[0], at(60))
        touch(store, "a", at(1))
        [work] = claim(store, at(1))
        assert (work.attempts, work.error) == (0, "")

    def test_failing_what_was_touched_meanwhile_keeps_the_earlier_time(self, store: Store) -> None:
        touch(store, "a")
        [work] = claim(store)
        touch(store, "a", at(1))
        fail(store, work, at(60))
        assert next_due(store) == at(1)

    def test_a_lease_that_ended_is_claimed_again_and_the_late_worker_changes_nothing(self, store: Store) -> None:
        touch(store, "a")
        [late] = claim(store)
        assert next_due(store) == START + LEASE
        assert claim(store, START + LEASE - timedelta(seconds=1)) == []
        [second] = claim(store, START + LEASE)
        assert (second.key, second.generation) == ("a", late.generation)
        assert not finish(store, late)
        fail(store, late, at(99))
        store.write(lambda tx: tx.queue.bury(late, "no", START))
        assert claim(store, START + LEASE) == []  # still the second worker's
        assert finish(store, second)
        assert next_due(store) is None

    def test_a_late_worker_does_not_touch_a_new_life_of_the_name(self, store: Store) -> None:
        touch(store, "a")
        [late] = claim(store)
        [second] = claim(store, START + LEASE)
        finish(store, second)
        touch(store, "a", at(5))
        [third] = claim(store, at(5))
        assert not finish(store, late)
        assert claim(store, at(5)) == []
        assert finish(store, third)

    def test_buried_work_is_dead_until_it_is_touched(self, store: Store) -> None:
        touch(store, "a", group="acc")
        [work] = claim(store)
        store.write(lambda tx: tx.queue.bury(work, "400 for ever", at(1)))
        with store.read() as tx:
            [dead] = tx.queue.dead()
            assert (dead.kind, dead.key, dead.error, dead.group, dead.attempts) == (PULL, "a", "400 for ever", "acc", 1)
            assert tx.queue.depths(at(99)) == {}
        assert claim(store, at(99)) == [] and next_due(store) is None
        touch(store, "a", at(5))
        with store.read() as tx:
            assert tx.queue.dead() == []
        assert next_due(store) == at(5)
        [again] = claim(store, at(5))
        assert (again.attempts, again.error) == (0, "")

    def test_what_was_touched_meanwhile_is_not_buried(self, store: Store) -> None:
        touch(store, "a")
        [work] = claim(store)
        touch(store, "a", at(1))
        store.write(lambda tx: tx.queue.bury(work, "x", START))
        with store.read() as tx:
            assert tx.queue.dead() == []
        assert [one.key for one in claim(store, at(1))] == ["a"]

    def test_leases_released_at_the_start_are_due_at_once(self, store: Store) -> None:
        for name in ("a", "b", "c"):
            touch(store, name)
        claimed = claim(store, limit=2)
        touch(store, "a", at(600))  # meanwhile, for much later: what was interrupted is due all the same
        assert store.write(lambda tx: tx.queue.release_leases()) == 2
        assert sorted(work.key for work in claim(store, limit=9)) == ["a", "b", "c"]
        assert not finish(store, claimed[0])

    def test_depths_tell_how_much_is_due_and_since_when(self, store: Store) -> None:
        touch(store, "a", at(-10))
        touch(store, "b", at(0))
        touch(store, "later", at(9))
        touch(store, "acc", at(-1), kind=POLL)
        with store.read() as tx:
            assert tx.queue.depths(at(0)) == {PULL: (2, timedelta(minutes=10)), POLL: (1, timedelta(minutes=1))}
        claim(store, limit=9)
        with store.read() as tx:
            assert tx.queue.depths(at(0)) == {}


class InboxContract:
    def test_a_delivery_is_kept_as_it_came(self, store: Store) -> None:
        one = delivery("d1", "k1", "sched|b1")
        assert store.write(lambda tx: tx.queue.inbox_put(one))
        with store.read() as tx:
            assert tx.queue.inbox_get("d1") == one
            assert tx.queue.inbox_get("no") is None

    def test_a_repeat_is_counted_and_the_first_one_stays(self, store: Store) -> None:
        def put(one: StoredDelivery) -> bool:
            return store.write(lambda tx: tx.queue.inbox_put(one))

        put(delivery("d1", "k1"))
        assert not put(delivery("d2", "k1"))
        assert not put(delivery("d3", "k1"))
        assert put(delivery("d4", "k1", account=AccountId("other")))
        with store.read() as tx:
            first = tx.queue.inbox_get("d1")
            assert first is not None and first.repeats == 2
            assert tx.queue.inbox_get("d2") is None
            other = tx.queue.inbox_get("d4")
            assert other is not None and other.repeats == 0

    def test_settling_a_booking_settles_every_new_delivery_that_touched_it(self, store: Store) -> None:
        for one in (
            delivery("d1", "k1", "sched|b1"),
            delivery("d2", "k2", "sched|b0", "sched|b1"),
            delivery("d3", "k3", "sched|b0"),
            delivery("d4", "k4", "sched|b1", account=AccountId("other")),
            delivery("d5", "k5", "sched|b1"),
        ):
            store.write(lambda tx, one=one: tx.queue.inbox_put(one))  # type: ignore[misc]
        store.write(lambda tx: tx.queue.inbox_state("d5", DeliveryState.DEAD, "poison"))
        store.write(lambda tx: tx.queue.inbox_settle(SCHEDULER, "sched|b1", DeliveryState.STALE, "old news"))
        with store.read() as tx:
            states = {one.id: (one.state, one.error) for one in tx.queue.inbox_list()}
            assert states == {
                "d1": (DeliveryState.STALE, "old news"),
                "d2": (DeliveryState.STALE, "old news"),
                "d3": (DeliveryState.NEW, ""),
                "d4": (DeliveryState.NEW, ""),
                "d5": (DeliveryState.DEAD, "poison"),
            }
            counts = {DeliveryState.STALE: 2, DeliveryState.NEW: 2, DeliveryState.DEAD: 1}
            assert tx.queue.inbox_counts() == counts

    def test_a_delivery_set_to_new_again_is_settled_again(self, store: Store) -> None:
        store.write(lambda tx: tx.queue.inbox_put(delivery("d1", "k1", "sched|b1")))
        for state in (DeliveryState.DEAD, DeliveryState.NEW):
            store.write(lambda tx, state=state: tx.queue.inbox_state("d1", state))  # type: ignore[misc]
        store.write(lambda tx: tx.queue.inbox_settle(SCHEDULER, "sched|b1", DeliveryState.DONE))
        with store.read() as tx:
            assert tx.queue.inbox_counts() == {DeliveryState.DONE: 1}

    def test_deliveries_are_listed_by_state_the_latest_first(self, store: Store) -> None:
        for number in range(4):
            store.write(lambda tx, n=number: tx.queue.inbox_put(delivery(f"d{n}", f"k{n}")))  # type: ignore[misc]
        store.write(lambda tx: tx.queue.inbox_state("d2", DeliveryState.DONE))
        with store.read() as tx:
            assert [one.id for one in tx.queue.inbox_list(DeliveryState.NEW)] == ["d3", "d1", "d0"]
            assert [one.id for one in tx.queue.inbox_list(limit=2)] == ["d3", "d2"]


class OutboxContract:
    FULL = Notice(
        key="n1",
        channel="task",
        kind="lost_booking",
        about="v1",
        to="ana",
        body={"text": "ñ", "n": [1]},
        due_at=at(5),
        state="open",
        created_at=START,
    )

    def test_a_notice_is_said_once(self, store: Store) -> None:
        def say(one: Notice) -> bool:
            return store.write(lambda tx: tx.queue.say(one))

        assert say(self.FULL)
        assert not say(Notice(key="n1", channel="task", kind="other"))
        with store.read() as tx:
            assert tx.queue.notices() == [self.FULL]

    def test_notices_are_narrowed_by_channel_subject_and_state_in_the_order_said(self, store: Store) -> None:
        for one in (
            Notice(key="z", channel="alert", kind="k", about="cal", state="open"),
            Notice(key="a", channel="alert", kind="k", about="acc", state="open"),
            Notice(key="m", channel="task", kind="k", about="cal"),
        ):
            store.write(lambda tx, one=one: tx.queue.say(one))  # type: ignore[misc]
        store.write(lambda tx: tx.queue.set_notice("a", "closed"))
        with store.read() as tx:
            ask = tx.queue.notices
            assert _keys(ask()) == ["z", "a", "m"]
            assert _keys(ask(limit=1)) == ["z"]
            assert _keys(ask(channel="alert")) == ["z", "a"]
            assert _keys(ask(about="cal")) == ["z", "m"]
            assert _keys(ask(state="closed")) == ["a"]
            assert _keys(ask(channel="alert", about="cal", state="open")) == ["z"]
            assert _keys(ask(about="no")) == []


def _keys(notices: list[Notice]) -> list[str]:
    return [one.key for one in notices]
