"""Writing into a CalDAV calendar: nothing twice, nothing that is not ours, nothing over somebody's newer edit."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Literal

import pytest

from syncd.core.ids import CalendarId
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, EventKey, Presence, Published
from syncd.errors import Ambiguous, AuthFailed, Forbidden, NotFound, Permanent, Transient, Unreadable, VersionConflict
from tests.connectors.caldav_stage import (
    FIRST,
    LiarStage,
    calendar_of,
    environment,
    properties,
    stands_in_two_calendars,
)
from tests.servers.caldav_liar import Flavour, lying
from tests.servers.dav import event, with_line

KEY = EventKey("visit:v1", CalendarId("oficina/ana"))
TIME = Interval(FIRST, FIRST + timedelta(minutes=20))
LATER = Interval(FIRST + timedelta(hours=4), FIRST + timedelta(hours=5))


def draft(**changes: object) -> EventDraft:
    plain = EventDraft(key=KEY, uid="visit-v1@syncd", interval=TIME, time_zone="America/Santiago", title="Visita")
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.fixture
def stage() -> Iterator[LiarStage]:
    with lying() as liar:
        yield LiarStage(liar)


def put(stage: LiarStage, known: Published | None = None, **changes: object) -> Published:
    wanted = draft(**changes)
    return replace(stage.calendar.put(wanted, known), content_hash=wanted.content_hash, interval=wanted.interval)


def stranger(stage: LiarStage, path: str, **more: str) -> str:
    """Put a person's entry at an address; return its text."""
    stage.hands.put(path, event(LATER.start, LATER.end, **more))
    text = stage.hands.get(path)
    assert text is not None
    return text


# ------------------------------------------------------------------------------------------------ answers that get lost


def test_f4_a_creation_whose_answer_is_lost_is_found_and_not_made_twice(stage: LiarStage) -> None:
    stage.liar.hang_up("PUT")
    with pytest.raises(Ambiguous):
        put(stage)
    found = stage.calendar.find(KEY, "visit-v1@syncd")
    assert found is not None and found.interval == TIME
    assert stage.everything() == [found.remote_id]


def test_f4_a_creation_that_is_simply_repeated_writes_once(stage: LiarStage) -> None:
    stage.liar.hang_up("PUT")
    with pytest.raises(Ambiguous):
        put(stage)
    stage.asked()
    again = put(stage)
    assert [one.partition(" ")[0] for one in stage.asked()] == ["PUT", "GET"]  # refused, looked at, found equal
    assert stage.everything() == [again.remote_id]


def test_f5_a_change_whose_answer_is_lost_is_ambiguous_and_then_found(stage: LiarStage) -> None:
    known = put(stage)
    stage.liar.hang_up("PUT")
    with pytest.raises(Ambiguous):
        put(stage, known, interval=LATER)
    found = stage.calendar.find(KEY, known.uid)
    assert found is not None and found.interval == LATER and found.etag != known.etag


def test_f5_a_deletion_whose_answer_is_lost_succeeds_when_repeated(stage: LiarStage) -> None:
    known = put(stage)
    stage.liar.hang_up("DELETE")
    with pytest.raises(Ambiguous):
        stage.calendar.delete(known)
    stage.calendar.delete(known)
    assert stage.everything() == []


def test_a_request_that_never_left_is_tried_again_later(stage: LiarStage) -> None:
    known = put(stage)
    with lying() as other:
        url = other.url
    away = calendar_of(stage.settings.model_copy(update={"url": url}), f"{url}cal/ana/x/", environment())
    with pytest.raises(Transient):
        away.put(draft(), None)
    with pytest.raises(Transient):
        away.delete(known)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 507])
def test_a_busy_server_is_asked_again_later(stage: LiarStage, status: int) -> None:
    stage.liar.next("PUT", status, Retry_After="20")
    with pytest.raises(Transient) as raised:
        put(stage)
    assert raised.value.retry_after == 20


# ------------------------------------------------------------------------------------------------ whose it is (P4)


def test_p4_a_stranger_s_entry_at_our_row_s_address_is_neither_changed_nor_deleted(stage: LiarStage) -> None:
    known = put(stage)
    text = stranger(stage, known.remote_id, title="Cumpleaños")
    with pytest.raises(Permanent):
        put(stage, known, interval=LATER)
    with pytest.raises(Permanent):
        stage.calendar.delete(known)
    with pytest.raises(Permanent):
        stage.calendar.delete(replace(known, etag=""))
    assert stage.hands.get(known.remote_id) == text


def test_p4_another_visit_s_entry_at_our_row_s_address_is_left_alone(stage: LiarStage) -> None:
    known = put(stage)
    text = stranger(stage, known.remote_id, uid=known.uid, more="X-SYNCD-SUBJECT:visit:v9")
    with pytest.raises(Permanent):
        put(stage, known, interval=LATER)
    assert stage.hands.get(known.remote_id) == text


@pytest.mark.parametrize("searches", [True, False])
def test_f57_a_person_s_copy_is_never_taken_for_ours(searches: bool) -> None:
    with lying(Flavour(searches=searches)) as liar:
        stage = LiarStage(liar)
        copy = f"{stage.inside}copy.ics"
        text = stranger(stage, copy, uid="copy@phone", more="X-SYNCD-SUBJECT:visit:v1\nX-VISIT-ID:v1")
        assert stage.calendar.find(KEY, "visit-v1@syncd") is None
        known = put(stage)
        assert known.remote_id != copy
        stage.calendar.delete(known)
        assert stage.hands.get(copy) == text


def test_an_entry_whose_marks_a_client_dropped_is_still_ours_by_its_uid(stage: LiarStage) -> None:
    known = put(stage)
    stranger(stage, known.remote_id, uid=known.uid)
    found = stage.calendar.find(KEY, known.uid)
    assert found is not None and found.interval == LATER
    put(stage, found)
    text = stage.hands.get(known.remote_id)
    assert text is not None and "X-SYNCD-SUBJECT:visit:v1" in text


@pytest.mark.parametrize("status", [400, 403, 409, 412])
def test_a_uid_conflict_with_our_own_entry_elsewhere_adopts_that_one(status: int) -> None:
    with lying(Flavour(uid_conflict=status)) as liar:
        stage = LiarStage(liar)
        elsewhere = f"{stage.inside}moved%20by%20phone.ics"
        stranger(stage, elsewhere, uid="visit-v1@syncd", more="X-SYNCD-SUBJECT:visit:v1")
        known = put(stage)
        assert known.remote_id == elsewhere
        shown = stage.look(elsewhere)
        assert shown is not None and shown.interval == TIME
        assert stage.everything() == [elsewhere]


@pytest.mark.parametrize("status", [403, 409, 412])
def test_a_uid_conflict_with_something_else_s_entry_leaves_that_alone(status: int) -> None:
    with lying(Flavour(uid_conflict=status)) as liar:
        stage = LiarStage(liar)
        path = f"{stage.inside}other.ics"
        text = stranger(stage, path, uid="visit-v1@syncd", more="X-SYNCD-SUBJECT:mirror:abc")
        with pytest.raises((VersionConflict, Forbidden)):
            put(stage)
        assert stage.hands.get(path) == text and stage.everything() == [path]


def test_a_calendar_that_may_not_be_written_says_so(stage: LiarStage) -> None:
    stage.liar.next("PUT", 403)
    with pytest.raises(Forbidden):
        put(stage)


def test_a_refused_login_is_told(stage: LiarStage) -> None:
    stage.liar.next("PUT", 401)
    with pytest.raises(AuthFailed):
        put(stage)


def test_a_calendar_that_is_gone_is_not_found(stage: LiarStage) -> None:
    put(stage)
    stage.liar.shelves.clear()
    with pytest.raises(NotFound):
        put(stage)


# ------------------------------------------------------------------------------------------------ etags (F58)


def test_f58_where_etags_never_repeat_the_content_decides() -> None:
    with lying(Flavour(read_etag="new")) as liar:
        stage = LiarStage(liar)
        known = put(stage)
        known = put(stage, known, interval=LATER)
        shown = stage.look(known.remote_id)
        assert shown is not None and shown.interval == LATER
        stage.drag(known.remote_id, TIME)
        with pytest.raises(VersionConflict):
            put(stage, known, title="Otra")
        with pytest.raises(VersionConflict):
            stage.calendar.delete(known)
        shown = stage.look(known.remote_id)
        assert shown is not None and shown.interval == TIME
        seen = replace(known, presence=Presence.CHANGED, seen_interval=TIME)
        known = put(stage, seen, interval=LATER)
        stage.calendar.delete(known)
        assert stage.everything() == []


def test_an_edit_that_slips_in_between_reading_and_writing_is_not_written_over() -> None:
    with lying(Flavour(read_etag="new")) as liar:
        stage = LiarStage(liar)
        known = put(stage)
        text = stage.hands.get(known.remote_id)
        assert text is not None
        moved = with_line(text, "SUMMARY", "SUMMARY:Cambiada por Ana").replace("\n", "\r\n").encode()
        liar.change_next("GET", lambda _: moved, skip=1)
        with pytest.raises(VersionConflict):
            put(stage, known, interval=LATER)


@pytest.mark.parametrize("kind", ["none", "weak"])
def test_an_etag_that_put_does_not_tell_is_read(kind: str) -> None:
    with lying(Flavour(put_etag=kind)) as liar:  # type: ignore[arg-type]
        stage = LiarStage(liar)
        known = put(stage)
        assert known.etag.startswith('"')
        stage.calendar.delete(known)
        assert [one.partition(" ")[0] for one in stage.asked()].count("GET") == 0


def test_an_etag_that_cannot_be_read_after_a_put_does_not_undo_the_put(stage: LiarStage) -> None:
    with lying(Flavour(put_etag="none")) as liar:
        stage = LiarStage(liar)
        known = put(stage)
        liar.next("PROPFIND", 503)
        known = put(stage, known, interval=LATER)
        assert known.etag == ""
        known = put(stage, known, title="Otra")
        stage.calendar.delete(replace(known, etag=""))
        assert stage.everything() == []


def test_a_colour_set_by_the_owner_is_no_conflict(stage: LiarStage) -> None:
    known = put(stage)
    stage.decorate(known.remote_id, "Nota")
    put(stage, known, interval=LATER)
    shown = stage.look(known.remote_id)
    assert shown is not None and shown.decorated and shown.interval == LATER


# ------------------------------------------------------------------------------------------------ what is written


def test_our_address_is_the_same_each_time_and_guessed_by_nobody(stage: LiarStage) -> None:
    known = put(stage)
    other = calendar_of(stage.settings, stage.name, environment(secret=lambda purpose: b"another installation"))
    stage.calendar.delete(known)
    assert put(stage).remote_id == known.remote_id
    stage.calendar.delete(put(stage))
    assert other.put(draft(), None).remote_id != known.remote_id
    assert "v1" not in known.remote_id.removeprefix(stage.inside)


def test_nothing_is_written_that_makes_a_server_send_mail(stage: LiarStage) -> None:
    known = put(stage, body="ATTENDEE:mailto:eva@example.com", title="x\r\nORGANIZER:mailto:x@example.com")
    text = stage.hands.get(known.remote_id)
    assert text is not None
    assert not {"ATTENDEE", "ORGANIZER", "METHOD"} & set(properties(text))


def test_writing_needs_no_more_requests_than_it_must(stage: LiarStage) -> None:
    put(stage)
    stage.calendar.delete(put(stage))
    stage.asked()
    known = put(stage)
    assert [one.partition(" ")[0] for one in stage.asked()] == ["PUT"]
    known = put(stage, known, interval=LATER)
    assert [one.partition(" ")[0] for one in stage.asked()] == ["GET", "PUT"]
    stage.calendar.delete(known)
    assert [one.partition(" ")[0] for one in stage.asked()] == ["DELETE"]


def test_a_login_page_in_place_of_our_entry_is_not_written_over(stage: LiarStage) -> None:
    known = put(stage)
    stage.liar.next("GET", 200, "<html>login</html>", Content_Type="text/html")
    with pytest.raises(Unreadable):
        put(stage, known, interval=LATER)


def test_an_adopted_entry_is_deleted_only_as_it_was_seen(stage: LiarStage) -> None:
    path = f"{stage.inside}calendly.ics"
    stranger(stage, path, uid="abc@calendly.com")
    adopted = Published(
        key=KEY, uid="abc@calendly.com", remote_id=path, etag="", content_hash="", interval=LATER, adopted=True
    )
    with pytest.raises(VersionConflict):
        stage.calendar.delete(replace(adopted, interval=TIME))
    stage.calendar.delete(adopted)
    assert stage.everything() == []


# ------------------------------------------------------------------------------------------- two calendars of one login


@pytest.mark.parametrize("status", [403, 409, 412])
@pytest.mark.parametrize("scope", ["calendar", "home"])
def test_a_visit_may_stand_in_two_calendars_of_one_login(scope: Literal["calendar", "home"], status: int) -> None:
    with lying(Flavour(uid_once=scope, uid_conflict=status)) as liar:
        stands_in_two_calendars(LiarStage(liar))


def test_our_entry_under_its_own_uid_is_found_although_a_client_dropped_our_marks() -> None:
    with lying(Flavour(uid_once="home", uid_conflict=403)) as liar:
        stage = LiarStage(liar)
        other, key = stage.another(), replace(KEY, calendar=CalendarId("oficina/bruno"))
        put(stage)
        known = other.put(draft(key=key), None)
        text = stage.hands.get(known.remote_id)
        assert text is not None
        stage.hands.put(known.remote_id, re.sub(r"^X-.*\n", "", text, flags=re.MULTILINE))
        found = other.find(key, "visit-v1@syncd")
        assert found is not None and (found.remote_id, found.uid) == (known.remote_id, known.uid)
