"""G7: reading one entry, ours against icalendar 7 and against the least anybody could do (unfold, split the lines)."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from icalendar import Calendar

from bench.ratio import Ratio
from connectors._ical import read_resource
from syncd.core.interval import Interval
from syncd.ports import CalendarUse

ENTRIES = 300
ROUNDS = 5
USE = CalendarUse(name="bench", time_zone="America/Santiago", emails=frozenset({"ana@example.cl"}))
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
WINDOW = Interval(BEGIN, BEGIN + timedelta(days=365))
HEAD = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Mozilla.org/NONSGML Mozilla Calendar V1.1//EN\r\n"
    "BEGIN:VTIMEZONE\r\nTZID:America/Santiago\r\nX-LIC-LOCATION:America/Santiago\r\nBEGIN:STANDARD\r\n"
    "TZNAME:-04\r\nTZOFFSETFROM:-0300\r\nTZOFFSETTO:-0400\r\nDTSTART:19700405T000000\r\n"
    "RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU\r\nEND:STANDARD\r\nBEGIN:DAYLIGHT\r\nTZNAME:-03\r\nTZOFFSETFROM:-0400\r\n"
    "TZOFFSETTO:-0300\r\nDTSTART:19700906T000000\r\nRRULE:FREQ=YEARLY;BYMONTH=9;BYDAY=1SU\r\nEND:DAYLIGHT\r\n"
    "END:VTIMEZONE\r\n"
)


def entry(number: int) -> bytes:
    """Return an entry as a desktop program stores it: its zone's definition, an invitation, an alarm."""
    start = BEGIN + timedelta(hours=number * 7)
    return (
        HEAD
        + f"BEGIN:VEVENT\r\nCREATED:20260102T150405Z\r\nLAST-MODIFIED:20260203T101112Z\r\nDTSTAMP:20260203T101112Z\r\n"
        f"UID:5f1a9c1e-{number:08d}-4d8e-9a39-2f5f5a3c6b11\r\nSUMMARY:Reunión de coordinación {number}\r\n"
        "ORGANIZER;CN=Bruno Díaz;PARTSTAT=ACCEPTED:mailto:bruno@example.cl\r\n"
        "ATTENDEE;CN=Ana Soto;CUTYPE=INDIVIDUAL;PARTSTAT=ACCEPTED;ROLE=REQ-PARTICIPANT:\r\n mailto:ana@example.cl\r\n"
        "ATTENDEE;CN=Carla Rojas;CUTYPE=INDIVIDUAL;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:ma\r\n ilto:carla@example.cl\r\n"
        f"DTSTART;TZID=America/Santiago:{start:%Y%m%dT%H%M%S}\r\n"
        f"DTEND;TZID=America/Santiago:{start + timedelta(minutes=45):%Y%m%dT%H%M%S}\r\n"
        "SEQUENCE:1\r\nSTATUS:CONFIRMED\r\nTRANSP:OPAQUE\r\nCLASS:PUBLIC\r\n"
        "LOCATION:Av. Siempre Viva 742\\, Santiago\r\n"
        "DESCRIPTION:Agenda: avance de obra\\, observaciones pendientes\\, entrega de ll\r\n "
        "aves y fechas de revisión.\r\n"
        "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDESCRIPTION:Recordatorio\r\nEND:VALARM\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


def ours(body: bytes) -> object:
    resource = read_resource(body, remote_id="1.ics", etag="1", window=WINDOW, use=USE)
    assert len(resource.events) == 1 and resource.problem is None
    return resource


def theirs(body: bytes) -> object:
    [event] = Calendar.from_ical(body).walk("VEVENT")
    return event.decoded("DTSTART"), event.decoded("DTEND")


def bare(body: bytes) -> object:
    """Unfold, decode, and split each line into name, parameters and value: no meaning yet."""
    text = body.replace(b"\r\n ", b"").decode()
    return [(*line.partition(":")[0].partition(";"), line.partition(":")[2]) for line in text.split("\r\n")]


def seconds(read: Callable[[bytes], object], bodies: list[bytes]) -> float:
    """Return the processor's seconds that an entry takes in one round."""
    began = time.process_time()
    for body in bodies:
        read(body)
    return (time.process_time() - began) / len(bodies)


def run() -> list[Ratio]:
    bodies = [entry(number) for number in range(ENTRIES)]
    rounds = [[seconds(read, bodies) for read in (ours, theirs, bare)] for _ in range(ROUNDS)]
    mine, library, least = map(min, zip(*rounds, strict=True))
    print(f"  an entry: ours {mine * 1e6:.0f} µs, icalendar {library * 1e6:.0f} µs, bare lines {least * 1e6:.1f} µs")
    return [
        Ratio("G7 icalendar / ours", library / mine, 10, at_least=True),
        Ratio("G7 ours / bare lines", mine / least, 10, at_least=False),
    ]
