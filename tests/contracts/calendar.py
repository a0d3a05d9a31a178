"""What every Calendar must do, whoever plays it; a connector's test hands in a stage and inherits the tests.

The stage is a calendar and the hands of the person who owns it. To join: give a class with what `CalendarStage` lists,
make a fixture `stage` that yields a fresh, empty calendar, and subclass `CalendarContract`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

import pytest

from syncd.core.ids import CalendarId
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, EventKey, Presence, Published, presence_of
from syncd.errors import CursorExpired, NotFound, VersionConflict
from syncd.ports import Calendar, Home, Resource

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An entry as its owner sees it."""

    title: str
    interval: Interval
    location: str = ""
    notes: str = ""
    decorated: bool = False  # with the reminder and the colour of `decorate`


class CalendarStage(Protocol):
    """A calendar, what syncd has of it, and its owner's hands."""

    calendar: Calendar
    home: Home | None  # None where the connector has no such part
    name: str  # of the calendar, as the configuration writes it
    first: datetime  # a full hour, some days ahead

    def add(self, interval: Interval, title: str = "Dentista") -> str:
        """Make an entry; return its remote id."""
        ...

    def drag(self, remote_id: str, interval: Interval) -> None:
        """Move an entry, ours or the owner's, as a calendar program does: everything else stays."""
        ...

    def decorate(self, remote_id: str, notes: str) -> None:
        """Set a reminder and a colour, and write notes below those that are there."""
        ...

    def remove(self, remote_id: str) -> None: ...

    def look(self, remote_id: str) -> Shown | None:
        """Look at one entry; None where it is gone."""
        ...

    def everything(self) -> list[str]:
        """List the remote ids of all entries."""
        ...

    def forget_places(self) -> None:
        """Make the provider forget every cursor it gave."""
        ...


@dataclass
class Reader:
    """Keeps what a calendar was read to be, as the pull flow does."""

    stage: CalendarStage
    window: Interval
    held: dict[str, Resource] = field(default_factory=dict)
    cursor: str | None = None
    listings: int = 0

    def read(self) -> set[str]:
        """Read on from the last place, completely where that is gone; return the remote ids that differ now."""
        before = dict(self.held)
        try:
            self._apply(self.cursor)
        except CursorExpired:
            self.cursor = None
            self._apply(None)
        return {one for one in {*before, *self.held} if before.get(one) != self.held.get(one)}

    def list_all(self, known: Mapping[str, str] | None = None) -> set[str]:
        """List completely; return the ids whose bodies came."""
        return self._apply(None, known)

    def times(self) -> set[Interval]:
        found = (one.interval for resource in self.held.values() for one in resource.events)
        return {interval for interval in found if interval is not None}

    def _apply(self, cursor: str | None, known: Mapping[str, str] | None = None) -> set[str]:
        etags = {one: resource.etag for one, resource in self.held.items()}
        given = (etags if known is None else known) if cursor is None else None
        pages = list(self.stage.calendar.changes(cursor, self.window, given))
        assert pages, "a reading has at least one page"
        complete = pages[-1].complete
        assert complete or cursor is not None, "without a cursor a reading is complete"
        changed = {one.remote_id: one for page in pages for one in page.changed}
        unchanged = {one for page in pages for one in page.unchanged}
        removed = {one for page in pages for one in page.removed}
        if complete:
            self.listings += 1
            assert not changed.keys() & unchanged
            removed = set(self.held) - set(changed) - unchanged
        self.held = {one: held for one, held in self.held.items() if one not in removed} | changed
        self.cursor = pages[-1].cursor
        return set(changed)


class CalendarContract:
    """Inherit, and provide the fixture `stage`."""

    @pytest.fixture
    def reader(self, stage: CalendarStage) -> Reader:
        return Reader(stage, Interval(stage.first - timedelta(days=5), stage.first + timedelta(days=60)))

    @staticmethod
    def at(stage: CalendarStage, hours: float, length: float = 1) -> Interval:
        start = stage.first + hours * HOUR
        return Interval(start, start + length * HOUR)

    @staticmethod
    def draft(stage: CalendarStage, hours: float = 3, *, visit: str = "v1", **changes: str) -> EventDraft:
        start = stage.first + hours * HOUR
        plain = EventDraft(
            key=EventKey(f"visit:{visit}", CalendarId("account/calendar")),
            uid=f"visit-{visit}@syncd",
            interval=Interval(start, start + timedelta(minutes=20)),
            time_zone="America/Santiago",
            title="Visita Casas; número 7, torre «B»",
            location="Av. Siempre Viva 742, Santiago",
            body="Cliente: Eva Díaz\nhttps://visitas.example.cl/v/abc",
            generation="g1",
        )
        return replace(plain, **changes)  # type: ignore[arg-type]

    @staticmethod
    def remembered(put: Published, draft: EventDraft) -> Published:
        """Return what the publish flow keeps of an entry that was put."""
        return replace(put, content_hash=draft.content_hash, interval=draft.interval)

    # ---------------------------------------------------------------------------------------- reading

    def test_an_empty_calendar_is_a_complete_reading_of_nothing(self, reader: Reader) -> None:
        assert reader.read() == set()
        assert reader.listings == 1

    def test_a_stranger_s_entry_is_its_time_and_no_words(self, stage: CalendarStage, reader: Reader) -> None:
        made = stage.add(self.at(stage, 1))
        assert reader.read() == {made}
        (event,) = reader.held[made].events
        assert event.interval == self.at(stage, 1)
        assert (event.tag, event.title, event.location) == (None, None, None)
        assert reader.held[made].problem is None

    def test_what_is_made_moved_and_removed_is_all_seen(self, stage: CalendarStage, reader: Reader) -> None:
        ids = [stage.add(self.at(stage, 2 * n)) for n in range(12)]
        assert reader.read() == set(ids)
        stage.drag(ids[1], self.at(stage, 50))
        stage.remove(ids[2])
        new = stage.add(self.at(stage, 60))
        assert reader.read() == {ids[1], ids[2], new}
        assert ids[2] not in reader.held
        assert reader.times() == {self.at(stage, 2 * n) for n in range(12) if n not in (1, 2)} | {
            self.at(stage, 50),
            self.at(stage, 60),
        }

    def test_a_quiet_calendar_tells_of_no_change(self, stage: CalendarStage, reader: Reader) -> None:
        stage.add(self.at(stage, 1))
        reader.read()
        assert reader.read() == set()
        assert reader.read() == set()

    def test_an_entry_made_and_removed_between_readings_leaves_nothing(
        self, stage: CalendarStage, reader: Reader
    ) -> None:
        kept = stage.add(self.at(stage, 1))
        reader.read()
        stage.remove(stage.add(self.at(stage, 5)))
        reader.read()
        assert set(reader.held) == {kept}

    def test_bodies_of_entries_we_know_are_not_fetched_again(self, stage: CalendarStage, reader: Reader) -> None:
        ids = [stage.add(self.at(stage, 2 * n)) for n in range(4)]
        assert reader.list_all() == set(ids)
        stage.drag(ids[0], self.at(stage, 20))
        assert reader.list_all() == {ids[0]}
        assert reader.list_all({}) == set(ids)

    def test_an_entry_moved_out_of_the_window_frees_its_old_time(self, stage: CalendarStage, reader: Reader) -> None:
        made = stage.add(self.at(stage, 1))
        other = stage.add(self.at(stage, 9))
        reader.read()
        stage.drag(made, self.at(stage, 24 * 200))
        reader.read()
        assert reader.times() == {self.at(stage, 9)}
        assert other in reader.held

    def test_an_entry_that_reaches_into_the_window_counts(self, stage: CalendarStage) -> None:
        stage.add(self.at(stage, 0, length=30))
        narrow = Reader(stage, self.at(stage, 12))
        narrow.read()
        assert narrow.times() == {self.at(stage, 0, length=30)}

    def test_a_forgotten_cursor_loses_nothing(self, stage: CalendarStage, reader: Reader) -> None:
        ids = [stage.add(self.at(stage, 2 * n)) for n in range(6)]
        reader.read()
        stage.drag(ids[1], self.at(stage, 50))
        stage.remove(ids[2])
        new = stage.add(self.at(stage, 60))
        stage.forget_places()
        assert reader.read() == {ids[1], ids[2], new}
        assert reader.listings == 2

    def test_a_cursor_that_is_none_has_expired(self, stage: CalendarStage, reader: Reader) -> None:
        for strange in ("", "nonsense", "{}", '{"token": 1}', "[]"):
            with pytest.raises(CursorExpired):
                list(stage.calendar.changes(strange, reader.window))

    # ---------------------------------------------------------------------------------------- writing

    def test_what_is_put_is_seen_by_the_owner_and_by_the_next_reading(
        self, stage: CalendarStage, reader: Reader
    ) -> None:
        draft = self.draft(stage)
        put = stage.calendar.put(draft, None)
        shown = stage.look(put.remote_id)
        assert shown is not None
        assert (shown.title, shown.interval, shown.location) == (draft.title, draft.interval, draft.location)
        assert shown.notes == draft.body
        reader.read()
        resource = reader.held[put.remote_id]
        (event,) = resource.events
        assert (event.tag, event.generation, resource.uid) == (draft.key.subject, "g1", draft.uid)
        assert presence_of(self.remembered(put, draft), event.interval, event.title, event.location) is Presence.AS_PUT

    def test_the_etag_of_what_was_put_is_the_one_that_is_read(self, stage: CalendarStage, reader: Reader) -> None:
        put = stage.calendar.put(self.draft(stage), None)
        reader.read()
        assert reader.held[put.remote_id].etag == put.etag != ""

    def test_putting_again_changes_the_same_entry(self, stage: CalendarStage) -> None:
        first = self.draft(stage)
        put = self.remembered(stage.calendar.put(first, None), first)
        later = self.draft(stage, 5, title="Visita movida", location="", body="")
        again = stage.calendar.put(later, put)
        assert again.remote_id == put.remote_id and again.etag != put.etag
        shown = stage.look(put.remote_id)
        assert shown == Shown(title="Visita movida", interval=later.interval)
        assert stage.everything() == [put.remote_id]

    def test_a_repeated_creation_meets_itself(self, stage: CalendarStage) -> None:
        draft = self.draft(stage)
        first = stage.calendar.put(draft, None)
        second = stage.calendar.put(draft, None)
        assert second.remote_id == first.remote_id
        assert stage.everything() == [first.remote_id]

    def test_a_creation_that_meets_an_older_one_brings_it_up_to_date(self, stage: CalendarStage) -> None:
        first = stage.calendar.put(self.draft(stage), None)
        later = self.draft(stage, 5)
        assert stage.calendar.put(later, None).remote_id == first.remote_id
        shown = stage.look(first.remote_id)
        assert shown is not None and shown.interval == later.interval
        assert stage.everything() == [first.remote_id]

    def test_entries_of_several_visits_stand_side_by_side(self, stage: CalendarStage, reader: Reader) -> None:
        ids = {stage.calendar.put(self.draft(stage, 2 * n, visit=f"v{n}"), None).remote_id for n in range(3)}
        assert len(ids) == 3
        reader.read()
        assert {event.tag for one in reader.held.values() for event in one.events} == {f"visit:v{n}" for n in range(3)}

    def test_a_newer_edit_of_the_owner_is_never_written_over(self, stage: CalendarStage) -> None:
        draft = self.draft(stage)
        put = self.remembered(stage.calendar.put(draft, None), draft)
        stage.drag(put.remote_id, self.at(stage, 30))
        with pytest.raises(VersionConflict):
            stage.calendar.put(self.draft(stage, 6), put)
        shown = stage.look(put.remote_id)
        assert shown is not None and shown.interval == self.at(stage, 30)

    def test_an_edit_that_was_read_is_written_over_and_keeps_what_is_the_owner_s(
        self, stage: CalendarStage, reader: Reader
    ) -> None:
        draft = self.draft(stage)
        put = self.remembered(stage.calendar.put(draft, None), draft)
        stage.decorate(put.remote_id, "Llevar las llaves")
        stage.drag(put.remote_id, self.at(stage, 30))
        reader.read()
        (event,) = reader.held[put.remote_id].events
        seen = replace(
            put, etag=reader.held[put.remote_id].etag, presence=Presence.CHANGED, seen_interval=event.interval
        )
        stage.calendar.put(draft, seen)
        assert stage.look(put.remote_id) == Shown(
            title=draft.title,
            interval=draft.interval,
            location=draft.location,
            notes=f"{draft.body}\nLlevar las llaves",
            decorated=True,
        )

    def test_notes_of_the_owner_survive_new_words_of_ours(self, stage: CalendarStage, reader: Reader) -> None:
        draft = self.draft(stage)
        put = self.remembered(stage.calendar.put(draft, None), draft)
        stage.decorate(put.remote_id, "Llevar las llaves")
        reader.read()
        stage.calendar.put(self.draft(stage, body="Cliente: otra"), replace(put, etag=reader.held[put.remote_id].etag))
        shown = stage.look(put.remote_id)
        assert shown is not None and shown.decorated
        assert shown.notes == "Cliente: otra\nLlevar las llaves"

    def test_changing_an_entry_that_is_gone_is_not_found(self, stage: CalendarStage) -> None:
        draft = self.draft(stage)
        put = self.remembered(stage.calendar.put(draft, None), draft)
        stage.remove(put.remote_id)
        with pytest.raises(NotFound):
            stage.calendar.put(self.draft(stage, 6), put)
        assert stage.everything() == []

    def test_an_entry_the_owner_deleted_can_be_made_again(self, stage: CalendarStage) -> None:
        draft = self.draft(stage)
        stage.remove(stage.calendar.put(draft, None).remote_id)
        assert stage.look(stage.calendar.put(draft, None).remote_id) is not None

    # ---------------------------------------------------------------------------------------- deleting

    def test_deleting_twice_is_a_success(self, stage: CalendarStage, reader: Reader) -> None:
        draft = self.draft(stage)
        other = stage.add(self.at(stage, 1))
        put = self.remembered(stage.calendar.put(draft, None), draft)
        reader.read()
        stage.calendar.delete(put)
        stage.calendar.delete(put)
        assert stage.everything() == [other]
        reader.read()
        assert set(reader.held) == {other}

    def test_deleting_what_the_owner_removed_is_a_success(self, stage: CalendarStage) -> None:
        draft = self.draft(stage)
        put = self.remembered(stage.calendar.put(draft, None), draft)
        stage.remove(put.remote_id)
        stage.calendar.delete(put)

    def test_what_the_owner_moved_meanwhile_is_not_deleted(self, stage: CalendarStage) -> None:
        draft = self.draft(stage)
        put = self.remembered(stage.calendar.put(draft, None), draft)
        stage.drag(put.remote_id, self.at(stage, 30))
        with pytest.raises(VersionConflict):
            stage.calendar.delete(put)
        assert stage.look(put.remote_id) is not None

    # ---------------------------------------------------------------------------------------- finding

    def test_an_entry_of_ours_is_found_and_a_stranger_s_never(self, stage: CalendarStage) -> None:
        draft = self.draft(stage)
        stage.add(draft.interval, draft.title)
        assert stage.calendar.find(draft.key, draft.uid) is None
        put = stage.calendar.put(draft, None)
        found = stage.calendar.find(draft.key, draft.uid)
        assert found is not None
        assert (found.remote_id, found.etag, found.uid) == (put.remote_id, put.etag, put.uid)
        assert found.interval == draft.interval
        assert stage.calendar.find(EventKey("visit:v2", draft.key.calendar), "visit-v2@syncd") is None

    def test_an_entry_that_the_owner_moved_is_still_found(self, stage: CalendarStage) -> None:
        draft = self.draft(stage)
        put = stage.calendar.put(draft, None)
        stage.drag(put.remote_id, self.at(stage, 30))
        found = stage.calendar.find(draft.key, draft.uid)
        assert found is not None and found.remote_id == put.remote_id
        assert found.interval == self.at(stage, 30)

    def test_a_removed_entry_is_not_found(self, stage: CalendarStage) -> None:
        draft = self.draft(stage)
        stage.remove(stage.calendar.put(draft, None).remote_id)
        assert stage.calendar.find(draft.key, draft.uid) is None

    def test_what_was_found_can_be_changed_and_deleted(self, stage: CalendarStage) -> None:
        draft = self.draft(stage)
        stage.calendar.put(draft, None)
        found = stage.calendar.find(draft.key, draft.uid)
        assert found is not None
        again = stage.calendar.put(self.draft(stage, 7), found)
        stage.calendar.delete(again)
        assert stage.everything() == []

    # ---------------------------------------------------------------------------------------- the home

    def test_the_mark_changes_with_the_calendar_and_only_then(self, stage: CalendarStage) -> None:
        quiet = self.mark(stage)
        assert self.mark(stage) == quiet
        seen = {quiet}
        made = stage.add(self.at(stage, 1))
        seen.add(self.mark(stage))
        stage.drag(made, self.at(stage, 2))
        seen.add(self.mark(stage))
        stage.remove(made)
        last = self.mark(stage)
        assert len(seen) == 3 and last not in seen - {quiet}
        assert self.mark(stage) == last

    def test_the_mark_of_a_reading_is_the_mark_of_the_home(self, stage: CalendarStage, reader: Reader) -> None:
        stage.add(self.at(stage, 1))
        (*_, last) = stage.calendar.changes(None, reader.window)
        assert last.mark in (None, self.mark(stage))

    @staticmethod
    def mark(stage: CalendarStage) -> str:
        """Ask the home; skip where there is none, or the provider has no mark (such calendars are always pulled)."""
        mark = None if stage.home is None else stage.home.marks().get(stage.name)
        if mark is None:
            pytest.skip("nothing here tells that a calendar changed")
        return mark
