"""What may be done to a visit, what may not, and that asking twice does no harm."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncd.core.event_type import Question
from syncd.core.ids import AgentId
from syncd.core.interval import Interval
from syncd.store.visits import Cause
from tests.web.stage import Stage, booking, directory, request_body, staged
from tests.world.town import CASAS, VISITA


def do(stage: Stage, visit: dict[str, Any], action: str, **body: Any) -> Any:
    return stage.api.post(f"/api/visits/{visit['id']}/{action}", body)


def done(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    visit: dict[str, Any] = answer.json()
    return visit


def refused(answer: Any, status: int, kind: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["type"]) == (status, kind), body
    return body


def said(stage: Stage, visit: dict[str, Any], kind: str, to: str = "client") -> list[Any]:
    return [one.body for one in stage.notices("message", visit["id"]) if one.kind == kind and one.to == to]


# approval


def test_a_visit_that_needs_approval_waits_for_it_and_holds_meanwhile(stage: Stage) -> None:
    start = stage.a_start()
    visit = stage.book(start, event_type="larga", host="ana")
    assert visit["state"] == "pending"
    refused(stage.api.post("/api/visits", {**_again(visit), "start": start, "host": "ana"}), 409, "slot-taken")
    approved = done(do(stage, visit, "approve"))
    assert (approved["state"], approved["version"]) == ("confirmed", 2)
    assert done(do(stage, visit, "approve")) == approved, "approving twice changes nothing"
    assert len(said(stage, visit, "booking_info")) == 1, "the client is told once, when it is certain"
    assert len(said(stage, visit, "request_received")) == 1, "and once that it waits"


def _again(visit: dict[str, Any]) -> dict[str, Any]:
    return {"project": visit["project"], "contact": {"name": "Otra", "email": "otra@example.com"}}


def test_a_rejected_visit_is_cancelled_with_the_reason_and_frees_its_time(stage: Stage) -> None:
    visit = stage.book(stage.a_start(), event_type="larga", host="ana")
    rejected = done(do(stage, visit, "reject", reason="No hay llaves"))
    assert (rejected["state"], rejected["cancel_reason"], rejected["cancel_message"]) == (
        "cancelled",
        "rejected",
        "No hay llaves",
    )
    assert stage.book(visit["start"], host="ana")["state"] == "confirmed"


def test_only_a_pending_visit_can_be_rejected(stage: Stage) -> None:
    refused(do(stage, stage.book(stage.a_start()), "reject"), 409, "illegal-state")


# confirm


def test_a_client_s_yes_is_noted_once(stage: Stage) -> None:
    visit = stage.book(stage.a_start())
    confirmed = done(do(stage, visit, "confirm"))
    assert (confirmed["client_confirmation"], confirmed["version"]) == ("yes", 2)
    assert done(do(stage, visit, "confirm")) == confirmed


# cancel


@pytest.mark.parametrize("by", ["client", "agent", "staff"])
def test_a_cancelled_visit_says_by_whom_and_frees_its_time(stage: Stage, by: str) -> None:
    visit = stage.book(stage.a_start(), host="beto")
    cancelled = done(do(stage, visit, "cancel", by=by))
    assert (cancelled["state"], cancelled["cancel_reason"]) == ("cancelled", by)
    assert done(do(stage, visit, "cancel", by="staff")) == cancelled, "the first word stands"
    assert stage.book(visit["start"], host="beto")["state"] == "confirmed"
    assert ("reconcile", "beto") in stage.take_work()


def test_wishes_of_a_cancellation_go_with_the_client_s_notice(stage: Stage) -> None:
    visit = stage.book(stage.a_start())
    wishes = {"message": "Se cortó el agua", "rebook_link": True, "channel": "whatsapp"}
    cancelled = done(do(stage, visit, "cancel", by="agent", reason="corte", **wishes))
    assert cancelled["cancel_message"] == "Se cortó el agua"
    assert said(stage, visit, "cancellation") == [wishes]
    assert said(stage, visit, "cancellation", "agent:ana") == []
    (row,) = [one for one in history(stage, visit) if one["version"] == 2]
    assert row["note"] == "corte"


def test_a_cancellation_without_wishes_says_nothing_extra(stage: Stage) -> None:
    visit = stage.book(stage.a_start())
    done(do(stage, visit, "cancel", by="client"))
    assert said(stage, visit, "cancellation") == [None]


def history(stage: Stage, visit: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = stage.api.get(f"/api/visits/{visit['id']}/history").json()["items"]
    return items


@pytest.mark.parametrize(
    "body", [{}, {"by": "nobody"}, {"by": "scheduler"}, {"by": "staff", "channel": "pigeon"}, {"by": "staff", "x": 1}]
)
def test_a_cancellation_of_nonsense_is_invalid(stage: Stage, body: dict[str, Any]) -> None:
    visit = stage.book(stage.a_start())
    refused(do(stage, visit, "cancel", **body), 422, "invalid")
    assert stage.visit(visit["id"]).active


# move, reassign


def test_a_moved_visit_keeps_its_identity_and_frees_the_old_time(stage: Stage) -> None:
    visit = stage.book(stage.a_start(), host="ana")
    later = stage.a_start()
    moved = done(do(stage, visit, "move", start=later))
    assert (moved["id"], moved["start"], moved["host"]) == (visit["id"], later, "ana")
    assert stage.book(visit["start"], host="ana")["host"] == "ana"
    assert done(do(stage, visit, "move", start=later))["version"] == moved["version"]
    (told,) = said(stage, visit, "update")
    assert datetime.fromisoformat(told["was"]) == datetime.fromisoformat(visit["start"])


def test_a_visit_may_move_to_another_host_at_another_time(stage: Stage) -> None:
    visit = stage.book(stage.a_start(), host="ana")
    stage.take_work()
    moved = done(do(stage, visit, "move", start=stage.a_start(), host="beto@a.example"))
    assert moved["host"] == "beto"
    assert {("reconcile", "ana"), ("reconcile", "beto")} <= stage.take_work()


def test_a_move_onto_another_visit_is_refused_with_alternatives_and_changes_nothing(stage: Stage) -> None:
    standing = stage.book(stage.a_start(), host="ana")
    visit = stage.book(stage.a_start(), host="ana")
    body = refused(do(stage, visit, "move", start=standing["start"]), 409, "slot-taken")
    assert body["alternatives"]
    assert done(stage.api.get(f"/api/visits/{visit['id']}")) == visit


@pytest.mark.parametrize("host", [None, "beto"])
@pytest.mark.parametrize("taken", range(3))
def test_every_alternative_of_a_refused_move_is_accepted(tmp_path: Path, host: str | None, taken: int) -> None:
    """The colleagues' free times do not count, the visit itself is not in its own way, and the refused time is out."""
    with staged(tmp_path) as own:
        starts = [own.a_start() for _ in range(5)]
        for start in starts[1 : 2 + taken]:
            own.book(start, host=host or "ana")
        visit = own.book(starts[0], host="ana")
        named = {"host": host} if host is not None else {}
        found = refused(do(own, visit, "move", start=starts[1], **named), 409, "slot-taken")["alternatives"]
        assert len(found) == 5 and not {starts[1], visit["start"]} & {one["start"] for one in found}
        for one in found:
            moved = done(do(own, visit, "move", start=one["start"], **named))
            assert (moved["host"], moved["start"]) == (host or "ana", one["start"])
            done(do(own, visit, "move", start=visit["start"], host="ana"))


def test_the_alternatives_of_a_longer_visit_have_room_for_its_length(tmp_path: Path) -> None:
    with staged(tmp_path) as own:
        start, _between, wanted = (own.a_start() for _ in range(3))
        visit = own.book(start, host="ana")
        own.book(wanted, host="ana")
        long = own.visit(visit["id"])
        longer = Interval(long.interval.start, long.interval.start + timedelta(minutes=28))
        cause = Cause(at=own.clock.now(), actor="test", source="test")
        own.store.write(lambda tx: tx.visits.save(replace(long, interval=longer, guard=longer), cause))
        found = refused(do(own, visit, "move", start=wanted), 409, "slot-taken")["alternatives"]
        for one in found:
            assert done(do(own, visit, "move", start=one["start"]))["start"] == one["start"]


def test_what_no_other_time_would_mend_has_no_alternatives(stage: Stage) -> None:
    visit = stage.book(stage.a_start(), host="ana")
    done(do(stage, visit, "cancel", by="staff"))
    assert "alternatives" not in refused(do(stage, visit, "move", start=stage.a_start()), 409, "illegal-state")


@pytest.mark.parametrize(("start", "kind"), [("07:00:00", "hours"), ("09:10:00", "not-offered")])
def test_a_move_is_judged_like_a_booking(stage: Stage, start: str, kind: str) -> None:
    visit = stage.book(stage.a_start())
    refused(do(stage, visit, "move", start=f"2026-05-08T{start}-04:00"), 409, kind)


def test_a_colleague_takes_a_visit_and_a_busy_one_does_not(stage: Stage) -> None:
    start = stage.a_start()
    visit = stage.book(start, host="ana")
    taken = done(do(stage, visit, "reassign", host="beto"))
    assert (taken["host"], taken["start"]) == ("beto", start)
    assert done(do(stage, visit, "reassign", host="beto")) == taken
    stage.book(start, host="ana")
    refused(do(stage, visit, "reassign", host="ana"), 409, "slot-taken")
    refused(do(stage, visit, "reassign", host="nadie"), 404, "not-found")


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Stage]:
    """Beto is an agent, and not in the team of Casas."""
    found = directory()
    casas = found.projects[CASAS]
    alone = replace(casas, team=(AgentId("ana"),))
    with staged(tmp_path, found=replace(found, projects={**found.projects, CASAS: alone})) as own:
        yield own


def test_who_is_not_in_the_team_gets_no_visit_by_any_door(apart: Stage) -> None:
    start, later = apart.a_start(), apart.a_start()
    visit = apart.book(start, host="ana")
    booked = apart.api.post("/api/visits", {**_again(visit), "start": later, "host": "beto"})
    words = refused(booked, 404, "not-found")["detail"]
    assert words == "beto is not in the team of Casas"
    for action, body in (("reassign", {"host": "beto"}), ("move", {"start": later, "host": "beto"})):
        answer = refused(do(apart, visit, action, **body), 404, "not-found")
        assert answer["detail"] == words and "alternatives" not in answer
    assert done(apart.api.get(f"/api/visits/{visit['id']}")) == visit
    preferred = refused(apart.api.post("/api/requests", request_body("x", preferred_agent="beto")), 422, "invalid")
    (error,) = preferred["errors"]
    assert error == {"field": "preferred_agent", "problem": "beto is not in the team of Casas; it is: ana"}


def test_a_host_who_left_the_team_may_keep_the_visit_at_another_time(apart: Stage) -> None:
    visit = apart.book(apart.a_start(), host="ana")
    cause = Cause(at=apart.clock.now(), actor="test", source="test")
    kept = replace(apart.visit(visit["id"]), host=AgentId("beto"))
    apart.store.write(lambda tx: tx.visits.save(kept, cause))
    later = apart.a_start()
    assert done(do(apart, visit, "move", start=later))["host"] == "beto"
    assert done(do(apart, visit, "move", start=apart.a_start(), host="beto"))["host"] == "beto"


# participants


def test_agents_and_further_contacts_come_and_go(stage: Stage) -> None:
    visit = stage.book(stage.a_start(), host="ana")
    aunt = {"name": "Tía Rosa", "email": "rosa@example.com", "phone": None, "tax_id": None}
    joined = done(do(stage, visit, "participants", add=["beto@a.example", "primo@example.com", aunt]))
    assert joined["participants"] == ["beto", "primo@example.com", "rosa@example.com"]
    assert joined["extra_contacts"][1] == aunt
    again = done(do(stage, visit, "participants", add=["beto", "primo@example.com"]))
    assert again["participants"] == joined["participants"]
    left = done(do(stage, visit, "participants", remove=["beto", "PRIMO@example.com", aunt]))
    assert (left["participants"], left["extra_contacts"]) == ([], [])
    assert done(do(stage, visit, "participants", remove=["beto", "nobody@example.com"]))["version"] == left["version"]


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"remove": ["eva@example.com"]}, 409, "protected-field"),
        ({"remove": ["EVA@example.com"], "add": ["beto"]}, 409, "protected-field"),
        ({"remove": [{"name": "x", "email": "eva@example.com"}]}, 409, "protected-field"),
        ({"remove": ["ana"]}, 409, "protected-field"),
        ({"remove": ["ana@a.example"]}, 409, "protected-field"),
        ({"add": ["nadie"]}, 404, "not-found"),
        ({"add": ["x@example.com\r\nBcc: y@example.com"]}, 422, "invalid"),
        ({"add": ["x"] * 51}, 422, "invalid"),
        ({"add": "beto"}, 422, "invalid"),
        ({"add": [{"name": "without an address"}]}, 422, "invalid"),
    ],
)
def test_t12_the_booker_and_the_host_stay_and_strangers_words_are_refused(
    stage: Stage, body: dict[str, Any], status: int, kind: str
) -> None:
    visit = stage.book(stage.a_start(), host="ana")
    refused(do(stage, visit, "participants", **body), status, kind)
    assert done(stage.api.get(f"/api/visits/{visit['id']}")) == visit


PROTECTED = {
    "event_type": "urgente",
    "property": {"id": "C-99"},
    "project": "torre",
    "contact": {"name": "Otra", "email": "otra@example.com"},
}


@pytest.mark.parametrize("field", PROTECTED)
@pytest.mark.parametrize(
    ("action", "body"), [("move", {"start": "2026-05-08T12:00:00-04:00"}), ("participants", {}), ("confirm", {})]
)
def test_t12_no_action_changes_a_protected_field(stage: Stage, action: str, body: dict[str, Any], field: str) -> None:
    visit = stage.book(stage.a_start())
    told = refused(do(stage, visit, action, **body, **{field: PROTECTED[field]}), 409, "protected-field")
    assert field in told["detail"]
    assert done(stage.api.get(f"/api/visits/{visit['id']}")) == visit


@pytest.mark.parametrize("field", ["state", "version", "id", "booked_at", "source", "role"])
def test_h79_what_is_no_field_of_an_action_is_invalid(stage: Stage, field: str) -> None:
    visit = stage.book(stage.a_start())
    refused(do(stage, visit, "confirm", **{field: "confirmed"}), 422, "invalid")


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
def test_t12_a_visit_is_not_edited_whole(stage: Stage, method: str) -> None:
    visit = stage.book(stage.a_start())
    answer = stage.api(method, f"/api/visits/{visit['id']}", json={"event_type": "urgente"})
    refused(answer, 405, "method-not-allowed")


# attendance


def test_attendance_is_marked_once_the_visit_has_begun(tmp_path: Path) -> None:
    with staged(tmp_path) as own:
        visit = own.book(own.a_start())
        refused(do(own, visit, "attendance", attendance="present"), 409, "illegal-state")
        own.clock.advance(datetime.fromisoformat(visit["start"]) - own.clock.now() + timedelta(minutes=5))
        assert done(do(own, visit, "attendance", attendance="no_show"))["attendance"] == "no_show"
        marked = done(do(own, visit, "attendance", attendance="present"))
        assert (marked["attendance"], marked["state"]) == ("present", "confirmed")
        own.clock.advance(timedelta(hours=1))
        assert done(do(own, visit, "attendance", attendance="present"))["state"] == "done"
        refused(do(own, visit, "attendance", attendance="maybe"), 422, "invalid")


def test_a_visit_that_is_over_cannot_be_cancelled_or_moved(tmp_path: Path) -> None:
    with staged(tmp_path) as own:
        visit = own.book(own.a_start())
        own.clock.advance(timedelta(days=15))
        refused(do(own, visit, "cancel", by="client"), 409, "illegal-state")
        refused(do(own, visit, "move", start=visit["start"]), 409, "illegal-state")


ACTIONS: list[tuple[str, dict[str, Any]]] = [
    ("approve", {}),
    ("reject", {}),
    ("confirm", {}),
    ("cancel", {"by": "staff"}),
    ("move", {"start": "2026-05-08T12:00:00-04:00"}),
    ("reassign", {"host": "ana"}),
    ("participants", {}),
    ("attendance", {"attendance": "present"}),
]


@pytest.mark.parametrize(("action", "body"), ACTIONS)
def test_an_action_on_an_unknown_visit_is_404(stage: Stage, action: str, body: dict[str, Any]) -> None:
    refused(stage.api.post(f"/api/visits/nobody/{action}", body), 404, "not-found")


@pytest.mark.parametrize(("action", "body"), [one for one in ACTIONS if one[0] not in ("cancel", "reject")])
def test_a_cancelled_visit_is_beyond_every_action(stage: Stage, action: str, body: dict[str, Any]) -> None:
    visit = stage.book(stage.a_start())
    cancelled = done(do(stage, visit, "cancel", by="staff"))
    refused(do(stage, visit, action, **body), 409, "illegal-state")
    assert done(stage.api.get(f"/api/visits/{visit['id']}")) == cancelled


def test_an_action_without_a_body_is_an_action_with_an_empty_one(stage: Stage) -> None:
    visit = stage.book(stage.a_start())
    assert done(stage.api("POST", f"/api/visits/{visit['id']}/confirm"))["client_confirmation"] == "yes"


# what a booking says


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        ([("Piso", "4"), ("piso", "5")], ("answers.1", "'Piso' is answered twice")),
        ([("Perro", "no"), ("Piso", " ")], ("answers.1", "'Piso' must be answered")),
        ([], None),
        ([("Perro", "no"), ("Perro", "no"), ("Nota", "")], None),
    ],
)
def test_answers_fit_the_questions_and_other_questions_are_the_sender_s(
    tmp_path: Path, answers: list[tuple[str, str]], problem: tuple[str, str] | None
) -> None:
    found = directory()
    asking = replace(VISITA, questions=(Question(text="Piso", required=True), Question(text="Nota")))
    with staged(tmp_path, found=replace(found, event_types={**found.event_types, VISITA.id: asking})) as own:
        said = [{"question": question, "answer": answer} for question, answer in answers]
        posted = own.api.post("/api/visits", booking(own.a_start(), answers=said))
        assert posted.status_code == (422 if problem else 201)
        if problem:
            assert posted.json()["errors"] == [{"field": problem[0], "problem": problem[1]}]


def test_an_event_type_may_be_named_by_its_role_and_an_unknown_one_names_what_there_is(stage: Stage) -> None:
    start = stage.a_start()
    window = {"project": "casas", "from": "2026-05-13", "to": "2026-05-14"}
    by_role, by_id = (stage.api.get("/api/slots", params={**window, "event_type": n}) for n in ("urgent", "urgente"))
    assert by_role.status_code == 200 and by_role.json() == by_id.json() != []
    when = {"project": "casas", "time": start}
    explained = stage.api.get("/api/slots/explain", params={**when, "event_type": "long"})
    assert explained.json()["event_type"] == "larga"
    assert stage.book(start, event_type="urgent")["event_type"] == "urgente"
    for answer in (
        stage.api.get("/api/slots", params={**window, "event_type": "corta"}),
        stage.api.get("/api/slots/explain", params={**when, "event_type": "corta"}),
        stage.api.post("/api/visits", booking(stage.a_start(), event_type="corta")),
    ):
        assert "standard (visita), long (larga), urgent (urgente)" in refused(answer, 404, "not-found")["detail"]
