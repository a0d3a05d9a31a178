"""The last look at Google calendars just before a write: times only, and where anything is unsure, unknown."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from connectors._google_account import Json, Person
from connectors._google_event import moment_of
from connectors._google_reading import stamp
from connectors._zones import Zones
from syncd.core.interval import Interval, merge
from syncd.errors import ConnectorError

CALENDARS = 50  # in one request, Google's limit
RANGE = timedelta(days=60)  # of one request; Google's own limit is some months, and not told
UTC_ZONES = Zones("UTC")


class GoogleFreeBusy:
    """Free/busy of calendars, as one person sees them."""

    def __init__(self, person: Person) -> None:
        self.person = person

    def busy(self, names: Sequence[str], window: Interval) -> Mapping[str, Sequence[Interval] | None]:
        """Return the busy time of each calendar; None where Google, or a part of its answer, failed."""
        found: dict[str, Sequence[Interval] | None] = {name: [] for name in names}
        for start in range(0, len(names), CALENDARS):
            some = names[start : start + CALENDARS]
            for part in _parts(window):
                for name, busy in self._asked(some, part).items():
                    before = found[name]
                    found[name] = None if before is None or busy is None else [*before, *busy]
        return {name: None if busy is None else merge(busy) for name, busy in found.items()}

    def _asked(self, names: Sequence[str], window: Interval) -> dict[str, Sequence[Interval] | None]:
        body = {
            "timeMin": stamp(window.start),
            "timeMax": stamp(window.end + timedelta(microseconds=999_999)),  # the second that has begun counts
            "items": [{"id": name} for name in names],
        }
        question = self.person.service.freebusy().query(body=body, quotaUser=self.person.quota_user)
        try:
            told = self.person.ask(question, idempotent=True).get("calendars")
        except ConnectorError:
            return dict.fromkeys(names)
        calendars = told if isinstance(told, dict) else {}
        return {name: _busy(calendars.get(name)) for name in names}


def _parts(window: Interval) -> Iterator[Interval]:
    """Cut a window into ranges that one request may have."""
    start = window.start
    while start < window.end:
        end = min(window.end, start + RANGE)
        yield Interval(start, end)
        start = end


def _busy(told: Json | None) -> Sequence[Interval] | None:
    """Read one calendar's part of the answer; with an error in it, or none at all, nothing is known."""
    if not isinstance(told, dict) or told.get("errors") or not isinstance(told.get("busy"), list):
        return None
    try:
        ends = [(_instant(one["start"]), _instant(one["end"])) for one in told["busy"]]
        return [Interval(start, end) for start, end in ends if start < end]
    except (ValueError, TypeError, LookupError):
        return None


def _instant(told: str) -> datetime:
    return moment_of({"dateTime": told}, UTC_ZONES, local=False).instant
