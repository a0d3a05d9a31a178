"""Calendly as a scheduler: what is read, cancelled and linked, against the stateful server that speaks its API."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from syncd.core.interval import Interval
from syncd.core.visit import Contact
from syncd.errors import (
    NotFound,
    Permanent,
    Unreadable,
)
from syncd.practice_calendly import Client
from tests.connectors.calendly_stage import CalendlyStage, listed, scheduler_of
from tests.contracts.scheduler import SchedulerContract
from tests.servers.calendly import MONDAY, Practice, practice


@pytest.fixture
def stand() -> Iterator[Practice]:
    with practice() as running:
        yield running


class TestCalendlyIsAScheduler(SchedulerContract):
    @pytest.fixture
    def stage(self, stand: Practice) -> CalendlyStage:
        return CalendlyStage(stand)


def test_the_entry_that_calendly_wrote_itself_is_named(stand: Practice) -> None:
    booking = stand.book(10, host=stand.ana)
    entry = stand.company.events[stand.event_of(booking)]["calendar_event"]["external_id"]
    assert scheduler_of(stand).booking(booking).calendar_entry == entry
    assert [one.calendar_entry for one in listed(stand)] == [entry]
    assert scheduler_of(stand).booking(stand.book(10, host=stand.bruno)).calendar_entry is None


def test_calendlys_buffers_come_with_the_single_reading(stand: Practice) -> None:
    booking = scheduler_of(stand).booking(stand.book(10))
    assert booking.guard == Interval(booking.interval.start, booking.interval.end + timedelta(minutes=10))


def test_everything_a_client_says_is_read(stand: Practice) -> None:
    answers = (("Indique el número de su propiedad", "Depto 1203"), ("Teléfono", "+56 9 1234 5678"))
    client = Client("Rosa Díaz", "rosa@example.com", answers, {"utm_content": "R7.ab12cd34"}, "America New York")
    booking = scheduler_of(stand).booking(stand.company.book(stand.visit, MONDAY, client, force=True))
    assert [(one.question, one.answer) for one in booking.answers] == list(answers)
    assert booking.contact == Contact(name="Rosa Díaz", email="rosa@example.com", phone="+56 9 1234 5678")
    assert booking.location == "Av. Siempre Viva 742, Santiago"
    assert booking.request_token == "R7.ab12cd34"
    assert booking.time_zone is None  # "America New York" is no zone; "America/New York" is read
    assert booking.host_email in ("ana@example.com", "bruno@example.com")


def test_a_group_event_is_one_booking_per_client(stand: Practice) -> None:
    tour = stand.company.add_event_type("Visita guiada", 60, [stand.ana], seats=3)
    start = MONDAY + timedelta(hours=11)
    seats = [stand.company.book(tour, start, Client(f"C{n}", f"c{n}@example.com")) for n in range(3)]
    stand.company.cancel(seats[1])
    found = {one.id: one.active for one in listed(stand)}
    assert found == {seats[0]: True, seats[1]: False, seats[2]: True}
    assert len({one.event_id for one in listed(stand)}) == 1


def test_one_place_of_a_shared_event_is_not_cancelled_for_everybody(stand: Practice) -> None:
    tour = stand.company.add_event_type("Visita guiada", 60, [stand.ana], seats=3)
    seats = [stand.company.book(tour, MONDAY, Client(f"C{n}", f"c{n}@example.com"), force=True) for n in range(2)]
    with pytest.raises(Permanent, match="for all"):
        scheduler_of(stand).cancel(seats[0], "why")
    assert not stand.calls("POST /scheduled_events")


def test_a_collective_event_names_every_host(stand: Practice) -> None:
    both = stand.company.add_event_type("Entrega", 30, [stand.ana, stand.bruno], pooling="collective")
    start = MONDAY + timedelta(hours=11)
    booking = scheduler_of(stand).booking(stand.company.book(both, start, Client("C", "c@example.com")))
    assert (booking.host_id, booking.co_hosts) == (stand.ana, (stand.bruno,))


def test_a_mark_of_no_show_is_read(stand: Practice) -> None:
    booking = stand.book(10)
    stand.company.mark_attendance(booking, present=False)
    assert scheduler_of(stand).booking(booking).no_show


def test_what_calendly_erased_is_not_found(stand: Practice) -> None:
    booking = stand.book(10)
    stand.company.erase(stand.event_of(booking))
    with pytest.raises(NotFound):
        scheduler_of(stand).booking(booking)
    assert listed(stand) == []


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ({"start_time": 1764500000}, "not a time"),
        ({"start_time": "2026-02-30T10:00:00Z"}, "no such time"),
        ({"end_time": "2035-11-30T10:00:00Z"}, "an event from"),
        ({"event_memberships": "ana"}, "list"),
        ({"location": [1]}, "object"),
        ({"event_type": 7}, "event_type"),
    ],
)
def test_a_booking_that_cannot_be_understood_is_never_guessed_at(
    stand: Practice, damage: dict[str, Any], why: str
) -> None:
    sound, damaged = stand.book(10), stand.book(12)
    stand.company.events[stand.event_of(damaged)] |= damage
    with pytest.raises(Unreadable, match=why):
        scheduler_of(stand).booking(damaged)
    assert scheduler_of(stand).booking(sound).active


def test_one_damaged_booking_leaves_the_rest_of_a_listing_readable(stand: Practice) -> None:
    sound, damaged = stand.book(10), stand.book(12)
    stand.company.events[stand.event_of(damaged)] |= {"location": [1]}
    found = {one.id: one.problem for one in listed(stand)}
    assert found[sound] is None
    assert found[damaged]


def test_a_name_with_a_nul_is_refused(stand: Practice) -> None:
    booking = stand.book(10)
    stand.company.invitees[booking]["name"] = "Rosa\0"
    with pytest.raises(Unreadable, match="NUL"):
        scheduler_of(stand).booking(booking)


@pytest.mark.parametrize("mail", ["a@b.cl\r\nBcc: x@evil.example", "no at", "a@b@c", "<a@b.cl>", "a b@c.cl", "@", ""])
def test_h71_an_address_that_is_none_is_left_out_and_the_booking_stands(stand: Practice, mail: str) -> None:
    booking = stand.book(10)
    stand.company.invitees[booking]["email"] = mail
    read = scheduler_of(stand).booking(booking)
    assert read.active and read.contact.email is None and read.contact.name


def test_h58_a_zone_that_is_a_path_is_an_unknown_zone(stand: Practice) -> None:
    booking = stand.book(10)
    for zone in ("../../etc/passwd", "/etc/localtime", "Etc/GMT+99", "", 7, "America/New York"):
        stand.company.invitees[booking]["timezone"] = zone
        expected = "America/New_York" if zone == "America/New York" else None
        assert scheduler_of(stand).booking(booking).time_zone == expected


def test_h68_text_of_clients_stays_what_it_is(stand: Practice) -> None:
    booking = stand.book(10)
    stand.company.invitees[booking]["name"] = "{{7*7}} ${7*7} %s%n {0.__class__} <img src=x onerror=alert(1)>"
    assert scheduler_of(stand).booking(booking).contact.name == stand.company.invitees[booking]["name"]


def test_another_invitee_in_the_answer_is_no_answer(stand: Practice) -> None:
    asked, other = stand.book(10), stand.book(12)
    stand.company.invitees[asked] = stand.company.invitees[other]
    with pytest.raises(Unreadable):
        scheduler_of(stand).booking(asked)


def test_only_the_configured_address_is_ever_asked(stand: Practice) -> None:
    """The ids say api.calendly.com; every request goes to `api_url`, and no other host is a booking's."""
    booking = stand.book(10)
    assert booking.startswith("https://api.calendly.com/")
    scheduler_of(stand).booking(booking)
    before = len(stand.server.requests)
    for foreign in (booking.replace("api.calendly.com", "evil.example"), booking + "/../../users/me", booking + "?x"):
        with pytest.raises(NotFound):
            scheduler_of(stand).booking(foreign)
    assert len(stand.server.requests) == before


def test_a_link_works_once_where_the_account_may_make_such_links(stand: Practice) -> None:
    first, second = (scheduler_of(stand).link(stand.visit, "R1.00000000") for _ in range(2))
    assert first.partition("?")[0] != second.partition("?")[0]


def test_without_the_right_for_single_links_the_event_types_page_is_given(stand: Practice) -> None:
    scopes = "users:read event_types:read scheduled_events:read".split()
    stand.company.add_user("Carla", "carla@example.com", role="admin", token="few", scopes=scopes)
    page = stand.company.event_types[stand.visit]["scheduling_url"]
    link = scheduler_of(stand, token="few").link(stand.visit, "R1.00000000", Contact(name="Ñ & Cía", email="ñ"))
    assert link == f"{page}?utm_source=syncd&utm_content=R1.00000000&name=%C3%91+%26+C%C3%ADa&email=%C3%B1"


def test_single_links_can_be_switched_off(stand: Practice) -> None:
    link = scheduler_of(stand, single_use_links=False).link(stand.visit, "R1.00000000")
    assert link.startswith(stand.company.event_types[stand.visit]["scheduling_url"])
    assert not stand.calls("POST")


def test_an_unknown_event_type_has_no_link(stand: Practice) -> None:
    with pytest.raises(NotFound):
        scheduler_of(stand).link(stand.visit[:-1] + "x", "R1")
    with pytest.raises(Permanent, match="event_types"):
        scheduler_of(stand).link("visita", "R1")


def test_a_plain_member_sees_own_bookings_only(stand: Practice) -> None:
    stand.book(9, host=stand.ana)
    own = stand.book(9, host=stand.bruno)
    assert [one.id for one in listed(stand, token="bruno-token")] == [own]


def test_an_organization_may_be_named_by_its_bare_id(stand: Practice) -> None:
    booking = stand.book(9)
    bare = stand.company.organization.rsplit("/", 1)[1]
    assert [one.id for one in listed(stand, organization=bare)] == [booking]
