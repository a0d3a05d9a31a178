"""Deliveries in every order, each repeated: the end is the one that the scheduler knows (S05)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest

from tests.e2e.town import ANA, BRUNO, Town, eventually, monday, starts_of

ORDERS = list(permutations(range(4)))
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Case:
    """One visit whose deliveries come in one of the 24 orders."""

    number: int
    family: str

    @property
    def host(self) -> str:
        return (ANA, BRUNO)[self.number % 2]

    @property
    def start(self) -> datetime:
        """Return a time of its own: 17 in a day and host."""
        place = self.number // 2
        return monday() + timedelta(days=place // 17, minutes=30 * (place % 17) - 60)

    @property
    def later(self) -> datetime:
        return self.start + 14 * DAY

    @property
    def unit(self) -> str:
        return f"{self.family}-{self.number:02}"


def cases(family: str) -> list[Case]:
    return [Case(number, family) for number in range(len(ORDERS))]


def hold(town: Town) -> None:
    """Let the scheduler keep back what it has to say, and every message twice."""
    town.scheduler.courier.switches.hold = True
    town.scheduler.courier.switches.duplicate = 1


def release(town: Town) -> None:
    """Deliver what was kept: four messages of each case, each case in an order of its own, the cases interleaved."""
    courier = town.scheduler.courier
    assert len(courier.held) == 4 * len(ORDERS)
    courier.release([4 * number + order[turn] for turn in range(4) for number, order in enumerate(ORDERS)])
    courier.switches.duplicate = 0
    sent = len(courier.sent)
    eventually("everything was delivered", lambda: courier.quiet(0.1))
    assert {one.status for one in courier.sent[sent:]} <= {204}
    assert town.syncd("sync").code == 0


def published(town: Town, family: str) -> dict[str, list[datetime]]:
    """Return what stands in the calendars: unit -> starts."""
    found: dict[str, list[datetime]] = {}
    for text in [*town.entries(ANA, f"{family}-"), *town.entries(BRUNO, f"{family}-")]:
        unit = text[text.index(f"{family}-") :][: len(family) + 3]
        found.setdefault(unit, []).extend(starts_of(text))
    return found


def known(town: Town, family: str) -> dict[str, list[tuple[str, str]]]:
    """Return what the store holds: unit -> state and start of each visit."""
    found: dict[str, list[tuple[str, str]]] = {}
    for visit in town.visits():
        unit = visit["answers"][0]["answer"]
        if unit.startswith(f"{family}-"):
            found.setdefault(unit, []).append((visit["state"], visit["start"]))
    return found


def stand(town: Town, every: list[Case]) -> dict[str, str]:
    """Book every case and wait until it stands in the calendar; returns the invitees by unit."""
    invitees = {one.unit: town.book_there(one.start, one.host, one.unit) for one in every}
    at_first = {one.unit: [one.start.astimezone(UTC)] for one in every}
    eventually("all stand in their calendars", lambda: published(town, every[0].family) == at_first)
    return invitees


@pytest.mark.parametrize("backwards", [False, True], ids=["moved later", "moved onto its own time"])
def test_a_reschedule_in_all_24_orders_is_one_visit_at_the_new_time(hooked: Town, backwards: bool) -> None:
    every = cases("propio" if backwards else "mueve")
    if backwards:
        every = [Case(one.number + 48, one.family) for one in every]
    invitees = stand(hooked, every)
    before = {one["answers"][0]["answer"]: one["id"] for one in hooked.visits()}
    to = {one.unit: one.start + timedelta(minutes=10) if backwards else one.later for one in every}
    hold(hooked)
    for one in every:
        hooked.move_there(invitees[one.unit], to[one.unit], one.host)
    release(hooked)
    assert published(hooked, every[0].family) == {unit: [at.astimezone(UTC)] for unit, at in to.items()}
    assert known(hooked, every[0].family) == {unit: [("confirmed", at.isoformat())] for unit, at in to.items()}
    after = {one["answers"][0]["answer"]: one["id"] for one in hooked.visits()}
    assert all(after[one.unit] == before[one.unit] for one in every), "each is still the same visit"


def test_a_booking_and_its_cancellation_in_all_24_orders_leave_nothing(hooked: Town) -> None:
    every = [Case(one.number + 24, "anula") for one in cases("anula")]
    hold(hooked)
    for one in every:
        hooked.company.cancel(hooked.book_there(one.start, one.host, one.unit))
    release(hooked)
    assert published(hooked, "anula") == {}
    assert {state for states in known(hooked, "anula").values() for state, _ in states} <= {"cancelled"}


def test_booked_moved_and_cancelled_with_each_said_once_in_all_24_orders_leaves_nothing(hooked: Town) -> None:
    every = [Case(one.number + 72, "todo") for one in cases("todo")]
    hold(hooked)
    hooked.scheduler.courier.switches.duplicate = 0
    for one in every:
        invitee = hooked.book_there(one.start, one.host, one.unit)
        hooked.company.cancel(hooked.move_there(invitee, one.later + DAY, one.host))
    release(hooked)
    assert published(hooked, "todo") == {}
    assert {state for states in known(hooked, "todo").values() for state, _ in states} <= {"cancelled"}


def test_messages_that_arrive_long_after_the_end_bring_nothing_back(hooked: Town) -> None:
    start, unit = monday(16, days=4), "paso-01"
    invitee = hooked.book_there(start, ANA, unit)
    eventually("it stands there", lambda: hooked.entries(ANA, unit))
    moved = hooked.move_there(invitee, start + 21 * DAY, ANA)
    eventually(
        "it moved",
        lambda: [starts_of(one) for one in hooked.entries(ANA, unit)] == [[(start + 21 * DAY).astimezone(UTC)]],
    )
    hooked.company.cancel(moved)
    eventually("it is gone", lambda: not hooked.entries(ANA, unit))
    for name, about in (("invitee.created", moved), ("invitee.canceled", invitee), ("invitee.created", invitee)):
        assert hooked.post(hooked.delivery(name, about)) == 204
        assert hooked.syncd("sync").code == 0
        assert not hooked.entries(ANA, unit)
    assert hooked.booked(start, ANA, "paso-02")["state"] == "confirmed"
