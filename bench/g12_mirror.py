"""G12: what an event of a stranger costs: bytes in the store, and the work for one that did not change.

The store is filled by the daemon's own reading of whole calendars, half of them with names as Nextcloud gives them,
half with Google's; single events of half an hour, over a year. Bytes are what the file grows by between the first
calendars of a kind and the last, not vacuumed, with indexes and packed busy time. Work is the processor time of one
complete listing of all calendars: nothing changed, against every event moved. Both are handed what a connector has read
already, so that neither carries the cost of a provider's format.
"""

import hashlib
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from bench.agenda import NOW, directory
from bench.ratio import Ratio
from syncd.clock import SystemClock
from syncd.core.busy import RemoteEvent
from syncd.core.directory import CalendarRef, Directory, SyncPolicy
from syncd.core.interval import Interval
from syncd.core.publish import EventDraft, EventKey, Published
from syncd.flows.context import Context
from syncd.flows.pull import pull
from syncd.ports import Calendar, ChangePage, Resource
from syncd.store import Store, open_store

CALENDARS = 40
WARM = 4  # calendars of each kind that are there before the growth is measured
EVENTS = 1000  # in each
STEP = timedelta(minutes=60 * 8)
LENGTH = timedelta(minutes=30)
LATER = timedelta(hours=13)  # the next complete listing, by the default of full_reconcile_every
ROUNDS = 3
POLICY = SyncPolicy(look_ahead=timedelta(days=370))


def named(calendar: str, number: int, version: int) -> tuple[str, str, str]:
    """Return remote id, UID and etag as a provider would give them; always the same ones."""
    digest = hashlib.sha256(f"{calendar} {number}".encode()).digest()
    mark = hashlib.md5(f"{calendar} {number} {version}".encode()).hexdigest()
    if is_google(calendar):
        stem = digest.hex()[:26]
        return stem, f"{stem}@google.com", f'"{int(mark[:13], 16)}"'
    stem = str(uuid.UUID(bytes=digest[:16])).upper()
    return f"/remote.php/dav/calendars/{calendar}/personal/{stem}.ics", stem, f'"{mark}"'


def is_google(calendar: str) -> bool:
    return int(calendar.removeprefix("agent")) % 2 == 1


@dataclass(slots=True)
class Listed:
    """A calendar that lists what it holds; a connector skips the bodies whose etags are known, and so does this."""

    name: str
    resources: list[Resource] = field(default_factory=list)

    def hold(self, version: int) -> None:
        """Read everything once, as a connector does before the flow begins; each version lies a little later."""
        self.resources = [self._resource(number, version) for number in range(EVENTS)]

    def _resource(self, number: int, version: int) -> Resource:
        remote_id, uid, etag = named(self.name, number, version)
        start = NOW + number * STEP + version * timedelta(minutes=5)
        event = RemoteEvent(remote_id=remote_id, uid=uid, etag=etag, interval=Interval(start, start + LENGTH))
        return Resource(remote_id=remote_id, uid=uid, etag=etag, events=(event,))

    def changes(
        self, cursor: str | None, window: Interval, known: Mapping[str, str] | None = None
    ) -> Iterator[ChangePage]:
        known = known or {}
        same = {one.remote_id for one in self.resources if known.get(one.remote_id) == one.etag}
        changed = tuple(one for one in self.resources if one.remote_id not in same)
        yield ChangePage(changed=changed, unchanged=tuple(same), cursor="c", complete=True)

    def etags(self) -> dict[str, str]:
        return {one.remote_id: one.etag for one in self.resources}

    def find(self, key: EventKey, uid: str) -> Published | None:
        raise LookupError("nothing of ours is here")

    def put(self, draft: EventDraft, known: Published | None) -> Published:
        raise LookupError("nothing is written here")

    def delete(self, known: Published) -> None:
        raise LookupError("nothing is written here")


class Mirror:
    """A store, and the calendars that are read into it."""

    def __init__(self, store: Store) -> None:
        people = replace(directory(CALENDARS), policy=POLICY)
        self.calendars: dict[str, Listed] = {name: Listed(name) for name in people.agents}
        self.refs = [one.calendars[0] for one in people.agents.values()]
        self.ctx = context(store, people, self.calendars)

    def read(self, refs: list[CalendarRef], now: timedelta) -> float:
        """Read calendars completely; return the processor time for each event, in microseconds."""
        begun = time.process_time()
        for ref in refs:
            pull(self.ctx, ref.id, NOW + now)
        return (time.process_time() - begun) / (len(refs) * EVENTS) * 1e6

    def hold(self, version: int) -> None:
        for one in self.calendars.values():
            one.hold(version)

    def size(self) -> int:
        """Return the bytes of the store's file when everything is in it; a copy has no journal."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "copy.db"
            self.ctx.store.backup(copy)
            return copy.stat().st_size

    def is_true(self) -> bool:
        """Tell whether the store knows every event as it is now."""
        with self.ctx.store.read() as tx:
            return all(tx.calendars.etags(ref.id) == self.calendars[ref.name].etags() for ref in self.refs)


def context(store: Store, people: Directory, calendars: Mapping[str, Listed]) -> Context:
    def calendar_of(ref: CalendarRef) -> Calendar:
        return calendars[ref.name]

    return Context(store=store, directory=people, clock=SystemClock(), calendar_of=calendar_of)


def run() -> list[Ratio]:
    with tempfile.TemporaryDirectory(prefix="syncd-bench-") as folder:
        path = Path(folder) / "mirror.db"
        store = open_store(path, SystemClock())
        try:
            return measure(Mirror(store))
        finally:
            store.close()


def measure(mirror: Mirror) -> list[Ratio]:
    mirror.hold(0)
    nextcloud = growth(mirror, [ref for ref in mirror.refs if not is_google(ref.name)])
    google = growth(mirror, [ref for ref in mirror.refs if is_google(ref.name)])
    assert mirror.is_true()
    quiet, busy = [], []
    for turn in range(1, ROUNDS + 1):
        quiet.append(mirror.read(mirror.refs, (2 * turn - 1) * LATER))
        mirror.hold(turn)
        busy.append(mirror.read(mirror.refs, 2 * turn * LATER))
        assert mirror.is_true()
    print(f"  bytes: Nextcloud {nextcloud:.0f}, Google {google:.0f}")
    print(f"  an event that did not change {min(quiet):.2f} µs, one that did {min(busy):.2f} µs")
    return [
        Ratio("G12 bytes an event of Nextcloud", nextcloud, 160, at_least=False),
        Ratio("G12 bytes an event of Google", google, 160, at_least=False),
        Ratio("G12 unchanged / changed", min(quiet) / min(busy), 1 / 8, at_least=False),
    ]


def growth(mirror: Mirror, refs: list[CalendarRef]) -> float:
    """Read calendars for the first time; return the bytes of each event, the first calendars left out."""
    mirror.read(refs[:WARM], timedelta())
    small = mirror.size()
    mirror.read(refs[WARM:], timedelta())
    return (mirror.size() - small) / (len(refs[WARM:]) * EVENTS)
