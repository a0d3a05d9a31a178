"""What commands show of the state of things: status, plan, busy, explain-slot, route, doctor, check-config, schema."""

import http.server
import json
import os
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from syncd import runner
from syncd.cli.examination import _judged
from syncd.cli.paper import lasting
from syncd.clock import SystemClock
from syncd.core.busy import BusyBlock
from syncd.core.ids import AccountId, CalendarId
from syncd.core.interval import Interval
from syncd.flows.context import Context
from syncd.operations.status import lag
from syncd.store import Tx
from syncd.store.accounts import AccountState
from syncd.store.calendars import Entry
from syncd.store.queue import Notice, WorkKind
from tests.cli.office import Office, free_port, next_monday

MONDAY = next_monday()


def with_closed_server(office: Office, port: int | None = None) -> None:
    """Give Bruno a second calendar at a server that is not there, or at a port."""
    url = f"http://127.0.0.1:{port or free_port()}/"
    account = f'[accounts.lejos]\nkind = "caldav"\nurl = "{url}"\nusername = "b"\npassword = "x"'
    office.change('[[agents]]\nid = "ana"', f'{account}\n\n[[agents]]\nid = "ana"')
    office.change(
        '[{ account = "embedded", calendar = "bruno/visits", role = "publish" }]',
        '[{ account = "embedded", calendar = "bruno/visits", role = "publish" },'
        ' { account = "lejos", calendar = "b/casa", role = "busy" }]',
    )


# --- status ---------------------------------------------------------------------------------------------------------


def test_status_tells_of_every_source_account_agent_and_project(opened: Office) -> None:
    body = opened.json("status")
    assert [one["calendar"] for one in body["sources"]] == ["embedded/ana/visits", "embedded/bruno/visits"]
    assert {one["state"] for one in body["sources"] + body["accounts"]} == {"ok"}
    assert all(one["last_success"] and one["cursor"] for one in body["sources"])
    assert all(one["last_success"] for one in body["accounts"])
    assert {one["agent"]: one["bookable"] for one in body["agents"]} == {"ana": True, "bruno": True}
    assert {one["project"]: one["active"] for one in body["projects"]} == {"casas": True, "torre": False}
    assert body["recovery"] is False
    assert body["lag"]["p95_seconds"] is not None


def test_work_that_failed_and_waits_is_not_quiet(opened: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(ctx: Context, key: str, now: datetime) -> datetime | None:
        raise LookupError("a defect")

    opened.book(MONDAY)
    monkeypatch.setitem(runner.HANDLERS, WorkKind.PUBLISH, broken)
    done = opened.syncd("sync", "--once")
    assert done.code == 1
    assert "publish " in done.err and "failing: LookupError('a defect')" in done.err
    monkeypatch.undo()
    assert opened.syncd("sync").code == 0


def test_a_server_that_is_away_closes_its_agent_alone_and_status_says_why(office: Office) -> None:
    with_closed_server(office)
    done = office.syncd("sync", "--once")
    assert done.code == 1
    assert "lejos" in done.err
    body = office.json("status")
    assert {one["agent"]: one["bookable"] for one in body["agents"]} == {"ana": True, "bruno": False}
    why = next(one["why"] for one in body["agents"] if one["agent"] == "bruno")
    assert "lejos/b/casa" in why
    drawn = office.syncd("status").out
    assert "never read" in drawn and why in drawn and "1 of 2 agents bookable" in drawn


def test_status_shows_alerts_with_their_text(opened: Office) -> None:
    notice = Notice(
        key="alert:1", channel="alert", kind="sign_in", about="x", body={"text": "sign \x1b[31m in"}, state="open"
    )
    _write(opened, lambda tx: tx.queue.say(notice))
    assert [one["text"] for one in opened.json("status")["alerts"]] == ["sign \x1b[31m in"]
    assert "sign \\x1b[31m in" in opened.syncd("status").out


def test_a_refused_login_is_a_word_of_its_own(opened: Office) -> None:
    parked = AccountState(account=AccountId("embedded"), parked="401: who are you")
    _write(opened, lambda tx: tx.accounts.save_state(parked))
    account = opened.json("status")["accounts"][0]
    assert (account["state"], account["error"]) == ("login refused", "401: who are you")


def _write(office: Office, deed: Callable[[Tx], Any]) -> None:
    with office.installed() as installed:
        installed.context.store.write(deed)


@pytest.mark.parametrize(
    ("ages", "p50", "p95"),
    [([], None, None), ([7], 7, 7), ([*range(1, 101)], 50, 95), ([9, 1], 1, 9), ([3, 1, 2], 2, 3)],
)
def test_percentiles_are_nearest_ranks(ages: list[int], p50: int | None, p95: int | None) -> None:
    assert lag(ages) == {"p50_seconds": p50, "p95_seconds": p95}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""),
        (0, "0s"),
        (45, "45s"),
        (3600, "1h"),
        (723, "12m 3s"),
        (19_200, "5h 20m"),
        (273_600, "3d 4h"),
        (86_401, "1d"),
    ],
)
def test_lengths_of_time_are_told_in_the_two_largest_units(seconds: int | None, words: str) -> None:
    assert lasting(seconds) == words


# --- plan and busy --------------------------------------------------------------------------------------------------


def test_a_plan_names_calendar_deed_and_time_and_does_nothing(opened: Office) -> None:
    visit = opened.book(MONDAY, "--host", "ana")
    before = opened.json("plan")
    assert before == opened.json("plan")
    assert [(one["calendar"], one["act"], one["subject"]) for one in before] == [
        ("embedded/ana/visits", "create", f"visit:{visit['id']}")
    ]
    assert before[0]["start"] == MONDAY.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_an_empty_plan_says_so(opened: Office) -> None:
    done = opened.syncd("plan")
    assert (done.code, done.out) == (0, "Nothing is due.\n")


def test_a_move_and_a_cancellation_are_planned_as_update_and_delete(opened: Office) -> None:
    moved, gone = opened.book(MONDAY, "--host", "ana"), opened.book(MONDAY, "--host", "bruno")
    opened.syncd("sync")
    opened.json("visits", "move", moved["id"], "--start", (MONDAY + timedelta(hours=1)).isoformat())
    opened.json("visits", "cancel", gone["id"])
    assert {one["calendar"]: one["act"] for one in opened.json("plan")} == {
        "embedded/ana/visits": "update",
        "embedded/bruno/visits": "delete",
    }


def test_busy_time_is_listed_in_utc_with_its_source_buffers_included(opened: Office) -> None:
    visit = opened.book(MONDAY, "--host", "ana")
    day = f"{MONDAY:%Y-%m-%d}"
    assert opened.json("busy", "ana", "--from", day, "--to", day) == [
        {
            "start": _utc(MONDAY),
            "end": _utc(MONDAY + timedelta(minutes=30)),
            "kind": "hold",
            "account": "cli",
            "calendar": None,
            "visit": visit["id"],
        }
    ]
    assert opened.json("busy", "bruno", "--from", day, "--to", day) == []


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- explain-slot ---------------------------------------------------------------------------------------------------


def explained(office: Office, when: str, *words: str) -> dict[str, Any]:
    found: dict[str, Any] = office.json("explain-slot", "casas", when, *words)
    return found | {"by_host": {one["host"]: one for one in found["hosts"]}}


def test_a_taken_host_is_named_with_the_visit_in_the_way_and_the_other_is_free(opened: Office) -> None:
    visit = opened.book(MONDAY, "--host", "ana")
    found = explained(opened, MONDAY.isoformat())
    assert found["offered"] is True
    ana = found["by_host"]["ana"]
    assert (ana["free"], ana["reason"], ana["why"]) == (False, "slot_taken", "Somebody else was first")
    assert any(visit["id"] in line for line in ana["details"])
    assert found["by_host"]["bruno"]["free"] is True


@pytest.mark.parametrize(
    ("hour", "reason", "detail"),
    [
        ("08:00", "hours", "works that day"),
        ("10:07", "not_offered", "begin every"),
        ("18:00", "hours", "works that day"),
    ],
)
def test_the_reason_is_the_one_that_a_booking_is_refused_with(
    opened: Office, hour: str, reason: str, detail: str
) -> None:
    when = f"{MONDAY:%Y-%m-%d}T{hour}"
    found = explained(opened, when)
    assert found["offered"] is False
    assert {one["reason"] for one in found["hosts"]} == {reason}
    assert any(detail in line for line in found["by_host"]["ana"]["details"])
    client = "--name Eva --email e@b.example --json".split()
    refused = opened.syncd("visits", "book", "--project", "casas", "--start", when, *client)
    assert refused.json["reason"] == reason


def test_a_time_beyond_the_window_or_too_soon_is_explained(opened: Office) -> None:
    far = next_monday(weeks=30)
    assert {one["reason"] for one in explained(opened, far.isoformat())["hosts"]} == {"window"}
    past = next_monday(weeks=-3)
    assert {one["reason"] for one in explained(opened, past.isoformat())["hosts"]} == {"notice"}


def test_a_host_whose_calendar_cannot_be_read_is_closed_with_the_calendar_named(office: Office) -> None:
    with_closed_server(office)
    office.syncd("sync", "--once")
    bruno = explained(office, MONDAY.isoformat())["by_host"]["bruno"]
    assert bruno["reason"] == "unknown"
    assert any("lejos/b/casa" in line for line in bruno["details"])


def test_an_inactive_project_explains_itself(opened: Office) -> None:
    found = opened.json("explain-slot", "torre", MONDAY.isoformat())
    assert (found["offered"], found["reason"]) == (False, "project-inactive")


# --- route ----------------------------------------------------------------------------------------------------------


REQUEST = {
    "id": "r1",
    "project": "Casas Plan OK",
    "contact": {"name": "Eva", "email": "e@b.example"},
    "requirements": [{"id": "q", "priority": "urgent"}],
}


def routed(office: Office, request: object) -> Any:
    file = office.home / "request.json"
    file.write_text(json.dumps(request))
    return office.syncd("route", str(file), "--json")


def test_a_request_is_routed_by_the_first_rule_that_fits_before_there_is_a_store(office: Office) -> None:
    body = routed(office, REQUEST).json
    assert (body["project"], body["event_type"], body["role"]) == ("casas", "urgente", "urgent")
    assert body["hosts"] == ["ana", "bruno"]
    assert [one["taken"] for one in body["rules"]].count(True) == 1
    assert all(one["why"] for one in body["rules"])
    assert not (office.home / "state").exists()


def test_whose_turn_it_is_comes_first(opened: Office) -> None:
    opened.book(MONDAY, "--host", "ana", "--event-type", "urgent")
    assert routed(opened, REQUEST).json["hosts"] == ["bruno", "ana"]


def test_a_request_for_no_project_ends_with_1_and_says_why(office: Office) -> None:
    done = routed(office, REQUEST | {"project": "Nowhere"})
    assert done.code == 1
    assert "Nowhere" in done.json["error"]


@pytest.mark.parametrize("request_", [[], {}, REQUEST | {"colour": 1}, REQUEST | {"contact": {"name": ""}}])
def test_what_is_no_request_ends_with_2(office: Office, request_: object) -> None:
    assert routed(office, request_).code == 2


def test_what_is_no_json_ends_with_2_and_a_missing_file_with_1(office: Office) -> None:
    (office.home / "request.json").write_text("{")
    assert office.syncd("route", "request.json").code == 2
    done = office.syncd("route", "nothing.json")
    assert done.code == 1
    assert "nothing.json" in done.err and "Traceback" not in done.err


# --- check-config, doctor, schema -----------------------------------------------------------------------------------


def test_check_config_tells_every_problem_at_once(office: Office) -> None:
    office.change('hours = "oficina"', 'hours = "ofisina"')
    office.change('duration = "20m"', 'duration = "20 minutes"')
    done = office.syncd("check-config")
    assert done.code == 2
    assert len(done.out.splitlines()) == 3  # two agents and one duration
    assert office.syncd("check-config", "--json").json["problems"] == done.out.splitlines()


def test_check_config_online_tries_every_account(opened: Office) -> None:
    with_closed_server(opened)
    done = opened.syncd("check-config", "--online", "--json")
    assert done.code == 1
    states = {(one["account"], one["state"]) for one in done.json["checks"]}
    assert ("lejos", "fail") in states and ("embedded", "ok") in states
    assert all(one["remedy"] for one in done.json["checks"] if one["state"] != "ok")


def test_doctor_finds_a_sound_installation_sound_but_for_the_daemon(opened: Office) -> None:
    rows = opened.syncd("doctor", "--json").json
    wrong = {(one["what"], one["state"]) for one in rows if one["state"] != "ok"}
    assert wrong - {("sqlite", "warn")} == {("daemon", "warn"), ("public_url", "fail")}
    assert {"disk", "store", "state", "urllib3", "login"} <= {one["what"] for one in rows}


def test_every_line_of_doctor_that_is_not_ok_has_a_remedy(opened: Office) -> None:
    with_closed_server(opened)
    opened.config.chmod(0o644)
    (opened.home / "state" / "secret").chmod(0o644)
    rows = opened.syncd("doctor", "--json").json
    assert all(one["remedy"] for one in rows if one["state"] != "ok")
    assert {one["state"] for one in rows} <= {"ok", "warn", "fail"}
    assert any("secret" in one["text"] and one["state"] == "fail" for one in rows)


def test_doctor_warns_of_dead_letters_and_alerts(opened: Office) -> None:
    notice = Notice(
        key="alert:1", channel="alert", kind="suspect", about="x", body={"text": "look there"}, state="open"
    )
    _write(opened, lambda tx: tx.queue.say(notice))
    assert ("alert", "warn") in {(one["what"], one["state"]) for one in opened.syncd("doctor", "--json").json}


@pytest.mark.parametrize(("ahead", "state"), [(0, "ok"), (25, "ok"), (-25, "ok"), (60, "fail"), (-3600, "fail")])
def test_a_clock_that_differs_is_told_by_how_much(ahead: int, state: str) -> None:
    now = datetime(2026, 5, 4, 12, tzinfo=UTC)
    check = _judged(now + timedelta(seconds=ahead), now, now + timedelta(seconds=2))
    assert check.state == state
    assert check.remedy if state == "fail" else not check.remedy


def test_the_schema_is_json_schema_of_the_tables(office: Office) -> None:
    body = office.syncd("config", "schema").json
    assert {"daemon", "agents", "projects", "accounts"} <= set(body["properties"])


def test_what_commands_leave_behind_is_readable_by_nobody_else(opened: Office) -> None:
    for path in [opened.home / "state", *(opened.home / "state").iterdir()]:
        assert not stat.S_IMODE(os.stat(path).st_mode) & 0o077, path


class WrongClock(http.server.BaseHTTPRequestHandler):
    """A server that refuses everybody, politely, an hour ahead of us."""

    def do_GET(self) -> None:
        self.send_response_only(401)
        self.send_header("Date", format_datetime(SystemClock().now() + timedelta(hours=1), usegmt=True))
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PROPFIND = do_OPTIONS = do_GET

    def log_message(self, *args: object) -> None:
        return


def test_doctor_compares_the_clock_with_those_of_the_accounts_servers(opened: Office) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), WrongClock) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        with_closed_server(opened, port=server.server_address[1])
        rows = opened.syncd("doctor", "--json").json
        server.shutdown()
        thread.join()
    clock = next(one for one in rows if one["account"] == "lejos" and one["what"] == "clock")
    assert clock["state"] == "fail"
    assert "by 3600 s" in clock["text"] or "by 3599 s" in clock["text"]
    assert "NTP" in clock["remedy"]


def test_doctor_finds_a_running_daemon_and_its_public_address(office: Office) -> None:
    with office.daemon():
        office.syncd("sync")
        done = office.syncd("doctor", "--json")
        found = {one["what"]: one["state"] for one in done.json}
        assert office.json("status")["daemon"] is True
    assert (found["daemon"], found["public_url"], done.code) == ("ok", "ok", 0)


def test_doctor_is_not_taken_in_by_somebody_elses_server(opened: Office) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", opened.port), WrongClock) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        rows = opened.syncd("doctor", "--json").json
        server.shutdown()
        thread.join()
    found = next(one for one in rows if one["what"] == "public_url")
    assert found["state"] == "fail" and "401" in found["text"]


def test_a_busy_block_is_named_with_its_calendar(opened: Office) -> None:
    source = CalendarId("embedded/ana/visits")
    lunch = Interval(MONDAY, MONDAY + timedelta(hours=1))
    block = BusyBlock(calendar=source, remote_id="r", uid="u", interval=lunch)
    _write(
        opened, lambda tx: tx.calendars.put_entries(source, [Entry(remote_id="r", uid="u", etag="", blocks=(block,))])
    )
    ana = explained(opened, MONDAY.isoformat())["by_host"]["ana"]
    assert (ana["reason"], ana["why"]) == ("busy", "The agent has something else at that time")
    assert any("embedded/ana/visits is busy" in line for line in ana["details"])
    day = f"{MONDAY:%Y-%m-%d}"
    assert [(one["kind"], one["account"], one["calendar"]) for one in opened.json("busy", "ana", "--from", day)] == [
        ("block", "embedded", "embedded/ana/visits")
    ]
