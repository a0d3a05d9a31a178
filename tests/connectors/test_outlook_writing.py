"""Our entries in an Outlook calendar: made once whatever gets lost, changed as last seen, and nobody is invited."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors._outlook_event import PROPERTY, mark_of, ours_in
from connectors._outlook_notes import rewritten, says
from connectors._outlook_writing import Writing
from syncd.core.publish import EventDraft, Presence, Published
from syncd.errors import Ambiguous, AuthFailed, NotFound, Permanent, Transient, VersionConflict
from tests.connectors.outlook_stage import ANA, OutlookStage
from tests.contracts.calendar import CalendarContract, Reader
from tests.servers.graph import Fault, GraphServer, graph_server
from tests.servers.graph_mailbox import Box, Event, interval_of

draft_of = CalendarContract.draft
at = CalendarContract.at
remembered = CalendarContract.remembered


@pytest.fixture
def graph() -> Iterator[GraphServer]:
    with graph_server() as running:
        yield running


@pytest.fixture
def box(graph: GraphServer) -> Box:
    return graph.box(ANA)


@pytest.fixture
def stage(graph: GraphServer, box: Box) -> OutlookStage:
    return OutlookStage(graph, box)


def only(box: Box) -> Event:
    (event,) = box.events.values()
    return event


# --- done when, 3: a lost response ----------------------------------------------------------------------------------


def test_a_lost_answer_to_a_creation_leaves_one_entry(stage: OutlookStage, graph: GraphServer, box: Box) -> None:
    graph.faults.append(Fault("POST /users", "lost"))
    draft = draft_of(stage)
    put = stage.calendar.put(draft, None)
    assert put.remote_id == only(box)["id"]
    assert stage.calendar.put(draft, None).remote_id == put.remote_id
    assert len(box.events) == 1


def test_a_lost_answer_that_cannot_be_looked_up_is_left_open(stage: OutlookStage, graph: GraphServer, box: Box) -> None:
    graph.faults += [Fault("POST /users", "lost"), Fault("$filter", "503", after=1)]
    draft = draft_of(stage)
    with pytest.raises(Transient):
        stage.calendar.put(draft, None)
    found = stage.calendar.find(draft.key, draft.uid)
    assert found is not None and found.remote_id == only(box)["id"]


def test_a_lost_answer_before_the_look_up_sees_it_is_healed_by_the_transaction(
    stage: OutlookStage, graph: GraphServer, box: Box
) -> None:
    """The index behind the filter may lag: then nothing is found, and the same creation is sent again."""
    draft = draft_of(stage)
    graph.faults.append(Fault("POST /users", "lost"))
    hidden: dict[str, Any] = {}

    def lag(call: str) -> None:
        for event in box.events.values():
            if "$filter" in call:
                hidden.update({event["id"]: event.pop("singleValueExtendedProperties", None)})
            elif event["id"] in hidden:
                event["singleValueExtendedProperties"] = hidden.pop(event["id"])

    graph.meanwhile = lag
    with pytest.raises(Ambiguous):
        stage.calendar.put(draft, None)
    assert stage.calendar.put(draft, None).remote_id == only(box)["id"]


def test_a_store_conflict_is_looked_into_and_never_taken_for_success(
    stage: OutlookStage, graph: GraphServer, box: Box
) -> None:
    graph.faults.append(Fault("POST /users", "409", "ErrorIrresolvableConflict"))
    with pytest.raises(Ambiguous, match="ErrorIrresolvableConflict"):
        stage.calendar.put(draft_of(stage), None)
    assert box.events == {}


@pytest.mark.parametrize("kind", ["429", "503"])
def test_a_creation_that_is_throttled_is_tried_again_by_the_caller(
    stage: OutlookStage, graph: GraphServer, box: Box, kind: str
) -> None:
    graph.faults.append(Fault("POST /users", kind, headers={"Retry-After": "9"}))
    with pytest.raises(Transient) as told:
        stage.calendar.put(draft_of(stage), None)
    assert told.value.retry_after == 9 and box.events == {}
    stage.calendar.put(draft_of(stage), None)
    assert len(box.events) == 1


def test_a_lost_answer_to_a_change_is_seen_by_the_next_look(stage: OutlookStage, graph: GraphServer, box: Box) -> None:
    draft, later = draft_of(stage), draft_of(stage, 6)
    put = remembered(stage.calendar.put(draft, None), draft)
    graph.faults.append(Fault("PATCH", "lost", times=2))
    with pytest.raises((Transient, VersionConflict)):
        stage.calendar.put(later, put)
    found = stage.calendar.find(draft.key, draft.uid)
    assert found is not None and found.interval == later.interval
    assert stage.calendar.put(later, found).remote_id == put.remote_id and len(box.events) == 1


def test_a_lost_answer_to_a_deletion_is_a_success(stage: OutlookStage, graph: GraphServer, box: Box) -> None:
    draft = draft_of(stage)
    put = remembered(stage.calendar.put(draft, None), draft)
    graph.faults.append(Fault("DELETE", "lost"))
    stage.calendar.delete(put)
    assert box.events == {}


# --- what is written ------------------------------------------------------------------------------------------------


def test_an_entry_is_written_once_for_nobody_but_the_agent(stage: OutlookStage, graph: GraphServer, box: Box) -> None:
    draft = draft_of(stage)
    stage.calendar.put(draft, None)
    event = only(box)
    assert (event["attendees"], event["responseRequested"], event["showAs"]) == ([], False, "busy")
    assert event["start"] == {"dateTime": draft.interval.start.replace(tzinfo=None).isoformat(), "timeZone": "UTC"}
    assert event["singleValueExtendedProperties"] == [{"id": PROPERTY, "value": draft.key.subject}]
    assert ours_in(event) == (draft.key.subject, "g1")
    assert [one.split(" ")[0] for one in graph.calls] == ["GET", "POST", "GET"]


def test_a_change_touches_our_fields_only(stage: OutlookStage, graph: GraphServer, box: Box) -> None:
    draft = draft_of(stage)
    put = remembered(stage.calendar.put(draft, None), draft)
    before = dict(only(box))
    stage.calendar.put(draft_of(stage, 7, title="Otra"), put)
    changed = {name for name, value in only(box).items() if before.get(name) != value}
    assert changed == {"subject", "start", "end", "changeKey", "@odata.etag", "lastModifiedDateTime"}


def test_the_same_creation_after_a_deletion_makes_a_new_entry(
    stage: OutlookStage, graph: GraphServer, box: Box
) -> None:
    """Graph repeats its answer to a transaction it knows, even where the entry is gone."""
    draft = draft_of(stage)
    first = stage.calendar.put(draft, None)
    box.remove(first.remote_id)
    second = stage.calendar.put(draft, None)
    assert second.remote_id == only(box)["id"] != first.remote_id
    box.remove(second.remote_id)
    assert stage.calendar.put(draft, None).remote_id == only(box)["id"]
    found = stage.calendar.find(draft.key, draft.uid)
    assert found is not None and found.remote_id == only(box)["id"]


def test_a_time_that_graph_bends_is_put_right(stage: OutlookStage, graph: GraphServer, box: Box) -> None:
    graph.api.odd.bent_times = 1
    draft = draft_of(stage)
    put = stage.calendar.put(draft, None)
    assert interval_of(only(box)) == draft.interval and put.etag == only(box)["@odata.etag"]


def test_a_time_that_graph_will_not_keep_is_told(stage: OutlookStage, graph: GraphServer, box: Box) -> None:
    box.change = lambda name, fields: box.events[name]  # type: ignore[method-assign]
    graph.api.odd.bent_times = 1
    with pytest.raises(Permanent, match="another time"):
        stage.calendar.put(draft_of(stage), None)


def test_a_day_that_the_agent_made_of_a_visit_becomes_a_time_again(
    stage: OutlookStage, graph: GraphServer, box: Box
) -> None:
    draft = draft_of(stage)
    put = remembered(stage.calendar.put(draft, None), draft)
    day = {"start": {"dateTime": "2026-12-07T00:00:00", "timeZone": "UTC"},
           "end": {"dateTime": "2026-12-08T00:00:00", "timeZone": "UTC"}}  # fmt: skip
    event = box.change(put.remote_id, {"isAllDay": True, **day})
    stage.calendar.put(draft, replace(put, etag=event["@odata.etag"], presence=Presence.CHANGED))
    assert only(box)["isAllDay"] is False and interval_of(only(box)) == draft.interval


def test_an_online_meeting_keeps_the_way_into_it(stage: OutlookStage, graph: GraphServer, box: Box) -> None:
    draft = draft_of(stage)
    put = remembered(stage.calendar.put(draft, None), draft)
    join = {"contentType": "html", "content": "<a href='https://teams.example/join'>Join</a>"}
    event = box.change(put.remote_id, {"isOnlineMeeting": True, "body": join})
    stage.calendar.put(draft_of(stage, 6, body="otra"), replace(put, etag=event["@odata.etag"]))
    assert only(box)["body"] == join


def test_an_entry_that_lost_our_mark_is_left_alone(stage: OutlookStage, graph: GraphServer, box: Box) -> None:
    stranger = stage.add(at(stage, 1))
    draft = draft_of(stage)
    put = remembered(stage.calendar.put(draft, None), draft)
    false = replace(put, remote_id=stranger, etag=box.events[stranger]["@odata.etag"])
    with pytest.raises(Permanent, match="left alone"):
        stage.calendar.put(draft, false)
    with pytest.raises(Permanent, match="left alone"):
        stage.calendar.delete(replace(false, etag=""))
    assert stranger in box.events


def test_a_person_s_copy_is_never_taken_for_ours(stage: OutlookStage, graph: GraphServer, box: Box) -> None:
    """F57: a copy carries our property and no transaction."""
    draft = draft_of(stage)
    put = stage.calendar.put(draft, None)
    copied = {name: only(box)[name] for name in ("subject", "start", "end", "body", "singleValueExtendedProperties")}
    copy = box.make(copied)["id"]
    found = stage.calendar.find(draft.key, draft.uid)
    assert found is not None and found.remote_id == put.remote_id
    box.remove(put.remote_id)
    assert stage.calendar.find(draft.key, draft.uid) is None
    reader = Reader(stage, at(stage, 0, length=48))
    reader.read()
    assert [one.tag for one in reader.held[copy].events] == [None]


def test_a_copy_of_busy_time_is_known_for_one(stage: OutlookStage, graph: GraphServer) -> None:
    draft = draft_of(stage)
    mirror = replace(draft, key=replace(draft.key, subject="mirror:abc"), uid="mirror-abc@syncd", mirror=True)
    put = stage.calendar.put(mirror, None)
    reader = Reader(stage, at(stage, 0, length=48))
    reader.read()
    assert reader.held[put.remote_id].events[0].copied


@pytest.mark.parametrize("subject", ["visit:o'brien", "visit:a b", "visit:ñandú", "visit:50%"])
def test_a_subject_of_any_spelling_is_found_again(stage: OutlookStage, graph: GraphServer, subject: str) -> None:
    draft = draft_of(stage)
    odd = replace(draft, key=replace(draft.key, subject=subject))
    put = stage.calendar.put(odd, None)
    found = stage.calendar.find(odd.key, odd.uid)
    assert found is not None and found.remote_id == put.remote_id


# --- versions and refusals ------------------------------------------------------------------------------------------


def test_a_change_between_look_and_write_is_a_conflict(stage: OutlookStage, graph: GraphServer, box: Box) -> None:
    draft = draft_of(stage)
    put = remembered(stage.calendar.put(draft, None), draft)
    graph.meanwhile = lambda call: stage.drag(put.remote_id, at(stage, 30)) if call.startswith("PATCH") else None
    with pytest.raises(VersionConflict):
        stage.calendar.put(draft_of(stage, 6), put)
    assert interval_of(only(box)) == at(stage, 30)


def test_an_entry_deleted_between_write_and_look_is_a_conflict(
    stage: OutlookStage, graph: GraphServer, box: Box
) -> None:
    draft = draft_of(stage)
    put = remembered(stage.calendar.put(draft, None), draft)
    graph.faults.append(Fault(f"GET /users/{ANA}/events/", "404", "ErrorItemNotFound", after=1))
    with pytest.raises(VersionConflict, match="vanished"):
        stage.calendar.put(draft_of(stage, 6), put)


def test_deleting_in_a_mailbox_that_is_gone_is_no_success(stage: OutlookStage, graph: GraphServer, box: Box) -> None:
    draft = draft_of(stage)
    put = remembered(stage.calendar.put(draft, None), draft)
    del graph.api.boxes[ANA]
    with pytest.raises(NotFound, match="ErrorInvalidUser"):
        stage.calendar.delete(put)
    with pytest.raises(NotFound, match="ErrorInvalidUser"):
        stage.calendar.put(draft_of(stage, 6), put)
    with pytest.raises(NotFound, match="ErrorInvalidUser"):
        stage.calendar.find(draft.key, draft.uid)


def test_an_entry_of_unknown_version_is_looked_at_before_it_goes(
    stage: OutlookStage, graph: GraphServer, box: Box
) -> None:
    draft = draft_of(stage)
    put = stage.calendar.put(draft, None)
    stage.calendar.delete(replace(put, etag=""))
    stage.calendar.delete(replace(put, etag=""))
    assert box.events == {}


def test_a_token_that_ends_before_a_write_costs_nothing(stage: OutlookStage, graph: GraphServer, box: Box) -> None:
    stage.calendar.find(draft_of(stage).key, "")
    graph.desk.expire_all()
    stage.calendar.put(draft_of(stage), None)
    assert len(box.events) == 1


def test_a_write_without_the_right_to_it_is_told(stage: OutlookStage, graph: GraphServer, box: Box) -> None:
    graph.faults.append(Fault("POST /users", "403", "ErrorAccessDenied"))
    with pytest.raises(AuthFailed):
        stage.calendar.put(draft_of(stage), None)


# --- crowds ---------------------------------------------------------------------------------------------------------


def test_one_call_per_mailbox_and_four_in_all_are_under_way_at_once(graph: GraphServer) -> None:
    """Throttling limits: whoever asks for more is told 429."""
    names = [f"agent{number}@oficina.example" for number in range(7)]
    stages = [OutlookStage(graph, graph.box(name)) for name in names for _ in range(2)]
    desk = stages[0].desk
    calendars = [desk.calendar(stage.name) for stage in stages]
    calendars[0].find(draft_of(stages[0]).key, "")
    crowded, hold = threading.Event(), threading.Event()

    def meanwhile(_call: str) -> None:
        if graph.in_flight[""] >= 4:
            crowded.set()
        hold.wait(10)

    graph.meanwhile = meanwhile
    threads = [threading.Thread(target=one.find, args=(draft_of(stages[0]).key, "")) for one in calendars]
    for thread in threads:
        thread.start()
    assert crowded.wait(10)
    hold.set()
    for thread in threads:
        thread.join(20)
    assert graph.crowd.pop("") == 4
    assert set(graph.crowd.values()) == {1}


# --- words ----------------------------------------------------------------------------------------------------------

LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1), max_size=5)


def put_with(body: str) -> tuple[EventDraft, Published]:
    draft = replace(CalendarContract.draft(OutlookStage), body=body)  # type: ignore[arg-type]
    known = Published(
        key=draft.key, uid=draft.uid, remote_id="x", etag="", content_hash=draft.content_hash,
        interval=draft.interval, title=draft.title, location=draft.location,
    )  # fmt: skip
    return draft, known


@given(before=LINES, after=LINES, above=LINES, below=LINES)
def test_what_the_agent_wrote_stands_after_ours_changed(
    before: list[str], after: list[str], above: list[str], below: list[str]
) -> None:
    assume(before and not set(before) & {*above, *below})  # else nobody could tell which lines are ours
    draft, known = put_with("\n".join(before))
    stands = "\r\n".join([*above, *before, *below])
    new = rewritten(stands, replace(draft, body="\n".join(after)), known, untouched=False)
    left = (stands if new is None else new).replace("\r\n", "\n")
    assert left.split("\n") == ([*above, *after, *below] or [""])


@given(before=LINES, after=LINES)
def test_a_body_that_nobody_touched_is_ours_whole(before: list[str], after: list[str]) -> None:
    draft, _ = put_with("\n".join(after))
    new = rewritten("\n".join(before), draft, None, untouched=True)
    assert new is None or new == "\n".join(after)
    assert says("\n".join(before) if new is None else new, draft.body)


def test_where_the_agent_wrote_into_our_lines_the_text_is_hers() -> None:
    draft, known = put_with("Cliente: Eva\nCasa 7")
    mine = "Cliente: Eva (ojo)\nCasa 7"
    assert rewritten(mine, replace(draft, body="Cliente: otra"), known, untouched=False) is None


def test_a_mark_survives_any_generation() -> None:
    assert ours_in({"transactionId": mark_of("visit:v1", "a;b", "salt")}) == ("visit:v1", "ab")
    for strange in (None, "", "syncd", "other;visit:v1;g;", "syncd;;g;", 7):
        assert ours_in({"transactionId": strange}) is None


def test_writing_needs_no_zone_of_the_mailbox(stage: OutlookStage, graph: GraphServer) -> None:
    assert isinstance(stage.calendar.writing, Writing)  # type: ignore[attr-defined]
    stage.calendar.put(draft_of(stage), None)
    assert graph.took("mailboxSettings") == []


def test_a_moved_visit_keeps_its_etag_current(stage: OutlookStage, graph: GraphServer, box: Box) -> None:
    draft = draft_of(stage)
    put = stage.calendar.put(draft, None)
    for hours in (5, 6, 7):
        put = remembered(put, draft)
        draft = draft_of(stage, hours)
        put = stage.calendar.put(draft, put)
        assert put.etag == only(box)["@odata.etag"]
    assert interval_of(only(box)).start == stage.first + timedelta(hours=7)
