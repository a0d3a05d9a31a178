"""What every engine of the store must do about visits; an engine's test hands in a store and inherits the tests."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from syncd.core.ids import AccountId, AgentId, EventTypeId, ProjectId, RequestId, VisitId
from syncd.core.interval import Interval
from syncd.core.routing import DEFAULT_RULES, Request, Requirement, Route, Verdict
from syncd.core.visit import (
    Answer,
    Attendance,
    CancelReason,
    Conflict,
    ConflictReason,
    Contact,
    ContactPerson,
    Dwelling,
    RemoteMark,
    Slot,
    Source,
    Visit,
    VisitState,
)
from syncd.errors import SlotTaken, StaleRevision
from syncd.store import Store, Tx
from syncd.store.visits import Cause
from tests.store.values import ANA, BETO, CARLA, CASAS, CAUSE, SCHEDULER, START, VISITA, at, save, span, visit

FULL = replace(
    visit(source=Source(account=SCHEDULER, id="https://api.example/invitees/1")),
    title="Visita Casas - Depto 1203",
    location="Av. Siempre Viva 742",
    answers=(Answer(question="Propiedad", answer="1203 ñandú"), Answer(question="", answer="")),
    dwelling=Dwelling(id="d1", name="Depto 1203"),
    request=RequestId("req-1"),
    participants=(BETO, CARLA),
    extra_contacts=(Contact(name="Otro", tax_id="1-9"),),
    attendance=Attendance.PRESENT,
    conflict=Conflict(
        reason=ConflictReason.BUSY, since=START, alternatives=(Slot(interval=span(60, 80), hosts_free=2),), detail="x"
    ),
    pending_expires_at=at(1440),
    remote=RemoteMark(
        updated_at=datetime(2026, 5, 1, 10, 0, 0, 123456, tzinfo=UTC),
        event_id="ev",
        calendar_entry="entry",
        interval=Interval(START + timedelta(microseconds=1), at(20)),
        host=BETO,
    ),
)


class SavingContract:
    """Inherit, and provide the fixture `store`."""

    def test_a_visit_comes_back_as_it_was_saved(self, store: Store) -> None:
        saved = save(store, FULL)
        assert saved == replace(FULL, version=1)
        with store.read() as tx:
            assert tx.visits.find(FULL.id) == saved
            assert tx.visits.get(FULL.id) == saved

    def test_every_change_raises_the_version_by_one(self, store: Store) -> None:
        first = save(store, visit())
        second = save(store, replace(first, title="new"))
        assert (first.version, second.version) == (1, 2)

    def test_a_visit_that_was_changed_meanwhile_is_refused(self, store: Store) -> None:
        first = save(store, visit())
        save(store, replace(first, title="mine"))
        with pytest.raises(StaleRevision):
            save(store, replace(first, title="yours"))
        with store.read() as tx:
            assert tx.visits.get(first.id).title == "mine"
            assert len(tx.visits.history(first.id)) == 2

    def test_a_new_visit_may_not_take_a_known_id(self, store: Store) -> None:
        save(store, visit())
        with pytest.raises(StaleRevision):
            save(store, visit(start=100, end=120))

    def test_a_version_that_never_was_is_refused(self, store: Store) -> None:
        with pytest.raises(StaleRevision):
            save(store, replace(visit(), version=3))

    def test_what_is_kept_is_whole_seconds_and_leaves_no_held_instant_out(self, store: Store) -> None:
        odd = Interval(START + timedelta(microseconds=700_000), at(20) + timedelta(microseconds=1))
        saved = save(store, replace(visit(), interval=odd, guard=odd))
        assert saved.guard == Interval(START, at(20) + timedelta(seconds=1))
        with store.read() as tx:
            assert tx.visits.find(saved.id) == saved

    def test_a_moment_of_another_zone_is_the_same_moment(self, store: Store) -> None:
        local = START.astimezone(timezone(timedelta(hours=-4)))
        saved = save(store, replace(visit(), booked_at=local))
        assert saved.booked_at == START
        with store.read() as tx:
            assert tx.visits.get(saved.id).booked_at == START

    def test_an_unknown_visit_is_none_or_a_key_error(self, store: Store) -> None:
        with store.read() as tx:
            assert tx.visits.find(VisitId("no")) is None
            with pytest.raises(KeyError):
                tx.visits.get(VisitId("no"))


class HoldingContract:
    """Inherit, and provide the fixture `store`."""

    def test_two_visits_of_one_agent_may_not_overlap(self, store: Store) -> None:
        save(store, visit("v1", 0, 20))
        with pytest.raises(SlotTaken) as refused:
            save(store, visit("v2", 19, 40))
        assert (refused.value.agent, refused.value.visit) == ("ana", "v1")
        with store.read() as tx:
            assert tx.visits.find(VisitId("v2")) is None

    def test_touching_visits_do_not_overlap(self, store: Store) -> None:
        save(store, visit("v1", 0, 20, after=10))
        save(store, visit("v2", 30, 50))
        save(store, visit("v0", -20, 0))

    def test_buffers_hold_time_too(self, store: Store) -> None:
        save(store, visit("v1", 0, 20, after=10))
        with pytest.raises(SlotTaken):
            save(store, visit("v2", 29, 49))

    def test_a_visit_inside_a_long_one_is_refused_and_so_is_one_around_it(self, store: Store) -> None:
        save(store, visit("v1", 0, 600))
        for start, end in ((100, 120), (-10, 700), (0, 600)):
            with pytest.raises(SlotTaken):
                save(store, visit("v2", start, end))

    def test_two_agents_may_be_out_at_once(self, store: Store) -> None:
        save(store, visit("v1", host=ANA))
        save(store, visit("v2", host=BETO))

    def test_what_holds_nothing_is_in_nobodys_way(self, store: Store) -> None:
        save(store, visit("v1"))
        save(store, visit("v2", holds=False, state=VisitState.CONFLICT))
        cancelled = save(store, visit("v3", 100, 120))
        save(store, replace(cancelled, holds=False, state=VisitState.CANCELLED, cancel_reason=CancelReason.STAFF))
        save(store, visit("v4", 100, 120))

    @pytest.mark.parametrize(
        "change",
        [
            {"interval": span(10, 30), "guard": span(10, 30)},
            {"guard": span(-20, 1)},
            {"host": ANA, "interval": span(0, 20), "guard": span(0, 20)},
        ],
    )
    def test_no_change_leads_into_an_overlap(self, store: Store, change: dict[str, object]) -> None:
        save(store, visit("v1", 0, 20))
        beto = "host" in change
        other = save(store, visit("v2", -60, -40, host=BETO if beto else ANA))
        with pytest.raises(SlotTaken) as refused:
            save(store, replace(other, **change))  # type: ignore[arg-type]
        assert refused.value.visit == "v1"
        with store.read() as tx:
            assert tx.visits.get(other.id) == other

    def test_a_cancelled_visit_comes_back_only_where_there_is_room(self, store: Store) -> None:
        gone = save(store, visit("v1", holds=False, state=VisitState.CANCELLED))
        save(store, visit("v2"))
        with pytest.raises(SlotTaken):
            save(store, replace(gone, holds=True, state=VisitState.CONFIRMED))

    def test_a_visit_is_never_in_its_own_way(self, store: Store) -> None:
        first = save(store, visit("v1", 0, 20))
        longer = save(store, replace(first, interval=span(10, 40), guard=span(10, 40)))
        save(store, replace(longer, interval=span(15, 25), guard=span(15, 25)))

    def test_two_visits_swap_through_holding_nothing(self, store: Store) -> None:
        one, two = save(store, visit("v1", 0, 20)), save(store, visit("v2", 30, 50))

        def swap(tx: Tx) -> None:
            free = tx.visits.save(replace(one, holds=False), CAUSE)
            tx.visits.save(replace(two, interval=one.interval, guard=one.guard), CAUSE)
            tx.visits.save(replace(free, holds=True, interval=two.interval, guard=two.guard), CAUSE)

        store.write(swap)
        with store.read() as tx:
            assert [hold.visit for hold in tx.visits.holds([ANA], span(0, 60))] == ["v2", "v1"]

    def test_the_caller_goes_on_after_a_refusal(self, store: Store) -> None:
        save(store, visit("v1"))

        def next_host(tx: Tx) -> Visit:
            tx.visits.tombstone(SCHEDULER, "before", START)
            with pytest.raises(SlotTaken):
                tx.visits.save(visit("v2"), CAUSE)
            assert tx.visits.find(VisitId("v2")) is None
            return tx.visits.save(visit("v2", host=BETO), CAUSE)

        assert store.write(next_host).host == BETO
        with store.read() as tx:
            assert tx.visits.is_tombstone(SCHEDULER, "before")

    def test_a_refused_save_leaves_no_trace(self, store: Store) -> None:
        save(store, visit("v1"))
        lost = visit("v2", source=Source(account=SCHEDULER, id="lost"))

        def try_it(tx: Tx) -> None:
            with pytest.raises(SlotTaken):
                tx.visits.save(lost, CAUSE)

        store.write(try_it)
        with store.read() as tx:
            assert tx.visits.find_by_source(SCHEDULER, "lost") is None
            assert tx.visits.history(lost.id) == []

    def test_holds_are_those_whose_guard_overlaps_the_window_by_agent_and_start(self, store: Store) -> None:
        save(store, visit("long", -600, 5, after=10))
        save(store, visit("b", 40, 50))
        save(store, visit("a", 20, 30))
        save(store, visit("far", 100, 120))
        save(store, visit("other", 0, 20, host=BETO))
        save(store, visit("free", 0, 20, host=CARLA, holds=False, state=VisitState.CONFLICT))
        with store.read() as tx:
            found = tx.visits.holds([BETO, ANA, CARLA, ANA], span(14, 50))
            assert [hold.visit for hold in found] == ["long", "a", "b", "other"]
            assert found[0].interval == span(-600, 5) and found[0].guard == span(-600, 15)
            assert (found[0].agent, found[0].event_type) == (ANA, VISITA)
            assert tx.visits.holds([ANA], span(15, 20)) == []
            assert tx.visits.holds([], span(0, 50)) == []

    def test_guards_and_starts_are_the_same_as_plain_numbers(self, store: Store) -> None:
        save(store, visit("v1", 0, 20, after=10))
        save(store, visit("v2", 40, 60, event_type=EventTypeId("larga")))
        save(store, visit("v3", 100, 120))
        save(store, visit("lost", 0, 20, state=VisitState.CONFLICT, holds=False))
        save(store, visit("his", 0, 20, host=BETO))
        begin = int(START.timestamp())
        with store.read() as tx:
            assert tx.visits.guards(ANA, (begin + 1799, begin + 2401)) == [
                (begin, begin + 1800),
                (begin + 2400, begin + 3600),
            ]
            assert tx.visits.guards(ANA, (begin + 1800, begin + 2400)) == []
            assert tx.visits.starts(ANA, VISITA, (begin, begin + 6000)) == [("v1", begin)]

    def test_the_revision_of_an_agent_changes_whenever_a_visit_of_the_agent_does(self, store: Store) -> None:
        def look() -> tuple[int, ...]:
            with store.read() as tx:
                return tx.visits.revision([ANA, BETO, CARLA])

        seen = [look()]
        first = save(store, visit())
        seen.append(look())
        moved = save(store, replace(first, host=BETO))
        seen.append(look())
        save(store, replace(moved, title="x"))
        seen.append(look())
        changed = [[one != other for one, other in zip(a, b, strict=True)] for a, b in itertools.pairwise(seen)]
        assert changed == [[True, False, False], [True, True, False], [False, True, False]]


class FindingContract:
    """Inherit, and provide the fixture `store`."""

    def test_a_visit_is_found_by_every_id_its_scheduler_gave_it(self, store: Store) -> None:
        first = save(store, visit(source=Source(account=SCHEDULER, id="one")))
        save(store, replace(first, source=Source(account=SCHEDULER, id="two")))

        def link(tx: Tx) -> None:
            tx.visits.alias(first.id, SCHEDULER, "three")
            tx.visits.alias(first.id, SCHEDULER, "three")

        store.write(link)
        with store.read() as tx:
            found = [tx.visits.find_by_source(SCHEDULER, name) for name in ("one", "two", "three")]
            assert {one.id for one in found if one is not None} == {first.id} and None not in found
            assert tx.visits.find_by_source(SCHEDULER, "four") is None

    def test_the_same_id_at_another_account_is_another_booking(self, store: Store) -> None:
        save(store, visit(source=Source(account=SCHEDULER, id="one")))
        with store.read() as tx:
            assert tx.visits.find_by_source(AccountId("other"), "one") is None

    def test_an_alias_leads_to_the_visit_it_was_last_given_to(self, store: Store) -> None:
        save(store, visit("v1", 0, 20))
        save(store, visit("v2", 30, 50))
        for name in ("v1", "v2"):
            store.write(lambda tx, name=name: tx.visits.alias(VisitId(name), SCHEDULER, "shared"))  # type: ignore[misc]
        with store.read() as tx:
            found = tx.visits.find_by_source(SCHEDULER, "shared")
            assert found is not None and found.id == "v2"

    def test_a_tombstone_stays_and_belongs_to_one_account(self, store: Store) -> None:
        for _ in range(2):
            store.write(lambda tx: tx.visits.tombstone(SCHEDULER, "gone", START))
        with store.read() as tx:
            assert tx.visits.is_tombstone(SCHEDULER, "gone")
            assert not tx.visits.is_tombstone(AccountId("other"), "gone")
            assert not tx.visits.is_tombstone(SCHEDULER, "other")

    def test_search_narrows_by_window_agent_project_state_and_request(self, store: Store) -> None:
        save(store, visit("early", -60, -40))
        save(store, replace(visit("mine", 0, 20), request=RequestId("r")))
        save(store, visit("his", 0, 20, host=BETO, project=ProjectId("torre")))
        save(store, visit("lost", 0, 20, state=VisitState.CONFLICT, holds=False))
        with store.read() as tx:
            search = tx.visits.search
            assert _ids(search()) == ["early", "his", "lost", "mine"]
            assert _ids(search(window=span(-40, 0))) == []
            assert _ids(search(window=span(-41, 1))) == ["early", "his", "lost", "mine"]
            assert _ids(search(agent=BETO)) == ["his"]
            assert _ids(search(agent=ANA, window=span(5, 6))) == ["lost", "mine"]
            assert _ids(search(project=CASAS)) == ["early", "lost", "mine"]
            assert _ids(search(agent=ANA, project=ProjectId("torre"))) == []
            assert _ids(search(states=(VisitState.CONFLICT,))) == ["lost"]
            assert _ids(search(states=(VisitState.DONE,))) == ["early", "his", "mine"]
            assert _ids(search(states=())) == []
            assert _ids(search(request=RequestId("r"))) == ["mine"]

    def test_search_goes_on_behind_a_visit_and_misses_none(self, store: Store) -> None:
        for number in range(7):
            save(store, visit(f"v{number}", number // 3 * 30, number // 3 * 30 + 20, host=AgentId(f"a{number % 3}")))
        with store.read() as tx:
            seen: list[str] = []
            while page := tx.visits.search(after=VisitId(seen[-1]) if seen else None, limit=2):
                seen += _ids(page)
            assert seen == [f"v{number}" for number in range(7)]
            with pytest.raises(KeyError):
                tx.visits.search(after=VisitId("no"))

    def test_a_day_counts_the_active_visits_of_a_type_that_start_in_it(self, store: Store) -> None:
        save(store, visit("before", -10, 10))
        save(store, visit("first", 10, 20))
        save(store, visit("waits", 30, 50, state=VisitState.PENDING))
        save(store, visit("last", 59, 80))
        save(store, visit("next", 100, 120))
        save(store, visit("lost", 40, 50, state=VisitState.CONFLICT, holds=False))
        save(store, visit("other", 51, 55, event_type=EventTypeId("larga")))
        save(store, visit("his", 10, 20, host=BETO))
        with store.read() as tx:
            assert tx.visits.daily_count(ANA, VISITA, span(0, 60)) == 3


class HistoryContract:
    """Inherit, and provide the fixture `store`."""

    def test_each_change_leaves_one_row_with_its_cause_and_only_what_changed(self, store: Store) -> None:
        first = save(store, visit())
        why = Cause(at=at(5), actor="scheduler:sched", source="sched", delivery="d1", note="moved there")
        save(store, replace(first, interval=span(30, 50), guard=span(30, 50)), why)
        with store.read() as tx:
            made, moved = tx.visits.history(first.id)
        assert (made.version, made.cause, made.before) == (1, CAUSE, None)
        assert made.after["host"] == "ana" and made.after["contact"]["email"] == "clara@example.cl"
        assert (moved.version, moved.cause) == (2, why)
        assert moved.before is not None and set(moved.before) == set(moved.after) == {"interval", "guard"}
        assert moved.before["interval"] == {"start": "2026-05-12T14:00:00Z", "end": "2026-05-12T14:20:00Z"}
        assert moved.after["interval"]["start"] == "2026-05-12T14:30:00Z"

    def test_a_field_that_goes_back_to_nothing_is_told(self, store: Store) -> None:
        first = save(store, replace(visit(), title="Visita", pending_expires_at=at(9)))
        save(store, replace(first, title="", pending_expires_at=None))
        with store.read() as tx:
            last = tx.visits.history(first.id)[-1]
        assert last.before == {"title": "Visita", "pending_expires_at": "2026-05-12T14:09:00Z"}
        assert last.after == {"title": "", "pending_expires_at": None}

    def test_i7_there_is_one_row_per_version_and_the_chain_is_whole(self, store: Store) -> None:
        one = save(store, visit())
        for number in range(4):
            one = save(store, replace(one, title=str(number)))
        with store.read() as tx:
            assert [row.version for row in tx.visits.history(one.id)] == [1, 2, 3, 4, 5]
        assert store.check() == []

    def test_an_unknown_visit_has_no_history(self, store: Store) -> None:
        with store.read() as tx:
            assert tx.visits.history(VisitId("no")) == []


class TurnsContract:
    """Inherit, and provide the fixture `store`."""

    @staticmethod
    def turns(store: Store, *agents: AgentId) -> dict[AgentId, int]:
        return store.write(lambda tx: tx.visits.turns(CASAS, VISITA, agents))

    def test_turns_are_the_active_visits_of_this_project_and_type(self, store: Store) -> None:
        save(store, visit("v1", 0, 20))
        save(store, visit("v2", 30, 50, state=VisitState.PENDING))
        save(store, visit("v3", 60, 80, event_type=EventTypeId("larga")))
        save(store, visit("v4", 90, 110, project=ProjectId("torre")))
        save(store, visit("v5", 0, 20, state=VisitState.CONFLICT, holds=False))
        assert self.turns(store, ANA, BETO) == {ANA: 2, BETO: 0}

    def test_s22_a_cancelled_visit_gives_its_turn_back(self, store: Store) -> None:
        first = save(store, visit())
        assert self.turns(store, ANA, BETO)[ANA] == 1
        save(store, replace(first, state=VisitState.CANCELLED, holds=False))
        assert self.turns(store, ANA, BETO)[ANA] == 0

    def test_s22_a_newcomer_starts_at_the_present_minimum(self, store: Store) -> None:
        self.turns(store, ANA, BETO)
        for number in range(5):
            save(store, visit(f"a{number}", number * 30, number * 30 + 20))
        for number in range(3):
            save(store, visit(f"b{number}", number * 30, number * 30 + 20, host=BETO))
        assert self.turns(store, ANA, BETO, CARLA) == {ANA: 5, BETO: 3, CARLA: 3}
        save(store, visit("c", 0, 20, host=CARLA))
        save(store, visit("b9", 900, 920, host=BETO))
        assert self.turns(store, ANA, BETO, CARLA) == {ANA: 5, BETO: 4, CARLA: 4}

    def test_a_newcomer_who_had_more_visits_than_the_minimum_keeps_them(self, store: Store) -> None:
        self.turns(store, ANA)
        for number in range(2):
            save(store, visit(f"c{number}", number * 30, number * 30 + 20, host=CARLA))
        save(store, visit("a", 0, 20))
        assert self.turns(store, ANA, CARLA) == {ANA: 1, CARLA: 2}

    def test_who_left_and_comes_back_is_a_newcomer_again(self, store: Store) -> None:
        self.turns(store, ANA, BETO)
        self.turns(store, ANA)
        for number in range(4):
            save(store, visit(f"a{number}", number * 30, number * 30 + 20))
        assert self.turns(store, ANA, BETO) == {ANA: 4, BETO: 4}

    def test_asking_in_a_reading_gives_the_same_answer_and_keeps_nothing(self, store: Store) -> None:
        self.turns(store, ANA)
        save(store, visit("a", 0, 20))
        with store.read() as tx:
            assert tx.visits.turns(CASAS, VISITA, [ANA, BETO]) == {ANA: 1, BETO: 1}
        save(store, visit("a2", 30, 50))
        assert self.turns(store, ANA, BETO) == {ANA: 2, BETO: 2}

    def test_nobody_has_no_turns(self, store: Store) -> None:
        assert self.turns(store) == {}


class RequestContract:
    """Inherit, and provide the fixture `store`."""

    REQUEST = Request(
        id=RequestId("req-1"),
        project="Casas PlanOK",
        contact=Contact(name="Clara", phone="+56 9"),
        dwelling=Dwelling(
            id="1203",
            photo_url="https://example.com/1203.jpg",
            facts=(("Piso", "12"), ("Dormitorios", "3")),
            agent_in_charge="ana",
            producer="beto@example.com",
            contact_persons=(ContactPerson(name="Pía", email="pia@example.com", user="u1"),),
        ),
        requirements=(Requirement(id="1", priority="urgent", in_warranty=False), Requirement(text="gotera")),
        preferred_agent=ANA,
        received_at=datetime(2026, 5, 1, 1, 2, 3, 4, tzinfo=UTC),
    )
    ROUTE = Route(
        project=CASAS,
        event_type=VISITA,
        role="urgent",
        verdicts=tuple(Verdict(rule=rule, matched=True, taken=False, why="priority urgent") for rule in DEFAULT_RULES),
    )

    def test_a_request_comes_back_as_it_was_kept(self, store: Store) -> None:
        store.write(lambda tx: tx.visits.put_request(self.REQUEST, '{"id": 1}', self.ROUTE, "https://x"))
        with store.read() as tx:
            found = tx.visits.find_request(self.REQUEST.id)
            assert found is not None
            assert (found.request, found.route) == (self.REQUEST, self.ROUTE)
            assert (found.body, found.booking_url) == ('{"id": 1}', "https://x")
            assert tx.visits.find_request(RequestId("no")) is None

    def test_a_request_without_route_is_kept_too(self, store: Store) -> None:
        store.write(lambda tx: tx.visits.put_request(self.REQUEST, "{}", None, None))
        with store.read() as tx:
            found = tx.visits.find_request(self.REQUEST.id)
        assert found is not None and found.route is None and found.booking_url is None


def _ids(visits: list[Visit]) -> list[str]:
    return [one.id for one in visits]
