"""What the iCalendar tests begin with: entries as text, read in Santiago unless told otherwise."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from connectors._ical import read_resource
from syncd.core.interval import Interval
from syncd.ports import CalendarUse, Resource

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "ics"
SANTIAGO = "America/Santiago"
YEAR = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


def event(*lines: str, uid: str = "u1") -> str:
    return "\r\n".join(["BEGIN:VEVENT", f"UID:{uid}", *lines, "END:VEVENT"]) + "\r\n"


def calendar(*parts: str) -> bytes:
    return ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n" + "".join(parts) + "END:VCALENDAR\r\n").encode()


def use(zone: str = SANTIAGO, emails: Iterable[str] = ()) -> CalendarUse:
    return CalendarUse(name="test", time_zone=zone, emails=frozenset(emails))


def read(body: bytes, *, window: Interval = YEAR, zone: str = SANTIAGO, emails: Iterable[str] = ()) -> Resource:
    return read_resource(body, remote_id="/ana/1.ics", etag='"1"', window=window, use=use(zone, emails))


def read_event(*lines: str, window: Interval = YEAR, zone: str = SANTIAGO, emails: Iterable[str] = ()) -> Resource:
    return read(calendar(event(*lines)), window=window, zone=zone, emails=emails)


def busy(resource: Resource) -> list[Interval]:
    """Return the intervals of a resource that could be understood, in order."""
    assert resource.problem is None, resource.problem
    return sorted(one.interval for one in resource.events if one.interval is not None)


def spans(resource: Resource, zone: str = SANTIAGO) -> list[str]:
    """Return the intervals as people read them in a zone: 2026-05-12 10:00-10:20."""
    return [f"{_local(one.start, zone)}-{_local(one.end, zone)[11:]}" for one in busy(resource)]


def starts(resource: Resource, zone: str = SANTIAGO) -> list[str]:
    return [_local(one.start, zone) for one in busy(resource)]


def utc(resource: Resource) -> list[str]:
    """Return the intervals in UTC, each as start/end."""
    return [f"{one.start:%Y%m%dT%H%MZ}/{one.end:%Y%m%dT%H%MZ}" for one in busy(resource)]


def _local(moment: datetime, zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def span(start: str, **length: int) -> Interval:
    begin = datetime.fromisoformat(start).replace(tzinfo=UTC)
    return Interval(begin, begin + timedelta(**length))


def corpus(folder: str = "*") -> list[Path]:
    """List the public calendars beside the checkout; one absent stand-in where they are not, whose test then skips."""
    return sorted(CORPUS.glob(f"{folder}/*.ics")) or [CORPUS / "absent.ics"]


def body_of(path: Path) -> bytes:
    if not path.is_file():
        pytest.skip(f"the public calendars are not here: {CORPUS}")
    return path.read_bytes()
