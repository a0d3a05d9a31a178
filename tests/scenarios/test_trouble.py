"""S17, S18, S27 to S30: dead logins, silence, deaths, throttles, privacy, and calendars that come and go."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.memory import Author, Fault
from syncd.core.directory import Agent, CalendarRef, CalendarRole, Directory
from syncd.core.ids import AccountId, AgentId
from syncd.core.interval import Interval
from syncd.core.visit import Answer, Cancel, CancelReason, Contact, Dwelling, Move, Refused, Visit
from syncd.flows import book
from syncd.flows.activate import parity
from syncd.flows.hosts import why_closed
from syncd.store.queue import WorkKind
from tests.scenarios.conftest import MakeStage
from tests.scenarios.play import alerts, at, booked, done, kinds_told, only_ana, refused, span, starts
from tests.world import town
from tests.world.crash import POINTS, Death
from tests.world.people import without
from tests.world.stage import Stage
from tests.world.test_crash_points import ending, live_through

MINUTE = timedelta(minutes=1)
OTHER = AccountId("cal2")


def two_homes() -> Directory:
    """Ana's calendar is at one account, Beto's at another."""
    return town.directory((town.agent("ana"), town.agent("beto", account=OTHER)))


def closed(stage: Stage, agent: str) -> str | None:
    with stage.store.read() as tx:
        return why_closed(tx, stage.ctx.directory, stage.ctx.directory.agents[AgentId(agent)], stage.clock.now())


def all_alerts(stage: Stage) -> list[str]:
    return alerts(stage, state=None)


# --- S17, S18


def test_s17_a_dead_login_fails_closed_and_speaks_once(make_stage: MakeStage) -> None:
    stage = make_stage(two_homes())
    kept = booked(stage, at(9), host=AgentId("ana"))
    stage.cycle()
    stage.outside.revoked.add("cal")
    waiting = [booked(stage, at(hour), host=AgentId("ana")) for hour in (11, 12)]
    stage.pass_time(3 * timedelta(hours=1))
    assert closed(stage, "ana") and closed(stage, "beto") is None
    assert refused(stage, at(14), host=AgentId("ana")) == "unknown"
    assert booked(stage, at(14)).host == "beto"
    assert all_alerts(stage) == ["sign_in"], "one alert, not one per cycle"
    assert [one.tag for one in stage.shelf("ana").entries.values()] == [f"visit:{kept.id}"]
    puts = stage.outside.calls["cal", "put"]
    stage.outside.sign_in("cal")
    stage.pass_time(40 * MINUTE)
    assert stage.outside.calls["cal", "put"] - puts == len(waiting), "each queued write drains once"
    stored = {one.tag for one in stage.shelf("ana").entries.values()}
    assert stored == {f"visit:{one.id}" for one in (kept, *waiting)}
    assert all_alerts(stage) == ["sign_in", "sign_in_recovered"]
    assert closed(stage, "ana") is None


def test_s17_a_calendar_that_cannot_be_read_is_not_an_empty_one(make_stage: MakeStage) -> None:
    """200 with an error inside: the account answers, this calendar does not."""
    stage = make_stage(two_homes())
    stage.shelf("ana").add(span(10))
    stage.cycle()
    stage.shelf("ana").expire_cursors()
    stage.outside.faults.chance = lambda account, call: Fault.GARBAGE if (account, call) == ("cal", "changes") else None
    stage.shelf("ana").add(span(12))
    stage.pass_time(90 * MINUTE)
    assert closed(stage, "ana") and closed(stage, "beto") is None
    tried = [refused(stage, at(hour), host=AgentId("ana")) for hour in (10, 12, 14)]
    assert tried == ["busy", "unknown", "unknown"], "what was known stays in force, the rest is closed"
    assert all_alerts(stage) == ["unreadable"]
    stage.outside.faults.clear()
    stage.pass_time(60 * MINUTE)
    assert all_alerts(stage) == ["unreadable", "unreadable_recovered"]
    assert refused(stage, at(12), host=AgentId("ana")) == "busy"


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.DROP_BEFORE, Fault.THROTTLE])
def test_s18_silence_is_detected(make_stage: MakeStage, fault: Fault) -> None:
    """Polling stops to succeed: the host is closed once the reading is too old, one alert, one recovery."""
    stage = make_stage(two_homes())
    stage.outside.faults.chance = lambda account, call: fault if account == "cal" else None
    stage.pass_time(29 * MINUTE, MINUTE)
    assert closed(stage, "ana") is None
    stage.pass_time(60 * MINUTE)
    assert closed(stage, "ana") and closed(stage, "beto") is None
    assert "10:00" in starts(stage) and refused(stage, at(10), host=AgentId("ana")) == "unknown"
    assert len(all_alerts(stage)) == 1
    stage.pass_time(4 * timedelta(hours=1), 15 * MINUTE)
    assert len(all_alerts(stage)) == 1
    stage.outside.faults.clear()
    stage.pass_time(timedelta(hours=2), 15 * MINUTE)
    assert closed(stage, "ana") is None
    (raised, over) = all_alerts(stage)
    assert over == f"{raised}_recovered" and alerts(stage) == []


def test_s18_even_where_no_call_fails_because_none_is_made(make_stage: MakeStage) -> None:
    stage = make_stage(only_ana())
    stage.clock.advance(45 * MINUTE)
    stage.store.write(lambda tx: tx.queue.touch(WorkKind.RECONCILE, "ana", stage.clock.now()))
    stage.settle()
    assert closed(stage, "ana") and all_alerts(stage) == ["silent"]
    stage.cycle()
    stage.cycle()
    assert closed(stage, "ana") is None and all_alerts(stage) == ["silent", "silent_recovered"]


# --- S27


@pytest.mark.parametrize(
    "point", [name for name in POINTS if name in ("C7", "C15", "C16", "C17", "C18", "C19", "C20", "C21", "C22")]
)
def test_s27_kill_anywhere(point: str) -> None:
    """A visit is booked here, moved and cancelled, with a death on the way of each: as if nobody had died."""

    def play(kills: bool) -> dict[str, object]:
        stage = Stage()
        stage.cycle()
        visit = booked(stage, at(10))
        for command in (None, Move(start=at(12)), Cancel(by=CancelReason.STAFF)):
            if command is not None:
                done(stage, visit.id, command)
            if kills:
                stage.reaper.at(point)
            died = live_through(stage)
            assert died == int(kills), f"{point} was passed {died} times"
            stage.reaper.wants = lambda name: False
        return ending(stage)

    assert play(kills=True) == play(kills=False)


# --- S28


def test_s28_throttled_and_half_read(make_stage: MakeStage) -> None:
    stage = make_stage(two_homes())
    for number in range(18):
        stage.shelf("ana").add(span(9 + number // 6, 10 * (number % 6), minutes=10))
    stage.outside.faults.order("cal", "changes", Fault.THROTTLE, Fault.PAGE_TWO)
    stage.cycle()
    slow, healthy = stage.outside.calls["cal", "changes"], stage.outside.calls["cal2", "changes"]
    with stage.store.read() as tx:
        assert not tx.calendars.blocks([stage.ref("ana").id], span(0, minutes=1439))
    stage.clock.advance(timedelta(seconds=6))
    stage.cycle()
    assert stage.outside.calls["cal", "changes"] == slow, "told to wait seven seconds"
    assert stage.outside.calls["cal2", "changes"] > healthy, "the healthy account keeps its pace"
    stage.clock.advance(timedelta(seconds=5))
    stage.cycle()
    with stage.store.read() as tx:
        assert not tx.calendars.blocks([stage.ref("ana").id], span(0, minutes=1439)), "no partial listing is applied"
    stage.pass_time(5 * MINUTE, MINUTE)
    with stage.store.read() as tx:
        assert len(tx.calendars.blocks([stage.ref("ana").id], span(0, minutes=1439))) == 18
    assert not stage.outside.hasty and not all_alerts(stage)


@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.DROP_BEFORE, Fault.DROP_AFTER, Fault.SERVER_ERROR])
def test_s28_no_write_is_lost_or_doubled(make_stage: MakeStage, fault: Fault) -> None:
    stage = make_stage(only_ana())
    stage.outside.faults.order("cal", "put", fault)
    visit = booked(stage, at(10))
    stage.pass_time(10 * MINUTE, MINUTE)
    (entry,) = stage.shelf("ana").entries.values()
    assert entry.tag == f"visit:{visit.id}" and entry.spans == (visit.interval,)
    stage.outside.faults.order("cal", "delete", fault)
    done(stage, visit.id, Cancel(by=CancelReason.STAFF))
    stage.pass_time(10 * MINUTE, MINUTE)
    assert not stage.shelf("ana").entries and not stage.dead()


def test_s28_a_quiet_cycle_costs_one_request_for_all_calendars_of_a_home(make_stage: MakeStage) -> None:
    ana = town.agent("ana", CalendarRole.PUBLISH, CalendarRole.BUSY)
    stage = make_stage(town.directory((ana, town.agent("beto"))))
    booked(stage, at(10))
    stage.pass_time(30 * MINUTE)
    before = stage.outside.calls.copy()
    stage.pass_time(50 * MINUTE)
    spent = stage.outside.calls - before
    assert {call: number for (account, call), number in spent.items() if account == "cal"} == {"marks": 10}


# --- S29

CANARY = "canario-4711"


def _private_agent() -> Agent:
    own = town.agent("ana", CalendarRole.PUBLISH, CalendarRole.MIRROR)
    private = town.agent("ana", CalendarRole.BUSY, account=OTHER)
    team = replace(own.calendars[0], fields=frozenset({"title", "location"}))
    return replace(own, calendars=(team, own.calendars[1], *private.calendars))


def test_s29_privacy_and_no_mail_storm(make_stage: MakeStage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stage = make_stage(town.directory((_private_agent(),)))
    stage.shelf("ana", "busy").add(span(15), title=f"Médico {CANARY}", attendees=("x@example.com",))
    contact = Contact(name=f"Eva {CANARY}", email=f"{CANARY}@example.com", phone="+56 9 4711", tax_id=f"RUT-{CANARY}")
    answers = (Answer(question="¿Quién?", answer="Depto 12"), Answer(question="Clave", answer=CANARY))
    dwelling = Dwelling(id="d1", name=f"Casa {CANARY}")
    booked(stage, at(10), contact=contact, answers=answers, dwelling=dwelling)
    for _ in range(5):
        stage.pass_time(5 * MINUTE)
    mirror = list(stage.shelf("ana", "mirror").entries.values())
    assert sorted(one.spans[0] for one in mirror) == [Interval(at(10), at(10, 20)), span(15)]
    assert {(one.title, one.body, one.location, one.attendees) for one in mirror} == {("Ocupado", "", "", ())}
    assert all(one.copied for one in mirror), "the copy says that it is one"
    (published,) = stage.shelf("ana").entries.values()
    assert published.title == "Visita Casas - Depto 12" and published.attendees == ()
    assert CANARY not in f"{published.title}{published.body}{published.location}"
    assert CANARY not in caplog.text
    assert CANARY not in "".join(str(one.body) for one in stage.notices("alert"))
    assert len(stage.shelf("ana", "mirror").entries) == 2, "a copy is never copied again"


def test_s29_two_mirrors_do_not_copy_each_other(make_stage: MakeStage) -> None:
    """Each of two calendars is read and mirrored into the other's mirror; the copies stop at one."""
    ana = town.agent("ana", CalendarRole.PUBLISH, CalendarRole.BUSY, CalendarRole.MIRROR)
    mirror = ana.calendars[2]
    beto = replace(town.agent("beto"), calendars=(*town.agent("beto").calendars, _read_by_beto(mirror)))
    more = town.agent("beto", CalendarRole.MIRROR, account=OTHER)
    beto = replace(beto, calendars=(*beto.calendars, *more.calendars))
    stage = make_stage(town.directory((ana, beto)))
    stage.shelf("ana", "busy").add(span(15), title="Médico")
    for _ in range(6):
        stage.pass_time(5 * MINUTE)
    assert len(stage.shelf("ana", "mirror").entries) == 1
    assert not stage.outside.shelf(OTHER, "beto-mirror").entries, "what is a copy is not copied"


def test_s29_a_copy_made_by_somebody_else_blocks_and_is_not_copied(make_stage: MakeStage) -> None:
    stage = make_stage(town.directory((_private_agent(),)))
    stage.shelf("ana", "busy").add(span(15), copied=True, title="Busy")
    for _ in range(3):
        stage.pass_time(5 * MINUTE)
    assert refused(stage, at(15)) == "busy"
    assert not stage.shelf("ana", "mirror").entries


def _read_by_beto(ref: CalendarRef) -> CalendarRef:
    return replace(ref, agent=AgentId("beto"), role=CalendarRole.BUSY)


# --- S30


def test_s30_an_agent_leaves_and_comes_back(make_stage: MakeStage) -> None:
    """F32: visits and entries of one who left stay, flagged once; they are ordinary again when the agent is back."""
    stage = make_stage()
    full = stage.ctx.directory
    visit = booked(stage, at(10), host=AgentId("ana"))
    stage.cycle()
    shelf = stage.shelf("ana")
    stage.reload(without(full, AgentId("ana")))
    stage.pass_time(30 * MINUTE)
    kept = stage.visit(visit.id)
    assert kept.active and kept.holds and kept.conflict is not None and kept.conflict.reason.value == "no_host"
    assert len(shelf.entries) == 1
    assert [one.kind for one in stage.notices("task")] == ["host_left"]
    assert kinds_told(stage, visit.id) == ["booking_info"]
    stage.reload(full)
    stage.pass_time(30 * MINUTE)
    assert stage.visit(visit.id).conflict is None and len(shelf.entries) == 1


def test_s30_a_calendar_is_unshared_and_shared_again(make_stage: MakeStage) -> None:
    stage = make_stage(two_homes())
    stage.shelf("ana").add(span(15))
    visit = booked(stage, at(10), host=AgentId("ana"))
    stage.cycle()
    stage.shelf("ana").missing = True
    done(stage, visit.id, Move(start=at(12)))
    stage.pass_time(70 * MINUTE)
    assert stage.visit(visit.id).active and closed(stage, "ana")
    assert refused(stage, at(16), host=AgentId("ana")) == "unknown"
    assert booked(stage, at(16)).host == "beto"
    stage.shelf("ana").missing = False
    stage.pass_time(40 * MINUTE)
    assert closed(stage, "ana") is None and alerts(stage) == []
    entries = [one for one in stage.shelf("ana").entries.values() if one.author is Author.SYNCD]
    assert [one.spans[0].start for one in entries] == [at(12)]


def test_s30_one_event_in_two_calendars_and_one_calendar_of_two_agents(make_stage: MakeStage) -> None:
    shared = replace(town.agent("ana").calendars[0], agent=AgentId("beto"), role=CalendarRole.BUSY)
    beto = replace(town.agent("beto"), calendars=(*town.agent("beto").calendars, shared))
    stage = make_stage(town.directory((town.agent("ana"), beto)))
    for agent in ("ana", "beto"):
        stage.shelf(agent).add(span(10), uid="same@everywhere", title="Reunión de equipo")
    stage.shelf("ana").add(span(12))
    stage.cycle()
    assert not {"10:00", "10:30", "12:00", "12:30"} & starts(stage)
    visit = booked(stage, at(15), host=AgentId("ana"))
    stage.cycle()
    assert stage.visit(visit.id).conflict is None
    assert booked(stage, at(15), host=AgentId("beto")).host == "beto", "an entry of ours is nobody's busy block"


def test_s30_long_lists_are_read_whole(make_stage: MakeStage) -> None:
    stage = make_stage(only_ana())
    made = [stage.shelf("ana").add(span(9).shift(timedelta(minutes=15 * number))) for number in range(400)]
    stage.clock.advance(5 * MINUTE)
    stage.cycle()
    with stage.store.read() as tx:
        assert len(tx.calendars.etags(stage.ref("ana").id)) == len(made)
    assert starts(stage) == set()


def test_every_agent_equal_means_parity(make_stage: MakeStage) -> None:
    stage = make_stage(two_homes())
    booked(stage, at(10))
    assert parity(stage.ctx, town.CASAS, stage.clock.now())
    stage.cycle()
    assert parity(stage.ctx, town.CASAS, stage.clock.now()) == []
    assert isinstance(book.book(stage.ctx, stage.booking(at(11)), stage.cause()), Visit)
    assert not isinstance(parity(stage.ctx, town.CASAS, stage.clock.now()), Refused)


__all__ = ["Death"]
