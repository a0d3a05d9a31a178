"""How the practice scheduler behaves: rights, paging, deliveries and the side door, as the published pages have it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests

from syncd.practice_calendly import Client, Refusal, sign
from tests.connectors.shared import published, wire
from tests.servers.calendly import MONDAY, TOKEN, Practice, practice


@pytest.fixture
def stand() -> Iterator[Practice]:
    with practice() as running:
        yield running


def ask(stand: Practice, method: str, path: str, *, token: str = TOKEN, **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.request(method, stand.server.url + path, headers=headers, timeout=10, **more)


def status(stand: Practice, path: str, **query: str) -> int:
    return ask(stand, "GET", path, params=query).status_code


# bookings


def test_a_host_is_never_booked_twice_and_the_least_booked_comes_next(stand: Practice) -> None:
    hosts = [stand.company.events[stand.event_of(stand.book(10))]["event_memberships"][0]["user"] for _ in range(2)]
    assert hosts == [stand.ana, stand.bruno]
    with pytest.raises(Refusal):
        stand.book(10)


def test_buffers_keep_the_next_visit_away(stand: Practice) -> None:
    stand.book(10, host=stand.ana)
    with pytest.raises(Refusal):
        stand.book(10, minute=39, host=stand.ana)
    stand.book(10, minute=40, host=stand.ana)


def test_a_visit_may_be_moved_by_less_than_its_length(stand: Practice) -> None:
    old = stand.book(10, host=stand.ana)
    new = stand.company.reschedule(old, MONDAY + timedelta(hours=10, minutes=15), host=stand.ana)
    assert stand.company.events[stand.event_of(old)]["status"] == "canceled"
    assert stand.company.events[stand.event_of(new)]["status"] == "active"


def test_a_refused_move_leaves_the_booking_as_it_was(stand: Practice) -> None:
    kept, _ = stand.book(10, host=stand.ana), stand.book(12, host=stand.ana)
    with pytest.raises(Refusal):
        stand.company.reschedule(kept, MONDAY + timedelta(hours=12), host=stand.ana)
    assert stand.company.invitees[kept]["status"] == "active"
    assert stand.company.events[stand.event_of(kept)]["status"] == "active"


def test_open_slots_are_those_that_can_be_booked(stand: Practice) -> None:
    stand.book(9, host=stand.ana)
    stand.book(9, host=stand.bruno)
    slots = stand.company.open_slots(stand.visit, MONDAY, MONDAY + timedelta(days=1))
    assert MONDAY + timedelta(hours=9) not in slots and slots
    assert stand.company.book(stand.visit, slots[0], Client("C", "c@example.com"))


# rights, paging


def test_only_admins_may_ask_for_everybody(stand: Practice) -> None:
    everybody = {"organization": stand.company.organization}
    assert ask(stand, "GET", "/scheduled_events", token="bruno-token", params=everybody).status_code == 403
    own = {"user": stand.bruno}
    assert ask(stand, "GET", "/scheduled_events", token="bruno-token", params=own).status_code == 200
    others = {"user": stand.ana}
    assert ask(stand, "GET", "/scheduled_events", token="bruno-token", params=others).status_code == 403


@pytest.mark.parametrize("count", ["0", "101", "x", "-1"])
def test_a_page_has_one_to_a_hundred_rows(stand: Practice, count: str) -> None:
    assert status(stand, "/scheduled_events", organization=stand.company.organization, count=count) == 400


def test_a_page_token_needs_its_own_filters_and_does_not_last(stand: Practice) -> None:
    for hour in (9, 11, 13):
        stand.book(hour)
    query = {"organization": stand.company.organization, "count": "1"}
    token = ask(stand, "GET", "/scheduled_events", params=query).json()["pagination"]["next_page_token"]
    assert status(stand, "/scheduled_events", **query, page_token=token) == 200
    assert status(stand, "/scheduled_events", **query, page_token=token, status="active") == 400
    assert status(stand, "/scheduled_events", **query, page_token="parked") == 400
    stand.clock.advance(timedelta(minutes=6))
    assert status(stand, "/scheduled_events", **query, page_token=token) == 400


def test_pages_together_hold_every_row_once(stand: Practice) -> None:
    ids = {stand.event_of(stand.book(9 + n)) for n in range(7)}
    query = {"organization": stand.company.organization, "count": "3"}
    found: list[str] = []
    while True:
        page = ask(stand, "GET", "/scheduled_events", params=query).json()
        found += [one["uri"] for one in page["collection"]]
        if page["pagination"]["next_page_token"] is None:
            break
        query["page_token"] = page["pagination"]["next_page_token"]
    assert len(found) == 7 and set(found) == ids


def test_available_times_span_at_most_a_month_and_never_the_past(stand: Practice) -> None:
    def asked(first: timedelta, last: timedelta) -> int:
        query = {"start_time": (MONDAY + first).isoformat(), "end_time": (MONDAY + last).isoformat()}
        return status(stand, "/event_type_available_times", event_type=stand.visit, **query)

    assert asked(timedelta(0), timedelta(days=31)) == 200
    assert asked(timedelta(0), timedelta(days=31, seconds=1)) == 400
    assert asked(timedelta(days=-30), timedelta(days=-29)) == 400


# deliveries


def test_signatures_are_those_of_the_derived_vector() -> None:
    vector = published("other/signature_vectors_derived.json")["calendly"]
    body = wire(published(f"calendly/{vector['fixture']}"))
    assert sign(vector["signing_key"], int(vector["t"]), body) == vector["header"]


def subscribe(stand: Practice, url: str, **more: Any) -> Any:
    wanted = {"url": url, "events": ["invitee.created", "invitee.canceled"], "scope": "organization"}
    wanted |= {"organization": stand.company.organization, "signing_key": "k"} | more
    return ask(stand, "POST", "/webhook_subscriptions", json=wanted).json()["resource"]


def echo(stand: Practice) -> str:
    """An address that answers 200 to anything: the practice server's own side door."""
    return f"{stand.server.url}/_practice/state"


def test_a_delivery_that_is_answered_is_not_repeated(stand: Practice) -> None:
    subscribe(stand, echo(stand))
    stand.book(10)
    assert stand.server.courier.quiet()
    assert [one.status for one in stand.server.courier.sent] == [200]


def test_after_a_day_of_failures_the_subscription_is_disabled_without_a_word(stand: Practice) -> None:
    made = subscribe(stand, f"{stand.server.url}/_practice/none")
    courier = stand.server.courier
    stand.book(10)
    with courier.wake:
        assert courier.wake.wait_for(lambda: courier.sent and not courier.busy, 10)
        assert stand.server.api.subscriptions[made["uri"]]["retry_started_at"] is not None
        assert stand.server.api.subscriptions[made["uri"]]["state"] == "active"
        stand.clock.advance(timedelta(hours=24))
        courier.wake.notify_all()
    assert courier.quiet()
    assert stand.server.api.subscriptions[made["uri"]]["state"] == "disabled"
    stand.book(12)
    assert courier.quiet() and len(courier.sent) == 2


def test_the_switches_lose_double_and_hold_back(stand: Practice) -> None:
    subscribe(stand, echo(stand))
    courier = stand.server.courier
    courier.switches.drop = 1
    stand.book(9)
    courier.switches.duplicate = 2
    stand.book(11)
    assert courier.quiet() and len(courier.sent) == 3
    courier.switches.duplicate = 0
    courier.switches.hold = True
    booking = stand.book(13)
    stand.company.cancel(booking)
    assert courier.quiet() and len(courier.sent) == 3
    courier.release(backwards=True)
    assert courier.quiet()
    assert [one.event for one in courier.sent[3:]] == ["invitee.canceled", "invitee.created"]


def test_an_unwanted_kind_is_not_delivered(stand: Practice) -> None:
    subscribe(stand, echo(stand), events=["invitee.canceled"])
    stand.book(10)
    assert stand.server.courier.quiet() and not stand.server.courier.sent


# the side door, from another process


def test_the_whole_of_it_runs_as_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "syncd.practice_calendly", "--token", "secret"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            started = json.loads(process.stdout.readline())

            def act(name: str, /, **body: Any) -> Any:
                answer = requests.post(f"{started['url']}/_practice/{name}", json=body, timeout=10)
                assert answer.status_code == 200, answer.text
                return answer.json()

            ana = act("users", name="Ana", email="ana@example.com")["uri"]
            visit = act("event_types", name="Visita", minutes=30, hosts=[ana])["uri"]
            link = "https://calendly.com/x?utm_content=R7.ab&name=Rosa&email=rosa%40example.com"
            booked = act("book", event_type=visit, start="2030-01-07T10:00:00Z", link=link)
            moved = act("reschedule", invitee=booked["invitee"], start="2030-01-08T10:00:00Z")
            act("cancel", invitee=moved["invitee"], by="host", reason="ill")
            state = act("state")
            assert [one["status"] for one in state["invitees"]] == ["canceled", "canceled"]
            assert {one["tracking"]["utm_content"] for one in state["invitees"]} == {"R7.ab"}
            assert act("quiet") == {"quiet": True}
            wrong = requests.post(f"{started['url']}/_practice/none", json={}, timeout=10)
            assert wrong.status_code == 400
        finally:
            process.terminate()
        assert process.wait(10) == 0


def test_a_misspelt_switch_is_refused(stand: Practice) -> None:
    with pytest.raises(KeyError):
        stand.server.side_door.act("switches", {"hodl": True})


def test_a_time_that_is_taken_is_refused_at_the_side_door(stand: Practice) -> None:
    body = {"event_type": stand.visit, "start": MONDAY.isoformat(), "name": "R", "email": "r@example.com"}
    answers = [requests.post(f"{stand.server.url}/_practice/book", json=body, timeout=10) for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 200, 400]
