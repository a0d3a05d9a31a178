"""Everybody but syncd: clients, agents, staff, providers, the clock. Each habit is one small act, drawn by the seed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

from connectors.memory import Author, Entry, Shelf
from syncd.core.busy import Signal
from syncd.core.directory import Directory
from syncd.core.ids import AgentId
from syncd.core.interval import Interval
from syncd.core.visit import (
    Approve,
    Cancel,
    CancelReason,
    Command,
    Confirm,
    Move,
    Reassign,
    Refused,
    Reject,
    Visit,
    VisitState,
)
from syncd.flows import book
from syncd.flows.pull import SYNCD
from syncd.store import Tx
from tests.world import town
from tests.world.stage import Stage
from tests.world.swarm import GROUP, LONG

Act = Callable[[], None]
HOURS = (9, 10, 11, 12, 15, 16, 17)  # local; few, so that people meet


class People:
    """The actors of one simulation."""

    def __init__(self, stage: Stage, rng: Random) -> None:
        self._stage = stage
        self._rng = rng
        self._full = stage.ctx.directory
        self.habits: dict[str, Act] = {
            name.removeprefix("do_"): getattr(self, name) for name in sorted(dir(self)) if name.startswith("do_")
        }

    # -- choices

    def start(self) -> datetime:
        """Choose a start on one of the next working days, mostly on the grid."""
        day = self._stage.clock.now().date() + timedelta(days=self._rng.choice((1, 1, 2, 3, 4, 7)))
        hour, minute = self._rng.choice(HOURS), self._rng.choice((0, 30))
        local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(town.ZONE)).astimezone(UTC)
        return local + timedelta(minutes=self._rng.choice((0, 0, 0, 0, 10, 25)))

    def _host(self) -> str:
        return self._rng.choice(("ana", "beto"))

    def _calendar(self) -> Shelf:
        name, role = self._rng.choice((("ana", "publish"), ("ana", "busy"), ("beto", "publish"), ("caro", "publish")))
        ref = next(one for one in self._full.agents[AgentId(name)].calendars if one.role.value == role)
        return self._stage.outside.shelf(ref.account, ref.name)

    def _entry(self, *authors: Author) -> tuple[Shelf, Entry] | None:
        shelf = self._calendar()
        found = sorted(shelf.find(lambda one: one.author in authors), key=lambda one: one.remote_id)
        return (shelf, self._rng.choice(found)) if found else None

    def _booking(self) -> str | None:
        found = [name for name, one in self._stage.desk.records.items() if one.now.active]
        return self._rng.choice(found) if found else None

    def _visit(self, *states: VisitState) -> Visit | None:
        found = [one for one in self._stage.visits() if one.state in states]
        return self._rng.choice(found) if found else None

    def span(self) -> Interval:
        start = self.start()
        return Interval(start, start + timedelta(minutes=self._rng.choice((15, 30, 60, 240))))

    # -- clients

    def do_book_at_scheduler(self) -> None:
        self._stage.remote(self.start(), self._host())

    def do_book_a_seat(self) -> None:
        start = self.start().replace(minute=0)
        self._stage.desk.book(GROUP, start, host="user-beto")

    def do_move_at_scheduler(self) -> None:
        booking = self._booking()
        if booking is not None:
            self._stage.desk.move(booking, self.start())

    def do_cancel_at_scheduler(self) -> None:
        booking = self._booking()
        if booking is not None:
            self._stage.desk.give_up(booking)

    def do_hand_over_at_scheduler(self) -> None:
        booking = self._booking()
        if booking is not None:
            self._stage.desk.hand_over(booking, f"user-{self._host()}")

    def do_book_by_api(self) -> None:
        kind = self._rng.choice((town.STANDARD, LONG.id))
        key = self._rng.choice((None, f"key-{self._rng.randrange(20)}"))
        asked = self._stage.booking(self.start(), event_type=kind, key=key)
        book.book(self._stage.ctx, asked, self._stage.cause())

    # -- staff

    def _act(self, visit: Visit | None, command: Command) -> None:
        if visit is not None:
            book.act(self._stage.ctx, visit.id, command, self._stage.cause("staff:carla"))

    def do_approve(self) -> None:
        self._act(self._visit(VisitState.PENDING), Approve())

    def do_reject(self) -> None:
        self._act(self._visit(VisitState.PENDING), Reject(message="no"))

    def do_confirm(self) -> None:
        self._act(self._visit(VisitState.CONFIRMED), Confirm())

    def do_move(self) -> None:
        self._act(self._visit(VisitState.CONFIRMED, VisitState.PENDING, VisitState.CONFLICT), Move(start=self.start()))

    def do_cancel(self) -> None:
        reason = self._rng.choice((CancelReason.STAFF, CancelReason.AGENT, CancelReason.CLIENT))
        self._act(self._visit(VisitState.CONFIRMED, VisitState.CONFLICT), Cancel(by=reason))

    def do_reassign(self) -> None:
        host = AgentId(self._rng.choice(("ana", "beto", "caro")))
        self._act(self._visit(VisitState.CONFIRMED, VisitState.CONFLICT), Reassign(host=host))

    def do_swap_configuration(self) -> None:
        """An agent leaves the configuration, or comes back."""
        there = self._stage.ctx.directory
        if AgentId("caro") in there.agents:
            self._stage.reload(without(self._full, AgentId("caro")))
        else:
            self._stage.reload(self._full)

    def do_release_suspects(self) -> None:
        """An operator looks at the suspect calendars and lets their changes through."""
        release(self._stage)

    def do_ask_for_slots(self) -> None:
        """What is offered is free in the last good reading, and a host whose busy time is too old is not (I15)."""
        stage = self._stage
        now = stage.clock.now()
        window = Interval(now, now + timedelta(days=4))
        offered = book.offer(stage.ctx, town.CASAS, town.STANDARD, window, now)
        assert not isinstance(offered, Refused)
        stage.offers.append((now, offered))

    # -- agents in their calendars

    def do_add_event(self) -> None:
        signals = self._rng.choice(((), (), (), (Signal.FREE,), (Signal.TENTATIVE,), (Signal.DECLINED,)))
        self._calendar().add(self.span(), title="Dentista", signals=frozenset(signals))

    def do_add_event_on_a_visit(self) -> None:
        visit = self._visit(VisitState.CONFIRMED)
        if visit is not None and visit.interval.start > self._stage.clock.now():
            self._calendar().add(visit.interval.shift(timedelta(minutes=5)), title="Urgencia")

    def do_add_series(self) -> None:
        first = self.span()
        self._calendar().add(*(first.shift(timedelta(days=7 * week)) for week in range(20)), title="Reunión")

    def do_add_copy_of_others(self) -> None:
        """Somebody else mirrors busy time into Ana's private calendar."""
        ref = next(one for one in self._full.agents[AgentId("ana")].calendars if one.role.value == "busy")
        self._stage.outside.shelf(ref.account, ref.name).add(self.span(), title="Busy", copied=True)

    def do_import_events(self) -> None:
        """Somebody imports a file: several pages of new events at once, and no cursor survives it."""
        shelf = self._calendar()
        for number in range(6):
            shelf.add(self.span(), title=f"Importado {number}")
        shelf.expire_cursors()

    def do_move_event(self) -> None:
        found = self._entry(Author.PERSON)
        if found is not None:
            found[0].drag(found[1].remote_id, self.span())

    def do_remove_event(self) -> None:
        found = self._entry(Author.PERSON)
        if found is not None:
            found[0].drop(found[1].remote_id)

    def do_remove_many_events(self) -> None:
        shelf = self._calendar()
        for entry in shelf.find(lambda one: one.author is Author.PERSON):
            shelf.drop(entry.remote_id)

    def do_drag_our_entry(self) -> None:
        found = self._entry(Author.SYNCD)
        if found is not None and found[1].tag is not None and found[1].tag.startswith("visit:"):
            self._stage.dragged.add(found[1].tag)
            length = found[1].spans[0].length
            start = self.start()
            found[0].drag(found[1].remote_id, Interval(start, start + length))

    def do_delete_our_entry(self) -> None:
        found = self._entry(Author.SYNCD)
        if found is not None:
            self._stage.deleted.add(found[1].tag or "")
            found[0].drop(found[1].remote_id)

    def do_edit_our_entry(self) -> None:
        found = self._favourite()
        if found is not None:
            change = self._rng.choice(
                ({"title": "Mía"}, {"title": "Otra"}, {"location": "Bar"}, {"colour": "red"}, {"notes": "llaves"})
            )
            found[0].change(found[1].remote_id, **change)

    def _favourite(self) -> tuple[Shelf, Entry] | None:
        """Return Ana's first entry of ours, now and then any: whoever edits, edits the same one again and again."""
        ours = sorted(
            self._stage.shelf("ana").find(lambda one: one.author is Author.SYNCD), key=lambda one: one.remote_id
        )
        if ours and "ana" in self._stage.ctx.directory.agents and self._rng.random() < 0.7:
            return self._stage.shelf("ana"), ours[0]
        return self._entry(Author.SYNCD)

    def do_copy_our_entry(self) -> None:
        found = self._entry(Author.SYNCD)
        if found is not None:
            found[0].copy(found[1].remote_id, self.span())

    # -- providers

    def do_write_late_entries(self) -> None:
        self._stage.desk.write_entries()

    def do_disable_hooks(self) -> None:
        self._stage.desk.disable()

    def do_expire_cursors(self) -> None:
        self._calendar().expire_cursors()

    def do_hide_calendar(self) -> None:
        """A calendar is unshared, or shared again."""
        shelf = self._calendar()
        shelf.missing = not shelf.missing

    def do_sign_in(self) -> None:
        for account in sorted(self._stage.outside.revoked):
            self._stage.outside.sign_in(account)

    # -- the clock

    def do_jump(self) -> None:
        self._stage.clock.advance(timedelta(minutes=self._rng.choice((15, 45, 180, 1440))))

    def do_set_back(self) -> None:
        self._stage.clock.advance(-timedelta(minutes=self._rng.choice((1, 10))))


def without(directory: Directory, gone: AgentId) -> Directory:
    """Return the configuration without one agent."""
    agents = {name: one for name, one in directory.agents.items() if name != gone}
    projects = {
        name: replace(one, team=tuple(agent for agent in one.team if agent != gone))
        for name, one in directory.projects.items()
    }
    return replace(directory, agents=agents, projects=projects)


def release(stage: Stage) -> None:
    """Do what `syncd sources release` does for every suspect calendar."""

    def let_through(tx: Tx) -> None:
        for state in tx.calendars.states():
            if state.suspect_since is not None:
                tx.accounts.put(SYNCD, f"released:{state.calendar}", "carla")

    stage.store.write(let_through)
