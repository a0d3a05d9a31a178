"""The client's page of one visit over real HTTP: what it shows, what it does once, and what it never does."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from icalendar import Calendar

from syncd.core.busy import BusyBlock
from syncd.core.directory import Directory
from syncd.core.ids import AgentId, VisitId
from syncd.core.interval import Interval
from syncd.core.visit import (
    Attendance,
    CancelReason,
    ClientConfirmation,
    Conflict,
    ConflictReason,
    RemoteMark,
    Source,
    Visit,
    VisitState,
)
from syncd.flows.context import AccountParts
from syncd.flows.manage import PAGE, key_after, visit_url
from syncd.flows.say import task
from syncd.language import Language
from syncd.store import Tx
from syncd.store.calendars import Entry
from syncd.store.visits import Cause, HistoryRow
from syncd.web.visit_words import own_copy
from tests.core.values import visit as plain
from tests.web.stage import APPROVED, CALENDLY, Stage, directory, hooks, request_body, staged
from tests.web.visitor import Page, Visitor
from tests.world import town

HOUR = timedelta(hours=1)
CLOSED = "This link is no longer valid"


def people() -> Directory:
    """The stage's town with a responsible agent and something to know about its visits."""
    found = directory()
    kind = replace(town.VISITA, description="Traiga la llave.\nEntrada por el patio.")
    casas = replace(found.projects[town.CASAS], responsible=AgentId("beto"))
    return replace(
        found,
        projects={**found.projects, town.CASAS: casas},
        event_types={**found.event_types, kind.id: kind},
    )


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, found=people()) as found:
        yield found


@pytest.fixture
def client() -> Iterator[Visitor]:
    found = Visitor()
    yield found
    found.close()


def link(stage: Stage, visit_id: str, *, renew: bool = False) -> str:
    """Return the address of a visit's page at the stage."""
    visit = stage.visit(visit_id)
    url = stage.store.write(lambda tx: visit_url(stage.ctx, tx, visit, renew=renew))
    return url.replace(stage.ctx.public_url, stage.url)


def opened(stage: Stage, client: Visitor, **changes: Any) -> tuple[dict[str, Any], Page]:
    """Book a visit and open its page."""
    visit = stage.book(changes.pop("start", None) or stage.a_start(), **changes)
    stage.take_work()
    return visit, client.get(link(stage, visit["id"]))


def kept(stage: Stage, visit: Visit, note: str = "") -> Visit:
    """Save a visit as something else than a page would."""
    cause = Cause(at=stage.clock.now(), actor="test", source="test", note=note)
    return stage.store.write(lambda tx: tx.visits.save(visit, cause))


def history(stage: Stage, visit_id: str) -> list[HistoryRow]:
    with stage.store.read() as tx:
        return tx.visits.history(VisitId(visit_id))


def told(stage: Stage, visit_id: str, version: int) -> set[tuple[str, str]]:
    """Return (kind, to) of every message said about this version of the visit."""
    said = stage.notices("message", visit_id)
    return {(one.kind, one.to) for one in said if one.key.split(":")[3] == str(version)}


# --- what is shown --------------------------------------------------------------------------------------------------


def test_the_page_says_when_where_with_whom_and_what_to_know(stage: Stage, client: Visitor) -> None:
    visit, page = opened(
        stage, client, host="ana", start="2026-05-12T10:00:00-04:00", property={"id": "12", "name": "Casa 12"}
    )
    assert page.status == 200
    for words in (
        "Tuesday, May 12, 2026",
        "10:00–10:20",
        "Santiago time",
        "Av. Siempre Viva 742",
        "Casa 12",
        "Ana",
        "Casas",
    ):
        assert words in page.text, words
    assert page.texts["description"] == "Traiga la llave. Entrada por el patio."
    assert "at least 24 hours before" in page.texts["policy"]
    assert "beto@a.example" in page.texts["contact"]
    assert {*page.forms} == {"confirm"} and {"move", "cancel"} <= {*page.links}
    assert page.answer.headers["Referrer-Policy"] == "no-referrer"
    assert page.answer.headers["Cache-Control"] == "no-store"
    assert visit["contact"]["phone"] not in page.answer.text and visit["contact"]["tax_id"] not in page.answer.text


@pytest.mark.parametrize(
    ("language", "words"), [("es", "martes, 12 de mayo de 2026"), ("de", "Dienstag, 12. Mai 2026")]
)
def test_the_page_speaks_the_client_s_language_and_keeps_it(
    stage: Stage, client: Visitor, language: str, words: str
) -> None:
    _, page = opened(stage, client, start="2026-05-12T10:00:00-04:00")
    page = client.get(f"{page.url}?lang={language}")
    assert words in page.text
    after = page.press("confirm")
    assert words in after.text and after.url.endswith(f"lang={language}")


def test_what_strangers_typed_is_text(stage: Stage, client: Visitor) -> None:
    name = "<img src=x onerror=alert(1)> {{7*7}}"
    visit, _ = opened(stage, client, property={"id": "1", "name": name})
    stage.api.post(f"/api/visits/{visit['id']}/cancel", {"by": "staff", "message": "<b>lo</b> sentimos\nmucho"})
    page = client.get(link(stage, visit["id"]))
    assert "<img" not in page.answer.text and "<b>" not in page.answer.text
    assert "<img src=x onerror=alert(1)> {{7*7}}" in page.text
    assert page.texts["message"] == "<b>lo</b> sentimos mucho"


@pytest.mark.parametrize(
    ("by", "words"),
    [("client", "You cancelled it"), ("agent", "we had to cancel it"), ("staff", "we had to cancel it")],
)
def test_a_cancelled_visit_says_who_cancelled(stage: Stage, client: Visitor, by: str, words: str) -> None:
    visit, _ = opened(stage, client)
    stage.api.post(f"/api/visits/{visit['id']}/cancel", {"by": by})
    page = client.get(link(stage, visit["id"]))
    assert words in page.texts["state"]
    assert {*page.forms} - {"undo"} == {"rebook"} and "cancel" not in page.links
    assert ("undo" in page.forms) == (by == "client")


@pytest.mark.parametrize("reason", list(CancelReason))
def test_every_reason_to_be_cancelled_has_words(stage: Stage, client: Visitor, reason: CancelReason) -> None:
    visit, _ = opened(stage, client)
    gone = replace(stage.visit(visit["id"]), state=VisitState.CANCELLED, holds=False, cancel_reason=reason)
    kept(stage, gone)
    page = client.get(link(stage, visit["id"]))
    assert page.status == 200 and page.texts["state"]


def test_a_visit_that_waits_for_approval_says_so(stage: Stage, client: Visitor) -> None:
    _, page = opened(stage, client, event_type=APPROVED.id)
    assert "waits for approval" in page.text
    assert "confirm" not in page.forms and "cancel" in page.links


def test_a_lost_booking_may_choose_another_time_and_holds_again(stage: Stage, client: Visitor) -> None:
    visit, _ = opened(stage, client)
    lost = Conflict(reason=ConflictReason.SLOT_TAKEN, since=stage.clock.now())
    kept(stage, replace(stage.visit(visit["id"]), state=VisitState.CONFLICT, holds=False, conflict=lost))
    page = client.get(link(stage, visit["id"]))
    assert "could not keep this time" in page.text
    times = page.follow("move")
    after = times.press("times", start=times.forms["times"].choices["start"][0])
    assert (after.status, after.texts["said"]) == (200, "Your visit was moved. This is its new time.")
    assert stage.visit(visit["id"]).holds


def test_a_visit_at_which_the_client_was_seen_offers_nothing_more(stage: Stage, client: Visitor) -> None:
    visit, _ = opened(stage, client)
    here = stage.visit(visit["id"])
    kept(stage, replace(here, attendance=Attendance.PRESENT))
    page = client.get(link(stage, visit["id"]))
    assert {"move", "cancel"} & {*page.links} == set()


def entry(client: Visitor, page: Page) -> tuple[Any, requests.Response]:
    """Fetch the file for the client's own calendar and return its one entry."""
    answer = client.fetch("GET", page.url.partition("?")[0] + "/visit.ics")
    assert answer.status_code == 200, answer.text
    (found,) = Calendar.from_ical(answer.content).walk("VEVENT")
    return found, answer


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("Visita {{ proyecto }}", "Visita Casas"),
        ("CASAS: visita", "CASAS: visita"),
        ("Visita Casasola", "Visita Casasola · Casas"),
    ],
)
def test_the_entry_names_the_project_once(kind: str, title: str) -> None:
    found = directory()
    visita = replace(town.VISITA, name=kind)
    found = replace(found, event_types={**found.event_types, visita.id: visita})
    assert own_copy(found, plain(project=town.CASAS, event_type=visita.id), Language("en")).title == title


def test_the_calendar_file_is_the_agents_entry_and_a_later_one_replaces_it(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client, host="ana")
    uid = f"visit-{visit['id']}@syncd"
    first, answer = entry(client, page)
    assert answer.headers["Content-Type"].startswith("text/calendar")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert (str(first["UID"]), first["SEQUENCE"], str(first["STATUS"])) == (uid, 1, "CONFIRMED")
    assert first["DTSTART"].dt == stage.visit(visit["id"]).interval.start
    assert (str(first["SUMMARY"]), str(first["LOCATION"])) == ("Visita · Casas", "Av. Siempre Viva 742")
    assert str(first["DESCRIPTION"]) == "With Ana\nTraiga la llave.\nEntrada por el patio."
    assert [name for name in first if name.startswith("X-") or name == "ATTENDEE"] == [], "never taken for ours"
    gone = cancelled(page)
    second, _ = entry(client, gone)
    assert (str(second["UID"]), second["SEQUENCE"], str(second["STATUS"])) == (uid, 2, "CANCELLED")


def test_the_calendar_file_of_a_visit_that_waits_is_tentative(stage: Stage, client: Visitor) -> None:
    _, page = opened(stage, client, event_type=APPROVED.id)
    assert str(entry(client, page)[0]["STATUS"]) == "TENTATIVE"


# --- who may look ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["x", "%20", "=", ".", "A"])
def test_h125_a_token_that_is_nearly_right_opens_the_neutral_page(stage: Stage, client: Visitor, damage: str) -> None:
    _, page = opened(stage, client)
    for url in (page.url + damage, page.url.swapcase().replace("HTTP:", "http:").replace("/V/", "/v/")):
        wrong = client.get(url)
        assert wrong.status == 404 and CLOSED in wrong.text


def test_h127_expired_superseded_and_unknown_links_look_alike(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client)
    old = page.url
    new = link(stage, visit["id"], renew=True)
    superseded = client.get(old)
    assert client.get(new).status == 200
    stage.clock.advance(stage.visit(visit["id"]).interval.end - stage.clock.now())
    expired, unknown = client.get(new), client.get(f"{stage.url}/v/{'x' * 43}")
    assert superseded.status == expired.status == unknown.status == 404
    assert superseded.answer.text == expired.answer.text == unknown.answer.text
    for path in ("", "/move", "/cancel"):
        posted = client.post(new + path, {"act": "confirm", "version": "1"})
        assert posted.status == 404


def test_h124_scanners_that_look_fifty_times_change_nothing(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client)
    before = (stage.visit(visit["id"]), stage.notices("message", visit["id"]))
    for number in range(50):
        path = ("", "/move", "/cancel", "/visit.ics", "?act=confirm&version=1", "/cancel?reason=ill")[number % 6]
        answer = client.fetch("HEAD" if number % 2 else "GET", page.url + path)
        assert answer.status_code == 200
    assert (stage.visit(visit["id"]), stage.notices("message", visit["id"])) == before
    assert client.get(page.url).press("confirm").status == 200, "the link still works"


@pytest.mark.parametrize("path", ["", "/move", "/cancel"])
@pytest.mark.parametrize("token", [None, "", "a.1.b", "other"])
def test_h124_a_post_without_our_form_shows_the_page_and_does_nothing(
    stage: Stage, client: Visitor, path: str, token: str | None
) -> None:
    visit, page = opened(stage, client)
    _, other = opened(stage, client)
    fields = {"act": "confirm", "version": "1", "reason": "ill", "words": "mi texto", "start": stage.a_start()}
    if token is not None:
        fields["form"] = other.forms["confirm"].fields["form"] if token == "other" else token
    after = client.post(page.url + path, fields)
    assert after.status == 400 and "press again" in after.texts["said"]
    assert stage.visit(visit["id"]).version == 1
    assert path != "/cancel" or after.forms["why"].fields["words"] == "mi texto"


def test_a_post_from_somebody_else_s_page_does_nothing(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client)
    form = page.forms["confirm"]
    after = client.post(page.url, form.fields | form.buttons, Origin="https://evil.example")
    assert after.status == 403
    assert stage.visit(visit["id"]).version == 1


def test_an_unknown_act_and_a_missing_version_do_nothing(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client)
    assert page.press("confirm", act="approve").status == 400
    for version in ("", "-1", "1e9", "9" * 400, "٣", "2"):
        after = page.press("confirm", version=version)
        assert after.status == 409 and "changed after you opened" in after.texts["said"]
    assert stage.visit(visit["id"]).version == 1


# --- confirming -----------------------------------------------------------------------------------------------------


def test_a_client_confirms_once_and_a_repeat_shows_the_state_reached(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client)
    for after in (page.press("confirm"), page.press("confirm")):
        assert after.status == 200 and "/v/" in after.url
        assert after.texts["said"] == "Thank you, we have your confirmation."
    found = stage.visit(visit["id"])
    assert (found.client_confirmation, found.version) == (ClientConfirmation.YES, 2)
    assert (found.state, found.attendance) == (VisitState.CONFIRMED, Attendance.UNKNOWN), (
        "two meanings, two fields (C13)"
    )
    last = history(stage, visit["id"])[-1].cause
    assert (last.actor, last.source) == ("client", "page")
    assert "confirm" not in after.forms
    assert told(stage, visit["id"], 2) == set()


def test_an_address_alone_claims_nothing(stage: Stage, client: Visitor) -> None:
    _, page = opened(stage, client)
    for done in ("confirm", "cancel", "<b>", "undo"):
        seen = client.get(f"{page.url}?done={done}")
        assert "Thank you" not in seen.text and "<b>" not in seen.answer.text


# --- cancelling -----------------------------------------------------------------------------------------------------


def cancelled(page: Page, reason: str = "ill", words: str = "") -> Page:
    return page.follow("cancel").press("why", reason=reason, words=words)


def test_t10_a_client_cancels_in_two_steps_and_everybody_concerned_is_told(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client, host="ana")
    why = page.follow("cancel")
    assert stage.visit(visit["id"]).active, "a click alone cancels nothing"
    after = why.press("why", reason="ill", words="Gripe fuerte")
    assert after.status == 200 and "You cancelled it" in after.texts["state"]
    found = stage.visit(visit["id"])
    assert (found.state, found.cancel_reason, found.holds, found.cancelled_late) == (
        VisitState.CANCELLED, CancelReason.CLIENT, False, False,
    )  # fmt: skip
    assert found.client_confirmation is ClientConfirmation.NO
    assert told(stage, visit["id"], 2) == {("cancellation", "client"), ("agent_notice", "agent:ana")}
    assert [one.kind for one in stage.notices("task", visit["id"])] == ["offer_new_time"]
    assert ("reconcile", "ana") in stage.take_work()
    again = stage.book(visit["start"], host="ana")
    assert again["state"] == "confirmed", "the time is free at once"


def test_why_a_client_cancelled_is_kept_in_the_installation_s_words(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client)
    cancelled(page, "ill", "Gripe\r\nfuerte")
    shown = stage.api.get(f"/api/visits/{visit['id']}").json()
    assert shown["cancel_message"] == "Enfermedad o algo urgente: Gripe\nfuerte"
    assert shown["cancel_reason"] == "client"
    rows = stage.api.get(f"/api/visits/{visit['id']}/history").json()["items"]
    assert rows[-1]["note"] == shown["cancel_message"]
    (receipt,) = (
        one for one in stage.notices("message", visit["id"]) if (one.kind, one.to) == ("cancellation", "client")
    )
    assert receipt.body is None, "the client is told nothing but that it is done"


@pytest.mark.parametrize("fields", [{"reason": ""}, {"reason": "nonsense"}, {"reason": "ill", "words": "x" * 1001}])
def test_a_cancellation_without_a_good_reason_asks_again_and_keeps_what_was_typed(
    stage: Stage, client: Visitor, fields: dict[str, str]
) -> None:
    visit, page = opened(stage, client)
    after = page.follow("cancel").press("why", **({"words": "mi texto"} | fields))
    assert after.status == 422 and "Nothing was cancelled" in after.texts["said"]
    assert after.forms["why"].fields["words"] == fields.get("words", "mi texto")
    assert stage.visit(visit["id"]).active


@pytest.mark.parametrize("hours", [23, 25])
def test_c6_a_late_cancellation_is_said_beforehand_recorded_and_never_refused(
    stage: Stage, client: Visitor, hours: int
) -> None:
    visit, page = opened(stage, client, start="2026-05-12T10:00:00-04:00")
    stage.clock.advance(stage.visit(visit["id"]).interval.start - stage.clock.now() - hours * HOUR)
    why = page.follow("cancel")
    assert ("late" in why.texts) == (hours < 24)
    after = why.press("why", reason="ill")
    assert after.status == 200
    assert stage.api.get(f"/api/visits/{visit['id']}").json()["cancelled_late"] is (hours < 24)
    assert ("recorded as late" in after.texts["state"]) == (hours < 24)


def test_c6_within_the_grace_after_booking_nothing_is_late(stage: Stage, client: Visitor) -> None:
    stage.clock.advance(datetime.fromisoformat("2026-05-11T21:00:00-04:00") - stage.clock.now())
    _read_again(stage)
    visit, page = opened(stage, client, start="2026-05-12T10:00:00-04:00")
    stage.clock.advance(timedelta(minutes=30))
    why = page.follow("cancel")
    assert "late" not in why.texts
    why.press("why", reason="ill")
    assert stage.visit(visit["id"]).cancelled_late is False


def _read_again(stage: Stage) -> None:
    """Note that every calendar has just been read, so that the agents stay open."""
    calendars = [ref.id for ref in stage.ctx.directory.calendars()]
    stage.store.write(lambda tx: tx.calendars.fresh(calendars, stage.clock.now()))


def test_a_cancelled_visit_cancels_no_second_time(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client)
    why = page.follow("cancel")
    first, second = why.press("why", reason="ill"), why.press("why", reason="time")
    assert first.texts["state"] == second.texts["state"]
    assert stage.visit(visit["id"]).version == 2
    assert "ill" not in history(stage, visit["id"])[-1].cause.note and len(history(stage, visit["id"])) == 2


# --- taking it back -------------------------------------------------------------------------------------------------


def test_a_cancellation_is_taken_back_within_ten_minutes_and_the_agent_is_told(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client, host="ana")
    page.press("confirm")
    gone = cancelled(client.get(page.url))
    stage.clock.advance(timedelta(minutes=10))
    assert "Until" in gone.texts["undo"]
    back = gone.press("undo")
    assert back.texts["said"] == "Your visit stands again, at the same time as before."
    found = stage.visit(visit["id"])
    assert (found.state, found.holds, found.client_confirmation) == (VisitState.CONFIRMED, True, ClientConfirmation.YES)
    assert (found.cancel_reason, found.cancel_message, found.cancelled_late) == (None, "", False)
    assert told(stage, visit["id"], found.version) == {("booking_info", "client"), ("agent_notice", "agent:ana")}
    (notice,) = (
        one
        for one in stage.notices("message", visit["id"])
        if one.to == "agent:ana" and one.body == {"about": "reinstated"}
    )
    assert notice.kind == "agent_notice"
    assert [one.state for one in stage.notices("task", visit["id"])] == ["done"]
    assert gone.press("undo").texts["said"] == back.texts["said"], "a repeat shows the state reached"


def test_after_ten_minutes_it_stays_cancelled(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client)
    gone = cancelled(page)
    stage.clock.advance(timedelta(minutes=10, seconds=1))
    after = gone.press("undo")
    assert after.status == 409 and "book a new one" in after.texts["said"]
    assert "undo" not in after.forms and "rebook" in after.forms
    assert stage.visit(visit["id"]).state is VisitState.CANCELLED


def test_a_time_that_was_given_away_meanwhile_is_not_given_back(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client, host="ana")
    gone = cancelled(page)
    other = stage.book(visit["start"], host="ana")
    after = gone.press("undo")
    assert after.status == 409 and "no longer be given back" in after.texts["said"]
    assert "rebook" in after.forms
    assert stage.visit(visit["id"]).state is VisitState.CANCELLED
    assert stage.visit(other["id"]).holds


def test_a_time_over_which_something_private_came_is_not_given_back(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client, host="ana")
    gone = cancelled(page)
    (ref,) = stage.ctx.directory.agents[AgentId("ana")].calendars
    interval = stage.visit(visit["id"]).interval
    block = BusyBlock(calendar=ref.id, remote_id="x", uid="x", interval=interval)
    stage.store.write(
        lambda tx: tx.calendars.put_entries(ref.id, [Entry(remote_id="x", uid="x", etag="1", blocks=(block,))])
    )
    after = gone.press("undo")
    assert after.status == 409
    assert not stage.visit(visit["id"]).active


def test_whoever_booked_another_time_does_not_get_the_first_one_back(stage: Stage, client: Visitor) -> None:
    assert stage.api.post("/api/requests", request_body("R-9")).status_code == 201
    visit, page = opened(stage, client, project=None, request="R-9", contact=None)
    gone = cancelled(page)
    other = stage.book(stage.a_start(), project=None, request="R-9", contact=None)
    assert other["id"] != visit["id"]
    assert "undo" not in client.get(gone.url).forms
    assert gone.press("undo").status == 409
    assert not stage.visit(visit["id"]).active


def test_whoever_followed_the_link_to_a_new_booking_does_not_get_the_first_one_back(
    stage: Stage, client: Visitor
) -> None:
    visit, page = opened(stage, client)
    gone = cancelled(page)
    other = stage.visit(stage.book(stage.a_start())["id"])
    kept(stage, replace(other, source=Source(account=PAGE, id=key_after(VisitId(visit["id"])))))
    assert "undo" not in client.get(gone.url).forms
    assert gone.press("undo").status == 409
    stage.api.post(f"/api/visits/{other.id}/cancel", {"by": "staff"})
    assert gone.press("undo").status == 200, "the new one does not stand"


def test_a_visit_that_waited_for_approval_waits_again(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client, event_type=APPROVED.id, host="ana")
    back = cancelled(page).press("undo")
    assert "waits for approval" in back.text
    found = stage.visit(visit["id"])
    assert (found.state, found.holds, found.pending_expires_at is not None) == (VisitState.PENDING, True, True)
    assert told(stage, visit["id"], found.version) == {("agent_notice", "agent:ana")}, "nothing to tell the client yet"


def test_a_client_gives_up_a_booking_that_had_lost_its_time(stage: Stage, client: Visitor) -> None:
    visit, _ = opened(stage, client, host="ana")
    lost = Conflict(reason=ConflictReason.SLOT_TAKEN, since=stage.clock.now())
    found = kept(stage, replace(stage.visit(visit["id"]), state=VisitState.CONFLICT, holds=False, conflict=lost))
    stage.store.write(lambda tx: task(tx, "lost_booking", found, stage.clock.now()))
    gone = cancelled(client.get(link(stage, visit["id"])))
    assert "undo" not in gone.forms, "there is no time to give back"
    assert told(stage, visit["id"], 3) == {("agent_notice", "agent:ana")}
    tasks = {one.kind: one.state for one in stage.notices("task", visit["id"])}
    assert tasks == {"lost_booking": "done", "offer_new_time": "open"}


def test_what_the_agency_cancelled_the_client_cannot_take_back(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client)
    form = page.forms["confirm"]
    stage.api.post(f"/api/visits/{visit['id']}/cancel", {"by": "staff"})
    after = client.post(page.url, form.fields | {"act": "undo", "version": "2"})
    assert after.status == 409
    assert stage.visit(visit["id"]).state is VisitState.CANCELLED


def test_the_way_to_a_new_booking_is_made_when_it_is_wanted(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client)
    gone = cancelled(page)
    with stage.store.read() as tx:
        assert tx.links.latest("b", f"visit:{visit['id']}") is None
    form = gone.forms["rebook"]
    answer = client.fetch("POST", gone.url, data=form.fields | form.buttons, allow_redirects=False)
    assert answer.status_code == 303 and answer.headers["Location"].startswith("/b/")


# --- moving ---------------------------------------------------------------------------------------------------------


def test_s24_a_move_keeps_the_visit_its_host_and_answers_and_asks_for_confirmation_again(
    stage: Stage, client: Visitor
) -> None:
    visit, page = opened(stage, client, host="ana", start="2026-05-12T10:00:00-04:00")
    page.press("confirm")
    times = page.follow("move")
    assert "free times of Ana" in times.text
    later = client.get(times.url + "?day=2026-05-13")
    assert "2026-05-13T11:00:00-04:00" in later.forms["times"].choices["start"]
    after = later.press("times", start="2026-05-13T11:00:00-04:00")
    assert after.texts["said"] == "Your visit was moved. This is its new time."
    assert "Wednesday, May 13, 2026" in after.text and "11:00–11:20" in after.text
    shown = stage.api.get(f"/api/visits/{visit['id']}").json()
    assert (shown["start"], shown["host"], shown["answers"]) == ("2026-05-13T11:00:00-04:00", "ana", visit["answers"])
    assert shown["client_confirmation"] == "none" and shown["source"] == visit["source"]
    assert told(stage, visit["id"], shown["version"]) == {("update", "client"), ("agent_notice", "agent:ana")}
    assert "confirm" in after.forms
    repeated = later.press("times", start="2026-05-13T11:00:00-04:00")
    assert repeated.texts["said"] == after.texts["said"]
    assert stage.visit(visit["id"]).version == shown["version"]


def test_times_are_the_host_s_own_without_the_present_one(stage: Stage, client: Visitor) -> None:
    _, page = opened(stage, client, host="ana", start="2026-05-12T10:00:00-04:00")
    stage.book("2026-05-12T11:00:00-04:00", host="ana")
    stage.book("2026-05-12T12:00:00-04:00", host="beto")
    offered = client.get(page.url + "/move?day=2026-05-12").forms["times"].choices["start"]
    clock = [one[11:16] for one in offered]
    assert "10:00" not in clock and "11:00" not in clock
    assert {"09:30", "10:30", "12:00"} <= {*clock}


def test_a_full_day_may_be_chosen_by_the_visit_that_fills_it(tmp_path: Path, client: Visitor) -> None:
    found = people()
    capped = replace(found.event_types[town.STANDARD], daily_cap=1)
    with staged(tmp_path, found=replace(found, event_types={**found.event_types, capped.id: capped})) as own:
        _, page = opened(own, client, host="ana", start="2026-05-12T10:00:00-04:00")
        times = client.get(page.url + "/move?day=2026-05-12")
        wanted = "2026-05-12T12:00:00-04:00"
        assert wanted in times.forms["times"].choices["start"]
        assert times.press("times", start=wanted).texts["said"].startswith("Your visit was moved")


def test_where_the_host_has_no_time_colleagues_are_offered_and_it_is_said(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client, host="ana", start="2026-05-12T10:00:00-04:00")
    hold_the_rest(stage, visit["id"])
    times = page.follow("move")
    assert "Ana has no free time left" in times.texts["other-host"]
    chosen = times.forms["times"].choices["start"][0]
    after = times.press("times", start=chosen)
    assert after.status == 200 and "Beto" in after.texts["visit"]
    found = stage.visit(visit["id"])
    assert (found.host, found.interval.start) == ("beto", datetime.fromisoformat(chosen))


def hold_the_rest(stage: Stage, visit_id: str) -> None:
    """Have the host hold everything before and after a visit."""
    own = stage.visit(visit_id).guard
    now = stage.clock.now()
    for number, span in enumerate((Interval(now, own.start), Interval(own.end, now + timedelta(days=60)))):
        kept(stage, plain(id=VisitId(f"holder{number}"), interval=span, guard=span, host=AgentId("ana")))


def test_first_wins_and_the_slower_client_is_shown_what_is_left(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client, host="ana", start="2026-05-12T10:00:00-04:00")
    times = client.get(page.url + "/move?day=2026-05-13")
    stage.book("2026-05-13T11:00:00-04:00", host="ana")
    after = times.press("times", start="2026-05-13T11:00:00-04:00")
    assert after.status == 409 and "just been taken" in after.texts["said"]
    left = after.forms["times"].choices["start"]
    assert "2026-05-13T11:00:00-04:00" not in left and "2026-05-13T11:30:00-04:00" in left, "the same day is shown"
    assert stage.visit(visit["id"]).interval.start.isoformat() == "2026-05-12T14:00:00+00:00"
    assert after.press("times", start="2026-05-13T11:30:00-04:00").status == 200


@pytest.mark.parametrize(
    "start",
    ["", "mañana", "2026-05-13", "2026-05-13T11:00:00", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-14:00"],
)
def test_nonsense_for_a_time_asks_again(stage: Stage, client: Visitor, start: str) -> None:
    visit, page = opened(stage, client)
    after = page.follow("move").press("times", start=start)
    assert after.status == 422 and "choose one of the times" in after.texts["said"]
    assert stage.visit(visit["id"]).version == 1


@pytest.mark.parametrize(
    "start",
    [
        "2026-05-13T11:07:00-04:00",
        "2026-05-10T11:00:00-04:00",
        "2020-01-01T11:00:00-04:00",
        "2090-01-01T11:00:00-04:00",
    ],
)
def test_a_time_that_is_not_offered_is_not_taken(stage: Stage, client: Visitor, start: str) -> None:
    visit, page = opened(stage, client)
    after = page.follow("move").press("times", start=start)
    assert after.status == 409
    assert stage.visit(visit["id"]).version == 1


@pytest.mark.parametrize("day", ["2026-05-10", "x", "", "9999-99-99", "2030-01-01"])
def test_a_day_without_times_leads_to_one_that_has_some(stage: Stage, client: Visitor, day: str) -> None:
    _, page = opened(stage, client)
    times = client.get(f"{page.url}/move?day={day}")
    assert times.status == 200 and times.forms["times"].choices["start"]


def test_days_are_shown_around_the_chosen_one_and_every_day_can_be_reached(stage: Stage, client: Visitor) -> None:
    _, page = opened(stage, client, start="2026-05-12T10:00:00-04:00")
    times = page.follow("move")
    assert all(one.startswith("2026-05-12") for one in times.forms["times"].choices["start"]), (
        "the visit's own day first"
    )
    seen = set[str]()
    for way in ("earlier", "later"):
        at = times
        for _ in range(9):
            seen |= {one.rpartition("day=")[2] for one in at.links.values() if "day=" in one}
            at = at.follow(way) if way in at.links else at
        assert way not in at.links, "an end is reached"
    assert len(seen) == 15, "fifteen business days"


def test_a_late_move_is_said_beforehand_and_noted(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client, host="ana", start="2026-05-12T10:00:00-04:00")
    stage.clock.advance(stage.visit(visit["id"]).interval.start - stage.clock.now() - 23 * HOUR)
    _read_again(stage)
    times = page.follow("move")
    assert "recorded as late" in times.texts["late"]
    assert times.press("times", start=times.forms["times"].choices["start"][-1]).status == 200
    assert "late" in history(stage, visit["id"])[-1].cause.note


# --- right after a message ------------------------------------------------------------------------------------------


def sent(stage: Stage, visit_id: str, *, state: str = "sent") -> None:
    """Let a message to the client leave at this moment."""
    moment = stage.clock.now()

    def send(tx: Tx) -> None:
        for one in tx.queue.notices(about=visit_id):
            if one.to == "client":
                tx.outbox.save(
                    replace(one, state=state, sending_at=moment, sent_at=moment if state == "sent" else None)
                )

    stage.store.write(send)


@pytest.mark.parametrize("state", ["sending", "sent"])
def test_an_act_within_two_seconds_of_a_message_is_only_noted(stage: Stage, client: Visitor, state: str) -> None:
    visit, page = opened(stage, client, start="2026-05-12T10:00:00-04:00")
    why, times = page.follow("cancel"), client.get(page.url + "/move?day=2026-05-13")
    sent(stage, visit["id"], state=state)
    stage.clock.advance(timedelta(seconds=1.9))
    deeds: list[Callable[[], Page]] = [
        lambda: client.get(page.url).press("confirm"),
        lambda: client.get(why.url).press("why", reason="ill"),
        lambda: client.get(times.url).press("times", start="2026-05-13T11:00:00-04:00"),
    ]
    after = page
    for number, deed in enumerate(deeds, 2):
        after = deed()
        assert after.status == 409 and "only noted" in after.texts["said"]
        assert stage.visit(visit["id"]).version == number
        assert "only noted" in history(stage, visit["id"])[-1].cause.note
    found = stage.visit(visit["id"])
    assert (found.active, found.client_confirmation, found.interval.start.hour) == (True, ClientConfirmation.NONE, 14)
    stage.clock.advance(timedelta(seconds=1.1))
    assert after.press("confirm").status == 200, "pressed again by a human being"
    assert stage.visit(visit["id"]).client_confirmation is ClientConfirmation.YES


def test_a_cancellation_that_was_only_noted_keeps_what_was_chosen_and_written(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client)
    why = page.follow("cancel")
    sent(stage, visit["id"])
    noted = why.press("why", reason="ill", words="Tengo fiebre")
    assert noted.status == 409 and "only noted" in noted.texts["said"]
    kept_fields = noted.forms["why"].fields
    assert (kept_fields["reason"], kept_fields["words"]) == ("ill", "Tengo fiebre")
    stage.clock.advance(timedelta(seconds=4))
    assert noted.press("why").status == 200
    assert stage.visit(visit["id"]).state is VisitState.CANCELLED
    assert "Tengo fiebre" in history(stage, visit["id"])[-1].cause.note


def test_a_message_to_the_agent_holds_nobody_up(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client)

    def send(tx: Tx) -> None:
        for one in tx.queue.notices(about=visit["id"]):
            if one.to.startswith("agent:"):
                tx.outbox.save(replace(one, state="sent", sent_at=stage.clock.now()))

    stage.store.write(send)
    assert page.press("confirm").status == 200


# --- two tabs, two people -------------------------------------------------------------------------------------------


def test_what_the_client_did_not_see_is_not_acted_on(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client, host="ana", start="2026-05-12T10:00:00-04:00")
    why, times = page.follow("cancel"), client.get(page.url + "/move?day=2026-05-13")
    stage.api.post(f"/api/visits/{visit['id']}/move", {"start": "2026-05-12T12:00:00-04:00"})
    for after in (
        page.press("confirm"),
        why.press("why", reason="ill"),
        times.press("times", start="2026-05-13T11:00:00-04:00"),
    ):
        assert after.status == 409 and "changed after you opened" in after.texts["said"]
        assert "12:00–12:20" in after.text
    assert (stage.visit(visit["id"]).version, stage.visit(visit["id"]).active) == (2, True)
    assert after.press("confirm").status == 200


def test_two_tabs_that_confirm_and_cancel_at_once_end_in_one_state(stage: Stage, client: Visitor) -> None:
    for _ in range(5):
        visit, page = opened(stage, client)
        why = page.follow("cancel")
        others = [Visitor(), Visitor()]
        deeds = [
            (page.url, page.forms["confirm"].fields | page.forms["confirm"].buttons),
            (why.url, why.forms["why"].fields | {"reason": "ill"}),
        ]
        with ThreadPoolExecutor(2) as pool:
            pages = list(pool.map(lambda one: one[0].post(*one[1]), zip(others, deeds, strict=True)))
        found = stage.visit(visit["id"])
        assert found.version == 2, "one of them happened"
        assert (found.active, found.client_confirmation.value) in ((True, "yes"), (False, "no"))
        assert sorted(one.status for one in pages) == [200, 409]
        for one in others:
            one.close()


def test_twenty_clients_who_want_one_slot_are_told_who_was_first(stage: Stage) -> None:
    clients = [Visitor() for _ in range(8)]
    pages = [opened(stage, one, host="ana", start=stage.a_start()) for one in clients]
    wanted = "2026-05-20T11:00:00-04:00"
    forms = [
        one.get(page.url + "/move?day=2026-05-20").forms["times"] for one, (_, page) in zip(clients, pages, strict=True)
    ]

    def want(number: int) -> int:
        return clients[number].post(pages[number][1].url + "/move", forms[number].fields | {"start": wanted}).status

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(want, range(8)))
    assert statuses == [200] + [409] * 7
    moved = [visit for visit, _ in pages if stage.visit(visit["id"]).interval.start == datetime.fromisoformat(wanted)]
    assert len(moved) == 1
    for one in clients:
        one.close()


# --- a booking of an outside scheduler -------------------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Stage]:
    """A stage whose account `calendly` can cancel bookings there and cannot move them."""

    def unasked() -> Any:
        raise AssertionError("no page asks a scheduler")

    accounts = hooks(CALENDLY)
    parts: AccountParts = replace(accounts[CALENDLY], scheduler=unasked)
    with staged(tmp_path, found=people(), accounts={CALENDLY: parts}) as found:
        yield found


def test_a_scheduler_s_visit_is_cancelled_there_and_not_taken_back_here(outside: Stage, client: Visitor) -> None:
    visit, _ = opened(outside, client, host="ana")
    mark = RemoteMark(interval=outside.visit(visit["id"]).interval, host=AgentId("ana"))
    kept(outside, replace(outside.visit(visit["id"]), source=Source(account=CALENDLY, id="I1"), remote=mark))
    page = client.get(link(outside, visit["id"]))
    assert "move" not in page.links, "it could not be carried there"
    gone = cancelled(page)
    assert ("carry", visit["id"]) in outside.take_work()
    assert "undo" not in gone.forms and "told of the cancellation" in gone.texts["no-undo"]
    after = client.post(gone.url, gone.forms["rebook"].fields | {"act": "undo"})
    assert after.status == 409
    assert not outside.visit(visit["id"]).active


# --- for integrators ------------------------------------------------------------------------------------------------


def test_the_api_names_the_page_until_the_visit_is_over(stage: Stage, client: Visitor) -> None:
    visit, page = opened(stage, client)
    path = f"/api/visits/{visit['id']}/link"
    shown = stage.api.get(path).json()
    assert shown == {"url": page.url.replace(stage.url, stage.ctx.public_url), "expires_at": visit["end"]}
    assert stage.api.get("/api/visits/nobody/link").status_code == 404
    stage.clock.advance(datetime.fromisoformat(visit["end"]) - stage.clock.now())
    refused = stage.api.get(path)
    assert (refused.status_code, refused.json()["type"]) == (409, "illegal-state")


@pytest.mark.parametrize("state", [VisitState.CANCELLED, VisitState.PENDING])
def test_what_no_button_offers_is_answered_with_what_stands(stage: Stage, client: Visitor, state: VisitState) -> None:
    visit, page = opened(stage, client)
    form = page.forms["confirm"].fields
    reason = CancelReason.STAFF if state is VisitState.CANCELLED else None
    stands = kept(stage, replace(stage.visit(visit["id"]), state=state, holds=False, cancel_reason=reason))
    done = client.post(page.url, form | {"act": "confirm", "version": str(stands.version)})
    assert done.status in (200, 409), "words, never a stack"
    assert stage.visit(visit["id"]).state is state


def test_a_visit_that_has_begun_is_neither_moved_nor_cancelled_by_link(stage: Stage, client: Visitor) -> None:
    """Else whoever did not come could make it undone (C12); staff still can."""
    visit, page = opened(stage, client)
    stage.clock.advance(datetime.fromisoformat(visit["start"]) - stage.clock.now() + timedelta(seconds=20))
    now = client.get(page.url)
    assert now.status == 200 and {"move", "cancel"}.isdisjoint(now.links)
    for path in ("/move", "/cancel"):
        assert client.post(
            page.url + path, page.forms["confirm"].fields | {"why": "other", "start": visit["start"]}
        ).status
    assert stage.visit(visit["id"]).state is VisitState.CONFIRMED
    assert (
        stage.visit(visit["id"]).interval.start.isoformat()
        == datetime.fromisoformat(visit["start"]).astimezone(UTC).isoformat()
    )
