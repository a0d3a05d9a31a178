"""The way in of every webhook: verified, stored, answered, in that order; nothing of it applied."""

import json
import re
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest
import requests

from connectors._calendly_hook import HEADER, hook
from connectors._calendly_settings import CalendlySettings
from syncd.core import limits
from syncd.core.ids import AccountId, VisitId
from syncd.core.visit import Source
from syncd.errors import StoreUnwritable
from syncd.flows.context import AccountParts
from syncd.store import Store, Tx
from syncd.store.queue import DeliveryState
from syncd.store.visits import Cause
from syncd.web.hooks import ALARM
from tests.connectors.shared import names, published, wire
from tests.connectors.test_calendly_hook import created, during, signature
from tests.core.values import visit
from tests.web.recorder import check_problem
from tests.web.stage import CALENDLY, KEYS, SECOND, Stage, staged
from tests.world.town import START

T = TypeVar("T")
INVITEE = "https://api.calendly.com/scheduled_events/E1/invitees/{}"


def refused(answer: requests.Response, status: int, kind: str) -> None:
    check_problem(answer)
    assert (answer.status_code, answer.json()["type"]) == (status, kind)


def test_a_good_delivery_is_204_once_it_is_durable_and_names_what_to_look_at(stage: Stage) -> None:
    body = stage.good_delivery("good")
    answer = stage.deliver(body, X_Extra="kept", Authorization="Basic secret", Cookie="secret")
    assert (answer.status_code, answer.content) == (204, b"")
    kept = stage.kept(body)
    assert (kept.account, kept.state, kept.received_at) == (CALENDLY, DeliveryState.NEW, stage.clock.now())
    headers = {name.lower(): value for name, value in kept.headers}
    assert headers["x_extra"] == "kept" and HEADER.lower() in headers
    assert "secret" not in str(kept.headers)
    assert stage.take_work() == {("ingest", f"calendly|{INVITEE.format('good')}")}
    assert stage.visits() == []


def test_the_same_delivery_again_is_204_and_one_row_with_one_look(stage: Stage) -> None:
    body = stage.good_delivery("twice")
    answers: list[int] = []

    def send() -> None:
        answers.append(requests.post(f"{stage.url}/hook/calendly", data=body, headers=head, timeout=20).status_code)

    head = {HEADER: signature(body, key=KEYS[CALENDLY], at=stage.clock.now())}
    for _ in range(3):
        send()
    together = [threading.Thread(target=send) for _ in range(2)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    assert answers == [204] * 5
    assert stage.kept(body).repeats == 4
    assert stage.take_work() == {("ingest", f"calendly|{INVITEE.format('twice')}")}


def test_a_repeat_touches_again_for_the_first_look_may_be_over(stage: Stage) -> None:
    body = stage.good_delivery("again")
    stage.deliver(body)
    assert stage.take_work()
    stage.deliver(body)
    assert stage.take_work()


@pytest.mark.parametrize("path", ["/hook/calendly", "/hook/calendly/1", "/hook/calendly/17"])
def test_the_path_may_carry_a_generation(stage: Stage, path: str) -> None:
    body = stage.good_delivery(f"path{len(path)}")
    head = {HEADER: signature(body, key=KEYS[CALENDLY], at=stage.clock.now())}
    assert stage.session.post(stage.url + path, data=body, headers=head, timeout=20).status_code == 204
    assert stage.kept(body).touches


@pytest.mark.parametrize(
    "path",
    ["/hook/nobody", "/hook/", "/hook", "/hook/calendly/1/2", "/hook/calendly/", "/hook/Calendly", "/hook/embedded"],
)
def test_an_unknown_account_is_404(stage: Stage, path: str) -> None:
    before = len(stage.inbox())
    body = stage.good_delivery("unknown")
    head = {HEADER: signature(body, key=KEYS[CALENDLY], at=stage.clock.now())}
    refused(stage.session.post(stage.url + path, data=body, headers=head, timeout=20), 404, "not-found")
    assert len(stage.inbox()) == before and not stage.take_work()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_h29_only_post_delivers_whatever_a_header_says(stage: Stage, method: str) -> None:
    body = stage.good_delivery("method")
    head = {HEADER: signature(body, key=KEYS[CALENDLY], at=stage.clock.now()), "X-HTTP-Method-Override": "POST"}
    answer = stage.session.request(method, f"{stage.url}/hook/calendly", data=body, headers=head, timeout=20)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"].split(", "), "GET may stand there too: it is for handshakes"
    assert not stage.take_work()


def test_a_body_at_the_cap_is_read_and_one_byte_more_is_413(stage: Stage) -> None:
    whole = stage.good_delivery("large")
    exact = whole + b" " * (limits.HOOK_BODY - len(whole))
    assert stage.deliver(exact).status_code == 204
    before = len(stage.inbox())
    refused(stage.deliver(exact + b" "), 413, "too-large")
    refused(stage.session.post(f"{stage.url}/hook/calendly", data=iter([exact, b" "]), timeout=20), 413, "too-large")
    assert len(stage.inbox()) == before


class Failing:
    """A store that cannot be written for a while."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.error: Exception | None = None

    def write(self, fn: Callable[[Tx], T]) -> T:
        if self.error is not None:
            raise self.error
        return self._store.write(fn)

    def read(self) -> AbstractContextManager[Tx]:
        return self._store.read()


@pytest.mark.parametrize("error", [StoreUnwritable("disk full"), RuntimeError("a defect of ours")])
def test_what_cannot_be_stored_is_503_and_never_acknowledged(tmp_path: Path, error: Exception) -> None:
    with staged(tmp_path) as found:
        store = Failing(found.store)
        object.__setattr__(found.ctx, "store", cast(Store, store))
        body = found.good_delivery()
        store.error = error
        answer = found.deliver(body)
        refused(answer, 503, "store-unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert not found.inbox()
        refused(found.deliver(body, **{HEADER: "t=1,v1=00"}), 401, "unauthorized")
        store.error = None
        assert found.deliver(body).status_code == 204
        assert found.kept(body).touches and found.take_work()
        object.__setattr__(found.ctx, "store", store._store)


def test_a_signed_body_that_means_nothing_is_a_dead_letter_with_one_alert(tmp_path: Path) -> None:
    with staged(tmp_path) as found:
        for body in (b"[]", b"null"):
            assert found.deliver(body).status_code == 204
            assert found.kept(body).state is DeliveryState.DEAD
            assert found.kept(body).error
        assert {kind for kind, _ in found.take_work()} == {"send"}  # the alert
        assert [one.kind for one in found.notices("alert", "inbox:calendly")] == ["dead_letter"]


def test_a_kind_of_event_that_nobody_wants_is_kept_as_such(stage: Stage) -> None:
    body = json.dumps({"event": "routing_form_submission.created", "payload": {"x": 1}}).encode()
    assert stage.deliver(body).status_code == 204
    assert stage.kept(body).state is DeliveryState.UNWANTED
    assert not stage.take_work()


def strangers(name: str) -> bytes:
    whole = during(event_type="https://api.calendly.com/event_types/OTHER")
    whole["payload"] |= {"uri": INVITEE.format(name), "email": "someone@example.com"}
    return json.dumps(whole).encode()


def test_of_a_stranger_s_meeting_only_the_fact_is_kept(stage: Stage) -> None:
    before = {one.id for one in stage.inbox()}
    assert stage.deliver(strangers("stranger")).status_code == 204
    (kept,) = (one for one in stage.inbox() if one.id not in before)
    assert (kept.state, kept.body, kept.headers, kept.touches) == (DeliveryState.UNWANTED, b"", (), ())
    assert not stage.take_work()


def test_a_booking_that_is_a_visit_stays_ours_though_its_event_type_is_no_longer_configured(tmp_path: Path) -> None:
    with staged(tmp_path) as found:
        name = INVITEE.format("ours")
        ours = visit(id=VisitId("v1"), source=Source(account=CALENDLY, id=name))
        cause = Cause(at=found.clock.now(), actor="scheduler:calendly", source="calendly")
        found.store.write(lambda tx: tx.visits.save(ours, cause))
        body = strangers("ours")
        assert found.deliver(body).status_code == 204
        assert found.kept(body).state is DeliveryState.NEW
        assert ("ingest", f"calendly|{name}") in found.take_work()


def wrong(stage: Stage, account: AccountId = CALENDLY) -> None:
    refused(stage.deliver(b"{}", account, **{HEADER: "t=1,v1=00"}), 401, "unauthorized")


def open_alerts(stage: Stage, account: AccountId = CALENDLY) -> list[str]:
    return [one.kind for one in stage.notices("alert", account) if one.state == "open"]


def test_a_run_of_refusals_is_told_once_and_ends_with_the_first_good_delivery(tmp_path: Path) -> None:
    with staged(tmp_path) as found:
        for _ in range(ALARM - 1):
            wrong(found)
        assert open_alerts(found) == []
        for _ in range(ALARM):
            wrong(found)
        assert open_alerts(found) == ["bad_signatures"]
        assert found.deliver(found.good_delivery(), SECOND).status_code == 204
        assert open_alerts(found) == ["bad_signatures"]  # another account's good delivery proves nothing
        assert found.deliver(found.good_delivery()).status_code == 204
        assert open_alerts(found) == []
        assert not found.inbox(DeliveryState.DEAD)


def test_good_deliveries_in_between_keep_the_alarm_quiet(tmp_path: Path) -> None:
    with staged(tmp_path) as found:
        for _ in range(3):
            for _ in range(ALARM - 1):
                wrong(found)
            assert open_alerts(found) == []
            assert found.deliver(found.good_delivery()).status_code == 204


def test_an_alarm_from_before_a_restart_ends_as_well(tmp_path: Path) -> None:
    with staged(tmp_path) as found:
        for _ in range(ALARM):
            wrong(found)
    with staged(tmp_path) as again:
        assert open_alerts(again) == ["bad_signatures"]
        assert again.deliver(again.good_delivery()).status_code == 204
        assert open_alerts(again) == []


def test_refusals_are_counted_by_account(tmp_path: Path) -> None:
    with staged(tmp_path) as found:
        wrong(found)
        wrong(found)
        found.deliver(found.good_delivery())
        text = requests.get(f"{found.url}/metrics", timeout=20).text
        assert 'syncd_hook_calls_total{account="calendly",outcome="refused"} 2.0' in text
        assert re.search(r'syncd_hook_calls_total\{account="calendly",outcome="new"\} 1\.0', text)


def test_both_keys_are_good_while_they_rotate(tmp_path: Path) -> None:
    settings = CalendlySettings.model_validate({"token": "t", "signing_keys": ["new key", KEYS[CALENDLY]]})
    parts = AccountParts(id=CALENDLY, kind="calendly", hook=partial(hook, CALENDLY, settings))
    with staged(tmp_path, accounts={CALENDLY: parts}) as found:
        body = found.good_delivery("rotating")
        assert found.deliver(body).status_code == 204
        fresh = signature(body, key="new key", at=found.clock.now())
        assert found.deliver(body, **{HEADER: fresh}).status_code == 204


def test_a_delivery_to_another_account_than_the_one_that_signed_it_is_refused_at_both(stage: Stage) -> None:
    """H14; the key of one account opens no other, and neither account's counts or rows change hands."""
    before = len(stage.inbox())
    body = stage.good_delivery("crossed")
    for signer, target in ((CALENDLY, SECOND), (SECOND, CALENDLY)):
        head = {HEADER: signature(body, key=KEYS[signer], at=stage.clock.now())}
        refused(stage.deliver(body, target, **head), 401, "unauthorized")
    assert len(stage.inbox()) == before and not stage.take_work()


@pytest.mark.parametrize("name", names("calendly", "calendly_webhook_invitee"))
def test_every_published_delivery_is_answered_2xx(stage: Stage, name: str) -> None:
    assert stage.deliver(wire(published(name))).status_code == 204


def test_a_signed_in_time_delivery_goes_through_and_a_late_one_does_not(stage: Stage) -> None:
    body = json.dumps(created(uri=INVITEE.format("late"))).encode()
    stamp = START.replace(year=START.year - 1)
    refused(stage.deliver(body, **{HEADER: signature(body, key=KEYS[CALENDLY], at=stamp)}), 401, "unauthorized")


def test_a_reload_changes_the_key_at_once(tmp_path: Path) -> None:
    with staged(tmp_path) as found:
        body = found.good_delivery("reload")
        assert found.deliver(body).status_code == 204
        settings = CalendlySettings.model_validate({"token": "t", "signing_keys": ["another"]})
        found.ctx.accounts[CALENDLY] = replace(found.ctx.accounts[CALENDLY], hook=partial(hook, CALENDLY, settings))
        refused(found.deliver(body), 401, "unauthorized")


def test_many_deliveries_at_once_are_all_kept(tmp_path: Path) -> None:
    with staged(tmp_path) as found:
        bodies = [found.good_delivery(f"n{number}") for number in range(200)]
        answers: list[Any] = []
        todo = iter(bodies)
        lock = threading.Lock()

        def send() -> None:
            with requests.Session() as session:
                session.trust_env = False
                while True:
                    with lock:
                        body = next(todo, None)
                    if body is None:
                        return
                    head = {HEADER: signature(body, key=KEYS[CALENDLY], at=found.clock.now())}
                    answers.append(session.post(f"{found.url}/hook/calendly", data=body, headers=head, timeout=20))

        threads = [threading.Thread(target=send) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [one.status_code for one in answers] == [204] * 200
        assert {one.body for one in found.inbox()} == set(bodies)
        assert len(found.take_work()) == 200
