"""What monitors ask: alive, ready, how much of everything; and who may learn the names."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from syncd.core.ids import CalendarId
from syncd.flows.sign_in import EMBEDDED
from syncd.store import Tx
from syncd.store.accounts import AccountState
from syncd.store.queue import WorkKind
from tests.web.stage import Stage, read_calendars, staged
from tests.world.town import START

ANAS = CalendarId("embedded/ana/visits")


def get(stage: Stage, path: str, **headers: str) -> requests.Response:
    return requests.get(f"{stage.url}{path}", headers=headers, timeout=20)


def test_alive_is_alive(stage: Stage) -> None:
    answer = get(stage, "/healthz")
    assert (answer.status_code, answer.json(), answer.headers["Cache-Control"]) == (200, {"status": "ok"}, "no-store")


def test_ready_while_every_source_is_fresh(tmp_path: Path) -> None:
    with staged(tmp_path) as own:
        assert get(own, "/readyz").json() == {"status": "ready", "stale": 0, "sources": []}
        own.clock.advance(own.ctx.policy.max_staleness + timedelta(seconds=1))
        answer = get(own, "/readyz")
        assert answer.status_code == 503
        body = answer.json()
        assert (body["status"], body["stale"]) == ("stale", 2)
        assert {one["calendar"]: one["why"] for one in body["sources"]} == {
            "embedded/ana/visits": "last read 1801 s ago",
            "embedded/beto/visits": "last read 1801 s ago",
        }
        read_calendars(own.store, own.ctx.directory, own.clock.now())
        assert get(own, "/readyz").status_code == 200


def suspect(tx: Tx) -> None:
    state = tx.calendars.state(ANAS)
    tx.calendars.save_state(replace(state, suspect_since=START, suspect_why="9 of 10 entries vanished"))


def needs_attention(tx: Tx) -> None:
    tx.calendars.save_state(replace(tx.calendars.state(ANAS), attention="a rule that cannot be read"))


def never_read(tx: Tx) -> None:
    tx.calendars.save_state(replace(tx.calendars.state(ANAS), read_at=None, error="503"))


def login_refused(tx: Tx) -> None:
    tx.accounts.save_state(AccountState(account=EMBEDDED, parked="password changed"))


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        (suspect, "suspect: 9 of 10 entries vanished"),
        (needs_attention, "a rule that cannot be read"),
        (never_read, "never read: 503"),
        (login_refused, "login refused: password changed"),
    ],
)
def test_each_trouble_is_named(tmp_path: Path, trouble: Callable[[Tx], None], why: str) -> None:
    with staged(tmp_path) as own:
        own.store.write(trouble)
        answer = get(own, "/readyz")
        assert (answer.status_code, [one["why"] for one in answer.json()["sources"]]) == (503, [why])


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_behind_a_proxy_no_calendar_is_named(tmp_path: Path, header: str) -> None:
    with staged(tmp_path) as own:
        own.store.write(suspect)
        answer = get(own, "/readyz", **{header: "203.0.113.7"})
        assert answer.status_code == 503 and answer.json() == {"status": "stale", "stale": 1}


def metrics(stage: Stage) -> dict[tuple[str, ...], float]:
    answer = get(stage, "/metrics")
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_metrics_count_work_deliveries_and_calendars(tmp_path: Path) -> None:
    with staged(tmp_path) as own:
        own.take_work()
        own.deliver(own.good_delivery())
        own.deliver(b"[]")
        own.deliver(b"{}", **{"Calendly-Webhook-Signature": "t=1,v1=00"})
        own.clock.advance(timedelta(seconds=90))
        own.store.write(suspect)
        own.store.write(lambda tx: tx.accounts.save_state(AccountState(account=EMBEDDED, parked="x", failures=3)))
        found = metrics(own)
        assert found["syncd_work_due", "ingest"] == 1
        assert found["syncd_work_oldest_seconds", "ingest"] == 90
        assert found["syncd_work_dead",] == 0
        assert (found["syncd_deliveries", "new"], found["syncd_deliveries", "dead"]) == (1, 1)
        assert found["syncd_hook_calls_total", "calendly", "refused"] == 1
        assert found["syncd_account_failures", "embedded"] == 3
        assert found["syncd_account_login_refused", "embedded"] == 1
        assert found["syncd_sync_lag_seconds", "embedded"] == 90
        assert found["syncd_calendars_stale", "embedded"] == 1


def test_what_was_given_up_is_counted(tmp_path: Path) -> None:
    with staged(tmp_path) as own:
        own.take_work()
        now = own.clock.now()
        own.store.write(lambda tx: tx.queue.touch(WorkKind.PULL, "gone", now))

        def bury(tx: Tx) -> None:
            (work,) = tx.queue.claim(now, timedelta(minutes=1))
            tx.queue.bury(work, "poison", now)

        own.store.write(bury)
        assert metrics(own)["syncd_work_dead",] == 1


def test_metrics_name_no_person(tmp_path: Path) -> None:
    with staged(tmp_path) as own:
        own.book(own.a_start())
        own.deliver(own.good_delivery())
        text = get(own, "/metrics").text
        assert not [word for word in ("ana", "beto", "Eva", "@", "I1") if word in text]
