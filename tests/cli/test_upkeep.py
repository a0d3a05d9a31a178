"""What an operator looks after: deliveries and replay, tasks, suspicions, passwords, feeds, subscriptions."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from syncd.core.ids import AccountId, CalendarId
from syncd.store import Tx
from syncd.store.calendars import CalendarState
from syncd.store.queue import DeliveryState, Notice, StoredDelivery, WorkKind
from tests.cli.office import Done, Office, free_port

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
TASK = Notice(key="task:entry_deleted:v1:2", channel="task", kind="entry_deleted", about="v1", to="ana", state="open")


def write(office: Office, *deeds: Callable[[Tx], Any]) -> None:
    with office.installed() as installed:
        for deed in deeds:
            installed.context.store.write(deed)


def keep_delivery(office: Office, name: str, **changes: Any) -> None:
    fields: dict[str, Any] = {
        "id": name,
        "account": AccountId("calendly"),
        "key": f"key {name}",
        "headers": (("Content-Type", "application/json"), ("Calendly-Webhook-Signature", "t=1,v1=s3cr3t")),
        "body": b'{"event": "invitee.created"}',
        "received_at": NOW,
        "touches": (("ingest", f"calendly|{name}"),),
    }
    state, error = changes.pop("state", None), changes.pop("error", "")
    delivery = StoredDelivery(**fields | changes)
    write(office, lambda tx: tx.queue.inbox_put(delivery))
    if state is not None:
        write(office, lambda tx: tx.queue.inbox_state(name, state, error))


# --- deliveries -----------------------------------------------------------------------------------------------------


def test_deliveries_are_listed_and_narrowed_by_state(opened: Office) -> None:
    keep_delivery(opened, "d1")
    keep_delivery(opened, "d2", state=DeliveryState.DEAD, error="no invitee")
    assert {one["id"] for one in opened.json("deliveries", "list")} == {"d1", "d2"}
    dead = opened.json("deliveries", "list", "--state", "dead")
    assert [(one["id"], one["error"]) for one in dead] == [("d2", "no invitee")]
    assert "no invitee" in opened.syncd("deliveries", "list").out


def test_a_delivery_is_shown_without_what_it_was_signed_with(opened: Office) -> None:
    keep_delivery(opened, "d1", body=b'{"a": "\x1b[31m"}\xff')
    shown = opened.json("deliveries", "show", "d1")
    assert shown["body"].startswith('{"a": "')
    assert ["Calendly-Webhook-Signature", "(hidden)"] in shown["headers"]
    drawn = opened.syncd("deliveries", "show", "d1")
    assert "s3cr3t" not in drawn.out and "\x1b" not in drawn.out and "application/json" in drawn.out


def test_a_replayed_delivery_is_new_again_and_what_it_names_is_due(opened: Office) -> None:
    keep_delivery(opened, "d1", state=DeliveryState.DEAD, error="no invitee")
    done = opened.syncd("replay", "d1")
    assert done.code == 0
    assert done.out == "d1: ingest calendly|d1\n"
    assert opened.json("deliveries", "show", "d1")["state"] == "new"
    with opened.installed() as installed, installed.context.store.read() as tx:
        assert tx.queue.depths(installed.context.clock.now())[WorkKind.INGEST][0] == 1


def test_a_delivery_that_names_nothing_is_not_replayed_and_said_so(opened: Office) -> None:
    keep_delivery(opened, "d1", touches=(), state=DeliveryState.DEAD)
    done = opened.syncd("replay", "d1")
    assert done.code == 1
    assert "names nothing to look at: d1" in done.err
    assert opened.json("deliveries", "show", "d1")["state"] == "dead"


def test_one_unknown_delivery_among_others_replays_none(opened: Office) -> None:
    keep_delivery(opened, "d1", state=DeliveryState.DEAD)
    done = opened.syncd("replay", "d1", "d9")
    assert done.code == 2
    assert "d9" in done.err
    assert opened.json("deliveries", "show", "d1")["state"] == "dead"


@pytest.mark.parametrize("words", [["list", "--state", "ded"], ["show", "nothing"]])
def test_wrong_names_of_deliveries_end_with_2(opened: Office, words: list[str]) -> None:
    assert opened.syncd("deliveries", *words).code == 2


# --- tasks ----------------------------------------------------------------------------------------------------------


def test_tasks_are_listed_narrowed_and_ticked_off(opened: Office) -> None:
    write(opened, lambda tx: tx.queue.say(TASK))
    assert [one["id"] for one in opened.json("tasks", "list", "--agent", "ana")] == [TASK.key]
    assert opened.json("tasks", "list", "--agent", "bruno") == []
    for _ in range(2):
        assert opened.json("tasks", "done", TASK.key) == {"id": TASK.key, "state": "done"}
    assert opened.json("tasks", "list") == []
    assert [one["id"] for one in opened.json("tasks", "list", "--state", "done")] == [TASK.key]


def test_only_a_task_can_be_ticked_off(opened: Office) -> None:
    alert = Notice(key="alert:1", channel="alert", kind="suspect", about="x", state="open")
    write(opened, lambda tx: tx.queue.say(alert))
    assert opened.syncd("tasks", "done", "alert:1").code == 2
    assert len(opened.json("status")["alerts"]) == 1


# --- suspicions -----------------------------------------------------------------------------------------------------


SUSPECT = CalendarId("embedded/ana/visits")


def suspect(office: Office) -> None:
    def mark(tx: Tx) -> None:
        found = CalendarState(calendar=SUSPECT, suspect_since=NOW, suspect_why="9 entries vanished at once")
        tx.calendars.save_state(found)

    write(office, mark)


@pytest.mark.parametrize("name", ["embedded/ana/visits", "embedded"])
def test_a_suspicion_is_lifted_by_calendar_or_account(opened: Office, name: str) -> None:
    suspect(opened)
    assert opened.json("sources", "release", name) == {"released": [SUSPECT]}
    with opened.installed() as installed, installed.context.store.read() as tx:
        assert tx.accounts.get(AccountId("syncd"), f"released:{SUSPECT}") is not None
    assert opened.syncd("sync").code == 0
    assert {one["state"] for one in opened.json("status")["sources"]} == {"ok"}


def test_without_a_suspicion_nothing_is_released(opened: Office) -> None:
    done = opened.syncd("sources", "release", "embedded")
    assert done.code == 0
    assert "nothing of embedded is under suspicion" in done.out


def test_an_unknown_source_is_told_the_nearest(opened: Office) -> None:
    done = opened.syncd("sources", "release", "embeded")
    assert done.code == 2
    assert "did you mean 'embedded'?" in done.err


# --- passwords and feeds --------------------------------------------------------------------------------------------


def test_a_password_is_read_from_stdin_and_never_shown(opened: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    done = with_stdin(
        opened, monkeypatch, "una-clave-larga\n", "auth", "embedded", "--agent", "ana", "--password-stdin"
    )
    assert done.code == 0
    assert "una-clave-larga" not in done.out + done.err
    assert f"{opened.url}/dav/" in done.out
    with opened.installed() as installed:
        assert installed.passwords.fits("ana", "una-clave-larga")
        assert not installed.passwords.fits("bruno", "una-clave-larga")


def with_stdin(office: Office, monkeypatch: pytest.MonkeyPatch, text: str, *words: str) -> Done:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    return office.syncd(*words)


@pytest.mark.parametrize("password", ["", "corta", "x" * 2000])
def test_a_bad_password_is_refused(opened: Office, monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    words = ["auth", "embedded", "--agent", "ana", "--password-stdin"]
    done = with_stdin(opened, monkeypatch, password + "\n", *words)
    assert done.code == 1
    assert "characters" in done.err


def test_without_a_terminal_a_password_must_come_from_stdin(opened: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    done = with_stdin(opened, monkeypatch, "una-clave-larga\n", "auth", "embedded", "--agent", "ana")
    assert done.code == 2
    assert "--password-stdin" in done.err


def test_a_feed_has_one_address_and_it_opens_the_agents_visits(office: Office) -> None:
    with office.daemon():
        office.syncd("sync")
        url = office.syncd("links", "feed", "Ana Soto").out.strip()
        assert url == office.json("links", "feed", "ana")["url"]
        assert url != office.json("links", "feed", "bruno")["url"]
        answer = requests.get(url, timeout=5)
    assert answer.status_code == 200
    assert answer.text.startswith("BEGIN:VCALENDAR")


# --- subscriptions --------------------------------------------------------------------------------------------------


def with_calendly(office: Office) -> None:
    account = f'[accounts.calendly]\nkind = "calendly"\napi_url = "http://127.0.0.1:{free_port()}"\ntoken = "t"'
    office.change('[[agents]]\nid = "ana"', f'{account}\nsigning_keys = ["k"]\n\n[[agents]]\nid = "ana"')


@pytest.mark.parametrize("words", [["list"], ["ensure"], ["remove", "calendly"]])
def test_a_provider_that_is_away_is_said_in_a_sentence(opened: Office, words: list[str]) -> None:
    with_calendly(opened)
    done = opened.syncd("webhooks", *words)
    assert done.code == 1
    assert "Traceback" not in done.err
    assert "calendly" in done.out + done.err


def test_without_an_account_that_pushes_there_is_nothing_to_list(opened: Office) -> None:
    assert opened.syncd("webhooks", "list").out == "No subscriptions.\n"
    assert opened.syncd("webhooks", "remove", "embedded").code == 2
