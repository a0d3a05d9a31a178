"""Visits from a shell, on a real store: booked, looked at, moved, handed over, cancelled, and who did it."""

from datetime import timedelta
from pathlib import Path

import pytest

from syncd.core.ids import AgentId, VisitId
from syncd.core.interval import Interval
from syncd.core.visit import VisitState
from syncd.store.visits import Cause
from tests.cli.office import Office, next_monday
from tests.core.values import visit

MONDAY = next_monday()


def test_a_booked_visit_is_shown_listed_and_in_the_calendar_after_a_sync(opened: Office) -> None:
    visit = opened.book(MONDAY, "--phone", "+56 9 1234 5678", "--answer", "Piso=4", "--host", "bruno")
    assert (visit["state"], visit["host"], visit["source"]["account"]) == ("confirmed", "bruno", "cli")
    assert visit["contact"]["phone"] == "+56912345678"
    assert visit["answers"] == [{"question": "Piso", "answer": "4"}]
    assert [one["id"] for one in opened.json("visits", "list")] == [visit["id"]]
    assert opened.syncd("plan").code == 3
    assert opened.syncd("sync").code == 0
    assert opened.syncd("plan").code == 0


def test_a_local_time_is_the_projects(opened: Office) -> None:
    done = opened.json(
        *"visits book --project casas --name Eva --email eva@b.example --start".split(), f"{MONDAY:%Y-%m-%dT%H:%M}"
    )
    assert done["start"] == MONDAY.isoformat()


@pytest.mark.parametrize("name", ["casas", "Casas PlanOK", "casas plan ok"])
def test_a_project_may_be_named_by_id_name_or_alias(opened: Office, name: str) -> None:
    assert opened.book(MONDAY, project=name)["project"] == "casas"


def test_an_event_type_may_be_named_by_its_role(opened: Office) -> None:
    assert opened.book(MONDAY, "--event-type", "urgent")["event_type"] == "urgente"


def test_a_visit_is_found_by_the_beginning_of_its_id(opened: Office) -> None:
    visit = opened.book(MONDAY)
    assert opened.json("visits", "show", visit["id"][:8]) == opened.json("visits", "show", visit["id"])
    done = opened.syncd("visits", "show", visit["id"][:2])
    assert done.code == 2
    assert "no visit has the id" in done.err and "at least 4 characters" in done.err


def test_a_moved_visit_keeps_its_history_with_who_and_from_where(opened: Office) -> None:
    visit = opened.book(MONDAY, "--host", "ana")
    later = MONDAY + timedelta(hours=1)
    moved = opened.json("visits", "move", visit["id"], "--start", later.isoformat())
    assert (moved["start"], moved["host"]) == (later.isoformat(), "ana")
    items = opened.json("visits", "history", visit["id"])
    assert [one["version"] for one in items] == [1, 2]
    assert all(one["actor"].startswith("cli:") and one["source"] == "cli" for one in items)
    drawn = opened.syncd("visits", "history", visit["id"])
    assert "booked" in drawn.out and "→" in drawn.out


def test_a_visit_is_handed_over_at_the_same_time(opened: Office) -> None:
    visit = opened.book(MONDAY, "--host", "ana")
    assert opened.json("visits", "reassign", visit["id"], "--host", "Bruno Rojas")["host"] == "bruno"


def test_a_host_who_is_taken_is_refused_and_nothing_changes(opened: Office) -> None:
    visit = opened.book(MONDAY, "--host", "ana")
    opened.book(MONDAY, "--host", "bruno")
    done = opened.syncd("visits", "reassign", visit["id"], "--host", "bruno")
    assert (done.code, done.err) == (1, "syncd: Somebody else was first\n")
    assert opened.json("visits", "show", visit["id"]) == visit


def test_a_cancelled_visit_frees_its_time_and_says_whose_wish_it_was(opened: Office) -> None:
    visit = opened.book(MONDAY, "--host", "ana")
    gone = opened.json("visits", "cancel", visit["id"], "--by", "client", "--reason", "está enferma")
    assert (gone["state"], gone["cancel_reason"]) == ("cancelled", "client")
    assert opened.json("visits", "history", visit["id"])[-1]["note"] == "está enferma"
    opened.book(MONDAY, "--host", "ana")


def test_cancelling_twice_shows_the_state_reached(opened: Office) -> None:
    visit = opened.book(MONDAY)
    first = opened.json("visits", "cancel", visit["id"])
    assert opened.syncd("visits", "cancel", visit["id"], "--json").json["state"] == first["state"]


def test_lists_are_narrowed_by_agent_state_project_and_time(opened: Office) -> None:
    ana, bruno = opened.book(MONDAY, "--host", "ana"), opened.book(MONDAY, "--host", "bruno")
    opened.json("visits", "cancel", ana["id"])
    day = f"{MONDAY:%Y-%m-%d}"

    def ids(*words: str) -> set[str]:
        return {one["id"] for one in opened.json("visits", "list", *words)}

    assert ids("--agent", "ana") == {ana["id"]}
    assert ids("--state", "confirmed") == {bruno["id"]}
    assert ids("--state", "confirmed", "--state", "cancelled") == {ana["id"], bruno["id"]}
    assert ids("--project", "torre") == set()
    assert ids("--from", day, "--to", day) == {ana["id"], bruno["id"]}
    assert ids("--to", f"{MONDAY - timedelta(days=1):%Y-%m-%d}") == set()


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["visits", "list", "--agent", "anna"], "did you mean 'ana'?"),
        (["visits", "list", "--project", "casa"], "did you mean 'casas'?"),
        (["visits", "list", "--state", "confirmd"], "did you mean 'confirmed'?"),
        (["visits", "list", "--from", "mañana"], "write 2026-12-01T09:00"),
        (["visits", "list", "--from", "2026-12-02", "--to", "2026-12-01"], "ends before it begins"),
        (["visits", "list", "--from", "2026-12-02", "--to", "2036-12-01"], "at most 400 days"),
        (["visits", "list", "--from", "0001-01-01T00:00"], "out of range"),
    ],
)
def test_a_wrong_word_is_told_the_right_one(opened: Office, words: list[str], hint: str) -> None:
    done = opened.syncd(*words)
    assert done.code == 2
    assert hint in done.err


@pytest.mark.parametrize(
    ("changed", "hint"),
    [
        ({"--email": "eva"}, "email: must be an e-mail address"),
        ({"--name": "E\x1b[31m"}, "name: must be one line"),
        ({"--phone": "*21*123456789#"}, "telephone"),
        ({"--host": "clara"}, "no agent is called 'clara'"),
        ({"--event-type": "urgentee"}, "did you mean 'urgente'?"),
        ({"--answer": "no sign"}, "QUESTION=ANSWER"),
        ({"--start": "2027-09-05T00:30"}, "does not exist in America/Santiago"),
    ],
)
def test_what_is_typed_for_a_booking_meets_the_same_limits_as_the_api(
    opened: Office, changed: dict[str, str], hint: str
) -> None:
    words = {"--project": "casas", "--start": MONDAY.isoformat(), "--name": "Eva", "--email": "e@b.example"} | changed
    done = opened.syncd("visits", "book", *(word for pair in words.items() for word in pair))
    assert done.code == 2
    assert hint in done.err
    assert opened.json("visits", "list") == []


def test_an_inactive_project_takes_no_bookings(opened: Office) -> None:
    done = opened.syncd(
        *"visits book --project torre --name Eva --email e@b.example --start".split(), MONDAY.isoformat()
    )
    assert done.code == 1
    assert "takes no bookings yet" in done.err


def test_what_a_visit_says_is_listed_and_shown_before_it_leaves(opened: Office) -> None:
    visit = opened.book(MONDAY)
    assert opened.syncd("sync").code == 0
    said = {(one["kind"], one["to"]): one["state"] for one in opened.json("messages", "list", visit["id"])}
    assert said["booking_info", "client"] == "skipped"  # no account carries messages here
    assert said["agent_notice", f"agent:{visit['host']}"] == "sent"
    assert said["reminder", "client"] == "planned"
    shown = opened.json("messages", "preview", visit["id"][:8], "reminder")
    assert shown["subject"] and shown["text"]
    assert "no_channel" in opened.syncd("messages", "list", visit["id"]).out
    assert shown["subject"] in opened.syncd("messages", "preview", visit["id"], "reminder").out
    wrong = opened.syncd("messages", "preview", visit["id"], "remindr")
    assert wrong.code == 2 and "reminder" in wrong.err


def test_a_visit_has_one_link_until_a_newer_one_is_wanted(opened: Office) -> None:
    visit = opened.book(MONDAY)
    first = opened.json("links", "visit", visit["id"][:8])
    assert (first["visit"], first["expires_at"]) == (visit["id"], visit["end"])
    assert opened.syncd("links", "visit", visit["id"]).out.strip() == first["url"]
    renewed = opened.json("links", "visit", visit["id"], "--renew")["url"]
    assert renewed != first["url"] and "/v/" in renewed
    assert opened.json("links", "visit", visit["id"])["url"] == renewed


# --- hand-over ------------------------------------------------------------------------------------------------------

ON = f"{MONDAY:%Y-%m-%d}"


def test_a_hand_over_moves_what_it_can_and_ends_with_3_where_something_stays(opened: Office) -> None:
    opened.book(MONDAY, "--host", "bruno")
    stays = opened.book(MONDAY, "--host", "ana")
    goes = opened.book(MONDAY + timedelta(hours=1), "--host", "ana")
    words = ("handover", "ana", "Bruno Rojas", "--project", "casas", "--on", ON)
    planned = opened.syncd(*words, "--dry-run", "--json")
    assert (planned.code, [one["visit"] for one in planned.json["moved"]]) == (3, [goes["id"]])
    assert opened.json("visits", "show", goes["id"])["host"] == "ana"
    done = opened.syncd(*words)
    assert done.code == 3
    assert goes["id"][:8] in done.out and "the colleague holds another visit" in done.out
    assert opened.json("visits", "show", goes["id"])["host"] == "bruno"
    assert opened.json("visits", "show", stays["id"])["host"] == "ana"
    opened.json("visits", "cancel", stays["id"])
    again = opened.syncd(*words)
    assert again.code == 0 and "No visits to move." in again.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ana", "brunno", "--on", ON], "did you mean 'bruno'"),
        (["anna", "bruno", "--on", ON], "did you mean 'ana'"),
        (["ana", "ana", "--on", ON], "two agents"),
        (["ana", "bruno", "--on", "monday"], "--on takes a day"),
    ],
)
def test_a_hand_over_that_makes_no_sense_says_what_to_write(opened: Office, words: list[str], said: str) -> None:
    done = opened.syncd("handover", *words, "--project", "casas")
    assert done.code == 2 and said in done.err


def test_a_hand_over_goes_to_the_team_only(opened: Office) -> None:
    done = opened.syncd("handover", "bruno", "ana", "--project", "torre", "--on", ON)
    assert done.code == 2 and "in the team of Torre Sur" in done.err and "bruno" in done.err


# --- staff's word on a visit ----------------------------------------------------------------------------------------


def test_a_pending_visit_is_approved_or_rejected(opened: Office) -> None:
    opened.change(
        '[event_types.urgente]\nname = "Visita urgente"\n', '[event_types.urgente]\nname = "U"\napproval = true\n'
    )
    first = opened.book(MONDAY, "--event-type", "urgent")
    second = opened.book(MONDAY + timedelta(hours=1), "--event-type", "urgent")
    assert (first["state"], second["state"]) == ("pending", "pending")
    assert opened.json("visits", "approve", first["id"][:8])["state"] == "confirmed"
    gone = opened.json("visits", "reject", second["id"], "--reason", "la casa está vendida")
    assert (gone["state"], gone["cancel_message"]) == ("cancelled", "la casa está vendida")
    done = opened.syncd("visits", "approve", second["id"])
    assert done.code == 1 and "the visit is cancelled" in done.err


def test_the_clients_yes_is_noted_and_attendance_only_once_the_visit_has_begun(opened: Office) -> None:
    visit = opened.book(MONDAY)
    assert opened.json("visits", "confirm", visit["id"])["client_confirmation"] == "yes"
    early = opened.syncd("visits", "attendance", visit["id"], "present")
    assert early.code == 1 and "once the visit has begun" in early.err
    wrong = opened.syncd("visits", "attendance", visit["id"], "no-show")
    assert wrong.code == 2 and "did you mean 'no_show'" in wrong.err


def test_attendance_of_a_visit_that_has_begun_is_noted(opened: Office) -> None:
    with opened.installed() as installation:
        ctx = installation.context
        now = ctx.clock.now()
        begun = Interval(now - timedelta(minutes=5), now + timedelta(minutes=15))
        cause = Cause(at=now, actor="test", source="test")
        made = visit(id=VisitId("begun"), host=AgentId("ana"), interval=begun, guard=begun, state=VisitState.CONFIRMED)
        ctx.store.write(lambda tx: tx.visits.save(made, cause))
    assert opened.json("visits", "attendance", "begun", "no_show")["attendance"] == "no_show"
    assert opened.json("visits", "attendance", "begun", "present")["attendance"] == "present"


def test_a_folder_is_no_request(opened: Office, tmp_path: Path) -> None:
    done = opened.syncd("route", str(tmp_path))
    assert done.code == 2 and "is a folder" in done.err
