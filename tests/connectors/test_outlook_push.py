"""Subscriptions at Graph, its calls to our hook, and the last look at busy time."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from connectors._outlook_hook import hook
from connectors._outlook_state import client_state
from connectors._outlook_watch import LIFE
from syncd.core.interval import Interval
from syncd.errors import Ambiguous, BadSignature, Permanent
from syncd.ports import Call, Delivery, Subscription, Touch
from tests.connectors.outlook_stage import ANA, FIRST, PUBLIC, Desk, desk
from tests.servers.calendly import HandClock
from tests.servers.graph import Fault, _echo

HOUR = timedelta(hours=1)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def one() -> Iterator[Desk]:
    with desk(clock=HandClock()) as running:
        yield running


def at(hours: float, length: float = 1) -> Interval:
    return Interval(FIRST + hours * HOUR, FIRST + (hours + length) * HOUR)


def secret(purpose: str) -> bytes:
    return purpose.encode()


@dataclass
class Listener:
    """Our hook behind a real port."""

    live: dict[str, str] = field(default_factory=dict)
    heard: list[Delivery] = field(default_factory=list)
    url: str = ""

    def called(self, query: str, body: bytes) -> Delivery:
        call = Call(headers=(), body=body, now=NOW, query=query, live=self.live.get, secret=secret)
        return hook("outlook", None, call)  # type: ignore[arg-type]


@pytest.fixture
def listener() -> Iterator[Listener]:
    ours = Listener()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            delivery = ours.called(urlsplit(self.path).query, body)
            ours.heard.append(delivery)
            text = (delivery.echo or "").encode()
            self.send_response(200 if delivery.echo else 204)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
            """Stay silent."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    ours.url = f"http://127.0.0.1:{http.server_address[1]}"
    yield ours
    http.shutdown()
    http.server_close()


# --- subscriptions --------------------------------------------------------------------------------------------------


def test_a_subscription_proves_both_its_addresses_while_it_is_made(one: Desk, listener: Listener) -> None:
    one.graph.api.reachable = _echo
    made = one.watch().start(f"{listener.url}/hook/{one.account}")
    assert [delivery.echo is not None for delivery in listener.heard] == [True, True]
    (kept,) = one.graph.api.subscriptions.values()
    assert kept["resource"] == f"users/{ANA}/events" and kept["changeType"] == "created,updated,deleted"
    assert kept["clientState"] == client_state(secret, f"{one.account}/{ANA}") and len(kept["clientState"]) == 43
    assert made.expires_at == NOW + LIFE


def test_a_notification_makes_us_look_at_that_calendar(one: Desk, listener: Listener) -> None:
    one.graph.api.reachable = _echo
    made = one.watch().start(f"{listener.url}/hook/{one.account}")
    listener.live[made.id] = f"{one.account}/{ANA}"
    listener.heard.clear()
    (kept,) = one.graph.api.subscriptions.values()
    assert one.graph.notify({"subscriptionId": made.id, "clientState": kept["clientState"]}) == 204
    assert listener.heard == [Delivery(touches=(Touch(kind="pull", key=f"{one.account}/{ANA}"),))]


def test_a_callback_that_nobody_answers_is_refused(one: Desk) -> None:
    one.graph.api.reachable = lambda _url, _token: ""
    with pytest.raises(Permanent, match="ValidationError"):
        one.watch().start(f"{PUBLIC}/hook/{one.account}")
    assert one.graph.api.subscriptions == {}


@pytest.mark.parametrize("told", [False, True])
def test_a_subscription_is_prolonged_and_ended(one: Desk, told: bool) -> None:
    one.graph.api.odd.told_patches = told
    watch = one.watch()
    made = watch.start(f"{PUBLIC}/hook/{one.account}")
    assert isinstance(one.env.clock, HandClock)
    one.env.clock.advance(timedelta(days=1))
    again = watch.renew(made)
    assert again == replace(made, expires_at=NOW + timedelta(days=1) + LIFE)
    watch.stop(made)
    watch.stop(made)
    assert watch.renew(made) is None
    assert one.graph.api.subscriptions == {}


def test_strays_of_this_calendar_are_found_and_nobody_else_s(one: Desk) -> None:
    one.graph.box("bruno@oficina.example")
    box = one.graph.api.boxes[ANA]
    box.calendars["AAMk-2="] = "Visitas"
    here = f"{PUBLIC}/hook/{one.account}"
    watch, mine = one.watch(), one.watch().start(here)
    stray = watch.start(f"{here}/2")
    watch.start(f"{PUBLIC}/hook/{one.account}x")
    one.watch("bruno@oficina.example").start(here)
    one.watch(f"{ANA}/Visitas").start(here)
    assert [found.id for found in watch.strays({mine.id})] == [stray.id]


def test_a_subscription_whose_answer_got_lost_is_found_as_a_stray(one: Desk) -> None:
    one.graph.faults.append(Fault("POST /subscriptions", "lost"))
    watch = one.watch()
    with pytest.raises(Ambiguous):
        watch.start(f"{PUBLIC}/hook/{one.account}")
    for stray in watch.strays(()):
        watch.stop(stray)
    assert one.graph.api.subscriptions == {}


def test_an_id_that_is_none_never_reaches_a_path(one: Desk) -> None:
    strange = Subscription(id="../users/ana", callback="")
    assert one.watch().renew(strange) is None
    one.watch().stop(strange)
    assert one.graph.calls == []


# --- the hook -------------------------------------------------------------------------------------------------------

LIVE = {"s1": "outlook/ana", "s2": "outlook/bruno"}


def called(body: Any, query: str = "", live: dict[str, str] = LIVE) -> Delivery:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    call = Call(headers=(), body=data, now=NOW, query=query, live=live.get, secret=secret)
    return hook("outlook", None, call)  # type: ignore[arg-type]


def item(name: str = "s1", **more: Any) -> dict[str, Any]:
    return {"subscriptionId": name, "clientState": client_state(secret, LIVE.get(name, "")), **more}


def test_a_batch_may_mix_subscriptions_and_is_one_look_each() -> None:
    """H34: a thousand items and a wrong one."""
    body = {"value": [item("s1"), item("s2")] * 500 + [item("s1", clientState="wrong")]}
    assert called(body).touches == (Touch(kind="pull", key="outlook/ana"), Touch(kind="pull", key="outlook/bruno"))


@pytest.mark.parametrize(
    "wrong",
    [
        item(clientState=None), item(clientState=["x"]), item(clientState=""), item(clientState="ñ"),
        item("s3"), item(subscriptionId=7), item(subscriptionId="x" * 10_000),
        item("s1", clientState=client_state(secret, LIVE["s2"])), {}, None, 7, [],
    ],
)  # fmt: skip
def test_an_item_that_does_not_prove_itself_counts_for_nothing(wrong: Any) -> None:
    """H35: 2xx, nothing touched, so that no storm follows."""
    alone = called({"value": [wrong]})
    assert alone.touches == () and alone.ignored
    assert called({"value": [wrong, item("s2")]}).touches == (Touch(kind="pull", key="outlook/bruno"),)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"[" * 100_000,
        b"null",
        b'{"value": {}}',
        b"\xff",
        b'{"value": [], "value": []}',
        b'{"value": ["\\ud800"]}',
    ],
)
def test_a_body_that_is_no_notification_is_ignored(body: bytes) -> None:
    assert called(body).ignored and called(body).touches == ()


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("reauthorizationRequired", "renew"),
        ("subscriptionRemoved", "renew"),
        ("missed", "pull"),
        ("somethingNew", "pull"),
        (["x"], "pull"),
    ],
)
def test_lifecycle_events_ask_for_what_they_need(event: Any, kind: str) -> None:
    assert called({"value": [item(lifecycleEvent=event)]}).touches == (Touch(kind=kind, key="outlook/ana"),)


def test_a_handshake_is_echoed_as_it_was_meant() -> None:
    token = "Validation: Testing client application reachability for subscription Request-Id: 7a+b%2F"
    assert called(b"", "validationToken=" + quote(token)).echo == token
    assert called(b"", "x=1&validationToken=a+b").echo == "a b"


@pytest.mark.parametrize(
    "query",
    [
        "validationToken=", "validationToken=%3Cscript%3E", "validationToken=" + "a" * 1_000_000,
        "validationToken=a%0d%0aX: y", "validationToken=%00", "validationToken=%C3%B1",
        "validationToken=a&validationToken=b",
        "validationToken", "validationToken=a" + "&b=c" * 20,
    ],
)  # fmt: skip
def test_a_handshake_that_a_page_could_be_made_of_is_refused(query: str) -> None:
    """H31, H32."""
    with pytest.raises(BadSignature):
        called(b"", query)


# --- the last look --------------------------------------------------------------------------------------------------


def test_the_last_look_tells_busy_time_and_what_is_unknown(one: Desk) -> None:
    one.graph.box("bruno@oficina.example").add(at(5), showAs="free")
    box = one.graph.api.boxes[ANA]
    box.add(at(1))
    box.add(at(1.5), showAs="tentative")
    box.add(at(8), showAs="workingElsewhere")
    found = one.free_busy().busy([ANA, "bruno@oficina.example", "nadie@x.cl"], at(0, length=24))
    assert found == {ANA: [at(1, length=1.5)], "bruno@oficina.example": [], "nadie@x.cl": None}
    assert len(one.graph.took("getSchedule")) == 1


def test_an_error_is_unknown_and_never_free(one: Desk) -> None:
    one.graph.api.schedules_failing.add(ANA)
    assert one.free_busy().busy([ANA], at(0)) == {ANA: None}
    for kind in ("429", "500", "403", "lost", "cut"):
        one.graph.faults.append(Fault("getSchedule", kind, times=2))
        assert one.free_busy().busy([ANA], at(0)) == {ANA: None}, kind
        one.graph.faults.clear()


def test_many_mailboxes_and_long_windows_are_asked_in_parts(one: Desk) -> None:
    names = [f"agent{n}@oficina.example" for n in range(45)]
    for name in names:
        one.graph.box(name).add(at(24 * 40))
    found = one.free_busy().busy(names, at(0, length=24 * 60))
    assert all(found[name] == [at(24 * 40)] for name in names)
    assert len(one.graph.took("getSchedule")) == 3 * 2


def test_a_month_that_is_unknown_makes_the_whole_window_so(one: Desk) -> None:
    one.graph.faults.append(Fault("getSchedule", "503", after=1))
    assert one.free_busy().busy([ANA], at(0, length=24 * 60)) == {ANA: None}


def test_another_calendar_is_looked_at_itself(one: Desk) -> None:
    box = one.graph.api.boxes[ANA]
    box.calendars["AAMk-2="] = "Visitas"
    box.add(at(1), calendar="AAMk-2=")
    box.add(at(2), calendar="AAMk-2=", showAs="free")
    names = [f"{ANA}/Visitas", f"{ANA}/Nada"]
    assert one.free_busy().busy(names, at(0, length=24)) == {names[0]: [at(1)], names[1]: None}
