"""Subscriptions at Calendly, and deliveries that really travel from its stand-in to our hook."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from connectors._calendly_api import api_of
from connectors.calendly import SPEC, CalendlyPush
from syncd.errors import (
    Ambiguous,
    BadSignature,
    VersionConflict,
)
from syncd.ports import Call, Environment, Subscription
from syncd.practice_calendly import Fault
from tests.connectors.calendly_stage import (
    ACCOUNT,
    KEY,
    PUBLIC,
    push_of,
    scheduler_of,
    settings_for,
)
from tests.servers.calendly import MONDAY, Practice, practice


@pytest.fixture
def stand() -> Iterator[Practice]:
    with practice() as running:
        yield running


def test_subscribing_listing_and_removing(stand: Practice) -> None:
    push = push_of(stand)
    made = push.subscribe(f"{PUBLIC}/hook/calendly/1")
    assert made.active and made.callback == f"{PUBLIC}/hook/calendly/1"
    assert list(push.subscriptions()) == [made]
    assert stand.server.api.keys[made.id] == KEY
    assert stand.server.api.subscriptions[made.id]["scope"] == "organization"
    push.unsubscribe(made)
    push.unsubscribe(made)
    assert list(push.subscriptions()) == []


def test_the_same_callback_again_is_a_conflict_and_leaves_the_first(stand: Practice) -> None:
    push = push_of(stand)
    made = push.subscribe(f"{PUBLIC}/hook/calendly/1")
    with pytest.raises(VersionConflict, match="already"):
        push.subscribe(f"{PUBLIC}/hook/calendly/1")
    assert list(push.subscriptions()) == [made]


def test_a_new_generation_stands_beside_the_old_one_until_it_is_removed(stand: Practice) -> None:
    push = push_of(stand)
    old, new = push.subscribe(f"{PUBLIC}/hook/calendly/1"), push.subscribe(f"{PUBLIC}/hook/calendly/2")
    assert list(push.subscriptions()) == [old, new]
    push.unsubscribe(old)
    assert list(push.subscriptions()) == [new]


def test_subscriptions_of_others_are_not_ours(stand: Practice) -> None:
    push = push_of(stand)
    for foreign in ("https://crm.example/hook", f"{PUBLIC}/hook/calendly2/1", f"{PUBLIC}.evil.example/hook/calendly/1"):
        push.subscribe(foreign)
    assert list(push.subscriptions()) == []


def test_f30_a_subscription_that_calendly_gave_up_on_is_not_active(stand: Practice) -> None:
    push = push_of(stand)
    made = push.subscribe(f"{PUBLIC}/hook/calendly/1")
    stand.server.api.subscriptions[made.id] |= {"retry_started_at": "2026-11-24T11:00:00.000000Z"}
    (failing,) = push.subscriptions()
    assert failing.active and "2026-11-24T11:00" in failing.note
    stand.server.api.subscriptions[made.id] |= {"state": "disabled"}
    (dead,) = push.subscriptions()
    assert not dead.active and "disabled" in dead.note


def test_a_plain_member_subscribes_to_own_bookings(stand: Practice) -> None:
    push = push_of(stand, token="bruno-token")
    made = push.subscribe(f"{PUBLIC}/hook/calendly/1")
    assert stand.server.api.subscriptions[made.id]["user"] == stand.bruno
    assert list(push.subscriptions()) == [made]


def test_f4_a_subscription_whose_answer_was_lost_is_found_in_the_list(stand: Practice) -> None:
    push = push_of(stand)
    stand.server.faults.append(Fault("drop-after", "POST /webhook_subscriptions"))
    with pytest.raises(Ambiguous):
        push.subscribe(f"{PUBLIC}/hook/calendly/1")
    assert [one.callback for one in push.subscriptions()] == [f"{PUBLIC}/hook/calendly/1"]


@dataclass
class Receiver:
    """A web server that passes deliveries to the hook, as the daemon does."""

    url: str
    touches: list[str]
    statuses: list[int]


@pytest.fixture
def receiver(stand: Practice) -> Iterator[Receiver]:
    got = Receiver("", [], [])
    settings, lock = settings_for(stand), threading.Lock()
    assert SPEC.hook is not None
    verify: Callable[..., Any] = SPEC.hook

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = 204
            try:
                delivery = verify(
                    ACCOUNT, settings, Call(headers=list(self.headers.items()), body=body, now=stand.clock.now())
                )
                with lock:
                    got.touches += [touch.key for touch in delivery.touches]
            except BadSignature:
                status = 401
            got.statuses.append(status)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    got.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield got
    server.shutdown()
    server.server_close()


def subscribed(stand: Practice, receiver: Receiver) -> Subscription:
    env = Environment(clock=stand.clock, secret=lambda purpose: b"", public_url=receiver.url)
    return CalendlyPush(api_of(ACCOUNT, settings_for(stand), env)).subscribe(f"{receiver.url}/hook/calendly/1")


def test_a_real_delivery_of_a_booking_is_verified_and_names_it(stand: Practice, receiver: Receiver) -> None:
    subscribed(stand, receiver)
    booking = stand.book(10)
    assert stand.server.courier.quiet()
    assert receiver.touches == [f"calendly|{booking}"] and receiver.statuses == [204]


def test_f7_a_reschedule_delivered_backwards_and_twice_names_both_bookings(stand: Practice, receiver: Receiver) -> None:
    subscribed(stand, receiver)
    stand.server.courier.switches.hold = True
    old = stand.book(10)
    new = stand.company.reschedule(old, MONDAY + timedelta(hours=10, minutes=15))
    stand.server.courier.release([2, 1, 0, 2, 1])
    assert stand.server.courier.quiet()
    assert set(receiver.touches) == {f"calendly|{old}", f"calendly|{new}"}
    scheduler = scheduler_of(stand)
    assert scheduler.booking(new).replaces == old and not scheduler.booking(old).active


def test_a_delivery_signed_with_a_key_that_is_not_ours_is_repeated_by_the_sender(
    stand: Practice, receiver: Receiver
) -> None:
    made = subscribed(stand, receiver)
    stand.server.courier.switches.sign_with = "another key"
    stand.server.courier.switches.retry_first = 0.0
    stand.server.courier.switches.hold = True
    stand.book(10)
    stand.server.courier.release()
    with stand.server.courier.wake:
        assert stand.server.courier.wake.wait_for(lambda: len(receiver.statuses) >= 2, 10)
        stand.server.courier.switches.sign_with = None
    assert stand.server.courier.quiet()
    assert receiver.statuses[0] == 401 and receiver.statuses[-1] == 204 and len(receiver.touches) == 1
    assert stand.server.api.subscriptions[made.id]["state"] == "active"
