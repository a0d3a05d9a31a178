"""iCalendar bytes to components with the few properties that tell time; knows no calendar rules.

One pass in C (a regular expression) picks the lines of interest; everything else is never looked at, least of all
opened: an ATTACH or an alarm is text that nobody reads here (H100, H101).
"""

import functools
import re
from collections.abc import Mapping

from syncd.errors import Unreadable

DEPTH = 8
DEFINITIONS = 8  # of time zones that are read apart, and their greatest length: more is read like everything else
DEFINITION = 16_384
KEPT = (
    "BEGIN|END|UID|DTSTART|DTEND|DURATION|RRULE|RDATE|EXDATE|EXRULE|RECURRENCE-ID|SEQUENCE|STATUS|TRANSP|CLASS|ATTENDEE"
    "|ORGANIZER|DTSTAMP|SUMMARY|LOCATION|FREEBUSY|TZID|TZOFFSETFROM|TZOFFSETTO|X-LIC-LOCATION"
    "|X-MICROSOFT-CDO-BUSYSTATUS|X-SYNCD-SUBJECT|X-SYNCD-GENERATION|X-SYNCD-MIRROR"
)
_NAMES = {name: name for name in KEPT.split("|")}
_PROPERTY = re.compile(rf"\n({KEPT})[ \t]*([;:][^\n]*)", re.IGNORECASE)
_PARAMETER = re.compile(r';\s*([A-Za-z0-9-]+)=((?:"[^"]*"|[^";:])*)')
_FIRST = re.compile(r"\nBEGIN[ \t]*:", re.IGNORECASE)
_TIMED = ("VEVENT", "VFREEBUSY")
_ZONE_BEGINS, _ZONE_ENDS = "\nBEGIN:VTIMEZONE\n", "\nEND:VTIMEZONE\n"
_CUT = "the text stops or is mixed up in the middle of a component"


class Malformed(ValueError):
    """The text is iCalendar and not as the standard wants it; the message says where."""


class Component:
    """BEGIN … END: its properties as they stand (from ';' or ':' on), and the components inside it."""

    __slots__ = ("children", "kind", "lines")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.lines: dict[str, list[str]] = {}
        self.children: list[Component] = []

    def all(self, name: str) -> list[str]:
        return self.lines.get(name, [])

    def value(self, name: str) -> str | None:
        """Return the value of a property's first line without its parameters, None where it is missing."""
        found = self.lines.get(name)
        if found is None:
            return None
        line = found[0]
        return line[1:].strip() if line[0] == ":" else split(line)[1]


def components(body: bytes) -> list[Component]:
    """Return what stands directly inside the VCALENDARs.

    Raises Unreadable for what is not iCalendar at all (a login page), Malformed for what is cut, mixed up or nested.
    """
    text = unfold(body)
    if not _FIRST.match(text):
        raise Unreadable("this is not an iCalendar text: it does not begin with BEGIN:VCALENDAR")
    text, definitions = _apart(text)
    root = _tree(text)
    if any(one.kind != "VCALENDAR" for one in root.children):
        raise Malformed(_CUT)
    return [inner for calendar in root.children for inner in calendar.children] + definitions


def _apart(text: str) -> tuple[str, list[Component]]:
    """Take the definitions of time zones out: every entry of a calendar brings the same text, which is read once."""
    definitions: list[Component] = []
    while len(definitions) < DEFINITIONS:
        start = text.find(_ZONE_BEGINS)
        end = text.find(_ZONE_ENDS, start)
        if start < 0 or not 0 < end - start < DEFINITION or _ZONE_BEGINS in text[start + 1 : end]:
            break
        end += len(_ZONE_ENDS) - 1
        definitions += _definition(text[start:end])
        text = text[:start] + text[end:]
    return text, definitions


@functools.lru_cache(maxsize=256)
def _definition(text: str) -> list[Component]:
    return _tree(text).children


def _tree(text: str) -> Component:
    """Return a nameless component that holds all others."""
    root = top = Component("")
    stack, lines = [root], root.lines
    for written, rest in _PROPERTY.findall(text):
        name = _NAMES.get(written) or written.upper()
        if name in lines:
            lines[name].append(rest)
        elif name == "BEGIN":
            top = _opened(top, rest)
            stack.append(top)
            lines = top.lines
            if len(stack) > DEPTH:
                raise Malformed(f"components are nested deeper than {DEPTH} levels")
        elif name == "END":
            if top is root or (top.kind != rest[1:] and top.kind != rest[1:].strip().upper()):
                raise Malformed(_CUT)
            stack.pop()
            top = stack[-1]
            lines = top.lines
        else:
            lines[name] = [rest]
    if top is not root:
        raise Malformed(_CUT)
    return root


def _opened(outer: Component, rest: str) -> Component:
    inner = Component(rest[1:].strip().upper())
    if inner.kind in _TIMED and outer.kind != "VCALENDAR":
        raise Malformed(f"a {inner.kind} stands in no VCALENDAR")
    outer.children.append(inner)
    return inner


def unfold(body: bytes) -> str:
    """Return the text with one newline before each content line; folds are mended in bytes: one may split a letter."""
    if b"\r" in body:
        body = body.replace(b"\r\n", b"\n")
        if b"\r" in body:
            body = re.sub(rb"\r+\n?", b"\n", body)
    body = body.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\n").replace(b"\n ", b"").replace(b"\n\t", b"")
    return "\n" + body.decode("utf-8", "replace")


def split(line: str) -> tuple[Mapping[str, str], str]:
    """Split what follows a property's name into its parameters (upper-case names, unquoted values) and its value."""
    if line[0] == ":":
        return {}, line[1:].strip()
    if '"' not in line:
        head, colon, value = line.partition(":")
    else:
        end = 0
        while match := _PARAMETER.match(line, end):
            end = match.end()
        head, colon, value = line[:end], line[end : end + 1], line[end + 1 :]
    if colon != ":":
        raise Malformed("a line's parameters do not end")
    return (_parameters(head) if len(head) < 200 else _read(head)), value.strip()


def _read(head: str) -> Mapping[str, str]:
    return {name.upper(): value.strip().replace('"', "") for name, value in _PARAMETER.findall(head)}


_parameters = functools.lru_cache(maxsize=2048)(_read)


def plain(text: str) -> str:
    """Return a TEXT value as people read it (RFC 5545, 3.3.11)."""
    return re.sub(r"\\(.)", lambda escape: "\n" if escape[1] in "nN" else escape[1], text)
