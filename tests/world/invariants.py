"""What must hold, said naively: plain SQL and plain loops over the outside world, nothing shared with store or core.

S: after every step. Q: after everything has come to rest. The names are those of the reliability promises.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from connectors.memory import Author, Entry
from syncd.core.busy import Signal
from syncd.core.directory import CalendarRef, CalendarRole
from syncd.core.ids import AgentId
from syncd.core.visit import Slot
from syncd.flows.plan import plan
from syncd.store.sqlite import InlineEngine
from tests.world import town
from tests.world.stage import Stage

Row = sqlite3.Row
Span = tuple[int, int]
FREE = {Signal.FREE, Signal.DECLINED, Signal.CANCELLED, Signal.WORKING_ELSEWHERE}
FINAL = {"done", "stale", "conflict", "dead", "unwanted"}
ACTIVE = "state IN ('pending', 'confirmed')"
STANDING = {"account_down", "sign_in", "silent", "unreadable", "suspect", "attention"}  # over once the trouble is


class Violation(AssertionError):
    """A promise is broken."""


class Judge:
    """Checks one stage."""

    def __init__(self, stage: Stage, buffer: int | None = None) -> None:
        self._stage = stage
        self._buffer = buffer  # seconds held after every visit, where all event types agree on that
        self._marks: dict[str, tuple[str, str]] = {}  # visit -> its source and the newest news of it (I8)
        self.checked: Counter[str] = Counter()

    def rows(self, sql: str, *values: object) -> list[Row]:
        engine = self._stage.store._engine
        assert isinstance(engine, InlineEngine)
        cursor = engine._connection.cursor()
        cursor.row_factory = sqlite3.Row
        return cursor.execute(sql, values).fetchall()

    def _hold(self, name: str, holds: bool, what: object) -> None:
        self.checked[name] += 1
        if not holds:
            raise Violation(f"{name}: {what}")

    @property
    def _now(self) -> int:
        return int(self._stage.clock.now().timestamp())

    # -- S

    def after_step(self) -> None:
        """I1 I5 I7 I8 I11 I15 I19 R008."""
        visits = self.rows("SELECT * FROM visit")
        self._no_overlap(visits)
        self._history_is_whole(visits)
        self._news_never_goes_back(visits)
        self._conflicts_are_shown(visits)
        self._ended_is_ended(visits)
        self._everybody_is_somebody(visits)
        self._nobody_is_fought()
        self._no_wake_up_is_lost()
        self._hold("I5", not self._stage.outside.trespasses(), self._stage.outside.trespasses())
        self._hold("I11", not self._stage.outside.hasty, self._stage.outside.hasty)
        while self._stage.offers:
            self._offer_is_free(*self._stage.offers.pop())

    def _no_overlap(self, visits: list[Row]) -> None:
        held = sorted(
            (one["agent_id"] or "", one["guard_start"], one["guard_end"], one["id"]) for one in visits if one["holds"]
        )
        for first, second in pairwise(held):
            self._hold("I1", first[0] != second[0] or first[2] <= second[1], f"{first} and {second}")
        for one in visits:
            active = one["state"] in ("pending", "confirmed")
            self._hold("I1", active or not one["holds"], f"{one['id']} is {one['state']} and holds")
            after = self._buffer if self._buffer is not None else one["guard_end"] - one["end_at"]
            guarded = (one["guard_start"], one["guard_end"]) == (one["start_at"], one["end_at"] + after)
            self._hold("I1", self._buffer is None or guarded, f"{one['id']} holds no buffer")

    def _history_is_whole(self, visits: list[Row]) -> None:
        found = {
            row[0]: (row[1], row[2])
            for row in self.rows("SELECT visit_id, count(*), max(version) FROM history GROUP BY 1")
        }
        for one in visits:
            self._hold(
                "I7", found.get(one["id"]) == (one["version"], one["version"]), f"{one['id']} {found.get(one['id'])}"
            )

    def _news_never_goes_back(self, visits: list[Row]) -> None:
        for one in visits:
            told = json.loads(one["details"]).get("remote", {}).get("updated_at") or ""
            source, newest = self._marks.get(one["id"], ("", ""))
            self._hold(
                "I8", source != one["source_id"] or _order(told) >= _order(newest), f"{one['id']} {newest} {told}"
            )
            self._marks[one["id"]] = (one["source_id"] or "", told)

    def _ended_is_ended(self, visits: list[Row]) -> None:
        """No visit that is still to come goes by a booking that ended for good (F7)."""
        dead = {row[0] for row in self.rows("SELECT source_id FROM tombstone")}
        for one in visits:
            ahead = one["state"] in ("pending", "confirmed") and one["start_at"] > self._now
            self._hold("F7", not ahead or one["source_id"] not in dead, f"{one['id']} came back from the dead")

    def _everybody_is_somebody(self, visits: list[Row]) -> None:
        """Each visit has a contact that is kept; an inquiry is about a visit of the contact that it began (R008)."""
        contact_of = {one["id"]: json.loads(one["details"]).get("contact_id") for one in visits}
        kept = {row[0] for row in self.rows("SELECT id FROM contact")}
        for visit, contact in contact_of.items():
            self._hold("R008", contact in kept, f"{visit} is for {contact}, whom nobody knows")
        for visit, contact in self.rows("SELECT visit_id, contact_id FROM inquiry"):
            self._hold("R008", contact_of.get(visit) == contact, f"the inquiry of {visit} is about {contact}")

    def _no_wake_up_is_lost(self) -> None:
        """A name in an accepted delivery is looked at after that, or is still to be (C4, finish)."""
        if self._stage.unlooked:
            due = {row[0] for row in self.rows("SELECT key FROM work WHERE kind = 'ingest'")}
            self._hold("I2", self._stage.unlooked <= due, f"nobody will look at {self._stage.unlooked - due}")

    def _nobody_is_fought(self) -> None:
        """At most three rewrites of one entry in a day (F34)."""
        for row in self.rows("SELECT subject, rewrites FROM published WHERE rewrites <> '[]'"):
            lately = [one for one in json.loads(row["rewrites"]) if _moment(one) > self._now - 86_400]
            self._hold("F34", len(lately) <= 3, f"{row['subject']} was written back {len(lately)} times")

    def _conflicts_are_shown(self, visits: list[Row]) -> None:
        tasks = {
            (row["about"], row["kind"]) for row in self.rows("SELECT about, kind FROM notice WHERE channel = 'task'")
        }
        for one in visits:
            conflict = json.loads(one["details"]).get("conflict")
            if one["state"] == "conflict":
                self._hold("I19", (one["id"], "lost_booking") in tasks, f"{one['id']} lost and nobody told")
                self._hold("I19", conflict is not None, f"{one['id']} lost without a reason")

    def _offer_is_free(self, at: datetime, slots: list[Slot]) -> None:
        """Each slot has a host whose calendars were read lately and show nothing there (I15)."""
        ctx = self._stage.ctx
        for slot in slots:
            start, end = (
                int(one.timestamp()) for one in (slot.interval.start, slot.interval.end + timedelta(minutes=10))
            )
            free = [agent for agent in ctx.directory.projects[town.CASAS].team if self._is_free(agent, start, end, at)]
            self._hold("I15", len(free) == slot.hosts_free, f"{slot} but free are {free}")

    def _is_free(self, agent: AgentId, start: int, end: int, at: datetime) -> bool:
        calendars = [
            ref.id for ref in self._stage.ctx.directory.agents[agent].calendars if ref.role is not CalendarRole.MIRROR
        ]
        for calendar in calendars:
            state = self.rows("SELECT * FROM calendar WHERE name = ?", calendar)
            if not state or state[0]["read_at"] is None or at.timestamp() - state[0]["read_at"] > 30 * 60 + 1:
                return False
            sql = "SELECT 1 FROM block WHERE calendar_id = ? AND start_at < ? AND end_at > ?"
            if self.rows(sql, state[0]["id"], end, start):
                return False
        sql = "SELECT 1 FROM visit WHERE agent_id = ? AND holds AND guard_start < ? AND guard_end > ?"
        return not self.rows(sql, agent, end, start)

    # -- one reading

    def standing(self, calendar: str) -> set[str]:
        """Return what is known to stand in a calendar with time ahead: strangers' entries and ours."""
        known = self.rows(
            "SELECT DISTINCT remote_id FROM entry JOIN block ON block.entry_id = entry.id JOIN calendar"
            " ON calendar.id = entry.calendar_id WHERE calendar.name = ? AND block.end_at > ?",
            calendar,
            self._now,
        )
        ours = self.rows(
            "SELECT remote_id FROM published WHERE calendar = ? AND presence <> 'gone' AND end_at > ?",
            calendar,
            self._now,
        )
        return {row[0] for row in (*known, *ours)}

    def after_reading(self, calendar: str, before: set[str], *, released: bool, lied: bool) -> None:
        """I10 F13: one reading removes little unless released, and nothing that stands there unless it was lied to."""
        lost = before - self.standing(calendar)
        there = self._stage.outside.shelf(*calendar.split("/", 1)).entries
        standing = [one for one in lost if one in there and self._is_still_busy(there[one])]
        deleted = [one for one in lost if one not in there or one in standing]
        self._hold("I10", released or len(deleted) <= max(2, 0.2 * len(before)), f"{calendar} lost {deleted}")
        self._hold("F13", lied or not standing, f"{calendar} lost what stands there: {standing}")

    def _is_still_busy(self, entry: Entry) -> bool:
        return any(int(span.end.timestamp()) > self._now for span in entry.spans) and not entry.signals & FREE

    # -- Q

    def at_rest(self) -> None:
        """I2 I3 I4 I6 I7 I18, and that what is known is what is true."""
        self._deliveries_are_settled()
        self._bookings_are_visits()
        for ref in self._stage.ctx.directory.calendars():
            if ref.role is CalendarRole.PUBLISH:
                self._entries_are_wanted(ref)
            if ref.role is CalendarRole.MIRROR:
                self._copies_are_true(ref)
            else:
                self._blocks_are_true(ref)
        self._messages_follow_history()
        self._wishes_were_made()
        self._merges_are_three_ways()
        self._alerts_are_over()
        due = plan(self._stage.ctx, self._stage.clock.now())
        self._hold("I18", not due, due)
        self._hold("I7", not self._stage.store.check(), self._stage.store.check())
        self._hold("F38", not self._stage.dead(), self._stage.dead())

    def _deliveries_are_settled(self) -> None:
        states = Counter(row[0] for row in self.rows("SELECT state FROM inbox"))
        self._hold("I2", set(states) <= FINAL, states)
        kept = {row[0] for row in self.rows("SELECT key FROM inbox")}
        self._hold("I2", self._stage.accepted <= kept, "a delivery was answered and not kept")

    def _bookings_are_visits(self) -> None:
        """Every booking at the scheduler is one visit, as the scheduler says it is, or cancelled in both places."""
        for booking, record in self._stage.desk.records.items():
            now = record.now
            found = self.rows(
                "SELECT visit.* FROM visit JOIN visit_source ON visit_source.visit_id = visit.id"
                " WHERE account = ? AND visit_source.source_id = ?",
                town.SCHEDULER,
                booking,
            )
            if now.active:
                self._hold("truth", len(found) == 1, f"booking {booking} has {len(found)} visits")
                self._hold(
                    "truth", found[0]["state"] != "cancelled", f"booking {booking} is active, its visit cancelled"
                )
                self._hold("truth", found[0]["source_id"] == booking, f"{booking} is not what its visit goes by")
                told = json.loads(found[0]["details"])["remote"]
                host = (now.host_id or "").removeprefix("user-")
                known = host in self._stage.ctx.directory.agents
                self._hold("truth", not known or told["host"] == host, f"{booking} is {host}'s, not {told['host']}'s")
                self._no_second_entry(found[0], now.calendar_entry)
                self._hold("truth", _stamp(told["interval"]) == _span(now.interval), f"{booking} {told} {now.interval}")
            elif found and found[0]["source_id"] == booking and found[0]["end_at"] > self._now:
                self._hold("truth", found[0]["state"] == "cancelled", f"booking {booking} ended, its visit did not")

    def _no_second_entry(self, visit: Row, entry: str | None) -> None:
        """Where the scheduler's own entry stands ahead in the host's calendar, none of ours does (S08)."""
        agent = self._stage.ctx.directory.agents.get(AgentId(visit["agent_id"] or ""))
        if agent is None or visit["state"] == "conflict" or visit["end_at"] <= self._now:
            return
        shelves = [self._stage.outside.shelf(ref.account, ref.name) for ref in agent.calendars]
        stand = [one for shelf in shelves for one in shelf.entries.values() if one.uid == entry]
        theirs = any(_span(one.spans[0])[1] > self._now for one in stand)
        ours = [one for shelf in shelves for one in shelf.entries.values() if one.tag == f"visit:{visit['id']}"]
        ours = [one for one in ours if one.author is Author.SYNCD]
        self._hold("S08", not (theirs and ours), f"{visit['id']} stands twice: {ours}")

    def _wanted(self, ref: CalendarRef) -> dict[str, Row]:
        sql = f"SELECT * FROM visit WHERE agent_id = ? AND {ACTIVE} AND end_at > ?"
        return {row["id"]: row for row in self.rows(sql, ref.agent, self._now)}

    def _entries_are_wanted(self, ref: CalendarRef) -> None:
        """I3 I4: exactly one entry per visit, at its time; none that nobody wants."""
        shelf = self._stage.outside.shelf(ref.account, ref.name)
        wanted = self._wanted(ref)
        rows = {row["remote_id"]: row for row in self.rows("SELECT * FROM published WHERE calendar = ?", ref.id)}
        found: dict[str, list[Entry]] = defaultdict(list)
        for entry in shelf.entries.values():
            row = rows.get(entry.remote_id)
            if entry.author is Author.SYNCD or (row is not None and row["adopted"]):
                name = (entry.tag or (row["subject"] if row is not None else "")).removeprefix("visit:")
                found[name].append(entry)
        for visit, row in wanted.items():
            if not self._is_left_alone(ref, visit):
                self._hold("I4", len(found[visit]) == 1, f"{visit} in {ref.id}: {len(found[visit])} entries")
                entry = found[visit][0]
                right = _span(entry.spans[0]) == (row["start_at"], row["end_at"])
                moved = entry.author is Author.SCHEDULER and self._has(visit, "entry_moved")
                self._hold("I3", right or moved, f"{visit} in {ref.id} stands at {entry.spans[0]}")
        for visit, entries in found.items():
            over = {name for name, row in rows.items() if row["end_at"] <= self._now}  # history is the agent's to move
            ahead = [one for one in entries if _span(one.spans[0])[1] > self._now and one.remote_id not in over]
            self._hold(
                "I3", visit in wanted or not ahead or self._lost_its_host(visit), f"{visit}: nobody wants {ahead}"
            )

    def _is_left_alone(self, ref: CalendarRef, visit: str) -> bool:
        """A person deleted the entry and staff was asked, or keeps changing it and an alert says so."""
        gone = self.rows(
            "SELECT 1 FROM published WHERE calendar = ? AND subject = ? AND presence = 'gone'", ref.id, f"visit:{visit}"
        )
        fought = self.rows("SELECT 1 FROM notice WHERE kind = 'rewrite_fight' AND about = ?", f"visit:{visit}@{ref.id}")
        return bool(gone and self._has(visit, "entry_deleted")) or bool(fought)

    def _has(self, visit: str, kind: str) -> bool:
        return bool(self.rows("SELECT 1 FROM notice WHERE kind = ? AND about = ?", kind, visit))

    def _lost_its_host(self, visit: str) -> bool:
        rows = self.rows("SELECT agent_id FROM visit WHERE id = ?", visit)
        return bool(rows) and rows[0][0] not in self._stage.ctx.directory.agents

    def _strangers(self, ref: CalendarRef, *, copies: bool = True) -> Iterator[Span]:
        """Yield the busy time of everything in a calendar that is not an entry of ours; `copies` made by others too."""
        shelf = self._stage.outside.shelf(ref.account, ref.name)
        ours = {row[0] for row in self.rows("SELECT remote_id FROM published WHERE calendar = ?", ref.id)}
        for entry in shelf.entries.values():
            if entry.remote_id in ours or entry.signals & FREE or (entry.copied and not copies):
                continue
            spans = [_span(span) for span in entry.spans]
            yield from (span for span in spans if not self._is_copy_in_place(entry, span))

    def _is_copy_in_place(self, entry: Entry, span: Span) -> bool:
        sql = f"SELECT 1 FROM visit WHERE 'visit:' || id = ? AND start_at = ? AND end_at = ? AND {ACTIVE}"
        return entry.tag is not None and bool(self.rows(sql, entry.tag, *span))

    def _blocks_are_true(self, ref: CalendarRef) -> None:
        known = {
            (row[0], row[1])
            for row in self.rows(
                "SELECT start_at, end_at FROM block JOIN calendar ON calendar.id = calendar_id WHERE name = ?", ref.id
            )
        }
        true = set(self._strangers(ref))
        ahead = self._now + 120 * 86400
        missing = {one for one in true - known if one[1] > self._now and one[0] < ahead}
        invented = {one for one in known - true if one[1] > self._now}
        self._hold("truth", not missing, f"{ref.id} does not know of {missing}")
        self._hold("truth", not invented, f"{ref.id} invented {invented}")

    def _copies_are_true(self, ref: CalendarRef) -> None:
        """A mirror shows each busy time once, and nothing of what it is."""
        shelf = self._stage.outside.shelf(ref.account, ref.name)
        copies = [one for one in shelf.entries.values() if one.author is Author.SYNCD]
        agent = self._stage.ctx.directory.agents[ref.agent]
        busy = {
            span
            for other in agent.calendars
            if other.role is not CalendarRole.MIRROR
            for span in self._strangers(other, copies=False)
        }
        own = f"SELECT start_at, end_at FROM visit WHERE agent_id = ? AND {ACTIVE} AND source_account = 'api'"
        busy |= {(row[0], row[1]) for row in self.rows(own, ref.agent)}
        wanted = {one for one in busy if one[1] > self._now and one[0] < self._now + 120 * 86400}
        shown = [_span(one.spans[0]) for one in copies if int(one.spans[0].end.timestamp()) > self._now]
        fought = self.rows("SELECT 1 FROM notice WHERE kind = 'rewrite_fight' AND about LIKE ?", f"mirror:%@{ref.id}")
        self._hold("I4", bool(fought) or sorted(shown) == sorted(wanted), f"{ref.id} shows {shown}, not {wanted}")
        self._hold("S29", all(not one.body and not one.attendees for one in copies), f"{ref.id} tells too much")

    def _messages_follow_history(self) -> None:
        """One word to the client for each step into `cancelled`, and for no other (I6)."""
        ended = {
            (row["visit_id"], row["version"])
            for row in self.rows("SELECT * FROM history")
            if json.loads(row["after"]).get("state") == "cancelled"
            and json.loads(row["before"] or "{}").get("state") in ("pending", "confirmed")
        }
        said = {
            (row["about"], int(row["key"].split(":")[3]))
            for row in self.rows(
                "SELECT * FROM notice WHERE channel = 'message' AND kind = 'cancellation' AND addressee = 'client'"
            )
        }
        self._hold("I6", ended == said, f"cancelled {ended - said} untold, told {said - ended} for nothing")

    def _wishes_were_made(self) -> None:
        """What is said to be an agent's doing in the calendar was done there by a person (I7)."""
        for row in self.rows("SELECT visit_id, note FROM history WHERE source = 'calendar'"):
            acted = self._stage.deleted if row["note"].startswith("deleted") else self._stage.dragged
            self._hold("I7", f"visit:{row['visit_id']}" in acted, f"{row['visit_id']}: nobody {row['note']}")

    def _merges_are_three_ways(self) -> None:
        """A scheduler moves a visit only when its own booking moved: what was changed here stays."""
        for row in self.rows("SELECT * FROM history WHERE actor LIKE 'scheduler:%' AND before IS NOT NULL"):
            before, after = json.loads(row["before"]), json.loads(row["after"])
            told = (before.get("remote", {}).get("interval"), after.get("remote", {}).get("interval"))
            revived = before.get("state") == "cancelled"
            holds = "interval" not in after or revived or told[0] != told[1]
            self._hold("truth", holds, f"{row['visit_id']} version {row['version']} undid a change made here")

    def _alerts_are_over(self) -> None:
        rows = self.rows("SELECT kind, about FROM notice WHERE channel = 'alert' AND state = 'open'")
        left = {"cal/caro-publish"} - {ref.id for ref in self._stage.ctx.directory.calendars()}
        stand = [(row["kind"], row["about"]) for row in rows if row["kind"] in STANDING and row["about"] not in left]
        self._hold("P8", not stand, f"the trouble is over, the alert stands: {stand}")


def _order(told: str) -> datetime:
    return datetime.fromisoformat(told) if told else datetime.min.replace(tzinfo=UTC)


def _span(interval: Any) -> Span:
    return int(interval.start.timestamp()), int(interval.end.timestamp())


def _stamp(value: dict[str, str]) -> Span:
    """Read an interval as the store wrote it."""
    return _seconds(value["start"]), _seconds(value["end"])


def _moment(told: str | int) -> float:
    return told if isinstance(told, int) else datetime.fromisoformat(told).timestamp()


def _seconds(value: str) -> int:
    return int(datetime.fromisoformat(value).timestamp())
