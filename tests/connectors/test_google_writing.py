"""What syncd writes to a Google calendar: which ids, which fields, and what it never touches."""

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors._google_notes import mark_of, merged, says
from connectors.google import calendar
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, Presence, Published
from syncd.errors import Forbidden, NotFound, Permanent, Transient, Unreadable, VersionConflict
from tests.connectors.google_stage import ANA, FIRST, GoogleStage, use_of
from tests.contracts.calendar import CalendarContract
from tests.servers.google import Google, serving

HOUR = timedelta(hours=1)


@pytest.fixture
def google() -> Iterator[Google]:
    with serving() as state:
        yield state
    assert state.wrong == []


@pytest.fixture
def stage(google: Google) -> GoogleStage:
    return GoogleStage(google)


def draft_of(stage: GoogleStage, hours: float = 3, **changes: Any) -> EventDraft:
    return CalendarContract.draft(stage, hours, **changes)


def put(stage: GoogleStage, draft: EventDraft) -> Published:
    return CalendarContract.remembered(stage.calendar.put(draft, None), draft)


# ------------------------------------------------------------------------------------------------ ids


def test_an_entry_has_an_id_that_google_allows_and_nobody_guesses(stage: GoogleStage) -> None:
    made = put(stage, draft_of(stage))
    assert re.fullmatch(r"[a-v0-9]{5,1024}", made.remote_id)
    other = calendar(
        stage.account, stage.settings, stage.env.__class__(clock=stage.env.clock, secret=lambda _: b"other"), stage.use
    )
    assert other.put(draft_of(stage, visit="v2"), None).remote_id != made.remote_id


def test_an_id_whose_entry_was_deleted_is_burnt_and_the_next_one_is_taken(stage: GoogleStage) -> None:
    draft = draft_of(stage)
    ids = []
    for _ in range(4):
        made = put(stage, draft)
        ids.append(made.remote_id)
        stage.calendar.delete(made)
    assert len(set(ids)) == 4 and stage.everything() == []


def test_an_entry_under_a_later_id_is_found_changed_and_met_by_a_repeated_creation(stage: GoogleStage) -> None:
    draft = draft_of(stage)
    stage.remove(put(stage, draft).remote_id)
    second = put(stage, draft)
    found = stage.calendar.find(draft.key, draft.uid)
    assert found is not None and found.remote_id == second.remote_id
    assert stage.calendar.put(draft, None).remote_id == second.remote_id
    later = draft_of(stage, 6)
    assert stage.calendar.put(later, found).remote_id == second.remote_id
    assert stage.everything() == [second.remote_id]


def test_an_entry_that_is_deleted_again_and_again_is_still_one_entry(stage: GoogleStage) -> None:
    draft = draft_of(stage)
    ids = set()
    for _ in range(12):
        made = put(stage, draft)
        assert stage.calendar.put(draft, None).remote_id == made.remote_id
        assert stage.everything() == [made.remote_id]
        ids.add(made.remote_id)
        stage.remove(made.remote_id)
    assert len(ids) == 12


def test_our_entry_is_found_after_the_secret_has_changed(stage: GoogleStage) -> None:
    draft = draft_of(stage)
    made = put(stage, draft)
    env = stage.env.__class__(clock=stage.env.clock, secret=lambda purpose: b"new" + purpose.encode())
    found = calendar(stage.account, stage.settings, env, stage.use).find(draft.key, draft.uid)
    assert found is not None and found.remote_id == made.remote_id


def test_a_copy_that_a_person_made_of_our_entry_is_hers(stage: GoogleStage) -> None:
    draft = draft_of(stage)
    made = put(stage, draft)
    kept = {name: value for name, value in stage.shelf.get(made.remote_id).items() if name in COPIED}
    copy = str(stage.shelf.insert(kept, ANA)["id"])
    stage.remove(made.remote_id)
    assert stage.calendar.find(draft.key, draft.uid) is None
    again = put(stage, draft)
    assert set(stage.everything()) == {copy, again.remote_id}
    with pytest.raises(Permanent):
        stage.calendar.put(draft, CalendarContract.remembered(at_id(again, copy), draft))


COPIED = ("summary", "location", "description", "start", "end", "extendedProperties")


def at_id(known: Published, remote_id: str) -> Published:
    return Published(
        key=known.key, uid=known.uid, remote_id=remote_id, etag="", content_hash="x", interval=known.interval
    )


def test_somebody_else_s_entry_under_our_id_is_never_written_over(stage: GoogleStage) -> None:
    draft = draft_of(stage)
    made = put(stage, draft)
    stage.shelf.edit(made.remote_id, extendedProperties={"private": {"syncdSubject": "visit:other"}})
    with pytest.raises(VersionConflict):
        stage.calendar.put(draft, None)
    with pytest.raises(Permanent):
        stage.calendar.delete(made)
    assert stage.look(made.remote_id) is not None


# ------------------------------------------------------------------------------------------------ what is sent


def test_nobody_is_invited_and_no_mail_is_sent(stage: GoogleStage) -> None:
    draft = draft_of(stage)
    made = put(stage, draft)
    stage.calendar.put(draft_of(stage, 6), made)
    stage.calendar.delete(CalendarContract.remembered(stage.calendar.put(draft_of(stage, 6), None), draft_of(stage, 6)))
    writes = [call for name in ("insert", "patch", "delete") for call in stage.google.asked(name)]
    assert len(writes) >= 3
    assert {call.query["sendUpdates"][0] for call in writes} == {"none"}
    assert all("attendees" not in (call.body or {}) for call in writes)


def test_updates_are_sent_where_the_administrator_says_so(google: Google) -> None:
    stage = GoogleStage(google, send_updates="all")
    put(stage, draft_of(stage))
    (call,) = google.asked("insert")
    assert call.query["sendUpdates"] == ["all"]


def test_our_marks_are_private_and_texts(stage: GoogleStage) -> None:
    made = put(stage, draft_of(stage))
    event = stage.shelf.get(made.remote_id)
    private = event["extendedProperties"]["private"]
    assert private["syncdSubject"] == "visit:v1" and private["syncdUid"] == "visit-v1@syncd"
    assert "shared" not in event["extendedProperties"] and all(isinstance(one, str) for one in private.values())


def test_a_copy_of_busy_time_is_marked_and_read_as_one(stage: GoogleStage) -> None:
    mirror = replace(draft_of(stage), mirror=True, title="Ocupado", body="", location="")
    stage.calendar.put(mirror, None)
    (resource,) = [one for page in stage.calendar.changes(None, WIDE) for one in page.changed]
    assert resource.events[0].copied


WIDE = Interval(FIRST - timedelta(days=5), FIRST + timedelta(days=60))


def test_a_change_sends_our_fields_only_and_only_as_last_seen(stage: GoogleStage) -> None:
    draft = draft_of(stage)
    made = put(stage, draft)
    stage.shelf.edit(made.remote_id, attendees=[{"email": "eva@example.cl"}], colorId="4", visibility="private")
    seen = stage.calendar.find(draft.key, draft.uid)
    assert seen is not None
    stage.calendar.put(draft_of(stage, 6), seen)
    (call,) = stage.google.asked("patch")
    assert call.headers["If-Match"] == seen.etag
    assert call.body.keys() == {
        "summary",
        "location",
        "description",
        "start",
        "end",
        "status",
        "transparency",
        "extendedProperties",
    }
    event = stage.shelf.get(made.remote_id)
    assert (event["attendees"], event["colorId"], event["visibility"]) == (
        [{"email": "eva@example.cl"}],
        "4",
        "private",
    )


def test_an_entry_that_the_agent_made_a_day_or_a_series_is_a_visit_again(stage: GoogleStage) -> None:
    draft = draft_of(stage)
    made = put(stage, draft)
    stage.shelf.edit(made.remote_id, recurrence=["RRULE:FREQ=DAILY"])
    days = {"date": "2026-12-07", "dateTime": None, "timeZone": None}
    stage.shelf.edit(made.remote_id, start=days, end=days | {"date": "2026-12-08"}, transparency="transparent")
    seen = stage.calendar.find(draft.key, draft.uid)
    assert seen is not None and seen.interval != draft.interval
    stage.calendar.put(draft, seen)
    event = stage.shelf.get(made.remote_id)
    assert "date" not in event["start"] and not event["recurrence"] and event["transparency"] == "opaque"
    shown = stage.look(made.remote_id)
    assert shown is not None and shown.interval == draft.interval


def test_a_change_between_look_and_write_is_met_by_if_match(stage: GoogleStage) -> None:
    draft = draft_of(stage)
    made = put(stage, draft)
    moved = Interval(FIRST + 30 * HOUR, FIRST + 31 * HOUR)

    def drag_meanwhile(answer: Any) -> Any:
        stage.drag(made.remote_id, moved)
        return answer

    stage.google.change("events.get", drag_meanwhile)
    with pytest.raises(VersionConflict):
        stage.calendar.put(draft_of(stage, 6), made)
    shown = stage.look(made.remote_id)
    assert shown is not None and shown.interval == moved


def test_a_colour_alone_does_not_stop_a_change_or_a_deletion(stage: GoogleStage) -> None:
    draft = draft_of(stage)
    made = put(stage, draft)
    stage.shelf.edit(made.remote_id, colorId="2")
    later = draft_of(stage, 6)
    changed = CalendarContract.remembered(stage.calendar.put(later, made), later)
    stage.shelf.edit(made.remote_id, colorId="3")
    stage.calendar.delete(changed)
    assert stage.everything() == []


def test_an_adopted_entry_of_a_scheduler_is_deleted_where_it_stands(stage: GoogleStage) -> None:
    """Calendly writes into the agent's calendar itself; its entry carries none of our marks."""
    there = Interval(FIRST, FIRST + HOUR)
    made = stage.add(there, "Evento de Calendly")
    draft = draft_of(stage)
    known = Published(
        key=draft.key, uid="c", remote_id=made, etag='"old"', content_hash="", interval=there, adopted=True
    )
    stage.calendar.delete(known)
    assert stage.everything() == []


def test_what_google_stores_at_another_time_is_told_to_a_person(stage: GoogleStage) -> None:
    other = {"dateTime": "2026-12-07T20:00:00Z"}, {"dateTime": "2026-12-07T20:20:00Z"}
    stage.google.change("events.insert", lambda answer: answer | {"start": other[0], "end": other[1]})
    with pytest.raises(Permanent, match="another time"):
        stage.calendar.put(draft_of(stage), None)


def test_a_visit_in_another_zone_keeps_its_instant(stage: GoogleStage) -> None:
    draft = replace(draft_of(stage), time_zone="Europe/Madrid")
    made = put(stage, draft)
    event = stage.shelf.get(made.remote_id)
    assert event["start"]["timeZone"] == "Europe/Madrid"
    assert stage.shelf.instant(event["start"]) == draft.interval.start


def test_a_calendar_that_may_only_be_read_is_forbidden(stage: GoogleStage) -> None:
    stage.shelf.roles[ANA] = "reader"
    with pytest.raises(Forbidden, match="requiredAccessLevel"):
        stage.calendar.put(draft_of(stage), None)


def test_a_calendar_that_is_gone_is_not_found_when_written_to(stage: GoogleStage) -> None:
    del stage.google.shelves[stage.name]
    with pytest.raises(NotFound):
        stage.calendar.put(draft_of(stage), None)


def test_deleting_from_a_calendar_that_is_gone_is_a_success(stage: GoogleStage) -> None:
    made = put(stage, draft_of(stage))
    del stage.google.shelves[stage.name]
    stage.calendar.delete(made)


@pytest.mark.parametrize("body", [b'{"kind": "calendar#event", "id": "other"}', b"[]", b"<html>"])
def test_an_answer_that_is_not_the_entry_asked_for_is_not_believed(stage: GoogleStage, body: bytes) -> None:
    draft = draft_of(stage)
    made = put(stage, draft)
    stage.google.answer("events.get", 200, body)
    with pytest.raises(Unreadable):
        stage.calendar.put(draft_of(stage, 6), made)


def test_a_search_that_ends_in_a_login_page_is_not_nothing_found(stage: GoogleStage) -> None:
    stage.google.answer("events.list", 200, b'{"items": []}')
    draft = draft_of(stage)
    with pytest.raises(Unreadable):
        stage.calendar.find(draft.key, draft.uid)


def test_writes_to_one_calendar_stand_in_line_and_to_others_do_not(google: Google) -> None:
    """Google limits quick writes side by side to one calendar."""
    stage = GoogleStage(google)
    inside, most = [], []
    lock = threading.Lock()

    serve = google.serve

    def counted(method: str, target: str, headers: Any, body: bytes) -> Any:
        writes = method in ("POST", "PATCH", "DELETE") and "/events" in target
        with lock:
            inside.append(1) if writes else None
            most.append(len(inside))
        try:
            return serve(method, target, headers, body)
        finally:
            with lock:
                inside.pop() if writes else None

    google.serve = counted  # type: ignore[method-assign] # the server's own, to see what is under way in it
    threads = [
        threading.Thread(target=lambda n=n: stage.calendar.put(draft_of(stage, n, visit=f"v{n}"), None))
        for n in range(8)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(stage.everything()) == 8 and max(most) == 1


# ------------------------------------------------------------------------------------------------ notes


def lines(letters: str) -> st.SearchStrategy[str]:
    return st.lists(st.text(alphabet=letters, min_size=1, max_size=6), max_size=4).map("\n".join)


LINES, HERS = lines("abc <>&é"), lines("xyz")


@given(ours=LINES.filter(str.strip), new=LINES, before=HERS, after=HERS)
def test_our_lines_are_replaced_and_the_agent_s_stay(ours: str, new: str, before: str, after: str) -> None:
    stands = "\n".join(one for one in (before, ours, after) if one)
    done = merged(stands, mark_of(ours), new)
    assert says(done, new)
    for hers in (before, after):
        assert says(done, hers)


@given(stands=LINES, mark=st.text(max_size=20), wanted=LINES)
def test_notes_that_hold_no_line_of_ours_are_left_alone(stands: str, mark: str, wanted: str) -> None:
    done = merged(stands, mark, wanted)
    assert done == (stands if stands.strip() else wanted) or (not stands.strip() and says(done, wanted))


def test_google_s_own_editor_turns_line_ends_into_html_and_our_lines_are_still_known() -> None:
    ours = "Cliente: Eva\nhttps://visitas.example.cl/v/abc"
    stands = f"{ours.replace(chr(10), '<br>')}<br>Llevar las <b>llaves</b>"
    assert merged(stands, mark_of(ours), "Cliente: otra") == "Cliente: otra<br>Llevar las <b>llaves</b>"


def test_text_the_agent_wrote_into_our_lines_is_hers() -> None:
    assert merged("Cliente: Eva (ojo)", mark_of("Cliente: Eva"), "Cliente: otra") == "Cliente: Eva (ojo)"


def test_an_edit_that_was_seen_is_written_back(stage: GoogleStage) -> None:
    draft = draft_of(stage)
    made = put(stage, draft)
    moved = Interval(datetime(2026, 12, 9, 12, tzinfo=UTC), datetime(2026, 12, 9, 13, tzinfo=UTC))
    stage.drag(made.remote_id, moved)
    seen = replace(made, presence=Presence.CHANGED, seen_interval=moved)
    stage.calendar.put(draft, seen)
    shown = stage.look(made.remote_id)
    assert shown is not None and shown.interval == draft.interval


def test_a_full_minute_waits_and_is_no_error_of_google(google: Google) -> None:
    stage = GoogleStage(google, quota=3)
    for _ in range(3):
        list(stage.calendar.changes(None, WIDE))
    with pytest.raises(Transient) as caught:
        list(stage.calendar.changes(None, WIDE))
    assert caught.value.retry_after is not None and 0 < caught.value.retry_after <= 60
    assert len(google.calls) == 3
    other = calendar(stage.account, stage.settings, stage.env, use_of(stage.name, subject="bob@example.cl"))
    google.desk.people.add("bob@example.cl")
    stage.shelf.roles["bob@example.cl"] = "writer"
    list(other.changes(None, WIDE))
