"""What every engine of the store must do about calendars and accounts; inherit, and provide the fixture `store`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from syncd.core.busy import BusyBlock
from syncd.core.ids import AccountId, AgentId, CalendarId
from syncd.core.interval import Interval
from syncd.core.publish import EventKey, Presence
from syncd.store import Store, Tx
from syncd.store.accounts import AccountState
from syncd.store.calendars import CalendarState, Entry, Glance
from tests.store.values import ANA, BETO, CAUSE, HOME, OTHER_HOME, SCHEDULER, START, at, entry, published, span, visit


def put(store: Store, *entries: Entry, calendar: CalendarId = HOME) -> bool:
    return store.write(lambda tx: tx.calendars.put_entries(calendar, entries))


class CalendarStateContract:
    def test_a_calendar_never_read_has_an_empty_state(self, store: Store) -> None:
        with store.read() as tx:
            assert tx.calendars.state(HOME) == CalendarState(calendar=HOME)
            assert tx.calendars.states() == []

    def test_a_state_comes_back_as_it_was_saved_and_is_replaced(self, store: Store) -> None:
        state = CalendarState(
            calendar=HOME,
            cursor="c",
            mark="m",
            read_at=at(1),
            listed_at=at(2),
            expanded_until=at(3),
            suspect_since=at(4),
            suspect_why="vanished",
            attention="odd",
            error="broken",
            failing_since=at(5),
            notes="zone?",
            deletions=(at(6), at(7)),
        )
        store.write(lambda tx: tx.calendars.save_state(state))
        store.write(lambda tx: tx.calendars.save_state(CalendarState(calendar=OTHER_HOME)))
        with store.read() as tx:
            assert tx.calendars.state(HOME) == state
            assert tx.calendars.states() == [state, CalendarState(calendar=OTHER_HOME)]
        store.write(lambda tx: tx.calendars.save_state(CalendarState(calendar=HOME)))
        with store.read() as tx:
            assert tx.calendars.state(HOME) == CalendarState(calendar=HOME)

    def test_a_quiet_check_makes_known_and_new_calendars_fresh(self, store: Store) -> None:
        ill = CalendarState(calendar=HOME, cursor="c", error="broken", failing_since=START, attention="odd")
        store.write(lambda tx: tx.calendars.save_state(ill))
        store.write(lambda tx: tx.calendars.fresh([HOME, OTHER_HOME], at(9)))
        store.write(lambda tx: tx.calendars.fresh([], at(99)))
        with store.read() as tx:
            assert tx.calendars.state(HOME) == replace(ill, read_at=at(9), error="", failing_since=None)
            assert tx.calendars.state(OTHER_HOME).read_at == at(9)

    def test_saving_a_state_keeps_the_entries(self, store: Store) -> None:
        put(store, entry("e1", (0, 20)))
        store.write(lambda tx: tx.calendars.save_state(CalendarState(calendar=HOME, cursor="c")))
        with store.read() as tx:
            assert len(tx.calendars.blocks([HOME], span(0, 20))) == 1


class EntriesContract:
    def test_an_entry_comes_back_with_its_blocks(self, store: Store) -> None:
        weekly = replace(entry("e1", (0, 20), (100, 120)), mirrored=False)
        blocks = (replace(weekly.blocks[0], all_day=True), replace(weekly.blocks[1], copied=True))
        weekly = replace(weekly, blocks=blocks)
        assert put(store, weekly, entry("free"))
        with store.read() as tx:
            assert tx.calendars.entries(HOME, ["e1", "free", "no"]) == {"e1": weekly, "free": entry("free")}
            assert tx.calendars.find_by_uid(HOME, "e1@stranger") == weekly
            assert tx.calendars.find_by_uid(HOME, "no") is None
            assert tx.calendars.find_by_uid(OTHER_HOME, "e1@stranger") is None
            assert tx.calendars.entries(OTHER_HOME, ["e1"]) == {}

    @pytest.mark.parametrize(
        ("remote_id", "uid"),
        [
            ("dav/ana/5f0c.ics", "5f0c"),
            ("5f0c", "5f0c@google.com"),
            ("5f0c@google.com.ics", "5f0c@google.com"),
            ("5f0c.ics", "5f0c-2"),
            ("5f0c", "other@example"),
            ("", "x"),
            ("x/", ""),
            ("@", "@"),
            ("año.ics", "año@ñ"),
        ],
    )
    def test_an_entry_is_found_by_its_uid_whatever_its_server_calls_it(
        self, store: Store, remote_id: str, uid: str
    ) -> None:
        block = BusyBlock(calendar=HOME, remote_id=remote_id, uid=uid, interval=span(0, 20))
        one = Entry(remote_id=remote_id, uid=uid, etag="1", blocks=(block,))
        put(store, one)
        with store.read() as tx:
            assert tx.calendars.find_by_uid(HOME, uid) == one
            assert tx.calendars.find_by_uid(HOME, f"{uid}x") is None
            assert tx.calendars.entries(HOME, [remote_id]) == {remote_id: one}
            assert tx.calendars.blocks([HOME], span(0, 20)) == [block]
        renamed = replace(one, uid="new", blocks=(replace(block, uid="new"),), etag="2")
        assert not put(store, renamed)
        with store.read() as tx:
            assert tx.calendars.find_by_uid(HOME, "new") == renamed
            assert tx.calendars.find_by_uid(HOME, uid) is None

    def test_names_of_one_hash_are_different_entries(self, store: Store) -> None:
        one, other = entry("plumless", (0, 20)), entry("buckeroo", (30, 50))  # equal to crc32
        put(store, one)
        put(store, other)
        with store.read() as tx:
            assert tx.calendars.entries(HOME, ["plumless"]) == {"plumless": one}
            assert tx.calendars.find_by_uid(HOME, other.uid) == other
        store.write(lambda tx: tx.calendars.drop_entries(HOME, ["plumless"]))
        with store.read() as tx:
            assert tx.calendars.etags(HOME) == {"buckeroo": "1"}
            assert [one.interval for one in tx.calendars.blocks([HOME], span(0, 60))] == [span(30, 50)]

    def test_only_a_change_of_time_is_a_change_of_busy_time(self, store: Store) -> None:
        assert put(store, entry("e1", (0, 20)))
        assert not put(store, entry("e1", (0, 20)))
        assert not put(store, entry("e1", (0, 20), etag="2"))
        assert not put(store, entry("free"))
        assert put(store, entry("e1", (0, 21), etag="3"))
        assert put(store, entry("e1", (0, 21), (50, 60), etag="4"))
        assert put(store, entry("e1", etag="5"))
        assert not put(store)
        with store.read() as tx:
            assert tx.calendars.etags(HOME) == {"e1": "5", "free": "1"}

    def test_a_changed_entry_leaves_nothing_of_its_old_time(self, store: Store) -> None:
        put(store, entry("other", (0, 20)))
        for spans in (((0, 20), (90, 95)), ((0, 25), (30, 40), (50, 60)), ((200, 220),), (), ((5, 6),)):
            put(store, entry("e1", *spans))
            with store.read() as tx:
                found = tx.calendars.blocks([HOME], span(-999, 999))
                assert tuple(one.interval for one in found if one.remote_id == "e1") == tuple(
                    span(*one) for one in spans
                )
                assert [one.interval for one in found if one.remote_id == "other"] == [span(0, 20)]
            assert store.check() == []

    def test_whether_a_block_is_all_day_or_copied_is_a_change(self, store: Store) -> None:
        plain = entry("e1", (0, 20))
        put(store, plain)
        whole_day = replace(plain, blocks=(replace(plain.blocks[0], all_day=True),))
        assert put(store, whole_day)
        assert put(store, replace(plain, blocks=(replace(plain.blocks[0], copied=True),)))

    def test_two_instances_at_the_same_time_are_one_block(self, store: Store) -> None:
        put(store, entry("e1", (0, 20), (0, 20)))
        with store.read() as tx:
            assert len(tx.calendars.blocks([HOME], span(0, 20))) == 1

    def test_dropping_an_entry_frees_its_time(self, store: Store) -> None:
        put(store, entry("e1", (0, 20)), entry("free"))

        def drop(*names: str) -> bool:
            return store.write(lambda tx: tx.calendars.drop_entries(HOME, names))

        assert not drop("free")
        assert not drop("no")
        assert not drop()
        assert drop("e1")
        assert not drop("e1")
        with store.read() as tx:
            assert tx.calendars.blocks([HOME], span(0, 20)) == []
            assert tx.calendars.etags(HOME) == {}
        assert store.check() == []

    def test_an_entry_belongs_to_one_calendar(self, store: Store) -> None:
        put(store, entry("e1", (0, 20)))
        put(store, entry("e1", (50, 60), calendar=OTHER_HOME), calendar=OTHER_HOME)
        store.write(lambda tx: tx.calendars.drop_entries(HOME, ["e1"]))
        with store.read() as tx:
            assert [one.interval for one in tx.calendars.blocks([HOME, OTHER_HOME], span(0, 99))] == [span(50, 60)]

    def test_thousands_of_entries_at_once(self, store: Store) -> None:
        many = [entry(f"e{number}", (number, number + 1)) for number in range(2_100)]
        assert put(store, *many)
        names = [one.remote_id for one in many]
        with store.read() as tx:
            assert tx.calendars.entries(HOME, names) == {one.remote_id: one for one in many}
        assert store.write(lambda tx: tx.calendars.drop_entries(HOME, names))
        with store.read() as tx:
            assert tx.calendars.etags(HOME) == {}


class BlocksContract:
    def test_blocks_are_those_that_overlap_the_window_by_start(self, store: Store) -> None:
        put(
            store, entry("late", (50, 60)), entry("long", (-900, 900)), entry("ends", (-10, 0)), entry("edge", (20, 30))
        )
        put(store, entry("his", (5, 6), calendar=OTHER_HOME), calendar=OTHER_HOME)
        with store.read() as tx:
            found = tx.calendars.blocks([HOME, OTHER_HOME], span(0, 21))
            assert [one.remote_id for one in found] == ["long", "his", "edge"]
            assert found[1] == BusyBlock(calendar=OTHER_HOME, remote_id="his", uid="his@stranger", interval=span(5, 6))
            assert tx.calendars.blocks([], span(0, 21)) == []

    def test_spans_are_the_time_of_the_same_blocks_as_plain_numbers(self, store: Store) -> None:
        holiday = entry("day", (0, 1440))
        holiday = replace(holiday, blocks=(replace(holiday.blocks[0], all_day=True),))
        put(store, holiday, entry("e1", (30, 40)), entry("gone", (-20, 0)))
        start = int(START.timestamp())
        window = (start, start + 3600)
        with store.read() as tx:
            assert tx.calendars.spans([HOME, OTHER_HOME], window) == {
                HOME: [(start, start + 86_400), (start + 1800, start + 2400)],
                OTHER_HOME: [],
            }
            assert tx.calendars.spans([HOME], window, all_day=False) == {HOME: [(start + 1800, start + 2400)]}

    def test_spans_of_one_kind_that_overlap_or_touch_may_be_one(self, store: Store) -> None:
        put(store, entry("e1", (0, 30), (60, 70)), entry("e2", (10, 20)), entry("e3", (30, 40)))
        start = int(START.timestamp())
        with store.read() as tx:
            [found] = tx.calendars.spans([HOME], (start, start + 3660)).values()
        minutes = {minute for begin, end in found for minute in range((begin - start) // 60, (end - start) // 60)}
        assert minutes == {*range(40), *range(60, 70)}
        assert found == sorted(found)

    def test_a_block_of_split_seconds_is_rounded_outwards(self, store: Store) -> None:
        odd = Interval(START + timedelta(microseconds=900_000), START + timedelta(seconds=1, microseconds=100_000))
        one = entry("e1", (0, 1))
        put(store, replace(one, blocks=(replace(one.blocks[0], interval=odd),)))
        with store.read() as tx:
            start = int(START.timestamp())
            assert tx.calendars.spans([HOME], (start, start + 9)) == {HOME: [(start, start + 2)]}

    def test_the_revision_changes_whenever_blocks_do_and_only_then(self, store: Store) -> None:
        seen = []

        def look() -> None:
            with store.read() as tx:
                seen.append(tx.calendars.revision([HOME, OTHER_HOME]))

        look()
        put(store, entry("e1", (0, 20)))
        look()
        put(store, entry("e1", (0, 20), etag="2"))
        look()
        put(store, entry("e1", (0, 30)))
        look()
        store.write(lambda tx: tx.calendars.drop_entries(HOME, ["e1"]))
        look()
        assert seen[1] == seen[2]
        assert len(set(seen)) == 4
        assert {one[1] for one in seen} == {0}

    def test_a_glance_tells_what_decides_whether_busy_time_is_known(self, store: Store) -> None:
        state = CalendarState(calendar=HOME, read_at=at(1), attention="odd")
        store.write(lambda tx: tx.calendars.save_state(state))
        put(store, entry("e1", (0, 20)))
        with store.read() as tx:
            found = tx.calendars.glances([HOME, OTHER_HOME])
            [revision] = tx.calendars.revision([HOME])
        assert found == {HOME: Glance(revision, at(1), "odd"), OTHER_HOME: Glance(0, None, "")}

    def test_a_pulse_moves_with_every_change_of_blocks_or_visits_of_those_asked_for(self, store: Store) -> None:
        store.write(lambda tx: tx.calendars.fresh([HOME, OTHER_HOME], at(5)))

        def pulse(*agents: AgentId, calendars: Sequence[CalendarId] = (HOME,)) -> int | None:
            with store.read() as tx:
                return tx.calendars.pulse(calendars, agents, at(5))

        seen = [pulse(ANA)]
        put(store, entry("e1", (0, 20)))
        seen.append(pulse(ANA))
        saved = store.write(lambda tx: tx.visits.save(visit(), CAUSE))
        seen.append(pulse(ANA))
        store.write(lambda tx: tx.visits.save(replace(saved, host=BETO), CAUSE))
        seen.append(pulse(ANA))
        store.write(lambda tx: tx.calendars.drop_entries(HOME, ["e1"]))
        seen.append(pulse(ANA))
        assert len(set(seen)) == 5 and None not in seen
        his = (pulse(BETO, calendars=[OTHER_HOME]), pulse(calendars=[]))
        put(store, entry("e1", (0, 30)))
        put(store, entry("e1", (0, 30), etag="2"))
        assert (pulse(BETO, calendars=[OTHER_HOME]), pulse(calendars=[])) == his
        assert pulse(ANA, BETO, calendars=[HOME, OTHER_HOME]) != pulse(ANA)

    def test_a_pulse_is_missing_where_one_calendar_is_not_known(self, store: Store) -> None:
        def known(since: datetime, *calendars: CalendarId) -> bool:
            with store.read() as tx:
                return tx.calendars.pulse(calendars, [ANA], since) is not None

        assert not known(at(5), HOME)
        put(store, entry("e1", (0, 20)))
        assert not known(at(5), HOME)
        store.write(lambda tx: tx.calendars.save_state(CalendarState(calendar=HOME, read_at=at(5))))
        store.write(lambda tx: tx.calendars.save_state(CalendarState(calendar=OTHER_HOME, read_at=at(6))))
        assert known(at(5), HOME, OTHER_HOME)
        assert not known(at(5) + timedelta(microseconds=1), HOME, OTHER_HOME)
        odd = CalendarState(calendar=OTHER_HOME, read_at=at(6), attention="odd")
        store.write(lambda tx: tx.calendars.save_state(odd))
        assert known(at(5), HOME) and not known(at(5), HOME, OTHER_HOME)

    def test_the_future_counts_strangers_and_ours_but_not_what_is_gone(self, store: Store) -> None:
        put(store, entry("past", (-20, 0)), entry("now", (-20, 1)), entry("weekly", (10, 20), (30, 40)), entry("free"))
        ours = [
            published("visit:v1", remote_id="r1"),
            replace(published("visit:v2", remote_id="r2"), presence=Presence.GONE),
            replace(published("visit:v3", remote_id="r3"), interval=span(-20, 0)),
            published("visit:v4", OTHER_HOME),
        ]
        for one in ours:
            store.write(lambda tx, one=one: tx.calendars.remember(one))  # type: ignore[misc]
        with store.read() as tx:
            assert tx.calendars.count_future(HOME, START) == 3
            assert tx.calendars.count_future(CalendarId("no"), START) == 0


class PublishedContract:
    def test_what_we_published_comes_back(self, store: Store) -> None:
        one = replace(
            published(),
            title="Visita",
            location="Casa",
            adopted=True,
            presence=Presence.CHANGED,
            seen_interval=span(5, 25),
            rewrites=(at(1), at(2)),
        )
        store.write(lambda tx: tx.calendars.remember(one))
        with store.read() as tx:
            assert tx.calendars.published(one.key) == one
            assert tx.calendars.published(EventKey("visit:v1", OTHER_HOME)) is None
        store.write(lambda tx: tx.calendars.remember(published()))
        with store.read() as tx:
            assert tx.calendars.published(one.key) == published()
        store.write(lambda tx: tx.calendars.forget(one.key))
        with store.read() as tx:
            assert tx.calendars.published(one.key) is None

    def test_it_is_listed_by_subject_by_calendar_and_by_remote_id(self, store: Store) -> None:
        a, b = published("visit:v1", HOME, "r1"), published("visit:v1", OTHER_HOME, "r1")
        c = published("mirror:x", HOME, "r2")
        for one in (b, a, c):
            store.write(lambda tx, one=one: tx.calendars.remember(one))  # type: ignore[misc]
        with store.read() as tx:
            assert tx.calendars.published_of("visit:v1") == [a, b]
            assert tx.calendars.published_in(HOME) == [c, a]
            assert tx.calendars.published_at(HOME, ["r1", "no"]) == {"r1": a}
            assert tx.calendars.published_at(HOME, []) == {}

    def test_etags_are_those_of_strangers_and_ours_that_are_there(self, store: Store) -> None:
        put(store, entry("e1", (0, 20), etag="s"))
        store.write(lambda tx: tx.calendars.remember(published(remote_id="r1")))
        gone = replace(published("visit:v2", remote_id="r2"), presence=Presence.GONE)
        store.write(lambda tx: tx.calendars.remember(gone))
        with store.read() as tx:
            assert tx.calendars.etags(HOME) == {"e1": "s", "r1": '"1"'}

    def test_attempts_are_counted_until_the_outcome_is_known(self, store: Store) -> None:
        key = published().key

        def intend() -> int:
            return store.write(lambda tx: tx.calendars.intend(key, "u", "h", START))

        ways: list[Callable[[Tx], None]] = [
            lambda tx: tx.calendars.remember(published()),
            lambda tx: tx.calendars.forget(key),
            lambda tx: tx.calendars.settle_intent(key),
        ]
        for settle in ways:
            assert [intend(), intend()] == [1, 2]
            with store.read() as tx:
                assert tx.calendars.intent(key) == 2
                assert tx.calendars.intent(EventKey("visit:v1", OTHER_HOME)) == 0
            store.write(settle)
            with store.read() as tx:
                assert tx.calendars.intent(key) == 0


class AccountsContract:
    def test_an_account_never_spoken_of_has_an_empty_state(self, store: Store) -> None:
        with store.read() as tx:
            assert tx.accounts.state(SCHEDULER) == AccountState(account=SCHEDULER)
            assert tx.accounts.states() == []

    def test_a_state_comes_back_as_it_was_saved_and_is_replaced(self, store: Store) -> None:
        state = AccountState(
            account=SCHEDULER,
            parked="no consent",
            failures=3,
            failing_since=at(1),
            not_before=at(2),
            last_success=at(3),
            error="401",
            requests=7,
        )
        other = AccountState(account=AccountId("a"))
        for one in (state, other):
            store.write(lambda tx, one=one: tx.accounts.save_state(one))  # type: ignore[misc]
        with store.read() as tx:
            assert tx.accounts.state(SCHEDULER) == state
            assert tx.accounts.states() == [other, state]
        store.write(lambda tx: tx.accounts.save_state(AccountState(account=SCHEDULER)))
        with store.read() as tx:
            assert tx.accounts.state(SCHEDULER) == AccountState(account=SCHEDULER)

    def test_i11_a_rest_never_ends_early(self, store: Store) -> None:
        until = datetime(2026, 5, 12, 14, 0, 0, 1, tzinfo=UTC)
        store.write(lambda tx: tx.accounts.save_state(AccountState(account=SCHEDULER, not_before=until)))
        with store.read() as tx:
            kept = tx.accounts.state(SCHEDULER).not_before
        assert kept is not None and until <= kept <= until + timedelta(seconds=1)

    def test_a_users_id_leads_to_one_agent(self, store: Store) -> None:
        ana, beto = AgentId("ana"), AgentId("beto")
        for agent, email in ((ana, "ana@x"), (beto, None)):
            store.write(lambda tx, a=agent, e=email: tx.accounts.link_agent(SCHEDULER, "u1", a, e))  # type: ignore[misc]
        store.write(lambda tx: tx.accounts.link_agent(SCHEDULER, "u0", ana, "ana@x"))
        with store.read() as tx:
            assert tx.accounts.agent_of(SCHEDULER, "u1") == beto
            assert tx.accounts.agent_of(SCHEDULER, "u2") is None
            assert tx.accounts.agent_of(AccountId("other"), "u1") is None
            assert tx.accounts.links(SCHEDULER) == {"u0": (ana, "ana@x"), "u1": (beto, None)}

    def test_a_small_memory_is_kept_replaced_and_forgotten(self, store: Store) -> None:
        with store.read() as tx:
            assert tx.accounts.get(SCHEDULER, "mark") is None
        for value in ("1", "", None, None):
            store.write(lambda tx, value=value: tx.accounts.put(SCHEDULER, "mark", value))  # type: ignore[misc]
            with store.read() as tx:
                assert tx.accounts.get(SCHEDULER, "mark") == value
                assert tx.accounts.get(AccountId("other"), "mark") is None
