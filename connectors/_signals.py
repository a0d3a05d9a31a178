"""The words of an iCalendar entry that say whether it takes time, as signals; knows no times."""

from collections.abc import Collection, Mapping

from connectors._lines import Component, split
from syncd.core.busy import Signal

_NONE: frozenset[Signal] = frozenset()
_UNKNOWN = Signal.UNKNOWN
_WORDS: Mapping[str, Mapping[str, Signal | None]] = {
    "TRANSP": {"OPAQUE": None, "TRANSPARENT": Signal.FREE},
    "STATUS": {"CONFIRMED": None, "TENTATIVE": Signal.TENTATIVE, "CANCELLED": Signal.CANCELLED},
    "CLASS": {"PUBLIC": None, "PRIVATE": Signal.PRIVATE, "CONFIDENTIAL": Signal.PRIVATE},
    "X-MICROSOFT-CDO-BUSYSTATUS": {
        "BUSY": None,
        "FREE": Signal.FREE,
        "TENTATIVE": Signal.TENTATIVE,
        "OOF": Signal.OUT_OF_OFFICE,
        "WORKINGELSEWHERE": Signal.WORKING_ELSEWHERE,
    },
}
_ANSWERS: Mapping[str, Signal | None] = {  # the busiest first: of several own answers it counts
    "ACCEPTED": None,
    "TENTATIVE": Signal.TENTATIVE,
    "NEEDS-ACTION": Signal.UNANSWERED,
    "DECLINED": Signal.DECLINED,
}
_BUSY_KINDS: Mapping[str, Signal | None] = {
    "BUSY": None,
    "BUSY-UNAVAILABLE": None,
    "BUSY-TENTATIVE": Signal.TENTATIVE,
    "FREE": Signal.FREE,
}


def signals_of(entry: Component, emails: Collection[str], notes: list[str]) -> frozenset[Signal]:
    """Return what an entry says; a word of no meaning here is UNKNOWN and noted. `emails`: the agent's, lower case."""
    found = {
        _word(name, entry.value(name) or "", words, notes) for name, words in _WORDS.items() if name in entry.lines
    }
    if emails and "ATTENDEE" in entry.lines:
        found.update(_part(entry, emails, notes))
    found.discard(None)
    return frozenset(signal for signal in found if signal is not None) if found else _NONE


def _word(name: str, value: str, words: Mapping[str, Signal | None], notes: list[str]) -> Signal | None:
    value = value.upper()
    if value in words or not value:
        return words.get(value)
    note = f"unknown word {value[:40]!r} in {name}: read as busy"
    if note not in notes:
        notes.append(note)
    return _UNKNOWN


def _part(entry: Component, emails: Collection[str], notes: list[str]) -> list[Signal | None]:
    """Return the agent's own part in a meeting: the answer given, or that it is organised and not attended."""
    organises = any(_is_own(line, emails) for line in entry.all("ORGANIZER"))
    answers = [
        split(line)[0].get("PARTSTAT", "NEEDS-ACTION") for line in entry.all("ATTENDEE") if _is_own(line, emails)
    ]
    if not answers:
        return [Signal.ORGANISED] if organises else []
    if organises:  # whoever calls a meeting needs no answer to the own invitation
        answers = ["ACCEPTED" if answer.upper() == "NEEDS-ACTION" else answer for answer in answers]
    known = [answer.upper() for answer in answers if answer.upper() in _ANSWERS]
    unknown = [_word("PARTSTAT", answer, _ANSWERS, notes) for answer in answers if answer.upper() not in _ANSWERS]
    busiest = next((signal for answer, signal in _ANSWERS.items() if answer in known), None)
    return [_UNKNOWN] if unknown else [busiest]


def _is_own(line: str, emails: Collection[str]) -> bool:
    """Tell whether an address line names the agent, by its value or its EMAIL parameter, in any case."""
    lowered = line.lower()
    if not any(email in lowered for email in emails):
        return False
    parameters, value = split(lowered)
    return value.removeprefix("mailto:").strip() in emails or parameters.get("EMAIL", "").strip() in emails


def free_busy_signals(line: str, notes: list[str]) -> frozenset[Signal]:
    """Return what the FBTYPE of a FREEBUSY line says; unknown kinds are busy (RFC 5545, 3.2.9)."""
    signal = _word("FBTYPE", split(line)[0].get("FBTYPE", "BUSY"), _BUSY_KINDS, notes)
    return _NONE if signal is None else frozenset({signal})
