"""G8: a year of a calendar, resource by resource as a server hands them out, ours against recurring-ical-events.

Both must find the same instances.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import recurring_ical_events
from icalendar import Calendar

from bench.g07_reading import HEAD
from bench.ratio import Ratio
from connectors._ical import read_resource
from syncd.core.interval import Interval
from syncd.ports import CalendarUse

ENTRIES = 1_000
SERIES = 12  # one entry in so many repeats
ROUNDS = 3
USE = CalendarUse(name="bench", time_zone="America/Santiago")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = Interval(BEGIN, BEGIN + timedelta(days=365))
RULES = (
    "FREQ=DAILY;COUNT=10",
    "FREQ=WEEKLY;BYDAY=MO,WE,FR;UNTIL=20261231T235959Z",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU",
    "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=MONTHLY;BYMONTHDAY=15",
    "FREQ=YEARLY",
    "FREQ=WEEKLY;COUNT=40",
)
Times = list[tuple[datetime, datetime]]


def calendar(number: int) -> str:
    """Return the entries of one resource: single ones, and series with one instance left out and one moved.

    Their zones change the clocks within the year.
    """
    start = BEGIN.replace(tzinfo=None) + timedelta(days=number % 350, hours=8, minutes=15 * (number % 32))
    zone = ("America/Santiago", "Europe/Rome")[number % 2]
    if number % SERIES:
        return _entry(number, zone, start)
    left_out = f"EXDATE;TZID={zone}:{start + timedelta(days=14):%Y%m%dT%H%M%S}\r\n"
    rule = f"RRULE:{RULES[number // SERIES % len(RULES)]}\r\n"
    replaced = f"RECURRENCE-ID;TZID={zone}:{start + timedelta(days=7):%Y%m%dT%H%M%S}\r\n"
    return _entry(number, zone, start, rule + left_out) + _entry(
        number, zone, start + timedelta(days=7, hours=2), replaced
    )


def _entry(number: int, zone: str, start: datetime, more: str = "") -> str:
    end = start + timedelta(hours=1)
    return (
        f"BEGIN:VEVENT\r\nUID:{number}@bench\r\nDTSTAMP:20250601T000000Z\r\nSUMMARY:Reunión {number}\r\n"
        f"DTSTART;TZID={zone}:{start:%Y%m%dT%H%M%S}\r\nDTEND;TZID={zone}:{end:%Y%m%dT%H%M%S}\r\n"
        f"{more}CREATED:20250601T000000Z\r\nLAST-MODIFIED:20250602T000000Z\r\nSEQUENCE:0\r\nLOCATION:Oficina 3\r\n"
        "DESCRIPTION:Avance de obra\\, observaciones pendientes y fechas de entrega.\r\n"
        "STATUS:CONFIRMED\r\nTRANSP:OPAQUE\r\n"
        "ORGANIZER;CN=Bruno Díaz:mailto:bruno@example.cl\r\n"
        "ATTENDEE;CN=Ana Soto;PARTSTAT=ACCEPTED;ROLE=REQ-PARTICIPANT:mailto:ana@example.cl\r\nEND:VEVENT\r\n"
    )


def wrapped(entries: str) -> bytes:
    """Return a resource as a server keeps it, with the definition of a zone that its entries name."""
    zone = "Europe/Rome" if "Europe/Rome" in entries else "America/Santiago"
    return f"{HEAD.replace('America/Santiago', zone)}{entries}END:VCALENDAR\r\n".encode()


def ours(bodies: list[bytes]) -> Times:
    found = []
    for body in bodies:
        resource = read_resource(body, remote_id="1.ics", etag="1", window=WINDOW, use=USE)
        assert resource.problem is None, resource.problem
        found += [(one.interval.start, one.interval.end) for one in resource.events if one.interval is not None]
    return sorted(found)


def theirs(bodies: list[bytes]) -> Times:
    found = []
    for body in bodies:
        query = recurring_ical_events.of(Calendar.from_ical(body))
        found += [(one.start.astimezone(UTC), one.end.astimezone(UTC)) for one in query.between(*_span())]
    return sorted(found)


def _span() -> tuple[datetime, datetime]:
    return WINDOW.start, WINDOW.end


def seconds(expand: Callable[[list[bytes]], Times], bodies: list[bytes]) -> float:
    """Return the processor's seconds of one round."""
    began = time.process_time()
    expand(bodies)
    return time.process_time() - began


def run() -> list[Ratio]:
    entries = [calendar(number) for number in range(ENTRIES)]
    resources, merged = [wrapped(one) for one in entries], [wrapped("".join(entries))]
    instances = ours(resources)
    same = instances == theirs(resources) == theirs(merged)
    rounds = [(seconds(ours, resources), seconds(theirs, resources), seconds(theirs, merged)) for _ in range(ROUNDS)]
    mine, library, quicker = map(min, zip(*rounds, strict=True))
    print(
        f"  {ENTRIES} entries, {len(instances)} instances: ours {mine * 1e3:.0f} ms, recurring-ical-events "
        f"{library * 1e3:.0f} ms, or {quicker * 1e3:.0f} ms where somebody merged them into one text first"
    )
    return [
        Ratio("G8 recurring-ical-events / ours", library / mine, 15, at_least=True),
        Ratio("G8 same instances", float(same), 1, at_least=True),
    ]
